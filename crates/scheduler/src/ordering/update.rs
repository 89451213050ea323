//! What an action's requirements and impossibilities mean for those related to it.

use super::Graph;
use crate::action::{RelationFlags as F, Task};
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::plan::Reason;
use hac_model::Role;

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
pub(super) fn action(graph: &mut Graph<'_>, walk: &mut Walk, then: ActIdx) {
    if walk.left == 0 {
        return;
    }
    if walk.depth >= MAX_DEPTH {
        walk.waiting.push(then);
        return;
    }
    walk.left = walk.left.saturating_sub(1 + graph.actions[then].before.len());
    walk.depth += 1;
    visit(graph, walk, then);
    walk.depth -= 1;
}

fn visit(graph: &mut Graph<'_>, walk: &mut Walk, then: ActIdx) {
    let before = flags_of(graph, then);
    let counted = graph.actions[then].required_runnable > 0;
    if counted {
        // Counted anew from what is before it.
        graph.actions[then].runnable = false;
        graph.actions[then].runnable_before = 0;
    }
    let mut then_changed = false;
    // What is added on the way is newer than all that is there, and is seen in the next round.
    for at in (0..graph.actions[then].before.len()).rev() {
        let (changed, first) = relation(graph, walk, then, at);
        if changed.first {
            follow(graph, walk, first);
            action(graph, walk, first);
        }
        then_changed |= changed.then;
    }
    if counted {
        then_changed = before != flags_of(graph, then);
    }
    if then_changed {
        if before.runnable && !graph.actions[then].runnable {
            block::dependents(graph, walk, then);
        }
        action(graph, walk, then);
        follow(graph, walk, then);
    }
}

/// The flags of an action by themselves.
fn flags_of(graph: &Graph<'_>, action: ActIdx) -> Own {
    let entry = &graph.actions[action];
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
pub(super) fn follow(graph: &mut Graph<'_>, walk: &mut Walk, of: ActIdx) {
    for at in (0..graph.actions[of].after.len()).rev() {
        let after = graph.actions[of].after[at].action;
        action(graph, walk, after);
    }
}

/// Applies the relation at this position before `then`. Returns what changed, and what came first in the end.
fn relation(graph: &mut Graph<'_>, walk: &mut Walk, then: ActIdx, at: usize) -> (Changed, ActIdx) {
    let entry = graph.actions[then].before[at];
    let (mut first, flags) = (entry.action, entry.flags);
    let (first_node, then_node) = (place(graph, first), place(graph, then));
    if flags.has(F::IF_ON_SAME_NODE) && first_node.is_some() && then_node.is_some() && first_node != then_node {
        graph.actions[then].before[at].flags = F::NONE;
        return (Changed::default(), first);
    }
    if flags.has(F::THEN_CANCELS_FIRST) && graph.actions[first].rsc.is_some() && !graph.actions[then].optional {
        cancel(graph, first);
    }
    if is_between_resources(graph, first, then) {
        first = collective::finished(graph, first);
    }
    if first != entry.action {
        graph.actions[then].before[at].flags = F::NONE;
        if graph.order(first, then, flags) {
            // Counts from the next round on, as the newest relation before all others.
            return (Changed { first: false, then: true }, first);
        }
    }
    let changed = by_flags(graph, walk, (first, then), then_node, (at, flags));
    if first != entry.action {
        // Flags that were replaced by others meanwhile have been applied too.
        graph.actions[then].before[at].flags = F::NONE;
    }
    (changed, first)
}

/// Whether the two are of different resources, the later one not a part of the earlier one.
fn is_between_resources(graph: &Graph<'_>, first: ActIdx, then: ActIdx) -> bool {
    match (graph.actions[first].rsc, graph.actions[then].rsc) {
        (Some(a), Some(b)) => a != b && !graph.is_inside(b, a),
        _ => false,
    }
}

/// A reload (or clean-up) that became pointless.
fn cancel(graph: &mut Graph<'_>, first: ActIdx) {
    graph.actions[first].optional = true;
    if graph.actions[first].task == Task::Reload
        && let Some(rsc) = graph.actions[first].rsc
    {
        graph.set_reloads(rsc, false);
    }
}

/// Where an action acts; a group's start where the group will be.
fn place(graph: &Graph<'_>, action: ActIdx) -> Option<NodeIdx> {
    let entry = &graph.actions[action];
    match entry.rsc {
        Some(rsc) if graph.rsc[rsc].is_group() && entry.task == Task::Start => graph.location(rsc, false),
        _ => entry.node,
    }
}

/// Applies each flag that is set, in the order that decides which reason is noted.
fn by_flags(
    graph: &mut Graph<'_>,
    walk: &mut Walk,
    (first, then): (ActIdx, ActIdx),
    then_node: Option<NodeIdx>,
    (at, flags): (usize, F),
) -> Changed {
    let first_node = place(graph, first);
    let seen = flags::for_ordering(graph, first, then_node);
    let then_seen = flags::for_ordering(graph, then, first_node);
    let mut node = graph.actions[then].node;
    let mut flags = flags;
    if flags.has(F::FIRST_IMPLIES_SAME_NODE_THEN) {
        flags = flags.without(F::FIRST_IMPLIES_SAME_NODE_THEN) | F::FIRST_IMPLIES_THEN;
        graph.actions[then].before[at].flags = flags;
        node = graph.actions[first].node;
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
            F::NESTED_REMOTE_PROBE => nested_probe(graph, walk, (first, then), at, &step),
            _ => by_flag(graph, walk, first, then, &step),
        };
    }
    if flags.has(F::FIRST_IMPLIES_THEN_GRAPHED) && graph.actions[first].runnable && !seen.optional {
        graph.actions[then].always_in_graph = true;
    }
    if flags.has(F::THEN_IMPLIES_FIRST_GRAPHED) && !then_seen.optional {
        graph.actions[first].always_in_graph = true;
    }
    changed |= unmanaged_stop(graph, first, then, flags);
    changed
}

/// Applies one flag.
fn by_flag(graph: &mut Graph<'_>, walk: &mut Walk, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    // One flag is the first resource's business.
    let backwards = step.flags.has(F::THEN_IMPLIES_FIRST);
    let owner = if backwards { graph.actions[first].rsc } else { graph.actions[then].rsc };
    match owner {
        Some(owner) => collective::update(graph, walk, owner, first, then, step),
        None => loose(graph, first, then, step),
    }
}

/// An action without resource: only what is plain holds.
fn loose(graph: &mut Graph<'_>, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changed = Changed::default();
    if step.flags.has(F::FIRST_IMPLIES_THEN) && !step.first.optional && graph.actions[then].optional {
        graph.actions[then].optional = false;
        changed.then = true;
    }
    if step.flags.has(F::THEN_IMPLIES_FIRST) && !step.first.optional && graph.actions[first].runnable {
        graph.actions[first].runnable = false;
        changed.first = true;
    }
    if step.flags.has(F::MIN_RUNNABLE) && step.first.runnable {
        // One more of those before `then` can be carried out.
        let entry = &mut graph.actions[then];
        entry.runnable_before += 1;
        if entry.runnable_before >= entry.required_runnable && !entry.runnable {
            entry.runnable = true;
            changed.then = true;
        }
    }
    if step.flags.has(F::UNRUNNABLE_FIRST_BLOCKS) && !step.first.runnable && graph.actions[then].runnable {
        graph.actions[then].runnable = false;
        changed.then = true;
    }
    changed
}

/// A probe through a connection that is up already does not wait for the connection's own.
fn nested_probe(
    graph: &mut Graph<'_>,
    walk: &mut Walk,
    (first, then): (ActIdx, ActIdx),
    at: usize,
    step: &Step,
) -> Changed {
    let runs = graph.actions[first].rsc.is_some_and(|rsc| !graph.rsc[rsc].active.is_empty());
    if !step.first.runnable && runs {
        graph.actions[then].before[at].flags = F::NONE;
        return Changed::default();
    }
    by_flag(graph, walk, first, then, &Step { flags: F::UNRUNNABLE_FIRST_BLOCKS, ..*step })
}

/// What needs the stop of something that waits for a person waits too.
fn unmanaged_stop(graph: &mut Graph<'_>, first: ActIdx, then: ActIdx, flags: F) -> Changed {
    let entry = &graph.actions[first];
    let implied = flags.any(F::FIRST_IMPLIES_THEN | F::THEN_IMPLIES_FIRST | F::INTERMEDIATE_STOP);
    let stuck = entry.rsc.is_some_and(|rsc| {
        let is = &graph.rsc[rsc].is;
        !is.managed && is.blocked && entry.task == Task::Stop && !entry.runnable
    });
    if !implied || !stuck || !graph.actions[then].runnable {
        return Changed::default();
    }
    graph.actions[then].runnable = false;
    Changed { first: false, then: true }
}

/// Updates two actions for one flag, whatever their resources contain.
pub(super) fn pair(graph: &mut Graph<'_>, walk: &mut Walk, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let changed = apply(graph, first, then, step);
    let in_collective = graph.actions[then].rsc.is_some_and(|rsc| graph.rsc[rsc].parent.is_some());
    if changed.then && in_collective {
        // "Stop, then start" of a cloned group's members needs this at once.
        action(graph, walk, then);
    }
    changed
}

fn apply(graph: &mut Graph<'_>, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changes = Changes { graph, first, then, changed: Changed::default() };
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
    graph: &'c mut Graph<'a>,
    first: ActIdx,
    then: ActIdx,
    changed: Changed,
}

impl Changes<'_, '_> {
    fn get(&self, action: ActIdx) -> &crate::action::Action {
        &self.graph.actions[action]
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
        let name = rsc.map(|rsc| self.graph.rsc[rsc].id.clone()).unwrap_or_default();
        let task = task_name(self.get(of));
        self.graph.set_reason(action, reason(name, task));
    }

    /// `action` is required because of `of`.
    fn require(&mut self, action: ActIdx, of: ActIdx) {
        if self.get(action).optional {
            self.graph.actions[action].optional = false;
            self.because(action, of, Reason::Required);
            self.note(action);
        }
    }

    /// `action` cannot be carried out because of `of`.
    fn disable(&mut self, action: ActIdx, of: ActIdx) {
        if self.get(action).runnable {
            self.graph.actions[action].runnable = false;
            self.because(action, of, Reason::Unrunnable);
            self.note(action);
        }
    }

    /// `action` is not part of a live migration because of `of`.
    fn unmigrate(&mut self, action: ActIdx, of: ActIdx) {
        if self.get(action).migratable {
            self.graph.actions[action].migratable = false;
            self.because(action, of, Reason::Unmigrateable);
            self.note(action);
        }
    }

    /// A mere milestone becomes real work.
    fn materialise(&mut self, action: ActIdx) {
        if self.get(action).pseudo {
            self.graph.actions[action].pseudo = false;
            self.note(action);
        }
    }

    /// A one-way order whose first cannot be done: what comes then must not happen without it, but may end.
    fn asymmetric(&mut self) {
        let (first, then) = (self.first, self.then);
        let Some(rsc) = self.get(then).rsc else { return };
        let role = self.graph.role(rsc);
        let entry = self.get(then);
        let stays_stopped = entry.task == Task::Stop && entry.optional && role == Role::Stopped;
        let stays_started = entry.task == Task::Start
            && entry.optional
            && role >= Role::Started
            && entry.node.is_some()
            && self.graph.rsc[rsc].active.len() == 1
            && self.graph.rsc[rsc].active.first().copied() == entry.node;
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
        self.graph.rsc[rsc].role
    }

    /// A stop between two starts.
    fn restart(&mut self, aspect: Aspect) {
        let (first, then) = (self.first, self.then);
        let entry = self.get(then);
        let same = entry.rsc.is_some() && entry.rsc == self.get(first).rsc;
        let managed = entry.rsc.is_some_and(|rsc| self.graph.rsc[rsc].is.managed);
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
fn task_name(action: &crate::action::Action) -> String {
    if action.task == Task::Milestone { action.key.clone() } else { action.task.name().to_owned() }
}
