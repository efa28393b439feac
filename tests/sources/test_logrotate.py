"""The real logrotate, with every way it has; and a writer that opens its file anew when it is told, as rsyslog does."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sources.following import Following, Log

LOGROTATE = shutil.which("logrotate", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
WAYS = {
    "create": "create",
    "nocreate": "nocreate",
    "delaycompress": "create\ncompress\ndelaycompress",
    "compress": "create\ncompress",
    "xz": "create\ncompress\ncompresscmd /usr/bin/xz\ncompressext .xz",
    "copytruncate": "copytruncate",
    "copytruncate compress": "copytruncate\ncompress",
    "copytruncate delaycompress": "copytruncate\ncompress\ndelaycompress",
    "dateext": "create\ndateext\ndateformat -%Y%m%d-%s\ncompress\ndelaycompress",
    "shred": "create\ncompress\nshred",
    "start": "create\nstart 0\ncompress",
}


@pytest.mark.skipif(LOGROTATE is None, reason="not installed: logrotate (scripts/apt-test.txt)")
@pytest.mark.parametrize("way", sorted(WAYS))
def test_every_way(tmp_path: Path, way: str) -> None:
    if way == "xz" and not os.path.exists("/usr/bin/xz"):
        pytest.skip("not installed: xz-utils (scripts/apt-test.txt)")
    log = Log(tmp_path / "log")
    log.path.parent.chmod(0o700)  # it refuses a folder that others can write to
    config = tmp_path / "logrotate.conf"
    config.write_text(f"{log.path} {{\nrotate 40\nmissingok\nifempty\n{WAYS[way]}\n}}\n")
    config.chmod(0o600)
    chance = random.Random(way)
    following = Following(log.path)
    writer = log.path.open("ab", buffering=0)
    for _ in range(1 if "dateext" in way else 25):  # once a second at most: it refuses a name that is there
        for _ in range(chance.randrange(4)):
            writer.write(log.line())
        if chance.random() < 0.5:
            following.drain()
        elif chance.random() < 0.5:
            following.again()
        done = subprocess.run(
            [LOGROTATE or "", "--force", "--state", str(tmp_path / "state"), str(config)],
            capture_output=True, text=True, check=False, env={**os.environ, "TZ": "UTC"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        if "copytruncate" not in way:
            if chance.random() < 0.5:
                following.drain()
                gone = "compress" in WAYS[way] and "delaycompress" not in WAYS[way]
                if not gone:
                    writer.write(log.line())  # not told yet
                    following.drain()
            writer.close()
            writer = log.path.open("ab", buffering=0)
    writer.close()
    following.drain()
    assert following.got == log.lines
    assert following.words == []
    following.follower.close()
