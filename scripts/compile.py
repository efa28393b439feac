"""Compiles what is hot, in place: `_scan.c` with the C compiler, join and judge with mypyc. Without them it runs in Python.

    python scripts/compile.py [all|c|none]      (default: the environment's MONZEN_COMPILE, else all)

Never fails: what cannot be compiled is said in one line and left to Python. What was compiled from which sources is written to
src/monzen/compiled.json, so that the tests notice a module that is older than its source.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

RECORD = "monzen/compiled.json"
LOOP = "monzen/parse/_scan.c"
MODULES = (  # pure Python, compiled as it stands; each must be typed throughout
    "monzen/parse/details.py",
    "monzen/parse/join.py",
    "monzen/parse/memory.py",
    "monzen/parse/ssh_guesses.py",
    "monzen/judge/campaign.py",
    "monzen/judge/client.py",
    "monzen/judge/findings.py",
    "monzen/judge/judge.py",
    "monzen/judge/names.py",
    "monzen/judge/neighbours.py",
    "monzen/judge/network.py",
    "monzen/judge/networks.py",
    "monzen/judge/outage.py",
    "monzen/judge/policy.py",
    "monzen/judge/prefixes.py",
    "monzen/judge/routed.py",
    "monzen/judge/routes.py",
    "monzen/judge/rules.py",
    "monzen/judge/sentences.py",
    "monzen/judge/shield.py",
    "monzen/judge/strangers.py",
    "monzen/judge/tables.py",
)
# NDEBUG as Python itself is built: without it Python's macros check each object they look into. Hidden, functions of one library
# call each other directly, and small ones are taken into others.
FLAGS = ("-O3", "-DNDEBUG", "-fvisibility=hidden")
MYPYC = """
import sys
from setuptools import setup
from mypyc.build import mypycify
setup(name="monzen", ext_modules=mypycify(sys.argv[1:], opt_level="3"), script_args=["-q", "build_ext", "--inplace"])
"""


def say(text: str) -> None:
    """One line to stderr."""
    print(f"monzen: {text}", file=sys.stderr)


def run(command: list[str], where: Path, flags: str = "") -> str:
    """Runs a command, the compiler with these flags; "" if it worked, else the last line it wrote."""
    words = {"CFLAGS": f"{os.environ.get('CFLAGS', '')} {flags}"} if flags else {}
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False, env=os.environ | words)
    except OSError as error:
        return str(error)
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return "" if done.returncode == 0 else (errors or lines or ["it failed without a word"])[-1].strip()


def compile_loop(source: Path) -> str:
    """The C loop; "" or why not."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
    target = source / LOOP.replace(".c", suffix)
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    if not shutil.which(compiler[0]):
        compiler = ["cc"]
    include = [f"-I{sysconfig.get_path(name)}" for name in ("include", "platinclude")]
    return run([*compiler, *FLAGS, "-shared", "-fPIC", *include, str(source / LOOP), "-o", str(target)], source)


def compile_modules(source: Path) -> str:
    """The typed modules with mypyc, in a copy, so that it leaves nothing beside them; "" or why not."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(source / "monzen", copy / "monzen", ignore=shutil.ignore_patterns("*.so", "__pycache__", "locale"))
        why = run([sys.executable, "-c", MYPYC, "--ignore-missing-imports", *MODULES], copy, " ".join(FLAGS))
        if not why:
            for built in copy.rglob("*.so"):
                if "build" not in built.relative_to(copy).parts:
                    shutil.copy2(built, source / built.relative_to(copy))
        return why


def digest(source: Path, name: str) -> str:
    """The hash of a source."""
    return hashlib.sha256((source / name).read_bytes()).hexdigest()


def build(source: Path, what: str) -> list[Path]:
    """Compiles into the folder `source` (which holds `monzen/`); the files that were made, relative to it."""
    for old in source.rglob("*.so"):
        old.unlink()
    done: dict[str, str] = {}
    if what in ("all", "c"):
        why = compile_loop(source)
        if why:
            say(
                f"no C compiler or no Python headers ({why}): it reads in Python, two to three times slower."
                " On Debian and Ubuntu: apt install gcc python3-dev"
            )
        else:
            done[LOOP] = digest(source, LOOP)
            if what == "all":
                why = compile_modules(source)
                if why:
                    say(f"mypyc did not compile join and judge ({why}): they run in Python")
                else:
                    done.update({name: digest(source, name) for name in MODULES})
    (source / RECORD).write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    return sorted(p.relative_to(source) for p in source.rglob("*.so"))


def main() -> None:
    """The command."""
    what = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MONZEN_COMPILE", "all")
    if what not in ("all", "c", "none", "0"):
        sys.exit("monzen: MONZEN_COMPILE is all, c or 0")
    try:
        build(Path(__file__).resolve().parent.parent / "src", what)
    except OSError as error:
        say(f"cannot compile here ({error}): what is compiled stays as it was")


if __name__ == "__main__":
    main()
