//! An action of the working data as an action of a plan.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::cluster::{self, ActIdx, Cluster, NodeIdx, RscIdx, Task, base_name};
use crate::digests;
use crate::plan::{Action, ActionKind, Fencing, ResourceOp};
use hac_model::{Agent, FenceAction, Migration, OcfCode, OnFail, parse_bool};

type Values = BTreeMap<String, String>;

/// What the operation before was given. Those of a resource follow each other in the plan and mostly get the same.
#[derive(Default)]
pub(super) struct Last {
    /// Values from which the values for the graph were made: whose, of which kind, for which exit code.
    meta_of: Option<(RscIdx, Rc<Values>, Option<OcfCode>)>,
    meta: Arc<Values>,
    params: Arc<Values>,
    digested: Values,
    digest: Option<String>,
}

/// Converts all but the inputs.
pub(super) fn action(cluster: &Cluster<'_>, action: ActIdx, last: &mut Last) -> Action {
    let entry = &cluster.actions[action];
    let acts_on = entry.node.filter(|_| !entry.pseudo || is_guest_fencing(cluster, entry));
    let node = acts_on.map(|node| &cluster.nodes[node]);
    Action {
        inputs: Vec::new(),
        key: entry.key.clone(),
        node: node.map(|node| node.name.clone()),
        node_id: node.map(|node| node.id.clone()),
        router_node: router(cluster, entry).map(|node| cluster.nodes[node].name.clone()),
        priority: priority(cluster, entry),
        kind: kind(cluster, action, last),
        downed: downed(cluster, entry),
        meta: if entry.rsc.is_some_and(|rsc| cluster.rsc[rsc].is_primitive()) && !entry.pseudo {
            BTreeMap::new()
        } else {
            graph_names(&entry.meta)
        },
    }
}

/// The fencing of a guest node is a milestone that names its node.
fn is_guest_fencing(cluster: &Cluster<'_>, entry: &cluster::Action) -> bool {
    entry.task == Task::Fence && entry.node.is_some_and(|node| cluster.nodes[node].is_guest())
}

fn priority(cluster: &Cluster<'_>, entry: &cluster::Action) -> i32 {
    let of_resource = entry.rsc.map_or(0, |rsc| cluster.rsc[rsc].priority);
    of_resource.max(entry.priority).max(0)
}

fn kind(cluster: &Cluster<'_>, action: ActIdx, last: &mut Last) -> ActionKind {
    let entry = &cluster.actions[action];
    let instance = |rsc: RscIdx, known: &str| {
        let id = &cluster.rsc[rsc].id;
        (id != known).then(|| id.clone())
    };
    match (entry.task, entry.rsc) {
        _ if entry.pseudo => ActionKind::Pseudo,
        (Task::Fence, _) => ActionKind::Fence(Fencing {
            target: entry.node.map(|node| cluster.nodes[node].name.clone()).unwrap_or_default(),
            action: entry.detail.as_deref().and_then(FenceAction::parse).unwrap_or_default(),
        }),
        (Task::Shutdown, _) => ActionKind::Shutdown,
        // Fail counts lie under the name that the nodes know.
        (Task::ClearFailCount, Some(rsc)) => {
            let known = history_name(cluster, rsc);
            ActionKind::ClearFailCount { resource: known.to_owned(), instance: instance(rsc, known) }
        }
        // A history goes by the name that it has, which may be that of an instance of a former clone.
        (Task::Delete | Task::CleanUp, Some(rsc)) => {
            let known = entry.detail.as_deref().unwrap_or_else(|| cluster.rsc[rsc].known_as());
            let agent = Agent::clone(&cluster.rsc[rsc].blocks.agent);
            ActionKind::DeleteHistory { resource: known.to_owned(), instance: instance(rsc, known), agent }
        }
        (Task::Cancel, Some(rsc)) => ActionKind::Cancel(Box::new(operation(cluster, entry, rsc, last))),
        (_, Some(rsc)) => ActionKind::Resource(Box::new(operation(cluster, entry, rsc, last))),
        (_, None) => ActionKind::Pseudo,
    }
}

/// Under which name a node keeps what it knows of a resource: without instance number for an instance of an anonymous
/// clone.
fn history_name<'a>(cluster: &'a Cluster<'_>, rsc: RscIdx) -> &'a str {
    let known = cluster.rsc[rsc].known_as();
    if cluster.anonymous_clone(rsc).is_some() { base_name(known) } else { known }
}

fn operation(cluster: &Cluster<'_>, entry: &cluster::Action, rsc: RscIdx, last: &mut Last) -> ResourceOp {
    let resource = &cluster.rsc[rsc];
    let known = history_name(cluster, rsc);
    let number = |name: &str| entry.meta.get(name).and_then(|text| text.parse().ok());
    let task = match entry.task {
        // Whatever its name, what recurs is run as a monitor.
        Task::Cancel => entry.detail.as_deref().and_then(Task::parse).unwrap_or(Task::Monitor),
        task => task,
    };
    ResourceOp {
        resource: known.to_owned(),
        instance: (known != resource.id).then(|| resource.id.clone()),
        agent: Arc::clone(&resource.blocks.agent),
        task,
        interval_ms: entry.interval_ms,
        timeout_ms: number("timeout").unwrap_or(20_000),
        start_delay_ms: number("start-delay").unwrap_or(0),
        expected_rc: entry.target_rc.unwrap_or_default(),
        on_fail: entry.meta.get("on-fail").and_then(|text| OnFail::parse(text)),
        params: parameters(cluster, entry, rsc, last),
        own: own_parameters(cluster, entry, rsc),
        migration: entry.migration.map(|(source, target)| Migration {
            source: cluster.nodes[source].name.clone(),
            target: cluster.nodes[target].name.clone(),
        }),
        unrecorded: entry.meta.get("record-pending").and_then(|text| parse_bool(text)) == Some(false),
        meta: meta(cluster, entry, rsc, last),
        digest: Some(digest(cluster, entry, rsc, last)),
    }
}

/// Parameters for the agent: the operation's own, then the resource's on that node.
fn parameters(cluster: &Cluster<'_>, entry: &cluster::Action, rsc: RscIdx, last: &mut Last) -> Arc<Values> {
    if entry.task == Task::Cancel {
        return Arc::default();
    }
    // Connections are configured once for all nodes.
    let node = entry.node.filter(|_| !cluster.is_connection(rsc));
    let params = digests::operation_params(cluster, rsc, entry.task.name(), entry.interval_ms, node);
    if params != *last.params {
        last.params = Arc::new(params);
    }
    Arc::clone(&last.params)
}

/// Parameters that the operation itself has.
fn own_parameters(cluster: &Cluster<'_>, entry: &cluster::Action, rsc: RscIdx) -> Arc<Values> {
    if entry.task == Task::Cancel {
        return Arc::default();
    }
    Arc::new(digests::own_params(cluster, rsc, entry.task.name(), entry.interval_ms, entry.node))
}

/// The digest that the history shall keep; what makes a resource run is compared as its start.
fn digest(cluster: &Cluster<'_>, entry: &cluster::Action, rsc: RscIdx, last: &mut Last) -> String {
    let task = digests::compared_as(entry.task.name(), entry.interval_ms);
    let params = digests::digest_params(cluster, rsc, task, entry.interval_ms, entry.node);
    if params != last.digested {
        last.digest = None;
        last.digested = params;
    }
    last.digest.get_or_insert_with(|| digests::digest(&last.digested)).clone()
}

/// The cluster node through which an action on a remote or guest node goes: where the connection was for what takes
/// down, where it will be for what brings up.
fn router(cluster: &Cluster<'_>, entry: &cluster::Action) -> Option<NodeIdx> {
    let node = entry.node.filter(|_| !entry.pseudo)?;
    if !cluster.nodes[node].is_pacemaker_remote() || entry.task == Task::Fence || entry.on_dc {
        return None;
    }
    let connection = cluster.nodes[node].connection?;
    let (began, ended) = (cluster.current_node(connection), cluster.rsc[connection].assigned);
    let takes_down =
        matches!(entry.task, Task::Stop | Task::Demote | Task::Cancel | Task::MigrateTo | Task::MigrateFrom);
    match (began, ended) {
        (Some(began), Some(_)) if takes_down => Some(began),
        (began, None) => began,
        (_, ended) => ended,
    }
}

/// `CRM_meta_...` of everything known of the operation and its resource.
fn meta(cluster: &Cluster<'_>, entry: &cluster::Action, rsc: RscIdx, last: &mut Last) -> Arc<Values> {
    let same = |(of, values, rc): &(RscIdx, Rc<Values>, Option<OcfCode>)| {
        *of == rsc && Rc::ptr_eq(values, &entry.meta) && *rc == entry.target_rc
    };
    if !last.meta_of.as_ref().is_some_and(same) {
        let mut all = graph_names(&entry.meta);
        all.extend(entry.target_rc.map(|rc| ("CRM_meta_op_target_rc".to_owned(), rc.to_string())));
        add_resource_meta(cluster, rsc, cluster.top(rsc, false), &mut all);
        last.meta = Arc::new(all);
        last.meta_of = Some((rsc, Rc::clone(&entry.meta), entry.target_rc));
    }
    Arc::clone(&last.meta)
}

/// The values under the names that they have in the graph.
fn graph_names(values: &Values) -> Values {
    values.iter().map(|(name, value)| (format!("CRM_meta_{}", name.replace('-', "_")), value.clone())).collect()
}

/// What agents are told of the clone that they are an instance of.
fn add_resource_meta(cluster: &Cluster<'_>, rsc: RscIdx, top: RscIdx, all: &mut Values) {
    let mut add = |name: &str, value: String| {
        all.insert(format!("CRM_meta_{name}"), value);
    };
    if let Some(data) = cluster.clone_data(top).filter(|_| top != rsc) {
        let is = &cluster.rsc[top].is;
        let number = cluster.rsc[rsc].id.rsplit_once(':').map_or("0", |(_, number)| number);
        add("clone", number.to_owned());
        add("clone_max", data.max.to_string());
        add("clone_node_max", data.node_max.to_string());
        add("globally_unique", is.unique.to_string());
        add("notify", is.notify.to_string());
        if is.promotable {
            add("promoted_max", data.promoted_max.to_string());
            add("promoted_node_max", data.promoted_node_max.to_string());
            add("master_max", data.promoted_max.to_string());
            add("master_node_max", data.promoted_node_max.to_string());
        }
    }
}

/// Nodes that the action takes down.
fn downed(cluster: &Cluster<'_>, entry: &cluster::Action) -> Vec<String> {
    let id = |node: NodeIdx| cluster.nodes[node].id.clone();
    match entry.task {
        Task::Shutdown => entry.node.map(id).into_iter().collect(),
        Task::Fence if matches!(entry.detail.as_deref(), Some("off" | "reboot")) => {
            entry.node.map(id).into_iter().collect()
        }
        Task::Stop => {
            let moves = |rsc: RscIdx| {
                cluster.rsc[rsc].actions.iter().any(|other| {
                    let other = &cluster.actions[*other];
                    matches!(other.task, Task::MigrateTo | Task::MigrateFrom) && other.runnable && !other.optional
                })
            };
            let connection = entry.rsc.filter(|rsc| !moves(*rsc));
            connection.and_then(|rsc| cluster.rsc[rsc].remote_node).map(id).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
