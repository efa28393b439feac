"""`monzen scan`: reads logs from end to end and judges them in the log's own time; changes nothing."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from monzen.judge.judge import Judge
from monzen.judge.policy import Policy, frugal
from monzen.parse.clock import MONTHS, Clock, first_year
from monzen.parse.join import Joiner
from monzen.parse.merge import Twice, merge
from monzen.parse.reader import Reader
from monzen.pattern import match
from monzen.show.period import limit
from monzen.show.reading import Input, Reading
from monzen.sources import Source, SourceError, blocks, plan, unfold
from monzen.sources.probe import probe
from monzen.types import Event

if TYPE_CHECKING:  # loaded only where it is asked for
    from monzen.judge.compare import Comparison
    from monzen.pardons import Pardons

HALF_A_YEAR = 183 * 86400.0
NO_YEAR = match(rb"[ \t]*([A-Z][a-z]{2}) {1,2}(\d{1,2}) \d\d:\d\d:\d\d ")


class Options(NamedTuple):
    """What the command line says. Times in epoch seconds; `year` for stamps without one."""

    now: float
    zone: dt.tzinfo
    year: int | None = None
    since: float | None = None
    until: float | None = None


def years(sources: list[Source], options: Options) -> int | None:
    """The year of the first stamp of a rotated set, told from the last: samples of its files, in order. None: cannot be told."""
    if options.year is not None:
        return options.year
    stamps: list[tuple[int, int]] = []
    for source in sources:
        for line in probe(source):
            m = NO_YEAR(line)
            if m is not None and m[1] in MONTHS and 1 <= int(m[2]) <= 31:
                stamps.append((MONTHS[m[1]], int(m[2])))
    return first_year(stamps, sources[-1].mtime)


def events(
    sources: list[Source], result: Reading, options: Options, progress: Callable[[int], None] | None
) -> Iterator[list[Event]]:
    """The events of one rotated set, oldest first, block by block; counts what it reads into `result`."""
    clock = Clock(sources[0].mtime, options.zone, years(sources, options))
    reader = Reader(clock)
    for source in sources:
        seen = Input(source.path)
        result.inputs.append(seen)
        result.twins.extend(twin.path for twin in source.twins)
        clock.newest = max(source.mtime, clock.newest)
        if options.year is not None:
            clock.newest = float("inf")

        def skipped(count: int, seen: Input = seen) -> None:
            seen.too_long += count
            result.too_long += count

        before = reader.lines
        try:
            stream = blocks(source, progress=progress, skipped=skipped)
            for block in unfold(stream, always=source.form == "stdin"):
                yield reader.read(block)
        except SourceError as error:
            result.errors.append(error)
        finally:
            seen.lines = reader.lines - before
            result.lines += seen.lines
    result.understood += reader.understood
    result.suspects += reader.suspects
    result.clamped += clock.clamped
    result.samples.extend(reader.samples[: 20 - len(result.samples)])
    result.undated += reader.undated
    result.undated_samples.extend(reader.undated_samples[: 20 - len(result.undated_samples)])


def before(block: list[Event], until: float | None) -> list[Event]:
    """The events that came before this time."""
    return block if until is None else [r for r in block if r[0] < until]


def behind(block: list[Event], since: float) -> list[Event]:
    """The events that came at this time or later."""
    return [r for r in block if r[0] >= since]


def scan(
    arguments: list[str], options: Options, judge: Judge | None = None, progress: Callable[[int], None] | None = None
) -> Reading:
    """Reads what the arguments name and judges it. A KeyboardInterrupt ends it with what was found so far."""
    sets, errors = plan(arguments, now=options.now)
    return scan_sets(sets, errors, options, judge, progress)


def scan_sets(
    sets: list[list[Source]],
    errors: list[SourceError],
    options: Options,
    judge: Judge | None = None,
    progress: Callable[[int], None] | None = None,
    watch: Callable[[list[Event]], None] | None = None,
    comparison: Comparison | None = None,
    pardons: Pardons | None = None,
) -> Reading:
    """The same for sources already found. `watch` gets what the judge hears; `pardons` say what it shall not hear.

    What came before `since` is heard, because who guessed then may get in later; the report is of what came from then on.
    A `comparison` is of the same judge, which then hears through it.
    """
    since, until = options.since, options.until
    whole = judge or Judge(frugal(Policy()))
    inside = whole if since is None else Judge(whole.policy, whole.shield, whole.routes)
    result = Reading(inside, errors=list(errors), since=since, until=until, comparison=comparison)
    listen = whole.hear if comparison is None else comparison.hear
    joiner, twice = Joiner(), Twice()

    def hear(joined: list[Event]) -> None:
        if pardons is not None:
            joined = pardons.filter(joined)
        listen(joined)
        if watch is not None:
            watch(joined)
        if since is not None:
            inside.hear(behind(joined, since))

    if not sets:
        return result
    collecting = gc.isenabled()
    gc.disable()  # events are tuples of bytes: there is nothing cyclic to find, and looking for it costs a twentieth
    try:
        for block in merge([events(s, result, options, progress) for s in sets], twice):
            kept = before(block, until)
            result.outside += len(block) - (len(kept) if since is None else len(behind(kept, since)))
            hear(joiner.join(kept))
    except KeyboardInterrupt:
        result.interrupted = True
    hear(joiner.wait_until(float("inf")))
    if since is not None:
        limit(inside, whole, since)
    result.twice = twice.dropped
    if collecting:
        gc.enable()
    return result
