//! Every key of `hacd.toml`, once: this table is read by the parser, by `hacd --print-keys` and by the tests that compare
//! it with the commented example.

/// A key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The table it stands in.
    pub(crate) table: Table,
    /// Its name.
    pub(crate) name: &'static str,
    /// What its value is.
    pub(crate) kind: Kind,
    /// Its default as one would write it; empty where there is none.
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) doc: &'static str,
}

/// The tables with a fixed set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// `[totem]`.
    Totem,
    /// `[[totem.interface]]`.
    Interface,
    /// `[quorum]`.
    Quorum,
    /// `[[nodelist.node]]`.
    Node,
    /// `[logging]`.
    Logging,
    /// `[system]`.
    System,
    /// `[digitalocean]`.
    DigitalOcean,
    /// `[agents]`.
    Agents,
    /// `[metrics]`.
    Metrics,
    /// `[web]`.
    Web,
    /// `[arbiter]`.
    Arbiter,
    /// `[watchdog]`.
    Watchdog,
}

impl Table {
    /// All of them, in the order of the file.
    pub(crate) const ALL: [Self; 12] = [
        Self::Totem,
        Self::Interface,
        Self::Quorum,
        Self::Node,
        Self::Logging,
        Self::System,
        Self::DigitalOcean,
        Self::Agents,
        Self::Metrics,
        Self::Web,
        Self::Arbiter,
        Self::Watchdog,
    ];

    /// Its path, as messages name it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Totem => "totem",
            Self::Interface => "totem.interface",
            Self::Quorum => "quorum",
            Self::Node => "nodelist.node",
            Self::Logging => "logging",
            Self::System => "system",
            Self::DigitalOcean => "digitalocean",
            Self::Agents => "agents",
            Self::Metrics => "metrics",
            Self::Web => "web",
            Self::Arbiter => "arbiter",
            Self::Watchdog => "watchdog",
        }
    }

    /// Whether it is written `[[…]]` and may come several times.
    pub(crate) const fn repeats(self) -> bool {
        matches!(self, Self::Interface | Self::Node)
    }

    /// The keys in it.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.table == self)
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true`, `false`, and the words of corosync.conf: yes, no, on, off, 1, 0.
    Bool,
    /// A number in this range; may stand in quotes.
    Number(u64, u64),
    /// Milliseconds, in this range.
    Millis(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An IPv4 or IPv6 address.
    Address,
    /// An address of this host and a TCP port.
    Listen,
    /// An absolute path.
    Path,
    /// An absolute `http://` or `https://` URL.
    Url,
    /// Any text that is not empty.
    Text,
    /// A list of texts.
    Names,
}

impl Kind {
    /// The unit, empty where there is none.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Millis(..) => "ms",
            _ => "",
        }
    }

    /// What it accepts, in words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Bool => "yes or no".to_owned(),
            Self::Number(min, max) => format!("a number from {min} to {max}"),
            Self::Millis(min, max) => format!("milliseconds from {min} to {max}"),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Address => "an IPv4 or IPv6 address".to_owned(),
            Self::Listen => "ADDRESS:PORT, such as 127.0.0.1:9664 or [::1]:9664".to_owned(),
            Self::Path => "an absolute path".to_owned(),
            Self::Url => "an http:// or https:// URL".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Names => "a list of texts".to_owned(),
        }
    }
}

const fn key(table: Table, name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { table, name, kind, default, doc }
}

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
/// Shortest timeout of the ring.
const TICK: u64 = 30;

use Kind::{Address, Bool, Choice, Listen, Millis, Names, Number, Path, Text, Url};
use Table::{Agents, Arbiter, DigitalOcean, Interface, Logging, Metrics, Node, Quorum, System, Totem, Watchdog, Web};

/// The keys, in the order of the file.
pub(crate) const KEYS: &[Key] = &[
    key(Totem, "version", Number(2, 2), "2", "Version of the file format; always 2."),
    key(
        Totem,
        "cluster_name",
        Text,
        "hacd",
        "Name of the cluster. Clusters that share a key but not the name cannot talk.",
    ),
    key(Totem, "transport", Choice(&["udpu"]), "udpu", "How nodes talk: UDP unicast."),
    key(
        Totem,
        "authkey",
        Path,
        "/etc/hacd/authkey",
        "File with the cluster's key, 32 to 4096 bytes, readable by its owner only.",
    ),
    key(
        Totem,
        "crypto_cipher",
        Choice(&["aes256", "none"]),
        "aes256",
        "Encryption of what nodes say. It is authenticated in any case.",
    ),
    key(
        Totem,
        "crypto_hash",
        Choice(&["sha256"]),
        "sha256",
        "Authentication of what nodes say; cannot be switched off.",
    ),
    key(
        Totem,
        "token",
        Millis(TICK, 5 * MINUTE),
        "3000",
        "Longest silence of the ring; upper bound of every silence limit. Grows by token_coefficient a node above two.",
    ),
    key(Totem, "token_coefficient", Millis(0, MINUTE), "650", "Added to token for every node above two."),
    key(
        Totem,
        "token_retransmits_before_loss_const",
        Number(1, 1000),
        "4",
        "How often a lost token is sent again before it counts as lost.",
    ),
    key(
        Totem,
        "token_retransmit",
        Millis(TICK, 5 * MINUTE),
        "",
        "Wait before the token is sent again. Default: token / (token_retransmits_before_loss_const + 0.2).",
    ),
    key(
        Totem,
        "hold",
        Millis(10, 5 * MINUTE),
        "",
        "How long the token rests on an idle ring. Default: 0.8 token_retransmit - 10 ms.",
    ),
    key(Totem, "join", Millis(TICK, MINUTE), "50", "How often a membership proposal is repeated."),
    key(
        Totem,
        "consensus",
        Millis(TICK, 10 * MINUTE),
        "",
        "How long to wait for a node that answers but does not agree. Default: 1.2 token.",
    ),
    key(
        Totem,
        "merge",
        Millis(TICK, MINUTE),
        "200",
        "How long a larger membership must be possible before the ring is formed anew for it.",
    ),
    key(
        Totem,
        "ping",
        Millis(10, 10 * SECOND),
        "",
        "How often each peer is pinged on each link. Default: 100 up to four nodes, 250 above.",
    ),
    key(Totem, "silence_min", Millis(TICK, MINUTE), "350", "Silence of a peer that is always tolerated."),
    key(
        Totem,
        "silence_max",
        Millis(TICK, 5 * MINUTE),
        "",
        "Silence of a peer that is never tolerated. Default: token.",
    ),
    key(
        Totem,
        "adaptive",
        Bool,
        "yes",
        "Whether the silence limit follows round trip time, jitter and loss. If not, it is silence_max.",
    ),
    key(
        Totem,
        "startup_listen",
        Millis(0, MINUTE),
        "200",
        "How long a starting node listens before it forms a ring alone.",
    ),
    key(
        Totem,
        "rejoin_hold",
        Millis(0, 10 * MINUTE),
        "5000",
        "Longest time a flapping peer must be steady before it is admitted again.",
    ),
    key(
        Totem,
        "window_size",
        Number(1, 10_000),
        "50",
        "Messages that all members together send in one rotation of the token.",
    ),
    key(Totem, "max_messages", Number(1, 10_000), "17", "Messages that one member sends in one visit of the token."),
    key(
        Totem,
        "netmtu",
        Number(1280, 65_535),
        "1500",
        "Largest IP packet to try, bytes; smaller paths are found by probing.",
    ),
    key(
        Interface,
        "ringnumber",
        Number(0, 1),
        "0",
        "Which link this is: 0 uses ring0_addr, 1 uses ring1_addr. linknumber means the same.",
    ),
    key(Interface, "linknumber", Number(0, 1), "0", "As ringnumber."),
    key(
        Interface,
        "bindnetaddr",
        Address,
        "",
        "Accepted for compatibility and not needed: the own address is found in the node list.",
    ),
    key(
        Interface,
        "mcastport",
        Number(1024, 65_535),
        "5405",
        "Port on which this link receives (default of link 1: 5406). It sends from the port below.",
    ),
    key(Interface, "broadcast", Bool, "no", "Accepted for compatibility; means nothing with UDP unicast."),
    key(Quorum, "provider", Choice(&["corosync_votequorum"]), "corosync_votequorum", "Who decides about quorum."),
    key(
        Quorum,
        "expected_votes",
        Number(1, 65_535),
        "",
        "Votes of the complete cluster. Default: the sum over the node list.",
    ),
    key(Quorum, "two_node", Bool, "no", "With two nodes, one of them has quorum. Implies wait_for_all."),
    key(Quorum, "wait_for_all", Bool, "", "No first quorum until all nodes were seen at once. Default: two_node."),
    key(
        Quorum,
        "auto_tie_breaker",
        Bool,
        "no",
        "Of two equal halves, the one with auto_tie_breaker_node keeps quorum.",
    ),
    key(Quorum, "auto_tie_breaker_node", Text, "lowest", "lowest, highest, or node ids with blanks between."),
    key(
        Quorum,
        "last_man_standing",
        Bool,
        "no",
        "Lower the expected votes to the members that are left after each window.",
    ),
    key(
        Quorum,
        "last_man_standing_window",
        Millis(TICK, 10 * MINUTE),
        "10000",
        "How long a smaller membership must be stable before that.",
    ),
    key(Node, "ring0_addr", Address, "", "Address on link 0. Required."),
    key(Node, "ring1_addr", Address, "", "Address on link 1."),
    key(Node, "name", Text, "", "Name of the node, as commands use it. Required."),
    key(Node, "nodeid", Number(1, 65_535), "", "Id of the node. Required."),
    key(Node, "quorum_votes", Number(0, 255), "1", "Its votes."),
    key(Logging, "to_logfile", Bool, "no", "Log to logfile."),
    key(Logging, "logfile", Path, "/var/log/hacd/hacd.log", "The log file. SIGHUP opens it anew."),
    key(Logging, "to_syslog", Bool, "yes", "Log to syslog."),
    key(Logging, "syslog_facility", Choice(super::FACILITIES), "daemon", "Facility for syslog."),
    key(Logging, "syslog_priority", Choice(super::PRIORITIES), "info", "Least important messages that go to syslog."),
    key(
        Logging,
        "logfile_priority",
        Choice(super::PRIORITIES),
        "info",
        "Least important messages that go to the log file.",
    ),
    key(Logging, "to_stderr", Bool, "no", "Log to standard error."),
    key(
        Logging,
        "timestamp",
        Choice(&["on", "off", "hires", "yes", "no"]),
        "on",
        "Time in front of lines in the log file; hires with milliseconds.",
    ),
    key(
        Logging,
        "debug",
        Choice(&["on", "off", "trace", "yes", "no"]),
        "off",
        "Log what helps to find a fault in hacd.",
    ),
    key(
        System,
        "sched_rr",
        Bool,
        "yes",
        "Ask for real-time priority (SCHED_RR) for the thread that serves the ring; where that is not allowed, for the least \
         nice value.",
    ),
    key(
        System,
        "priority",
        Text,
        "0",
        "Without sched_rr, the nice value of that thread: max (-20), min (19), or a number.",
    ),
    key(
        System,
        "sysrq_trigger",
        Path,
        "/proc/sysrq-trigger",
        "With fencing-reaction=panic, where a node that was fenced and lives writes b, so that the kernel resets the host.",
    ),
    key(
        DigitalOcean,
        "api_url",
        Url,
        "https://api.digitalocean.com",
        "Where the API is. With http:// the token travels in clear.",
    ),
    key(DigitalOcean, "metadata_url", Url, "http://169.254.169.254", "Where a droplet asks about itself."),
    key(
        Agents,
        "prefer",
        Choice(&["native", "script"]),
        "native",
        "Which to use where hacd has an agent inside and a script of the same name is installed.",
    ),
    key(
        Agents,
        "native",
        Names,
        "",
        "Agents for which the native one is used, whatever prefer says: \"ocf:heartbeat:nginx\".",
    ),
    key(Agents, "script", Names, "", "Agents for which the script is used, whatever prefer says."),
    key(Agents, "ocf_root", Path, "/usr/lib/ocf", "Where resource.d with the OCF scripts is."),
    key(Agents, "fence_agents", Path, "/usr/sbin", "Where the fence agents (fence_*) are."),
    key(
        Agents,
        "prove_interval",
        Millis(0, 60 * MINUTE),
        "60000",
        "How often this node proves anew that it could start what it does not run: agents, validate-all, tokens. 0 is never.",
    ),
    key(
        Agents,
        "shutdown_timeout",
        Millis(SECOND, 240 * MINUTE),
        "1200000",
        "On SIGTERM, how long to wait for resources to be handed over.",
    ),
    key(Metrics, "listen", Listen, "", "Where Prometheus finds this node's numbers (path /metrics). Default: nowhere."),
    key(Web, "listen", Listen, "", "Where a browser finds the page of the cluster. Default: nowhere."),
    key(Web, "actions", Bool, "no", "Whether who has the link may change something on the page, too."),
    key(
        Web,
        "certificate",
        Path,
        "",
        "The page's certificate and those that lead to its issuer, PEM. Default: served without TLS.",
    ),
    key(Web, "key", Path, "", "The private key of the certificate, PEM."),
    key(
        Arbiter,
        "model",
        Choice(&["none", "etcd", "digitalocean"]),
        "none",
        "Where the third vote of two nodes is: one of them goes on alone when it gets that. Not with two_node.",
    ),
    key(
        Arbiter,
        "address",
        Text,
        "",
        "With digitalocean: the reserved IPv4 address whose list of actions decides; the one that the cluster serves.",
    ),
    key(
        Arbiter,
        "token_file",
        Path,
        "",
        "With digitalocean: a file with a token that may read and assign that address, and nothing else.",
    ),
    key(
        Arbiter,
        "endpoints",
        Names,
        "",
        "Members of the etcd cluster as URLs of their clients' port; tried in turn, 1 s each, 3 s in all.",
    ),
    key(
        Arbiter,
        "prefix",
        Text,
        "/hacd/",
        "What the keys begin with that hacd writes there; the cluster's name follows.",
    ),
    key(
        Arbiter,
        "ca_file",
        Path,
        "",
        "Who may have signed the certificate of etcd, PEM. Without it, whom this host trusts.",
    ),
    key(Arbiter, "cert_file", Path, "", "The certificate that hacd shows to etcd, PEM; with key_file."),
    key(Arbiter, "key_file", Path, "", "The private key of cert_file, PEM."),
    key(Arbiter, "user", Text, "", "Who hacd is at etcd, where that asks for a password."),
    key(Arbiter, "password_file", Path, "", "A file with the password of user and nothing else."),
    key(
        Watchdog,
        "device",
        Path,
        "",
        "The watchdog that resets this host when hacd does not go on, or runs what it may not run. Default: none is used.",
    ),
    key(
        Watchdog,
        "timeout",
        Millis(SECOND, 10 * MINUTE),
        "10000",
        "How long after it was petted last the watchdog resets the host: whole seconds, more than totem.token.",
    ),
    key(
        Watchdog,
        "stop",
        Millis(SECOND, 60 * MINUTE),
        "15000",
        "How long a node without quorum may take to stop what it runs before the watchdog is not petted any more.",
    ),
];

/// Tables with the resources that seed an empty cluster, and what may stand in them. Values of `params`, `meta`,
/// `utilization` and of the property tables are free.
pub(crate) const SEED_TABLES: &[(&str, &[&str])] = &[
    ("primitive", &["id", "agent", "description", "params", "meta", "utilization", "op"]),
    ("group", &["id", "members", "description", "params", "meta"]),
    ("clone", &["id", "resource", "description", "params", "meta"]),
    ("colocation", &["id", "score", "resource", "role", "with", "with_role", "node_attribute", "influence"]),
    ("order", &["id", "kind", "score", "first", "first_action", "then", "then_action", "symmetrical"]),
    ("location", &["id", "resource", "node", "score", "role", "resource_discovery"]),
];

/// Tables of properties, whose keys are free.
pub(crate) const PROPERTY_TABLES: &[&str] = &["properties", "rsc_defaults", "op_defaults"];
