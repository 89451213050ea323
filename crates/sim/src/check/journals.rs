//! JOURNAL and CAUSES: what all nodes told, merged as `hacctl history` merges it, stands in the order in which it happened, and
//! goes back to what came from outside.
//!
//! The simulator knows the true order: one thing happens after the other in its one thread. Of a merged journal is asked
//!
//! * that what a node told later stands later, over all its lives;
//! * that what members of a ring were told by the stream stands in the order in which it was told first by anybody;
//! * that who went on in a ring told the same of each delivery as the others;
//!
//! the last two of those who went on to the same ring: members that part are told what is left of a ring each on their own side,
//! without what only the other side had, and count it on;
//!
//! * that no cause is missing or stands behind what follows from it, and that what led to each order can be read back to
//!   something that is not the cluster's own doing.

use std::collections::{BTreeMap, BTreeSet};

use hac_api::{Event, Merged, Place};
use hac_node::Told;

use super::{Violation, count};
use crate::cluster::Host;

/// Kinds that each member tells when the stream has brought something.
const BROUGHT: [&str; 4] = ["configuration", "operation", "result", "shutdown_requested"];

/// Kinds with which a chain may end: the network, a person, a process that ended by itself, the clock (a decision that nothing
/// called for).
const OUTSIDE: [&str; 7] = ["configuration", "remark", "result", "ring", "shutdown_requested", "status", "transition"];

/// See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Journals {
    /// As it happened.
    told: Vec<Event>,
}

/// A ring, by its number, who made it, and in which life.
type Ring = (u64, u32, u64);

impl Journals {
    pub(super) fn told(&mut self, host: &Host, told: &Told) {
        let (id, life, event) = (host.id, host.life, &told.event);
        let hac_node::Place { ring, delivery, nth } = told.place;
        self.told.push(Event {
            seq: told.number,
            kind: event.kind().to_owned(),
            text: event.to_string(),
            node: host.name(),
            id: format!("{id}.{life:x}.{}", told.number),
            place: Some(Place {
                ring: ring.seq,
                representative: ring.rep,
                life: ring.rep_incarnation.0 >> 32,
                delivery,
                nth,
            }),
            cause: told.cause.map(|cause| format!("{id}.{life:x}.{cause}")),
            ..Event::default()
        });
    }

    pub(super) fn check(&mut self, executed: &mut BTreeMap<&'static str, u64>) -> Result<(), Violation> {
        let told = std::mem::take(&mut self.told);
        let mut merged = Merged::default();
        merged.take(told.clone());
        in_order(&told, &merged)?;
        as_brought(&told)?;
        count(executed, "JOURNAL");
        let found = back_to_the_outside(&told, &merged, executed);
        self.told = told;
        found
    }
}

fn broken(property: &'static str, text: String) -> Result<(), Violation> {
    Err(Violation::new(property, text))
}

fn place(event: &Event) -> Place {
    event.place.unwrap_or_default()
}

fn shown(event: &Event) -> String {
    let Place { ring, representative, delivery, nth, .. } = place(event);
    format!("{} at {ring}.{representative}.{delivery}.{nth} of {}: {}", event.id, event.node, event.text)
}

/// What a node told later stands later.
fn in_order(told: &[Event], merged: &Merged) -> Result<(), Violation> {
    let mut last: BTreeMap<&str, (usize, &Event)> = BTreeMap::new();
    for event in told {
        let Some(index) = merged.index(&event.id) else {
            return broken("JOURNAL", format!("{} is not in the merged journal", shown(event)));
        };
        if let Some((before, earlier)) = last.insert(&event.node, (index, event))
            && before >= index
        {
            let text = format!("{} was told before {} and stands behind it", shown(earlier), shown(event));
            return broken("JOURNAL", text);
        }
    }
    Ok(())
}

/// What the stream brought: by ring and delivery, which node told what of it, and when it was told first.
#[derive(Default)]
struct Brought<'a> {
    first: usize,
    by: BTreeMap<&'a str, BTreeSet<(&'a str, &'a str)>>,
}

/// A ring, and to which one its members went on from it, if they told that.
type Way = (Ring, Option<Ring>);

fn ring(event: &Event) -> Ring {
    let Place { ring, representative, life, .. } = place(event);
    (ring, representative, life)
}

/// For each of what was told, the ring in which it was, and the one to which its node went on in the same life.
fn ways(told: &[Event]) -> Vec<Way> {
    let mut later: BTreeMap<&str, Way> = BTreeMap::new();
    let mut ways: Vec<Way> = Vec::with_capacity(told.len());
    for event in told.iter().rev() {
        let life = event.id.rsplit_once('.').map_or("", |(life, _)| life);
        let ring = ring(event);
        let way = match later.get(life) {
            Some((of, next)) if *of == ring => (ring, *next),
            Some((of, _)) => (ring, Some(*of)),
            None => (ring, None),
        };
        later.insert(life, way);
        ways.push(way);
    }
    ways.reverse();
    ways
}

/// The stream brought the same to all who went on in a ring, in the order in which it brought it.
fn as_brought(told: &[Event]) -> Result<(), Violation> {
    let mut rings: BTreeMap<Way, BTreeMap<u64, Brought<'_>>> = BTreeMap::new();
    let mut active: BTreeMap<(Way, &str), u64> = BTreeMap::new();
    for (when, (event, way)) in told.iter().zip(ways(told)).enumerate() {
        let Place { representative, delivery, .. } = place(event);
        if event.kind == "active" {
            active.entry((way, &event.node)).or_insert(delivery);
        }
        if representative == 0 || !BROUGHT.contains(&event.kind.as_str()) {
            continue;
        }
        let brought = rings.entry(way).or_default().entry(delivery);
        let brought = brought.or_insert_with(|| Brought { first: when, by: BTreeMap::new() });
        brought.by.entry(&event.node).or_default().insert((&event.kind, &event.text));
    }
    for (way, deliveries) in &rings {
        let mut before: Option<(u64, usize)> = None;
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for (delivery, brought) in deliveries {
            if let Some((earlier, first)) = before.replace((*delivery, brought.first))
                && first >= brought.first
            {
                let of = |when: usize| told.get(when).map(shown).unwrap_or_default();
                let (one, other) = (of(brought.first), of(first));
                return broken("JOURNAL", format!("{one} happened before what came with delivery {earlier}: {other}"));
            }
            last.extend(brought.by.keys().map(|node| (*node, *delivery)));
        }
        for (delivery, brought) in deliveries {
            let goes_on = |node: &str| {
                last.get(node).is_some_and(|last| last > delivery)
                    && active.get(&(*way, node)).is_some_and(|since| since < delivery)
            };
            let all = last.keys().filter(|node| goes_on(node)).map(|node| (*node, brought.by.get(*node)));
            let different: BTreeMap<_, &str> = all.map(|(node, what)| (what, node)).collect();
            if different.len() > 1 {
                let said = different.iter().map(|(what, node)| format!("{node} tells {what:?}"));
                let said = said.collect::<Vec<_>>().join(", ");
                let ring = way.0;
                return broken("JOURNAL", format!("of delivery {delivery} of ring {}.{}: {said}", ring.0, ring.1));
            }
        }
    }
    Ok(())
}

/// Each order goes back to something outside, and no cause is missing or stands behind its consequence.
fn back_to_the_outside(
    told: &[Event],
    merged: &Merged,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Result<(), Violation> {
    for event in told {
        let Some(cause) = &event.cause else { continue };
        let (here, there) = (merged.index(&event.id), merged.index(cause));
        if there.is_none() || there > here {
            return broken("CAUSES", format!("the cause {cause} of {} is missing or stands behind it", shown(event)));
        }
    }
    for entry in merged.entries.iter().filter(|entry| entry.event.kind == "operation") {
        count(executed, "CAUSES");
        let chain = merged.chain(&entry.event.id).unwrap_or_default();
        let last = chain.last().map(|entry| &entry.event);
        if let Some(last) = last.filter(|last| !OUTSIDE.contains(&last.kind.as_str())) {
            let text = format!("{} goes back to {} and no further", shown(&entry.event), shown(last));
            return broken("CAUSES", text);
        }
    }
    Ok(())
}
