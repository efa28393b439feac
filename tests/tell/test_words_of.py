"""What is sent: headers that nobody breaks, bodies that say it all, JSON that is not translated; and what a child may answer."""

import datetime as dt
import email
import email.policy
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.addressees import Tell, tell_value
from monzen.config import ConfigError, config
from monzen.ledger import Knocked, Ledger, Order
from monzen.show.alarms import ALARMS
from monzen.show.text import iso
from monzen.show.words import speak
from monzen.tell.digest import as_values as as_values_of
from monzen.tell.digest import gather, subject, text
from monzen.tell.hook import check_program
from monzen.tell.mail import Attachment, compose
from monzen.tell.message import Message, Row, TellError, as_data, as_values, body
from monzen.tell.message import subject as headline
from monzen.tell.topics import TOPICS, topic_of
from monzen.tell.users import Users, read_answer

NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[2]
ROOTS = os.lstat("/usr")
ANYTHING = st.text() | st.text(alphabet="\r\n\0\x1b\x85\u2028\u202e\ud800 :=?日a")


@pytest.fixture(autouse=True)
def _english():
    speak("en")
    yield
    speak()


def parsed(mail):
    return email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)


def message(*texts, topic="account"):
    return Message(topic, tuple(Row(str(n), NOW, "breach", text, n) for n, text in enumerate(texts)), NOW, "mail.example.net")


@given(ANYTHING, ANYTHING)
def test_no_text_breaks_a_header(title, words):
    mail = compose("admin@example.net", title, body(message(words), dt.UTC), host="mail.example.net", now=NOW)
    raw = mail.as_bytes()
    head = raw.partition(b"\n\n")[0]
    assert b"\r" not in head
    assert max(map(len, raw.split(b"\n"))) < 998
    names = re.findall(rb"^([^\s:]+):", head, re.MULTILINE)
    assert sorted(names) == sorted({*names})
    assert {n.lower() for n in names} == {
        b"from", b"to", b"subject", b"date", b"message-id", b"auto-submitted", b"precedence", b"content-type",
        b"content-transfer-encoding", b"mime-version",
    }  # fmt: skip
    assert parsed(mail)["Auto-Submitted"] == "auto-generated"
    assert "No more than one mail an hour" in parsed(mail).get_content()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_its_words(topic, language):
    speak(language)
    mail = compose("root", headline(message("x", topic=topic)), body(message("x" * 9000, topic=topic), dt.UTC), host="", now=NOW)
    back = parsed(mail)
    assert str(back["Subject"]) == headline(message(topic=topic))
    assert bool(re.search("[ぁ-んァ-ン一-龠]", str(back["Subject"]))) == (language == "ja")
    assert back.get_content_charset() == "utf-8" or language == "en"
    assert back["From"] == "monzen <root>"
    json.dumps(as_values(message("x", topic=topic)))


def test_every_kind_that_is_written_has_a_topic():
    written = set(ALARMS) | {"breach", "leak"}
    for path in (ROOT / "src/monzen").rglob("*.py"):
        written |= set(re.findall(r'\.alarm\("([a-z-]+)"', path.read_text()))
    status = (ROOT / "src/monzen/verbs/troubles.py").read_text()
    written |= set(re.findall(r'yield \(?\s*"([a-z-]+)",', status))
    assert {"mode", "full", "gate", "ledger", "no-gate", "no-run", "silent", "formats", "outage"} <= written
    assert [kind for kind in written if topic_of(kind) == "other"] == []
    told = (ROOT / "docs/telling.md").read_text()
    assert [topic for topic in TOPICS if f"`{topic}`" not in told] == []


def test_what_the_documents_say_of_each_kind_is_so():
    """What is not urgent, and so waits for the digest, is chosen: a kind that is there by mistake would be told to nobody."""
    table = re.search(r"\| `account` .*?\n\n", (ROOT / "docs/telling.md").read_text(), re.DOTALL)[0].strip().splitlines()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    told = {kind: row[0].strip("`") if "`" in row[0] else "" for row in rows for kind in row[-1].split(", ") if kind}
    assert len(told) > 20
    assert {kind: topic_of(kind) for kind in told} == told
    assert sorted(kind for kind, topic in told.items() if not topic) == ["device", "formats", "known-client-fails", "late"]
    assert set(ALARMS) | {"breach"} <= told.keys()


def test_json_is_ascii_bounded_and_not_translated():
    many = message(*["日本\r\n\x1b" * 500] * 500)
    data = as_data(many)
    assert data.isascii()
    assert len(data) < 1 << 17
    speak("ja")
    assert as_data(many) == data
    assert as_values(many)["count"] == 500
    assert len(as_values(many)["alarms"]) == 20


def test_attachments_go_beside_the_text():
    mail = compose("root", "x", "日本\n", host="", now=NOW, attachments=[Attachment("報告.html", "text/html", "<p>é".encode())])
    back = parsed(mail)
    assert back.get_content_type() == "multipart/mixed"
    first, second = back.iter_parts()
    assert first.get_content() == "日本\n"
    assert (second.get_content_type(), second.get_filename(), second.get_content_disposition()) == ("text/html", "報告.html", "attachment")
    assert second.get_payload(decode=True) == "<p>é".encode()


GOOD = {
    "mail": ["", "root", "admin@example.net", "a.b+c@mail.example.net"],
    "language": ["en", "ja"],
    "digest": ["daily", "weekly", "off"],
    "hook": [[], ["/usr/local/bin/x"], ["/x", "a b", ""]],
    "hook_user": ["nobody", "_x"],
    "post": ["", "https://example.net/a?b=c", "http://127.0.0.1:8080/", "http://[2001:db8::1]/x"],
}
BAD = {
    "mail": ["a b", "-f@x", "a@b\nBcc: c", "a,b", "<a@b>", "a@", "@b", ".a@b", 7, ["a"], "a" * 90, '"a b"@example.net', "日@example.net"],
    "language": ["de", "", 1],
    "digest": ["", "hourly", True],
    "hook": ["x", "/x", ["x"], ["./x"], [7], ["/x\0"], ["/x"] * 50],
    "hook_user": ["root", "", "a b", "0", 65534],
    "post": ["ftp://example.net/", "file:///etc/passwd", "example.net", "https://", "https://u:p@example.net/", "https://example.net/a b", "http://example.net:0/", "http://[::1/", "http://日本/", 1],
}


def test_the_table():
    for key, values in GOOD.items():
        for value in values:
            wanted = tuple(value) if isinstance(value, list) else value
            assert getattr(config({"tell": {key: value}}, "m.toml").tell, key) == wanted
    for key, values in BAD.items():
        for value in values:
            with pytest.raises(ConfigError) as error:
                config({"tell": {key: value}}, "m.toml")
            assert str(error.value).startswith(f"m.toml: tell.{key} cannot be ")
    with pytest.raises(ConfigError, match=r"there is no key mial in \[tell\]. The nearest is mail"):
        config({"tell": {"mial": ""}}, "m.toml")
    assert Tell().ways == ()
    assert Tell(mail="root", post="https://example.net/").ways == ("mail", "post")


@given(st.sampled_from(list(GOOD)), st.recursive(st.none() | st.booleans() | st.integers() | ANYTHING, lambda inner: st.lists(inner, max_size=3)))
def test_any_value_is_taken_or_refused(key, value):
    try:
        found = tell_value(key, value)
    except ValueError:
        return
    assert not isinstance(found, str) or not re.search(r"[\s\0]", found)


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"[1,2,3]", b"[-1,0,0,[]]", b"[true,0,0,[]]", b"[1.5,0,0,[]]", b'[0,0,0,[["x","00000000"]]]', b'[0,0,0,[[1,"zz"]]]', b'[0,0,0,[[1,"00"]]]', b"[" * 9999, b"[99999999999999999,0,0,[]]", b'{"a":1}', b"[0,0,0,{}]", b"[0,0,0,7]"],
)  # fmt: skip
def test_what_a_child_answers_is_counts_or_nothing(data):
    found = read_answer(data)
    assert found is None or found == Users(0, 0, 0, ())


def test_a_good_answer():
    rows = [[7, "c0000209"], [2, "20010db800000001"]]
    assert read_answer(json.dumps([5, 2, 1, rows]).encode()) == Users(5, 2, 1, (("192.0.2.9", 7), ("2001:db8:0:1::/64", 2)))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_an_empty_digest_is_a_page(language):
    speak(language)
    found = gather(None, NOW - 86_400, NOW, headline="x", wrong=(), mode="armed", users=None)
    assert 5 < len(text(found, dt.UTC, "mail.example.net").splitlines()) < 15
    assert subject(found, "mail.example.net").startswith("[monzen] mail.example.net: ")


def test_of_each_only_what_there_is(tmp_path):
    with Ledger.open(str(tmp_path / "ledger.db")) as ledger:
        ledger.impose([Order(bytes((203, 0, 113, n)), 32, rule="hand", origin="hand") for n in (7, 8)], NOW - 60)
        ledger.impose([Order(bytes((203, 0, 113)) + b"\0", 24, rule="crowd", origin="run", attempts=9, clients=3)], NOW - 50)
        found = gather(ledger, NOW - 86_400, NOW, headline="x", wrong=(), mode="armed", users=Users(0, 0, 0, ()))
    said = text(found, dt.UTC, "mail.example.net")
    assert "  203.0.113.0/24: 9 attempts\n" in said
    assert "  203.0.113.7: typed by hand\n" in said
    assert "None of your own users logged in." in said
    assert " 0 " not in said.replace("0 ended, 0 packets", "")


DAY = 86_400.0
TOKYO = dt.timezone(dt.timedelta(hours=9))
NINE, TEN, NET = bytes((203, 0, 113, 9)), bytes((198, 51, 100, 10)), bytes((203, 0, 113, 0))


def a_day(path, mode="armed", **more):
    """The digest of a day on which one of each happened, each as often as nothing else; some of it on the day before."""
    with Ledger.open(str(path)) as ledger:
        (old,) = ledger.impose([Order(TEN, 32, until=NOW + DAY, rule="names", origin="run", attempts=500)], NOW - 3 * DAY)
        begun = ledger.impose([Order(bytes((192, 0, 2, n)), 32, until=NOW + DAY, rule="hand", origin="hand") for n in range(3)], NOW - 100)
        over = ledger.impose([Order(bytes((192, 0, 2, n)), 32, until=NOW + DAY, rule="hand", origin="hand") for n in (7, 8)], NOW - 2 * DAY)
        ledger.release([e.number for e in over], NOW - 90)
        ledger.settle([Knocked(old.number, 25, 6, 40, 2400, NOW - 80, TEN), Knocked(begun[0].number, 25, 6, 2, 120, NOW - 80, NINE)], NOW - 70)
        ledger.watched([Order(TEN, 24, until=NOW + DAY, rule="crowd", origin="run", attempts=9)], NOW - 2 * DAY)
        for at in (NOW - 60, NOW - 50):  # the same again is one target
            ledger.watched([Order(NET, 24, until=at + 10, rule="crowd", origin="run", attempts=700, clients=3)], at)
        ledger.alarm("breach", "before", NOW - 2 * DAY)
        for n in range(12):
            ledger.alarm("breach", f"somebody guessed\r\nBcc: {n}\x1b[2J", NOW - n)
        told = {"headline": "x", "wrong": (), "users": Users(0, 0, 0, ()), **more}
        return gather(ledger, NOW - DAY, NOW, mode=mode, **told)


def test_a_digest_counts_what_was_and_of_that_day(tmp_path):
    found = a_day(tmp_path / "ledger.db")
    assert as_values_of(found) | {"largest": [], "alarms": []} == {
        "since": iso(NOW - DAY), "until": iso(NOW), "mode": "armed", "problems": [], "denied": 4, "begun": 3, "ended": 2, "would_deny": 1,
        "packets": 42, "largest": [], "alarms": [], "users": {"logins": 0, "clients": 0, "failing": 0, "failed": []},
    }  # fmt: skip
    said = text(found, dt.UTC, "mail.example.net")
    assert "3 denials began, 2 ended, 42 packets were dropped; 4 targets are turned away now." in said
    assert "700" not in said, "whom nobody denied is told of in watch-only mode"
    assert "and 2 more: monzen gate status" in said
    assert said.count("somebody guessed\\r\\nBcc: ") == 10
    assert not {"\r", "\x1b"} & {*said}
    assert "before" not in said
    assert subject(found, "mail") == "[monzen] mail: 3 denials began, 12 alarms, all is well"


def test_a_digest_says_whom_watch_only_would_have_denied(tmp_path):
    found = a_day(tmp_path / "ledger.db", "watch")
    said = text(found, dt.UTC, "mail.example.net")
    assert "Watch-only: 1 would have been denied." in said
    assert "  203.0.113.0/24: 700 attempts\n" in said
    assert "  monzen why 203.0.113.0/24 " in said
    assert subject(found, "mail").startswith("[monzen] mail: 1 would have been denied, ")
    assert as_values_of(found)["largest"][0]["target"] == "203.0.113.0/24"


@pytest.mark.parametrize(("language", "well", "wrong"), [("en", "all is well", "something is wrong"), ("ja", "異常なし", "問題があります")])
def test_a_digest_says_what_is_wrong(tmp_path, language, well, wrong):
    speak(language)
    good = a_day(tmp_path / "good.db")
    bad = a_day(tmp_path / "bad.db", wrong=("the gate does not work\x1b[2J",))
    assert well in subject(good, "mail")
    assert wrong in subject(bad, "mail")
    assert subject(good, "mail") != subject(bad, "mail")
    assert "  ! the gate does not work\\x1b[2J\n" in text(bad, dt.UTC, "mail")
    assert "  monzen status " in text(bad, dt.UTC, "mail")
    assert "!" not in text(good, dt.UTC, "mail")


def test_times_are_those_of_the_zone(tmp_path):
    """NOW is 08:00 UTC: who reads in Tokyo reads 17:00, in the mail of an alarm as in a digest."""
    assert "  2027-01-15 17:00  x\n" in body(message("x"), TOKYO)
    said = text(a_day(tmp_path / "ledger.db"), TOKYO, "mail")
    assert "mail, from 2027-01-14 17:00 to 2027-01-15 17:00\n" in said
    assert "  2027-01-15 17:00  somebody" in said


def test_a_mail_says_how_many_it_does_not_show():
    said = body(message(*map(str, range(23))), dt.UTC)
    assert "and 3 more: monzen gate status" in said
    assert "more:" not in body(message(*map(str, range(20))), dt.UTC)


def test_a_program_that_a_group_may_write_is_refused(tmp_path, monkeypatch):
    """As every folder above it, and a link of somebody else's; here all that is not ours is root's."""
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: real(path) if str(path).startswith(str(tmp_path)) else ROOTS)
    program = tmp_path / "bin" / "hook"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    link = tmp_path / "link"
    link.symlink_to(program)
    owner = tmp_path.stat().st_uid
    for path in (tmp_path, program.parent, program):
        path.chmod(0o755)
    if owner != 0:
        with pytest.raises(TellError, match="can be written by others than root"):
            check_program(str(program))
        return
    check_program(str(program))
    check_program(str(link))
    for path in (tmp_path, program.parent, program):
        for mode in (0o775, 0o757):
            path.chmod(mode)
            for named in (program, link):
                with pytest.raises(TellError, match=f"{path} can be written by others than root"):
                    check_program(str(named))
        path.chmod(0o755)
    for path in (program.parent, program, link):
        os.chown(path, 65534, 0, follow_symlinks=False)
        with pytest.raises(TellError, match=f"{path} can be written by others than root"):
            check_program(str(link))
        os.chown(path, 0, 0, follow_symlinks=False)


def test_programs_of_others_are_refused(tmp_path):
    """Below a folder of everybody's nothing is root's alone, whoever owns the file."""
    program = tmp_path / "hook"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(TellError, match="can be written by others than root"):
        check_program(str(program))
    for path, why in (("/no/such/program", "No such file"), ("/usr", "it is no program"), ("/dev/null", "others|no program")):
        with pytest.raises(TellError, match=why):
            check_program(path)
    check_program("/usr/bin/env" if not os.path.islink("/usr/bin/env") else os.path.realpath("/usr/bin/env"))
