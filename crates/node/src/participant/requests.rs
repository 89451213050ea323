//! What clients ask of this node. Each request becomes a proposal; the answer follows from the stream.

use hac_crm::cib::{Command, Refusal, StatusChange};
use hac_crm::fencer::requests::Step;
use hac_types::{NodeId, Timestamp};

use super::{Participant, Phase};
use crate::limits;
use crate::proposals::REQUESTS_MAX;
use crate::wire::{Answer, Body, NewNodes, ProposalId, Proposed};
use crate::{Level, Now, Output, QuestionId, Reply, Request, RequestId};

impl Participant {
    /// Takes a request.
    pub(super) fn handle_request(&mut self, now: Now, id: RequestId, request: Request) {
        if matches!(self.phase, Phase::Left) || self.proposals.requests() >= REQUESTS_MAX {
            let refusal = Refusal::new(
                "this node is leaving the cluster or has too much to do; nothing was changed",
                "Ask another node, or try again later.",
            );
            self.effects.reply(id, Reply::Unavailable(refusal));
            return;
        }
        match limits::check(&request) {
            Ok(size) if self.proposals.bytes().saturating_add(size) > limits::WAITING_MAX => {
                let refusal = Refusal::new(
                    "64 MiB of changes wait for the cluster to agree already; nothing was changed",
                    "Try again later; `hacctl status` shows what is waited for.",
                );
                return self.effects.reply(id, Reply::Unavailable(refusal));
            }
            Ok(_) => {}
            Err(refusal) => return self.effects.reply(id, Reply::TooLarge(refusal)),
        }
        let (what, patience) = match request {
            Request::Configure(configure) => (Proposed::Command(Command::Configure(configure)), self.request_timeout),
            Request::Status(change) if is_for_operators(&change) => {
                (Proposed::Command(Command::Status(change)), self.request_timeout)
            }
            Request::Status(_) => {
                let refusal = Refusal::new(
                    "only the nodes themselves may change this part of the status",
                    "Use cleanup, refresh or a node attribute.",
                );
                self.effects.reply(id, Reply::Refused(refusal));
                return;
            }
            Request::Settle { timeout } => (Proposed::Settle, timeout),
            Request::RotateKey(wish) => match self.rotation_of(&wish) {
                Ok(what) => (what, self.request_timeout),
                Err(reply) => {
                    self.effects.reply(id, reply);
                    return;
                }
            },
            Request::CancelWaitForAll => (Proposed::CancelWaitForAll, self.request_timeout),
            Request::SetLevel { to } => (Proposed::SetLevel { to }, self.request_timeout),
            Request::SetNodes { base, nodes, statement } => {
                (Proposed::SetNodes(NewNodes { base, nodes, statement }), self.request_timeout)
            }
            Request::Ask { node, question, timeout } => (Proposed::Ask { node, question }, timeout),
            Request::TrustArbiter => return self.trust_arbiter(now, id),
            Request::ForgetLost => {
                self.forget_lost(now);
                let reply = self.done(Vec::new());
                self.effects.reply(id, reply);
                return;
            }
        };
        if let Some(refusal) = self.unsayable(&what) {
            self.effects.reply(id, Reply::Refused(refusal));
            return;
        }
        self.propose(now, what, Some(id), Some(now.mono + patience));
    }

    /// Proposes something, now or as soon as this node takes part.
    pub(super) fn propose(
        &mut self,
        now: Now,
        what: Proposed,
        request: Option<RequestId>,
        deadline: Option<Timestamp>,
    ) {
        let proposal = self.proposals.add(now, what, request, deadline);
        if self.is_active() {
            self.broadcast(Body::Propose(proposal));
        }
    }

    /// Proposes again what has not come back from earlier views. This ring may be of a lower level than the one before:
    /// what it does not have is over.
    pub(super) fn propose_again(&mut self) {
        let again: Vec<_> = self.proposals.again().cloned().collect();
        for proposal in again {
            let Some(refusal) = self.unsayable(&proposal.what) else {
                self.broadcast(Body::Propose(proposal));
                continue;
            };
            let processed = self.replica.is_processed(proposal.id);
            let reply = if processed { self.done(Vec::new()) } else { Reply::Refused(refusal) };
            let request = self.proposals.conclude(proposal.id).and_then(|concluded| concluded.request);
            if let Some(request) = request {
                self.effects.reply(request, reply);
            }
        }
    }

    /// A question that a member asks another one. Only they have anything to do with it.
    pub(super) fn handle_question(&mut self, id: ProposalId, node: NodeId, question: String) {
        if self.is_breaking() {
            // It comes again.
            return;
        }
        if node == self.me.node {
            return self.effects.output(Output::Ask(QuestionId(id), question));
        }
        if self.is_mine(id) && self.view.as_ref().is_none_or(|view| !view.contains(node)) {
            let sentence = format!("{} is not a member now and cannot be asked", self.name_of(node));
            self.answer(id, Reply::Unavailable(Refusal::new(sentence, "Start hacd there, or ask there.")));
        }
    }

    /// The driver has looked: whoever asked is told. In another view the question comes again.
    pub(super) fn handle_answered(&mut self, QuestionId(proposal): QuestionId, mut text: String) {
        if text.len() > limits::ANSWER_MAX {
            text = String::new();
            self.effects.remark(Level::Error, "an answer for another node is too large and is not sent");
        }
        if self.is_active() {
            self.broadcast(Body::Answer(Answer { proposal, text }));
        }
    }

    /// Answers those who have waited too long.
    pub(super) fn expire_requests(&mut self, now: Now) {
        for (id, what) in self.proposals.expired(now.mono) {
            let reply = if what == Proposed::Settle {
                Reply::Settled { settled: false, waiting_for: self.waiting_for() }
            } else if let Proposed::Ask { node, .. } = what {
                let sentence = format!("{} did not answer in time", self.name_of(node));
                Reply::TimedOut(Refusal::new(sentence, "See the log of hacd there, or ask there."))
            } else {
                let mut sentence = "the cluster did not agree in time".to_owned();
                for whom in self.waiting_for() {
                    sentence.push_str("; ");
                    sentence.push_str(&whom);
                }
                let remedy = match what {
                    Proposed::RotateKey { .. } => {
                        "The key may still be changed: see `hacctl key status` before asking again."
                    }
                    _ => "The change may still be made: look at the configuration before asking again.",
                };
                Reply::TimedOut(Refusal::new(sentence, remedy))
            };
            self.effects.reply(id, reply);
        }
    }
}

/// Whether people may ask for it.
const fn is_for_operators(change: &StatusChange) -> bool {
    matches!(
        change,
        StatusChange::ClearFailures { .. }
            | StatusChange::ForgetHistory { .. }
            | StatusChange::SetAttribute { .. }
            | StatusChange::SetDampening { .. }
            | StatusChange::Ticket { .. }
            | StatusChange::WriteAttributes { .. }
            | StatusChange::Noticed { .. }
            | StatusChange::Readiness(_)
            | StatusChange::Fencing(Step::Wanted(_) | Step::Confirmed { .. } | Step::Forget { .. })
    )
}
