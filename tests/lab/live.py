"""`@live(...)`: a test that runs as root in a sandbox of its own, and says what was printed there when it fails."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
SECRETS = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "SUDO_USER", "SUDO_UID", "SUDO_GID", "SUDO_COMMAND")
SLOWEST = 5  # times as long as on an idle machine a test may take before it is taken for one that hangs
COVERED = ("/etc/", "/var/", "/run/", "/dev/")
RUNS = """
import faulthandler, importlib, sys
faulthandler.dump_traceback_later({seconds}, exit=True)
sys.path[:0] = {path!r}
import pytest
from tests.lab.net import topology
if {net}:
    topology()
function = getattr(importlib.import_module({module!r}), {name!r})
try:
    getattr(function, "inside", function)()
except BaseException as problem:
    if type(problem).__name__ == "Skipped":
        print("SKIPPED:", problem)
        sys.exit(77)
    raise
"""


def live(needs=(), seconds=120, net=True):
    """The function runs in namespaces of its own, in a Python process of its own; without root, or what it `needs`, it is skipped.

    `seconds`: more than it takes on an idle machine; one that waits for `SLOWEST` times as long is ended, and says where it stood.
    """

    def decorate(function):
        @functools.wraps(function)
        @pytest.mark.root
        def test():
            skip_unless(needs)
            script = RUNS.format(
                seconds=SLOWEST * seconds, path=[str(CHECKOUT), str(CHECKOUT / "src")], net=net, module=function.__module__, name=function.__name__
            )
            done = in_sandbox([sys.executable, "-c", script], SLOWEST * seconds + 30)
            if done.returncode == 77:
                pytest.skip(done.stdout.rpartition("SKIPPED: ")[2].strip())
            if done.returncode != 0:
                pytest.fail(done.stdout[-8000:], pytrace=False)

        test.inside = function
        return test

    return decorate


def skip_unless(needs=()):
    """Skip, with a word, where the machine has not what a live test needs."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for namespaces of its own")
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    missing = [program for program in ("unshare", "ip", *needs) if not shutil.which(program, path=path)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (scripts/apt-test.txt)")
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel, or this container, gives nobody a namespace")


def in_sandbox(command, seconds=120.0):
    """Run a command in a sandbox; what it printed, both streams, is in `.stdout`."""
    kept = {str(place) for place in (CHECKOUT.resolve(), Path(sys.prefix).resolve()) if str(place).startswith(COVERED)}
    keep = [word for place in sorted(kept) for word in ("--keep", place)]
    environment = {k: v for k, v in os.environ.items() if k not in SECRETS} | {"LANG": "C.UTF-8", "PYTHONPATH": str(CHECKOUT / "src")}
    environment["PATH"] = f"{environment.get('PATH', '')}:{SBIN}"
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        environment.pop(name, None)
    try:
        return subprocess.run(
            [HERE / "sandbox.sh", *keep, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
        pytest.fail(f"not done after {seconds} s:\n{output.decode(errors='replace') if isinstance(output, bytes) else output}")
