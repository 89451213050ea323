//! What can be typed.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Look at and steer a cluster of hacd nodes.
#[derive(Clone, Debug, Parser)]
#[command(version, about, infer_subcommands = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Return only when the cluster has done all that follows from the command
    #[arg(short, long, global = true, overrides_with = "wait")]
    pub(crate) wait: bool,

    /// Give up waiting after this many seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60, value_parser = seconds)]
    pub(crate) timeout: u64,

    /// The daemon's socket
    #[arg(long, global = true, value_name = "PATH", env = "HACD_SOCKET", default_value = hac_api::SOCKET, value_parser = path)]
    pub(crate) socket: PathBuf,

    /// Do it in spite of a warning
    #[arg(short = 'F', long)]
    pub(crate) force: bool,

    /// Do not ask before something that runs is stopped, moved or deleted
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Answer every question with no
    #[arg(short, long, conflicts_with = "yes")]
    pub(crate) no: bool,

    /// Say what would happen and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Carry out the commands in this file, one a line; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Work on this shadow configuration instead of the one in force
    #[arg(short, long, value_name = "SHADOW", env = "CIB_shadow")]
    pub(crate) cib: Option<String>,

    /// As crm has it; colours are only used on a terminal
    #[arg(short = 'D', long, value_name = "FORM", value_parser = ["plain", "color-always", "color", "uppercase"])]
    pub(crate) display: Option<String>,

    /// As crm has it; says how each request ends
    #[arg(short, long)]
    pub(crate) debug: bool,

    /// What happened, as 'history events' (as crm's option)
    #[arg(short = 'H', long)]
    pub(crate) history: bool,

    /// As crm has it: an option of its own, such as core.wait=yes
    #[arg(short, long, value_name = "OPTION=VALUE", value_parser = option)]
    pub(crate) opt: Vec<String>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Longest time that a person may have something waited for, seconds: a year.
const WAIT_MAX: u64 = 31_536_000;

/// An option of crm's.
fn option(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("it has the form OPTION=VALUE, such as core.wait=yes".to_owned()),
    }
}

/// A path; an empty one, as of a variable that is set to nothing, is the daemon's own.
fn path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(if text.is_empty() { hac_api::SOCKET } else { text }))
}

/// A number of seconds to wait.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let seconds: u64 = text.parse().map_err(|_| "it is not a whole number of seconds".to_owned())?;
    if seconds > WAIT_MAX {
        return Err(format!("it is more than {WAIT_MAX} seconds, a year"));
    }
    Ok(seconds)
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a cluster of this host: write its configuration and key, start hacd, invite the next node
    Init(crate::commands::init::InitArgs),
    /// Let another host become a node: print a code for it
    #[command(infer_subcommands = true)]
    Invite(crate::commands::invite::InviteLine),
    /// Make this host a node of a cluster, with the code of an invitation
    Join(crate::commands::join::JoinArgs),
    /// Values that the cluster keeps for its resources and shows to nobody
    #[command(subcommand, infer_subcommands = true)]
    Secret(crate::commands::secrets::SecretCommand),
    /// Common configurations: printed, and applied when you agree
    #[command(subcommand, infer_subcommands = true)]
    Recipe(crate::commands::recipe::RecipeCommand),
    /// Look for what is wrong or will be (exit code 0 nothing, 1 warnings, 2 errors)
    Doctor(crate::commands::doctor::DoctorArgs),
    /// Try a failover and measure it
    #[command(subcommand, infer_subcommands = true)]
    Test(crate::commands::drill::TestCommand),
    /// Make the key that the nodes share
    Keygen(Keygen),
    /// How the cluster stands
    Status(StatusArgs),
    /// The same, refreshed until Ctrl-C
    #[command(alias = "crm_mon")]
    Mon(MonArgs),
    /// The link that opens the page of this node in a browser
    Web,
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
    #[command(disable_help_flag = true)]
    Configure(Words),
    /// The names of Pacemaker's programs that resource agents call, for people too
    #[command(subcommand, infer_subcommands = true)]
    Compat(CompatCommand),
    /// Nodes: standby, online, attributes ...
    #[command(disable_help_flag = true)]
    Node(Words),
    /// Resources: start, stop, move ...
    #[command(disable_help_flag = true)]
    Resource(Words),
    /// The cluster as such: status, health, start and stop of the daemon
    #[command(disable_help_flag = true)]
    Cluster(Words),
    /// The ring and hacd.toml, in the words of crm's level corosync
    #[command(disable_help_flag = true)]
    Corosync(Words),
    /// What happened, from the journals of all nodes: with options, or in the words of crm's level history
    History(crate::commands::history::HistoryArgs),
    /// Shadow configurations: drafts that change nothing until they are committed
    #[command(disable_help_flag = true)]
    Cib(Words),
    /// What if the status were another one, in crm's words
    #[command(disable_help_flag = true, hide = true)]
    Cibstatus(Words),
    /// Tickets of clusters on several sites
    #[command(disable_help_flag = true)]
    Site(Words),
    /// Tickets: the same as site ticket
    #[command(disable_help_flag = true)]
    Ticket(Words),
    /// Fencing: devices, what was done to nodes, and what a person knows of them
    #[command(disable_help_flag = true)]
    Fence(Words),
    /// Alerts and notices: who is told of what happens, and trying it
    #[command(disable_help_flag = true)]
    Alert(Words),
    /// Maintenance of the whole cluster or of one resource: on, off
    #[command(disable_help_flag = true)]
    Maintenance(Words),
    /// The level of the cluster: what is missing for the next one, and going there or back
    #[command(subcommand, infer_subcommands = true)]
    Upgrade(UpgradeCommand),
    /// Resource agents
    #[command(disable_help_flag = true)]
    Ra(Words),
    /// Check the configuration of the running cluster
    Verify,
    /// What happened, as it happens
    Events(crate::commands::events::EventsArgs),
    /// Gather what is known of the cluster in a folder, for those who are to help
    Report {
        /// The folder to make
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Why a resource is where it is, or is not; what a node runs and why; what would be done now
    Explain(crate::commands::explain::ExplainArgs),
    /// Decide about a stored cluster state without a daemon
    Simulate(crate::commands::simulate::SimulateArgs),
    /// Print the hacd.toml for a corosync.conf, or the statements for a keepalived.conf, without a daemon
    Import {
        /// The corosync.conf or keepalived.conf
        #[arg(default_value = "/etc/corosync/corosync.conf", value_name = "FILE")]
        file: PathBuf,
    },
    /// Write the manual pages of all commands
    #[command(hide = true)]
    Man {
        /// Into this folder
        folder: PathBuf,
    },
    /// What may come next in a line, for completion scripts
    #[command(hide = true)]
    Complete {
        /// The line up to the cursor, without the program's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        line: Vec<String>,
    },
    /// Print a completion script
    Completion {
        /// For this shell
        shell: Shell,
    },
}

/// A line in crm's words, read with the table of [`crate::grammar`].
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Words {
    /// The rest of the line
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    pub(crate) words: Vec<String>,
}

/// Commands about the key in use.
#[derive(Clone, Debug, Subcommand)]
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
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum QuorumCommand {
    /// End the waiting for nodes that are down for certain (wait_for_all)
    Unblock {
        /// Do it without asking: the missing nodes are down, and stay down until they can reach this one
        #[arg(long, short = 'y', visible_alias = "force")]
        yes: bool,
    },
    /// Believe the arbiter again, which was set back or replaced; while all nodes are members
    Trust {
        /// Do it without asking: what is there is replaced, whatever it is
        #[arg(long, short = 'y', visible_alias = "force")]
        yes: bool,
    },
}

/// Commands about the names of Pacemaker's programs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CompatCommand {
    /// Make links (crm_attribute, crm_node ...) in a folder; never over what is there
    Install {
        /// The folder, such as /usr/local/sbin
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Commands about the level of the cluster.
#[derive(Clone, Debug, Subcommand)]
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
#[derive(Clone, Debug, Args)]
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
#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) sections: Sections,
    /// One line for a monitoring system: exit code 0 well, 1 warning, 2 critical
    #[arg(short = 's', long, visible_alias = "check")]
    pub(crate) simple: bool,
    /// crm's words: full, bynode, inactive, ops, timing, failcounts, verbose, quiet, html, xml, simple, tickets, noheaders,
    /// detail, brief
    #[arg(value_name = "WORD")]
    pub(crate) words: Vec<String>,
}

/// Options of `mon`.
#[derive(Clone, Debug, Args)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_has_an_end() {
        assert_eq!((seconds("0"), seconds("31536000")), (Ok(0), Ok(WAIT_MAX)));
        for wrong in ["", "-1", "1.5", "soon", "99999999999999999999"] {
            assert_eq!(seconds(wrong), Err("it is not a whole number of seconds".to_owned()), "{wrong}");
        }
        for much in ["31536001", "18446744073709551615"] {
            assert_eq!(seconds(much), Err("it is more than 31536000 seconds, a year".to_owned()), "{much}");
        }
    }
}
