//! After the calm phase one thing is done to a healthy ring, and what must follow is known exactly:
//!
//! * EVS-19: a node leaves in good order; the others go on without it before any timer for failures could have run.
//! * LIVE-3: two nodes stop hearing each other while both hear a third; the ring settles instead of flapping.
//! * LIVE-4: a node is switched off; the others go on without it, and spend next to nothing on it.
//! * LINK: one of two links is cut everywhere, then the other instead; the ring does not change.
//! * MTU: large datagrams vanish between two nodes; the ring does not change, and everything is delivered.

use std::time::Duration;

use hac_netsim::Rng;
use hac_totem::Timers;
use hac_types::{LinkId, RingId};

use super::liveness::{all_delivered, one_view};
use super::{Violation, count};
use crate::ring::World;

/// A leaving node is gone after this long; the shortest timer for failures is more than twice as long.
const LEFT: Duration = Duration::from_millis(150);
/// How long connectivity that is not transitive is watched.
const WATCHED: Duration = Duration::from_secs(60);
/// Views that a node may install in that time.
const VIEWS_MAX: usize = 3;
/// How long the traffic to a node that is off is counted.
const COUNTED: Duration = Duration::from_secs(10);
/// How long a link stays cut, or a path narrow.
const ENDURED: Duration = Duration::from_secs(8);
/// Sessions that are offered meanwhile on each link to a node that is silent: the pauses between offers have grown to several
/// seconds by then, up to 10, each twice as long as the one before, so a third offer comes later.
const HELLOS: u128 = 2;
/// Bytes that a narrow path lets pass: the least that every path must.
const NARROW: usize = 1280;

/// Does one of these things, as the seed says, to a ring that all hosts are in.
pub(super) fn run(world: &mut World, ring: RingId, ids: &[u32]) -> Result<(), Violation> {
    let mut rng = Rng::new(world.options.seed, 9);
    let (Some(&id), choice) = (rng.pick(ids), rng.below(10)) else { return Ok(()) };
    match choice {
        0..=2 => leave(world, id),
        3 => switch_off(world, id),
        4 if ids.len() > 2 => chain(world, &mut rng, ids),
        5..=7 if world.options.links > 1 => lose_links(world, ring, ids),
        8 | 9 => narrow(world, &mut rng, ring, ids),
        _ => Ok(()),
    }
}

/// The hosts but one, and none of them is to be in a view with it.
fn without(world: &World, id: u32) -> bool {
    let rest = world.hosts.keys().filter(|other| **other != id);
    let views: Vec<_> = rest.map(|other| world.history.view_of(*other, world.life_of(*other))).collect();
    let first = views.first().copied().flatten().map(|view| view.ring);
    let gone = |view: &Option<&hac_types::View>| {
        view.is_some_and(|view| Some(view.ring) == first && view.members.len() == views.len())
    };
    views.iter().all(gone)
}

fn leave(world: &mut World, id: u32) -> Result<(), Violation> {
    world.leave(id);
    world.run(LEFT)?;
    count(&mut world.executed, "EVS-19");
    if without(world, id) {
        return Ok(());
    }
    let text = format!("{} ms after node{id} left, the others have not gone on without it", LEFT.as_millis());
    Err(Violation::new("EVS-19", text))
}

fn switch_off(world: &mut World, id: u32) -> Result<(), Violation> {
    let (timers, nodes) = (Timers::default(), world.hosts.len());
    world.kill(id);
    world.pace = Duration::from_secs(1);
    world.run(timers.token_for(nodes) + timers.consensus_for(nodes) * 2)?;
    count(&mut world.executed, "LIVE-1");
    if !without(world, id) {
        return Err(Violation::new("LIVE-1", format!("node{id} is off, and the others have not gone on without it")));
    }
    let before = world.addressed(id);
    world.run(COUNTED)?;
    let spent = world.addressed(id) - before;
    count(&mut world.executed, "LIVE-4");
    // In so many intervals there is one ping more where both ends are pinged at.
    let pings = COUNTED.as_millis() / timers.merge.as_millis() + 1;
    let allowed = (pings + HELLOS) * u128::from(world.options.links) * (nodes as u128 - 1);
    if u128::from(spent) > allowed {
        let text = format!("{spent} datagrams were sent to node{id}, which is off; {allowed} are allowed");
        return Err(Violation::new("LIVE-4", text));
    }
    Ok(())
}

fn chain(world: &mut World, rng: &mut Rng, ids: &[u32]) -> Result<(), Violation> {
    let (Some(&a), Some(&b)) = (rng.pick(ids), rng.pick(ids)) else { return Ok(()) };
    if a == b {
        return Ok(());
    }
    world.net.cut_way(a, b);
    world.net.cut_way(b, a);
    world.pace = Duration::from_secs(1);
    let views = |world: &World, id: u32| world.history.views(id, world.life_of(id));
    let before: Vec<usize> = ids.iter().map(|id| views(world, *id)).collect();
    world.run(WATCHED)?;
    count(&mut world.executed, "LIVE-3");
    for (id, before) in ids.iter().zip(before) {
        let installed = views(world, *id) - before;
        if installed > VIEWS_MAX {
            let text = format!("node{a} and node{b} do not hear each other; node{id} installs {installed} views");
            return Err(Violation::new("LIVE-3", text));
        }
    }
    let apart =
        world.history.view_of(a, world.life_of(a)).is_none_or(|view| view.members.iter().all(|m| m.node.0 != b));
    if apart { Ok(()) } else { Err(Violation::new("LIVE-3", format!("node{a} is in one view with node{b}"))) }
}

fn lose_links(world: &mut World, ring: RingId, ids: &[u32]) -> Result<(), Violation> {
    for link in [0, 1] {
        world.net.heal();
        world.run(Duration::from_secs(2))?;
        for (index, &a) in ids.iter().enumerate() {
            for &b in ids.iter().skip(index + 1) {
                world.net.cut_link(a, b, LinkId(link));
            }
        }
        endure(world, ring, "LINK", "one of two links is cut")?;
    }
    Ok(())
}

fn narrow(world: &mut World, rng: &mut Rng, ring: RingId, ids: &[u32]) -> Result<(), Violation> {
    let (Some(&a), Some(&b)) = (rng.pick(ids), rng.pick(ids)) else { return Ok(()) };
    if a == b {
        return Ok(());
    }
    world.net.narrow(a, b, NARROW);
    endure(world, ring, "MTU", "large datagrams are lost on one path")
}

/// The ring goes on with traffic, and then everything has been delivered.
fn endure(world: &mut World, ring: RingId, property: &'static str, what: &str) -> Result<(), Violation> {
    world.set_pace(Duration::from_millis(20));
    world.send_soon();
    world.run(ENDURED)?;
    world.pace = Duration::from_secs(3600);
    world.run(Duration::from_secs(3))?;
    count(&mut world.executed, property);
    if one_view(world).is_ok_and(|now| now == ring) {
        return all_delivered(world, ring);
    }
    Err(Violation::new(property, format!("{what}, and ring {ring} did not last")))
}
