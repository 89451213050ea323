//! What an operation that is under way, succeeded or failed says of its resource.

use crate::Role;
use crate::action::OnFail;
use crate::action::Task;
use crate::ids::RscIdx;
use crate::reading::Reading;
use hac_model::{INFINITY, OcfCode};

use super::history::Story;
use super::migration;
use super::operation::{Judged, is_masked_probe, record};

/// At least active: unpromoted if it could be promoted.
fn set_active(cluster: &mut Reading<'_>, rsc: RscIdx) {
    let promotable = cluster.rsc[cluster.top(rsc, false)].is.promotable;
    cluster.rsc[rsc].role = if promotable { Role::Unpromoted } else { Role::Started };
}

/// An operation under way.
pub(super) fn pending(cluster: &mut Reading<'_>, story: &Story<'_>, judged: &Judged) {
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
            cluster.rsc[rsc].is.start_pending = true;
            set_active(cluster, rsc);
        }
        Some(Task::Promote) => cluster.rsc[rsc].role = Role::Promoted,
        Some(Task::MigrateTo) if cluster.nodes[node].unclean => {
            let target = op.migrate_target.as_deref().and_then(|name| cluster.find_node(name));
            if let Some(target) = target {
                cluster.ask_for(rsc, Task::Stop, target);
            }
        }
        _ => {}
    }
    if cluster.rsc[rsc].pending.is_none() && !op.is_probe() {
        cluster.rsc[rsc].facts.write().pending = Some((op.operation.clone(), node));
    }
}

/// An operation that ended with exit code `code` as it should, or is taken for one.
pub(super) fn success(cluster: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged, code: Option<OcfCode>) {
    let op = &story.ops[judged.at];
    let rsc = story.rsc;
    let mut clears = false;
    if code == Some(OcfCode::NOT_INSTALLED) || (is_masked_probe(op) && !cluster.is_bundled(rsc)) {
        cluster.rsc[rsc].role = Role::Stopped;
    } else if code == Some(OcfCode::NOT_RUNNING) {
        clears = true;
    } else {
        match op.task() {
            Some(Task::Monitor) => {
                clears = story
                    .last_failure
                    .map(|at| &story.ops[at])
                    .is_some_and(|failure| failure.operation == op.operation && failure.interval_ms == op.interval_ms);
                if cluster.rsc[rsc].role < Role::Started {
                    set_active(cluster, rsc);
                }
            }
            Some(Task::Start | Task::MigrateFrom) => {
                cluster.rsc[rsc].role = Role::Started;
                clears = true;
            }
            Some(Task::Stop) => {
                cluster.rsc[rsc].role = Role::Stopped;
                clears = true;
            }
            Some(Task::Promote) => {
                cluster.rsc[rsc].role = Role::Promoted;
                clears = true;
            }
            Some(Task::Demote) => {
                clears = story.on_fail == OnFail::Demote;
                cluster.rsc[rsc].role = Role::Unpromoted;
            }
            Some(Task::MigrateTo) => migration::succeeded(cluster, story, judged.at),
            _ if cluster.rsc[rsc].role < Role::Started => set_active(cluster, rsc),
            _ => {}
        }
    }
    if clears {
        clear_past_failure(cluster, story);
    }
}

/// A success makes up for earlier failures, unless their consequence is to stay.
fn clear_past_failure(cluster: &mut Reading<'_>, story: &mut Story<'_>) {
    let stays = match story.on_fail {
        OnFail::Stop | OnFail::Ban | OnFail::StandbyNode | OnFail::FenceNode => true,
        OnFail::ResetRemote => cluster.rsc[story.rsc].reconnect_ms != 0,
        _ => false,
    };
    if !stays {
        story.on_fail = OnFail::Ignore;
        cluster.rsc[story.rsc].next_role = Role::Unknown;
    }
}

/// An operation that failed and is not to be ignored.
pub(super) fn failure(
    cluster: &mut Reading<'_>,
    story: &mut Story<'_>,
    judged: &Judged,
    on_fail: OnFail,
    fail_role: Role,
) {
    let (rsc, node) = (story.rsc, story.node);
    let op = &story.ops[judged.at];
    story.last_failure = Some(judged.at);
    if judged.rc != OcfCode::NOT_INSTALLED || cluster.options.symmetric || !op.is_probe() {
        record(cluster, story, judged.at);
    }
    story.on_fail = story.on_fail.max(on_fail);
    match op.task() {
        Some(Task::Stop) => cluster.add_score(rsc, Some(node), -INFINITY, &story.why),
        Some(Task::MigrateFrom) => migration::migrate_from_failed(cluster, story, judged.at),
        Some(Task::MigrateTo) => migration::migrate_to_failed(cluster, story, judged.at),
        Some(Task::Promote) => cluster.rsc[rsc].role = Role::Promoted,
        Some(Task::Demote) if on_fail == OnFail::Block => {
            cluster.rsc[rsc].role = Role::Promoted;
            cluster.rsc[rsc].next_role = Role::Stopped;
        }
        Some(Task::Demote) if judged.rc == OcfCode::NOT_RUNNING => cluster.rsc[rsc].role = Role::Stopped,
        Some(Task::Demote) => cluster.rsc[rsc].role = Role::Unpromoted,
        _ => {}
    }
    if op.is_probe() && judged.rc == OcfCode::NOT_INSTALLED {
        cluster.rsc[rsc].role = Role::Stopped;
    } else if cluster.rsc[rsc].role < Role::Started {
        set_active(cluster, rsc);
    }
    if fail_role != Role::Started && cluster.rsc[rsc].next_role < fail_role {
        cluster.rsc[rsc].next_role = fail_role;
    }
    if fail_role == Role::Stopped {
        let banned = cluster.anonymous_clone(rsc).unwrap_or(rsc);
        let nowhere = cluster.banned_everywhere();
        cluster.scores.replace(banned, nowhere, &story.why);
    }
}
