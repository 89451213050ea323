//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Look at and steer a cluster of hacd nodes.
#[derive(Debug, Parser)]
#[command(version, about, infer_subcommands = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Return only when the cluster has done all that follows from the command
    #[arg(short, long, global = true)]
    pub(crate) wait: bool,

    /// Give up waiting after this many seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,

    /// The daemon's socket
    #[arg(long, global = true, value_name = "PATH", env = "HACD_SOCKET", default_value = hac_api::SOCKET)]
    pub(crate) socket: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the key that the nodes share
    Keygen(Keygen),
    /// How the cluster stands
    Status(StatusArgs),
    /// The same, refreshed until Ctrl-C
    #[command(alias = "crm_mon")]
    Mon(MonArgs),
    /// Who is in the membership
    Members {
        /// Round trip, jitter, loss and silence limit of every link
        #[arg(short, long)]
        verbose: bool,
    },
    /// Votes and quorum (exit code 2 without quorum)
    #[command(infer_subcommands = true)]
    Quorum {
        #[command(subcommand)]
        command: Option<QuorumCommand>,
    },
    /// The key that the nodes share: which one is in use, and another one without stopping anything
    #[command(subcommand, infer_subcommands = true)]
    Key(KeyCommand),
    /// Change or show the configuration, in crm's words
    #[command(long_about = CONFIGURE_HELP, disable_help_flag = true)]
    Configure {
        /// The rest of the line
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
        words: Vec<String>,
    },
    /// The names of Pacemaker's programs that resource agents call, for people too
    #[command(subcommand, infer_subcommands = true)]
    Compat(CompatCommand),
    /// Nodes
    #[command(subcommand, infer_subcommands = true)]
    Node(NodeCommand),
    /// Resources
    #[command(subcommand, infer_subcommands = true)]
    Resource(ResourceCommand),
    /// The level of the cluster: what is missing for the next one, and going there or back
    #[command(subcommand, infer_subcommands = true)]
    Upgrade(UpgradeCommand),
    /// Resource agents
    #[command(subcommand, infer_subcommands = true)]
    Ra(RaCommand),
    /// Check the configuration of the running cluster
    Verify,
    /// What happened, as it happens
    Events {
        /// Go on with what happens from now on
        #[arg(short, long)]
        follow: bool,
    },
    /// Why a resource is where it is, or is not; what a node runs and why; what would be done now
    Explain(crate::commands::explain::ExplainArgs),
    /// Decide about a stored cluster state without a daemon
    Simulate(crate::commands::simulate::SimulateArgs),
    /// Print the hacd.toml for a corosync.conf, without a daemon
    Import {
        /// The corosync.conf
        #[arg(default_value = "/etc/corosync/corosync.conf", value_name = "FILE")]
        file: PathBuf,
    },
    /// Write the manual pages of all commands
    #[command(hide = true)]
    Man {
        /// Into this folder
        folder: PathBuf,
    },
    /// Print a completion script
    Completion {
        /// For this shell
        shell: Shell,
    },
}

const CONFIGURE_HELP: &str = "\
Change or show the configuration, in crm's words:

  configure show [ID...]
  configure property NAME=VALUE...
  configure primitive ID [CLASS:[PROVIDER:]]TYPE [params A=B...] [meta A=B...] [op NAME A=B...]...
  configure group ID RSC RSC... [meta A=B...]
  configure clone ID RSC [meta A=B...]
  configure colocation ID SCORE: RSC[:ROLE] WITH[:ROLE]
  configure order ID [Mandatory|Optional|Serialize|SCORE:] FIRST[:ACTION] THEN[:ACTION]
  configure location ID RSC SCORE: NODE
  configure delete [--force] ID...
  configure edit [ID...]
  configure verify
  configure conflict show | conflict clear
  configure save [xml] FILE | load [xml] replace|update FILE [--yes] | diff FILE | apply FILE [--yes]

Every change is agreed by the cluster and stored by every member before the command returns.";

/// Commands about the key in use.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Fingerprints of the keys in use, never a key
    Status,
    /// Give all members another key while the cluster runs
    Rotate {
        /// Without the nodes that are away; they need the new key file before they can come back
        #[arg(long)]
        force: bool,
    },
}

/// What can be done about quorum.
#[derive(Debug, Subcommand)]
pub(crate) enum QuorumCommand {
    /// End the waiting for nodes that are down for certain (wait_for_all)
    Unblock {
        /// Do it without asking: the missing nodes are down, and stay down until they can reach this one
        #[arg(long, short = 'y', visible_alias = "force")]
        yes: bool,
    },
}

/// Commands about the names of Pacemaker's programs.
#[derive(Debug, Subcommand)]
pub(crate) enum CompatCommand {
    /// Make links (crm_attribute, crm_node ...) in a folder; never over what is there
    Install {
        /// The folder, such as /usr/local/sbin
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Commands about the level of the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum UpgradeCommand {
    /// Release and levels of every node, the level in force, and what is waited for
    Status,
    /// Whether the next level could be had now (exit code 2 if not)
    Check,
    /// Go to the next level now: older releases are refused from then on
    Finish,
    /// Go back to a lower level, so that an older release may be installed
    Revert {
        /// The level
        #[arg(long, value_name = "LEVEL")]
        to: u16,
    },
    /// How long all nodes must know a level before the cluster goes there by itself
    Hold {
        /// Such as 24h, 0, or never
        duration: String,
    },
}

/// Options of `keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where to write it
    #[arg(short = 'k', long = "key-file", value_name = "FILE", default_value = "/etc/hacd/authkey")]
    pub(crate) file: PathBuf,
    /// Bytes, 128 to 4096
    #[arg(short, long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u16).range(128..=4096))]
    pub(crate) size: u16,
    /// Overwrite an existing key
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `status` and `mon` show.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Sections {
    /// By node
    #[arg(short = 'n', long = "group-by-node")]
    pub(crate) by_node: bool,
    /// Inactive resources too (`status` always shows them)
    #[arg(short = 'r', long)]
    pub(crate) inactive: bool,
    /// Fail counts
    #[arg(short = 'f', long)]
    pub(crate) failcounts: bool,
    /// Operations
    #[arg(short = 'o', long)]
    pub(crate) operations: bool,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) sections: Sections,
    /// One line for a monitoring system: exit code 0 well, 1 warning, 2 critical
    #[arg(short = 's', long, visible_alias = "check")]
    pub(crate) simple: bool,
    /// crm's words: full, bynode, inactive, ops, failcounts
    #[arg(value_name = "WORD")]
    pub(crate) words: Vec<String>,
}

/// Options of `mon`.
#[derive(Debug, Args)]
pub(crate) struct MonArgs {
    #[command(flatten)]
    pub(crate) sections: Sections,
    /// Print once and exit
    #[arg(short = '1', long = "one-shot")]
    pub(crate) once: bool,
    /// Seconds between refreshes
    #[arg(short, long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) interval: u64,
}

/// `hacctl node ...`
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Move everything away from a node and keep it away
    Standby {
        /// The node (this one if absent)
        node: Option<String>,
        /// Until when: `forever` or the next `reboot`
        #[arg(default_value = "forever", value_parser = ["forever", "reboot"])]
        lifetime: String,
    },
    /// End standby
    Online {
        /// The node (this one if absent)
        node: Option<String>,
    },
    /// Leave a node's resources alone
    Maintenance {
        /// The node (this one if absent)
        node: Option<String>,
    },
    /// End maintenance
    Ready {
        /// The node (this one if absent)
        node: Option<String>,
    },
    /// Nodes and how they take part
    #[command(visible_alias = "list")]
    Show {
        /// Only this one
        node: Option<String>,
    },
    /// Set, show or delete an attribute of a node: `attribute NODE set NAME VALUE`
    Attribute {
        /// The node
        node: String,
        /// What to do
        #[arg(value_parser = ["set", "show", "delete"])]
        action: String,
        /// The attribute
        name: String,
        /// Its value
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
    },
}

/// `hacctl resource ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ResourceCommand {
    /// Where resources run
    #[command(visible_aliases = ["show", "list", "locate"])]
    Status {
        /// Only this one
        resource: Option<String>,
    },
    /// Start resources (target-role=Started)
    Start {
        /// Which
        #[arg(required = true)]
        resources: Vec<String>,
    },
    /// Stop resources (target-role=Stopped)
    Stop {
        /// Which
        #[arg(required = true)]
        resources: Vec<String>,
    },
    /// Stop it, wait, start it again
    Restart {
        /// Which
        resource: String,
    },
    /// Move it to a node, or away from where it is
    #[command(visible_alias = "migrate")]
    Move {
        /// Which
        resource: String,
        /// Where to
        node: Option<String>,
        /// Move away without naming a target
        #[arg(long)]
        force: bool,
    },
    /// Keep it off a node
    Ban {
        /// Which
        resource: String,
        /// Off this node (where it runs if absent)
        node: Option<String>,
    },
    /// Remove what `move` and `ban` left
    #[command(visible_aliases = ["unmove", "unmigrate", "unban"])]
    Clear {
        /// Which
        resource: String,
    },
    /// Forget failures, so that it may run again where it failed
    Cleanup {
        /// Only this one
        resource: Option<String>,
        /// Only on this node
        node: Option<String>,
    },
    /// Forget what is known and look again
    #[command(visible_alias = "reprobe")]
    Refresh {
        /// Only this one
        resource: Option<String>,
        /// Only on this node
        node: Option<String>,
    },
    /// How often it failed: `failcount RSC show NODE`
    Failcount {
        /// Which
        resource: String,
        /// What to do
        #[arg(value_parser = ["show", "delete"])]
        action: String,
        /// On this node
        node: String,
    },
    /// Let the cluster act on it
    Manage {
        /// Which
        resource: String,
    },
    /// Leave it alone, but watch it
    Unmanage {
        /// Which
        resource: String,
    },
    /// Leave it alone altogether (`on`), or end that (`off`)
    Maintenance {
        /// Which
        resource: String,
        /// On or off
        #[arg(default_value = "on", value_parser = ["on", "off", "true", "false"])]
        state: String,
    },
    /// Promote instances (target-role=Promoted)
    Promote {
        /// Which
        resource: String,
    },
    /// Demote instances (target-role=Unpromoted)
    Demote {
        /// Which
        resource: String,
    },
    /// A parameter: `param RSC set|show|delete NAME [VALUE]`
    Param(AttributeArgs),
    /// A meta-attribute: `meta RSC set|show|delete NAME [VALUE]`
    Meta(AttributeArgs),
}

/// A name and value of a resource.
#[derive(Debug, Args)]
pub(crate) struct AttributeArgs {
    /// The resource
    pub(crate) resource: String,
    /// What to do
    #[arg(value_parser = ["set", "show", "delete"])]
    pub(crate) action: String,
    /// The name
    pub(crate) name: String,
    /// The value
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: Option<String>,
}

/// `hacctl ra ...`
#[derive(Debug, Subcommand)]
pub(crate) enum RaCommand {
    /// Agents that this node knows
    List,
    /// Parameters and actions of an agent
    #[command(visible_alias = "meta")]
    Info {
        /// Its name: `ocf:heartbeat:nginx`, or `nginx`
        agent: String,
    },
}
