//! EVS-1 integrity: what is delivered was sent, unchanged, by whom the ring says. EVS-2: no message is delivered twice in
//! a life. EVS-14: messages of one sender arrive in the order in which it sent them.

use std::collections::BTreeMap;

use super::{Executed, Violation, count_many};
use crate::ring::{History, Item};

pub(super) fn check(history: &History, executed: &mut Executed) -> Result<(), Violation> {
    // The messages of a life are numbered from 1 without a gap.
    let sent = |item: &&Item| matches!(item, Item::Sent { .. });
    let sent = history.processes.iter().map(|(id, process)| (*id, process.items.iter().filter(sent).count() as u64));
    let sent: BTreeMap<(u32, u64), u64> = sent.collect();
    let mut looked = 0;
    for ((host, life), process) in &history.processes {
        let mut last: BTreeMap<(u32, u64), u64> = BTreeMap::new();
        for item in &process.items {
            let Item::Delivered { ring, seq, origin, message, .. } = item else { continue };
            looked += 1;
            let at = || format!("node{host} life {life}, ring {ring}, position {seq}");
            let Some(message) = message.filter(|m| {
                let count = sent.get(&(m.host, m.life)).copied().unwrap_or(0);
                (1..=count).contains(&m.number) && m.host == origin.0
            }) else {
                return Err(Violation::new("EVS-1", format!("{}: nobody sent this ({message:?})", at())));
            };
            let before = last.insert((message.host, message.life), message.number).unwrap_or(0);
            if message.number == before {
                return Err(Violation::new("EVS-2", format!("{}: {message:?} again", at())));
            }
            if message.number < before {
                return Err(Violation::new("EVS-14", format!("{}: {message:?} after number {before}", at())));
            }
        }
    }
    for property in ["EVS-1", "EVS-2", "EVS-14"] {
        count_many(executed, property, looked);
    }
    Ok(())
}
