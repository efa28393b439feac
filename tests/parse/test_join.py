"""One guess is one attempt, however many lines it left (FACTS table A)."""

import pytest

from monzen.parse.address import text
from monzen.parse.clock import Clock
from monzen.parse.join import Joiner
from monzen.parse.memory import SESSIONS
from monzen.parse.reader import Reader
from monzen.types import Kind, Weight

NOW = 1_795_000_000.0
A, B = "192.0.2.7", "192.0.2.8"


def log(*lines):
    """`SS text` lines of one minute (or `MM:SS text`) as a log."""
    out = []
    for line in lines:
        at, _, rest = line.partition(" ")
        out.append(f"Sep  4 16:{at if ':' in at else '10:' + at} mail {rest}\n")
    return "".join(out).encode()


def joined(*lines):
    joiner = Joiner()
    return joiner.join(Reader(Clock(NOW)).read(log(*lines))) + joiner.wait_until(float("inf"))


def count(*lines, client=None, weight=Weight.STRONG):
    """Attempts of a weight (of a client, if one is given)."""
    return sum(
        e.attempts
        for e in joined(*lines)
        if e.fact.weight == weight and e.fact.kind in (Kind.AUTH_FAILURE, Kind.AUTH_DETAIL, Kind.LOST, Kind.PROTOCOL_ABUSE, Kind.LIMITED, Kind.DISCONNECT)
        and client in (None, text(e.fact.client))
    )


def sasl(at, mechanism="LOGIN", client=A, pid=7, name="", reason="authentication failure"):
    return f"{at} postfix/smtpd[{pid}]: warning: unknown[{client}]: SASL {mechanism} authentication failed: {reason}" + (f", sasl_username={name}" if name else "")


def ends(at, auth="0/1", client=A, pid=7, program="postfix/smtpd"):
    return f"{at} {program}[{pid}]: disconnect from unknown[{client}] ehlo=1 auth={auth} quit=1 commands=2/3"


def lost(at, client=A, pid=7, after="AUTH"):
    return f"{at} postfix/smtpd[{pid}]: lost connection after {after} from unknown[{client}]"


def detail(at, name="office", client=A, session="", driver="passwd-file", said="unknown user"):
    return f"{at} dovecot: auth: {driver}({name},{client}{',<' + session + '>' if session else ''}): {said}"


def login_failed(at, attempts=1, name="office", client=A, session="s1", secs=2, service="imap"):
    tail = f", session=<{session}>" if session else ""
    return f"{at} dovecot: {service}-login: Disconnected (auth failed, {attempts} attempts in {secs} secs): user=<{name}>, method=PLAIN, rip={client}, lip=192.0.2.1, TLS{tail}"


def login(at, name="office", client=A, session="s1"):
    return f"{at} dovecot: imap-login: Login: user=<{name}>, method=PLAIN, rip={client}, lip=192.0.2.1, mpid=9, TLS, session=<{session}>"


def failed(at, name="invalid user admin", client=A, pid=9, port=40000):
    return f"{at} sshd[{pid}]: Failed password for {name} from {client} port {port} ssh2"


def invalid(at, name="admin", client=A, pid=9, port=40000):
    return f"{at} sshd[{pid}]: Invalid user {name} from {client} port {port}"


def pam(at, client=A, pid=9, user=""):
    return f"{at} sshd[{pid}]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={client}{'  user=' + user if user else ''}"


# ---- Postfix


def test_plain_then_login_is_one_typo():
    assert count(sasl("01", "PLAIN"), sasl("02", "LOGIN"), ends("03", "0/2")) == 1
    assert count(sasl("01", "PLAIN", name="a"), sasl("02", "LOGIN", name="a")) == 1


def test_what_is_no_typo():
    assert count(sasl("01", "PLAIN"), sasl("09", "LOGIN")) == 2  # too late
    assert count(sasl("01", "LOGIN"), sasl("02", "LOGIN")) == 2  # the same mechanism
    assert count(sasl("01", "PLAIN", name="a"), sasl("02", "LOGIN", name="b")) == 2  # another name
    assert count(sasl("01", "PLAIN", pid=7), sasl("02", "LOGIN", pid=8)) == 2  # another session
    assert count(*[sasl(f"0{i}", "PLAIN" if i % 2 else "LOGIN") for i in range(6)]) == 3  # pairs, not one chain


def test_a_summary_repeats_what_was_said():
    assert count(*[sasl(f"{i:02}") for i in range(0, 60, 3)], ends("59", "0/20")) == 20


def test_submission_with_nothing_but_the_end():
    assert count(ends("05", "0/2", program="postfix/submission/smtpd")) == 2
    assert count(ends("05", "0/2", pid=1), ends("06", "0/3", pid=2)) == 5


def test_lost_after_auth():
    assert count(lost("03"), ends("03", "0/1")) == 1
    assert count(lost("03"), ends("03", "0/1"), weight=Weight.WEAK) == 0
    assert count(lost("03"), weight=Weight.WEAK) == 1
    assert count(sasl("01"), lost("03"), ends("03", "0/1")) == 1
    assert count(sasl("01"), lost("03"), ends("03", "0/1"), weight=Weight.WEAK) == 0
    assert count(lost("03", after="CONNECT"), lost("03", after="EHLO"), lost("03", after="STARTTLS"), weight=Weight.WEAK) == 0


def test_a_mechanism_we_have_not_is_no_attempt():
    """Outlook negotiates NTLM, then LOGIN, and gets in: `auth=1/2` holds no guess."""
    events = joined(
        sasl("01", "NTLM", reason="Invalid authentication mechanism"),
        f"02 postfix/smtpd[7]: 4A7B11C2: client=unknown[{A}], sasl_method=LOGIN, sasl_username=office",
        ends("05", "1/2"),
    )
    assert sum(e.attempts for e in events if e.fact.weight) == 0
    assert [e for e in events if e.fact.detail is not None and e.fact.kind == Kind.AUTH_FAILURE and e.fact.weight] == []


def test_failures_among_successes_are_said_and_not_counted_twice():
    events = joined(sasl("01"), sasl("05"), ends("09", "1/3"))
    assert sum(e.attempts for e in events if e.fact.weight) == 2
    assert len(events) == 3  # the end tells of the good login


def test_our_own_outage_is_nobodys_offence():
    assert count(sasl("01", reason="Connection lost to authentication server"), ends("02", "0/1")) == 0


def test_sessions_do_not_mix():
    lines = [sasl("01", pid=7), sasl("01", pid=8, client=B), ends("02", "0/1", pid=8, client=B), sasl("04", pid=7), ends("05", "0/2", pid=7)]
    assert (count(*lines, client=A), count(*lines, client=B)) == (2, 1)


def test_a_process_serves_one_client_after_another():
    assert count(sasl("01"), ends("02", "0/1"), ends("04", "0/1")) == 2  # the second session showed nothing
    lines = [sasl("01"), ends("04", "0/1", client=B)]  # the end of A's session is missing
    assert (count(*lines, client=A), count(*lines, client=B)) == (1, 1)
    assert count(sasl("10:01"), ends("50:00", "0/1")) == 2  # 40 minutes later it is another session


# ---- Dovecot


@pytest.mark.parametrize("session", ["s1", ""])
def test_auth_and_login_lines_are_one(session):
    assert count(detail("01", session=session), login_failed("03", session="s1")) == 1
    assert count(*[detail(f"0{i}", session=session, name=f"n{i}") for i in (1, 3, 5)], login_failed("07", attempts=3, secs=6)) == 3


def test_details_alone_count():
    """The session goes on for long: the guesses count before the login process says so, and only once."""
    guesses = [detail(f"{i:02}", session="s1", name=f"n{i}") for i in (1, 15, 30)]
    assert count(*guesses) == 3
    assert count(*guesses, login_failed("45", attempts=3, secs=44)) == 3
    assert count(*guesses, login_failed("45", attempts=5, secs=44)) == 5


def test_the_name_has_an_account_or_not():
    for said, account in (("unknown user", False), ("Password mismatch", True)):
        (event,) = joined(detail("01", session="s1", said=said), login_failed("03"))
        assert (event.fact.user, event.fact.account, event.attempts) == (b"office", account, 1)


def test_two_databases_then_success():
    assert count(detail("01", session="s1", driver="sql"), login("01", session="s1")) == 0
    assert count(detail("01", session="s1", driver="sql"), detail("01", session="s1", driver="passwd-file"), login_failed("03")) == 1
    assert count(detail("01", driver="pam", said="unknown user"), detail("02", driver="passwd-file")) == 1


def test_two_databases_speak_of_one_name():
    lines = [detail("01", session="s1", name="a", driver="sql"), detail("02", session="s1", name="b", driver="passwd-file")]
    assert count(*lines) == 2
    assert count(*lines, login_failed("04", attempts=2)) == 2


def test_a_login_takes_back_its_own_session_only():
    assert count(detail("01", session="s1", driver="sql"), detail("01", session="s2", driver="sql"), login("01", session="s1")) == 1
    assert count(detail("01", session="s1", name="other", driver="sql"), login("02", session="s1")) == 1


def test_auth_worker_and_pam_speak_of_one_guess():
    assert count(
        f"01 dovecot: auth-worker(12): pam(office,{A},<s1>): pam_authenticate() failed: Authentication failure (Password mismatch?)",
        f"01 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=office rhost={A}  user=office",
        login_failed("03"),
    ) == 1


def test_dovecot_and_postfix_speak_of_one_guess():
    assert count(detail("01"), sasl("03", "PLAIN")) == 1
    (event,) = joined(detail("01"), sasl("03", "PLAIN"))
    assert (event.fact.user, event.fact.account) == (b"office", False)
    assert count(detail("01", name="a"), sasl("03", "PLAIN", name="b")) == 2


def test_postfix_only_learns_after_the_detail_was_counted():
    assert count(detail("01"), sasl("20", "PLAIN")) == 1
    assert count(detail("00:01"), sasl("30:01", "PLAIN")) == 2


def test_details_of_another_client_do_not_settle():
    lines = [detail("01", client=B), sasl("03", "PLAIN")]
    assert (count(*lines, client=A), count(*lines, client=B)) == (1, 1)


# ---- sshd


def test_three_witnesses_of_one_guess():
    assert count(invalid("01"), pam("01"), failed("03")) == 1
    assert count(pam("01"), invalid("01"), failed("03")) == 1
    assert [e.attempts for e in joined(pam("01"), invalid("01"), failed("03"))] == [1]
    assert count(invalid("01"), pam("01"), failed("03"), pam("04"), failed("06")) == 2


def test_repeated_and_more():
    repeated = f"06 sshd[9]: message repeated 2 times: [ Failed password for root from {A} port 40000 ssh2]"
    assert count(failed("01", "root"), repeated) == 3
    more = f"07 sshd[9]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={A}  user=root"
    assert count(pam("01", user="root"), failed("01", "root"), repeated, more) == 3
    assert count(pam("01", user="root"), more) == 3


def test_too_many_attempts_repeat_what_was_said():
    most = f"09 sshd[9]: error: maximum authentication attempts exceeded for root from {A} port 40000 ssh2 [preauth]"
    assert count(*[failed(f"0{i}", "root") for i in range(1, 7)], most) == 6
    assert count(most) == 1


def test_penalties_repeat_what_was_said():
    penalty = f"20 sshd[1]: drop connection #0 from [{A}]:40002 on [192.0.2.1]:22 penalty: failed authentication"
    assert count(failed("01"), penalty) == 1
    assert sum(e.attempts for e in joined(penalty) if e.fact.weight) == 1


def test_pids_come_again():
    assert count(failed("01"), failed("02", client=B), client=A) == 1
    assert count(failed("01"), failed("02", client=B), client=B) == 1
    assert count(failed("10:01"), failed("50:01")) == 2
    accepted = f"02 sshd[9]: Accepted password for root from {A} port 40000 ssh2"
    assert count(failed("01", "root"), accepted, failed("03", "root")) == 2


def test_processes_do_not_mix():
    lines = [x for i in range(5) for x in (invalid(f"{i:02}", pid=100 + i), pam(f"{i:02}", pid=100 + i), failed(f"{i + 2:02}", pid=100 + i))]
    assert count(*lines) == 5
    assert count(*sorted(lines)) == 5


# ---- laws


MIXED = [
    sasl("01", "PLAIN"), sasl("02"), detail("03", client=B), login_failed("05", client=B), invalid("06"), pam("06"), failed("08"),
    lost("09", pid=3), ends("09", pid=3), detail("10", session="x"), ends("30", "0/2"), detail("40"), sasl("42", pid=5),
]


def test_it_does_not_matter_how_the_events_come():
    events = Reader(Clock(NOW)).read(log(*MIXED))
    whole = joined(*MIXED)
    for cut in range(len(events) + 1):
        joiner = Joiner()
        assert joiner.join(events[:cut]) + joiner.join(events[cut:]) + joiner.wait_until(float("inf")) == whole


def test_nothing_is_held_longer_than_its_time():
    joiner = Joiner()
    (held,) = Reader(Clock(NOW)).read(log(detail("01")))
    assert joiner.join([held]) == []
    assert joiner.wait_until(held.time + 5) == []
    assert [e.line for e in joiner.wait_until(held.time + 7)] == [held.line]
    assert joiner.wait_until(float("inf")) == []


def test_what_is_remembered_is_bounded():
    joiner, reader = Joiner(), Reader(Clock(NOW))
    for i in range(2 * SESSIONS + SESSIONS // 2):
        address, stamp = f"198.18.{i >> 8 & 255}.{i & 255}", f"{i // 600 % 60:02}:{i // 10 % 60:02}"
        joiner.join(reader.read(log(sasl(stamp, client=address, pid=i), detail(stamp, client=address, session=f"s{i}"), failed(stamp, client=address, pid=i))))
        assert max(len(joiner.smtp), len(joiner.sshd.sessions), len(joiner.details), len(joiner.counted), len(joiner.sshd.shown)) <= SESSIONS
