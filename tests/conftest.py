"""What all tests rely on: compiled modules that are what their sources say."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import settings

# What the machine of whoever runs the tests says of languages, times, terminals and new files is no part of them: each says what it needs.
# pytest-xdist even says how wide its terminal is; what monzen prints would fit that, and not be as in a pipe.
for name in list(os.environ):
    if name.startswith(("LC_", "SSH_", "SUDO_")) or name in ("LANGUAGE", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "NOTIFY_SOCKET", "WATCHDOG_USEC"):
        del os.environ[name]
os.environ.update(LANG="C.UTF-8", TZ="UTC")
time.tzset()
os.umask(0o022)

SOURCE = Path(__file__).parent.parent / "src"

# The suite tries the same examples each time, so that it says the same of the same sources; `make fuzz` looks for others.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("search" if os.environ.get("MONZEN_SEARCH") else "suite")


def pytest_sessionstart(session):
    """An edited source beside an older compiled module would be tested without being run."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: programs under test would not hear Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    built = list(SOURCE.rglob("*.so"))
    record = SOURCE / "monzen/compiled.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    for name, digest in known.items():
        if hashlib.sha256((SOURCE / name).read_bytes()).hexdigest() != digest:
            pytest.exit(f"{name} is newer than what was compiled of it: run make test", returncode=2)
    for path in built:
        if path.name.endswith("__mypyc" + "".join(path.suffixes)):
            continue
        stem = path.with_name(path.name.partition(".")[0]).relative_to(SOURCE)
        if not any(name.startswith(f"{stem}.") for name in known):
            pytest.exit(f"{path.name} was compiled by nobody knows whom: run make test", returncode=2)


@pytest.fixture(scope="session")
def shared():
    """The folder with the cases, the arena and the lab, which is not part of the repository."""
    folder = Path(__file__).parent.parent.parent / "shared"
    if not folder.is_dir():
        pytest.skip("../shared is not there: cases of other projects stay outside the repository")
    return folder


def pytest_collection_modifyitems(items):
    """Tests with real daemons mostly wait: they stand between the modules of the others, so that no processor is idle at the end."""
    waiting = [item for item in items if item.path.parent.name == "live"]
    modules: dict[Path, list] = {}
    for item in items:
        if item.path.parent.name != "live":
            modules.setdefault(item.path, []).append(item)
    if not waiting or not modules:
        return
    spread, placed = [], 0
    for number, tests in enumerate(modules.values(), 1):
        spread += tests
        wanted = len(waiting) * number // len(modules)
        spread += waiting[placed:wanted]
        placed = wanted
    items[:] = spread
