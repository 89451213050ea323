//! What other tasks tell the cluster's thread.

use std::time::Duration;

use hac_node::{
    ArbiterAnswer, DecideId, InvocationId, Outcome, QuestionId, Reply, Request, RequestId, Unplannable, WatchId,
};
use hac_scheduler::plan::Plan;
use tokio::sync::oneshot;

use super::cluster::Thread;
use crate::storage::WorkerReply;

/// Something that a task of the daemon has to say.
#[derive(Debug)]
pub(crate) enum Input {
    /// An agent has finished.
    Outcome(InvocationId, Outcome),
    /// A watched process has ended.
    Exited(WatchId),
    /// The disk has done or refused something.
    Persisted(WorkerReply),
    /// What another node asked was looked at.
    Answered(QuestionId, String),
    /// The arbiter's store has answered, or not.
    Arbiter(u64, Result<ArbiterAnswer, String>),
    /// A plan is ready, or will never be.
    Decided(DecideId, Box<Result<Plan, Unplannable>>),
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
    /// What is published is to show the present condition of the ring.
    Look(oneshot::Sender<()>),
}

/// Most requests that may wait for an answer.
const WAITING_MAX: usize = 256;

impl Thread {
    pub(super) fn input(&mut self, input: Input) {
        self.changed();
        match input {
            Input::Outcome(id, outcome) => {
                // Cancelled meanwhile: nobody waits for it.
                if self.running.remove(&id).is_some() {
                    self.parts.readiness.note(self.running.len());
                    let now = self.enter(hac_node::Input::Outcome(id, outcome.clone()));
                    self.parts.half.handle_outcome(now, id, outcome);
                }
            }
            Input::Exited(id) => {
                if self.watches.remove(&id).is_some() {
                    let now = self.enter(hac_node::Input::ProcessExited(id));
                    self.parts.half.handle_process_exited(now, id);
                }
            }
            Input::Persisted(WorkerReply { id, result }) => {
                let now = self.enter(hac_node::Input::Persisted(id, result.clone()));
                self.parts.half.handle_persisted(now, id, result);
            }
            Input::Answered(id, text) => {
                let now = self.enter(hac_node::Input::Answered(id, text.clone()));
                self.parts.half.handle_answered(now, id, text);
            }
            Input::Arbiter(id, answer) => {
                let now = self.enter(hac_node::Input::Arbiter(id, answer.clone()));
                self.parts.half.handle_arbiter(now, id, answer);
            }
            Input::Decided(id, result) => {
                let now = self.enter(hac_node::Input::Decided(id, result.as_ref().as_ref().err().cloned()));
                self.parts.half.handle_decided(now, id, *result);
            }
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Look(looking) => {
                self.looking.retain(|looking| !looking.is_closed());
                if self.looking.is_empty() {
                    self.look();
                }
                self.looking.push(looking);
            }
            Ask::Request { request, reply } => {
                self.waiting.retain(|_, waiting| !waiting.is_closed());
                if self.waiting.len() >= WAITING_MAX {
                    let refusal = hac_crm::cib::Refusal::new("too many requests wait for an answer", "try again later");
                    let _ = reply.send(Reply::Unavailable(refusal));
                    return;
                }
                self.changed();
                self.requests += 1;
                let id = RequestId(self.requests);
                self.waiting.insert(id, reply);
                let now = self.enter(hac_node::Input::Request(id, request.clone()));
                self.parts.half.handle_request(now, id, request);
            }
        }
    }
}

/// Longest time that a client may wait for the cluster to settle.
pub(crate) const SETTLE_MAX: Duration = Duration::from_secs(24 * 3600);
