"""`monzen run` and `monzen gate serve`: the two halves of the guard, started by systemd or by hand."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import os
import pwd
import sys
from collections.abc import Callable

from monzen.arguments import local_zone
from monzen.config import Config
from monzen.show.words import _
from monzen.verbs.common import CONFIG, EXIT_USE, Adder, complain, configuration, guarded, part


def add(verb: Adder) -> None:
    """`run`; `gate serve` is added by the verb `gate`."""
    p = verb(
        "run",
        _("The guard: follow the logs and the journal, judge, and ask the gate to turn attackers away. It needs no rights."),
        "  systemctl status monzen\n  monzen run --config /etc/monzen/monzen.toml",
    )
    p.add_argument("--config", metavar=_("FILE"), help=_("the configuration (default: {path})").format(path=CONFIG))
    p.add_argument("--once", action="store_true", help=_("read and judge what there is, remember it, and end"))
    p.add_argument(
        "--state", metavar=_("FOLDER"), help=_("where it remembers (default: {path})").format(path="/var/lib/monzen-run")
    )
    p.set_defaults(run=guarded(run_run))


def add_serve(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # argparse names no public type for it
    """`gate serve`."""
    p = part(
        parts,
        "serve",
        _("impose what monzen run finds, and keep the firewall as it should be"),
        "  systemctl status monzen-gate\n  sudo monzen gate serve --config /etc/monzen/monzen.toml",
    )
    p.add_argument("--config", metavar=_("FILE"), help=_("the configuration (default: {path})").format(path=CONFIG))
    p.set_defaults(run=guarded(run_serve))


def logs() -> None:
    """One line on stderr for each thing that happened: journald keeps it, with a time of its own."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")


def _be_who_reads(state: str | None) -> None:
    """Root starts it as the user who reads hostile text all day: the one whose the folder is, who could not write what root made.

    Where there is neither a folder nor a user for it, root stays root. Raises OSError.
    """
    from monzen.services import USER
    from monzen.setup import HOME

    folder = state or HOME
    try:
        owner = pwd.getpwuid(os.stat(folder).st_uid)
    except FileNotFoundError:
        try:
            owner = pwd.getpwnam(USER)
        except KeyError:
            return
        os.makedirs(folder, mode=0o700)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    except KeyError:
        return
    if owner.pw_uid:
        user = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--init-groups"]
        os.execvp("setpriv", ["setpriv", *user, "--", sys.executable, *sys.orig_argv[1:]])  # of util-linux, as `init` says it


def _loader(options: argparse.Namespace) -> Callable[[], Config]:
    return lambda: configuration(options)


def run_run(options: argparse.Namespace) -> int:
    """`monzen run`: 0 when it was told to stop."""
    from monzen.guard.run import Guard
    from monzen.guard.store import StoreError
    from monzen.routing import load_routes

    if os.geteuid() == 0:
        _be_who_reads(options.state)
    logs()
    config = configuration(options)
    zone = zone_of(config)
    routes = load_routes(config.routes) if config.routes is not None else None
    try:
        guard = Guard(
            config, _loader(options), zone=zone, routes=routes, version=_version(), once=options.once, state=options.state
        )
    except StoreError as error:
        complain(_("cannot remember anything: {why}").format(why=error))
        return EXIT_USE
    return _kept(guard.run)


def zone_of(config: Config) -> dt.tzinfo:
    """What stamps without an offset mean: as configured, else as this machine has it."""
    if not config.sources.timezone:
        return local_zone()
    from zoneinfo import ZoneInfo

    return ZoneInfo(config.sources.timezone)


def run_serve(options: argparse.Namespace) -> int:
    """`monzen gate serve`: 0 when it was told to stop."""
    from monzen.guard.serve import Server

    logs()
    return _kept(Server(configuration(options), _loader(options)).run)


def _kept(work: Callable[[], int]) -> int:
    """What the operating system refused, with where: a service is read about later, by somebody else."""
    try:
        return work()
    except OSError:
        logging.getLogger("monzen").exception("ended")
        return EXIT_USE


def _version() -> str:
    from importlib.metadata import version

    return version("monzen")
