//! A provider's list of what was done with one address, read as a register that is changed by compare-and-swap.
//!
//! The provider gives every action a number, in the order in which it accepted them, and carries out one after the other. To
//! change the register is to order an assignment; the change was made if, of all that was ordered after the number that the
//! cluster knows, this one is the first that was carried out. That is decided from the list alone and when nothing before it
//! is under way any more: where the address points says nothing (somebody may have ordered it since), nor does an order that
//! nobody answered. See `docs/decisions/0047-claims.md`.

use std::collections::BTreeMap;

use hac_types::mutant;

use crate::arbiter::{Found, Mark, Outcome};

/// What was ordered, as the provider lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// Its number: later ones have higher ones.
    pub id: u64,
    /// What became of it.
    pub progress: Progress,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    /// It may yet end either way.
    Underway,
    /// It was carried out.
    Completed,
    /// It was not, and will not be.
    Errored,
}

/// What this life of a node knows of the actions that it has ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionLog {
    /// The change that each one was to make.
    mine: BTreeMap<u64, Mark>,
    /// The last one that was ordered and not answered yet.
    unanswered: Option<Mark>,
}

impl ActionLog {
    /// How many own actions are remembered: no claim comes near it.
    const MINE_MAX: usize = 256;

    /// An action is about to be ordered for this change.
    pub fn ordering(&mut self, mark: &Mark) {
        self.unanswered = Some(mark.clone());
    }

    /// The provider has accepted it under this number.
    pub fn ordered(&mut self, id: u64, mark: Mark) {
        self.unanswered = None;
        self.mine.insert(id, mark);
        while self.mine.len() > Self::MINE_MAX {
            self.mine.pop_first();
        }
    }

    /// The last action of all, which the two nodes take for what they know from now on; nothing as long as one is under way.
    #[must_use]
    pub fn last(&self, actions: &[Action]) -> Outcome {
        if actions.iter().any(|action| action.progress == Progress::Underway) {
            return Outcome::Underway;
        }
        let last = actions.iter().map(|action| action.id).max();
        Outcome::Found(last.map(|revision| Found { revision, mark: self.mine.get(&revision).cloned() }))
    }

    /// What changed the register after this number: the actions that were carried out, in their order, as far as nothing before
    /// them is under way. `actions` has all with higher numbers.
    #[must_use]
    pub fn since(&self, known: u64, actions: &[Action]) -> Outcome {
        let mut after: Vec<&Action> = actions.iter().filter(|action| action.id > known).collect();
        after.sort();
        let last = after.last().map_or(known, |action| action.id);
        if mutant("last-assignment-wins") {
            after.reverse();
        }
        let (mut changes, mut certain) = (Vec::new(), true);
        for action in after {
            if action.progress == Progress::Errored {
                continue;
            }
            certain &= action.progress == Progress::Completed;
            if !certain && !mutant("claimed-before-the-end") {
                break;
            }
            let mut mark = self.mine.get(&action.id).cloned();
            if mutant("unanswered-is-mine") {
                mark = mark.or_else(|| self.unanswered.clone());
            }
            changes.push(Found { revision: action.id, mark });
        }
        Outcome::Since { changes, last: certain.then_some(last) }
    }
}

#[cfg(test)]
mod tests {
    //! What a list says.
    use hac_types::NodeId;

    use super::*;

    fn mark(node: u32) -> Mark {
        Mark { epoch: 5, node: NodeId(node), incarnation: 1, nonce: "n".to_owned(), members: Vec::new() }
    }

    fn list(actions: &[(u64, Progress)]) -> Vec<Action> {
        actions.iter().map(|(id, progress)| Action { id: *id, progress: *progress }).collect()
    }

    fn found(revision: u64, mark: Option<Mark>) -> Outcome {
        Outcome::Found(Some(Found { revision, mark }))
    }

    fn since(changes: &[(u64, Option<Mark>)], last: Option<u64>) -> Outcome {
        let changes =
            changes.iter().map(|(revision, mark)| Found { revision: *revision, mark: mark.clone() }).collect();
        Outcome::Since { changes, last }
    }

    #[test]
    fn what_was_carried_out_changed_the_register_one_after_the_other() {
        use Progress::{Completed, Errored, Underway};
        let mut log = ActionLog::default();
        log.ordering(&mark(1));
        log.ordered(12, mark(1));
        let mine = || (12, Some(mark(1)));
        // In the order of the API, which is not that of the numbers.
        assert_eq!(
            log.since(10, &list(&[(13, Completed), (12, Completed), (10, Completed)])),
            since(&[mine(), (13, None)], Some(13))
        );
        assert_eq!(
            log.since(10, &list(&[(12, Completed), (11, Completed)])),
            since(&[(11, None), mine()], Some(12)),
            "the other one was first"
        );
        assert_eq!(log.since(10, &list(&[(12, Completed), (11, Errored)])), since(&[mine()], Some(12)));
        assert_eq!(
            log.since(10, &list(&[(12, Completed), (11, Underway)])),
            since(&[], None),
            "11 may yet be carried out"
        );
        assert_eq!(log.since(10, &list(&[(13, Underway), (12, Completed)])), since(&[mine()], None));
        assert_eq!(log.since(10, &list(&[(12, Underway)])), since(&[], None), "it may yet end as an error");
        assert_eq!(
            log.since(10, &list(&[(12, Errored), (9, Completed)])),
            since(&[], Some(12)),
            "nothing has changed it"
        );
        assert_eq!(log.since(10, &[]), since(&[], Some(10)));
    }

    #[test]
    fn the_last_one_of_all_is_what_two_nodes_agree_on_when_nothing_is_under_way() {
        use Progress::{Completed, Errored, Underway};
        let mut log = ActionLog::default();
        log.ordered(12, mark(1));
        assert_eq!(log.last(&list(&[(12, Completed), (14, Errored)])), found(14, None));
        assert_eq!(log.last(&list(&[(12, Completed), (9, Completed)])), found(12, Some(mark(1))));
        assert_eq!(log.last(&list(&[(12, Underway), (14, Errored)])), Outcome::Underway);
        assert_eq!(log.last(&[]), Outcome::Found(None));
    }
}
