//! Everything that a participant waits for. Each row has a time at which the wait ends, and what ends it then: the one
//! that is silent is left out, refused or done without, never all.
//!
//! | wait | ends at the latest | by |
//! |---|---|---|
//! | agents that run here | the operation's timeout and a margin | counted as failed (the executor of `hac-crm`) |
//! | the window of `last_man_standing` | its length | the votes are counted anew |
//! | hellos, a state, readies of the members | 5 s or 10 s without progress, longer for large states | all go on without those that are missing |
//! | members that store a change of the configuration | 5 s if enough have stored it, 30 s if not | it counts without the others, or is refused |
//! | a sign of life of the coordinator, where something is proposed | 20 s | all go on without it |
//! | this node's own disk, for a state or the key in use | 5 s | clients are answered with a warning; a state is stored again after 10 s |
//! | this node's own disk, for the next key | 30 s | the others are told that it is not stored: the present key stays |
//! | the cluster's agreement to what a client asked | the request's own time, 60 s | answered: not in time, and what is waited for |
//! | the coordinator's leave to go | `shutdown_escalation` | this node goes as it is |
//! | results of orders; a plan; the next look at the state | the operation's timeout and `cluster-delay`; 30 s; `cluster-recheck-interval` | recorded as lost; the plan is given up; decided again |
//! | the time for which all nodes must know the next level | `upgrade-hold` | the level is proposed |
//! | changes of an attribute that are collected | its dampening, a day at most | they count; said again after 30 s |
//! | an answer of the arbiter, before anything is started or stopped | 5 s and a grace of 1 s | this partition goes on without its vote, and asks again |
//! | a node that was added and is not yet counted | 2 s as a member; 15 min if it does not come | its vote is proposed; it is taken back |

use hac_types::Timestamp;

use super::{Participant, Phase};
use crate::Now;

/// A wait: a row of the table.
struct Wait {
    /// When it ends at the latest, if anything is waited for. [`Timestamp::ZERO`] is at once.
    until: fn(&Participant) -> Option<Timestamp>,
    /// Ends it, if its time has come: harmless before that.
    end: fn(&mut Participant, Now),
}

/// The table, in the order in which waits end that are over at the same time.
const WAITS: [Wait; 13] = [
    // Agents that run here.
    Wait { until: |it| it.executor.poll_timeout(), end: |it, now| it.executor.handle_timeout(now.mono, now.wall) },
    // The window of `last_man_standing`.
    Wait { until: |it| it.quorum.poll_timeout(), end: Participant::judge_quorum },
    // The members, in the barrier.
    Wait { until: Participant::barrier_timeout, end: Participant::lose_patience },
    // Members that store a change of the configuration.
    Wait { until: Participant::vote_timeout, end: Participant::judge_vote },
    // A sign of life of the coordinator.
    Wait { until: Participant::sign_of_life_timeout, end: Participant::ask_for_sign_of_life },
    // This node's own disk.
    Wait { until: Participant::disk_timeout, end: Participant::expire_writes },
    // What clients asked.
    Wait { until: |it| it.proposals.poll_timeout(), end: Participant::expire_requests },
    // The leave to go.
    Wait { until: |it| it.leaving.map(|leaving| leaving.deadline()), end: Participant::expire_leaving },
    // The coordinator's work.
    Wait { until: Participant::coordination_timeout, end: Participant::coordinate },
    // Attributes whose changes are collected.
    Wait { until: Participant::collecting_timeout, end: Participant::write_collected },
    // The next level.
    Wait { until: Participant::raising_timeout, end: Participant::raise_level },
    // The arbiter.
    Wait { until: Participant::arbiter_timeout, end: Participant::expire_arbiter },
    // A learner.
    Wait { until: Participant::learner_timeout, end: Participant::judge_learner },
];

impl Participant {
    /// When [`Incoming::Time`](super::Incoming::Time) must be given: when the first wait ends.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        if matches!(self.phase, Phase::Left) {
            return None;
        }
        WAITS.iter().filter_map(|wait| (wait.until)(self)).min()
    }

    /// Ends what is over.
    pub(super) fn end_waits(&mut self, now: Now) {
        for wait in &WAITS {
            if matches!(self.phase, Phase::Left) {
                return;
            }
            (wait.end)(self, now);
            self.settle(now);
        }
    }
}
