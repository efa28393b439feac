"""The gate in ufw: denials as rules that `ufw status` shows, `ufw delete` deletes and `ufw reload` keeps.

What the first user typed, done right: above every allow, many at once without `ufw reload` (which leaves the gate open for a
second), under ufw's own lock, in file and kernel. Not covered: what is established already goes on (before.rules accepts it
first), and ports that Docker publishes are forwarded, past these rules. The table of gate/nftables.py covers both.

An exception is a real `allow from ADDRESS`: it opens for that address whatever ufw's default policy closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from monzen.gate.files import read, replace
from monzen.gate.look import UfwSettings, ufw_settings
from monzen.gate.target import Denial, GateError, Held, Target
from monzen.gate.ufw_chain import Row, ours, plan, restore
from monzen.gate.ufw_chain import read as read_row
from monzen.gate.ufw_lock import at_work, locked, wait_for
from monzen.gate.ufw_rules import CHAIN, Kept, Rule, commands, foreign, take_apart, together
from monzen.show.command import remedy
from monzen.show.words import _

FILES: Final = {4: "etc/ufw/user.rules", 6: "etc/ufw/user6.rules"}
PROGRAMS: Final = {4: "iptables", 6: "ip6tables"}
JOURNAL: Final = "run/monzen/ufw.json"  # what of the kernel's rules is ours: it is forgotten when they are, at the next start
ROUNDS: Final = 3  # of writing again what a `ufw` that had read the file before us wrote without it
COURTESY: Final = 2.0  # seconds for it to end: one `ufw` takes 0.3; one that waits for a person's yes is left alone
NO_CHAIN: Final = 1  # exit status of iptables 1.8.9, nft and legacy: "No chain/target/match by that name"; 3 and 4: no right to
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": "C"}

Run = Callable[[Sequence[str], bytes], "subprocess.CompletedProcess[bytes]"]


def run(command: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A program of the system, in its own language and without a shell. Raises GateError where there is none."""
    try:
        return subprocess.run(command, input=given, capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        said = _("cannot run {program}: {detail}. Install ufw and iptables")
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise GateError(said.format(program=command[0], detail=_(detail))) from None


class Mirrored(NamedTuple):
    """What `mirror` did: how many rules it made or took away, and whether that holds in the kernel or only in the file."""

    changed: int
    active: bool


class Standing(NamedTuple):
    """A rule of ours, and where it stands."""

    rule: Rule
    in_file: bool
    in_kernel: bool
    packets: int  # that the kernel counted for it
    octets: int


class Ufw:
    """ufw's rules below `root`. `step` is called between the steps of a change, for tests that end there."""

    def __init__(self, root: str = "/", run: Run = run, step: Callable[[str], None] = lambda name: None) -> None:
        self.root, self.run, self.step = root, run, step

    def defaults(self) -> UfwSettings | None:
        """Its policies, logging level, IPv6 on or off, as its files have them; None where it is not installed."""
        return ufw_settings(self.root)

    def present(self) -> bool:
        """Whether ufw is installed."""
        return self.defaults() is not None and os.path.exists(self._path(4))

    def active(self) -> bool:
        """Whether ufw's rules are in the kernel: `ufw status` tells what the file says."""
        return self._enabled() and self._chain(4) is not None

    # ---- change -------------------------------------------------------------------------------------------------------

    def mirror(
        self, denials: Sequence[Denial], numbers: Mapping[Target, int] | None = None, exceptions: Sequence[Target] = ()
    ) -> Mirrored:
        """Make our rules in file and kernel these, and no others; nothing is touched where they are.

        `numbers` are those of `monzen list`, for the comments. `exceptions` are allowed above the denials. Where ufw is not
        active only the files change. The caller holds monzen's lock. Killed anywhere, the next one mends it. Raises GateError.
        """
        if not self.present():
            return Mirrored(0, False)
        known = numbers or {}
        rules = [Rule(t, True) for t in exceptions] + [Rule(d.target, False, known.get(d.target, 0)) for d in denials]
        changed, active = 0, False
        for _round in range(ROUNDS):
            with locked(self.root):
                chains = {version: self._chain(version) for version in (4, 6)} if self._enabled() else {}
                active = chains.get(4) is not None
                done = sum(
                    self._mirror(version, [r for r in rules if r.version == version], chains.get(version) if active else None)
                    for version in (4, 6)
                    if os.path.exists(self._path(version))
                )
                others = at_work(self.root) if done else set()
            changed = max(changed, done)
            if not others or not wait_for(self.root, others, COURTESY):
                break
        return Mirrored(changed, active)

    def _mirror(self, version: int, rules: list[Rule], chain: list[Row | None] | None) -> int:
        path = self._path(version)
        text = read(path)
        kept = take_apart(text, path)
        new_text, wanted = together(kept, rules)
        new = [spec for rule in wanted for spec in rule.specs()]
        old = {spec for rule in kept.ours for spec in rule.specs()}
        remembered = self._remembered(version)
        orders = [] if chain is None else plan(chain, foreign(kept), old | remembered, new)
        if new_text == text and not orders and remembered == set(new):
            return 0
        # first what may become ours: a rule in the kernel that nobody knows would stay for ever
        self._remember(version, old | remembered | set(new))
        self.step("journal")
        if new_text != text:
            replace(path, new_text)
        self.step("file")
        if orders:
            self._restore(version, restore(version, orders))
            self.step("kernel")
            self._verify(version, new)
        self._remember(version, set(new))
        self.step("done")
        if new_text == text:
            return len(orders)
        return max(len({rule.tuple() for rule in kept.ours} ^ {rule.tuple() for rule in wanted}), 1)

    def _restore(self, version: int, text: bytes) -> None:
        done = self.run([f"{PROGRAMS[version]}-restore", "-n", "-w"], text)
        if done.returncode != 0:
            detail = " ".join(done.stderr.decode("ascii", "replace").split())[:300]
            said = _("{program}-restore refused ufw's rules: {detail}. Nothing was changed in the kernel; try: ufw reload")
            raise GateError(said.format(program=PROGRAMS[version], detail=detail))

    def _verify(self, version: int, new: list[str]) -> None:
        """Our rules come first: each drop before every accept of the user's."""
        chain = self._chain(version) or []
        if [row.spec if row is not None else "" for row in chain[: len(new)]] != new:
            raise GateError(_("the kernel took ufw's rules and has them in another order. Try: monzen gate apply"))

    def open(self, patience: float = COURTESY) -> tuple[bool, list[str]]:
        """Our rules go, from the kernel first, then from the files: in a panic, whatever else is broken.

        Returns whether the kernel has none of them any more, and what could not be done, in words. A file that cannot be read or
        written, or a lock that is held, keeps no rule in the kernel. Errors: none.
        """
        gone, failed = True, list[str]()
        if not self.present():
            return gone, failed
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(GateError):
                stack.enter_context(locked(self.root, patience))
            for version in (4, 6):
                if os.path.exists(self._path(version)):
                    opened, words = self._open(version)
                    gone, failed = gone and opened, failed + words
        return gone, failed

    def _open(self, version: int) -> tuple[bool, list[str]]:
        gone, failed = True, list[str]()
        kept: Kept | None = None
        remembered: set[str] = set()
        with contextlib.suppress(GateError):
            remembered = self._remembered(version)
        try:
            kept = self._kept(version)
        except GateError as error:
            failed.append(str(error))
        known = remembered | {spec for rule in (kept.ours if kept else ()) for spec in rule.specs()}
        theirs: Counter[str] = foreign(kept) if kept is not None else Counter()
        if kept is None:  # whose they are cannot be told: an allow of the user's shall not go, a deny may
            known = {spec for spec in known if spec.endswith("DROP")}
        try:
            chain = self._chain(version)
            if chain is not None and (orders := plan(chain, theirs, known, [])):
                self._restore(version, restore(version, orders))
        except GateError as error:
            gone = False
            failed.append(str(error))
        if kept is not None and kept.ours:
            try:
                replace(self._path(version), together(kept, [])[0])
            except GateError as error:
                failed.append(str(error))
        if not failed:
            with contextlib.suppress(GateError):
                self._remember(version, set())
        return gone, failed

    # ---- look ---------------------------------------------------------------------------------------------------------

    def standing(self) -> list[Standing]:
        """Every rule of ours that is in the file, in the kernel, or both."""
        found: list[Standing] = []
        if not self.present():
            return found
        active = self.active()
        for version in (4, 6):
            if (kept := self._kept(version)) is None:
                continue
            in_file = {spec for rule in kept.ours for spec in rule.specs()}
            chain = (self._chain(version) if active else None) or []
            rows = {row.spec: row for n in ours(chain, foreign(kept), in_file | self._remembered(version)) if (row := chain[n])}
            for rule in kept.ours:
                here = [rows[spec] for spec in rule.specs() if spec in rows]
                whole = len(here) == len(rule.specs())
                found.append(Standing(rule, True, whole, sum(r.packets for r in here), sum(r.octets for r in here)))
            found += [
                Standing(row.rule, False, True, row.packets, row.octets) for spec, row in rows.items() if spec not in in_file
            ]
        return found

    def held(self) -> dict[Target, Held]:
        """Our denials that ufw really has: in file and kernel where it is active (with what they dropped), else in its file."""
        all_ = self.standing()
        active = any(s.in_kernel for s in all_) or self.active()
        return {
            s.rule.target: Held(None, s.packets, s.octets)
            for s in all_
            if s.in_file and not s.rule.allow and (s.in_kernel or not active)
        }

    def commands(self, denials: Sequence[Denial]) -> list[str]:
        """What a person would type for these; nothing for what ufw denies already."""
        kept = {version: self._kept(version) for version in (4, 6)}
        return [line for rule in (Rule(d.target) for d in denials) for line in commands([rule], kept[rule.version])]

    def _path(self, version: int) -> str:
        return os.path.join(self.root, FILES[version])

    def _kept(self, version: int) -> Kept | None:
        path = self._path(version)
        return take_apart(read(path), path) if os.path.exists(path) else None

    def _enabled(self) -> bool:
        settings = self.defaults()
        return settings is not None and settings.enabled

    def _chain(self, version: int) -> list[Row | None] | None:
        """ufw's chain for what the user typed, as the kernel has it; None where there is none. Raises GateError."""
        done = self.run([PROGRAMS[version], "-w", "-v", "-S", CHAIN[version]], b"")
        if done.returncode == NO_CHAIN:
            return None
        if done.returncode != 0:
            detail = " ".join(done.stderr.decode("ascii", "replace").split())[:300]
            said = _("cannot read ufw's rules in the kernel: {detail}. {remedy}")
            raise GateError(said.format(detail=detail, remedy=remedy()))
        lines = done.stdout.decode("ascii", "replace").splitlines()
        return [read_row(line) for line in lines if line.startswith("-A ")]

    # ---- what of the kernel's rules is ours ---------------------------------------------------------------------------

    def _journal(self) -> dict[str, list[str]]:
        path = os.path.join(self.root, JOURNAL)
        if not os.path.lexists(path):
            return {}
        try:
            found = json.loads(read(path))
        except ValueError:
            return {}  # cut short by a full disk: what is in ufw's file is known without it
        pairs = found.items() if isinstance(found, dict) else ()
        return {k: [s for s in v if isinstance(s, str)] for k, v in pairs if isinstance(v, list)}

    def _remembered(self, version: int) -> set[str]:
        return set(self._journal().get(str(version), ()))

    def _remember(self, version: int, specs: set[str]) -> None:
        path = os.path.join(self.root, JOURNAL)
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            if not os.path.lexists(path):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            detail = _(error.strerror or str(error))
            said = _("cannot write {path}: {detail}. {remedy}")
            raise GateError(said.format(path=path, detail=detail, remedy=remedy())) from None
        replace(path, json.dumps({**self._journal(), str(version): sorted(specs)}).encode("ascii"))
