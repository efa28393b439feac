"""The command line: one function per verb, each with examples in its help.

Exit status: 0 done, 1 the answer is no, 2 wrong use or unreadable input.
"""

from __future__ import annotations

import argparse
import gc
import gettext
import io
import os
import sys
import time
from collections.abc import Callable, Sequence

from monzen.arguments import Help, count, local_zone, moment, progress_bar, year, zone
from monzen.show.command import remember
from monzen.show.speech import complain, say
from monzen.show.words import _, speak_also
from monzen.verbs.judging import EXIT_USE, files_argument, judge_of, policy_options

TYPE_CHECKING = False  # `typing` costs a start that needs it for nothing else
if TYPE_CHECKING:
    from monzen.verbs.apply import Imposing

INTERRUPTED = 128 + 2  # as shells say it: 128 and the number of the signal, SIGINT


CONFIG = "/etc/monzen/monzen.toml"
VERBS = (  # modules of monzen.verbs, in the order of the help
    "status", "watch", "report", "serve", "deny", "listing", "importing", "knocks", "check", "gate", "guard", "init", "mode",
    "tell", "metrics",
)  # fmt: skip


def parser(asked: str | None = None) -> argparse.ArgumentParser:
    """All verbs and options; where a verb that only reads is `asked` for, those of the gate need not be loaded."""

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> None:  # type: ignore[override]  # argparse says NoReturn; exit() does not return
            complain(message)
            self.exit(EXIT_USE, _("See: {command} --help").format(command=self.prog) + "\n")

        def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # argparse's own
            """What the innermost verb does not know is said by that verb, with its own help."""
            found, unknown = super().parse_known_args(args, namespace)
            if unknown:
                self.error(gettext.gettext("unrecognized arguments: %s") % " ".join(unknown))
            return found, unknown

    top = Parser(
        prog="monzen",
        description=_(
            "Turned away at the gate: reads the logs of a mail server and sees who guesses passwords, and from which networks."
        ),
        formatter_class=Help,
        epilog=_("Examples:") + "\n  monzen scan\n  monzen scan /var/log/mail.log\n  monzen explain /var/log/mail.log",
        add_help=False,
        allow_abbrev=False,
    )
    top.add_argument("-h", "--help", action="help", help=_("show this help"))
    top.add_argument("--version", action="store_true", help=_("show the version"))
    verbs = top.add_subparsers(prog="monzen", dest="verb", metavar=_("VERB"), parser_class=Parser)

    def verb(name: str, says: str, examples: str, logs: bool = True) -> argparse.ArgumentParser:
        p = verbs.add_parser(
            name,
            help=says,
            description=says,
            formatter_class=Help,
            epilog=_("Examples:") + "\n" + examples,
            add_help=False,
            allow_abbrev=False,
        )
        p.add_argument("-h", "--help", action="help", help=_("show this help"))
        if not logs:
            return p
        p.add_argument(
            "--year",
            type=year,
            metavar=_("YEAR"),
            help=_("the year of the first stamp that has none (default: told from the file)"),
        )
        p.add_argument(
            "--timezone",
            type=zone,
            metavar=_("ZONE"),
            help=_("what stamps without an offset mean: Asia/Tokyo, +09:00 (default: this machine's)"),
        )
        p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
        return p

    p = verb(
        "scan",
        _("Read logs, say who attacked and whom monzen would turn away. Changes nothing without --apply."),
        "  monzen scan\n  monzen scan --since 7d\n  monzen scan /var/log/mail.log* --names\n  zcat old.gz | monzen scan - --json",
    )
    files_argument(p)
    p.add_argument(
        "--since", metavar=_("TIME"), help=_("only what happened from then on: 2026-09-04, 2026-09-04T16:59, yesterday, 36h, 7d")
    )
    p.add_argument("--until", metavar=_("TIME"), help=_("only lines before then"))
    p.add_argument("--top", type=count, metavar=_("N"), help=_("rows of each table (default 10; with --json all)"))
    p.add_argument("--names", action="store_true", help=_("show the names of users, which are hidden otherwise"))
    p.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar=_("POLICY"),
        help=_("what others would have done: fail2ban, crowdsec, sshguard, or a policy file of monzen; may be repeated"),
    )
    policy_options(p)
    p.add_argument("--apply", action="store_true", help=_("then turn away whom it found, after asking (needs root)"))
    p.add_argument("--yes", action="store_true", help=_("with --apply: without asking"))
    p.add_argument("--dry-run", action="store_true", help=_("with --apply: say what would be done, and do nothing"))
    p.add_argument("--config", metavar=_("FILE"), help=_("with --apply: the configuration (default: {path})").format(path=CONFIG))
    p.set_defaults(run=run_scan)

    p = verb(
        "why",
        _("Say why an address or a network would be turned away, or why not."),
        "  monzen why 203.0.113.7\n  monzen why 203.0.113.0/24 /var/log/mail.log*\n  monzen why 2001:db8::1 --json",
    )
    p.add_argument("target", metavar=_("ADDRESS"), nargs="?", help=_("an address or a network"))
    files_argument(p)
    p.add_argument("--top", type=count, metavar=_("N"), help=_("rows of each table (default 10)"))
    p.add_argument("--names", action="store_true", help=_("show the names of users, which are hidden otherwise"))
    policy_options(p)
    p.set_defaults(run=run_why)

    p = verb(
        "explain",
        _("Say how each line reads by itself."),
        "  monzen explain /var/log/mail.log\n"
        "  monzen explain 'postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x'\n"
        "  monzen explain --json - < lines",
    )
    p.add_argument("what", nargs="*", metavar=_("LINE|FILE"), help=_("a line, log files, or - for standard input (the default)"))
    p.set_defaults(run=run_explain)

    def gate_verb(name: str, says: str, examples: str) -> argparse.ArgumentParser:
        return verb(name, says, examples, logs=False)

    if asked is None or asked not in ("scan", "why", "explain"):
        from importlib import import_module

        for module in VERBS:
            import_module(f"monzen.verbs.{module}").add(gate_verb)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `monzen`; returns the exit status."""
    try:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # `>&-`: nobody wants to hear it
                setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # for as long as the process lives
        for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter gets its escape
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        speak_also(gettext)
        given = sys.argv[1:] if arguments is None else list(arguments)
        remember(given)
        given = _joined(given)
        verb = given[0] if given else None
        # options may stand between the arguments; argparse can do that only where there are no further verbs
        options = parser(verb).parse_args(_options_last(given) if verb in ("scan", "why", "explain") else given)
        if options.version:
            from importlib.metadata import version

            print("monzen", version("monzen"))
            return 0
        if options.verb is None:
            options = parser("status").parse_args(["status"])
        run: Callable[[argparse.Namespace], int] = options.run
        status = run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # the reader went away, as head does: nothing more to say; the interpreter must not try to flush again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # inputs have their own sentences: this is the output, on a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        complain(_("cannot write the answer: {detail}").format(detail=_(error.strerror or str(error))))
        return EXIT_USE


FLAGS = ("-h", "--help", "--json", "--names", "--apply", "--yes", "--dry-run")


def _joined(given: list[str]) -> list[str]:
    """`--for -3d` as `--for=-3d`, which argparse takes for a value: no option of ours begins with a digit."""
    out: list[str] = []
    for word in given:
        option = out[-1] if out and out[-1].startswith("--") and "=" not in out[-1] else ""
        if option and option not in FLAGS and word[:1] == "-" and word[1:2].isdigit():
            out[-1] += "=" + word
        else:
            out.append(word)
    return out


def _options_last(given: list[str]) -> list[str]:
    """`why 203.0.113.7 --policy p.toml mail.log` as argparse takes it: what is no option first, in its order, options behind."""
    plain: list[str] = []
    options: list[str] = []
    rest = iter(given[1:])
    for word in rest:
        if word == "--":
            return [given[0], *options, "--", *plain, *rest]
        if word.startswith("-") and len(word) > 1:
            options.append(word)
            if "=" not in word and word not in FLAGS:
                options += [value for value in [next(rest, None)] if value is not None]
        else:
            plain.append(word)
    return [given[0], *plain, *options]


def run_scan(options: argparse.Namespace) -> int:
    """`monzen scan`."""
    if options.apply:
        from monzen.verbs.apply import with_keeper

        return with_keeper(options, scan_and)
    for name in ("yes", "dry_run", "config"):
        if getattr(options, name):
            complain(_("{option} goes with --apply only").format(option="--" + name.replace("_", "-")))
            return EXIT_USE
    return scan_and(options)


def scan_and(options: argparse.Namespace, then: Imposing | None = None) -> int:
    """Scan, report, and then do what follows from it."""
    gc.disable()  # what is imported stays to the end; while it reads, scan has a reason of its own
    from monzen.scan import Options, scan_sets
    from monzen.show.report import report
    from monzen.sources import plan

    now = time.time()
    local = options.timezone or local_zone()
    times: list[float | None] = []
    for name, text in (("--since", options.since), ("--until", options.until)):
        try:
            times.append(moment(text, now, local) if text is not None else None)
        except ValueError:
            complain(
                _("{option} {text!r} is not a time. Use 2026-09-04, 2026-09-04T16:59, yesterday, 36h or 7d").format(
                    option=name, text=text
                )
            )
            return EXIT_USE
    if times[0] is not None and times[1] is not None and times[0] >= times[1]:
        complain(_("--until {until} is not after --since {since}").format(until=options.until, since=options.since))
        return EXIT_USE
    judge, comparison = judge_of(options), None
    if judge is None:
        return EXIT_USE
    if options.compare:
        from monzen.rivals import RivalError, compare
        from monzen.show.text import safe

        try:
            comparison = compare(judge, options.compare, times[0])
        except RivalError as unknown:
            said = _("cannot compare with {name}: {why}. Use fail2ban, crowdsec, sshguard or a policy file")
            why = safe(_(unknown.why))
            if why.startswith(safe(unknown.name)):  # of a file: the sentence names it
                said = _("cannot compare: {why}")
            complain(said.format(name=safe(unknown.name), why=why))
            return EXIT_USE
    sets, errors = plan(options.files, now=now)
    total = sum(s.size for group in sets for s in group)
    with progress_bar(total, wanted=not options.json or sys.stderr.isatty()) as advance:
        asked = Options(now, local, options.year, times[0], times[1])
        pardons = then.pardons if then is not None else None
        reading = scan_sets(sets, list(errors), asked, judge, advance, comparison=comparison, pardons=pardons)
    status = 0
    if options.json:
        from monzen.show.text import json_pieces

        whole = report(reading, names=options.names, top=options.top)
        if then is not None:
            status, whole["applied"] = then.impose(reading.judge)
        for piece in json_pieces(whole):
            sys.stdout.write(piece)
        sys.stdout.write("\n")
    else:
        from monzen.gate.look import ufw_settings
        from monzen.show.terminal import Terminal

        if reading.inputs or not reading.errors:
            ufw = ufw_settings()
            sleeps = ufw is not None and not ufw.enabled
            Terminal(local, names=options.names, top=options.top or 10, sleeps=sleeps).print(reading)
        if then is not None and not reading.interrupted:
            status, _told = then.impose(reading.judge)
    sys.stdout.flush()
    gc.freeze()  # the process ends: no last look through a million objects for cycles
    gc.enable()
    from monzen.show.refused import refused

    for error in reading.errors:
        complain(refused(error))
    if reading.interrupted:
        return INTERRUPTED
    return EXIT_USE if reading.errors else status


def run_why(options: argparse.Namespace) -> int:
    """`monzen why`: 0, or 1 where the log says nothing of the target."""
    from monzen.notation import prefix_of
    from monzen.scan import Options, scan_sets
    from monzen.show.refused import refused
    from monzen.show.text import as_json
    from monzen.show.why import Subject, as_values, in_words
    from monzen.sources import plan
    from monzen.why import Watch, target_of

    if options.target is None:
        complain(_("whom is it about? Name an address or a network: monzen why 203.0.113.7"))
        return EXIT_USE
    try:
        target, bits = target_of(options.target)
    except ValueError:
        said = _("{text!r} is no address. Use one such as 203.0.113.7 or 2001:db8::1, or a network such as 203.0.113.0/24")
        exact = prefix_of(options.target)
        if exact is not None and exact[1] > 64:
            said = _("{text!r} is a part of a /64, which counts as one client. Name an address in it, or the /64")
        elif exact is not None:
            said = _("{text!r} is so wide that it is no one's. Name a network such as 203.0.113.0/24 or 2001:db8::/32")
        complain(said.format(text=options.target))
        return EXIT_USE
    now = time.time()
    local = options.timezone or local_zone()
    judge = judge_of(options)
    if judge is None:
        return EXIT_USE
    sets, errors = plan(options.files, now=now)
    watch = Watch(target, bits)
    total = sum(s.size for group in sets for s in group)
    with progress_bar(total, wanted=not options.json or sys.stderr.isatty()) as advance:
        reading = scan_sets(sets, list(errors), Options(now, local, options.year), judge, progress=advance, watch=watch.see)
    subject = Subject(reading.judge, target, bits, watch.counted, watch.lines())
    remembered = None
    if not options.files and os.path.exists("/var/lib/monzen/ledger.db"):
        from monzen.verbs.remembered import Remembered

        exact = prefix_of(options.target)
        remembered = Remembered(*exact) if exact is not None else None
    if options.json:
        more = {"ledger": remembered.as_values(options.names)} if remembered is not None else {}
        print(as_json({**as_values(subject, names=options.names), **more}))
    else:
        for line in remembered.in_words(local, names=options.names) if remembered is not None else ():
            say(line)
    if not options.json and (reading.inputs or not reading.errors):
        for line in in_words(subject, local, names=options.names, top=options.top or 10):
            say(line)
    sys.stdout.flush()
    if remembered is not None and remembered.trouble:
        complain(remembered.trouble)
    for error in reading.errors:
        complain(refused(error))
    if reading.interrupted:
        return INTERRUPTED
    known = remembered is not None and remembered.found
    if reading.errors and not known:
        return EXIT_USE
    return 0 if subject.found or known else 1


def run_explain(options: argparse.Namespace) -> int:
    """`monzen explain`: lines given as arguments, files, or stdin."""
    from monzen.explain import run

    return run(
        options.what, year=options.year, zone=options.timezone or local_zone(), as_json_lines=options.json, complain=complain
    )


if __name__ == "__main__":
    sys.exit(main())
