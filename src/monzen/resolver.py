"""Host names to addresses in a process without rights: what a name server answers is hostile text too."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import Final

from monzen.judge.shield import Prefix

NOBODY: Final = 65534  # Debian Policy 9.2.2: nobody and nogroup
PATIENCE: Final = 5.0  # seconds for all names together
MOST: Final = 64  # addresses of one name; more are no home of anybody
ANSWER: Final = 1 << 16  # bytes


def resolve_apart(names: tuple[str, ...], patience: float = PATIENCE) -> dict[str, list[Prefix]]:
    """The addresses of each name, asked for by a child without privileges; names without a good answer are left out.

    The child tells addresses as hexadecimal text, which is read here and nowhere trusted: a child taken over by a name server can
    make a name mean other addresses, which the name server can do anyway, and nothing else.
    """
    if not names:
        return {}
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            _ask(names, writing, patience)
            status = 0
        finally:
            os._exit(status)  # no clean-up of the parent's: its locks and files are not ours
    os.close(writing)
    data = b""
    end = time.monotonic() + patience + 1
    try:
        while len(data) < ANSWER:
            ready, _w, _x = select.select([reading], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(reading, ANSWER) if ready else b""
            if not piece:
                break
            data += piece
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return _read(names, data)


def _read(names: tuple[str, ...], data: bytes) -> dict[str, list[Prefix]]:
    """The answers of the child: a line for each address, number of the name and the address in hexadecimal."""
    found: dict[str, list[Prefix]] = {}
    for line in data.split(b"\n"):
        number, _blank, text = line.partition(b" ")
        try:
            packed = bytes.fromhex(text.decode("ascii"))
            name = names[int(number)]
        except (ValueError, IndexError):
            continue
        known = found.setdefault(name, [])
        if len(packed) in (4, 16) and any(packed) and len(known) < MOST and (packed, 8 * len(packed)) not in known:
            known.append((packed, 8 * len(packed)))
    return {name: known for name, known in found.items() if known}


def _ask(names: tuple[str, ...], writing: int, patience: float) -> None:
    """In the child: give up all rights, then ask. What is needed is loaded before: nobody may not read every Python's folder."""
    import encodings.idna  # noqa: F401  # getaddrinfo asks for it
    import socket  # noqa: F401
    import threading  # noqa: F401

    from monzen.machine import resolve

    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for number, name in enumerate(names):
        prefixes, _unknown = resolve((name,), max(0.5, patience / len(names)))
        for packed, _bits in prefixes:
            os.write(writing, b"%d %s\n" % (number, packed.hex().encode()))


if __name__ == "__main__":
    print(resolve_apart(tuple(sys.argv[1:])))
