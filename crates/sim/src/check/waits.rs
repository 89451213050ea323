//! WAIT-1: every barrier ends: no node compares states in one membership for longer than [`BARRIER`]. WAIT-2: every
//! request is answered within [`ANSWER`]. WAIT-3: every vote ends within [`VOTE`]. All hold whatever any one member does; a
//! host that does not run itself at the time, or not above the ring, has until it does, and a vote until all run who
//! could end it.

use std::time::Duration;

use hac_node::{RequestId, SyncState};
use hac_types::{RingId, Timestamp};

use super::{Violation, count};
use crate::cluster::World;

/// Longest time that a membership compares states.
pub const BARRIER: Duration = Duration::from_secs(30);
/// Longest time to an answer: what nodes are configured to (20 s), and a little.
pub const ANSWER: Duration = Duration::from_secs(22);

/// Longest time that a change of the configuration is voted on in one membership: what disks have (30 s), and what its
/// coordinator needs to notice that it was not scheduled, or that it is one.
pub const VOTE: Duration = Duration::from_secs(40);

/// A node began to vote on a change a [`VOTE`] ago.
pub(crate) fn vote(world: &mut World, id: u32, ring: RingId, since: Timestamp) -> Option<Violation> {
    count(&mut world.checks.executed, "WAIT-3");
    let (standing, _) = world.hosts.get(&id)?.seen?;
    let still = standing.ring == Some(ring) && standing.voting == Some(since);
    still.then(|| {
        let seconds = VOTE.as_secs();
        Violation::new("WAIT-3", format!("node{id} votes on a change for {seconds} s: {}", world.standings()))
    })
}

/// A node compared states in this ring a [`BARRIER`] ago.
pub(crate) fn barrier(world: &mut World, id: u32, ring: RingId) -> Option<Violation> {
    count(&mut world.checks.executed, "WAIT-1");
    let (standing, _) = world.hosts.get(&id)?.seen?;
    let still = standing.sync == SyncState::Syncing && standing.ring == Some(ring);
    still.then(|| {
        let seconds = BARRIER.as_secs();
        Violation::new("WAIT-1", format!("node{id} compares states for {seconds} s: {}", world.standings()))
    })
}

/// A node was asked something an [`ANSWER`] ago.
pub(crate) fn answer(world: &mut World, id: u32, life: u64, request: RequestId) -> Option<Violation> {
    count(&mut world.checks.executed, "WAIT-2");
    let asked = world.asked.get(&(id, life, request)).filter(|asked| asked.replies.is_empty() && !asked.void)?;
    let text = format!("request {} of node{id} at {} has no answer: {:?}", request.0, asked.at, asked.request);
    Some(Violation::new("WAIT-2", text))
}
