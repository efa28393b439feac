"""Whom `--compare` names: an emulated program, or monzen with the policy of a file."""

from __future__ import annotations

from importlib import import_module

from monzen.judge.compare import Comparison, Contender, Monzen, Other
from monzen.judge.judge import Judge
from monzen.judge.peers import PEERS
from monzen.judge.policy import frugal
from monzen.machine import resolve
from monzen.show.words import N_


class RivalError(Exception):
    """A policy that cannot be compared: which, and why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name, self.why = name, why


def rival(name: str, judge: Judge, since: float | None) -> Contender:
    """The policy of a name. Raises RivalError for a file that is none."""
    peer = PEERS.get(name)
    if peer is not None:
        return Other(peer(judge.policy.clients, since))
    try:
        config = import_module("monzen.config")  # only now: nobody else needs it
    except ModuleNotFoundError:
        raise RivalError(name, N_("this version reads no policy files")) from None
    try:
        found = config.load(name)
        allowed, _unknown = resolve(found.names)
    except (OSError, ValueError, getattr(config, "ConfigError", ValueError)) as error:
        raise RivalError(name, error.strerror if isinstance(error, OSError) and error.strerror else str(error)) from error
    shield = judge.shield.beside(found.own, [*found.allow, *allowed])
    return Monzen(name, Judge(frugal(found.policy), shield, judge.routes), since)


def compare(judge: Judge, names: list[str], since: float | None) -> Comparison:
    """Monzen's judge and the others, each once. Raises RivalError."""
    return Comparison(judge, [rival(name, judge, since) for name in dict.fromkeys(names)], since)
