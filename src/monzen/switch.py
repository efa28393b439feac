"""`monzen gate enable`: a firewall for somebody who has none, with a dead-man's switch that needs nobody alive.

Three things, each enough by itself, bring back what was there when nobody confirms in time:
- in the kernel, rules before all others that accept everything from a moment on (`-m time --datestart`): they need no process;
- on the disk, ufw's settings stay as they were until somebody confirms: a restart in between starts what was there before;
- a process of its own, which no terminal ends, puts everything back and takes the rules away when the time is over.

Who confirms must come over a connection that was not there when the switch was armed: an open session tells nothing of new ones.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import signal
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from monzen import machine
from monzen.arguments import local_zone
from monzen.gate.files import read, replace
from monzen.gate.fuse import fuse, policies, unfuse
from monzen.gate.look import ufw_settings
from monzen.gate.target import GateError
from monzen.gate.ufw import run
from monzen.show.command import remedy
from monzen.show.text import PORTS, stamp
from monzen.show.text import network as shown
from monzen.show.words import _
from monzen.sockets import listening, ssh_ports
from monzen.ssh import configured_ports, connections, own_session

FOLDER: Final = "var/lib/monzen/switch"  # what was there before, and what was done: root's alone
OVER: Final = "var/lib/monzen/switch-over"  # when the time of the last one was over that nobody confirmed
DAY: Final = 86_400.0
WAIT: Final = 180.0  # seconds to log in anew and confirm
SHORTEST: Final = 30.0  # in less nobody opens a window, logs in and types a command
FILES: Final = ("etc/ufw/ufw.conf", "etc/default/ufw")  # whether ufw starts with the machine, and its default policies
MAIL: Final = frozenset({25, 110, 143, 465, 587, 993, 995, 4190, 80, 443})  # doors that a mail server needs, with its web mail
NOTE: Final = "monzen enable"  # the comment of the rules that are made here
POLICY = re.compile(rb'(?m)^(DEFAULT_INPUT_POLICY=)"?[A-Z]+"?')
ENABLED = re.compile(rb"(?m)^(ENABLED=)\w+")


class Plan(NamedTuple):
    """What enabling would do."""

    default: str  # allow, deny, reject
    ssh: tuple[int, ...]  # ports that stay open to everybody
    admin: tuple[bytes, ...]  # addresses that are let in to these first
    open: tuple[int, ...]  # further TCP ports that stay open
    closed: tuple[tuple[int, int], ...]  # (port, protocol) that wait for anybody now and would not be reachable
    was_active: bool
    was_default: str


class Armed(NamedTuple):
    """A switch that waits for a confirmation."""

    deadline: float  # epoch seconds
    default: str
    session: str  # SSH_CONNECTION of whoever armed it
    connections: tuple[str, ...]  # `address port` of the SSH connections that there were
    rules: tuple[str, ...]  # arguments of `ufw` that undo what was added
    was_active: bool
    was_default: str
    confirmed: bool
    pid: int  # of the watcher
    policies: tuple[tuple[str, str, str], ...]  # program, chain and policy of iptables as they were


def plan(default: str, open_ports: Sequence[int] = (), ssh: Sequence[int] = (), root: str = "/") -> Plan:
    """What to do, from what the machine is now. Raises GateError where it cannot be done safely."""
    settings = ufw_settings(root)
    if settings is None:
        raise GateError(_("ufw is not installed. Install it, then try again: apt install ufw"))
    ssh = sorted({*ssh, *ssh_ports(root), *configured_ports()})
    if not ssh:
        raise GateError(
            _("no sshd was found listening, so nothing was changed: you might be locked out. Name its port: --ssh-port 22")
        )
    doors = {(s.port, s.protocol) for s in listening(root) if not _local(s.local)}
    stay = {p for p, protocol in doors if protocol == 6 and p in MAIL} | set(open_ports)
    closed = () if default == "allow" else tuple(sorted(d for d in doors if d[0] not in ssh and d[0] not in stay))
    names = {"accept": "allow", "drop": "deny", "reject": "reject"}
    return Plan(
        default,
        tuple(ssh),
        tuple(machine.admin(root)),
        tuple(sorted(stay)),
        closed,
        settings.enabled,
        names.get(settings.incoming, settings.incoming),
    )


def arm(chosen: Plan, wait: float = WAIT, root: str = "/") -> Armed:
    """Turn the firewall on, to be confirmed within `wait` seconds. On any error everything is put back at once."""
    overdue(root, 0.0)
    if (pending := armed(root)) is not None and not pending.confirmed:
        raise GateError(_("a switch is armed already. Confirm it (monzen gate confirm) or wait until it has put everything back"))
    if pending is not None:
        raise GateError(_("the firewall was turned on by monzen already. To change it: monzen gate disable, then enable"))
    keep(root)
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(root, OVER))
    rules = _rules(chosen)
    state = Armed(
        math.ceil(time.time() + wait), chosen.default, os.environ.get("SSH_CONNECTION", "") or own_session(root),
        connections(root), tuple(undo for _do, undo in rules), chosen.was_active, chosen.was_default, False, 0, policies(),
    )  # fmt: skip
    _write(root, state)
    try:
        fuse(state.deadline)
        state = state._replace(pid=_watcher(root, wait))
        _write(root, state)
        for do, _undo in rules:
            _ufw(*do)
        _ufw("default", chosen.default, "incoming")
        _ufw("--force", "enable")
        for name in FILES:  # the disk says what was there, until somebody confirms
            replace(os.path.join(root, name), read(_saved(root, name)))
    except GateError:
        restore(root)
        raise
    return state


def confirm(root: str = "/", *, session: str | None = None) -> Armed:
    """Keep the firewall on. Raises GateError where there is nothing to confirm, or from a connection that was there before."""
    state = armed(root)
    if state is None or state.confirmed:
        if state is None and (over := _over(root)) is not None:
            said = _("too late: the time was over at {time}, and everything is as it was before. Once more: monzen gate enable")
            raise GateError(said.format(time=stamp(over, local_zone())))
        raise GateError(_("there is nothing to confirm: no switch is armed"))
    here = (session if session is not None else os.environ.get("SSH_CONNECTION", "")) or own_session(root)
    if here and (here == state.session or " ".join(here.split()[:2]) in state.connections):
        raise GateError(
            _("this connection was there before the firewall was turned on, so it proves nothing. Open a NEW one, confirm there")
        )
    if time.time() >= state.deadline:
        _expire(root, state)
        return confirm(root, session=session)  # which says that it was too late
    if state.session and not here:
        raise GateError(_("confirm over a new SSH connection: this is none"))
    name = os.path.join(root, FILES[0])
    replace(name, ENABLED.sub(rb"\1yes", read(name), count=1))
    name = os.path.join(root, FILES[1])
    policy = {"allow": b"ACCEPT", "deny": b"DROP", "reject": b"REJECT"}[state.default]
    replace(name, POLICY.sub(rb'\1"' + policy + b'"', read(name), count=1))
    done = state._replace(confirmed=True)
    _write(root, done)
    unfuse()
    if state.pid:
        _end(root, state.pid)
    return done


def restore(root: str = "/") -> bool:
    """Put back what was there before; whether there was anything to put back. Can be done again after it was cut off."""
    state = armed(root)
    if state is None:
        return False
    for name in FILES:
        if os.path.exists(_saved(root, name)):
            replace(os.path.join(root, name), read(_saved(root, name)))
    for undo in state.rules:
        _ufw(*json.loads(undo), check=False)
    if state.was_active:
        _ufw("default", state.was_default, "incoming", check=False)
        _ufw("reload", check=False)
    else:
        _ufw("disable", check=False)
        for program, chain, policy in state.policies:  # `ufw disable` opens all of them, also what Docker had closed
            run([program, "-w", "-P", chain, policy], b"")
    for name in FILES:
        if os.path.exists(_saved(root, name)):
            replace(os.path.join(root, name), read(_saved(root, name)))
    unfuse()
    shutil.rmtree(os.path.join(root, FOLDER), ignore_errors=True)
    if state.pid and state.pid != os.getpid():
        _end(root, state.pid)
    return True


def overdue(root: str = "/", grace: float = 5.0) -> bool:
    """Put everything back where a switch waited longer than it may, as after a restart; whether that was so."""
    state = armed(root)
    if state is None or state.confirmed or time.time() < state.deadline + grace:
        return False
    return _expire(root, state)


def pending(root: str = "/") -> Armed | None:
    """The switch that waits for a confirmation now. Raises GateError."""
    state = armed(root)
    return None if state is None or state.confirmed or time.time() >= state.deadline else state


def _expire(root: str, state: Armed) -> bool:
    """Put everything back, and remember when the time was over: who comes too late is told so."""
    path = os.path.join(root, OVER)
    with contextlib.suppress(OSError):  # the sentence is no reason to leave a firewall on
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(b"%d\n" % state.deadline)
    return restore(root)


def _over(root: str) -> float | None:
    """When the time of the last switch was over that nobody confirmed, if that was within a day."""
    try:
        at = float(read(os.path.join(root, OVER)))
    except (GateError, ValueError):
        return None
    return at if at <= time.time() < at + DAY else None


def armed(root: str = "/") -> Armed | None:
    """The switch, where one is armed or was confirmed."""
    path = os.path.join(root, FOLDER, "state.json")
    if not os.path.lexists(path):
        return None
    try:
        found: dict[str, Any] = json.loads(read(path))
        lists: dict[str, Any] = {k: tuple(found[k]) for k in ("connections", "rules")}
        lists["policies"] = tuple(tuple(row) for row in found["policies"])
        return Armed(**{**found, **lists})
    except (ValueError, TypeError, KeyError):
        raise GateError(_("{path} cannot be read. Look at it; to begin anew, remove its folder").format(path=path)) from None


def keep(root: str) -> None:
    """Save the files that enabling changes."""
    folder = os.path.join(root, FOLDER)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for name in FILES:
            path = _saved(root, name)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(read(os.path.join(root, name)))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        said = _("cannot write {path}: {detail}. {remedy}")
        raise GateError(said.format(path=folder, detail=_(error.strerror or str(error)), remedy=remedy())) from None


def _rules(chosen: Plan) -> list[tuple[list[str], str]]:
    """What `ufw` is told before it is turned on, and what undoes it: SSH first, then the doors of the mail server."""
    out: list[tuple[list[str], str]] = []
    for address in chosen.admin:
        for port in chosen.ssh:
            rule = ["allow", "from", shown(address, 8 * len(address)), "to", "any", "port", str(port), "proto", "tcp"]
            out.append((["prepend", *rule, "comment", NOTE], json.dumps(["delete", *rule])))
    doors = dict.fromkeys([*chosen.ssh, *(chosen.open if chosen.default != "allow" else ())])
    for port in doors:
        rule = ["allow", f"{port}/tcp"]
        out.append(([*rule, "comment", NOTE], json.dumps(["delete", *rule])))
    return out


def _ufw(*arguments: str, check: bool = True) -> None:
    done = run(["ufw", *arguments], b"")
    if check and done.returncode != 0:
        detail = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())[:300]
        raise GateError(
            _("ufw refused {what}: {detail}. Everything was put back").format(what=" ".join(arguments), detail=detail)
        )


def _watcher(root: str, wait: float) -> int:
    """A process that no terminal ends: it puts everything back when the time is over. Returns its number."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if (grandchild := os.fork()) != 0:
                os.write(writing, str(grandchild).encode())
                os._exit(0)
            for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
                signal.signal(ignored, signal.SIG_IGN)
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            os.closerange(3, 1024)
            os.chdir("/")
            end = time.monotonic() + wait
            state = armed(root)
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(left, 1.0))
                state = armed(root)
                if state is None or state.confirmed:
                    os._exit(0)
            if state is not None:
                _expire(root, state)
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    number = int(os.read(reading, 20) or b"0")
    os.close(reading)
    return number


def _end(root: str, pid: int) -> None:
    """End the watcher, if this number is still its own."""
    try:
        with open(os.path.join(root, f"proc/{pid}/cmdline"), "rb") as file:
            if b"monzen" in file.read():
                os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def _local(address: bytes) -> bool:
    """Whether only this machine reaches a listening address."""
    return address[:1] == b"\x7f" if len(address) == 4 else address == bytes(15) + b"\1"


def _saved(root: str, name: str) -> str:
    return os.path.join(root, FOLDER, name.replace("/", "_"))


def _write(root: str, state: Armed) -> None:
    path = os.path.join(root, FOLDER, "state.json")
    if not os.path.lexists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    replace(path, json.dumps(state._asdict()).encode("ascii"))


def named(ports: Sequence[int]) -> str:
    """`22 ssh, 25 smtp`."""
    return ", ".join(f"{p} {PORTS[p]}" if p in PORTS else str(p) for p in ports)
