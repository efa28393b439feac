"""On the live page names of users are hidden, too, unless they were asked for: in the last attempts, in what is explained, in what root's half says."""

import asyncio
import datetime as dt
import re
import socket
import threading

import pytest

pytest.importorskip("starlette", reason="starlette is not installed (the extra serve)")

from monzen.show.words import speak
from monzen.web.app import Site
from monzen.web.broker import Broker, send
from monzen.web.looker import LiveLooker
from tests.show.test_hidden import WHO, log  # noqa: F401  # a fixture
from tests.test_looking import START, all_of, looking


@pytest.fixture(autouse=True)
def spoken():
    yield
    speak()


@pytest.fixture
def look(log):  # noqa: F811  # the fixture
    """What opens a looker of that log."""
    opened = []

    def look(*, names, link=None):
        live = looking(log)
        opened.append(live)
        all_of(live, START.timestamp() + 30_000)
        live.settle()
        return LiveLooker(live, dt.UTC, link, names=names)

    yield look
    for live in opened:
        live.close()


def test_the_page(look):
    for names in (True, False):
        looker = look(names=names)
        for page in Site(looker, dt.UTC, proof="", names=names, host="mail").render("en"):
            latest = page[page.index('id="latest"') : page.index("</section>", page.index('id="latest"'))]
            assert latest.count("<tr>") > 10
            assert ("user name" in latest) == names, "a column for nothing is none"
            assert [who for who in WHO if who in page] == ([*WHO] if names else [])


def test_what_the_logs_say(look):
    said = [look(names=names).why("203.0.113.9") for names in (True, False)]
    assert [any(who in text for who in WHO) for text in said] == [True, False]
    assert "***" in said[1] or "203.0.113.9" in said[1]


@pytest.mark.parametrize("names", [True, False])
def test_what_root_is_asked_for(look, names):
    """That names are shown is said by the half that was started so, and by no other value than true."""
    ours, theirs = socket.socketpair()
    asked = []

    def tell(packed, bits, shown):
        asked.append((packed, bits, shown))
        return ["said"]

    with ours, theirs:
        serving = threading.Thread(target=Broker(theirs, None, tell=tell).run, daemon=True)
        serving.start()
        assert asyncio.run(look(names=names, link=ours).remembered("203.0.113.9", "en")) == "said"
        for value in (1, "true", [True], None):
            send(ours, {"do": "why", "target": "203.0.113.9", "names": value})
        ours.shutdown(socket.SHUT_WR)
        serving.join(60)
    assert [shown for _packed, _bits, shown in asked] == [names, False, False, False, False]
    assert {row[:2] for row in asked} == {(bytes((203, 0, 113, 9)), 32)}


def test_nothing_can_be_done_where_nobody_may(look):
    """A page without a half that has rights: no button, no form, and what is sent all the same is refused."""
    looker = look(names=False)
    site = Site(looker, dt.UTC, proof="", names=False, host="mail")
    assert not looker.may
    page, _anew = site.render("en")
    assert not re.search('data-do=|id="act"', page)

    class Asked:
        query_params, headers = {}, {}

        async def json(self):
            return {"do": "deny", "target": "203.0.113.9", "for": "", "language": "en"}

    acted = []
    looker.act = acted.append
    assert asyncio.run(site.do(Asked())).status_code == 403
    assert acted == []
