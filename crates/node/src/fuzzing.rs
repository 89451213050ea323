//! What the fuzz targets of `tests/fuzz` do with their input. Compiled for them and for the tests, never into a daemon.
//!
//! Each function takes any bytes and must return: a panic is a finding, and so is a broken promise that it asserts.

#[cfg(test)]
mod tests;
mod world;

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
    if let Ok(message) = wire::decode(input)
        && let Some(bytes) = wire::encode(&message)
    {
        let again = wire::decode(&bytes).expect("what was encoded here decodes");
        assert_eq!(wire::encode(&again), Some(bytes), "another message comes back");
    }
    if let Ok(snapshot) = wire::decode_snapshot(input)
        && let Some(bytes) = wire::encode_snapshot(&snapshot)
    {
        let again = wire::decode_snapshot(&bytes).expect("what was encoded here decodes");
        assert_eq!(wire::encode_snapshot(&again), Some(bytes), "another state comes back");
    }
}

/// A member that has the key and says whatever it likes in the ordered stream.
///
/// The first byte chooses whether it gets through the barrier in good order; then come steps: a byte that says what, a
/// number (u16), and perhaps so many bytes of a message. A message of another ring is told in the present one.
pub fn stream_peer(input: &[u8]) {
    let Some((polite, mut rest)) = input.split_first() else { return };
    let mut world = World::with_peer(polite & 1 == 0);
    for _ in 0..STEPS_MAX {
        let Some(([what, low, high], after)) = rest.split_first_chunk::<3>() else { break };
        let number = u16::from_le_bytes([*low, *high]);
        rest = after;
        match what {
            0 => world.wait(Duration::from_millis(u64::from(number) % WAIT_MAX_MS)),
            1 => world.view(number & 1 == 0),
            _ => {
                let (bytes, after) = rest.split_at(usize::from(number).min(rest.len()));
                rest = after;
                if let Ok(message) = wire::decode(bytes) {
                    world.peer_says(message.body);
                }
            }
        }
    }
    world.wait(Duration::from_millis(WAIT_MAX_MS));
}

/// The configuration as it lies on the disk. Where it decodes, a node starts from it, is alone in the cluster, and
/// decides about it.
pub fn state_cib(input: &[u8]) {
    let Ok(state) = wire::decode_stored(input) else { return };
    let bytes = wire::encode_stored(&state).expect("it was no larger before");
    let again = wire::decode_stored(&bytes).expect("what was encoded here decodes");
    assert_eq!(wire::encode_stored(&again), Some(bytes), "another configuration comes back");
    if let Some(mut world) = World::from_disk(input.to_vec()) {
        world.view(false);
        world.wait(Duration::from_millis(WAIT_MAX_MS));
    }
}
