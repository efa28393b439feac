"""`monzen metrics`: what monzen tells Prometheus, once, into a file, or over HTTP."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any, Final

from monzen.config import ConfigError
from monzen.gate.target import GateError
from monzen.guard.followed import JOURNAL
from monzen.guard.notify import Notify
from monzen.ledger import LEDGER, Ledger, LedgerError, Tally
from monzen.ledger.place import refused
from monzen.metrics import MetricsError
from monzen.metrics.address import DEFAULT, Place, place_of
from monzen.metrics.facts import Facts
from monzen.mode import read_mode
from monzen.show.text import safe
from monzen.show.words import _
from monzen.verbs.common import CONFIG, EXIT_USE, Adder, complain, configuration, guarded
from monzen.verbs.halves import STALE, asked, reader

FRESH: Final = 1.0  # seconds for which what was looked up is good: many clients cost no more than one
PATIENCE: Final = 1.0  # seconds to wait for the gate: others wait meanwhile


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "metrics",
        _("Give what monzen knows of itself to Prometheus: to standard output, into a file, or over HTTP."),
        "  sudo monzen metrics\n  sudo monzen metrics --textfile /var/lib/prometheus/node-exporter/monzen.prom\n"
        "  sudo monzen metrics --listen\n  sudo monzen metrics --listen [::1]:9797\n"
        "  sudo monzen metrics --listen unix:/run/monzen-metrics.sock",
    )
    where = p.add_mutually_exclusive_group()
    where.add_argument("--textfile", metavar=_("FILE"), help=_("write it there, for the textfile collector of node_exporter"))
    where.add_argument(
        "--listen",
        metavar=_("ADDRESS"),
        nargs="?",
        const=DEFAULT,
        type=address,
        help=_("serve it at http://ADDRESS/metrics until it is stopped (default: {address})").format(address=DEFAULT),
    )
    p.add_argument("--config", metavar=_("FILE"), help=_("the configuration (default: {path})").format(path=CONFIG))
    p.set_defaults(run=guarded(run_metrics))


def address(text: str) -> Place:
    """Where to listen. Raises argparse.ArgumentTypeError."""
    found = place_of(text)
    if found is None:
        said = _(
            "{text!r} is no address to listen at. Use one such as 127.0.0.1:9797, [::1]:9797 or unix:/run/monzen-metrics.sock"
        )
        raise argparse.ArgumentTypeError(said.format(text=safe(text, 120)))
    return found


class Lookout:
    """Looks everything up, reading only. `complaints` are the sentences about what could not be read in the last look."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.sources = configuration(options).sources.files
        self.version = _version()
        self.complaints: list[str] = []
        self.facts: Facts | None = None
        self.looked = 0.0

    def look(self) -> Facts:
        """What is known now; of a moment ago, that."""
        start = time.monotonic()
        if self.facts is None or start - self.looked >= FRESH:
            self.facts = self._look(start)
            self.looked = time.monotonic()
        return self.facts

    def _look(self, start: float) -> Facts:
        now = time.time()
        self.complaints = []
        try:
            self.sources = configuration(self.options).sources.files
        except ConfigError as error:  # what was right at the start stands
            self.complaints.append(str(error))
        run: dict[str, Any] | None = None
        try:
            run = reader()
        except GateError as error:
            self.complaints.append(str(error))
        mode, gate, ledger = read_mode().at(now), asked(patience=PATIENCE), self._ledger(now)
        return Facts(
            now=now,
            took=time.monotonic() - start,
            version=self.version,
            mode=mode.name,
            until=mode.until,
            ledger=ledger,
            run=run,
            alive=run is not None and not run["stopped"] and now - run["at"] <= STALE,
            gate=gate if isinstance(gate, dict) else None,
            sources=frozenset((*self.sources, JOURNAL)),
        )

    def _ledger(self, now: float) -> Tally | None:
        """What the ledger counts; nothing of each where there is none yet; None where it cannot be read."""
        path = "/" + LEDGER
        try:
            try:
                os.lstat(path)
            except FileNotFoundError:
                return Tally.empty()
            with Ledger.open(path, readonly=True) as ledger:
                return ledger.tally(now)
        except OSError as error:
            self.complaints.append(str(refused(path, error)))
        except LedgerError as error:
            self.complaints.append(str(error))
        return None


def run_metrics(options: argparse.Namespace) -> int:
    """`monzen metrics`: 0; 2 where something could not be read. What could be is given all the same."""
    from monzen.metrics.exposition import check_library, expose

    try:
        check_library()
        lookout = Lookout(options)
        if options.listen is not None:
            return serve(lookout, options.listen)
        text, _content_type = expose(lookout.look())
        if options.textfile is not None:
            from monzen.metrics.textfile import write_textfile

            write_textfile(options.textfile, text)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(text)
    except MetricsError as error:
        complain(str(error))
        return EXIT_USE
    for sentence in lookout.complaints:
        complain(sentence)
    return EXIT_USE if lookout.complaints else 0


def serve(lookout: Lookout, place: Place) -> int:
    """Until SIGTERM. What cannot be read is said once, and again when that changes. Raises MetricsError."""
    from monzen.metrics.exposition import expose
    from monzen.metrics.http import Server

    said: list[str] = []

    def answer(accept: str) -> tuple[bytes, str]:
        facts = lookout.look()
        if lookout.complaints != said:
            for sentence in lookout.complaints:
                complain(sentence)
            said[:] = lookout.complaints
        return expose(facts, accept)

    server = Server(place, answer)
    if not place.near:
        warning = _(
            "{address} can be reached from other machines: whoever reaches it reads the metrics. Close the port to others"
        )
        complain(warning.format(address=place))
    notify = Notify()
    try:
        return server.run(lambda: notify.say("READY=1", f"STATUS={place}"))
    finally:
        notify.say("STOPPING=1")


def _version() -> str:
    from importlib.metadata import version

    return version("monzen")
