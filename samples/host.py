"""The mail server of the sample: its processes, its numbers, its lines, and SMTP connections as Postfix logs them."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
BOOTED = MONDAY - timedelta(days=12, hours=5)
SERVER4, SERVER6 = "192.0.2.25", "2001:db8:25::25"
IDLE_LIMIT = 100.0  # Postfix max_idle: an idle process ends after that many seconds
COMMANDS = ("helo", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "rset", "quit", "unknown")
ACCOUNTS = tuple(f"{name}@example.org" for name in ("anna", "bernd", "carla", "eva", "frank", "greta", "akira", "info"))
CIPHER = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
    "server-signature RSA-PSS (2048 bits) server-digest SHA256"
)


@dataclass(frozen=True, slots=True)
class Client:
    """An address, and the name that it resolves to."""

    address: str
    name: str = "unknown"

    @property
    def peer(self) -> str:
        """How Postfix writes it."""
        return f"{self.name}[{self.address}]"


@dataclass(slots=True)
class Worker:
    """A process that serves one client at a time."""

    pid: int
    free_at: float


class Host:
    """The server: its processes, its numbers, and the lines that it wrote. Times are seconds since Monday."""

    def __init__(self) -> None:
        self.random = Random(587)
        self.lines: list[tuple[float, int, str]] = []
        self._pools: dict[str, list[Worker]] = {}
        self._pid = 1200
        self.verbose = False  # Dovecot's auth_verbose
        self.seen: set[str] = set()  # whom postscreen has let through

    def say(self, t: float, program: str, text: str) -> None:
        """One line."""
        moment = MONDAY + timedelta(seconds=t)
        stamp = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"
        self.lines.append((t, len(self.lines), f"{stamp} mail {program}: {text}\n"))

    def pid(self) -> int:
        """The number of a new process."""
        self._pid += self.random.randint(1, 40)
        return self._pid

    def daemon(self, program: str) -> str:
        """A process that runs all the time, as `program[pid]`."""
        pool = self._pools.setdefault(program, [])
        if not pool:
            pool.append(Worker(self.pid(), 0))
        return f"{program}[{pool[0].pid}]"

    def worker(self, program: str, t: float) -> tuple[str, Worker]:
        """An idle process, or a new one."""
        pool = self._pools[program] = [w for w in self._pools.get(program, []) if w.free_at > t - IDLE_LIMIT]
        found = next((w for w in pool if w.free_at <= t), None)
        if found is None:
            found = Worker(self.pid(), t)
            pool.append(found)
        found.free_at = t + 1
        return f"{program}[{found.pid}]", found

    def queue_id(self, t: float) -> str:
        """A short queue id: microseconds and a piece of the inode."""
        return f"{int(t * 1e6) % 1_000_000:05X}{self.random.randrange(0x80, 0xFFF):X}"

    def session_id(self, t: float, address: str) -> str:
        """A Dovecot session id: time, port and address in base64."""
        micro = int((MONDAY.timestamp() + t) * 1e6) & (1 << 48) - 1
        port = self.random.randrange(1025, 65535)
        parts = micro.to_bytes(6, "little") + port.to_bytes(2, "little") + ipaddress.ip_address(address).packed
        return base64.b64encode(parts).decode().rstrip("=")

    def detail(self, t: float, user: str, address: str, session: str = "") -> None:
        """What the password service says about a wrong password, if it is asked to say so."""
        if self.verbose:
            why = "Password mismatch" if user in ACCOUNTS else "unknown user"
            self.say(t, "dovecot", f"auth: passwd-file({user},{address}{f',<{session}>' if session else ''}): {why}")


def local(address: str) -> str:
    """The server's address that this client reached."""
    return SERVER6 if ":" in address else SERVER4


def ratio(good: int, total: int) -> str:
    """How Postfix counts commands: all of them, or the good ones of all."""
    return str(good) if good == total else f"{good}/{total}"


class Smtp:
    """One SMTP connection; port 25 stands behind postscreen."""

    def __init__(self, host: Host, t: float, client: Client, service: str = "") -> None:
        self.host, self.t, self.client = host, t, client
        self.counts: dict[str, list[int]] = {}
        program = f"postfix/{service}/smtpd" if service else "postfix/smtpd"
        if not service:
            self._screen()
        self.program, self._worker = host.worker(program, self.t)
        self.say(f"connect from {client.peer}")

    def _screen(self) -> None:
        where = f"[{self.client.address}]:{self.host.random.randrange(1025, 65535)}"
        screen = self.host.daemon("postfix/postscreen")
        self.host.say(self.t, screen, f"CONNECT from {where} to [{local(self.client.address)}]:25")
        known = self.client.address in self.host.seen
        self.host.seen.add(self.client.address)
        self.t += 0.01 if known else 6  # postscreen_greet_wait
        self.host.say(self.t, screen, f"PASS {'OLD' if known else 'NEW'} {where}")

    def say(self, text: str) -> None:
        """A line of this process."""
        self.host.say(self.t, self.program, text)

    def did(self, *commands: str, good: bool = True) -> None:
        """Count commands for the last line."""
        for command in commands:
            count = self.counts.setdefault(command, [0, 0])
            count[0] += good
            count[1] += 1

    def wait(self, least: float, most: float) -> None:
        """Let time pass."""
        self.t += self.host.random.uniform(least, most)

    def hello(self, starttls: bool) -> None:
        """EHLO, perhaps with TLS."""
        self.wait(0.1, 0.5)
        if starttls or "smtps" in self.program:
            self.say(f"Anonymous TLS connection established from {self.client.peer}: {CIPHER}")
        self.did(*(("ehlo", "starttls", "ehlo") if starttls else ("ehlo",)))

    def fail(self, user: str, mechanism: str = "PLAIN", why: str = "(reason unavailable)") -> None:
        """A login that fails."""
        if why.startswith("(reason"):
            self.host.detail(self.t, user, self.client.address)
            self.t += 2  # Dovecot auth_failure_delay
        name = user if why.startswith("(reason") else "(unavailable)"
        self.say(f"warning: {self.client.peer}: SASL {mechanism} authentication failed: {why}, sasl_username={name}")
        self.did("auth", good=False)

    def send(self, sender: str, to: list[str], user: str = "") -> None:
        """A mail that is taken, and its way through the queue."""
        host, r = self.host, self.host.random
        self.wait(0.1, 0.4)
        name = host.queue_id(self.t)
        login = f", sasl_method=PLAIN, sasl_username={user}" if user else ""
        self.say(f"{name}: client={self.client.peer}{login}")
        self.did(*(["auth"] if user and "auth" not in self.counts else []), "mail", *["rcpt"] * len(to), "data")
        cleanup, _ = host.worker("postfix/cleanup", self.t)
        ident = f"{r.getrandbits(64):016x}@{sender.rpartition('@')[2]}"
        host.say(self.t + 0.1, cleanup, f"{name}: message-id=<{ident}>")
        manager = host.daemon("postfix/qmgr")
        size = r.randrange(1200, 90_000)
        host.say(self.t + 0.15, manager, f"{name}: from=<{sender}>, size={size}, nrcpt={len(to)} (queue active)")
        end = self.t + 0.2
        for rcpt in to:
            delay = r.uniform(0.2, 1.5)
            end += delay / len(to)
            times = f"delay={delay:.2g}, delays={delay * 0.4:.2g}/0.01/{delay * 0.1:.2g}/{delay * 0.5:.2g}"
            domain = rcpt.rpartition("@")[2]
            if domain == "example.org":
                program, _ = host.worker("postfix/lmtp", end)
                session = host.session_id(end, SERVER4)
                host.say(end, "dovecot", f"lmtp({rcpt})<{host.pid()}><{session}>: msgid=<{ident}>: saved mail to INBOX")
                saved = f"250 2.0.0 <{rcpt}> {session} Saved"
                text = f"relay=mail.example.org[private/dovecot-lmtp], {times}, dsn=2.0.0, status=sent ({saved})"
            else:
                program, _ = host.worker("postfix/smtp", end)
                relay = f"relay=mx1.{domain}[192.0.2.210]:25"
                status = f"dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {r.getrandbits(40):010X})"
                if rcpt.startswith("nobody"):
                    said = f"550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown (in reply to RCPT TO command)"
                    status = f"dsn=5.1.1, status=bounced (host mx1.{domain}[192.0.2.210] said: {said})"
                text = f"{relay}, {times}, {status}"
            host.say(end, program, f"{name}: to=<{rcpt}>, {text}")
        host.say(end + 0.05, manager, f"{name}: removed")
        self.wait(0.3, 1)

    def refuse(self, reply: str, sender: str, rcpt: str, helo: str) -> None:
        """A recipient that is not taken."""
        where = f"from=<{sender}> to=<{rcpt}> proto=ESMTP helo=<{helo}>"
        self.say(f"NOQUEUE: reject: RCPT from {self.client.peer}: {reply}; {where}")
        self.did("rcpt", good=False)
        self.wait(0.1, 1.0)

    def end(self, last: str = "quit") -> None:
        """Goodbye: `quit`, or why there is none."""
        self.wait(0.1, 0.6)
        if last == "quit":
            self.did("quit")
        else:
            self.say(f"{last} from {self.client.peer}")
        parts = [f"{command}={ratio(*self.counts[command])}" for command in COMMANDS if command in self.counts]
        parts.append(f"commands={ratio(*map(sum, zip(*self.counts.values(), strict=True)))}")
        self.say(f"disconnect from {self.client.peer} {' '.join(parts)}")
        self._worker.free_at = self.t + 0.1
