//! EVS-10: who is given a message is given before it all that its sender had been given in that ring when it sent it.

use std::collections::BTreeMap;

use hac_types::{RingId, ViewKind};

use super::{Executed, Violation, count_many};
use crate::ring::{History, Item, Message, Process};

pub(super) fn check(history: &History, executed: &mut Executed) -> Result<(), Violation> {
    let mut causes: BTreeMap<Message, (RingId, u64)> = BTreeMap::new();
    for process in history.processes.values() {
        collect(process, &mut causes);
    }
    let mut looked = 0;
    for ((host, life), process) in &history.processes {
        let mut given: (RingId, u64) = Default::default();
        for item in &process.items {
            let Item::Delivered { ring, message: Some(message), .. } = item else { continue };
            if given.0 != *ring {
                given = (*ring, 0);
            }
            if let Some((at, needed)) = causes.get(message)
                && at == ring
            {
                looked += 1;
                if given.1 < *needed {
                    let text = format!(
                        "node{host} life {life} was given {message:?} after {} messages of ring {ring}; its sender had been \
                         given {needed}",
                        given.1
                    );
                    return Err(Violation::new("EVS-10", text));
                }
            }
            given.1 += 1;
        }
    }
    count_many(executed, "EVS-10", looked);
    Ok(())
}

/// How many messages of which ring each sender had been given when it sent.
fn collect(process: &Process, causes: &mut BTreeMap<Message, (RingId, u64)>) {
    let mut given: (RingId, u64) = Default::default();
    for item in &process.items {
        match item {
            Item::View(view) if view.kind == ViewKind::Regular => given = (view.ring, 0),
            Item::Delivered { .. } => given.1 += 1,
            Item::Sent { message, .. } => {
                causes.insert(*message, given);
            }
            Item::View(_) | Item::Died => {}
        }
    }
}
