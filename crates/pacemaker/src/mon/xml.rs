//! The same as XML, in `crm_mon`'s form: one element a line, attributes in the order in which readers match them.

use std::fmt::Display;

use hac_model::fencing::{End, Record, Request, Requests};
use hac_model::{Cib, ExecStatus, INFINITY, Role, Task};
use hac_scheduler::view::{
    ClusterView, FailedOperation, Health, NodeKind, NodeView, OperationView, ReplicaView, ResourceKind, ResourceView,
};
use time::OffsetDateTime;

use super::more::masked;
use super::{Facts, Options};
use crate::fencing::iso;

/// The version of the form, as Pacemaker 3.0.0 has it.
const API: &str = "2.38";

/// A document in the making.
struct Document {
    text: String,
    depth: usize,
}

/// An element in the making.
struct Element<'a> {
    document: &'a mut Document,
    name: &'static str,
    text: String,
}

impl Document {
    fn element(&mut self, name: &'static str) -> Element<'_> {
        let text = format!("{}<{name}", "  ".repeat(self.depth));
        Element { document: self, name, text }
    }

    fn close(&mut self, name: &'static str) {
        self.depth -= 1;
        self.text.push_str(&format!("{}</{name}>\n", "  ".repeat(self.depth)));
    }
}

impl Element<'_> {
    fn with(mut self, name: &str, value: impl Display) -> Self {
        self.text.push_str(&format!(" {name}=\"{}\"", escaped(&value.to_string())));
        self
    }

    fn opt(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn empty(self) {
        let Self { document, text, .. } = self;
        document.text.push_str(&format!("{text}/>\n"));
    }

    /// With something inside; returns the name to close.
    fn open(self) -> &'static str {
        let Self { document, text, name } = self;
        document.text.push_str(&format!("{text}>\n"));
        document.depth += 1;
        name
    }
}

/// Text as the value of an attribute; what XML cannot say becomes a blank.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Writes the document.
pub(super) fn document(
    facts: &Facts,
    view: &ClusterView,
    cib: &Cib,
    options: &Options,
    request: Option<&str>,
) -> String {
    let mut document = Document { text: String::new(), depth: 0 };
    let root = match request {
        Some(request) => document.element("pacemaker-result").with("api-version", API).with("request", request).open(),
        None => document.element("crm_mon").with("version", "3.0.0").open(),
    };
    summary(&mut document, facts, view, cib);
    nodes(&mut document, view);
    resources(&mut document, view);
    attributes(&mut document, view);
    history(&mut document, view);
    failures(&mut document, view);
    fencing(&mut document, &cib.status.fencing, options.node.as_deref());
    tickets(&mut document, view);
    bans(&mut document, view);
    if request.is_some() {
        document.element("status").with("code", 0).with("message", "OK").empty();
    }
    document.close(root);
    document.text
}

/// `Sun Jan  4 10:00:00 2026`, without a zone: readers know no other form.
fn date(secs: i64) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
    );
    let time = OffsetDateTime::from_unix_timestamp(secs).ok().and_then(|time| time.format(&format).ok());
    time.unwrap_or_default()
}

fn summary(document: &mut Document, facts: &Facts, view: &ClusterView, cib: &Cib) {
    let section = document.element("summary").open();
    let stack = if facts.from_file { facts.stack.as_str() } else { "corosync" };
    let running = (!facts.from_file).then_some("running");
    document.element("stack").with("type", stack).opt("pacemakerd-state", running).empty();
    let dc = facts.dc.as_ref();
    let id = dc.and_then(|dc| view.nodes.iter().find(|node| node.name == *dc)).map(|node| node.id.clone());
    let id = id.or_else(|| dc.and_then(|dc| cib.node_id(dc)).map(str::to_owned));
    match dc {
        Some(dc) => document
            .element("current_dc")
            .with("present", true)
            .with("version", &facts.dc_version)
            .with("name", dc)
            .with("id", id.unwrap_or_default())
            .with("with_quorum", facts.quorate)
            .with("mixed_version", facts.mixed_version)
            .empty(),
        None => document.element("current_dc").with("present", false).empty(),
    }
    let updated = document.element("last_update").with("time", date(facts.now.as_secs()));
    if facts.node.is_empty() {
        updated.empty()
    } else {
        updated.with("origin", &facts.node).empty()
    }
    let info = &cib.info;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    document
        .element("last_change")
        .with("time", info.last_changed_ms.map(|ms| date(ms.div_euclid(1000))).unwrap_or_default())
        .with("user", text(&info.update_user))
        .with("client", text(&info.update_client))
        .with("origin", text(&info.update_origin))
        .empty();
    document.element("nodes_configured").with("number", view.nodes.len()).empty();
    document
        .element("resources_configured")
        .with("number", view.instances)
        .with("disabled", view.disabled)
        .with("blocked", view.blocked)
        .empty();
    let ms = |name: &str, default: u64| {
        cib.configuration.property(name).and_then(hac_model::parse_duration_ms).unwrap_or(default)
    };
    let symmetric = cib.configuration.property("symmetric-cluster").and_then(hac_model::parse_bool).unwrap_or(true);
    document
        .element("cluster_options")
        .with("stonith-enabled", view.fencing_enabled)
        .with("symmetric-cluster", symmetric)
        .with("no-quorum-policy", &view.no_quorum_policy)
        .with("maintenance-mode", view.maintenance_mode)
        .with("stop-all-resources", view.stop_all_resources)
        .with("stonith-timeout-ms", ms("stonith-timeout", 60_000))
        .with("priority-fencing-delay-ms", ms("priority-fencing-delay", 0))
        .empty();
    document.close(section);
}

fn nodes(document: &mut Document, view: &ClusterView) {
    let section = document.element("nodes").open();
    for node in &view.nodes {
        let kind = if node.kind == NodeKind::Member { "member" } else { "remote" };
        let health = match node.health {
            Health::Green => "green",
            Health::Yellow => "yellow",
            Health::Red => "red",
        };
        document
            .element("node")
            .with("name", &node.name)
            .with("id", &node.id)
            .with("online", node.online)
            .with("standby", node.standby)
            .with("standby_onfail", node.standby_on_fail)
            .with("maintenance", node.maintenance)
            .with("pending", node.pending)
            .with("unclean", node.unclean)
            .with("health", health)
            .with("feature_set", hac_model::FEATURE_SET)
            .with("shutdown", node.shutdown)
            .with("expected_up", node.expected_up)
            .with("is_dc", node.is_dc)
            .with("resources_running", node.running.len())
            .with("type", kind)
            .opt("id_as_resource", node.container.as_ref())
            .empty();
    }
    document.close(section);
}

/// The element of all resources, or that of one of them, `depth` levels below the root.
pub(super) fn element(view: &ClusterView, only: Option<&ResourceView>, depth: usize) -> String {
    let mut document = Document { text: String::new(), depth };
    match only {
        Some(only) => resource(&mut document, only, view, !only.flags.unique),
        None => resources(&mut document, view),
    }
    document.text
}

fn resources(document: &mut Document, view: &ClusterView) {
    if view.resources.is_empty() {
        document.element("resources").empty();
        return;
    }
    let section = document.element("resources").open();
    view.resources.iter().for_each(|resource| self::resource(document, resource, view, false));
    document.close(section);
}

/// A resource with what is inside; instances of a clone are known by the plain name.
fn resource(document: &mut Document, resource: &ResourceView, view: &ClusterView, in_clone: bool) {
    let flags = &resource.flags;
    let disabled = matches!(resource.target_role, Some(Role::Stopped));
    let id = if in_clone && !flags.unique { &resource.name } else { &resource.id };
    match &resource.kind {
        ResourceKind::Primitive { agent } => primitive(document, resource, id, &agent.to_string(), view),
        ResourceKind::Group => {
            let section = document
                .element("group")
                .with("id", if in_clone { &resource.id } else { id })
                .with("number_resources", resource.children.len())
                .with("maintenance", flags.maintenance)
                .with("managed", flags.managed)
                .with("disabled", disabled)
                .open();
            resource.children.iter().for_each(|child| self::resource(document, child, view, in_clone));
            document.close(section);
        }
        ResourceKind::Clone { .. } => {
            let section = document
                .element("clone")
                .with("id", id)
                .with("multi_state", flags.promotable)
                .with("unique", flags.unique)
                .with("maintenance", flags.maintenance)
                .with("managed", flags.managed)
                .with("disabled", disabled)
                .with("failed", flags.failed)
                .with("failure_ignored", flags.failure_ignored)
                .opt("target_role", resource.meta.get("target-role"))
                .open();
            resource.children.iter().for_each(|child| self::resource(document, child, view, true));
            document.close(section);
        }
        ResourceKind::Bundle { image, replicas } => {
            let section = document
                .element("bundle")
                .with("id", id)
                .with("type", "unknown")
                .with("image", image)
                .with("unique", flags.unique)
                .with("maintenance", flags.maintenance)
                .with("managed", flags.managed)
                .with("failed", flags.failed)
                .open();
            replicas.iter().for_each(|replica| self::replica(document, replica, view));
            document.close(section);
        }
    }
}

fn replica(document: &mut Document, replica: &ReplicaView, view: &ClusterView) {
    let section = document.element("replica").with("id", replica.offset).open();
    let parts = [replica.ip.as_ref(), replica.child.as_ref(), Some(&replica.container), replica.remote.as_ref()];
    parts.into_iter().flatten().for_each(|part| resource(document, part, view, false));
    document.close(section);
}

fn primitive(document: &mut Document, resource: &ResourceView, id: &str, agent: &str, view: &ClusterView) {
    let flags = &resource.flags;
    let element = document
        .element("resource")
        .with("id", id)
        .with("resource_agent", agent)
        .with("role", role(resource))
        .opt("target_role", resource.meta.get("target-role"))
        .with("active", flags.active)
        .with("orphaned", flags.removed)
        .with("blocked", flags.blocked)
        .with("maintenance", flags.maintenance)
        .with("managed", flags.managed)
        .with("failed", flags.failed)
        .with("failure_ignored", flags.failure_ignored)
        .with("nodes_running_on", resource.nodes.len())
        .opt("pending", resource.pending.as_ref().map(|(task, _)| pending(task)))
        .opt("locked_to", resource.locked_to.as_ref());
    if resource.nodes.is_empty() {
        element.empty();
        return;
    }
    let section = element.open();
    for name in &resource.nodes {
        let id = view.nodes.iter().find(|node| node.name == *name).map_or("", |node| node.id.as_str());
        document.element("node").with("name", name).with("id", id).with("cached", true).empty();
    }
    document.close(section);
}

/// The role of a primitive as `crm_mon` writes it into XML: that to which it is on its way, if it is. What runs and could be
/// promoted is `Unpromoted`, where it is not.
#[must_use]
pub fn role(resource: &ResourceView) -> String {
    let role = match resource.role {
        Role::Started if resource.flags.promotable => Role::Unpromoted,
        role => role,
    };
    pending_role(resource).map_or_else(|| role.to_string(), str::to_owned)
}

/// The role of something that is on its way to another one.
fn pending_role(resource: &ResourceView) -> Option<&'static str> {
    match resource.pending.as_ref()?.0.as_str() {
        "start" => Some("Starting"),
        "stop" => Some("Stopping"),
        "promote" => Some("Promoting"),
        "demote" => Some("Demoting"),
        "migrate_to" | "migrate_from" => Some("Migrating"),
        _ => None,
    }
}

fn pending(task: &str) -> &str {
    match task {
        "start" => "Starting",
        "stop" => "Stopping",
        "monitor" => "Monitoring",
        "promote" => "Promoting",
        "demote" => "Demoting",
        "migrate_to" | "migrate_from" => "Migrating",
        other => other,
    }
}

fn attributes(document: &mut Document, view: &ClusterView) {
    let shown: Vec<&NodeView> = view.nodes.iter().filter(|node| !node.attributes.is_empty() && node.online).collect();
    if shown.is_empty() {
        return;
    }
    let section = document.element("node_attributes").open();
    for node in shown {
        let inside = document.element("node").with("name", &node.name).open();
        for (name, value) in &node.attributes {
            document.element("attribute").with("name", name).with("value", masked(name, value)).empty();
        }
        document.close(inside);
    }
    document.close(section);
}

/// Every primitive of the view, in order.
#[must_use]
pub fn primitives(view: &ClusterView) -> Vec<&ResourceView> {
    let mut primitives = Vec::new();
    view.resources.iter().for_each(|resource| collect(resource, &mut primitives));
    primitives
}

fn collect<'a>(resource: &'a ResourceView, found: &mut Vec<&'a ResourceView>) {
    if matches!(resource.kind, ResourceKind::Primitive { .. }) {
        found.push(resource);
    }
    resource.children.iter().for_each(|child| collect(child, found));
}

fn history(document: &mut Document, view: &ClusterView) {
    let primitives = primitives(view);
    let known = |node: &NodeView, resource: &ResourceView| resource.operations.iter().any(|op| op.node == node.name);
    if !view.nodes.iter().any(|node| primitives.iter().any(|resource| known(node, resource))) {
        return;
    }
    let section = document.element("node_history").open();
    for node in &view.nodes {
        let here: Vec<&&ResourceView> = primitives.iter().filter(|resource| known(node, resource)).collect();
        if here.is_empty() {
            continue;
        }
        let inside = document.element("node").with("name", &node.name).open();
        for resource in here {
            let failures = resource.fail_counts.iter().find(|(on, count, _)| *on == node.name && *count > 0);
            let history = document
                .element("resource_history")
                .with("id", &resource.name)
                .with("orphan", resource.flags.removed)
                .with("migration-threshold", resource.migration_threshold.unwrap_or(INFINITY))
                .opt("fail-count", failures.map(|(_, count, _)| count))
                .opt("last-failure", failures.and_then(|(_, _, last)| *last).map(date))
                .open();
            let mut operations: Vec<&OperationView> =
                resource.operations.iter().filter(|op| op.node == node.name).collect();
            operations.sort_by_key(|op| op.call_id);
            operations.dedup_by_key(|op| (op.call_id, op.task.as_str(), op.interval_ms));
            operations.iter().for_each(|op| operation(document, op));
            document.close(history);
        }
        document.close(inside);
    }
    document.close(section);
}

fn operation(document: &mut Document, op: &OperationView) {
    let probe = op.task == Task::Monitor.name() && op.interval_ms == 0;
    document
        .element("operation_history")
        .with("call", op.call_id)
        .with("task", if probe { "probe" } else { &op.task })
        .with("rc", op.rc)
        .with("rc_text", op.rc.name().unwrap_or("unknown"))
        .opt("interval", (op.interval_ms > 0).then(|| format!("{}ms", op.interval_ms)))
        .opt("last-rc-change", op.last_rc_change.map(date))
        .opt("exec-time", op.exec_time_ms.map(|ms| format!("{ms}ms")))
        .opt("queue-time", op.queue_time_ms.map(|ms| format!("{ms}ms")))
        .empty();
}

fn failures(document: &mut Document, view: &ClusterView) {
    if view.failed.is_empty() {
        return;
    }
    let section = document.element("failures").open();
    for FailedOperation { operation_key, operation, .. } in &view.failed {
        document
            .element("failure")
            .with("op_key", operation_key)
            .with("node", &operation.node)
            .with("exitstatus", operation.rc.name().unwrap_or("unknown"))
            .with("exitreason", operation.exit_reason.as_deref().unwrap_or_default())
            .with("exitcode", operation.rc)
            .with("call", operation.call_id)
            .with("status", status_words(operation.status))
            .opt("last-rc-change", operation.last_rc_change.map(iso))
            .with("queued", operation.queue_time_ms.unwrap_or(0))
            .with("exec", operation.exec_time_ms.unwrap_or(0))
            .with("interval", operation.interval_ms)
            .with("task", &operation.task)
            .empty();
    }
    document.close(section);
}

/// The execution status of a number of the CIB, in words.
#[must_use]
pub fn status_words(code: i32) -> &'static str {
    match ExecStatus::from_code(code) {
        Some(ExecStatus::Pending) => "pending",
        Some(ExecStatus::Done) => "complete",
        Some(ExecStatus::Cancelled) => "Cancelled",
        Some(ExecStatus::Timeout) => "Timed Out",
        Some(ExecStatus::NotSupported) => "NOT SUPPORTED",
        Some(ExecStatus::Error) => "Error",
        Some(ExecStatus::HardError) => "Hard error",
        Some(ExecStatus::FatalError) => "Fatal error",
        Some(ExecStatus::NotInstalled) => "Not installed",
        Some(ExecStatus::NotConnected) => "Internal communication failure",
        Some(ExecStatus::Invalid) => "Cannot execute now",
        Some(ExecStatus::NoFenceDevice) => "No fence device",
        Some(ExecStatus::NoSecrets) => "CIB secrets unavailable",
        None => "unknown",
    }
}

/// What is being done to nodes, then what was done, the newest first.
fn fencing(document: &mut Document, fencing: &Requests, node: Option<&str>) {
    let about = |target: &str| node.is_none_or(|node| node == target);
    let running: Vec<&Request> = fencing.running.iter().filter(|of| about(&of.wanted.target)).collect();
    let over: Vec<&Record> = fencing.history.iter().rev().filter(|of| about(&of.target)).collect();
    if running.is_empty() && over.is_empty() {
        return;
    }
    let section = document.element("fence_history").open();
    for Request { wanted, attempt, .. } in running {
        document
            .element("fence_event")
            .with("action", wanted.action)
            .with("target", &wanted.target)
            .with("client", &wanted.client)
            .with("origin", &wanted.origin)
            .with("status", "pending")
            .opt("delegate", attempt.as_ref().map(|attempt| &attempt.by))
            .empty();
    }
    for record in over {
        let (status, reason) = match &record.end {
            End::Succeeded => ("success", None),
            End::Failed { reason, .. } => ("failed", Some(reason)),
        };
        document
            .element("fence_event")
            .with("action", record.action)
            .with("target", &record.target)
            .with("client", &record.client)
            .with("origin", &record.origin)
            .with("status", status)
            .opt("delegate", record.delegate.as_ref())
            .with("completed", iso(record.completed))
            .opt("exit-reason", reason)
            .empty();
    }
    document.close(section);
}

fn tickets(document: &mut Document, view: &ClusterView) {
    if view.tickets.is_empty() {
        return;
    }
    let section = document.element("tickets").open();
    for ticket in &view.tickets {
        let state = if ticket.granted { "granted" } else { "revoked" };
        document.element("ticket").with("id", &ticket.id).with("status", state).with("standby", ticket.standby).empty();
    }
    document.close(section);
}

fn bans(document: &mut Document, view: &ClusterView) {
    if view.bans.is_empty() {
        return;
    }
    let section = document.element("bans").open();
    for ban in &view.bans {
        document
            .element("ban")
            .with("id", &ban.id)
            .with("resource", &ban.resource)
            .with("node", &ban.node)
            .with("weight", ban.score)
            .with("promoted-only", ban.promoted_only)
            .with("master_only", ban.promoted_only)
            .empty();
    }
    document.close(section);
}
