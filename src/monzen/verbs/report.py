"""`monzen report`: what happened, as a page that opens from disk, as a few lines, or as JSON."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import stat
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from monzen.addressees import ADDRESS
from monzen.arguments import local_zone, moment, progress_bar
from monzen.config import ConfigError
from monzen.gated import of_gate
from monzen.show.command import again
from monzen.show.facts import Place, gather
from monzen.show.text import as_json, iso, safe, stamp
from monzen.show.words import _, language, ngettext
from monzen.show.wrap import cut
from monzen.verbs.common import EXIT_USE, Adder, guarded, item, page, say, table
from monzen.verbs.common import moment as moment_of
from monzen.verbs.judging import complain, files_argument, judge_of, policy_options
from monzen.written import STDOUT, WriteError, reached

if TYPE_CHECKING:
    from monzen.judge import Judge
    from monzen.show.reading import Reading

RIVALS: Final = ("fail2ban", "crowdsec", "sshguard")
SINCE: Final = "30d"
ROWS: Final = 10
OWNER: Final = 40  # columns of the name of an owner
TIMES: Final = ("first", "last", "since", "at", "until", "start")
DENIAL: Final = ("at", "until", "last_knock")
INTERRUPTED: Final = 130


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "report",
        _("Show what happened: in a few lines, or as one HTML file with charts that needs nothing else."),
        "  monzen report\n  monzen report --html report.html\n  monzen report --since 7d --names --html report.html\n"
        "  monzen report /var/log/mail.log* --html - > report.html",
    )
    files_argument(p)
    said = _("only what happened from then on: 30d (the default), yesterday, 2026-09-04; all: all that the logs hold")
    p.add_argument("--since", metavar=_("TIME"), default=None, help=said)
    p.add_argument("--html", metavar=_("FILE"), help=_("write the page to this file (-: to standard output)"))
    p.add_argument("--mail", metavar=_("ADDRESS"), help=_("mail the page, through the mail server of this machine"))
    p.add_argument("--names", action="store_true", help=_("show the names of users, which are hidden otherwise"))
    p.add_argument(
        "--places", metavar=_("FILE"), help=_("countries and owners of networks: a .mmdb database, or text (docs/report.md)")
    )
    p.add_argument(
        "--compare", action="append", metavar=_("POLICY"),
        help=_("what others would have done: fail2ban, crowdsec, sshguard, a policy file, or none (default: in a page all)"),
    )  # fmt: skip
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    policy_options(p)
    p.set_defaults(run=guarded(run_report), year=None, timezone=None)


def run_report(options: argparse.Namespace) -> int:
    """`monzen report`: 0, or 2 where something cannot be read or written."""
    now, zone = time.time(), local_zone()
    since = since_of(options, now, zone)
    if isinstance(since, str):
        complain(since)
        return EXIT_USE
    from monzen.judge.policy import ROOMY

    judge = judge_of(options, ROOMY)
    if judge is None:
        return EXIT_USE
    if options.mail is not None and not ADDRESS(options.mail):
        complain(_("{text!r} is no mail address. Use one such as admin@example.net").format(text=options.mail))
        return EXIT_USE
    if options.html == STDOUT:
        options.html = "-"
    if options.html not in (None, "-") and os.path.isdir(options.html):
        complain(_("{path} is a folder. Name a file in it").format(path=safe(options.html, 80)))
        return EXIT_USE
    read = reading(options, judge, since, now, zone)
    if read is None:
        return EXIT_USE
    found, facts = read
    if options.html is not None or options.mail is not None:
        from monzen.show.html.page import report

        text = report(facts, zone, language=language())
        if options.html is not None and not put(text, options.html):
            return EXIT_USE
        if options.mail is not None and not mailed(text, facts, options.mail, now, zone):
            return EXIT_USE
    if options.json:
        print(as_json(values(facts)))
    elif options.html != "-":
        show(facts, zone, options.html)
    sys.stdout.flush()
    from monzen.show.refused import refused

    for error in found.errors:
        complain(refused(error))
    if found.interrupted:
        return INTERRUPTED
    return EXIT_USE if found.errors else 0


def since_of(options: argparse.Namespace, now: float, zone: dt.tzinfo) -> float | str | None:
    """From when on; None: from the beginning. What cannot be understood comes back as a sentence."""
    text = options.since if options.since is not None else SINCE if not options.files else "all"
    if text in ("all", _("all")):
        return None
    try:
        return moment(text, now, zone)
    except ValueError:
        said = _("{option} {text!r} is not a time. Use 2026-09-04, 2026-09-04T16:59, yesterday, 36h or 7d")
        return said.format(option="--since", text=text)


def reading(
    options: argparse.Namespace, judge: Judge, since: float | None, now: float, zone: dt.tzinfo
) -> tuple[Reading, dict[str, Any]] | None:
    """What the logs say, and the facts of it. None: it was said why not. Raises ConfigError for a table that cannot be read."""
    from monzen.rivals import RivalError, compare
    from monzen.scan import Options, scan_sets
    from monzen.show.chronicle import Chronicle
    from monzen.sources import plan

    # they cost time, and the few lines have none of them unasked
    whole = options.html is not None or options.mail is not None or options.json
    asked_for = options.compare if options.compare is not None else RIVALS if whole else ()
    names = [name for name in asked_for if name != "none"]
    place = places(options.places)
    try:
        comparison = compare(judge, names, since) if names else None
    except RivalError as unknown:
        said = _("cannot compare with {name}: {why}. Use fail2ban, crowdsec, sshguard or a policy file")
        complain(said.format(name=safe(unknown.name), why=safe(_(unknown.why))))
        return None
    chronicle = Chronicle(judge, since)
    sets, errors = plan(options.files, now=now)
    total = sum(s.size for group in sets for s in group)
    with progress_bar(total, wanted=not options.json or sys.stderr.isatty()) as advance:
        asked = Options(now, zone, options.year, since)
        found = scan_sets(sets, list(errors), asked, judge, advance, watch=chronicle.see, comparison=comparison)
    gate = of_gate(since if since is not None else 0.0, now) if not options.files else None
    return found, gather(found, chronicle, names=options.names, gate=gate, place=place)


def places(path: str | None) -> Callable[[bytes], Place | None] | None:
    """Whose an address is, by the table that the user brought. Raises ConfigError."""
    if path is None:
        return None
    from monzen.places import load_places

    return load_places(path)


def put(text: str, path: str) -> bool:
    """The page into a file, whole or not at all; or to standard output. False: it was said why not."""
    if path == "-":
        sys.stdout.write(text)
        return True
    content = text.encode()
    try:
        with reached(path) as spot:
            found = spot.found()
            if found is None or stat.S_ISREG(found.st_mode):
                spot.replace(content, public=False)
            else:  # a pipe or /dev/null: as it is
                spot.pour(content)
    except WriteError as error:
        complain(str(error))
        return False
    return True


def mailed(text: str, facts: dict[str, Any], to: str, now: float, zone: dt.tzinfo) -> bool:
    """The page by mail, its headline as the text. False: it was said why not."""
    from monzen.show.html.words import headline, period
    from monzen.tell.mail import Attachment, compose, hand_over
    from monzen.tell.message import TellError, host_name, lined

    said = f"{headline(facts)}\n\n{period(facts, zone)}\n"
    attached = Attachment("monzen.html", "text/html", text.encode())
    host = host_name()
    try:
        mail = compose(to, f"[monzen] {host}: {headline(facts)}", lined(said), host=host, now=now, attachments=[attached])
        hand_over(mail, to)
    except TellError as error:
        complain(str(error))
        return False
    say(_("sent to {address}").format(address=safe(to)))
    return True


def show(facts: dict[str, Any], zone: dt.tzinfo, html: str | None) -> None:
    """The few lines for a terminal."""
    from monzen.show.html.words import headline, period

    if not facts["lines"]:
        from monzen.show.inputs import nothing

        say(nothing(facts["inputs"], "monzen report FILE"), "bold")
    else:
        say(headline(facts), "bold")
    if facts["first"] is None:
        if html is not None:
            _written(html)
        return
    say("  " + period(facts, zone))
    for b in facts["breaches"][:ROWS]:
        item("! " + stamp(b["at"], zone, seconds=False) + "  " + b["why"], "red")
    attempts = ngettext("{n} attempt", "{n} attempts", facts["attempts"])
    clients = ngettext("{n} client attacked", "{n} clients attacked", facts["attackers"])
    users = ngettext("{n} user of yours logged in", "{n} users of yours logged in", facts["users"])
    say("  " + _("{clients} ({attempts}); {users}.").format(clients=clients, attempts=attempts, users=users))
    targets = facts["targets"]
    if targets:
        say("")
        say(_("Who would be turned away, and when"), "bold")
        rows = table(_("target"), _("came"), _("denied"), _("times"), _("let through"), _("knocks since"), right=(3, 4, 5))
        for t in targets[:ROWS]:
            when = [moment_of(at, zone) for at in (t["first"], t["denials"][0][0])]
            rows.add_row(t["target"], *when, f"{t['times']:,}", f"{t['attempts']:,}", f"{t['knocks']:,}")
        page().print(rows)
        left = len(targets) - ROWS + facts["more"]
        if left > 0:
            say("  " + ngettext("and {n} more", "and {n} more", left))
    alarms = [(a["at"], a["text"]) for a in facts["alarms"]]
    if alarms:
        say("")
        say(_("What you should look at"), "bold")
        for at, text in sorted(alarms, reverse=True)[:ROWS]:
            item(stamp(at, zone, seconds=False) + "  " + text, "yellow")
    _places(facts["places"])
    if facts["compare"]:
        from monzen.show.terminal import policies

        say("")
        say(_("What another policy would have done"), "bold")
        page().print(policies(facts["compare"]))
    say("")
    if html is None:
        page().offer(_("All of it, with charts:"), again("--html", "report.html", valued=("--mail",)), margin=0)
    else:
        _written(html)


def _written(html: str) -> None:
    say(_("The page is in {path}: open it in a browser. It needs nothing else.").format(path=safe(html, 4000)))


def _places(found: dict[str, list[list[Any]]]) -> None:
    """Whose the networks of the attackers are, by the table that the user brought."""
    titles = {"country": (_("Countries"), _("country")), "owner": (_("Owners of the networks"), _("owner"))}
    for which, counted in found.items():
        title, heading = titles[which]
        say("")
        say(title, "bold")
        rows = table(heading, _("clients"), _("attempts"), right=(1, 2))
        for name, clients, attempts in counted[:ROWS]:
            rows.add_row(cut(name, OWNER), f"{clients:,}", f"{attempts:,}")
        page().print(rows)
        if len(counted) > ROWS:
            say("  " + ngettext("and {n} more", "and {n} more", len(counted) - ROWS))


def values(facts: Any) -> Any:  # noqa: ANN401  # JSON as it comes
    """The facts with times as text. Keys never change their meaning."""
    if isinstance(facts, dict):
        return {key: _value(key, value) for key, value in facts.items() if key != "map"}
    if isinstance(facts, (list, tuple)):
        return [values(value) for value in facts]
    return facts.hex() if isinstance(facts, bytes) else facts


def _value(key: str, value: Any) -> Any:  # noqa: ANN401  # JSON as it comes
    if key == "denials" and isinstance(value, list):  # of a target, that is: a policy has a number of them
        return [{name: iso(at) if at is not None else None for name, at in zip(DENIAL, d, strict=True)} for d in value]
    if key in TIMES and isinstance(value, (int, float)) and not isinstance(value, bool):
        return iso(value)
    return values(value)


__all__ = ["ConfigError", "add", "of_gate", "reading", "run_report"]
