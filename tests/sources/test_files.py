"""Blocks of files, pipes and standard input."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.sources import MAX_LINE, SourceError, blocks
from monzen.sources.magic import binary_kind, form_of
from tests.sources.made import PACK, Got, log, read, source
from tests.sources.test_lines import expected

# Text that is sometimes long, often short, seldom without a newline; any byte but what makes it binary.
line = st.one_of(st.binary(max_size=30), st.integers(MAX_LINE - 3, MAX_LINE + 3).map(lambda n: b"z" * n))
text = st.lists(line, max_size=8).map(b"\n".join).filter(lambda b: form_of(b) == "plain" and not binary_kind(b))


@given(text, st.integers(1, 200_000))
def test_blocks_are_the_file_without_its_long_lines_for_every_size(data: bytes, size: int) -> None:
    with tempfile.NamedTemporaryFile() as file:
        got = read(file.name, data, max(size, len(data) // 500))  # not a million reads
    assert (got.text, got.skipped) == expected(data, MAX_LINE)
    assert got.error is None
    assert got.consumed == len(data)
    assert all(block.endswith(b"\n") for block in got.blocks)


@pytest.mark.parametrize("size", [1, 7, 512, 4096])
def test_small_blocks(tmp_path: Path, size: int) -> None:
    assert read(tmp_path / "mail.log", log(50), size).text == log(50)


def test_blocks_are_about_as_long_as_asked(tmp_path: Path) -> None:
    got = read(tmp_path / "mail.log", log(20_000), 1 << 16)
    assert max(map(len, got.blocks)) < 2 << 16
    assert len(got.blocks) == pytest.approx(len(got.text) / (1 << 16), abs=2)


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    got = read(tmp_path / "mail.log", b"")
    assert (got.blocks, got.error) == ([], None)


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    odd = "one\rtwo\x0bthree\x0cfour\x1cfive\x85six\u2028seven\x00eight\n".encode()
    assert read(tmp_path / "mail.log", log(1) + odd, 3).text == log(1) + odd


def test_a_line_of_five_megabytes_is_left_out(tmp_path: Path) -> None:
    got = read(tmp_path / "mail.log", log(3) + b"y" * 5_000_000 + b"\n" + log(3))
    assert (got.text, got.skipped) == (log(3) * 2, 1)


def test_memory_is_flat_in_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(100_000))
    tracemalloc.start()
    try:
        for _ in blocks(source(path)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 600_000 < path.stat().st_size


def test_a_growing_file_ends_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(100))
    stream = blocks(source(path), size=4096)
    first = next(stream)
    with path.open("ab") as file:
        file.write(log(10, start=100))
    assert first + b"".join(stream) == log(110)


def test_a_file_that_is_truncated_under_us_just_ends(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(1000))
    stream = blocks(source(path), size=4096)
    first = next(stream)
    os.truncate(path, 0)
    got = first + b"".join(stream)
    assert log(1000).startswith(got[: len(first)])
    assert len(got) < 2 * 4096


def test_what_is_gone_or_has_become_a_folder(tmp_path: Path) -> None:
    gone = read(tmp_path / "gone.log")
    assert (gone.reason, gone.text) == ("missing", b"")
    assert gone.error is not None
    assert gone.error.detail == "No such file or directory"
    assert read(tmp_path).reason == "unreadable"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(1000))
    before = len(os.listdir("/proc/self/fd"))
    stream = blocks(source(path), size=4096)
    next(stream)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    stream.close()  # type: ignore[attr-defined]  # a generator
    read(tmp_path)
    read(path, b"\x7fELF\0\0")
    read(path, PACK["gz"](log(9))[:-3])
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("form", ["plain", *PACK])
def test_a_pipe_with_a_name(tmp_path: Path, form: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = log(3000) if form == "plain" else PACK[form](log(3000))
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    got = Got(source(path))
    writer.join()
    assert (got.text, got.error, got.consumed) == (log(3000), None, len(data))


READ_STDIN = """
import os, sys
from monzen.sources import Source, SourceError, blocks
try:
    for block in blocks(Source("-", "-", 0.0, 0, "stdin")):
        sys.stdout.buffer.write(block)
except SourceError as error:
    sys.exit(f"{error.reason} {error.path}")
os.fstat(0)
"""


def stdin(data: bytes | int) -> tuple[bytes, str]:
    command = [sys.executable, "-c", READ_STDIN]
    if isinstance(data, bytes):
        done = subprocess.run(command, capture_output=True, check=False, input=data)
    else:
        done = subprocess.run(command, capture_output=True, check=False, stdin=data)
    return done.stdout, done.stderr.decode().strip()


@pytest.mark.parametrize("form", PACK)
def test_standard_input_is_unpacked_too(form: str) -> None:
    assert stdin(PACK[form](log(5000))) == (log(5000), "")


def test_standard_input() -> None:
    assert stdin(log(5000) + b"last") == (log(5000) + b"last\n", "")
    assert stdin(b"") == (b"", "")
    assert stdin(PACK["gz"](log(50))[:-4]) == (log(50), "truncated -")
    assert stdin(b"\x7fELF\x02\x01\x01\0\0\0") == (b"", "binary -")


def test_standard_input_may_be_a_file_of_which_a_part_was_read(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    packed = PACK["gz"](log(500))
    for rest, end in ((log(10), (log(10), "")), (packed[:-6] + b"damage", (log(500), "corrupt -"))):
        path.write_bytes(b"a line that somebody has read\n" + rest)
        with path.open("rb", buffering=0) as file:
            file.seek(30)
            assert stdin(file.fileno()) == end


def test_who_types_is_not_kept_waiting() -> None:
    """A line comes out before the next is written."""
    reading, writing = os.pipe()
    saved = os.dup(0)
    os.dup2(reading, 0)
    try:
        stream = blocks(source("-", "stdin"))
        for line in (b"a\n", b"Sep  4 16:59:45 b\n", b"c\n"):
            os.write(writing, line)
            assert next(stream) == line
        os.close(writing)
        assert list(stream) == []
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reading)


def test_a_file_called_dash_is_not_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read("-", log(3)).text == log(3)


def test_what_was_given_stays_given_when_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(1000))
    stream = blocks(source(path), size=4096)
    first = next(stream)

    def broken(fd: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("monzen.sources.raw.os.read", broken)
    with pytest.raises(SourceError) as raised:
        list(stream)
    assert log(1000).startswith(first)
    assert (raised.value.reason, raised.value.detail) == ("unreadable", "Input/output error")


# --- a second file with the same lines


def after(damage: Callable[[Path], None], folder: Path, *rest: bytes) -> Got:
    """What is read of an archive of 3,000 lines to which something happened, with other files that hold the same."""
    whole = folder / "a.log.gz"
    whole.write_bytes(PACK["gz"](log(3000)))
    others = []
    for n, data in enumerate(rest):
        (folder / f"{n}").write_bytes(data)
        others.append(source(folder / f"{n}", form_of(data)))
    damage(whole)
    return Got(source(whole, "gz")._replace(twins=tuple(others)), size=4096)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4000])


def bent(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8] = bytes(8)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, bent])
def test_instead_of_a_damaged_archive_its_twin_is_read(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    got = after(damage, tmp_path, PACK["xz"](log(3000)))
    assert got.text == log(3000)
    assert got.error is not None
    assert (got.reason, got.error.path, got.error.detail) == ("replaced", f"{tmp_path}/a.log.gz", f"{tmp_path}/0")


def test_a_twin_may_be_damaged_too(tmp_path: Path) -> None:
    xz = PACK["xz"](log(3000))
    got = after(cut, tmp_path, xz[:-3000], log(3000))
    assert (got.text, got.reason) == (log(3000), "replaced")
    got = after(cut, tmp_path, xz[:300])
    assert (log(3000).startswith(got.text), got.reason) == (True, "truncated")
    got = after(cut, tmp_path)
    assert (log(3000).startswith(got.text), got.reason) == (True, "truncated")


def test_what_was_compressed_meanwhile_is_read_without_a_word(tmp_path: Path) -> None:
    """logrotate removed mail.log.1 between the plan and now; mail.log.1.gz was there."""
    got = after(Path.unlink, tmp_path, log(3000))
    assert (got.text, got.reason) == (log(3000), None)


def test_lines_that_are_too_long_are_counted_once(tmp_path: Path) -> None:
    text = log(10) + b"x" * 70_000 + b"\n" + log(3000) + b"y" * 70_000 + b"\n" + log(10)
    path = tmp_path / "a.log.gz"
    path.write_bytes(PACK["gz"](text)[:-300])
    (tmp_path / "a.log").write_bytes(text)
    got = Got(source(path, "gz")._replace(twins=(source(tmp_path / "a.log"),)))
    assert (got.text, got.skipped, got.reason) == (log(10) + log(3000) + log(10), 2, "replaced")
