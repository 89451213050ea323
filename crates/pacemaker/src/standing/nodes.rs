//! The list of nodes.

use hac_scheduler::view::{ClusterView, Health, NodeKind, NodeView};

use crate::text::Lines;

/// Prints nodes that need a line of their own, then the lists of those that are simply up or down.
pub(crate) fn node_list(lines: &mut Lines, depth: usize, view: &ClusterView) {
    let mut online: [Vec<&str>; 3] = Default::default();
    let mut offline: [Vec<&str>; 2] = Default::default();
    for node in &view.nodes {
        let state = state(node);
        let health = if view.health_in_force { node.health } else { Health::Green };
        if node.kind == NodeKind::Guest && !node.online && state == "OFFLINE" {
            continue;
        }
        match (state, health, node.kind) {
            ("online", Health::Green, kind) => online[kind_index(kind)].push(&node.name),
            ("OFFLINE", Health::Green, kind) if kind != NodeKind::Guest => offline[kind_index(kind)].push(&node.name),
            _ => {
                let health = match health {
                    Health::Green => "",
                    Health::Yellow => " (health is YELLOW)",
                    Health::Red => " (health is RED)",
                };
                lines.item(depth, &format!("{} {}: {state}{health}", label(node.kind), node.name));
            }
        }
    }
    let [members, remotes, guests] = online;
    let [members_down, remotes_down] = offline;
    for (title, names) in [
        ("Online", members),
        ("OFFLINE", members_down),
        ("RemoteOnline", remotes),
        ("RemoteOFFLINE", remotes_down),
        ("GuestOnline", guests),
    ] {
        if !names.is_empty() {
            lines.item(depth, &format!("{title}: [ {} ]", names.join(" ")));
        }
    }
}

/// A node's state in words.
pub(crate) fn state(node: &NodeView) -> &'static str {
    match node {
        NodeView { unclean: true, online: true, .. } => "UNCLEAN (online)",
        NodeView { unclean: true, pending: true, .. } => "UNCLEAN (pending)",
        NodeView { unclean: true, .. } => "UNCLEAN (offline)",
        NodeView { pending: true, .. } => "pending",
        NodeView { standby_on_fail: true, online: true, .. } => "standby (on-fail)",
        NodeView { standby: true, online: false, .. } => "OFFLINE (standby)",
        NodeView { standby: true, running, .. } if running.is_empty() => "standby",
        NodeView { standby: true, .. } => "standby (with active resources)",
        NodeView { maintenance: true, online: true, .. } => "maintenance",
        NodeView { maintenance: true, .. } => "OFFLINE (maintenance)",
        NodeView { online: true, .. } => "online",
        _ => "OFFLINE",
    }
}

/// How lines of nodes of a kind begin.
pub(crate) fn label(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Member => "Node",
        NodeKind::Remote => "RemoteNode",
        NodeKind::Guest => "GuestNode",
    }
}

fn kind_index(kind: NodeKind) -> usize {
    match kind {
        NodeKind::Member => 0,
        NodeKind::Remote => 1,
        NodeKind::Guest => 2,
    }
}
