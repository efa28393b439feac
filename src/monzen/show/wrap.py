"""Lines of so many columns: English is broken at blanks, Japanese where a phrase ends, as people who set type break it.

Japanese has no blanks between words. A line ends best after 、 and 。, well after a particle or an ending (hiragana before
another script) and before an opening bracket, badly inside a word, and never before what may not begin a line (JIS X 4051,
行頭禁則) nor between a number and what it counts. Which breaks are worth a shorter line is weighed for all of a text at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final
from unicodedata import combining, east_asian_width

GLUE: Final = "\N{NO-BREAK SPACE}"  # a blank at which no line ends; printed as a blank
INDENT: Final = 2  # columns
LEAST: Final = 16  # columns that a text is given, however narrow the page

NO_START: Final = frozenset(
    "、。，．・：；？！）］｝」』】〕〉》〙〗’”ー゛゜ゝゞヽヾ々〻…‥％℃ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ,.;:!?)]}%"
)
NO_END: Final = frozenset("（［｛「『【〔〈《〘〖‘“([{")
PARTICLES: Final = frozenset("をはがにでとのもへや")
STEMS: Final = frozenset("りちみきぎびえけげせてべめれしい")  # 繰り返し, 問い合わせ: one of these between two kanji is no ending

# Costs. A line that stays empty by a tenth of its width costs 1, by half of it 25; one more line costs LINE.
LINE: Final = 15.0
BRACKETED: Final = 12.0
GOOD: Final = 100.0  # what costs less is no break inside a word
HARD: Final = 10_000.0  # only where a piece is longer than a line
NEVER: Final = 1_000_000.0
STAMP = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b")
MARK = re.compile(r"[!✓✗] ").match  # what a line begins with, whose other lines stand behind it
PROGRAMS: Final = "(?:monzen|ufw|nft|systemctl|journalctl|doveadm|apt)"
COMMAND = re.compile(rf"(?:(?<=: )|(?<=：)|(?=sudo ))(?:sudo )?{PROGRAMS}(?: [\w./*:@=-]*[\w/*])+")
APART = re.compile(rf"\d{{4}}-\d\d-\d\d \d\d:|(?:: |sudo ){PROGRAMS} | [.,;:!?)\]}}%](?: |$)").search  # needs a look
LONGEST: Final = 44  # columns of a command that is kept whole
BLANKS = re.compile(r"[ \u3000]+")


@lru_cache(maxsize=8_192)
def _cell(letter: str) -> int:
    return 0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1


def cells(text: str) -> int:
    """The columns that a text takes on a terminal: Japanese letters take two."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def glued(text: str) -> str:
    """The text as one word: `23/tcp telnet`."""
    return text.replace(" ", GLUE)


def wrap(text: str, width: int, rest: int | None = None) -> list[str]:
    """The text in lines of at most `width` columns (those behind the first: `rest`); a line break in it stays.

    Only blanks are lost, where a line ends. A word is cut where it alone is longer than a line.
    """
    width, lines = max(width, 2), list[str]()
    for part in text.split("\n"):
        lines += _broken(part, width if not lines else max(rest or width, 2), max(rest or width, 2))
    return [line.replace(GLUE, " ") for line in lines]


def hanging(text: str, width: int, indent: int = INDENT) -> str:
    """The text behind a margin; where it is longer than a line, or a translation breaks it, its other lines stand further in."""
    room = max(width - indent, LEAST)
    parts = "\n".join(part.strip(" ") for part in text.split("\n"))
    first, *rest = wrap(parts, room, max(room - indent, LEAST))
    return "\n".join([" " * indent + first, *(" " * 2 * indent + line for line in rest)])


def margined(text: str, width: int) -> list[str]:
    """Lines of a text that brings its margin along: where one is longer than a line, the rest stands two columns further in."""
    found: list[str] = []
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        margin, mark = len(line) - len(bare), 2 if MARK(bare) else 0
        first, *rest = wrap(bare, max(width - margin, LEAST), max(width - margin - (mark or INDENT * bool(margin)), LEAST))
        found += [" " * margin + first, *(" " * (margin + (mark or INDENT * bool(margin))) + line for line in rest)]
    return [line.rstrip(" ") for line in found]


def command(text: str, width: int, margin: int = INDENT) -> list[str]:
    """A command behind a margin; one that is longer than a line goes on as a shell takes it, behind a backslash."""
    if margin + cells(text) <= width:
        return [" " * margin + text]
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and margin + cells(lines[-1]) + 1 + cells(word) + 2 > width:
            lines.append("  ")
        lines[-1] += (" " if lines[-1].strip() else "") + word
    return [" " * margin + line + (" \\" if n + 1 < len(lines) else "") for n, line in enumerate(lines)]


def cut(text: str, width: int) -> str:
    """As much of the text as fits, with `…` where something is left out."""
    if cells(text) <= width:
        return text
    room = width - 1
    for n, letter in enumerate(text):
        room -= _cell(letter)
        if room < 0:
            return text[:n].rstrip(" ") + "…"
    return text


Break = tuple[int, int, float]  # where a line ends, where the next one begins, what that costs


def _broken(text: str, first: int, rest: int) -> list[str]:
    """One paragraph."""
    text = text.rstrip(" \u3000")
    if cells(text) <= first:
        return [text]
    room = min(first, rest)
    if text.isascii() and not APART(text):
        at: Sequence[int] = range(len(text) + 1)
        breaks = [(m.start(), m.end(), 0.0) for m in BLANKS.finditer(text) if m.start()]
        if _fit(at, breaks, room):
            return _cut_at(text, breaks, _filled(at, breaks, first, rest))
    at = [0, *accumulate(map(_cell, text))]
    breaks = _breaks(text, at, room)
    good = [b for b in breaks if b[2] < GOOD]
    if _fit(at, good, room):  # most breaks are inside words: what is weighed is so much less
        breaks = good
    plain = at[-1] == len(text) and all(cost < HARD for _end, _start, cost in breaks)
    return _cut_at(text, breaks, _filled(at, breaks, first, rest) if plain else _weighed(at, breaks, first, rest))


def _fit(at: Sequence[int], breaks: list[Break], room: int) -> bool:
    """Whether no piece between two breaks is longer than a line."""
    ends, starts = [*(end for end, _start, _cost in breaks), len(at) - 1], [0, *(start for _end, start, _cost in breaks)]
    return all(at[end] - at[start] <= room for start, end in zip(starts, ends, strict=True))


def _cut_at(text: str, breaks: list[Break], chosen: list[int]) -> list[str]:
    starts = [0, *(breaks[n][1] for n in chosen)]
    ends = [*(breaks[n][0] for n in chosen), len(text)]
    return [text[a:b] for a, b in zip(starts, ends, strict=True)]


def _breaks(text: str, at: Sequence[int], room: int) -> list[Break]:
    """Where lines may end. Inside what no line should break only where it is longer than `room`."""
    kept = {m.start() + 10 for m in STAMP.finditer(text)}
    for m in COMMAND.finditer(text):
        if at[m.end()] - at[m.start()] <= min(LONGEST, room):
            kept |= {n for n in range(m.start(), m.end()) if text[n] == " "}
    found: list[Break] = []
    inside: list[Break] = []
    blank = {m.start(): m.end() for m in BLANKS.finditer(text)}
    # what a break before each letter costs more, where it is inside brackets
    more = list(accumulate(text, lambda cost, letter: {"（": BRACKETED, "）": 0.0}.get(letter, cost), initial=0.0))
    n, began = 1, len(text) - len(text.lstrip(" \u3000"))
    piece = began  # where the piece began that is not to be broken

    def close(end: int) -> None:
        if at[end] - at[piece] > room:
            found.extend(inside)
        inside.clear()

    while n < len(text):
        if n in blank:
            start, cost = blank[n], HARD if n in kept else _at_blank(text, n, blank[n])
            if n > began:
                if cost < HARD:
                    close(n)
                    found.append((n, start, cost + more[n]))
                    piece = start
                else:
                    inside.append((n, start, cost))
            n = start + 1
            continue
        if n > began:
            cost = _between(text, n)
            if cost < HARD:
                close(n)
                found.append((n, n, cost + more[n]))
                piece = n
            elif not combining(text[n]):
                inside.append((n, n, cost))
        n += 1
    close(len(text))
    return sorted(found)


def _filled(at: Sequence[int], breaks: list[Break], first: int, rest: int) -> list[int]:
    """Each line as full as it can be: as English is set. A last line of hardly anything gets a word more."""
    chosen: list[int] = []
    start, room, last = 0, first, -1
    for n, (end, _next, _cost) in enumerate([*breaks, (len(at) - 1, len(at) - 1, 0.0)]):
        if at[end] - at[start] > room and last >= 0:
            chosen.append(last)
            start, room = breaks[last][1], rest
        last = n
    if chosen and at[-1] - at[start] <= 3 and chosen[-1]:
        before = breaks[chosen[-2]][1] if len(chosen) > 1 else 0
        if breaks[chosen[-1] - 1][0] > before and at[-1] - at[breaks[chosen[-1] - 1][1]] <= rest:
            chosen[-1] -= 1
    return chosen


def _weighed(at: Sequence[int], breaks: list[Break], first: int, rest: int) -> list[int]:
    """The breaks that cost least together."""
    nodes = [(0, 0, 0.0), *breaks, (len(at) - 1, len(at) - 1, 0.0)]
    best: list[tuple[float, int]] = [(0.0, -1)]
    for j in range(1, len(nodes)):
        end, _next, cost = nodes[j]
        found = (float("inf"), j - 1)
        for i in range(j - 1, -1, -1):
            size, room = at[end] - at[nodes[i][1]], first if i == 0 else rest
            if size > room and i < j - 1:
                if size > max(first, rest):
                    break
                continue
            slack = 10 * max(room - size, 0) / room
            whole = (
                best[i][0] + cost + LINE + (slack * slack if j + 1 < len(nodes) else 200 if size <= 2 else 40 if size <= 4 else 0)
            )
            if size > room:  # a letter that is wider than the page
                whole += NEVER
            if whole < found[0]:
                found = (whole, i)
        best.append(found)
    chosen: list[int] = []
    j = best[-1][1]
    while j > 0:
        chosen.append(j - 1)
        j = best[j][1]
    return chosen[::-1]


HIRAGANA, KATAKANA, KANJI, NARROW, OTHER = range(5)


@lru_cache(maxsize=8_192)
def _script(letter: str) -> int:
    if "ぁ" <= letter <= "ゟ":
        return HIRAGANA
    if "ァ" <= letter <= "ヿ":
        return KATAKANA
    if "一" <= letter <= "鿿" or letter in "々〆":
        return KANJI
    return NARROW if _cell(letter) == 1 else OTHER


def _ends(text: str, n: int) -> bool:
    """Whether the letter `n` ends what is before it: no line begins with it. The dot of `.gz` does not."""
    return text[n] in NO_START and not (text[n] == "." and text[n + 1 : n + 2].isalnum())


def _at_blank(text: str, end: int, start: int) -> float:
    """What a break at blanks costs."""
    if start >= len(text):
        return NEVER
    before, behind = text[end - 1], text[start]
    if _ends(text, start):
        return HARD
    if start - end > 1 or text[end] == "\u3000":
        return 0.0
    if _script(behind) == HIRAGANA:  # `ufw が`: a particle goes with its word
        return 150.0
    if before in ",;":
        return 3.0
    if _script(before) == NARROW and _script(behind) == NARROW:
        return 25.0
    return 6.0


def _between(text: str, n: int) -> float:
    """What a break before the letter `n` costs, where no blank is."""
    before, behind = text[n - 1], text[n]
    if _ends(text, n) or before in NO_END or combining(behind) or GLUE in (before, behind):
        return NEVER
    a, b = _script(before), _script(behind)
    if a == NARROW and b == NARROW:
        return HARD if before in "/,-.=@_:&?;" else 2 * HARD
    if before in "、。，．！？；":
        return 0.0
    if behind in NO_END:
        return 3.0
    if before.isdigit():
        return HARD
    if a == OTHER or b == OTHER:  # behind a bracket or a colon
        return 300.0 if b == HIRAGANA else 3.0
    if b == HIRAGANA:
        return 200.0 if a == HIRAGANA else 400.0
    if a == HIRAGANA:
        if before in "おご":
            return 100.0
        if b == KANJI and n > 1 and _script(text[n - 2]) == KANJI and before in STEMS:
            return 60.0 if before in "しい" else 150.0
        return 4.0 if before in PARTICLES else 8.0
    if a == b:
        return 300.0 if a == KATAKANA else 120.0
    return 60.0 if NARROW not in (a, b) else 40.0


def pieces(text: str) -> Iterator[str]:
    """What no line should break, one by one: to know how narrow a column may be."""
    at = [0, *accumulate(map(_cell, text))]
    start = 0
    for end, behind, cost in _breaks(text, at, 10**9):
        if cost < GOOD:
            yield text[start:end]
            start = behind
    yield text[start:]
