//! The one line of a monitoring plugin, for `crm_mon -s` and `hacctl status --check`. Beyond what Pacemaker's looks at, it
//! tells of what failed, of what does not run, and of what keeps the cluster from acting.

use std::fmt::Write as _;

use hac_api::Status;
use hac_model::Role;
use hac_scheduler::view::{ClusterView, ResourceKind, ResourceView};

/// What a monitoring system is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// 0 well, 1 warning, 2 critical.
    pub code: u8,
    /// `CLUSTER OK: ...`, `CLUSTER WARN: ...` or `CLUSTER CRIT: ...`, the worst first.
    pub line: String,
    /// Figures for a graph, as plugins print them behind a `|`.
    pub figures: String,
}

/// Names of the resources that should run and do not: primitives, groups with a member missing, clones without any instance.
#[must_use]
pub fn not_running(view: &ClusterView) -> Vec<String> {
    let wanted = |r: &&ResourceView| !r.flags.removed && r.target_role != Some(Role::Stopped);
    let runs = |r: &ResourceView| match r.kind {
        ResourceKind::Group => {
            r.flags.fully_active
                || r.children.iter().all(|child| child.target_role == Some(Role::Stopped) || child.flags.active)
        }
        _ => r.flags.active,
    };
    view.resources.iter().filter(wanted).filter(|r| !runs(r)).map(|r| r.name.clone()).collect()
}

/// Judges how the cluster stands.
#[must_use]
pub fn verdict(status: &Status, view: &ClusterView) -> Verdict {
    let mut warnings = warnings(status, view);
    let disabled = view.resources.iter().filter(|r| !r.flags.removed && r.target_role == Some(Role::Stopped));
    warnings.extend(disabled.map(|r| format!("disabled: {}", r.name)));
    judged(critical(status, view), warnings, view)
}

/// The same for `crm_mon -s`, which takes a resource that somebody stopped for well: so does Pacemaker's.
pub(crate) fn as_plugin(status: &Status, view: &ClusterView) -> Verdict {
    judged(critical(status, view), warnings(status, view), view)
}

fn judged(critical: Vec<String>, warnings: Vec<String>, view: &ClusterView) -> Verdict {
    let (code, line) = match (critical.is_empty(), warnings.is_empty()) {
        (true, true) => (0, format!("CLUSTER OK: {}", all_is_well(view))),
        (true, false) => (1, format!("CLUSTER WARN: {}", warnings.join(", "))),
        (false, true) => (2, format!("CLUSTER CRIT: {}", critical.join("; "))),
        (false, false) => (2, format!("CLUSTER CRIT: {}; {}", critical.join("; "), warnings.join(", "))),
    };
    Verdict { code, line, figures: figures(view) }
}

/// What keeps services from running.
fn critical(status: &Status, view: &ClusterView) -> Vec<String> {
    let mut found = Vec::new();
    if !status.quorum.quorate {
        let why = status.quorum.waiting_for.as_ref().map(|why| format!(", {why}")).unwrap_or_default();
        found.push(format!("no quorum{why}"));
    }
    if view.stop_all_resources {
        found.push("all resources are kept stopped (stop-all-resources)".to_owned());
    }
    let down = not_running(view);
    // Without quorum, or with everything kept stopped, that nothing runs is no news.
    if found.is_empty() && !down.is_empty() {
        found.push(format!("not running: {}", down.join(", ")));
    }
    found
}

/// What will hurt, or was left behind by somebody.
fn warnings(status: &Status, view: &ClusterView) -> Vec<String> {
    let mut found = Vec::new();
    if status.dc.is_none() {
        found.push("No DC".to_owned());
    }
    found.extend(view.nodes.iter().filter(|node| !node.online).map(|node| format!("offline node: {}", node.name)));
    for failed in &view.failed {
        let line = format!("failed: {} on {}", failed.operation_key, failed.operation.node);
        if !found.contains(&line) {
            found.push(line);
        }
    }
    if view.maintenance_mode {
        found.push("maintenance mode: nothing is recovered".to_owned());
    }
    found
}

/// Nodes that run what they are given, on standby, in maintenance; and away.
struct Nodes {
    online: usize,
    standby: usize,
    maintenance: usize,
    offline: usize,
}

fn nodes(view: &ClusterView) -> Nodes {
    let count = |is: &dyn Fn(&hac_scheduler::view::NodeView) -> bool| view.nodes.iter().filter(|node| is(node)).count();
    Nodes {
        online: count(&|node| node.online && !node.standby && !node.maintenance),
        standby: count(&|node| node.online && node.standby),
        maintenance: count(&|node| node.online && node.maintenance && !node.standby),
        offline: count(&|node| !node.online),
    }
}

/// `1 node online, 1 standby node, 3 resource instances configured`.
fn all_is_well(view: &ClusterView) -> String {
    let nodes = nodes(view);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let mut text = format!("{} node{} online, ", nodes.online, plural(nodes.online));
    for (count, what) in [(nodes.standby, "standby"), (nodes.maintenance, "maintenance")] {
        if count > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "{count} {what} node{}, ", plural(count));
        }
    }
    let _ = write!(text, "{} resource instance{} configured", view.instances, plural(view.instances));
    text
}

fn figures(view: &ClusterView) -> String {
    let Nodes { online, standby, maintenance, offline } = nodes(view);
    let (resources, down, failed) = (view.instances, not_running(view).len(), view.failed.len());
    format!(
        "online={online} standby={standby} maintenance={maintenance} offline={offline} resources={resources} not_running={down} failed={failed}"
    )
}

#[cfg(test)]
mod tests {
    use hac_api::Quorum;
    use hac_scheduler::view::NodeView;

    use super::*;

    fn cluster(online: [bool; 2], standby: [bool; 2]) -> (Status, ClusterView) {
        let node = |at: usize| NodeView {
            name: format!("n{}", at + 1),
            online: online[at],
            standby: standby[at],
            ..NodeView::default()
        };
        let status = Status {
            dc: Some("n1".into()),
            quorum: Quorum { quorate: true, ..Quorum::default() },
            ..Status::default()
        };
        let view = ClusterView { nodes: vec![node(0), node(1)], instances: 1, ..ClusterView::default() };
        (status, view)
    }

    fn said(parts: &(Status, ClusterView)) -> (u8, String) {
        let verdict = verdict(&parts.0, &parts.1);
        (verdict.code, verdict.line)
    }

    #[test]
    fn nodes_on_standby_do_not_count_as_online() {
        let all = cluster([true, true], [false, false]);
        assert_eq!(said(&all), (0, "CLUSTER OK: 2 nodes online, 1 resource instance configured".into()));
        let one = cluster([true, true], [true, false]);
        assert_eq!(said(&one), (0, "CLUSTER OK: 1 node online, 1 standby node, 1 resource instance configured".into()));
        assert_eq!(figures(&one.1), "online=1 standby=1 maintenance=0 offline=0 resources=1 not_running=0 failed=0");
    }

    #[test]
    fn the_worst_comes_first_and_nothing_is_said_twice() {
        let mut away = cluster([true, false], [false, false]);
        assert_eq!(said(&away), (1, "CLUSTER WARN: offline node: n2".into()));
        away.1.resources.push(ResourceView { name: "ip".into(), ..ResourceView::default() });
        assert_eq!(said(&away), (2, "CLUSTER CRIT: not running: ip; offline node: n2".into()));
        let mut failed =
            hac_scheduler::view::FailedOperation { operation_key: "ip_start_0".into(), ..Default::default() };
        failed.operation.node = "n1".into();
        away.1.failed = vec![failed.clone(), failed];
        assert_eq!(
            said(&away),
            (2, "CLUSTER CRIT: not running: ip; offline node: n2, failed: ip_start_0 on n1".into())
        );
        away.0.quorum.quorate = false;
        assert!(said(&away).1.starts_with("CLUSTER CRIT: no quorum; offline node: n2"), "{}", said(&away).1);
        let mut none = cluster([true, true], [false, false]);
        none.0.dc = None;
        assert_eq!(said(&none), (1, "CLUSTER WARN: No DC".into()));
        let mut stopped = cluster([true, true], [false, false]);
        let off = ResourceView { name: "off".into(), target_role: Some(Role::Stopped), ..ResourceView::default() };
        stopped.1.resources.push(off);
        assert_eq!(said(&stopped), (1, "CLUSTER WARN: disabled: off".into()));
        assert_eq!(as_plugin(&stopped.0, &stopped.1).code, 0, "Pacemaker's takes it for well");
    }
}
