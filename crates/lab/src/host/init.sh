# Process 1 of a lab host: private mounts, its name, then it reaps children until the lab is gone.
# Arguments: NAME DIRECTORY. Descriptor 3 stays open for as long as the lab lives.
set -eu
name=$1 dir=$2
read -r pid _ </proc/self/stat            # /proc is still the outer one: our number as seen there
mount -t proc proc /proc
hostname "$name"
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/lock /run/resource-agents /run/hacd
for tree in /etc /var /usr/local /usr/lib/ocf; do
    [ -d "$tree" ] || continue
    key=$(echo "$tree" | tr / _)
    mkdir -p "$dir/disk/$key" "$dir/scratch/$key"
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=$dir/disk/$key,workdir=$dir/scratch/$key" "$tree"
done
mkdir -p /etc/hacd /var/lib/hacd /var/log/hacd /var/log/nginx /var/www/html
rm -f /etc/resolv.conf
echo "$name" >/etc/hostname
cp "$dir/hosts" /etc/hosts
[ ! -e "$dir/boot.sh" ] || . "$dir/boot.sh"
trap 'exit 0' TERM
( cat <&3 >/dev/null; kill -TERM 1 ) &
exec 3<&-
echo "$pid" >"$dir/init.pid.new"
mv "$dir/init.pid.new" "$dir/init.pid"
while :; do wait; done
