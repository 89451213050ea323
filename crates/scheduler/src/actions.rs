//! Stage: actions. What has to be done so that each resource gets from where it is to where it is to be.
//!
//! [`make`] is used by all stages that need an action; the other parts run after the assignment and read where
//! everything will be. They write actions and orderings, and next roles where nothing else was decided.

pub(super) mod collective;
pub(super) mod make;
mod migration;
mod primitive;
pub(super) mod recurring;

/// Makes the actions of all resources.
pub(super) fn run(cluster: &mut super::cluster::Cluster<'_>) {
    for at in 0..cluster.top.len() {
        let rsc = cluster.top[at];
        collective::create(cluster, rsc);
    }
}
