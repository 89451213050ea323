//! The milestones of groups, clones and bundles.

use crate::cluster::{Cluster, RscIdx, Task, Variant};
use crate::notify;
use hac_model::INFINITY;

use super::primitive;

/// Makes the actions of `rsc` and of everything in it.
pub(crate) fn create(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    match cluster.rsc[rsc].variant {
        Variant::Primitive => primitive::create(cluster, rsc),
        Variant::Group { .. } => group(cluster, rsc),
        Variant::Clone(_) => clone(cluster, rsc),
        Variant::Bundle(_) => bundle(cluster, rsc),
    }
}

fn group(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    for child in cluster.rsc[rsc].children.clone() {
        create(cluster, child);
    }
    for task in [Task::Start, Task::Started, Task::Stop, Task::Stopped] {
        cluster.pseudo_action(rsc, task, true, true);
    }
    let top = cluster.top(rsc, false);
    if cluster.rsc[top].is.promotable {
        for task in [Task::Demote, Task::Demoted, Task::Promote, Task::Promoted] {
            cluster.pseudo_action(rsc, task, true, true);
        }
    }
}

fn clone(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    let children = cluster.rsc[rsc].children.clone();
    instances(cluster, rsc, &children);
    if cluster.rsc[rsc].is.promotable {
        roles(cluster, rsc, &children);
    }
    notify::order_tasks(cluster, rsc);
}

/// What instances are about to do.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    active: bool,
    starting: bool,
    stopping: bool,
    restarting: bool,
    promoting: bool,
    demoting: bool,
}

impl Seen {
    fn look(&mut self, cluster: &Cluster<'_>, rsc: RscIdx) {
        let resource = &cluster.rsc[rsc];
        if !resource.children.is_empty() {
            resource.children.iter().for_each(|child| self.look(cluster, *child));
            return;
        }
        self.active |= !resource.active.is_empty();
        let required = |task: Task, and_runnable: bool| {
            resource.actions.iter().map(|action| &cluster.actions[*action]).any(|action| {
                action.task == task && !action.optional && (action.pseudo || action.runnable || !and_runnable)
            })
        };
        let (starts, stops) = (required(Task::Start, true), required(Task::Stop, false));
        self.starting |= starts;
        self.stopping |= stops;
        self.restarting |= starts && stops;
        self.promoting |= required(Task::Promote, true);
        self.demoting |= required(Task::Demote, false);
    }
}

/// Actions of instances, and the milestones of their collective.
fn instances(cluster: &mut Cluster<'_>, rsc: RscIdx, parts: &[RscIdx]) {
    let mut seen = Seen::default();
    for part in parts {
        create(cluster, *part);
        seen.look(cluster, *part);
    }
    let start = cluster.pseudo_action(rsc, Task::Start, !seen.starting, true);
    let started = cluster.pseudo_action(rsc, Task::Started, !seen.starting, false);
    cluster.actions[started].priority = INFINITY;
    cluster.actions[started].runnable = seen.active || seen.starting;
    notify::milestones(cluster, rsc, Task::Start, start, started);
    let stop = cluster.pseudo_action(rsc, Task::Stop, !seen.stopping, true);
    let stopped = cluster.pseudo_action(rsc, Task::Stopped, !seen.stopping, true);
    cluster.actions[stopped].priority = INFINITY;
    cluster.actions[stop].migratable = !seen.restarting;
    notify::milestones(cluster, rsc, Task::Stop, stop, stopped);
}

fn roles(cluster: &mut Cluster<'_>, rsc: RscIdx, parts: &[RscIdx]) {
    let mut seen = Seen::default();
    parts.iter().for_each(|part| seen.look(cluster, *part));
    let promote = cluster.pseudo_action(rsc, Task::Promote, !seen.promoting, true);
    let promoted = cluster.pseudo_action(rsc, Task::Promoted, !seen.promoting, false);
    cluster.actions[promoted].priority = INFINITY;
    cluster.actions[promoted].runnable = seen.promoting;
    notify::milestones(cluster, rsc, Task::Promote, promote, promoted);
    let demote = cluster.pseudo_action(rsc, Task::Demote, !seen.demoting, true);
    let demoted = cluster.pseudo_action(rsc, Task::Demoted, !seen.demoting, true);
    cluster.actions[demoted].priority = INFINITY;
    notify::milestones(cluster, rsc, Task::Demote, demote, demoted);
}

fn bundle(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    let replicas = cluster.replicas(rsc);
    for replica in &replicas {
        for part in [replica.ip, replica.remote].into_iter().flatten() {
            create(cluster, part);
        }
    }
    let containers: Vec<RscIdx> = replicas.iter().map(|replica| replica.container).collect();
    instances(cluster, rsc, &containers);
    let Some(inner) = cluster.bundle_data(rsc).and_then(|data| data.child) else { return };
    create(cluster, inner);
    if cluster.rsc[inner].is.promotable {
        for task in [Task::Promote, Task::Promoted, Task::Demote, Task::Demoted] {
            let milestone = cluster.pseudo_action(rsc, task, true, true);
            if matches!(task, Task::Promoted | Task::Demoted) {
                cluster.actions[milestone].priority = INFINITY;
            }
        }
    }
}
