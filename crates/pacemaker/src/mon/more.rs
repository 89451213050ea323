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

/// A line for each agent and node instead of one for each resource: how many are active of how many. Groups have such lines
/// of their own; clones and bundles are as they are.
pub(super) fn brief(lines: &mut Lines, show: Show<'_>) {
    lines.plain(if show.inactive { "Full List of Resources:" } else { "Active Resources:" });
    let shown = show.view.resources.iter().filter(|resource| standing::is_shown(resource, show));
    let (primitives, others): (Vec<&ResourceView>, Vec<&ResourceView>) =
        shown.partition(|resource| matches!(resource.kind, ResourceKind::Primitive { .. }));
    if primitives.is_empty() && others.is_empty() {
        lines.item(1, if show.inactive { "No resources" } else { "No active resources" });
    }
    agents(&primitives, None).iter().for_each(|agent| lines.item(1, &agent.line(show.inactive)));
    for other in others {
        if matches!(other.kind, ResourceKind::Group) {
            standing::group_head(lines, 1, other, show);
            let members: Vec<&ResourceView> = other.children.iter().collect();
            agents(&members, None).iter().for_each(|agent| lines.item(2, &agent.line(true)));
        } else {
            standing::resource(lines, 1, other, show);
        }
    }
}

/// What is active on one node, as such lines.
pub(super) fn brief_on(lines: &mut Lines, node: &str, active: &[&ResourceView]) {
    for agent in agents(active, Some(node)) {
        lines.item(3, &format!("{}\t({}):\tActive ", agent.active, agent.name));
    }
}

/// Resources of one agent on one node.
struct Agent<'a> {
    name: String,
    /// None where none is active anywhere.
    node: Option<&'a str>,
    active: usize,
    all: usize,
}

impl Agent<'_> {
    fn line(&self, of_all: bool) -> String {
        let Self { name, node, active, all } = self;
        let count = if of_all { format!("{active}/{all}") } else { active.to_string() };
        let node = node.map(|node| format!(" {node}")).unwrap_or_default();
        format!("{count}\t({name}):\tActive{node}")
    }
}

fn agents<'a>(primitives: &[&'a ResourceView], only: Option<&str>) -> Vec<Agent<'a>> {
    // Agent, and the nodes with how many are active there.
    let mut agents: BTreeMap<String, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for primitive in primitives {
        let ResourceKind::Primitive { agent } = &primitive.kind else { continue };
        let (all, places) = agents.entry(agent.to_string()).or_default();
        *all += 1;
        let here = |node: &&String| only.is_none_or(|only| only == *node);
        if let Some(node) = primitive.nodes.iter().find(here).filter(|_| primitive.flags.active) {
            *places.entry(node).or_default() += 1;
        }
    }
    let lines = |(name, (all, places)): (String, (usize, BTreeMap<&'a str, usize>))| {
        let of = |node, active| Agent { name: name.clone(), node, active, all };
        if places.is_empty() {
            return vec![of(None, 0)];
        }
        places.into_iter().map(|(node, active)| of(Some(node), active)).collect()
    };
    agents.into_iter().flat_map(lines).collect()
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
