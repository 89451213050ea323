//! `hacctl doctor`: looks at host and cluster and says what is wrong or will be, each with what to do about it. It changes
//! nothing, starts and stops nothing.

mod cluster;
mod host;
mod more;
mod outside;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hac_api::Status;
use hac_model::Cib;
use hac_scheduler::view::ClusterView;
use serde::Serialize;

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// Options of `doctor`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Only these checks, by their ids
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Print the ids of all checks and what each looks at
    #[arg(long)]
    list: bool,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/hacd/hacd.toml")]
    config: PathBuf,
    /// The state of the daemon
    #[arg(long, value_name = "DIR", default_value = "/var/lib/hacd")]
    state: PathBuf,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// Good to know.
    Note,
    /// It will hurt one day.
    Warning,
    /// It hurts.
    Error,
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Which check.
    id: &'static str,
    severity: Severity,
    /// What is the matter.
    sentence: String,
    /// What to do about it.
    remedy: String,
}

impl Finding {
    fn new(id: &'static str, severity: Severity, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, severity, sentence: sentence.into(), remedy: remedy.into() }
    }
}

/// What the daemon says, where one answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    status: Status,
    view: ClusterView,
    /// In clear: what would be decided follows from it. Nothing of it is printed.
    cib: Cib,
    /// Which node has which key.
    key: hac_api::KeyStatus,
    /// Agents of the resources that this node does not have.
    missing_agents: Vec<String>,
    /// Seconds since 1970.
    now: i64,
}

/// A check.
struct Check {
    id: &'static str,
    /// What it looks at.
    looks_at: &'static str,
    look: Look,
}

/// What a check needs.
enum Look {
    /// This host alone.
    Host(fn(&host::Host) -> Vec<Finding>),
    /// The cluster too: left out where no daemon answers.
    Cluster(fn(&Cluster) -> Vec<Finding>),
    /// Both.
    Both(fn(&host::Host, &Cluster) -> Vec<Finding>),
}

const CHECKS: &[Check] = &[
    Check {
        id: "key-mode",
        looks_at: "the key: a file of root alone, 32 to 4096 bytes",
        look: Look::Host(host::key_mode),
    },
    Check { id: "key-same", looks_at: "whether all nodes have one key", look: Look::Cluster(cluster::key_same) },
    Check { id: "toml", looks_at: "the configuration: what 'hacd --check' says of it", look: Look::Host(host::toml) },
    Check {
        id: "disk-room",
        looks_at: "room and inodes below /etc, /var/lib and /var/log",
        look: Look::Host(host::disk_room),
    },
    Check {
        id: "disk-read-only",
        looks_at: "whether configuration and state can be written",
        look: Look::Host(host::read_only),
    },
    Check {
        id: "foreign",
        looks_at: "other cluster managers that run or start at boot",
        look: Look::Host(host::foreign),
    },
    Check { id: "unit-enabled", looks_at: "whether hacd starts at boot", look: Look::Host(host::unit_enabled) },
    Check {
        id: "new-binary",
        looks_at: "whether hacd runs the program that is installed",
        look: Look::Host(host::new_binary),
    },
    Check {
        id: "identity",
        looks_at: "whether this host has an identity of its own",
        look: Look::Host(host::identity),
    },
    Check {
        id: "limits",
        looks_at: "whether the kernel would kill hacd before others when memory is short",
        look: Look::Host(host::limits),
    },
    Check {
        id: "pauses",
        looks_at: "how much of its time this machine is kept from running",
        look: Look::Host(host::pauses),
    },
    Check {
        id: "double-start",
        looks_at: "services that systemd starts besides the cluster",
        look: Look::Both(host::double_start),
    },
    Check {
        id: "shutdown-order",
        looks_at: "services that systemd may stop before hacd hands them over",
        look: Look::Both(host::shutdown_order),
    },
    Check { id: "members", looks_at: "nodes that are away", look: Look::Cluster(cluster::members) },
    Check {
        id: "quorum",
        looks_at: "whether this partition may act, and what is waited for",
        look: Look::Cluster(cluster::quorum),
    },
    Check { id: "path", looks_at: "links that carry nothing", look: Look::Cluster(cluster::path) },
    Check { id: "loss", looks_at: "loss on the links", look: Look::Cluster(cluster::loss) },
    Check { id: "mtu", looks_at: "links that carry only small datagrams", look: Look::Cluster(cluster::mtu) },
    Check { id: "releases", looks_at: "nodes of different releases", look: Look::Cluster(cluster::releases) },
    Check { id: "problems", looks_at: "what the daemon itself complains of", look: Look::Cluster(cluster::problems) },
    Check { id: "stonith", looks_at: "fencing that is on without a device", look: Look::Cluster(cluster::stonith) },
    Check {
        id: "maintenance",
        looks_at: "nodes and resources that the cluster leaves alone",
        look: Look::Cluster(cluster::maintenance),
    },
    Check { id: "failed", looks_at: "resources that failed or do not run", look: Look::Cluster(cluster::failed) },
    Check { id: "agents", looks_at: "agents that this node does not have", look: Look::Cluster(cluster::agents) },
    Check { id: "no-monitor", looks_at: "resources that nobody watches", look: Look::Cluster(cluster::no_monitor) },
    Check {
        id: "placement",
        looks_at: "an address without a rule that keeps it with its service",
        look: Look::Cluster(cluster::placement),
    },
    Check {
        id: "stale-bans",
        looks_at: "what moves, bans and drills have left, and fail counts at their limit",
        look: Look::Cluster(cluster::stale_bans),
    },
    Check {
        id: "standby-fit",
        looks_at: "what could not run if the node that has it died now",
        look: Look::Cluster(cluster::standby_fit),
    },
    Check {
        id: "secrets",
        looks_at: "secrets that are named and missing, or not used",
        look: Look::Cluster(cluster::secrets),
    },
    Check {
        id: "jitter",
        looks_at: "how soon the death of a node would be noticed",
        look: Look::Cluster(more::jitter),
    },
    Check { id: "wait", looks_at: "whether all nodes are waited for, and for whom", look: Look::Cluster(more::wait) },
    Check {
        id: "halves",
        looks_at: "data that two halves of a cut cluster would both write",
        look: Look::Cluster(more::halves),
    },
    Check {
        id: "timeouts",
        looks_at: "operations that nearly took as long as they may",
        look: Look::Cluster(more::timeouts),
    },
    Check { id: "binaries", looks_at: "programs and files that resources name", look: Look::Both(more::binaries) },
    Check {
        id: "secret-files",
        looks_at: "files with secrets that everybody can read",
        look: Look::Both(more::secret_files),
    },
    Check { id: "one-link", looks_at: "a network that could be a second link", look: Look::Both(more::one_link) },
    Check { id: "clock", looks_at: "whether this host's clock is synchronized", look: Look::Host(more::clock) },
    Check { id: "watchdog", looks_at: "whether systemd watches hacd", look: Look::Host(more::watchdog) },
    Check { id: "state", looks_at: "damaged files that were set aside", look: Look::Host(more::state) },
    Check { id: "key-age", looks_at: "how old the key is", look: Look::Host(more::key_age) },
    Check { id: "socket", looks_at: "who may command the cluster on this host", look: Look::Host(more::socket) },
    Check {
        id: "firewall",
        looks_at: "whether this host's firewall lets the ring in",
        look: Look::Host(more::firewall),
    },
    Check { id: "ports", looks_at: "who holds the ring's port", look: Look::Host(more::ports) },
    Check { id: "icmp", looks_at: "nodes that are away although their host answers", look: Look::Both(outside::icmp) },
    Check {
        id: "api",
        looks_at: "what the provider's API would refuse to a failover, on each node",
        look: Look::Cluster(outside::api),
    },
    Check {
        id: "anchor",
        looks_at: "servers that do not listen where a floating address arrives",
        look: Look::Both(outside::anchor),
    },
    Check { id: "disk-speed", looks_at: "how long storing takes here", look: Look::Cluster(outside::disk_speed) },
    Check { id: "drill-age", looks_at: "the last test of a failover", look: Look::Both(host::drill_age) },
];

/// Looks at everything.
pub(crate) async fn run(context: &Context, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    if let Some(unknown) = args.only.iter().find(|id| !CHECKS.iter().any(|check| check.id == id.as_str())) {
        return Err(Failure::usage(format!("there is no check '{}'", terminal::harmless(unknown)))
            .with_remedy("'hacctl doctor --list' has them all."));
    }
    if args.list {
        let lines: String = CHECKS.iter().map(|check| format!("{:<15} {}\n", check.id, check.looks_at)).collect();
        terminal::print(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = gather(context).await;
    let host = host::Host::new(&args.config, &args.state);
    let wanted = |check: &&Check| args.only.is_empty() || args.only.iter().any(|id| id == check.id);
    let (mut findings, mut looked, mut left_out) = (Vec::new(), 0, 0);
    for check in CHECKS.iter().filter(wanted) {
        match (&check.look, &cluster) {
            (Look::Host(look), _) => findings.extend(look(&host)),
            (Look::Cluster(look), Ok(cluster)) => findings.extend(look(cluster)),
            (Look::Both(look), Ok(cluster)) => findings.extend(look(&host, cluster)),
            (Look::Cluster(_) | Look::Both(_), Err(_)) => {
                left_out += 1;
                continue;
            }
        }
        looked += 1;
    }
    if let Err(failure) = &cluster
        && left_out > 0
    {
        let remedy = failure.remedy.clone().unwrap_or_default();
        let sentence = format!("{}; {left_out} checks were left out", failure.message);
        findings.push(Finding::new("daemon", Severity::Error, sentence, remedy));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    report(context, &findings, looked)
}

fn report(context: &Context, findings: &[Finding], looked: usize) -> Result<ExitCode, Failure> {
    if context.json {
        terminal::print_json(&serde_json::json!({ "checks": looked, "findings": findings }))?;
    } else if findings.is_empty() {
        terminal::print(&format!("all {looked} checks are well"))?;
    } else {
        let line = |finding: &Finding| {
            let word = match finding.severity {
                Severity::Error => "ERROR",
                Severity::Warning => "WARNING",
                Severity::Note => "NOTE",
            };
            let (sentence, remedy) = (terminal::harmless(&finding.sentence), terminal::harmless(&finding.remedy));
            format!("{word} {}: {sentence}\n  {remedy}\n", finding.id)
        };
        terminal::print(&findings.iter().map(line).collect::<String>())?;
    }
    Ok(match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Error) => ExitCode::from(2),
        Some(Severity::Warning) => ExitCode::from(1),
        Some(Severity::Note) | None => ExitCode::SUCCESS,
    })
}

/// What the daemon says; the failure where it does not answer.
async fn gather(context: &Context) -> Result<Cluster, Failure> {
    let (status, view) = context.client.view().await?;
    let cib = context.client.cib(true).await?;
    let mut missing_agents = Vec::new();
    for name in cluster::agent_names(&cib.configuration) {
        if let Err(failure) = context.client.agent(&name).await
            && failure.exit_code == hac_api::ErrorCode::NoSuch.exit_code()
        {
            missing_agents.push(name);
        }
    }
    let key = context.client.key().await?;
    let now = status.now_ms / 1000;
    Ok(Cluster { status, view, cib, key, missing_agents, now })
}

/// Whether what runs on `node` could run elsewhere if that was gone now: the resources that could not.
pub(super) fn unfit(cib: &Cib, view: &ClusterView, node: &str, now: i64) -> Vec<String> {
    cluster::unfit(cib, view, node, now)
}

#[cfg(test)]
mod tests;
