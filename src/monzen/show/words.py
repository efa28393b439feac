"""Messages in the reader's language: English in the source, Japanese in `locale/ja`, chosen by LANGUAGE, LC_ALL, LC_MESSAGES, LANG."""

from __future__ import annotations

import gettext
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
_found: list[gettext.NullTranslations] = []


def _translations() -> gettext.NullTranslations:
    if not _found:
        _found.append(gettext.translation("monzen", LOCALE, fallback=True))
    return _found[0]


def speak(*languages: str) -> None:
    """Uses these languages from now on instead of the environment's (for tests); none: the environment's."""
    _found[:] = [gettext.translation("monzen", LOCALE, languages=languages, fallback=True)] if languages else []


def _(message: str) -> str:
    """The message in the reader's language."""
    return _translations().gettext(message)


def ngettext(one: str, many: str, n: int) -> str:
    """The message for this number, in the reader's language; `{n}` in it is the number."""
    return _translations().ngettext(one, many, n).format(n=f"{n:,}")


def N_(message: str) -> str:  # noqa: N802  # gettext's own name for: translated where it is shown
    """Marks a message for translation."""
    return message
