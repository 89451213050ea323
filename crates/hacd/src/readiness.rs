//! Readiness: this node proves over and over that it could start what it would have to if it was alone, and tells the others
//! through the ordered stream what it lacks, whenever that changes ([decision 49]).
//!
//! It costs little and delays nothing: one proof at a time, after each a pause of [`REST`] times what it took, none while as
//! many agents run as may, or while the cluster is at work; and a proof of a resource is given up when something is really to be done with that resource.
//!
//! [decision 49]: ../../../docs/decisions/0049-readiness.md

mod proofs;
mod targets;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hac_agents::Agents;
use hac_crm::cib::StatusChange;
use hac_crm::transition_engine::Limits;
use hac_model::{Cib, Readiness as Told, Version};
use hac_node::{Request, SyncState};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::clock;
use crate::driver::planner::Planner;
use crate::driver::{Ask, Snapshot};
use crate::nodes::Place;
use proofs::Proofs;
use targets::Basis;

/// The pause after a proof, as many times as long as it took: so proofs take at most a fiftieth of the time.
const REST: u32 = 49;

/// The shortest pause between two proofs.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// How often is looked whether something else is to be proved now.
const LOOK: Duration = Duration::from_secs(1);

/// How often is looked whether there is room for a proof.
const ROOM: Duration = Duration::from_millis(100);

/// How long after a proof that was given up it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The shortest time between two words to the others.
const QUIET: Duration = Duration::from_secs(2);

/// How long it is waited until the cluster has done what it is about to do: meanwhile what is to be proved is another thing with
/// each result, and the processors are needed.
const WORK: Duration = Duration::from_secs(30);

/// How long it may take to find out what this node would have to start.
const PLAN: Duration = Duration::from_secs(30);

/// How long is waited until the others agree to what they are told.
const AGREED: Duration = Duration::from_secs(60);

/// How long the file system of the state may take.
const DISK: Duration = Duration::from_secs(5);

/// What it may have left at least, bytes: less, and the next change of the configuration is refused.
const ROOM_MIN: u64 = 16 << 20;

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Readiness {
    node: String,
    agents: Arc<Agents>,
    /// Where agents run.
    runs: Handle,
    /// How often everything is proved again; nothing is at all without it.
    every: Option<Duration>,
    /// Where this node keeps its state.
    state: PathBuf,
    cores: usize,
    /// How many operations run.
    running: AtomicUsize,
    /// The resource of which a proof is under way.
    current: Mutex<Option<(String, AbortHandle)>>,
}

impl Readiness {
    /// What the node of `place` can do, with its agents and where they run; it keeps its state in the folder `state`.
    pub(crate) fn new(
        place: &Place,
        (agents, runs): (&Arc<Agents>, &Handle),
        every: Option<Duration>,
        state: &Path,
    ) -> Arc<Self> {
        Arc::new(Self {
            node: place.name.clone(),
            agents: Arc::clone(agents),
            runs: runs.clone(),
            every,
            state: state.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            running: AtomicUsize::new(0),
            current: Mutex::default(),
        })
    }

    /// So many operations run, of which the last is one of this resource.
    pub(crate) fn give_way(&self, resource: &str, running: usize) {
        self.running.store(running, Ordering::Relaxed);
        if let Some((_, proof)) = lock(&self.current).as_ref().filter(|(of, _)| of == resource) {
            proof.abort();
        }
    }

    /// So many operations run.
    pub(crate) fn note(&self, running: usize) {
        self.running.store(running, Ordering::Relaxed);
    }

    /// Proves until the daemon ends.
    pub(crate) fn serve(
        self: &Arc<Self>,
        asks: mpsc::Sender<Ask>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let this = Arc::clone(self);
        async move {
            let Some(every) = this.every else { return };
            let server = Server {
                asks,
                snapshots,
                planner: Planner::behind(),
                seen: None,
                basis: None,
                proofs: Proofs::new(every),
                told: None,
                looked: None,
                busy: Busy::default(),
                readiness: this,
            };
            server.run(every).await;
        }
    }

    /// Whether a proof may begin beside what runs: it is one more, and leaves room for another one.
    fn has_room(&self, cib: &Cib) -> bool {
        let running = self.running.load(Ordering::Relaxed);
        let limit = Limits::of(&cib.configuration, self.cores).node_action_limit;
        running == 0 || limit == 0 || running.saturating_add(1) < limit
    }
}

/// Since when the cluster has been at work.
#[derive(Debug, Default)]
struct Busy(Option<Instant>);

impl Busy {
    /// Whether it is, and not for longer than anybody would wait.
    fn keeps_waiting(&mut self, settled: bool, now: Instant) -> bool {
        if settled {
            self.0 = None;
            return false;
        }
        now.saturating_duration_since(*self.0.get_or_insert(now)) < WORK
    }
}

/// The task.
struct Server {
    asks: mpsc::Sender<Ask>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    planner: Planner,
    /// The state that was looked at last.
    seen: Option<Version>,
    /// What the targets were found from.
    basis: Option<Basis>,
    proofs: Proofs,
    /// When the others were told last.
    told: Option<Instant>,
    /// When the disk was looked at last.
    looked: Option<Instant>,
    busy: Busy,
    readiness: Arc<Readiness>,
}

impl Server {
    async fn run(mut self, every: Duration) {
        // Without the cluster's thread there is nobody to tell.
        while !self.asks.is_closed() {
            let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
            let facts = snapshot.facts();
            let pause = match facts.sync {
                SyncState::Active if self.busy.keeps_waiting(facts.settled, Instant::now()) => ROOM,
                SyncState::Active => self.go_on(&snapshot.cib, every).await,
                _ => LOOK,
            };
            drop(snapshot);
            tokio::time::sleep(pause).await;
        }
    }

    /// Does what is due, and says how long to rest.
    async fn go_on(&mut self, cib: &Arc<Cib>, every: Duration) -> Duration {
        self.follow(cib).await;
        if self.looked.is_none_or(|at| at.elapsed() >= every) {
            self.looked = Some(Instant::now());
            let lack = self.disk().await;
            self.proofs.disk(lack);
        }
        let pause = match self.proofs.due(Instant::now()) {
            Ok(_) if !self.readiness.has_room(cib) => ROOM,
            Ok(index) => self.prove(index, cib, every).await,
            Err(wait) => wait.min(LOOK).max(PAUSE_MIN),
        };
        self.tell(cib).await;
        pause
    }

    /// Finds out what is to be proved, if that may be something else than before.
    async fn follow(&mut self, cib: &Arc<Cib>) {
        if self.seen.replace(cib.version) == Some(cib.version) {
            return;
        }
        let basis = Basis::of(cib, &self.readiness.node);
        if self.basis.as_ref() == Some(&basis) {
            return;
        }
        let (state, node, now) = (Arc::clone(cib), self.readiness.node.clone(), clock::wall());
        let planned = self.planner.run(PLAN, move || targets::find(&state, &node, now)).await;
        match planned {
            Ok(targets) => self.proofs.replace(targets),
            Err(why) => tracing::debug!(target: "hacd::readiness", "what is to be proved cannot be found out: {why}"),
        }
        self.basis = Some(basis);
    }

    /// Proves one, and says how long to rest.
    async fn prove(&mut self, index: usize, cib: &Cib, every: Duration) -> Duration {
        let Some((mut invocation, depth)) = self.proofs.wanted(index) else { return PAUSE_MIN };
        let begin = Instant::now();
        if let Err(why) = crate::secrets::resolve(&mut invocation.params, &cib.configuration) {
            self.proofs.refused(index, begin, why);
            return PAUSE_MIN;
        }
        let (agents, params) = (Arc::clone(&self.readiness.agents), invocation.params.clone());
        let resource = invocation.resource.clone();
        let task = self.readiness.runs.spawn(async move { agents.prove(&invocation, depth).await });
        *lock(&self.readiness.current) = Some((resource, task.abort_handle()));
        let proof = task.await;
        *lock(&self.readiness.current) = None;
        let now = Instant::now();
        match proof {
            Ok(proof) => self.proofs.take(index, now, proof, &params),
            // Given up for what is really to be done; or there is a fault, which the log has.
            Err(_) => self.proofs.put_off(index, now + AGAIN),
        }
        begin.elapsed().saturating_mul(REST).min(every).max(self.proofs.pause()).max(PAUSE_MIN)
    }

    /// What the disk of this node lacks: without room a change of the configuration is refused, by which things move.
    async fn disk(&self) -> Option<hac_model::Lack> {
        let state = self.readiness.state.clone();
        let look = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&state));
        let place = self.readiness.state.display();
        let lack = |sentence: String| hac_model::Lack {
            resources: Vec::new(),
            what: "disk".to_owned(),
            sentence,
            remedy: format!("Make room below {place} on that node, or look at that disk."),
        };
        match tokio::time::timeout(DISK, look).await {
            Ok(Ok(Ok(about))) => {
                let free = about.f_bavail.saturating_mul(about.f_frsize);
                (free < ROOM_MIN).then(|| lack(format!("{place} has {} MiB left", free >> 20)))
            }
            Ok(Ok(Err(error))) => Some(lack(format!("{place} cannot be looked at: {error}"))),
            Ok(Err(_)) => None,
            Err(_) => Some(lack(format!("{place} does not answer"))),
        }
    }

    /// Tells the others, if they do not know it and were not told just before.
    async fn tell(&mut self, cib: &Cib) {
        let node = &self.readiness.node;
        let known = cib.status.readiness(node);
        let Some(told) = self.proofs.to_tell(node, known) else { return };
        if known == Some(&told) || self.told.is_some_and(|at| at.elapsed() < QUIET) {
            return;
        }
        self.told = Some(Instant::now());
        let asked = self.ask(told);
        // What nobody agrees to is told again.
        let _ = tokio::time::timeout(AGREED, asked).await;
    }

    async fn ask(&self, told: Told) {
        let (reply, answer) = oneshot::channel();
        let request = Request::Status(StatusChange::Readiness(told));
        if self.asks.send(Ask::Request { request, reply }).await.is_ok() {
            let _ = answer.await;
        }
        // What is published has it, so that it is not told again.
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask::Look(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }
}

/// Nothing panics while it holds one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_the_cluster_is_waited_for_and_not_without_end() {
        let (mut busy, begin) = (Busy::default(), Instant::now());
        let mut waits = |settled, seconds| busy.keeps_waiting(settled, begin + Duration::from_secs(seconds));
        assert!(!waits(true, 0));
        assert!(waits(false, 1) && waits(false, 30));
        assert!(!waits(false, 31) && !waits(false, 40));
        assert!(!waits(true, 41) && waits(false, 42));
    }
}
