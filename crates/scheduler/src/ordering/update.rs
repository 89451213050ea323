//! What an action's requirements and impossibilities mean for those related to it.

use crate::cluster::{ActIdx, Cluster, NodeIdx, RelationFlags as F, Role, RscIdx, Task};
use crate::plan::Reason;

use super::flags::{self, Seen};
use super::{MAX_DEPTH, Walk, block, collective};

/// Which of two related actions changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// The one before.
    pub(super) first: bool,
    /// The one after.
    pub(super) then: bool,
}

impl std::ops::BitOrAssign for Changed {
    fn bitor_assign(&mut self, rhs: Self) {
        self.first |= rhs.first;
        self.then |= rhs.then;
    }
}

/// What kind of change an update looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aspect {
    /// Whether an action is required.
    Optional,
    /// Whether it can be carried out.
    Runnable,
    /// Both.
    Both,
}

impl Aspect {
    const fn optional(self) -> bool {
        matches!(self, Self::Optional | Self::Both)
    }

    const fn runnable(self) -> bool {
        matches!(self, Self::Runnable | Self::Both)
    }
}

/// What one update is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Where, if that matters.
    pub(super) node: Option<NodeIdx>,
    /// How the first action looks.
    pub(super) first: Seen,
    /// What may change.
    pub(super) aspect: Aspect,
    /// The flags at work.
    pub(super) flags: F,
}

/// Updates `then` for everything before it, and goes on with whatever that changes.
pub(super) fn action(cluster: &mut Cluster<'_>, walk: &mut Walk, then: ActIdx) {
    if walk.left == 0 {
        return;
    }
    if walk.depth >= MAX_DEPTH {
        walk.waiting.push(then);
        return;
    }
    walk.left = walk.left.saturating_sub(1 + cluster.actions[then].before.len());
    walk.depth += 1;
    visit(cluster, walk, then);
    walk.depth -= 1;
}

fn visit(cluster: &mut Cluster<'_>, walk: &mut Walk, then: ActIdx) {
    let before = flags_of(cluster, then);
    let counted = cluster.actions[then].required_runnable > 0;
    if counted {
        // Counted anew from what is before it.
        cluster.actions[then].runnable = false;
        cluster.actions[then].runnable_before = 0;
    }
    let mut then_changed = false;
    // What is added on the way is newer than all that is there, and is seen in the next round.
    for at in (0..cluster.actions[then].before.len()).rev() {
        let (changed, first) = relation(cluster, walk, then, at);
        if changed.first {
            follow(cluster, walk, first);
            action(cluster, walk, first);
        }
        then_changed |= changed.then;
    }
    if counted {
        then_changed = before != flags_of(cluster, then);
    }
    if then_changed {
        if before.runnable && !cluster.actions[then].runnable {
            block::dependents(cluster, walk, then);
        }
        action(cluster, walk, then);
        follow(cluster, walk, then);
    }
}

/// The flags of an action by themselves.
fn flags_of(cluster: &Cluster<'_>, action: ActIdx) -> Own {
    let entry = &cluster.actions[action];
    Own {
        optional: entry.optional,
        runnable: entry.runnable,
        migratable: entry.migratable,
        pseudo: entry.pseudo,
        shown: entry.always_in_graph,
    }
}

/// Flags of an action, to see whether they changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    optional: bool,
    runnable: bool,
    migratable: bool,
    pseudo: bool,
    shown: bool,
}

/// Updates everything after `action`.
pub(super) fn follow(cluster: &mut Cluster<'_>, walk: &mut Walk, of: ActIdx) {
    for at in (0..cluster.actions[of].after.len()).rev() {
        let after = cluster.actions[of].after[at].action;
        action(cluster, walk, after);
    }
}

/// Applies the relation at this position before `then`. Returns what changed, and what came first in the end.
fn relation(cluster: &mut Cluster<'_>, walk: &mut Walk, then: ActIdx, at: usize) -> (Changed, ActIdx) {
    let entry = cluster.actions[then].before[at];
    let (mut first, flags) = (entry.action, entry.flags);
    let (first_node, then_node) = (place(cluster, first), place(cluster, then));
    if flags.has(F::IF_ON_SAME_NODE) && first_node.is_some() && then_node.is_some() && first_node != then_node {
        cluster.actions[then].before[at].flags = F::NONE;
        return (Changed::default(), first);
    }
    if flags.has(F::THEN_CANCELS_FIRST) && cluster.actions[first].rsc.is_some() && !cluster.actions[then].optional {
        cancel(cluster, first);
    }
    if is_between_resources(cluster, first, then) {
        first = collective::finished(cluster, first);
    }
    if first != entry.action {
        cluster.actions[then].before[at].flags = F::NONE;
        if cluster.order(first, then, flags) {
            // Counts from the next round on, as the newest relation before all others.
            return (Changed { first: false, then: true }, first);
        }
    }
    let changed = by_flags(cluster, walk, (first, then), then_node, (at, flags));
    if first != entry.action {
        // Flags that were replaced by others meanwhile have been applied too.
        cluster.actions[then].before[at].flags = F::NONE;
    }
    (changed, first)
}

/// Whether the two are of different resources, the later one not a part of the earlier one.
fn is_between_resources(cluster: &Cluster<'_>, first: ActIdx, then: ActIdx) -> bool {
    match (cluster.actions[first].rsc, cluster.actions[then].rsc) {
        (Some(a), Some(b)) => a != b && !cluster.is_inside(b, a),
        _ => false,
    }
}

/// A reload (or clean-up) that became pointless.
fn cancel(cluster: &mut Cluster<'_>, first: ActIdx) {
    cluster.actions[first].optional = true;
    if cluster.actions[first].task == Task::Reload
        && let Some(rsc) = cluster.actions[first].rsc
    {
        cluster.rsc[rsc].is.reload = false;
    }
}

/// Where an action acts; a group's start where the group will be.
fn place(cluster: &Cluster<'_>, action: ActIdx) -> Option<NodeIdx> {
    let entry = &cluster.actions[action];
    match entry.rsc {
        Some(rsc) if cluster.rsc[rsc].is_group() && entry.task == Task::Start => cluster.location(rsc, false),
        _ => entry.node,
    }
}

/// Applies each flag that is set, in the order that decides which reason is noted.
fn by_flags(
    cluster: &mut Cluster<'_>,
    walk: &mut Walk,
    (first, then): (ActIdx, ActIdx),
    then_node: Option<NodeIdx>,
    (at, flags): (usize, F),
) -> Changed {
    let first_node = place(cluster, first);
    let seen = flags::for_ordering(cluster, first, then_node);
    let then_seen = flags::for_ordering(cluster, then, first_node);
    let mut node = cluster.actions[then].node;
    let mut flags = flags;
    if flags.has(F::FIRST_IMPLIES_SAME_NODE_THEN) {
        flags = flags.without(F::FIRST_IMPLIES_SAME_NODE_THEN) | F::FIRST_IMPLIES_THEN;
        cluster.actions[then].before[at].flags = flags;
        node = cluster.actions[first].node;
    }
    let mut changed = Changed::default();
    for (flag, aspect, only_optional) in [
        (F::FIRST_IMPLIES_THEN, Aspect::Optional, true),
        (F::INTERMEDIATE_STOP, Aspect::Both, false),
        (F::THEN_IMPLIES_FIRST, Aspect::Optional, false),
        (F::PROMOTED_THEN_IMPLIES_FIRST, Aspect::Optional, true),
        (F::MIN_RUNNABLE, Aspect::Runnable, false),
        (F::NESTED_REMOTE_PROBE, Aspect::Runnable, false),
        (F::UNRUNNABLE_FIRST_BLOCKS, Aspect::Runnable, false),
        (F::UNMIGRATABLE_THEN_BLOCKS, Aspect::Optional, false),
        (F::FIRST_ELSE_THEN, Aspect::Optional, false),
        (F::ORDERED, Aspect::Runnable, false),
        (F::ASYMMETRIC, Aspect::Runnable, false),
    ] {
        if !flags.has(flag) {
            continue;
        }
        // Of some only matters whether the first is required.
        let seen = if only_optional { Seen { runnable: false, migratable: false, ..seen } } else { seen };
        let step = Step { node, first: seen, aspect, flags: flag };
        changed |= match flag {
            F::NESTED_REMOTE_PROBE => nested_probe(cluster, walk, (first, then), at, &step),
            _ => by_flag(cluster, walk, first, then, &step),
        };
    }
    if flags.has(F::FIRST_IMPLIES_THEN_GRAPHED) && cluster.actions[first].runnable && !seen.optional {
        cluster.actions[then].always_in_graph = true;
    }
    if flags.has(F::THEN_IMPLIES_FIRST_GRAPHED) && !then_seen.optional {
        cluster.actions[first].always_in_graph = true;
    }
    changed |= unmanaged_stop(cluster, first, then, flags);
    changed
}

/// Applies one flag.
fn by_flag(cluster: &mut Cluster<'_>, walk: &mut Walk, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    // One flag is the first resource's business.
    let backwards = step.flags.has(F::THEN_IMPLIES_FIRST);
    let owner = if backwards { cluster.actions[first].rsc } else { cluster.actions[then].rsc };
    match owner {
        Some(owner) => collective::update(cluster, walk, owner, first, then, step),
        None => loose(cluster, first, then, step),
    }
}

/// An action without resource: only what is plain holds.
fn loose(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changed = Changed::default();
    if step.flags.has(F::FIRST_IMPLIES_THEN) && !step.first.optional && cluster.actions[then].optional {
        cluster.actions[then].optional = false;
        changed.then = true;
    }
    if step.flags.has(F::THEN_IMPLIES_FIRST) && !step.first.optional && cluster.actions[first].runnable {
        cluster.actions[first].runnable = false;
        changed.first = true;
    }
    if step.flags.has(F::MIN_RUNNABLE) && step.first.runnable {
        // One more of those before `then` can be carried out.
        let entry = &mut cluster.actions[then];
        entry.runnable_before += 1;
        if entry.runnable_before >= entry.required_runnable && !entry.runnable {
            entry.runnable = true;
            changed.then = true;
        }
    }
    if step.flags.has(F::UNRUNNABLE_FIRST_BLOCKS) && !step.first.runnable && cluster.actions[then].runnable {
        cluster.actions[then].runnable = false;
        changed.then = true;
    }
    changed
}

/// A probe through a connection that is up already does not wait for the connection's own.
fn nested_probe(
    cluster: &mut Cluster<'_>,
    walk: &mut Walk,
    (first, then): (ActIdx, ActIdx),
    at: usize,
    step: &Step,
) -> Changed {
    let runs = cluster.actions[first].rsc.is_some_and(|rsc| !cluster.rsc[rsc].active.is_empty());
    if !step.first.runnable && runs {
        cluster.actions[then].before[at].flags = F::NONE;
        return Changed::default();
    }
    by_flag(cluster, walk, first, then, &Step { flags: F::UNRUNNABLE_FIRST_BLOCKS, ..*step })
}

/// What needs the stop of something that waits for a person waits too.
fn unmanaged_stop(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, flags: F) -> Changed {
    let entry = &cluster.actions[first];
    let implied = flags.any(F::FIRST_IMPLIES_THEN | F::THEN_IMPLIES_FIRST | F::INTERMEDIATE_STOP);
    let stuck = entry.rsc.is_some_and(|rsc| {
        let is = &cluster.rsc[rsc].is;
        !is.managed && is.blocked && entry.task == Task::Stop && !entry.runnable
    });
    if !implied || !stuck || !cluster.actions[then].runnable {
        return Changed::default();
    }
    cluster.actions[then].runnable = false;
    Changed { first: false, then: true }
}

/// Updates two actions for one flag, whatever their resources contain.
pub(super) fn pair(cluster: &mut Cluster<'_>, walk: &mut Walk, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let changed = apply(cluster, first, then, step);
    let in_collective = cluster.actions[then].rsc.is_some_and(|rsc| cluster.rsc[rsc].parent.is_some());
    if changed.then && in_collective {
        // "Stop, then start" of a cloned group's members needs this at once.
        action(cluster, walk, then);
    }
    changed
}

fn apply(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changes = Changes { cluster, first, then, changed: Changed::default() };
    let flags = step.flags;
    if flags.has(F::ASYMMETRIC) && !step.first.runnable {
        changes.asymmetric();
    }
    if flags.has(F::THEN_IMPLIES_FIRST) && !changes.get(then).optional {
        if step.aspect.optional() && !step.first.optional && changes.get(first).optional {
            changes.require(first, then);
        }
        if step.first.migratable && !changes.get(then).migratable {
            changes.unmigrate(first, then);
        }
    }
    if flags.has(F::PROMOTED_THEN_IMPLIES_FIRST) {
        changes.promoted_implies(step.aspect);
    }
    if flags.has(F::UNMIGRATABLE_THEN_BLOCKS) && step.aspect.optional() {
        let entry = changes.get(then);
        if !(entry.migratable && entry.runnable) {
            changes.disable(first, then);
        }
        if !changes.get(then).optional {
            changes.require(first, then);
        }
    }
    if flags.has(F::FIRST_ELSE_THEN) && step.aspect.optional() && !changes.get(first).runnable {
        changes.unmigrate(then, first);
        changes.materialise(then);
    }
    if flags.has(F::UNRUNNABLE_FIRST_BLOCKS) && step.aspect.runnable() && !step.first.runnable {
        changes.disable(then, first);
        changes.unmigrate(then, first);
    }
    if flags.has(F::FIRST_IMPLIES_THEN)
        && step.aspect.optional()
        && !step.first.optional
        && !changes.get(first).migratable
    {
        changes.require(then, first);
    }
    if flags.has(F::INTERMEDIATE_STOP) {
        changes.restart(step.aspect);
    }
    changes.changed
}

/// Changes to a pair of actions, noting which changed and why.
struct Changes<'c, 'a> {
    cluster: &'c mut Cluster<'a>,
    first: ActIdx,
    then: ActIdx,
    changed: Changed,
}

impl Changes<'_, '_> {
    fn get(&self, action: ActIdx) -> &crate::cluster::Action {
        &self.cluster.actions[action]
    }

    fn note(&mut self, action: ActIdx) {
        if action == self.first {
            self.changed.first = true;
        } else {
            self.changed.then = true;
        }
    }

    /// Notes the reason if it lies with another resource.
    fn because(&mut self, action: ActIdx, of: ActIdx, reason: fn(String, String) -> Reason) {
        let rsc = self.get(of).rsc;
        if rsc == self.get(action).rsc {
            return;
        }
        let name = rsc.map(|rsc| self.cluster.rsc[rsc].id.clone()).unwrap_or_default();
        let task = task_name(self.get(of));
        self.cluster.set_reason(action, reason(name, task));
    }

    /// `action` is required because of `of`.
    fn require(&mut self, action: ActIdx, of: ActIdx) {
        if self.get(action).optional {
            self.cluster.actions[action].optional = false;
            self.because(action, of, Reason::Required);
            self.note(action);
        }
    }

    /// `action` cannot be carried out because of `of`.
    fn disable(&mut self, action: ActIdx, of: ActIdx) {
        if self.get(action).runnable {
            self.cluster.actions[action].runnable = false;
            self.because(action, of, Reason::Unrunnable);
            self.note(action);
        }
    }

    /// `action` is not part of a live migration because of `of`.
    fn unmigrate(&mut self, action: ActIdx, of: ActIdx) {
        if self.get(action).migratable {
            self.cluster.actions[action].migratable = false;
            self.because(action, of, Reason::Unmigrateable);
            self.note(action);
        }
    }

    /// A mere milestone becomes real work.
    fn materialise(&mut self, action: ActIdx) {
        if self.get(action).pseudo {
            self.cluster.actions[action].pseudo = false;
            self.note(action);
        }
    }

    /// A one-way order whose first cannot be done: what comes then must not happen without it, but may end.
    fn asymmetric(&mut self) {
        let (first, then) = (self.first, self.then);
        let Some(rsc) = self.get(then).rsc else { return };
        let role = self.cluster.role(rsc);
        let entry = self.get(then);
        let stays_stopped = entry.task == Task::Stop && entry.optional && role == Role::Stopped;
        let stays_started = entry.task == Task::Start
            && entry.optional
            && role >= Role::Started
            && entry.node.is_some()
            && self.cluster.rsc[rsc].active.len() == 1
            && self.cluster.rsc[rsc].active.first().copied() == entry.node;
        if stays_stopped || stays_started {
            return;
        }
        self.require(then, first);
        self.disable(then, first);
    }

    fn promoted_implies(&mut self, aspect: Aspect) {
        let (first, then) = (self.first, self.then);
        let entry = self.get(then);
        let promoted = entry.rsc.is_some_and(|rsc| self.role_of(rsc) == Role::Promoted);
        if !aspect.optional() || entry.optional || !promoted {
            return;
        }
        let migratable = entry.migratable;
        self.require(first, then);
        if !migratable {
            self.unmigrate(first, then);
        }
    }

    fn role_of(&self, rsc: RscIdx) -> Role {
        self.cluster.rsc[rsc].role
    }

    /// A stop between two starts.
    fn restart(&mut self, aspect: Aspect) {
        let (first, then) = (self.first, self.then);
        let entry = self.get(then);
        let same = entry.rsc.is_some() && entry.rsc == self.get(first).rsc;
        let managed = entry.rsc.is_some_and(|rsc| self.cluster.rsc[rsc].is.managed);
        let restarts = aspect.optional() && !entry.optional;
        let stays_down = aspect.runnable() && !entry.runnable && managed && same;
        if !restarts && !stays_down {
            return;
        }
        let (then_optional, then_migratable) = (entry.optional, entry.migratable);
        if self.get(first).runnable || !then_optional {
            self.require(first, then);
        }
        if !then_migratable {
            self.unmigrate(first, then);
        }
        if !self.get(first).optional && !self.get(first).runnable {
            self.disable(then, first);
        }
    }
}

/// The name of what an action does: of a milestone, its key.
fn task_name(action: &crate::cluster::Action) -> String {
    if action.task == Task::Milestone { action.key.clone() } else { action.task.name().to_owned() }
}
