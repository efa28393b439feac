"""The gate in ufw: denials as rules that `ufw status` shows, `ufw delete` deletes and `ufw reload` keeps.

What the first user typed, done right: above every allow, many at once without `ufw reload` (which leaves the gate open for a
second), under ufw's own lock. A rule of ufw does not stop what is established already (before.rules accepts it first), nor what
Docker forwards: the table of gate/nftables.py does. ufw reads its files before it takes its lock: a `ufw` that started before us
and ends after us writes a file without our rules; they stay in the kernel, and the next `mirror` writes them again.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from monzen.gate.files import read, replace
from monzen.gate.look import UfwSettings, ufw_settings
from monzen.gate.target import Denial, GateError, Held, Target
from monzen.gate.ufw_rules import CHAIN, Kept, Rule, commands, is_ours, of_kernel, restore, specs_of, take_apart, together
from monzen.show.words import _

FILES: Final = {4: "etc/ufw/user.rules", 6: "etc/ufw/user6.rules"}
PROGRAMS: Final = {4: "iptables", 6: "ip6tables"}
LOCK: Final = "run/ufw.lock"  # ufw 0.36, util.py create_lock: lockf on this file
JOURNAL: Final = "run/monzen/ufw.json"  # what of the kernel's rules is ours: it is forgotten when they are, at the next start
PATIENCE: Final = 30.0
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": "C"}

Run = Callable[[Sequence[str], bytes], "subprocess.CompletedProcess[bytes]"]


def run(command: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A program of the system, in its own language and without a shell. Raises GateError where there is none."""
    try:
        return subprocess.run(command, input=given, capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        said = _("cannot run {program}: {detail}. Install ufw and iptables")
        raise GateError(said.format(program=command[0], detail=error)) from None


class Ufw:
    """ufw's rules below `root`. `step` is called between the steps of a change, for tests that end there."""

    def __init__(self, root: str = "/", run: Run = run, step: Callable[[str], None] = lambda name: None) -> None:
        self.root, self.run, self.step = root, run, step

    def settings(self) -> UfwSettings | None:
        """ufw's own settings; None where it is not installed."""
        return ufw_settings(self.root)

    def present(self) -> bool:
        """Whether ufw is installed."""
        return self.settings() is not None and os.path.exists(self._path(4))

    def active(self) -> bool:
        """Whether ufw's rules are in the kernel: `ufw status` tells what the file says."""
        settings = self.settings()
        return settings is not None and settings.enabled and self._chain(4) is not None

    def mirror(self, denials: Sequence[Denial], numbers: Mapping[Target, int], exceptions: Sequence[Target] = ()) -> int:
        """Make our rules in files and kernel these, and no others. Returns how many were made or taken away.

        `exceptions` are allowed above the denials. Where ufw is not active only the files change. Raises GateError.
        """
        if not self.present():
            return 0
        rules = [Rule(t, True, 0) for t in exceptions] + [Rule(d.target, False, numbers.get(d.target, 0)) for d in denials]
        changed = 0
        with self._lock():
            for version in (4, 6):
                if version == 6 and not os.path.exists(self._path(6)):
                    continue
                changed += self._mirror(version, [r for r in rules if r.version == version])
        return changed

    def _mirror(self, version: int, rules: list[Rule]) -> int:
        path = self._path(version)
        text = read(path)
        kept = take_apart(text, path)
        new_text, wanted = together(kept, rules)
        old = {spec for block in kept.blocks if is_ours(block) for spec in specs_of(block)}
        new = [spec for rule in wanted for spec in rule.specs()]
        journal = self._remembered()
        ours = old | set(journal.get(str(version), ()))
        chain = self._chain(version) if self.active() else None
        in_kernel = [] if chain is None else [row[2] for line in chain if (row := of_kernel(line)) is not None]
        top = [] if chain is None else [row[2] if (row := of_kernel(line)) is not None else "" for line in chain[: len(new)]]
        stale = [spec for spec in in_kernel if spec in ours and spec not in new]
        kernel_differs = chain is not None and (top != new or bool(stale))
        if new_text == text and not kernel_differs:
            return 0
        self._remember({**journal, str(version): sorted(ours | set(new))})
        self.step("journal")
        if new_text != text:
            replace(path, new_text)
        self.step("file")
        if kernel_differs:
            # of a rule that the user has too, once: what he typed has its own place further down
            going = [spec for spec in dict.fromkeys(in_kernel) if spec in ours]
            self._restore(version, restore(version, going, new))
            self.step("kernel")
            self._verify(version, new)
        self._remember({**journal, str(version): sorted(new)})
        return max(1, len(set(new) ^ (old if new_text != text else set(in_kernel) & ours)))

    def held(self) -> dict[Target, Held]:
        """Our denials that ufw really has: in the kernel where it is active (with what they dropped), else in its file."""
        found: dict[Target, Held] = {}
        if not self.present():
            return found
        for version in (4, 6):
            if not os.path.exists(self._path(version)):
                continue
            kept = take_apart(read(self._path(version)), self._path(version))
            ours = {spec for block in kept.blocks if is_ours(block) for spec in specs_of(block)}
            if not self.active():
                lines = [f"-A {CHAIN[version]} {spec}" for spec in ours]
                rows = [of_kernel(_kernel_form(line)) for line in lines]
            else:
                rows = [of_kernel(line) for line in self._chain(version) or ()]
            for row in rows:
                if row is not None and not row[1] and row[2] in ours:
                    known = found.get(row[0], Held(None, 0, 0))
                    found[row[0]] = Held(None, known.packets + row[3], known.octets + row[4])
        for target, held in list(found.items()):  # TCP and UDP of one port are one rule of ufw
            other = target._replace(protocol={6: 17, 17: 6}.get(target.protocol, 0))
            if target.protocol == 6 and other in found:
                both = target._replace(protocol=0)
                found[both] = Held(None, held.packets + found[other].packets, held.octets + found[other].octets)
        return found

    def commands(self, denials: Sequence[Denial]) -> list[str]:
        """What a person would type for these."""
        rules = [Rule(d.target) for d in denials]
        kept: dict[int, Kept | None] = {}
        for version in (4, 6):
            path = self._path(version)
            kept[version] = take_apart(read(path), path) if os.path.exists(path) else None
        return [line for rule in rules for line in commands([rule], kept[rule.version])]

    def _path(self, version: int) -> str:
        return os.path.join(self.root, FILES[version])

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """ufw's own lock: no `ufw` writes while we do."""
        path = os.path.join(self.root, LOCK)
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            said = _("cannot take ufw's lock {path}: {detail}. Run as root")
            raise GateError(said.format(path=path, detail=_(error.strerror or str(error)))) from None
        try:
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except (BlockingIOError, PermissionError):
                    if time.monotonic() > end:
                        raise GateError(_("ufw is at work since long: its lock is held. See: ps -C ufw, and try again")) from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(file)

    def _chain(self, version: int) -> list[str] | None:
        """The rules of ufw's chain for what the user typed, as the kernel has them; None where there is no such chain."""
        done = self.run([PROGRAMS[version], "-w", "-v", "-S", CHAIN[version]], b"")
        if done.returncode != 0:
            return None
        return [line for line in done.stdout.decode("ascii", "replace").splitlines() if line.startswith("-A ")]

    def _restore(self, version: int, text: bytes) -> None:
        done = self.run([f"{PROGRAMS[version]}-restore", "-n", "-w"], text)
        if done.returncode != 0:
            detail = " ".join(done.stderr.decode("ascii", "replace").split())[:300]
            said = _("{program}-restore refused ufw's rules: {detail}. Nothing was changed in the kernel; try: ufw reload")
            raise GateError(said.format(program=PROGRAMS[version], detail=detail))

    def _verify(self, version: int, new: list[str]) -> None:
        """Our rules come first: each drop before every accept of the user's."""
        chain = self._chain(version) or []
        top = [row[2] if (row := of_kernel(line)) is not None else "" for line in chain[: len(new)]]
        if top != new:
            raise GateError(_("the kernel took ufw's rules and has them in another order. Try: monzen gate apply"))

    def _remembered(self) -> dict[str, list[str]]:
        """What of the kernel's rules is ours."""
        path = os.path.join(self.root, JOURNAL)
        if not os.path.lexists(path):
            return {}
        try:
            found = json.loads(read(path))
        except ValueError:
            return {}
        return {k: [str(s) for s in v] for k, v in found.items() if k in ("4", "6")} if isinstance(found, dict) else {}

    def _remember(self, specs: dict[str, list[str]]) -> None:
        path = os.path.join(self.root, JOURNAL)
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            if not os.path.lexists(path):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise GateError(_("cannot write {path}: {detail}").format(path=path, detail=error.strerror)) from None
        replace(path, json.dumps(specs).encode("ascii"))


def _kernel_form(line: str) -> str:
    """A line of the file as the kernel would tell it."""
    words = line.split(" ")
    if "--dport" in words:  # -A chain -p tcp --dport 25 -s 192.0.2.7 -j DROP
        chain, protocol, port, source, verdict = words[1], words[3], words[5], words[7], words[9]
        return f"-A {chain} -s {source} -p {protocol} -m {protocol} --dport {port} -j {verdict}"
    return line
