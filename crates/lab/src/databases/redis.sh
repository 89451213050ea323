# Redis on a host of the lab. Arguments: VERB and more; a standby needs no copy, it fetches one.
set -eu
case $1 in
seed | copy)
    mkdir -p /var/lib/redis /etc/redis
    rm -rf /var/lib/redis/*
    cat >/etc/redis/redis.conf <<END
bind 0.0.0.0
protected-mode no
dir /var/lib/redis
appendonly yes
repl-timeout 5
repl-ping-replica-period 1
repl-diskless-sync-delay 0
END
    chown -R redis:redis /var/lib/redis /etc/redis ;;
halt) ;;
*)
    echo "$0: unknown verb $1" >&2
    exit 64 ;;
esac
