"""A message that rsyslog wrote and journald kept is one; two messages are two, however alike."""

import json
import marshal
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.guard.copies import MOST, WINDOW, Copies, digest
from monzen.types import Event
from tests.guard.stories import STORIES, events, read
from tests.parse.lines import EXAMPLES

AT = 1_790_000_000.0


def as_file(program, pid, message, at=AT, form="traditional"):
    """The line of rsyslog's file: control characters as #ooo, and cut where syslog cuts."""
    words = b"".join(b"#%03o" % b if b < 32 or b == 127 else bytes([b]) for b in message)
    stamp = b"Sep 21 14:13:20" if form == "traditional" else b"2026-09-21T14:13:20.000000+00:00"
    return stamp + b" mail " + program + b"[%d]: " % pid + words[:8000] + b"\n"


def as_journal(program, pid, message, at=AT):
    """The line of `journalctl -o json` with the fields that are read."""
    text_ = message.decode("utf-8", "strict") if _is_text(message) else list(message)
    entry = {
        "__CURSOR": "s=1", "__REALTIME_TIMESTAMP": str(int(at * 1e6)), "_HOSTNAME": "mail", "SYSLOG_IDENTIFIER": program.decode(),
        "SYSLOG_PID": str(pid), "_PID": str(pid), "_COMM": program.decode().rpartition("/")[2], "_UID": "0", "_EXE": "/usr/sbin/daemon", "_TRANSPORT": "syslog", "MESSAGE": text_,
    }  # fmt: skip
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _is_text(message):
    try:
        return message.decode("utf-8").isprintable() or b"\t" in message
    except UnicodeDecodeError:
        return False


def sasl(user=b"office", client=b"203.0.113.7"):
    return b"warning: unknown[" + client + b"]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=" + user


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60).filter(lambda b: b"\n" not in b and b"\0" not in b), st.sampled_from(["traditional", "iso"]))
def test_hostile_bytes_are_the_same_in_both(user, form):
    message = sasl(user)
    one = read(as_file(b"postfix/smtpd", 9, message, form=form), AT + 86400)
    two = read(as_journal(b"postfix/smtpd", 9, message), AT + 86400)
    if not one or not two:
        return
    copies = Copies()
    assert copies.news(one[0], 0)
    assert not copies.news(two[0], 1), (one[0], two[0])


EXAMPLE_LINES = [(p, message) for p, message in ((said.partition(": ")[0], said.partition(": ")[2]) for *_, said, _keys in EXAMPLES) if p.endswith("]") and p.count("[") == 1]


@pytest.mark.parametrize(("program", "message"), EXAMPLE_LINES[::3])
def test_every_format_is_the_same_in_both(program, message):
    name, _, pid = program[:-1].partition("[")
    if not pid.isdigit():
        pytest.skip("journald has no such pid")
    one = read(as_file(name.encode(), int(pid), message.encode("utf-8", "surrogateescape")), AT + 86400)
    two = read(as_journal(name.encode(), int(pid), message.encode("utf-8", "surrogateescape")), AT + 86400)
    assert [e.fact._replace(detail=None) for e in one] == [e.fact._replace(detail=None) for e in two]
    assert [digest(e) for e in one] == [digest(e) for e in two]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=60), st.randoms())
def test_of_several_streams_that_all_have_a_message_the_most_count(rows, rng):
    """Each message counts as often as in that stream which has it most often; in whatever order they come; also over restarts."""
    made = [(read(as_file(b"postfix/smtpd", 9, sasl(b"u%d" % which)), AT + 86400)[0], stream) for which, stream in rows]
    copies, count = Copies(), 0
    for event, stream in made:
        count += copies.news(event, stream) is not None
        if rng.random() < 0.3:
            copies = Copies.restore(marshal.loads(marshal.dumps(copies.save(), 4)))
    most = {which: max(rows.count((which, s)) for s in range(3)) for which, _ in rows}
    assert count == sum(most.values())
    assert copies.dropped == len(rows) - count


@pytest.mark.parametrize("name", [s for s in STORIES if s.startswith(("examples", "real"))])
def test_a_whole_log_that_comes_twice_counts_once(name):
    rng = random.Random(1)
    both = sorted([(e.time, n, e, 0) for n, e in enumerate(events(name))] + [(e.time, n + rng.randrange(5), e, 1) for n, e in enumerate(events(name))], key=lambda r: r[:2])
    copies = Copies()
    kept = [e for _, _, e, stream in both if copies.news(e, stream)]
    assert len(kept) == len(events(name))


@pytest.mark.parametrize("user", [b"office", b"x" * 2000, b"\x01\xc3\xa9" * 400])
def test_a_wrapper_of_repeated_messages_counts_what_the_journal_said_singly(user):
    message = sasl(user)
    line = as_file(b"postfix/smtpd", 9, b"message repeated 3 times: [ " + message + b"]")
    wrapped = read(as_file(b"postfix/smtpd", 9, message) + line, AT + 86400)
    single = read(as_journal(b"postfix/smtpd", 9, message) * 4, AT + 86400)
    assert sum(e.attempts for e in wrapped) == sum(e.attempts for e in single) == 4
    for order in ([(e, 0) for e in wrapped] + [(e, 1) for e in single], [(e, 1) for e in single] + [(e, 0) for e in wrapped]):
        copies = Copies()
        assert sum(new.attempts for e, stream in order if (new := copies.news(e, stream)) is not None) == 4
    for upto in range(5):  # the journal is cut short: what of the wrapper goes beyond it counts
        copies = Copies()
        order = [(e, 1) for e in single[:upto]] + [(e, 0) for e in wrapped]
        assert sum(new.attempts for e, stream in order if (new := copies.news(e, stream)) is not None) == 4


def orders(file, journal):
    """Streams 0 and 1 in any order that keeps each by itself."""
    yield [(e, 0) for e in file] + [(e, 1) for e in journal]
    yield [(e, 1) for e in journal] + [(e, 0) for e in file]
    for seed in range(5):
        rng, left = random.Random(seed), [[(e, 0) for e in file], [(e, 1) for e in journal]]
        mixed = []
        while any(left):
            mixed.append(rng.choice([rows for rows in left if rows]).pop(0))
        yield mixed


def counted(order, copies=None):
    """Attempts that are new; between any two, it may be saved and restored."""
    copies, total = copies or Copies(), 0
    for event, stream in order:
        new = copies.news(event, stream)
        total += new.attempts if new is not None else 0
        copies = Copies.restore(marshal.loads(marshal.dumps(copies.save(), 4)))
    return total


@pytest.mark.parametrize("form", ["traditional", "iso"])
@pytest.mark.parametrize("says", [b"last message repeated 3 times", b"postfix/smtpd[9]: last message repeated 3 times"])
def test_the_last_message_repeated_counts_what_the_journal_said_singly(says, form):
    """syslogd's own words (sysklogd, BSD), which name neither the message nor, often, the program."""
    message, other = sasl(), sasl(b"other", b"203.0.113.8")
    said = as_file(b"postfix/smtpd", 9, message, form=form)
    repeated = said.partition(b" mail ")[0] + b" mail " + says + b"\n"
    file = read(as_file(b"postfix/smtpd", 7, other, form=form) + said + repeated + as_file(b"postfix/smtpd", 9, other, form=form), AT + 86400)
    journal = read(b"".join(as_journal(b"postfix/smtpd", *m) for m in [(7, other), *[(9, message)] * 4, (9, other)]), AT + 86400)
    assert [e.attempts for e in file] == [1, 1, 3, 1]
    assert sum(e.attempts for e in journal) == 6
    for order in orders(file, journal):
        assert counted(order) == 6
    for upto in range(1, 6):  # the journal is cut short: what the file has beyond it counts
        for order in orders(file, journal[:upto]):
            assert counted(order) == 6
    assert counted([(e, 0) for e in file] + [(e, 1) for e in file]) == 6, "and two files of syslogd"


def test_what_a_client_calls_itself_repeats_nothing():
    """`last message repeated` in a name, also at the end of the line, is a name."""
    (before,) = read(as_file(b"postfix/smtpd", 9, sasl()), AT + 86400)
    for name in (b"last message repeated 99 times", b" last message repeated 99 times", b"x]: last message repeated 99 times"):
        for event in read(as_file(b"postfix/smtpd", 9, sasl(name)), AT + 86400):
            copies = Copies()
            assert copies.news(before, 0)
            assert copies.news(event, 0) == event
            assert [c & 1023 for c in copies.new.values()] == [1, 1]
            assert copies.news(event, 1) is None


def test_a_state_of_before_is_restored():
    copies = Copies()
    (event,) = read(as_file(b"postfix/smtpd", 9, sasl()), AT + 86400)
    copies.news(event, 0)
    again = Copies.restore(copies.save()[:4])
    assert again.news(event, 1) is None


def test_another_process_name_or_word_is_another_message():
    lines = [
        as_file(b"postfix/smtpd", 9, sasl()), as_file(b"postfix/smtpd", 10, sasl()), as_file(b"postfix/smtps/smtpd", 9, sasl()),
        as_file(b"postfix/smtpd", 9, sasl(b"other")), as_file(b"postfix/smtpd", 9, sasl(client=b"203.0.113.8")),
    ]  # fmt: skip
    copies = Copies()
    assert all(copies.news(read(line, AT + 86400)[0], stream) for stream, line in enumerate(lines))


def test_the_second_copy_may_come_within_an_hour_and_memory_is_bounded():
    (event,) = read(as_file(b"postfix/smtpd", 9, sasl()), AT + 86400)
    copies = Copies()
    assert copies.news(event, 0)
    assert not copies.news(event._replace(time=event.time + WINDOW - 1), 1)
    copies = Copies()
    assert copies.news(event, 0)
    for number in range(3):
        copies.news(read(as_file(b"postfix/smtpd", 9, sasl(b"n%d" % number)), AT + 86400)[0]._replace(time=event.time + (number + 1) * WINDOW * 1.5), 0)
    assert copies.news(event._replace(time=event.time + 5 * WINDOW), 1)
    copies = Copies()
    for number in range(3 * MOST):
        copies.news(Event(event.time, event.fact, 1, event.line + b"%d" % number, event.head), 0)
    assert len(copies.new) + len(copies.old) <= 2 * MOST


def test_what_is_remembered_is_turned_over_and_a_copy_of_a_moment_ago_is_one_still():
    """Each hour the older half goes: what came just before that is not forgotten with it, nor how many there were."""
    (event,) = read(as_file(b"postfix/smtpd", 9, sasl()), AT + 86400)
    (other,) = read(as_file(b"postfix/smtpd", 9, sasl(b"other")), AT + 86400)
    copies = Copies()
    assert copies.news(other, 0)
    for _ in range(2):
        assert copies.news(event._replace(time=event.time + WINDOW - 5), 0)
    assert copies.news(other._replace(time=event.time + WINDOW + 1), 0)
    assert copies.old
    found = [copies.news(event._replace(time=event.time + WINDOW + 2), 1) for _ in range(3)]
    assert [new is None for new in found] == [True, True, False], "the third is none of the two"


def test_very_many_of_the_same_all_count():
    (event,) = read(as_file(b"postfix/smtpd", 9, sasl()), AT + 86400)
    copies = Copies()
    assert sum(copies.news(event, 0) is not None for _ in range(3000)) == 3000


