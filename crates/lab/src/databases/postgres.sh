# PostgreSQL on a host of the lab, as an administrator sets it up by hand. Arguments: VERB and more.
#   seed NAME STANDBYS   a new server with a table, running; commits wait for one of STANDBYS
#   halt                 it is stopped
#   copy NAME FROM       a standby, copied from the server at address FROM
set -eu
for bin in /usr/lib/postgresql/*/bin; do :; done
home=/var/lib/postgresql/lab
data=$home/data
as() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
# The address under which the primary is found is the cluster's.
node() {
    cat >$home/node.conf <<END
cluster_name = '$1'
primary_conninfo = 'host=203.0.113.100 user=postgres application_name=$1 connect_timeout=2 keepalives_idle=1 keepalives_interval=1 keepalives_count=2 tcp_user_timeout=2000'
END
}
cd /
case $1 in
seed)
    mkdir -p $home $home/archive $home/tmp
    chown -R postgres:postgres $home
    as "$bin/initdb" -D $data -A trust >/dev/null
    cat >>$data/postgresql.conf <<END
listen_addresses = '*'
unix_socket_directories = '$home'
max_connections = 300
wal_level = replica
wal_log_hints = on
hot_standby = on
wal_keep_size = 256MB
synchronous_commit = on
synchronous_standby_names = '$3'
wal_receiver_status_interval = 1s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 200ms
wal_sender_timeout = 5s
include = '$home/node.conf'
END
    cat >$data/pg_hba.conf <<END
local all all trust
host all all 0.0.0.0/0 trust
host replication all 0.0.0.0/0 trust
END
    node "$2"
    as "$bin/pg_ctl" -D $data -w -s -l $home/log -o "-c synchronous_standby_names=" start
    as "$bin/psql" -q -h $home -c 'create table entries (n bigint primary key)' ;;
halt)
    as "$bin/pg_ctl" -D $data -w -s -m fast stop ;;
copy)
    mkdir -p $home $home/archive $home/tmp
    rm -rf $data $home/tmp/PGSQL.lock
    chown -R postgres:postgres $home
    node "$2"
    as "$bin/pg_basebackup" -h "$3" -U postgres -D $data -X stream -c fast
    as touch $data/standby.signal ;;
*)
    echo "$0: unknown verb $1" >&2
    exit 64 ;;
esac
