"""Archives: whatever their name, members and end, every line that can be had is had, in flat memory."""

from __future__ import annotations

import gzip
import lzma
import subprocess
import sys
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from monzen.sources import SourceError, archive, blocks
from tests.sources.made import PACK, Got, log, read, source

forms = pytest.mark.parametrize("form", PACK)


def unpacked(form: str, data: bytes) -> bytes:
    """What a decoder other than ours gets out of the beginning of an archive."""
    if form == "gz":
        return zlib.decompressobj(wbits=31).decompress(data)
    if form == "zst":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if form == "xz":
        return lzma.LZMADecompressor().decompress(data)
    return b""  # bzip2 gives blocks of 900 kB or nothing


def lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]


@forms
@pytest.mark.parametrize("name", ["mail.log", "mail.log.1", "mail.log.2.gz", "mail.log.3.xz"])
def test_the_mark_counts_and_not_the_name(tmp_path: Path, form: str, name: str) -> None:
    data = PACK[form](log(3000))
    got = read(tmp_path / name, data)
    assert (got.text, got.error, got.consumed) == (log(3000), None, len(data))


def test_text_with_the_name_of_an_archive_is_text(tmp_path: Path) -> None:
    assert read(tmp_path / "mail.log.2.gz", log(30)).text == log(30)


@forms
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=5), size=st.integers(1, 9000))
def test_members_follow_each_other(tmp_path_factory: pytest.TempPathFactory, form: str, sizes: list[int], size: int) -> None:
    """Three members of gzip, frames of zstd; empty ones; cut anywhere by the size of the block; the last line without newline."""
    parts = [log(n, start=i * 100) for i, n in enumerate(sizes)]
    parts[-1] = parts[-1][:-1]
    text = b"".join(parts)
    path = tmp_path_factory.getbasetemp() / f"members.{form}"
    got = read(path, b"".join(map(PACK[form], parts)), size)
    assert got.error is None
    assert got.text == (text if not text or text.endswith(b"\n") else text + b"\n")


def test_a_member_may_end_in_the_middle_of_a_line(tmp_path: Path) -> None:
    data = b"".join(PACK["gz"](log(50)[at : at + 33]) for at in range(0, len(log(50)), 33))
    assert read(tmp_path / "x.gz", data).text == log(50)


@forms
def test_padding_is_nothing_and_garbage_is_damage(tmp_path: Path, form: str) -> None:
    data = PACK[form](log(30))
    assert read(tmp_path / "x", data + b"\0" * 512).error is None
    assert read(tmp_path / "x", data + b"\0" * 100_000 + data).text == log(30) * 2
    got = read(tmp_path / "x", data + b"garbage that is no member, and long enough for every header there is")
    assert (got.text, got.reason) == (log(30), "corrupt")


def test_zstd_skippable_frames_say_nothing(tmp_path: Path) -> None:
    skip = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"  # as pzstd writes them
    data = skip + PACK["zst"](log(3)) + skip + PACK["zst"](log(3, start=3)) + skip
    assert read(tmp_path / "x", data).text == log(6)


@forms
def test_truncated_at_every_seventh_byte(tmp_path: Path, form: str) -> None:
    data = PACK[form](log(60))
    for end in range(14, len(data), 7):
        got = read(tmp_path / "mail.log.2.gz", data[:end])
        assert (end, got.reason) == (end, "truncated")
        assert got.text == lines(got.text)
        assert log(60).startswith(got.text)
        assert len(got.text) >= len(lines(unpacked(form, data[:end])))
    assert read(tmp_path / "mail.log.2.gz", data).error is None


def test_truncated_in_the_first_bytes(tmp_path: Path) -> None:
    for end in range(2, 14):
        got = read(tmp_path / "mail.log.2.gz", PACK["gz"](log(60))[:end])
        assert (got.text, got.reason) == (b"", "truncated")


@forms
def test_truncated_in_the_second_member(tmp_path: Path, form: str) -> None:
    got = read(tmp_path / "x", PACK[form](log(60)) + PACK[form](log(60))[:-3])
    assert got.reason == "truncated"
    assert got.text.startswith(log(60))


@forms
def test_any_damaged_byte_is_an_error_or_does_not_matter(tmp_path: Path, form: str) -> None:
    data = PACK[form](log(60))
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        got = read(tmp_path / "x", bytes(damaged))
        assert got.reason in (None, "corrupt", "truncated", "binary"), at
        assert got.text == lines(got.text)
        if got.reason is None and at > 10:
            assert got.text == log(60), at


@forms
@pytest.mark.parametrize("size", [4096, 1 << 16])
def test_lines_before_the_damage_are_all_there(tmp_path: Path, form: str, size: int) -> None:
    """A decoder that raises keeps what it had unpacked; here the damage is far behind the first piece, and in the middle of one."""
    text = log(60_000)
    data = bytearray(PACK[form](text))
    at = len(data) * 3 // 4
    data[at : at + 8] = b"\xff" * 8
    got = read(tmp_path / "x", bytes(data), size)
    assert got.reason == "corrupt"
    same = next(i for i, (a, b) in enumerate(zip(got.text + b"!", text, strict=False)) if a != b)
    assert same >= len(lines(unpacked(form, bytes(data[:at]))))
    assert got.consumed <= len(data)
    if form == "bz2":
        assert same > len(text) / 2


def test_a_damaged_xz(tmp_path: Path) -> None:
    data = bytearray(lzma.compress(log(500)))
    data[-20] ^= 1  # the index: all lines are there by then
    got = read(tmp_path / "x", bytes(data))
    assert (got.text, got.reason) == (log(500), "corrupt")


def test_a_wrong_checksum_is_damage_behind_the_last_line(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(log(500)))
    data[-8] ^= 1
    got = read(tmp_path / "x", bytes(data))
    assert (got.text, got.reason) == (log(500), "corrupt")


@pytest.mark.parametrize(
    "check",
    [
        test_truncated_at_every_seventh_byte,
        test_any_damaged_byte_is_an_error_or_does_not_matter,
        test_truncated_in_the_second_member,
        test_padding_is_nothing_and_garbage_is_damage,
    ],
)
def test_gzip_without_isal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Callable[[Path, str], None]) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    made: list[int] = []

    class Seen(archive._Zlib):
        def __init__(self) -> None:
            super().__init__()
            made.append(1)

    monkeypatch.setattr(archive, "_Zlib", Seen)
    check(tmp_path, "gz")
    assert made


@given(cuts=st.lists(st.integers(0, 500), max_size=10), limit=st.integers(1, 300))
def test_every_decoder_gives_the_same_for_every_way_to_feed_it(cuts: list[int], limit: int) -> None:
    text = log(40)
    for form, pack, modules in [*((form, pack, {}) for form, pack in PACK.items()), ("gz", PACK["gz"], {"isal": None})]:
        data = pack(text)
        at = [0, *sorted(c % len(data) for c in cuts), len(data)]
        pieces = iter([p for a, b in pairwise(at) if (p := data[a:b])])
        with patch.dict(sys.modules, modules):  # without isal: zlib
            assert b"".join(archive._decode("x", form, pieces, limit)) == text


@given(end=st.integers(20, 400), limit=st.integers(1, 300), modules=st.sampled_from([{}, {"isal": None}]))
def test_what_a_decoder_holds_back_is_fetched_before_the_end_is_deplored(end: int, limit: int, modules: dict[str, None]) -> None:
    data = PACK["gz"](b"a" * 3000 + log(40))[:end]
    got = b""
    with patch.dict(sys.modules, modules), pytest.raises(SourceError, match="ends in the middle"):  # noqa: PT012
        for chunk in archive._decode("x", "gz", iter([data]), limit):
            got += chunk
    assert got == unpacked("gz", data)


def test_zstd_without_zstandard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    got = read(tmp_path / "mail.log.1", PACK["zst"](log(3)))
    assert (got.text, got.reason) == (b"", "no-zstd")
    assert "pip install zstandard" in str(got.error)


def test_an_xz_that_wants_gigabytes_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(log(30), filters=filters))
    at = data.index(b"\x21\x01") + 2  # the filter's id, the length of its properties, then the dictionary: 40 is 4 GiB
    data[at] = 40
    data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")  # of the block header
    got = read(tmp_path / "x", bytes(data))
    assert (got.text, got.reason) == (b"", "corrupt")
    assert got.error is not None
    assert "emory" in got.error.detail


# Own process: the most it ever had resident (VmHWM) is its own, not that of pytest before the fork.
BOMB = """
import sys
from monzen.sources import Source, blocks
def most():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
import isal.igzip_lib, zstandard, lzma, bz2
before, skipped, given = most(), [], 0
for block in blocks(Source(sys.argv[1], "", 0.0, 0, "plain"), skipped=skipped.append):
    given += len(block)
print(sum(skipped), given, most() - before)
"""


def burst(path: Path) -> list[int]:
    done = subprocess.run([sys.executable, "-c", BOMB, str(path)], capture_output=True, check=True)
    return [int(word) for word in done.stdout.split()]


@forms
@pytest.mark.parametrize("line", [b"\0", b"Sep  4 16:59:45 mail postfix/smtpd[1]: x\n"])
def test_a_bomb_of_200_megabytes_takes_a_few(tmp_path: Path, form: str, line: bytes) -> None:
    """One line of NULs, left out; or ordinary lines, given."""
    length, members = (4_000_000, 50 if line == b"\0" else 15) if form == "bz2" else (20_000_000, 10)  # it is slow
    text = line * (length // len(line))
    path = tmp_path / "mail.log.2.gz"
    path.write_bytes(PACK[form](text) * members)
    assert path.stat().st_size < 600_000
    skipped, given, kib = burst(path)
    assert (skipped, given) == ((1, 0) if line == b"\0" else (0, members * len(text)))
    assert kib < 24_000  # zstd: 4 MiB at a time; bzip2: 4 MB of tables


def test_a_zstd_bomb_of_empty_blocks(tmp_path: Path) -> None:
    """The worst that the format allows: each block 4 bytes long (RFC 8878 3.1.1.2: RLE) and 128 KiB when unpacked."""
    block = (1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"
    last = (1 | 1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"
    path = tmp_path / "x"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x38" + block * 8000 + last)  # window 128 KiB; one gigabyte
    assert unpacked("zst", path.read_bytes()[:10]) == b"\0" * (128 << 10)
    skipped, given, kib = burst(path)
    assert (skipped, given) == (1, 0)
    assert kib < 30_000


def test_a_close_in_the_middle_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACK["gz"](log(60_000))[:-4])
    stream = blocks(source(path))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    with pytest.raises(SourceError):
        list(blocks(source(path)))
    assert Got(source(path)).text == log(60_000)
