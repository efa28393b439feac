"""Archives: any number of gzip, xz, bzip2 or zstd members, unpacked as a stream in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from monzen.sources.error import SourceError
from monzen.sources.raw import Raw

PIECE = 1 << 16  # bytes of archive per read
# xz -9 needs 65 MiB (xz(1), table of presets). What asks for more than twice that is no log but an attack on our memory.
_XZ_MEMORY = 128 << 20
# One zstd block of 4 bytes can stand for 128 KiB (RFC 8878 3.1.1.2), and zstandard 0.25 unpacks at once all that it is given.
# So it gets little: at most 128 / 4 * 128 KiB = 4 MiB come back, and up to four of those are alive at a time. CPU for 148 MB of
# log: 0.16 s; with 512 bytes or more 0.13 s, but a bomb then takes 41 MB (measured 2026-11).
_ZSTD_PIECE = 128  # bytes


if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # one that is never asked costs a tenth of our start


class _Decoder(Protocol):
    """What lzma.LZMADecompressor, bz2.BZ2Decompressor and isal's IgzipDecompressor have in common: one member."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zlib:
    """zlib in the same shape, where isal is missing."""

    def __init__(self) -> None:
        import zlib

        self._stream = zlib.decompressobj(wbits=31)  # 16 + 15: a gzip header, the largest window
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        out = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        # zlib may hold output back although it took all input, when the output is full.
        self.needs_input = len(out) < max_length and not self._stream.unconsumed_tail
        return out


class _Zstd:
    """zstandard in the same shape; `max_length` is where it stops to ask for more, not a strict limit (see _ZSTD_PIECE)."""

    def __init__(self) -> None:
        import zstandard

        # Windows up to 128 MiB, as zstd -d without --long; what wants more is refused, with zstandard's words.
        self._stream = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(write_size=1 << 14)
        self._pending = b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._pending

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data + self._pending

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        data = self._pending + data
        out: list[bytes] = []
        length = position = 0
        while position < len(data) and length < max_length and not self._stream.eof:
            out.append(self._stream.decompress(data[position : position + _ZSTD_PIECE]))
            length += len(out[-1])
            position += _ZSTD_PIECE
        self._pending = data[position:]
        return b"".join(out)


def _maker(form: str, path: str) -> tuple[Callable[[], _Decoder], tuple[type[BaseException], ...]]:
    """How to make a decoder for one member, and what it raises on bytes it does not like. Imports what is needed, no more."""
    if form == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY), (lzma.LZMAError,)
    if form == "bz2":
        import bz2

        return bz2.BZ2Decompressor, (OSError,)
    if form == "gz":
        try:
            from isal import igzip_lib
        except ImportError:
            import zlib

            return _Zlib, (zlib.error,)
        refusal: type[Exception] = vars(igzip_lib)["IsalError"]  # its stub has it as an instance
        return lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), (refusal,)
    try:
        import zstandard
    except ImportError as error:
        raise SourceError("no-zstd", path, str(error)) from error
    return _Zstd, (zstandard.ZstdError,)


def _decode(path: str, form: str, pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The unpacked bytes of all members, at most about `size` at a time."""
    make, refusals = _maker(form, path)
    decoder = make()
    data = b""
    while True:
        if decoder.eof:
            data = decoder.unused_data.lstrip(b"\0")  # NULs pad xz (format 2.2) and what comes from a tape (gzip manual)
            while not data:
                if not (piece := next(pieces, b"")):
                    return
                data = piece.lstrip(b"\0")
            decoder = make()
        elif not data and decoder.needs_input:
            data = next(pieces, b"")
            if not data:
                raise SourceError("truncated", path)
        try:
            chunk = decoder.decompress(data, size)
        except refusals as error:
            raise SourceError("corrupt", path, str(error)) from error
        data = b""
        if chunk:
            yield chunk


def unpack(raw: Raw, form: str, head: bytes, size: int) -> Iterator[bytes]:
    """The bytes in the archive `raw`, of which `head` has been read; all that can be had before anything is raised.

    Errors: SourceError "truncated", "corrupt" or "no-zstd". A decoder that stumbles keeps to itself what it had unpacked of the
    last piece; so a damaged file is read once more, that piece byte by byte. Through a pipe it is lost.
    """
    given = 0
    try:
        for chunk in _decode(raw.path, form, chain((head,), iter(lambda: raw.read(PIECE), b"")), size):
            given += len(chunk)
            yield chunk
    except SourceError as error:
        if error.reason != "corrupt" or not raw.rewind():
            raise
        yield from _rescue(raw, form, given, size)
        raise


def _rescue(raw: Raw, form: str, given: int, size: int) -> Iterator[bytes]:
    """What lies between the `given` bytes that were unpacked and the damage, which is in the piece read last."""
    damaged = raw.last

    def pieces() -> Iterator[bytes]:
        while raw.consumed < damaged:
            if not (piece := raw.read(min(PIECE, damaged - raw.consumed))):
                return
            yield piece
        while piece := raw.read(PIECE):
            for position in range(len(piece)):
                yield piece[position : position + 1]

    try:
        for chunk in _decode(raw.path, form, pieces(), size):
            if given < len(chunk):
                yield chunk[given:]
            given = max(0, given - len(chunk))
    except SourceError:
        return  # the same that brought us here; the caller raises it
