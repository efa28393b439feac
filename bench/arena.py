"""`make arena`: whom monzen turns away in the arena's simulated logs, beside fail2ban, crowdsec, sshguard and one who knows all.

Each seed is simulated twice: with the arena's own scenarios, and with ours besides (arena_scenarios.py, arena_attackers.py).
monzen reads and judges the log as `monzen scan` does; the arena's score.py says what got through and who was hurt. How to read
the tables: docs/arena.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from monzen.judge import Judge
from monzen.scan import Options, scan

ROOT = Path(__file__).parent.parent
ARENA = ROOT.parent / "shared/arena"
PLUGINS = tuple(Path(__file__).with_name(name) for name in ("arena_scenarios.py", "arena_newcomers.py", "arena_attackers.py"))
START = "2026-10-05T00:00:00+00:00"  # the simulator's own default
QUIET = 36 * 3600.0  # seconds: the longest denial after a last sign of life that hurts no heir of an address
MONZEN, ORACLE = "monzen", "oracle"
BEGIN, END = "<!-- figures: make arena -->", "<!-- end of figures -->"

Score = Any  # of the arena's score.py, which is not there when this is checked
Attempt = Any


@dataclass(slots=True)
class Arena:
    """The arena's modules, loaded from beside the checkout."""

    simulate: Any
    score: Any
    netindex: Any
    policies: dict[str, Callable[[list[Attempt]], list[Any]]]
    theirs: list[str]  # scenarios of the arena itself
    ours: list[str]


@dataclass(slots=True)
class Bound:
    """What an instant denial of single addresses lets through, ended a time after the last sign of life."""

    attempts: int = 0
    through: int = 0
    later: int = 0


@dataclass(slots=True)
class Run:
    """One simulation: the score of each policy, what monzen's sentences were for, and the bound of each attack."""

    scores: dict[str, Score]
    rules: Counter[str]
    bounds: dict[str, Bound] = field(default_factory=dict)


def load(folder: Path = ARENA) -> Arena:
    """The arena in this process, with our scenarios."""
    sys.dont_write_bytecode = True  # the arena's folder is not ours
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    simulate, score, netindex, baselines, world = (
        importlib.import_module(name) for name in ("simulate", "score", "netindex", "baselines", "world")
    )
    for path in PLUGINS:
        if path.stem not in sys.modules:
            simulate.load_plugin(path)
    theirs = [name for name, plan in world.SCENARIOS.items() if getattr(plan, "__module__", "") not in {p.stem for p in PLUGINS}]
    own = [name for name in world.SCENARIOS if name not in theirs]
    return Arena(simulate, score, netindex, baselines.POLICIES, theirs, own)


def simulated(arena: Arena, seed: int, days: int, names: list[str], log: Path) -> list[Attempt]:
    """Writes the log of one simulation and gives the truth about it."""
    world = arena.simulate.build(seed, dt.datetime.fromisoformat(START).timestamp(), days, 1.0, False)
    arena.simulate.play(world, names)
    with log.open("w", encoding="ascii") as out:
        out.writelines(world.journal.lines("traditional", world.end))
    return [arena.score.Attempt(**json.loads(line)) for line in world.journal.truth(world.end)]


def judged(log: Path, judge: Judge | None = None) -> Judge:
    """What monzen makes of a log, from its first line to its last; the year is said, since the stamps have none."""
    start = dt.datetime.fromisoformat(START)
    return scan([str(log)], Options(now=start.timestamp(), zone=dt.UTC, year=start.year), judge).judge


def verdicts(arena: Arena, judge: Judge) -> list[Any]:
    """monzen's sentences as the arena scores them."""
    given = []
    for s in judge.sentences:
        version, size = (4, 4) if s.bits <= 32 else (6, 16)  # the widest of IPv6 is a /48
        base = int.from_bytes(s.target.ljust(size, b"\0"), "big")
        given.append(arena.netindex.Verdict(version, s.bits, base, s.at, s.until))
    return given


def bounds(attempts: Iterable[Attempt], quiet: float = QUIET) -> dict[str, Bound]:
    """For each attack, what gets through if each address is denied after its first try, until it was quiet for so long."""
    found: dict[str, Bound] = {}
    until: dict[str, float] = {}
    warm = float("inf")
    for a in attempts:
        warm = min(warm, a.t + 86400)  # as score.py has it: from then on it is `later`
        if a.role == "attacker":
            bound = found.setdefault(a.scenario, Bound())
            through = a.t > until.get(a.addr, -1.0)
            bound.attempts += 1
            bound.through += through
            bound.later += through and a.t >= warm
            until[a.addr] = a.t + quiet
    return found


def run(arena: Arena, seed: int, days: int, names: list[str], policies: Iterable[str], judge: Judge | None = None) -> Run:
    """One simulation, judged by monzen and by some of the arena's reference policies."""
    with tempfile.TemporaryDirectory(prefix="monzen-arena-") as folder:
        log = Path(folder) / "mail.log"
        attempts = simulated(arena, seed, days, names, log)
        judge = judged(log, judge)
    scores = {MONZEN: arena.score.score(attempts, verdicts(arena, judge))}
    for name in policies:
        scores[name] = arena.score.score(attempts, arena.policies[name](attempts))
    return Run(scores, Counter(s.rule for s in judge.sentences), bounds(attempts))


def both(folder: Path, seed: int, days: int) -> tuple[Run, Run]:
    """The arena's scenarios alone, and with ours."""
    arena = load(folder)
    names = list(arena.policies)
    return run(arena, seed, days, arena.theirs, names), run(arena, seed, days, arena.theirs + arena.ours, names)


# ---- tables


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table; the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def mean(values: Iterable[float], digits: int = 0) -> str:
    """The mean, with a thousands comma."""
    given = list(values)
    return f"{sum(given) / len(given):,.{digits}f}"


def totals(runs: list[Run]) -> str:
    """One row for each policy."""
    rows = []
    for name in runs[0].scores:
        scores = [r.scores[name] for r in runs]
        attacks = [s.attack_total() for s in scores]
        people = [s.innocent_total() for s in scores]
        rows.append(
            [
                name,
                mean(a.through for a in attacks),
                mean(a.later for a in attacks),
                mean((a.stopped for a in attacks), 1),
                mean((p.hurt for p in people), 1),
                mean((sum(i.hurt for i in s.apart.values()) for s in scores), 1),
                mean((s.collateral for s in scores), 1),
                mean((s.v4.ratio for s in scores), 1),
                mean((s.unfounded for s in scores), 1),
                mean(s.verdicts for s in scores),
                mean(s.peak for s in scores),
            ]
        )
    head = ["", "through", "later", "stopped %", "hurt", "strangers hurt", "collateral", "width", "unfounded", "verdicts", "peak"]
    return markdown(head, rows)


def attacks(runs: list[Run], names: list[str]) -> str:
    """One row for each attack: what got through, by whom least of those without foresight, and the bound."""
    rows = []
    for name in sorted(n for n in names if any(n in r.bounds for r in runs)):
        parts = [r for r in runs if name in r.bounds]
        through = {p: sum(r.scores[p].attacks[name].through for r in parts) / len(parts) for p in parts[0].scores}
        best = min((p for p in through if p not in (MONZEN, ORACLE)), key=lambda p: through[p])
        rows.append(
            [
                name,
                mean(r.bounds[name].attempts for r in parts),
                f"{through[MONZEN]:,.0f}",
                mean(r.scores[MONZEN].attacks[name].later for r in parts),
                f"{through[best]:,.0f} ({best})",
                f"{through[ORACLE]:,.0f}",
                mean(r.bounds[name].through for r in parts),
                mean((r.scores[MONZEN].attacks[name].breaches for r in parts), 1),
            ]
        )
    head = ["attack: through", "attempts", MONZEN, "later", "best of the others", ORACLE, "bound", "breaches"]
    return markdown(head, rows)


def innocents(runs: list[Run], names: list[str]) -> str:
    """One row for each kind of innocents: how many there are, and how many each policy hurt."""
    policies = [p for p in runs[0].scores if p != ORACLE]
    rows = []
    for name in names:
        groups = [{p: s.innocents.get(name) or s.apart.get(name) for p, s in r.scores.items()} for r in runs]
        groups = [each for each in groups if each[MONZEN] is not None]
        if groups:
            hurt = [mean((each[p].hurt for each in groups), 1) for p in policies]
            rows.append([name, mean(each[MONZEN].actors for each in groups), *hurt])
    return markdown(["innocents: hurt", "actors", *policies], sorted(rows))


def people(score: Score) -> dict[str, int]:
    """How many a policy hurt of each kind of innocents; strangers, whom no log can tell from attackers, are set apart."""
    return {name: part.hurt for name, part in score.innocents.items()}


def botnet(runs: list[Run]) -> str:
    """Why monzen's `later` cannot be near the oracle's: what must get through of the botnet if no heir may be hurt."""
    told = [r.bounds["botnet"] for r in runs]
    wise = [r.scores[ORACLE].attacks["botnet"] for r in runs]
    ours = [r.scores[MONZEN].attacks["botnet"] for r in runs]
    least = sum(floor(r) for r in runs)
    whole = sum(r.scores[ORACLE].attack_total().later for r in runs)
    return (
        f"Bound: of {mean(b.attempts for b in told)} attempts of the botnet, denying each host right after its first try, until "
        f"{QUIET / 3600:.0f} h after its last sign of life, lets {mean(b.through for b in told)} through, "
        f"{mean(b.later for b in told)} of them later (oracle {mean(a.through for a in wise)}, {mean(a.later for a in wise)}; "
        f"monzen {mean(a.through for a in ours)}, {mean(a.later for a in ours)}). With this, and for each other attack the least "
        f"that the oracle, the bound or monzen let through, `later` would be {least / len(runs):,.0f}, {least / whole:.2f} times "
        f"the oracle's."
    )


def floor(one: Run) -> int:
    """The least `later` that is in sight: the bound of the botnet, and for each other attack the best of all we know."""
    best = 0
    for name, bound in one.bounds.items():
        known = [one.scores[p].attacks[name].later for p in (MONZEN, ORACLE)]
        best += bound.later if name == "botnet" else min(*known, bound.later)
    return best


def report(arena: Arena, seeds: list[int], days: int, found: list[tuple[Run, Run]]) -> Iterator[str]:
    """Everything, part by part."""
    theirs, with_ours = [t for t, _ in found], [o for _, o in found]
    yield f"Seeds {', '.join(map(str, seeds))}; {days} days; means. The arena's own scenarios:"
    yield totals(theirs)
    yield botnet(theirs)
    yield attacks(theirs, arena.theirs)
    yield innocents(theirs, arena.theirs)
    rules = sum((r.rules for r in theirs), Counter[str]())
    said = ", ".join(f"{rule} {count / len(theirs):,.0f}" for rule, count in rules.most_common())
    yield f"monzen's sentences by rule: {said}."
    yield "Our scenarios, played together with the arena's:"
    yield attacks(with_ours, arena.ours)
    yield innocents(with_ours, arena.ours)
    hurt = [n for n in arena.theirs if any(people(r.scores[MONZEN]).get(n, 0) for r in with_ours)]
    yield f"Of the arena's innocents monzen hurts there: {', '.join(hurt) or 'nobody'}."


def renew(page: Path, text: str) -> None:
    """Puts the tables into a page, between its two marks."""
    old = page.read_text(encoding="utf-8")
    head, _, rest = old.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not tail:
        why = f"it has no lines {BEGIN!r} and {END!r}. Put them around the old tables"
        raise SystemExit(f"monzen arena: cannot renew {page}: {why}.")
    page.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")


def numbers(text: str) -> list[int]:
    """A list of numbers with commas between."""
    return [int(part) for part in text.split(",")]


def main(argv: list[str] | None = None) -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.arena", description="Whom monzen turns away in the arena.")
    parser.add_argument("--seeds", type=numbers, default=[11, 12, 13], metavar="N,N", help="default 11,12,13")
    parser.add_argument("--days", type=int, default=14, metavar="N", help="length of each simulation (default 14)")
    parser.add_argument("--arena", type=Path, default=ARENA, metavar="DIR", help="default ../shared/arena")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the tables into this page, between its marks")
    options = parser.parse_args(argv)
    if not (options.arena / "simulate.py").is_file():
        why = f"cannot simulate: {options.arena} has no simulate.py. Put the arena there, or name it: --arena DIR"
        print(f"monzen arena: {why}", file=sys.stderr)
        return 2
    workers = min(len(options.seeds), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        arena = load(options.arena)  # before the workers: they are forks, and their scores are of its classes
        jobs = [pool.submit(both, options.arena, seed, options.days) for seed in options.seeds]
        found = [job.result() for job in jobs]
    text = "\n\n".join(report(arena, options.seeds, options.days, found))
    if options.into is None:
        print(text)
    else:
        renew(options.into, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
