"""Programs and work of others, done apart from root: with the rights of a user, for a time, with nothing of ours open."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from monzen.show.text import safe
from monzen.show.words import _
from monzen.tell.message import TellError

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SAID: Final = 300  # letters of what a program complained of
SWEPT: Final = 5.0  # seconds for ending what a hook left: no more for one that starts others as fast as they end
SUBREAPER: Final = 36  # prctl(2), PR_SET_CHILD_SUBREAPER
ANSWER: Final = 1 << 16  # bytes that work in a child may answer
# What a hook may take: it gets 32 kB and says something to somebody. CPU seconds are fewer than the time it has.
LIMITS: Final = (
    (resource.RLIMIT_CPU, 10),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 16 << 20),
    (resource.RLIMIT_NOFILE, 256),
    (resource.RLIMIT_NPROC, 256),
)


class Rights(NamedTuple):
    """Who does it. `change`: this process is another user, and becomes that one."""

    user: int
    group: int
    change: bool
    groups: tuple[int, ...] = ()

    @classmethod
    def ours(cls) -> Rights:
        """Those of this process."""
        return cls(os.geteuid(), os.getegid(), False)

    @classmethod
    def of(cls, name: str, *, groups: bool = False) -> Rights:
        """Those of a user who is not root; of his groups only the first, unless with `groups`. Raises TellError."""
        try:
            found = pwd.getpwnam(name)
        except (KeyError, UnicodeEncodeError):
            said = _("there is no user {name}. Name one that is there: [tell] hook_user")
            raise TellError(said.format(name=safe(name, 40))) from None
        if found.pw_uid == 0 or found.pw_gid == 0:
            said = _("{name} has the rights of root, and nothing is run with those. Name another user: [tell] hook_user")
            raise TellError(said.format(name=safe(name, 40)))
        more = tuple(g for g in os.getgrouplist(name, found.pw_gid) if g) if groups else ()
        return cls(found.pw_uid, found.pw_gid, os.geteuid() != found.pw_uid, more)


class Done(NamedTuple):
    """How a program ended: its exit status, negative for a signal, None where its time was over; and what it complained of."""

    status: int | None
    said: str

    def why(self, patience: float) -> str:
        """Why it is not done, in words."""
        if self.status is None:
            return _("not done after {n:.0f} seconds").format(n=patience)
        if self.status < 0:
            return _("ended by signal {n}").format(n=-self.status)
        return _("exit status {n}").format(n=self.status) + (f": {self.said}" if self.said else "")


def execute(command: Sequence[str], data: bytes, rights: Rights, patience: float, *, bounded: bool = False) -> Done:
    """Run a program with `data` as its standard input; no shell, no variable of ours, no open file of ours. TellError: it cannot.

    What is still there of its process group when the time is over is killed; `bounded`: then, and when it ends, all that it
    started. Files in memory instead of pipes: nobody waits for a reader, and a program of another user may open /dev/stdin anew.
    """
    given = os.memfd_create("monzen-in", os.MFD_CLOEXEC)
    heard = os.memfd_create("monzen-said", os.MFD_CLOEXEC)
    try:
        os.write(given, data)
        os.lseek(given, 0, os.SEEK_SET)

        def run() -> int | None:
            return _run(command, given, heard, rights, patience, bounded=bounded)

        try:
            status = _kept(run) if bounded else run()
        except OSError as error:
            said = _("cannot run {program}: {detail}. Look at the program, and at who may run it")
            detail = _(error.strerror or str(error))
            raise TellError(said.format(program=safe(command[0], 200), detail=detail)) from None
        return Done(status, safe(os.pread(heard, 4 * SAID, 0).strip(), SAID))
    finally:
        os.close(given)
        os.close(heard)


def _run(command: Sequence[str], given: int, heard: int, rights: Rights, patience: float, *, bounded: bool) -> int | None:
    """Its exit status; None where its time was over. Raises OSError where it cannot be run."""
    who = {"user": rights.user, "group": rights.group, "extra_groups": list(rights.groups)} if rights.change else {}
    process = subprocess.Popen(
        list(command), stdin=given, stdout=subprocess.DEVNULL, stderr=heard, close_fds=True, cwd="/", umask=0o077,
        env=environment(), start_new_session=True,
        preexec_fn=_limit if bounded else None,  # noqa: PLW1509  # there is one thread
        **who,  # type: ignore[call-overload]  # of several types
    )  # fmt: skip
    ended = False
    try:
        ended = _ends(process.pid, patience)
    finally:
        # an MTA may go on delivering behind us, a hook may not; the number is still its own, as it is not waited for yet
        if bounded or not ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    return status if ended else None


def _kept(run: Callable[[], int | None]) -> int | None:
    """What `run` says, done in a child to which all belongs that is started there, and which ends all that is left of it.

    A process group does not do: setsid(2) leaves it. A PID namespace would; our unit has no right to make one, and wants none.
    Where that child is asked to end (Ctrl-C reaches it, too) it ends what it has all the same.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    keeper = os.fork()
    if keeper == 0:
        try:
            answer = b""
            ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            try:
                answer = b"=%r" % run()
            except OSError as error:
                answer = b"!%d" % (error.errno or 0)
            finally:
                _sweep()
                os.write(writing, answer)
        finally:
            os._exit(0)  # no clean-up of the parent's: its locks and files are not ours
    os.close(writing)
    try:
        answer = os.read(reading, 64)
    finally:
        os.close(reading)
        os.waitpid(keeper, 0)
    if answer.startswith(b"!"):
        number = int(answer[1:])
        raise OSError(number, os.strerror(number))
    if not answer:  # somebody killed it
        return -signal.SIGKILL
    return None if answer == b"=None" else int(answer[1:])


def _sweep() -> None:
    """End all our children; what one of them started is ours when it ends, and its turn comes.

    Without the kernel's list of them (proc(5), .../children), or with a /proc of other numbers, they are left alone; and who may
    not be ended, as a setuid program where we are not root, is not waited for.
    """
    end = time.monotonic() + SWEPT
    while time.monotonic() < end:
        try:
            if os.readlink("/proc/self") != str(os.getpid()):
                return
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
                children = [int(number) for number in file.read().split()]
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)
        except OSError:  # ChildProcessError: none is left
            return


def _ends(pid: int, patience: float) -> bool:
    """Whether a child of ours ends within so many seconds."""
    watched = os.pidfd_open(pid)
    try:
        return bool(select.select([watched], [], [], patience)[0])
    finally:
        os.close(watched)


def environment() -> dict[str, str]:
    """All the variables that others get: nothing of the person who types."""
    return {"PATH": PATH, "LANG": "C.UTF-8"}


def ask_apart(work: Callable[[], bytes], rights: Rights, patience: float, most: int = ANSWER) -> bytes | None:
    """The answer of `work`, up to so many bytes, done in a child with these rights and nothing of ours open but a pipe.

    None: no answer in time.
    What it needs must be loaded before: another user may not read every Python's folder. It may answer anything that it read.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _become(rights, writing, patience)
            with open(writing, "wb", closefd=False) as out:
                out.write(b"=" + work()[: most - 1])
            status = 0
        finally:
            os._exit(status)  # no clean-up of the parent's: its locks and files are not ours
    os.close(writing)
    data = b""
    end = time.monotonic() + patience
    try:
        while len(data) < most:
            ready, _w, _x = select.select([reading], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(reading, ANSWER) if ready else b""
            if not piece:
                break
            data += piece
        else:
            data = data[:most]
    finally:
        os.close(reading)
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return data[1:] if data.startswith(b"=") else None


def _become(rights: Rights, kept: int, patience: float) -> None:
    """In the child: nobody else's rights, files, terminal or variables."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment())
    os.chdir("/")
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if rights.change:
        os.setgroups(list(rights.groups))
        os.setresgid(rights.group, rights.group, rights.group)
        os.setresuid(rights.user, rights.user, rights.user)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(patience) + 1)  # ends by itself, should we be killed meanwhile


def _limit() -> None:
    for what, most in LIMITS:
        _soft, hard = resource.getrlimit(what)
        if hard == resource.RLIM_INFINITY or hard > most:
            resource.setrlimit(what, (most, most))
