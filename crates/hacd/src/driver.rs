//! The threads of the daemon, and what is between them.
//!
//! | thread | owns | may be late by | ends |
//! |---|---|---|---|
//! | `hacd-ring` ([`ring`]) | the [`RingHalf`] and the sockets, nothing else; memory locked, real-time priority where allowed | 1 ms | when the cluster thread has ended |
//! | main ([`cluster`]) | the [`ClusterHalf`], signals, the watchdog of the host ([`petting`]) | 50 ms; the ring falls silent after `token` | when the node has left |
//! | `hacd-planner` ([`planner`]) | nothing: a plan is a function of a copy of the state | its time budget | when it is idle and the daemon ends |
//! | `hacd-storage` | the files of the state directory | for ever: the ring goes on | when the driver drops it, all orders done |
//! | `hacd-agents` (tokio; [`crate::workers`]) | agents, watched processes | their own timeouts | when the cluster thread has ended |
//! | `hacd-api` (tokio) | clients; reads are answered from a snapshot | their own timeouts | after it |
//! | `hacd-journal` ([`crate::journal`]) | the journal's files | it leaves events out, and the count shows it | when all is written |
//! | `hacd-states` ([`crate::states`]) | earlier states | it leaves states out | when all is written |
//! | `hacd-record`, if wanted | the flight recorder's file | it ends the recording | when all is written |
//! | `hacd-log` | the log file and syslog | it drops lines, counted | with the process |
//!
//! | queue | bound | when it is full |
//! |---|---|---|
//! | ring to cluster ([`between`]) | events that are not acknowledged: 160 MiB, and `token` in time | the ring falls silent and joins again later |
//! | cluster to ring | 64 broadcasts in flight, few other orders | the cluster half keeps its messages |
//! | agents, disk and planner to cluster | [`INPUTS`] | the task that has a result waits |
//! | clients to cluster | [`ASKS`], 256 that wait for an answer | the client waits, or is refused |
//! | to the storage | 64 orders | the order counts as refused by the disk |
//!
//! The ring's thread waits for nobody: it takes no lock, and puts what does not fit into a queue of its own, which is
//! bounded by the rule above; it rests for less than a millisecond when it was woken too often ([`pace`]). What `select!` drops holds no state: readiness of sockets, timers, channels and signals.
//!
//! A panic on the ring's, the cluster's or the storage's thread ends the daemon, so that the others take over; a panic
//! of an agent's task, of a client's request or of the planner costs that alone.

mod between;
mod cluster;
mod inputs;
mod pace;
mod perform;
mod petting;
pub(crate) mod planner;
mod privilege;
mod ring;
mod snapshot;
pub(crate) mod steps;
mod watchdog;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hac_node::{ClusterHalf, RingHalf};
use hac_types::{LinkId, NodeId};
use hac_udp::Udp;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use hac_agents::Agents;

use crate::alerts::Alerts;
use crate::api::Hub;
use crate::arbiter::Asker;
use crate::config::System;
use crate::log::Log;
use crate::readiness::Readiness;
use crate::recording::Notes;
use crate::remembered::Remembered;
use crate::storage::{Worker, WorkerReply};

pub(crate) use between::Shared;
pub(crate) use petting::Guard;

pub(crate) use inputs::{Ask, Input, SETTLE_MAX};
pub(crate) use snapshot::Snapshot;
pub(crate) use watchdog::ready;

/// Results of agents, disk and planner that may wait for the cluster thread.
pub(crate) const INPUTS: usize = 256;

/// Questions of clients that may wait for the cluster thread.
pub(crate) const ASKS: usize = 64;

/// Hints of the kernel, and answers of the disk, that may wait for the ring's thread.
pub(crate) const HINTS: usize = 64;

/// Stack of the threads of the core, bytes: they are small state machines.
const STACK: usize = 1 << 20;

/// How the daemon ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The node left the cluster.
    Left,
    /// The node cannot follow the others, for this reason, and has left.
    Fault(String),
    /// The node learned that it was fenced, stopped everything, and has left.
    Fenced(String),
    /// A person was in a hurry.
    AtOnce,
}

/// What the ring's thread needs.
pub(crate) struct RingParts {
    /// This node.
    pub(crate) node: NodeId,
    /// The half.
    pub(crate) half: RingHalf,
    /// Its sockets.
    pub(crate) udp: Udp,
    /// What waits for the sockets, made before them.
    pub(crate) runtime: Runtime,
    /// Hints of the kernel.
    pub(crate) hints: mpsc::Receiver<(LinkId, NodeId)>,
    /// Numbers that were stored.
    pub(crate) stored: mpsc::Receiver<WorkerReply>,
}

/// What the cluster's thread needs.
pub(crate) struct ClusterParts {
    /// The half.
    pub(crate) half: ClusterHalf,
    /// The agents.
    pub(crate) agents: Arc<Agents>,
    /// Who is told of what is seen.
    pub(crate) alerts: Arc<Alerts>,
    /// What this node could start.
    pub(crate) readiness: Arc<Readiness>,
    /// Who follows the events.
    pub(crate) hub: Arc<Hub>,
    /// The log.
    pub(crate) log: Log,
    /// Results of tasks of the daemon itself.
    pub(crate) inputs: mpsc::Receiver<Input>,
    /// The other end of it, for tasks to come.
    pub(crate) sender: mpsc::Sender<Input>,
    /// Questions of clients.
    pub(crate) asks: mpsc::Receiver<Ask>,
    /// Where reads are answered from.
    pub(crate) published: watch::Sender<Arc<Snapshot>>,
    /// Where agents run.
    pub(crate) workers: Handle,
    /// Asks the store that has the third vote.
    pub(crate) arbiter: Asker,
    /// Keeps what resources run with.
    pub(crate) remembered: Remembered,
    /// The flight recorder, while it runs.
    pub(crate) recording: Option<Notes>,
    /// What resets the host when it is written to.
    pub(crate) sysrq: PathBuf,
    /// What resets it when this daemon does not go on, if anything does.
    pub(crate) guard: Option<Guard>,
}

/// Runs both halves until the node has left.
///
/// # Errors
/// A thread cannot be started, or signals cannot be received.
pub(crate) fn run(
    ring: RingParts,
    cluster: ClusterParts,
    worker: Worker,
    shared: Arc<Shared>,
    system: &System,
) -> io::Result<End> {
    privilege::lock_memory(&shared);
    let worker = Arc::new(worker);
    let (above, below) = between::channel();
    let thread = ring::Thread::new(ring, below, Arc::clone(&worker), Arc::clone(&shared), cluster.recording.clone());
    let system = system.clone();
    let ring =
        thread::Builder::new().name("hacd-ring".to_owned()).stack_size(STACK).spawn(move || thread.run(&system))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = cluster::Thread::new(cluster, above, worker, shared);
    let end = runtime.block_on(thread.run())?;
    if end != End::AtOnce {
        // It has said goodbye; nothing is left to be sent.
        let _ = ring.join();
    }
    Ok(end)
}

/// Waits for this long; for ever if there is nothing to wait for.
async fn until(wait: Option<Duration>) {
    match wait {
        Some(wait) if wait.is_zero() => {}
        Some(wait) => sleep_until(Instant::now() + wait).await,
        None => std::future::pending().await,
    }
}
