//! READ: what a node has shown people of the configuration it does not take back, unless it has told that it is lost. That
//! holds across its lives: what it shows after a start and before it has compared its state with that of most of the votes
//! may be older, and says so. Where one of two sides may go on alone a change is taken back when its proposer makes it
//! again; a cluster of two is not judged.

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
    /// A node is something else than before. Whether it may show something older in a new life, and does, is told by the
    /// second value.
    pub(super) fn look(
        &mut self,
        host: &Host,
        nodes: usize,
        told: impl Fn(&str) -> bool,
        executed: &mut BTreeMap<&'static str, u64>,
    ) -> (Option<Violation>, bool) {
        let Some(node) = host.node.as_ref().filter(|_| nodes > 2) else { return (None, false) };
        let compared = node.standing().compared;
        let shown = self.shown.entry(host.id).or_default();
        if shown.life != host.life {
            shown.life = host.life;
            shown.before.append(&mut shown.here);
        }
        let now: BTreeSet<String> = marks(&node.shown().configuration).into_iter().collect();
        if now == shown.here && (!compared || shown.before.is_empty()) {
            return (None, false);
        }
        count(executed, "READ");
        let lacks = |before: &BTreeSet<String>| before.iter().find(|mark| !now.contains(*mark) && !told(mark)).cloned();
        let older = lacks(&shown.before);
        let gone = lacks(&shown.here).or_else(|| older.clone().filter(|_| compared));
        shown.here = now;
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
