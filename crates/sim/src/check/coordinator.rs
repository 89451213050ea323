//! P-9: all members of an active view name the same coordinator. Q-1: two views without a common member are never quorate
//! at once, unless the cluster has two nodes, for which `two_node` permits it.

use std::collections::{BTreeMap, BTreeSet};

use hac_types::{Member, RingId};

use super::{Violation, count};
use crate::cluster::Host;

/// Views that are remembered.
const VIEWS: usize = 64;

/// See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub(super) struct OneCoordinator {
    views: BTreeMap<RingId, (u32, Option<Member>)>,
    members: BTreeMap<RingId, BTreeSet<String>>,
}

impl OneCoordinator {
    /// A view has these members.
    pub(super) fn saw_view(&mut self, ring: RingId, members: &[String]) {
        self.members.insert(ring, members.iter().cloned().collect());
        while self.members.len() > VIEWS {
            self.members.pop_first();
        }
    }

    /// Whether a view has this member.
    pub(super) fn has(&self, ring: RingId, name: &str) -> bool {
        self.members.get(&ring).is_some_and(|members| members.contains(name))
    }

    /// How many members a view has.
    pub(super) fn members(&self, ring: RingId) -> usize {
        self.members.get(&ring).map_or(0, BTreeSet::len)
    }

    /// Two of these views that have no common member. A view that others are just leaving for the next one shares
    /// members with it: what those still believe who have not noticed can have no effect, because no safe message is
    /// delivered without all.
    fn without_common_member(&self, rings: &[RingId]) -> Option<(RingId, RingId)> {
        for (index, a) in rings.iter().enumerate() {
            for b in rings.iter().skip(index + 1) {
                let (first, second) = (self.members.get(a)?, self.members.get(b)?);
                if first.is_disjoint(second) {
                    return Some((*a, *b));
                }
            }
        }
        None
    }

    pub(super) fn check(
        &mut self,
        hosts: &BTreeMap<u32, Host>,
        executed: &mut BTreeMap<&'static str, u64>,
        split: &mut bool,
    ) -> Result<(), Violation> {
        let mut quorate: BTreeMap<RingId, u32> = BTreeMap::new();
        for host in hosts.values() {
            let Some((standing, _)) = host.seen else { continue };
            let (true, Some(ring)) = (standing.takes_part(), standing.ring) else { continue };
            let &mut (first, dc) = self.views.entry(ring).or_insert((host.id, standing.dc));
            if first != host.id {
                count(executed, "P-9");
            }
            if dc != standing.dc {
                let text = format!("in ring {ring} node{first} follows {dc:?} and node{} {:?}", host.id, standing.dc);
                return Err(Violation::new("P-9", text));
            }
            if standing.quorate && !host.paused {
                quorate.insert(ring, host.id);
            }
        }
        while self.views.len() > VIEWS {
            self.views.pop_first();
        }
        count(executed, "Q-1");
        if quorate.len() > 1 {
            *split = true;
            let rings: Vec<RingId> = quorate.keys().copied().collect();
            if hosts.len() > 2
                && let Some(apart) = self.without_common_member(&rings)
            {
                return Err(Violation::new("Q-1", format!("{apart:?} are quorate at once")));
            }
        }
        Ok(())
    }
}
