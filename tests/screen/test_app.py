"""The live screen with its keys, driven by Textual's own pilot over a real log: in both languages, at three sizes, with hostile text."""

import asyncio
import contextlib
import datetime as dt
import os
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("textual", reason="textual is not installed (the extra watch)")

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.widgets import Static

from monzen import looking as looking_module
from monzen.judge.policy import Policy, frugal
from monzen.ledger import LEDGER, Ledger, Order
from monzen.looking import Live
from monzen.mode import Mode, write_mode
from monzen.screen import app as app_module
from monzen.screen import lines as lines_module
from monzen.screen import seer as seer_module
from monzen.screen.app import Watching
from monzen.screen.asking import Asking, Choosing, Lasting, Reading, Typing, Words
from monzen.screen.frame import Part, rooms
from monzen.screen.lines import Look
from monzen.screen.pane import Pane
from monzen.screen.seer import Seer
from monzen.settings import Sources
from monzen.show.words import speak
from tests.browser import hostile
from tests.kernel import spare_inotify
from tests.stopwatch import Stopwatch
from tests.test_looking import failed, lines

NOON = dt.datetime(2026, 9, 4, 12, tzinfo=dt.UTC).timestamp()
NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()
LEAP = dt.datetime(2024, 2, 29, 23, 59, tzinfo=dt.UTC).timestamp()
START = dt.datetime(2026, 9, 4, 10, tzinfo=dt.UTC)
SIZES = [(80, 24), (60, 20), (200, 60)]
MARKUP = ["[red]x[/]", "[@click=app.quit]go[/]", "[/]", "[bold", "]", "[link=javascript:x]y[/link]", "\\[x]", "{n}", "$x", ":skull:", "日本語の名前"]


@pytest.fixture(autouse=True)
def spoken():
    yield
    speak("en")
    speak()


class Driven:
    """The screen of a log, with a hand on its keys."""

    def __init__(self, app, pilot, log):
        self.app, self.pilot, self.log = app, pilot, log

    async def until(self, holds, seconds=300.0):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, self.text()
            await self.pilot.pause(0.02)
        await self.pilot.pause()

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def pane(self, name):
        return self.app.screen_stack[0].query_one("#" + name, Pane)

    def rows(self):
        """What stands on the terminal, row by row."""
        return ["".join(s.text for s in strip) for strip in self.app.screen._compositor.render_strips()]

    def text(self):
        return "\n".join(self.rows())

    def foot(self):
        return str(self.app.screen_stack[0].query_one("#foot", Static).render())


@contextlib.asynccontextmanager
async def driven(log, size=(80, 24), *, names=True, root=None, **more):
    files = ("/" + log.name,) if root else (str(log),)
    live = Live(frugal(Policy()), Sources(files, False), dt.UTC, root=str(root) if root else "/", ledger=root is not None)
    seer = Seer(live, dt.UTC, names=names)
    app = Watching(seer, Look(dt.UTC, False), **more)
    try:
        async with app.run_test(size=size) as pilot:
            hand = Driven(app, pilot, log)
            await hand.until(lambda: app.sight is not None and not app.sight.reading)
            await hand.press("home")
            yield hand
    finally:
        app.looking.join(60)
        assert not app.looking.is_alive()
        seer.close()


def drive(log, work, *args, **more):
    async def run():
        async with driven(log, *args, **more) as hand:
            await work(hand)

    asyncio.run(run())


def written(tmp_path, *said):
    log = tmp_path / "mail.log"
    log.write_text(lines(*said))
    return log


def gang(count=3):
    return [(n, failed(f"name{n}", f"203.0.113.{n % 250 + 1}")) for n in range(count)]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", ["nothing", "one", "many"])
def test_every_size_in_both_languages(tmp_path, language, size, what):
    """Each row is exactly as wide as the terminal, also where letters take two columns; the three lists and the keys are there."""
    speak(language)
    said = {"nothing": [], "one": [(0, failed("info", "203.0.113.7"))], "many": [(n, failed(f"n{n % 7}", f"100.{64 + n // 750}.{n // 3 % 250}.{n % 3 + 1}")) for n in range(15_000)]}[what]
    log = written(tmp_path, *said)

    async def work(hand):
        await hand.until(lambda: len(hand.app.sight.latest) == min(200, len(said)))
        if what == "many":
            await hand.until(lambda: hand.app.sight.would >= 5_000)
            assert len(hand.app.sight.denied) == 500
            listed = {"en": f" {hand.app.sight.would:,}, the newest 500", "ja": f" {hand.app.sight.would:,}、新しい順に500件まで"}[language]
            assert listed in hand.text()
            await hand.press("tab")
            assert f" 1/{hand.app.sight.would:,}" + {"en": ", ", "ja": "、"}[language] in hand.text()
            await hand.press("shift+tab")
        rows = hand.rows()
        assert len(rows) == size[1]
        assert {cell_len(row) for row in rows} == {size[0]}
        text = "\n".join(rows)
        titles = {"en": ("Attempts", "Would be denied", "Near a denial"), "ja": ("試行", "拒否対象", "拒否に近い")}[language]
        assert [t for t in titles if t not in text] == []
        assert ("203.0.113.7" in text) == (what == "one")
        colours = {s.style.color.name for strip in hand.app.screen._compositor.render_strips() for s in strip if s.style and s.style.color}
        assert colours <= {"default", "red"}, "on white and on black: yellow, green and cyan cannot be read on both"
        keys = {"en": "e explain", "ja": "e 理由"}[language]
        assert keys in rows[-1]
        last = {"en": ("Tab next list", "? help  q quit"), "ja": ("Tab 次の一覧", "? ヘルプ  q 終了")}[language]
        assert [k for k in last if k not in rows[-1]] == []
        assert "…" not in rows[-1]
        for key in ("?", "e", "f", "!"):
            if key == "e" and what == "nothing":
                continue
            await hand.press({"?": "question_mark", "!": "exclamation_mark"}.get(key, key))
            assert len(hand.app.screen_stack) == 2
            assert {cell_len(row) for row in hand.rows()} == {size[0]}
            await hand.press("escape")
            assert len(hand.app.screen_stack) == 1

    drive(log, work, size)


def test_a_line_shows_within_half_a_second(tmp_path):
    spare_inotify()
    log = written(tmp_path, (0, failed("info", "203.0.113.7")))

    async def work(hand):
        await hand.pilot.pause(0.5)  # whatever the start had to do is done
        took = []
        for n in range(5):
            with log.open("a") as file:
                file.write(lines((n + 1, failed("office", f"198.51.100.{n + 1}"))))
            watch = Stopwatch()
            await hand.until(lambda n=n: f"198.51.100.{n + 1}" in hand.text())
            took.append((watch.waited(), watch.worked()))
        assert sorted(waited for waited, _worked in took)[2] < 0.5, took
        assert sorted(worked for _waited, worked in took)[2] < 0.5, took

    drive(log, work)


def test_nothing_costs_nothing(tmp_path):
    """Where nothing happens it sleeps: under three percent of a processor, all threads together."""
    log = written(tmp_path, *gang(50))

    async def work(hand):
        await hand.pilot.pause(1.0)
        before, start = time.process_time(), time.monotonic()
        await asyncio.sleep(4)
        assert (time.process_time() - before) / (time.monotonic() - start) < 0.03

    drive(log, work)


def test_keys_that_look(tmp_path):
    log = written(tmp_path, *gang(30))

    async def work(hand):
        assert hand.app.focused is hand.pane("attempts")
        await hand.press("down", "down")
        chosen = hand.pane("attempts").row
        assert hand.pane("attempts").cursor == 2
        with log.open("a") as file:
            file.write(lines((40, failed("office", "198.51.100.1"))))
        await hand.until(lambda: hand.app.sight.latest[0].client == "198.51.100.1")
        assert hand.pane("attempts").row == chosen  # though another one came above it
        await hand.press("enter")
        assert isinstance(hand.app.screen, Reading)
        assert chosen.client in hand.text()
        await hand.press("escape", "end")
        assert hand.pane("attempts").cursor == len(hand.pane("attempts").rows) - 1
        await hand.press("p")
        with log.open("a") as file:
            file.write(lines((50, failed("office", "198.51.100.2"))))
        await hand.until(lambda: hand.app.sight.latest[0].client == "198.51.100.2")
        assert hand.pane("attempts").rows[0].client == "198.51.100.1"
        assert "1" in hand.pane("attempts").note
        await hand.press("p")
        assert hand.pane("attempts").rows[0].client == "198.51.100.2"
        await hand.press("tab")
        assert hand.app.focused is hand.pane("denied")
        await hand.press("shift+tab", "f")
        assert isinstance(hand.app.screen, Typing)
        await hand.press(*"198.51", "enter")
        assert [r.client for r in hand.pane("attempts").rows] == ["198.51.100.2", "198.51.100.1"]
        assert "198.51" in hand.rows()[0]
        await hand.press("tab", "f", "ctrl+u", *"nobody else", "enter")
        assert [len(hand.pane(n).rows) for n in ("attempts", "denied", "suspects")] == [0, 0, 0]
        assert hand.text().count("nobody with this text") == 3
        await hand.press("escape")
        assert "nobody else" not in hand.text()
        assert len(hand.pane("attempts").rows) == 32
        await hand.press("shift+tab")
        await hand.press("f", "ctrl+u", "enter")
        assert len(hand.pane("attempts").rows) == 32
        await hand.press("q")
        await hand.until(lambda: not hand.app.is_running)

    drive(log, work)


def test_names_only_where_asked_for(tmp_path):
    log = written(tmp_path, (0, failed("secretary", "203.0.113.7")))
    for names in (True, False):

        async def work(hand, names=names):
            await hand.until(lambda: "203.0.113.7" in hand.text())
            assert ("secretary" in hand.text()) == names
            await hand.press("e")
            await hand.until(lambda: isinstance(hand.app.screen, Reading))
            assert ("secretary" in hand.text()) == names

        drive(log, work, (160, 40), names=names)


def test_hostile_text_is_text(tmp_path):
    """Names that are markup, links, actions, escapes stand there letter by letter, and nothing is obeyed."""
    log = tmp_path / "mail.log"
    said = hostile.lines()
    for n, word in enumerate([*hostile.WORDS, *MARKUP]):
        said += f"2026-09-04T12:00:{n:02}+00:00 mail dovecot: imap-login: Disconnected (auth failed, 1 attempts in 9 secs): user=<{word}>, method=PLAIN, rip=198.18.0.{n + 1}, lip=192.0.2.200, session=<x{n}>\n"
    log.write_text(said, encoding="utf-8", newline="")

    async def work(hand):
        await hand.until(lambda: len(hand.app.sight.latest) == 200)
        text = hand.text()
        for word in ("[red]x[/]", "[@click=app.quit]go[/]", "[bold", "日本語の名前", ":skull:"):
            assert word in text
        assert not any(not c.isprintable() for row in hand.rows() for c in row)
        panes = [hand.pane(n) for n in ("attempts", "denied", "suspects")]
        metas = [segment.style.meta for pane in panes for strip in pane.render_lines(pane.region.reset_offset) for segment in strip if segment.style]
        assert not any(metas)
        links = [segment.style.link for strip in hand.app.screen._compositor.render_strips() for segment in strip if segment.style]
        assert not any(links)
        for n in range(len(MARKUP)):
            await hand.press("e")
            assert isinstance(hand.app.screen, Reading)
            for strip in hand.app.screen._compositor.render_strips():
                assert not any(s.style.link or any(k.startswith("@") for k in s.style.meta) for s in strip if s.style)
            assert MARKUP[-1 - n] in hand.text().replace("\n", "")
            await hand.press("escape", "down")
        await hand.press("f", *"[@click", "enter")
        assert "[@click" in hand.rows()[0]
        assert hand.app.is_running
        assert hand.app.export_screenshot()

    drive(log, work, (240, 120))


def with_ledger(tmp_path):
    root = tmp_path / "root"
    (root / "var/lib/monzen").mkdir(parents=True, mode=0o750)
    now = time.time()
    write_mode(Mode("armed", None, now), str(root))
    with Ledger.open(str(root / LEDGER)) as ledger:
        ledger.impose([Order(bytes((198, 51, 100, 0)), 24, until=now + 3600, note="[red]typed[/]"), Order(bytes((203, 0, 113, 9)), 32, port=25, protocol=6)], now)
    return root


def test_what_the_gate_denies(tmp_path):
    root = with_ledger(tmp_path)
    log = root / "mail.log"
    log.write_text(lines(*gang(5)))

    async def work(hand):
        await hand.until(lambda: hand.app.sight.mode == "armed")
        await hand.until(lambda: "armed" in hand.rows()[0] and "2 denied" in hand.rows()[0])
        assert {d.name for d in hand.app.sight.denied} == {"198.51.100.0/24", "203.0.113.9 port 25/tcp"}
        await hand.until(lambda: "[red]typed[/]" in hand.text())
        with Ledger.open(str(root / LEDGER)) as ledger:
            ledger.release({e.number for e in ledger.active(time.time())}, time.time())
        await hand.until(lambda: "0 denied" in hand.rows()[0])

    drive(log, work, (120, 30), root=root)


@pytest.mark.parametrize("key", ["r", "a", "d"])
def test_only_root_changes_anything(tmp_path, monkeypatch, key):
    log = written(tmp_path, *gang(1))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    async def work(hand):
        await hand.until(lambda: hand.pane("attempts").rows)
        await hand.press(key)
        assert len(hand.app.screen_stack) == 1
        assert "root" in hand.foot()
        hand.app._untell(hand.app.said)
        assert "deny" not in hand.foot(), "a key that only refuses is not offered"

    drive(log, work)


@pytest.mark.parametrize(("keys", "asked", "orders"), [
    (["r", "y"], "Release 203.0.113.1?", [("release", "203.0.113.1")]),
    (["a", "y"], "Never deny 203.0.113.1 from now on?", [("allow", "203.0.113.1")]),
    (["d", "1", "y"], "Deny 203.0.113.1?", [("deny", "203.0.113.1")]),
    (["d", "2", "y"], "Deny 203.0.113.0/24?", [("deny", "203.0.113.0/24")]),
    (["d", "1", "1"], "y: for good   1: an hour   2: a day   3: a week   n: no", [("deny", "203.0.113.1", "1h")]),
    (["d", "2", "2"], "Deny 203.0.113.0/24?", [("deny", "203.0.113.0/24", "24h")]),
    (["d", "1", "3"], "Deny 203.0.113.1?", [("deny", "203.0.113.1", "7d")]),
    (["d", "1", "escape"], "Deny 203.0.113.1?", []),
    (["d", "2", "n"], "Deny 203.0.113.0/24?", []),
    (["d", "1", "enter"], "Deny 203.0.113.1?", []),
    (["r", "escape"], "Release 203.0.113.1?", []),
    (["d", "escape"], "Deny whom?", []),
])  # fmt: skip
def test_it_asks_and_names_what_it_does(tmp_path, monkeypatch, keys, asked, orders):
    """What is ordered is exactly what was asked; the orders themselves are done for real in tests/live/test_watch.py."""
    log = written(tmp_path, *gang(1))
    given = []

    async def decide(verb, target, config=None, length=""):
        given.append((verb, target, *([length] if length else [])))
        return 1, ["not denied: because", "second line"]

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(app_module, "decide", decide)
    speak("en")

    async def work(hand):
        await hand.until(lambda: hand.pane("attempts").rows)
        for key in keys[:-1]:
            await hand.press(key)
        assert isinstance(hand.app.screen, (Asking, Choosing, Lasting))
        assert asked in hand.text()
        assert given == []
        await hand.press(keys[-1])
        await hand.until(lambda: len(given) >= len(orders) and len(hand.app.screen_stack) == (2 if orders else 1))
        assert given == orders
        if orders:
            assert isinstance(hand.app.screen, Reading)
            assert "not denied: because" in hand.text()
            await hand.press("escape")
        assert len(hand.app.screen_stack) == 1

    drive(log, work)


def test_a_denial_is_released_by_its_number(tmp_path, monkeypatch):
    """That of a port is another one than that of the address: what the row says is what is let in, and no more."""
    root = with_ledger(tmp_path)
    log = root / "mail.log"
    log.write_text(lines(*gang(1)))
    given = []

    async def decide(verb, target, config=None, length=""):
        given.append((verb, target))
        return 1, ["x", "y"]

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(app_module, "decide", decide)
    speak("en")

    async def work(hand):
        await hand.until(lambda: len(hand.pane("denied").rows) == 2)
        await hand.press("tab")
        for key in ("home", "end"):
            await hand.press(key, "r")
            row = hand.pane("denied").row
            assert f"Release {row.name} (number {row.number})?" in hand.text()
            before = len(given)
            await hand.press("y")
            await hand.until(lambda before=before: len(given) > before and isinstance(hand.app.screen, Reading))
            assert given[-1] == ("release", str(row.number))
            await hand.press("escape")
        assert sorted(given) == [("release", "1"), ("release", "2")]

    drive(log, work, (120, 30), root=root)


def test_times_are_those_of_the_reader():
    """In Tokyo the day begins nine hours before that of UTC: also what is of today is of another day."""
    tokyo, now = dt.timezone(dt.timedelta(hours=9)), SimpleNamespace(end=NOON, past=False)
    for ago, here, there in ((0, "12:00:00", "21:00:00"), (13, "09-03 23:00", "08:00:00"), (11, "01:00:00", "10:00:00"), (22, "09-03 14:00", "09-03 23:00")):
        assert [lines_module.clock(NOON - ago * 3600, now, zone) for zone in (dt.UTC, tokyo)] == [here, there]


def test_of_files_nothing_is_changed(tmp_path, monkeypatch):
    log = written(tmp_path, *gang(1))
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    async def work(hand):
        await hand.until(lambda: hand.pane("attempts").rows)
        await hand.press("d")
        assert len(hand.app.screen_stack) == 1
        assert "only files" in hand.foot()

    drive(log, work, refusal="only files")


def login(user, client):
    return f"dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={client}, lip=192.0.2.200, mpid=7, session=<s>"


def broken_into():
    """Guesses, a login of the same client, and later an alarm that is less."""
    guesses = [(20 * n, failed(f"name{n}", "203.0.113.7")) for n in range(30)]
    return [*guesses, (4000, login("office@example.net", "203.0.113.7")), *((5000 + n, failed(f"x{n}", "198.51.100.7")) for n in range(9))]


@pytest.mark.parametrize(("language", "word"), [("en", "! 09-04 11:06 GOT IN: 203.0.113.7 "), ("ja", "! 09-04 11:06 侵入：")])
@pytest.mark.parametrize("size", SIZES)
def test_nobody_overlooks_a_break_in(tmp_path, language, word, size):
    """It stands above all else, with its day, whatever came later; so does it where all alarms are listed."""
    speak(language)
    log = written(tmp_path, *broken_into())

    async def work(hand):
        await hand.until(lambda: hand.app.sight.alarms)
        assert hand.rows()[2].startswith(word)
        styles = [s.style for s in hand.app.screen._compositor.render_strips()[2] if s.style and s.text.strip()]
        assert all(style.reverse and style.bold for style in styles)
        with log.open("a") as file:
            said = "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: Connection lost to authentication server"
            file.write(lines(*((9000 + n, said) for n in range(9))))
        await hand.until(lambda: len(hand.app.sight.alarms) > 1)
        assert hand.rows()[2].startswith(word)
        assert hand.rows()[3].startswith("! 09-04 12:30 ")
        assert hand.app.sight.alarms[0].grave
        await hand.press("exclamation_mark")
        assert word.split(" ")[3] in hand.rows()[2]
        paper = [r.strip(" │┃║▏▕") for r in hand.rows()]
        alarms = [n for n, row in enumerate(paper) if row.startswith("2026-09-04 ")]
        if size[0] < 200:  # there a sentence has one line
            first = next(r for r in hand.rows() if "2026-09-04 " in r).index("2026-09-04 ")
            rest = hand.rows()[alarms[0] + 1]
            assert rest[: first + 2].strip(" │┃║▏▕") == "", "the other lines of an alarm stand further in"
            assert rest.strip(" │┃║▏▕")

    drive(log, work, size, names=False)


@pytest.mark.parametrize("now", [NOON, NEW_YEAR - 1.0, NEW_YEAR, LEAP])
def test_what_is_not_of_today_has_its_date(tmp_path, monkeypatch, now):
    """Of a log that goes on: yesterday's rows; of one that has ended long ago: all of them, and the head says when."""
    for module in (seer_module, looking_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now, monotonic=time.monotonic))
    today = dt.datetime.fromtimestamp(now, dt.UTC)
    log = tmp_path / "mail.log"

    def at(seconds, name, client):
        return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00 mail ") + failed(name, client) + "\n"

    log.write_text(at(now - 400 * 86400, "old", "203.0.113.6") + at(now - 86400, "info", "203.0.113.7") + at(now, "info", "203.0.113.8"))

    async def work(hand):
        await hand.until(lambda: len(hand.app.sight.latest) == 3)
        await hand.until(lambda: hand.text().count("password") == 3)
        one, two, three = (r.split("203.0.113.")[0].strip() for r in hand.rows() if "203.0.113." in r and "password" in r)
        assert one == f"{today:%H:%M:%S}"
        assert two == f"{today - dt.timedelta(days=1):%m-%d %H:%M}"
        assert three == f"{today - dt.timedelta(days=400):%Y-%m-%d}"
        assert "up to" not in hand.rows()[0]

    drive(log, work, (100, 30))
    log.write_text(at(now - 40 * 86400, "info", "203.0.113.7"))

    async def ended(hand):
        await hand.until(lambda: len(hand.app.sight.latest) == 1)
        then = today - dt.timedelta(days=40)
        assert f"up to {then:%Y-%m-%d %H:%M}" in hand.rows()[0]
        assert f"{then:%m-%d %H:%M} 203.0.113.7" in hand.text()

    drive(log, ended, (100, 30))

    async def narrow(hand):
        await hand.until(lambda: len(hand.app.sight.latest) == 1)
        head = hand.rows()[0]
        assert f"up to {today - dt.timedelta(days=40):%m-%d %H:%M}" in head or f"up to {today - dt.timedelta(days=40):%Y-%m-%d %H:%M}" in head
        for width in range(40, 61):
            line = lines_module.headline(hand.app.sight, width, hand.app.look).plain
            assert "up to " in line, width
            assert len(line) <= width, line

    drive(log, narrow, (60, 20))


def test_what_came_within_a_minute_is_counted_not_estimated(tmp_path):
    """Six attempts within half a minute are six, however the minutes of the clock lie; what is older than sixty seconds is gone."""

    def sight_of(*said):
        live = Live(frugal(Policy()), Sources((str(written(tmp_path, *said)),), False), dt.UTC, ledger=False)
        seer = Seer(live, dt.UTC, names=False)
        try:
            return seer.settle()
        finally:
            seer.close()

    six = [(45 + 6 * n, failed(f"n{n}", f"203.0.113.{n + 1}")) for n in range(6)]  # 10:00:45 to 10:01:15
    assert sight_of(*six).rate == 6
    assert sight_of((14, failed("x", "198.51.100.1")), *six).rate == 6
    assert sight_of((15, failed("x", "198.51.100.1")), *six).rate == 6, "sixty seconds before is no longer within them"
    assert sight_of((16, failed("x", "198.51.100.1")), *six).rate == 7
    flood = [(n // 20, failed(f"n{n}", f"100.64.{n // 250}.{n % 250 + 1}")) for n in range(1_500)]  # far more than `latest` keeps
    assert sight_of(*flood).rate == 1_200
    assert max(sight_of(*six).minutes) == 3


def test_the_last_line_fits_again_after_a_resize(tmp_path):
    log = written(tmp_path, *gang(3))

    async def work(hand):
        for width in (120, 60, 80, 45, 120):
            await hand.pilot.resize_terminal(width, 24)
            await hand.pilot.pause()
            assert "q quit" in hand.foot(), width
            assert "…" not in hand.foot()
        assert "p pause" in hand.foot()

    drive(log, work)


def test_long_text_says_that_there_is_more(tmp_path):
    log = written(tmp_path, *gang(3))

    async def work(hand):
        await hand.press("question_mark")
        await hand.until(lambda: "PgDn" in hand.rows()[-1])
        await hand.press("end")
        assert "only looks" in hand.text()
        await hand.pilot.resize_terminal(130, 60)
        await hand.until(lambda: "PgDn" not in hand.rows()[-1])

    drive(log, work, (60, 20))


@given(st.lists(st.text("ab 日本、。「[/\\", max_size=200).map(lambda t: "  " * (len(t) % 3) + t), max_size=5), st.integers(2, 90))
def test_sentences_fit_and_lose_no_letter(said, width):
    """Whatever the words, each line is as wide as the place or less, and only blanks are lost."""
    drawn = Words(*said, hang=10)._lines(width)
    assert max(map(cell_len, drawn), default=0) <= max(width, 2 + 10)
    assert "".join(drawn).replace(" ", "") == "".join(said).replace(" ", "")


def test_what_one_list_does_not_need_is_anothers():
    def part(total):
        return Part("", "", (), total, "", lines_module.attempts, "")

    assert rooms([part(0), part(0), part(0)], 15) == [1, 1, 1]
    assert rooms([part(900), part(900), part(900)], 15) == [5, 5, 5]
    assert rooms([part(900), part(0), part(2)], 15) == [12, 1, 2]
    assert rooms([part(900), part(3), part(900)], 2) == [1, 1, 1]
    assert rooms([part(900), part(900), part(900)], None) == [10, 10, 10]
