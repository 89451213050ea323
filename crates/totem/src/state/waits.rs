//! Everything that the ring protocol waits for, in one table. Below it, each peer has its own times (`transport`).
//!
//! | state | waits for | then |
//! |---|---|---|
//! | Gather | nodes that have just started, `startup_listen` | agrees on less than all nodes |
//! | Gather | those who may not have noticed yet who has died | agrees on the proposal all the same |
//! | Gather | proposals of the others, `consensus` | seeks a membership without those that do not agree |
//! | Gather | answers to its own proposal, `join` | proposes again |
//! | Commit, Recovery | the next token, `token` | seeks another membership |
//! | Commit, Recovery | a sign that the commit token went on | sends it again |
//! | Operational | a larger membership to be possible for `merge` | seeks it |
//! | Operational | the others to hear of a lower level, `token` | seeks a membership of that level |
//! | Operational | the token, which is wanted | asks for it again |
//! | Operational | the token, `token` | seeks another membership |
//! | Recovery, Operational | a sign that the token went on | sends it again |
//! | Recovery, Operational | the end of the time for which it keeps the token | passes it on |
//!
//! When this process was not scheduled for a while, what the others had to say lies unread: waits for them are put off by
//! as much. What this node says itself is not.

use std::time::Duration;

use hac_types::Timestamp;

use crate::ring::Ring;
use crate::rotation::Rotation;
use crate::state::Phase;
use crate::state::commit::Attempt;
use crate::transport::Transport;

/// A row of the table.
struct Wait {
    /// When it ends, if this is waited for.
    until: fn(&Ring) -> Option<Timestamp>,
    /// Its time has come.
    end: fn(&mut Ring, &mut Transport),
    /// It ends so much later.
    put_off: fn(&mut Ring, Duration),
}

/// In the order in which waits end that are over at the same time. Each row looks at the present state: when the end of a
/// wait has led to another state, the other rows of the old one have no time.
const WAITS: [Wait; 12] = [
    Wait {
        until: |ring| ring.phase.gather()?.listen_until,
        end: Ring::stop_listening,
        put_off: |ring, late| put_off(ring.phase.gather_mut().and_then(|gather| gather.listen_until.as_mut()), late),
    },
    Wait {
        until: |ring| ring.phase.gather()?.settle_until,
        end: Ring::stop_settling,
        put_off: |ring, late| put_off(ring.phase.gather_mut().and_then(|gather| gather.settle_until.as_mut()), late),
    },
    Wait {
        until: |ring| Some(ring.phase.gather()?.consensus_at),
        end: Ring::give_up_consensus,
        put_off: |ring, late| put_off(ring.phase.gather_mut().map(|gather| &mut gather.consensus_at), late),
    },
    Wait { until: |ring| Some(ring.phase.gather()?.join_at), end: Ring::propose, put_off: |_, _| {} },
    Wait {
        until: |ring| Some(attempt(ring)?.deadline),
        end: Ring::give_up_attempt,
        put_off: |ring, late| {
            put_off(attempt_mut(ring).map(|attempt| &mut attempt.deadline), late);
            if let Phase::Recovery(recovery) = &mut ring.phase {
                recovery.rotation.last_visit += late;
            }
        },
    },
    Wait {
        until: |ring| attempt(ring)?.resend_at(),
        end: |ring, net| {
            let wait_max = ring.settings.token_retransmit;
            if let Some(attempt) = attempt_mut(ring) {
                attempt.resend(wait_max, net);
            }
        },
        put_off: |_, _| {},
    },
    Wait {
        until: |ring| ring.phase.operational().and(ring.lower_at),
        end: Ring::leave_level,
        put_off: |ring, late| put_off(ring.lower_at.as_mut(), late),
    },
    Wait { until: |ring| ring.phase.operational()?.growth_at(), end: Ring::merge, put_off: |_, _| {} },
    Wait { until: |ring| ring.phase.operational()?.ask_at(), end: Ring::ask_again, put_off: |_, _| {} },
    Wait { until: Ring::token_lost_at, end: Ring::lose_token, put_off: |ring, late| ring.current.last_visit += late },
    Wait {
        until: |ring| rotation(ring)?.resend_at(),
        end: |ring, net| {
            let resend_max = ring.settings.token_retransmit;
            if let Some(rotation) = rotation_mut(ring) {
                rotation.resend(resend_max, false, net);
            }
        },
        put_off: |_, _| {},
    },
    Wait {
        until: |ring| Some(rotation(ring)?.held.as_ref()?.until),
        end: |ring, net| {
            if let Some(token) = rotation_mut(ring).and_then(|rotation| rotation.take_held(net.now)) {
                match ring.phase {
                    Phase::Recovery(_) => ring.recovery_visit(token, net),
                    _ => ring.operational_visit(token, net),
                }
            }
        },
        put_off: |_, _| {},
    },
];

impl Ring {
    /// Ends what is over.
    pub(crate) fn handle_timeout(&mut self, net: &mut Transport) {
        for wait in &WAITS {
            if (wait.until)(self).is_some_and(|at| at <= net.now) {
                (wait.end)(self, net);
            }
        }
    }

    /// When the first wait ends.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        WAITS.iter().filter_map(|wait| (wait.until)(self)).min()
    }

    /// This process was not scheduled for `late`.
    pub(crate) fn postpone(&mut self, late: Duration) {
        WAITS.iter().for_each(|wait| (wait.put_off)(self, late));
    }
}

fn put_off(until: Option<&mut Timestamp>, late: Duration) {
    if let Some(until) = until {
        *until += late;
    }
}

/// The attempt at a ring, until that is installed.
fn attempt(ring: &Ring) -> Option<&Attempt> {
    match &ring.phase {
        Phase::Commit(attempt) => Some(attempt),
        Phase::Recovery(recovery) => Some(&recovery.attempt),
        Phase::Gather(_) | Phase::Operational(_) => None,
    }
}

fn attempt_mut(ring: &mut Ring) -> Option<&mut Attempt> {
    match &mut ring.phase {
        Phase::Commit(attempt) => Some(attempt),
        Phase::Recovery(recovery) => Some(&mut recovery.attempt),
        Phase::Gather(_) | Phase::Operational(_) => None,
    }
}

/// The ring in which the token goes round.
fn rotation(ring: &Ring) -> Option<&Rotation> {
    match &ring.phase {
        Phase::Recovery(recovery) => Some(&recovery.rotation),
        Phase::Operational(_) => Some(&ring.current),
        Phase::Gather(_) | Phase::Commit(_) => None,
    }
}

fn rotation_mut(ring: &mut Ring) -> Option<&mut Rotation> {
    match &mut ring.phase {
        Phase::Recovery(recovery) => Some(&mut recovery.rotation),
        Phase::Operational(_) => Some(&mut ring.current),
        Phase::Gather(_) | Phase::Commit(_) => None,
    }
}
