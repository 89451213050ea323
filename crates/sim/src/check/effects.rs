//! P-10 and P-6: an agent starts something only while its node is quorate (or told not to care), and never what already
//! runs on another member of its view. AGENT-1: one agent at a time is run for a resource on a node.

use std::collections::BTreeMap;

use hac_node::Invocation;

use super::{Violation, count, once};
use crate::cluster::Host;
use crate::reality::Reality;

/// Looks at an agent that is about to be run.
pub(super) fn check(
    id: u32,
    invocation: &Invocation,
    hosts: &BTreeMap<u32, Host>,
    reality: &Reality,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Result<(), Violation> {
    let Some(host) = hosts.get(&id) else { return Ok(()) };
    count(executed, "AGENT-1");
    let mut runs = host.invocations.values().chain(host.orphans.values()).map(|run| &run.invocation);
    let other = runs.find(|running| running.resource == invocation.resource);
    if let Some(running) = other {
        let (resource, action) = (&invocation.resource, &invocation.action);
        let text = format!("node{id} runs {resource} {action} while {} is running", running.action);
        return Err(Violation::new("AGENT-1", text));
    }
    if invocation.action != "start" {
        return Ok(());
    }
    let Some(node) = &host.node else { return Ok(()) };
    let standing = node.standing();
    count(executed, "P-10");
    let ignores = node.cib().configuration.property("no-quorum-policy") == Some("ignore");
    if !standing.quorate && !ignores {
        let text = format!("node{id} starts {} without quorum", invocation.resource);
        return Err(Violation::new("P-10", text));
    }
    let single = once::singles(&node.cib().configuration).any(|id| id == invocation.resource);
    if !single || !standing.takes_part() {
        return Ok(());
    }
    count(executed, "P-6");
    for other in reality.places(&invocation.resource) {
        let member = hosts.get(&other).and_then(|host| host.node.as_ref()).is_some_and(|node| {
            let other = node.standing();
            other.takes_part() && other.ring == standing.ring
        });
        if other != id && member {
            let resource = &invocation.resource;
            let text = format!("node{id} starts {resource} while it runs on node{other} of the same view");
            return Err(Violation::new("P-6", text));
        }
    }
    Ok(())
}
