//! P-3: a change of the configuration that was acknowledged is there at the end, whatever crashed in between. Where two
//! sides of a two-node cluster changed their configurations at once, one of them loses, as the manual says.
//!
//! For that, a change counts only when every member of the view has it on its disk, and is acknowledged only when it
//! counts on the disk of the node that was asked.

use std::collections::BTreeMap;

use hac_crm::cib::{Change, Configure};
use hac_node::{Reply, Request};

use super::{Violation, count};
use crate::cluster::{Host, World};

/// Looks at the disks when a node says that a change counts.
pub(super) fn counts(
    id: u32,
    hosts: &BTreeMap<u32, Host>,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Option<Violation> {
    let node = hosts.get(&id)?.node.as_ref()?;
    let properties = node.cib().configuration.crm_config.iter().flat_map(|set| &set.pairs);
    let names: Vec<String> = properties.map(|pair| pair.name.clone()).collect();
    let standing = node.standing();
    for host in hosts.values() {
        let theirs = host.node.as_ref().map(hac_node::Node::standing);
        // Who is in another view by now has dropped what did not count in this one.
        if !theirs.is_some_and(|theirs| theirs.takes_part() && theirs.ring == standing.ring) {
            continue;
        }
        count(executed, "P-3");
        if !host.disk.holds(&names) {
            let text = format!("node{id} says that a change counts, which node{} has not stored", host.id);
            return Some(Violation::new("P-3", text));
        }
    }
    None
}

/// Looks at the disk of a node that acknowledged a change.
pub(super) fn said_stored(
    host: &Host,
    configure: &Configure,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Option<Violation> {
    let properties = configure.changes.iter().filter_map(|change| match change {
        Change::SetProperties { pairs, .. } => Some(pairs),
        _ => None,
    });
    let set = properties.flatten().filter(|(_, value)| value.is_some());
    let names: Vec<String> = set.map(|(name, _)| name.clone()).collect();
    count(executed, "P-3");
    let there = host.disk.has_committed(&names);
    (!there).then(|| {
        Violation::new("P-3", format!("node{} acknowledged {names:?}, which do not count on its disk", host.id))
    })
}

/// Looks at all acknowledged changes.
pub(super) fn check(world: &mut World) -> Result<(), Violation> {
    let Some(node) = world.hosts.values().find_map(|host| host.node.as_ref()) else { return Ok(()) };
    for ((host, ..), asked) in &world.asked {
        let Request::Configure(configure) = &asked.request else { continue };
        if !matches!(asked.replies.first(), Some(Reply::Done { .. })) {
            continue;
        }
        for change in &configure.changes {
            let Change::SetProperties { pairs, .. } = change else { continue };
            for (name, value) in pairs {
                count(&mut world.checks.executed, "P-3");
                let there = node.cib().configuration.property(name);
                if there != value.as_deref() && !world.checks.split {
                    let text =
                        format!("node{host} acknowledged {name}={value:?} at {}, and it is {there:?} now", asked.at);
                    return Err(Violation::new("P-3", text));
                }
            }
        }
    }
    Ok(())
}
