//! Recordings of simulated nodes, replayed.

use hac_node::ReplayError;

use super::*;
use crate::cluster::{Chaos, World};
use crate::options::Options;

/// The key of all simulated clusters.
fn key() -> AuthKey {
    AuthKey::new(vec![0x42; 64]).expect("64 bytes are a key")
}

/// Recordings of all lives of a host under a seed.
fn recordings(seed: u64) -> Vec<Vec<u8>> {
    let mut world = World::new(Options::of(seed, None), false);
    world.record(1);
    Chaos::new(seed).run(&mut world).expect("this seed is good");
    world.recordings()
}

#[test]
fn every_life_of_a_node_in_a_storm_can_be_lived_again() {
    let mut complete = 0;
    for recording in (1..=8).flat_map(recordings) {
        let mut out = Vec::new();
        run(&recording, key().bytes().to_vec(), true, &mut out).expect("it does the same");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("all as recorded"), "{text}");
        complete += usize::from(text.contains("until it stopped"));
    }
    assert!(complete > 0, "none of these lives ended in good order: choose other seeds");
}

#[test]
fn without_the_key_a_recording_tells_nothing() {
    let recording = recordings(1).remove(0);
    let other = AuthKey::new(vec![0x43; 64]).expect("64 bytes are a key");
    assert_eq!(Replay::open(&recording, other).err(), Some(ReplayError::Sealed(1)));
    for known in [&b"FloatIP"[..], b"node2", &[0x42; 16]] {
        assert!(!recording.windows(known.len()).any(|bytes| bytes == known), "{known:?} can be read");
    }
}

#[test]
fn a_recording_that_was_cut_off_is_replayed_to_there_and_a_changed_one_is_refused() {
    let recording = recordings(1).remove(0);
    let cut = &recording[..recording.len() * 2 / 3];
    let mut replay = Replay::open(cut, key()).expect("it begins well");
    while replay.step().expect("it goes on well").is_some() {}
    assert!(!replay.played().complete && replay.played().inputs > 0);

    let mut changed = recording.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let mut replay = Replay::open(&changed, key()).expect("it begins well");
    let why = loop {
        match replay.step() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a changed recording was replayed"),
            Err(why) => break why,
        }
    };
    assert!(matches!(why, ReplayError::Sealed(_)), "{why}");
}
