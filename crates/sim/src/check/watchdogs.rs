//! Where there are watchdogs. DOG-1: when a node counts as gone because its watchdog was waited for, nothing runs on its host, and
//! no agent is at work there that could start anything. DOG-2: no host is reset whose daemon goes round and has had the right to
//! run what it runs for as long as a watchdog waits, unless that was ordered.

use super::{Violation, count};
use crate::cluster::World;
use crate::cluster::watchdogs::TIMES;

/// The watchdog of a host was waited for.
pub(crate) fn waited(world: &mut World, by: u32, target: u32) -> Option<Violation> {
    count(&mut world.checks.executed, "DOG-1");
    world.checks.happened("a watchdog was waited for");
    if world.reality.is_off(target) {
        return None;
    }
    let host = world.hosts.get(&target)?;
    let node = world.hosts.get(&by)?.node.as_ref()?;
    let name = format!("node{target}");
    // Without quorum nothing follows from it; and who is a member again was not waited for to the end.
    if !node.standing().quorate || hac_crm::fencer::members(node.cib()).contains(&name) {
        return None;
    }
    let runs: Vec<&str> = world.reality.running().filter(|(at, _)| *at == target).map(|(_, id)| id.as_str()).collect();
    let mut agents = host.invocations.values().chain(host.orphans.values());
    let starts = agents.any(|run| run.invocation.action == "start");
    (!runs.is_empty() || starts).then(|| {
        let what = if runs.is_empty() { "something that is being started".to_owned() } else { runs.join(", ") };
        Violation::new("DOG-1", format!("{name} counts as gone by its watchdog for node{by}, and runs {what}"))
    })
}

/// A watchdog takes the power of its host.
pub(crate) fn bites(world: &mut World, id: u32) -> Option<Violation> {
    count(&mut world.checks.executed, "DOG-2");
    let host = world.hosts.get(&id)?;
    let (_, since) = host.acts_since.filter(|_| host.node.is_some())?;
    // Who learned that it was fenced has no right any more, whatever it is a member of.
    let goes_round = !host.paused && host.above.still.is_none() && !host.dog.condemned && !host.learned;
    let long_enough = world.now.since(since.max(host.dog.able_since)) > TIMES.timeout;
    (goes_round && long_enough).then(|| {
        let text = format!("node{id} is reset by its watchdog, and had the right to run what it runs");
        Violation::new("DOG-2", text)
    })
}
