# Process 1 of a lab host that runs systemd: a root of its own over the machine's, its name, then systemd.
# Arguments: NAME DIRECTORY. Descriptor 3 stays open for as long as the lab lives.
set -eu
name=$1 dir=$2
read -r pid _ </proc/self/stat            # /proc is still the outer one: our number as seen there
root=$dir/mount
mkdir -p "$root" "$dir/disk/root" "$dir/scratch/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/disk/root,workdir=$dir/scratch/root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" 2>/dev/null || {
    mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
}
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
if [ ! -e "$root/etc/lab-host" ]; then
    # What the machine runs is nothing to this host: it begins bare, once.
    find "$root/etc/systemd/system" -path '*.wants/*' -delete
    rm -f "$root/etc/resolv.conf" "$root/etc/machine-id"
    rm -rf "$root/etc/hacd" "$root/var/lib/hacd" "$root/var/log/hacd" "$root/var/log/journal"
    touch "$root/etc/machine-id" "$root/etc/lab-host"
    mkdir -p "$root/var/www/html"
fi
hostname "$name"
echo "$name" >"$root/etc/hostname"
cp "$dir/hosts" "$root/etc/hosts"
# The host ends with the lab: systemd takes this signal for "halt at once".
( cat <&3 >/dev/null; kill -s RTMIN+13 1 ) 2>/dev/null &
exec 3<&-
cd "$root"
mkdir -p old
pivot_root . old
# Told only now: whoever knows our number writes files below our root.
echo "$pid" >"/old$dir/init.pid.new"
mv "/old$dir/init.pid.new" "/old$dir/init.pid"
umount -l /old
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
