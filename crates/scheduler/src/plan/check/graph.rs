//! The graph of a plan: who waits for whom.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Violation;
use crate::plan::{Action, ActionKind, Plan, ResourceOp};
use hac_model::{OperationKey, Task};

/// A plan without circles.
pub(super) struct Graph<'p> {
    plan: &'p Plan,
    /// What an action waits for, directly or not; found when first asked.
    before: RefCell<BTreeMap<usize, Vec<bool>>>,
}

/// An order for an agent in a plan.
#[derive(Clone, Copy)]
pub(super) struct Op<'p> {
    pub(super) index: usize,
    pub(super) action: &'p Action,
    /// What is ordered; none for a milestone that stands for an order.
    pub(super) op: Option<&'p ResourceOp>,
    /// Id with instance number.
    pub(super) resource: &'p str,
    pub(super) task: Task,
    pub(super) node: &'p str,
}

impl Op<'_> {
    /// How it is told.
    pub(super) fn name(&self) -> String {
        name(self.action)
    }

    /// Whether an agent is really run.
    pub(super) fn is_real(&self) -> bool {
        self.op.is_some()
    }
}

/// How an action is told.
pub(super) fn name(action: &Action) -> String {
    let node = action.node.as_deref().unwrap_or_default();
    format!("{} {node}", action.key).trim_end().to_owned()
}

impl<'p> Graph<'p> {
    /// The graph of `plan`, or why it is none.
    pub(super) fn new(plan: &'p Plan) -> Result<Self, Vec<Violation>> {
        let count = plan.actions.len();
        let dangling = |action: &&Action| action.inputs.iter().any(|input| *input >= count);
        let violations: Vec<Violation> =
            plan.actions.iter().filter(dangling).map(|action| Violation::DanglingInput(name(action))).collect();
        if !violations.is_empty() {
            return Err(violations);
        }
        let mut waiting: Vec<usize> = plan.actions.iter().map(|action| action.inputs.len()).collect();
        let mut then: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (index, action) in plan.actions.iter().enumerate() {
            action.inputs.iter().for_each(|input| then[*input].push(index));
        }
        let mut ready: Vec<usize> = (0..count).filter(|index| waiting[*index] == 0).collect();
        while let Some(index) = ready.pop() {
            for &next in &then[index] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.push(next);
                }
            }
        }
        let stuck = (0..count).find(|index| waiting[*index] > 0 && reaches(plan, *index)[*index]);
        match stuck {
            Some(index) => Err(vec![Violation::Cycle(name(&plan.actions[index]))]),
            None => Ok(Self { plan, before: RefCell::default() }),
        }
    }

    /// Whether `then` cannot begin before `first` has ended.
    pub(super) fn waits(&self, then: usize, first: usize) -> bool {
        let mut known = self.before.borrow_mut();
        let before = known.entry(then).or_insert_with(|| reaches(self.plan, then));
        before.get(first).copied().unwrap_or(false)
    }

    /// All orders, and the milestones that stand for one: a stop by fencing, a start by migration.
    pub(super) fn ops(&self) -> impl Iterator<Item = Op<'p>> + use<'p> {
        self.plan.actions.iter().enumerate().filter_map(|(index, action)| {
            let node = action.node.as_deref()?;
            match &action.kind {
                ActionKind::Resource(op) => {
                    let resource = op.instance.as_deref().unwrap_or(&op.resource);
                    Some(Op { index, action, op: Some(op), resource, task: op.task, node })
                }
                ActionKind::Pseudo => {
                    let key = OperationKey::parse(&action.key).filter(|key| key.interval_ms == 0)?;
                    let task = Task::parse(key.task).filter(|task| matches!(task, Task::Start | Task::Stop))?;
                    Some(Op { index, action, op: None, resource: key.resource, task, node })
                }
                ActionKind::Cancel(_)
                | ActionKind::Fence(_)
                | ActionKind::Shutdown
                | ActionKind::ClearFailCount { .. }
                | ActionKind::DeleteHistory { .. } => None,
            }
        })
    }

    /// Indexes of what powers `node` off, or stands for that.
    pub(super) fn fencings(&self, node: &str) -> impl Iterator<Item = usize> {
        let on = |action: &Action| action.node.as_deref() == Some(node);
        self.plan.actions.iter().enumerate().filter_map(move |(index, action)| {
            let fences = match &action.kind {
                ActionKind::Fence(fencing) => fencing.action.takes_down(),
                ActionKind::Pseudo => action.key.starts_with("stonith-"),
                _ => false,
            };
            (fences && on(action)).then_some(index)
        })
    }
}

/// What `from` waits for, by index.
fn reaches(plan: &Plan, from: usize) -> Vec<bool> {
    let mut seen = vec![false; plan.actions.len()];
    let mut open: Vec<usize> = plan.actions[from].inputs.clone();
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut seen[index], true) {
            open.extend(&plan.actions[index].inputs);
        }
    }
    seen
}
