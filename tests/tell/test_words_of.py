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
from monzen.ledger import Ledger, Order
from monzen.show.alarms import ALARMS
from monzen.show.words import speak
from monzen.tell.digest import gather, subject, text
from monzen.tell.hook import check_program
from monzen.tell.mail import Attachment, compose
from monzen.tell.message import Message, Row, TellError, as_data, as_values, body
from monzen.tell.message import subject as headline
from monzen.tell.topics import TOPICS, topic_of
from monzen.tell.users import Users, read_answer

NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[2]
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
