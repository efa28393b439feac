"""The application: the page, its renewal, explanations, and what can be done. What it knows comes from a Looker."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from monzen.show.html.page import document, drawn, part
from monzen.show.html.page import policy as content_policy
from monzen.show.html.tags import data, join, tag
from monzen.show.html.words import headline
from monzen.show.lengths import lengths
from monzen.show.words import N_, _, speak
from monzen.types import Event
from monzen.web.broker import ENDED, LATE, WIDE, BrokerError, canonical
from monzen.web.served import Served

RENEWED: Final = 2.0  # seconds between two pages of what changes all the time
BEAT: Final = 15.0  # seconds after which a silent connection says that it lives
LISTENERS: Final = 32
LANGUAGES: Final = ("en", "ja")
UNKNOWN: Final = (-1, 0.0, "", "")
QUALITY: Final = re.compile(r"q=([01](?:\.\d{0,3})?)", re.ASCII).fullmatch
ADDRESS: Final = N_("This is no address. Use one such as 203.0.113.7 or 2001:db8::1, or a network such as 203.0.113.0/24")
NO_TARGET: Final = {
    "why": ADDRESS,
    "deny": ADDRESS,
    "release": N_("Release whom? Use an address or a network such as 203.0.113.0/24, or a number of monzen list"),
    "allow": N_("Allow whom? Use an address or a network such as 203.0.113.0/24, or a host name"),
}


class Looker(Protocol):
    """What is shown."""

    version: int  # another one whenever something changed
    reading: bool  # the older logs
    may: bool  # whether something can be done

    def facts(self) -> dict[str, Any]:
        """As show.facts.gather has them."""

    def latest(self) -> list[tuple[Event, bool]]:
        """The last attempts, and whether they were of who is denied."""

    def why(self, target: str) -> str:
        """What the logs say of it. Raises ValueError for what is no address."""

    async def remembered(self, target: str, language: str) -> str:
        """What the ledger says of it, in this language."""

    async def act(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What became of what was asked for."""


@cache
def script() -> str:
    """Ours, for the live page."""
    with open(os.path.join(os.path.dirname(__file__), "serve.js"), encoding="utf-8") as file:
        return file.read()


class Site:
    """The routes, and what they need. `proof`: what a page sends with whatever changes something."""

    def __init__(self, looker: Looker, zone: dt.tzinfo, *, proof: str, names: bool, host: str) -> None:
        self.looker, self.zone, self.proof, self.names, self.host = looker, zone, proof, names, host
        self.pages: dict[str, tuple[int, float, str, str]] = {}  # by language: version, when, page, what is renewed of it
        self.listening = 0
        self.pause = RENEWED
        self.ended: Callable[[], bool] = lambda: False  # whether the server is to stop: nobody waits for more then

    def app(self) -> Starlette:
        """As ASGI has it."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/page", self.page),
                Route("/events", self.events),
                Route("/why", self.why),
                Route("/check", self.check),
                Route("/do", self.do, methods=["POST"]),
            ]
        )

    def language(self, request: Request) -> str:
        """That of `?lang=`, else of the browser."""
        asked = request.query_params.get("lang", "")
        return asked if asked in LANGUAGES else preferred(request.headers.get("accept-language", ""))

    async def page(self, request: Request) -> Response:
        """All of it."""
        language = self.language(request)
        version, at, page, anew = self.pages.get(language, UNKNOWN)
        if page and version != self.looker.version and (early := at + self.pause - time.monotonic()) > 0:
            await asyncio.sleep(early)  # an older one would stay, for nothing would tell of it again
            version, at, page, anew = self.pages.get(language, UNKNOWN)
        if not page or version != self.looker.version:
            version, begun = self.looker.version, time.monotonic()
            page, anew = self.render(language)
            self.pause = max(RENEWED, 20 * (time.monotonic() - begun))  # no more than a twentieth of a processor
            self.pages[language] = (version, time.monotonic(), page, anew)
        if request.url.path == "/page":
            return HTMLResponse(anew)
        scripts = (part("charts.min.js"), part("page.js"), script())
        policy = content_policy(scripts, (part("page.css"),), "'self'") + "; frame-ancestors 'none'"
        return HTMLResponse(page, headers={"content-security-policy": policy})

    def render(self, language: str) -> tuple[str, str]:
        """The page in a language, and what of it a page that is open takes over: without its scripts and styles."""
        speak(language)
        looker = self.looker
        facts = looker.facts()
        body = Served(facts, self.zone, latest=looker.latest(), may=looker.may, names=self.names, reading=looker.reading).all()
        other = [
            tag("a", name, href=f"/?lang={code}", hreflang=code, lang=code)
            for code, name in (("en", "English"), ("ja", "日本語"))
            if code != language
        ]
        bar = tag("nav", tag("strong", f"monzen {self.host}"), tag("span", _("connecting"), id="live", role="status"), *other)
        told = {**drawn(facts, self.zone), "proof": self.proof, "language": language, "may": looker.may, "times": lengths()}
        told["words"] = {**told["words"], **words()}
        whole = join([bar, body])
        parts = join([tag("main", whole), tag("script", data(told), id="data", type="application/json")])
        title = f"monzen: {headline(facts)}"
        return document(title, whole, told, language=language, more=(script(),)), f"<!doctype html>\n{tag('body', parts)}\n"

    async def events(self, _request: Request) -> Response:
        """Something changed: no more than that is said, and the page asks for itself."""
        if self.listening >= LISTENERS:
            return Response(status_code=503)
        return StreamingResponse(self._changes(), media_type="text/event-stream")

    async def _changes(self) -> AsyncIterator[bytes]:
        self.listening += 1
        try:
            known, said = self.looker.version, time.monotonic()
            yield b": hello\n\n"
            while not self.ended():
                await asyncio.sleep(RENEWED)
                if self.looker.version != known:
                    known, said = self.looker.version, time.monotonic()
                    yield b"data: %d\n\n" % known
                elif time.monotonic() - said > BEAT:
                    said = time.monotonic()
                    yield b": alive\n\n"
        finally:
            self.listening -= 1

    async def why(self, request: Request) -> Response:
        """Why somebody is or would be denied, or not."""
        spoken = self.language(request)
        speak(spoken)
        try:
            target = canonical("why", request.query_params.get("target", "")[:100])
            here = self.looker.why(target)
        except (BrokerError, ValueError):
            return JSONResponse({"text": _(ADDRESS)}, status_code=400)
        remembered = await self.looker.remembered(target, spoken)
        return JSONResponse({"text": "\n".join(said for said in (remembered, here) if said), "target": target})

    async def check(self, request: Request) -> Response:
        """Before anybody is asked: why a verb cannot be done to what was typed, or what exactly it would be done to."""
        verb, target = (request.query_params.get(key, "")[:255] for key in ("do", "target"))
        return JSONResponse(checked(verb, target, self.language(request)))

    async def do(self, request: Request) -> Response:
        """Deny, release, allow."""
        try:
            asked = await request.json()
        except (ValueError, RecursionError):
            return Response(status_code=400)
        if not isinstance(asked, dict) or not self.looker.may:
            return Response(status_code=403)
        order = {key: asked.get(key, "") for key in ("do", "target", "for", "language")}
        if not all(isinstance(value, str) and len(value) < 256 for value in order.values()):
            return Response(status_code=400)  # cut off or made text of, it would be another one
        if order["language"] not in LANGUAGES:
            order["language"] = self.language(request)
        found = checked(order["do"], order["target"], order["language"])
        if found["text"]:
            return JSONResponse({"status": 2, **found})
        answer = await self.looker.act({**order, "target": found.get("target", "")})
        known = answer.get("text")
        if known in (ENDED, LATE, WIDE):
            speak(order["language"])
            answer = {**answer, "text": _(known)}
        return JSONResponse(answer)


def preferred(accepted: str) -> str:
    """The language that a browser would rather have (Accept-Language, RFC 9110, 12.5.4); English where it names none of ours."""
    best, weight = "en", 0.0
    for wanted in accepted[:500].lower().split(","):
        name, _semicolon, more = wanted.partition(";")
        found = QUALITY(more.strip())
        quality = float(found[1]) if found else 1.0 if not more.strip() else 0.0
        language = name.strip().partition("-")[0]
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


def checked(verb: str, target: str, language: str) -> dict[str, str]:
    """`text`: why a verb cannot be done to this, in this language, or nothing; then `target` is what it would be done to.

    Without a target where there is no such verb: that is refused by whoever does it.
    """
    if verb not in NO_TARGET:
        return {"text": ""}
    try:
        return {"text": "", "target": canonical(verb, target)}
    except BrokerError:
        speak(language)
        return {"text": _(NO_TARGET[verb])}


def words() -> dict[str, str]:
    """What the script of the live page says."""
    return {
        "deny": _("Deny"),
        "release": _("Release"),
        "allow": _("Allow"),
        "why": _("Explain"),
        "cancel": _("Cancel"),
        "for": _("For: "),
        "live": _("live"),
        "lost": _("The connection is lost; it is tried again."),
        "refused": _("Not done ({status}). Open the page anew."),
        "sure-deny": _("Turn {target} away?"),
        "what-deny": _("On every port, without an answer. Its open connections end."),
        "sure-release": _("Let {target} in again?"),
        "what-release": _("At once. Older log lines will not deny it again."),
        "sure-allow": _("Never deny {target}?"),
        "what-allow": _("Whatever it does. What is denied of it is released."),
    }
