//! EVS-8: in each ring there is one order of messages, and everybody is given them along it. EVS-11: who sends and lives
//! is given its own messages.

use std::collections::BTreeMap;

use hac_types::RingId;

use super::{Executed, Violation, count_many};
use crate::ring::{History, Item, Message};

pub(super) fn check(history: &History, executed: &mut Executed) -> Result<(), Violation> {
    let mut looked = 0;
    let mut order: BTreeMap<(RingId, u64), Message> = BTreeMap::new();
    for ((host, life), process) in &history.processes {
        let mut last: BTreeMap<RingId, u64> = BTreeMap::new();
        for item in &process.items {
            let Item::Delivered { ring, seq, message: Some(message), transitional: false, .. } = item else {
                continue;
            };
            looked += 1;
            let at = || format!("node{host} life {life}, ring {ring}");
            let known = *order.entry((*ring, *seq)).or_insert(*message);
            if known != *message {
                return Err(Violation::new(
                    "EVS-8",
                    format!("{}: position {seq} is {message:?}, elsewhere {known:?}", at()),
                ));
            }
            let before = last.insert(*ring, *seq).unwrap_or(0);
            if *seq <= before {
                return Err(Violation::new("EVS-8", format!("{}: position {seq} after {before}", at())));
            }
        }
        own_messages(*host, process.items.as_slice(), executed)?;
    }
    count_many(executed, "EVS-8", looked);
    Ok(())
}

/// A life that is still there at the end of the calm phase was given all that it sent.
fn own_messages(host: u32, items: &[Item], executed: &mut Executed) -> Result<(), Violation> {
    if items.iter().any(|item| matches!(item, Item::Died)) {
        return Ok(());
    }
    let mut missing: Vec<Message> = Vec::new();
    let mut delivered = std::collections::BTreeSet::new();
    for item in items {
        match item {
            Item::Sent { message, .. } => missing.push(*message),
            Item::Delivered { message: Some(message), .. } if message.host == host => {
                delivered.insert(*message);
            }
            _ => {}
        }
    }
    count_many(executed, "EVS-11", missing.len() as u64);
    for message in &missing {
        if !delivered.contains(message) {
            return Err(Violation::new("EVS-11", format!("node{host} never got its own {message:?}")));
        }
    }
    Ok(())
}
