//! What the fuzz targets of `tests/fuzz` do with their input. Compiled for them and for the tests, never into a daemon.
//!
//! Each function takes any bytes and must return: a panic is a finding, and so is a broken promise that it asserts.

mod pair;
#[cfg(test)]
mod tests;

use std::time::Duration;

use hac_types::{LinkId, NodeId};

use crate::fuzzing::pair::Pair;
use crate::wire::Message;
use crate::{AuthKey, Cipher, Guarantee, SealedKey};

/// Longest wait that one step of [`ring_peer`] can ask for.
const WAIT_MAX_MS: u64 = 5000;
/// Most steps of [`ring_peer`]: what they find is found in fewer.
const STEPS_MAX: usize = 64;

/// The opening of envelopes. Half of the inputs are datagrams out of the blue; the others say how to change a genuine
/// one: of the ring, or a hello by which a session begins. A bit says whether the key is being changed meanwhile. None
/// of them may be believed, and none answered.
pub fn ring_envelope(input: &[u8]) {
    let Some(([choice], rest)) = input.split_first_chunk::<1>() else { return };
    let cipher = if choice & 1 == 0 { Cipher::None } else { Cipher::Aes256Gcm };
    let mut pair = Pair::formed(cipher);
    let key = if choice & 4 == 0 { Pair::key() } else { pair.next_key() };
    let datagram = match choice & 10 {
        0 | 8 => Some(rest.to_vec()),
        2 => changed(pair.genuine(), rest),
        _ => changed(pair.genuine_hello(key, cipher), rest),
    };
    let Some(datagram) = datagram else { return };
    let (now, ring) = (pair.now, pair.honest.stats().delivered);
    let result = pair.honest.handle_datagram(now, LinkId(0), NodeId(Pair::TURNED), &datagram);
    assert!(result.is_err(), "a datagram that nobody made is believed");
    assert!(!pair.answers(), "a refused datagram is answered");
    assert_eq!(pair.honest.stats().delivered, ring);
}

/// `genuine` as `edits` has it: a new length, then places and what to change there. `None` if that leaves it as it was.
fn changed(genuine: Vec<u8>, edits: &[u8]) -> Option<Vec<u8>> {
    let (length, edits) = edits.split_first_chunk::<2>()?;
    let mut datagram = genuine.clone();
    let length = usize::from(u16::from_le_bytes(*length));
    if length > 0 {
        datagram.resize(length, 0);
    }
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        if let Some(byte) = datagram.get_mut(place) {
            *byte ^= edit[2];
        }
    }
    (datagram != genuine).then_some(datagram)
}

/// The body of each message: what decodes is the same after another way there and back, and its encoding is no
/// larger than what a sender may claim.
pub fn ring_body(input: &[u8]) {
    let Ok(message) = Message::decode(input) else { return };
    let body = message.encode();
    assert_eq!(Message::decode(&body).as_ref(), Ok(&message), "another message comes back");
    let _ = message.class();
}

/// Key files, and the next key on its way. A key has 32 to 4096 bytes; what was sealed opens, and does not under
/// another key, nor when it was changed, nor does what was never sealed.
pub fn authkey(input: &[u8]) {
    // A fuzzer sees what is compared, and so what is sealed below; under this key nothing is.
    let unused = AuthKey::new(vec![6; 32]).expect("32 bytes are enough");
    assert!(unused.unseal(&SealedKey::from_bytes(input.to_vec())).is_none(), "a sealed key was guessed");
    let own = Pair::key();
    let Some((salt, rest)) = input.split_first_chunk::<16>() else { return };
    let (chosen, edits) = rest.split_at(rest.len() / 2);
    let next = AuthKey::new(chosen.to_vec());
    assert_eq!(next.is_ok(), (32..=4096).contains(&chosen.len()));
    let Ok(next) = next else { return };
    let sealed = own.seal(&next, *salt);
    assert_eq!(own.unseal(&sealed).as_ref(), Some(&next), "another key comes out");
    if next != own {
        assert!(next.unseal(&sealed).is_none(), "it opens under another key");
    }
    if let Some(other) = changed(sealed.bytes().to_vec(), edits) {
        assert!(own.unseal(&SealedKey::from_bytes(other)).is_none(), "a changed key opens");
    }
}

/// A member that has the key and says whatever it likes: any sequence of messages, with time between them.
///
/// The input is a list of steps: a byte that says what, then its argument (see `next_step`). The node that hears it must
/// neither panic nor fall into a loop without end.
pub fn ring_peer(input: &[u8]) {
    let mut pair = Pair::formed(Cipher::None);
    let mut rest = input;
    for _ in 0..STEPS_MAX {
        match next_step(&mut rest) {
            None => break,
            Some(Step::Wait(time)) => pair.honest_alone(time),
            Some(Step::Say(body)) => {
                if let Ok(message) = Message::decode(body) {
                    pair.turned_says(&message);
                }
            }
            Some(Step::Broadcast(size)) => {
                let now = pair.now;
                // A full queue is an answer like another.
                let _ = pair.honest.broadcast(now, vec![0x5a; size], Guarantee::Safe);
            }
        }
    }
    pair.honest_alone(Duration::from_millis(WAIT_MAX_MS));
}

enum Step<'a> {
    /// Time passes.
    Wait(Duration),
    /// The peer says this.
    Say(&'a [u8]),
    /// The honest node has something of this size to say.
    Broadcast(usize),
}

/// `0 ms u16` waits, `1 size u16` broadcasts, any other byte is followed by a length (u16) and a body.
fn next_step<'a>(rest: &mut &'a [u8]) -> Option<Step<'a>> {
    let ([what, low, high], after) = rest.split_first_chunk::<3>()?;
    let number = u16::from_le_bytes([*low, *high]);
    *rest = after;
    Some(match what {
        0 => Step::Wait(Duration::from_millis(u64::from(number) % WAIT_MAX_MS)),
        1 => Step::Broadcast(usize::from(number)),
        _ => {
            let (body, after) = after.split_at(usize::from(number).min(after.len()));
            *rest = after;
            Step::Say(body)
        }
    })
}
