"""`monzen init` without a package, with a real systemd: units, start, a pause that ends by itself, a panic, all of it again.

Asked for as the package's tests are: MONZEN_DEB=1, or MONZEN_DEB=bookworm,trixie; the systems in MONZEN_ROOTS.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
ASKED = os.environ.get("MONZEN_DEB", "")
SUITES = ["bookworm", "trixie"] if ASKED == "1" else ASKED.split(",") if ASKED else []
PROGRAM = """#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "/opt/monzen/lib")
from monzen.cli import main
sys.exit(main())
"""
INSIDE = """
set -eux
mkdir -p /opt/monzen/bin
cp -r /srv/lib /opt/monzen/lib
cp /srv/program /opt/monzen/bin/monzen
export PATH=/opt/monzen/bin:$PATH
table() { nft list tables | grep -q 'inet monzen'; }
wait_for() { for _n in $(seq 100); do "$@" && return; sleep 0.1; done; exit 9; }
away() { ! table; }

monzen init --dry-run
[ ! -e /etc/monzen ] && [ ! -e /etc/systemd/system/monzen.service ]
monzen init --yes
systemctl is-active monzen-gate monzen
systemctl is-enabled monzen-gate monzen
grep -q '^ExecStart=/opt/monzen/bin/monzen gate serve' /etc/systemd/system/monzen-gate.service
[ "$(stat -c %U:%a /var/lib/monzen-run)" = monzen:700 ]
[ "$(stat -c %U:%G:%a /run/monzen/gate.sock)" = root:monzen:660 ]
monzen status --json | grep -q '"mode": "watch"'

monzen deny 203.0.113.7
wait_for table
monzen pause --for 4s | grep 'closes by itself'
away
wait_for table
monzen panic
sleep 3
away
monzen arm --yes
table
: 'the disk of the ledger is full: the mode is written over the old one, and the guard obeys it'
mount -t tmpfs -o size=400k tmpfs /mnt
cp -a /var/lib/monzen/. /mnt/
systemctl stop monzen-gate
mount --bind /mnt /var/lib/monzen
systemctl start monzen-gate
dd if=/dev/zero of=/var/lib/monzen/filler bs=1k || true
monzen panic
sleep 3
away
rm /var/lib/monzen/filler
monzen arm --yes
wait_for table
monzen init --yes
systemctl is-active monzen-gate monzen
echo everything is so
"""


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.slow
def test_an_installation_of_its_own(suite, tmp_path):
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    root = Path(os.environ.get("MONZEN_ROOTS", tempfile.gettempdir() + "/monzen-roots")) / suite
    subprocess.run([HERE / "root.sh", suite, root], check=True)
    library = tmp_path / "lib"
    shutil.copytree(ROOT / "src/monzen", library / "monzen", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copytree(ROOT / "packaging/systemd", library / "monzen/units")
    about = library / "monzen-0.dist-info/METADATA"
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: monzen\nVersion: 0\n")
    (tmp_path / "program").write_text(PROGRAM)
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "inside.sh").write_text(INSIDE)
    done = subprocess.run([HERE / "boot.sh", root, tmp_path, "sh", "/srv/inside.sh"], check=False)
    said = (tmp_path / "output").read_text() if (tmp_path / "output").exists() else (tmp_path / "console").read_text()
    assert done.returncode == 0, said[-6000:]
    assert said.endswith("everything is so\n")
