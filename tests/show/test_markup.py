"""Nothing breaks out of the page: each text is one text again when a parser has read it; the policy names all that may run."""

import datetime as dt
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.show.facts import Gate
from monzen.show.html.page import allowed, drawn, part, policy, report
from monzen.show.html.tags import Markup, data, join, tag, text
from monzen.show.words import speak
from tests.browser.hostile import WORDS
from tests.show.test_facts import END, facts

TEXTS = st.text() | st.text(alphabet="<>&\"'`= /\\-!\0\x1b\x85\u2028\u202e\ud800sciptx") | st.sampled_from([*WORDS, "</script >", "<!--<script >", "'", '"'])
UNSEEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class Read(HTMLParser):
    """What a parser makes of it."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.tags, self.said = [], ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said += data

    def handle_comment(self, data):
        self.tags.append(("comment", {"data": data}))

    handle_decl = handle_pi = unknown_decl = handle_comment


def shown(word):
    return UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", word)


@given(TEXTS, TEXTS, TEXTS)
def test_a_text_is_a_text_and_an_attribute_an_attribute(one, two, three):
    made = tag("p", one, tag("b", two, title=three, data_x=one), [three, None])
    found = Read(made)
    assert found.tags == [("p", {}), ("b", {"title": shown(three), "data-x": shown(one)})]
    assert found.said == shown(one) + shown(two) + shown(three)
    assert not UNSEEN.search(made)
    for quote in "\"'":  # also where somebody wrote the attribute himself, in either of both
        assert quote not in text(one + quote + two)


@given(st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6))
def test_data_ends_no_script_and_is_the_same_data(value):
    made = data(value)
    assert not set("<>&\u2028\u2029\x7f\u202e") & set(made)
    assert json.loads(made) == json.loads(json.dumps(value))
    assert [name for name, _attributes in Read(f"<script>{made}</script><i>").tags] == ["script", "i"]


def test_names_come_from_us():
    for wrong in ("p onclick", "1", "P", "p>", "ü"):
        with pytest.raises(ValueError, match=re.escape(wrong)):
            tag(wrong)
        with pytest.raises(ValueError, match=re.escape(wrong)):
            tag("p", **{wrong: "x"})
    assert tag("p", hidden=True, x=None, y=False) == "<p hidden></p>"
    assert join([Markup("<b>"), "<b>", None, ("&",)]) == "<b>&lt;b&gt;&amp;"


def test_the_policy_allows_its_own_two_scripts_and_nothing_else():
    page = report(facts(), dt.UTC)
    (content,) = [about["content"] for _name, about in Read(page).tags if about.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in content.split("; "))
    assert rules == {
        "default-src": "'none'", "script-src": f"{allowed(part('charts.min.js'))} {allowed(part('page.js'))}", "style-src": allowed(part("page.css")),
        "img-src": "data:", "connect-src": "'none'", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert "connect-src 'self'" in policy((), (), "'self'")


def test_a_report_asks_nobody():
    """Nor would it without its policy: nothing in it names a place to fetch from."""
    for name, about in Read(report(facts(), dt.UTC)).tags:
        assert not {"src", "srcset", "action", "formaction", "poster", "background", "ping"} & about.keys(), name
        assert about.get("href", "data:,") == "data:,"


def test_what_the_gate_did_is_told_where_it_did_something():
    """Its packets, not those of the log; its denials, not those that monzen would have made."""
    row = {"number": 1, "target": "198.51.100.0/24", "port": 0, "protocol": 0, "at": END - 60, "until": None, "knocks": 5}
    row |= {"rule": "hand", "origin": "hand", "note": "", "attempts": 0, "clients": 0}
    gate = Gate("armed", [(bytes((198, 51, 100, 0)), 24)], 98_765, [("25/tcp", 98_765)], [row], [], 43_210)
    speak("en")
    try:
        told = {name: report(facts(gate=one), dt.UTC) for name, one in (("gate", gate), ("none", None), ("idle", gate._replace(packets=0, ports=[])))}
    finally:
        speak()
    tiles = {name: dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page)) for name, page in told.items()}
    own = facts()
    assert (tiles["gate"]["packets turned away"], tiles["gate"]["denied now"]) == ("98,765", "43,210")
    assert (tiles["none"]["packets turned away"], tiles["none"]["denied at the end of the log"]) == (f"{own['knocks']:,}", f"{own['lasting']:,}")
    assert tiles["idle"]["packets turned away"] == f"{own['knocks']:,}"
    assert "43,210 targets are turned away now" in told["gate"]
    assert "and 43,209 more" in told["gate"]
    assert "would have been turned away" in told["none"]
    assert "were turned away" in told["gate"]


TOKYO = dt.timezone(dt.timedelta(hours=9), "JST")


def test_times_are_those_of_the_reader():
    """Each of the page and each of the charts, nine hours on; the end of the log is at 23:58 UTC."""
    speak("en")
    try:
        found = facts()
        far, near = drawn(found, TOKYO), drawn(found, dt.UTC)
        pages = [report(found, zone).partition('<script id="data"')[0] for zone in (TOKYO, dt.UTC)]
    finally:
        speak()
    moved = [(far["end"], near["end"]), *zip(far["hours"]["start"], near["hours"]["start"], strict=True)]
    for a, b in zip(far["targets"], near["targets"], strict=True):
        moved += [(a[1], b[1]), *((x, y) for x, y in zip(a[2], b[2], strict=True) if y)]
    assert len(moved) > 100
    assert {a - b for a, b in moved} == {9 * 3600}
    stamps = [[dt.datetime.fromisoformat(s) for s in re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?", re.sub(r"<li><code>.*?</li>", "", page))] for page in pages]
    assert len(stamps[0]) > 50
    assert {a - b for a, b in zip(*stamps, strict=True)} == {dt.timedelta(hours=9)}
    days = [re.findall(r"<td>(\d{4}-\d\d-\d\d)</td>", page) for page in pages]
    for told, shown_days in zip((far, near), days, strict=True):
        assert shown_days == list(dict.fromkeys(f"{dt.datetime.fromtimestamp(start, dt.UTC):%Y-%m-%d}" for start in told["hours"]["start"]))
    assert days[0] != days[1]
    assert "JST" in pages[0]
    assert found["last"] < END
