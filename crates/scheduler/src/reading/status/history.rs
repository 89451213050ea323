//! Whose history an entry is, and what state it leaves the resource in.

use crate::action::OnFail;
use crate::action::Task;
use crate::facts::{Kind, MultiplyActive};
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::names::base_name;
use crate::reading::Reading;
use crate::reading::config::{self, RemovedKind};
use crate::scores::Why;
use hac_model::Role;
use hac_model::{ExecStatus, OpHistory, ResourceHistory, Shared, operation_key};

use super::{nodes, operation, sort};

/// Reads histories, node by node, as soon as enough is known.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Containers of bundles whose connection failed.
    pub(super) containers_to_stop: Vec<RscIdx>,
}

impl Reader {
    /// Reads histories of nodes that can be read now; with `last` those of all nodes left. Tells whether there were any.
    pub(super) fn pass(&mut self, reading: &mut Reading<'_>, last: bool) -> bool {
        let mut progress = false;
        for at in 0..reading.cib.status.nodes.len() {
            let state = &reading.cib.status.nodes[at];
            let Some(node) = nodes::node_of(reading, state) else { continue };
            if reading.nodes[node].unpacked || !ready(reading, node, last) {
                continue;
            }
            if reading.nodes[node].is_pacemaker_remote() {
                nodes::remote_online(reading, node);
                nodes::read_remote_attributes(reading, node, state);
            }
            for (position, entry) in state.resources.iter().enumerate() {
                self.read_resource(reading, node, entry, position);
            }
            link_removed_fillers(reading, &state.resources);
            reading.nodes[node].facts.write().unpacked = true;
            progress = true;
        }
        progress
    }
}

/// Whether a node's history can be read.
fn ready(reading: &Reading<'_>, node: NodeIdx, last: bool) -> bool {
    let entry = &reading.nodes[node];
    if last {
        return reading.options.fencing;
    }
    let started = |rsc: Option<RscIdx>| rsc.is_some_and(|rsc| reading.rsc[rsc].role == Role::Started);
    if entry.is_guest() {
        started(entry.connection) && started(reading.container_of(node))
    } else if entry.is_remote() {
        entry.connection.is_some() && (started(entry.connection) || reading.options.shutdown_lock)
    } else {
        reading.options.fencing || reading.options.shutdown_lock || entry.online
    }
}

/// Removed connections' containers are known only after all entries of a node were read.
fn link_removed_fillers(reading: &mut Reading<'_>, entries: &[Shared<ResourceHistory>]) {
    for entry in entries {
        let Some(container) = entry.container.as_deref().and_then(|id| reading.find(id)) else { continue };
        let Some(rsc) = reading.find(&entry.id) else { continue };
        if rsc != container
            && reading.rsc[rsc].is.removed_filler
            && reading.rsc[rsc].launcher.is_none()
            && reading.rsc[container].is_primitive()
        {
            reading.rsc[rsc].facts.write().launcher = Some(container);
            reading.rsc[container].facts.write().launched.push(rsc);
            if let Some(node) = reading.rsc[rsc].remote_node {
                reading.nodes[node].facts.write().kind = Kind::Guest;
            }
        }
    }
}

/// What is carried from operation to operation while one resource's history on one node is read.
pub(super) struct Story<'s> {
    /// The resource.
    pub(super) rsc: RscIdx,
    /// The node.
    pub(super) node: NodeIdx,
    /// All operations of the entry.
    pub(super) ops: &'s [OpHistory],
    /// The operation that is being read, as an influence on scores.
    pub(super) why: Why,
    /// The last one that failed.
    pub(super) last_failure: Option<usize>,
    /// Severest consequence so far.
    pub(super) on_fail: OnFail,
    /// Recurring operations whose failure expired: they count as not running.
    pub(super) expired: Vec<usize>,
}

impl Reader {
    fn read_resource(&mut self, reading: &mut Reading<'_>, node: NodeIdx, entry: &ResourceHistory, position: usize) {
        let lock = entry.shutdown_lock.filter(|_| reading.options.shutdown_lock);
        if entry.ops.is_empty() && lock.is_none() {
            return;
        }
        let rsc = match find_resource(reading, node, &entry.id) {
            Some(rsc) => rsc,
            None if entry.ops.is_empty() => return,
            None => removed_resource(reading, entry),
        };
        if let Some(since) = lock {
            shutdown_lock(reading, rsc, node, since);
        }
        reading.rsc[rsc].facts.write().histories.push((node, position));
        let saved_role = reading.rsc[rsc].role;
        reading.rsc[rsc].role = Role::Unknown;
        let order = sort::sorted(&entry.ops);
        let why = reading.because(|_| Influence::Removed);
        let mut story =
            Story { rsc, node, ops: &entry.ops, why, last_failure: None, on_fail: OnFail::Ignore, expired: Vec::new() };
        for at in &order {
            story.why = result(reading, &story, *at);
            operation::read(reading, &mut story, *at);
        }
        keep_recurring(reading, &story, &order);
        self.settle(reading, &story);
        apply_target_role(reading, rsc);
        if saved_role > reading.rsc[rsc].role {
            reading.rsc[rsc].role = saved_role;
        }
    }

    /// What follows from the operations of one resource on one node.
    fn settle(&mut self, reading: &mut Reading<'_>, story: &Story<'_>) {
        let (rsc, node) = (story.rsc, story.node);
        if reading.rsc[rsc].role != Role::Unknown {
            mark_known(reading, rsc, node);
        }
        fence_if_active_on_lost_node(reading, rsc, node);
        let failed = story.on_fail != OnFail::Ignore;
        let on_fail = if reading.nodes[node].unclean { OnFail::Ignore } else { story.on_fail };
        self.follow(reading, rsc, node, on_fail);
        if reading.rsc[rsc].is.failed
            && reading.is_connection(rsc)
            && let Some(remote) = reading.rsc[rsc].remote_node
            && reading.nodes[remote].unclean
        {
            // A failed connection to an unclean node: it must be fenced even if it can be reached again.
            reading.nodes[remote].facts.write().seen = true;
        }
        let role = reading.rsc[rsc].role;
        if role > Role::Stopped {
            add_active(reading, rsc, node, failed);
            match on_fail {
                OnFail::Ignore => {}
                OnFail::Demote | OnFail::Block => reading.rsc[rsc].is.failed = true,
                _ => {
                    reading.rsc[rsc].is.failed = true;
                    reading.rsc[rsc].is.stop_if_failed = true;
                }
            }
        } else if reading.rsc[rsc].history_id.as_ref().is_some_and(|id| id.contains(':')) {
            // Older histories had instance numbers; a stopped instance's says nothing.
            reading.rsc[rsc].facts.write().history_id = None;
        } else {
            reading.requests.no_stop(rsc, node);
        }
        if reading.rsc[rsc].role == Role::Stopped
            && reading.rsc[rsc].migration.is_some_and(|(source, _)| source == node)
            && !reading.rsc[rsc].active.is_empty()
        {
            reading.rsc[rsc].role = Role::Started;
        }
    }

    /// Carries out what a failure calls for.
    fn follow(&mut self, reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, on_fail: OnFail) {
        let active = reading.rsc[rsc].role > Role::Stopped;
        let fail = |reading: &mut Reading<'_>| {
            reading.rsc[rsc].is.failed = true;
            reading.rsc[rsc].is.stop_if_failed = true;
        };
        match on_fail {
            OnFail::Ignore => {}
            OnFail::Demote => {
                reading.rsc[rsc].is.failed = true;
                reading.ask_for(rsc, Task::Demote, node);
            }
            OnFail::FenceNode => {
                let reason = format!("{} failed there", reading.rsc[rsc].id);
                reading.fence_node(node, &reason, false);
            }
            OnFail::StandbyNode => {
                reading.nodes[node].facts.write().standby = true;
                reading.nodes[node].facts.write().fail_standby = true;
            }
            OnFail::Block => {
                reading.rsc[rsc].is.managed = false;
                reading.rsc[rsc].is.blocked = true;
            }
            OnFail::Ban => {
                let why = reading.because(|reading| Influence::OnFail { node: reading.nodes[node].name.clone() });
                reading.add_score(rsc, Some(node), -hac_model::INFINITY, &why);
            }
            OnFail::Stop => reading.rsc[rsc].next_role = Role::Stopped,
            OnFail::Restart if active => {
                fail(reading);
                reading.ask_for(rsc, Task::Stop, node);
            }
            OnFail::Restart => {}
            OnFail::RestartContainer => {
                fail(reading);
                match reading.rsc[rsc].launcher {
                    Some(container) if reading.is_bundled(rsc) => self.containers_to_stop.push(container),
                    Some(container) => reading.ask_for(container, Task::Stop, node),
                    None if active => reading.ask_for(rsc, Task::Stop, node),
                    None => {}
                }
            }
            OnFail::ResetRemote => {
                fail(reading);
                reset_remote(reading, rsc, node);
            }
        }
    }
}

fn reset_remote(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    if reading.options.fencing
        && let Some(remote) = reading.rsc[rsc].remote_node
        && reading.nodes[remote].is_remote()
        && !reading.nodes[remote].remote_was_fenced
    {
        reading.fence_node(remote, "remote connection is unrecoverable", false);
    }
    if reading.rsc[rsc].role > Role::Stopped {
        reading.ask_for(rsc, Task::Stop, node);
    }
    if reading.rsc[rsc].reconnect_ms != 0 {
        reading.rsc[rsc].next_role = Role::Stopped;
    }
}

/// The resource that an entry belongs to, configured or an instance one too many; `None` if it is no longer configured.
fn find_resource(reading: &mut Reading<'_>, node: NodeIdx, id: &str) -> Option<RscIdx> {
    let found = reading.find_or_renamed(id).or_else(|| {
        let first = reading.find(&format!("{}:0", base_name(id)))?;
        (!reading.rsc[first].is.unique).then_some(first)
    })?;
    if !reading.rsc[found].is_primitive() {
        return None;
    }
    let rsc = match reading.anonymous_clone(found) {
        Some(clone) if reading.is_bundled(clone) => replica_on(reading, clone, node)?,
        Some(clone) => find_instance(reading, clone, node, base_name(id)),
        None => found,
    };
    if reading.rsc[rsc].id != id && reading.rsc[rsc].history_id.as_deref() != Some(id) {
        reading.rename(rsc, id);
    }
    Some(rsc)
}

/// What runs inside the replica whose node this is.
fn replica_on(reading: &Reading<'_>, clone: RscIdx, node: NodeIdx) -> Option<RscIdx> {
    let bundle = reading.rsc[clone].parent?;
    reading.bundle_data(bundle)?.replicas.iter().find(|replica| replica.node == Some(node))?.child
}

/// The part of an instance that is a copy of the primitive `base`.
fn part_of(reading: &Reading<'_>, instance: RscIdx, base: &str) -> Option<RscIdx> {
    reading.primitives(instance).into_iter().find(|part| base_name(&reading.rsc[*part].id) == base)
}

/// The instance of an anonymous clone that a node's history is about: the one that is active there already, else an
/// inactive one, else one more that is not configured.
fn find_instance(reading: &mut Reading<'_>, clone: RscIdx, node: NodeIdx, base: &str) -> RscIdx {
    let mut found = None;
    let mut inactive = None;
    let mut skip_inactive = false;
    for instance in reading.rsc[clone].children.clone() {
        if found.is_some() {
            break;
        }
        match reading.any_location(instance) {
            Some(location) if location == node => {
                found = part_of(reading, instance, base);
                if found.is_some_and(|part| !reading.rsc[part].active.is_empty()) {
                    // Two histories of one anonymous clone on one node: what is beyond the first is not ours.
                    skip_inactive = true;
                    found = None;
                }
            }
            Some(_) => {}
            None if !skip_inactive && inactive.is_none() && !reading.rsc[instance].is.blocked => {
                inactive = part_of(reading, instance, base)
                    .filter(|part| reading.rsc[*part].pending.as_ref().is_none_or(|(_, elsewhere)| *elsewhere == node));
            }
            None => {}
        }
    }
    if found.is_none() && !skip_inactive {
        found = inactive;
    }
    let (entry, universal) = (&reading.nodes[node], is_universal(reading, clone));
    if found.is_some_and(|part| !reading.rsc[part].is.needs_fencing)
        && (!entry.online || entry.unclean)
        && !entry.is_guest()
        && !universal
    {
        found = None;
    }
    found.unwrap_or_else(|| {
        let surplus = reading.clone_data(clone).is_some_and(|data| data.made >= data.max);
        let instance = config::add_instance(reading, clone, surplus);
        part_of(reading, instance, base).unwrap_or(instance)
    })
}

/// Whether there is an instance for every node.
fn is_universal(reading: &Reading<'_>, clone: RscIdx) -> bool {
    reading.clone_data(clone).is_some_and(|data| data.max == reading.nodes.len())
}

/// Makes a resource for a history whose resource is no longer configured.
fn removed_resource(reading: &mut Reading<'_>, entry: &ResourceHistory) -> RscIdx {
    let rsc = config::add_removed(reading, &entry.id, &entry.agent, entry.container.as_deref(), RemovedKind::Primitive);
    reading.rsc[rsc].is.facts.write().removed_filler = entry.container.is_some();
    // A device that is no longer configured still shows that there is fencing.
    reading.facts.write().fencing_configured |= reading.rsc[rsc].is.fence_device;
    if reading.is_connection(rsc) {
        reading.link_removed_connection(rsc);
    }
    if reading.options.stop_removed {
        let why = reading.because(|_| Influence::Removed);
        reading.add_score(rsc, None, -hac_model::INFINITY, &why);
    } else {
        reading.rsc[rsc].is.managed = false;
    }
    rsc
}

fn shutdown_lock(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, since: i64) {
    let limit = i64::try_from(reading.options.shutdown_lock_limit_ms / 1000).unwrap_or(i64::MAX);
    if limit > 0 && reading.now > since.saturating_add(limit) {
        reading.ask_for(rsc, Task::Delete, node);
        return;
    }
    reading.rsc[rsc].lock = Some((node, since));
}

/// Running recurring operations become optional actions. One that failed and succeeded later is begun anew once the failure
/// expired; one that failed after its success goes on.
fn keep_recurring(reading: &mut Reading<'_>, story: &Story<'_>, order: &[usize]) {
    if !reading.nodes[story.node].online {
        return;
    }
    let running = &order[operation::running_since(story.ops, order)..];
    for (place, at) in running.iter().enumerate() {
        let op = &story.ops[*at];
        let failed = |at: &usize| {
            let other = &story.ops[*at];
            story.expired.contains(at) && other.operation == op.operation && other.interval_ms == op.interval_ms
        };
        if op.interval_ms == 0 || op.is_pending() || running[..=place].iter().any(failed) {
            continue;
        }
        let Some(task) = Task::parse(&op.operation) else { continue };
        reading.requests.keep(story.rsc, task, op.interval_ms, story.node);
    }
}

fn apply_target_role(reading: &mut Reading<'_>, rsc: RscIdx) {
    let target = config::target_role(
        reading.rsc[rsc].meta.get("target-role").map(String::as_str),
        reading.rsc[reading.top(rsc, false)].is.promotable,
    );
    let next = reading.rsc[rsc].next_role;
    if target != Role::Unknown && (next == Role::Unknown || target < next) {
        reading.rsc[rsc].next_role = target;
    }
}

/// Notes that the state of a resource is known on a node, and with it that of the anonymous clone it belongs to.
fn mark_known(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    let mut at = Some(rsc);
    while let Some(rsc) = at {
        let entry = &mut reading.rsc[rsc];
        if !entry.known.contains(&node) {
            entry.facts.write().known.push(node);
        }
        at = if entry.is.unique { None } else { entry.parent };
    }
}

/// Something that is managed seems to run on a node that is down: the node must be fenced.
fn fence_if_active_on_lost_node(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    let entry = &reading.nodes[node];
    let resource = &reading.rsc[rsc];
    if resource.role <= Role::Stopped || entry.online || entry.maintenance || !resource.is.managed {
        return;
    }
    let mut reason = format!("{} is thought to be active there", resource.id);
    if entry.is_guest() {
        reading.rsc[rsc].is.failed = true;
        reading.rsc[rsc].is.stop_if_failed = true;
    } else if reading.options.fencing {
        let link_works = entry.connection.is_some_and(|connection| !reading.rsc[connection].is.failed);
        if entry.is_remote() && link_works {
            reason = format!(
                "{} is active there (fencing will be revoked if remote connection can be re-established elsewhere)",
                resource.id
            );
            reading.nodes[node].facts.write().seen = false;
        }
    } else {
        return;
    }
    reading.fence_node(node, &reason, false);
}

/// A result as an influence: it may rule nodes out.
fn result(reading: &Reading<'_>, story: &Story<'_>, at: usize) -> Why {
    let op = &story.ops[at];
    reading.because(|reading| Influence::Failed {
        operation: operation_key(reading.rsc[story.rsc].known_as(), &op.operation, op.interval_ms),
        node: reading.nodes[story.node].name.clone(),
        outcome: if op.ended(ExecStatus::Timeout) { "timed out" } else { op.rc_code.words() }.to_owned(),
    })
}

/// Notes that a resource is active on a node, up through what contains it.
pub(super) fn add_active(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, failed: bool) {
    if reading.rsc[rsc].active.contains(&node) {
        return;
    }
    reading.rsc[rsc].facts.write().active.push(node);
    if reading.rsc[rsc].is_primitive() {
        reading.nodes[node].facts.write().running.push(rsc);
        if !failed {
            add_importance(reading, rsc, node);
        }
        if reading.nodes[node].maintenance {
            reading.rsc[rsc].is.managed = false;
            reading.rsc[rsc].is.facts.write().maintenance = true;
        }
    }
    if !reading.rsc[rsc].is.managed {
        let why = reading.because(|_| Influence::Unmanaged);
        reading.add_score(rsc, Some(node), hac_model::INFINITY, &why);
        let mut parent = reading.rsc[rsc].parent;
        while let Some(at) = parent.filter(|_| reading.nodes[node].online) {
            reading.rsc[at].facts.write().active.push(node);
            parent = reading.rsc[at].parent;
        }
        return;
    }
    if reading.rsc[rsc].is_primitive() && reading.active_where_it_counts(rsc) > 1 {
        multiply_active(reading, rsc);
    }
    if let Some(parent) = reading.rsc[rsc].parent {
        add_active(reading, parent, node, false);
    }
}

/// What runs on a node makes its fencing more or less urgent.
fn add_importance(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    let resource = &reading.rsc[rsc];
    if resource.priority == 0 {
        return;
    }
    let importance = resource.priority.saturating_add(i32::from(resource.role == Role::Promoted));
    reading.nodes[node].facts.write().priority = reading.nodes[node].priority.saturating_add(importance);
    if let Some(container) = reading.container_of(node) {
        for host in reading.rsc[container].active.clone() {
            reading.nodes[host].facts.write().priority = reading.nodes[host].priority.saturating_add(importance);
        }
    }
}

fn multiply_active(reading: &mut Reading<'_>, rsc: RscIdx) {
    match reading.rsc[rsc].multiply_active {
        MultiplyActive::StopOnly => {
            let (nowhere, why) = (reading.banned_everywhere(), reading.because(|_| Influence::MultiplyActive));
            reading.scores.replace(rsc, nowhere, &why);
        }
        MultiplyActive::Block => {
            let block = |reading: &mut Reading<'_>, rsc: RscIdx| {
                reading.rsc[rsc].is.managed = false;
                reading.rsc[rsc].is.blocked = true;
            };
            block(reading, rsc);
            let parent = reading.rsc[rsc].parent.filter(|parent| {
                let parent = &reading.rsc[*parent];
                (parent.is_group() || parent.is_bundle()) && parent.multiply_active == MultiplyActive::Block
            });
            for sibling in parent.map(|parent| reading.rsc[parent].children.clone()).unwrap_or_default() {
                block(reading, sibling);
            }
        }
        MultiplyActive::StopStart | MultiplyActive::StopUnexpected => {}
    }
}

impl Reading<'_> {
    /// Notes the name that a resource has in histories.
    fn rename(&mut self, rsc: RscIdx, id: &str) {
        self.rsc[rsc].facts.write().history_id = Some(id.to_owned());
        self.facts.write().renamed.entry(id.to_owned()).or_insert(rsc);
    }
}
