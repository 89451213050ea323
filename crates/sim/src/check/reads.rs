//! READ: what a node has shown people of the configuration it does not take back in the same life, unless it has told that
//! it is lost. Where one of two sides may go on alone a change is taken back when its proposer makes it again; a cluster
//! of two is not judged.

use std::collections::{BTreeMap, BTreeSet};

use super::{Violation, count};
use crate::cluster::Host;
use crate::workload::marks;

/// See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// The changes that each node has shown, in which life.
    shown: BTreeMap<u32, (u64, BTreeSet<String>)>,
}

impl Reads {
    /// A node is something else than before.
    pub(super) fn look(
        &mut self,
        host: &Host,
        nodes: usize,
        told: impl Fn(&str) -> bool,
        executed: &mut BTreeMap<&'static str, u64>,
    ) -> Option<Violation> {
        let node = host.node.as_ref().filter(|_| nodes > 2)?;
        let (life, before) = self.shown.entry(host.id).or_default();
        if *life != host.life {
            (*life, *before) = (host.life, BTreeSet::new());
        }
        let now: BTreeSet<String> = marks(&node.shown().configuration).into_iter().collect();
        if now == *before {
            return None;
        }
        count(executed, "READ");
        let gone = before.iter().find(|mark| !now.contains(*mark) && !told(mark)).cloned();
        *before = now;
        let text = format!("node{} has shown {} and shows it no longer, and did not say why", host.id, gone?);
        Some(Violation::new("READ", text))
    }
}
