//! The table itself.

use super::Kind::{Agent, File, Foreign, Lifetime, Node, Object, Parameter, Resource, Statement, Text, Value, Word};
use super::Need::{Any, Maybe, One, Some};
use super::{Argument as A, Command, Level};

/// A command that hacd has.
const fn c(names: &'static [&'static str], arguments: &'static [A], about: &'static str) -> Command {
    Command { names, arguments, options: &[], about, instead: None }
}

/// The same with options of its own.
const fn o(
    names: &'static [&'static str],
    arguments: &'static [A],
    options: &'static [&'static str],
    about: &'static str,
) -> Command {
    Command { names, arguments, options, about, instead: None }
}

/// A word of crm that is answered with what to do instead.
const fn not(names: &'static [&'static str], instead: &'static str) -> Command {
    Command { names, arguments: &[A(Any, Text, "WORD")], options: &[], about: "", instead: Option::Some(instead) }
}

const RSC: A = A(One, Resource, "RSC");
const RSCS: A = A(Some, Resource, "RSC");
const MAYBE_RSC: A = A(Maybe, Resource, "RSC");
const NODE: A = A(One, Node, "NODE");
const NODES: A = A(Any, Node, "NODE");
const MAYBE_NODE: A = A(Maybe, Node, "NODE");
const LIFETIME: A = A(Maybe, Lifetime, "LIFETIME");
const FORCE: A = A(Maybe, Word(&["force"]), "force");
const ACTION: A = A(One, Word(&["set", "show", "delete"]), "|");
const NAME: A = A(Maybe, Parameter, "NAME");
const VALUE: A = A(Maybe, Value, "VALUE");
const IDS: A = A(Any, Object, "ID");
const FILE: A = A(One, File, "FILE");
const OPTIONS: &[A] = &[A(Any, Foreign, "OPTION")];
const STATEMENT: A = A(Some, Statement, "...");

/// How hosts come and go.
const JOIN: &str = "'hacctl invite' prints the line for the new host: 'hacctl join HOST --code CODE'.";
const REMOVE: &str = "'hacctl node remove NODE' takes it out for good and changes the key.";

/// All levels.
pub(crate) const LEVELS: &[Level] = &[
    Level { name: "resource", about: "Resources: steering what runs.", commands: RESOURCE },
    Level { name: "node", about: "Nodes, and what may run on them.", commands: NODE_LEVEL },
    Level { name: "configure", about: "The configuration, in crm's words.", commands: CONFIGURE },
    Level { name: "ra", about: "Resource agents.", commands: RA },
    Level { name: "cluster", about: "The cluster as such.", commands: CLUSTER },
    Level { name: "corosync", about: "The ring, and the file that configures it.", commands: COROSYNC },
    Level { name: "history", about: "What happened.", commands: HISTORY },
    Level {
        name: "cib",
        about: "Shadow configurations: drafts that change nothing until they are committed.",
        commands: CIB,
    },
    Level {
        name: "cibstatus",
        about: "What if: crm's way to change the status for a simulation.",
        commands: CIBSTATUS,
    },
    Level { name: "site", about: "Tickets of clusters on several sites.", commands: SITE },
    Level { name: "fence", about: "Fencing: devices, what was done, what a person knows.", commands: FENCE },
    Level { name: "alert", about: "Who is told of what happens.", commands: ALERT },
    Level { name: "maintenance", about: "Maintenance of the whole cluster.", commands: MAINTENANCE },
];

/// Levels of crm that hacd does not have, each with what to do instead.
pub(crate) const NO_LEVELS: &[(&str, &str)] = &[
    (
        "constraint",
        "'hacctl configure location', 'hacctl configure colocation' and 'hacctl configure order' make constraints.",
    ),
    ("stonith", "'hacctl configure primitive ID stonith:AGENT ...' makes a fence device, 'hacctl fence' uses them."),
    ("options", "There is nothing to set: options stand in the line, and 'hacctl --help' lists them."),
    ("script", "'hacctl recipe' has common configurations; 'hacctl -f FILE' carries out a file of commands."),
    ("assist", "'hacctl recipe' prints ready configurations, asks, and applies them."),
    ("template", "Use 'configure rsc_template ID AGENT ...' and 'configure primitive ID @TEMPLATE'."),
    ("wizard", "'hacctl recipe' prints ready configurations, asks, and applies them."),
    ("sbd", "hacd does not use sbd. 'hacctl doctor' says what protects the cluster from two halves."),
    ("qdevice", "hacd has no quorum device. 'hacctl quorum' shows the votes."),
    ("prechecks", "'hacctl doctor' looks for what is wrong or will be."),
];

const RESOURCE: &[Command] = &[
    c(&["status", "show", "list"], &[A(Any, Resource, "RSC")], "Where resources run"),
    c(&["locate"], &[A(Any, Resource, "RSC")], "Where resources run"),
    c(&["start"], &[RSCS], "Start resources (target-role=Started)"),
    c(&["stop"], &[RSCS], "Stop resources (target-role=Stopped)"),
    c(&["restart"], &[RSCS], "Stop them, wait, start them again"),
    c(&["move", "migrate"], &[RSC, MAYBE_NODE, LIFETIME, FORCE], "Move it to a node, or (force) away from where it is"),
    c(&["ban"], &[RSC, MAYBE_NODE, LIFETIME, FORCE], "Keep it off a node"),
    c(&["clear", "unmove", "unmigrate", "unban"], &[RSC, MAYBE_NODE], "Remove what move and ban left"),
    c(&["promote"], &[RSC], "Promote instances (target-role=Promoted)"),
    c(&["demote"], &[RSC], "Demote instances (target-role=Unpromoted)"),
    c(&["manage"], &[RSCS], "Let the cluster act on it"),
    c(&["unmanage"], &[RSCS], "Leave it alone, but watch it"),
    c(
        &["maintenance"],
        &[RSC, A(Maybe, Word(&["on", "off", "true", "false"]), "|")],
        "Leave it alone altogether (on), or end that (off)",
    ),
    c(&["cleanup"], &[MAYBE_RSC, MAYBE_NODE, FORCE], "Forget failures, so that it may run again where it failed"),
    c(&["refresh", "reprobe"], &[MAYBE_RSC, MAYBE_NODE, FORCE], "Forget what is known and look again"),
    c(
        &["failcount"],
        &[RSC, ACTION, NODE, VALUE, A(Maybe, Text, "OPERATION"), A(Maybe, Text, "INTERVAL")],
        "How often it failed on a node",
    ),
    c(&["param"], &[RSC, ACTION, NAME, VALUE], "A parameter; without NAME all of them"),
    c(&["meta"], &[RSC, ACTION, NAME, VALUE], "A meta-attribute; without NAME all of them"),
    c(&["utilization"], &[RSC, ACTION, NAME, VALUE], "What it needs of a node's capacity"),
    c(
        &["secret"],
        &[
            RSC,
            A(One, Word(&["set", "stash", "unstash", "show", "delete", "check"]), "|"),
            A(One, Parameter, "NAME"),
            VALUE,
        ],
        "A secret parameter: set it from a hidden input, check, delete",
    ),
    c(&["constraints"], &[RSC], "Constraints that mention it"),
    c(&["operations"], &[MAYBE_RSC, MAYBE_NODE], "What was done with it, node by node"),
    c(&["scores"], &[MAYBE_RSC], "Why it is where it is, with the scores"),
    c(
        &["trace"],
        &[RSC, A(Maybe, Text, "OPERATION"), A(Maybe, Text, "INTERVAL"), A(Maybe, Text, "FOLDER")],
        "Let its agent write traces (trace_ra=1)",
    ),
    c(&["untrace"], &[RSC, A(Maybe, Text, "OPERATION"), A(Maybe, Text, "INTERVAL")], "End traces"),
];

const NODE_LEVEL: &[Command] = &[
    c(&["show", "list"], &[MAYBE_NODE], "Nodes and how they take part"),
    c(&["status"], &[MAYBE_NODE], "The nodes' part of the status, as XML"),
    o(
        &["standby"],
        &[NODES, A(Maybe, Word(&["forever", "reboot"]), "forever|reboot")],
        &["--all"],
        "Move everything away from nodes and keep it away",
    ),
    o(&["online"], &[NODES], &["--all"], "End standby"),
    o(&["maintenance"], &[NODES], &["--all"], "Leave a node's resources alone"),
    o(&["ready"], &[NODES], &["--all"], "End maintenance"),
    c(&["fence"], &[NODE], "Have a node shot"),
    c(&["clearstate"], &[NODE], "Confirm that a node is dead"),
    c(
        &["attribute"],
        &[NODE, ACTION, A(Maybe, Text, "NAME"), VALUE],
        "An attribute of a node; without NAME all of them",
    ),
    c(
        &["status-attr"],
        &[NODE, ACTION, A(Maybe, Text, "NAME"), VALUE],
        "An attribute that lasts until the node restarts",
    ),
    c(&["utilization"], &[NODE, ACTION, A(Maybe, Text, "NAME"), VALUE], "A node's capacity"),
    c(&["server"], &[NODES], "Addresses of nodes"),
    o(
        &["remove"],
        &[NODE, A(Maybe, Text, "WHY")],
        &["--node-is-off", "--keep-key"],
        "Take a node out for good and change the key; one that is away with --node-is-off WHY",
    ),
    c(&["delete"], &[NODE], "Remove a node that is not there any more"),
];

const CONFIGURE: &[Command] = &[
    o(
        &["show"],
        &[IDS],
        &["--show-secrets"],
        "Print objects: xml, changed, ID, type:KIND, tag:ID, related:ID, obscure:GLOB",
    ),
    c(&["edit"], &[IDS], "Change objects in an editor"),
    c(&["delete", "rm", "remove"], &[A(Some, Object, "ID"), FORCE], "Delete objects, and what refers to them"),
    c(&["erase"], &[A(Maybe, Word(&["nodes"]), "nodes")], "Delete everything; refused while something runs"),
    c(
        &["set"],
        &[A(One, Object, "ID.NAME"), A(One, Value, "VALUE")],
        "Set one value: ID.NAME, ID.OP.NAME, ID.OP.INTERVAL.NAME",
    ),
    c(&["verify", "validate-all"], &[IDS], "Look for what is wrong or doubtful"),
    o(&["save"], &[A(Any, File, "[xml] [ID...] FILE")], &["--show-secrets"], "Write the configuration to a file"),
    c(&["load"], &[A(Any, File, "[xml] replace|update|push FILE")], "Read a file"),
    c(&["apply"], &[FILE], "Make the configuration what a file says: crm's words, XML or TOML"),
    c(
        &["diff"],
        &[A(Maybe, File, "FILE")],
        "What a file would change; in the shell without FILE: what was not committed yet",
    ),
    c(
        &["export"],
        &[A(One, Word(&["toml", "xml", "crm"]), "|"), A(Maybe, File, "FILE")],
        "Print the configuration as TOML, XML or crm's words",
    ),
    c(&["import"], &[FILE], "Add what a file has: a CIB, crm's words or TOML"),
    c(
        &["simulate", "ptest"],
        &[A(Any, Word(&["nograph", "scores", "actions", "utilization", "v", "vv", "vvv"]), "|")],
        "What would be done now, or with what is not committed yet",
    ),
    c(&["commit"], &[FORCE], "Make the changes of this session, all or none"),
    c(&["refresh"], &[FORCE], "Drop the changes of this session and read the configuration again"),
    c(&["undo"], &[], "Take the last change back"),
    c(
        &["conflict"],
        &[A(Maybe, Word(&["show", "clear"]), "|")],
        "What a node gave up when both sides of a cut had changed something",
    ),
    o(&["get_property", "get-property"], &[A(Maybe, Text, "NAME")], &["-t"], "The value of a property"),
    c(&["schema"], &[A(Maybe, Text, "NAME")], "The schema of the XML form"),
    c(&["upgrade"], &[FORCE], "Bring the XML form up to date"),
    c(&["default-timeouts"], &[RSCS], "Give operations without timeout the advised one"),
    c(&["primitive"], &[STATEMENT], "ID [CLASS:[PROVIDER:]]TYPE|@TEMPLATE [params|meta|utilization|op ...]"),
    c(&["group"], &[STATEMENT], "ID RSC... [meta NAME=VALUE...]"),
    c(&["clone"], &[STATEMENT], "ID RSC [meta NAME=VALUE...]"),
    c(&["ms", "master"], &[STATEMENT], "ID RSC: a promotable clone"),
    c(&["bundle"], &[STATEMENT], "ID docker|podman image=... [network ...] [storage ...] [meta ...] [primitive RSC]"),
    c(&["colocation", "collocation"], &[STATEMENT], "ID SCORE: RSC[:ROLE] WITH[:ROLE]"),
    c(&["order"], &[STATEMENT], "ID [Mandatory:|Optional:|Serialize:|SCORE:] FIRST[:ACTION] THEN[:ACTION]"),
    c(&["location"], &[STATEMENT], "ID RSC SCORE: NODE, or ID RSC rule ..."),
    c(&["rsc_ticket"], &[STATEMENT], "ID TICKET: RSC[:ROLE]... [loss-policy=...]"),
    c(&["property"], &[STATEMENT], "NAME=VALUE...; NAME= removes"),
    c(&["rsc_defaults"], &[STATEMENT], "NAME=VALUE...: meta-attributes of all resources"),
    c(&["op_defaults"], &[STATEMENT], "NAME=VALUE...: options of all operations"),
    c(&["node"], &[STATEMENT], "NAME [attributes NAME=VALUE...] [utilization NAME=VALUE...]"),
    c(&["rsc_template"], &[STATEMENT], "ID [CLASS:[PROVIDER:]]TYPE ...: what primitives with @ID have in common"),
    c(&["tag"], &[STATEMENT], "ID OBJECT..."),
    c(&["fencing_topology"], &[STATEMENT], "[NODE:] DEVICE[,DEVICE]...; without a node for all of them"),
    c(&["alert"], &[STATEMENT], "ID PATH [attributes ...] [meta ...] [select ...] [to RECIPIENT...]"),
    c(&["notice"], &[STATEMENT], "ID webhook|slack|ntfy|mail NAME=VALUE...: sent once for the whole cluster"),
    c(&["monitor"], &[STATEMENT], "RSC INTERVAL[:TIMEOUT]"),
    c(&["rename"], &[STATEMENT], "ID NEWID"),
    c(&["modgroup"], &[STATEMENT], "GROUP add RSC [before|after MEMBER], or GROUP remove RSC"),
    c(&["xml"], &[STATEMENT], "One object as XML"),
    c(&["cib"], &[A(Any, Text, "WORD")], "Shadow configurations, as the level cib"),
    not(&["role"], "hacd has no access rules: everything is done as root on a node."),
    not(&["acl_target"], "hacd has no access rules: everything is done as root on a node."),
    not(&["acl_group"], "hacd has no access rules: everything is done as root on a node."),
    not(&["user"], "hacd has no access rules: everything is done as root on a node."),
    not(
        &["rsctest"],
        "Try the agent in a test cluster: 'hacctl configure primitive ...' with 'hacctl -w resource start RSC'.",
    ),
    not(&["graph"], "'hacctl simulate --dot FILE' draws the plan; 'hacctl configure show' has the relations as text."),
    not(&["filter"], "Write 'hacctl configure save FILE', change the file, and 'hacctl configure apply FILE'."),
    not(&["template"], "Use 'rsc_template ID AGENT ...' and 'primitive ID @TEMPLATE'."),
    not(&["assist"], "'hacctl recipe' prints ready configurations, asks, and applies them."),
];

const RA: &[Command] = &[
    c(&["classes"], &[], "Classes of agents"),
    c(&["list"], &[A(Maybe, Text, "CLASS"), A(Maybe, Text, "PROVIDER")], "Agents that this node knows"),
    c(&["info", "meta"], &[A(Some, Agent, "AGENT")], "Parameters and actions of an agent"),
    c(&["providers"], &[A(One, Text, "TYPE"), A(Maybe, Text, "CLASS")], "Who offers an agent of this type"),
    not(&["validate"], "'hacctl configure verify' checks the parameters of all resources."),
];

const CLUSTER: &[Command] = &[
    c(&["status"], &[], "Whether the daemon runs, and who is in the cluster"),
    c(&["health"], &[], "Whether anything is wrong"),
    o(&["start"], &[NODES], &["--all"], "Start the daemon on this node"),
    o(&["stop"], &[NODES], &["--all"], "Stop the daemon on this node"),
    o(&["restart"], &[NODES], &["--all"], "Restart the daemon on this node"),
    o(&["enable"], &[NODES], &["--all"], "Start the daemon when this node boots"),
    o(&["disable"], &[NODES], &["--all"], "Do not start the daemon when this node boots"),
    c(&["wait_for_startup", "wait-for-startup"], &[A(Maybe, Text, "SECONDS")], "Wait until this node takes part"),
    c(&["run"], &[A(Some, Value, "COMMAND")], "Run a command here, and say how to run it on the others"),
    c(
        &["init"],
        OPTIONS,
        "Make a cluster of this host, as 'hacctl init' does; takes its options, and crm's -n, -i, -y, -q",
    ),
    c(
        &["join"],
        OPTIONS,
        "Make this host a node, as 'hacctl join' does; takes its options, and crm's -c HOST, -i, -y, -q",
    ),
    c(
        &["remove"],
        OPTIONS,
        "Take nodes out for good, as 'hacctl node remove' does; takes its options, and crm's -c, -y",
    ),
    not(&["add"], JOIN),
    not(&["copy"], "hacctl does not log in to other hosts. For each node: 'scp -p FILE NODE:FILE'."),
    not(&["diff"], "hacctl does not log in to other hosts. For each node: 'ssh NODE cat FILE | diff FILE -'."),
    not(
        &["rename"],
        "Nodes that call their cluster differently do not hear each other. Stop hacd on all nodes, \
         'hacctl corosync set totem.cluster_name NAME' on each, start it again.",
    ),
    not(
        &["crash_test"],
        "hacctl breaks nothing on purpose without watching it. 'hacctl test failover' takes a node away and measures what follows, \
         'hacctl node fence NODE' has one shot.",
    ),
    not(&["geo_init"], "hacd has no clusters of clusters."),
    not(&["geo_join"], "hacd has no clusters of clusters."),
    not(&["geo_init_arbitrator"], "hacd has no clusters of clusters."),
];

const COROSYNC: &[Command] = &[
    c(&["show"], &[], "Print hacd.toml"),
    c(&["get"], &[A(One, Text, "PATH")], "A value of hacd.toml, such as totem.token"),
    c(
        &["status"],
        &[A(Maybe, Word(&["ring", "quorum", "qdevice", "qnetd", "cpg"]), "|")],
        "The ring's links, or the votes",
    ),
    c(
        &["link"],
        &[A(Maybe, Word(&["show", "add", "update", "remove"]), "|"), A(Any, Text, "WORD")],
        "The links to every node",
    ),
    c(&["log"], &[], "The end of the log"),
    c(&["edit"], &[], "hacd.toml in an editor, checked afterwards"),
    c(
        &["set"],
        &[A(One, Text, "PATH"), A(One, Value, "VALUE")],
        "Set a value in hacd.toml of this node, such as totem.token 3000",
    ),
    not(
        &["reload"],
        "hacd reads hacd.toml when it starts. Restart it on one node after the other: 'systemctl restart hacd' hands resources over \
         first.",
    ),
    not(
        &["push"],
        "hacctl does not log in to other hosts. For each node: 'scp -p /etc/hacd/hacd.toml NODE:/etc/hacd/'.",
    ),
    not(&["pull"], "hacctl does not log in to other hosts. Use 'scp -p NODE:/etc/hacd/hacd.toml /etc/hacd/'."),
    not(
        &["diff"],
        "hacctl does not log in to other hosts. For each node: 'ssh NODE cat /etc/hacd/hacd.toml | diff /etc/hacd/hacd.toml -'.",
    ),
    not(&["add-node"], JOIN),
    not(&["del-node"], REMOVE),
];

const HISTORY: &[Command] = &[
    c(&["info"], &[], "How far back this node remembers"),
    c(&["latest"], &[], "What happened in the last minutes"),
    c(&["events"], &[], "All that is remembered"),
    c(&["log"], &[NODES], "The same in full"),
    c(&["resource"], &[RSCS], "What happened with resources"),
    c(&["node"], &[A(Some, Node, "NODE")], "What happened with nodes"),
    c(&["transitions"], &[], "What the cluster decided"),
    c(&["transition"], &[A(Any, Text, "WORD")], "The last decision, or that of a number, with what it was for"),
    not(
        &["peinputs"],
        "'hacctl configure save xml FILE' keeps the state, 'hacctl simulate -x FILE' decides about it again.",
    ),
    not(&["source"], "hacd remembers by itself; 'hacctl report' gathers what is known in a folder."),
    not(&["limit"], "'hacctl events --since TIME' shows what happened since."),
    not(&["timeframe"], "'hacctl events --since TIME' shows what happened since."),
    not(&["setnodes"], "Ask on the node that is meant; hacctl does not log in to other hosts."),
    not(&["detail"], "'hacctl events --level debug' shows everything."),
    not(&["exclude"], "'hacctl events --kind KIND' shows one kind, '--resource' and '--node' one object."),
    not(&["refresh"], "There is nothing to fetch: hacd remembers by itself."),
    not(&["session"], "'hacctl report' keeps what is known in a folder."),
    not(&["show"], "'hacctl configure show' is the configuration of now."),
    not(&["graph"], "'hacctl simulate -x FILE --dot FILE' draws a plan."),
    not(&["diff"], "'hacctl configure diff FILE' compares with a saved configuration."),
    not(&["wdiff"], "'hacctl configure diff FILE' compares with a saved configuration."),
];

const CIB: &[Command] = &[
    o(
        &["new"],
        &[A(Maybe, Text, "SHADOW"), A(Any, Word(&["withstatus", "force", "empty"]), "|")],
        &[],
        "Begin a shadow configuration, a copy of the one in force",
    ),
    c(&["use"], &[A(Maybe, Text, "SHADOW")], "Work on it (in the shell), or with 'live' on the one in force"),
    c(&["list"], &[], "Shadow configurations"),
    c(&["diff"], &[A(Maybe, Text, "SHADOW")], "What a shadow configuration would change"),
    c(&["commit"], &[A(Maybe, Text, "SHADOW"), FORCE], "Make it the configuration in force"),
    c(&["delete"], &[A(One, Text, "SHADOW")], "Remove it"),
    c(&["reset"], &[A(One, Text, "SHADOW")], "Copy the one in force over it"),
    c(&["import"], &[FILE, A(Maybe, Text, "SHADOW")], "Make one of a file"),
];

const CIBSTATUS: &[Command] = &[
    c(&["node"], &[NODE, A(One, Word(&["online", "offline", "unclean", "standby"]), "|")], "What if a node were so"),
    c(
        &["op"],
        &[A(One, Text, "OPERATION"), RSC, A(One, Text, "RESULT"), A(Maybe, Text, "STATUS"), MAYBE_NODE],
        "What if an operation ended so: op monitor RSC 7 primary",
    ),
    c(&["simulate", "run"], &[A(Any, Text, "WORD")], "What would be done now"),
    not(&["load"], "'hacctl simulate -x FILE' decides about a stored state."),
    not(&["save"], "'hacctl configure save xml FILE' writes the state."),
    not(&["origin"], "'hacctl simulate' without -x asks the running cluster."),
    not(&["quorum"], "'hacctl quorum' shows the votes; 'hacctl simulate --node-down NODE' the loss of a node."),
    not(&["ticket"], "'hacctl site ticket' changes the tickets of the running cluster."),
];

const SITE: &[Command] = &[c(
    &["ticket"],
    &[
        A(One, Word(&["grant", "revoke", "standby", "activate", "show", "time", "delete"]), "|"),
        A(Maybe, Text, "TICKET"),
    ],
    "Tickets: grant or revoke them by hand, suspend what needs them, show them",
)];

const FENCE: &[Command] = &[
    c(&["list"], &[MAYBE_NODE], "The fence devices, or those that can fence a node"),
    c(&["history", "show"], &[MAYBE_NODE], "What was fenced, and what is being fenced"),
    c(&["off"], &[NODE], "Have a node powered off"),
    c(&["reboot"], &[NODE], "Have a node rebooted"),
    c(&["test"], &[RSC, MAYBE_NODE], "What a fence device would do; with a node, have that node rebooted with it"),
    c(&["confirm"], &[NODE], "Say that a node is down: you have seen to it yourself"),
    c(&["forget"], &[MAYBE_NODE], "Forget what is over"),
];

const ALERT: &[Command] = &[
    c(&["list", "show"], &[], "Alerts and notices, and how they stand on this node"),
    c(&["test"], &[A(One, Text, "ID")], "Try one from this node"),
];

const MAINTENANCE: &[Command] = &[
    c(&["on"], &[MAYBE_RSC], "Leave everything (or one resource) alone"),
    c(&["off"], &[MAYBE_RSC], "End that"),
    not(&["action"], "Stop managing it ('hacctl maintenance on RSC') and call the agent by hand."),
];
