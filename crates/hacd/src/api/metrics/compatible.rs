//! The series of `ha_cluster_exporter`, with its names, labels and values, so that boards and alarms made for it go on working.
//! Values of resources and nodes are those that it reads of `crm_mon`. Beyond it, links are filled in
//! (`ha_cluster_corosync_rings`), and groups in clones and what is in bundles are there too.

use hac_api::{MemberState, Status};
use hac_model::{Configuration, Constraint, INFINITY, LocationSubject, LocationTarget, parse_score};
use hac_pacemaker::mon;
use hac_scheduler::view::{ClusterView, NodeKind, ResourceKind, ResourceView};

use super::series::{Page, Series};

static NODES: Series = Series::gauge("ha_cluster_pacemaker_nodes", "Whether a node is in a status, 1 or 0.");
static ATTRIBUTES: Series =
    Series::gauge("ha_cluster_pacemaker_node_attributes", "An attribute of a node that is online; always 1.");
static RESOURCES: Series =
    Series::by_resource("ha_cluster_pacemaker_resources", "Whether a resource is in a status on a node, 1 or 0.");
static STONITH: Series = Series::gauge("ha_cluster_pacemaker_stonith_enabled", "Whether fencing is enabled, 1 or 0.");
static MAINTENANCE: Series = Series::gauge(
    "ha_cluster_pacemaker_maintenance_mode_enabled",
    "Whether the whole cluster is in maintenance, 1 or 0.",
);
static FAIL_COUNT: Series =
    Series::by_resource("ha_cluster_pacemaker_fail_count", "Failures of a resource on a node; +Inf from 1000000 on.");
static THRESHOLD: Series = Series::by_resource(
    "ha_cluster_pacemaker_migration_threshold",
    "Failures on a node after which a resource leaves it; 1000000 if it never does.",
);
static LAST_CHANGE: Series = Series::gauge(
    "ha_cluster_pacemaker_config_last_change",
    "When the configuration was changed last, seconds since 1970.",
);
static LOCATIONS: Series = Series::by_resource(
    "ha_cluster_pacemaker_location_constraints",
    "Score of a location constraint for one node; +Inf and -Inf from 1000000 on.",
);
static QUORATE: Series = Series::gauge("ha_cluster_corosync_quorate", "Whether this partition may act, 1 or 0.");
static RINGS: Series =
    Series::gauge("ha_cluster_corosync_rings", "Whether a link of this node reaches all members, 1 or 0.");
static RING_ERRORS: Series = Series::gauge("ha_cluster_corosync_ring_errors", "Links of this node that do not.");
static MEMBER_VOTES: Series = Series::gauge("ha_cluster_corosync_member_votes", "Votes of a member.");
static VOTES: Series = Series::gauge("ha_cluster_corosync_quorum_votes", "Votes by type.");

/// All of them.
#[cfg(test)]
pub(super) static ALL: [&Series; 14] = [
    &NODES,
    &ATTRIBUTES,
    &RESOURCES,
    &STONITH,
    &MAINTENANCE,
    &FAIL_COUNT,
    &THRESHOLD,
    &LAST_CHANGE,
    &LOCATIONS,
    &QUORATE,
    &RINGS,
    &RING_ERRORS,
    &MEMBER_VOTES,
    &VOTES,
];

/// Adds what the resource manager knows. The coordinator is the one that this node knows: boards take the values of all
/// from the node that says it of itself.
pub(super) fn pacemaker(page: &mut Page, view: &ClusterView, configuration: &Configuration, status: &Status) {
    page.flag(&STONITH, &[], view.fencing_enabled);
    page.flag(&MAINTENANCE, &[], view.maintenance_mode);
    if let Some(changed) = status.last_change.time_ms {
        page.count(&LAST_CHANGE, &[], u64::try_from(changed.div_euclid(1000)).unwrap_or(0));
    }
    nodes(page, view);
    view.resources.iter().for_each(|resource| resource_in(page, resource, "", ""));
    histories(page, view);
    locations(page, configuration);
}

fn nodes(page: &mut Page, view: &ClusterView) {
    for node in &view.nodes {
        let kind = if node.kind == NodeKind::Member { "member" } else { "remote" };
        for (status, is_so) in [
            ("online", node.online),
            ("standby", node.standby),
            ("standby_onfail", node.standby_on_fail),
            ("maintenance", node.maintenance),
            ("pending", node.pending),
            ("unclean", node.unclean),
            ("shutdown", node.shutdown),
            ("expected_up", node.expected_up),
            ("dc", node.is_dc),
        ] {
            page.flag(&NODES, &[("node", &node.name), ("type", kind), ("status", status)], is_so);
        }
        if node.online {
            for (name, value) in &node.attributes {
                let value = if hac_model::is_secret(name) { hac_model::MASK } else { value };
                page.put(&ATTRIBUTES, &[("node", &node.name), ("name", name), ("value", value)], 1.0);
            }
        }
    }
}

/// A resource and what is in it.
fn resource_in(page: &mut Page, resource: &ResourceView, group: &str, clone: &str) {
    match &resource.kind {
        ResourceKind::Primitive { agent } => primitive(page, resource, &agent.to_string(), group, clone),
        ResourceKind::Group => {
            let name = if clone.is_empty() { &resource.id } else { &resource.name };
            resource.children.iter().for_each(|child| resource_in(page, child, name, clone));
        }
        ResourceKind::Clone { .. } => {
            resource.children.iter().for_each(|child| resource_in(page, child, group, &resource.id));
        }
        ResourceKind::Bundle { replicas, .. } => {
            for replica in replicas {
                let parts = [replica.ip.as_ref(), replica.child.as_ref(), replica.remote.as_ref()];
                let parts = parts.into_iter().flatten().chain([&replica.container]);
                parts.for_each(|part| resource_in(page, part, group, clone));
            }
        }
    }
}

fn primitive(page: &mut Page, resource: &ResourceView, agent: &str, group: &str, clone: &str) {
    let flags = &resource.flags;
    let name = if !clone.is_empty() && !flags.unique { &resource.name } else { &resource.id };
    let role = mon::role(resource).to_lowercase();
    let nowhere = [String::new()];
    let nodes = if resource.nodes.is_empty() { nowhere.as_slice() } else { &resource.nodes };
    for node in nodes {
        for (status, is_so) in [
            ("active", flags.active),
            ("orphaned", flags.removed),
            ("blocked", flags.blocked),
            ("failed", flags.failed),
            ("failure_ignored", flags.failure_ignored),
        ] {
            let labels = [
                ("node", node.as_str()),
                ("resource", name),
                ("role", &role),
                ("managed", if flags.managed { "true" } else { "false" }),
                ("status", status),
                ("agent", agent),
                ("group", group),
                ("clone", clone),
            ];
            page.flag(&RESOURCES, &labels, is_so);
        }
    }
}

/// Each resource on each node that has a history of it.
fn histories(page: &mut Page, view: &ClusterView) {
    for resource in mon::primitives(view) {
        let mut known: Vec<&str> = resource.operations.iter().map(|operation| operation.node.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        for node in known {
            let count = resource.fail_counts.iter().find(|(on, ..)| on == node).map_or(0, |(_, count, _)| *count);
            let labels = [("node", node), ("resource", resource.name.as_str())];
            page.put(&FAIL_COUNT, &labels, score(count));
            // Without end it is this number: the exporter knows no other word for it here.
            page.put(&THRESHOLD, &labels, f64::from(resource.migration_threshold.unwrap_or(INFINITY)));
        }
    }
}

/// A number in which the largest one means without end.
fn score(score: i32) -> f64 {
    if score >= INFINITY {
        f64::INFINITY
    } else if score <= -INFINITY {
        f64::NEG_INFINITY
    } else {
        f64::from(score)
    }
}

/// Constraints that name one node and a score.
fn locations(page: &mut Page, configuration: &Configuration) {
    for constraint in &configuration.constraints {
        let Constraint::Location(location) = constraint else { continue };
        let (LocationSubject::Resource(resource), LocationTarget::Node { node, score: Some(text) }) =
            (&location.subject, &location.target)
        else {
            continue;
        };
        let role = location.role.as_deref().unwrap_or_default().to_lowercase();
        let labels =
            [("constraint", location.id.as_str()), ("node", node), ("resource", resource), ("role", role.as_str())];
        page.put(&LOCATIONS, &labels, score(parse_score(text).unwrap_or(0)));
    }
}

/// Adds what the ring and the votes are. It is there whatever the resource manager does.
pub(super) fn corosync(page: &mut Page, status: &Status) {
    page.flag(&QUORATE, &[], status.quorum.quorate);
    for (kind, votes) in [
        ("expected_votes", status.quorum.expected_votes),
        ("highest_expected", status.quorum.highest_expected),
        ("total_votes", status.quorum.total_votes),
        ("quorum", status.quorum.quorum),
    ] {
        page.put(&VOTES, &[("type", kind)], f64::from(votes));
    }
    let members = || status.members.nodes.iter().filter(|member| member.state == MemberState::Joined);
    for member in members() {
        let id = member.id.to_string();
        let local = if member.local { "true" } else { "false" };
        page.put(&MEMBER_VOTES, &[("node_id", &id), ("node", &member.name), ("local", local)], f64::from(member.votes));
    }
    let mut faulty = 0;
    let own = status.members.nodes.iter().find(|member| member.local);
    for address in own.iter().flat_map(|own| &own.addresses) {
        let reaches = |links: &[hac_api::Link]| links.iter().any(|link| link.link == address.link && link.connected);
        let healthy = members().filter(|member| !member.local).all(|member| reaches(&member.links));
        faulty += u64::from(!healthy);
        let (id, number) = (status.node_id.to_string(), address.link.to_string());
        let labels = [
            ("ring_id", status.members.ring.as_str()),
            ("node_id", &id),
            ("number", &number),
            ("address", &address.ip),
        ];
        page.flag(&RINGS, &labels, healthy);
    }
    page.count(&RING_ERRORS, &[], faulty);
}
