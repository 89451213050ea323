//! Every call by which state is kept is refused in turn: nothing panics, nothing that was acknowledged is lost, what was there
//! is still whole, and the sentence says why.

use hac_totem::AuthKey;
use rustix::io::Errno;

use super::*;
use crate::calls::faults;
use crate::testing::TempDir;

const WALL: i64 = 1_700_000_000;

/// How the system refuses, and how that is said.
const ERRORS: [(Errno, &str); 5] = [
    (Errno::IO, "input/output error"),
    (Errno::NOSPC, "no space left on device"),
    (Errno::MFILE, "too many open files"),
    (Errno::ACCESS, "permission denied"),
    (Errno::INTR, "interrupted system call"),
];

fn key(byte: u8) -> AuthKey {
    AuthKey::new(vec![byte; 64]).expect("64 bytes are a key")
}

/// A directory with two generations, one state that was given up, a ring number and a key.
fn place() -> TempDir {
    let dir = TempDir::new();
    let mut storage = open(dir.path(), WALL, 0).expect("opens").storage;
    for number in [1, 2] {
        storage.generations.prepare(number, format!("content {number}").as_bytes()).expect("prepares");
        storage.generations.commit(number).expect("commits");
    }
    storage.generations.keep_lost("cib.3.lost-1.1.1", b"given up").expect("keeps");
    storage.slots.reserve(50).expect("reserves");
    fs::write(dir.path().join("authkey"), key(1).bytes()).expect("writes");
    dir
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Done {
    ring_seq: u64,
    committed: bool,
    kept: bool,
    seen: bool,
    key: bool,
}

/// Opens the directory and does all that a daemon does with it. What was acknowledged, and what was said of the rest.
fn work(dir: &Path) -> (Done, Vec<String>) {
    let (mut done, mut said) = (Done::default(), Vec::new());
    let opened = match open(dir, WALL, 0) {
        Ok(opened) => opened,
        Err(error) => return (done, vec![error.to_string()]),
    };
    assert_eq!(opened.remarks, Vec::<String>::new(), "what cannot be read is not damaged");
    let mut storage = opened.storage;
    // As a daemon does, once more after a failure: nothing of a failed try is in the way.
    for _ in 0..2 {
        match storage.slots.reserve(100) {
            Ok(()) => done.ring_seq = 100,
            Err(error) => said.push(error.to_string()),
        }
    }
    let generations = &storage.generations;
    for number in [4, 5] {
        match generations.prepare(number, b"content 4").and_then(|()| generations.commit(number)) {
            Ok(()) => done.committed = true,
            Err(error) => said.push(error),
        }
    }
    let gone = generations.prepare(6, b"refused").and_then(|()| generations.discard(6));
    said.extend(gone.err());
    match generations.keep_lost("cib.7.lost-1.1.1", b"mine") {
        Ok(()) => done.kept = true,
        Err(error) => said.push(error),
    }
    match generations.lost_seen() {
        Ok(()) => done.seen = true,
        Err(error) => said.push(error),
    }
    let keys = KeyFile::new(&dir.join("authkey"));
    said.extend(keys.next().err());
    let changed = keys.stage(b"sealed").and_then(|()| keys.commit(&key(2)));
    match changed {
        Ok(()) => done.key = true,
        Err(error) => said.push(error),
    }
    said.extend(keys.discard().err());
    (done, said)
}

/// Looks at what the next life of the daemon finds.
fn judge(dir: &Path, done: &Done, what: &str) {
    let opened = open(dir, WALL, 0).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(opened.remarks, Vec::<String>::new(), "{what}");
    let stored = opened.stored;
    assert!(stored.totem.ring_seq >= done.ring_seq.max(50), "{what}: {}", stored.totem.ring_seq);
    let content = String::from_utf8(stored.cib.expect("a state")).expect("a text");
    assert!(content == "content 4" || (content == "content 2" && !done.committed), "{what}: {content} {done:?}");
    let lost: Vec<&str> = stored.lost.iter().map(|(name, _)| name.as_str()).collect();
    if done.seen {
        assert!(lost.is_empty(), "{what}: {lost:?}");
    } else {
        let name = |number: u32| dir.join(format!("cib.{number}.lost-1.1.1"));
        let there = |number: u32| name(number).exists() || name(number).with_extension("1.seen").exists();
        assert!(there(3) && (!done.kept || there(7)), "{what}: {lost:?}");
    }
    let authkey = fs::read(dir.join("authkey")).expect("reads");
    assert!(authkey == key(2).bytes() || (authkey == key(1).bytes() && !done.key), "{what}: {authkey:?}");
}

#[test]
fn each_call_may_be_refused_and_nothing_acknowledged_is_lost() {
    let mut calls = 0;
    for (error, words) in ERRORS {
        for for_good in [false, true] {
            for call in 1.. {
                let dir = place();
                faults::refuse(call, error, for_good);
                let (done, said) = work(dir.path());
                if !faults::end() {
                    assert_eq!(said, Vec::<String>::new(), "nothing was refused");
                    calls = call - 1;
                    break;
                }
                let what = format!("call {call}: {words}, for good: {for_good}; said: {said:?}");
                assert!(said.iter().all(|line| line.contains(words) && !line.contains("os error")), "{what}");
                assert!(!for_good || !said.is_empty(), "{what}");
                judge(dir.path(), &done, &what);
            }
        }
    }
    assert!(calls > 60, "only {calls} calls go through what can refuse them");
}
