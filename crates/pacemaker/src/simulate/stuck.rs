//! Actions that can never be carried out, because each waits for another.

use std::collections::BTreeSet;

use super::Simulation;

/// Most actions of a circle that are told.
const TOLD_MAX: usize = 12;

/// A plan that cannot be carried out to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Actions that are never carried out.
    pub actions: usize,
    /// Some of them, each waiting for the next, the last for the first; cut where the circle is long.
    pub circle: Vec<String>,
}

impl Simulation {
    /// Whether the plan came to a stop before its end. Always none where it was not carried out.
    #[must_use]
    pub fn stuck(&self) -> Option<Stuck> {
        self.after.as_ref()?;
        let actions = &self.outcome.plan.actions;
        let done: BTreeSet<usize> = self.executed.iter().copied().collect();
        let open = |index: &usize| *index < actions.len() && !done.contains(index);
        let first = (0..actions.len()).find(open)?;
        // Every action that is not done has an input that is not done: the walk comes back to where it has been.
        let (mut path, mut seen, mut at) = (Vec::new(), BTreeSet::new(), first);
        while seen.insert(at) {
            path.push(at);
            at = actions[at].inputs.iter().copied().find(open)?;
        }
        let circle = path.iter().skip_while(|index| **index != at).take(TOLD_MAX).map(|index| {
            let action = &actions[*index];
            action.node.as_ref().map_or_else(|| action.key.clone(), |node| format!("{} on {node}", action.key))
        });
        Some(Stuck { actions: actions.len() - done.len(), circle: circle.collect() })
    }
}
