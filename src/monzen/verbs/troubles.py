"""What may be wrong with the guard, each in a sentence with what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Any, Final

from monzen.mode import PATH as MODE
from monzen.mode import Mode
from monzen.services import GATE, RUN, log_of, start
from monzen.show.command import remedy
from monzen.show.text import safe, stamp
from monzen.show.words import _, ngettext
from monzen.verbs.common import CONFIG, local_zone
from monzen.verbs.halves import STALE

SILENT: Final = 3 * 86_400.0  # without a line a source is worth a word


def problems(mode: Mode, run: dict[str, Any] | None, gate: dict[str, Any] | str, now: float) -> list[str]:
    """What is wrong, each with what to do."""
    return [text for _kind, text in troubles(mode, run, gate, now)]


def troubles(mode: Mode, run: dict[str, Any] | None, gate: dict[str, Any] | str, now: float) -> Iterator[tuple[str, str]]:
    """The same with the kind of each, a word that is never translated (tell/topics.py says who is told of it)."""
    if not mode.sound:
        said = _("{path} says no mode: taken as {mode}. Say what it shall be: monzen arm, monzen arm --off or monzen panic")
        yield "mode", said.format(path="/" + MODE, mode=mode.name)
    if mode.name == "panic":
        yield "panic", _("the gate is open since a panic: nobody is turned away. Close it again: monzen arm")
    if isinstance(gate, str):
        yield "no-gate", _silent(gate)
    else:
        if gate.get("trouble"):
            yield "trouble", safe(str(gate["trouble"]), 400)
        if gate.get("firewall") == "dry":
            yield "no-firewall", nowhere()
    if run is None or run.get("stopped") or now - run["at"] > STALE:
        said = _("monzen does not read the logs now. Start it: {command}").format(command=start(RUN))
        yield "no-run", said + (_("; why it ended: {command}").format(command=log_of(RUN)) if log_of(RUN) else "")
        return
    if not isinstance(gate, str) and not run["gate"]["connected"]:
        why = safe(str(run["gate"]["error"]))
        said = _("monzen run does not reach the gate ({why}). See: {command}")
        yield "no-link", said.format(why=why, command=log_of(RUN) or "monzen gate status")
    if not run["sources"]:
        yield "no-source", _("no log and no journal is followed. Name them: [sources] files in {path}").format(path=CONFIG)
    for source in run["sources"]:
        path = safe(str(source["path"]), 80)
        if source.get("error"):
            yield "source", safe(str(source["error"]), 400)
        if source["late"]:
            said = _("the clock of {path} differs from this machine's by {n:.0f} minutes; its times are taken as so much later")
            yield "late", said.format(path=path, n=source["late"] / 60)
    last = max((s["last"] or 0.0 for s in run["sources"]), default=0.0)
    if last and now - last > SILENT:
        said = _("no line about a client since {when}: does the mail server still log there? See: monzen check")
        yield "silent", said.format(when=stamp(last, local_zone(), seconds=False))
    if run["state"]["behind"]:
        yield (
            "behind",
            _("monzen run cannot write what it must remember: is the disk full? It goes on, and reads again after a restart"),
        )
    if run["suspects"]:
        said = ngettext(
            "{n} line looks like a failure in a format that monzen does not know; see them: monzen status --json",
            "{n} lines look like failures in a format that monzen does not know; see them: monzen status --json",
            run["suspects"],
        )
        yield "formats", said


def _silent(why: str) -> str:
    """What it means that the gate does not say how it is."""
    if why in (os.strerror(errno.ENOENT), os.strerror(errno.ECONNREFUSED)):
        return _("the gate does not run: nobody new is turned away. Start it: {command}").format(command=start(GATE))
    if why == os.strerror(errno.EACCES):
        return _("whether the gate works cannot be told: no right to ask it. {remedy}").format(remedy=remedy())
    said = _("the gate does not answer ({why}), so nobody new may be turned away. Start it anew: {command}")
    return said.format(why=safe(why), command=start(GATE).replace(" start ", " restart "))


def nowhere() -> str:
    """That there is nothing to deny with, in a sentence."""
    return _("there is no firewall that monzen could use, so nobody is turned away. See: monzen gate status")
