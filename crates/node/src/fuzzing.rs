//! What the fuzz targets of `tests/fuzz` do with their input. Compiled for them and for the tests, never into a daemon.
//!
//! Each function takes any bytes and must return: a panic is a finding, and so is a broken promise that it asserts.

#[cfg(test)]
mod tests;
pub(crate) mod world;

use std::time::Duration;

use crate::fuzzing::world::World;
use crate::wire;

/// Longest wait that one step of [`stream_peer`] can ask for: a minute.
const WAIT_MAX_MS: u64 = 60_000;
/// Most steps of [`stream_peer`].
const STEPS_MAX: usize = 32;

/// What nodes say to each other in the ordered stream, and the state that one hands to another: what decodes has one
/// encoding, which decodes to itself.
pub fn stream_message(input: &[u8]) {
    if let Ok(message) = wire::decode(input, hac_types::Level::FIRST)
        && let Some(bytes) = wire::encode(&message, hac_types::Level::FIRST)
    {
        let again = wire::decode(&bytes, hac_types::Level::FIRST).expect("what was encoded here decodes");
        assert_eq!(wire::encode(&again, hac_types::Level::FIRST), Some(bytes), "another message comes back");
    }
    if let Ok(snapshot) = wire::decode_snapshot(input) {
        let write = |s: &wire::Snapshot| hac_wire::to_vec(s).expect("it has a named form");
        let bytes = write(&snapshot);
        let again = wire::decode_snapshot(&bytes).expect("what was encoded here decodes");
        assert_eq!(write(&again), bytes, "another state comes back");
    }
}

/// A member that has the key and says whatever it likes in the ordered stream.
///
/// The first byte chooses whether it gets through the barrier in good order; then come steps (see `next_step`). A
/// message of another ring is told in the present one.
pub fn stream_peer(input: &[u8]) {
    let Some((polite, mut rest)) = input.split_first() else { return };
    let mut world = World::with_peer(polite & 1 == 0);
    for _ in 0..STEPS_MAX {
        match next_step(&mut rest) {
            None => break,
            Some(Step::Wait(time)) => world.wait(time),
            Some(Step::View { with_peer }) => world.view(with_peer),
            Some(Step::Say(bytes)) => {
                if let Ok(message) = wire::decode(bytes, hac_types::Level::FIRST) {
                    world.peer_says(message.body);
                }
            }
        }
    }
    world.wait(Duration::from_millis(WAIT_MAX_MS));
}

enum Step<'a> {
    /// Time passes.
    Wait(Duration),
    /// A new view.
    View { with_peer: bool },
    /// The peer says this.
    Say(&'a [u8]),
}

/// `0 ms u16` waits, `1 u16` is a view (with the peer if the number is even), any other byte is followed by a length
/// (u16) and a message.
fn next_step<'a>(rest: &mut &'a [u8]) -> Option<Step<'a>> {
    let ([what, low, high], after) = rest.split_first_chunk::<3>()?;
    let number = u16::from_le_bytes([*low, *high]);
    *rest = after;
    Some(match what {
        0 => Step::Wait(Duration::from_millis(u64::from(number) % WAIT_MAX_MS)),
        1 => Step::View { with_peer: number & 1 == 0 },
        _ => {
            let (bytes, after) = after.split_at(usize::from(number).min(after.len()));
            *rest = after;
            Step::Say(bytes)
        }
    })
}

/// The configuration as it lies on the disk. Where it decodes, a node starts from it, is alone in the cluster, and
/// decides about it.
pub fn state_cib(input: &[u8]) {
    let Ok(state) = wire::decode_stored(input, hac_types::LevelWindow::KNOWN) else { return };
    let write =
        |s: &wire::StoredState| wire::encode_stored(&s.cib, &s.cluster, s.lineage, &s.trail, s.register.as_ref());
    // An old form may be smaller than the present one.
    if let Some(bytes) = write(&state) {
        let again = wire::decode_stored(&bytes, hac_types::LevelWindow::KNOWN).expect("what was encoded here decodes");
        assert_eq!(write(&again), Some(bytes), "another configuration comes back");
    }
    if let Some(mut world) = World::from_disk(input.to_vec()) {
        world.view(false);
        world.wait(Duration::from_millis(WAIT_MAX_MS));
    }
}
