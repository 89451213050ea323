//! An action of the working data as an action of a plan.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::told;
use crate::action::{self, Task};
use crate::digests;
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::names::base_name;
use crate::plan::{Action, ActionKind, Fencing, ResourceOp};
use hac_model::{Agent, FenceAction, Migration, OcfCode, OnFail, parse_bool};

type Values = BTreeMap<String, String>;

/// What the operation before was given. Those of a resource follow each other in the plan and mostly get the same.
#[derive(Default)]
pub(super) struct Last {
    /// Values from which the values for the graph were made: whose, of which kind, for which exit code.
    meta_of: Option<(RscIdx, Rc<Values>, Option<OcfCode>, bool)>,
    meta: Arc<Values>,
    /// What the instances of a clone are told of each other.
    told: Option<(RscIdx, Values)>,
    params: Arc<Values>,
    digested: Values,
    digest: Option<String>,
}

/// Converts all but the inputs.
pub(super) fn action(graph: &Graph<'_>, action: ActIdx, last: &mut Last) -> Action {
    let entry = &graph.actions[action];
    let acts_on = entry.node.filter(|_| !entry.pseudo || is_guest_fencing(graph, entry));
    let node = acts_on.map(|node| &graph.nodes[node]);
    Action {
        inputs: Vec::new(),
        rather_after: Vec::new(),
        key: entry.key.clone(),
        node: node.map(|node| node.name.clone()),
        node_id: node.map(|node| node.id.clone()),
        router_node: router(graph, entry).map(|node| graph.nodes[node].name.clone()),
        priority: priority(graph, entry),
        kind: kind(graph, action, last),
        downed: downed(graph, entry),
        meta: if entry.rsc.is_some_and(|rsc| graph.rsc[rsc].is_primitive()) && !entry.pseudo {
            BTreeMap::new()
        } else {
            graph_names(&entry.meta)
        },
    }
}

/// The fencing of a guest node is a milestone that names its node.
fn is_guest_fencing(graph: &Graph<'_>, entry: &action::Action) -> bool {
    entry.task == Task::Fence && entry.node.is_some_and(|node| graph.nodes[node].is_guest())
}

fn priority(graph: &Graph<'_>, entry: &action::Action) -> i32 {
    let of_resource = entry.rsc.map_or(0, |rsc| graph.rsc[rsc].priority);
    of_resource.max(entry.priority).max(0)
}

fn kind(graph: &Graph<'_>, action: ActIdx, last: &mut Last) -> ActionKind {
    let entry = &graph.actions[action];
    let instance = |rsc: RscIdx, known: &str| {
        let id = &graph.rsc[rsc].id;
        (id != known).then(|| id.clone())
    };
    match (entry.task, entry.rsc) {
        _ if entry.pseudo => ActionKind::Pseudo,
        (Task::Fence, _) => ActionKind::Fence(Fencing {
            target: entry.node.map(|node| graph.nodes[node].name.clone()).unwrap_or_default(),
            action: entry.detail.as_deref().and_then(FenceAction::parse).unwrap_or_default(),
        }),
        (Task::Shutdown, _) => ActionKind::Shutdown,
        // Fail counts lie under the name that the nodes know.
        (Task::ClearFailCount, Some(rsc)) => {
            let known = history_name(graph, rsc);
            ActionKind::ClearFailCount { resource: known.to_owned(), instance: instance(rsc, known) }
        }
        // A history goes by the name that it has, which may be that of an instance of a former clone.
        (Task::Delete | Task::CleanUp, Some(rsc)) => {
            let known = entry.detail.as_deref().unwrap_or_else(|| graph.rsc[rsc].known_as());
            let agent = Agent::clone(&graph.rsc[rsc].blocks.agent);
            ActionKind::DeleteHistory { resource: known.to_owned(), instance: instance(rsc, known), agent }
        }
        (Task::Cancel, Some(rsc)) => ActionKind::Cancel(Box::new(operation(graph, entry, rsc, last))),
        (_, Some(rsc)) => ActionKind::Resource(Box::new(operation(graph, entry, rsc, last))),
        (_, None) => ActionKind::Pseudo,
    }
}

/// Under which name a node keeps what it knows of a resource: without instance number for an instance of an anonymous
/// clone.
fn history_name<'a>(graph: &'a Graph<'_>, rsc: RscIdx) -> &'a str {
    let known = graph.rsc[rsc].known_as();
    if graph.anonymous_clone(rsc).is_some() { base_name(known) } else { known }
}

fn operation(graph: &Graph<'_>, entry: &action::Action, rsc: RscIdx, last: &mut Last) -> ResourceOp {
    let resource = &graph.rsc[rsc];
    let known = history_name(graph, rsc);
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
        params: parameters(graph, entry, rsc, last),
        own: own_parameters(graph, entry, rsc),
        migration: entry.migration.map(|(source, target)| Migration {
            source: graph.nodes[source].name.clone(),
            target: graph.nodes[target].name.clone(),
        }),
        unrecorded: entry.meta.get("record-pending").and_then(|text| parse_bool(text)) == Some(false),
        meta: meta(graph, entry, rsc, last),
        digest: Some(digest(graph, entry, rsc, last)),
    }
}

/// Parameters for the agent: the operation's own, then the resource's on that node.
fn parameters(graph: &Graph<'_>, entry: &action::Action, rsc: RscIdx, last: &mut Last) -> Arc<Values> {
    if entry.task == Task::Cancel {
        return Arc::default();
    }
    // Connections are configured once for all nodes.
    let node = entry.node.filter(|_| !graph.is_connection(rsc));
    let params = digests::operation_params(graph, rsc, entry.task.name(), entry.interval_ms, node);
    if params != *last.params {
        last.params = Arc::new(params);
    }
    Arc::clone(&last.params)
}

/// Parameters that the operation itself has.
fn own_parameters(graph: &Graph<'_>, entry: &action::Action, rsc: RscIdx) -> Arc<Values> {
    if entry.task == Task::Cancel {
        return Arc::default();
    }
    Arc::new(digests::own_params(graph, rsc, entry.task.name(), entry.interval_ms, entry.node))
}

/// The digest that the history is to keep; what makes a resource run is compared as its start.
fn digest(graph: &Graph<'_>, entry: &action::Action, rsc: RscIdx, last: &mut Last) -> String {
    let task = digests::compared_as(entry.task.name(), entry.interval_ms);
    let params = digests::digest_params(graph, rsc, task, entry.interval_ms, entry.node);
    if params != last.digested {
        last.digest = None;
        last.digested = params;
    }
    last.digest.get_or_insert_with(|| digests::digest(&last.digested)).clone()
}

/// The cluster node through which an action on a remote or guest node goes: where the connection was for what takes
/// down, where it will be for what brings up.
fn router(graph: &Graph<'_>, entry: &action::Action) -> Option<NodeIdx> {
    let node = entry.node.filter(|_| !entry.pseudo)?;
    if !graph.nodes[node].is_pacemaker_remote() || entry.task == Task::Fence || entry.on_dc {
        return None;
    }
    let connection = graph.nodes[node].connection?;
    let (began, ended) = (graph.current_node(connection), graph.placed[connection].assigned);
    let takes_down =
        matches!(entry.task, Task::Stop | Task::Demote | Task::Cancel | Task::MigrateTo | Task::MigrateFrom);
    match (began, ended) {
        (Some(began), Some(_)) if takes_down => Some(began),
        (began, None) => began,
        (_, ended) => ended,
    }
}

/// `CRM_meta_...` of everything known of the operation and its resource.
fn meta(graph: &Graph<'_>, entry: &action::Action, rsc: RscIdx, last: &mut Last) -> Arc<Values> {
    let top = graph.top(rsc, false);
    let told = graph.rsc[top].is.notify && top != rsc && told::is_told(entry.task);
    let same = |(of, values, rc, with): &(RscIdx, Rc<Values>, Option<OcfCode>, bool)| {
        *of == rsc && Rc::ptr_eq(values, &entry.meta) && *rc == entry.target_rc && *with == told
    };
    if !last.meta_of.as_ref().is_some_and(same) {
        let mut all = graph_names(&entry.meta);
        all.extend(entry.target_rc.map(|rc| ("CRM_meta_op_target_rc".to_owned(), rc.to_string())));
        add_resource_meta(graph, rsc, top, &mut all);
        if told {
            let known = last.told.take().filter(|(clone, _)| *clone == top);
            let (_, lists) = last.told.insert(known.unwrap_or_else(|| (top, told::lists(graph, top))));
            all.extend(lists.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        last.meta = Arc::new(all);
        last.meta_of = Some((rsc, Rc::clone(&entry.meta), entry.target_rc, told));
    }
    Arc::clone(&last.meta)
}

/// The values under the names that they have in the graph.
fn graph_names(values: &Values) -> Values {
    values.iter().map(|(name, value)| (format!("CRM_meta_{}", name.replace('-', "_")), value.clone())).collect()
}

/// What agents are told of the clone that they are an instance of.
fn add_resource_meta(graph: &Graph<'_>, rsc: RscIdx, top: RscIdx, all: &mut Values) {
    let mut add = |name: &str, value: String| {
        all.insert(format!("CRM_meta_{name}"), value);
    };
    if let Some(data) = graph.clone_data(top).filter(|_| top != rsc) {
        let is = &graph.rsc[top].is;
        let number = graph.rsc[rsc].id.rsplit_once(':').map_or("0", |(_, number)| number);
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
fn downed(graph: &Graph<'_>, entry: &action::Action) -> Vec<String> {
    let id = |node: NodeIdx| graph.nodes[node].id.clone();
    match entry.task {
        Task::Shutdown => entry.node.map(id).into_iter().collect(),
        Task::Fence if matches!(entry.detail.as_deref(), Some("off" | "reboot")) => {
            entry.node.map(id).into_iter().collect()
        }
        Task::Stop => {
            let moves = |rsc: RscIdx| {
                graph.actions_on(rsc).iter().any(|other| {
                    let other = &graph.actions[*other];
                    matches!(other.task, Task::MigrateTo | Task::MigrateFrom) && other.runnable && !other.optional
                })
            };
            let connection = entry.rsc.filter(|rsc| !moves(*rsc));
            connection.and_then(|rsc| graph.rsc[rsc].remote_node).map(id).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
