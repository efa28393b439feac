"""`monzen tell`: alarms that nobody was told of, told by mail, hook and POST; `monzen digest`: a day or a week in a mail."""

from __future__ import annotations

import argparse
import gettext
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from monzen.config import Config
from monzen.keeper import Keeper
from monzen.ledger import LEDGER, LedgerError
from monzen.mode import Mode, read_mode
from monzen.show.command import remedy
from monzen.show.text import as_json, safe
from monzen.show.words import _, ngettext, speak, speak_also
from monzen.tell.message import Message, Row, TellError, as_values, host_name, lined
from monzen.tell.topics import TOPICS, topic_of
from monzen.verbs.common import EXIT_NO, EXIT_USE, Adder, complain, configuration, gate_options, guarded, local_zone, say
from monzen.verbs.halves import asked, reader
from monzen.verbs.status import headline, of_ledger
from monzen.verbs.troubles import troubles

if TYPE_CHECKING:
    from monzen.tell.digest import Digest

DAY: Final = 86_400.0
LENGTHS: Final = {"1d": DAY, "7d": 7 * DAY}
EVERY: Final = {"daily": DAY, "weekly": 7 * DAY}
EARLY: Final = DAY / 6  # seconds that one may come earlier than the last: the timer's time of day is not exact
NOTED: Final = "digest"  # in the ledger: when the last one was sent


def add(verb: Adder) -> None:
    """Both verbs."""
    p = verb(
        "tell",
        _("Tell of alarms by mail, hook or POST, as [tell] in the configuration says. A timer runs it each minute."),
        "  sudo monzen tell --test\n  sudo monzen tell --dry-run\n  sudo monzen tell --json",
    )
    gate_options(p, dry=True)
    p.add_argument("--test", action="store_true", help=_("send a test by every way now, and say what came of it"))
    p.set_defaults(run=telling(run_tell))
    p = verb(
        "digest",
        _("Sum up the last day or week in a mail: who was turned away, who knocked, your users, what to look at."),
        "  sudo monzen digest --print\n  sudo monzen digest --since 7d --print\n  sudo monzen digest",
    )
    gate_options(p, dry=True)
    p.add_argument("--since", choices=tuple(LENGTHS), help=_("how long back (default: as [tell] digest says)"))
    p.add_argument("--print", action="store_true", help=_("show it instead of sending it"))
    p.add_argument("--due", action="store_true", help=_("only if [tell] digest says that it is time; for the timer"))
    p.set_defaults(run=telling(run_digest))


def telling(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A verb whose refusals are one sentence on stderr and exit status 2, those of telling among them."""

    def inner(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except TellError as error:
            sys.stdout.flush()
            complain(str(error))
            return EXIT_USE

    return guarded(inner)


def _set(options: argparse.Namespace) -> Config:
    """The configuration; from now on its language is spoken. Raises ConfigError, TellError."""
    if os.geteuid() != 0:
        raise TellError(_("only root may read what is to be told. {remedy}").format(remedy=remedy()))
    config = configuration(options)
    if config.tell.language:
        speak(config.tell.language)
        speak_also(gettext)
    return config


def _wrong(now: float) -> tuple[Mode, list[tuple[str, str]]]:
    """The mode, and what is wrong, with its kinds."""
    mode = read_mode().at(now)
    return mode, list(troubles(mode, reader(), asked(), now))


# ---- tell


def run_tell(options: argparse.Namespace) -> int:
    """`monzen tell`: 0 all that was due is told, 1 somebody could not be told, or nobody is set."""
    from monzen.tell.memory import load, only_one
    from monzen.tell.rounds import Round, ways

    config = _set(options)
    senders = ways(config)
    if not senders:
        if options.json:
            print(as_json({"ways": [], "sent": []}))
        elif sys.stdout.isatty() or options.test:
            say(_("Nobody is told: set mail, hook or post in [tell] of the configuration (docs/telling.md)."))
        return EXIT_NO if options.test else 0
    now = time.time()
    if options.test:
        return _test(options, senders, now)
    with nullcontext() if options.dry_run else only_one():
        a_round = Round(load(), now)
        a_round.look(_wrong(now)[1], dry=options.dry_run)
        if options.dry_run:
            sent = [(way, message, "") for way in senders for message in a_round.due(way)]
        else:
            sent = [(s.way, s.message, s.error) for s in a_round.send(senders)]
    return _said(options, list(senders), sent)


def _test(options: argparse.Namespace, senders: dict[str, Any], now: float) -> int:
    """A message by every way, whatever was sent before."""
    row = Row("test", now, "test", _("This is a test of monzen. If you read it, alarms will reach you."))
    message = Message("test", (row,), now, host_name())
    sent = []
    for way, sender in senders.items():
        error = ""
        if not options.dry_run:
            try:
                sender(message)
            except TellError as problem:
                error = problem.of_a_test
        sent.append((way, message, error))
    return _said(options, list(senders), sent)


def _said(options: argparse.Namespace, ways: list[str], sent: list[Any]) -> int:
    """What became of it."""
    from monzen.tell.memory import WAYS

    failed = [error for _way, _message, error in sent if error]
    if options.json:
        rows = [{"way": way, "error": error or None, **as_values(message)} for way, message, error in sent]
        print(as_json({"ways": ways, "dry_run": options.dry_run, "sent": rows}))
    else:
        for way, message, error in sent:
            alarms = ngettext("{n} alarm", "{n} alarms", len(message.rows))
            if error:
                complain(str(error))
            elif options.dry_run:
                said = _("would be told by {way}: {topic} ({alarms})")
                say(said.format(way=_(WAYS[way]), topic=_(TOPICS[message.topic]), alarms=alarms))
            else:
                said = _("told by {way}: {topic} ({alarms})")
                say(said.format(way=_(WAYS[way]), topic=_(TOPICS[message.topic]), alarms=alarms), "green")
        if not sent and sys.stdout.isatty():
            say(_("There is nothing to tell."))
    return EXIT_NO if failed else 0


# ---- digest


def run_digest(options: argparse.Namespace) -> int:
    """`monzen digest`: 0 sent or shown, 1 nobody is set to get it."""
    from monzen.tell import digest as pages
    from monzen.tell.mail import compose, hand_over
    from monzen.tell.page import report_since
    from monzen.verbs.report import of_gate

    config = _set(options)
    now = time.time()
    show = options.print or options.json
    if not show and not config.tell.mail:
        if options.due:
            return 0
        say(_("Nobody gets the digest: set mail in [tell] of the configuration, or see it with --print."))
        return EXIT_NO
    length = LENGTHS.get(options.since) or EVERY.get(config.tell.digest, DAY)
    with Keeper(config) as keeper:
        there = os.path.exists("/" + LEDGER)
        if options.due:
            if config.tell.digest == "off" or not there:
                return 0
            last = float(keeper.ledger.noted(NOTED) or 0)
            if last <= now < last + length - EARLY:
                return 0
        found = _digest(keeper, config, now, now - length)
        text = pages.text(found, local_zone(), host_name())
        if options.json:
            print(as_json(pages.as_values(found)))
            return 0
        if options.print:
            for line in text.splitlines():
                say(line)
            return 0
        to, host = config.tell.mail, host_name()
        if options.dry_run:
            say(_("would be sent to {address}: {subject}").format(address=safe(to), subject=pages.subject(found, host)))
            return 0
        beside = report_since(config, of_gate(now - length, now), now - length, now, local_zone())
        mail = compose(to, pages.subject(found, host), lined(text), host=host, now=now, attachments=beside)
        hand_over(mail, to)
        if there:
            keeper.writes()
            keeper.ledger.note(NOTED, str(now))
            waited = [a.number for a in found.alarms[: pages.ALARMS] if not topic_of(a.kind)]  # the others go by every way
            keeper.ledger.told(waited, now)
    say(_("sent to {address}").format(address=safe(to)))
    return 0


def _digest(keeper: Keeper, config: Config, now: float, since: float) -> Digest:
    """All that it says. Raises LedgerError."""
    from monzen.tell.digest import gather
    from monzen.tell.users import users_since

    mode, found = _wrong(now)
    wrong = [text for _kind, text in found]
    ledger = None
    facts: dict[str, Any] = {}
    try:
        facts = of_ledger(keeper, now)
        ledger = keeper.ledger if os.path.exists(keeper.path) else None
    except LedgerError as error:
        wrong.append(str(error))
    return gather(
        ledger, since, now, headline=headline(mode, wrong, facts)[0], wrong=tuple(wrong), mode=mode.name,
        users=users_since(config, since, now),
    )  # fmt: skip
