//! P-10 and P-6: an agent starts something only while its node is quorate (or told not to care), and never what already
//! runs on another member of its view (what was in a clone when its coordinator decided may be alone when the order arrives;
//! the next decision sees to that). AGENT-1: one agent at a time is run for a resource on a node. AGENT-5: nothing is
//! started in a view that members of it have long left, and act without this node.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_node::{Invocation, Standing, SyncState};
use hac_types::Timestamp;

use super::coordinator::OneCoordinator;
use super::{Violation, count, once};
use crate::cluster::Host;
use crate::reality::Reality;

/// Looks at an agent that is about to be run.
pub(super) fn check(
    id: u32,
    (invocation, was_single): (&Invocation, bool),
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
    let standing = when_it_decided(host, node.standing());
    count(executed, "P-10");
    let ignores = node.cib().configuration.property("no-quorum-policy") == Some("ignore");
    if !standing.quorate && !ignores {
        let text = format!("node{id} starts {} without quorum", invocation.resource);
        return Err(Violation::new("P-10", text));
    }
    // A fence device has nothing that runs.
    let single = once::singles(&node.cib().configuration).any(|id| id == invocation.resource)
        && !invocation.agent.is_fence_device();
    if !single || !was_single || !standing.takes_part() {
        return Ok(());
    }
    count(executed, "P-6");
    for other in reality.places(&invocation.resource) {
        // Who was told that it was fenced is taken for down, and is about to go: a device lied of it (FENCE-3).
        let counted = hosts.get(&other).filter(|host| !host.learned);
        let member = counted.and_then(|host| host.node.as_ref()).is_some_and(|node| {
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

/// How the node stood when it decided to run the agent: what it is now, but if it has left in the same step since, what
/// it was before that step.
fn when_it_decided(host: &Host, now: Standing) -> Standing {
    let before = host.seen.map(|(standing, _)| standing);
    before.filter(|_| now.sync == SyncState::Stopped).unwrap_or(now)
}

/// In this time a node knows that others go on without it, if only because no token comes.
fn notice(nodes: usize) -> Duration {
    hac_totem::Timers::default().token_for(nodes) * 2
}

/// Looks at something that is about to be started.
pub(super) fn in_the_past(
    id: u32,
    invocation: &Invocation,
    (hosts, views): (&BTreeMap<u32, Host>, &OneCoordinator),
    now: Timestamp,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Result<(), Violation> {
    let Some(host) = hosts.get(&id).filter(|_| invocation.action == "start") else { return Ok(()) };
    let Some(mine) = host.node.as_ref().and_then(|node| node.standing().ring) else { return Ok(()) };
    count(executed, "AGENT-5");
    let without_me = hosts.values().find(|other| {
        let Some((ring, since)) = other.acts_since.filter(|_| views.has(mine, &other.name())) else { return false };
        ring.seq > mine.seq && !views.has(ring, &host.name()) && now.since(since) > notice(hosts.len())
    });
    let Some((ring, since)) = without_me.and_then(|other| other.acts_since) else { return Ok(()) };
    let (resource, millis) = (&invocation.resource, now.since(since).as_millis());
    let text =
        format!("node{id} starts {resource} in ring {mine}, and ring {ring} has acted without it for {millis} ms");
    Err(Violation::new("AGENT-5", text))
}
