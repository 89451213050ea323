//! Where there are fence devices. P-8: what may run on one node alone is started only where it runs nowhere else in reality,
//! unless a device lied about the host where it does; P-6: and so it never runs twice. FENCE-1: nobody is shot without a
//! reason (it is unclean, as the one who shoots has it, or a person asked), nor without quorum, nor by itself while there is
//! anybody else; P-14: nor twice without having come back. FENCE-2: every attempt ends. FENCE-3: who learns that it was fenced and lives,
//! was lied about; it is told as soon as it meets who knows of it, stops everything and goes. FENCE-4: where a device has to let hosts in, nothing starts
//! before that. P-14: of two that lose each other, with different delays one survives.

use std::time::Duration;

use hac_model::fencing::Request;
use hac_node::{Invocation, SyncState};
use hac_types::RingId;

use super::{Violation, count, once};
use crate::cluster::{PERSON, World};
use crate::power::{Delays, TIMEOUT};

/// What an attempt takes at most, with all waiting, and a coordinator that is slow.
pub(crate) const ENDS: Duration = Duration::from_secs(70);

/// So long ago what called for a shot may have gone: an order is on its way when that is known, or was carried out too far.
const REASON: Duration = Duration::from_secs(3);

/// So long an agent may need to reach its device.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// In this time a node that was fenced and lives is told, once it meets who knows of it.
pub(crate) const TOLD: Duration = Duration::from_secs(5);

/// In this time it has stopped what it can stop, and is gone.
pub(crate) const GONE: Duration = Duration::from_secs(75);

/// Whether a resource may run on one node alone, as the configuration of this host has it and the last decision had.
fn is_single(world: &World, id: u32, resource: &str) -> bool {
    let Some(node) = world.hosts.get(&id).and_then(|host| host.node.as_ref()) else { return false };
    let single = once::singles(&node.cib().configuration).any(|id| id == resource);
    single && world.checks.singles.contains(resource) && !world.powers.devices.contains_key(resource)
}

/// Where it runs beside this host, as far as anybody could know.
fn elsewhere(world: &World, id: u32, resource: &str) -> Option<u32> {
    let mut places = world.reality.places(resource).into_iter();
    places.find(|other| *other != id && !world.powers.lied_about.contains_key(other))
}

/// Whether a host has to be let in before anything starts there, as it has the configuration.
fn needs_letting_in(world: &World, id: u32) -> bool {
    let Some(node) = world.hosts.get(&id).and_then(|host| host.node.as_ref()) else { return false };
    let mut all = hac_crm::cib::primitives(&node.cib().configuration).into_iter();
    all.any(|primitive| primitive.id == crate::power::FABRIC)
}

/// An agent is about to start something.
pub(crate) fn starts(world: &mut World, id: u32, invocation: &Invocation) -> Option<Violation> {
    world.powers.fencing?;
    let resource = &invocation.resource;
    let waits_outside = world.hosts.get(&id).is_some_and(|host| host.waits_outside);
    if invocation.action == "start" && !world.powers.devices.contains_key(resource) && needs_letting_in(world, id) {
        count(&mut world.checks.executed, "FENCE-4");
        if waits_outside {
            let text = format!("node{id} starts {resource} before it was let in");
            return Some(Violation::new("FENCE-4", text));
        }
    }
    if invocation.action != "start" || !is_single(world, id, resource) {
        return None;
    }
    count(&mut world.checks.executed, "P-8");
    let other = elsewhere(world, id, resource)?;
    Some(Violation::new(
        "P-8",
        format!("node{id} starts {resource} while it runs on node{other}, which was not fenced"),
    ))
}

/// An agent has started something.
pub(crate) fn started(world: &mut World, id: u32, resource: &str) -> Option<Violation> {
    world.powers.fencing?;
    if !is_single(world, id, resource) || !world.reality.places(resource).contains(&id) {
        return None;
    }
    count(&mut world.checks.executed, "P-6");
    let other = elsewhere(world, id, resource)?;
    Some(Violation::new("P-6", format!("{resource} runs on node{id} and on node{other} at once")))
}

/// A node is told to use a device against a host.
pub(crate) fn shoots(world: &mut World, id: u32, invocation: &Invocation, target: u32) -> Option<Violation> {
    count(&mut world.checks.executed, "FENCE-1");
    let node = world.hosts.get(&id)?.node.as_ref()?;
    if target == id && invocation.action != "on" && hac_crm::fencer::members(node.cib()).len() > 1 {
        return wrong(id, invocation, target, "which is itself, and there are others");
    }
    // What it was told just before it left is not done any more.
    let standing = node.standing();
    if !standing.quorate && standing.sync != SyncState::Stopped {
        return wrong(id, invocation, target, "without quorum");
    }
    None
}

fn wrong(id: u32, invocation: &Invocation, target: u32, text: &str) -> Option<Violation> {
    let device = &invocation.resource;
    Some(Violation::new("FENCE-1", format!("node{id} uses {device} against node{target}, {text}")))
}

/// All waiting is over: the device is about to hear what it is to do.
pub(crate) fn hits(world: &mut World, id: u32, invocation: &Invocation, target: u32) -> Option<Violation> {
    let was_asked_for = world.asked_for(target);
    let wall = world.time_at(id).wall;
    let node = world.hosts.get(&id)?.node.as_ref()?;
    let cib = node.cib();
    let name = format!("node{target}");
    // A request that is not over is one still, however long its coordinator stood still.
    let wants = |request: &Request| request.wanted.target == name && request.wanted.client == PERSON;
    let by_a_person = was_asked_for || cib.status.fencing.running.iter().any(wants);
    if by_a_person || invocation.action == "on" {
        return None;
    }
    count(&mut world.checks.executed, "FENCE-1");
    count(&mut world.checks.executed, "P-14");
    let members = hac_crm::fencer::members(cib);
    let fencing = &cib.status.fencing;
    let has_ended = fencing.lives.get(&name).is_some_and(|life| fencing.has_ended(&name, *life));
    // Who was seen alive after that may be shot again: what said that it was off was wrong.
    let was_seen = fencing.survivors.contains(&name);
    // An agent that runs already when a person says that the node is down is not called back.
    let long_known = world.powers.ended.get(&name).is_some_and(|since| world.now.since(*since) > UNDER_WAY);
    if has_ended && long_known && !was_seen && !members.contains(&name) {
        let text = format!("node{id} shoots {name} again, which was fenced and has not come back");
        return Some(Violation::new("P-14", text));
    }
    let view = hac_scheduler::view(cib, wall);
    let unclean = view.nodes.iter().any(|node| node.name == name && node.unclean);
    let lately = world.powers.unclean.get(&name).is_some_and(|at| world.now.since(*at) < REASON);
    match (unclean || lately, members.contains(&name)) {
        (true, _) => None,
        (false, true) => wrong(id, invocation, target, "which is a member, and nothing is wrong with it"),
        (false, false) => wrong(id, invocation, target, "which is not there, and nothing is wrong with that"),
    }
}

/// An attempt began so long ago that it must be over, on the node that carries it out.
pub(crate) fn ends(world: &mut World, id: u32, ring: RingId, key: &str) -> Option<Violation> {
    count(&mut world.checks.executed, "FENCE-2");
    let (standing, _) = world.hosts.get(&id)?.seen?;
    let node = world.hosts.get(&id)?.node.as_ref()?;
    let mut running = node.cib().status.fencing.running.iter().filter_map(|request| request.attempt.as_ref());
    let under_way = standing.ring == Some(ring) && standing.takes_part() && running.any(|attempt| attempt.key == key);
    under_way.then(|| {
        let seconds = ENDS.as_secs();
        Violation::new("FENCE-2", format!("an attempt of node{id} is under way for {seconds} s: {}", world.standings()))
    })
}

/// A node says that it was fenced and lives.
pub(crate) fn survived(world: &mut World, id: u32) -> Option<Violation> {
    count(&mut world.checks.executed, "FENCE-3");
    world.checks.happened("a node learned that it was fenced");
    let lied = world.powers.lied_about.contains_key(&id);
    (!lied).then(|| {
        Violation::new(
            "FENCE-3",
            format!("node{id} is told that it was fenced, and no device says so of its present life"),
        )
    })
}

/// A device lied about a node a while ago, or it has met others since.
pub(crate) fn told(world: &mut World, id: u32) -> Option<Violation> {
    count(&mut world.checks.executed, "FENCE-3");
    let host = world.hosts.get(&id)?;
    let silent = world.could_know(id) && !host.learned;
    silent.then(|| {
        Violation::new("FENCE-3", format!("node{id} was fenced, came back in the same life, and does not know it"))
    })
}

/// A node that was fenced and lives said so a while ago.
pub(crate) fn gone(world: &mut World, id: u32) -> Option<Violation> {
    count(&mut world.checks.executed, "FENCE-3");
    let is_there = world.hosts.get(&id)?.node.is_some();
    is_there.then(|| Violation::new("FENCE-3", format!("node{id} was fenced, knows it, and is still there")))
}

/// Two that saw each other have lost each other for a while.
pub(crate) fn raced(world: &mut World, taken: &[u32], address: Option<u32>) -> Option<Violation> {
    count(&mut world.checks.executed, "P-14");
    let delays = world.powers.fencing?.delays;
    let survivor = match delays {
        Delays::Base => 1,
        Delays::Priority => address?,
        Delays::None | Delays::Random => return None,
    };
    (taken != [3 - survivor]).then(|| {
        Violation::new(
            "P-14",
            format!("of two nodes that lost each other {taken:?} were shot, not the one but node{survivor}"),
        )
    })
}

/// Of requests nothing may be left when all is calm.
pub(crate) fn at_the_end(world: &mut World) -> Result<(), Violation> {
    if world.powers.fencing.is_none() {
        return Ok(());
    }
    count(&mut world.checks.executed, "FENCE-2");
    let Some(node) = world.hosts.values().find_map(|host| host.node.as_ref()) else { return Ok(()) };
    match node.cib().status.fencing.running.first() {
        Some(request) => {
            let target = &request.wanted.target;
            Err(Violation::new("FENCE-2", format!("all is calm, and {target} is still to be fenced")))
        }
        None => Ok(()),
    }
}

const _: () = assert!(ENDS.as_secs() > TIMEOUT.as_secs() * 2);
