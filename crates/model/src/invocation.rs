//! One run of an agent: what it is given, and what becomes of it. Whoever decides makes these, whoever runs agents
//! takes and answers them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Agent, ExecStatus, Migration};

/// One run of an agent. Unique in one life of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InvocationId(pub u64);

/// One watch over a process. Unique in one life of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatchId(pub u64);

/// A process that can be told from a later one of the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessRef {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub started: u64,
}

/// Run an agent. `Debug` leaves the parameters out, because there are secrets among them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Names this run.
    pub id: InvocationId,
    /// Name of the node for which it counts.
    pub node: String,
    /// Id under which that node keeps the history.
    pub resource: String,
    /// `OCF_RESOURCE_INSTANCE`: with the instance number where the resource has one.
    pub instance: String,
    /// The agent.
    pub agent: Agent,
    /// `start`, `stop`, `monitor` …
    pub action: String,
    /// 0 for once and for probes.
    pub interval_ms: u64,
    /// It is stopped, with all its processes, when this has passed.
    pub timeout: Duration,
    /// Exit code that means all is as expected.
    pub expected_rc: i32,
    /// From where to where, for the two halves of a live migration.
    pub migration: Option<Migration>,
    /// What a fence device is to do to whom, if it is to do anything to a node.
    #[serde(default)]
    pub fencing: Option<FenceOrder>,
    /// Parameters, to be passed as `OCF_RESKEY_NAME`. Secrets among them: never log them.
    pub params: BTreeMap<String, String>,
    /// More of the same that is known of the resource and the operation, with `CRM_meta_` in front of each name.
    pub meta: BTreeMap<String, String>,
}

/// What a fence device is to do: the action of its invocation, to this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceOrder {
    /// Name of the node.
    pub target: String,
    /// To be waited first.
    pub delay: Duration,
    /// How long the agent may take unless the device says otherwise.
    pub base: Duration,
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation")
            .field("id", &self.id)
            .field("node", &self.node)
            .field("instance", &self.instance)
            .field("agent", &format_args!("{}", self.agent))
            .field("action", &self.action)
            .field("interval_ms", &self.interval_ms)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What became of an invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Exit code.
    pub rc: i32,
    /// Whether that can be relied on.
    pub status: ExecStatus,
    /// What the agent said about its failure.
    pub exit_reason: Option<String>,
    /// How long it ran; zero if that is not known.
    pub exec_time: Duration,
    /// Processes whose end means that the resource is no longer what it was. Looked at after a successful start,
    /// promote, demote or monitor.
    pub watch: Vec<ProcessRef>,
    /// Names of the parameters whose change needs a restart, because the agent takes changes of all others in place
    /// (`reload-agent`). `None` if it takes none, or that is not known. Looked at after a successful start, reload or probe.
    #[serde(default)]
    pub restart_params: Option<BTreeSet<String>>,
    /// What the agent wrote on its standard error, the last [`OUTPUT_MAX`] bytes of it; for people.
    #[serde(default)]
    pub output: String,
    /// The agent could not find out or could not ask for what was ordered, and nothing is changed: whoever it asks does
    /// not answer or wants to be asked later. That is no failure. It is run again, not before this has passed.
    #[serde(default)]
    pub retry_after: Option<Duration>,
}

/// Most bytes of [`Outcome::output`].
pub const OUTPUT_MAX: usize = 4096;
