"""The package: its parts, and what an admin sees of it on Debian 12 and 13 with a real systemd.

The whole of it takes minutes and a mirror, so it is asked for: MONZEN_DEB=1 (all suites), or MONZEN_DEB=bookworm,trixie,noble. The
systems are made once, in the folder MONZEN_ROOTS (default: a temporary one).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
UNITS = ("monzen.service", "monzen-gate.service", "monzen-tell.service", "monzen-digest.service", "monzen-metrics.service")
TIMERS = ("monzen-tell.timer", "monzen-digest.timer")
ASKED = os.environ.get("MONZEN_DEB", "")
SUITES = ["bookworm", "trixie"] if ASKED == "1" else ASKED.split(",") if ASKED else []


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def build(folder, version):
    """A package of this version in a folder."""
    environment = os.environ | {"VERSION": version, "VENV": sys.prefix, "DIST": str(folder)}
    return folder / Path(run("scripts/deb.sh", env=environment).strip()).name


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    if not shutil.which("dpkg-deb"):
        pytest.skip("not installed: dpkg-deb")
    return build(tmp_path_factory.mktemp("deb"), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


@pytest.fixture(scope="module")
def unpacked(deb):
    folder = deb.parent / "unpacked"
    run("dpkg-deb", "-R", str(deb), str(folder))
    return folder


def test_the_same_checkout_gives_the_same_package(deb):
    first = deb.read_bytes()
    assert build(deb.parent, deb.name.split("_")[1]).read_bytes() == first


def test_every_module_and_language_is_in_it(unpacked):
    source, there = ROOT / "src", unpacked / "usr/share/monzen"
    wanted = {str(p.relative_to(source)) for kind in ("*.py", "*.mo", "*.css", "*.js") for p in source.rglob(kind) if "egg-info" not in str(p)}
    assert wanted <= {str(p.relative_to(there)) for p in there.rglob("*") if p.is_file()}
    assert not [p for p in there.rglob("*") if p.suffix in (".so", ".c", ".pyc", ".po")]
    for path in unpacked.rglob("*"):
        assert not path.lstat().st_mode & 0o6022, path


def test_it_runs_as_unpacked(unpacked, deb):
    program = (
        f"import sys; sys.path.insert(0, {str(unpacked / 'usr/share/monzen')!r}); from monzen.cli import main; "
        f"sys.path[:] = [p for p in sys.path if not p.endswith('/src')]; sys.exit(main())"
    )
    said = run(sys.executable, "-I", "-c", program, "--version")
    assert said.split() == ["monzen", deb.name.split("_")[1]]
    done = run(sys.executable, "-I", "-c", program, "scan", "--json", str(ROOT / "samples/first_user.log"))
    assert '"212.70.149.0/24"' in done
    page = run(sys.executable, "-I", "-c", program, "report", "--html", "-", str(ROOT / "samples/first_user.log"))
    assert "echarts" in page, "with its charts"


def test_the_scripts_of_dpkg_are_shell(unpacked):
    for name in ("postinst", "prerm", "postrm"):
        text = (unpacked / "DEBIAN" / name).read_text()
        assert "@" not in text.replace("$@", "").replace('"@', ""), name
        run("sh", "-n", str(unpacked / "DEBIAN" / name))
        refused = subprocess.run(["sh", str(unpacked / "DEBIAN" / name), "nonsense"], capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "unknown argument" in refused.stderr


def test_systemd_understands_the_units(unpacked):
    if not shutil.which("systemd-analyze"):
        pytest.skip("not installed: systemd")
    paths = [unpacked / "usr/lib/systemd/system" / unit for unit in (*UNITS, *TIMERS)]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, paths)], capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if re.match(r"\S*monzen", line)]
    assert [line for line in said if "/usr/bin/monzen is not executable" not in line] == []


@pytest.mark.parametrize("unit", UNITS)
def test_every_line_of_a_unit_is_explained(unit):
    told = (ROOT / "docs/install.md").read_text()
    service = (ROOT / "packaging/systemd" / unit).read_text().partition("[Service]")[2].partition("[Install]")[0]
    keys = {line.split("=")[0] for line in service.splitlines() if "=" in line and not line.startswith("#")}
    assert sorted(key for key in keys if f"`{key}" not in told) == []


def test_lintian_has_nothing_to_say(deb):
    if not shutil.which("lintian"):
        pytest.skip("not installed: lintian")
    assert run("lintian", "--allow-root", "--tag-display-limit=0", str(deb)) == ""


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES or [pytest.param("bookworm", marks=pytest.mark.skip(reason="asked for with MONZEN_DEB=1"))])
def test_as_an_admin(suite, deb, tmp_path):
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    new = build(tmp_path, deb.name.split("_")[1] + "+next")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(os.environ.get("MONZEN_ROOTS", folder)) / suite
        root.parent.mkdir(parents=True, exist_ok=True)
        run(str(HERE / "root.sh"), suite, str(root), "postfix")
        shared = tmp_path / "shared"
        shared.mkdir()
        for path in (deb, new, HERE / "inside.py"):
            shutil.copy(path, shared)
        command = [HERE / "boot.sh", root, shared, "python3", "-u", "/srv/inside.py", f"/srv/{deb.name}", f"/srv/{new.name}"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode == 125:
            pytest.skip("this kernel, or this container, starts no systemd: " + done.stderr[-200:])
        said = (shared / "output").read_text()
        print(said)
        assert done.returncode == 0, said
