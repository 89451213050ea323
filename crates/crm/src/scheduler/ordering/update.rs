//! What an action's requirements and impossibilities mean for those related to it.

use crate::plan::Reason;
use crate::scheduler::cluster::{ActIdx, Cluster, NodeIdx, RelationFlags as F, Role, RscIdx, Task};

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
    walk.left -= 1;
    walk.depth += 1;
    visit(cluster, walk, then);
    walk.depth -= 1;
}

fn visit(cluster: &mut Cluster<'_>, walk: &mut Walk, then: ActIdx) {
    let was_runnable = cluster.actions[then].runnable;
    if cluster.actions[then].required_runnable > 0 {
        // Counted anew from what is before it.
        cluster.actions[then].runnable = false;
        cluster.actions[then].runnable_before = 0;
    }
    let mut then_changed = false;
    // What is added on the way is newer than all that is there, and is seen in the next round.
    for at in (0..cluster.actions[then].before.len()).rev() {
        let changed = relation(cluster, then, at);
        if changed.first {
            let first = cluster.actions[then].before[at].action;
            follow(cluster, walk, first);
            action(cluster, walk, first);
        }
        then_changed |= changed.then;
    }
    if cluster.actions[then].required_runnable > 0 {
        then_changed |= was_runnable != cluster.actions[then].runnable;
    }
    if then_changed {
        if was_runnable && !cluster.actions[then].runnable {
            block::dependents(cluster, then);
        }
        action(cluster, walk, then);
        follow(cluster, walk, then);
    }
}

/// Updates everything after `action`.
fn follow(cluster: &mut Cluster<'_>, walk: &mut Walk, of: ActIdx) {
    for at in (0..cluster.actions[of].after.len()).rev() {
        let after = cluster.actions[of].after[at].action;
        action(cluster, walk, after);
    }
}

/// Applies the relation at this position before `then`.
fn relation(cluster: &mut Cluster<'_>, then: ActIdx, at: usize) -> Changed {
    let entry = cluster.actions[then].before[at];
    let (mut first, flags) = (entry.action, entry.flags);
    let (first_node, then_node) = (place(cluster, first), place(cluster, then));
    let same_node_only = flags.any(F::IF_ON_SAME_NODE);
    if same_node_only && first_node.is_some() && then_node.is_some() && first_node != then_node {
        cluster.actions[then].before[at].flags = F::NONE;
        return Changed::default();
    }
    let mut changed = Changed::default();
    if flags.has(F::THEN_CANCELS_FIRST) && !cluster.actions[then].optional {
        cancel(cluster, first);
    }
    if is_between_resources(cluster, first, then) {
        let finished = collective::finished(cluster, first);
        if finished != first {
            cluster.actions[then].before[at].flags = F::NONE;
            cluster.order(finished, then, flags);
            first = finished;
        }
    }
    if !cluster.actions[then].before[at].flags.is_none() || first != entry.action {
        changed |= by_flags(cluster, first, then, then_node, flags);
    }
    changed
}

/// Whether the two are of different resources, neither of which contains the other's.
fn is_between_resources(cluster: &Cluster<'_>, first: ActIdx, then: ActIdx) -> bool {
    match (cluster.actions[first].rsc, cluster.actions[then].rsc) {
        (Some(a), Some(b)) => a != b && !cluster.is_inside(b, a),
        (Some(_), None) => false,
        _ => false,
    }
}

/// A reload (or clean-up) that became pointless.
fn cancel(cluster: &mut Cluster<'_>, first: ActIdx) {
    cluster.actions[first].optional = true;
    if cluster.actions[first].task == Task::Reload {
        if let Some(rsc) = cluster.actions[first].rsc {
            cluster.rsc[rsc].is.reload = false;
        }
    }
}

/// Where an action acts; a group's start where the group will be.
fn place(cluster: &Cluster<'_>, action: ActIdx) -> Option<NodeIdx> {
    let entry = &cluster.actions[action];
    match entry.rsc {
        Some(rsc) if cluster.rsc[rsc].is_group() && entry.task == Task::Start => cluster.rsc[rsc].assigned,
        _ => entry.node,
    }
}

/// Applies each flag that is set, in the order that decides which reason is noted.
fn by_flags(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, node: Option<NodeIdx>, flags: F) -> Changed {
    let node = node.filter(|_| flags.has(F::FIRST_IMPLIES_SAME_NODE_THEN) || cluster.actions[then].node.is_some());
    let mut flags = flags;
    if flags.has(F::FIRST_IMPLIES_SAME_NODE_THEN) {
        flags = flags.without(F::FIRST_IMPLIES_SAME_NODE_THEN) | F::FIRST_IMPLIES_THEN;
    }
    let mut changed = Changed::default();
    let order: [(F, Aspect); 5] = [
        (F::FIRST_IMPLIES_THEN, Aspect::Optional),
        (F::INTERMEDIATE_STOP, Aspect::Both),
        (F::THEN_IMPLIES_FIRST, Aspect::Optional),
        (F::PROMOTED_THEN_IMPLIES_FIRST, Aspect::Optional),
        (F::MIN_RUNNABLE, Aspect::Runnable),
    ];
    for (flag, aspect) in order {
        if flags.has(flag) {
            changed |= by_flag(cluster, first, then, node, aspect, flag);
        }
    }
    if flags.has(F::NESTED_REMOTE_PROBE) {
        changed |= nested_probe(cluster, first, then, node);
    }
    let rest: [(F, Aspect); 5] = [
        (F::UNRUNNABLE_FIRST_BLOCKS, Aspect::Runnable),
        (F::UNMIGRATABLE_THEN_BLOCKS, Aspect::Optional),
        (F::FIRST_ELSE_THEN, Aspect::Optional),
        (F::ORDERED, Aspect::Runnable),
        (F::ASYMMETRIC, Aspect::Runnable),
    ];
    for (flag, aspect) in rest {
        if flags.has(flag) {
            changed |= by_flag(cluster, first, then, node, aspect, flag);
        }
    }
    graphed(cluster, first, then, flags);
    changed |= unmanaged_stop(cluster, first, then, flags);
    changed
}

/// Applies one flag.
fn by_flag(
    cluster: &mut Cluster<'_>,
    first: ActIdx,
    then: ActIdx,
    node: Option<NodeIdx>,
    aspect: Aspect,
    flag: F,
) -> Changed {
    let seen = flags::seen(cluster, first, node);
    let step = Step { node, first: seen, aspect, flags: flag };
    // Flags that act on the first action are the first resource's business.
    let backwards = flag.any(F::THEN_IMPLIES_FIRST | F::PROMOTED_THEN_IMPLIES_FIRST);
    let owner = if backwards { cluster.actions[first].rsc } else { cluster.actions[then].rsc };
    if flag.has(F::MIN_RUNNABLE) {
        return min_runnable(cluster, then, seen);
    }
    match owner {
        Some(_) if backwards && !collective_then(cluster, then) => pair(cluster, first, then, &step),
        Some(_) => collective::update(cluster, first, then, &step),
        None => loose(cluster, first, then, &step),
    }
}

fn collective_then(cluster: &Cluster<'_>, then: ActIdx) -> bool {
    cluster.actions[then].rsc.is_some_and(|rsc| !cluster.rsc[rsc].is_primitive())
}

/// An action without resource: only what is plain holds.
fn loose(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changed = Changed::default();
    if step.flags.has(F::FIRST_IMPLIES_THEN) && !step.first.optional && cluster.actions[then].optional {
        cluster.actions[then].optional = false;
        changed.then = true;
    }
    if step.flags.has(F::UNRUNNABLE_FIRST_BLOCKS) && !step.first.runnable && cluster.actions[then].runnable {
        cluster.actions[then].runnable = false;
        changed.then = true;
    }
    if step.flags.has(F::THEN_IMPLIES_FIRST) && !cluster.actions[then].optional && cluster.actions[first].optional {
        cluster.actions[first].optional = false;
        changed.first = true;
    }
    changed
}

/// Counts one more of those before `then` that can be carried out.
fn min_runnable(cluster: &mut Cluster<'_>, then: ActIdx, first: Seen) -> Changed {
    if first.runnable {
        let entry = &mut cluster.actions[then];
        entry.runnable_before += 1;
        if entry.runnable_before >= entry.required_runnable {
            entry.runnable = true;
        }
    }
    Changed::default()
}

/// A probe through a connection that is up already does not wait for the connection's own.
fn nested_probe(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, node: Option<NodeIdx>) -> Changed {
    let seen = flags::seen(cluster, first, node);
    let runs = cluster.actions[first].rsc.is_some_and(|rsc| !cluster.rsc[rsc].active.is_empty());
    if !seen.runnable && runs {
        for entry in &mut cluster.actions[then].before {
            if entry.action == first {
                entry.flags = F::NONE;
            }
        }
        return Changed::default();
    }
    by_flag(cluster, first, then, node, Aspect::Runnable, F::UNRUNNABLE_FIRST_BLOCKS)
}

/// What is shown because of what is done.
fn graphed(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, flags: F) {
    let (before, after) = (&cluster.actions[first], &cluster.actions[then]);
    let shows_then = flags.has(F::FIRST_IMPLIES_THEN_GRAPHED) && before.runnable && !before.optional;
    let shows_first = flags.has(F::THEN_IMPLIES_FIRST_GRAPHED) && !after.optional;
    cluster.actions[then].always_in_graph |= shows_then;
    cluster.actions[first].always_in_graph |= shows_first;
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
pub(super) fn pair(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changes = Changes { cluster, first, then, changed: Changed::default() };
    let flags = step.flags;
    if flags.has(F::ASYMMETRIC) {
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
    fn get(&self, action: ActIdx) -> &crate::scheduler::cluster::Action {
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

    /// A one-way order: what comes then must not happen without what comes first, but may end.
    fn asymmetric(&mut self) {
        let (first, then) = (self.first, self.then);
        let Some(rsc) = self.get(then).rsc else { return };
        if self.get(first).runnable {
            return;
        }
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
fn task_name(action: &crate::scheduler::cluster::Action) -> String {
    if action.task == Task::Milestone { action.key.clone() } else { action.task.name().to_owned() }
}
