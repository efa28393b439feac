"""What the tests of this folder share: logs, archives of them, and one way to read."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import zstandard

from monzen.sources import Source, SourceError, blocks

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=1),
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def log(lines: int, start: int = 0) -> bytes:
    """A log of so many lines that differ."""
    return b"".join(
        b"Sep  4 16:%02d:%02d mail postfix/smtpd[%d]: connect from unknown[192.0.2.%d]\n"
        % (n // 60 % 60, n % 60, n * 7919 % 32768, n * 31 % 256)
        for n in range(start, start + lines)
    )


def source(path: Path | str, form: str = "plain") -> Source:
    return Source(str(path), str(path), 0.0, 0, form)


class Got:
    """Everything that came out of one source, and how it ended."""

    def __init__(self, of: Source, size: int = 1 << 16) -> None:
        self.blocks: list[bytes] = []
        self.error: SourceError | None = None
        self.skipped = self.consumed = 0
        try:
            for block in blocks(of, size=size, progress=self._progress, skipped=self._skipped):
                self.blocks.append(block)
        except SourceError as error:
            self.error = error
        self.text = b"".join(self.blocks)

    @property
    def reason(self) -> str | None:
        return self.error.reason if self.error else None

    def _progress(self, n: int) -> None:
        assert n > 0
        self.consumed += n

    def _skipped(self, n: int) -> None:
        self.skipped += n


def read(path: Path | str, data: bytes | None = None, size: int = 1 << 16) -> Got:
    """Read `path`, after writing `data` to it."""
    if data is not None:
        Path(path).write_bytes(data)
    return Got(source(path), size)
