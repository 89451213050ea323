//! What other tasks tell the driver.

use std::time::Duration;

use hac_crm::model::Cib;
use hac_node::{InvocationId, Outcome, Reply, Report, Request, RequestId, WatchId};
use hac_types::{LinkId, NodeId};
use hac_udp::Counters;
use tokio::sync::oneshot;

use super::Driver;
use crate::clock;
use crate::storage::WorkerReply;

/// Something that a task of the daemon has to say.
#[derive(Debug)]
pub(crate) enum Input {
    /// Nobody listens there.
    Unreachable(LinkId, NodeId),
    /// An agent has finished.
    Outcome(InvocationId, Outcome),
    /// A watched process has ended.
    Exited(WatchId),
    /// The disk has done or refused something.
    Persisted(WorkerReply),
}

/// A client's question.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Something for the node to do.
    Request {
        /// What.
        request: Request,
        /// Where the answer goes; nothing comes if the daemon ends before.
        reply: oneshot::Sender<Reply>,
    },
    /// How things stand.
    Look(oneshot::Sender<Box<Look>>),
}

/// How things stand.
#[derive(Debug)]
pub(crate) struct Look {
    /// What the node knows of itself and the cluster.
    pub(crate) report: Report,
    /// The cluster's state, with secrets.
    pub(crate) cib: Cib,
    /// What the sockets counted.
    pub(crate) udp: Counters,
}

/// Most requests that may wait for an answer.
const WAITING_MAX: usize = 256;

impl Driver {
    pub(super) fn input(&mut self, input: Input) {
        let now = clock::now();
        let node = &mut self.parts.node;
        match input {
            Input::Unreachable(link, peer) => node.handle_unreachable(now, link, peer),
            Input::Outcome(id, outcome) => {
                // Cancelled meanwhile: nobody waits for it.
                if self.running.remove(&id).is_some() {
                    node.handle_outcome(now, id, outcome);
                }
            }
            Input::Exited(id) => {
                if self.watches.remove(&id).is_some() {
                    node.handle_process_exited(now, id);
                }
            }
            Input::Persisted(WorkerReply { id, result }) => node.handle_persisted(now, id, result),
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        let now = clock::now();
        match ask {
            Ask::Look(reply) => {
                let report = self.parts.node.report(now);
                let cib = self.parts.node.cib().clone();
                let _ = reply.send(Box::new(Look { report, cib, udp: self.parts.udp.counters() }));
            }
            Ask::Request { request, reply } => {
                self.waiting.retain(|_, waiting| !waiting.is_closed());
                if self.waiting.len() >= WAITING_MAX {
                    let refusal = hac_crm::cib::Refusal::new("too many requests wait for an answer", "try again later");
                    let _ = reply.send(Reply::Unavailable(refusal));
                    return;
                }
                self.requests += 1;
                let id = RequestId(self.requests);
                self.waiting.insert(id, reply);
                self.parts.node.handle_request(now, id, request);
            }
        }
    }
}

/// Longest time that a client may wait for the cluster to settle.
pub(crate) const SETTLE_MAX: Duration = Duration::from_secs(24 * 3600);
