"""A systemd-journald of the sandbox's own: journalctl and everything that logs in the sandbox speaks to it."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

NEEDS = ("/lib/systemd/systemd-journald", "journalctl")


class Journald:
    """Started at once; `kept` where it writes to /var/log/journal, else to /run."""

    def __init__(self, *, kept=False):
        cgroup = Path("/sys/fs/cgroup")
        if not (cgroup / "cgroup.procs").exists():  # it asks where it stands, and gives up without an answer
            subprocess.run(["mount", "-n", "-t", "cgroup2", "cgroup2", cgroup], check=True)
            subprocess.run(["mount", "-n", "-o", "remount,bind,ro", cgroup], check=True)
        subprocess.run(["rm", "-rf", "/var/log/journal"], check=True)
        for folder in ("/run/systemd/journal", "/run/log/journal", "/etc/systemd/journald.conf.d", *(["/var/log/journal"] * kept)):
            Path(folder).mkdir(parents=True, exist_ok=True)
        conf = "[Journal]\nStorage=auto\nRateLimitBurst=0\nSystemMaxFileSize=1M\nRuntimeMaxFileSize=1M\n"
        Path("/etc/systemd/journald.conf.d/lab.conf").write_text(conf)
        self.start()

    def start(self):
        socket_path = Path("/run/systemd/journal/socket")
        socket_path.unlink(missing_ok=True)
        self.process = subprocess.Popen(["/lib/systemd/systemd-journald"], stdin=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < until, "journald does not start"
            time.sleep(0.02)

    def _answers(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect("/run/systemd/journal/socket")
            except OSError:
                return False
        return Path("/run/systemd/journal/io.systemd.journal").exists()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()

    def log(self, *messages, facility=2, identifier="postfix/smtpd"):
        """Native messages, each a datagram; they are in the journal when this returns."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect("/run/systemd/journal/socket")
            for message in messages:
                sender.send(f"MESSAGE={message}\nSYSLOG_FACILITY={facility}\nSYSLOG_IDENTIFIER={identifier}\n".encode())
        self.ask("--sync")

    def ask(self, *options):
        """journalctl --sync, --rotate, --flush, --vacuum-files=1 ..."""
        subprocess.run(["journalctl", *options], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
