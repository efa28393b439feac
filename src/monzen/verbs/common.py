"""What the verbs of the gate share: configuration, targets as people type them, rows as people and programs read them."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, Protocol

from monzen.arguments import Help, local_zone
from monzen.config import Config, ConfigError, load
from monzen.gate.target import PROTOCOLS, TCP, UDP, GateError
from monzen.gated import because, door
from monzen.ledger import Entry, LedgerError
from monzen.notation import LENGTH, UNITS, prefix_of
from monzen.show.command import remedy
from monzen.show.page import Moment, Table
from monzen.show.speech import complain, item, line, page, say
from monzen.show.text import PORTS, as_json, iso, network, safe, stamp
from monzen.show.words import _

CONFIG: Final = "/etc/monzen/monzen.toml"
PORT = re.compile(r"(\d{1,5}|[a-z][a-z0-9-]{0,30})(?:/(tcp|udp))?", re.ASCII).fullmatch
LONGEST: Final = 10 * 365 * 86_400.0  # seconds: who means longer means for good
EXIT_NO, EXIT_USE = 1, 2


class Adder(Protocol):
    """Adds a verb to the command line: its name, what it does in a sentence, its examples."""

    def __call__(self, name: str, says: str, examples: str) -> argparse.ArgumentParser:
        """The parser of the verb, for its options."""


class Port(NamedTuple):
    """A door: number, and TCP, UDP or 0 for both."""

    number: int
    protocol: int


def port(text: str) -> Port:
    """`25`, `25/tcp`, `smtp`. Raises argparse.ArgumentTypeError."""
    found = PORT(text.strip().lower())
    if found is not None:
        protocol = {None: 0, "tcp": TCP, "udp": UDP}[found[2]]
        names = {name: number for number, name in PORTS.items()}
        number = int(found[1]) if found[1].isdigit() else names.get(found[1], 0)
        if 0 < number < 65536:
            return Port(number, protocol)
    raise argparse.ArgumentTypeError(
        _("{text!r} is not a port. Use a number such as 25, 25/tcp or 53/udp, or a name such as smtp").format(text=text)
    )


def seconds(text: str) -> float:
    """`90s`, `30m`, `12h`, `7d`, `2w`. Raises argparse.ArgumentTypeError."""
    found = LENGTH(text.strip())
    length = float(found[1]) * UNITS[found[2]] if found else 0.0
    if 1 <= length <= LONGEST:
        return length
    raise argparse.ArgumentTypeError(_("{text!r} is not a length of time. Use one such as 30m, 12h or 7d").format(text=text))


def prefix(text: str) -> tuple[bytes, int]:
    """An address or a network as typed: an IPv6 address is that address. Raises argparse.ArgumentTypeError."""
    found = prefix_of(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            _("{text!r} is no address. Use one such as 203.0.113.7 or 2001:db8::1, or a network such as 203.0.113.0/24").format(
                text=safe(text, 60)
            )
        )
    return found


def gate_options(p: argparse.ArgumentParser, *, dry: bool = False) -> None:
    """What every verb of the gate takes."""
    p.add_argument("--config", metavar=_("FILE"), help=_("the configuration (default: {path})").format(path=CONFIG))
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    if dry:
        p.add_argument("--dry-run", action="store_true", help=_("say what would be done, and do nothing"))


def part(parts: argparse._SubParsersAction[Any], name: str, says: str, examples: str) -> argparse.ArgumentParser:
    """A verb below a verb: the same help as the verbs have, with what it does and examples."""
    p: argparse.ArgumentParser = parts.add_parser(
        name,
        help=says,
        description=says,
        formatter_class=Help,
        epilog=_("Examples:") + "\n" + examples,
        add_help=False,
        allow_abbrev=False,
    )
    p.add_argument("-h", "--help", action="help", help=_("show this help"))
    return p


def configuration(options: argparse.Namespace, *, privileged: bool = True) -> Config:
    """The configuration. `privileged`: as root, a file that others can write is refused. Raises ConfigError."""
    path = options.config or CONFIG
    if options.config is None and not os.path.lexists(path):
        return Config()
    if privileged and os.geteuid() == 0:
        check_owner(path)
    return load(path)


def configuration_or_none(options: argparse.Namespace) -> Config:
    """The configuration, for what lets somebody in: where it cannot be read that is said, and it goes on without.

    What goes on with `broken` only takes denials away (Upkeep): whom the file allows, only the firewall knows then.
    """
    try:
        return configuration(options)
    except ConfigError as error:
        sys.stdout.flush()
        complain(str(error))
        complain(_("going on without the configuration, for this lets somebody in"))
        return Config(broken=str(error))


def check_owner(path: str) -> None:
    """A file that decides whom root denies belongs to root, and nobody else writes it or its folder. Raises ConfigError."""
    real = os.path.realpath(path)
    for place in (real, os.path.dirname(real)):
        try:
            found = os.stat(place)
        except OSError:
            return  # load says it better
        sticky = place != real and found.st_mode & stat.S_ISVTX
        if found.st_uid not in (0, os.geteuid()) or (found.st_mode & 0o022 and not sticky):
            raise ConfigError(
                _(
                    "{path} can be written by others than root, so it is not used. Mend it: chown root {path}; chmod go-w {path}"
                ).format(path=safe(place))
            )


def agreed(question: str) -> bool:
    """Whether the person at the terminal says yes. Where not, also by Ctrl-C or Ctrl-D, it is said that nothing was changed."""
    try:
        if input(question).strip().lower() in ("y", "yes", "はい"):
            return True
    except EOFError:
        print()
    except KeyboardInterrupt:
        print()
        say(_("Nothing was changed."))
        raise
    say(_("Nothing was changed."))
    return False


def only_root() -> None:
    """For what changes the firewall. Raises GateError for who is not root."""
    if os.geteuid() != 0:
        raise GateError(_("this changes the firewall. {remedy}").format(remedy=remedy()))


def guarded(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A verb whose refusals are one sentence on stderr and exit status 2."""

    def inner(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except (ConfigError, GateError, LedgerError) as error:
            sys.stdout.flush()
            complain(str(error))
            return EXIT_USE

    return inner


def table(*headings: str, right: Iterable[int] = ()) -> Table:
    """A table of ours."""
    return Table(headings, set(right))


def named(entry: Entry) -> str:
    """`203.0.113.0/24`, `203.0.113.7 port 25/tcp`."""
    return network(entry.network, entry.bits) + door(entry.port, entry.protocol)


def until(entry: Entry, zone: dt.tzinfo) -> str:
    """When it ends, for people."""
    return _("for good") if entry.until is None else stamp(entry.until, zone, seconds=False)


def moment(time: float, zone: dt.tzinfo) -> Moment:
    """A time in a table, to the minute."""
    return Moment(time, zone, seconds=False)


def ends(entry: Entry, zone: dt.tzinfo) -> str | Moment:
    """When it ends, in a table."""
    return until(entry, zone) if entry.until is None else moment(entry.until, zone)


def values(entry: Entry) -> dict[str, Any]:
    """A denial for programs. Keys never change their meaning."""
    return {
        "number": entry.number,
        "target": network(entry.network, entry.bits),
        "port": entry.port or None,
        "protocol": PROTOCOLS[entry.protocol] or None,
        "at": iso(entry.since),
        "until": None if entry.until is None else iso(entry.until),
        "rule": entry.rule,
        "origin": entry.origin,
        "note": entry.note,
        "actor": entry.actor,
        "clients": entry.clients,
        "attempts": entry.attempts,
        "knocks": entry.knocks,
        "bytes": entry.octets,
        "last_knock": None if entry.last_knock is None else iso(entry.last_knock),
        "ended": None if entry.ended is None else iso(entry.ended),
        "ending": entry.ending or None,
    }


__all__ = [
    "CONFIG", "EXIT_NO", "EXIT_USE", "Adder", "Port", "agreed", "as_json", "because", "complain", "configuration",
    "configuration_or_none", "door", "ends", "gate_options", "guarded", "item", "line", "local_zone", "moment", "named",
    "only_root", "page", "part", "port", "prefix", "say", "seconds", "table", "until", "values",
]  # fmt: skip
