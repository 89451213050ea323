//! Makes the view from the working data, right after the status was read.

use crate::constraints::health;
use crate::facts::{Kind, Variant};
use crate::ids::{NodeIdx, RscIdx};
use crate::known::Known;
use crate::names::{base_name, compare_names};
use crate::options::HealthStrategy;
use crate::reading::Reading;
use crate::reading::config;
use crate::reading::status::failcount;
use crate::reading::status::operation_view;
use hac_model::{Agent, Constraint, INFINITY, LocationSubject, LocationTarget};

use crate::view::{
    Ban, ClusterView, NodeKind, NodeView, ReplicaView, ResourceFlags, ResourceKind, ResourceView, Role, TicketView,
};

/// How things stand in `cluster`.
pub(crate) fn build(reading: &Reading<'_>) -> ClusterView {
    let mut view = ClusterView {
        nodes: reading.node_order.iter().map(|node| self::node(reading, *node)).collect(),
        resources: reading
            .top
            .iter()
            .filter(|rsc| !is_internal(reading, **rsc))
            .map(|rsc| resource(reading, *rsc))
            .collect(),
        failed: reading.failed.clone(),
        tickets: reading
            .tickets
            .iter()
            .map(|(id, ticket)| TicketView { id: id.clone(), granted: ticket.granted, standby: ticket.standby })
            .collect(),
        bans: bans(reading),
        quorate: reading.quorate,
        dc: reading.dc.map(|node| reading.node_name(node).to_owned()),
        no_quorum_policy: reading.options.no_quorum_name().to_owned(),
        fencing_enabled: reading.options.fencing,
        maintenance_mode: reading.options.maintenance,
        stop_all_resources: reading.options.stop_all,
        health_in_force: reading.options.health != HealthStrategy::None,
        ..ClusterView::default()
    };
    for rsc in reading.top.iter().flat_map(|rsc| reading.primitives(*rsc)) {
        let removed = reading.rsc[rsc].is.removed && reading.rsc[rsc].active.is_empty();
        if removed {
            continue;
        }
        view.instances += 1;
        view.disabled += usize::from(target_role(reading, rsc) == Some(Role::Stopped));
        view.blocked += usize::from(reading.rsc[rsc].is.blocked);
    }
    view
}

/// A connection that was made for a guest and that nobody configured.
fn is_internal(reading: &Reading<'_>, rsc: RscIdx) -> bool {
    reading.rsc[rsc].meta.get("internal").is_some_and(|text| text == "true")
}

fn names(reading: &Reading<'_>, nodes: &[NodeIdx]) -> Vec<String> {
    nodes.iter().map(|node| reading.node_name(*node).to_owned()).collect()
}

fn node(reading: &Reading<'_>, idx: NodeIdx) -> NodeView {
    let node = &reading.nodes[idx];
    NodeView {
        name: node.name.clone(),
        id: node.id.clone(),
        kind: match node.kind {
            Kind::Member => NodeKind::Member,
            Kind::Remote => NodeKind::Remote,
            Kind::Guest | Kind::Bundle => NodeKind::Guest,
        },
        online: node.online,
        unclean: node.unclean,
        pending: node.pending,
        standby: node.standby,
        standby_on_fail: node.fail_standby,
        maintenance: node.maintenance,
        shutdown: node.shutdown,
        expected_up: node.expected_up,
        is_dc: node.is_dc,
        health: health::of(reading, idx),
        attributes: node
            .attributes
            .iter()
            .filter(|(name, _)| {
                !name.starts_with('#') && !name.starts_with("fail-count-") && !name.starts_with("last-failure-")
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        utilization: node.capacity.clone(),
        running: node.running.iter().map(|rsc| displayed_name(reading, *rsc)).collect(),
        container: reading.container_of(idx).map(|container| reading.rsc[container].id.clone()),
        seen: node.seen,
    }
}

/// The id as people see it: without number for an instance of an anonymous clone.
fn displayed_name(reading: &Reading<'_>, rsc: RscIdx) -> String {
    let id = &reading.rsc[rsc].id;
    if reading.rsc[rsc].is_primitive() && reading.anonymous_clone(rsc).is_some() {
        base_name(id).to_owned()
    } else {
        id.clone()
    }
}

/// `target-role` as far as it restricts.
pub(crate) fn target_role(known: &Known<'_>, rsc: RscIdx) -> Option<Role> {
    let resource = &known.rsc[rsc];
    let promotable = known.rsc[known.top(rsc, false)].is.promotable;
    let text = resource.meta.get("target-role").map(String::as_str);
    match config::target_role(text, promotable) {
        role @ (Role::Stopped | Role::Unpromoted) => Some(role),
        _ => None,
    }
}

fn resource(reading: &Reading<'_>, rsc: RscIdx) -> ResourceView {
    let entry = &reading.rsc[rsc];
    let children: Vec<ResourceView> = if entry.is_bundle() {
        Vec::new()
    } else {
        entry.children.iter().map(|child| resource(reading, *child)).collect()
    };
    let probe_failures = if children.is_empty() {
        entry.probe_failures.iter().map(|(node, words)| (reading.node_name(*node).to_owned(), words.clone())).collect()
    } else {
        children.iter().flat_map(|child| child.probe_failures.clone()).collect()
    };
    ResourceView {
        id: entry.id.clone(),
        name: displayed_name(reading, rsc),
        history_name: entry.history_id.clone(),
        kind: kind(reading, rsc),
        role: reading.role(rsc),
        nodes: names(reading, &entry.active),
        children,
        flags: flags(reading, rsc),
        target_role: target_role(reading, rsc),
        pending: entry.pending.as_ref().map(|(task, node)| (task.clone(), reading.node_name(*node).to_owned())),
        locked_to: lock(reading, rsc),
        probe_failures,
        fail_counts: fail_counts(reading, rsc),
        operations: operations(reading, rsc),
        meta: entry.meta.clone(),
        migration_threshold: (entry.ban_after < INFINITY).then_some(entry.ban_after),
    }
}

/// The node that a stopped resource is locked to.
fn lock(reading: &Reading<'_>, rsc: RscIdx) -> Option<String> {
    let (node, since) = reading.rsc[rsc].lock?;
    let limit = i64::try_from(reading.options.shutdown_lock_limit_ms / 1000).unwrap_or(i64::MAX);
    (limit == 0 || reading.now <= since.saturating_add(limit)).then(|| reading.node_name(node).to_owned())
}

fn kind(reading: &Reading<'_>, rsc: RscIdx) -> ResourceKind {
    match &reading.rsc[rsc].variant {
        Variant::Primitive => ResourceKind::Primitive { agent: Agent::clone(&reading.rsc[rsc].blocks.agent) },
        Variant::Group { .. } => ResourceKind::Group,
        Variant::Clone(data) => ResourceKind::Clone {
            child: data.child_id.clone(),
            clone_max: data.max,
            clone_node_max: data.node_max,
            promoted_max: data.promoted_max,
            allowed: allowed(reading, rsc),
        },
        Variant::Bundle(data) => {
            let part = |part: Option<RscIdx>| part.map(|part| Box::new(resource(reading, part)));
            let replicas = data.replicas.iter().map(|replica| ReplicaView {
                offset: replica.offset,
                container: Box::new(resource(reading, replica.container)),
                ip: part(replica.ip),
                remote: part(replica.remote),
                child: part(replica.child),
                node: replica.node.map(|node| reading.node_name(node).to_owned()),
                address: replica.address.clone(),
            });
            ResourceKind::Bundle { image: data.image.clone(), replicas: replicas.collect() }
        }
    }
}

/// Nodes that a list of stopped instances names: allowed ones, or those known if none are allowed; up, of course.
fn allowed(reading: &Reading<'_>, rsc: RscIdx) -> Vec<String> {
    let entry = &reading.rsc[rsc];
    let mut nodes: Vec<NodeIdx> = reading.scores.of(rsc).nodes().collect();
    if nodes.is_empty() {
        nodes.clone_from(&entry.known);
    }
    let mut names = names(reading, &nodes);
    names.sort_by(|a, b| compare_names(a, b));
    names
}

fn flags(reading: &Reading<'_>, rsc: RscIdx) -> ResourceFlags {
    let entry = &reading.rsc[rsc];
    let lost = |node: NodeIdx| reading.nodes[node].unclean && !reading.nodes[node].online;
    // Where it is, or else where something is under way.
    let place = match entry.active[..] {
        [] => entry.pending.as_ref().map(|(_, node)| *node),
        [node] => Some(node),
        _ => None,
    };
    ResourceFlags {
        removed: entry.is.removed,
        managed: entry.is.managed,
        maintenance: entry.is.maintenance,
        blocked: entry.is.blocked,
        failed: entry.is.failed,
        failure_ignored: entry.is.failure_ignored,
        unique: entry.is.unique,
        promotable: reading.rsc[reading.top(rsc, false)].is.promotable,
        unclean: entry.is_primitive() && place.is_some_and(lost),
        active: reading.is_active(rsc, false),
        fully_active: reading.is_active(rsc, true),
    }
}

fn fail_counts(reading: &Reading<'_>, rsc: RscIdx) -> Vec<(String, i32, Option<i64>)> {
    if !reading.rsc[rsc].is_primitive() {
        return Vec::new();
    }
    let mut counts = Vec::new();
    for node in &reading.node_order {
        let (failures, last) = failcount::recorded(reading, rsc, *node);
        if failures > 0 {
            counts.push((reading.node_name(*node).to_owned(), failures, (last > 0).then_some(last)));
        }
    }
    counts
}

fn operations(reading: &Reading<'_>, rsc: RscIdx) -> Vec<crate::view::OperationView> {
    let mut nodes: Vec<NodeIdx> = reading.rsc[rsc].histories.iter().map(|(node, _)| *node).collect();
    nodes.dedup();
    let mut found = Vec::new();
    for node in nodes {
        for op in reading.history(rsc, node).into_iter().flat_map(|entry| &entry.ops) {
            found.push(operation_view(op, reading.node_name(node)));
        }
    }
    found
}

/// Location constraints that forbid a node, as configured.
fn bans(reading: &Reading<'_>) -> Vec<Ban> {
    let mut bans = Vec::new();
    for constraint in &reading.cib.configuration.constraints {
        let Constraint::Location(location) = constraint else { continue };
        let (LocationSubject::Resource(rsc), LocationTarget::Node { node, score }) =
            (&location.subject, &location.target)
        else {
            continue;
        };
        let score = score.as_deref().map_or(0, |score| reading.options.score(score));
        if score <= -INFINITY {
            bans.push(Ban {
                id: location.id.clone(),
                resource: rsc.clone(),
                node: node.clone(),
                score,
                promoted_only: location.role.as_deref().and_then(Role::parse) == Some(Role::Promoted),
            });
        }
    }
    bans
}
