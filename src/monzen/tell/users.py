"""How the machine's own users fared: counted by a child with the rights of `monzen run`, who may read logs and no more."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from monzen.arguments import local_zone
from monzen.config import Config
from monzen.notation import prefix_of
from monzen.show.text import network
from monzen.tell.apart import Rights, ask_apart
from monzen.tell.message import TellError

USER: Final = "monzen"
PATIENCE: Final = 300.0  # seconds: a week of a busy server is some 10 million lines, 10 seconds compiled and 60 without
SHOWN: Final = 5  # of those who failed
MOST: Final = 10**12  # no count is higher


class Users(NamedTuple):
    """Counts of a time; `failed`: the clients of users who failed too, the most failures first."""

    logins: int
    clients: int  # from which somebody logged in
    failing: int  # of them, those that failed too
    failed: tuple[tuple[str, int], ...]


def users_since(config: Config, since: float, now: float) -> Users | None:
    """Who logged in and who failed from then on; None where it cannot be counted."""
    # loaded here, because the child may not be able to
    import zoneinfo

    from monzen.judge import Judge, Policy, Shield
    from monzen.judge.policy import frugal
    from monzen.scan import Options, scan_sets
    from monzen.show.report import users
    from monzen.sources import plan
    from monzen.sources.journal import command

    zone = local_zone()
    if config.sources.timezone:
        zone = zoneinfo.ZoneInfo(config.sources.timezone)

    def work() -> bytes:
        sets, errors = plan(sources_since(config, since, command), now=now)
        reading = scan_sets(
            sets, errors, Options(now, zone, None, since), Judge(frugal(Policy()), Shield(config.own, config.allow))
        )
        judge = reading.judge
        good = [c.good for c in judge.clients.values() if c.good]
        rows = sorted(((c.attempts + c.weak, key.hex()) for key, c in users(judge)), reverse=True)
        return json.dumps([sum(good), len(good), len(rows), rows[:SHOWN]]).encode()

    try:
        answer = ask_apart(work, Rights.of(USER, groups=True), PATIENCE)
    except TellError:
        return None
    return read_answer(answer or b"")


def sources_since(config: Config, since: float, command: Callable[[str], list[str]]) -> list[str]:
    """In the child: what is to be read of that time; the journal as standard input, by `command` of its first argument."""
    files = [path for log in config.sources.files for path in glob.glob(glob.escape(log) + "*")]
    files = [path for path in files if os.path.isfile(path) and os.stat(path).st_mtime >= since]
    if not files or config.sources.journal:
        _journal(command(f"--since=@{since:.0f}"))
        files.append("-")
    return files


def _journal(command: list[str]) -> None:
    """In the child: the journal becomes standard input."""
    import subprocess

    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as journal:
        assert journal.stdout is not None  # asked for
        os.dup2(journal.stdout.fileno(), 0)
        journal.stdout.close()
        journal.returncode = 0  # it ends with us; `with` is not to wait for it


def read_answer(data: bytes) -> Users | None:
    """The child's answer, word by word: it has read hostile text. None where it is none."""
    try:
        logins, clients, failing, rows = json.loads(data)
        counts = [_count(value) for value in (logins, clients, failing)]
        return Users(counts[0], counts[1], counts[2], tuple((_client(key), _count(n)) for n, key in rows[:SHOWN]))
    except (ValueError, TypeError, KeyError, RecursionError):  # KeyError: {}[:5], since slices can be hashed (Python 3.12)
        return None


def _count(value: Any) -> int:  # noqa: ANN401  # whatever JSON holds
    if type(value) is not int or not 0 <= value <= MOST:
        raise ValueError("no count")
    return value


def _client(value: Any) -> str:  # noqa: ANN401  # as above
    packed = bytes.fromhex(value)
    if len(packed) not in (4, 8, 16):  # an address, or the /64 that one client is
        raise ValueError("no client")
    shown = network(packed, 64 if len(packed) == 8 else 8 * len(packed))
    if prefix_of(shown) is None:
        raise ValueError("no client")
    return shown
