"""A file for the textfile collector of node_exporter: there whole, or as it was."""

from __future__ import annotations

import os
from typing import Final

from monzen.metrics import MetricsError
from monzen.show.text import safe
from monzen.show.words import _
from monzen.written import WriteError, reached

SUFFIX: Final = ".prom"  # node_exporter reads no other name, so neither what is being written. Source: its collector/textfile.go


def write_textfile(path: str, text: bytes) -> None:
    """Put `text` there, readable for everybody; a link with this name gives way. Raises MetricsError."""
    name = os.path.basename(path)
    if not name.endswith(SUFFIX) or name == SUFFIX:
        raise MetricsError(_("{path} would not be read: node_exporter reads names that end in .prom").format(path=safe(path)))
    try:
        with reached(path) as spot:
            spot.replace(text, public=True)
    except WriteError as error:
        raise MetricsError(str(error)) from None
