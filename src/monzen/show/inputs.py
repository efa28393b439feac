"""What was read, and what of it told nothing: sentences about the inputs and their lines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from monzen.show.reading import Reading
from monzen.show.text import in_zone, safe, stamp
from monzen.show.words import _, ngettext


def nothing(inputs: Sequence[str], command: str) -> str:
    """What is said where there was not one line. `inputs`: named or found, made harmless; `command`: one that names some."""
    if inputs:
        return _("There was nothing to read in {inputs}.").format(inputs=", ".join(inputs[:3]))
    said = _("There was nothing to read: no mail.log, auth.log or ufw.log in /var/log, and no journal.")
    return said + " " + _("Name the logs: {command}").format(command=command)


def were_read(reading: Reading, zone: dt.tzinfo) -> str:
    """How many lines of which inputs, and from when to when."""
    judge = reading.judge
    inputs = ", ".join(safe(i.path, 80) for i in reading.inputs[:3]) or "-"
    if len(reading.inputs) > 3:
        inputs += " " + ngettext("and {n} more", "and {n} more", len(reading.inputs) - 3)
    lines = ngettext("{n} line", "{n} lines", reading.lines)
    if judge.first is not None and judge.last is not None:
        return _("Read {lines} ({inputs}), from {first} to {last} {zone}.").format(
            lines=lines,
            inputs=inputs,
            first=stamp(judge.first, zone),
            last=stamp(judge.last, zone),
            zone=in_zone(judge.last, zone).tzname() or "",
        )
    return _("Read {lines} ({inputs}).").format(lines=lines, inputs=inputs)


def told_nothing(reading: Reading) -> list[str]:
    """The lines that say nothing of a client, or were not counted, and why."""
    silent = max(reading.lines - reading.understood - reading.suspects - reading.undated, 0)
    twice, too_long, clamped, forgotten = reading.twice, reading.too_long, reading.clamped, reading.judge.forgotten
    said = [ngettext("{n} line says nothing for or against a client.", "{n} lines say nothing for or against a client.", silent)]
    if twice:
        said.append(
            ngettext(
                "{n} line stood in two inputs and was counted once.",
                "{n} lines stood in two inputs and were counted once.",
                twice,
            )
        )
    if reading.twins:
        same = ngettext(
            "{n} file holds the same as another and was not read twice:",
            "{n} files hold the same as others and were not read twice:",
            len(reading.twins),
        )
        said.append(same + " " + ", ".join(safe(path, 80) for path in reading.twins[:3]))
    if too_long:
        said.append(ngettext("{n} line was too long to be read.", "{n} lines were too long to be read.", too_long))
    if clamped:
        said.append(
            ngettext(
                "{n} stamp lay in the future and was not believed.",
                "{n} stamps lay in the future and were not believed.",
                clamped,
            )
        )
    if forgotten:
        said.append(
            ngettext(
                "{n} client or denial was forgotten to keep memory bounded.",
                "{n} clients or denials were forgotten to keep memory bounded.",
                forgotten,
            )
        )
    return said
