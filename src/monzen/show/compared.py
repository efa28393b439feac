"""What each policy would have done with the same log, as rows for a page and a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from monzen.show.text import safe
from monzen.show.words import _

COUNTED: Final = ("through", "never", "before", "denials", "targets", "addresses", "hurt")


def headings() -> tuple[str, ...]:
    """Of the columns; each with a line break where it may have two lines."""
    return (
        _("policy"), _("let\nthrough"), _("never\nstopped"), _("before\ndenial"), _("denials"), _("targets"),
        _("IPv4\naddresses"), _("users\nhurt"),
    )  # fmt: skip


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Of one policy; what is not known is a dash."""
    name = safe(row["policy"].rstrip("/").rpartition("/")[2], 24)
    return (name, *("–" if row[key] is None else f"{row[key]:,}" for key in COUNTED))
