"""What no printed line may be, for tests of what verbs print."""

import re

from monzen.show.wrap import NO_START, cells

COUNTED = re.compile(r"\d[\d,]*(?:件|回|行|人|種類|日|時間|分|パケット)")
WHOLE = re.compile(r"\S{40,}|^    \w{3} [ \d]\d |^  \w{3} [ \d]\d ")  # a word that is longer than a half of the narrowest page; a log line


def unfit(said, width):
    """The lines that are wider, end in blanks, or begin with what ends a word."""
    return [
        line
        for line in said.split("\n")
        if (cells(line) > width and not WHOLE.search(line))
        or line != line.rstrip()
        or (line.strip() and line.strip()[0] in NO_START - set(".([:") and not line.lstrip().startswith((".", "!", "…")))
    ]
