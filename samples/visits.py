"""What visitors of the sample's mail server do, one function for each kind of visit."""

from __future__ import annotations

import ipaddress

from samples.host import ACCOUNTS, BOOTED, MONDAY, SERVER4, SERVER6, Client, Host, Smtp, local

NAMES = (
    "admin info test sales support contact office webmaster postmaster scanner backup noreply hr billing accounts "
    "marketing service orders invoice finance jobs team hello guest demo temp printer fax reception mailer"
).split()
SSH_NAMES = (
    "root admin ubuntu test oracle git postgres user pi deploy debian ftpuser mysql hadoop jenkins nagios tomcat minecraft "
    "steam ec2-user centos vagrant ansible zabbix es dev student guest support web"
).split()




def where(address: str) -> str:
    """Both ends of a connection to Dovecot."""
    return f"rip={address}, lip={local(address)}"


def mailbox(host: Host, t: float, user: str, address: str, protocol: str = "imap") -> None:
    """A user reads mail."""
    r, session, pid = host.random, host.session_id(t, address), host.pid()
    login = f"Login: user=<{user}>, method=PLAIN, {where(address)}, mpid={pid}, TLS, session=<{session}>"
    host.say(t, "dovecot", f"{protocol}-login: {login}")
    read, sent = r.randrange(90, 4000), r.randrange(800, 90_000)
    text = f"Logged out top=0/0, retr=0/0, del=0/{r.randrange(40)}, size={sent}"
    if protocol == "imap":
        counts = f"hdr_count={r.randrange(40)} hdr_bytes={r.randrange(9000)} body_count=0 body_bytes=0"
        text = f"Logged out in={read} out={sent} deleted=0 expunged={r.randrange(3)} trashed=0 {counts}"
    host.say(t + r.uniform(2, 600), "dovecot", f"{protocol}({user})<{pid}><{session}>: Disconnected: {text}")


def mailbox_fails(host: Host, t: float, users: list[str], address: str, protocol: str = "imap") -> None:
    """Wrong passwords in one Dovecot session."""
    session, seconds = host.session_id(t, address), 0.0
    for user in users:
        host.detail(t + seconds, user, address, session)
        seconds += host.random.uniform(2.1, 4)
    why = host.random.choice(("Connection closed", "Aborted login by logging out"))
    tail = f"TLS{': Connection closed' if why.startswith('C') else ''}, session=<{session}>"
    count = f"(auth failed, {len(users)} attempts in {int(seconds)} secs)"
    text = f"Disconnected: {why} {count}: user=<{users[-1]}>, method=PLAIN, {where(address)}, {tail}"
    host.say(t + seconds, "dovecot", f"{protocol}-login: {text}")


def mailbox_outage(host: Host, t: float, address: str) -> None:
    """Somebody wants to read mail while the password service is down."""
    text = f"(disconnected before auth was ready, waited 30 secs): user=<>, {where(address)}, TLS"
    host.say(t + 30, "dovecot", f"imap-login: Disconnected: Auth process broken {text}, session=<{host.session_id(t, address)}>")


def submit(host: Host, t: float, user: str, client: Client, service: str = "submission") -> None:
    """A user sends a mail."""
    smtp = Smtp(host, t, client, service)
    smtp.hello(starttls=service == "submission")
    smtp.send(user, [f"{host.random.choice(NAMES)}@{host.random.choice(('example.com', 'example.net'))}"], user)
    smtp.end()


def submit_fails(host: Host, t: float, user: str, client: Client, why: str = "(reason unavailable)") -> None:
    """A user's mail program cannot log in."""
    smtp = Smtp(host, t, client, "submission")
    smtp.hello(starttls=True)
    smtp.wait(0.1, 0.4)
    smtp.fail(user, why=why)
    smtp.end()


def outlook(host: Host, t: float, user: str, client: Client) -> None:
    """A mail program that first tries a mechanism nobody offers, then the right one."""
    smtp = Smtp(host, t, client, "submission")
    smtp.hello(starttls=True)
    smtp.fail(user, "NTLM", "Invalid authentication mechanism")
    smtp.counts["auth"] = [1, 2]
    smtp.send(user, ["team@example.com"], user)
    smtp.end()


def receive(host: Host, t: float, server: Client) -> None:
    """Another server brings a mail."""
    smtp = Smtp(host, t, server)
    smtp.hello(starttls=True)
    domain = server.name.partition(".")[2]
    smtp.send(f"{host.random.choice(NAMES)}@{domain}", [host.random.choice(ACCOUNTS)])
    smtp.end()


def take_turns(host: Host, t: float, members: list[Client], turns: int) -> None:
    """The gang: one password each time, one host after the other."""
    r = host.random
    for turn in range(turns):
        client = members[(turn + (r.random() < 0.2)) % len(members)]
        smtp = Smtp(host, t, client)
        smtp.did("ehlo")
        smtp.wait(2, 6)
        smtp.fail(f"{r.choice(NAMES)}@example.org", "LOGIN")
        smtp.did("rset")
        smtp.end()
        t += r.uniform(9, 24)


def hop(host: Host, t: float, visits: int) -> None:
    """The IPv6 guesser: another address of the same /64 each time."""
    r = host.random
    for _ in range(visits):
        address = str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("2001:db8:bad:1::")) | r.getrandbits(64)))
        mailbox_fails(host, t, [f"{r.choice(NAMES)}@example.org"] * r.choice((1, 1, 2)), address)
        t += r.uniform(60, 150)


def guess_ssh(host: Host, t: float, address: str, names: list[str]) -> None:
    """One ssh connection for each name."""
    r = host.random
    for name in names:
        program, known = f"sshd[{host.pid()}]", name == "root"
        kind, state = ("", "authenticating") if known else ("invalid user ", "invalid")
        from_ = f"{address} port {r.randrange(1025, 65535)}"
        if not known:
            host.say(t, program, f"Invalid user {name} from {from_}")
            host.say(t + 0.01, program, "pam_unix(sshd:auth): check pass; user unknown")
        pam = "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser="
        host.say(t + 0.02, program, f"{pam} rhost={address} {' user=root' if known else ''}")
        host.say(t + 2, program, f"Failed password for {kind}{name} from {from_} ssh2")
        host.say(t + 2.4, program, f"Received disconnect from {from_}:11: Bye Bye [preauth]")
        host.say(t + 2.4, program, f"Disconnected from {state} user {name} {from_} [preauth]")
        t += r.uniform(4, 45)


def login_ssh(host: Host, t: float, address: str) -> None:
    """The admin comes with a key and leaves."""
    program, from_ = f"sshd[{host.pid()}]", f"{address} port {host.random.randrange(1025, 65535)}"
    host.say(t, program, f"Accepted publickey for ops from {from_} ssh2: ED25519 SHA256:{'c2FtcGxl' * 5}c2F")
    host.say(t + 0.1, program, "pam_unix(sshd:session): session opened for user ops(uid=1000) by (uid=0)")
    t += host.random.uniform(300, 3000)
    host.say(t, program, f"Received disconnect from {from_}:11: disconnected by user")
    host.say(t, program, f"Disconnected from user ops {from_}")
    host.say(t, program, "pam_unix(sshd:session): session closed for user ops")


def too_early(host: Host, t: float, address: str) -> None:
    """A client that talks before the greeting."""
    screen, from_ = host.daemon("postfix/postscreen"), f"[{address}]:{host.random.randrange(1025, 65535)}"
    host.say(t, screen, f"CONNECT from {from_} to [{local(address)}]:25")
    host.say(t + 0.1, screen, rf"PREGREET 14 after 0.1 from {from_}: EHLO ylmf-pc\r\n")
    host.say(t + 0.8, screen, f"HANGUP after 0.64 from {from_} in tests after SMTP handshake")
    host.say(t + 0.8, screen, f"DISCONNECT {from_}")


def probe_relay(host: Host, t: float, client: Client) -> None:
    """Somebody looks whether strangers' mail is carried."""
    smtp = Smtp(host, t, client)
    smtp.hello(starttls=False)
    smtp.did("mail")
    for number in range(4):
        rcpt = f"relaytest{number}@example.com"
        smtp.refuse(f"554 5.7.1 <{rcpt}>: Relay access denied", "spam@example.net", rcpt, "win-probe")
    smtp.end()


def harvest(host: Host, t: float, client: Client) -> None:
    """Somebody tries which recipients exist."""
    smtp = Smtp(host, t, client)
    smtp.hello(starttls=False)
    smtp.did("mail")
    for name in NAMES[2:22]:
        rcpt = f"{name}@example.org"
        reply = f"550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table"
        smtp.refuse(reply, "offers@example.net", rcpt, "mx.example.net")
    smtp.end("too many errors after RCPT")


def inject(host: Host, t: float, client: Client, blamed: str) -> None:
    """A user name that looks like a line about somebody else."""
    for _ in range(6):
        smtp = Smtp(host, t, client, "submission")
        smtp.hello(starttls=True)
        smtp.fail(f"unknown[{blamed}]: SASL LOGIN authentication failed", "LOGIN")
        smtp.end("lost connection after AUTH")
        t += host.random.uniform(20, 60)


def knock(host: Host, t: float, address: str, ports: list[int], udp: bool = False) -> None:
    """Packets at closed ports, each sent again after one and three seconds."""
    r = host.random
    mac = "MAC=02:00:00:00:00:19:02:00:00:00:00:01:"
    for port in ports:
        source, ident, ttl = r.randrange(1025, 65535), r.randrange(60_000), r.randrange(40, 58)
        for number, after in enumerate((0, 1, 3)[: 1 if udp else r.choice((1, 2, 3))]):
            up = (MONDAY - BOOTED).total_seconds() + t + after
            if ":" in address:
                full = [ipaddress.ip_address(a).exploded for a in (address, SERVER6)]
                ends = f"{mac}86:dd SRC={full[0]} DST={full[1]} LEN=80 TC=0 HOPLIMIT={ttl} FLOWLBL={r.randrange(1 << 20)} "
            else:
                size = f"LEN={48 if udp else 60} TOS=0x00 PREC=0x00 TTL={ttl} ID={ident + number} {'' if udp else 'DF '}"
                ends = f"{mac}08:00 SRC={address} DST={SERVER4} {size}"
            what = "UDP" if udp else "TCP"
            tail = "LEN=28 " if udp else "WINDOW=64240 RES=0x00 SYN URGP=0 "
            text = f"[UFW BLOCK] IN=eth0 OUT= {ends}PROTO={what} SPT={source} DPT={port} {tail}"
            host.say(t + after, "kernel", f"[{up:.6f}] {text}")
        t += r.uniform(0.2, 40)


def multicast(host: Host, t: float) -> None:
    """The router asks who listens; ufw does not let it in. Nobody's offence."""
    up = (MONDAY - BOOTED).total_seconds() + t
    packet = "SRC=192.0.2.1 DST=224.0.0.1 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 ID=0 DF PROTO=2 "
    host.say(t, "kernel", f"[{up:.6f}] [UFW BLOCK] IN=eth0 OUT= MAC=01:00:5e:00:00:01:02:00:00:00:00:01:08:00 {packet}")


def break_in(host: Host, t: float, client: Client, user: str) -> None:
    """Thirty guesses at one account over two services, then the right one, then spam."""
    for number in range(30):
        if number % 3 == 2:
            mailbox_fails(host, t, [user], client.address)
        else:
            submit_fails(host, t, user, client)
        t += host.random.uniform(25, 110)
    mailbox(host, t, user, client.address)
    t += 40
    for batch in range(6):
        smtp = Smtp(host, t, client, "submission")
        smtp.hello(starttls=True)
        to = [f"{'nobody' if n % 4 == 3 else 'user'}{batch}{n}@example.{'com' if n % 2 else 'net'}" for n in range(12)]
        smtp.send(user, to, user)
        smtp.end()
        t += host.random.uniform(20, 50)


def restart(host: Host, t: float) -> None:
    """The admin turns on auth_verbose; from here on the password service says why it refuses."""
    host.say(t, "dovecot", "master: Dovecot v2.3.19.1 (9b53102964) starting up for imap, pop3, lmtp (core dumps disabled)")
    host.verbose = True
