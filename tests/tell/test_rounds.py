"""Who is told when: one message an hour and topic, nothing lost, nothing twice, whatever fails. The ledger and the memory are real."""

import json
import os
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.ledger import Ledger
from monzen.show.words import speak
from monzen.tell.memory import load, save
from monzen.tell.message import TellError
from monzen.tell.rounds import HOUR, LASTING, Round
from monzen.tell.topics import topic_of

NOW = 1_800_000_000.0
MINUTE = 60.0
DOWN = [("no-gate", "the gate does not work (Connection refused)")]


@pytest.fixture(autouse=True)
def _english():
    speak("en")
    yield
    speak()


class Place:
    """A machine of its own, where rounds are held; `heard` is what each way took, `broken` which of them take nothing."""

    def __init__(self, root, *ways):
        self.root, self.ways, self.heard, self.broken = root, ways, [], set()
        (root / "run/monzen").mkdir(parents=True)
        os.chmod(root, 0o755)
        self.path = str(root / "var/lib/monzen/ledger.db")
        Ledger.open(self.path).close()

    def alarm(self, at, kind="breach", text="somebody guessed"):
        with Ledger.open(self.path) as ledger:
            ledger.alarm(kind, text, at)

    def untold(self):
        with Ledger.open(self.path, readonly=True) as ledger:
            return len(ledger.alarms(untold=True))

    def round(self, now, wrong=()):
        """One round, with all that is written between two of them; what was handed over in it."""
        before = len(self.heard)

        def send(way):
            def take(message):
                if way in self.broken:
                    raise TellError(f"{way} is broken")
                self.heard.append((way, message.topic, [row.text for row in message.rows]))

            return take

        one = Round(load(str(self.root)), now, str(self.root))
        one.look(wrong)
        one.send({way: send(way) for way in self.ways})
        return self.heard[before:]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, "mail")


def test_one_an_hour_and_topic(place):
    place.alarm(NOW)
    assert place.round(NOW) == [("mail", "account", ["somebody guessed"])]
    for minute in range(1, 60):
        place.alarm(NOW + minute * MINUTE, "late-login", str(minute))
        assert place.round(NOW + minute * MINUTE) == []
    place.alarm(NOW + 60, "outage", "another topic")
    assert place.round(NOW + 59 * MINUTE + 1) == [("mail", "outage", ["another topic"])]
    assert place.round(NOW + HOUR) == [("mail", "account", [str(minute) for minute in range(59, 0, -1)])]
    assert place.untold() == 0
    assert place.round(NOW + 9 * HOUR) == []


def test_what_a_compromised_run_invents_is_one_topic(place):
    for number in range(200):
        place.alarm(NOW, f"kind{number}")
    assert [topic for _way, topic, _rows in place.round(NOW)] == ["other"]


def test_what_is_not_urgent_waits_for_the_digest(place):
    place.alarm(NOW, "device")
    assert place.round(NOW) == []
    assert place.untold() == 1


def test_old_alarms_are_not_told_one_by_one(place):
    place.alarm(NOW - 90_000)
    assert place.round(NOW) == []


def test_ways_are_told_each_by_itself(tmp_path):
    place = Place(tmp_path, "mail", "post")
    place.broken = {"post"}
    place.alarm(NOW)
    assert [way for way, _topic, _rows in place.round(NOW)] == ["mail"]
    assert place.untold() == 1, "not everybody was told"
    assert place.round(NOW + 10) == [], "not at once again"
    assert load(str(tmp_path)).way("post").error == "post is broken"
    place.broken = set()
    assert place.round(NOW + MINUTE) == [("post", "account", ["somebody guessed"])]
    assert place.untold() == 0
    assert load(str(tmp_path)).way("post").error == ""


def test_tries_are_bounded_and_go_on(tmp_path):
    place = Place(tmp_path, "post")
    place.broken = {"post"}
    place.alarm(NOW)
    tries, now = [], NOW
    while now < NOW + 23 * HOUR:
        before = load(str(tmp_path)).way("post").failures
        place.round(now)
        if load(str(tmp_path)).way("post").failures > before:
            tries.append(now)
        now += MINUTE
    gaps = [b - a for a, b in pairwise(tries)]
    assert gaps[:4] == [60, 120, 240, 420]
    assert max(gaps) <= HOUR
    assert len(tries) < 35
    place.broken = set()
    assert place.round(NOW + 24 * HOUR) == [("post", "account", ["somebody guessed"])]


def test_a_dead_way_holds_up_no_other_for_good(tmp_path):
    place = Place(tmp_path, "mail", "post")
    place.broken = {"post"}
    place.alarm(NOW)
    for hour in range(30):
        place.round(NOW + hour * HOUR)
    assert [way for way, _topic, _rows in place.heard] == ["mail"]
    assert place.untold() == 0, "somebody was told, and it is a day ago"


def test_what_is_wrong_is_told_when_it_lasts_and_when_it_is_over(place):
    assert place.round(NOW, DOWN) == []
    assert place.round(NOW + 1, ()) == [], "a restart"
    assert place.round(NOW + 60, DOWN) == []
    ((way, topic, rows),) = place.round(NOW + 60 + LASTING + 5, DOWN)
    assert (way, topic) == ("mail", "gate")
    assert rows == [DOWN[0][1]]
    assert place.round(NOW + 300, ()) == [], "within the hour"
    ((_way, topic, rows),) = place.round(NOW + 120 + HOUR, ())
    assert topic == "gate"
    assert rows[0].startswith("over since ")
    with Ledger.open(place.path) as ledger:
        assert [a.kind for a in ledger.alarms()] == ["no-gate", "no-gate"], "it can be looked up"


def test_to_look_writes_nothing(place):
    """`tell --dry-run`: also where something is wrong for so long that it would become an alarm."""
    place.round(NOW, DOWN)
    memory = (place.root / "run/monzen/tell.json").read_bytes()
    one = Round(load(str(place.root)), NOW + MINUTE, str(place.root))
    one.look(DOWN, dry=True)
    assert one.due("mail") == []
    assert place.untold() == 0
    assert (place.root / "run/monzen/tell.json").read_bytes() == memory
    assert [topic for _way, topic, _rows in place.round(NOW + MINUTE, DOWN)] == ["gate"], "which would have been one"


def test_a_way_that_does_not_work_is_tried_once_a_round(place):
    """Whatever there is to tell: each try would take its time, and count as another failure."""
    place.broken = {"mail"}
    for kind in ("breach", "outage", "leak"):
        place.alarm(NOW, kind)
    place.round(NOW)
    assert load(str(place.root)).way("mail").failures == 1
    place.broken = set()
    assert sorted(topic for _way, topic, _rows in place.round(NOW + MINUTE)) == ["account", "firewall", "outage"]


def test_what_comes_and_goes_is_one_an_hour(place):
    for minute in range(600):
        place.round(NOW + minute * MINUTE, DOWN if minute % 4 < 2 else ())
    assert len(place.heard) <= 11
    with Ledger.open(place.path) as ledger:
        assert len(ledger.alarms()) <= 22


def test_what_stays_is_said_again_each_day(place):
    for hour in range(72):
        place.round(NOW + hour * HOUR, DOWN)
    assert len(place.heard) == 3


def test_a_broken_ledger_is_told_too(place):
    with open(place.path, "r+b") as file:
        file.write(b"x" * 4096)
    assert place.round(NOW) == []
    ((_way, topic, rows),) = place.round(NOW + MINUTE)
    assert topic == "ledger"
    assert "gate apply --rescue" in rows[0]
    assert place.round(NOW + 2 * MINUTE) == []


def test_without_a_ledger_the_gate_is_told_all_the_same(place):
    os.unlink(place.path)
    place.round(NOW, DOWN)
    assert [topic for _way, topic, _rows in place.round(NOW + MINUTE, DOWN)] == ["gate"]
    assert place.round(NOW + 2 * MINUTE, DOWN) == []


def test_what_cannot_be_remembered_is_not_sent(place):
    """Or it would be sent each minute. A folder in the place of the file refuses root too."""
    place.alarm(NOW)
    (place.root / "run/monzen/tell.json").mkdir()
    with pytest.raises(TellError, match="cannot write"):
        place.round(NOW)
    assert place.heard == []


def test_killed_while_sending_it_waits_for_the_next_hour(place):
    """It may have been sent: twice is better than never, but not each minute."""
    place.alarm(NOW)
    one = Round(load(str(place.root)), NOW, str(place.root))
    one.look(())

    def dies(_message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one.send({"mail": dies})
    assert place.round(NOW + MINUTE) == []
    assert place.round(NOW + HOUR) == [("mail", "account", ["somebody guessed"])]


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 9999, '{"ways": {"mail": {"x": 1}}, "troubles": {}, "rows": {}}', '{"ways": 1}', "\0"])
def test_a_broken_memory_is_none(place, text):
    (place.root / "run/monzen/tell.json").write_text(text)
    place.alarm(NOW)
    assert len(place.round(NOW)) == 1
    assert place.round(NOW + MINUTE) == []


def test_a_clock_that_was_put_back_stops_nobody(place):
    place.alarm(NOW)
    place.round(NOW)
    place.alarm(NOW - 40 * 86_400, text="later, by the right clock")
    assert place.round(NOW - 40 * 86_400) == [("mail", "account", ["later, by the right clock"])]


def test_memory_is_roots_alone(place):
    place.round(NOW)
    path = place.root / "run/monzen/tell.json"
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert load(str(place.root)).ways == {}
    save(load(str(place.root)), str(place.root))
    assert not path.is_symlink()
    assert json.loads(path.read_text())["ways"] == {}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["breach", "outage", "device", "x", "leak"]), st.integers(0, 240), st.booleans()), max_size=25))
def test_everything_urgent_is_told_once(tmp_path_factory, story):
    """Whatever comes when, and whenever the way is broken: each alarm once, and never two messages of a topic within an hour."""
    place = Place(tmp_path_factory.mktemp("story"), "mail")
    times = {}
    for kind, minute, broken in sorted(story, key=lambda s: s[1]):
        now = NOW + minute * MINUTE
        place.broken = {"mail"} if broken else set()
        name = f"{kind} {len(times)}"
        times[name] = kind
        place.alarm(now, kind, name)
        for _way, topic, _rows in place.round(now):
            times.setdefault(topic, [])
            times[topic] = [*times[topic], now]
    place.broken = set()
    place.round(NOW + 400 * MINUTE)
    told = [text for _way, _topic, rows in place.heard for text in rows]
    assert sorted(told) == sorted(name for name, kind in times.items() if isinstance(kind, str) and topic_of(kind))
    for sent in times.values():
        if isinstance(sent, list):
            assert all(b - a >= HOUR for a, b in pairwise(sent))
