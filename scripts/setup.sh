#!/bin/sh
# Make the Python environment of this checkout: `scripts/setup.sh run` (to use monzen) or `scripts/setup.sh dev` (to test it).
# Says nothing and takes no time when nothing changed since the last run. Works as root and as an ordinary user.
#   VENV=DIR    where it goes (default .venv)      PYTHON=CMD  which Python makes it (default: the first that is 3.11 or newer)
# Exit 0 done, 1 an install failed (the words above say why), 2 something is missing that only a person can give.
set -eu

level=${1:-run}
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
stamp=$venv/ready-$level

case $level in
run) what=. ;;
dev) what='.[dev]' ;;
*)
    echo "usage: scripts/setup.sh run|dev" >&2
    exit 2
    ;;
esac

say() { echo "monzen: $*" >&2; }
stop() {
    say "$*"
    exit 2
}
new_enough() { command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
full_version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'; }
short_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
can_make_venv() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }
can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
apt_install() {
    say "installing $*"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get -qq update >/dev/null && apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

find_python() {
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$python"; then
            return 0
        fi
    done
    return 1
}

make_venv() {
    if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv" 2>/dev/null)" ]; then
        stop "$venv is a folder with something else in it: VENV names a new folder, or an environment"
    fi
    if ! find_python && [ -z "${PYTHON:-}" ] && can_apt; then
        apt_install python3 python3-venv || true
    fi
    find_python || stop "no Python 3.11 or newer found as ${PYTHON:-python3}. Install one (Debian 12, Ubuntu 24.04 and newer have it:" \
        "apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3"
    if ! can_make_venv "$python"; then
        # Debian and Ubuntu ship `ensurepip` in a package of its own, one for each Python.
        package=python$(short_version "$python")-venv
        if can_apt; then
            apt_install "$package" || true
        fi
        can_make_venv "$python" ||
            stop "$python cannot make virtual environments. Ask the admin of this machine for: apt install $package"
    fi
    "$python" -m venv --clear "$venv" ||
        stop "cannot make $venv here. Work in a checkout that belongs to you, or put it elsewhere: make VENV=\$HOME/monzen-venv"
}

# What the environment was made from: our metadata, this script, its Python, and where it stands (its scripts name their folder).
key() {
    {
        cat pyproject.toml scripts/setup.sh scripts/compile.py src/monzen/parse/*.c \
            src/monzen/parse/details.py src/monzen/parse/join.py src/monzen/parse/memory.py src/monzen/parse/ssh_guesses.py src/monzen/judge/*.py
        echo "${MONZEN_COMPILE:-}"
        full_version "$venv/bin/python"
        ls src/monzen/*/*.so 2>/dev/null || true # another environment of this checkout may have compiled for its own Python
        pwd
    } | sha256sum
}

usable() {
    [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -c 'import pip' 2>/dev/null &&
        { [ -z "${PYTHON:-}" ] || [ "$(full_version "$PYTHON")" = "$(full_version "$venv/bin/python")" ]; } &&
        { [ ! -f "$venv/made-in" ] || [ "$(cat "$venv/made-in")" = "$(pwd)" ]; }
}

if ! usable; then
    make_venv
    pwd >"$venv/made-in"
fi
now=$(key)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then
    exit 0
fi
[ -w "$venv" ] || stop "$venv belongs to somebody else and is out of date. Remove it, or use another: make VENV=\$HOME/monzen-venv"
say "installing what it needs into $venv (once)"
MONZEN_COMPILE=0 "$venv/bin/python" -m pip --disable-pip-version-check install -q -e "$what" || {
    say "pip could not install monzen's packages, see above. It needs a package index that it can reach; try again: make"
    exit 1
}
# What is hot is compiled in place: all of it to test and measure, the C loop alone (a second) for a first look.
if [ "$level" = dev ]; then
    MONZEN_COMPILE=${MONZEN_COMPILE:-all} "$venv/bin/python" scripts/compile.py
elif [ -f "$venv/ready-dev" ]; then # mypyc is there, and a module older than its source would be run instead of it
    MONZEN_COMPILE=${MONZEN_COMPILE:-all} "$venv/bin/python" scripts/compile.py
else
    MONZEN_COMPILE=${MONZEN_COMPILE:-c} "$venv/bin/python" scripts/compile.py
fi
now=$(key)
"$venv/bin/python" -m compileall -q src || true # where Python may not write its own: each start would compile them anew
echo "$now" >"$stamp"
if [ "$level" = dev ]; then
    echo "$now" >"$venv/ready-run"
fi
