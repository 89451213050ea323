//! EVS-3: everybody is in its own views, and a transitional one holds only who comes along. EVS-4: the same ring has the
//! same members everywhere. EVS-5: ring ids grow on every host, across its lives. EVS-17: the representative is the
//! lowest member. EVS-18: no two lives of a node in one view, and a new life never in a transitional one.

use std::collections::{BTreeMap, BTreeSet};

use hac_types::{Member, NodeId, RingId};

use super::{Executed, Life, Stay, Violation, count};

pub(super) fn check(lives: &[Life<'_>], executed: &mut Executed) -> Result<(), Violation> {
    let mut members_of: BTreeMap<RingId, (Member, &Vec<Member>)> = BTreeMap::new();
    let mut highest: BTreeMap<NodeId, RingId> = BTreeMap::new();
    for life in lives {
        let me = life.member;
        for (stay, next) in life.steps() {
            let (ring, members) = (stay.ring(), &stay.view.members);
            count(executed, "EVS-4");
            let &mut (first, known) = members_of.entry(ring).or_insert((me, members));
            if known != members {
                let text = format!("ring {ring} is {known:?} on {} and {members:?} on {}", first.node, me.node);
                return Err(Violation::new("EVS-4", text));
            }
            count(executed, "EVS-5");
            if let Some(before) = highest.insert(me.node, ring)
                && before >= ring
            {
                let text = format!("node{} installs ring {ring} after ring {before}", me.node);
                return Err(Violation::new("EVS-5", text));
            }
            count(executed, "EVS-17");
            if members.iter().map(|m| m.node.0).min() != Some(ring.rep) {
                return Err(Violation::new("EVS-17", format!("ring {ring} has members {members:?}")));
            }
            inclusion(me, stay, next, executed)?;
        }
    }
    Ok(())
}

fn inclusion(me: Member, stay: &Stay<'_>, next: Option<&Stay<'_>>, executed: &mut Executed) -> Result<(), Violation> {
    let ring = stay.ring();
    let members: BTreeSet<Member> = stay.view.members.iter().copied().collect();
    let nodes: BTreeSet<NodeId> = members.iter().map(|m| m.node).collect();
    count(executed, "EVS-18");
    if nodes.len() != members.len() {
        return Err(Violation::new("EVS-18", format!("two lives of a node in ring {ring}: {members:?}")));
    }
    count(executed, "EVS-3");
    if !members.contains(&me) {
        return Err(Violation::new("EVS-3", format!("node{} is not in its own ring {ring}", me.node)));
    }
    if let Some(end) = stay.end {
        let next: Option<BTreeSet<Member>> = next.map(|n| n.view.members.iter().copied().collect());
        let along = |m: &Member| members.contains(m) && next.as_ref().is_none_or(|n| n.contains(m));
        if !end.members.contains(&me) || !end.members.iter().all(along) {
            let text = format!("node{}: the transitional view of ring {ring} has {:?}", me.node, end.members);
            return Err(Violation::new("EVS-3", text));
        }
    }
    Ok(())
}
