//! P-9: all members of an active view name the same coordinator. Q-8: and judge alike about quorum. Q-1: and two views
//! without a common member are never quorate at once, unless the cluster has two nodes, for which `two_node` permits it.

use std::collections::BTreeMap;

use hac_node::SyncState;
use hac_types::{Member, RingId};

use super::{Violation, count};
use crate::cluster::Host;

/// Views that are remembered.
const VIEWS: usize = 64;

/// See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub(super) struct OneCoordinator {
    views: BTreeMap<RingId, (u32, Option<Member>)>,
}

impl OneCoordinator {
    pub(super) fn check(
        &mut self,
        hosts: &BTreeMap<u32, Host>,
        executed: &mut BTreeMap<&'static str, u64>,
        split: &mut bool,
    ) -> Result<(), Violation> {
        let mut quorate: BTreeMap<RingId, u32> = BTreeMap::new();
        for host in hosts.values() {
            let Some(node) = &host.node else { continue };
            let standing = node.standing();
            let (SyncState::Active, Some(ring)) = (standing.sync, standing.ring) else { continue };
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
            if hosts.len() > 2 && !is_one_breaking_up(hosts, &quorate) {
                let text = format!("{quorate:?} are quorate at once");
                return Err(Violation::new("Q-1", text));
            }
        }
        Ok(())
    }
}

/// Whether the older of two quorate views only has members that have not noticed yet that a majority went on without
/// them: what they still believe can have no effect, because no safe message is delivered among them any more.
fn is_one_breaking_up(hosts: &BTreeMap<u32, Host>, quorate: &BTreeMap<RingId, u32>) -> bool {
    let Some((newest, _)) = quorate.last_key_value() else { return true };
    let majority = hosts.len() / 2 + 1;
    let gone_on =
        hosts.values().filter(|host| host.node.as_ref().is_some_and(|node| node.standing().ring == Some(*newest)));
    gone_on.count() >= majority
}
