"""What the verbs that read logs share: what is read, which limits hold, whom this machine never denies."""

from __future__ import annotations

import argparse
import os

from monzen.show.speech import complain
from monzen.show.words import _

TYPE_CHECKING = False  # `typing` costs a start that needs it for nothing else
if TYPE_CHECKING:
    from monzen.judge import Judge, Policy
    from monzen.judge.routes import Routes
    from monzen.judge.shield import Prefix

EXIT_USE = 2
CONFIG = "/etc/monzen/monzen.toml"


def files_argument(p: argparse.ArgumentParser) -> None:
    """What is read: the same for each verb that judges."""
    p.add_argument(
        "files",
        nargs="*",
        metavar=_("FILE"),
        help=_(
            "log files, folders, globs, or - for standard input "
            "(default: mail.log*, auth.log* and ufw.log* in /var/log, else the journal)"
        ),
    )


def policy_options(p: argparse.ArgumentParser) -> None:
    """What changes the judge: the same for each verb that judges."""
    p.add_argument(
        "--policy", metavar=_("FILE"), help=_("a TOML file with other limits, and whom never to deny (docs/policy.md)")
    )
    p.add_argument(
        "--routes",
        metavar=_("FILE"),
        help=_("which prefixes are one network: a routing table as text, .gz or .mmdb (docs/policy.md)"),
    )


class Bounds:
    """What a judge goes by: its policy, whom it never denies (judge/shield.py), its routing table."""

    __slots__ = ("allow", "own", "policy", "private", "routes")

    def __init__(self, policy: Policy, own: list[Prefix], allow: list[Prefix], private: bool, routes: Routes | None) -> None:
        self.policy, self.own, self.allow, self.private, self.routes = policy, own, allow, private, routes


def judge_of(options: argparse.Namespace, times: int = 1) -> Judge | None:
    """The judge as the policy file has it, this machine in its shield where its own logs are read; None: it was said why.

    `times`: how many times a scan's memory its tables may take.
    """
    from monzen.judge import Judge, Shield

    bounds = bounds_of(options, times)
    if bounds is None:
        return None
    return Judge(bounds.policy, Shield(bounds.own, bounds.allow, bounds.private), bounds.routes)


def bounds_of(options: argparse.Namespace, times: int = 1) -> Bounds | None:
    """The same, before a judge is made of it."""
    from monzen.judge import Policy
    from monzen.judge.policy import frugal

    policy, private, path, routes = Policy(), False, options.routes, None
    own: list[Prefix] = []
    allow: list[Prefix] = []
    file, apply = options.policy, getattr(options, "apply", False)
    if apply and file is None:  # what the gate goes by, the judge does too
        file = options.config or (CONFIG if os.path.lexists(CONFIG) else None)
    if file is not None or path is not None:
        from monzen.config import Config, ConfigError, load
        from monzen.machine import resolve
        from monzen.routing import load_routes

        try:
            config = load(file) if file is not None else Config()
            path = path if path is not None else config.routes
            routes = load_routes(path) if path is not None else None
        except ConfigError as error:
            complain(str(error))
            return None
        found, unknown = resolve(config.names)
        for name in unknown:
            said = _("{name} has no address now, so it is not allowed this time. Check the name, or write its address")
            complain(said.format(name=name))
        policy, own, allow, private = config.policy, [*config.own], [*config.allow, *found], config.private
        if any(bits < (8 if len(packed) <= 4 else 16) for packed, bits in config.allow):
            complain(_("[shield] allow names a network so wide that hardly anybody is denied. Name narrower ones"))
    if apply:
        own += options.shielded
    elif not options.files:
        from monzen.machine import admin, prefixes

        own += [*prefixes(), *((packed, 8 * len(packed)) for packed in admin())]
    return Bounds(frugal(policy, times), own, allow, private, routes)


__all__ = ["Bounds", "bounds_of", "complain", "files_argument", "judge_of", "policy_options"]
