//! What the status would be once a plan had been carried out with success.

use std::collections::BTreeMap;

use hac_model::{Agent, Cib, ExecStatus, NodeState, OpHistory, ResourceHistory, Task, TransitionKey, operation_key};
use hac_scheduler::plan::{Action, ActionKind, ResourceOp};
use hac_scheduler::view::NodeKind;
use hac_types::WallTime;

use super::Simulation;
use super::ids::{Names, without_number};

/// Stands for the coordinator that would have given the orders, as in Pacemaker's simulator.
const ORIGIN: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/// Where the entries of a node's resources are in its list, by id: the first place, and how many there are.
type Places = BTreeMap<String, (usize, usize)>;

/// A copy of `cib` with the assumed results.
pub(super) fn apply(cib: &Cib, simulation: &Simulation, now: WallTime) -> Cib {
    let mut after = cib.clone();
    // A start of thousands of resources looks each of them up on each node: the lists are too long for that.
    let mut places: BTreeMap<usize, Places> = BTreeMap::new();
    for &index in &simulation.executed {
        let Some(action) = simulation.outcome.plan.actions.get(index) else { continue };
        match &action.kind {
            ActionKind::Resource(op) if op.task != Task::Notify => {
                let node = node_state(&mut after, action, simulation);
                let state = &mut after.status.nodes[node];
                let places = places.entry(node).or_insert_with(|| places_of(state));
                record(state, places, &simulation.names, op, index, now);
            }
            ActionKind::Fence(fencing) if fencing.action.takes_down() => {
                let node = node_state(&mut after, action, simulation);
                take_down(&mut after.status.nodes[node]);
                places.remove(&node);
            }
            _ => {}
        }
    }
    after
}

fn places_of(state: &NodeState) -> Places {
    let mut places = Places::new();
    for (place, entry) in state.resources.iter().enumerate() {
        places.entry(entry.id.clone()).or_insert((place, 0)).1 += 1;
    }
    places
}

/// The place in the status of the node that an action is about; it is made if there is none.
fn node_state(cib: &mut Cib, action: &Action, simulation: &Simulation) -> usize {
    let name = action.node.as_deref().unwrap_or_default();
    let id = action.node_id.as_deref().unwrap_or(name);
    let nodes = &mut cib.status.nodes;
    let found = nodes
        .iter()
        .position(|state| state.uname.as_deref() == Some(name))
        .or_else(|| nodes.iter().position(|state| state.uname.is_none() && state.id == id));
    found.unwrap_or_else(|| {
        let kind = simulation.outcome.view.nodes.iter().find(|node| node.name == name).map(|node| node.kind);
        nodes.push(NodeState {
            id: id.to_owned(),
            uname: Some(name.to_owned()),
            remote_node: kind.is_some_and(|kind| kind != NodeKind::Member),
            ..NodeState::default()
        });
        nodes.len() - 1
    })
}

/// A node that was powered off is gone, and with it all that was known of it.
fn take_down(state: &mut NodeState) {
    state.in_ccm = Some("false".to_owned());
    state.crmd = Some("offline".to_owned());
    state.join = Some("down".to_owned());
    state.expected = Some("down".to_owned());
    state.attributes.clear();
    state.utilization.clear();
    state.resources.clear();
}

/// Writes the expected result of an order into the history.
fn record(state: &mut NodeState, places: &mut Places, names: &Names, op: &ResourceOp, index: usize, now: WallTime) {
    let own = op.instance.as_deref().unwrap_or(&op.resource);
    let name = names.executed(own);
    let short = without_number(own);
    if places.get(name).is_some_and(|&(_, entries)| entries > 1) {
        // Of several entries none is the right one; Pacemaker's simulator leaves them too.
        return;
    }
    // What is told apart by its number is never recorded without.
    let short = (!names.is_unique(own)).then_some(short);
    let found = [Some(name), short].into_iter().flatten().find_map(|id| places.get(id));
    let place = found.map_or(state.resources.len(), |&(first, _)| first);
    if found.is_none() {
        places.insert(name.to_owned(), (place, 1));
        let (id, agent) = (name.to_owned(), Agent::clone(&op.agent));
        state.resources.push(ResourceHistory { id, agent, ..ResourceHistory::default() }.into());
    }
    let history = &mut *state.resources[place];
    // Parameters taken in place are as good as a start with them.
    let task = if op.task == Task::Reload { Task::Start } else { op.task };
    let key = operation_key(&history.id, task, op.interval_ms);
    // Transition -1 is later than any: an operation that was under way is over.
    let action = i64::try_from(index).unwrap_or(i64::MAX);
    let transition_key =
        TransitionKey { action, transition: -1, expected_rc: op.expected_rc, uuid: ORIGIN }.to_string();
    let id = if op.interval_ms > 0 { key.clone() } else { format!("{}_last_0", history.id) };
    let result = OpHistory {
        id,
        operation_key: key,
        operation: task.to_string(),
        transition_magic: format!("0:{};{transition_key}", op.expected_rc),
        transition_key,
        rc_code: op.expected_rc,
        op_status: ExecStatus::Done.code(),
        call_id: history.ops.iter().map(|entry| entry.call_id).max().unwrap_or(0).max(0).saturating_add(1),
        interval_ms: op.interval_ms,
        last_rc_change: Some(now.as_secs()),
        exec_time_ms: Some(0),
        queue_time_ms: Some(0),
        op_digest: op.digest.clone(),
        exit_reason: Some(String::new()),
        migrate_source: op.migration.as_ref().map(|ends| ends.source.clone()),
        migrate_target: op.migration.as_ref().map(|ends| ends.target.clone()),
        ..OpHistory::default()
    };
    match history.ops.iter_mut().find(|entry| entry.id == result.id) {
        Some(entry) => *entry = result,
        None => history.ops.push(result),
    }
}
