"""The texts of a rotated set, opened where a cursor says: known again under any name and in any form."""

from __future__ import annotations

from monzen.sources.complaints import Complaints
from monzen.sources.cursor import Cursor, mark_of
from monzen.sources.error import SourceError
from monzen.sources.growing import Growing
from monzen.sources.lineage import Entry, open_text
from monzen.sources.packed import Packed

Text = Growing | Packed


class Texts:
    """Opens them. `done` has the marks of what will not be read any more, those of the newest last."""

    def __init__(self, path: str, complaints: Complaints) -> None:
        self.path = path
        self.done: dict[bytes, None] = {}
        self.moved = False  # a file was no longer where, or what, it was seen to be: who asks looks at the set anew
        self._complaints = complaints

    def find(self, cursor: Cursor, entries: list[Entry]) -> Text | None:
        """The text that the cursor stands in, whatever its name and form are by now; opened there."""
        if not cursor.mark:
            return None
        same = [(e.key[1] == cursor.inode, e.form == "plain", n, e) for n, e in enumerate(entries) if e.mark == cursor.mark]
        kept: Entry | None = None
        for _, _, _, e in sorted(same, reverse=True, key=lambda found: found[:3]):
            text = self.open(e)
            if text is None:
                continue
            try:
                if text.to(cursor):
                    return text
                if isinstance(text, Growing) and not e.live and text.size() < cursor.offset:
                    text.to_end()  # copied a moment before what we read last was written
                    return text
            except (OSError, SourceError) as error:
                self._complaints.say(error if isinstance(error, SourceError) else SourceError.refused(e.path, error))
            if e.live:
                kept = e
            text.close()
        return self.settle(kept, cursor) if kept and not self.moved else None

    def empty(self, cursor: Cursor, entries: list[Entry]) -> Text | None:
        """The file that was left when there was nothing in it."""
        for e in entries:
            if e.key[1] == cursor.inode and e.form == "plain" and e.mark not in self.done:
                return self.open(e)
        return None

    def settle(self, entry: Entry, cursor: Cursor) -> Text | None:
        """A file that somebody edited, restored or shortened: behind what was read last, or else, where it begins as one that was
        read, at its end. No line twice."""
        text = self.open(entry)
        known = entry.mark in self.done or (entry.mark and entry.mark == cursor.mark)
        if isinstance(text, Growing) and not text.to_tail(cursor, edited=entry.key[1] != cursor.inode) and known:
            text.to_end()
            self._complaints.say(SourceError("cut-off", self.path))
        return text

    def open(self, entry: Entry) -> Text | None:
        """The text of an entry, from its beginning; None, with a word, where it cannot be had; it may have `moved`."""
        try:
            text = open_text(entry)
            if isinstance(text, Growing) and entry.mark and mark_of(text.head()) != entry.mark:  # truncated, or written anew
                text.close()
                text = None
            self.moved |= text is None
            return text
        except OSError as error:
            self._complaints.say(SourceError.refused(entry.path, error))
        except SourceError as error:
            self._complaints.say(error)
        return None
