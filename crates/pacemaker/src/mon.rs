//! How a cluster stands, in the words of `crm status` and `crm_mon`.
//!
//! Differences from Pacemaker's text: the stack is `hacd`, times are UTC and say so, and an operation that stands twice in
//! a history is listed once.

mod failures;
mod history;

#[cfg(test)]
mod tests;

use hac_model::Cib;
use hac_scheduler::view::{ClusterView, FailedOperation, NodeView, ResourceKind, ResourceView};
use hac_types::WallTime;
use time::OffsetDateTime;

use crate::standing::{self, Show, is_active, is_shown, node_list, primitive_line, resource_list};
use crate::text::Lines;

/// What the running daemon knows besides the CIB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Name of the node that answers.
    pub node: String,
    /// Name of the designated coordinator, if there is one.
    pub dc: Option<String>,
    /// Version of the daemon there.
    pub dc_version: String,
    /// Not all members run the same release.
    pub mixed_version: bool,
    /// Whether this partition may act.
    pub quorate: bool,
    /// When this was true.
    pub now: WallTime,
}

/// What is shown besides the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Resources that are not active, too.
    pub inactive: bool,
    /// Resources under the nodes where they are active.
    pub by_node: bool,
    /// Fail counts.
    pub failcounts: bool,
    /// Operations.
    pub operations: bool,
}

/// The whole text.
#[must_use]
pub fn render(facts: &Facts, view: &ClusterView, cib: &Cib, options: &Options) -> String {
    let mut lines = Lines::default();
    summary(&mut lines, facts, view, cib);
    lines.plain("");
    lines.plain("Node List:");
    let show = Show { view, pending: true, inactive: options.inactive };
    if options.by_node {
        by_node(&mut lines, show);
        if options.inactive {
            inactive(&mut lines, show);
        }
    } else {
        node_list(&mut lines, 1, view);
        lines.plain("");
        resource_section(&mut lines, show);
    }
    history::section(&mut lines, view, options);
    failures::section(&mut lines, view);
    lines.finish()
}

/// The list of all resources, active or not, with its heading.
#[must_use]
pub fn resources(view: &ClusterView) -> String {
    let mut lines = Lines::default();
    resource_section(&mut lines, Show { view, pending: true, inactive: true });
    lines.finish()
}

fn summary(lines: &mut Lines, facts: &Facts, view: &ClusterView, cib: &Cib) {
    if !facts.cluster_name.is_empty() {
        lines.plain(&format!("Cluster name: {}", facts.cluster_name));
    }
    lines.plain("Cluster Summary:");
    lines.item(1, "Stack: hacd");
    let dc = match &facts.dc {
        Some(dc) => {
            let quorum = if facts.quorate { "with quorum" } else { "WITHOUT quorum" };
            let mixed = if facts.mixed_version { "MIXED-VERSION " } else { "" };
            format!("{dc} (version {}) - {mixed}partition {quorum}", facts.dc_version)
        }
        None => "NONE".to_owned(),
    };
    lines.item(1, &format!("Current DC: {dc}"));
    lines.item(1, &format!("Last updated: {} on {}", date(facts.now.as_secs()), facts.node));
    if let Some(change) = last_change(cib) {
        lines.item(1, &change);
    }
    let nodes = view.nodes.len();
    lines.item(1, &format!("{nodes} node{} configured", plural(nodes)));
    let mut instances = format!("{} resource instance{} configured", view.instances, plural(view.instances));
    if view.disabled > 0 {
        instances.push_str(&format!(" ({} DISABLED)", view.disabled));
    }
    if view.blocked > 0 {
        instances.push_str(&format!(" ({} BLOCKED from further action due to failure)", view.blocked));
    }
    lines.item(1, &instances);
    if view.maintenance_mode {
        lines.plain("");
        lines.plain("\u{20}             *** Resource management is DISABLED ***");
        lines.plain("  The cluster will not attempt to start, stop or recover services");
    }
}

fn last_change(cib: &Cib) -> Option<String> {
    let info = &cib.info;
    let mut text = format!("Last change:  {}", date(info.last_changed_ms?.div_euclid(1000)));
    for (word, value) in [("by", &info.update_user), ("via", &info.update_client), ("on", &info.update_origin)] {
        if let Some(value) = value {
            text.push_str(&format!(" {word} {value}"));
        }
    }
    Some(text)
}

fn resource_section(lines: &mut Lines, show: Show<'_>) {
    let (title, none) = if show.inactive {
        ("Full List of Resources:", "No resources")
    } else {
        ("Active Resources:", "No active resources")
    };
    lines.plain(title);
    if !resource_list(lines, 1, show) {
        lines.item(1, none);
    }
}

fn by_node(lines: &mut Lines, show: Show<'_>) {
    for node in &show.view.nodes {
        lines.item(1, &format!("{} {}: {}:", standing::label(node.kind), node.name, standing::state(node)));
        let mut active = Vec::new();
        show.view.resources.iter().for_each(|resource| active_on(node, resource, &mut active));
        if !active.is_empty() {
            lines.item(2, "Resources:");
        }
        for primitive in active {
            lines.item(3, &primitive_line(primitive, show, false));
        }
    }
}

/// Collects the primitives active on a node.
fn active_on<'a>(node: &NodeView, resource: &'a ResourceView, found: &mut Vec<&'a ResourceView>) {
    match &resource.kind {
        ResourceKind::Primitive { .. } => {
            if resource.nodes.contains(&node.name) {
                found.push(resource);
            }
        }
        ResourceKind::Group | ResourceKind::Clone { .. } => {
            resource.children.iter().for_each(|child| active_on(node, child, found));
        }
        ResourceKind::Bundle { replicas, .. } => {
            for replica in replicas {
                let parts =
                    [replica.ip.as_ref(), replica.child.as_ref(), Some(&replica.container), replica.remote.as_ref()];
                parts.into_iter().flatten().for_each(|part| active_on(node, part, found));
            }
        }
    }
}

fn inactive(lines: &mut Lines, show: Show<'_>) {
    lines.plain("");
    lines.plain("Inactive Resources:");
    let view = show.view;
    let resting: Vec<ResourceView> =
        view.resources.iter().filter(|r| !is_active(r, view) && is_shown(r, show)).cloned().collect();
    let view = ClusterView { nodes: view.nodes.clone(), resources: resting, ..ClusterView::default() };
    if !resource_list(lines, 1, Show { view: &view, ..show }) {
        lines.item(1, "No inactive resources");
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What failed, as in the section of failed actions: `web start on n1 returned 'error' (no disk) at ...`.
#[must_use]
pub fn failure(failed: &FailedOperation) -> String {
    failures::line(failed)
}

/// A time in seconds since 1970 as `Sun Nov  2 07:36:07 2026 UTC`.
fn date(secs: i64) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year] UTC"
    );
    let time = OffsetDateTime::from_unix_timestamp(secs).ok().and_then(|time| time.format(&format).ok());
    time.unwrap_or_else(|| "an unknown time".to_owned())
}

/// A span in milliseconds as `1h2m3.045s`.
fn span(ms: u64) -> String {
    let (hours, minutes, seconds, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    let mut text = String::new();
    if hours > 0 {
        text.push_str(&format!("{hours}h"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}m"));
    }
    if rest > 0 {
        text.push_str(&format!("{seconds}.{rest:03}s"));
    } else if seconds > 0 || text.is_empty() {
        text.push_str(&format!("{seconds}s"));
    }
    text
}
