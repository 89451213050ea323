//! LEVEL-2: members of a ring speak at one level, which all of their programs know; and no member has anything in its
//! configuration that the level of the cluster does not have, unless a program with a fault has put it there.

use std::collections::BTreeMap;

use hac_crm::cib::above;
use hac_types::{Level, RingId};

use super::{Violation, count};
use crate::cluster::Host;

/// Looks at all nodes that take part.
pub(super) fn check(hosts: &BTreeMap<u32, Host>, executed: &mut BTreeMap<&'static str, u64>) -> Result<(), Violation> {
    let mut levels: BTreeMap<RingId, (u32, Level)> = BTreeMap::new();
    let careless = hosts.values().any(Host::was_careless);
    for host in hosts.values() {
        let (Some((standing, _)), Some(node)) = (host.seen, &host.node) else { continue };
        let (true, Some(ring)) = (standing.takes_part(), standing.ring) else { continue };
        count(executed, "LEVEL-2");
        let (id, level) = (host.id, standing.level);
        if !host.program.levels.contains(level) {
            let text = format!("node{id} takes part at level {level}, and its program knows {}", host.program.levels);
            return Err(Violation::new("LEVEL-2", text));
        }
        let &mut (first, said) = levels.entry(ring).or_insert((id, level));
        if said != level {
            let text = format!("node{first} speaks at level {said} in ring {ring}, node{id} at {level}");
            return Err(Violation::new("LEVEL-2", text));
        }
        let active = node.level();
        let uses = above(&node.cib().configuration, active.0);
        if !uses.is_empty() && !careless {
            let text = format!("node{id} is at level {active}, and its configuration uses {}", uses.join(", "));
            return Err(Violation::new("LEVEL-2", text));
        }
    }
    Ok(())
}
