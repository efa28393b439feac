"""The half of `monzen serve` that has rights: it does the few things that can be asked for, each by the verb of a person.

It shares nothing but a socket with the half that reads logs and speaks HTTP; what comes from there is checked word by word.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from monzen.notation import HOST, LENGTH, prefix_of
from monzen.services import command as program
from monzen.settings import GateConfig
from monzen.show.text import network
from monzen.show.words import N_, speak

LONGEST: Final = 1 << 25  # bytes of an answer
DENIED: Final = 200_000  # networks that are told of, and
LASTING: Final = 2_000  # denials that are told of one by one, the newest: with their reasons some 2 MB
WRITTEN: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?").fullmatch  # the longest: INET6_ADDRSTRLEN of netinet/in.h
NUMBER: Final = re.compile(r"[0-9]{1,18}").fullmatch  # of a denial: SQLite has 64 bits
VERBS: Final = ("deny", "release", "allow")
PATIENCE: Final = 60.0  # seconds: the ledger may be busy
LATE: Final = N_("It took longer than a minute and was stopped. See what became of it: monzen gate status")
WIDE: Final = N_(
    "Nothing wider than what may be denied by hand is released or allowed from here ([gate] widest4, widest6). "
    "In a terminal it is: monzen release NETWORK"
)
ENDED: Final = N_("Nothing was done: the half of monzen serve that may do it has ended. Start monzen serve again")


class BrokerError(Exception):
    """What was asked for is nothing that can be done; for the log."""


def canonical(verb: str, target: str) -> str:
    """An address or a network as it is shown; for some verbs also a number or a host name. Raises BrokerError.

    Only what these are written as: no zone, no mask, no brackets, no blanks, which the verbs of a person take too.
    """
    prefix = prefix_of(target) if WRITTEN(target) else None
    if prefix is not None:
        return network(*prefix)
    if verb == "release" and NUMBER(target):
        return str(int(target))
    if verb == "allow" and HOST(target):
        return target.rstrip(".").lower()
    raise BrokerError("no such target")


def command(verb: str, target: str, length: str = "") -> list[str]:
    """The arguments of the verb that does it. Raises BrokerError."""
    if verb not in VERBS:
        raise BrokerError("no such verb")
    target = canonical(verb, target)
    if length and (verb != "deny" or LENGTH(length) is None):
        raise BrokerError("no such time")
    more = ["--for", length] if length else []
    return [verb, *more, "--", target]


class Broker:
    """Serves one socket until the other end is closed. `gate`: the table of the configuration, as it is now.

    `tell`: what the ledger says of a packed address with its prefix length, with the names of users or without, in lines.
    """

    def __init__(
        self,
        link: socket.socket,
        config: str | None,
        gate: Callable[[], GateConfig] = GateConfig,
        tell: Callable[[bytes, int, bool], Iterable[str]] = lambda *_asked: (),
    ) -> None:
        self.link, self.config, self.limits = link, os.path.abspath(config) if config is not None else None, gate
        self.tell = tell

    def run(self) -> None:
        """Question and answer, one at a time, each a line of JSON with its length before it."""
        while True:
            try:
                asked = receive(self.link)
                if asked is None:
                    return
                answer = self.answer(asked)
            except BrokerError as error:
                answer = {"status": 2, "text": f"refused: {error}"}
            except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
                answer = {"status": 2, "text": "refused: no question"}
            except OSError:
                return
            send(self.link, answer)

    def answer(self, asked: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever JSON holds
        """What became of it: an exit status and what the verb said; or what the ledger says of a time."""
        if not isinstance(asked, dict):
            raise BrokerError("no question")
        if asked.get("do") == "gate":
            return self.gate(float(asked["since"]))
        language = "ja" if asked.get("language") == "ja" else "en"
        verb, target, length = asked["do"], asked["target"], asked.get("for", "")
        if not (isinstance(verb, str) and isinstance(target, str) and isinstance(length, str)):
            raise BrokerError("no question")  # `null` as text would be a host name
        if verb == "why":
            return {"text": self.remembered(target, language, names=asked.get("names") is True)}
        arguments = command(verb, target, length)
        if verb != "deny" and self.wide(arguments[-1]):  # the verb of that name says it itself
            return {"status": 2, "text": WIDE}
        return self.act(arguments, language)

    def wide(self, target: str) -> bool:
        """Whether so much may not even be denied by hand: to let all of it in would be a panic, which is none of ours."""
        prefix = prefix_of(target)
        if prefix is None:
            return False
        limits = self.limits()
        return prefix[1] < (limits.widest4 if len(prefix[0]) == 4 else limits.widest6)

    def act(self, arguments: Sequence[str], language: str) -> dict[str, Any]:
        """Run the verb as a person would."""
        options = ["--config", self.config] if self.config is not None else []
        spoken = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANGUAGE": language, "LC_ALL": "C.UTF-8", "COLUMNS": "100"}
        spoken |= {name: os.environ[name] for name in ("TZ", "SSH_CONNECTION") if name in os.environ}
        verb, *rest = arguments
        try:
            done = subprocess.run(
                program(verb, *options, *rest),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=spoken,
                cwd="/",
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"status": 2, "text": LATE}
        return {"status": done.returncode, "text": done.stdout.decode("utf-8", "replace")[:20_000]}

    def remembered(self, target: str, language: str, *, names: bool) -> str:
        """What the ledger says of an address or a network, as `monzen why` begins; nothing where it says nothing."""
        prefix = prefix_of(canonical("why", target))
        if prefix is None:
            raise BrokerError("no such target")
        speak(language)
        try:
            return "\n".join(self.tell(*prefix, names))[:20_000]
        finally:
            speak()

    def gate(self, since: float) -> dict[str, Any]:
        """What the ledger knows."""
        import time

        from monzen.gated import of_gate

        found = of_gate(since, time.time())
        if found is None:
            return {"gate": None}
        denied = [[network.hex(), bits] for network, bits in found.denied[:DENIED]]
        newest = sorted(found.now, key=lambda row: -row["number"])[:LASTING]
        return {"gate": {**found._asdict(), "denied": denied, "now": newest}}


def send(link: socket.socket, value: Any) -> None:  # noqa: ANN401  # what JSON holds
    """A value, with its length before it. Raises OSError."""
    data = json.dumps(value).encode()
    if len(data) > LONGEST:
        data = b'{"status": 2, "text": "more than can be said"}'
    link.sendall(len(data).to_bytes(4, "big") + data)


def receive(link: socket.socket) -> Any:  # noqa: ANN401  # what JSON holds
    """The next value; None where there will be none. Raises OSError, ValueError."""
    head = _exactly(link, 4)
    if head is None or not 0 < int.from_bytes(head, "big") <= LONGEST:
        return None
    data = _exactly(link, int.from_bytes(head, "big"))
    return None if data is None else json.loads(data)


def _exactly(link: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        piece = link.recv(min(1 << 16, count - len(data)))
        if not piece:
            return None
        data += piece
    return data
