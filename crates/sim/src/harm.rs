//! Faults that befall networks and hosts alike, whatever runs on them.

use std::time::Duration;

use hac_netsim::{Net, Rng};
use hac_types::LinkId;

/// A world that can be harmed.
pub trait Harmed {
    /// Its network.
    fn net(&mut self) -> &mut Net;
    /// Notes what is done to it.
    fn note(&mut self, text: String);
    /// Something interesting happened.
    fn happened(&mut self, _name: &'static str) {}
    /// A host does not run for a while.
    fn pause(&mut self, id: u32, time: Duration);
}

/// One fault of the network or of a host's scheduling.
pub fn befall(world: &mut impl Harmed, rng: &mut Rng, ids: &[u32], links: u8) {
    let Some(&id) = rng.pick(ids) else { return };
    let other = rng.pick(ids).copied().unwrap_or(id);
    match rng.below(9) {
        0 | 1 => partition(world, rng, ids),
        2 if id != other => {
            world.note(format!("nothing passes from node{id} to node{other}"));
            world.happened("one-way cut");
            world.net().cut_way(id, other);
        }
        3 if id != other => {
            let link = u8::try_from(rng.below(u64::from(links))).unwrap_or(0);
            world.note(format!("link {link} between node{id} and node{other} is cut"));
            world.net().cut_link(id, other, LinkId(link));
        }
        4..=6 => {
            if !world.net().is_whole() {
                world.note("the network is whole again".to_owned());
            }
            world.net().heal();
        }
        _ => {
            let times = [40, 200, 320, 500, 1000, 3500, 8000];
            let millis = rng.pick(&times).copied().unwrap_or(40);
            world.pause(id, Duration::from_millis(millis));
        }
    }
}

fn partition(world: &mut impl Harmed, rng: &mut Rng, ids: &[u32]) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for &id in ids {
        if rng.chance(500) {
            left.push(id);
        } else {
            right.push(id);
        }
    }
    if left.is_empty() || right.is_empty() {
        return;
    }
    world.note(format!("the network is cut between {left:?} and {right:?}"));
    world.net().partition(&[left, right]);
}
