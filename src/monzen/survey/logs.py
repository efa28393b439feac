"""Where the logs are, whether they are alive and understood, and whether their clock is ours."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

from monzen.arguments import local_zone
from monzen.parse.clock import Clock
from monzen.parse.header import split
from monzen.parse.reader import Reader
from monzen.scan import Options, years
from monzen.show.text import masked, network, safe, stamp
from monzen.show.words import _, ngettext
from monzen.sources import Source
from monzen.sources.probe import probe
from monzen.survey import rsyslog
from monzen.survey.asking import Ask
from monzen.survey.finding import FAULT, GOOD, WARNING, Finding
from monzen.survey.mail import Server
from monzen.types import Kind

TAIL: Final = 256 << 10  # bytes of the end of a log that are read
OLD: Final = 2 * 86_400.0  # seconds without a line in a mail log: nobody leaves a mail server alone for so long
AHEAD: Final = 300.0  # seconds that a stamp may be ahead of the clock
STEP: Final = 900.0  # seconds: zones differ by quarters of an hour
NEAR: Final = 120.0  # seconds by which a stamp may differ from the time of the write
HIDDEN: Final = 10  # failures before it is asked whether they all come from one address of our own
PLACES: Final = {  # where nothing tells: Debian and Ubuntu, then Red Hat
    "mail": ("/var/log/mail.log", "/var/log/maillog"),
    "auth": ("/var/log/auth.log", "/var/log/secure"),
    "kern": ("/var/log/ufw.log",),
}
SYSTEMD: Final = "run/systemd/journal/socket"


class Logs(NamedTuple):
    """What to follow: files with their whole paths, and the journal (None: as it turns out)."""

    files: tuple[str, ...]
    journal: bool | None
    findings: tuple[Finding, ...]


def find(root: str, mail: Sequence[Server], ssh: str, running: Mapping[str, Sequence[bytes]]) -> Logs:
    """Where the lines of the mail servers, of sshd (facility `ssh`) and of ufw are written."""
    found: list[str] = []
    said: list[Finding] = []
    rules = rsyslog.rules(root, rsyslog.config_of(running.get("rsyslogd", ())))
    running_rsyslog = "rsyslogd" in running
    facilities = [*dict.fromkeys([*(s.facility for s in mail if s.installed and not s.files), ssh or "auth", "authpriv", "kern"])]
    if not any(s.installed for s in mail):
        facilities.insert(0, "mail")
    covered: set[str] = set()
    for facility in facilities:
        path = None
        if rules is not None and (running_rsyslog or root != "/"):
            path = rsyslog.written_to(rules, facility)
            if facility == "kern" and path and not path.endswith("ufw.log") and os.path.exists(_below(root, "/var/log/ufw.log")):
                path = "/var/log/ufw.log"
        kind = {"authpriv": "auth"}.get(facility, facility)
        if path is None and kind in PLACES and (rules is None or not running_rsyslog):
            path = next((p for p in PLACES[kind] if _fresh(_below(root, p))), None)
        if path is not None:
            found.append(path)
            covered.add("auth" if facility == "authpriv" else facility)
    found += [path for server in mail for path in server.files]
    files = tuple(dict.fromkeys(found))
    journal = has_journal(root)
    complete = all(f in covered for f in facilities if f not in ("kern", "authpriv"))
    if rules is not None and not running_rsyslog and root == "/":
        said.append(Finding("logs", WARNING, _("rsyslog is configured, but does not run."), "systemctl enable --now rsyslog"))
    if journal and not files:
        said.append(Finding("logs", GOOD, _("Everything is logged to the journal.")))
    if journal and not complete and not _persistent(root):
        text = _(
            "The journal is kept in memory only: what was logged before a restart is lost, and why somebody was denied with it."
        )
        said.append(Finding("logs", WARNING, text, "mkdir -p /var/log/journal; systemctl restart systemd-journald"))
    if not journal and not files:
        said.append(nothing())
    usual = any(f.endswith(("/mail.log", "/auth.log")) for f in files)  # by these `run` tells whether it needs the journal
    return Logs(files, None if usual or not complete or not journal else False, tuple(said))


def has_journal(root: str = "/") -> bool:
    """Whether journald runs."""
    return os.path.exists(os.path.join(root, SYSTEMD))


def nothing() -> Finding:
    """There is nothing to read."""
    fix = _("install rsyslog, or name the files: [sources] files")
    return Finding("logs", FAULT, _("No log was found: neither files in /var/log nor a journal."), fix)


def check(
    paths: Iterable[str], root: str = "/", now: float | None = None, running: Mapping[str, object] | None = None
) -> tuple[list[Finding], str]:
    """How each log is, and the time zone that their stamps are in, where it is not this machine's and can be named."""
    now = time.time() if now is None else now
    said: list[Finding] = []
    zone = ""
    understood = lines_read = 0
    seen = []
    for path in paths:
        place = _below(root, path)
        if not os.path.exists(place):
            continue
        seen.append(path)
        try:
            tail = _tail(place, now)
        except OSError as error:
            fix = _("run as root, or: usermod -aG adm USER")
            said.append(Finding("logs", FAULT, f"{safe(path, 80)}: {_(error.strerror or str(error))}", fix))
            continue
        understood, lines_read = understood + tail.understood, lines_read + tail.lines
        finding, found = _alive(path, tail, now, running or {})
        said.append(finding)
        zone = zone or found
        said += _unread(path, tail)
        said += _hidden(path, tail)
    if seen and lines_read and not understood:
        text = _("No recent line says anything about a client: is this a mail server, and does it log?")
        said.append(Finding("logs", WARNING, text, "postconf maillog_file; doveconf log_path syslog_facility"))
    return said, zone


class Tail(NamedTuple):
    """The end of a log: its newest time, when it was written last, and what was made of it."""

    newest: float | None
    written: float
    bare: bool  # its stamps say no zone
    lines: int
    understood: int
    unread: int
    samples: list[bytes]
    clients: dict[bytes, int]  # failures by address


def _tail(path: str, now: float) -> Tail:
    """Reads it. Raises OSError."""
    about = os.stat(path)
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        data = file.read(TAIL)
    if size > TAIL:
        data = data.partition(b"\n")[2]
    source = Source(path, path, about.st_mtime, about.st_size, "plain")
    clock = Clock(source.mtime, local_zone(), years([source], Options(now, local_zone())))
    clock.newest = float("inf")
    reader = Reader(clock)
    events = reader.read(data if data.endswith(b"\n") or not data else data + b"\n")
    clients: dict[bytes, int] = {}
    for event in events:
        if event.fact.client and (event.fact.weight or event.fact.kind == Kind.AUTH_FAILURE):  # of a gateway none counts
            clients[event.fact.client] = clients.get(event.fact.client, 0) + 1
    newest, bare = _last_time(source, clock)
    return Tail(newest, about.st_mtime, bare, reader.lines, reader.understood, reader.suspects, list(reader.samples), clients)


def _last_time(source: Source, clock: Clock) -> tuple[float | None, bool]:
    """The time of the last line that has one, whoever wrote it, and whether its stamp says no zone."""
    found: tuple[float | None, bool] = None, False
    for line in probe(source):
        header = split(line)
        if header.time is not None:
            found = header.time, False
        elif header.stamp and (read := clock.of(header.stamp)) is not None:
            found = read, header.stamp[:1].isalpha() or not header.stamp.endswith((b"Z", b"z"))
    return found


def _alive(path: str, tail: Tail, now: float, running: Mapping[str, object]) -> tuple[Finding, str]:
    name, zone = safe(path, 80), local_zone()
    if not tail.lines and path.endswith("ufw.log"):
        return Finding("logs", GOOD, _("{path} is empty: ufw turned nobody away, or is not active.").format(path=name)), ""
    if not tail.lines:
        return Finding("logs", WARNING, _("{path} is empty.").format(path=name), "systemctl status rsyslog"), ""
    if tail.newest is None:
        return Finding("logs", WARNING, _("{path}: no line of it has a time that can be read.").format(path=name)), ""
    when = stamp(tail.newest, zone)
    offset = round((tail.newest - tail.written) / STEP) * STEP
    if abs(offset) >= 2 * STEP and abs(tail.newest - tail.written - offset) <= NEAR:
        said = _(
            "{path}: its newest line is stamped {time}, {hours} hours off its true time: it is written in another time zone."
        )
        named = _zone_of(offset, tail.newest) if tail.bare else ""
        fix = (
            f'[sources] timezone = "{named}"' if named else _("compare: date; timedatectl. For logs of another zone: --timezone")
        )
        return Finding("clock", FAULT, said.format(path=name, time=when, hours=f"{offset / 3600:+g}"), fix), named
    if tail.newest > now + AHEAD:
        said = _("{path}: its newest line is from {time}, which is still to come: clock or time zone differ.")
        fix = _("compare: date; timedatectl. For logs of another zone: --timezone")
        return Finding("clock", FAULT, said.format(path=name, time=when), fix), ""
    if now - tail.newest > OLD and "mail" in os.path.basename(path):
        daemons = [title for process, title in (("master", "Postfix"), ("dovecot", "Dovecot")) if process in running]
        if daemons:
            said = _("{path}: its newest line is from {time}, although {daemons} runs: it logs elsewhere, or nowhere.")
            text = said.format(path=name, time=when, daemons=", ".join(daemons))
            return Finding("logs", WARNING, text, "systemctl restart rsyslog; postconf maillog_file; doveconf log_path"), ""
        said = _("{path}: its newest line is from {time}. Is it still written?")
        return Finding("logs", WARNING, said.format(path=name, time=when), "systemctl status rsyslog postfix"), ""
    return Finding("logs", GOOD, _("{path} is written; newest line {time}.").format(path=name, time=when)), ""


def _zone_of(offset: float, at: float) -> str:
    """The name of the zone whose clock is that much ahead of what ours makes of it."""
    import datetime as dt

    ours = dt.datetime.fromtimestamp(at, local_zone()).utcoffset()
    seconds = offset + (ours.total_seconds() if ours is not None else 0.0)
    if not seconds:
        return "UTC"
    hours = seconds / 3600
    return f"Etc/GMT{-hours:+g}" if hours == int(hours) and -12 <= hours <= 14 else ""


def _unread(path: str, tail: Tail) -> Iterator[Finding]:
    """Lines that speak of a failure and are not understood: of sshd, a new version may write new ones."""
    if not tail.unread:
        return
    ssh = [line for line in tail.samples if b"sshd" in line[:200]]
    count = ngettext(
        "{n} recent line speaks of a failure and is not understood",
        "{n} recent lines speak of a failure and are not understood",
        tail.unread,
    )
    shown = safe(masked((ssh or tail.samples or [b""])[0]), 200)
    said = _("{path}: {count}, such as: {line}").format(path=safe(path, 80), count=count, line=shown)
    yield Finding("ssh" if ssh else "logs", WARNING, said, f"monzen explain {path}")


def _hidden(path: str, tail: Tail) -> Iterator[Finding]:
    """Whether more than half of the failures come from one address behind which clients are hidden (Docker, a proxy)."""
    total = sum(tail.clients.values())
    for client, count in tail.clients.items():
        if total < HIDDEN or 2 * count <= total or len(client) not in (4, 16):
            continue
        address = ip_address(client)
        if address.is_private and not address.is_loopback and not _documentation(client):
            said = _(
                "{path}: {share} percent of the failures come from {who}: the clients are hidden behind it (Docker, a proxy)."
            )
            fix = _("PROXY protocol, or network_mode: host in Docker; until then nobody of them is denied")
            text = said.format(path=safe(path, 80), share=100 * count // total, who=network(client, 8 * len(client)))
            yield Finding("others", WARNING, text, fix)


def _documentation(client: bytes) -> bool:
    """Networks that Python calls private and that are none: RFC 5737, RFC 3849."""
    return client[:3] in (b"\xc0\0\2", b"\xc6\x33\x64", b"\xcb\0\x71") or client[:4] == b"\x20\1\x0d\xb8"


def journal_alive(ask: Ask, now: float, running: Mapping[str, object]) -> Iterator[Finding]:
    """Whether the journal has lines of mail programs that run."""
    daemons = [title for process, title in (("master", "Postfix"), ("dovecot", "Dovecot")) if process in running]
    answer = ask("journalctl", "--quiet", "--no-pager", "-n", "1", "-o", "json", "--output-fields=MESSAGE", "SYSLOG_FACILITY=2")
    if answer is None or not daemons:
        return
    newest = 0.0
    for line in answer.splitlines():
        try:
            newest = int(json.loads(line)["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError):
            continue
    if now - newest > OLD:
        said = _(
            "{daemons} runs, and the journal has no line of a mail program of the last two days: it logs elsewhere, or nowhere."
        )
        yield Finding(
            "logs", WARNING, said.format(daemons=", ".join(daemons)), "postconf maillog_file; doveconf log_path syslog_facility"
        )
    else:
        said = _("The journal has lines of mail programs; the newest is from {time}.")
        yield Finding("logs", GOOD, said.format(time=stamp(newest, local_zone())))


def _persistent(root: str) -> bool:
    """Whether the journal outlives a restart. Source: journald.conf(5), Storage=auto: where the folder is there."""
    return os.path.isdir(os.path.join(root, "var/log/journal"))


def _fresh(path: str) -> bool:
    """Whether a log is there and not left over from long ago."""
    try:
        return time.time() - os.stat(path).st_mtime < 30 * 86_400
    except OSError:
        return False


def _below(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))
