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
pub(crate) fn build(cluster: &Reading<'_>) -> ClusterView {
    let mut view = ClusterView {
        nodes: cluster.node_order.iter().map(|node| self::node(cluster, *node)).collect(),
        resources: cluster
            .top
            .iter()
            .filter(|rsc| !is_internal(cluster, **rsc))
            .map(|rsc| resource(cluster, *rsc))
            .collect(),
        failed: cluster.failed.clone(),
        tickets: cluster
            .tickets
            .iter()
            .map(|(id, ticket)| TicketView { id: id.clone(), granted: ticket.granted, standby: ticket.standby })
            .collect(),
        bans: bans(cluster),
        quorate: cluster.quorate,
        dc: cluster.dc.map(|node| cluster.node_name(node).to_owned()),
        no_quorum_policy: cluster.options.no_quorum_name().to_owned(),
        fencing_enabled: cluster.options.fencing,
        maintenance_mode: cluster.options.maintenance,
        stop_all_resources: cluster.options.stop_all,
        health_in_force: cluster.options.health != HealthStrategy::None,
        ..ClusterView::default()
    };
    for rsc in cluster.top.iter().flat_map(|rsc| cluster.primitives(*rsc)) {
        let removed = cluster.rsc[rsc].is.removed && cluster.rsc[rsc].active.is_empty();
        if removed {
            continue;
        }
        view.instances += 1;
        view.disabled += usize::from(target_role(cluster, rsc) == Some(Role::Stopped));
        view.blocked += usize::from(cluster.rsc[rsc].is.blocked);
    }
    view
}

/// A connection that was made for a guest and that nobody configured.
fn is_internal(cluster: &Reading<'_>, rsc: RscIdx) -> bool {
    cluster.rsc[rsc].meta.get("internal").is_some_and(|text| text == "true")
}

fn names(cluster: &Reading<'_>, nodes: &[NodeIdx]) -> Vec<String> {
    nodes.iter().map(|node| cluster.node_name(*node).to_owned()).collect()
}

fn node(cluster: &Reading<'_>, idx: NodeIdx) -> NodeView {
    let node = &cluster.nodes[idx];
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
        health: health::of(cluster, idx),
        attributes: node
            .attributes
            .iter()
            .filter(|(name, _)| {
                !name.starts_with('#') && !name.starts_with("fail-count-") && !name.starts_with("last-failure-")
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        utilization: node.capacity.clone(),
        running: node.running.iter().map(|rsc| displayed_name(cluster, *rsc)).collect(),
        container: cluster.container_of(idx).map(|container| cluster.rsc[container].id.clone()),
        seen: node.seen,
    }
}

/// The id as people see it: without number for an instance of an anonymous clone.
fn displayed_name(cluster: &Reading<'_>, rsc: RscIdx) -> String {
    let id = &cluster.rsc[rsc].id;
    if cluster.rsc[rsc].is_primitive() && cluster.anonymous_clone(rsc).is_some() {
        base_name(id).to_owned()
    } else {
        id.clone()
    }
}

/// `target-role` as far as it restricts.
pub(crate) fn target_role(cluster: &Known<'_>, rsc: RscIdx) -> Option<Role> {
    let resource = &cluster.rsc[rsc];
    let promotable = cluster.rsc[cluster.top(rsc, false)].is.promotable;
    let text = resource.meta.get("target-role").map(String::as_str);
    match config::target_role(text, promotable) {
        role @ (Role::Stopped | Role::Unpromoted) => Some(role),
        _ => None,
    }
}

fn resource(cluster: &Reading<'_>, rsc: RscIdx) -> ResourceView {
    let entry = &cluster.rsc[rsc];
    let children: Vec<ResourceView> = if entry.is_bundle() {
        Vec::new()
    } else {
        entry.children.iter().map(|child| resource(cluster, *child)).collect()
    };
    let probe_failures = if children.is_empty() {
        entry.probe_failures.iter().map(|(node, words)| (cluster.node_name(*node).to_owned(), words.clone())).collect()
    } else {
        children.iter().flat_map(|child| child.probe_failures.clone()).collect()
    };
    ResourceView {
        id: entry.id.clone(),
        name: displayed_name(cluster, rsc),
        history_name: entry.history_id.clone(),
        kind: kind(cluster, rsc),
        role: cluster.role(rsc),
        nodes: names(cluster, &entry.active),
        children,
        flags: flags(cluster, rsc),
        target_role: target_role(cluster, rsc),
        pending: entry.pending.as_ref().map(|(task, node)| (task.clone(), cluster.node_name(*node).to_owned())),
        locked_to: lock(cluster, rsc),
        probe_failures,
        fail_counts: fail_counts(cluster, rsc),
        operations: operations(cluster, rsc),
        meta: entry.meta.clone(),
        migration_threshold: (entry.ban_after < INFINITY).then_some(entry.ban_after),
    }
}

/// The node that a stopped resource is locked to.
fn lock(cluster: &Reading<'_>, rsc: RscIdx) -> Option<String> {
    let (node, since) = cluster.rsc[rsc].lock?;
    let limit = i64::try_from(cluster.options.shutdown_lock_limit_ms / 1000).unwrap_or(i64::MAX);
    (limit == 0 || cluster.now <= since.saturating_add(limit)).then(|| cluster.node_name(node).to_owned())
}

fn kind(cluster: &Reading<'_>, rsc: RscIdx) -> ResourceKind {
    match &cluster.rsc[rsc].variant {
        Variant::Primitive => ResourceKind::Primitive { agent: Agent::clone(&cluster.rsc[rsc].blocks.agent) },
        Variant::Group { .. } => ResourceKind::Group,
        Variant::Clone(data) => ResourceKind::Clone {
            child: data.child_id.clone(),
            clone_max: data.max,
            clone_node_max: data.node_max,
            promoted_max: data.promoted_max,
            allowed: allowed(cluster, rsc),
        },
        Variant::Bundle(data) => {
            let part = |part: Option<RscIdx>| part.map(|part| Box::new(resource(cluster, part)));
            let replicas = data.replicas.iter().map(|replica| ReplicaView {
                offset: replica.offset,
                container: Box::new(resource(cluster, replica.container)),
                ip: part(replica.ip),
                remote: part(replica.remote),
                child: part(replica.child),
                node: replica.node.map(|node| cluster.node_name(node).to_owned()),
                address: replica.address.clone(),
            });
            ResourceKind::Bundle { image: data.image.clone(), replicas: replicas.collect() }
        }
    }
}

/// Nodes that a list of stopped instances names: allowed ones, or those known if none are allowed; up, of course.
fn allowed(cluster: &Reading<'_>, rsc: RscIdx) -> Vec<String> {
    let entry = &cluster.rsc[rsc];
    let mut nodes: Vec<NodeIdx> = cluster.scores.of(rsc).nodes().collect();
    if nodes.is_empty() {
        nodes.clone_from(&entry.known);
    }
    let mut names = names(cluster, &nodes);
    names.sort_by(|a, b| compare_names(a, b));
    names
}

fn flags(cluster: &Reading<'_>, rsc: RscIdx) -> ResourceFlags {
    let entry = &cluster.rsc[rsc];
    let lost = |node: NodeIdx| cluster.nodes[node].unclean && !cluster.nodes[node].online;
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
        promotable: cluster.rsc[cluster.top(rsc, false)].is.promotable,
        unclean: entry.is_primitive() && place.is_some_and(lost),
        active: cluster.is_active(rsc, false),
        fully_active: cluster.is_active(rsc, true),
    }
}

fn fail_counts(cluster: &Reading<'_>, rsc: RscIdx) -> Vec<(String, i32, Option<i64>)> {
    if !cluster.rsc[rsc].is_primitive() {
        return Vec::new();
    }
    let mut counts = Vec::new();
    for node in &cluster.node_order {
        let (failures, last) = failcount::recorded(cluster, rsc, *node);
        if failures > 0 {
            counts.push((cluster.node_name(*node).to_owned(), failures, (last > 0).then_some(last)));
        }
    }
    counts
}

fn operations(cluster: &Reading<'_>, rsc: RscIdx) -> Vec<crate::view::OperationView> {
    let mut nodes: Vec<NodeIdx> = cluster.rsc[rsc].histories.iter().map(|(node, _)| *node).collect();
    nodes.dedup();
    let mut found = Vec::new();
    for node in nodes {
        for op in cluster.history(rsc, node).into_iter().flat_map(|entry| &entry.ops) {
            found.push(operation_view(op, cluster.node_name(node)));
        }
    }
    found
}

/// Location constraints that forbid a node, as configured.
fn bans(cluster: &Reading<'_>) -> Vec<Ban> {
    let mut bans = Vec::new();
    for constraint in &cluster.cib.configuration.constraints {
        let Constraint::Location(location) = constraint else { continue };
        let (LocationSubject::Resource(rsc), LocationTarget::Node { node, score }) =
            (&location.subject, &location.target)
        else {
            continue;
        };
        let score = score.as_deref().map_or(0, |score| cluster.options.score(score));
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
