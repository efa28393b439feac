"""For how long somebody can be denied, on the page and on the live screen alike."""

from __future__ import annotations

from typing import Final

from monzen.show.words import N_, _

# As `monzen deny --for` takes them. The first one is what that verb does by itself: one word does the same everywhere.
LENGTHS: Final = (("", N_("for good")), ("1h", N_("an hour")), ("24h", N_("a day")), ("7d", N_("a week")))


def lengths() -> list[tuple[str, str]]:
    """What `--for` takes ("" is without it), and its name in the reader's language."""
    return [(length, _(name)) for length, name in LENGTHS]
