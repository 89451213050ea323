//! LIVE-1: when faults have ceased, all nodes are one view soon. LIVE-2: what is sent then is delivered everywhere soon.

use std::collections::BTreeSet;
use std::time::Duration;

use hac_types::RingId;

use super::{Violation, count, epilogue, judge};
use crate::ring::{Item, Message, World};

/// After this long without faults there is one view: pauses under way end (8 s), those who came and went are admitted
/// again (5 s), and the slowest timers run once (token and consensus).
const ONE_VIEW: Duration = Duration::from_secs(25);

/// So many tenths of a second of one view are enough.
const STEADY: u32 = 10;

/// After this long without further messages everything is delivered.
const DELIVERED: Duration = Duration::from_secs(2);

/// The calm phase and the judgement about the whole run.
///
/// # Errors
///
/// The first promise that was broken.
pub fn recovery(world: &mut World, ids: &[u32]) -> Result<(), Violation> {
    world.calm(ids);
    let begin = world.now;
    let mut together = 0;
    while together < STEADY && world.now.since(begin) < ONE_VIEW {
        world.run(Duration::from_millis(100))?;
        // Hosts that died or left just before come back too.
        for &id in ids {
            world.start_after(id, Duration::ZERO);
        }
        together = if world.is_in_service() && one_view(world).is_ok() { together + 1 } else { 0 };
    }
    let ring = one_view(world)?;
    count(&mut world.executed, "LIVE-1");
    let result = traffic(world, ring).and_then(|()| epilogue::run(world, ring, ids));
    if !world.checking {
        return result;
    }
    let mut executed = std::mem::take(&mut world.executed);
    world.watch.report(&mut executed);
    let judged = judge(&world.history, &mut executed);
    world.executed = executed;
    // A broken record says more than what followed from it.
    judged.and(result)
}

/// What is sent in a calm ring is delivered, and the ring lasts.
fn traffic(world: &mut World, ring: RingId) -> Result<(), Violation> {
    world.set_pace(Duration::from_millis(10));
    world.run(Duration::from_secs(2))?;
    world.send_soon();
    world.run(Duration::from_millis(100))?;
    world.pace = Duration::from_secs(3600);
    world.run(DELIVERED)?;
    if one_view(world)? != ring {
        return Err(Violation::new("LIVE-1", format!("ring {ring} ended although nothing happened")));
    }
    all_delivered(world, ring)?;
    count(&mut world.executed, "LIVE-2");
    Ok(())
}

/// The ring that all are in.
pub(super) fn one_view(world: &World) -> Result<RingId, Violation> {
    let mut rings = BTreeSet::new();
    for (&id, host) in &world.hosts {
        let last = world.history.view_of(id, host.life());
        match last {
            Some(view) if view.members.len() == world.hosts.len() => rings.insert(view.ring),
            other => {
                let view = other.map(|v| format!("{} {:?}", v.ring, v.members));
                let text = format!("after {} s node{id} is in {view:?}", ONE_VIEW.as_secs());
                return Err(Violation::new("LIVE-1", text));
            }
        };
    }
    match (rings.pop_first(), rings.is_empty()) {
        (Some(ring), true) => Ok(ring),
        _ => Err(Violation::new("LIVE-1", "there are several rings")),
    }
}

/// Everything that was sent in the last view came to everybody.
pub(super) fn all_delivered(world: &World, ring: RingId) -> Result<(), Violation> {
    let given = |id: u32| -> BTreeSet<Message> {
        let life = world.hosts.get(&id).map_or(0, crate::ring::Host::life);
        let items = world.history.processes.get(&(id, life)).map_or(&[][..], |p| p.items.as_slice());
        let in_ring = |item: &Item| match item {
            Item::Delivered { ring: r, message: Some(message), .. } if *r == ring => Some(*message),
            _ => None,
        };
        items.iter().filter_map(in_ring).collect()
    };
    let mut everybody = world.hosts.keys().map(|&id| (id, given(id)));
    let Some((first, expected)) = everybody.next() else { return Ok(()) };
    for (id, messages) in everybody {
        if let Some(message) = expected.symmetric_difference(&messages).next() {
            let text = format!("{message:?} came to only one of node{first} and node{id}");
            return Err(Violation::new("LIVE-2", text));
        }
    }
    if expected.is_empty() {
        return Err(Violation::new("LIVE-2", "nothing was delivered in the last view"));
    }
    Ok(())
}
