#!/bin/sh
# tests/deb/boot.sh ROOT SHARED COMMAND [ARG]...      COMMAND as a service of a real systemd that is pid 1 over ROOT
#
#   pid, net, mount, ipc, uts, cgroup namespaces of their own: nothing of the machine is touched, no route leads out
#   ROOT      stays as it is: what is written goes into memory and vanishes
#   SHARED    is /srv inside, both ways; what COMMAND prints is in SHARED/output
# Exit: COMMAND's; 125 where the kernel refuses, 124 after 300 seconds.
set -eu

if [ "${MONZEN_BOOT:-}" != inside ]; then
    cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$cgroup" ] || { echo "no cgroup2 is mounted here" >&2; exit 125; }
    group=$cgroup/monzen-boot-$$
    mkdir "$group" || exit 125
    code=0
    # in a cgroup of its own before its namespace begins, so that this is the root that systemd sees
    MONZEN_BOOT=inside timeout --kill-after=10 300 sh -c 'echo $$ >"$0/cgroup.procs" && exec unshare --mount --net --pid --ipc --uts --cgroup \
        --fork --kill-child --propagation private -- "$@"' "$group" "$0" "$@" >"$2/console" 2>&1 || code=$?
    for _try in 1 2 3 4 5 6 7 8 9 10; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.2
    done
    [ -f "$2/code" ] || { [ "$code" != 0 ] || code=125; exit "$code"; }
    exit "$(cat "$2/code")"
fi
unset MONZEN_BOOT

root=$1 shared=$2
shift 2
rm -f "$shared/code" "$shared/output"
new=/mnt
mount -t tmpfs -o mode=755,size=2g tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
new=/mnt/root
mount --bind "$shared" "$new/srv"
mount -t proc proc "$new/proc"
mount -t sysfs sysfs "$new/sys"
mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$new/dev"
for node in null zero full random urandom tty; do
    : >"$new/dev/$node"
    mount --bind "/dev/$node" "$new/dev/$node"
done
mkdir "$new/dev/pts" "$new/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$new/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$new/dev/shm"
ln -s pts/ptmx "$new/dev/ptmx"
ln -s /proc/self/fd "$new/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$new/run"
ip link set lo up
hostname mail.example.net
echo mail.example.net >"$new/etc/hostname"
: >"$new/etc/machine-id"
: >"$new/etc/resolv.conf"
rm -f "$new/usr/sbin/policy-rc.d"

# COMMAND runs when the machine is up, and its end is the machine's
{
    echo '#!/bin/sh'
    printf 'set --'
    for word; do printf " '%s'" "$word"; done
    echo
    echo '"$@" >/srv/output 2>&1; echo $? >/srv/code; exec systemctl --force --force poweroff'
} >"$new/etc/monzen-boot"
chmod 755 "$new/etc/monzen-boot"
cat >"$new/etc/systemd/system/monzen-boot.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=simple
ExecStart=/etc/monzen-boot
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb
UNIT
mkdir -p "$new/etc/systemd/system/multi-user.target.wants"
ln -s ../monzen-boot.service "$new/etc/systemd/system/multi-user.target.wants/monzen-boot.service"
for unit in systemd-udevd.service systemd-networkd.service getty.target console-getty.service ssh.service; do
    ln -sf /dev/null "$new/etc/systemd/system/$unit"
done

cd "$new"
mkdir -p .old
pivot_root . .old
umount -l /.old
exec env -i container=monzen-boot PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_LOG_LEVEL=notice /lib/systemd/systemd --system \
    --unit=multi-user.target </dev/null
