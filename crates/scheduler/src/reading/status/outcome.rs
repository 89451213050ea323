//! What an operation that is under way, succeeded or failed says of its resource.

use crate::action::OnFail;
use crate::action::Task;
use crate::ids::RscIdx;
use crate::reading::Reading;
use hac_model::Role;
use hac_model::{INFINITY, OcfCode};

use super::history::Story;
use super::migration;
use super::operation::{Judged, is_masked_probe, record};

/// At least active: unpromoted if it could be promoted.
fn set_active(reading: &mut Reading<'_>, rsc: RscIdx) {
    let promotable = reading.rsc[reading.top(rsc, false)].is.promotable;
    reading.rsc[rsc].role = if promotable { Role::Unpromoted } else { Role::Started };
}

/// An operation under way.
pub(super) fn pending(reading: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged) {
    let op = &story.ops[judged.at];
    let (rsc, node) = (story.rsc, story.node);
    let superseded = story.last_failure.map(|at| &story.ops[at]).is_some_and(|failure| {
        op.interval_ms > 0
            && failure.operation == op.operation
            && failure.interval_ms == op.interval_ms
            && failure.last_rc_change.unwrap_or(-1) > op.last_rc_change.unwrap_or(-1)
    });
    if superseded {
        return;
    }
    match op.task() {
        Some(Task::Start) => {
            reading.rsc[rsc].is.start_pending = true;
            set_active(reading, rsc);
        }
        Some(Task::Promote) => reading.rsc[rsc].role = Role::Promoted,
        // Its agent could not ask: the resource may run, or half of it, and nobody tries again to stop it unless told so.
        Some(Task::Stop) if op.exit_reason.as_ref().is_some_and(|why| !why.is_empty()) => {
            if reading.rsc[rsc].role < Role::Started {
                set_active(reading, rsc);
            }
            story.on_fail = story.on_fail.max(OnFail::Restart);
        }
        Some(Task::MigrateTo) if reading.nodes[node].unclean => {
            let target = op.migrate_target.as_deref().and_then(|name| reading.find_node(name));
            if let Some(target) = target {
                reading.ask_for(rsc, Task::Stop, target);
            }
        }
        _ => {}
    }
    if reading.rsc[rsc].pending.is_none() && !op.is_probe() {
        reading.rsc[rsc].facts.write().pending = Some((op.operation.clone(), node));
    }
}

/// An operation that ended with exit code `code` as it should, or is taken for one.
pub(super) fn success(reading: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged, code: Option<OcfCode>) {
    let op = &story.ops[judged.at];
    let rsc = story.rsc;
    let mut clears = false;
    if code == Some(OcfCode::NOT_INSTALLED) || (is_masked_probe(op) && !reading.is_bundled(rsc)) {
        reading.rsc[rsc].role = Role::Stopped;
    } else if code == Some(OcfCode::NOT_RUNNING) {
        clears = true;
    } else {
        match op.task() {
            Some(Task::Monitor) => {
                clears = story
                    .last_failure
                    .map(|at| &story.ops[at])
                    .is_some_and(|failure| failure.operation == op.operation && failure.interval_ms == op.interval_ms);
                if reading.rsc[rsc].role < Role::Started {
                    set_active(reading, rsc);
                }
            }
            Some(Task::Start | Task::MigrateFrom) => {
                reading.rsc[rsc].role = Role::Started;
                clears = true;
            }
            Some(Task::Stop) => {
                reading.rsc[rsc].role = Role::Stopped;
                clears = true;
            }
            Some(Task::Promote) => {
                reading.rsc[rsc].role = Role::Promoted;
                clears = true;
            }
            Some(Task::Demote) => {
                clears = story.on_fail == OnFail::Demote;
                reading.rsc[rsc].role = Role::Unpromoted;
            }
            Some(Task::MigrateTo) => migration::succeeded(reading, story, judged.at),
            _ if reading.rsc[rsc].role < Role::Started => set_active(reading, rsc),
            _ => {}
        }
    }
    if clears {
        clear_past_failure(reading, story);
    }
}

/// A success makes up for earlier failures, unless their consequence is to stay.
fn clear_past_failure(reading: &mut Reading<'_>, story: &mut Story<'_>) {
    let stays = match story.on_fail {
        OnFail::Stop | OnFail::Ban | OnFail::StandbyNode | OnFail::FenceNode => true,
        OnFail::ResetRemote => reading.rsc[story.rsc].reconnect_ms != 0,
        _ => false,
    };
    if !stays {
        story.on_fail = OnFail::Ignore;
        reading.rsc[story.rsc].next_role = Role::Unknown;
    }
}

/// An operation that failed and is not to be ignored.
pub(super) fn failure(
    reading: &mut Reading<'_>,
    story: &mut Story<'_>,
    judged: &Judged,
    on_fail: OnFail,
    fail_role: Role,
) {
    let (rsc, node) = (story.rsc, story.node);
    let op = &story.ops[judged.at];
    story.last_failure = Some(judged.at);
    if judged.rc != OcfCode::NOT_INSTALLED || reading.options.symmetric || !op.is_probe() {
        record(reading, story, judged.at);
    }
    story.on_fail = story.on_fail.max(on_fail);
    match op.task() {
        Some(Task::Stop) => reading.add_score(rsc, Some(node), -INFINITY, &story.why),
        Some(Task::MigrateFrom) => migration::migrate_from_failed(reading, story, judged.at),
        Some(Task::MigrateTo) => migration::migrate_to_failed(reading, story, judged.at),
        Some(Task::Promote) => reading.rsc[rsc].role = Role::Promoted,
        Some(Task::Demote) if on_fail == OnFail::Block => {
            reading.rsc[rsc].role = Role::Promoted;
            reading.rsc[rsc].next_role = Role::Stopped;
        }
        Some(Task::Demote) if judged.rc == OcfCode::NOT_RUNNING => reading.rsc[rsc].role = Role::Stopped,
        Some(Task::Demote) => reading.rsc[rsc].role = Role::Unpromoted,
        _ => {}
    }
    if op.is_probe() && judged.rc == OcfCode::NOT_INSTALLED {
        reading.rsc[rsc].role = Role::Stopped;
    } else if reading.rsc[rsc].role < Role::Started {
        set_active(reading, rsc);
    }
    if fail_role != Role::Started && reading.rsc[rsc].next_role < fail_role {
        reading.rsc[rsc].next_role = fail_role;
    }
    if fail_role == Role::Stopped {
        let banned = reading.anonymous_clone(rsc).unwrap_or(rsc);
        let nowhere = reading.banned_everywhere();
        reading.scores.replace(banned, nowhere, &story.why);
    }
}
