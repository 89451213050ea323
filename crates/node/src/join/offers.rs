//! What was prepared when a node went down, and whether it counts. Nobody who is here may know: who stored the last vote
//! or told a client may be away, or its disk lost.
//!
//! A prepared state has a rank: its version, then the quorate view in which it was prepared. It counts if
//!
//! * no other state that is here has as high a rank (or what it says of the cluster as such is newer than all that is here),
//! * nobody here has taken part in a quorate view that ended without it, and
//! * most of the votes are here, or the cluster lets fewer change its configuration.
//!
//! Where only the last is missing it stays open: it is neither in force nor forgotten. Why no change that counted can be
//! lost by this, and why a rule with less in it loses some, is in `docs/decisions/0059-what-was-prepared.md`.

use std::collections::{BTreeMap, BTreeSet};

use hac_model::Version;
use hac_types::{NodeId, RingId, mutant};

use crate::cluster::ClusterConfig;
use crate::wire::{Hello, Offer};

/// What comes of all that is prepared.
#[derive(Debug, Default)]
pub(super) struct Judgement<'a> {
    /// This counts from now on.
    pub(super) counts: Option<&'a Offer>,
    /// What these have prepared is open.
    pub(super) open: BTreeSet<NodeId>,
    /// The cluster as such that counts.
    pub(super) cluster: Option<ClusterConfig>,
}

/// Where a state stands among others: whatever counted in one of lower rank is in it. Its version, the quorate view to
/// which it belongs, and the version of the cluster as such in it.
type Rank = ((u64, u64), Option<RingId>, u64);

/// What of a version counts: the rest is about the present.
pub(super) const fn configuration(version: Version) -> (u64, u64) {
    (version.admin_epoch, version.epoch)
}

/// Judges what these members have prepared. The same for all who have heard the same.
pub(super) fn judge(hellos: &BTreeMap<NodeId, Hello>) -> Judgement<'_> {
    let clusters = || hellos.values().map(|hello| &hello.cluster);
    let state = |hello: &Hello| (configuration(hello.version), hello.lineage, hello.cluster.version);
    let stored: Option<Rank> = hellos.values().map(state).max();
    let version = clusters().map(|cluster| cluster.version).max();
    let may_count = |offer: &Offer| {
        let newer = Some(rank(offer)) > stored || Some(offer.cluster.version) > version;
        newer && !hellos.values().any(|hello| went_on_without(hello, offer)) && !mutant("prepared-forgotten")
    };
    let offers = hellos.iter().filter_map(|(&node, hello)| Some((node, hello.offer.as_ref()?)));
    let alive: Vec<(NodeId, &Offer)> = offers.filter(|(_, offer)| may_count(offer)).collect();
    if !are_enough(hellos) {
        let open = alive.into_iter().map(|(node, _)| node).collect();
        return Judgement { counts: None, open, cluster: ClusterConfig::newest(clusters()) };
    }
    let holders = |offer: &Offer| alive.iter().filter(|(_, other)| other.is(offer)).count();
    let best = alive.iter().map(|(_, offer)| *offer).max_by_key(|offer| (rank(offer), holders(offer), offer.digest));
    let counts = best.filter(|offer| Some(rank(offer)) > stored);
    let prepared = alive.iter().map(|(_, offer)| &offer.cluster);
    Judgement { counts, open: BTreeSet::new(), cluster: ClusterConfig::newest(clusters().chain(prepared)) }
}

fn rank(offer: &Offer) -> Rank {
    (configuration(offer.version), offer.lineage, offer.cluster.version)
}

/// Whether this member has seen the end of the view in which this was prepared, or taken part in a later one: if it had
/// counted, this member would have it.
fn went_on_without(hello: &Hello, offer: &Offer) -> bool {
    hello.lineage > offer.lineage || hello.lived.is_some() && hello.lived >= offer.lineage
}

/// Whether these would have to know of anything that counts.
fn are_enough(hellos: &BTreeMap<NodeId, Hello>) -> bool {
    let votes = hellos.values().fold(0_u32, |sum, hello| sum.saturating_add(hello.votes.votes));
    let expected = hellos.values().map(|hello| hello.votes.expected_votes).max().unwrap_or_default();
    votes > expected / 2 || hellos.values().any(|hello| hello.few)
}
