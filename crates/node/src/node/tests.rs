//! What comes first after a pause.

use std::time::Duration;

use hac_types::{Incarnation, WallTime};

use super::*;
use crate::Event;
use crate::fuzzing::world::config;

/// A node that has been alone for a while.
fn running() -> (Node, Now) {
    let mut now = Now { mono: Timestamp::from_millis(1), wall: WallTime(1_700_000_000_000) };
    let totem = hac_totem::Stored { ring_seq: 0, incarnation: Incarnation(1 << 32) };
    let stored = Stored::blank(totem);
    let mut node = Node::new(config(), stored, [5; 32], now).unwrap();
    let end = now.mono + Duration::from_secs(2);
    while let Some(due) = node.poll_timeout().filter(|due| *due <= end) {
        now.mono = now.mono.max(due);
        node.handle_timeout(now);
        while node.poll_output().is_some() {}
    }
    (node, now)
}

/// Something that a node is given.
type First = fn(&mut Node, Now);

/// The first that a node says to have happened.
fn first_event(node: &mut Node) -> Option<Event> {
    std::iter::from_fn(|| node.poll_output()).find_map(|output| match output {
        Output::Event(told) => Some(told.event),
        _ => None,
    })
}

#[test]
fn a_pause_is_noticed_before_anything_else_whatever_comes_first_after_it() {
    let firsts: [(&str, First); 4] = [
        ("a process ended", |node, now| node.handle_process_exited(now, WatchId(1))),
        ("the disk is done", |node, now| node.handle_persisted(now, PersistId(u64::MAX), Ok(()))),
        ("it is to leave", |node, now| node.shutdown(now)),
        ("a datagram", |node, now| node.handle_datagram(now, LinkId(0), NodeId(2), &[])),
    ];
    for (what, first) in firsts {
        let (mut node, mut now) = running();
        now.mono += Duration::from_secs(10);
        first(&mut node, now);
        let event = first_event(&mut node);
        assert!(matches!(&event, Some(Event::Ring { what, .. }) if what == "pause_detected"), "{what}: {event:?}");
    }
}
