//! STILL: a node whose half above the ring stands still for longer than `token` falls silent by itself, so that the others
//! go on without it; and when it goes on it says so.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_node::Event;
use hac_types::Timestamp;

use super::{Violation, count};
use crate::cluster::{Host, World};

/// What such a node says, in its beginning.
const WORDS: &str = "nothing above the ring went on for";

/// How long it has for that when it goes on.
pub const WORD: Duration = Duration::from_secs(5);

/// When a node of a cluster of so many is silent after it began to stand still: the ring half has something on its way up
/// after half of `token`, and waits for `token` until that is acknowledged.
pub(crate) fn silence(nodes: u32) -> Duration {
    let token = hac_totem::Timers::default().token_for(usize::try_from(nodes).unwrap_or(usize::MAX));
    token + token / 2 + Duration::from_millis(100)
}

/// A node sends something.
pub(crate) fn speaks(
    host: &Host,
    now: Timestamp,
    nodes: u32,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Option<Violation> {
    let since = host.above.still?;
    count(executed, "STILL");
    (now > since + silence(nodes)).then(|| {
        let millis = now.since(since).as_millis();
        Violation::new("STILL", format!("node{} stands still above the ring for {millis} ms, and sends", host.id))
    })
}

/// A node says something.
pub(crate) fn heard(host: &mut Host, event: &Event) {
    if let Event::Remark { text, .. } = event
        && text.starts_with(WORDS)
    {
        host.above.owes_a_word = false;
    }
}

/// A node went on a [`WORD`] ago.
pub(crate) fn word(world: &mut World, id: u32) -> Option<Violation> {
    count(&mut world.checks.executed, "STILL");
    let host = world.hosts.get(&id).filter(|host| host.node.is_some() && host.above.owes_a_word)?;
    Some(Violation::new("STILL", format!("node{} fell silent and did not say why", host.id)))
}
