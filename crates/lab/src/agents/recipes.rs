//! How each agent is tried, and why some are not.

/// How an agent is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// A file without which it cannot run.
    pub needs: &'static str,
    /// Its parameters, in crm's words.
    pub params: &'static str,
    /// What is done on each host before, in shell.
    pub before: &'static str,
    /// Shell that succeeds exactly where it runs (a pattern for `pgrep -f` must not match itself); empty where there is no such thing.
    pub proof: &'static str,
    /// How its instances are spread.
    pub shape: Shape,
}

/// How the instances of an agent are spread over the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One instance, which moves.
    Single,
    /// A promotable clone with one promoted instance, which moves.
    Promotable,
    /// The same with an agent that chooses the promoted instance by itself: it moves when its host goes on standby.
    Chosen,
    /// One instance on each host, which speak to each other: one leaves its host and comes back.
    Everywhere,
    /// The same, and all are promoted.
    EverywherePromoted,
}

impl Shape {
    /// What the table says of it.
    pub const fn remark(self) -> &'static str {
        match self {
            Self::Single => "",
            Self::Promotable => "promotes",
            Self::Chosen => "promotes the instance that it chooses: moves is a standby of its host",
            Self::Everywhere => "on both hosts: moves is a standby of one and its return",
            Self::EverywherePromoted => "on both hosts, promotes both: moves is a standby of one and its return",
        }
    }
}

/// Agent, file that it needs, parameters, what is done before, what proves that it runs.
type Line = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// A MariaDB that can be part of a Galera cluster, and has been one alone.
macro_rules! galera {
    () => {
        "rm -rf /var/lib/tried && install -d -o mysql -g mysql /run/mysqld /var/log/mysql &&
    mariadb-install-db --user=mysql --datadir=/var/lib/tried --skip-test-db >/dev/null 2>&1
    printf \"[mysqld]\\nuser=mysql\\ndatadir=/var/lib/tried\\nsocket=/run/mysqld/mysqld.sock\\n\
    pid-file=/run/mysqld/mysqld.pid\\nlog-error=/var/log/mysql/error.log\\nbinlog_format=ROW\\ninnodb_autoinc_lock_mode=2\\n\
    wsrep_on=ON\\nwsrep_provider=/usr/lib/galera/libgalera_smm.so\\nwsrep_cluster_name=tried\\nwsrep_sst_method=rsync\\n\
    wsrep_node_name=$(hostname)\\nwsrep_node_address=$(hostname -i)\\n\" >/etc/mysql/tried.cnf
    mariadbd --defaults-file=/etc/mysql/tried.cnf --wsrep-new-cluster --wsrep-cluster-address=gcomm:// >/dev/null 2>&1 &
    for n in $(seq 200); do mariadb-admin -S /run/mysqld/mysqld.sock ping >/dev/null 2>&1 && break; sleep 0.1; done
    mariadb-admin -S /run/mysqld/mysqld.sock shutdown && wait"
    };
}
const GALERA: &str = galera!();
/// The same, left running.
const GARBD: &str = concat!(
    galera!(),
    " && chown mysql /var/log && { mariadbd --defaults-file=/etc/mysql/tried.cnf --wsrep-new-cluster \
     --wsrep-cluster-address=gcomm:// >/dev/null 2>&1 & }
    for n in $(seq 200); do mariadb-admin -S /run/mysqld/mysqld.sock ping >/dev/null 2>&1 && break; sleep 0.1; done"
);

/// Agents that run as one instance.
const SINGLE: &[Line] = &[
    ("heartbeat:ClusterMon", "/bin/sh", "user=root htmlfile=/var/tmp/mon.html", "", ""),
    ("heartbeat:Delay", "/bin/sh", "startdelay=1 stopdelay=1 mondelay=1", "", ""),
    ("heartbeat:Dummy", "/bin/sh", "", "", ""),
    (
        "heartbeat:Filesystem",
        "/sbin/modprobe",
        "device=tmpfs directory=/var/tried fstype=tmpfs",
        "mkdir -p /var/tried",
        "mountpoint -q /var/tried",
    ),
    (
        "heartbeat:IPaddr",
        "/bin/ip",
        "ip=203.0.113.201 cidr_netmask=24 nic=eth0",
        "",
        "ip addr show dev eth0 | grep -q 203.0.113.201/",
    ),
    (
        "heartbeat:IPaddr2",
        "/bin/ip",
        "ip=203.0.113.202 cidr_netmask=24 nic=eth0",
        "",
        "ip addr show dev eth0 | grep -q 203.0.113.202/",
    ),
    (
        "heartbeat:IPsrcaddr",
        "/bin/ip",
        "ipaddress=192.168.88.203 cidr_netmask=24 destination=192.168.99.0/24",
        // Its stop does not understand an interface with addresses of two networks, as those of the hosts are.
        "ip link add src0 type veth peer name src1 && ip link set src1 up && ip link set src0 up && ip addr add 192.168.88.2/24 dev src0 && ip addr add \
         192.168.88.203/24 dev src0 && ip route add 192.168.99.0/24 via 192.168.88.1 dev src0",
        "ip route | grep -q 'src 192.168.88.203'",
    ),
    (
        "heartbeat:IPv6addr",
        "/bin/ip",
        "ipv6addr=fd00::77 cidr_netmask=64 nic=eth0",
        "",
        "ip -6 addr | grep -q fd00::77",
    ),
    ("heartbeat:MailTo", "/usr/bin/mail", "email=root", "", ""),
    ("heartbeat:NodeUtilization", "/bin/sh", "", "", ""),
    ("heartbeat:Route", "/bin/ip", "destination=192.168.77.0/24 device=eth0", "", "ip route | grep -q 192.168.77.0/24"),
    (
        "heartbeat:SendArp",
        "/usr/bin/arping",
        "ip=203.0.113.204 nic=eth0",
        "ip addr replace 203.0.113.204/24 dev eth0",
        "",
    ),
    (
        "heartbeat:SphinxSearchDaemon",
        "/usr/bin/searchd",
        // The program that its monitor asks is in no package any more.
        "config=/etc/sphinxsearch/tried.conf searchd=/usr/bin/searchd search=/bin/true",
        "mkdir -p /run/sphinxsearch /var/lib/sphinxsearch/data /var/log/sphinxsearch && printf 'source s {\n type = xmlpipe2\n \
         xmlpipe_command = cat /etc/sphinxsearch/tried.xml\n}\nindex tried {\n source = s\n \
         path = /var/lib/sphinxsearch/data/tried\n}\nsearchd {\n listen = 9312\n pid_file = /run/sphinxsearch/tried.pid\n \
         log = /var/log/sphinxsearch/tried.log\n binlog_path =\n}\n' >/etc/sphinxsearch/tried.conf && \
         printf '<?xml version=\"1.0\" encoding=\"utf-8\"?><sphinx:docset><sphinx:schema><sphinx:field name=\"t\"/>\
         </sphinx:schema><sphinx:document id=\"1\"><t>a word</t></sphinx:document></sphinx:docset>' \
         >/etc/sphinxsearch/tried.xml && indexer --all --config /etc/sphinxsearch/tried.conf",
        "pidof searchd",
    ),
    (
        "heartbeat:Squid",
        "/usr/sbin/squid",
        "squid_exe=/usr/sbin/squid squid_conf=/etc/squid/squid.conf squid_pidfile=/run/squid.pid squid_port=3128 \
         squid_stop_timeout=10",
        "mkdir -p /run/squid && chown proxy:proxy /run/squid",
        "pidof squid",
    ),
    ("heartbeat:SysInfo", "/bin/sh", "", "", ""),
    (
        "heartbeat:VIPArip",
        "/usr/lib/frr/ripd",
        "ip=192.168.89.9 nic=eth0 zebra_binary=/usr/lib/frr/zebra ripd_binary=/usr/lib/frr/ripd",
        "mkdir -p /run/resource-agents /run/frr && chown frr:frr /run/frr",
        "ip addr show dev lo | grep -q 192.168.89.9/",
    ),
    (
        "heartbeat:Xinetd",
        "/usr/sbin/xinetd",
        "service=tried",
        "printf 'service tried\n{\n disable = yes\n type = UNLISTED\n port = 7777\n socket_type = stream\n wait = no\n \
         user = root\n server = /bin/cat\n}\n' >/etc/xinetd.d/tried && { pidof xinetd || xinetd -stayalive; }",
        "grep -q 'disable.*no' /etc/xinetd.d/tried",
    ),
    ("heartbeat:anything", "/bin/sleep", "binfile=/bin/sleep cmdline_options=100000", "", "pgrep -f 'sleep 10000[0]'"),
    (
        "heartbeat:apache",
        "/usr/sbin/apache2",
        "configfile=/etc/apache2/apache2.conf envfiles=/etc/apache2/envvars",
        "mkdir -p /run/apache2 /var/log/apache2",
        "pidof apache2",
    ),
    ("heartbeat:azure-lb", "/bin/nc", "port=61000", "", "pgrep -f 6100[0]"),
    (
        "heartbeat:corosync-qnetd",
        "/usr/bin/corosync-qnetd",
        "",
        "install -d -o coroqnetd -g coroqnetd /run/corosync-qnetd",
        "pidof corosync-qnetd",
    ),
    (
        "heartbeat:dhcpd",
        "/usr/sbin/dhcpd",
        "config=/etc/dhcp/tried.conf chrooted=false user=root group=root interface=eth0 leases=/tried.leases \
         pid=/run/dhcpd.pid",
        "echo 'subnet 203.0.113.0 netmask 255.255.255.0 { }' >/etc/dhcp/tried.conf && touch /var/lib/dhcp/tried.leases",
        "pidof dhcpd",
    ),
    (
        "heartbeat:dnsupdate",
        "/usr/sbin/named",
        "hostname=tried.lab ip=203.0.113.77 server=127.0.0.53 unregister_on_stop=true",
        // A name server on each host, which is the host's own; under a name that is not the one of the agent for it.
        "mkdir -p /run/tried-dns && ip addr replace 127.0.0.53/32 dev lo && \
         printf 'options { directory \"/run/tried-dns\"; pid-file none; session-keyfile none; listen-on { 127.0.0.53; }; \
         listen-on-v6 { none; }; };\ncontrols { };\nzone \"lab\" { type master; file \"lab\"; allow-update { any; }; };\n' \
         >/etc/bind/tried.conf && printf '$TTL 0\n@ SOA a.lab. b.lab. 1 5 5 5 5\n@ NS a.lab.\na A 203.0.113.1\n' \
         >/run/tried-dns/lab && chown -R bind:bind /run/tried-dns && cp /usr/sbin/named /var/tmp/tried-dns && \
         /var/tmp/tried-dns -u bind -c /etc/bind/tried.conf && echo nameserver 127.0.0.53 >/etc/resolv.conf",
        "dig +short tried.lab @127.0.0.53 | grep -q 203.0.113.77",
    ),
    ("heartbeat:dovecot", "/usr/sbin/dovecot", "", "", "pidof dovecot"),
    ("heartbeat:dummypy", "/usr/bin/python3", "state=/run/tried.state", "", ""),
    ("heartbeat:ethmonitor", "/bin/ip", "interface=eth0", "", ""),
    (
        "heartbeat:garbd",
        "/usr/bin/garbd",
        "binary=/usr/bin/garbd wsrep_cluster_address=\"gcomm://127.0.0.1:4567\" wsrep_cluster_name=tried pid=/run/garbd.pid \
         options=\"gmcast.listen_addr=tcp://127.0.0.1:5567\"",
        // A server on each host, for whose cluster it votes.
        GARBD,
        "pidof garbd",
    ),
    ("heartbeat:gcp-ilb", "/bin/nc", "port=60000", "", "pgrep -f 6000[0]"),
    ("heartbeat:iface-bridge", "/usr/sbin/brctl", "bridge_name=br9 bridge_slaves=", "", "ip link show br9"),
    ("heartbeat:iface-macvlan", "/bin/ip", "device=eth0 name=mv9 mode=bridge", "", "ip link show mv9"),
    (
        "heartbeat:iface-vlan",
        "/proc/net/vlan/config",
        "vlan_interface=eth0 vlan_id=77 vlan_name=vl9",
        "",
        "ip link show vl9",
    ),
    (
        "heartbeat:kamailio",
        "/usr/bin/sipsak",
        "conffile=/etc/kamailio/kamailio.cfg kamctl=/usr/sbin/kamctl listen_address=127.0.0.1 kamuser=kamailio \
         kamgroup=kamailio",
        // The configuration that comes with it does not know whom the monitor's question is for.
        "install -d -o kamailio -g kamailio /run/kamailio
         sed -i '/^request_route {/a if (is_method(\"OPTIONS\")) { sl_send_reply(\"200\", \"OK\"); exit; }' \
         /etc/kamailio/kamailio.cfg",
        "pidof kamailio",
    ),
    (
        "heartbeat:ldirectord",
        "/usr/sbin/ldirectord",
        "configfile=/etc/ha.d/ldirectord.cf",
        "mkdir -p /etc/ha.d && echo 'checktimeout=3' >/etc/ha.d/ldirectord.cf",
        "pgrep -f sbin/ldirector[d]",
    ),
    (
        "heartbeat:mysql",
        "/usr/sbin/mariadbd",
        "binary=/usr/sbin/mariadbd config=/etc/mysql/my.cnf datadir=/var/lib/tried user=mysql group=mysql \
         pid=/run/mysqld/mysqld.pid socket=/run/mysqld/mysqld.sock log=/var/lib/tried/log",
        "mkdir -p /run/mysqld && chown mysql:mysql /run/mysqld && \
         mariadb-install-db --user=mysql --datadir=/var/lib/tried --skip-test-db >/dev/null",
        "pidof mariadbd",
    ),
    (
        "heartbeat:named",
        "/usr/bin/host",
        "named_user=bind",
        "mkdir -p /run/named && chown bind:bind /run/named",
        "pidof named",
    ),
    ("heartbeat:nginx", "/usr/sbin/nginx", "httpd=/usr/sbin/nginx", "", "pidof nginx"),
    (
        "heartbeat:pgagent",
        "/usr/bin/pgagent",
        "connection_string=\"user=postgres host=/run/tried-pg port=5499 dbname=postgres\"",
        // A database that runs on each host before.
        "install -d -o postgres /run/tried-pg && cd / && setpriv --reuid postgres --regid postgres --init-groups sh -c '\
         /usr/lib/postgresql/15/bin/initdb -D /run/tried-pg/data -A trust && \
         printf \"port = 5499\nlisten_addresses = \\047\\047\nunix_socket_directories = \\047/run/tried-pg\\047\n\" \
         >>/run/tried-pg/data/postgresql.conf && \
         /usr/lib/postgresql/15/bin/pg_ctl -D /run/tried-pg/data -l /run/tried-pg/log -w start && \
         psql -h /run/tried-pg -p 5499 -d postgres -c \"CREATE EXTENSION pgagent\"'",
        "pgrep -f bin/pgagen[t]",
    ),
    (
        "heartbeat:pgsql",
        "/usr/lib/postgresql/15/bin/pg_ctl",
        "pgctl=/usr/lib/postgresql/15/bin/pg_ctl psql=/usr/bin/psql pgdata=/var/lib/postgresql/lab/data \
         socketdir=/var/lib/postgresql/lab logfile=/var/lib/postgresql/lab/log",
        "install -d -o postgres /run/postgresql && rm -rf /var/lib/postgresql/lab && install -d -o postgres /var/lib/postgresql/lab && cd / && \
         setpriv --reuid postgres --regid postgres --init-groups /usr/lib/postgresql/15/bin/initdb \
         -D /var/lib/postgresql/lab/data -A trust && \
         echo \"unix_socket_directories = '/var/lib/postgresql/lab'\" >>/var/lib/postgresql/lab/data/postgresql.conf",
        "pidof postgres",
    ),
    ("heartbeat:portblock", "/usr/sbin/iptables", "protocol=tcp portno=9999 action=block", "", ""),
    ("heartbeat:postfix", "/usr/sbin/postfix", "", "", "pgrep -f postfix/sbin/maste[r]"),
    (
        "heartbeat:proftpd",
        "/usr/sbin/proftpd",
        "conffile=/etc/proftpd/proftpd.conf pidfile=/run/proftpd.pid",
        "",
        "pidof proftpd",
    ),
    (
        "heartbeat:redis",
        "/usr/bin/redis-server",
        "config=/etc/redis/tried.conf",
        "mkdir -p /etc/redis /var/lib/redis && echo 'dir /var/lib/redis' >/etc/redis/tried.conf && \
         chown redis:redis /var/lib/redis /etc/redis/tried.conf",
        "pidof redis-server",
    ),
    (
        "heartbeat:rsyncd",
        "/usr/bin/rsync",
        "conffile=/etc/rsyncd.conf",
        "echo 'pid file = /run/rsyncd.pid' >/etc/rsyncd.conf",
        "pidof rsync",
    ),
    ("heartbeat:rsyslog", "/usr/sbin/rsyslogd", "configfile=/etc/rsyslog.conf", "", "pidof rsyslogd"),
    (
        "heartbeat:slapd",
        "/usr/bin/ldapsearch",
        "config=/etc/ldap/slapd.d user=openldap group=openldap",
        "",
        "pidof slapd",
    ),
    (
        "heartbeat:smb-share",
        "/usr/bin/smbclient",
        "share=tried path=/srv outfile=/etc/samba/conf.d/tried.inc",
        "mkdir -p /etc/samba/conf.d /run/samba /var/log/samba /var/lib/samba/private && \
         { mountpoint -q /etc/samba/conf.d || mount -t tmpfs tmpfs /etc/samba/conf.d; } && \
         printf '[global]\ninclude = /etc/samba/conf.d/pacemaker-includes.conf\n' >/etc/samba/smb.conf && \
         touch /etc/samba/conf.d/pacemaker-includes.conf && { pidof smbd || smbd -D; }",
        "smbclient -N -L 127.0.0.1 | grep -qw tried",
    ),
    (
        "heartbeat:symlink",
        "/bin/sh",
        "link=/var/tmp/tried-link target=/etc/hostname",
        "",
        "test -L /var/tmp/tried-link",
    ),
    (
        "heartbeat:syslog-ng",
        "/usr/sbin/syslog-ng",
        "configfile=/etc/syslog-ng/tried.conf syslog_ng_binary=/usr/sbin/syslog-ng \
         syslog_ng_ctl=/usr/sbin/syslog-ng-ctl",
        "printf '@version: 3.38\nsource s { unix-dgram(\"/run/tried.log\"); };\ndestination d { file(\"/var/log/tried\"); };\n\
         log { source(s); destination(d); };\n' >/etc/syslog-ng/tried.conf",
        "pidof syslog-ng",
    ),
    (
        "heartbeat:tomcat",
        "/usr/share/tomcat10/bin/catalina.sh",
        "java_home=/usr/lib/jvm/default-java catalina_home=/usr/share/tomcat10 catalina_base=/var/lib/tomcat10 \
         catalina_out=/var/log/tomcat.out statusurl=http://127.0.0.1:8080 catalina_pid=/run/tomcat.pid",
        "",
        "pgrep -f catalin[a]",
    ),
    (
        "heartbeat:varnish",
        "/usr/sbin/varnishd",
        "name=tried pid=/run/varnish.pid mgmt_address=127.0.0.1:6082 config=/etc/varnish/default.vcl \
         listen_address=0.0.0.0:6081 varnish_user=vcache \
         backend_size=16M maxfiles=1024 max_locked_memory=64",
        // The agent calls it with -u and -g, which it has not known since release 4.1; what stands before it takes them out.
        "cp /usr/sbin/varnishd /usr/local/sbin/tried-varnishd && cat >/usr/local/sbin/varnishd <<'END'
#!/bin/sh
for word; do
    shift
    case $skip$word in
    -u | -g) skip=$word ;;
    -u*) user=${word} skip= ;;
    -g*) skip= ;;
    *) set -- \"$@\" \"$word\" ;;
    esac
done
exec /usr/local/sbin/tried-varnishd -j unix,user=$user \"$@\"
END
         chmod +x /usr/local/sbin/varnishd && { mountpoint -q /usr/sbin/varnishd || \
         mount --bind /usr/local/sbin/varnishd /usr/sbin/varnishd; }",
        "pidof tried-varnishd",
    ),
    (
        "heartbeat:vsftpd",
        "/usr/sbin/vsftpd",
        // Its start looks for a process of the name that it is given, its monitor for one with `vsftpd` in its name, and under
        // the name itself it would find the agent.
        "binpath=my-vsftpd conffile=/etc/tried-vsftpd.conf",
        "mkdir -p /run/vsftpd/empty && ln -sf /usr/sbin/vsftpd /usr/local/sbin/my-vsftpd && \
         printf 'listen=YES\nbackground=YES\nsecure_chroot_dir=/run/vsftpd/empty\n' >/etc/tried-vsftpd.conf",
        "pgrep -x my-vsft[p]d",
    ),
    (
        "heartbeat:zabbixserver",
        "/usr/sbin/zabbix_server",
        "binary=/usr/sbin/zabbix_server pid=/run/zabbix/tried.pid config=/etc/zabbix/tried.conf",
        // It waits for its database, here for as long as it runs.
        "install -d -o zabbix /run/zabbix /var/log/zabbix && printf 'PidFile=/run/zabbix/tried.pid\n\
         LogFile=/var/log/zabbix/tried.log\nDBHost=127.0.0.1\nDBName=zabbix\n' >/etc/zabbix/tried.conf",
        "pidof zabbix_server",
    ),
    ("pacemaker:ClusterMon", "/bin/sh", "user=root htmlfile=/var/tmp/mon.html", "", ""),
    ("pacemaker:Dummy", "/bin/sh", "", "", ""),
    ("pacemaker:HealthCPU", "/usr/bin/top", "", "", ""),
    ("pacemaker:HealthIOWait", "/usr/bin/top", "", "", ""),
    ("pacemaker:SysInfo", "/bin/sh", "", "", ""),
    ("pacemaker:attribute", "/bin/sh", "name=tried active_value=1 inactive_value=0", "", ""),
    ("pacemaker:ifspeed", "/bin/ip", "iface=eth0", "", ""),
    ("pacemaker:ping", "/bin/ping", "host_list=203.0.113.1", "", ""),
];

/// Agents that are tried as promotable clones; the databases among them have tests of their own.
const PROMOTABLE: &[Line] = &[
    ("heartbeat:Stateful", "/bin/sh", "", "", ""),
    ("heartbeat:conntrackd", "/usr/sbin/conntrackd", "", "", ""),
    ("pacemaker:Stateful", "/bin/sh", "", "", ""),
];

/// Promotable agents that choose the promoted instance by themselves.
const CHOSEN: &[Line] = &[
    (
        "heartbeat:mariadb",
        "/usr/sbin/mariadbd",
        "binary=/usr/sbin/mariadbd client_binary=/usr/bin/mariadb config=/etc/mysql/tried.cnf datadir=/var/lib/tried \
         log=/var/log/mysql/error.log node_list=\"primary secondary\" replication_user=repl replication_passwd=replpass \
         test_user=repl test_passwd=replpass",
        // The same first transactions on both hosts; a position to replicate from that both know.
        "rm -rf /var/lib/tried && install -d -o mysql -g mysql /run/mysqld /var/log/mysql &&
         mariadb-install-db --user=mysql --datadir=/var/lib/tried --skip-test-db >/dev/null 2>&1
         printf \"[mysqld]\\nuser=mysql\\ndatadir=/var/lib/tried\\nsocket=/run/mysqld/mysqld.sock\\n\
         pid-file=/run/mysqld/mysqld.pid\\nbind-address=0.0.0.0\\nlog-bin=bin\\nlog-slave-updates\\n\
         server-id=$(hostname -i | cut -d. -f4)\\n\" >/etc/mysql/tried.cnf
         mariadbd --defaults-file=/etc/mysql/tried.cnf --server-id=99 >/dev/null 2>&1 &
         for n in $(seq 200); do mariadb-admin -S /run/mysqld/mysqld.sock ping >/dev/null 2>&1 && break; sleep 0.1; done
         printf \"GRANT ALL ON *.* TO repl@'%%' IDENTIFIED BY 'replpass' WITH GRANT OPTION;
         GRANT ALL ON *.* TO repl@localhost IDENTIFIED BY 'replpass' WITH GRANT OPTION;
         SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos;\" | mariadb -S /run/mysqld/mysqld.sock &&
         mariadb-admin -S /run/mysqld/mysqld.sock shutdown && wait",
        "pidof mariadbd",
    ),
    (
        "heartbeat:rabbitmq-server-ha",
        "/usr/sbin/rabbitmq-server",
        "erlang_cookie=tried avoid_using_iptables=true",
        RABBIT_HA,
        "pgrep -f rabbi[t]mq_server",
    ),
];

/// What both agents for RabbitMQ need before.
macro_rules! rabbit {
    () => {
        "install -d -o rabbitmq -g rabbitmq /run/rabbitmq /var/log/rabbitmq && rm -rf /var/lib/rabbitmq/mnesia && \
         printf tried >/var/lib/rabbitmq/.erlang.cookie && \
         chown rabbitmq:rabbitmq /var/lib/rabbitmq /var/lib/rabbitmq/.erlang.cookie && \
         chmod 400 /var/lib/rabbitmq/.erlang.cookie"
    };
}

const RABBIT: &str = rabbit!();

/// The same, and `hacd`'s programs in the places of the machine's: this agent calls those of Pacemaker by their paths. They are
/// mounted in the host's own mount namespace alone; what has another name than a host of the lab is left as it is.
const RABBIT_HA: &str = concat!(
    "case $(cat /proc/sys/kernel/hostname) in primary|secondary) ;; *) exit 1 ;; esac && \
     mount --make-rprivate / && for n in attrd_updater cibadmin crm_attribute crm_master crm_mon crm_node crm_resource; do \
     own=$(ls -d /run/hacd/*.bin/$n | head -n 1) && mount --bind $(readlink -f $own) /usr/sbin/$n || exit 1; done && ",
    rabbit!()
);

/// Agents whose instances on all hosts make a cluster of their own.
const EVERYWHERE: &[Line] = &[
    (
        "heartbeat:CTDB",
        "/usr/sbin/ctdbd",
        // A folder of the machine, which all hosts of a lab share.
        "ctdb_recovery_lock=/tmp/hac-lab-ctdb.lock",
        "mkdir -p /run/ctdb /var/log/ctdb /var/lib/ctdb/volatile /var/lib/ctdb/persistent /var/lib/ctdb/state && \
         getent hosts primary secondary | cut -d' ' -f1 >/etc/ctdb/nodes",
        "pidof ctdbd",
    ),
    ("heartbeat:rabbitmq-cluster", "/usr/sbin/rabbitmq-server", "", RABBIT, "pgrep -f rabbi[t]mq_server"),
];

/// The same, and all instances are promoted.
const EVERYWHERE_PROMOTED: &[Line] = &[(
    "heartbeat:galera",
    "/usr/lib/galera/libgalera_smm.so",
    "binary=/usr/bin/mysqld_safe client_binary=/usr/bin/mariadb config=/etc/mysql/tried.cnf datadir=/var/lib/tried \
     user=mysql group=mysql pid=/run/mysqld/mysqld.pid socket=/run/mysqld/mysqld.sock log=/var/log/mysql/error.log \
     wsrep_cluster_address=\"gcomm://primary,secondary\"",
    // Each host has been a cluster of one before; the one that joins gets the state of the other.
    GALERA,
    "pidof mariadbd",
)];

/// Why agents are not tried that have no recipe.
const REASONS: &[(&str, &[&str])] = &[
    (
        "asks the interface of a cloud provider, with credentials",
        &["aliyun-", "aws", "azure-events", "gcp-pd-move", "gcp-vpc-", "ocivip", "openstack-"],
    ),
    (
        "needs hardware or a kernel that a lab host does not have",
        &[
            "AoEtarget",
            "AudibleAlarm",
            "EvmsSCC",
            "Evmsd",
            "ICP",
            "LinuxSCSI",
            "ManageRAID",
            "Raid1",
            "ServeRAID",
            "ZFS",
            "HealthSMART",
            "controld",
            "crypt",
            "iSCSI",
            "iscsi",
            "ids",
            "ipsec",
            "LVM",
            "clvm",
            "lvmlockd",
            "mdraid",
            "mpathpersist",
            "nvmet-",
            "o2cb",
            "scsi2reservation",
            "sfex",
            "sg_persist",
            "storage-mon",
            "vdo-vol",
            "ovsmonitor",
        ],
    ),
    (
        "runs or watches machines or containers, which a lab host cannot",
        &["ManageVE", "VirtualDomain", "Xen", "docker", "lxc", "lxd-info", "podman", "rkt", "vmware"],
    ),
    (
        "needs the kernel's NFS server, of which there is one for all hosts of a lab",
        &["exportfs", "nfsnotify", "nfsserver"],
    ),
    (
        "runs software that Debian does not ship",
        &[
            "SAPDatabase",
            "SAPInstance",
            "WAS",
            "db2",
            "eDir88",
            "jboss",
            "jira",
            "minio",
            "mysql-proxy",
            "oraasm",
            "oracle",
            "oralsnr",
            "sybaseASE",
            "nagios",
            "fio",
            "asterisk",
            "pingd",
            "pound",
        ],
    ),
    ("has tests of its own: `tests/lab/databases.rs`", &["pgsqlms"]),
    ("asks machinectl, which answers only where systemd is the first process", &["machine-info"]),
    ("its start fails by hand, too: it finds no file with a process number", &["Pure-FTPd"]),
    ("its start fails where no Windows host takes messages", &["WinPopup"]),
    ("is the connection to a remote node, which hacd has inside", &["pacemaker:remote"]),
];

/// How an agent, `PROVIDER:TYPE`, is tried.
pub fn recipe(agent: &str) -> Option<Recipe> {
    let of = |lines: &[Line], shape| {
        lines.iter().find(|line| line.0 == agent).map(|&(_, needs, params, before, proof)| Recipe {
            needs,
            params,
            before,
            proof,
            shape,
        })
    };
    of(SINGLE, Shape::Single)
        .or_else(|| of(PROMOTABLE, Shape::Promotable))
        .or_else(|| of(CHOSEN, Shape::Chosen))
        .or_else(|| of(EVERYWHERE, Shape::Everywhere))
        .or_else(|| of(EVERYWHERE_PROMOTED, Shape::EverywherePromoted))
}

/// Why an agent without a recipe is not tried.
pub fn reason(agent: &str) -> &'static str {
    let name = agent.split_once(':').map_or(agent, |(_, name)| name);
    let found =
        REASONS.iter().find(|(_, begins)| begins.iter().any(|begin| name.starts_with(begin) || agent == *begin));
    found.map_or("not tried: it wants a set-up of its own", |(reason, _)| reason)
}

#[cfg(test)]
mod tests {
    use super::{CHOSEN, EVERYWHERE, EVERYWHERE_PROMOTED, PROMOTABLE, SINGLE, Shape, reason, recipe};

    #[test]
    fn every_agent_is_tried_once_or_has_a_reason() {
        let mut names: Vec<&str> =
            [SINGLE, PROMOTABLE, CHOSEN, EVERYWHERE, EVERYWHERE_PROMOTED].concat().iter().map(|line| line.0).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(
            recipe("heartbeat:nginx")
                .is_some_and(|recipe| recipe.shape == Shape::Single && recipe.proof == "pidof nginx")
        );
        assert!(recipe("pacemaker:Stateful").is_some_and(|recipe| recipe.shape == Shape::Promotable));
        assert_eq!(reason("heartbeat:awsvip"), "asks the interface of a cloud provider, with credentials");
        assert_eq!(reason("heartbeat:unheard-of"), "not tried: it wants a set-up of its own");
    }
}
