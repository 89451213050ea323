//! EVS-9: no gaps. Who is given a message in a regular view was given all that come before it in that ring.

use std::collections::{BTreeMap, BTreeSet};

use hac_types::RingId;

use super::{Executed, Life, Violation, count};

pub(super) fn check(lives: &[Life<'_>], executed: &mut Executed) -> Result<(), Violation> {
    let mut positions: BTreeMap<RingId, BTreeSet<u64>> = BTreeMap::new();
    for stay in lives.iter().flat_map(|life| &life.stays) {
        positions.entry(stay.ring()).or_default().extend(stay.regular.keys());
    }
    for life in lives {
        for stay in &life.stays {
            let Some((&last, _)) = stay.regular.last_key_value() else { continue };
            let Some(all) = positions.get(&stay.ring()) else { continue };
            count(executed, "EVS-9");
            if let Some(gap) = all.range(..last).find(|seq| !stay.regular.contains_key(seq)) {
                let node = life.member.node;
                let text = format!("node{node} was given position {last} of ring {} without {gap}", stay.ring());
                return Err(Violation::new("EVS-9", text));
            }
        }
    }
    Ok(())
}
