//! Alerts: for what this node sees the programs that the configuration names are run, as Pacemaker runs them.
//!
//! The cluster's thread says what was seen and goes on: which alerts are for it, with which variables, is found there at the
//! cost of a few comparisons; the programs run beside everything else, some at a time. What they do is told in the log and
//! changes nothing. A program that hangs is killed at its timeout, and what waits behind too many of them is left out.

mod stamp;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hac_agents::{Agents, Telling};
use hac_api::{AlertEntry, AlertTest, AlertTested};
use hac_model::fencing::{End, Record};
use hac_model::{
    Alert, Cib, ExecStatus, NvSet, OcfCode, Version, parse_bool, parse_duration_ms, secret_behind, secret_property,
};
use hac_node::{Ended, Seen};
use hac_types::WallTime;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::notices::Notices;

/// How many programs run at a time.
const AT_ONCE: usize = 32;

/// How many may wait for their turn.
const WAITING_MAX: usize = 2000;

/// How long a program may take if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How the time is written if nothing else is said.
const FORMAT: &str = "%H:%M:%S.%06N";

/// How often is looked whether the programs are there.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What the daemon's end waits for longest, whatever the timeouts say.
const END_MAX: Duration = Duration::from_secs(60);

/// What a program that is killed has for its end.
const END_MARGIN: Duration = Duration::from_secs(5);

/// The version of Pacemaker whose rules are followed, told to the programs.
const VERSION: &str = hac_compat::VERSION;

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Alerts {
    shared: Arc<Shared>,
    agents: Arc<Agents>,
    workers: Handle,
    pub(crate) notices: Arc<Notices>,
}

#[derive(Debug)]
struct Shared {
    node: String,
    /// Counts the runs of this life of the daemon.
    sequence: AtomicU64,
    waiting: AtomicUsize,
    /// How many were left out.
    dropped: AtomicU64,
    turn: Arc<Semaphore>,
    known: Mutex<Known>,
    /// By id of the alert: how its runs ended.
    kept: Mutex<BTreeMap<String, Kept>>,
    /// When the last of those that run ends at the latest.
    until: Mutex<Option<Instant>>,
    ended: std::sync::atomic::AtomicBool,
    looked: Mutex<Looked>,
}

/// The alerts of a configuration.
#[derive(Debug, Default)]
struct Known {
    of: Option<(Version, Option<i64>)>,
    alerts: Arc<Vec<Alert>>,
}

/// What is wrong with the programs on this host, and when that was looked at.
#[derive(Debug, Default)]
struct Looked {
    when: Option<Instant>,
    /// Which configuration was looked at.
    alerts: Arc<Vec<Alert>>,
    sentences: Vec<String>,
}

/// How the runs of an alert ended in this life of the daemon.
#[derive(Clone, Debug, Default)]
struct Kept {
    runs: u64,
    failures: u64,
    /// When the last failure was, milliseconds since 1970, and why.
    last_failure: Option<(i64, String)>,
}

/// One run to come.
#[derive(Debug)]
struct Run {
    alert: String,
    recipient: String,
    telling: Telling,
}

impl Alerts {
    /// Nothing runs yet. Programs run on `workers`.
    pub(crate) fn new(node: String, agents: Arc<Agents>, workers: Handle) -> Self {
        let shared = Shared::new(node);
        let notices = Arc::new(Notices::new(shared.node.clone(), Arc::clone(&agents)));
        Self { shared: Arc::new(shared), agents, workers, notices }
    }

    /// This was seen while the state was `cib`.
    pub(crate) fn put(&self, seen: &Seen, cib: &Cib, wall: WallTime) {
        self.notices.see(seen, cib, wall);
        for alert in self.known(cib).iter().filter(|alert| is_for(alert, seen)) {
            for run in self.shared.runs(alert, seen, wall) {
                self.start(run);
            }
        }
    }

    /// The alerts of the configuration, with all that they refer to.
    fn known(&self, cib: &Cib) -> Arc<Vec<Alert>> {
        let mut known = lock(&self.shared.known);
        let Version { admin_epoch, epoch, .. } = cib.version;
        let of = Some((Version { admin_epoch, epoch, num_updates: 0 }, cib.info.last_changed_ms));
        if known.of != of {
            *known = Known { of, alerts: Arc::new(resolved(cib)) };
        }
        Arc::clone(&known.alerts)
    }

    /// Sentences about programs that are not there, as they were found lately; they are looked for beside this.
    pub(crate) fn problems(&self, cib: &Cib) -> Vec<String> {
        let alerts = self.known(cib);
        let mut looked = lock(&self.shared.looked);
        let due = looked.when.is_none_or(|when| when.elapsed() >= LOOK_AGAIN) || !Arc::ptr_eq(&looked.alerts, &alerts);
        if due && !(alerts.is_empty() && looked.sentences.is_empty()) {
            (looked.when, looked.alerts) = (Some(Instant::now()), Arc::clone(&alerts));
            let shared = Arc::clone(&self.shared);
            self.workers.spawn_blocking(move || {
                let found = alerts.iter().filter_map(|alert| {
                    let why = hac_agents::cannot_tell(Path::new(&alert.path))?;
                    Some(format!("alert {}: {} cannot be run: {why}", alert.id, alert.path))
                });
                let found = found.collect();
                lock(&shared.looked).sentences = found;
            });
        }
        let mut sentences = looked.sentences.clone();
        sentences.extend(self.notices.problems());
        sentences
    }

    fn start(&self, run: Run) {
        let shared = &self.shared;
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        if shared.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            shared.waiting.fetch_sub(1, Ordering::Relaxed);
            if shared.dropped.fetch_add(1, Ordering::Relaxed).is_power_of_two() {
                let alert = &run.alert;
                tracing::warn!(target: "hacd::alerts", "{WAITING_MAX} alerts wait already: {alert} is left out");
            }
            return;
        }
        let (shared, agents) = (Arc::clone(shared), Arc::clone(&self.agents));
        self.workers.spawn(async move {
            let turn = shared.turn.acquire().await;
            shared.waiting.fetch_sub(1, Ordering::Relaxed);
            if !shared.ended.load(Ordering::Relaxed) {
                shared.run(&agents, run).await.ok();
            }
            drop(turn);
        });
    }

    /// Takes no new ones, and waits for those that run: as long as they may take, a minute at most. Blocks.
    pub(crate) fn finish(&self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let until = lock(&self.shared.until).map(|until| until + END_MARGIN);
        let until = until.unwrap_or_else(Instant::now).min(Instant::now() + END_MAX);
        while self.shared.turn.available_permits() < AT_ONCE && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs an alert for an event that says so, for each of its recipients; `None` if there is no such alert.
    pub(crate) async fn test(&self, id: &str, cib: &Cib, wall: WallTime) -> Option<AlertTested> {
        let begin = Instant::now();
        let took = |begin: Instant| u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(sent) = self.notices.test(id, cib, wall).await {
            let results = vec![AlertTest { recipient: String::new(), error: sent.err(), took_ms: took(begin) }];
            return Some(AlertTested { id: id.to_owned(), enabled: true, results });
        }
        let alert = self.known(cib).iter().find(|alert| alert.id == id)?.clone();
        let node = cib.node_id(&self.shared.node).unwrap_or_default().to_owned();
        let seen = Seen::Node { node: self.shared.node.clone(), id: node, member: true };
        let runs = self.shared.runs(&alert, &seen, wall);
        let enabled = !runs.is_empty();
        let mut results = Vec::new();
        for run in runs {
            let (recipient, begin) = (run.recipient.clone(), Instant::now());
            let error = self.shared.run(&self.agents, run).await.err();
            results.push(AlertTest { recipient, error, took_ms: took(begin) });
        }
        Some(AlertTested { id: id.to_owned(), enabled, results })
    }

    /// All alerts, and how they stand on this node. Looks at their programs: not for threads that must not wait.
    pub(crate) fn list(&self, cib: &Cib) -> Vec<AlertEntry> {
        let kept = lock(&self.shared.kept).clone();
        let entry = |alert: &Alert| {
            let Kept { runs, failures, last_failure } = kept.get(&alert.id).cloned().unwrap_or_default();
            AlertEntry {
                id: alert.id.clone(),
                form: String::new(),
                target: alert.path.clone(),
                recipients: alert.recipients.iter().map(|recipient| recipient.value.clone()).collect(),
                problem: hac_agents::cannot_tell(Path::new(&alert.path)),
                runs,
                failures,
                last_failure_ms: last_failure.as_ref().map(|(when, _)| *when),
                last_failure: last_failure.map(|(_, why)| why),
                waiting: 0,
            }
        };
        let mut all: Vec<AlertEntry> = self.known(cib).iter().map(entry).collect();
        all.extend(self.notices.list(cib));
        all
    }
}

impl Shared {
    /// Of the node of this name; nothing was run yet.
    fn new(node: String) -> Self {
        Self {
            node,
            sequence: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            turn: Arc::new(Semaphore::new(AT_ONCE)),
            known: Mutex::default(),
            kept: Mutex::default(),
            until: Mutex::default(),
            ended: false.into(),
            looked: Mutex::default(),
        }
    }

    /// The runs of an alert for what was seen, one a recipient.
    fn runs(&self, alert: &Alert, seen: &Seen, wall: WallTime) -> Vec<Run> {
        let plain = hac_model::Recipient::default();
        let recipients = if alert.recipients.is_empty() { std::slice::from_ref(&plain) } else { &alert.recipients };
        let mut runs = Vec::new();
        for recipient in recipients {
            let over = |own: &[NvSet], all: &[NvSet]| {
                let mut values = hac_scheduler::values(all, wall);
                values.extend(hac_scheduler::values(own, wall));
                values
            };
            let meta = over(&recipient.meta, &alert.meta);
            if meta.get("enabled").and_then(|text| parse_bool(text)) == Some(false) {
                continue;
            }
            let timeout = meta.get("timeout").and_then(|text| parse_duration_ms(text)).filter(|ms| *ms > 0);
            let timeout = timeout.map_or(TIMEOUT, Duration::from_millis);
            let format = meta.get("timestamp-format").map_or(FORMAT, String::as_str);
            let mut variables = over(&recipient.attributes, &alert.attributes);
            let mut put = |name: &str, value: String| drop(variables.insert(format!("CRM_alert_{name}"), value));
            put("recipient", recipient.value.clone());
            put("version", VERSION.to_owned());
            put("node_sequence", (self.sequence.fetch_add(1, Ordering::Relaxed) + 1).to_string());
            if !format.is_empty() {
                put("timestamp", stamp::written(format, wall));
            }
            put("timestamp_epoch", wall.as_secs().to_string());
            put("timestamp_usec", (wall.0.rem_euclid(1000) * 1000).to_string());
            told(seen, &mut put);
            runs.push(Run {
                alert: alert.id.clone(),
                recipient: recipient.value.clone(),
                telling: Telling {
                    name: format!("alert {}", alert.id),
                    program: alert.path.clone().into(),
                    variables,
                    timeout,
                    as_user: true,
                    ..Telling::default()
                },
            });
        }
        runs
    }

    /// Runs one to its end.
    async fn run(&self, agents: &Agents, run: Run) -> Result<(), String> {
        let Run { alert, recipient, telling } = run;
        let end = Instant::now() + telling.timeout;
        {
            let mut until = lock(&self.until);
            *until = until.max(Some(end));
        }
        let result = agents.tell(telling).await;
        let mut kept = lock(&self.kept);
        let kept = kept.entry(alert.clone()).or_default();
        kept.runs += 1;
        if let Err(why) = &result {
            let to = if recipient.is_empty() { String::new() } else { format!(" for {recipient}") };
            tracing::warn!(target: "hacd::alerts", "alert {alert}{to} failed: {why}");
            kept.failures += 1;
            kept.last_failure = Some((crate::clock::wall().0, why.clone()));
        }
        result
    }
}

/// The alerts, each block with what it refers to.
fn resolved(cib: &Cib) -> Vec<Alert> {
    let mut alerts = cib.configuration.alerts.clone();
    let refers = |set: &NvSet| {
        let rule = set.rule.as_ref().is_some_and(|rule| rule.id_ref.is_some());
        rule || set.id_ref.is_some() || set.pairs.iter().any(|pair| pair.id_ref.is_some())
    };
    for alert in &mut alerts {
        let own = [&mut alert.attributes, &mut alert.meta].into_iter();
        let theirs = alert.recipients.iter_mut().flat_map(|recipient| [&mut recipient.attributes, &mut recipient.meta]);
        for sets in own.chain(theirs).filter(|sets| sets.iter().any(refers)) {
            *sets = hac_scheduler::resolved(cib, sets);
        }
        let own = std::iter::once(&mut alert.attributes);
        let theirs = alert.recipients.iter_mut().map(|recipient| &mut recipient.attributes);
        for pair in own.chain(theirs).flatten().flat_map(|set| &mut set.pairs) {
            let Some(name) = pair.value.as_deref().and_then(|value| secret_behind(&pair.name, value)) else { continue };
            let secret =
                secret_property(name).and_then(|property| cib.configuration.property(&property).map(str::to_owned));
            // Without the secret the program gets its name, and will say that it is wrong.
            if let Some(secret) = secret {
                pair.value = Some(secret);
            }
        }
    }
    alerts
}

/// Whether an alert is for this.
fn is_for(alert: &Alert, seen: &Seen) -> bool {
    let select = &alert.select;
    match seen {
        Seen::Attribute { name, .. } => select.has_attribute(name),
        _ if select.is_usual() => true,
        Seen::Node { .. } => select.nodes,
        Seen::Fencing(_) => select.fencing,
        Seen::Operation(_) => select.resources,
    }
}

/// The variables that tell what was seen.
fn told(seen: &Seen, put: &mut dyn FnMut(&str, String)) {
    match seen {
        Seen::Node { node, id, member } => {
            put("kind", "node".to_owned());
            put("node", node.clone());
            put("nodeid", id.clone());
            put("desc", if *member { "member" } else { "lost" }.to_owned());
        }
        Seen::Fencing(record) => {
            put("kind", "fencing".to_owned());
            put("node", record.target.clone());
            put("task", "st_notify_fence".to_owned());
            let (desc, rc) = fenced(record);
            put("desc", desc);
            put("rc", rc.to_string());
        }
        Seen::Operation(ended) => {
            let Ended { node, resource, task, interval_ms, target_rc, status, rc, exec_time_ms } = ended.as_ref();
            put("kind", "resource".to_owned());
            put("node", node.clone());
            put("rsc", resource.clone());
            put("task", task.clone());
            put("interval", interval_ms.to_string());
            put("target_rc", target_rc.to_string());
            put("status", status.to_string());
            put("rc", rc.to_string());
            put("exec_time", exec_time_ms.to_string());
            put("desc", ended_as(*status, *rc));
        }
        Seen::Attribute { node, id, name, value } => {
            put("kind", "attribute".to_owned());
            put("node", node.clone());
            put("nodeid", id.clone());
            put("attribute_name", name.clone());
            put("attribute_value", value.clone());
        }
    }
}

/// How a request to fence ended, in Pacemaker's sentence, and its number: 0 or that of an error of the system.
fn fenced(record: &Record) -> (String, i32) {
    let (status, rc) = match &record.end {
        End::Succeeded => ("OK".to_owned(), 0),
        // ENODEV, ENODATA.
        End::Failed { reason, nobody } => (format!("Error ({reason})"), if *nobody { -19 } else { -61 }),
    };
    let by = record.delegate.as_deref().unwrap_or("<no-one>");
    let Record { id, target, action, client, origin, .. } = record;
    (format!("Operation {action} of {target} by {by} for {client}@{origin}: {status} (ref={id})"), rc)
}

/// How an operation ended: the name of its exit code, or why there is none.
fn ended_as(status: i32, rc: i32) -> String {
    match ExecStatus::from_code(status) {
        Some(ExecStatus::Done) => OcfCode(rc).name().unwrap_or("unknown").to_owned(),
        _ => hac_pacemaker::mon::status_words(status).to_owned(),
    }
}

/// Nothing panics while it holds one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
