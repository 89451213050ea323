//! The driver: one task owns the node and performs its outputs in order; everything else sends it inputs.
//!
//! | task | owns | ends |
//! |---|---|---|
//! | [`Driver::run`] | the [`Node`], the sockets, the ring's file | with the daemon |
//! | storage (a thread) | the generations of the configuration | when the driver drops it, all orders done |
//! | recording (a thread), if wanted | the flight recorder's file | when the driver drops it, all written |
//! | log (a thread) | the log file and syslog | with the process |
//! | one per running agent | the agent's process or request | with the action; dropped to cancel it |
//! | one per watched process | a pidfd | with the process; dropped to stop watching |
//! | one per peer and link | a sending socket | with the socket |
//! | API server, one per connection | the unix socket | with the daemon |
//!
//! All tasks run on one thread. What `select!` drops in [`Driver::run`] holds no state: readiness of sockets, a timer,
//! channels and signals. Inputs lie in channels until the driver takes them.

mod inputs;
mod perform;
mod watchdog;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hac_agents::Agents;
use hac_node::{InvocationId, Node, Reply, RequestId, WatchId};
use hac_udp::Udp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::api::Hub;
use crate::clock;
use crate::log::Log;
use crate::recording::Recording;
use crate::reload::Reloadable;
use crate::storage::{Slots, Worker};
use crate::udp;
pub(crate) use inputs::{Ask, Input, Look, SETTLE_MAX};
use watchdog::Watchdog;
pub(crate) use watchdog::ready;

/// Most datagrams taken in one go, before timers and other inputs have their turn.
const BATCH: usize = 64;

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The node left the cluster.
    Left,
    /// A person was in a hurry.
    AtOnce,
}

/// What the driver needs.
pub(crate) struct Parts {
    /// The node.
    pub(crate) node: Node,
    /// Its sockets.
    pub(crate) udp: Udp,
    /// The ring's file.
    pub(crate) slots: Slots,
    /// The writer of generations.
    pub(crate) worker: Worker,
    /// The agents.
    pub(crate) agents: Arc<Agents>,
    /// Who follows the events.
    pub(crate) hub: Arc<Hub>,
    /// The log.
    pub(crate) log: Log,
    /// Inputs from tasks of the daemon itself.
    pub(crate) inputs: mpsc::UnboundedReceiver<Input>,
    /// The other end of it, for tasks to come.
    pub(crate) sender: mpsc::UnboundedSender<Input>,
    /// Questions of clients.
    pub(crate) asks: mpsc::Receiver<Ask>,
    /// The flight recorder, while it runs.
    pub(crate) recording: Option<Recording>,
}

/// The task that owns the node.
pub(crate) struct Driver {
    parts: Parts,
    running: BTreeMap<InvocationId, AbortHandle>,
    reloadable: Reloadable,
    watches: BTreeMap<WatchId, AbortHandle>,
    waiting: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    requests: u64,
    terms: u32,
    end: Option<End>,
    status: String,
}

/// The signals that mean something.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Driver {
    /// A driver that has done nothing yet.
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts,
            running: BTreeMap::new(),
            reloadable: Reloadable::default(),
            watches: BTreeMap::new(),
            waiting: BTreeMap::new(),
            requests: 0,
            terms: 0,
            end: None,
            status: String::new(),
        }
    }

    /// Drives the node until it has left.
    ///
    /// # Errors
    /// Signals cannot be received.
    pub(crate) async fn run(mut self) -> io::Result<End> {
        let mut signals = Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        };
        let mut watchdog = Watchdog::start();
        let mut missing = tokio::time::interval(udp::RETRY);
        let mut all_links = false;
        loop {
            self.perform();
            if let Some(end) = self.end {
                return Ok(end);
            }
            tokio::select! {
                () = self.parts.udp.readable() => self.datagrams(),
                () = until(self.wait()) => {}
                Some(input) = self.parts.inputs.recv() => self.input(input),
                Some(ask) = self.parts.asks.recv() => self.ask(ask),
                Some(()) = signals.term.recv() => self.shutdown("SIGTERM"),
                Some(()) = signals.int.recv() => self.shutdown("SIGINT"),
                Some(()) = signals.hup.recv() => self.parts.log.reopen(),
                () = watchdog.beat() => self.report_to_service_manager(),
                _ = missing.tick(), if !all_links => all_links = self.parts.udp.retry().unwrap_or(false),
            }
            // Decisions are made when the time is up, once for all that came in together.
            let now = clock::now();
            if self.parts.node.poll_timeout().is_some_and(|due| due <= now.mono) {
                self.perform();
                self.parts.node.handle_timeout(now);
            }
        }
    }

    /// How long the node can wait; `None` for ever.
    fn wait(&self) -> Option<Duration> {
        let due = self.parts.node.poll_timeout()?;
        Some(due.since(clock::now().mono))
    }

    fn datagrams(&mut self) {
        for _ in 0..BATCH {
            let Some(datagram) = self.parts.udp.receive() else { return };
            self.parts.node.handle_datagram(clock::now(), datagram.link, datagram.from, datagram.bytes);
            self.perform();
        }
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
        self.parts.node.shutdown(clock::now());
    }
}

/// Waits for this long; for ever if there is nothing to wait for.
async fn until(wait: Option<Duration>) {
    match wait {
        Some(wait) if wait.is_zero() => {}
        Some(wait) => sleep_until(Instant::now() + wait).await,
        None => std::future::pending().await,
    }
}
