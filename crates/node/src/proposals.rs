//! This node's own proposals, from the request until the cluster agreed.
//!
//! A proposal that was broadcast may be lost with its view, or delivered in a transitional one, where nobody can rely
//! on it. It is kept here and proposed again in the next active view, in order and under the same name, until it comes
//! back in a regular view; members that processed it before recognise the name.

use std::collections::VecDeque;

use hac_types::{Member, NodeId, Timestamp};

use crate::wire::{self, Lane, Proposal, ProposalId, Proposed};
use crate::{Now, Reply, RequestId};

/// Most proposals of clients that may wait at once.
pub(crate) const REQUESTS_MAX: usize = 1024;

/// A proposal that has not come back.
#[derive(Clone, Debug)]
struct Pending {
    proposal: Proposal,
    request: Option<RequestId>,
    deadline: Option<Timestamp>,
    /// Bytes on their way.
    size: usize,
    /// What came of it in a transitional view.
    maybe: Option<Reply>,
}

/// See the [module documentation](self).
#[derive(Clone, Debug)]
pub(crate) struct Proposals {
    me: Member,
    last_status: u64,
    last_configure: u64,
    last_ask: u64,
    pending: VecDeque<Pending>,
}

/// A proposal that is over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Concluded {
    /// The request it came from.
    pub(crate) request: Option<RequestId>,
    /// The answer that was found in a transitional view.
    pub(crate) maybe: Option<Reply>,
}

impl Proposals {
    /// Nothing proposed yet.
    pub(crate) const fn new(me: Member) -> Self {
        Self { me, last_status: 0, last_configure: 0, last_ask: 0, pending: VecDeque::new() }
    }

    /// Names a proposal and keeps it until it is concluded.
    pub(crate) fn add(
        &mut self,
        now: Now,
        what: Proposed,
        request: Option<RequestId>,
        deadline: Option<Timestamp>,
    ) -> Proposal {
        let (lane, last) = match &what {
            Proposed::SetLevel { .. }
            | Proposed::SetNodes(_)
            | Proposed::SetRegister(_)
            | Proposed::Command(hac_crm::cib::Command::Configure(_)) => (Lane::Configure, &mut self.last_configure),
            Proposed::Command(hac_crm::cib::Command::Status(_)) => (Lane::Status, &mut self.last_status),
            Proposed::Settle | Proposed::CancelWaitForAll | Proposed::RotateKey { .. } | Proposed::Ask { .. } => {
                (Lane::Ask, &mut self.last_ask)
            }
        };
        *last += 1;
        let Member { node, incarnation } = self.me;
        let id = ProposalId { node, incarnation, lane, seq: *last };
        let size = request.map_or(0, |_| wire::size(&what));
        let proposal = Proposal { id, wall: now.wall, what };
        self.pending.push_back(Pending { proposal: proposal.clone(), request, deadline, size, maybe: None });
        proposal
    }

    /// What must be proposed again in a new view, in order.
    pub(crate) fn again(&self) -> impl Iterator<Item = &Proposal> {
        self.pending.iter().map(|p| &p.proposal)
    }

    /// Whether one of them is to change the key.
    pub(crate) fn rotates(&self) -> bool {
        self.pending.iter().any(|p| matches!(p.proposal.what, Proposed::RotateKey { .. }))
    }

    /// Whether one of them is this.
    pub(crate) fn has(&self, what: &Proposed) -> bool {
        self.pending.iter().any(|p| p.proposal.what == *what)
    }

    /// Whether one of them is this register.
    pub(crate) fn has_register(&self, register: &hac_quorum::Register) -> bool {
        self.pending.iter().any(|p| matches!(&p.proposal.what, Proposed::SetRegister(new) if new.register == *register))
    }

    /// How many wait that concern the cluster, and not only the node that is asked.
    pub(crate) fn len(&self) -> usize {
        self.pending.iter().filter(|p| !matches!(p.proposal.what, Proposed::Ask { .. })).count()
    }

    /// Which node a question is for, if it waits for its answer.
    pub(crate) fn asks(&self, id: ProposalId) -> Option<NodeId> {
        match self.pending.iter().find(|p| p.proposal.id == id)?.proposal.what {
            Proposed::Ask { node, .. } => Some(node),
            _ => None,
        }
    }

    /// How many of them are requests of clients.
    pub(crate) fn requests(&self) -> usize {
        self.pending.iter().filter(|p| p.request.is_some()).count()
    }

    /// Bytes of the requests of clients that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.pending.iter().map(|p| p.size).sum()
    }

    /// Remembers what came of a proposal in a transitional view.
    pub(crate) fn maybe(&mut self, id: ProposalId, reply: Reply) {
        if let Some(pending) = self.pending.iter_mut().find(|p| p.proposal.id == id) {
            pending.maybe = Some(reply);
        }
    }

    /// Forgets what came of proposals in a transitional view, but for those that are `kept` in the state that counts now.
    pub(crate) fn doubt(&mut self, kept: impl Fn(ProposalId) -> bool) {
        self.pending.iter_mut().filter(|pending| !kept(pending.proposal.id)).for_each(|pending| pending.maybe = None);
    }

    /// A proposal came back in a regular view and is over.
    pub(crate) fn conclude(&mut self, id: ProposalId) -> Option<Concluded> {
        let index = self.pending.iter().position(|p| p.proposal.id == id)?;
        let pending = self.pending.remove(index)?;
        Some(Concluded { request: pending.request, maybe: pending.maybe })
    }

    /// When the next request has waited too long.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.pending.iter().filter_map(|p| p.deadline).min()
    }

    /// Takes out the requests that have waited too long, and what they proposed. They are not proposed again.
    pub(crate) fn expired(&mut self, now: Timestamp) -> Vec<(RequestId, Proposed)> {
        let mut expired = Vec::new();
        self.pending.retain(|pending| {
            let late = pending.deadline.is_some_and(|deadline| deadline <= now);
            if late && let Some(request) = pending.request {
                expired.push((request, pending.proposal.what.clone()));
            }
            !late
        });
        expired
    }

    /// Takes all requests out, because the node leaves.
    pub(crate) fn abandon(&mut self) -> Vec<RequestId> {
        self.pending.drain(..).filter_map(|p| p.request).collect()
    }
}

#[cfg(test)]
mod tests;
