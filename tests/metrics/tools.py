"""Prometheus' own programs: installed, or unpacked by `make test`."""

import shutil
import sys
from pathlib import Path

WANTED = "not there: {name} (the package prometheus, which make test unpacks)"


def tool(name: str) -> str | None:
    """The path of promtool or prometheus, where it is."""
    unpacked = Path(sys.prefix) / "tools/usr/bin" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)
