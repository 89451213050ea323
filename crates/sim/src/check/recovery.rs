//! LIVE-1 and P-11: when faults have ceased, the nodes are one active, quorate cluster within the calm phase, nothing is
//! in progress, and everything runs where it should. CALM: the plan is empty then, and everything that is configured and
//! could run does: what is single on exactly one node, clones on every one, one instance promoted where one can be.
//! TRUTH: what the cluster believes to run is what really does. KEY-1: all use one key.

use std::collections::BTreeSet;

use hac_scheduler::view::{ResourceKind, ResourceView};
use hac_scheduler::{ClusterView, Role};

use super::{Violation, count, wishes};
use crate::cluster::{Host, World};
use crate::tutorial::{ADDRESS, SERVER};
use crate::workload;

/// Lets time pass until all is well.
pub(super) fn check(world: &mut World) -> Result<(), Violation> {
    let patience = world.options.calm;
    // Who was fenced in the calm boots yet.
    world.run_until(patience, World::all_run)?;
    let settled = world.run_until(patience, World::is_settled)?;
    count(&mut world.checks.executed, "LIVE-1");
    if !settled {
        return Err(Violation::new(
            "LIVE-1",
            format!("not settled after {} s: {}", patience.as_secs(), world.standings()),
        ));
    }
    count(&mut world.checks.executed, "P-11");
    let addresses = world.reality.places(ADDRESS);
    let servers = world.reality.places(SERVER);
    if addresses.len() != 1 || servers.len() != world.hosts.len() {
        let text = format!("{ADDRESS} runs on {addresses:?}, {SERVER} on {servers:?}; {}", world.standings());
        return Err(Violation::new("P-11", text));
    }
    nothing_left_to_do(world)?;
    if let Some(violation) = wishes::check(world) {
        return Err(violation);
    }
    one_key(world)
}

/// Looks at the plan, at what the cluster believes, and at what is so.
fn nothing_left_to_do(world: &mut World) -> Result<(), Violation> {
    let Some(host) = world.hosts.values().next() else { return Ok(()) };
    let Some(node) = &host.node else { return Ok(()) };
    let outcome = hac_scheduler::run(node.cib(), world.time_at(host.id).wall);
    count(&mut world.checks.executed, "CALM");
    if let Some(action) = outcome.plan.actions.first() {
        let (all, key) = (outcome.plan.actions.len(), &action.key);
        return Err(Violation::new("CALM", format!("nothing is in progress, but {all} actions are wanted: {key} …")));
    }
    count(&mut world.checks.executed, "TRUTH");
    for host in world.hosts.values() {
        let really: BTreeSet<&str> =
            world.reality.running().filter(|(at, _)| *at == host.id).map(|(_, r)| r.as_str()).collect();
        let believed = believed(&outcome.view, &host.name());
        // What was deleted while its node was away may run on there: nobody has told the node of it since.
        let unknown = really.difference(&believed).find(|resource| is_configured(&outcome.view, resource));
        if let Some(odd) = unknown.or_else(|| believed.difference(&really).next()) {
            let text = format!("{odd} on node{}: really {really:?}, the cluster believes {believed:?}", host.id);
            return Err(Violation::new("TRUTH", text));
        }
    }
    for resource in &outcome.view.resources {
        let (many, what) = (&mut world.checks.sometimes, &resource.kind);
        let name = match what {
            ResourceKind::Primitive { .. } if resource.flags.removed => "what was deleted was left behind",
            ResourceKind::Primitive { .. } => "a resource ran",
            ResourceKind::Group => "a group ran",
            ResourceKind::Clone { .. } if resource.role == Role::Promoted => "an instance was promoted",
            ResourceKind::Clone { .. } => "a clone ran",
            ResourceKind::Bundle { .. } => continue,
        };
        *many.entry(name).or_default() += 1;
    }
    let nodes = world.hosts.len();
    let related = workload::related(&node.cib().configuration);
    let mut free = outcome.view.resources.iter().filter(|resource| !concerns(resource, &related));
    match free.find_map(|resource| idle(resource, nodes)) {
        Some(text) => Err(Violation::new("CALM", text)),
        None => Ok(()),
    }
}

/// Whether one of these is in it: what belongs together, or apart, or behind another, may be unable to run for that.
fn concerns(resource: &ResourceView, related: &BTreeSet<&str>) -> bool {
    related.contains(resource.name.as_str())
        || related.contains(resource.id.as_str())
        || resource.children.iter().any(|child| concerns(child, related))
}

fn believed<'a>(view: &'a ClusterView, node: &str) -> BTreeSet<&'a str> {
    let named = view.nodes.iter().filter(|known| known.name == node);
    named.flat_map(|known| &known.running).map(String::as_str).collect()
}

fn is_configured(view: &ClusterView, name: &str) -> bool {
    fn has(resource: &ResourceView, name: &str) -> bool {
        (resource.name == name && !resource.flags.removed) || resource.children.iter().any(|child| has(child, name))
    }
    view.resources.iter().any(|resource| has(resource, name))
}

/// What is wrong with a resource that could run and does not, or not as often as it could.
fn idle(resource: &ResourceView, nodes: usize) -> Option<String> {
    if resource.flags.removed || resource.target_role == Some(Role::Stopped) {
        return None;
    }
    let id = &resource.id;
    match &resource.kind {
        ResourceKind::Primitive { .. } => {
            let places = resource.nodes.len();
            (places != 1).then(|| format!("{id} could run on one node, and runs on {places}"))
        }
        ResourceKind::Group => resource.children.iter().find_map(|member| idle(member, nodes)),
        ResourceKind::Clone { .. } => {
            let active = resource.children.iter().filter(|instance| instance.flags.fully_active).count();
            let least = if resource.flags.promotable { Role::Unpromoted } else { Role::Started };
            (active != nodes || resource.role < least)
                .then(|| format!("{id} could run on {nodes} nodes, and runs on {active} as {}", resource.role))
        }
        ResourceKind::Bundle { .. } => None,
    }
}

/// Whatever became of rotations.
fn one_key(world: &mut World) -> Result<(), Violation> {
    count(&mut world.checks.executed, "KEY-1");
    let used = |(&id, host): (&u32, &Host)| Some((id, host.node.as_ref()?.report(world.time_at(id)).keys.fingerprint));
    let keys: Vec<(u32, String)> = world.hosts.iter().filter_map(used).collect();
    if keys.windows(2).all(|pair| pair[0].1 == pair[1].1) {
        return Ok(());
    }
    Err(Violation::new("KEY-1", format!("the nodes use different keys: {keys:?}")))
}
