"""Who may ask: a token for the first step, a cookie for the next ones, the right Host and Origin, and nothing else."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from monzen.web.seats import PROVEN

COOKIE: Final = "monzen"
HEADER: Final = b"x-monzen"  # of what changes something: no form and no image of another page can send it
LONGEST: Final = 4096  # bytes of a body
SAFE: Final = ("GET", "HEAD")
NEAR: Final = ("localhost", "127.0.0.1", "[::1]")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SPOKEN: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


class Doors:
    """Before the application: refuses whoever it does not know, with as few words as will do.

    `hosts`: names and addresses with their ports by which this page is asked for; another one in Host is a page of somebody else
    whose name was pointed at us (DNS rebinding). `local`: a socket in the file system, reached through any port of
    somebody's own machine (ssh -L).
    """

    def __init__(self, app: App, token: str, hosts: frozenset[str], *, local: bool = False) -> None:
        self.app, self.token, self.hosts, self.local = app, token, hosts, local
        self.session = secrets.token_urlsafe(32)
        self.proof = secrets.token_urlsafe(32)  # in the page, for the header of what changes something

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in (b"host", b"origin", b"cookie", b"content-length"):
                await _refuse(send, 400)
                return
            headers[name] = value
        refused = self.refused(scope["method"], headers)
        if refused:
            await _refuse(send, refused)
            return
        if not self._known(headers):
            await self._greet(scope, send)
            return
        _proven(scope)

        async def spoken(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *SPOKEN]}
            await send(message)

        await self.app(scope, receive, spoken)

    def refused(self, method: str, headers: dict[bytes, bytes]) -> int:
        """The HTTP status of a refusal; 0 where nothing is wrong so far."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name, _colon, port = host.rpartition(":")
        if host not in self.hosts and not (self.local and name in NEAR and port.isdecimal()):
            return 421
        if b"transfer-encoding" in headers:
            return 413
        origin = headers.get(b"origin")
        if origin is not None and not self._ours(origin.decode("latin-1").lower(), host):
            return 403
        if headers.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none") and method not in SAFE:
            return 403
        if method in SAFE:
            return 0
        if method != "POST":
            return 405
        if origin is None:
            return 403
        if not hmac.compare_digest(headers.get(HEADER, b""), self.proof.encode()):
            return 403
        length = headers.get(b"content-length", b"")
        return 0 if length.isdigit() and len(length) < 6 and int(length) <= LONGEST else 413

    def _ours(self, origin: str, host: str) -> bool:
        return origin in (f"http://{host}", f"https://{host}")  # https: a proxy of the admin's before us

    def _known(self, headers: dict[bytes, bytes]) -> bool:
        for part in headers.get(b"cookie", b"").split(b";"):
            name, _equals, value = part.strip().partition(b"=")
            if name == COOKIE.encode() and hmac.compare_digest(value, self.session.encode()):
                return True
        return False

    async def _greet(self, scope: Scope, send: Send) -> None:
        """With the token: a cookie, and the same page without the token. Without: no."""
        try:
            asked = parse_qs(scope["query_string"][:500].decode("latin-1"), max_num_fields=10)
        except ValueError:
            asked = {}
        given = asked.pop("token", [""])[0]
        if scope["method"] not in SAFE or not hmac.compare_digest(given.encode(), self.token.encode()):
            await _refuse(send, 401)
            return
        _proven(scope)
        cookie = f"{COOKIE}={self.session}; HttpOnly; SameSite=Strict; Path=/"
        rest = urlencode({name: values[0] for name, values in asked.items()})
        place = "/" + ("?" + rest if rest else "")
        headers = [(b"location", place.encode()), (b"set-cookie", cookie.encode()), (b"content-length", b"0"), *SPOKEN]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _proven(scope: Scope) -> None:
    """Whose connection it is: somebody's who may ask."""
    tell = scope.get(PROVEN)
    if tell is not None:
        tell()


REFUSALS: Final = {
    400: "Bad request.",
    401: "Open the address that monzen serve printed: it holds the token. / monzen serve が表示したアドレスを開いてください。",
    403: "Not from this page.",
    405: "Not that way.",
    413: "Too much.",
    421: "Not by this name. Say it with --host. / この名前では応じません。--host で指定してください。",
}


async def _refuse(send: Send, status: int) -> None:
    body = f"{status} {REFUSALS[status]}\n".encode()
    about = (b"content-length", str(len(body)).encode()), (b"connection", b"close")  # a stranger holds no seat
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *about, *SPOKEN]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
