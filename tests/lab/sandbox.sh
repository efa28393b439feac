#!/bin/sh
# tests/lab/sandbox.sh [--keep DIR]... CMD [ARG]...     run CMD as root in namespaces that vanish with it
#
#   net        no route out, no firewall, an empty /run/netns
#   pid        when CMD ends, the kernel ends whatever it started
#   mount      /etc and /var: overlays over the machine's, without its monzen (what is written stays in memory); /run, /dev, /sys,
#              /proc: fresh
#   ipc, uts   the host is called mail.example.net
#
# So ufw, nft, Postfix, Dovecot, sshd and rsyslog run as packaged and reach nothing of the machine. /usr, /home, /root and /tmp
# are the machine's own: never run apt inside. A DIR below one of the covered folders (a checkout in /var or /dev/shm) stays
# as it is. Nothing is written where this script lies. Exit: CMD's; 125 where the kernel refuses.
set -eu
umask 022 # /var is to be entered by every daemon

keep=
while [ "${1:-}" = --keep ]; do
    keep="$keep $2" # a folder with a blank in its name has no place below /etc, /var, /run or /dev
    shift 2
done

if [ "${MONZEN_SANDBOX:-}" != inside ]; then
    MONZEN_SANDBOX=inside
    export MONZEN_SANDBOX
    options=
    for folder in $keep; do options="$options --keep $folder"; done
    # shellcheck disable=SC2086  # one word for each option
    exec unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc --propagation private -- "$0" $options "$@"
fi
unset MONZEN_SANDBOX
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
trap '[ $? = 0 ] || exit 125' EXIT # what fails from here on is the kernel's refusal, not CMD's

new() { mount -n -t tmpfs -o "mode=$1,size=1g" tmpfs "$2"; }

# /sys is about to be covered anyway: everything is made ready in there, then moved into place.
new 755 /sys
mkdir /sys/dev /sys/run /sys/keep
number=0
for folder in $keep; do
    number=$((number + 1))
    mkdir "/sys/keep/$number"
    mount -n --rbind "$folder" "/sys/keep/$number"
done

new 755 /sys/dev
for node in null zero full random urandom tty; do
    : >"/sys/dev/$node"
    mount -n --bind "/dev/$node" "/sys/dev/$node"
done
mkdir /sys/dev/pts /sys/dev/shm
mount -n -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /sys/dev/pts
new 1777 /sys/dev/shm
ln -s pts/ptmx /sys/dev/ptmx
ln -s /proc/self/fd /sys/dev/fd
ln -s fd/0 /sys/dev/stdin
ln -s fd/1 /sys/dev/stdout
ln -s fd/2 /sys/dev/stderr
mount -n --move /sys/dev /dev

for folder in etc var; do
    mkdir -p "/sys/over/$folder" "/sys/work/$folder"
    mount -n -t overlay -o "lowerdir=/$folder,upperdir=/sys/over/$folder,workdir=/sys/work/$folder" overlay "/$folder"
done

new 755 /sys/run
mkdir /sys/run/lock /sys/run/netns
chmod 1777 /sys/run/lock
mount -n --move /sys/run /run

number=0
for folder in $keep; do
    number=$((number + 1))
    mkdir -p "$folder"
    mount -n --move "/sys/keep/$number" "$folder"
done
mount -n -t sysfs sysfs /sys

hostname mail.example.net
echo mail.example.net >/etc/hostname
printf '%s\n' '127.0.0.1 localhost' '::1 localhost' \
    '198.51.100.10 mail.example.net mail' '2001:db8:1::10 mail.example.net mail' >/etc/hosts
rm -f /etc/resolv.conf # it may point into the machine's /run
: >/etc/resolv.conf
rm -rf --one-file-system /etc/monzen /var/lib/monzen # of a monzen that protects this machine: in the overlay only
ip link set lo up

trap - EXIT
code=0
"$@" || code=$? # not exec: pid 1 has to stay, and to bury what daemons leave behind
exit "$code"
