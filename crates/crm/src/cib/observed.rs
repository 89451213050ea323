//! Carries out a [`StatusChange`].

use hac_types::{WallTime, mutant};

use crate::fencer;
use crate::fencer::requests::{A_PLAN, Consequence, Machine as _, Requests, Step, Wanted};

use super::held::{self, HELD_MAX};
use super::ids::pair_id;
use super::{
    Applied, Changes, HistoryOf, Join, NodePresence, OpCancelled, OpResult, Refusal, RefusalKind, StatusChange,
    failures, history, locks, tickets, tree,
};
use hac_model::{
    Agent, Cib, Node, NodeState, Noticed, NvPair, NvSet, OpHistory, Readiness, ResourceHistory, Shared, Task, computed,
};

/// Whether anything changed, or what is wrong.
type Done = Result<bool, Wrong>;

/// Why a change is refused.
pub(super) enum Wrong {
    /// The node is not configured.
    UnknownNode(String),
    /// No node has the attribute.
    UnknownAttribute(String),
    /// There are too many attributes already.
    TooMany,
    /// There are too many tickets already.
    TooManyTickets,
    /// A node is a member that a person says to be down.
    Alive(String),
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::UnknownNode(name) => {
                Self::new(format!("Node \"{name}\" is not a cluster node"), "'hacctl node show' lists the nodes")
                    .of(RefusalKind::NoSuch)
            }
            Wrong::UnknownAttribute(name) => Self::new(
                format!("no node has the attribute {name}"),
                "set it first: attrd_updater -n NAME -U VALUE -d DELAY",
            )
            .of(RefusalKind::NoSuch),
            Wrong::Alive(name) => Self::new(
                format!("{name} is a member of the cluster at this moment, so it is not down; nothing was changed"),
                "Stop hacd there, or have it fenced: hacctl node fence NODE. With --force the others take it for down all the \
                 same, and it stops everything when it learns of that",
            ),
            Wrong::TooManyTickets => Self::new(
                format!("there are {} tickets already", tickets::MOST),
                "forget some: crm_ticket -t TICKET -C",
            ),
            Wrong::TooMany => Self::new(
                format!("{HELD_MAX} attributes are private or collected already"),
                "remove some: attrd_updater -n NAME -D",
            ),
        }
    }
}

pub(super) fn apply(cib: &mut Cib, change: &StatusChange, wall: WallTime) -> Applied {
    let mut changes = Changes::default();
    match carry_out(cib, change, wall, &mut changes) {
        Err(wrong) => Applied::Refused(wrong.into()),
        Ok(false) => Applied::Unchanged,
        Ok(true) => {
            if changes.configuration {
                cib.version.configuration_changed();
            } else {
                cib.version.status_changed();
            }
            Applied::Changed(changes)
        }
    }
}

fn carry_out(cib: &mut Cib, change: &StatusChange, wall: WallTime, changes: &mut Changes) -> Done {
    match change {
        StatusChange::NodeStates(nodes) => {
            let before = fencer::members(cib);
            let mut changed = false;
            for node in nodes {
                changed |= node_state(cib, node, changes);
            }
            let now = fencer::members(cib);
            let left = |node: &&NodePresence| !node.member && node.expected_up == Some(false);
            nodes.iter().filter(left).for_each(|node| cib.status.fencing.left(&node.name));
            let lives = nodes.iter().filter(|node| node.member && node.life != 0);
            let lives = lives.map(|node| (node.name.clone(), node.life)).collect();
            cib.status.fencing.members_changed(&before, &now, &lives);
            Ok(changed)
        }
        StatusChange::NodeHistory { node, resources } => {
            let before = state_mut(cib, node)?.resources.iter().filter(|of| of.shutdown_lock.is_some());
            let before: Vec<ResourceHistory> = before.map(|of| ResourceHistory::clone(of)).collect();
            let told = locks::spared(cib, &before, resources.clone());
            Ok(replace(&mut state_mut(cib, node)?.resources, told.into_iter().map(Shared::new).collect()))
        }
        StatusChange::OpStarted(started) => {
            let (node, resource) = (&started.node, &started.resource);
            let recorded = record(cib, node, resource, &started.agent, &started.op)?;
            // Whose agent could not ask has begun nothing.
            let leaves = recorded && started.op.exit_reason.is_none();
            Ok(leaves && may_arrive(cib, resource, &started.op, changes) || recorded)
        }
        StatusChange::OpResult(result) => op_result(cib, result, wall, changes),
        StatusChange::OpCancelled(cancelled) => op_cancelled(cib, cancelled),
        StatusChange::SetAttribute { node, name, value, private, dampening_ms, utilization } => {
            let kind = held::Kind { private: *private, dampening_ms: *dampening_ms, utilization: *utilization };
            held::set(cib, (node, name), value.as_deref(), kind, changes)
        }
        StatusChange::Ticket { id, values, forget } => tickets::change(cib, id, values, *forget, wall),
        StatusChange::SetDampening { name, dampening_ms } => held::set_dampening(cib, name, *dampening_ms, changes),
        StatusChange::WriteAttributes { name } => Ok(held::write(cib, name.as_deref())),
        StatusChange::ClearFailures { resource, node, operation } => {
            let operation = operation.as_ref().map(|(task, interval)| (task.as_str(), *interval));
            let fencing = clear_fencing(cib, resource.as_deref(), node.as_deref());
            clear_failures(cib, resource.as_deref(), node.as_deref(), operation, changes).map(|other| other || fencing)
        }
        StatusChange::ClearFailCount { resource, node } => clear_fail_count(cib, resource, node, changes),
        StatusChange::ForgetHistory { resource, node } => {
            forget_history(cib, resource.as_deref(), node.as_deref(), changes)
        }
        StatusChange::Dc { node } => dc(cib, node.as_deref()),
        StatusChange::Quorum(quorum) => Ok(set_quorum(cib, *quorum)),
        StatusChange::Shutdown { node, wanted } => {
            let asked = cib.transient(node, "shutdown").is_some();
            if asked && *wanted {
                return Ok(false);
            }
            let since = wanted.then(|| wall.as_secs().to_string());
            set_transient(cib, node, "shutdown", since.as_deref()).ok_or_else(|| Wrong::UnknownNode(node.clone()))
        }
        StatusChange::LetGo { node } => {
            let state = state_mut(cib, node)?;
            Ok(replace(&mut state.expected, Some("down".to_owned())))
        }
        StatusChange::Fenced { node } => fenced(cib, node),
        StatusChange::Fencing(step) => fencing(cib, step, wall, changes),
        StatusChange::Noticed { notice, events } => Ok(noticed(cib, notice, events)),
        StatusChange::Readiness(told) => readiness(cib, told),
        StatusChange::Watchdog { node, .. } if cib.node_id(node).is_none() => Err(Wrong::UnknownNode(node.clone())),
        StatusChange::Watchdog { node, armed } => Ok(fencer::watchdog::told(cib, node, armed.as_ref())),
    }
}

/// What a member found out takes the place of what it told before.
fn readiness(cib: &mut Cib, told: &Readiness) -> Done {
    if cib.node_id(&told.node).is_none() {
        return Err(Wrong::UnknownNode(told.node.clone()));
    }
    let mut told = told.clone();
    told.lacks.truncate(Readiness::LACKS_MAX);
    told.agents.truncate(Readiness::AGENTS_MAX);
    let known = &mut cib.status.readiness;
    match known.iter_mut().find(|of| of.node == told.node) {
        Some(there) => Ok(replace(there, told)),
        None => {
            known.push(told);
            Ok(true)
        }
    }
}

/// Most events of a notice that are remembered as sent: far more than are on their way at a time.
const NOTICED_MAX: usize = 64;

/// A notice was sent for these. What belongs to notices that are not there any more is forgotten.
fn noticed(cib: &mut Cib, notice: &str, events: &[String]) -> bool {
    let (configured, known) = (&cib.configuration.notices, &mut cib.status.noticed);
    let before = known.clone();
    known.retain(|noticed| configured.iter().any(|there| there.id == noticed.notice));
    if configured.iter().any(|there| there.id == notice) {
        if known.iter().all(|noticed| noticed.notice != notice) {
            known.push(Noticed { notice: notice.to_owned(), events: Vec::new() });
        }
        for noticed in known.iter_mut().filter(|noticed| noticed.notice == notice) {
            for event in events.iter().take(NOTICED_MAX) {
                if !noticed.events.contains(event) {
                    noticed.events.push(event.clone());
                }
            }
            let surplus = noticed.events.len().saturating_sub(NOTICED_MAX);
            noticed.events.drain(..surplus);
        }
    }
    *known != before
}

/// Carries out a step of fencing. That a node is known to be down is written in the same moment.
fn fencing(cib: &mut Cib, step: &Step, wall: WallTime, changes: &mut Changes) -> Done {
    if let Step::Wanted(Wanted { target, .. }) | Step::Confirmed { target, .. } = step
        && cib.node_id(target).is_none()
    {
        return Err(Wrong::UnknownNode(target.clone()));
    }
    let members = fencer::members(cib);
    let before = cib.status.fencing.clone();
    let follows = cib.status.fencing.apply(step.clone(), &members, wall);
    let mut changed = cib.status.fencing != before;
    match &follows {
        Some(Consequence::Down(target)) => changed |= fenced(cib, target)?,
        Some(Consequence::LetIn(target)) if members.contains(target) => {
            changed |= let_in(cib, &before, step, wall);
        }
        Some(Consequence::Alive(target)) => return Err(Wrong::Alive(target.clone())),
        _ => {}
    }
    changes.fencing = follows;
    Ok(changed || changes.fencing.is_some())
}

/// A node was let in for a plan: when, and by what, its attributes say for as long as it stays.
fn let_in(cib: &mut Cib, before: &Requests, step: &Step, wall: WallTime) -> bool {
    let Step::Over { request, .. } = step else { return false };
    let Some(request) = before.running.iter().find(|of| of.id == *request) else { return false };
    let Wanted { target, client, digests_all, digests_secure, .. } = &request.wanted;
    if client != A_PLAN && !request.joined.iter().any(|client| client == A_PLAN) {
        return false;
    }
    let mut changed = false;
    let since = wall.as_secs().to_string();
    for (name, value) in
        [("#node-unfenced", &since), ("#digests-all", digests_all), ("#digests-secure", digests_secure)]
    {
        changed |= set_transient(cib, target, name, Some(value.as_str())).unwrap_or(false);
    }
    changed
}

fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

/// Whether there is anything about a node.
fn is_known(cib: &Cib, id: &str) -> bool {
    cib.status.nodes.iter().any(|state| state.id == id) || mutant("unseen-is-down")
}

/// The status of a configured node, made if it is not there.
fn state_mut<'a>(cib: &'a mut Cib, name: &str) -> Result<&'a mut NodeState, Wrong> {
    let id = cib.node_id(name).ok_or_else(|| Wrong::UnknownNode(name.to_owned()))?.to_owned();
    let nodes = &mut cib.status.nodes;
    let index = nodes.iter().position(|state| state.id == id).unwrap_or_else(|| {
        nodes.push(NodeState { id, uname: Some(name.to_owned()), ..NodeState::default() });
        nodes.len() - 1
    });
    nodes.get_mut(index).ok_or_else(|| Wrong::UnknownNode(name.to_owned()))
}

fn node_state(cib: &mut Cib, node: &NodePresence, changes: &mut Changes) -> bool {
    let mut changed = false;
    if cib.node_id(&node.name).is_none() {
        cib.configuration.nodes.push(Node { id: node.id.clone(), uname: node.name.clone(), ..Node::default() });
        changes.configuration = true;
        changed = true;
    }
    // Who was never seen is not known to be down: it may run what ran when the others were last there.
    if !node.member
        && node.expected_up.is_none()
        && !is_known(cib, &node.id)
        && fencer::fences_unseen(&cib.configuration)
    {
        return held::lose(cib, &node.name) || changed;
    }
    let Ok(state) = state_mut(cib, &node.name) else { return changed };
    let word = |yes: bool, words: (&str, &str)| Some(if yes { words.0 } else { words.1 }.to_owned());
    changed |= replace(&mut state.uname, Some(node.name.clone()));
    changed |= replace(&mut state.in_ccm, word(node.member, ("true", "false")));
    changed |= replace(&mut state.crmd, word(node.online, ("online", "offline")));
    changed |= replace(&mut state.join, Some(node.join.word().to_owned()));
    if let Some(up) = node.expected_up {
        changed |= replace(&mut state.expected, word(up, ("member", "down")));
    }
    if !node.member {
        changed |= replace(&mut state.attributes, Vec::new());
        changed |= held::lose(cib, &node.name);
    }
    changed
}

/// Keeps an entry in the history of `resource` on `node`.
fn record(cib: &mut Cib, node: &str, resource: &str, agent: &Agent, op: &OpHistory) -> Done {
    let state = state_mut(cib, node)?;
    let known = state.resources.place(resource);
    let place = known.unwrap_or_else(|| {
        state.resources.put(ResourceHistory { id: resource.to_owned(), ..ResourceHistory::default() })
    });
    let Some(of) = state.resources.at_mut(place) else { return Ok(false) };
    // What is only ordered says nothing of the agent by which the resource runs so far.
    let agent = (of.ops.is_empty() || !op.is_pending()) && replace(&mut of.agent, agent.clone());
    Ok(history::record(of, op) || agent)
}

/// A resource that leaves a node while it runs may be at the other end from now on, whatever was found there before: all that
/// counts as older than the migration, by whatever clock it was dated. (Otherwise an answer from before could seem to be the
/// newer one, and the resource would be started a second time.)
fn may_arrive(cib: &mut Cib, resource: &str, op: &OpHistory, changes: &mut Changes) -> bool {
    let target = op.migrate_target.clone().filter(|_| op.task() == Some(Task::MigrateTo));
    let Some(state) = target.as_deref().and_then(|target| state_mut(cib, target).ok()) else { return false };
    let name = name_of(state);
    let mut changed = false;
    for of in state.resources.iter_mut().filter(|of| of.id == resource) {
        changed |= history::date_back(of);
    }
    changes.arriving.push(HistoryOf { node: name, resource: resource.to_owned() });
    changed
}

fn op_result(cib: &mut Cib, result: &OpResult, wall: WallTime, changes: &mut Changes) -> Done {
    if result.op.operation == "notify" {
        return Ok(false);
    }
    let op = history::dated(&result.op, wall);
    let recorded = record(cib, &result.node, &result.resource, &result.agent, &op)?;
    // The same result delivered twice counts once.
    let counted = recorded && failures::count(cib, result, wall);
    let locked = recorded && locks::note(cib, &result.node, &result.resource, &op);
    if recorded {
        may_arrive(cib, &result.resource, &op, changes);
    }
    Ok(recorded || counted || locked)
}

fn op_cancelled(cib: &mut Cib, cancelled: &OpCancelled) -> Done {
    let state = state_mut(cib, &cancelled.node)?;
    let place = state.resources.place(&cancelled.resource);
    let of = place.and_then(|place| state.resources.at_mut(place));
    let changed = of.is_some_and(|of| history::forget_operation(of, &cancelled.task, cancelled.interval_ms));
    // To take hold of the list for nothing would cost the next one who looks for something in it.
    if state.resources.iter().any(|of| of.ops.is_empty()) {
        state.resources.retain(|of| !of.ops.is_empty());
    }
    Ok(changed)
}

/// The ids under which histories of `resource` may be kept; `None` is everything.
fn history_ids(cib: &Cib, resource: Option<&str>) -> Option<Vec<String>> {
    let resource = resource?;
    let primitives = tree::primitives_of(&cib.configuration, resource);
    // A resource that is no longer configured, or an instance by its number.
    Some(if primitives.is_empty() { vec![resource.to_owned()] } else { primitives })
}

/// The statuses of one node, or of all.
fn states_mut<'a>(
    cib: &'a mut Cib,
    node: Option<&str>,
) -> Result<Box<dyn Iterator<Item = &'a mut NodeState> + 'a>, Wrong> {
    Ok(match node {
        Some(name) => Box::new(std::iter::once(state_mut(cib, name)?)),
        None => Box::new(cib.status.nodes.iter_mut()),
    })
}

fn name_of(state: &NodeState) -> String {
    state.uname.clone().unwrap_or_else(|| state.id.clone())
}

fn selects(ids: Option<&[String]>, history: &str) -> bool {
    ids.is_none_or(|ids| ids.iter().any(|id| history::belongs_to(history, id)))
}

fn clear_failures(
    cib: &mut Cib,
    resource: Option<&str>,
    node: Option<&str>,
    operation: Option<(&str, u64)>,
    changes: &mut Changes,
) -> Done {
    let ids = history_ids(cib, resource);
    let mut changed = false;
    for state in states_mut(cib, node)? {
        let name = name_of(state);
        let failed: Vec<String> = state
            .resources
            .iter()
            .filter(|of| selects(ids.as_deref(), &of.id))
            .filter(|of| history::has_failure(of) || failures::any(state, &of.id))
            .map(|of| of.id.clone())
            .collect();
        changed |= forget_counts(state, ids.as_deref(), operation);
        if operation.is_some() {
            let ids = Some(failed.as_slice());
            changed |= forget_recorded_failures(state, &name, |id| selects(ids, id), operation, changes);
        } else {
            changed |= !failed.is_empty();
            state.resources.retain(|of| !failed.contains(&of.id));
            changes.forgotten.extend(failed.into_iter().map(|resource| HistoryOf { node: name.clone(), resource }));
        }
    }
    Ok(changed)
}

/// Who asks for failures to be forgotten, of all resources or of a fence device, wants that fencing is tried again.
fn clear_fencing(cib: &mut Cib, resource: Option<&str>, node: Option<&str>) -> bool {
    let concerns = resource.is_none_or(|resource| {
        tree::primitives(&cib.configuration).iter().any(|of| of.id == resource && of.agent.is_fence_device())
    });
    let failures = &mut cib.status.fencing.failures;
    let before = failures.len();
    failures.retain(|target, _| !concerns || node.is_some_and(|node| node != target));
    failures.len() != before
}

fn forget_counts(state: &mut NodeState, ids: Option<&[String]>, operation: Option<(&str, u64)>) -> bool {
    let Some(ids) = ids else { return failures::forget(state, None, operation) };
    let mut changed = false;
    for id in ids {
        changed |= failures::forget(state, Some(id), operation);
    }
    changed
}

fn clear_fail_count(cib: &mut Cib, resource: &str, node: &str, changes: &mut Changes) -> Done {
    let state = state_mut(cib, node)?;
    let counted = failures::forget(state, Some(resource), None);
    let concerns = |id: &str| history::belongs_to(id, resource);
    Ok(forget_recorded_failures(state, node, concerns, None, changes) || counted)
}

/// Forgets the entries of last failures on the node called `name`, and histories of which nothing is left.
fn forget_recorded_failures(
    state: &mut NodeState,
    name: &str,
    concerns: impl Fn(&str) -> bool,
    operation: Option<(&str, u64)>,
    changes: &mut Changes,
) -> bool {
    let before = changes.cleared.len();
    for of in state.resources.iter_mut().filter(|of| concerns(&of.id)) {
        if history::forget_failure(of, operation) {
            changes.cleared.push(HistoryOf { node: name.to_owned(), resource: of.id.clone() });
        }
    }
    state.resources.retain(|of| !of.ops.is_empty());
    changes.cleared.len() != before
}

fn forget_history(cib: &mut Cib, resource: Option<&str>, node: Option<&str>, changes: &mut Changes) -> Done {
    let ids = history_ids(cib, resource);
    let mut changed = false;
    for state in states_mut(cib, node)? {
        let name = name_of(state);
        changed |= forget_counts(state, ids.as_deref(), None);
        state.resources.retain(|of| {
            let forgotten = selects(ids.as_deref(), &of.id);
            if forgotten {
                changes.forgotten.push(HistoryOf { node: name.clone(), resource: of.id.clone() });
                changed = true;
            }
            !forgotten
        });
    }
    Ok(changed)
}

fn dc(cib: &mut Cib, node: Option<&str>) -> Done {
    let id = match node {
        None => None,
        Some(name) => Some(cib.node_id(name).ok_or_else(|| Wrong::UnknownNode(name.to_owned()))?.to_owned()),
    };
    Ok(replace(&mut cib.info.dc_uuid, id))
}

fn set_quorum(cib: &mut Cib, quorum: bool) -> bool {
    let policy = cib.configuration.property("no-quorum-policy");
    let panic = match policy {
        _ if quorum => None,
        Some("fence" | "suicide") if cib.info.have_quorum => Some(true),
        _ => cib.info.no_quorum_panic,
    };
    let panic = replace(&mut cib.info.no_quorum_panic, panic);
    replace(&mut cib.info.have_quorum, quorum) || panic
}

fn fenced(cib: &mut Cib, node: &str) -> Done {
    if mutant("fenced-not-recorded") {
        return Ok(false);
    }
    let state = state_mut(cib, node)?;
    let gone = NodeState {
        id: state.id.clone(),
        uname: state.uname.clone(),
        remote_node: state.remote_node,
        in_ccm: Some("false".into()),
        crmd: Some("offline".into()),
        join: Some(Join::Down.word().into()),
        expected: Some("down".into()),
        ..NodeState::default()
    };
    let changed = replace(state, gone);
    Ok(held::lose(cib, node) || changed)
}

/// Sets or removes a transient attribute at once, whatever is collected. Whether that changed anything; `None` if nobody knows the node.
pub(super) fn set_transient(cib: &mut Cib, node: &str, name: &str, value: Option<&str>) -> Option<bool> {
    set_transient_as(cib, (node, name), value, false)
}

/// The same; what no node has yet becomes a capacity of the node if `utilization`. What one has stays what it is.
pub(super) fn set_transient_as(
    cib: &mut Cib,
    (node, name): (&str, &str),
    value: Option<&str>,
    utilization: bool,
) -> Option<bool> {
    let overtaken = held::overtake(cib, node, name);
    let has = |sets: &[NvSet]| sets.iter().any(|set| set.get(name).is_some());
    let is_capacity = cib.status.nodes.iter().any(|state| has(&state.utilization));
    let is_attribute = cib.status.nodes.iter().any(|state| has(&state.attributes));
    let state = state_mut(cib, node).ok()?;
    let Some(value) = value else {
        let mut changed = overtaken;
        for set in state.attributes.iter_mut().chain(&mut state.utilization) {
            let before = set.pairs.len();
            set.pairs.retain(|pair| pair.name != name);
            changed |= set.pairs.len() != before;
        }
        state.utilization.retain(|set| !set.pairs.is_empty());
        return Some(changed);
    };
    let (sets, id) = if is_capacity || (utilization && !is_attribute) {
        (&mut state.utilization, format!("status-{}-utilization", state.id))
    } else {
        (&mut state.attributes, format!("status-{}", state.id))
    };
    if let Some(pair) = sets.iter_mut().flat_map(|set| &mut set.pairs).find(|pair| pair.name == name) {
        let value = computed(pair.value.as_deref(), value);
        return Some(replace(&mut pair.value, Some(value)) || overtaken);
    }
    let value = computed(None, value);
    if sets.is_empty() {
        sets.push(NvSet { id: id.clone(), ..NvSet::default() });
    }
    if let Some(set) = sets.first_mut() {
        set.pairs.push(NvPair {
            id: pair_id(&id, name),
            name: name.to_owned(),
            value: Some(value),
            ..NvPair::default()
        });
    }
    Some(true)
}

#[cfg(test)]
mod tests;
