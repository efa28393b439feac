"""What is hidden: names of users unless they are asked for, wherever they stand; passwords always."""

import datetime as dt
import json

import pytest

from monzen.judge import Judge
from monzen.scan import Options, scan_sets
from monzen.show.chronicle import Chronicle
from monzen.show.facts import gather
from monzen.show.html.page import report
from monzen.show.text import masked
from monzen.sources import plan
from tests.show.test_facts import END, ZONE, login
from tests.test_looking import failed, lines
from tests.test_why import monzen

USER, GUESSED, LENT = "ulrike.user", "gert.guessed", "lena.lent"
WHO = (USER, GUESSED, LENT)


@pytest.fixture
def log(tmp_path):
    """A user who mistypes, one whose password is guessed, and one whose account logs in before its client begins to guess."""
    own = [(n * 40, failed(USER, "192.0.2.9", n)) for n in range(3)]
    own += [(160, login(USER, "192.0.2.9", 1)), (170, login(GUESSED, "192.0.2.10", 2))]
    guesses = [(400 + 20 * n, failed(f"n{n}" if n % 2 else GUESSED, "203.0.113.9", n)) for n in range(30)]
    inside = [(1100, login(GUESSED, "203.0.113.9", 4))]
    lent = [(20_000, login(LENT, "198.51.100.9", 5)), *((20_100 + 20 * n, failed(f"m{n}", "198.51.100.9", n)) for n in range(30))]
    path = tmp_path / "mail.log"
    path.write_text(lines(*own, *guesses, *inside, *lent))
    return path


def facts(log, *, names):
    judge = Judge()
    chronicle = Chronicle(judge)
    sets, errors = plan([str(log)], now=END)
    return gather(scan_sets(sets, errors, Options(END, ZONE, None, None), judge, watch=chronicle.see), chronicle, names=names)


PLACES = {
    "breaches": lambda f: [b["why"] for b in f["breaches"]],
    "their lines": lambda f: [b["line"] for b in f["breaches"]],
    "evidence": lambda f: [line for t in f["targets"] for line in t["evidence"]],
    "users": lambda f: [row["users"] for row in f["own"]],
    "alarms": lambda f: [a["text"] for a in f["alarms"]],
    "names": lambda f: f["names"]["top"],
}


@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_shown_where_it_was_asked_for_and_else_nowhere(log, place):
    shown, hidden = (json.dumps(PLACES[place](facts(log, names=names))) for names in (True, False))
    assert any(who in shown for who in WHO), "or nothing would be hidden here"
    assert [who for who in WHO if who in hidden] == []


def test_the_page_and_all_verbs_hide_them(log):
    shown, hidden = (report(facts(log, names=names), ZONE) for names in (True, False))
    assert [who for who in WHO if who not in shown] == []
    assert [who for who in WHO if who in hidden] == []
    for verb in (("scan",), ("scan", "--json"), ("report",), ("report", "--json"), ("watch", "--once"), ("why", "203.0.113.9"), ("why", "203.0.113.9", "--json")):
        hidden, shown = (monzen(*verb, *more, str(log), COLUMNS="400").stdout.decode() for more in ((), ("--names",)))
        assert [who for who in WHO if who in hidden] == [], verb
        assert verb == ("report",) or any(who in shown for who in WHO), verb  # its few lines name nobody but who got in


@pytest.mark.parametrize("line", [
    "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, session=<A>",
    "postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x, sasl_username={}",
    "postfix/smtpd[7]: A1B2: client=unknown[203.0.113.7], sasl_method=LOGIN, sasl_username={}, x=y",
    "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 554 5.7.1 <{}@example.org>: Relay access denied; from=<{}@example.net> to=<{}@example.org> proto=ESMTP helo=<x>",
    "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 550 5.1.1 x; from=<{}> to=<{}> proto=ESMTP helo=<x>",
    "sshd[7]: Failed password for {} from 203.0.113.7 port 1 ssh2",
    "sshd[7]: Failed password for invalid user {} from 203.0.113.7 port 1 ssh2",
    "sshd[7]: Invalid user {} from 203.0.113.7 port 1",
    "sshd[7]: Connection closed by authenticating user {} 203.0.113.7 port 1 [preauth]",
    "sshd[7]: User {} from 203.0.113.7 not allowed because not listed in AllowUsers",
    "sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user={}",
    "dovecot: auth: passwd-file({},203.0.113.7,<A>): unknown user",
    "dovecot: auth: pam({},203.0.113.7): pam_authenticate() failed",
    "dovecot: imap({})<7><A>: Logged out",
])  # fmt: skip
def test_a_name_is_hidden_wherever_a_program_writes_it(line):
    """And nothing but the name."""
    said = line.format(*[USER] * line.count("{}")).encode()
    assert USER.encode() not in masked(said)
    assert masked(said, True) == said
    assert b"203.0.113.7" in masked(said) or b"203" not in said
    assert masked(said).count(b"***") == line.count("{}")


SECRET = b"Mitternacht"
SAID = (
    b"dovecot: auth: sql(office,203.0.113.7,<A>): unknown user (given password: %s)",
    b"dovecot: auth: passwd-file(office,203.0.113.7): Password mismatch (given password: %s)",
    b"dovecot: auth: ldap(o@example.org,203.0.113.7,<B>): Password mismatch (for LDAP bind) (SHA1 of given password: %s)",
    b"dovecot: auth(o@example.org,203.0.113.7,sasl:login)<C>: Info: sql: Password mismatch (given password: %s)",
)


@pytest.mark.parametrize("password", [SECRET, b"a)" + SECRET, b"(" + SECRET + b")", SECRET + b") (given password: x", b"a: b, " + SECRET, b"\xff\n" + SECRET])
@pytest.mark.parametrize("said", SAID)
def test_no_password_is_shown(said, password):
    """Nor its hash: also where names are shown, whatever is in it, and where the line was cut inside it."""
    line = said % password
    for end in (b"", b"\n", b"\r\n"):
        for names in (True, False):
            assert SECRET not in masked(line + end, names)
            assert SECRET[:5] not in masked(line[: line.index(SECRET) + 5] + end, names)
            assert b": ***" in masked(line + end, names)
    assert b"203.0.113.7" in masked(line, True)


@pytest.mark.parametrize("verb", [("scan", "--json"), ("report", "--json"), ("report", "--html", "-"), ("why", "203.0.113.7"), ("why", "203.0.113.7", "--json"), ("watch", "--once")], ids=" ".join)
def test_no_verb_shows_a_password(tmp_path, verb):
    """Where Dovecot writes them (auth_verbose_passwords) the lines are the evidence."""
    at = dt.datetime(2026, 9, 4, tzinfo=dt.UTC)
    log = tmp_path / "mail.log"
    said = (SAID[0].replace(b"office", b"name%d" % n) % (SECRET + b")%d" % n) for n in range(12))
    log.write_bytes(b"".join(f"{(at + dt.timedelta(minutes=n)).isoformat()} mail ".encode() + line + b"\n" for n, line in enumerate(said)))
    done = monzen(*verb, "--names", str(log))
    assert b"203.0.113.7" in done.stdout
    assert b"given password: ***" in done.stdout or verb[0] in ("scan", "watch")
    assert SECRET not in done.stdout + done.stderr
