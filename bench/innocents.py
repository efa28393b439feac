"""What everybody else leaves in a mail log: mail in and out, mailboxes read, and the mistakes of honest people."""

from __future__ import annotations

from dataclasses import dataclass

from bench.attacks import CIPHERS, PROVIDERS
from bench.writer import DOMAINS, NAMES, Writer


@dataclass(frozen=True, slots=True)
class Client:
    """An address with its name and, where it is a person's, the account."""

    host: str
    address: str
    user: str = ""

    @property
    def peer(self) -> str:
        """How Postfix names it."""
        return f"{self.host}[{self.address}]"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who deals with this server."""

    servers: list[Client]  # other mail servers
    people: list[Client]
    office: Client  # many users behind one address


def queue(w: Writer, t: float, mail: tuple[str, str, str, str], size: int, near: Neighbours, local: bool = True) -> None:
    """The way of one mail (queue id, message id, from, to) through Postfix."""
    r = w.random
    name, ident, sender, to = mail
    w.emit(t, w.tag("postfix/cleanup"), f"{name}: message-id=<{ident}>")
    if r.random() < 0.5:
        done = "DKIM verification successful" if local else f"DKIM-Signature field added (s=mail, d={DOMAINS[0]})"
        w.emit(t + 0.03, w.tag("opendkim", 0), f"{name}: {done}")
    w.emit(t + 0.05, w.tag("postfix/qmgr", 0), f"{name}: from=<{sender}>, size={size}, nrcpt=1 (queue active)")
    d = r.uniform(0.05, 1.5)
    delays = f"delay={d:.2g}, delays={d * 0.3:.2g}/0.01/{d * 0.2:.2g}/{d * 0.5:.2g}, dsn=2.0.0"
    if local:
        session = w.session()
        saved = f"sieve: msgid=<{ident}>: stored mail into mailbox 'INBOX'"
        w.emit(t + d, "dovecot", f"lmtp({to})<{w.pid('lmtp')}><{session}>: {saved}")
        relay = f"relay={w.options.host}[private/dovecot-lmtp]"
        text = f"{name}: to=<{to}>, {relay}, {delays}, status=sent (250 2.0.0 <{to}> {session} Saved)"
        w.emit(t + d + 0.01, w.tag("postfix/lmtp"), text)
    else:
        server = f"mx{r.randrange(1, 5)}.{to.split('@')[1]}"
        if r.random() < 0.3:
            program = w.tag("postfix/smtp")
            tls = f"Trusted TLS connection established to {server}[{r.choice(near.servers).address}]:25: {r.choice(CIPHERS)}"
            w.emit(t + d - 0.01, program, tls)
        program = w.tag("postfix/smtp")
        relay = f"relay={server}[{r.choice(near.servers).address}]:25"
        answer = f"250 2.0.0 OK {1770000000 + int(t)} {w.session().lower()} - gsmtp"
        w.emit(t + d, program, f"{name}: to=<{to}>, {relay}, {delays}, status=sent ({answer})")
    w.emit(t + d + 0.02, w.tag("postfix/qmgr", 0), f"{name}: removed")


def inbound(w: Writer, t: float, near: Neighbours) -> None:
    """A mail comes in."""
    r = w.random
    server = r.choice(near.servers)
    program = w.tag("postfix/smtpd")
    name = w.queue_id()
    sender = f"{r.choice(NAMES)}@{r.choice(PROVIDERS)}"
    to = r.choice(w.users)
    ident = f"{w.session().replace('/', '_')}.{r.randrange(1 << 30)}@{sender.split('@')[1]}"
    w.emit(t, program, f"connect from {server.peer}")
    tls = r.random() < 0.8
    if tls:
        w.emit(t + 0.1, program, f"Anonymous TLS connection established from {server.peer}: {r.choice(CIPHERS)}")
    if r.random() < 0.3:
        who = f"client-ip={server.address}; helo={server.host}; envelope-from={sender}; receiver={to}"
        w.emit(t + 0.2, w.tag("policyd-spf"), f"prepend Received-SPF: Pass (mailfrom) identity=mailfrom; {who}")
    w.emit(t + 0.3, program, f"{name}: client={server.peer}")
    queue(w, t + 0.4, (name, ident, sender, to), r.randrange(1500, 400000), near)
    hello, total = ("ehlo=2 starttls=1", 7) if tls else ("ehlo=1", 5)
    w.emit(t + 0.9, program, f"disconnect from {server.peer} {hello} mail=1 rcpt=1 data=1 quit=1 commands={total}")


def outbound(w: Writer, t: float, near: Neighbours) -> None:
    """A user logs in and sends a mail."""
    r = w.random
    person = r.choice(near.people)
    program = w.tag(r.choice(("postfix/submission/smtpd", "postfix/smtps/smtpd")))
    name = w.queue_id()
    ident = f"{r.randrange(1 << 32):08x}-{r.randrange(1 << 16):04x}-{r.randrange(1 << 16):04x}@{DOMAINS[0]}"
    w.emit(t, program, f"connect from {person.peer}")
    w.emit(t + 0.1, program, f"Anonymous TLS connection established from {person.peer}: {r.choice(CIPHERS)}")
    w.emit(t + 0.3, program, f"{name}: client={person.peer}, sasl_method=PLAIN, sasl_username={person.user}")
    to = f"{r.choice(NAMES)}@{r.choice(PROVIDERS)}"
    queue(w, t + 0.4, (name, ident, person.user, to), r.randrange(900, 90000), near, local=False)
    counts = "ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8"
    w.emit(t + 0.9, program, f"disconnect from {person.peer} {counts}")


def imap(w: Writer, t: float, near: Neighbours, who: Client | None = None) -> None:
    """A user reads mail."""
    r = w.random
    client = who or r.choice(near.people)
    address, user = client.address, client.user
    if who is None and r.random() < 0.2:
        address, user = near.office.address, r.choice(w.users)
    session = w.session()
    pid = w.pid("imap", 1)
    where = f"rip={address}, lip={w.local(address)}, mpid={pid}, TLS, session=<{session}>"
    w.emit(t, "dovecot", f"imap-login: Login: user=<{user}>, method=PLAIN, {where}")
    end = t + r.uniform(1, 900)
    idle = "IDLE running for 0.001 + waiting input for 121.000 secs, 2 B in + 10 B out, state=wait-input"
    text = (
        f"Disconnected: {r.choice(('Logged out', f'Connection closed ({idle})'))} "
        f"in={r.randrange(100, 9999)} out={r.randrange(1000, 99999)} deleted=0 expunged=0 trashed=0 "
        f"hdr_count={r.randrange(50)} hdr_bytes={r.randrange(9999)} body_count={r.randrange(9)} body_bytes={r.randrange(99999)}"
    )
    w.emit(end, "dovecot", f"imap({user})<{pid}><{session}>: {text}")


def typo(w: Writer, t: float, near: Neighbours) -> None:
    """A user mistypes one to three times, then gets in."""
    r = w.random
    client = r.choice(near.people)
    n = r.choices((1, 2, 3), (70, 22, 8))[0]
    for i in range(n):
        detail = f"auth: passwd-file({client.user},{client.address},<{w.session()}>): Password mismatch"
        w.emit(t + 8 * i, "dovecot", detail)
        where = f"rip={client.address}, lip={w.local(client.address)}, TLS, session=<{w.session()}>"
        text = f"Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{client.user}>, method=PLAIN, {where}"
        w.emit(t + 8 * i + 2, "dovecot", f"imap-login: {text}")
    imap(w, t + 8 * n + 4, near, client)


def stale(w: Writer, t: float, near: Neighbours) -> None:
    """A phone in the office keeps trying an old password while colleagues log in."""
    r = w.random
    program = w.tag("postfix/submission/smtpd")
    peer = near.office.peer
    failed = f"SASL PLAIN authentication failed: (reason unavailable), sasl_username={w.users[7]}"
    w.emit(t, program, f"connect from {peer}")
    w.emit(t + 1, program, f"warning: {peer}: {failed}")
    w.emit(t + 1.2, program, f"disconnect from {peer} ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5")
    if r.random() < 0.8:
        imap(w, t + 2, near, Client(near.office.host, near.office.address, r.choice(w.users)))


def greylist(w: Writer, t: float, near: Neighbours) -> None:
    """A mail server is asked to come back later."""
    r = w.random
    server = r.choice(near.servers)
    program = w.tag("postfix/smtpd")
    to = r.choice(w.users)
    w.emit(t, program, f"connect from {server.peer}")
    text = (
        f"450 4.2.0 <{to}>: Recipient address rejected: Greylisted, see http://postgrey.example/help/{DOMAINS[0]}.html; "
        f"from=<{r.choice(NAMES)}@{r.choice(PROVIDERS)}> to=<{to}> proto=ESMTP helo=<{server.host}>"
    )
    w.emit(t + 0.3, program, f"NOQUEUE: reject: RCPT from {server.peer}: {text}")
    counts = "ehlo=2 starttls=1 mail=1 rcpt=0/1 quit=1 commands=5/6"
    w.emit(t + 0.5, program, f"disconnect from {server.peer} {counts}")


def flaky(w: Writer, t: float, near: Neighbours) -> None:
    """A mail server that looks bad: a dropped connection, broken reverse DNS."""
    r = w.random
    server = r.choice(near.servers)
    program = w.tag("postfix/smtpd")
    if r.random() < 0.4:
        text = f"hostname {server.host} does not resolve to address {server.address}: Name or service not known"
        w.emit(t, program, f"warning: {text}")
    w.emit(t, program, f"connect from {server.peer}")
    word = r.choice(("lost connection", "timeout"))
    after = r.choice(("DATA (0 bytes)", "STARTTLS", "END-OF-MESSAGE", "RSET"))
    w.emit(t + 1, program, f"{word} after {after} from {server.peer}")
    w.emit(t + 1.1, program, f"disconnect from {server.peer} ehlo=1 starttls=1 commands=2")


def monitor(w: Writer, t: float, near: Neighbours) -> None:
    """The server's own monitoring looks whether the ports answer."""
    program = w.tag("postfix/smtpd")
    w.emit(t, program, "connect from localhost[127.0.0.1]")
    w.emit(t + 0.1, program, "lost connection after CONNECT from localhost[127.0.0.1]")
    w.emit(t + 0.2, program, "disconnect from localhost[127.0.0.1] commands=0/0")
    where = f"rip=127.0.0.1, lip=127.0.0.1, secured, session=<{w.session()}>"
    w.emit(t + 0.3, "dovecot", f"imap-login: Disconnected (no auth attempts in 0 secs): user=<>, {where}")


def local(w: Writer, t: float, near: Neighbours) -> None:
    """The server writes to its admin."""
    name, host = w.queue_id(), w.options.host
    w.emit(t, w.tag("postfix/pickup", 0.02), f"{name}: uid=0 from=<root>")
    queue(w, t + 0.1, (name, f"{int(t)}.{name}@{host}", f"root@{host}", "admin@example.org"), 900, near)


def bounce(w: Writer, t: float, near: Neighbours) -> None:
    """A mail of ours is refused elsewhere."""
    r = w.random
    name = w.queue_id()
    to = f"{r.choice(NAMES)}@{r.choice(PROVIDERS)}"
    server = f"mx1.{to.split('@')[1]}"
    program = w.tag("postfix/smtp")
    text = (
        f"{name}: to=<{to}>, relay={server}[{r.choice(near.servers).address}]:25, delay=2.1, delays=0.1/0.01/1/1, "
        f"dsn=5.1.1, status=bounced (host {server} said: 550 5.1.1 <{to}>: Recipient address rejected: User unknown in local "
        "recipient table (in reply to RCPT TO command))"
    )
    w.emit(t, program, text)
    w.emit(t + 0.1, w.tag("postfix/bounce"), f"{name}: sender non-delivery notification: {w.queue_id()}")
    w.emit(t + 0.2, w.tag("postfix/qmgr", 0), f"{name}: removed")


def anvil(w: Writer, t: float, near: Neighbours) -> None:
    """Postfix's connection counter reports its peaks."""
    r = w.random
    program = w.tag("postfix/anvil", 0.1)
    address = r.choice(near.servers).address
    at = w.stamp(t)[:15]
    w.emit(t, program, f"statistics: max connection rate {r.randrange(1, 9)}/60s for (smtp:{address}) at {at}")
    w.emit(t, program, f"statistics: max connection count {r.randrange(1, 5)} for (smtp:{address}) at {at}")
    w.emit(t, program, f"statistics: max cache size {r.randrange(1, 40)} at {at}")
