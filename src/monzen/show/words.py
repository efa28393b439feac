"""Messages in the reader's language: English in the source, Japanese in `locale/ja`.

The language is that of LANGUAGE, LC_ALL, LC_MESSAGES or LANG, whichever comes first, as gettext has it.
"""

from __future__ import annotations

import gettext
import os
import re
from types import ModuleType

LOCALE = os.path.join(os.path.dirname(__file__), "locale")
_found: list[gettext.NullTranslations] = []


def _translations() -> gettext.NullTranslations:
    if not _found:
        _found.append(gettext.translation("monzen", LOCALE, fallback=True))
    return _found[0]


def speak(*languages: str) -> None:
    """Uses these languages from now on instead of the environment's; none: the environment's."""
    _found[:] = [gettext.translation("monzen", LOCALE, languages=languages, fallback=True)] if languages else []


def language() -> str:
    """The reader's language as HTML and mail name it: `ja` or `en`."""
    return "ja" if _translations().info().get("language", "en").startswith("ja") else "en"


def _(message: str) -> str:
    """The message in the reader's language."""
    return _translations().gettext(message)


def ngettext(one: str, many: str, n: int) -> str:
    """The message for this number, in the reader's language; `{n}` in it is the number."""
    return _translations().ngettext(one, many, n).format(n=f"{n:,}")


def joined(text: str) -> str:
    """The sentence without blanks between Japanese words: around what was filled in, which may have been a name, there is one."""
    return re.sub(r"(?<=[ぁ-ヶ一-鿿]) (?=[ぁ-ヶ一-鿿])", "", text)


def N_(message: str) -> str:  # noqa: N802  # gettext's own name for: translated where it is shown
    """Marks a message for translation."""
    return message


def plural(one: str, many: str) -> tuple[str, str]:
    """Marks both forms of a message with a number `{n}` in it: translated where they are shown."""
    return one, many


ARGPARSE = (  # what argparse says by itself: it asks gettext's own domain
    N_("usage: "),
    N_("positional arguments"),
    N_("options"),
    N_("unrecognized arguments: %s"),
    N_("the following arguments are required: %s"),
    N_("expected one argument"),
    N_("expected at least one argument"),
    N_("argument %(argument_name)s: %(message)s"),
    N_("invalid %(type)s value: %(value)r"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"),
    N_("ignored explicit argument %r"),
)


def speak_also(module: ModuleType) -> None:
    """Makes the standard library's argparse, which uses `module` (gettext) directly, speak the reader's language too."""
    module.bindtextdomain("monzen", LOCALE)
    module.textdomain("monzen")
