//! Notices: what happened, sent once for the whole cluster by the coordinator.
//!
//! Every node keeps what is to be sent for a while; the coordinator sends it, tries again with growing pauses, and tells the others
//! through the ordered stream for which events it has sent. A coordinator that follows goes on with the rest. So each event
//! is sent at least once while a node lives that knew of it, and twice only if a coordinator was lost between the sending
//! and its word. What only a coordinator knows (its decisions) is lost with it, and its successor decides anew.

mod item;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hac_agents::{Agents, Posting, Telling};
use hac_api::AlertEntry;
use hac_crm::cib::StatusChange;
use hac_model::{Cib, Configuration, Notice, secret_property};
use hac_node::{Request, Seen, Told};
use hac_scheduler::explain::{Question, explain};
use hac_types::WallTime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::driver::planner::Planner;
use crate::driver::{Ask, Snapshot};

pub(crate) use item::Item;

/// Events that may wait for the task that sends them.
const QUEUE: usize = 1024;

/// Most events that are kept of a notice.
const KEPT_MAX: usize = 500;

/// How long a coordinator tries.
const TRY_FOR: Duration = Duration::from_secs(24 * 3600);

/// How long another node keeps what the coordinator has not told it to be sent.
const KEEP_FOR: Duration = Duration::from_secs(600);

/// What happened is known to all before it is sent, and who coordinates too.
const SETTLE: Duration = Duration::from_millis(500);

/// The first pause after a failure; each is twice the one before.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How often is looked at what waits.
const LOOK: Duration = Duration::from_secs(1);

/// How long a look at the state may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long is waited until the others know of what was sent.
const AGREED: Duration = Duration::from_secs(60);

/// How long an explanation may take; without one it is sent too.
const EXPLAIN: Duration = Duration::from_secs(3);

/// Longest explanation, characters.
const EXPLANATION_MAX: usize = 2000;

/// How long the mail transfer agent may take.
const MAIL: Duration = Duration::from_secs(30);

/// Where it is.
const SENDMAIL: &str = "/usr/sbin/sendmail";

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Notices {
    sender: mpsc::Sender<Item>,
    receiver: Mutex<Option<mpsc::Receiver<Item>>>,
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
    agents: Arc<Agents>,
    node: String,
}

/// How the sending of a notice stands on this node.
#[derive(Clone, Debug, Default)]
struct Kept {
    runs: u64,
    failures: u64,
    last_failure: Option<(i64, String)>,
    waiting: usize,
    /// How often in a row it failed.
    in_a_row: u32,
}

/// What waits for one notice.
#[derive(Debug, Default)]
struct Waiting {
    of: Notice,
    items: VecDeque<Item>,
    attempts: u32,
    not_before: Option<Instant>,
    under_way: bool,
}

/// What became of a sending.
struct Sent {
    notice: String,
    event: String,
    result: Result<(), String>,
}

impl Notices {
    pub(crate) fn new(node: String, agents: Arc<Agents>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self { sender, receiver: Mutex::new(Some(receiver)), kept: Arc::default(), agents, node }
    }

    /// The node told this.
    pub(crate) fn tell(&self, told: &Told, cib: &Cib, wall: WallTime) {
        if !cib.configuration.notices.is_empty() {
            item::of_event(told, &self.node, wall).into_iter().for_each(|item| self.put(item));
        }
    }

    /// The node saw this.
    pub(crate) fn see(&self, seen: &Seen, cib: &Cib, wall: WallTime) {
        if !cib.configuration.notices.is_empty()
            && let Seen::Fencing(record) = seen
        {
            self.put(item::of_fencing(record, wall));
        }
    }

    fn put(&self, item: Item) {
        if self.sender.try_send(item).is_err() {
            tracing::warn!(target: "hacd::notices", "{QUEUE} events wait already to be sent: one is left out");
        }
    }

    /// Sends what there is to send until the daemon ends.
    pub(crate) fn serve(
        self: &Arc<Self>,
        asks: mpsc::Sender<Ask>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let this = Arc::clone(self);
        async move {
            let Some(receiver) = lock(&this.receiver).take() else { return };
            let planner = Planner::behind();
            let server = Server { asks, snapshots, planner, waiting: BTreeMap::new(), notices: this };
            server.run(receiver).await;
        }
    }

    /// All notices, and how they stand on this node.
    pub(crate) fn list(&self, cib: &Cib) -> Vec<AlertEntry> {
        let kept = lock(&self.kept).clone();
        let entry = |notice: &Notice| {
            let Kept { runs, failures, last_failure, waiting, .. } = kept.get(&notice.id).cloned().unwrap_or_default();
            let sendmail = || hac_agents::cannot_tell(SENDMAIL.as_ref()).map(|why| format!("{SENDMAIL}: {why}"));
            let target = match notice.form.as_str() {
                "mail" => notice.get("to").unwrap_or_default().to_owned(),
                _ => host(notice, &cib.configuration),
            };
            AlertEntry {
                id: notice.id.clone(),
                form: notice.form.clone(),
                target,
                recipients: Vec::new(),
                problem: if notice.form == "mail" { sendmail() } else { None },
                runs,
                failures,
                last_failure_ms: last_failure.as_ref().map(|(when, _)| *when),
                last_failure: last_failure.map(|(_, why)| why),
                waiting,
            }
        };
        cib.configuration.notices.iter().map(entry).collect()
    }

    /// Sentences about notices that this node tries in vain.
    pub(crate) fn problems(&self) -> Vec<String> {
        let vain = |(id, kept): (&String, &Kept)| {
            let (_, why) = kept.last_failure.as_ref().filter(|_| kept.in_a_row >= 3)?;
            Some(format!("notice {id} cannot be sent ({} events wait): {why}", kept.waiting))
        };
        lock(&self.kept).iter().filter_map(vain).collect()
    }

    /// Sends one that says that it is a test; `None` if there is no such notice.
    pub(crate) async fn test(&self, id: &str, cib: &Cib, wall: WallTime) -> Option<Result<(), String>> {
        let notice = cib.configuration.notices.iter().find(|notice| notice.id == id)?;
        let item = item::test(&self.node, wall);
        Some(send(&self.agents, notice, cib, &item, "", &self.node).await)
    }
}

/// Sends what waits.
struct Server {
    asks: mpsc::Sender<Ask>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    planner: Planner,
    waiting: BTreeMap<String, Waiting>,
    notices: Arc<Notices>,
}

impl Server {
    async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        let mut tasks = JoinSet::new();
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                item = items.recv() => match item {
                    Some(item) => self.keep(item),
                    None => return,
                },
                Some(sent) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Ok(sent) = sent {
                        self.sent(sent).await;
                    }
                }
                _ = looks.tick() => {}
            }
            if self.waiting.is_empty() && lock(&self.notices.kept).is_empty() {
                continue;
            }
            self.go_on(&mut tasks).await;
        }
    }

    /// Takes an event in, for all notices that are for it.
    fn keep(&mut self, item: Item) {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        for notice in snapshot.cib.configuration.notices.iter().filter(|notice| notice.is_for(item.kind)) {
            let waiting = self.waiting.entry(notice.id.clone()).or_default();
            if waiting.items.iter().any(|known| known.id == item.id) {
                continue;
            }
            waiting.items.push_back(item.clone());
            if waiting.items.len() > KEPT_MAX {
                waiting.items.pop_front();
            }
        }
    }

    /// Forgets what is settled, and sends what is due.
    async fn go_on(&mut self, tasks: &mut JoinSet<Sent>) {
        let now = Instant::now();
        let ready = |waiting: &Waiting| {
            !waiting.items.is_empty() && !waiting.under_way && waiting.not_before.is_none_or(|at| at <= now)
        };
        let coordinates = self.snapshots.borrow().facts().dc.as_ref() == Some(&self.notices.node);
        if coordinates && self.waiting.values().any(ready) {
            // Who sends looks at the present; who only keeps does with what is published anyway.
            let (reply, answer) = oneshot::channel();
            if self.asks.try_send(Ask::Look(reply)).is_ok() {
                let _ = tokio::time::timeout(PATIENCE, answer).await;
            }
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let cib = &snapshot.cib;
        let coordinates = snapshot.facts().dc.as_ref() == Some(&self.notices.node);
        let limit = if coordinates { TRY_FOR } else { KEEP_FOR };
        let configured = &cib.configuration.notices;
        self.waiting.retain(|id, _| configured.iter().any(|notice| notice.id == *id));
        for notice in configured {
            let Some(waiting) = self.waiting.get_mut(&notice.id) else { continue };
            if waiting.of != *notice {
                (waiting.of, waiting.attempts, waiting.not_before) = (notice.clone(), 0, None);
            }
            let known = cib.status.noticed.iter().filter(|noticed| noticed.notice == notice.id);
            let sent: Vec<&String> = known.flat_map(|noticed| &noticed.events).collect();
            let busy = waiting.under_way;
            let mut first = true;
            waiting.items.retain(|item| {
                let under_way = std::mem::take(&mut first) && busy;
                under_way || !sent.contains(&&item.id) && item.seen.elapsed() < limit
            });
            let due = waiting.not_before.is_none_or(|at| at <= now);
            let item = waiting.items.front().filter(|item| item.seen.elapsed() >= SETTLE);
            if let Some(item) = item.filter(|_| coordinates && due && !busy) {
                waiting.under_way = true;
                let (notices, planner) = (Arc::clone(&self.notices), self.planner.clone());
                let (notice, cib, item) = (notice.clone(), Arc::clone(cib), item.clone());
                tasks.spawn(async move {
                    let why = explained(&planner, &cib, &item).await;
                    let result = send(&notices.agents, &notice, &cib, &item, &why, &notices.node).await;
                    Sent { notice: notice.id, event: item.id, result }
                });
            }
        }
        let mut kept = lock(&self.notices.kept);
        kept.retain(|id, _| configured.iter().any(|notice| notice.id == *id));
        for (id, waiting) in &self.waiting {
            kept.entry(id.clone()).or_default().waiting = waiting.items.len();
        }
    }

    /// Something was sent, or was not.
    async fn sent(&mut self, sent: Sent) {
        let Sent { notice, event, result } = sent;
        let Some(waiting) = self.waiting.get_mut(&notice) else { return };
        waiting.under_way = false;
        match &result {
            Ok(()) => {
                (waiting.attempts, waiting.not_before) = (0, None);
                waiting.items.retain(|item| item.id != event);
            }
            Err(why) => {
                let pause = PAUSE.saturating_mul(2_u32.saturating_pow(waiting.attempts.min(16))).min(PAUSE_MAX);
                waiting.attempts = waiting.attempts.saturating_add(1);
                waiting.not_before = Some(Instant::now() + pause);
                let again = pause.as_secs();
                tracing::warn!(target: "hacd::notices", "notice {notice} could not be sent, again in {again} s: {why}");
            }
        }
        {
            let mut kept = lock(&self.notices.kept);
            let kept = kept.entry(notice.clone()).or_default();
            kept.runs += 1;
            kept.in_a_row = waiting.attempts;
            if let Err(why) = &result {
                kept.failures += 1;
                kept.last_failure = Some((crate::clock::wall().0, why.clone()));
            }
        }
        if result.is_ok() {
            // If nobody hears it, a coordinator that follows sends it once more. The answer is waited for beside this: what
            // nobody waits for is not asked.
            let request = Request::Status(StatusChange::Noticed { notice, events: vec![event] });
            let asks = self.asks.clone();
            tokio::spawn(async move {
                let (reply, answer) = oneshot::channel();
                let asked = async {
                    if asks.send(Ask::Request { request, reply }).await.is_ok() {
                        let _ = answer.await;
                    }
                };
                let _ = tokio::time::timeout(AGREED, asked).await;
            });
        }
    }
}

/// What the scheduler says of the resource or node that an event is about.
async fn explained(planner: &Planner, cib: &Arc<Cib>, item: &Item) -> String {
    let question = match (&item.resource, item.kind) {
        (Some(resource), _) => Question::Resource(resource.clone()),
        (None, "node") => Question::Node(item.node.clone().unwrap_or_default()),
        _ => return String::new(),
    };
    let (cib, now) = (Arc::clone(cib), crate::clock::wall());
    let explained = planner.run(EXPLAIN, move || explain(&cib, now, &question)).await;
    let text = explained.ok().and_then(Result::ok).map(|explanation| explanation.to_string()).unwrap_or_default();
    text.trim_end().chars().take(EXPLANATION_MAX).collect()
}

/// A parameter with the secret that it names.
fn value(notice: &Notice, name: &str, configuration: &Configuration) -> Result<Option<String>, String> {
    let Some(value) = notice.get(name) else { return Ok(None) };
    let Some(secret) = value.strip_prefix("secret:").filter(|_| Notice::is_secret(name)) else {
        return Ok(Some(value.to_owned()));
    };
    let known = secret_property(secret).and_then(|property| configuration.property(&property).map(str::to_owned));
    known.map(Some).ok_or_else(|| format!("there is no secret {secret}: 'hacctl secret set {secret}'"))
}

/// The host to which a notice goes: of an address that may be secret this much may be known.
fn host(notice: &Notice, configuration: &Configuration) -> String {
    let url = value(notice, "url", configuration).ok().flatten().unwrap_or_default();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// Sends one event as a notice.
async fn send(agents: &Agents, notice: &Notice, cib: &Cib, item: &Item, why: &str, sender: &str) -> Result<(), String> {
    let configuration = &cib.configuration;
    let value = |name: &str| value(notice, name, configuration);
    let cluster = configuration.property("cluster-name").unwrap_or("hacd");
    if notice.form == "mail" {
        let to = value("to")?.unwrap_or_default();
        let from = value("from")?;
        let input = item.mail(cluster, &to, from.as_deref(), why, sender);
        return agents
            .tell(Telling {
                name: format!("notice {}", notice.id),
                program: SENDMAIL.into(),
                arguments: vec!["-t".to_owned(), "-i".to_owned()],
                input: Some(input),
                timeout: MAIL,
                ..Telling::default()
            })
            .await;
    }
    let url = value("url")?.ok_or_else(|| "it has no url".to_owned())?;
    let json = || ("content-type", "application/json".to_owned());
    let (mut headers, body) = match notice.form.as_str() {
        "slack" => (vec![json()], item.slack(cluster, why)),
        "ntfy" => item.ntfy(cluster, why),
        _ => (vec![json()], item.json(cluster, why, sender)),
    };
    if let Some(token) = value("token")? {
        headers.push(("authorization", format!("Bearer {token}")));
    }
    agents.post(Posting { url, headers, body }).await
}

/// Nothing panics while it holds one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
