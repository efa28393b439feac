"""The whole way with real daemons: a gang guesses, a customer logs in and mistypes, the admin is on SSH; then the gate closes."""

import base64
import imaplib
import os
import poplib
import smtplib
from concurrent.futures import ThreadPoolExecutor

from tests.lab import live
from tests.lab.maild import NEEDS, USERS, start
from tests.lab.net import SRV4, SRV6, connect, inside, ns, probes, until
from tests.lab.server import monzen, told

ALICE, BOB = USERS
GANG = ("203.0.113.83", "203.0.113.52", "203.0.113.20")


class Smtp(smtplib.SMTP):
    """From an address of a place."""

    patience = 60  # seconds of an attacker, whom the gate may leave without an answer

    def __init__(self, place, source, port):
        self.place, self.source = place, source
        super().__init__(timeout=patience(place))
        self.connect(SRV6 if ":" in source else SRV4, port)

    def _get_socket(self, host, port, timeout):
        answer = connect(self.place, port, self.source, timeout=timeout)
        assert answer.socket is not None, answer
        return answer.socket


def patience(place):
    """Seconds in which a server must answer: a customer waits as long as it takes."""
    return Smtp.patience if place == "atk" else 120


def guess_smtp(place, source, user, password, port=25):
    """One guess over SMTP; whether it was good."""
    client = Smtp(place, source, port)
    client.ehlo("lab.example.org")
    try:
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return client.docmd("AUTH", f"PLAIN {secret}")[0] == 235
    finally:
        client.close()


def guess_imap(place, source, user, password):
    """One guess over IMAP."""

    class Imap(imaplib.IMAP4):
        def _create_socket(self, timeout):
            return connect(place, 143, source, timeout=patience(place)).socket

    client = Imap(SRV4, 143)
    try:
        client.login(user, password)
        return True
    except imaplib.IMAP4.error:
        return False
    finally:
        client.shutdown()


def guess_pop(place, source, user, password):
    """One guess over POP3."""

    class Pop(poplib.POP3):
        def _create_socket(self, timeout):
            return connect(place, 110, source, timeout=patience(place)).socket

    client = Pop(SRV4, 110)
    try:
        client.user(user)
        client.pass_(password)
        return True
    except poplib.error_proto:
        return False
    finally:
        client.close()


@live(needs=(*NEEDS, "ufw", "iptables"), seconds=240)
def test_a_gang_is_turned_away_and_nobody_else_notices():
    start()
    ns("srv", "ufw allow 22/tcp; ufw allow proto tcp to any port 25,587,143,993,110; ufw --force enable")
    assert guess_imap("good", "192.0.2.50", ALICE, USERS[ALICE])
    assert guess_pop("good", "2001:db8:600d::50", BOB, USERS[BOB])
    assert not guess_smtp("good", "192.0.2.50", ALICE, "mistyped", 587)
    assert guess_smtp("good", "192.0.2.50", ALICE, USERS[ALICE], 587)
    admin = connect("admin", 22).socket
    opened = Smtp("atk", GANG[0], 25)
    tries = [(guess_smtp, source, f"nobody{number}@example.net") for number in range(2) for source in GANG]
    tries += [(guess_imap, GANG[0], ALICE), (guess_imap, GANG[1], "root"), (guess_pop, GANG[2], "admin")]
    with ThreadPoolExecutor(len(tries)) as pool:
        assert not any(pool.map(lambda one: one[0]("atk", one[1], one[2], "123456"), tries))
    # Dovecot tells of a failure when the connection ends, and waits before it does
    until(lambda: sum(a["attempts"] for a in told("scan")["attackers"] if a["client"] in GANG) >= len(tries), what="all guesses are in the log")
    found = told("scan")
    assert found["clients"] == 4, "the gang, and the customer who mistyped"
    assert [v["target"] for v in found["verdicts"]] == ["203.0.113.0/24"]
    gang = sum(a["attempts"] for a in found["attackers"] if a["client"].startswith("203.0.113."))
    assert gang == len(tries), "one guess is one attempt, however many lines it left"
    assert found["breaches"] == []
    monzen("scan", "--apply", "--yes")
    assert "203.0.113.0/24" in ns("srv", "ufw status").stdout or told("list")["denied"][0]["until"]
    doors = [("atk", port, source) for port in (25, 587, 143, 110, 22) for source in (*GANG, "203.0.113.200")]
    assert set(probes(doors)) == {"silence"}
    opened.sock.settimeout(1)
    opened.sock.send(b"EHLO again\r\n")
    try:
        assert not opened.sock.recv(10)
        raise AssertionError("its open connection was answered")
    except TimeoutError:
        pass
    assert "203.0.113" not in ns("srv", "ss -Htn").stdout
    assert guess_imap("good", "192.0.2.50", ALICE, USERS[ALICE])
    assert guess_smtp("good", "192.0.2.50", ALICE, USERS[ALICE], 587)
    assert guess_pop("good", "2001:db8:600d::50", BOB, USERS[BOB])
    admin.settimeout(5)
    assert admin.recv(64).startswith(b"SSH-2.0")
    admin.send(b"SSH-2.0-lab\r\n")
    assert admin.recv(64)
    assert probes([("admin", 22), ("atk", 25, "198.51.100.200")]) == ["open", "open"]
    why = monzen("why", "203.0.113.83")
    assert "203.0.113.0/24 IS DENIED" in why
    assert "SASL" in why
    monzen("check", status=0)
    with inside("srv"):
        assert os.path.exists("/var/lib/monzen/ledger.db")
