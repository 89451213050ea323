//! What an event follows from: an earlier event of the same node. Whoever reads the journals of all nodes folds what they
//! tell of one delivery, so that a chain goes on where another node knows more: only the coordinator knows its decision.
//!
//! ```text
//!  suspected, gather ──► view ──► active ──┐
//!                      configuration ──────┼──► transition ──► operation ──► result ──┐
//!              result, quorum, status ─────┘         ▲                                │
//!                                                    └────────────────────────────────┘
//! ```
//!
//! What has no cause comes from outside: the network, a person, a process that ended, the clock.

use std::collections::BTreeMap;

use hac_types::mutant;

use crate::Event;

/// Most operations whose order is remembered; then all are forgotten. A chain may end there.
const OPERATIONS: usize = 16_384;

/// What was told so far, as far as something may follow from it. All are numbers of events.
#[derive(Debug, Default)]
pub(super) struct Causes {
    /// The last remark of the ring that foretells a membership, since the last one.
    alarm: Option<u64>,
    view: Option<u64>,
    /// What the coordinator is to look at.
    trigger: Option<u64>,
    /// The decision that is carried out, with its number, if it was made here in the present view.
    transition: Option<(u64, u64)>,
    /// By node and name of the operation: its order.
    operations: BTreeMap<(String, String), u64>,
}

impl Causes {
    /// The cause of an event that gets this number.
    pub(super) fn of(&mut self, event: &Event, number: u64) -> Option<u64> {
        match event {
            Event::Ring { what, .. } => {
                let foretells = matches!(what.as_str(), "suspected" | "gather_entered");
                if foretells && (self.alarm.is_none() || what == "suspected") {
                    return self.alarm.replace(number);
                }
                None
            }
            Event::View { .. } => {
                (self.transition, self.trigger) = (None, None);
                self.view = Some(number);
                self.alarm.take()
            }
            Event::Active { .. } => {
                self.trigger = Some(number);
                self.view
            }
            Event::Quorum { .. } => {
                self.trigger = Some(number);
                self.view
            }
            Event::Configuration { .. } | Event::Status { .. } | Event::ShutdownRequested { .. } => {
                self.trigger = Some(number);
                None
            }
            Event::Transition { number: transition, .. } => {
                self.transition = Some((*transition, number));
                self.trigger.take()
            }
            Event::TransitionEnded { number: transition, .. } => {
                self.transition.filter(|(of, _)| of == transition).map(|(_, number)| number)
            }
            Event::Operation { node, operation } => {
                if self.operations.len() >= OPERATIONS {
                    self.operations.clear();
                }
                self.operations.insert((node.clone(), operation.clone()), number);
                // Who did not decide knows what was to be decided about: all that is left if the coordinator did not live to
                // tell its decision.
                let cause = self.transition.map(|(_, number)| number).or(self.trigger);
                if mutant("cause-forgotten") { None } else { cause }
            }
            Event::Result { node, operation, .. } => {
                self.trigger = Some(number);
                self.operations.remove(&(node.clone(), operation.clone()))
            }
            Event::KeyChanged { .. } | Event::Remark { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hac_types::RingId;

    use super::*;

    #[test]
    fn a_failover_can_be_read_backwards_to_what_was_noticed() {
        let ring = |what: &str| Event::Ring {
            level: crate::Level::Info,
            what: what.to_owned(),
            node: None,
            text: String::new(),
        };
        let names = || ("n1".to_owned(), "IP_start_0".to_owned());
        let operation = || Event::Operation { node: names().0, operation: names().1 };
        let result = || Event::Result {
            node: names().0,
            operation: names().1,
            rc: 0,
            expected: true,
            took_ms: None,
            exit_reason: None,
        };
        let view =
            || Event::View { ring: RingId::default(), members: vec![], joined: vec![], left: vec![], lost: vec![] };
        let active = || Event::Active { ring: RingId::default(), dc: None, quorate: true, copied_from: None };
        let transition = |number| Event::Transition { number, actions: 1, decisions: vec![] };
        let ended = Event::TransitionEnded { number: 7, end: String::new(), problems: vec![] };
        let events = [
            (ring("path_mtu"), None),
            (ring("suspected"), None),
            (ring("gather_entered"), None),
            (view(), Some(2)),
            (active(), Some(4)),
            (transition(7), Some(5)),
            (operation(), Some(6)),
            (result(), Some(7)),
            (ended, Some(6)),
            // Its own doing is the cause of what is decided next; a second result is news from outside.
            (transition(8), Some(8)),
            (result(), None),
            (view(), None),
            // In another view the orders are somebody else's: what led to them is known, not the decision.
            (operation(), None),
            (active(), Some(12)),
            (operation(), Some(14)),
        ];
        let mut causes = Causes::default();
        for (index, (event, cause)) in events.iter().enumerate() {
            let number = index as u64 + 1;
            assert_eq!(causes.of(event, number), *cause, "{number}: {event}");
        }
    }

    #[test]
    fn orders_without_results_are_not_remembered_for_ever() {
        let mut causes = Causes::default();
        for number in 1..=OPERATIONS as u64 * 2 {
            causes.of(&Event::Operation { node: "n".to_owned(), operation: number.to_string() }, number);
        }
        assert!(causes.operations.len() <= OPERATIONS, "{}", causes.operations.len());
    }
}
