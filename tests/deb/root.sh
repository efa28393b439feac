#!/bin/sh
# tests/deb/root.sh SUITE DIR [PACKAGE...]      a small system in DIR, to install the package in: bookworm, trixie, noble
#
# Needs root, debootstrap and a mirror (MIRROR=, default Debian's; noble needs Ubuntu's and its keyring). What is there is kept.
set -eu
suite=$1 dir=$2
shift 2
[ -n "${MIRROR:-}" ] || MIRROR=http://deb.debian.org/debian
base=systemd,systemd-sysv,dbus,iproute2,ufw,nftables,openssh-server,procps,man-db,bash-completion,ca-certificates
needs="python3 python3-rich python3-zstandard python3-prometheus-client python3-starlette python3-uvicorn python3-maxminddb tzdata"
[ "$suite" = bookworm ] || needs="$needs python3-isal python3-textual"

if [ ! -e "$dir/.made" ]; then
    rm -rf "$dir"
    debootstrap --variant=minbase --include=$base "$suite" "$dir" "$MIRROR" >"$dir.log" 2>&1 || {
        tail -n 5 "$dir.log" >&2
        exit 1
    }
    : >"$dir/.made"
fi
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
chmod 755 "$dir/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$dir/etc/resolv.conf"
unshare --mount --propagation private -- sh -euc '
    mount -t proc proc "$0/proc"
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
    chroot "$0" apt-get -qq update
    chroot "$0" apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >/dev/null' "$dir" $needs "$@"
rm -f "$dir/usr/sbin/policy-rc.d"
