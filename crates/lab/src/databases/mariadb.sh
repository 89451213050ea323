# MariaDB on a host of the lab, as an administrator sets it up by hand. Arguments: VERB and more.
#   seed NAME            a new server with a table and users, stopped; a commit waits until one replica has it
#   copy NAME FROM       the same; where FROM is the cluster's address, with what the primary has
#   halt                 nothing: no server is left running
set -eu
home=/var/lib/lab-mariadb
# Hosts of the lab share /tmp, and have the same numbers of processes, of which MariaDB makes names of files.
export TMPDIR=$home
client="mariadb --no-defaults --socket=$home/socket --user=root"

install() {
    rm -rf $home
    mkdir -p /etc/mysql
    install_id=$(printf '%s' "$1" | cksum)
    cat >/etc/mysql/lab.cnf <<END
[mariadbd]
bind_address = 0.0.0.0
tmpdir = $home
server_id = $((${install_id%% *} % 1000000 + 1))
log_bin = bin
log_slave_updates = ON
binlog_format = ROW
sync_binlog = 1
innodb_flush_log_at_trx_commit = 1
innodb_buffer_pool_size = 32M
performance_schema = OFF
skip_name_resolve = ON
slave_net_timeout = 5
# What a replica finds done already is done.
slave_exec_mode = IDEMPOTENT
rpl_semi_sync_master_enabled = ON
rpl_semi_sync_slave_enabled = ON
rpl_semi_sync_master_timeout = 3600000
rpl_semi_sync_master_wait_point = AFTER_SYNC
END
    command install -d -o mysql -g mysql $home
    mariadb-install-db --no-defaults --user=mysql --datadir=$home/data --skip-test-db >/dev/null
}

serve() {
    mariadbd --defaults-file=/etc/mysql/lab.cnf --user=mysql --datadir=$home/data --socket=$home/socket \
        --pid-file=$home/pid --skip-networking --rpl-semi-sync-master-enabled=OFF >$home/log 2>&1 &
    server=$!
    for _ in $(seq 300); do
        if $client -e 'select 1' >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "$0: the server does not answer:" >&2
    cat $home/log >&2
    exit 1
}

# Users and table, which no replica is to be told: each has its own.
furnish() {
    $client <<END
set sql_log_bin = 0;
delete from mysql.global_priv where user = '';
flush privileges;
create user repl@'%' identified by 'replicates';
grant all on *.* to repl@'%';
create user repl@localhost identified by 'replicates';
grant all on *.* to repl@localhost;
create user writer@'%';
create database lab;
grant select, insert on lab.* to writer@'%';
create table lab.entries (n bigint primary key);
END
}

cd /
case $1 in
seed | copy)
    install "$2"
    serve
    furnish
    if [ "$1" = copy ] && [ "$3" = 203.0.113.100 ]; then
        { echo 'set sql_log_bin = 0;' && mariadb-dump --no-defaults --host="$3" --user=repl --password=replicates \
            --single-transaction --master-data --gtid --databases lab; } | $client
    fi
    kill $server
    wait $server || true
    chown -R mysql:mysql $home ;;
halt) ;;
*)
    echo "$0: unknown verb $1" >&2
    exit 64 ;;
esac
