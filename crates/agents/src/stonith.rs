//! Fence devices (class `stonith`): fence agents, run unchanged, and two devices that are inside, the cloud's and the watchdogs of
//! the nodes.
//!
//! A device has no process that stays. Its **start** proves with the agent's `monitor` that it can be reached, a recurring
//! **monitor** does so again, a **probe** is answered from memory, a **stop** forgets. None of that matters for its use: what is to
//! be done to a node comes as a [`FenceOrder`], and is done wherever the coordinator wants it done.
//!
//! What is done to a node, in order: it is found out whether the device knows the node ([`Devices::reaches`]), its delay is waited
//! for, and the agent is run, again after a failure if there is time. Parameters go to the agent's standard input, a line each; nothing stands in
//! its arguments. `PCMK_service` tells it that its caller keeps the time.

mod abilities;
mod digitalocean;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hac_model::{
    Agent, ExecStatus, FenceAbilities, FenceDevice, FenceOrder, HostCheck, Invocation, ProcessRef, RETRY_PAUSE,
    is_tried_again,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cloud::Cloud;
use crate::look::{Looks, lock};
use crate::runs::{Runs, Task, outcome};
use crate::{Depth, Doing, Exit, Finished, Implementation, Listed, Missing, Options, Proof, Standard};
use digitalocean::Device;

/// With what the names of fence agents begin.
const PREFIX: &str = "fence_";

/// Programs of such a name that are no fence agents.
const OTHERS: &[&str] =
    &["fence_ack_manual", "fence_check", "fence_node", "fence_sanlockd", "fence_tool", "fence_virtd", "fence_watchdog"];

/// The watchdogs of the nodes as a device: nothing is done but to wait, for as long as the order says. A node that is lost has
/// stopped what it had by then, or was reset.
const WATCHDOG: &str = "fence_watchdog";

/// What it says of itself.
const WATCHDOG_METADATA: &str = include_str!("stonith/watchdog.xml");

/// How long an agent may take to say what it is.
const METADATA: Duration = Duration::from_secs(10);

/// How long what an agent listed is believed.
const LIST: Duration = Duration::from_secs(60);

/// Fence devices of this node.
#[derive(Debug)]
pub(crate) struct Stonith {
    /// Name of this node.
    node: String,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    looks: Arc<Looks>,
    runs: Arc<Runs>,
    /// What agents can do, by name.
    known: Mutex<BTreeMap<String, FenceAbilities>>,
    devices: Mutex<BTreeMap<String, Memory>>,
    /// The device that is inside.
    inside: Device,
}

/// What is remembered of a device.
#[derive(Debug, Default)]
struct Memory {
    /// Its last start here succeeded, and it was not stopped since.
    started: bool,
    /// What its agent listed last, and when it was asked.
    listed: Option<(Instant, String)>,
    /// Its agent could not list when it was first asked: it is asked about each node.
    asks_status: bool,
    /// Keeps the runs of its agent apart, and for how many at one time.
    turns: Option<(u32, Arc<Semaphore>)>,
}

/// A run of a device's agent.
struct Run<'a> {
    /// Id of the device.
    id: &'a str,
    agent: &'a Agent,
    device: FenceDevice<'a>,
    can: FenceAbilities,
}

impl Stonith {
    pub(crate) fn new(options: &Options, cloud: Arc<Cloud>, looks: Arc<Looks>, runs: Arc<Runs>) -> Self {
        let mut environment = options.environment.clone();
        let mut put = |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
        put("LC_ALL", "C");
        put("PATH", crate::ocf::PATH);
        put("PCMK_service", "pacemaker-fenced");
        let (node, folder) = (options.node.clone(), options.fence_agents.clone());
        let (known, devices, inside) = (Mutex::default(), Mutex::default(), Device::new(cloud));
        Self { node, folder, environment, looks, runs, known, devices, inside }
    }

    fn program(&self, agent: &Agent) -> PathBuf {
        self.folder.join(&agent.kind)
    }

    fn with<T>(&self, device: &str, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(lock(&self.devices).entry(device.to_owned()).or_default())
    }

    /// The meta-data of an agent as it says them.
    async fn metadata(&self, agent: &Agent) -> Result<String, Finished> {
        if agent.kind == WATCHDOG {
            return Ok(WATCHDOG_METADATA.to_owned());
        }
        if is_inside(agent) {
            return Ok(digitalocean::METADATA.to_owned());
        }
        if !agent.kind.starts_with(PREFIX) || agent.kind.contains('/') {
            return Err(not_there(&self.program(agent)));
        }
        let input = "action=metadata\n".to_owned();
        let key = agent.to_string();
        let asked = tokio::time::timeout(METADATA, self.process(&key, "metadata", agent, input));
        let Ok((finished, text)) = asked.await else {
            let reason = format!("{agent} did not say within {} what it can do", crate::seconds(METADATA));
            return Err(Finished::failed(Exit::Generic, reason).with_status(ExecStatus::Error));
        };
        if finished.rc == 0 && finished.status == ExecStatus::Done { Ok(text) } else { Err(finished) }
    }

    /// What an agent can do. It is asked once, until it answers.
    async fn abilities(&self, agent: &Agent) -> Result<FenceAbilities, Finished> {
        let known = lock(&self.known).get(&agent.kind).copied();
        if let Some(can) = known {
            return Ok(can);
        }
        let can = abilities::read(&self.metadata(agent).await?);
        lock(&self.known).insert(agent.kind.clone(), can);
        Ok(can)
    }

    /// Runs the program once with this input; how it ended, and what it wrote.
    async fn process(&self, key: &str, action: &str, agent: &Agent, input: String) -> (Finished, String) {
        let program = self.program(agent);
        let task = Task {
            resource: key.to_owned(),
            action: action.to_owned(),
            program: program.clone(),
            arguments: Vec::new(),
            environment: self.environment.clone(),
            folder: None,
            input: Some(input),
            user: None,
        };
        let ran = self.runs.run(&self.looks, task).await;
        let text = ran.as_ref().map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned()).unwrap_or_default();
        let finished = outcome(
            ran,
            &program,
            || not_there(&program),
            |code, stderr| {
                let reason = (code != 0).then(|| last_line(stderr)).flatten();
                Finished { exit_reason: reason, ..Finished::code(code) }
            },
        );
        (finished, text)
    }

    /// A turn at the device's agent: so many at one time as `pcmk_action_limit` says.
    async fn turn(&self, run: &Run<'_>) -> Option<OwnedSemaphorePermit> {
        let limit = run.device.parallel()?;
        let turns = self.with(run.id, |memory| match &memory.turns {
            Some((of, turns)) if *of == limit => Arc::clone(turns),
            _ => {
                let turns = Arc::new(Semaphore::new(usize::try_from(limit).unwrap_or(1)));
                memory.turns = Some((limit, Arc::clone(&turns)));
                turns
            }
        });
        turns.acquire_owned().await.ok()
    }

    /// Runs the agent for `action` until it succeeds, `limit` is over or it has been tried often enough. Of exit codes other
    /// than 0 nothing is left but that it failed, except where `codes` are wanted.
    async fn execute(&self, run: &Run<'_>, action: &str, target: Option<&str>, limit: Duration) -> (Finished, String) {
        let _turn = self.turn(run).await;
        let (begin, tries) = (Instant::now(), run.device.tries(action, run.can));
        let input = run.device.input(action, target, run.can);
        let key = target.map_or_else(|| run.id.to_owned(), |target| format!("{} at {target}", run.id));
        let mut tried = 0;
        loop {
            tried += 1;
            let left = limit.saturating_sub(begin.elapsed());
            let process = async {
                if run.agent.kind == WATCHDOG {
                    // It has waited; and there is nothing that could be reached or not.
                    (Finished::with(Exit::Success), String::new())
                } else if is_inside(run.agent) {
                    self.inside.run(run.device, &input, left).await
                } else {
                    self.process(&key, action, run.agent, input.clone()).await
                }
            };
            let Ok((finished, text)) = tokio::time::timeout(left, process).await else {
                let reason = format!("{} did not complete {action} within {}", run.agent.kind, crate::seconds(limit));
                return (Finished::failed(Exit::Generic, reason).with_status(ExecStatus::Timeout), String::new());
            };
            let failed = finished.rc != 0 || finished.status != ExecStatus::Done;
            // What `status` gives is an answer; what is not there does not come by itself.
            let answered = action == "status" && finished.status == ExecStatus::Done;
            let again = failed && !answered && finished.status != ExecStatus::NotInstalled;
            if !again || !is_tried_again(tried, tries, begin.elapsed(), limit) {
                return (finished, text);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Whether the device can do anything to the node, as its parameters or its agent say.
    async fn reaches(&self, run: &Run<'_>, order: &FenceOrder) -> bool {
        let target = order.target.as_str();
        let limit = |action| run.device.timeout(action, run.can, order.base);
        let chosen = run.device.host_check(run.can);
        let asks_status = self.with(run.id, |memory| memory.asks_status);
        match chosen {
            HostCheck::Nobody => false,
            HostCheck::Any => true,
            HostCheck::StaticList => run.device.names(target),
            HostCheck::DynamicList if !asks_status => {
                let fresh = self.with(run.id, |memory| {
                    memory.listed.clone().filter(|(at, _)| at.elapsed() < LIST).map(|(_, text)| text)
                });
                if let Some(text) = fresh {
                    return run.device.is_listed(&text, target);
                }
                let (finished, text) = self.execute(run, "list", None, limit("list")).await;
                if finished.rc == 0 && finished.status == ExecStatus::Done {
                    let listed = run.device.is_listed(&text, target);
                    self.with(run.id, |memory| memory.listed = Some((Instant::now(), text)));
                    return listed;
                }
                match self.with(run.id, |memory| memory.listed.clone()) {
                    Some((_, text)) => run.device.is_listed(&text, target),
                    None if run.device.is_check_chosen() => false,
                    None => {
                        self.with(run.id, |memory| memory.asks_status = true);
                        self.knows(run, target, limit("status")).await
                    }
                }
            }
            HostCheck::DynamicList | HostCheck::Status => self.knows(run, target, limit("status")).await,
        }
    }

    /// Whether the agent knows how the node is.
    async fn knows(&self, run: &Run<'_>, target: &str, limit: Duration) -> bool {
        let (finished, _) = self.execute(run, "status", Some(target), limit).await;
        finished.status == ExecStatus::Done && matches!(finished.rc, 0 | 2)
    }

    /// Does to a node what was ordered.
    async fn fence(&self, run: Run<'_>, action: &str, order: &FenceOrder) -> Finished {
        let unable = |reason: String| Finished::failed(Exit::Generic, reason).with_status(ExecStatus::NoFenceDevice);
        if action == "on" && !run.can.on {
            return unable(format!("{} cannot switch on", run.agent.kind));
        }
        if action == "on" && run.can.on_target && order.target != self.node {
            return unable(format!("{} lets a node in on that node alone", run.agent.kind));
        }
        if !self.reaches(&run, order).await {
            return unable(format!("{} does not know {}", run.id, order.target));
        }
        tokio::time::sleep(order.delay).await;
        let limit = run.device.timeout(action, run.can, order.base);
        let (finished, _) = self.execute(&run, action, Some(&order.target), limit).await;
        as_failure(finished)
    }

    async fn act(&self, invocation: &Invocation) -> Finished {
        let id = invocation.resource.as_str();
        match (invocation.action.as_str(), invocation.interval_ms, &invocation.fencing) {
            ("stop", _, None) => {
                self.with(id, |memory| memory.started = false);
                return Finished::with(Exit::Success);
            }
            ("monitor", interval, None) => {
                let started = self.with(id, |memory| memory.started);
                if interval == 0 || !started {
                    return Finished::with(if started { Exit::Success } else { Exit::NotRunning });
                }
            }
            ("start" | "validate-all", _, None) | (_, _, Some(_)) => {}
            _ => return Finished::with(Exit::Unimplemented),
        }
        let can = match self.abilities(&invocation.agent).await {
            Ok(can) => can,
            Err(finished) => return as_failure(finished),
        };
        let run = Run { id, agent: &invocation.agent, device: FenceDevice::new(&invocation.params), can };
        if let Some(order) = &invocation.fencing {
            return self.fence(run, &invocation.action, order).await;
        }
        let action = if invocation.action == "validate-all" { "validate-all" } else { "monitor" };
        let limit = run.device.timeout(action, can, invocation.timeout);
        let (finished, _) = self.execute(&run, action, None, limit).await;
        let finished = as_failure(finished);
        if invocation.action == "start" {
            let worked = finished.rc == 0 && finished.status == ExecStatus::Done;
            self.with(id, |memory| memory.started = worked);
        }
        finished
    }

    async fn installed(&self) -> Vec<Listed> {
        let folder = self.folder.clone();
        let work = move || {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let is_agent = name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str());
                let runs = || rustix::fs::access(entry.path(), rustix::fs::Access::EXEC_OK).is_ok();
                (is_agent && entry.path().is_file() && runs()).then_some(name)
            });
            names.collect::<BTreeSet<_>>()
        };
        let mut names = self.looks.look("agents", "listing the fence agents", work).await.unwrap_or_default();
        names.insert(digitalocean::KIND.to_owned());
        names.into_iter().map(|kind| self.listed(kind)).collect()
    }

    fn listed(&self, kind: String) -> Listed {
        let path = self.folder.join(&kind);
        let agent = Agent { class: "stonith".to_owned(), provider: None, kind };
        if is_inside(&agent) {
            return Listed { agent, implementation: Implementation::Native, script: None, native: true };
        }
        Listed { agent, implementation: Implementation::Script, script: Some(path), native: false }
    }
}

/// Whether it is a device that is inside.
fn is_inside(agent: &Agent) -> bool {
    matches!(agent.kind.as_str(), digitalocean::KIND | WATCHDOG)
}

/// The same, with 1 in place of any code that means nothing but failure.
fn as_failure(finished: Finished) -> Finished {
    let failed = finished.status == ExecStatus::Done && finished.rc != 0;
    if failed { Finished { rc: Exit::Generic.code(), ..finished } } else { finished }
}

/// The last line that is not empty.
fn last_line(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn not_there(program: &std::path::Path) -> Finished {
    let reason = format!("there is no fence agent {} on this node", program.display());
    Finished::failed(Exit::Installed, reason).with_status(ExecStatus::NotInstalled)
}

impl Standard for Stonith {
    fn list(&self) -> Doing<'_, Vec<Listed>> {
        Box::pin(self.installed())
    }

    fn describe<'a>(&'a self, agent: &'a Agent) -> Doing<'a, Option<(Listed, String)>> {
        Box::pin(async move {
            let xml = self.metadata(agent).await.ok()?;
            Some((self.listed(agent.kind.clone()), xml))
        })
    }

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(self.act(invocation))
    }

    fn prove<'a>(&'a self, invocation: &'a Invocation, _: Depth) -> Doing<'a, Proof> {
        // No more: a device that cannot be reached is what its monitor is for, and an agent may take long.
        Box::pin(async {
            let (program, key) = (self.program(&invocation.agent), &invocation.resource);
            let there = is_inside(&invocation.agent)
                || self
                    .looks
                    .look(key, format!("looking for {}", program.display()), move || {
                        rustix::fs::access(&program, rustix::fs::Access::EXEC_OK).is_ok()
                    })
                    .await
                    .unwrap_or(false);
            Proof::of((!there).then(|| Missing::agent(&invocation.agent)))
        })
    }

    fn processes<'a>(&'a self, _: &'a Invocation) -> Doing<'a, Vec<ProcessRef>> {
        // A device has no process that stays.
        Box::pin(async { Vec::new() })
    }
}
