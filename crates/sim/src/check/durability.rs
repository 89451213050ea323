//! P-3: a change of the configuration that was acknowledged is there at the end, whatever crashed in between. Where two
//! sides of a two-node cluster changed their configurations at once, one of them loses, as the manual says.

use hac_crm::cib::Change;
use hac_node::{Reply, Request};

use super::{Violation, count};
use crate::cluster::World;

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
