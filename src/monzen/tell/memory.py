"""What telling remembers between its rounds: who was told what, when; what is wrong, since when. A small file of root's in /run.

It is written before something is sent, so that whatever fails in between, nobody gets a message each minute. /run has room when
the disk is full. What is lost with a restart is no more than which of several ways has told already.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from monzen.lock import held
from monzen.show.command import remedy
from monzen.show.text import safe, stamp
from monzen.show.words import N_, _
from monzen.tell.message import TellError

FOLDER: Final = "run/monzen"
FILE: Final = "tell.json"
LOCK: Final = "tell.lock"
LARGEST: Final = 8 << 20  # bytes
WAYS: Final = {"mail": N_("mail"), "hook": N_("hook"), "post": N_("POST")}


@dataclass(slots=True)
class Way:
    """What is known of mail, hook or POST. Times are epoch seconds."""

    sent: dict[str, float] = field(default_factory=dict)  # of each topic, when its last message went
    given: dict[str, float] = field(default_factory=dict)  # alarms handed over, by their ids, and when they were
    failures: int = 0  # one after the other
    next: float = 0.0  # no try before
    since: float = 0.0  # of the first of the failures
    error: str = ""


@dataclass(slots=True)
class Trouble:
    """Something that is wrong, as `monzen status` has it."""

    since: float
    seen: float
    text: str
    written: float = 0.0  # when it became an alarm
    over: float = 0.0  # when it was seen no more


@dataclass(slots=True)
class Memory:
    """All of it. `rows`: alarms that the ledger could not take: time, kind, text."""

    ways: dict[str, Way] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    rows: dict[str, tuple[float, str, str]] = field(default_factory=dict)

    def way(self, name: str) -> Way:
        """What is known of this one."""
        return self.ways.setdefault(name, Way())


def load(root: str = "/") -> Memory:
    """What was written; nothing where that cannot be read, which costs one message twice."""
    try:
        file = os.open(os.path.join(root, FOLDER, FILE), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Memory()
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return Memory()
        with open(file, "rb", closefd=False) as reading:
            found: dict[str, Any] = json.loads(reading.read(LARGEST))
        return Memory(
            {name: Way(**way) for name, way in found["ways"].items()},
            {kind: Trouble(**trouble) for kind, trouble in found["troubles"].items()},
            {name: (float(at), str(kind), str(text)) for name, (at, kind, text) in found["rows"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Memory()
    finally:
        os.close(file)


def save(memory: Memory, root: str = "/") -> None:
    """Write it, wholly or not at all. Raises TellError."""
    path = os.path.join(root, FOLDER, FILE)
    beside = f"{path}.new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        with open(beside, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as file:
            json.dump(asdict(memory), file)
        os.replace(beside, path)
    except OSError as error:
        raise _unwritable(path, error) from None


@contextmanager
def only_one(root: str = "/", patience: float = 30.0) -> Iterator[None]:
    """One round at a time. Raises TellError."""
    path = os.path.join(root, FOLDER, LOCK)
    with ExitStack() as taken:
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            taken.enter_context(held(path, patience))
        except TimeoutError:
            raise TellError(_("another monzen is telling since long. See: systemctl status monzen-tell")) from None
        except OSError as error:
            raise _unwritable(path, error) from None
        yield


def refusals(root: str, zone: Any) -> list[str]:  # noqa: ANN401  # a tzinfo; datetime need not be loaded for it
    """For `monzen status`: which way does not work now, since when and why."""
    said = _("nobody is told by {way} since {time}: {why}")
    return [
        said.format(way=_(WAYS[name]), time=stamp(way.since, zone, seconds=False), why=safe(way.error, 400))
        for name, way in load(root).ways.items()
        if way.error and name in WAYS
    ]


def _unwritable(path: str, error: OSError) -> TellError:
    detail = _(error.strerror or str(error))
    return TellError(_("cannot write {path}: {detail}. {remedy}").format(path=safe(path), detail=detail, remedy=remedy()))
