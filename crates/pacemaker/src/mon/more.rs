//! Sections that are shown when they are asked for: attributes, bans, tickets, and shorter lists.

use std::collections::BTreeMap;

use hac_model::Cib;
use hac_scheduler::view::{ClusterView, NodeView, ResourceKind, ResourceView};

use crate::standing::{self, Show};
use crate::text::Lines;

/// Every node on a line, with its id.
pub(super) fn nodes(lines: &mut Lines, view: &ClusterView) {
    for node in &view.nodes {
        let (label, state) = (standing::label(node.kind), standing::state(node));
        lines.item(1, &format!("{label} {} ({}): {state}", node.name, node.id));
    }
}

/// A line per agent: how many are active of how many, and where.
pub(super) fn brief(lines: &mut Lines, show: Show<'_>) {
    lines.plain(if show.inactive { "Full List of Resources:" } else { "Active Resources:" });
    let mut primitives = Vec::new();
    show.view.resources.iter().for_each(|resource| collect(resource, &mut primitives));
    // Agent, and the nodes with how many are active there; none is the empty name.
    let mut agents: BTreeMap<String, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for primitive in primitives {
        let ResourceKind::Primitive { agent } = &primitive.kind else { continue };
        let entry = agents.entry(agent.to_string()).or_default();
        entry.0 += 1;
        match primitive.nodes.first().filter(|_| primitive.flags.active) {
            Some(node) => *entry.1.entry(node).or_default() += 1,
            None => *entry.1.entry("").or_default() += 1,
        }
    }
    let mut any = false;
    for (agent, (all, places)) in &agents {
        for (node, count) in places {
            let line = match (*node, show.inactive) {
                ("", false) => continue,
                ("", true) => format!("0/{all}\t({agent}):\tStopped"),
                (node, true) => format!("{count}/{all}\t({agent}):\tActive {node}"),
                (node, false) => format!("{count}\t({agent}):\tActive {node}"),
            };
            any = true;
            lines.item(1, &line);
        }
    }
    if !any {
        lines.item(1, if show.inactive { "No resources" } else { "No active resources" });
    }
}

fn collect<'a>(resource: &'a ResourceView, found: &mut Vec<&'a ResourceView>) {
    if matches!(resource.kind, ResourceKind::Primitive { .. }) {
        found.push(resource);
    }
    resource.children.iter().for_each(|child| collect(child, found));
}

/// Attributes of nodes; those that hold secrets are masked.
pub(super) fn attributes(lines: &mut Lines, view: &ClusterView) {
    let shown: Vec<&NodeView> = view.nodes.iter().filter(|node| !node.attributes.is_empty() && node.online).collect();
    if shown.is_empty() {
        return;
    }
    lines.plain("");
    lines.plain("Node Attributes:");
    for node in shown {
        lines.item(1, &format!("Node: {}:", node.name));
        for (name, value) in &node.attributes {
            lines.item(2, &format!("{name:<32}\t: {:<10}", masked(name, value)));
        }
    }
}

/// The value, unless it is a secret.
pub(super) fn masked<'a>(name: &str, value: &'a str) -> &'a str {
    if hac_model::is_secret(name) { hac_model::MASK } else { value }
}

/// The properties that say how the cluster acts.
pub(super) fn properties(view: &ClusterView, cib: &Cib) -> Vec<String> {
    let symmetric = cib.configuration.property("symmetric-cluster").and_then(hac_model::parse_bool).unwrap_or(true);
    let policy = match view.no_quorum_policy.as_str() {
        "freeze" => "Freeze resources",
        "stop" => "Stop ALL resources",
        "demote" => "Demote promotable resources and stop all other resources",
        "ignore" => "Ignore",
        "suicide" | "fence" => "Suicide",
        other => other,
    };
    vec![
        format!("STONITH of failed nodes {}", if view.fencing_enabled { "enabled" } else { "disabled" }),
        format!("Cluster is {}", if symmetric { "symmetric" } else { "asymmetric" }),
        format!("No quorum policy: {policy}"),
    ]
}

/// Constraints that forbid nodes.
pub(super) fn bans(lines: &mut Lines, view: &ClusterView, prefix: &str) {
    let mut bans = view.bans.iter().filter(|ban| ban.id.starts_with(prefix)).peekable();
    if bans.peek().is_none() {
        return;
    }
    lines.plain("");
    lines.plain("Negative Location Constraints:");
    for ban in bans {
        let what = if ban.promoted_only { "becoming promoted" } else { "running" };
        lines.item(1, &format!("{}\tprevents {} from {what} on {}", ban.id, ban.resource, ban.node));
    }
}

/// Tickets.
pub(super) fn tickets(lines: &mut Lines, view: &ClusterView) {
    if view.tickets.is_empty() {
        return;
    }
    lines.plain("");
    lines.plain("Tickets:");
    for ticket in &view.tickets {
        let state = if ticket.granted { "granted" } else { "revoked" };
        let standby = if ticket.standby { " [standby]" } else { "" };
        lines.item(1, &format!("{}:\t{state}{standby}", ticket.id));
    }
}
