//! Shutdown locks: what a node that leaves in good order stopped waits for it, if the property `shutdown-lock` says so.
//!
//! The lock is the time since when the node was leaving, in the history of the resource there. The scheduler reads it, and has
//! it forgotten when `shutdown-lock-limit` has passed or the resource runs elsewhere all the same.

use hac_model::{Cib, ExecStatus, OcfCode, OpHistory, ResourceHistory, Task, parse_bool};

use super::tree::{self, Kind};

/// Notes what follows from a result that `node` recorded for `resource`: a stop while the node leaves locks it, a probe that
/// finds nothing keeps the lock, everything else ends it. Whether the lock changed.
pub(super) fn note(cib: &mut Cib, node: &str, resource: &str, op: &OpHistory) -> bool {
    let stopped = op.task() == Some(Task::Stop) && op.rc_code == OcfCode::OK && op.ended(ExecStatus::Done);
    let found_nothing = op.is_probe() && op.rc_code == OcfCode::NOT_RUNNING;
    let since = cib.transient(node, "shutdown").and_then(|text| text.trim().parse::<i64>().ok());
    let since = since.filter(|since| *since > 0 && stopped && is_wanted(cib) && is_lockable(cib, resource));
    let Some(id) = cib.node_id(node).map(str::to_owned) else { return false };
    let Some(state) = cib.status.nodes.iter_mut().find(|state| state.id == id) else { return false };
    let place = state.resources.place(resource);
    let Some(of) = place.and_then(|place| state.resources.at_mut(place)) else { return false };
    let lock = if found_nothing { of.shutdown_lock } else { since };
    let changed = of.shutdown_lock != lock;
    if changed {
        of.shutdown_lock = lock;
    }
    changed
}

/// What a node tells of its resources, with what was locked to it `before` and of which it knows nothing: a daemon that has just started
/// knows of no stop of its earlier life.
pub(super) fn spared(cib: &Cib, before: &[ResourceHistory], mut told: Vec<ResourceHistory>) -> Vec<ResourceHistory> {
    if before.is_empty() || !is_wanted(cib) {
        return told;
    }
    for locked in before {
        match told.iter_mut().find(|of| of.id == locked.id) {
            None => told.push(locked.clone()),
            Some(of) if of.ops.iter().all(|op| op.is_probe() && op.rc_code == OcfCode::NOT_RUNNING) => {
                of.shutdown_lock = locked.shutdown_lock;
            }
            Some(_) => {}
        }
    }
    told
}

fn is_wanted(cib: &Cib) -> bool {
    cib.configuration.property("shutdown-lock").and_then(parse_bool) == Some(true)
}

/// Whether a resource can be locked at all: clones, bundles, connections and fence devices are exempt.
fn is_lockable(cib: &Cib, resource: &str) -> bool {
    let items = tree::walk(&cib.configuration.resources);
    let find = |id: &str| items.iter().find(|item| item.id == id);
    let Some(item) = find(resource) else { return false };
    let Kind::Primitive(primitive) = item.kind else { return false };
    if primitive.agent.is_fence_device() || primitive.agent.is_remote_connection() {
        return false;
    }
    let mut parent = item.parent;
    while let Some(item) = parent.and_then(find) {
        if matches!(item.kind, Kind::Clone | Kind::Bundle) {
            return false;
        }
        parent = item.parent;
    }
    true
}

#[cfg(test)]
mod tests {
    use hac_types::WallTime;

    use super::super::fixtures::{changed, cluster, result};
    use super::super::{Command, Join, NodePresence, OpResult, Replicated as _, StatusChange};
    use super::*;

    const SINCE: i64 = 1_000;

    fn deliver(cib: &mut Cib, change: StatusChange) {
        changed(cib.apply(&Command::Status(change), WallTime::from_secs(SINCE)));
    }

    fn lock(cib: &Cib, resource: &str) -> Option<i64> {
        let states = cib.status.nodes.iter().filter(|state| state.uname.as_deref() == Some("primary"));
        states.flat_map(|state| &state.resources).find(|of| of.id == resource)?.shutdown_lock
    }

    fn leaving(property: &str) -> Cib {
        let mut cib = cluster();
        let pair = hac_model::NvPair {
            name: "shutdown-lock".into(),
            value: Some(property.into()),
            ..hac_model::NvPair::default()
        };
        cib.configuration.crm_config.push(hac_model::NvSet { pairs: vec![pair], ..hac_model::NvSet::default() });
        deliver(&mut cib, StatusChange::OpResult(result("FloatIP", "start", 0, 0, 0, 1)));
        deliver(&mut cib, StatusChange::Shutdown { node: "primary".into(), wanted: true });
        cib
    }

    fn ends(cib: &mut Cib, task: &str, rc: i32, call: i64) {
        deliver(cib, StatusChange::OpResult(result("FloatIP", task, 0, 0, rc, call)));
    }

    #[test]
    fn what_a_leaving_node_stopped_is_locked_until_it_is_started_there() {
        let mut cib = leaving("true");
        ends(&mut cib, "stop", 0, 2);
        assert_eq!(lock(&cib, "FloatIP"), Some(SINCE));
        let presence = NodePresence {
            id: "1".into(),
            name: "primary".into(),
            member: false,
            online: false,
            join: Join::Down,
            expected_up: Some(false),
            life: 0,
        };
        deliver(&mut cib, StatusChange::NodeStates(vec![presence]));
        assert_eq!(lock(&cib, "FloatIP"), Some(SINCE), "the node has left");
        // It comes back and knows nothing.
        let told = StatusChange::NodeHistory { node: "primary".into(), resources: Vec::new() };
        cib.apply(&Command::Status(told), WallTime::from_secs(SINCE));
        assert_eq!(lock(&cib, "FloatIP"), Some(SINCE), "it has come back");
        ends(&mut cib, "monitor", 7, 3);
        assert_eq!(lock(&cib, "FloatIP"), Some(SINCE), "a probe found nothing");
        ends(&mut cib, "start", 0, 4);
        assert_eq!(lock(&cib, "FloatIP"), None, "it runs there again");
    }

    #[test]
    fn nothing_else_locks() {
        let mut cib = leaving("false");
        ends(&mut cib, "stop", 0, 2);
        assert_eq!(lock(&cib, "FloatIP"), None, "nobody wants it");
        let mut cib = leaving("true");
        ends(&mut cib, "stop", 1, 2);
        assert_eq!(lock(&cib, "FloatIP"), None, "the stop failed");
        let mut cib = leaving("true");
        deliver(&mut cib, StatusChange::Shutdown { node: "primary".into(), wanted: false });
        ends(&mut cib, "stop", 0, 2);
        assert_eq!(lock(&cib, "FloatIP"), None, "the node stays");
        let mut cib = leaving("true");
        let stop = result("unknown", "stop", 0, 0, 0, 2);
        deliver(&mut cib, StatusChange::OpResult(OpResult { ..stop }));
        assert_eq!(lock(&cib, "unknown"), None, "it is not configured");
    }
}
