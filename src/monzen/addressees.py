"""The table `[tell]` of the configuration: who is told of alarms, how, and in which language (docs/telling.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from monzen.show.words import _

# A local user or an address, as RFC 5321 has it without quotes; what needs quotes is nobody's address for alarms.
ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_{|}~](?:[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{0,62}[A-Za-z0-9!#$%&'*+/=?^_{|}~-])?"
    r"(?:@(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)?"
).fullmatch
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}").fullmatch  # useradd(8) of Debian
URL = re.compile(r"[!-~]{1,2000}").fullmatch
LANGUAGES = ("en", "ja")
DIGESTS = ("daily", "weekly", "off")
WORDS = 20  # of a hook's command
LONGEST = 1000  # letters of each


@dataclass(frozen=True, slots=True)
class Tell:
    """Nobody is told before somebody says whom: what alarms say of users is not to be sent to an address nobody chose."""

    mail: str = ""
    language: str = ""  # that of LANG
    digest: str = "weekly"
    hook: tuple[str, ...] = ()
    hook_user: str = "nobody"  # who runs the hook and POSTs
    post: str = ""

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways that are set: mail, hook, post."""
        return tuple(way for way in ("mail", "hook", "post") if getattr(self, way))


def tell_value(key: str, value: object) -> str | tuple[str, ...]:
    """A value of `[tell]`. Raises ValueError with what it may be, in words."""
    if key == "hook":
        if (
            isinstance(value, list)
            and len(value) <= WORDS
            and all(isinstance(word, str) and "\0" not in word and len(word) <= LONGEST for word in value)
            and (not value or value[0].startswith("/"))
        ):
            return tuple(value)
        raise ValueError(_('a program with its whole path, and what it is always given: ["/usr/local/bin/x", "now"]'))
    if key in ("language", "digest"):
        choices = LANGUAGES if key == "language" else DIGESTS
        if isinstance(value, str) and value in choices:
            return value
        raise ValueError(", ".join(choices))
    if key == "hook_user":
        if isinstance(value, str) and USER(value) and value != "root":
            return value
        raise ValueError(_("the name of a user, and not root"))
    if isinstance(value, str) and (not value or (ADDRESS(value) if key == "mail" else _is_url(value))):
        return value
    if key == "mail":
        raise ValueError(_("one address, such as admin@example.net, or a user of this machine"))
    raise ValueError(_("an address of the web that begins with https:// or http://, without a password in it"))


def _is_url(text: str) -> bool:
    if not URL(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False
