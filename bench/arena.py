"""`make arena`: the judge against simulated attacks whose truth is known, beside other policies and one that knows the future.

Needs the arena (a folder `shared/arena` beside the checkout, or `--arena DIR`): its simulator writes the log of four servers and the truth
about each attempt, its scorer replays the truth against the verdicts. The log is read, joined and judged as `monzen scan` does it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from monzen.judge.judge import Judge
from monzen.judge.policy import Policy
from monzen.scan import Options, scan

HERE = Path(__file__).parent
ARENA = HERE.parent.parent / "shared" / "arena"
SCENARIOS = HERE / "arena_lookalikes.py"
REFERENCES = ("fail2ban-default", "fail2ban-tuned", "crowdsec-like", "sshguard-like", "sshguard-subnet24", "oracle")
QUIET = 36 * 3600.0  # heirs of an attacker's address come no sooner after its last try


class Arena:
    """The simulator and the scorer of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sys.path.insert(0, str(folder))
        import baselines  # of that folder
        import netindex
        import score

        self.baselines: ModuleType = baselines
        self.netindex: ModuleType = netindex
        self.score: ModuleType = score

    def simulate(self, seed: int, days: int, out: Path, *, harder: bool = False, only: str = "") -> None:
        """Writes a log and its truth; `harder` with the scenarios of this repository, `only` some scenarios."""
        command = [sys.executable, str(self.folder / "simulate.py"), "--seed", str(seed), "--days", str(days), "--out", str(out)]
        command += ["--plugin", str(SCENARIOS)] if harder else []
        command += ["--scenarios", only] if only else []
        subprocess.run(command, check=True, capture_output=True)

    def truth(self, folder: Path) -> list[Any]:
        """The attempts of a simulation."""
        return list(self.score.read_truth(folder))

    def verdicts(self, judge: Judge) -> list[Any]:
        """The sentences as the scorer wants them."""
        found = []
        for s, at in judge.imposed():
            size = 4 if len(s.target) <= 4 and s.bits <= 32 else 16
            base = int.from_bytes(s.target.ljust(size, b"\0"), "big")
            found.append(self.netindex.Verdict(4 if size == 4 else 6, s.bits, base, at, s.until))
        return found

    def judged(self, folder: Path, policy: Policy | None = None) -> Judge:
        """What `monzen scan` makes of a simulated log."""
        judge = Judge(policy)
        now = dt.datetime(2027, 1, 1, tzinfo=dt.UTC).timestamp()
        scan([str(folder / "mail.log")], Options(now, dt.UTC, 2026), judge)
        return judge


def bound(truth: Iterable[Any], scenario: str = "botnet") -> tuple[int, int]:
    """Attempts (all, and without the first day) that get through even if each address is denied right after its first try, until it was
    quiet for as long as heirs leave it: who does not know which bot comes back cannot do better without hurting them."""
    until: dict[str, float] = {}
    first = None
    through = later = 0
    for a in truth:
        first = a.t if first is None else first
        if a.scenario != scenario or a.role != "attacker":
            continue
        if a.t > until.get(a.addr, -1.0):
            through += 1
            later += a.t >= first + 86400
        until[a.addr] = a.t + QUIET
    return through, later


@dataclass(slots=True)
class Sums:
    """Sums over seeds: of each policy, of each scenario."""

    totals: dict[str, Counter[str]] = field(default_factory=dict)
    attacks: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    hurt: Counter[str] = field(default_factory=Counter)
    apart: Counter[str] = field(default_factory=Counter)
    bounds: Counter[str] = field(default_factory=Counter)

    def add(self, policy: str, score: Any) -> None:
        """Adds the score of one policy and seed."""
        attack, people = score.attack_total(), score.innocent_total()
        sums = self.totals.setdefault(policy, Counter())
        for name, value in (
            ("attempts", attack.attempts),
            ("through", attack.through),
            ("later", attack.later),
            ("hurt", people.hurt),
            ("collateral", score.collateral),
            ("width", score.v4.ratio),
            ("unfounded", score.unfounded),
            ("verdicts", score.verdicts),
        ):
            sums[name] += value
        for scenario, a in score.attacks.items():
            self.attacks.setdefault(scenario, {}).setdefault(policy, Counter()).update(attempts=a.attempts, through=a.through)
        if policy == "monzen":
            self.hurt.update({name: i.hurt for name, i in score.innocents.items()})
            self.apart.update({name: i.hurt for name, i in score.apart.items()})


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def report(sums: Sums, seeds: int) -> str:
    """All tables, means over the seeds."""
    columns = ("through", "later", "hurt", "collateral", "width", "unfounded", "verdicts")
    rows = [
        [policy, *(f"{s[c] / seeds:,.1f}" for c in columns), f"{100 - 100 * s['through'] / s['attempts']:.1f}"]
        for policy, s in sums.totals.items()
    ]
    parts = [table(["policy", *columns, "stopped %"], rows)]
    if "oracle" in sums.totals:
        ours, oracle = sums.totals["monzen"], sums.totals["oracle"]
        parts.append(
            f"monzen lets {ours['through'] / oracle['through']:.3f} times as many attempts through as the oracle, "
            f"{ours['later'] / oracle['later']:.3f} times without the first day."
        )
    if sums.bounds:
        parts.append(
            f"Of the botnet {sums.bounds['through'] / seeds:,.0f} tries ({sums.bounds['later'] / seeds:,.0f} without the first day) get "
            "through even if each host is denied right after its first try, until it was quiet for 36 hours."
        )
    rows = []
    for scenario in sorted(sums.attacks):
        of = sums.attacks[scenario]
        best = min((of[p]["through"], p) for p in of if p not in ("monzen", "oracle")) if len(of) > 2 else None
        rows.append(
            [
                scenario,
                f"{of['monzen']['attempts'] / seeds:,.0f}",
                f"{of['monzen']['through'] / seeds:,.1f}",
                f"{100 - 100 * of['monzen']['through'] / of['monzen']['attempts']:.1f}",
                f"{best[0] / seeds:,.1f} ({best[1]})" if best else "",
                f"{of['oracle']['through'] / seeds:,.1f}" if "oracle" in of else "",
            ]
        )
    parts.append(table(["attack", "attempts", "through", "stopped %", "best reference", "oracle"], rows))
    hurt = {name: n for name, n in sums.hurt.items() if n}
    parts.append("Innocents hurt: " + (", ".join(f"{name} {n / seeds:.1f}" for name, n in hurt.items()) or "none") + ".")
    parts.append("Set apart (no log can tell them): " + ", ".join(f"{name} {n / seeds:.1f}" for name, n in sums.apart.items()) + ".")
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Simulates, judges, scores, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", default="11,12,13", help="11,12,13")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--arena", type=Path, default=ARENA, help="the folder with simulate.py and score.py")
    parser.add_argument("--harder", action="store_true", help="with the scenarios of this repository as well")
    parser.add_argument("--alone", action="store_true", help="without the other policies")
    options = parser.parse_args(arguments)
    if not (options.arena / "simulate.py").is_file():
        print(f"arena: {options.arena} is not there. It is no part of the repository; name its folder with --arena", file=sys.stderr)
        return 2
    arena = Arena(options.arena)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    sums = Sums()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="monzen-arena-") as folder:
            out = Path(folder)
            arena.simulate(seed, options.days, out, harder=options.harder)
            truth = arena.truth(out)
            sums.add("monzen", arena.score.score(truth, arena.verdicts(arena.judged(out))))
            if not options.alone:
                for name in REFERENCES:
                    sums.add(name, arena.score.score(truth, arena.baselines.POLICIES[name](truth)))
            through, later = bound(truth)
            sums.bounds.update(through=through, later=later)
        print(f"seed {seed} done", file=sys.stderr)
    print(f"Seeds {options.seeds}, {options.days} days, means.\n")
    print(report(sums, len(seeds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
