//! P-3: a change of the configuration that was acknowledged is there at the end, whatever crashed in between. Where two
//! sides of a two-node cluster changed their configurations at once, one of them loses, as the manual says.
//!
//! For that, a change counts only when enough members of the view have it on their disks (a quorum, or in a view that has
//! not so many members most of it), and is acknowledged without a warning only when it counts on the disk of the node that was asked.

use std::collections::BTreeMap;

use hac_crm::cib::{Change, Configure};
use hac_node::{Reply, Request, RequestId};
use hac_types::RingId;

use super::{Violation, count};
use crate::cluster::{Asked, Host, World};

/// Looks at the disks when a node says that a change counts.
pub(super) fn counts(
    id: u32,
    hosts: &BTreeMap<u32, Host>,
    members: impl Fn(RingId) -> usize,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Option<Violation> {
    let node = hosts.get(&id)?.node.as_ref()?;
    let properties = node.cib().configuration.crm_config.iter().flat_map(|set| &set.pairs);
    let names: Vec<String> = properties.map(|pair| pair.name.clone()).collect();
    let standing = node.standing();
    // Where somebody is in another view by now, it has dropped what did not count in this one.
    let here = |host: &&Host| {
        let theirs = host.node.as_ref().map(hac_node::Node::standing);
        theirs.is_some_and(|theirs| theirs.takes_part() && theirs.ring == standing.ring)
    };
    let present = hosts.values().filter(here).count();
    if present == 0 || standing.ring.is_none_or(|ring| members(ring) != present) {
        return None;
    }
    let stored = hosts.values().filter(here).filter(|host| host.disk.holds(&names)).count();
    let quorum = if hosts.len() == 2 { 1 } else { hosts.len() / 2 + 1 };
    let needed = if present < quorum { present / 2 + 1 } else { quorum };
    count(executed, "P-3");
    (stored < needed).then(|| {
        let lacks = |host: &&Host| !host.disk.holds(&names);
        let without: Vec<String> = hosts.values().filter(here).filter(lacks).map(Host::name).collect();
        let text = format!(
            "node{id} says that a change counts, which {stored} of {present} have stored, not {needed}: {} lack it",
            without.join(", ")
        );
        Violation::new("P-3", text)
    })
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

/// Names of the properties that acknowledged changes have set.
pub(super) fn acknowledged(asked: &BTreeMap<(u32, u64, RequestId), Asked>) -> Vec<String> {
    let done = asked.values().filter(|asked| matches!(asked.replies.first(), Some(Reply::Done { .. })));
    changed(done.map(|asked| &asked.request))
}

/// Names of the properties that these requests set.
pub(super) fn changed<'a>(requests: impl Iterator<Item = &'a Request>) -> Vec<String> {
    let changes = requests.filter_map(|request| match request {
        Request::Configure(configure) => Some(&configure.changes),
        _ => None,
    });
    let pairs = changes.flatten().filter_map(|change| match change {
        Change::SetProperties { pairs, .. } => Some(pairs),
        _ => None,
    });
    pairs.flatten().filter(|(_, value)| value.is_some()).map(|(name, _)| name.clone()).collect()
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
