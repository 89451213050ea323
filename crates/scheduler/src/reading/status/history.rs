//! Whose history an entry is, and what state it leaves the resource in.

use crate::Role;
use crate::action::OnFail;
use crate::action::Task;
use crate::facts::{Kind, MultiplyActive};
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::names::base_name;
use crate::reading::Reading;
use crate::reading::config::{self, RemovedKind};
use crate::scores::Why;
use hac_model::{ExecStatus, OpHistory, ResourceHistory, operation_key};

use super::{nodes, operation, sort};

/// Reads histories, node by node, as soon as enough is known.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Containers of bundles whose connection failed.
    pub(super) containers_to_stop: Vec<RscIdx>,
}

impl Reader {
    /// Reads histories of nodes that can be read now; with `last` those of all nodes left. Tells whether there were any.
    pub(super) fn pass(&mut self, cluster: &mut Reading<'_>, last: bool) -> bool {
        let mut progress = false;
        for at in 0..cluster.cib.status.nodes.len() {
            let state = &cluster.cib.status.nodes[at];
            let Some(node) = nodes::node_of(cluster, state) else { continue };
            if cluster.nodes[node].unpacked || !ready(cluster, node, last) {
                continue;
            }
            if cluster.nodes[node].is_pacemaker_remote() {
                nodes::remote_online(cluster, node);
                nodes::read_remote_attributes(cluster, node, state);
            }
            for (position, entry) in state.resources.iter().enumerate() {
                self.read_resource(cluster, node, entry, position);
            }
            link_removed_fillers(cluster, &state.resources);
            cluster.nodes[node].facts.write().unpacked = true;
            progress = true;
        }
        progress
    }
}

/// Whether a node's history can be read.
fn ready(cluster: &Reading<'_>, node: NodeIdx, last: bool) -> bool {
    let entry = &cluster.nodes[node];
    if last {
        return cluster.options.fencing;
    }
    let started = |rsc: Option<RscIdx>| rsc.is_some_and(|rsc| cluster.rsc[rsc].role == Role::Started);
    if entry.is_guest() {
        started(entry.connection) && started(cluster.container_of(node))
    } else if entry.is_remote() {
        entry.connection.is_some() && (started(entry.connection) || cluster.options.shutdown_lock)
    } else {
        cluster.options.fencing || cluster.options.shutdown_lock || entry.online
    }
}

/// Removed connections' containers are known only after all entries of a node were read.
fn link_removed_fillers(cluster: &mut Reading<'_>, entries: &[ResourceHistory]) {
    for entry in entries {
        let Some(container) = entry.container.as_deref().and_then(|id| cluster.find(id)) else { continue };
        let Some(rsc) = cluster.find(&entry.id) else { continue };
        if rsc != container
            && cluster.rsc[rsc].is.removed_filler
            && cluster.rsc[rsc].launcher.is_none()
            && cluster.rsc[container].is_primitive()
        {
            cluster.rsc[rsc].facts.write().launcher = Some(container);
            cluster.rsc[container].facts.write().launched.push(rsc);
            if let Some(node) = cluster.rsc[rsc].remote_node {
                cluster.nodes[node].facts.write().kind = Kind::Guest;
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
    fn read_resource(&mut self, cluster: &mut Reading<'_>, node: NodeIdx, entry: &ResourceHistory, position: usize) {
        let lock = entry.shutdown_lock.filter(|_| cluster.options.shutdown_lock);
        if entry.ops.is_empty() && lock.is_none() {
            return;
        }
        let rsc = match find_resource(cluster, node, &entry.id) {
            Some(rsc) => rsc,
            None if entry.ops.is_empty() => return,
            None => removed_resource(cluster, entry),
        };
        if let Some(since) = lock {
            shutdown_lock(cluster, rsc, node, since);
        }
        cluster.rsc[rsc].facts.write().histories.push((node, position));
        let saved_role = cluster.rsc[rsc].role;
        cluster.rsc[rsc].role = Role::Unknown;
        let order = sort::sorted(&entry.ops);
        let why = cluster.because(|_| Influence::Removed);
        let mut story =
            Story { rsc, node, ops: &entry.ops, why, last_failure: None, on_fail: OnFail::Ignore, expired: Vec::new() };
        for at in &order {
            story.why = result(cluster, &story, *at);
            operation::read(cluster, &mut story, *at);
        }
        keep_recurring(cluster, &story, &order);
        self.settle(cluster, &story);
        apply_target_role(cluster, rsc);
        if saved_role > cluster.rsc[rsc].role {
            cluster.rsc[rsc].role = saved_role;
        }
    }

    /// What follows from the operations of one resource on one node.
    fn settle(&mut self, cluster: &mut Reading<'_>, story: &Story<'_>) {
        let (rsc, node) = (story.rsc, story.node);
        if cluster.rsc[rsc].role != Role::Unknown {
            mark_known(cluster, rsc, node);
        }
        fence_if_active_on_lost_node(cluster, rsc, node);
        let failed = story.on_fail != OnFail::Ignore;
        let on_fail = if cluster.nodes[node].unclean { OnFail::Ignore } else { story.on_fail };
        self.follow(cluster, rsc, node, on_fail);
        if cluster.rsc[rsc].is.failed
            && cluster.is_connection(rsc)
            && let Some(remote) = cluster.rsc[rsc].remote_node
            && cluster.nodes[remote].unclean
        {
            // A failed connection to an unclean node: it must be fenced even if it can be reached again.
            cluster.nodes[remote].facts.write().seen = true;
        }
        let role = cluster.rsc[rsc].role;
        if role > Role::Stopped {
            add_active(cluster, rsc, node, failed);
            match on_fail {
                OnFail::Ignore => {}
                OnFail::Demote | OnFail::Block => cluster.rsc[rsc].is.failed = true,
                _ => {
                    cluster.rsc[rsc].is.failed = true;
                    cluster.rsc[rsc].is.stop_if_failed = true;
                }
            }
        } else if cluster.rsc[rsc].history_id.as_ref().is_some_and(|id| id.contains(':')) {
            // Older histories had instance numbers; a stopped instance's says nothing.
            cluster.rsc[rsc].facts.write().history_id = None;
        } else {
            cluster.requests.no_stop(rsc, node);
        }
        if cluster.rsc[rsc].role == Role::Stopped
            && cluster.rsc[rsc].migration.is_some_and(|(source, _)| source == node)
            && !cluster.rsc[rsc].active.is_empty()
        {
            cluster.rsc[rsc].role = Role::Started;
        }
    }

    /// Carries out what a failure calls for.
    fn follow(&mut self, cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, on_fail: OnFail) {
        let active = cluster.rsc[rsc].role > Role::Stopped;
        let fail = |cluster: &mut Reading<'_>| {
            cluster.rsc[rsc].is.failed = true;
            cluster.rsc[rsc].is.stop_if_failed = true;
        };
        match on_fail {
            OnFail::Ignore => {}
            OnFail::Demote => {
                cluster.rsc[rsc].is.failed = true;
                cluster.ask_for(rsc, Task::Demote, node);
            }
            OnFail::FenceNode => {
                let reason = format!("{} failed there", cluster.rsc[rsc].id);
                cluster.fence_node(node, &reason, false);
            }
            OnFail::StandbyNode => {
                cluster.nodes[node].facts.write().standby = true;
                cluster.nodes[node].facts.write().fail_standby = true;
            }
            OnFail::Block => {
                cluster.rsc[rsc].is.managed = false;
                cluster.rsc[rsc].is.blocked = true;
            }
            OnFail::Ban => {
                let why = cluster.because(|cluster| Influence::OnFail { node: cluster.nodes[node].name.clone() });
                cluster.add_score(rsc, Some(node), -hac_model::INFINITY, &why);
            }
            OnFail::Stop => cluster.rsc[rsc].next_role = Role::Stopped,
            OnFail::Restart if active => {
                fail(cluster);
                cluster.ask_for(rsc, Task::Stop, node);
            }
            OnFail::Restart => {}
            OnFail::RestartContainer => {
                fail(cluster);
                match cluster.rsc[rsc].launcher {
                    Some(container) if cluster.is_bundled(rsc) => self.containers_to_stop.push(container),
                    Some(container) => cluster.ask_for(container, Task::Stop, node),
                    None if active => cluster.ask_for(rsc, Task::Stop, node),
                    None => {}
                }
            }
            OnFail::ResetRemote => {
                fail(cluster);
                reset_remote(cluster, rsc, node);
            }
        }
    }
}

fn reset_remote(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    if cluster.options.fencing
        && let Some(remote) = cluster.rsc[rsc].remote_node
        && cluster.nodes[remote].is_remote()
        && !cluster.nodes[remote].remote_was_fenced
    {
        cluster.fence_node(remote, "remote connection is unrecoverable", false);
    }
    if cluster.rsc[rsc].role > Role::Stopped {
        cluster.ask_for(rsc, Task::Stop, node);
    }
    if cluster.rsc[rsc].reconnect_ms != 0 {
        cluster.rsc[rsc].next_role = Role::Stopped;
    }
}

/// The resource that an entry belongs to, configured or an instance one too many; `None` if it is no longer configured.
fn find_resource(cluster: &mut Reading<'_>, node: NodeIdx, id: &str) -> Option<RscIdx> {
    let found = cluster.find_or_renamed(id).or_else(|| {
        let first = cluster.find(&format!("{}:0", base_name(id)))?;
        (!cluster.rsc[first].is.unique).then_some(first)
    })?;
    if !cluster.rsc[found].is_primitive() {
        return None;
    }
    let rsc = match cluster.anonymous_clone(found) {
        Some(clone) if cluster.is_bundled(clone) => replica_on(cluster, clone, node)?,
        Some(clone) => find_instance(cluster, clone, node, base_name(id)),
        None => found,
    };
    if cluster.rsc[rsc].id != id && cluster.rsc[rsc].history_id.as_deref() != Some(id) {
        cluster.rename(rsc, id);
    }
    Some(rsc)
}

/// What runs inside the replica whose node this is.
fn replica_on(cluster: &Reading<'_>, clone: RscIdx, node: NodeIdx) -> Option<RscIdx> {
    let bundle = cluster.rsc[clone].parent?;
    cluster.bundle_data(bundle)?.replicas.iter().find(|replica| replica.node == Some(node))?.child
}

/// The part of an instance that is a copy of the primitive `base`.
fn part_of(cluster: &Reading<'_>, instance: RscIdx, base: &str) -> Option<RscIdx> {
    cluster.primitives(instance).into_iter().find(|part| base_name(&cluster.rsc[*part].id) == base)
}

/// The instance of an anonymous clone that a node's history is about: the one that is active there already, else an
/// inactive one, else one more that is not configured.
fn find_instance(cluster: &mut Reading<'_>, clone: RscIdx, node: NodeIdx, base: &str) -> RscIdx {
    let mut found = None;
    let mut inactive = None;
    let mut skip_inactive = false;
    for instance in cluster.rsc[clone].children.clone() {
        if found.is_some() {
            break;
        }
        match cluster.any_location(instance) {
            Some(location) if location == node => {
                found = part_of(cluster, instance, base);
                if found.is_some_and(|part| !cluster.rsc[part].active.is_empty()) {
                    // Two histories of one anonymous clone on one node: what is beyond the first is not ours.
                    skip_inactive = true;
                    found = None;
                }
            }
            Some(_) => {}
            None if !skip_inactive && inactive.is_none() && !cluster.rsc[instance].is.blocked => {
                inactive = part_of(cluster, instance, base)
                    .filter(|part| cluster.rsc[*part].pending.as_ref().is_none_or(|(_, elsewhere)| *elsewhere == node));
            }
            None => {}
        }
    }
    if found.is_none() && !skip_inactive {
        found = inactive;
    }
    let (entry, universal) = (&cluster.nodes[node], is_universal(cluster, clone));
    if found.is_some_and(|part| !cluster.rsc[part].is.needs_fencing)
        && (!entry.online || entry.unclean)
        && !entry.is_guest()
        && !universal
    {
        found = None;
    }
    found.unwrap_or_else(|| {
        let surplus = cluster.clone_data(clone).is_some_and(|data| data.made >= data.max);
        let instance = config::add_instance(cluster, clone, surplus);
        part_of(cluster, instance, base).unwrap_or(instance)
    })
}

/// Whether there is an instance for every node.
fn is_universal(cluster: &Reading<'_>, clone: RscIdx) -> bool {
    cluster.clone_data(clone).is_some_and(|data| data.max == cluster.nodes.len())
}

/// Makes a resource for a history whose resource is no longer configured.
fn removed_resource(cluster: &mut Reading<'_>, entry: &ResourceHistory) -> RscIdx {
    let rsc = config::add_removed(cluster, &entry.id, &entry.agent, entry.container.as_deref(), RemovedKind::Primitive);
    cluster.rsc[rsc].is.facts.write().removed_filler = entry.container.is_some();
    // A device that is no longer configured still shows that there is fencing.
    cluster.facts.write().fencing_configured |= cluster.rsc[rsc].is.fence_device;
    if cluster.is_connection(rsc) {
        cluster.link_removed_connection(rsc);
    }
    if cluster.options.stop_removed {
        let why = cluster.because(|_| Influence::Removed);
        cluster.add_score(rsc, None, -hac_model::INFINITY, &why);
    } else {
        cluster.rsc[rsc].is.managed = false;
    }
    rsc
}

fn shutdown_lock(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, since: i64) {
    let limit = i64::try_from(cluster.options.shutdown_lock_limit_ms / 1000).unwrap_or(i64::MAX);
    if limit > 0 && cluster.now > since.saturating_add(limit) {
        cluster.ask_for(rsc, Task::Delete, node);
        return;
    }
    cluster.rsc[rsc].lock = Some((node, since));
}

/// Running recurring operations become optional actions.
fn keep_recurring(cluster: &mut Reading<'_>, story: &Story<'_>, order: &[usize]) {
    if !cluster.nodes[story.node].online {
        return;
    }
    for at in &order[operation::running_since(story.ops, order)..] {
        let op = &story.ops[*at];
        if op.interval_ms == 0 || op.is_pending() || story.expired.contains(at) {
            continue;
        }
        let Some(task) = Task::parse(&op.operation) else { continue };
        cluster.requests.keep(story.rsc, task, op.interval_ms, story.node);
    }
}

fn apply_target_role(cluster: &mut Reading<'_>, rsc: RscIdx) {
    let target = config::target_role(
        cluster.rsc[rsc].meta.get("target-role").map(String::as_str),
        cluster.rsc[cluster.top(rsc, false)].is.promotable,
    );
    let next = cluster.rsc[rsc].next_role;
    if target != Role::Unknown && (next == Role::Unknown || target < next) {
        cluster.rsc[rsc].next_role = target;
    }
}

/// Notes that the state of a resource is known on a node, and with it that of the anonymous clone it belongs to.
fn mark_known(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    let mut at = Some(rsc);
    while let Some(rsc) = at {
        let entry = &mut cluster.rsc[rsc];
        if !entry.known.contains(&node) {
            entry.facts.write().known.push(node);
        }
        at = if entry.is.unique { None } else { entry.parent };
    }
}

/// Something that is managed seems to run on a node that is down: the node must be fenced.
fn fence_if_active_on_lost_node(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    let entry = &cluster.nodes[node];
    let resource = &cluster.rsc[rsc];
    if resource.role <= Role::Stopped || entry.online || entry.maintenance || !resource.is.managed {
        return;
    }
    let mut reason = format!("{} is thought to be active there", resource.id);
    if entry.is_guest() {
        cluster.rsc[rsc].is.failed = true;
        cluster.rsc[rsc].is.stop_if_failed = true;
    } else if cluster.options.fencing {
        let link_works = entry.connection.is_some_and(|connection| !cluster.rsc[connection].is.failed);
        if entry.is_remote() && link_works {
            reason = format!(
                "{} is active there (fencing will be revoked if remote connection can be re-established elsewhere)",
                resource.id
            );
            cluster.nodes[node].facts.write().seen = false;
        }
    } else {
        return;
    }
    cluster.fence_node(node, &reason, false);
}

/// A result as an influence: it may rule nodes out.
fn result(cluster: &Reading<'_>, story: &Story<'_>, at: usize) -> Why {
    let op = &story.ops[at];
    cluster.because(|cluster| Influence::Failed {
        operation: operation_key(cluster.rsc[story.rsc].known_as(), &op.operation, op.interval_ms),
        node: cluster.nodes[story.node].name.clone(),
        outcome: if op.ended(ExecStatus::Timeout) { "timed out" } else { op.rc_code.words() }.to_owned(),
    })
}

/// Notes that a resource is active on a node, up through what contains it.
pub(super) fn add_active(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, failed: bool) {
    if cluster.rsc[rsc].active.contains(&node) {
        return;
    }
    cluster.rsc[rsc].facts.write().active.push(node);
    if cluster.rsc[rsc].is_primitive() {
        cluster.nodes[node].facts.write().running.push(rsc);
        if !failed {
            add_importance(cluster, rsc, node);
        }
        if cluster.nodes[node].maintenance {
            cluster.rsc[rsc].is.managed = false;
            cluster.rsc[rsc].is.facts.write().maintenance = true;
        }
    }
    if !cluster.rsc[rsc].is.managed {
        let why = cluster.because(|_| Influence::Unmanaged);
        cluster.add_score(rsc, Some(node), hac_model::INFINITY, &why);
        let mut parent = cluster.rsc[rsc].parent;
        while let Some(at) = parent.filter(|_| cluster.nodes[node].online) {
            cluster.rsc[at].facts.write().active.push(node);
            parent = cluster.rsc[at].parent;
        }
        return;
    }
    if cluster.rsc[rsc].is_primitive() && cluster.active_where_it_counts(rsc) > 1 {
        multiply_active(cluster, rsc);
    }
    if let Some(parent) = cluster.rsc[rsc].parent {
        add_active(cluster, parent, node, false);
    }
}

/// What runs on a node makes its fencing more or less urgent.
fn add_importance(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx) {
    let resource = &cluster.rsc[rsc];
    if resource.priority == 0 {
        return;
    }
    let importance = resource.priority.saturating_add(i32::from(resource.role == Role::Promoted));
    cluster.nodes[node].facts.write().priority = cluster.nodes[node].priority.saturating_add(importance);
    if let Some(container) = cluster.container_of(node) {
        for host in cluster.rsc[container].active.clone() {
            cluster.nodes[host].facts.write().priority = cluster.nodes[host].priority.saturating_add(importance);
        }
    }
}

fn multiply_active(cluster: &mut Reading<'_>, rsc: RscIdx) {
    match cluster.rsc[rsc].multiply_active {
        MultiplyActive::StopOnly => {
            let (nowhere, why) = (cluster.banned_everywhere(), cluster.because(|_| Influence::MultiplyActive));
            cluster.scores.replace(rsc, nowhere, &why);
        }
        MultiplyActive::Block => {
            let block = |cluster: &mut Reading<'_>, rsc: RscIdx| {
                cluster.rsc[rsc].is.managed = false;
                cluster.rsc[rsc].is.blocked = true;
            };
            block(cluster, rsc);
            let parent = cluster.rsc[rsc].parent.filter(|parent| {
                let parent = &cluster.rsc[*parent];
                (parent.is_group() || parent.is_bundle()) && parent.multiply_active == MultiplyActive::Block
            });
            for sibling in parent.map(|parent| cluster.rsc[parent].children.clone()).unwrap_or_default() {
                block(cluster, sibling);
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
