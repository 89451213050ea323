//! The list of resources.

use hac_scheduler::view::{ClusterView, NodeKind, ReplicaView, ResourceKind, ResourceView, Role};

use super::{Show, clone};
use crate::text::Lines;

/// Prints all resources. `false` if there was nothing to print.
pub(crate) fn resource_list(lines: &mut Lines, depth: usize, show: Show<'_>) -> bool {
    let mut any = false;
    for resource in show.view.resources.iter().filter(|r| is_shown(r, show)) {
        any = true;
        self::resource(lines, depth, resource, show);
    }
    any
}

/// Whether a resource at top level has a line: removed ones only while they are active or at work, the connection to a guest
/// node never.
pub(crate) fn is_shown(resource: &ResourceView, show: Show<'_>) -> bool {
    if is_guest_connection(resource, show.view) && !resource.flags.removed {
        return false;
    }
    is_active(resource, show.view)
        || if resource.flags.removed { clone::is_pending(resource, show) } else { show.inactive }
}

/// Whether a resource or any part of it is active on a node that is up, or whose state is not known. What is not managed
/// is taken to go on where it was.
pub(crate) fn is_active(resource: &ResourceView, view: &ClusterView) -> bool {
    let counts = |name: &String| view.nodes.iter().any(|node| node.name == *name && (node.online || node.unclean));
    let here = !resource.flags.managed && !resource.nodes.is_empty() || resource.nodes.iter().any(counts);
    here && resource.flags.active
        || resource.children.iter().any(|child| is_active(child, view))
        || matches!(&resource.kind, ResourceKind::Bundle { replicas, .. } if replicas.iter().any(|replica| {
            let parts = [Some(&replica.container), replica.ip.as_ref(), replica.remote.as_ref(), replica.child.as_ref()];
            parts.into_iter().flatten().any(|part| is_active(part, view))
        }))
}

/// Whether a resource is the connection to a guest node, which was made for it and is not configured.
fn is_guest_connection(resource: &ResourceView, view: &ClusterView) -> bool {
    let remote = matches!(&resource.kind, ResourceKind::Primitive { agent }
        if agent.kind == "remote" && agent.provider.as_deref() == Some("pacemaker"));
    remote && view.nodes.iter().any(|node| node.name == resource.id && node.kind == NodeKind::Guest)
}

/// Prints one resource with all that is inside.
pub(crate) fn resource(lines: &mut Lines, depth: usize, resource: &ResourceView, show: Show<'_>) {
    match &resource.kind {
        ResourceKind::Primitive { .. } => lines.item(depth, &primitive_line(resource, show, show.places)),
        ResourceKind::Group => group(lines, depth, resource, show),
        ResourceKind::Clone { child, clone_max, allowed, .. } => {
            let parts = clone::Clone { resource, child, clone_max: *clone_max, allowed };
            clone::clone(lines, depth, &parts, show);
        }
        ResourceKind::Bundle { image, replicas } => bundle(lines, depth, resource, (image, replicas), show),
    }
}

/// The line above the members of a group. Where only active ones follow, it says how many there are besides.
pub(crate) fn group_head(lines: &mut Lines, depth: usize, group: &ResourceView, show: Show<'_>) {
    let mut flags = Vec::new();
    let resting = group.children.iter().filter(|member| !is_active(member, show.view)).count();
    let resting = format!("{resting} member{} inactive", if resting == 1 { "" } else { "s" });
    if !show.inactive && !resting.starts_with("0 ") {
        flags.push(resting.as_str());
    }
    if is_disabled(group) {
        flags.push("disabled");
    }
    flags.extend(unmanaged_flag(group));
    lines.item(depth, &format!("Resource Group: {}{}:", group.id, parenthesised(&flags)));
}

fn group(lines: &mut Lines, depth: usize, group: &ResourceView, show: Show<'_>) {
    group_head(lines, depth, group, show);
    for member in group.children.iter().filter(|member| show.inactive || is_active(member, show.view)) {
        resource(lines, depth + 1, member, show);
    }
}

fn bundle(lines: &mut Lines, depth: usize, bundle: &ResourceView, of: (&str, &[ReplicaView]), show: Show<'_>) {
    let (image, replicas) = of;
    let title = if replicas.len() > 1 { "Container bundle set" } else { "Container bundle" };
    let unique = if bundle.flags.unique { " (unique)" } else { "" };
    let flag = if bundle.flags.blocked { Some("blocked") } else { unmanaged_flag(bundle) };
    let flag = flag.map(|flag| format!(" ({flag})")).unwrap_or_default();
    lines.item(depth, &format!("{title}: {} [{image}]{unique}{flag}:", bundle.id));
    for replica in replicas {
        lines.item(depth + 1, &replica_line(replica, show));
    }
}

fn replica_line(replica: &ReplicaView, show: Show<'_>) -> String {
    let resource = replica.child.as_ref().unwrap_or(&replica.container);
    let mut name = replica.remote.as_ref().map_or_else(
        || replica.container.id.clone(),
        |remote| replica.node.clone().unwrap_or_else(|| remote.id.clone()),
    );
    if let Some(address) = &replica.address {
        name.push_str(&format!(" ({address})"));
    }
    line(resource, &name, &replica.container, show, true)
}

/// The line of a primitive; without `with_node` it does not say where.
pub(crate) fn primitive_line(resource: &ResourceView, show: Show<'_>, with_node: bool) -> String {
    line(resource, &resource.name, resource, show, with_node)
}

/// The line of `resource`, which is where `place` is: what runs inside a bundle is where the container is.
fn line(resource: &ResourceView, name: &str, place: &ResourceView, show: Show<'_>, with_node: bool) -> String {
    let flags = &resource.flags;
    let nodes = &place.nodes[..];
    let mut line = format!("{name}\t({}):\t", agent(resource));
    if flags.removed {
        line.push_str(" ORPHANED");
    }
    let pending = if show.pending { resource.pending.as_ref() } else { None };
    line.push(' ');
    line.push_str(&state(resource, pending));
    if with_node {
        let place = match nodes {
            [] => resource.locked_to.as_ref().or_else(|| resource.pending.as_ref().map(|(_, node)| node)),
            [node] => Some(node),
            _ => None,
        };
        if let Some(node) = place {
            line.push(' ');
            line.push_str(node);
        }
    }
    if nodes.is_empty()
        && !flags.failed
        && let Some((_, words)) = resource.probe_failures.iter().find(|(node, _)| show.is_online(node))
    {
        line.push_str(&format!(" ({words})"));
    }
    line.push_str(&parenthesised(&flag_words(resource, place.flags.unclean, pending)));
    if with_node && nodes.len() > 1 {
        line.push_str(&format!(" [ {} ]", nodes.join(" ")));
    }
    line
}

/// Class, provider and type; only class `ocf` shows a provider.
fn agent(resource: &ResourceView) -> String {
    match &resource.kind {
        ResourceKind::Primitive { agent } if agent.class == "ocf" => agent.to_string(),
        ResourceKind::Primitive { agent } => format!("{}:{}", agent.class, agent.kind),
        ResourceKind::Group | ResourceKind::Clone { .. } | ResourceKind::Bundle { .. } => String::new(),
    }
}

/// The role, or what replaces it.
fn state(resource: &ResourceView, pending: Option<&(String, String)>) -> String {
    let role = displayed_role(resource);
    if resource.flags.failed {
        return if role == Role::Promoted { "FAILED Promoted".to_owned() } else { "FAILED".to_owned() };
    }
    let under_way = match pending.map(|(task, _)| task.as_str()) {
        Some("start") => Some("Starting"),
        Some("stop") => Some("Stopping"),
        Some("migrate_to" | "migrate_from") => Some("Migrating"),
        Some("promote") => Some("Promoting"),
        Some("demote") => Some("Demoting"),
        _ => None,
    };
    under_way.map_or_else(|| role.to_string(), str::to_owned)
}

/// An active instance of a promotable clone is never just started.
fn displayed_role(resource: &ResourceView) -> Role {
    match resource.role {
        Role::Unknown => Role::Stopped,
        Role::Started if resource.flags.promotable => Role::Unpromoted,
        role => role,
    }
}

fn flag_words(resource: &ResourceView, unclean: bool, pending: Option<&(String, String)>) -> Vec<&'static str> {
    let flags = &resource.flags;
    let mut words = Vec::new();
    if unclean {
        words.push("UNCLEAN");
    }
    if resource.locked_to.is_some() {
        words.push("LOCKED");
    }
    if pending.is_some_and(|(task, _)| task == "monitor") {
        words.push("Monitoring");
    }
    match resource.target_role {
        Some(Role::Stopped) => words.push("disabled"),
        Some(Role::Unpromoted) if flags.promotable => words.push("target-role:Unpromoted"),
        _ => {}
    }
    if flags.blocked {
        words.push("blocked");
    } else {
        words.extend(unmanaged_flag(resource));
    }
    if flags.failure_ignored {
        words.push("failure ignored");
    }
    words
}

/// Whether a collective is kept from its full role by configuration: stopped, or not promoted.
pub(super) fn is_disabled(resource: &ResourceView) -> bool {
    match resource.target_role {
        Some(Role::Stopped) => true,
        Some(Role::Unpromoted) => resource.flags.promotable,
        _ => false,
    }
}

/// `maintenance`, or else `unmanaged`, where it holds.
pub(super) fn unmanaged_flag(resource: &ResourceView) -> Option<&'static str> {
    if resource.flags.maintenance {
        Some("maintenance")
    } else if resource.flags.managed {
        None
    } else {
        Some("unmanaged")
    }
}

/// Words in parentheses after a blank; nothing if there are none.
pub(super) fn parenthesised(words: &[&str]) -> String {
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}
