"""The values of the live screen as lines of text, each exactly as wide as asked, also where letters take two columns."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monzen.screen.sight import Alarm, Attempt, Denied, Near, Sight
from monzen.show.text import in_zone, stamp
from monzen.show.words import N_, _, ngettext

LEVELS: Final = "▁▂▃▄▅▆▇█"
PLAIN_LEVELS: Final = ".:-=+*#@"
BAR: Final = 8  # cells of a bar
ROOMY: Final = 100  # columns from which on there is room for all of them
NARROW: Final = 76  # columns below which the less important ones are left out
TIME: Final = 11  # columns of a time with its date
AGES: Final = 300 * 86400  # seconds after which the year says more than the time
ADDRESS: Final = 15  # columns of an IPv4 address
MODES: Final = {
    "watch": N_("watch-only"),
    "armed": N_("armed"),
    "paused": N_("paused"),
    "panic": N_("open in a panic"),
}
# Readable on a light ground too: no yellow, cyan or green letters; red is both ways.
COLOURS: Final = {"watch": "bold", "armed": "bold", "paused": "bold reverse red", "panic": "bold reverse red"}
LIMITS: Final = {
    "ghosts": N_("names without an account"),
    "known_ghosts": N_("names without an account"),
    "names": N_("names"),
    "real_names": N_("names"),
    "one_name": N_("failures at once"),
    "one_name_hour": N_("failures in an hour"),
    "nameless": N_("failures at once"),
    "slow": N_("failures in all"),
    "ssh": N_("failures over ssh"),
    "relay": N_("relay probes"),
    "recipients": N_("unknown recipients"),
    "abuse": N_("protocol abuse"),
    "offenders": N_("offending neighbours"),
    "crowd": N_("clients at once"),
    "slow_crowd": N_("offending clients"),
}


class Look(NamedTuple):
    """How lines are drawn: times in this zone; `plain`: in letters that every terminal has."""

    zone: dt.tzinfo
    plain: bool


def plain_terminal() -> bool:
    """Whether blocks cannot be shown: the console of Linux has few, and not every locale is UTF-8."""
    return os.environ.get("TERM") == "linux" or "utf" not in (getattr(sys.stdout, "encoding", None) or "").lower()


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly so many columns; what is too long ends in `…`."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(set_cell_size(text, max(0, width - 1)).rstrip() + "…", width) if width > 0 else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def clock(at: float, sight: Sight, zone: dt.tzinfo) -> str:
    """`16:59:45`; of another day than today `09-04 16:59`, of long ago `2024-09-04`."""
    then, now = in_zone(at, zone), in_zone(sight.end, zone)
    if then.date() == now.date() and not sight.past:
        return f"{then:%H:%M:%S}"
    return f"{then:%m-%d %H:%M}" if abs(sight.end - at) < AGES else f"{then:%Y-%m-%d}"


def headline(sight: Sight, width: int, look: Look) -> Text:
    """The mode, how many are denied; of a log that ended long ago, when; how fast they come. What does not fit is left out, the
    date last of all: without it an old log would look alive."""
    line = Text("monzen", style="bold")
    mode = _("files only") if sight.files else _("the gate cannot be asked")
    if sight.mode in MODES:
        mode = _(MODES[sight.mode])
    parts: list[tuple[str, str]] = [(mode, COLOURS.get(sight.mode or "", ""))]
    if sight.mode == "armed" or sight.really:
        parts.append((ngettext("{n} denied", "{n} denied", sight.really), "bold"))
    if sight.mode != "armed":
        parts.append((ngettext("{n} would be denied", "{n} would be denied", sight.would), ""))
    more = [(ngettext("{n} attempt/60 s", "{n} attempts/60 s", sight.rate), "bold" if sight.rate else "")]
    if sight.reading:
        more.append((ngettext("reading: {n} line", "reading: {n} lines", sight.lines), "dim"))
    if sight.past:
        whole, short = stamp(sight.end, look.zone, seconds=False), clock(sight.end, sight, look.zone)
        room = width - cell_len(line.plain) - sum(2 + cell_len(text) for text, _style in parts)
        ends = _("up to {time}")
        text = ends.format(time=whole if 2 + cell_len(ends.format(time=whole)) <= room else short)
        while len(parts) > 1 and 2 + cell_len(text) > room:
            room += 2 + cell_len(parts.pop()[0])
        parts.append((text, ""))
    for n, (text, style) in enumerate([*parts, *more]):
        if n < len(parts) or cell_len(line.plain) + 2 + cell_len(text) <= width:
            line.append("  ")
            line.append(text, style=style)
    return line


def spark(sight: Sight, width: int, look: Look) -> Text:
    """Attempts of each minute of the clock up to now, and the most of one."""
    said = " " + _("attempts by clock minute, up to {most:,}")
    most = max(sight.minutes[-max(1, width) :], default=0)
    tail = said.format(most=most)
    room = max(0, width - cell_len(tail))
    shown = sight.minutes[-room:] if room else ()
    levels = PLAIN_LEVELS if look.plain else LEVELS
    # a minute with one attempt is to be seen beside one with thousands: only none is none
    drawn = "".join(" " if not n else levels[min(len(levels) - 1, n * len(levels) // (most + 1))] for n in shown)
    line = Text(" " * (room - len(drawn)) + drawn)
    line.append(fit(tail, width - room), style="dim")
    return line


def bar(near: float, look: Look) -> str:
    """How near, in eight cells; full only where nothing is missing."""
    full = BAR if near >= 1 else min(BAR - 1, int(near * BAR + 0.5))
    on, off = ("#", "-") if look.plain else ("█", "░")
    return on * full + off * (BAR - full)


class Columns:
    """Columns that hold the longest cell of all rows, bounded, and leave the rest to the last of them."""

    def __init__(self, width: int, rows: Sequence[Sequence[str]], most: Sequence[int]) -> None:
        self.sizes = [min(m, max((cell_len(row[i]) for row in rows), default=0)) for i, m in enumerate(most)]
        self.rest = max(0, width - sum(s + 1 for s in self.sizes if s))

    def line(self, cells: Sequence[tuple[str, str]], last: tuple[str, str]) -> Text:
        """Cells with their styles in these columns; a style that begins with `>` is a number's."""
        line = Text(no_wrap=True)
        for (text, style), size in zip(cells, self.sizes, strict=True):
            if size:
                line.append(fit(text, size, right=style.startswith(">")), style=style.removeprefix(">"))
                line.append(" ")
        line.append(fit(last[0], self.rest), style=last[1])
        return line


def attempts(rows: Sequence[Attempt], sight: Sight, width: int, look: Look) -> list[Text]:
    """Each attempt a line: when, who, where, what, and whether it was denied by then."""
    denied = _("denied") if sight.mode == "armed" else _("would be")
    cells = [
        (
            clock(a.at, sight, look.zone),
            a.client,
            a.service,
            denied if a.denied else "",
            f"{a.attempts}×" if a.attempts > 1 else "",
        )
        for a in rows
    ]
    narrow = width < NARROW
    longest = ADDRESS + 4 if narrow else 24 if width < ROOMY else 39  # the /64 of IPv6 is to be seen in any case
    columns = Columns(width, cells, (TIME, longest, 10, cell_len(denied), 0 if narrow else 4))
    return [
        columns.line(
            (
                (c[0], "dim"),
                (c[1], "" if a.denied else "bold"),
                (c[2], ""),
                (c[3], ""),
                (c[4], ">"),
            ),
            (a.what + (f": {a.name}" if a.name else ""), "dim" if a.denied else ""),
        )
        for a, c in zip(rows, cells, strict=True)
    ]


def denials(rows: Sequence[Denied], sight: Sight, width: int, look: Look) -> list[Text]:
    """Each denial a line: since when, whom, how often they knocked since, why; where there is room, until when."""
    real, would = _("denied"), _("would be")
    mixed = any(not d.real for d in rows) and sight.mode is not None
    cells = [
        (
            clock(d.at, sight, look.zone),
            d.name,
            f"{d.knocks:,}" if d.knocks else "",
            "" if not mixed else real if d.real else would,
            "" if width < ROOMY else until(d, sight, look.zone),
        )
        for d in rows
    ]
    columns = Columns(width, cells, (TIME, 43 if width >= NARROW else 24, 7, max(cell_len(real), cell_len(would)), 20))
    return [
        columns.line(
            ((c[0], "dim"), (c[1], "bold" if d.real else ""), (c[2], ">"), (c[3], "" if d.real else "dim"), (c[4], "dim")),
            (d.why, ""),
        )
        for d, c in zip(rows, cells, strict=True)
    ]


def until(d: Denied, sight: Sight, zone: dt.tzinfo) -> str:
    """When it ends."""
    return _("for good") if d.until is None else _("until {time}").format(time=clock(d.until, sight, zone))


def suspects(rows: Sequence[Near], sight: Sight, width: int, look: Look) -> list[Text]:
    """Each suspect a line: how near, whom, of which limit."""
    cells = [
        (
            bar(s.near, look),
            f"{s.have}/{s.need}",
            s.name,
            clock(s.at, sight, look.zone) if width >= NARROW else "",
        )
        for s in rows
    ]
    columns = Columns(width, cells, (BAR, 7, 43 if width >= NARROW else 24, TIME))
    return [
        columns.line(
            (
                (c[0], "red" if s.near >= 0.75 else ""),
                (c[1], ">"),
                (c[2], "bold"),
                (c[3], "dim"),
            ),
            (_(LIMITS[s.rule]), ""),
        )
        for s, c in zip(rows, cells, strict=True)
    ]


def news(sight: Sight, width: int, look: Look) -> list[Text]:
    """What a person should look at, a line each: the newest break-in; then what cannot be read, or the newest alarm."""
    found = []
    grave = [a for a in sight.alarms if a.grave]
    other = [a for a in sight.alarms if not a.grave]
    if grave:
        found.append(_first(grave, sight, width, look, "bold reverse red"))
    if sight.troubles:
        found.append(Text(fit("! " + sight.troubles[0], width), style="red"))
    elif other:
        found.append(_first(other, sight, width, look, "bold"))
    return found


def _first(alarms: Sequence[Alarm], sight: Sight, width: int, look: Look, style: str) -> Text:
    """The first of these, and how many more there are."""
    more = len(alarms) - 1
    tail = " " + ngettext("({n} more: key !)", "({n} more: key !)", more) if more else ""
    said = f"! {clock(alarms[0].at, sight, look.zone)} {alarms[0].text}"
    return Text(fit(said, width - cell_len(tail)) + tail, style=style)
