//! ONCE: what may run on one node alone runs on one node alone, in reality, while all hosts are one quorate membership in
//! which nothing is in progress, unless the cluster itself says that it is active twice. Where an agent is at work on it (a
//! stop that a coordinator ordered and did not live to see the end of), nobody can know before that has ended, and all the
//! cluster says is that it is at work. AGENT-4: no agent of an earlier
//! life of a daemon runs while that daemon takes part.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_model::{Configuration, Resource, Version};
use hac_types::RingId;

use super::{Violation, count};
use crate::cluster::{Host, World};

/// Ids of the primitives that are on one node at a time: those in no clone.
pub(super) fn singles(configuration: &Configuration) -> impl Iterator<Item = &str> {
    configuration.resources.iter().flat_map(|resource| match resource {
        Resource::Primitive(primitive) => vec![primitive.id.as_str()],
        Resource::Group(group) => group.members.iter().map(|member| member.id.as_str()).collect(),
        Resource::Clone(_) | Resource::Bundle(_) | Resource::Template(_) => Vec::new(),
    })
}

/// How long nothing must have been in progress: what is cleaned up is unknown until it has been looked at again.
pub const REST: Duration = Duration::from_secs(1);

/// No agent of an earlier life runs where the daemon takes part.
pub(super) fn orphans(
    hosts: &BTreeMap<u32, Host>,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Result<(), Violation> {
    count(executed, "AGENT-4");
    for host in hosts.values() {
        let takes_part = host.seen.is_some_and(|(standing, _)| standing.takes_part());
        if takes_part && let Some(run) = host.orphans.values().next() {
            let (resource, action) = (&run.invocation.resource, &run.invocation.action);
            let text = format!("node{} takes part while {resource} {action} of its earlier life runs", host.id);
            return Err(Violation::new("AGENT-4", text));
        }
    }
    Ok(())
}

/// The ring and the state of all hosts, if they are one quorate membership in which nothing is in progress.
pub(crate) fn rest(hosts: &BTreeMap<u32, Host>) -> Option<(RingId, Version)> {
    let at_rest = |host: &Host| {
        let (standing, version) = host.seen?;
        let ring = standing.ring.filter(|_| standing.takes_part() && standing.quorate && standing.settled);
        ring.filter(|_| !host.paused).map(|ring| (ring, version))
    };
    let first = at_rest(hosts.values().next()?)?;
    hosts.values().all(|host| at_rest(host) == Some(first)).then_some(first)
}

/// Looks at what really runs, after a [`REST`].
pub(crate) fn check(world: &mut World) -> Option<Violation> {
    count(&mut world.checks.executed, "ONCE");
    let host = world.hosts.values().next()?;
    let cib = host.node.as_ref()?.cib();
    let at_work = |id: &str| {
        let mut runs = world.hosts.values().flat_map(|host| host.invocations.values().map(|run| &run.invocation));
        runs.any(|run| run.resource == id && run.interval_ms == 0) || world.powers.devices.contains_key(id)
    };
    for resource in singles(&cib.configuration).filter(|id| !at_work(id)) {
        let places = world.reality.places(resource);
        if places.len() > 1 {
            let view = hac_scheduler::view(cib, world.time_at(host.id).wall);
            let known = view.nodes.iter().filter(|node| node.running.iter().any(|name| name == resource)).count();
            if known < places.len() {
                let text = format!("{resource} runs on {places:?}, and the cluster knows of {known} of them");
                return Some(Violation::new("ONCE", text));
            }
        }
    }
    None
}
