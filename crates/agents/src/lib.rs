//! Resource agents: one interface, and a registry by class.
//!
//! [`Agents::run`] takes an [`Invocation`] and gives the [`Outcome`]; which standard an agent follows, and whether it is
//! a script or inside, nobody above this crate knows. Dropping the future cancels: what the run has started is killed.
//!
//! | class | module |
//! |---|---|
//! | `ocf`: scripts, unchanged, and the agents that are inside | `ocf` |
//! | `systemd`: units, over D-Bus | `systemd` |
//! | `stonith`: fence devices | `stonith` |
//! | `lsb`: scripts of init; `service`: one of them or a unit | `lsb` |
//!
//! A class more is one type that implements [`Standard`], one line in [`Agents::new`], and its name in
//! [`Agent::RUN_CLASSES`], by which the rest of hacd knows that it can be configured.
//!
//! After a success the processes behind a resource are told, so that the driver can watch them ([`ended`]).

mod calls;
mod cloud;
mod exit;
mod look;
mod lsb;
mod metadata;
mod ocf;
mod prove;
mod runs;
mod standard;
mod stonith;
mod systemd;
mod tell;
#[cfg(test)]
mod testing;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hac_model::{Agent, ExecStatus, Invocation, OcfCode, Outcome};

pub use cloud::Addresses;
pub use exit::{Exit, Finished};
pub use ocf::{AddressAction, AddressActions};
pub use prove::{Depth, Missing, Proof};
pub use standard::{Doing, Implementation, Listed, Standard};
pub use tell::{Posting, Telling, cannot_tell};
pub use watch::ended;

use look::Looks;
use runs::Runs;
use tell::Tellings;

/// Names of the threads that agents are run with besides those of the runtime. A fault there costs what it was doing: a look
/// fails, and a run that was to be ended is killed at once.
pub const THREADS: [&str; 3] = ["look", "end-run", "look-marks"];

/// How long may be looked for the processes behind a resource. What is not found by then is not watched: the monitors
/// see it all the same.
const PROCESSES: Duration = Duration::from_millis(500);

/// How long an agent may take to say what it is.
const DESCRIBE: Duration = Duration::from_secs(8);

/// How agents are run on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Name of this node, told to agents.
    pub node: String,
    /// Its id, told to agents.
    pub node_id: u32,
    /// How many nodes the cluster has.
    pub nodes: usize,
    /// Folder in which runs are recorded; made when it is needed. It belongs to this daemon alone and to the life of the
    /// kernel: below `/run`.
    pub runs: PathBuf,
    /// Where `resource.d` is.
    pub ocf_root: PathBuf,
    /// Folder with the fence agents.
    pub fence_agents: PathBuf,
    /// Folder with the programs of Pacemaker that agents call: first on their `PATH`, and their `HA_SBIN_DIR`.
    pub tools: Option<PathBuf>,
    /// More variables for agents.
    pub environment: BTreeMap<String, String>,
    /// Whether the script is used where there is both.
    pub prefer_script: bool,
    /// Agents for which the native one is used.
    pub native: Vec<String>,
    /// Agents for which the script is used.
    pub script: Vec<String>,
    /// Where the cloud's API is, without a slash at the end.
    pub api_url: String,
    /// Where the cloud's metadata service is, without a slash at the end.
    pub metadata_url: String,
}

/// Every agent that this node can run.
#[derive(Debug)]
pub struct Agents {
    /// By class.
    standards: BTreeMap<&'static str, Arc<dyn Standard>>,
    looks: Arc<Looks>,
    runs: Arc<Runs>,
    tellings: Tellings,
    cloud: Arc<cloud::Cloud>,
    nodes: usize,
}

impl Agents {
    /// Prepares to run agents. Starts nothing and connects nowhere.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let looks = Arc::new(Looks::default());
        let (runs, nodes) = (Arc::new(Runs::new(options.runs.clone())), options.nodes);
        let cloud = Arc::new(cloud::Cloud::new(&options));
        let systemd = Arc::new(systemd::Systemd::new(Arc::clone(&looks)));
        let lsb = Arc::new(lsb::Lsb::new(&options, Arc::clone(&looks), Arc::clone(&runs)));
        let stonith =
            Arc::new(stonith::Stonith::new(&options, Arc::clone(&cloud), Arc::clone(&looks), Arc::clone(&runs)));
        let service = Arc::new(lsb::Service::new(Arc::clone(&lsb), Arc::clone(&systemd)));
        let tellings = Tellings::new(&options, Arc::clone(&looks), Arc::clone(&runs));
        let ocf = Arc::new(ocf::Ocf::new(options, Arc::clone(&cloud), Arc::clone(&looks), Arc::clone(&runs)));
        let standards: BTreeMap<&'static str, Arc<dyn Standard>> = BTreeMap::from([
            ("ocf", ocf as _),
            ("systemd", systemd as _),
            ("lsb", lsb as _),
            ("service", service as _),
            ("stonith", stonith as _),
        ]);
        Self { standards, looks, runs, tellings, cloud, nodes }
    }

    /// How runs are kept together on this host, for people.
    #[must_use]
    pub fn supervision(&self) -> String {
        self.runs.describe()
    }

    /// Ends what earlier lives of the daemon left under way, and says what it found. To be called before this daemon is heard
    /// by any other. Blocks, ten seconds at most; what has not ended by then keeps its resource from being touched.
    pub fn take_over(&self) -> Vec<String> {
        self.runs.take_over()
    }

    /// Waits, `limit` at most, until the runs that were given up have ended; whether they have. Blocks.
    pub fn finish(&self, limit: Duration) -> bool {
        self.runs.wait(limit)
    }

    /// Runs an agent to its end or its timeout. Dropping the future cancels it.
    pub async fn run(&self, invocation: &Invocation) -> Outcome {
        let begin = Instant::now();
        let Some(standard) = self.standards.get(invocation.agent.class.as_str()) else {
            let reason = format!("hacd cannot run agents of class {} yet", invocation.agent.class);
            return Finished::failed(Exit::Installed, reason).with_status(ExecStatus::NotInstalled).into_outcome();
        };
        // One at a time: what an earlier run left unfinished comes to its end first. Not so where a node is fenced: a device's
        // hanging monitor is no reason to let it live.
        let alone = async {
            if invocation.fencing.is_none() {
                let key = prove::key(&invocation.resource);
                // What cannot be ended of it keeps nobody waiting.
                let _ = tokio::time::timeout(prove::GIVE_WAY, self.runs.alone(&key)).await;
                self.runs.alone(&invocation.resource).await;
            }
        };
        let mut outcome = if tokio::time::timeout(invocation.timeout, alone).await.is_err() {
            let earlier = self.runs.unfinished(&invocation.resource);
            Self::timed_out(invocation, earlier.map(|run| format!("{run} cannot be ended")))
        } else {
            let left = invocation.timeout.saturating_sub(begin.elapsed());
            match tokio::time::timeout(left, standard.run(invocation)).await {
                Ok(finished) => finished.into_outcome(),
                Err(_) => {
                    let hanging = self.looks.hanging(&invocation.resource);
                    Self::timed_out(invocation, hanging.map(|what| format!("{what} hangs")))
                }
            }
        };
        outcome.exec_time = begin.elapsed();
        if outcome.rc == 0 && outcome.status == ExecStatus::Done && invocation.action != "stop" {
            outcome.watch = tokio::time::timeout(PROCESSES, standard.processes(invocation)).await.unwrap_or_default();
        }
        outcome
    }

    /// Finds out whether this resource could be started here, and starts nothing: whether its agent is there, and as far as
    /// `depth` allows what that says of the parameters (`validate-all`, where it has it). Takes the invocation's timeout at
    /// most; dropping the future gives it up. Operations of the resource do not wait for it.
    pub async fn prove(&self, invocation: &Invocation, depth: Depth) -> Proof {
        let Some(standard) = self.standards.get(invocation.agent.class.as_str()) else {
            return Proof::of([Missing::agent(&invocation.agent)]);
        };
        let key = prove::key(&invocation.resource);
        let remedy = "Look at its files and file servers on that node; it is looked at again by itself.";
        if let Some(run) = self.runs.unfinished(&key) {
            return Proof::of([Missing::new("validate", format!("{run} cannot be ended"), remedy)]);
        }
        let asked = Invocation {
            resource: key.clone(),
            action: "validate-all".to_owned(),
            interval_ms: 0,
            expected_rc: OcfCode::OK.0,
            migration: None,
            fencing: None,
            ..invocation.clone()
        };
        match tokio::time::timeout(asked.timeout, standard.prove(&asked, depth)).await {
            Ok(proof) => proof,
            Err(_) => {
                let why = self.looks.hanging(&key).map(|what| format!(": {what} hangs")).unwrap_or_default();
                let limit = seconds(asked.timeout);
                Proof::of([Missing::new("validate", format!("validate-all did not end within {limit}{why}"), remedy)])
            }
        }
    }

    /// Runs a program that tells somebody of something, to its end or its timeout. Dropping the future kills it.
    ///
    /// # Errors
    /// One clause: why it could not be run, or how it failed.
    pub async fn tell(&self, telling: Telling) -> Result<(), String> {
        self.tellings.run(telling).await
    }

    /// Posts something to an address of the web.
    ///
    /// # Errors
    /// One clause, without the address: why it could not be posted, or what was answered.
    pub async fn post(&self, posting: Posting) -> Result<(), String> {
        self.tellings.post(posting).await
    }

    /// Tells all agents of a new membership of this many nodes.
    pub fn members(&self, count: usize) {
        let whole = count >= self.nodes;
        self.standards.values().for_each(|standard| standard.members(whole));
    }

    /// This node alone decides although not all nodes are members: it has the vote of an arbiter, and another node that has taken
    /// something since has not.
    pub fn decides_alone(&self) {
        self.standards.values().for_each(|standard| standard.members(true));
    }

    /// What was ordered of an address of the cloud that this node is in: see [`AddressActions`].
    #[must_use]
    pub fn address_actions(&self) -> AddressActions {
        AddressActions::new(Arc::clone(&self.cloud))
    }

    /// The agents that this node knows, sorted by name.
    pub async fn list(&self) -> Vec<Listed> {
        let mut all = Vec::new();
        for standard in self.standards.values() {
            all.extend(standard.list().await);
        }
        all.sort_by(|left, right| left.agent.cmp(&right.agent));
        all
    }

    /// What an agent is and says of itself (its meta-data, XML); `None` if there is no such agent, or it does not say it in
    /// time.
    pub async fn describe(&self, name: &str) -> Option<(Listed, String)> {
        let agent: Agent = name.parse().ok()?;
        tokio::time::timeout(DESCRIBE, self.standards.get(agent.class.as_str())?.describe(&agent)).await.ok()?
    }

    /// What is said of an action that did not end in time, and why, if that is known.
    fn timed_out(invocation: &Invocation, why: Option<String>) -> Outcome {
        let (action, instance, limit) = (&invocation.action, &invocation.instance, seconds(invocation.timeout));
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let reason = format!("{action} of {instance} did not complete within {limit}{why}");
        Finished::failed(Exit::Generic, reason).with_status(ExecStatus::Timeout).into_outcome()
    }
}

/// A duration as people write it: `20s`, `1.5s`.
fn seconds(duration: Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_that_may_be_configured_has_a_standard_and_the_other_way_round() {
        let agents = Agents::new(testing::options(testing::absent()));
        let classes: Vec<&str> = agents.standards.keys().copied().collect();
        let mut configurable = Agent::RUN_CLASSES.to_vec();
        configurable.sort_unstable();
        assert_eq!(classes, configurable);
    }
}
