"""What `run` says to the gate and makes of its answers; of what it read back a guessed password stays guessed, an old outage is history."""

import pytest

from monzen.guard import talk as module
from monzen.guard.link import News
from monzen.guard.mind import EVENTS, LIFT, PARDON, SHIELD, Mind
from monzen.guard.offers import GRACE, LEAKS
from monzen.guard.talk import AT_ONCE, Talk
from monzen.judge.findings import Alarm, Breach
from tests.guard.test_mind import guesses

NOW = 1_800_000_000.0
DAY = 86_400.0


def test_a_break_in_of_last_week_is_told_and_an_outage_is_not(tmp_path):
    mind, talk = Mind(), Talk(str(tmp_path), lambda _record: None)
    client = bytes([203, 0, 113, 7])
    mind.judge.breaches = [Breach(client, b"a", NOW - days * DAY, 9, "guessed", b"line") for days in (3, 29, 31)]
    mind.judge.alarms = {("outage", bytes([n])): Alarm("outage", NOW - n * DAY, NOW - n * DAY, 1, b"", b"line") for n in (0, 3)}
    for _ in range(3):
        talk.look(mind, NOW)
    told = sorted((kind, round((NOW - at) / DAY)) for at, kind, _text in talk.alarms)
    assert told == [("breach", 3), ("breach", 29), ("outage", 0)]


# ---- what the gate says, and what of it the mind hears


class Link:
    """The connection, played: `news` is what comes next, `sent` what went out; `takes` says whether the gate takes it now.

    `ends`: in which of `read` and `send` it is found that there is no gate any more.
    """

    def __init__(self):
        self.socket, self.ready, self.mode, self.error = object(), False, "", ""
        self.sent, self.number, self.takes, self.ends = [], 0, True, ""
        self.news = []

    @property
    def free(self):
        return self.ready and len(self.sent) < 99

    def read(self):
        if self.ends == "read":
            self.lose("it was killed")
            return News()
        news = self.news.pop(0) if self.news else News()
        if news.mode is not None:
            self.ready, self.mode = True, news.mode
        return news

    def send(self, what, rows):
        if self.ends == "send":
            self.lose("it was killed")
        if not self.takes or self.ends:
            return None
        self.number += 1
        self.sent.append((self.number, what, rows))
        return self.number

    def lose(self, why):
        self.socket, self.ready, self.error = None, False, why

    def again(self):
        """Another connection, over which nothing was said yet."""
        self.socket, self.ends = object(), ""

    def says(self, **values):
        """The next piece of news."""
        news = News()
        for name, value in values.items():
            setattr(news, name, value)
        self.news.append(news)


class Desk:
    """A talk at a played link, with a mind that hears what it notes. `turn` is one of the loop of `run`."""

    def __init__(self, folder):
        self.mind, self.records = Mind(), []
        self.talk = Talk(str(folder), self.note)
        self.link = self.talk.link = Link()
        for source in ("203.0.113.7", "198.51.100.7"):
            self.mind.hear((EVENTS, [("a", None, True, guesses([(1.0, source)] * 30, NOW, 100 * len(self.mind.judge.clients)))]))
        assert self.mind.judge.given == 2

    def note(self, record):
        self.records.append(record)
        self.mind.hear(record)

    def turn(self, history=False, **news):
        """Listens to this, and sends: what went out now."""
        if news:
            self.link.says(**news)
        sent = len(self.link.sent)
        self.talk.listen(self.mind, history=history)
        self.talk.send(self.mind, NOW + 60.0)
        return [(number, what, [row[0] for row in rows] if what == "orders" else rows) for number, what, rows in self.link.sent[sent:]]


HOSTS = ["c6336407", "cb007107"]  # 198.51.100.7, the newer, and 203.0.113.7


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: NOW + 60.0)
    return Desk(tmp_path)


def test_all_that_lasts_is_offered_to_each_gate_and_in_each_mode_and_else_once(desk):
    assert desk.turn() == [], "nobody is there"
    ((number, _orders, hosts),) = desk.turn(mode="watch")
    assert hosts == HOSTS
    assert desk.turn(answers=[(number, [("watched", 1), ("watched", 2)])]) == []
    assert desk.turn(mode="watch") == [], "the same mode, as each piece of news has it"
    ((number, _orders, hosts),) = desk.turn(mode="armed")
    assert hosts == HOSTS, "what was only watched may be denied now"
    assert desk.turn(answers=[(number, [("denied", 1), ("denied", 2)])]) == []
    desk.link.ends = "read"
    desk.turn()
    desk.link.again()
    ((_number, _orders, hosts),) = desk.turn(mode="armed")
    assert hosts == HOSTS, "another gate has to hear of all again"


def test_a_gate_that_cannot_take_it_now_is_asked_again(desk):
    desk.link.takes = False
    assert desk.turn(mode="armed") == []
    desk.link.takes = True
    ((_number, _orders, hosts),) = desk.turn()
    assert hosts == HOSTS


@pytest.mark.parametrize("answer", ["shielded", "wide", "future"])
def test_the_judge_counts_on_no_denial_that_the_gate_refused(desk, answer):
    """Who is denied is not looked at again, so who is not must be."""
    ((number, _orders, _hosts),) = desk.turn(mode="armed")
    desk.turn(answers=[(number, [("denied", 1), (answer, 0)])])
    assert [r for r in desk.records if r[0] == LIFT] == [(LIFT, bytes([203, 0, 113, 7]), 32)]
    assert [s.target for s in desk.mind.judge.sentences if s.until > desk.mind.judge.now] == [bytes([198, 51, 100, 7])]


def test_who_was_released_is_forgiven_once_and_again_when_it_is_a_later_release(desk):
    release = (bytes([203, 0, 113, 7]), 32, NOW + 40.0)
    desk.turn(mode="armed", releases=[release])
    desk.turn(releases=[release])
    assert [r for r in desk.records if r[0] == PARDON] == [(PARDON, [release])]
    assert [s.target for s in desk.mind.judge.sentences if s.until > desk.mind.judge.now] == [bytes([198, 51, 100, 7])]
    later = (*release[:2], NOW + 50.0)
    desk.turn(releases=[release, later])
    assert [r for r in desk.records if r[0] == PARDON][1:] == [(PARDON, [later])]


def test_whom_the_gate_shields_is_noted_where_it_is_news(desk):
    own = ((bytes([203, 0, 113, 7]), 32),)
    for private in (False, False, True):
        desk.turn(mode="armed", shield=(own, private))
    assert [r for r in desk.records if r[0] == SHIELD] == [(SHIELD, own, (), False), (SHIELD, own, (), True)]
    assert desk.mind.guarded == (own, (), True)


def test_what_still_knocks_is_offered_for_longer(desk):
    ((number, _orders, _hosts),) = desk.turn(mode="armed")
    desk.turn(answers=[(number, [("denied", 1), ("denied", 2)])])
    desk.talk.each_minute(desk.mind, NOW + 60.0)
    assert desk.turn() == []
    longer = next(s for s in desk.mind.judge.sentences if s.target[0] == 203)
    longer.until += longer.length
    desk.talk.each_minute(desk.mind, NOW + 60.0)
    ((_number, _orders, hosts),) = desk.turn()
    assert hosts == ["cb007107"]


def test_who_is_denied_and_goes_on_is_an_alarm(desk):
    ((number, _orders, _hosts),) = desk.turn(mode="armed")
    desk.turn(answers=[(number, [("denied", 1), ("denied", 2)])])
    client = desk.mind.judge.clients[bytes([203, 0, 113, 7])]
    client.last = desk.mind.now + GRACE + 1.0
    desk.talk.each_minute(desk.mind, NOW + 60.0)
    client.attempts += LEAKS
    desk.talk.each_minute(desk.mind, NOW + 120.0)
    ((_number, what, rows),) = desk.turn()
    assert (what, [(kind, "203.0.113.7" in text) for _at, kind, text in rows]) == ("alarms", [("leak", True)])


@pytest.mark.parametrize("noticed", ["read", "send"])
def test_an_alarm_is_told_though_the_gate_ends_before_it_answered(desk, noticed, caplog):
    ((orders, _what, _hosts),) = desk.turn(mode="armed")
    desk.turn(answers=[(orders, [("denied", 1), ("denied", 2)])])
    desk.mind.judge.breaches = [Breach(bytes([203, 0, 113, 7]), b"a", NOW + n, 9, "guessed", b"line") for n in range(30)]
    desk.link.takes = False
    desk.talk.look(desk.mind, NOW + 60.0)
    desk.turn()
    assert len(desk.talk.alarms) == 30, "it does not take them now"
    desk.link.takes = True
    ((first, _what, some),) = desk.turn()
    assert len(some) == AT_ONCE
    desk.link.ends = noticed
    assert desk.turn() == []
    assert desk.link.socket is None
    assert caplog.text.count("gate lost") == 1
    desk.turn()
    desk.link.again()
    again = [row for _number, what, rows in desk.turn(mode="armed") if what == "alarms" for row in rows]
    while sent := desk.turn():
        again += [row for _number, what, rows in sent if what == "alarms" for row in rows]
    assert sorted(row[0] for row in again) == [NOW + n for n in range(30)]
    desk.turn(answers=[(desk.link.number, []), (first, [])])
    desk.talk.look(desk.mind, NOW + 60.0)
    assert desk.turn() == [], "told once"
