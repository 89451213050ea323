//! How a cluster stands, in the words of `crm status` and `crm_mon`.
//!
//! Differences from Pacemaker's text: the stack is `hacd`, times are UTC and say so, and an operation that stands twice in
//! a history is listed once.

mod failures;
mod fencing;
mod history;
mod html;
mod more;
mod xml;

#[cfg(test)]
mod tests;

use hac_model::Cib;
use hac_scheduler::view::{ClusterView, FailedOperation, NodeView, ResourceKind, ResourceView};
use hac_types::WallTime;
use time::OffsetDateTime;

pub use fencing::Fencing;
pub use xml::{primitives, role, status_words};

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
    /// What the cluster is built on, for readers who expect a name; empty is hacd.
    pub stack: String,
    /// It is a file that is shown, and no cluster.
    pub from_file: bool,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Resources that are not active, too.
    pub inactive: bool,
    /// Resources under the nodes where they are active.
    pub by_node: bool,
    /// One line per agent instead of one per resource.
    pub brief: bool,
    /// Fail counts.
    pub failcounts: bool,
    /// Operations.
    pub operations: bool,
    /// When operations ran and how long they took.
    pub timing: bool,
    /// Attributes of nodes.
    pub attributes: bool,
    /// Constraints that forbid nodes, those whose ids begin so.
    pub bans: Option<String>,
    /// Tickets.
    pub tickets: bool,
    /// What was done to nodes, and what is being done.
    pub fencing: Fencing,
    /// The properties that say how the cluster acts.
    pub properties: bool,
    /// Each node with its id.
    pub detail: bool,
    /// Only this node.
    pub node: Option<String>,
    /// Only this resource, and what it is in.
    pub resource: Option<String>,
    /// Sections that are left out.
    pub without: Vec<Section>,
}

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What the cluster is built on.
    Stack,
    /// The coordinator.
    Dc,
    /// When this was so, and when the configuration was changed.
    Times,
    /// How many nodes and resources there are.
    Counts,
    /// That the whole cluster is in maintenance.
    Maintenance,
    /// The nodes.
    Nodes,
    /// The resources.
    Resources,
    /// What failed.
    Failures,
}

impl Options {
    fn shows(&self, section: Section) -> bool {
        !self.without.contains(&section)
    }
}

/// The whole text.
#[must_use]
pub fn render(facts: &Facts, view: &ClusterView, cib: &Cib, options: &Options) -> String {
    let view = &narrowed(view, options);
    let mut lines = Lines::default();
    summary(&mut lines, facts, view, cib, options);
    let show = Show { view, pending: true, inactive: options.inactive, places: true };
    let separate = |lines: &mut Lines| {
        if !lines.is_empty() {
            lines.plain("");
        }
    };
    if options.shows(Section::Nodes) && !view.nodes.is_empty() {
        separate(&mut lines);
        lines.plain("Node List:");
        if options.by_node {
            by_node(&mut lines, show, options);
        } else if options.detail {
            more::nodes(&mut lines, view);
        } else {
            node_list(&mut lines, 1, view);
        }
    }
    if options.shows(Section::Resources) && !options.by_node {
        separate(&mut lines);
        if options.brief { more::brief(&mut lines, show) } else { resource_section(&mut lines, show) }
    } else if options.by_node && options.inactive {
        inactive(&mut lines, show);
    }
    if options.attributes {
        more::attributes(&mut lines, view);
    }
    history::section(&mut lines, view, options);
    if options.shows(Section::Failures) {
        failures::section(&mut lines, view);
    }
    fencing::section(&mut lines, &cib.status.fencing, options);
    if options.tickets {
        more::tickets(&mut lines, view);
    }
    if let Some(prefix) = &options.bans {
        more::bans(&mut lines, view, prefix);
    }
    lines.finish()
}

/// The same as a page for a browser, which asks for it again every so many seconds.
#[must_use]
pub fn html(facts: &Facts, view: &ClusterView, cib: &Cib, options: &Options, page: &Page) -> String {
    html::page(&render(facts, view, cib, options), page)
}

/// How a page is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: Option<String>,
    /// A stylesheet of one's own.
    pub stylesheet: Option<String>,
    /// After how many seconds it is asked for again.
    pub refresh_s: Option<u64>,
    /// With the header that a web server expects of a program.
    pub cgi: bool,
}

/// The same as XML, in the form of `crm_mon`: everything, whatever the options show, but only the node and the resource
/// that they name. `request` is the command line; without one it is the older form with the root `crm_mon`.
#[must_use]
pub fn xml(facts: &Facts, view: &ClusterView, cib: &Cib, options: &Options, request: Option<&str>) -> String {
    xml::document(facts, &narrowed(view, options), cib, options, request)
}

/// A time in milliseconds since 1970, for [`Facts::now`].
#[must_use]
pub const fn wall_time(ms: i64) -> WallTime {
    WallTime(ms)
}

/// The history of operations alone.
#[must_use]
pub fn history(view: &ClusterView, options: &Options) -> String {
    let mut lines = Lines::default();
    history::section(&mut lines, &narrowed(view, options), options);
    lines.finish().trim_start().to_owned()
}

/// Only the node and the resource that are asked for.
fn narrowed(view: &ClusterView, options: &Options) -> ClusterView {
    let mut view = view.clone();
    if let Some(node) = &options.node {
        view.nodes.retain(|seen| seen.name == *node);
        view.failed.retain(|failed| failed.operation.node == *node);
        view.bans.retain(|ban| ban.node == *node);
    }
    if let Some(resource) = &options.resource {
        view.resources = view.resources.into_iter().filter_map(|seen| narrowed_resource(seen, resource)).collect();
        view.failed.retain(|failed| failed.resource == *resource);
        view.bans.retain(|ban| ban.resource == *resource);
    }
    view
}

fn narrowed_resource(mut resource: ResourceView, wanted: &str) -> Option<ResourceView> {
    if resource.id == wanted || resource.name == wanted {
        return Some(resource);
    }
    resource.children = resource.children.into_iter().filter_map(|child| narrowed_resource(child, wanted)).collect();
    (!resource.children.is_empty()).then_some(resource)
}

/// The list of all resources, active or not, with its heading. A resource by itself is told without its node, as
/// `crm_resource` does.
#[must_use]
pub fn resources(view: &ClusterView) -> String {
    let mut lines = Lines::default();
    resource_section(&mut lines, Show { view, pending: true, inactive: true, places: false });
    lines.finish()
}

/// The element of all resources, or that of one of them, `depth` levels below the root.
#[must_use]
pub fn resources_xml(view: &ClusterView, only: Option<&ResourceView>, depth: usize) -> String {
    xml::element(view, only, depth)
}

/// Where each part of one resource is, a line each.
#[must_use]
pub fn parts(view: &ClusterView, resource: &ResourceView) -> String {
    let only = ClusterView { resources: vec![resource.clone()], ..view.clone() };
    let mut lines = Lines::default();
    resource_list(&mut lines, 0, Show { view: &only, pending: true, inactive: true, places: true });
    let text = lines.finish();
    let part = |line: &&str| {
        !["Resource Group: ", "Clone Set: ", "Container bundle"].iter().any(|head| line.starts_with(head))
    };
    let stripped = text.lines().map(|line| line.trim_start_matches([' ', '*']));
    stripped.filter(part).map(|line| format!("{line}\n")).collect()
}

/// The line of one resource without the node: `web⇥(ocf:heartbeat:nginx):⇥ Started`.
#[must_use]
pub fn resource_line(view: &ClusterView, resource: &ResourceView) -> String {
    primitive_line(resource, Show { view, pending: true, inactive: true, places: true }, false)
}

fn summary(lines: &mut Lines, facts: &Facts, view: &ClusterView, cib: &Cib, options: &Options) {
    let items = summary_items(facts, view, cib, options);
    if !items.is_empty() {
        if !facts.cluster_name.is_empty() {
            lines.plain(&format!("Cluster name: {}", facts.cluster_name));
        }
        lines.plain("Cluster Summary:");
        items.iter().for_each(|item| lines.item(1, item));
    }
    if view.maintenance_mode && options.shows(Section::Maintenance) {
        lines.plain("");
        lines.plain("\u{20}             *** Resource management is DISABLED ***");
        lines.plain("  The cluster will not attempt to start, stop or recover services");
    }
}

fn summary_items(facts: &Facts, view: &ClusterView, cib: &Cib, options: &Options) -> Vec<String> {
    let mut items = Vec::new();
    if options.shows(Section::Stack) {
        items.push(format!("Stack: {}", if facts.stack.is_empty() { "hacd" } else { &facts.stack }));
    }
    if options.shows(Section::Dc) {
        let dc = match &facts.dc {
            Some(dc) => {
                let quorum = if facts.quorate { "with quorum" } else { "WITHOUT quorum" };
                let mixed = if facts.mixed_version { "MIXED-VERSION " } else { "" };
                let id = view.nodes.iter().find(|node| options.detail && node.name == *dc);
                let id = id.map(|node| format!(" ({})", node.id)).unwrap_or_default();
                format!("{dc}{id} (version {}) - {mixed}partition {quorum}", facts.dc_version)
            }
            None => "NONE".to_owned(),
        };
        items.push(format!("Current DC: {dc}"));
    }
    if options.shows(Section::Times) {
        // A state from a file was seen by nobody in particular.
        let on = if facts.node.is_empty() { String::new() } else { format!(" on {}", facts.node) };
        items.push(format!("Last updated: {}{on}", date(facts.now.as_secs())));
        let nobody = facts.from_file.then(|| "Last change:  ".to_owned());
        items.extend(last_change(cib).or(nobody));
    }
    if options.shows(Section::Counts) {
        let nodes = view.nodes.len();
        items.push(format!("{nodes} node{} configured", plural(nodes)));
        let mut instances = format!("{} resource instance{} configured", view.instances, plural(view.instances));
        if view.disabled > 0 {
            instances.push_str(&format!(" ({} DISABLED)", view.disabled));
        }
        if view.blocked > 0 {
            instances.push_str(&format!(" ({} BLOCKED from further action due to failure)", view.blocked));
        }
        items.push(instances);
    }
    if options.properties {
        items.extend(more::properties(view, cib));
    }
    items
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

fn by_node(lines: &mut Lines, show: Show<'_>, options: &Options) {
    for node in &show.view.nodes {
        let id = if options.detail { format!(" ({})", node.id) } else { String::new() };
        lines.item(1, &format!("{} {}{id}: {}:", standing::label(node.kind), node.name, standing::state(node)));
        let mut active = Vec::new();
        show.view.resources.iter().for_each(|resource| active_on(node, resource, &mut active));
        if !active.is_empty() {
            lines.item(2, "Resources:");
        }
        if options.brief {
            more::brief_on(lines, &node.name, &active);
            continue;
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

/// A time in milliseconds since 1970 without its zone, as programs of other clusters print it; it is UTC.
#[must_use]
pub fn plain_date(ms: i64) -> String {
    let text = date(ms.div_euclid(1000));
    text.strip_suffix(" UTC").unwrap_or(&text).to_owned()
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
