"""ufw's files and its chain together, below a folder of the test's own and with a kernel that is a list."""

import errno
import fcntl
import json
import os
import re
import subprocess
import sys

import pytest

from monzen.gate import ufw_lock
from monzen.gate.target import Denial, GateError, Held
from monzen.gate.ufw import Mirrored, Ufw, run
from monzen.gate.ufw_lock import at_work, locked, wait_for
from tests.gate.test_ufw_rules import EMPTY, PRISTINE, THEIR_ALLOW, THEIR_DENY, at, with_rules

NET, SIX, DOOR = at("203.0.113.0/24"), at("2001:db8:bad::/48"), at("198.51.100.7", 25)
EMPTY6 = EMPTY.replace(b"ufw-user", b"ufw6-user")


class Kernel:
    """The two chains of ufw, told and changed as iptables does; `calls` are the programs that were run."""

    def __init__(self):
        self.chains = {"ufw-user-input": [], "ufw6-user-input": []}
        self.calls, self.refuse, self.status = [], b"", 0

    def __call__(self, command, given=b""):
        self.calls.append(command)
        if command[0].endswith("-restore"):
            assert list(command[1:]) == ["-n", "-w"]
            if self.refuse:
                return subprocess.CompletedProcess(command, 1, b"", self.refuse)
            for line in given.decode().splitlines()[1:-1]:
                verb, chain, rest = line.split(" ", 2)
                rules = self.chains[chain]
                if verb == "-D":
                    rules.remove(rest)
                else:
                    number, spec = rest.split(" ", 1)
                    rules.insert(int(number) - 1, spec)
            return subprocess.CompletedProcess(command, 0, b"", b"")
        chain = command[-1]
        if self.status or chain not in self.chains:
            return subprocess.CompletedProcess(command, self.status or 1, b"", b"iptables: No chain/target/match by that name.")
        told = [f"-N {chain}"] + [f"-A {chain} {self.tell(spec)}" for spec in self.chains[chain]]
        return subprocess.CompletedProcess(command, 0, "\n".join(told).encode(), b"")

    @staticmethod
    def tell(spec):
        if (door := re.match(r"-p (\w+) --dport (\d+) -s (\S+) -j (\w+)$", spec)) is not None:
            length = "" if "/" in door[3] else "/128" if ":" in door[3] else "/32"
            return f"-s {door[3]}{length} -p {door[1]} -m {door[1]} --dport {door[2]} -c 3 180 -j {door[4]}"
        if (plain := re.match(r"-s (\S+) -j (\w+)$", spec)) is not None:
            length = "" if "/" in plain[1] else "/128" if ":" in plain[1] else "/32"
            return f"-s {plain[1]}{length} -c 3 180 -j {plain[2]}"
        return spec


@pytest.fixture
def root(tmp_path):
    for name in ("etc/ufw", "etc/default", "run", "proc"):
        (tmp_path / name).mkdir(parents=True, mode=0o755)
    write(tmp_path, "etc/ufw/ufw.conf", b"ENABLED=yes\nLOGLEVEL=low\n", 0o644)
    write(tmp_path, "etc/default/ufw", b'IPV6=yes\nDEFAULT_INPUT_POLICY="ACCEPT"\n', 0o644)
    write(tmp_path, "etc/ufw/user.rules", EMPTY, 0o640)
    write(tmp_path, "etc/ufw/user6.rules", EMPTY6, 0o640)
    return tmp_path


def write(root, name, text, mode=None):
    (root / name).write_bytes(text)
    if mode is not None:
        (root / name).chmod(mode)


def rules(root, name="etc/ufw/user.rules"):
    return (root / name).read_bytes()


def denials(*targets):
    return [Denial(t, None) for t in targets]


def test_file_and_kernel_become_what_is_given_and_then_nothing_is_done(root):
    kernel = Kernel()
    ufw = Ufw(str(root), kernel)
    assert ufw.mirror(denials(NET, SIX, DOOR), {NET: 12}) == Mirrored(3, True)
    assert kernel.chains == {
        "ufw-user-input": [
            "-s 203.0.113.0/24 -j DROP",
            "-p tcp --dport 25 -s 198.51.100.7 -j DROP",
            "-p udp --dport 25 -s 198.51.100.7 -j DROP",
        ],
        "ufw6-user-input": ["-s 2001:db8:bad::/48 -j DROP"],
    }
    assert ufw.held() == {NET: Held(None, 3, 180), DOOR: Held(None, 6, 360), SIX: Held(None, 3, 180)}
    before = [os.stat(root / "etc/ufw" / name) for name in ("user.rules", "user6.rules")]
    kernel.calls.clear()
    assert ufw.mirror(denials(NET, SIX, DOOR), {NET: 12}) == Mirrored(0, True)
    assert [os.stat(root / "etc/ufw" / name) for name in ("user.rules", "user6.rules")] == before
    assert not [c for c in kernel.calls if c[0].endswith("restore")]
    assert ufw.mirror([], {}) == Mirrored(3, True)
    assert rules(root) == EMPTY
    assert kernel.chains == {"ufw-user-input": [], "ufw6-user-input": []}
    assert ufw.held() == {}


def test_mode_is_kept_and_nothing_is_left_beside(root):
    Ufw(str(root), Kernel()).mirror(denials(NET))
    assert (root / "etc/ufw/user.rules").stat().st_mode & 0o7777 == 0o640
    assert sorted(p.name for p in (root / "etc/ufw").iterdir()) == ["ufw.conf", "user.rules", "user6.rules"]


def test_where_ufw_is_not_active_only_the_file_changes_and_that_is_said(root):
    write(root, "etc/ufw/ufw.conf", b"ENABLED=no\n")
    write(root, "etc/ufw/user.rules", PRISTINE)
    kernel = Kernel()
    ufw = Ufw(str(root), kernel)
    assert ufw.mirror(denials(NET)) == Mirrored(1, False)
    assert kernel.calls == []
    assert b"203.0.113.0/24" in rules(root)
    assert ufw.held() == {NET: Held(None, 0, 0)}
    assert ufw.mirror(denials(NET)) == Mirrored(0, False)
    assert ufw.mirror([]) == Mirrored(1, False)


def test_enabled_in_the_file_and_not_in_the_kernel_is_not_active(root):
    kernel = Kernel()
    kernel.chains.clear()
    ufw = Ufw(str(root), kernel)
    assert not ufw.active()
    assert ufw.mirror(denials(NET)) == Mirrored(1, False)


def test_without_ipv6_its_file_follows_and_its_kernel_is_left_out(root):
    kernel = Kernel()
    del kernel.chains["ufw6-user-input"]
    ufw = Ufw(str(root), kernel)
    assert ufw.mirror(denials(NET, SIX)) == Mirrored(2, True)
    assert ufw.held() == {NET: Held(None, 3, 180)}


def test_no_ufw_no_rules(tmp_path):
    ufw = Ufw(str(tmp_path), Kernel())
    assert not ufw.present()
    assert not ufw.active()
    assert ufw.defaults() is None
    assert ufw.mirror(denials(NET)) == Mirrored(0, False)
    assert ufw.held() == {}
    assert ufw.commands(denials(NET)) == ["ufw prepend deny from 203.0.113.0/24"]


def test_exceptions_stand_above_what_they_are_excepted_from(root):
    kernel = Kernel()
    ufw = Ufw(str(root), kernel)
    ufw.mirror(denials(NET))
    assert ufw.mirror(denials(NET), {}, [at("203.0.113.9")]) == Mirrored(1, True)
    assert kernel.chains["ufw-user-input"] == ["-s 203.0.113.9 -j ACCEPT", "-s 203.0.113.0/24 -j DROP"]
    assert [(s.rule.allow, s.in_file, s.in_kernel) for s in ufw.standing()] == [(True, True, True), (False, True, True)]
    assert set(ufw.held()) == {NET}


def test_a_rule_that_the_user_took_over_stays_in_the_kernel(root):
    kernel = Kernel()
    ufw = Ufw(str(root), kernel)
    ufw.mirror(denials(NET))
    write(root, "etc/ufw/user.rules", with_rules(THEIR_DENY))  # what `ufw deny from 203.0.113.0/24` makes of ours
    ufw.mirror(denials(NET))
    assert kernel.chains["ufw-user-input"] == ["-s 203.0.113.0/24 -j DROP"]
    ufw.mirror([])
    assert kernel.chains["ufw-user-input"] == ["-s 203.0.113.0/24 -j DROP"]
    assert rules(root) == with_rules(THEIR_DENY)
    assert ufw.held() == {}


def test_his_below_an_allow_is_no_reason_to_do_without_ours_and_stays_when_ours_goes(root):
    write(root, "etc/ufw/user.rules", with_rules(THEIR_ALLOW, THEIR_DENY))
    kernel = Kernel()
    kernel.chains["ufw-user-input"] = ["-p tcp -m tcp --dport 25 -j ACCEPT", "-s 203.0.113.0/24 -j DROP"]
    ufw = Ufw(str(root), kernel)
    ufw.mirror(denials(NET))
    assert kernel.chains["ufw-user-input"][0] == kernel.chains["ufw-user-input"][2] == "-s 203.0.113.0/24 -j DROP"
    ufw.mirror([])
    assert kernel.chains["ufw-user-input"] == ["-p tcp -m tcp --dport 25 -j ACCEPT", "-s 203.0.113.0/24 -j DROP"]
    assert rules(root) == with_rules(THEIR_ALLOW, THEIR_DENY)


def test_what_a_ufw_that_had_read_before_us_overwrote_is_found_and_taken_away(root):
    kernel = Kernel()
    ufw = Ufw(str(root), kernel)
    ufw.mirror(denials(NET))
    write(root, "etc/ufw/user.rules", EMPTY)  # `ufw allow ...` wrote what it had read; the kernel goes on dropping
    assert [(s.in_file, s.in_kernel) for s in ufw.standing()] == [(False, True)]
    assert ufw.held() == {}
    assert ufw.mirror([]) == Mirrored(1, True)
    assert kernel.chains["ufw-user-input"] == []
    ufw.mirror(denials(NET))
    write(root, "etc/ufw/user.rules", EMPTY)
    ufw.mirror(denials(NET))
    assert kernel.chains["ufw-user-input"] == ["-s 203.0.113.0/24 -j DROP"]
    assert b"203.0.113.0/24" in rules(root)


def test_rules_that_nobody_knows_stay_where_they_are(root):
    kernel = Kernel()
    kernel.chains["ufw-user-input"] = ["-s 192.0.2.0/24 -j DROP", "-p tcp -m tcp --dport 22 -j ACCEPT"]
    ufw = Ufw(str(root), kernel)
    ufw.mirror(denials(NET))
    ufw.mirror([])
    assert kernel.chains["ufw-user-input"] == ["-s 192.0.2.0/24 -j DROP", "-p tcp -m tcp --dport 22 -j ACCEPT"]


STEPS = ("journal", "file", "kernel", "done")


class KilledError(Exception):
    pass


def killed_at(step):
    def end(name):
        if name == step:
            raise KilledError

    return end


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("going", [True, False])
def test_ended_after_any_step_the_next_mirror_makes_it_whole(root, step, going):
    kernel = Kernel()
    if going:
        Ufw(str(root), kernel).mirror(denials(NET, DOOR))
    target = [] if going else [NET, DOOR]
    with pytest.raises(KilledError):
        Ufw(str(root), kernel, killed_at(step)).mirror(denials(*target))
    ufw = Ufw(str(root), kernel)
    ufw.mirror(denials(*target))
    assert len(kernel.chains["ufw-user-input"]) == (0 if going else 3)
    assert set(ufw.held()) == set(target)
    assert ufw.mirror(denials(*target)) == Mirrored(0, True)
    assert json.loads((root / "run/monzen/ufw.json").read_bytes())["4"] == sorted(kernel.chains["ufw-user-input"])


def test_killed_and_then_overwritten_it_is_still_known_whose_rules_the_kernel_has(root):
    kernel = Kernel()
    with pytest.raises(KilledError):
        Ufw(str(root), kernel, killed_at("kernel")).mirror(denials(NET))
    write(root, "etc/ufw/user.rules", EMPTY)  # by a `ufw` that had read the file before
    assert kernel.chains["ufw-user-input"] == ["-s 203.0.113.0/24 -j DROP"]
    assert Ufw(str(root), kernel).mirror([]) == Mirrored(1, True)
    assert kernel.chains["ufw-user-input"] == []


def test_every_step_is_done_under_ufws_lock(root):
    seen = []

    def step(name):
        seen.append((name, subprocess.run([sys.executable, "-c", TRIES, root / "run/ufw.lock"], check=False).returncode))

    Ufw(str(root), Kernel(), step).mirror(denials(NET))
    assert seen == [(name, errno.EAGAIN) for name in STEPS]


def test_what_a_killed_one_left_beside_the_file_is_removed(root):
    write(root, "etc/ufw/.user.rules.monzen", b"half a")
    Ufw(str(root), Kernel()).mirror(denials(NET))
    assert not (root / "etc/ufw/.user.rules.monzen").exists()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"4": 5}', b'{"4": [1, null]}', b"\xff\xfe"])
def test_a_damaged_journal_is_none(root, text):
    (root / "run/monzen").mkdir(mode=0o755)
    write(root, "run/monzen/ufw.json", text, 0o600)
    assert Ufw(str(root), Kernel()).mirror(denials(NET)) == Mirrored(1, True)


def refusal(root, kernel=None):
    """What is said, and that nothing was changed."""
    before = [rules(root, "etc/ufw/user6.rules")]
    with pytest.raises(GateError) as refused:
        Ufw(str(root), kernel or Kernel()).mirror(denials(NET))
    assert [rules(root, "etc/ufw/user6.rules")] == before
    return str(refused.value)


def test_a_link_is_not_followed(root):
    (root / "etc/ufw/user.rules").rename(root / "etc/elsewhere")
    (root / "etc/ufw/user.rules").symlink_to(root / "etc/elsewhere")
    assert "is a symbolic link, so it was left alone. Put the file itself in its place" in refusal(root)
    assert (root / "etc/elsewhere").read_bytes() == EMPTY


def test_files_and_folders_that_others_may_write_are_refused(root):
    (root / "etc/ufw/user.rules").chmod(0o660)
    assert "others than root may write it: it was left alone. Mend it: chown root; chmod go-w" in refusal(root)
    (root / "etc/ufw/user.rules").chmod(0o640)
    (root / "etc/ufw").chmod(0o777)
    assert "others than root may write in the folder" in refusal(root)
    (root / "etc/ufw").chmod(0o755)
    (root / "run/monzen").chmod(0o775)
    assert "others than root may write in the folder" in refusal(root)


def test_a_pipe_in_the_place_of_the_file_does_not_hold_us_up(root):
    (root / "etc/ufw/user.rules").unlink()
    os.mkfifo(root / "etc/ufw/user.rules", 0o640)
    assert "is no plain file" in refusal(root)


def test_a_linked_lock_is_refused(root):
    (root / "run/ufw.lock").symlink_to(root / "etc/ufw/ufw.conf")
    assert "cannot take ufw's lock" in refusal(root)
    assert rules(root, "etc/ufw/ufw.conf") == b"ENABLED=yes\nLOGLEVEL=low\n"


def test_what_iptables_refuses_is_said_in_its_words(root):
    kernel = Kernel()
    kernel.refuse = b"iptables-restore v1.8.9: line 2 failed\n"
    said = refusal(root, kernel)
    assert said == (
        "iptables-restore refused ufw's rules: iptables-restore v1.8.9: line 2 failed."
        " Nothing was changed in the kernel; try: ufw reload"
    )
    kernel.refuse = b""
    assert Ufw(str(root), kernel).mirror(denials(NET)) == Mirrored(1, True)
    assert kernel.chains["ufw-user-input"] == ["-s 203.0.113.0/24 -j DROP"]


def test_a_kernel_that_may_not_be_read_is_not_taken_for_an_inactive_ufw(root):
    kernel = Kernel()
    kernel.status = 4
    assert "cannot read ufw's rules in the kernel" in refusal(root, kernel)
    assert rules(root) == EMPTY


def test_a_kernel_that_has_them_in_another_order_is_told(root):
    kernel = Kernel()
    real = kernel.__call__

    def deaf(command, given=b""):
        return subprocess.CompletedProcess(command, 0, b"", b"") if command[0].endswith("-restore") else real(command, given)

    with pytest.raises(GateError, match="in another order"):
        Ufw(str(root), deaf).mirror(denials(NET))


def test_programs_are_run_in_one_language_without_a_shell():
    done = run(["env"])
    assert sorted(done.stdout.split()) == [b"LANGUAGE=C", b"LC_ALL=C", b"PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    with pytest.raises(GateError, match="cannot run no-such-program"):
        run(["no-such-program; true"])


HOLDS = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_ufws_own_lock_is_waited_for(root):
    path = root / "run/ufw.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        lock = locked(str(root), patience=0.05)
        with pytest.raises(GateError, match="nothing was changed"):
            lock.__enter__()
        other.stdin.close()
        other.wait()
    with locked(str(root)):
        done = subprocess.run([sys.executable, "-c", TRIES, path], check=False)
        assert done.returncode == errno.EAGAIN
    with open(path, "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


TRIES = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "w"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError as error:
    sys.exit(error.errno)
"""


def test_only_ufw_itself_is_at_work(root, monkeypatch):
    for number, words in enumerate(
        [
            ["/usr/bin/python3", "/usr/sbin/ufw", "allow", "25"],
            ["/usr/bin/python3", "-s", "/usr/sbin/ufw", "status"],
            ["sudo", "ufw", "status"],
            ["vi", "/etc/ufw"],
            ["/usr/bin/python3", "/usr/bin/monzen", "ufw"],
            [""],
        ],
        101,
    ):
        (root / "proc" / str(number)).mkdir()
        write(root, f"proc/{number}/cmdline", b"\0".join(w.encode() for w in words) + b"\0")
    (root / "proc/self").mkdir()
    (root / "proc/109").mkdir()  # it ended while we looked
    monkeypatch.setattr(ufw_lock, "ROOT", os.geteuid())
    assert at_work(str(root)) == {101, 102}
    monkeypatch.setattr(ufw_lock, "ROOT", os.geteuid() + 1)
    assert at_work(str(root)) == set()
    monkeypatch.setattr(ufw_lock, "ROOT", os.geteuid())
    assert not wait_for(str(root), {101}, 0.05)
    assert wait_for(str(root), {103}, 5)


def test_a_ufw_that_writes_what_it_read_before_us_does_not_have_the_last_word(root, monkeypatch):
    monkeypatch.setattr(ufw_lock, "ROOT", os.geteuid())
    (root / "proc/101").mkdir()
    write(root, "proc/101/cmdline", b"/usr/bin/python3\0/usr/sbin/ufw\0allow\0")
    kernel, theirs = Kernel(), with_rules(THEIR_ALLOW)
    waited = []

    def wait(_root, ids, patience):
        assert ids == {101}
        assert patience <= 2
        with locked(str(root), patience=1):  # ours is free now
            write(root, "etc/ufw/user.rules", theirs)
        (root / "proc/101/cmdline").unlink()
        waited.append(1)
        return True

    monkeypatch.setattr("monzen.gate.ufw.wait_for", wait)
    assert Ufw(str(root), kernel).mirror(denials(NET)) == Mirrored(1, True)
    assert waited == [1]
    assert b"203.0.113.0/24" in rules(root)
    assert THEIR_ALLOW in rules(root)
