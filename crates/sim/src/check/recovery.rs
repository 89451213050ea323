//! LIVE-1 and P-11: when faults have ceased, the nodes are one active, quorate cluster within the calm phase, nothing is
//! in progress, and everything runs where it should: the address on exactly one node, the server on every one.
//! KEY-1: they all use one key.

use super::{Violation, count};
use crate::cluster::{Host, World};
use crate::tutorial::{ADDRESS, SERVER};

/// Lets time pass until all is well.
pub(super) fn check(world: &mut World) -> Result<(), Violation> {
    let patience = world.options.calm;
    let settled = world.run_until(patience, World::is_settled)?;
    count(&mut world.checks.executed, "LIVE-1");
    if !settled {
        return Err(Violation::new(
            "LIVE-1",
            format!("not settled after {} s: {}", patience.as_secs(), world.standings()),
        ));
    }
    count(&mut world.checks.executed, "P-11");
    let addresses = world.reality.places(ADDRESS);
    let servers = world.reality.places(SERVER);
    if addresses.len() != 1 || servers.len() != world.hosts.len() {
        let text = format!("{ADDRESS} runs on {addresses:?}, {SERVER} on {servers:?}; {}", world.standings());
        return Err(Violation::new("P-11", text));
    }
    one_key(world)
}

/// Whatever became of rotations.
fn one_key(world: &mut World) -> Result<(), Violation> {
    count(&mut world.checks.executed, "KEY-1");
    let used = |(&id, host): (&u32, &Host)| Some((id, host.node.as_ref()?.report(world.time_at(id)).keys.fingerprint));
    let keys: Vec<(u32, String)> = world.hosts.iter().filter_map(used).collect();
    if keys.windows(2).all(|pair| pair[0].1 == pair[1].1) {
        return Ok(());
    }
    Err(Violation::new("KEY-1", format!("the nodes use different keys: {keys:?}")))
}
