#!/bin/sh
# System packages that tests and benchmarks use, one name a line in a list; `#` starts a comment.
#   scripts/apt.sh install LIST      as root: install those that are missing, starting no service; else say which are missing
#   scripts/apt.sh unpack LIST DIR   unpack those whose programs are missing into DIR: nothing is installed, nothing starts
# A name after `may:` is a package that not every release has. What cannot be had is left out with a word: whoever uses it
# skips. Exit 0, or 2 for wrong use.
set -eu

say() { echo "monzen: $*" >&2; }
wanted() {
    for word in $(sed 's/#.*//' "$1"); do
        case $word in
        may:*) ! known "${word#may:}" || echo "${word#may:}" ;;
        *) echo "$word" ;;
        esac
    done
}
known() { apt-cache show "$1" >/dev/null 2>&1; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
missing() { for package in $(wanted "$1"); do installed "$package" || echo "$package"; done; }
if_root() { [ "$(id -u)" != 0 ] || "$@"; }

quiet_services() {
    # Debian's packages ask this file before they start a service; 101 means no. An existing one is the admin's: it stays.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    elif "$policy" monzen start >/dev/null 2>&1; then
        say "$policy would let services start: install these yourself: $*"
        exit 0
    fi
}

install() {
    packages=$(missing "$1" | xargs)
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "not installed: $packages. What needs them is skipped; to have it, ask the admin for: apt install $packages"
        return 0
    fi
    quiet_services "$packages"
    say "installing $packages"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    # --no-remove: a mail server of another kind must not go because a test would like Postfix
    get="apt-get -qq install -y --no-install-recommends --no-remove"
    # shellcheck disable=SC2086  # lists of words
    if ! { apt-get -qq update && $get $packages; } >/dev/null 2>&1; then
        for package in $packages; do # one that cannot be had must not keep the others away
            $get "$package" >/dev/null || say "apt-get could not install $package, see above. What needs it is skipped"
        done
    fi
    for package in $packages; do
        case $package in
        postfix) not_at_boot postfix.service ;;
        dovecot-*) not_at_boot dovecot.service dovecot.socket ;;
        openssh-server) not_at_boot ssh.service ssh.socket ;;
        rsyslog) not_at_boot rsyslog.service ;;
        esac
    done
}

not_at_boot() {
    # what was installed for tests alone is no service of this machine: Debian's packages would start it with the next boot
    [ -d /run/systemd/system ] || return 0
    systemctl --quiet disable "$@" 2>/dev/null || true
}

unpack() {
    folder=$2
    mkdir -p "$folder"
    for package in $(missing "$1"); do
        [ ! -e "$folder/.$package" ] || continue
        say "unpacking $package into $folder (not installed, not started)"
        work=$(mktemp -d)
        chmod 755 "$work" # apt-get fetches as a user of its own
        if (cd "$work" && { apt-get -qq download "$package" 2>/dev/null ||
            { if_root apt-get -qq update && apt-get -qq download "$package"; }; } >/dev/null) &&
            dpkg -x "$work"/*.deb "$folder"; then
            : >"$folder/.$package"
        else
            say "cannot get $package: it is left out"
        fi
        rm -rf "$work"
    done
}

case "$#/${1:-}" in
2/install) install "$2" ;;
3/unpack) unpack "$2" "$3" ;;
*)
    echo "usage: scripts/apt.sh install LIST | unpack LIST DIR" >&2
    exit 2
    ;;
esac
