//! READ: what a node has shown people of the configuration it does not take back, unless it has told that it is lost. That
//! holds across its lives: what it shows after a start and before it has compared its state with that of most of the votes
//! may be older, and says so. Where one of two sides may go on alone a change is taken back when its proposer makes it
//! again; a cluster of two is not judged.
//!
//! What it shows with that mark binds it only if a quorum of disks has it, committed or prepared: what fewer have may come to
//! nothing when all who have it lose their power, and that is what the mark says too. Without the mark all of it binds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Violation, count};
use crate::cluster::Host;
use crate::workload::marks;

/// See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    shown: BTreeMap<u32, Shown>,
}

/// The changes that a node has shown.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// The life that did so last.
    life: u64,
    /// In that life.
    here: BTreeSet<String>,
    /// In earlier ones, until this one has compared its state with others.
    before: BTreeSet<String>,
}

impl Reads {
    /// What nodes have shown and must show again.
    pub(super) fn shown(&self) -> impl Iterator<Item = &String> {
        self.shown.values().flat_map(|shown| shown.here.iter().chain(&shown.before))
    }

    /// A node is something else than before. Whether it may show something older in a new life, and does, is told by the
    /// second value.
    pub(super) fn look(
        &mut self,
        host: &Host,
        hosts: &BTreeMap<u32, Host>,
        told: impl Fn(&str) -> bool,
        executed: &mut BTreeMap<&'static str, u64>,
    ) -> (Option<Violation>, bool) {
        let Some(node) = host.node.as_ref().filter(|_| hosts.len() > 2) else { return (None, false) };
        let compared = node.standing().compared;
        let shown = self.shown.entry(host.id).or_default();
        if shown.life != host.life {
            shown.life = host.life;
            shown.before.append(&mut shown.here);
        }
        let now: BTreeSet<String> = marks(&node.shown().configuration).into_iter().collect();
        let holds = |mark: &String, host: &&Host| host.disk.holds(std::slice::from_ref(mark));
        let enough = |mark: &String| hosts.values().filter(|host| holds(mark, host)).count() > hosts.len() / 2;
        let binds = |mark: &&String| compared || shown.here.contains(*mark) || enough(mark);
        let binding: BTreeSet<String> = now.iter().filter(binds).cloned().collect();
        if binding == shown.here && (!compared || shown.before.is_empty()) {
            return (None, false);
        }
        count(executed, "READ");
        let lacks = |before: &BTreeSet<String>| before.iter().find(|mark| !now.contains(*mark) && !told(mark)).cloned();
        let older = lacks(&shown.before);
        let gone = lacks(&shown.here).or_else(|| older.clone().filter(|_| compared));
        shown.here = binding;
        if compared {
            shown.before.clear();
        }
        let says = |gone| {
            let text = format!("node{} has shown {gone} and shows it no longer, and did not say why", host.id);
            Violation::new("READ", text)
        };
        (gone.map(says), older.is_some())
    }
}
