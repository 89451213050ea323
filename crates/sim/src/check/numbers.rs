//! NUMBER: a node takes part in a ring with others only when its number is on the disk, or has said that it is not; and
//! when disks are well it is there.

use std::collections::BTreeMap;

use hac_node::Event;

use super::{Violation, count};
use crate::cluster::{Host, World};

/// What a node says of a number that is not on its disk, in its beginning.
const WORDS: &str = "the ring's number could not be stored";

/// A node says something.
pub(crate) fn heard(host: &mut Host, event: &Event, executed: &mut BTreeMap<&'static str, u64>) -> Option<Violation> {
    match event {
        Event::Remark { text, .. } if text.starts_with(WORDS) => host.number_trouble = true,
        Event::View { ring, members, .. } if members.len() > 1 => {
            count(executed, "NUMBER");
            if ring.seq > host.disk.ring_seq && !host.number_trouble {
                let (id, has) = (host.id, host.disk.ring_seq);
                let text = format!("node{id} is in ring {ring}, and its disk has {has} and not {}", ring.seq);
                return Some(Violation::new("NUMBER", text));
            }
        }
        _ => {}
    }
    None
}

/// After the calm phase.
pub(super) fn at_the_end(world: &mut World) -> Result<(), Violation> {
    for host in world.hosts.values().filter(|host| host.node.is_some()) {
        count(&mut world.checks.executed, "NUMBER");
        let (id, has, asked) = (host.id, host.disk.ring_seq, host.number_asked);
        if has < asked {
            let text = format!("the disk of node{id} is well and has {has}, and {asked} was to be stored");
            return Err(Violation::new("NUMBER", text));
        }
    }
    Ok(())
}
