//! What is really so, whatever the cluster believes: which resource runs on which host.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::executor::{ExecStatus, Invocation, Outcome, ProcessRef};
use hac_model::Migration;

/// The world outside the cluster.
#[derive(Clone, Debug, Default)]
pub struct Reality {
    /// Running instances: host and instance name, and what is behind.
    running: BTreeMap<(u32, String), Running>,
    last_pid: u32,
    /// Hosts without power.
    off: BTreeSet<u32>,
    /// Resources that fail to start, by host.
    pub broken: BTreeSet<(u32, String)>,
    /// Times anything was started, by host and instance.
    pub starts: BTreeMap<(u32, String), u64>,
    /// Times an agent was run, by host, instance and action.
    pub runs: BTreeMap<(u32, String, String), u64>,
}

/// Something that runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    process: ProcessRef,
    promoted: bool,
}

/// What an agent did.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its result.
    pub outcome: Outcome,
    /// It started something that did not run.
    pub started: bool,
}

const OK: i32 = 0;
const ERROR: i32 = 1;
const NOT_RUNNING: i32 = 7;
const PROMOTED: i32 = 8;

impl Reality {
    /// An agent begins.
    pub fn begin(&mut self, host: u32, invocation: &Invocation) {
        let key = (host, invocation.resource.clone(), invocation.action.clone());
        *self.runs.entry(key).or_default() += 1;
    }

    /// Carries an agent's action out, at the moment at which it ends.
    pub fn act(&mut self, host: u32, invocation: &Invocation) -> Done {
        let key = (host, invocation.resource.clone());
        let mut started = false;
        let rc = match invocation.action.as_str() {
            "start" if self.broken.contains(&key) => ERROR,
            "start" => {
                if !self.running.contains_key(&key) {
                    self.last_pid += 1;
                    let process = ProcessRef { pid: self.last_pid, started: u64::from(self.last_pid) };
                    self.running.insert(key.clone(), Running { process, promoted: false });
                    *self.starts.entry(key.clone()).or_default() += 1;
                    started = true;
                }
                OK
            }
            "stop" => {
                self.running.remove(&key);
                OK
            }
            "migrate_to" => self.migrate(&key, invocation.migration.as_ref()),
            "migrate_from" if !self.running.contains_key(&key) => ERROR,
            "promote" | "demote" => match self.running.get_mut(&key) {
                Some(running) => {
                    running.promoted = invocation.action == "promote";
                    OK
                }
                None => NOT_RUNNING,
            },
            "monitor" => match self.running.get(&key) {
                Some(running) if running.promoted => PROMOTED,
                Some(_) => OK,
                None => NOT_RUNNING,
            },
            _ => OK,
        };
        let watch = self.running.get(&key).map(|running| running.process).into_iter().collect();
        let outcome = Outcome {
            rc,
            status: ExecStatus::Done,
            exit_reason: (rc == ERROR).then(|| "it is broken".to_owned()),
            watch,
            ..Outcome::default()
        };
        Done { outcome, started }
    }

    /// A resource goes from a host to another one while it runs: it is there in the same moment in which it is no longer
    /// here, if the other host has power.
    fn migrate(&mut self, from: &(u32, String), ends: Option<&Migration>) -> i32 {
        let target = ends.and_then(|ends| ends.target.strip_prefix("node")?.parse::<u32>().ok());
        let Some(target) = target.filter(|target| !self.off.contains(target)) else { return ERROR };
        if self.running.remove(from).is_none() {
            return ERROR;
        }
        self.last_pid += 1;
        let process = ProcessRef { pid: self.last_pid, started: u64::from(self.last_pid) };
        self.running.entry((target, from.1.clone())).or_insert(Running { process, promoted: false });
        OK
    }

    /// Where a resource runs.
    #[must_use]
    pub fn places(&self, resource: &str) -> Vec<u32> {
        self.running.keys().filter(|(_, r)| r == resource).map(|(host, _)| *host).collect()
    }

    /// Where it is promoted.
    #[must_use]
    pub fn promoted(&self, resource: &str) -> Vec<u32> {
        let here = self.running.iter().filter(|((_, r), running)| r == resource && running.promoted);
        here.map(|((host, _), _)| *host).collect()
    }

    /// All that runs: host and resource.
    pub fn running(&self) -> impl Iterator<Item = &(u32, String)> {
        self.running.keys()
    }

    /// A resource dies. The process that is gone.
    pub fn kill(&mut self, host: u32, resource: &str) -> Option<ProcessRef> {
        self.running.remove(&(host, resource.to_owned())).map(|running| running.process)
    }

    /// Whether a process runs.
    #[must_use]
    pub fn is_alive(&self, process: ProcessRef) -> bool {
        self.running.values().any(|running| running.process == process)
    }

    /// A host has power.
    pub fn power_on(&mut self, host: u32) {
        self.off.remove(&host);
    }

    /// Whether a host has no power.
    #[must_use]
    pub fn is_off(&self, host: u32) -> bool {
        self.off.contains(&host)
    }

    /// The power of a host goes: nothing runs there.
    pub fn power_off(&mut self, host: u32) {
        self.running.retain(|(h, _), _| *h != host);
        self.off.insert(host);
    }
}
