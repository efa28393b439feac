"""`monzen watch`: what happens on this machine, as it happens."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from monzen.arguments import local_zone, moment
from monzen.config import Config
from monzen.notation import prefix_of
from monzen.settings import Sources
from monzen.show.speech import columns
from monzen.show.text import as_json
from monzen.show.words import _
from monzen.verbs.common import CONFIG, EXIT_USE, Adder, configuration, guarded
from monzen.verbs.judging import bounds_of, complain, policy_options

if TYPE_CHECKING:
    from monzen.looking import Live
    from monzen.screen.lines import Look
    from monzen.screen.seer import Seer

SINCE: Final = "7d"
TEXTUAL: Final = (2, 1)  # the first that was tried: Debian 13 has it


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "watch",
        _("Watch attacks as they come: who, how fast, who is denied, who is near to it; with keys to decide."),
        "  monzen watch\n  sudo monzen watch\n  monzen watch --since 1d --names\n  monzen watch /var/log/mail.log\n"
        "  monzen watch --once\n  monzen watch --json",
    )
    p.add_argument(
        "files", nargs="*", metavar=_("FILE"), help=_("logs to follow (default: as [sources] of the configuration has it)")
    )
    said = _("how far to read back: 7d (the default), 36h, yesterday, 2026-09-04; all: all that the logs hold")
    p.add_argument("--since", metavar=_("TIME"), default=None, help=said)
    p.add_argument("--names", action="store_true", help=_("show the names of users, which are hidden otherwise"))
    p.add_argument("--once", action="store_true", help=_("print how it is now, and end"))
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    p.add_argument("--plain", action="store_true", help=_("without keys, drawn again and again: what every terminal can show"))
    p.add_argument("--config", metavar=_("FILE"), help=_("the configuration (default: {path})").format(path=CONFIG))
    policy_options(p)
    p.set_defaults(run=guarded(run_watch))


def run_watch(options: argparse.Namespace) -> int:
    """`monzen watch`: 0, or 2 where nothing can be read."""
    zone, now = local_zone(), time.time()
    since: float | None = None
    text = options.since if options.since is not None else "all" if options.files else SINCE
    if text not in ("all", _("all")):
        try:
            since = moment(text, now, zone)
        except ValueError:
            said = _("{option} {text!r} is not a time. Use 2026-09-04, 2026-09-04T16:59, yesterday, 36h or 7d")
            complain(said.format(option="--since", text=text))
            return EXIT_USE
    live = live_of(options, since)
    if live is None:
        return EXIT_USE
    from monzen.screen.lines import Look, plain_terminal
    from monzen.screen.seer import Seer

    seer, look = Seer(live, zone, names=options.names), Look(zone, plain_terminal())
    try:
        if options.json:
            return values(seer)
        if options.once or not sys.stdout.isatty():
            return once(seer, look)
        if options.plain:
            return drawn(seer, look, _("Ctrl-C: end"))
        if not keys():
            said = _("Ctrl-C: end. For keys: apt install python3-textual (Debian 13), or pip install 'monzen[watch]'")
            return drawn(seer, look, said)
        from monzen.screen.app import Watching

        refusal = _("It looks at files, not at this machine: from here nothing is changed.") if options.files else ""
        app = Watching(seer, look, why=Remembering(options).lines, config=options.config, refusal=refusal)
        app.run()
        app.looking.join()  # it was woken, and ends at once
        return app.return_code or 0
    finally:
        seer.close()


def live_of(options: argparse.Namespace, since: float | None) -> Live | None:
    """The logs and the judge that the options and the configuration name; None: it was said why not."""
    from monzen.looking import Live, followable
    from monzen.verbs.guard import zone_of

    config = Config()
    if not options.files:
        config = configuration(options)
        if options.policy is None and (options.config is not None or os.path.lexists(CONFIG)):
            options.policy = options.config or CONFIG  # by what the guard goes, this does too
    bounds = bounds_of(options)
    if bounds is None:
        return None
    sources = Sources(followable(options.files), False) if options.files else config.sources
    return Live(
        bounds.policy,
        sources,
        zone_of(config),
        own=bounds.own,
        allow=bounds.allow,
        private=bounds.private,
        routes=bounds.routes,
        since=since,
        ledger=not options.files,
    )


def once(seer: Seer, look: Look) -> int:
    """One frame: 0, or 2 where none of the sources can be read."""
    from monzen.screen.frame import frame

    sight = seer.settle()
    for line in frame(sight, columns(), look):
        print(line.plain.rstrip())
    return EXIT_USE if sight.troubles and not sight.lines else 0


def values(seer: Seer) -> int:
    """The same for programs."""
    from monzen.screen.sight import as_values

    sight = seer.settle()
    print(as_json(as_values(sight, names=seer.names)))
    return EXIT_USE if sight.troubles and not sight.lines else 0


def drawn(seer: Seer, look: Look, said: str) -> int:
    """Until Ctrl-C, by rich alone."""
    from monzen.screen.frame import draw

    try:
        draw(seer, look, said)
    except KeyboardInterrupt:
        return 0
    return 0


def keys() -> bool:
    """Whether a Textual is there that we know how to use."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return tuple(int(n) for n in version("textual").split(".")[:2]) >= TEXTUAL
    except (PackageNotFoundError, ValueError):
        return False


class Remembering:
    """What the ledger says of a target, in words; nothing where files were named."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.files, self.names = bool(options.files), bool(options.names)

    def lines(self, target: str) -> Sequence[str]:
        """As `monzen why` begins."""
        from monzen.verbs.remembered import Remembered

        exact = None if self.files else prefix_of(target)
        if exact is None:
            return ()
        found = Remembered(*exact)
        return list(found.in_words(local_zone(), names=self.names)) if found.found else ()
