"""Plain lists: one address or network a line, `#` or `;` and what stands behind the address is left out."""

from __future__ import annotations

import re
from typing import Final

from monzen.imports.found import Ban, Found

ENDS: Final = re.compile(rb"[\s,;#]")


def read(content: bytes, found: Found, name: str, at: float) -> None:
    """Take all lines. `at`: how old the list is, epoch seconds."""
    ban = Ban(b"", 0, since=at, source=name)
    for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        stripped = line.strip()
        if stripped and stripped[0] not in b"#;":
            found.add(ENDS.split(stripped[:200], 1)[0].decode("utf-8", "backslashreplace"), ban)
