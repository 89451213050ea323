//! EVS-1 integrity: what is delivered was sent, unchanged, by whom the ring says. EVS-2: no message is delivered twice in
//! a life. EVS-14: messages of one sender arrive in the order in which it sent them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Executed, Violation, count};
use crate::ring::{History, Item, Message};

pub(super) fn check(history: &History, executed: &mut Executed) -> Result<(), Violation> {
    let sent = |item: &Item| match item {
        Item::Sent { message, .. } => Some(*message),
        _ => None,
    };
    let all_sent: BTreeSet<Message> =
        history.processes.values().flat_map(|process| process.items.iter().filter_map(sent)).collect();
    for ((host, life), process) in &history.processes {
        let mut last: BTreeMap<(u32, u64), u64> = BTreeMap::new();
        for item in &process.items {
            let Item::Delivered { ring, seq, origin, message, .. } = item else { continue };
            count(executed, "EVS-1");
            let at = format!("node{host} life {life}, ring {ring}, position {seq}");
            let Some(message) = message.filter(|m| all_sent.contains(m) && m.host == origin.0) else {
                return Err(Violation::new("EVS-1", format!("{at}: nobody sent this ({message:?})")));
            };
            count(executed, "EVS-14");
            let before = last.insert((message.host, message.life), message.number).unwrap_or(0);
            if message.number == before {
                return Err(Violation::new("EVS-2", format!("{at}: {message:?} again")));
            }
            if message.number < before {
                return Err(Violation::new("EVS-14", format!("{at}: {message:?} after number {before}")));
            }
            count(executed, "EVS-2");
        }
    }
    Ok(())
}
