"""`monzen serve`: what monzen knows as a page of this machine, live, with the few things that can be done from it."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import secrets
import signal
import socket
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from monzen.arguments import local_zone
from monzen.config import ConfigError
from monzen.metrics.address import answered
from monzen.settings import GateConfig
from monzen.show.text import safe
from monzen.show.words import _
from monzen.verbs.common import EXIT_USE, Adder, configuration, guarded, say
from monzen.verbs.judging import complain, files_argument, policy_options

if TYPE_CHECKING:
    from monzen.looking import Live
    from monzen.show.facts import Place

PORT: Final = 8765
HOME: Final = "127.0.0.1"
NEEDED: Final = ("starlette", "uvicorn")
LOADED: Final = (
    "anyio._backends._asyncio", "asyncio", "concurrent.futures.thread", "encodings.ascii", "encodings.idna",
    "encodings.latin_1", "encodings.unicode_escape", "h11", "inspect", "json", "multiprocessing", "starlette.applications",
    "uvicorn", "uvicorn.config", "uvicorn.lifespan.off", "uvicorn.logging", "uvicorn.loops.asyncio",
    "uvicorn.protocols.http.h11_impl", "uvicorn.server", "zoneinfo", "monzen.places", "monzen.show.html.page",
    "monzen.verbs.looking", "monzen.verbs.report", "monzen.web.app", "monzen.web.doors", "monzen.web.looker", "monzen.web.reader",
    "monzen.web.seats",
)  # fmt: skip
NO_NEW_PRIVS: Final = 38  # prctl(2), PR_SET_NO_NEW_PRIVS
SHORTEST: Final = 20  # letters of a token that somebody chose


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "serve",
        _("Show it all as a live page on this machine; deny, release, allow and explain from there."),
        "  sudo monzen serve\n  sudo monzen serve --listen 127.0.0.1:9000\n"
        "  sudo monzen serve --listen unix:/run/monzen-serve.sock\n"
        "  ssh -L 8765:127.0.0.1:8765 mail.example.net     # "
        + _("then open the address that it prints on your own computer"),
    )
    files_argument(p)
    p.add_argument(
        "--listen",
        metavar=_("ADDRESS"),
        default=f"{HOME}:{PORT}",
        help=_("where: 127.0.0.1:8765 (the default), [::1]:8765, or unix:/PATH, a socket for the same user only"),
    )
    p.add_argument(
        "--host", action="append", default=[], metavar=_("NAME"), help=_("another name that browsers ask for, with its port")
    )
    p.add_argument(
        "--token-file", metavar=_("FILE"), help=_("a token of your own, in a file that nobody else reads (default: a new one)")
    )
    p.add_argument("--since", metavar=_("TIME"), help=_("how far the logs are read back (default: 30d)"))
    p.add_argument("--names", action="store_true", help=_("show the names of users, which are hidden otherwise"))
    p.add_argument(
        "--places", metavar=_("FILE"), help=_("countries and owners of networks: a .mmdb database, or text (docs/report.md)")
    )
    p.add_argument(
        "--config", metavar=_("FILE"), help=_("the configuration (default: {path})").format(path="/etc/monzen/monzen.toml")
    )
    policy_options(p)
    p.set_defaults(run=guarded(run_serve), year=None, timezone=None)


def run_serve(options: argparse.Namespace) -> int:
    """`monzen serve`: 0 when it was told to stop, 2 where it cannot listen or read."""
    missing = [name for name in NEEDED if not _there(name)]
    if missing:
        said = _("the page takes libraries that are missing here ({names}). Run: {command}")
        command = "apt install python3-starlette python3-uvicorn" if sys.prefix == "/usr" else "pip install 'monzen[serve]'"
        complain(said.format(names=", ".join(missing), command=command))
        return EXIT_USE
    from monzen.verbs.looking import live_of
    from monzen.verbs.report import places

    try:
        token = _token(options.token_file)
        listener, hosts, address = listening(options.listen, options.host)
    except ValueError as error:
        complain(str(error))
        return EXIT_USE
    look = live_of(options, ledger=os.geteuid() != 0)
    if look is None:
        return EXIT_USE
    place = places(options.places)
    if os.geteuid() != 0:
        return _page(options, look, listener, hosts, address, token, None, place)
    from monzen.web.relay import relay

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    heard, says = os.pipe()
    _load()
    child = os.fork()
    if not child:
        ours.close()
        status = EXIT_USE
        try:
            _apart(says)
            if _become_reader():
                status = _page(options, look, listener, hosts, address, token, theirs, place)
        except ConfigError as error:
            complain(str(error))
        except Exception:  # noqa: BLE001  # a fault of ours: nobody else would say it, for this process ends here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(says)
    theirs.close()
    listener.close()
    saying = threading.Thread(target=relay, args=(heard,), daemon=True)
    saying.start()
    status = _broker(ours, child, options, address)
    saying.join(2)  # its last words
    return status


def _apart(says: int) -> None:
    """In the half without rights: no terminal of root's, into which it could type (TIOCSTI) or from which it could read."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(says, 1)
    os.dup2(says, 2)
    for number in (nothing, says):
        if number > 2:
            os.close(number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(NO_NEW_PRIVS, 1, 0, 0, 0)


def _there(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _load() -> None:
    """Everything that the half without rights needs: it may not be able to read this program any more. So it is rehearsed."""
    import asyncio
    import datetime as dt
    import importlib

    for name in LOADED:
        importlib.import_module(name)
    from monzen.judge import Policy
    from monzen.looking import Live
    from monzen.settings import Sources
    from monzen.show.words import speak
    from monzen.web.app import LANGUAGES, Site
    from monzen.web.looker import LiveLooker

    live = Live(Policy(), Sources((), False), dt.UTC, since=0.0, ledger=False)
    looker = LiveLooker(live, dt.UTC, None, names=False)
    for language in LANGUAGES:
        speak(language)
        Site(looker, dt.UTC, proof="", names=False, host="").render(language)
        looker.why("203.0.113.7")
    live.turn()
    live.close()
    asyncio.run(asyncio.to_thread(int))
    speak()


def _become_reader() -> bool:
    """The user who reads hostile text. Where there is none this half ends: it never goes on as root."""
    from monzen.web.reader import become_reader

    try:
        become_reader()
    except OSError as error:
        why = _(error.strerror or str(error))
        said = _("no user without rights can be had here ({detail}). Start monzen serve as an ordinary user")
        complain(said.format(detail=why))
        return False
    return True


def _broker(link: socket.socket, child: int, options: argparse.Namespace, address: str) -> int:
    """The half with rights, until the other one ends."""
    from monzen.verbs.remembered import Remembered
    from monzen.web.broker import Broker

    def stop(number: int, _frame: object) -> None:
        os.kill(child, number)

    def limits() -> GateConfig:
        try:
            return configuration(options).gate
        except ConfigError:
            return GateConfig()  # what lets somebody in goes on without the file

    def tell(packed: bytes, bits: int, names: bool) -> Iterator[str]:
        return Remembered(packed, bits).in_words(local_zone(), names=names)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    Broker(link, options.config, limits, tell).run()
    _pid, status = os.waitpid(child, 0)
    if address.startswith("/") and not answered(address):  # somebody else's by now
        _unlink(address)
    code = os.waitstatus_to_exitcode(status)
    return 0 if code in (0, -signal.SIGTERM, -signal.SIGINT) else EXIT_USE


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _token(path: str | None) -> str:
    """A new token, or that of a file. Raises ValueError with a sentence."""
    if path is None:
        return secrets.token_urlsafe(24)
    try:
        with open(path, encoding="ascii") as file:
            about = os.fstat(file.fileno())
            token = file.readline(200).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = _(getattr(error, "strerror", None) or str(error))
        raise ValueError(
            _("cannot read {path}: {detail}. Name a file that you may read").format(path=safe(path, 80), detail=why)
        ) from None
    if about.st_mode & 0o077 or about.st_uid not in (0, os.geteuid()):
        raise ValueError(
            _("{path} can be read by others, so its token is none. Mend it: chmod 600 {path}").format(path=safe(path, 80))
        )
    if len(token) < SHORTEST or not all(c.isalnum() or c in "-_" for c in token):
        said = _("the token in {path} is too easy. Use {n} letters, digits, - or _ or more: openssl rand -hex 20")
        raise ValueError(said.format(path=safe(path, 80), n=SHORTEST))
    return token


def listening(text: str, names: list[str]) -> tuple[socket.socket, frozenset[str], str]:
    """The socket, the hosts that may be asked for, and the address to open. Raises ValueError with a sentence."""
    if text.startswith("unix:"):
        return _local(text.removeprefix("unix:"))
    host, _colon, number = text.rpartition(":")
    host = host.strip("[]")
    if not host or not (number.isascii() and number.isdecimal()) or not 0 <= int(number) < 65536:
        raise ValueError(_("{text!r} is no address to listen at. Use 127.0.0.1:8765, [::1]:8765 or unix:/PATH").format(text=text))
    try:
        near = ip_address(host).is_loopback
    except ValueError:
        near = False
    if not near:
        said = _("{address} can be reached by others, and the page speaks no TLS. Use 127.0.0.1, with ssh -L or a proxy")
        raise ValueError(said.format(address=safe(text, 80)))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(number)))
        listener.listen(64)
    except OSError as error:
        listener.close()
        why = _(error.strerror or str(error))
        raise ValueError(
            _("cannot listen at {address}: {detail}. Choose another: --listen").format(address=text, detail=why)
        ) from None
    port = listener.getsockname()[1]
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    known = {f"{shown}:{port}", f"localhost:{port}", *(name.lower() for name in names)}
    return listener, frozenset(known), f"http://{shown}:{port}/"


def _local(path: str) -> tuple[socket.socket, frozenset[str], str]:
    """A socket that only this user, and root, may open."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid() and not answered(path):
            os.unlink(path)
    before = os.umask(0o177)
    try:
        listener.bind(path)
        listener.listen(64)
    except OSError as error:
        listener.close()
        why = _(error.strerror or str(error))
        raise ValueError(
            _("cannot listen at {address}: {detail}. Choose another: --listen").format(address=safe(path, 80), detail=why)
        ) from None
    finally:
        os.umask(before)
    return listener, frozenset(), path


def _page(
    options: argparse.Namespace,
    look: Callable[[], Live],
    listener: socket.socket,
    hosts: frozenset[str],
    address: str,
    token: str,
    link: socket.socket | None,
    place: Callable[[bytes], Place | None] | None,
) -> int:
    """The half that reads logs and speaks HTTP."""
    import asyncio
    import inspect
    import logging

    import uvicorn

    from monzen.web.app import Site
    from monzen.web.doors import Doors
    from monzen.web.looker import LiveLooker
    from monzen.web.seats import SEATS, WAITING, protocol

    live = look()
    zone = local_zone()
    looker = LiveLooker(live, zone, link, names=options.names, place=place)
    local = address.startswith("/")

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if not self.should_exit:
                listener.listen(WAITING)  # `backlog` is also how many are taken in at once, each with a file of ours

    async def serve() -> None:
        doors = Doors(_none, token, hosts, local=local)
        site = Site(looker, zone, proof=doors.proof, names=options.names, host=socket.gethostname())
        doors.app = site.app()
        wanted: dict[str, Any] = {
            "loop": "asyncio", "http": protocol(), "ws": "none", "lifespan": "off",
            "log_level": "error",  # its warnings are of what strangers send
            "server_header": False, "backlog": SEATS, "timeout_keep_alive": 20, "proxy_headers": False,
            "timeout_graceful_shutdown": 1, "h11_max_incomplete_event_size": 16_384,  # not in Debian 12's
        }  # fmt: skip
        known = inspect.signature(uvicorn.Config).parameters
        server = Server(uvicorn.Config(doors, **{key: value for key, value in wanted.items() if key in known}))
        site.ended = lambda: server.should_exit
        looking = asyncio.create_task(looker.run())
        looking.add_done_callback(lambda _task: setattr(server, "should_exit", True))
        if local:
            said = _("Listening at {path}. From your computer: {command}, then open {address}")
            ssh = f"ssh -L {PORT}:{address} {socket.gethostname()}"
            say(said.format(path=address, command=ssh, address=f"http://localhost:{PORT}/?token={token}"))
        else:
            said = _("Open {address} in a browser on this machine. To stop: Ctrl-C")
            say(said.format(address=f"{address}?token={token}"))
        sys.stdout.flush()
        await server.serve(sockets=[listener])
        looking.cancel()

    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of who went away while we spoke
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        pass
    finally:
        live.close()
    return 0


async def _none(_scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401  # what ASGI has
    """Until the application is there."""
