"""A message POSTed to a URL of the admin's: by a child with the rights of nobody, because an answer is hostile text too."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO, Final
from urllib.parse import urlsplit

from monzen.show.text import safe
from monzen.show.words import _
from monzen.tell.apart import Rights, ask_apart
from monzen.tell.message import TellError, tried

PATIENCE: Final = 10.0  # seconds for all of it


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody: a POST that is sent elsewhere would become a GET, and where to is the answer's choice, not the admin's."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        """None: the redirect is the answer."""


def post(url: str, user: str, data: bytes) -> None:
    """POST it; a status from 200 to 299 means that it was taken. Raises TellError."""
    import encodings.idna  # noqa: F401  # what a child of another user may not be able to load: getaddrinfo asks for it

    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", "User-Agent": "monzen", "Accept": "*/*"}, method="POST"
    )
    # no proxy of the environment, no file:, no ftp:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(context=ssl.create_default_context()), _Stay(),
        urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)

    def work() -> bytes:
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                return b"%d" % answer.status
        except urllib.error.HTTPError as error:
            return b"%d" % error.code
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            return (getattr(reason, "strerror", None) or str(reason) or type(reason).__name__).encode("utf-8", "replace")[:300]

    answer = ask_apart(work, Rights.of(user), PATIENCE)
    parts = urlsplit(url)
    where = safe(f"{parts.scheme}://{parts.netloc}", 200)  # a path may be a secret
    if answer is None:
        why = _("not done after {n:.0f} seconds").format(n=PATIENCE)
    elif answer.isdigit() and len(answer) == 3:
        if answer.startswith(b"2"):
            return
        why = _("it answers {status}").format(status=answer.decode())
        if answer.startswith(b"3"):
            why += _(", which is another address: name that one in [tell] post")
    else:
        why = safe(answer, 200)
    said = _("the POST to {where} failed ({why})").format(where=where, why=why)
    raise TellError(said, tried(), _("Look at the address in [tell] post, and at the log of that server"))
