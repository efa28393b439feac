"""What `monzen init` does: a short configuration, the user and the folders, the units where no package brought them, the start.

Each step says what it would do; it is done only when asked for, and can be done again. Everything lies below `root`.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from monzen.config import ConfigError, load
from monzen.mode import PATH as MODE
from monzen.mode import Mode, write_mode
from monzen.services import GROUPS, USER, executable
from monzen.show.command import remedy
from monzen.show.text import network
from monzen.show.words import _
from monzen.show.wrap import wrap
from monzen.survey import Survey

WIDTH: Final = 74  # columns of its comments: with their # and a margin they fit a terminal of 80
CONFIG: Final = "etc/monzen/monzen.toml"
HOME: Final = "/var/lib/monzen-run"
UNITS: Final = ("monzen-gate.service", "monzen.service")
TIMERS: Final = ("monzen-tell.timer", "monzen-digest.timer")
TIMED: Final = ("monzen-tell.service", "monzen-digest.service")  # what they start
PACKAGED: Final = ("usr/lib/systemd/system", "lib/systemd/system")
HIDDEN: Final = ("/home/", "/root/", "/run/user/")  # what the units' ProtectHome= hides from the services

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class SetupError(Exception):
    """A step that could not be done: what failed, why, what to do."""


class Step(NamedTuple):
    """Something that init does: in words, and done by calling it. `done`: it is so already."""

    name: str  # config, user, folders, units, mode, start; never translated
    says: str
    do: Callable[[], None]
    done: bool = False


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A program of the system. Raises SetupError where there is none, or it refused."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=90, check=False,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(_("cannot run {command}: {detail}").format(command=" ".join(command), detail=error)) from None
    if done.returncode:
        detail = " ".join((done.stderr or done.stdout).split())[:300]
        raise SetupError(_("{command} failed: {detail}").format(command=" ".join(command), detail=detail))
    return done


# ---- the configuration


def text_of(found: Survey) -> str:
    """A short configuration, with a word on each key."""
    out = [
        *_comment(_("The configuration of monzen. Every key may be left out; what is wrong with it says: monzen check")),
        "",
        "[shield]",
        *_comment(_("Never denied: addresses, networks, host names.")),
    ]
    if found.admin:
        out += _comment(_("From here you were logged in when this was written; take it out if it is not yours for long."))
    out.append(f"allow = {_list(network(a, 8 * len(a)) for a in found.admin)}")
    out += ["", "[sources]", *_comment(_("The logs that are followed, with whatever rotation leaves of them."))]
    if found.files or found.journald:
        out.append(f"files = {_list(found.files)}")
    else:
        out.append('# files = ["/var/log/mail.log", "/var/log/auth.log", "/var/log/ufw.log"]')
    out += _comment(_('The journal too: true, false, or "auto": where the files do not say the same.'))
    out.append(f"journal = {json.dumps('auto' if found.journal is None else found.journal)}")
    if found.timezone:
        out += _comment(_("What their stamps mean, which say no zone themselves and are not in this machine's."))
        out.append(f"timezone = {json.dumps(found.timezone)}")
    said = _("Who is told of alarms, within a minute, and gets the digest: nobody, until one of these is set.")
    out += ["", "[tell]", *_comment(said)]
    out += ['# mail = "root"', '# digest = "weekly"', '# hook = ["/usr/local/bin/on-alarm"]', '# post = "https://example.org/alarms"']
    said = _("see docs/policy.md, docs/gate.md, docs/ledger.md; every default works")
    out += ["", *_comment("[policy], [gate], [ledger]: " + said)]
    return "\n".join(out) + "\n"


def _comment(said: str) -> list[str]:
    """Lines that a terminal of 80 columns shows whole, also behind a margin."""
    return ["# " + line for line in wrap(said, WIDTH)]


def _list(texts: Iterable[str]) -> str:
    """A list in TOML: a string in JSON is one in TOML, too."""
    return json.dumps(list(texts), ensure_ascii=False)


def difference(root: str, new: str) -> list[str]:
    """What would be another line in the configuration that is there; nothing where there is none, or where it says the same."""
    try:
        old = Path(root, CONFIG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    with contextlib.suppress(tomllib.TOMLDecodeError):
        if tomllib.loads(old) == tomllib.loads(new):  # comments are in the language of who typed
            return []
    name = "/" + CONFIG
    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), name, _("as init would write it"), lineterm="", n=1))


def write_configuration(root: str, new: str, *, force: bool = False) -> str | None:
    """Write it where there is none; with `force` also over one that is there, which stays beside it. Returns where that is.

    Raises SetupError.
    """
    path = os.path.join(root, CONFIG)
    kept = None
    try:
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
            os.chmod(os.path.dirname(path), 0o755)  # whatever umask root has: `run` reads it, which is not root
        if os.path.lexists(path):
            if not force:
                return None
            kept = f"{path}.{time.strftime('%Y%m%d-%H%M%S')}"
            shutil.copy2(path, kept, follow_symlinks=False)
        beside = f"{path}.{os.getpid()}"
        with open(beside, "x", encoding="utf-8") as file:
            file.write(new)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    return kept


# ---- everything that is to be done


def steps(
    found: Survey, root: str = "/", *, force: bool = False, run: Run = run, program: str = "", units: Path | None = None
) -> Iterator[Step]:
    """What is to be done, in order; what is so already says so."""
    new = text_of(found)
    there = os.path.lexists(os.path.join(root, CONFIG))
    different = difference(root, new)
    if there and (not different or not force):
        broken = _broken(os.path.join(root, CONFIG))
        if broken:
            said = _("mend the configuration by hand, or write it anew: {why}")
            yield Step("config", said.format(why=broken), lambda: _mend(broken))
        else:
            said = _("/{path} is there and stays as it is") if different else _("/{path} is as it should be")
            yield Step("config", said.format(path=CONFIG), _nothing, True)
    else:
        said = _("write /{path} anew; the old one stays beside it") if there else _("write /{path}")
        yield Step("config", said.format(path=CONFIG), lambda: _ignore(write_configuration(root, new, force=force)))
    yield _user(root, run)
    yield _folders(root, run)
    systemd = os.path.isdir(os.path.join(root, "run/systemd/system"))
    if systemd:
        yield from _units(root, run, program or executable(), units or unit_folder())
    if not os.path.lexists(os.path.join(root, MODE)):
        yield Step("mode", _("begin watch-only: nobody is denied but by hand"), lambda: _watch(root))
    if systemd:
        said = _("start monzen-gate and monzen, now and at each start of the machine")
        yield Step("start", said, lambda: _start(run))


def _broken(path: str) -> str:
    """Why the configuration that is there cannot be used; empty where it can."""
    try:
        load(path)
    except ConfigError as error:
        return str(error)
    return ""


def _mend(why: str) -> None:
    raise SetupError(_("{why}. To write it anew, the old one beside it: sudo monzen init --force").format(why=why))


def unit_folder() -> Path:
    """Where the units lie: in an installation beside the modules, else in the checkout."""
    inside = Path(__file__).parent / "units"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "packaging/systemd"


def _start(run: Run) -> None:
    """Both, anew: a package may have started them before there was a configuration. What the kernel denies it goes on denying."""
    run(["systemctl", "enable", *UNITS, *TIMERS])
    try:
        run(["systemctl", "restart", *UNITS, *TIMERS])
    except SetupError:
        raise SetupError(
            _("the guard did not start. What it says: {command}").format(command="journalctl -n 20 -u monzen-gate -u monzen")
        ) from None


def _nothing() -> None:
    """It is done already."""


def _ignore(_value: object) -> None:
    """Called for what it does."""


def _names(root: str, file: str) -> dict[str, list[str]]:
    """Rows of /etc/passwd or /etc/group, by name."""
    try:
        lines = Path(root, "etc", file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {row[0]: row for line in lines if len(row := line.split(":")) > 3}


def _user(root: str, run: Run) -> Step:
    """The user that reads and judges, without a password, a shell or a home of its own, and in the groups that may read logs."""
    groups = [g for g in GROUPS if g in _names(root, "group")]
    known = _names(root, "group")
    missing = [g for g in groups if USER not in known[g][3].split(",")]
    if USER not in _names(root, "passwd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", HOME, "--shell", "/usr/sbin/nologin"]
        command += [*(["--groups", ",".join(groups)] if groups else []), USER]
        if USER in known:
            command[command.index("--user-group")] = f"--gid={USER}"
        said = _("make the user {user}, who may read logs (groups {groups}) and nothing else")
        return Step("user", said.format(user=USER, groups=", ".join(groups) or "-"), lambda: _ignore(run(command)))
    if missing:
        said = _("let the user {user} read logs: groups {groups}")
        return Step(
            "user",
            said.format(user=USER, groups=", ".join(missing)),
            lambda: _ignore(run(["usermod", "-aG", ",".join(missing), USER])),
        )
    return Step("user", _("the user {user} is there").format(user=USER), _nothing, True)


def _folders(root: str, run: Run) -> Step:
    """Where both remember, and where they meet."""
    wanted = (("var/lib/monzen", 0o750, "root"), (HOME.lstrip("/"), 0o700, USER), ("run/monzen", 0o750, f"root:{USER}"))

    def do() -> None:
        for name, mode, owner in wanted:
            path = os.path.join(root, name)
            try:
                os.makedirs(path, exist_ok=True)
                os.chmod(path, mode)
            except OSError as error:
                raise _unwritable(path, error) from None
            if owner != "root":
                run(["chown", owner, path])

    missing = ["/" + name for name, _mode, _owner in wanted if not os.path.isdir(os.path.join(root, name))]
    if not missing and (lost := not_theirs(root)):
        said = _("give back to the user {user}: {names}").format(user=USER, names=", ".join("/" + name for name in lost))
        return Step("folders", said, lambda: _give_back(root, lost))
    if not missing:
        return Step("folders", _("the folders are there"), _nothing, True)
    return Step("folders", _("make the folders {names}").format(names=", ".join(missing)), do)


def not_theirs(root: str = "/") -> list[str]:
    """What `monzen run` could not write of its own, because somebody else made it: by hand, as root."""
    folder = HOME.lstrip("/")
    try:
        user = pwd.getpwnam(USER).pw_uid
        names = [folder, *(os.path.join(folder, name) for name in os.listdir(os.path.join(root, folder)))]
        return sorted(name for name in names if os.lstat(os.path.join(root, name)).st_uid != user)
    except (KeyError, OSError):
        return []


def _give_back(root: str, names: Iterable[str]) -> None:
    """Nothing but plain files with one name, and the folder itself: its owner could have put links there."""
    owner = pwd.getpwnam(USER)
    for name in names:
        try:
            descriptor = os.open(os.path.join(root, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            about = os.fstat(descriptor)
            if stat.S_ISDIR(about.st_mode) or (stat.S_ISREG(about.st_mode) and about.st_nlink == 1):
                os.fchown(descriptor, owner.pw_uid, owner.pw_gid)
        finally:
            os.close(descriptor)


def _units(root: str, run: Run, program: str, folder: Path) -> Iterator[Step]:
    """The units, where no package brought them."""
    if any(os.path.exists(os.path.join(root, place, UNITS[0])) for place in PACKAGED):
        yield Step("units", _("the units are there, from the package"), _nothing, True)
        return
    wanted = {f"etc/systemd/system/{name}": name for name in (*UNITS, *TIMERS, *TIMED)}
    wanted["etc/tmpfiles.d/monzen.conf"] = "monzen.tmpfiles"
    if os.path.exists(os.path.join(root, "usr/sbin/ufw")):
        wanted["etc/systemd/system/monzen-gate.service.d/ufw.conf"] = "ufw.conf"
    try:
        texts = {place: (folder / name).read_text(encoding="utf-8") for place, name in wanted.items()}
    except OSError as error:
        said = _("the units are missing in this installation ({path}): install the package, or start both by hand").format(
            path=error.filename
        )
        problem = SetupError(said)

        def refuse() -> None:
            raise problem

        yield Step("units", said, refuse)
        return
    texts = {place: text.replace("/usr/bin/monzen", program) for place, text in texts.items()}
    same = all(_read(os.path.join(root, place)) == text for place, text in texts.items())

    def do() -> None:
        if hidden := _hidden(program):
            said = _("monzen lies in {path}, where no service may look. Install the package, or: python3 -m venv /opt/monzen")
            raise SetupError(said.format(path=hidden))
        for place, text in texts.items():
            path = Path(root, place)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                path.chmod(0o644)
            except OSError as error:
                raise _unwritable(str(path), error) from None
        run(["systemd-tmpfiles", "--create", os.path.join(root, "etc/tmpfiles.d/monzen.conf")])
        run(["systemctl", "daemon-reload"])

    if same:
        yield Step("units", _("the units are there"), _nothing, True)
    else:
        yield Step("units", _("install the units {names} in /etc/systemd/system").format(names=", ".join(UNITS)), do)


def _hidden(program: str) -> str:
    """The place of this program, or of the Python that runs it, if a service cannot see it."""
    places = [program.split(" ")[0], os.path.realpath(program.split(" ")[0])]
    if program == executable():
        places += [sys.prefix + "/", os.path.realpath(sys.executable)]
    return next((p for p in places if p.startswith(HIDDEN)), "")


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _unwritable(path: str, error: OSError) -> SetupError:
    """The SetupError for what the operating system answered."""
    said = _("cannot write {path}: {detail}. {remedy}")
    return SetupError(said.format(path=path, detail=_(error.strerror or str(error)), remedy=remedy()))


def _watch(root: str) -> None:
    try:
        write_mode(Mode("watch", None, time.time(), "monzen init"), root)
    except OSError as error:
        raise _unwritable("/" + MODE, error) from None
