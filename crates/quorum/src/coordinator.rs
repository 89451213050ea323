//! The designated coordinator: one member that plans for all.

use hac_types::{Member, RingId};

/// A member that may become coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub member: Member,
    /// The membership in which it became a participant, in this life and without interruption.
    pub since: RingId,
    /// It had the cluster's state before this membership and needs no copy.
    pub synced: bool,
}

/// Chooses the coordinator of a membership: the `previous` one while that life of it is a member that kept the state,
/// otherwise the member that has taken part longest, the lowest node id among equals. `None` only without candidates.
///
/// A function of facts that all members agreed on in the ordered stream, so all choose the same one without a message,
/// and a coordinator stays while it lives.
#[must_use]
pub fn coordinator(candidates: &[Candidate], previous: Option<Member>) -> Option<Member> {
    if let Some(same) = candidates.iter().find(|c| c.synced && Some(c.member) == previous) {
        return Some(same.member);
    }
    candidates.iter().min_by_key(|c| (!c.synced, c.since, c.member.node)).map(|c| c.member)
}

#[cfg(test)]
mod tests;
