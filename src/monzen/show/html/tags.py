"""Markup that cannot be broken out of: whatever is no Markup already is escaped, in texts and in attributes."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Final

EMPTY: Final = frozenset({"meta", "link", "br", "input", "rect", "hr"})
NAME = re.compile(r"[a-z][a-z0-9-]*").fullmatch
UNSAFE = re.compile("[<>&\u2028\u2029\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class Markup(str):
    """Text that is markup of ours."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A text as markup; what a browser would obey and nobody would see (control and bidi characters) is shown as its code."""
    if isinstance(value, Markup):
        return value
    return Markup(escape(CONTROLS.sub(lambda m: f"\\u{ord(m[0]):04x}", str(value)), quote=True))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element: `tag("td", "a < b", class_="n")`. Attributes that are None or False are left out, True has no value.

    Raises ValueError for a name that is none: names come from us, never from a log.
    """
    parts = [name]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if not NAME(attribute):
            raise ValueError(attribute)
        if value is None or value is False:
            continue
        parts.append(attribute if value is True else f'{attribute}="{text(value)}"')
    if not NAME(name):
        raise ValueError(name)
    start = f"<{' '.join(parts)}>"
    return Markup(start) if name in EMPTY else Markup(f"{start}{join(children)}</{name}>")


def join(children: object) -> Markup:
    """Texts and elements one after the other."""
    if isinstance(children, (list, tuple)):
        return Markup("".join(join(child) for child in children))
    return Markup("") if children is None else text(children)


def data(value: object) -> Markup:
    """JSON inside a script element: no character of it is markup, ends the script, or is obeyed unseen."""
    return Markup(UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(value, ensure_ascii=False, separators=(",", ":"))))
