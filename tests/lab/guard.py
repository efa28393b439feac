"""The guard in a sandbox: `monzen gate serve` as root and `monzen run` as its user, both in srv, and what they said."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_network
from pathlib import Path

from monzen.gate.nftables import Nftables
from monzen.gate.target import Target
from monzen.mode import Mode, write_mode
from tests.lab.net import inside, ns, run, spawn, until

CONFIG = Path("/etc/monzen/monzen.toml")
USER = "monzen"


def account():
    """The user that `run` has, as the package makes it."""
    run("getent group monzen || groupadd --system monzen")
    run("getent passwd monzen || useradd --system --gid monzen --groups adm --no-create-home --shell /usr/sbin/nologin monzen")
    readable = run(["setpriv", "--reuid=monzen", "--clear-groups", sys.executable, "-c", "import monzen.cli"], check=False)
    return USER if readable.returncode == 0 else "root"  # a checkout in /root: nobody else may read it


class Guard:
    """Both halves. `stop`, `kill` and `start` take "run", "serve" or both."""

    def __init__(self, sources, mode="armed", more="", environment=None):
        self.environment = environment
        CONFIG.parent.mkdir(mode=0o755, exist_ok=True)
        CONFIG.write_text(f"[sources]\n{sources}\n{more}")
        self.user = "root" if environment else account()  # what is preloaded must be readable, and is shared with the gate
        if mode:
            write_mode(Mode(mode, None, time.time(), "lab"))
        self.logs = {half: tempfile.NamedTemporaryFile(prefix=f"monzen-{half}-", suffix=".log") for half in ("serve", "run")}  # noqa: SIM115
        self.processes = {}

    def start(self, *halves):
        for half in halves or ("serve", "run"):
            python = [*(["env", *(f"{k}={v}" for k, v in self.environment.items())] if self.environment else []), sys.executable]
            command = [*python, "-m", "monzen", "gate", "serve"]
            if half == "run":
                command = [] if self.environment else ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", "--no-new-privs"]
                command += [*python, "-m", "monzen", "run", "--state", "/var/lib/monzen-run"]
                folder = Path("/var/lib/monzen-run")
                folder.mkdir(mode=0o700, exist_ok=True)
                run(["chown", "-R", f"{self.user}:", str(folder)])
            before = self.said(half).count("ready ")
            self.processes[half] = spawn("srv", command, stdout=self.logs[half], stderr=subprocess.STDOUT)
            until(lambda half=half, before=before: self.said(half).count("ready ") > before or self.ended(half), what=f"{half} is ready")
            assert not self.ended(half), self.said(half)
        if not halves:
            until(lambda: "gate mode=" in self.said("run"), what="run reached the gate")
        return self

    def ended(self, half):
        return self.processes[half].poll() is not None

    def stop(self, *halves, number=signal.SIGTERM):
        for half in halves or ("run", "serve"):
            if half in self.processes:
                self.processes[half].send_signal(number)
                self.processes.pop(half).wait(60)

    def kill(self, *halves):
        self.stop(*halves, number=signal.SIGKILL)

    def said(self, half):
        return Path(self.logs[half].name).read_text(errors="replace")

    def memory(self, half):
        """Resident memory in MiB: as it is, and at its peak."""
        status = Path(f"/proc/{self.processes[half].pid}/status").read_text()
        found = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Vm")}
        return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024

    def cpu(self, half):
        """Seconds of CPU since it was started."""
        parts = Path(f"/proc/{self.processes[half].pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for half in list(self.processes):
            self.processes[half].kill()
            self.processes.pop(half).wait(60)
        if kind is not None:
            for half in self.logs:
                print(f"---- {half}\n{self.said(half)[-6000:]}")


def holds(*networks):
    """Whether the kernel of srv holds all of these: each is asked for, since the list leaves out what moves while it is read."""
    with inside("srv"):
        targets = [Target(n.network_address.packed, n.prefixlen) for n in map(ip_network, networks)]
        return len(Nftables().holds(targets)) == len(targets)


def denied():
    """The targets that the kernel of srv holds, as text."""
    code = "from monzen.gate.nftables import Nftables\nfor t in Nftables().held(): print(t)"
    return ns("srv", [sys.executable, "-c", code]).stdout.split()
