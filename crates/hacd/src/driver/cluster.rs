//! The cluster's thread: the cluster half, and signals. It performs outputs in order; everything else sends it inputs.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hac_node::{Down, Effect, InvocationId, Reply, RequestId, Up, WatchId};
use hac_types::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;

use super::between::{Above, Shared};
use super::planner::Planner;
use super::steps::{Cause, Step};
use super::watchdog::{self, Watchdog};
use super::{Ask, ClusterParts, End, Input, Snapshot, until};
use crate::clock;
use crate::reload::Reloadable;
use crate::states;
use crate::storage::Worker;

/// Most events taken in one go, before timers and other inputs have their turn.
const BATCH: usize = 256;

/// Most results of agents, disk and planner taken in one go.
const RESULTS: usize = 32;

/// How long orders for the ring half may be gathered, beyond the handling of what came next: to wake the ring's thread for
/// each costs more than the order.
const GATHER: Duration = Duration::from_millis(1);

/// How soon after other orders the ring half is told how far this half is, if there is nothing else to order: to wake the ring's
/// thread for each step costs more than the step. Far below any `token`, after which the ring would fall silent.
const ACKNOWLEDGE: Duration = Duration::from_millis(5);

/// How old a snapshot may get that nobody asked for. Whoever reads asks for a new one, and gets this one only if this
/// thread does not answer; each one costs a copy of what changes afterwards.
const STALE: Duration = Duration::from_secs(2);

/// Pause between two snapshots of a state that changes, for each resource that is configured or known of. Each costs a walk over
/// all of them, and later a copy of what has changed ([`hac_model::Shared`]).
const PAUSE_EACH: Duration = Duration::from_micros(15);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// So many times as long is the pause between two states that are kept for those who ask later: each is also compared with the one
/// before, and written. Those on which was decided are kept in any case.
const KEEP: u32 = 4;

/// Questions of other nodes that are looked at together; of more of them nothing is heard, and they come again.
const QUESTIONS: usize = 2;

/// See the [module documentation](self).
pub(super) struct Thread {
    pub(super) parts: ClusterParts,
    pub(super) above: Above,
    pub(super) worker: Arc<Worker>,
    pub(super) shared: Arc<Shared>,
    pub(super) planner: Planner,
    pub(super) running: BTreeMap<InvocationId, AbortHandle>,
    pub(super) reloadable: Reloadable,
    /// By resource: what is being kept of it.
    pub(super) remembering: BTreeMap<String, oneshot::Receiver<()>>,
    pub(super) watches: BTreeMap<WatchId, AbortHandle>,
    /// How many questions of other nodes are looked at together.
    pub(super) questions: Arc<Semaphore>,
    pub(super) waiting: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    /// Answers that are given when reads see what they tell.
    pub(super) answers: Vec<(RequestId, Reply)>,
    /// Who waits for the ring's condition.
    pub(super) looking: Vec<oneshot::Sender<()>>,
    /// Those of them who wait for the next snapshot alone.
    told: Vec<oneshot::Sender<()>>,
    /// When the last snapshot was made.
    published: Timestamp,
    /// When a state was kept last, for those who ask later.
    kept: Timestamp,
    /// The last event after which none was kept, because copies of the state would take too much time.
    unkept: Option<Arc<hac_api::Event>>,
    pub(super) requests: u64,
    /// Since when orders for the ring half are gathered.
    gathered: Option<Timestamp>,
    /// One of them is more than word of how far this half is.
    pressing: bool,
    /// When the ring half was given orders last.
    ordered: Timestamp,
    /// When what has changed is published, at the latest.
    unpublished: Option<Timestamp>,
    terms: u32,
    pub(super) end: Option<End>,
    /// Why the node cannot go on; it has still to leave.
    pub(super) fault: Option<End>,
    /// A new membership is to be told to the service manager.
    pub(super) news: bool,
    pub(super) watchdog: Watchdog,
}

/// The signals that mean something.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

/// What came in.
enum Came {
    Event(Up),
    Time,
    Input(Input),
    Ask(Ask),
    Term(&'static str),
    Hup,
    Beat,
    Room,
    Nobody,
}

impl Thread {
    pub(super) fn new(parts: ClusterParts, above: Above, worker: Arc<Worker>, shared: Arc<Shared>) -> Self {
        let watchdog = Watchdog::start(parts.workers.clone());
        Self {
            parts,
            above,
            worker,
            shared,
            planner: Planner::new(),
            running: BTreeMap::new(),
            reloadable: Reloadable::default(),
            remembering: BTreeMap::new(),
            watches: BTreeMap::new(),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            waiting: BTreeMap::new(),
            answers: Vec::new(),
            looking: Vec::new(),
            told: Vec::new(),
            published: Timestamp::ZERO,
            kept: Timestamp::ZERO,
            unkept: None,
            requests: 0,
            gathered: None,
            pressing: false,
            ordered: Timestamp::ZERO,
            unpublished: None,
            terms: 0,
            end: None,
            fault: None,
            news: false,
            watchdog,
        }
    }

    /// Runs until the node has left.
    ///
    /// # Errors
    /// Signals cannot be received, or the ring's thread has ended.
    pub(super) async fn run(mut self) -> io::Result<End> {
        let mut signals = Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        };
        let mut beat = self.watchdog.interval();
        let mut step = Step::begin();
        loop {
            self.perform();
            self.pet();
            if let Some(end) = self.end.take() {
                self.let_watchdog_go();
                self.publish();
                return Ok(end);
            }
            let wait = self.wait();
            let came = tokio::select! {
                event = self.above.events.recv() => event.map_or(Came::Nobody, Came::Event),
                () = until(wait) => Came::Time,
                Some(input) = self.parts.inputs.recv() => Came::Input(input),
                Some(ask) = self.parts.asks.recv() => Came::Ask(ask),
                Some(()) = signals.term.recv() => Came::Term("SIGTERM"),
                Some(()) = signals.int.recv() => Came::Term("SIGINT"),
                Some(()) = signals.hup.recv() => Came::Hup,
                _ = beat.tick() => Came::Beat,
                () = self.above.orders.room() => Came::Room,
            };
            step.go_on();
            let Some(cause) = self.take(came) else { return Err(io::Error::other("the ring's thread has ended")) };
            // Decisions are made when the time is up, once for all that came in together.
            if self.parts.half.poll_timeout().is_some_and(|due| due <= clock::now().mono) {
                self.perform();
                let now = self.enter(hac_node::Input::ClusterTimeout);
                self.parts.half.handle_timeout(now);
                self.changed();
            }
            self.perform();
            self.shared.cluster.end(cause, &mut step);
            if self.publish_if_due() {
                // A step of its own.
                step = Step::begin();
            }
        }
    }

    fn take(&mut self, came: Came) -> Option<Cause> {
        Some(match came {
            Came::Event(event) => self.events(event),
            Came::Time => Cause::Timer,
            Came::Input(input) => self.inputs(input),
            Came::Ask(ask) => {
                self.ask(ask);
                Cause::Command
            }
            Came::Term(signal) => {
                self.shutdown(signal);
                Cause::Command
            }
            Came::Hup => {
                self.parts.log.reopen();
                Cause::Command
            }
            Came::Beat => {
                // The answer shows that both threads go round.
                self.look();
                Cause::Timer
            }
            Came::Room => {
                self.above.orders.go_on();
                Cause::Command
            }
            Came::Nobody => return None,
        })
    }

    fn inputs(&mut self, first: Input) -> Cause {
        let mut next = Some(first);
        for _ in 0..RESULTS {
            let Some(input) = next.take() else { break };
            self.input(input);
            self.perform_outputs();
            self.order_if_late();
            next = self.parts.inputs.try_recv().ok();
        }
        if let Some(input) = next {
            self.input(input);
        }
        Cause::Result
    }

    fn events(&mut self, first: Up) -> Cause {
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(event) = next.take() else { break };
            self.event(event);
            next = self.above.events.try_recv();
        }
        if let Some(event) = next {
            self.event(event);
        }
        Cause::Messages
    }

    fn event(&mut self, event: Up) {
        let condition = matches!(event, Up::Condition(_));
        if !matches!(event, Up::Beat | Up::Room(_) | Up::Confirmed) {
            self.changed();
        }
        let now = self.enter(hac_node::Input::PassUp(1));
        self.parts.half.handle_event(now, event);
        self.perform_outputs();
        self.order_if_late();
        if condition {
            self.order();
            self.told.append(&mut self.looking);
            let due = self.published + self.pause();
            self.unpublished = Some(self.unpublished.map_or(due, |at| at.min(due)));
            self.publish_if_due();
            self.report_to_service_manager();
        }
    }

    /// Before each call of the half: what the ring publishes is passed on, and the input is recorded.
    pub(super) fn enter(&mut self, input: hac_node::Input) -> hac_node::Now {
        let (now, assurance) = (clock::now(), self.shared.assurance());
        if let Some(recording) = &mut self.parts.recording {
            recording.cluster(now, assurance, input);
        }
        self.parts.half.assure(now, assurance);
        now
    }

    /// Asks the ring's thread how it does.
    pub(super) fn look(&mut self) {
        self.enter(hac_node::Input::Look);
        self.parts.half.look();
    }

    /// Something may be otherwise than reads see it.
    pub(super) fn changed(&mut self) {
        if self.unpublished.is_none() {
            self.unpublished = Some(clock::now().mono + STALE.max(self.pause() * 2));
        }
    }

    /// How long after the last snapshot the next one is made at the earliest, unless somebody was told that a change counts. At
    /// once if the state is the same.
    fn pause(&self) -> Duration {
        if Arc::ptr_eq(&self.parts.half.shown(), &self.parts.published.borrow().cib) {
            return Duration::ZERO;
        }
        self.rest_of_copies()
    }

    /// How long nobody takes hold of the state again who took hold of it: the next change copies it.
    fn rest_of_copies(&self) -> Duration {
        let cib = self.parts.half.cib();
        let known: usize = cib.status.nodes.iter().map(|node| node.resources.len()).sum();
        let count = u32::try_from(known.saturating_add(cib.configuration.resources.len())).unwrap_or(u32::MAX);
        PAUSE_EACH.saturating_mul(count).min(PAUSE_MAX)
    }

    /// Keeps the state after an event for those who ask later, if that is not too soon after the one before. If it is, the next
    /// snapshot brings it, but for decisions.
    pub(super) fn keep(&mut self, event: Arc<hac_api::Event>, now: Timestamp) {
        let Some(states) = self.parts.hub.states().filter(|_| states::changes(&event.kind)) else { return };
        if states::decides(&event.kind) || now.since(self.kept) >= self.rest_of_copies() * KEEP {
            states.put(&event, self.parts.half.cib());
            (self.kept, self.unkept) = (now, None);
        } else {
            self.unkept = Some(event);
        }
    }

    /// How long nothing is to be done; `None` for ever.
    fn wait(&self) -> Option<Duration> {
        let now = clock::now().mono;
        let told = self.gathered.map(|_| self.ordered + ACKNOWLEDGE);
        let due = [self.parts.half.poll_timeout(), self.unpublished, told].into_iter().flatten().min();
        let waits = [due.map(|due| due.since(now)), self.until_petted(now)];
        waits.into_iter().flatten().min()
    }

    /// Performs everything that is to be done now.
    pub(super) fn perform(&mut self) {
        self.perform_outputs();
        if std::mem::take(&mut self.news) {
            // With the answer the service manager is told.
            self.look();
            self.perform_outputs();
        }
        self.order();
        if !self.answers.is_empty() {
            // Who was answered and reads afterwards, sees it.
            self.publish();
            for (id, reply) in std::mem::take(&mut self.answers) {
                if let Some(waiting) = self.waiting.remove(&id) {
                    // A client that went away does not want it any more.
                    let _ = waiting.send(reply);
                }
            }
        }
    }

    pub(super) fn perform_outputs(&mut self) {
        while let Some(output) = self.parts.half.poll_output() {
            if let Some(recording) = &mut self.parts.recording {
                recording.gave_cluster(&output);
            }
            match output {
                // Each would wake the ring's thread. None is left out: a recording counts what passes.
                Effect::Down(order) => {
                    self.gathered.get_or_insert_with(|| clock::now().mono);
                    self.pressing |= !matches!(order, Down::Seen(_));
                    self.above.orders.put(order);
                }
                Effect::Do(output) => self.act(output),
            }
        }
    }

    /// Gives the ring half the orders that were gathered.
    fn order(&mut self) {
        if self.gathered.is_none() {
            return;
        }
        let now = clock::now().mono;
        if self.pressing || now.since(self.ordered) >= ACKNOWLEDGE {
            (self.gathered, self.pressing, self.ordered) = (None, false, now);
            self.above.orders.push();
        }
    }

    /// The same in the midst of a step, if the first of them has waited long enough.
    fn order_if_late(&mut self) {
        if self.gathered.is_some_and(|since| clock::now().mono.since(since) >= GATHER) {
            self.order();
        }
    }

    /// Whether it was.
    fn publish_if_due(&mut self) -> bool {
        let now = clock::now().mono;
        let due = self.unpublished.is_some_and(|due| due <= now);
        if due {
            self.publish();
        }
        due
    }

    fn publish(&mut self) {
        let mut step = Step::begin();
        self.unpublished = None;
        let now = clock::now();
        let before = Arc::clone(&self.parts.published.borrow());
        let report = self.parts.half.report(now);
        let shown = self.parts.half.shown();
        let same = Arc::ptr_eq(&before.cib, &shown);
        let snapshot = Snapshot::new(report, shown, &before);
        drop(self.parts.published.send_replace(Arc::new(snapshot)));
        self.published = now.mono;
        if let (Some(event), Some(states)) = (self.unkept.take(), self.parts.hub.states()) {
            states.put(&event, self.parts.half.cib());
            self.kept = now.mono;
        }
        if Arc::strong_count(&before) == 1 && !same {
            // To give a large state back takes a while too.
            self.parts.workers.spawn_blocking(move || drop(before));
        }
        for told in self.told.drain(..) {
            // Who asked may have gone away.
            let _ = told.send(());
        }
        self.shared.cluster.end(Cause::Snapshot, &mut step);
    }

    fn shutdown(&mut self, signal: &str) {
        self.terms += 1;
        if self.terms > 1 {
            tracing::warn!(target: "hacd::driver", "{signal} again: leaving at once, resources stay as they are");
            self.end = Some(End::AtOnce);
            return;
        }
        tracing::info!(target: "hacd::driver", notice = true, "{signal}: handing resources over, then leaving");
        watchdog::stopping();
        let now = self.enter(hac_node::Input::Shutdown);
        self.parts.half.shutdown(now);
        self.changed();
    }
}
