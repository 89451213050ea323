//! Restarts, torn and corrupt files, a full disk, two daemons.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use hac_types::Incarnation;

use super::*;
use crate::testing::{TempDir, fifo};

const WALL: i64 = 1_700_000_000;

fn boots(incarnation: Incarnation) -> u64 {
    incarnation.0 >> 32
}

#[test]
fn each_life_is_later_than_the_one_before_and_the_ring_number_stays() {
    let dir = TempDir::new();
    let mut opened = open(dir.path(), WALL, 7).expect("opens");
    let first = opened.stored.totem.incarnation;
    assert_eq!((boots(first), first.0 & 0xffff_ffff, opened.stored.totem.ring_seq), (WALL as u64, 7, 0));
    opened.storage.slots.reserve(41).expect("writes");
    opened.storage.slots.reserve(12).expect("writes");
    drop(opened);
    // The clock went backwards meanwhile.
    let opened = open(dir.path(), WALL - 1000, 7).expect("opens");
    assert_eq!(boots(opened.stored.totem.incarnation), WALL as u64 + 1);
    assert_eq!(opened.stored.totem.ring_seq, 41);
    assert!(opened.remarks.is_empty());
}

/// The life of one more start.
fn opened_life(dir: &TempDir) -> Incarnation {
    open(dir.path(), WALL, 0).expect("opens").stored.totem.incarnation
}

#[test]
fn a_torn_slot_costs_only_itself() {
    let dir = TempDir::new();
    let mut opened = open(dir.path(), WALL, 0).expect("opens");
    for seq in 1..=3 {
        opened.storage.slots.reserve(seq).expect("writes");
    }
    drop(opened);
    let file = File::options().write(true).open(dir.path().join("ring")).expect("opens");
    // Numbers 1 and 2 were written at the start, 3 to 5 now: 5 (seq 3) is in the second slot, 4 (seq 2) in the first.
    file.write_all_at(b"torn", 4096 + 30).expect("writes");
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.totem.ring_seq, 2);
    assert!(opened.remarks.is_empty());
    drop(opened);
    let before = boots(opened_life(&dir));
    fs::write(dir.path().join("ring"), [0; 9000]).expect("writes");
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.totem.ring_seq, 0);
    assert!(boots(opened.stored.totem.incarnation) > before, "a later life, though the last ones are forgotten");
    assert!(opened.remarks[0].contains("ring is damaged (no intact slot); set aside as"), "{:?}", opened.remarks);
    assert!(dir.path().join(format!("ring.corrupt-{WALL}")).exists());
}

#[test]
fn only_committed_generations_count_and_the_newest_five_are_kept() {
    let dir = TempDir::new();
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    for number in 1..=7 {
        storage.generations.prepare(number, format!("content {number}").as_bytes()).expect("prepares");
        storage.generations.commit(number).expect("commits");
    }
    storage.generations.prepare(8, b"not agreed").expect("prepares");
    storage.generations.prepare(9, b"refused").expect("prepares");
    storage.generations.discard(9).expect("discards");
    storage.generations.discard(9).expect("is gone");
    drop(storage);
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.cib.as_deref(), Some(&b"content 7"[..]));
    assert_eq!(opened.stored.cib_generation, 8);
    assert!(!dir.path().join("cib.2").exists() && dir.path().join("cib.3").exists());
    assert_eq!(opened.stored.prepared, Some((8, b"not agreed".to_vec())), "the others know whether it was");
}

#[test]
fn damaged_generations_are_set_aside_and_the_newest_intact_one_is_used() {
    let dir = TempDir::new();
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    for number in 1..=4 {
        storage.generations.prepare(number, &[b'x'; 100]).expect("prepares");
        storage.generations.commit(number).expect("commits");
    }
    drop(storage);
    let path = |number: u64| dir.path().join(format!("cib.{number}"));
    let bytes = fs::read(path(4)).expect("reads");
    fs::write(path(4), &bytes[..90]).expect("cuts off");
    let mut flipped = fs::read(path(3)).expect("reads");
    flipped[100] ^= 1;
    fs::write(path(3), flipped).expect("flips a bit");
    fs::copy(path(1), path(5)).expect("takes an old one for a new one");
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.cib.as_deref(), Some(&[b'x'; 100][..]));
    assert_eq!(opened.stored.cib_generation, 5);
    assert_eq!(opened.remarks.len(), 3, "{:?}", opened.remarks);
    for (remark, why) in opened.remarks.iter().zip(["not a generation", "cut off", "wrong checksum"]) {
        assert!(remark.contains(why), "{remark}");
    }
    assert!(path(2).exists() && !path(3).exists());
}

#[test]
fn a_full_disk_refuses_the_new_generation_and_keeps_the_old() {
    let dir = TempDir::new();
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    storage.generations.prepare(1, b"old").expect("prepares");
    storage.generations.commit(1).expect("commits");
    std::os::unix::fs::symlink("/dev/full", dir.path().join("cib.2.tmp")).expect("makes a link");
    assert_eq!(storage.generations.prepare(2, b"new"), Err("no space left on device".to_owned()));
    assert!(storage.generations.commit(2).is_err());
    drop(storage);
    assert_eq!(open(dir.path(), WALL, 0).expect("opens").stored.cib.as_deref(), Some(&b"old"[..]));
}

#[test]
fn two_daemons_cannot_share_a_directory_and_nobody_else_reads_it() {
    let dir = TempDir::new();
    let state = dir.path().join("state");
    let first = open(&state, WALL, 0).expect("opens");
    assert!(matches!(open(&state, WALL, 0), Err(StorageError::Locked(_))));
    assert_eq!(fs::metadata(&state).expect("is there").permissions().mode() & 0o777, 0o700);
    drop(first);
    assert!(open(&state, WALL, 0).is_ok());
}

#[test]
fn who_is_on_its_way_out_is_waited_for() {
    let dir = TempDir::new();
    // As a process that the daemon before had just begun when it was killed.
    let first = lock(dir.path()).expect("takes it");
    let holder = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        drop(first);
    });
    assert!(open(dir.path(), WALL, 0).is_ok());
    holder.join().expect("ends");
}

#[test]
fn the_worker_carries_orders_out_in_their_order() {
    use hac_node::{Persist, PersistId};
    let dir = TempDir::new();
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    let keys = KeyFile::new(&dir.path().join("authkey"));
    let files = Files { slots: storage.slots, generations: storage.generations, keys };
    let (ring, mut numbers) = tokio::sync::mpsc::channel(8);
    let (cluster, mut inputs) = tokio::sync::mpsc::channel(8);
    let worker = Worker::start(files, ring, cluster, std::sync::Arc::default()).expect("starts");
    worker.order(PersistId(1), Persist::CibPrepare { generation: 1, bytes: b"one".to_vec() }).expect("takes it");
    worker.order(PersistId(2), Persist::CibCommit { generation: 1 }).expect("takes it");
    worker.order(PersistId(3), Persist::CibCommit { generation: 2 }).expect("takes it");
    worker.reserve(512).expect("takes it");
    drop((worker, storage.lock));
    let mut replies = Vec::new();
    while let Some(crate::driver::Input::Persisted(reply)) = inputs.blocking_recv() {
        replies.push((reply.id, reply.result));
    }
    assert_eq!(replies[0], (PersistId(1), Ok(())));
    assert_eq!(replies[1], (PersistId(2), Ok(())));
    assert_eq!(replies[2], (PersistId(3), Err("no such file or directory".to_owned())));
    let number = numbers.blocking_recv().expect("answered");
    assert_eq!((number.id, number.result), (PersistId(512), Ok(())));
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.cib.as_deref(), Some(&b"one"[..]));
    assert_eq!(opened.stored.totem.ring_seq, 512);
}

#[test]
fn a_generation_cut_off_anywhere_is_never_taken_for_whole() {
    let dir = TempDir::new();
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    for (number, content) in [(1, &b"old"[..]), (2, b"new")] {
        storage.generations.prepare(number, content).expect("prepares");
        storage.generations.commit(number).expect("commits");
    }
    drop(storage);
    let newest = dir.path().join("cib.2");
    let whole = fs::read(&newest).expect("reads");
    for length in 0..whole.len() {
        fs::write(&newest, &whole[..length]).expect("cuts off");
        let opened = open(dir.path(), WALL, 0).expect("opens");
        assert_eq!(opened.stored.cib.as_deref(), Some(&b"old"[..]), "{length}");
        assert_eq!(opened.remarks.len(), 1);
    }
}

/// Makes generations 1 to 3 and gives the path of the last.
fn three_generations(dir: &TempDir) -> PathBuf {
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    for number in 1..=3 {
        storage.generations.prepare(number, format!("content {number}").as_bytes()).expect("prepares");
        storage.generations.commit(number).expect("commits");
    }
    dir.path().join("cib.3")
}

#[test]
fn what_cannot_be_read_is_not_damaged() {
    let dir = TempDir::new();
    let newest = three_generations(&dir);
    let kept = dir.path().join("kept");
    fs::rename(&newest, &kept).expect("renames");
    let refused = |why: &str| {
        let error = open(dir.path(), WALL, 0).expect_err("does not open").to_string();
        assert!(error.contains("cib.3") && error.contains(why), "{error}");
    };
    fs::create_dir(&newest).expect("makes a folder");
    refused("no regular file");
    fs::remove_dir(&newest).expect("removes it");
    // Opens, and every read of it is an I/O error.
    std::os::unix::fs::symlink("/proc/self/mem", &newest).expect("makes a link");
    refused("error");
    fs::remove_file(&newest).expect("removes it");
    let mut later = fs::read(&kept).expect("reads");
    later[7] = b'2';
    fs::write(&newest, &later).expect("writes");
    refused("newer hacd");
    assert_eq!(fs::read(&newest).expect("reads"), later, "it is left as it is");
    fs::rename(&kept, &newest).expect("renames");
    assert_eq!(open(dir.path(), WALL, 0).expect("opens").stored.cib.as_deref(), Some(&b"content 3"[..]));
    let ring = dir.path().join("ring");
    fs::rename(&ring, &kept).expect("renames");
    fs::create_dir(&ring).expect("makes a folder");
    assert!(open(dir.path(), WALL, 0).is_err(), "nor is the ring's number forgotten");
    assert!(ring.is_dir());
}

#[test]
fn what_would_hang_or_never_end_is_an_error_and_stays_where_it_is() {
    let dir = TempDir::new();
    three_generations(&dir);
    for name in ["cib.3", "ring", "lock"] {
        let (path, kept) = (dir.path().join(name), dir.path().join("kept"));
        fs::rename(&path, &kept).expect("renames");
        fifo(&path);
        let error = open(dir.path(), WALL, 0).expect_err("does not open").to_string();
        assert!(error.contains(name) && error.contains("no regular file"), "{error}");
        fs::remove_file(&path).expect("it is still there");
        std::os::unix::fs::symlink("/dev/zero", &path).expect("makes a link");
        assert!(open(dir.path(), WALL, 0).is_err(), "{name}");
        fs::remove_file(&path).expect("it is still there");
        fs::rename(&kept, &path).expect("renames");
    }
    assert_eq!(open(dir.path(), WALL, 0).expect("opens").stored.cib.as_deref(), Some(&b"content 3"[..]));
}

#[test]
fn what_was_prepared_before_what_counts_is_removed() {
    let dir = TempDir::new();
    three_generations(&dir);
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    for number in [4, 5, 6] {
        storage.generations.prepare(number, format!("prepared {number}").as_bytes()).expect("prepares");
    }
    storage.generations.commit(5).expect("commits");
    drop(storage);
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.prepared, Some((6, b"prepared 6".to_vec())));
    assert!(!dir.path().join("cib.4.prepared").exists());
    drop(opened);
    let path = dir.path().join("cib.6.prepared");
    fs::write(&path, b"torn").expect("writes");
    assert_eq!(open(dir.path(), WALL, 0).expect("opens").stored.prepared, None);
    assert!(!path.exists());
}

#[test]
fn a_state_that_was_given_up_is_kept_and_told_of_until_people_know() {
    let dir = TempDir::new();
    three_generations(&dir);
    let name = "cib.4.lost-8.1.5";
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    storage.generations.keep_lost(name, b"mine").expect("keeps");
    assert!(storage.generations.keep_lost("../cib.4", b"mine").is_err());
    assert!(storage.generations.keep_lost("cib.4.lost-/../x", b"mine").is_err());
    drop(storage);
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.lost, [(name.to_owned(), b"mine".to_vec())]);
    assert_eq!((opened.stored.cib.as_deref(), opened.stored.cib_generation), (Some(&b"content 3"[..]), 4));
    opened.storage.generations.lost_seen().expect("notes it");
    drop(opened);
    assert!(open(dir.path(), WALL, 0).expect("opens").stored.lost.is_empty());
    assert!(dir.path().join(format!("{name}.seen")).exists());
}

#[test]
fn a_fault_costs_the_order_that_meets_it_and_nothing_else() {
    use hac_node::{Persist, PersistId};
    let dir = TempDir::new();
    let storage = open(dir.path(), WALL, 0).expect("opens").storage;
    let keys = KeyFile::new(&dir.path().join("authkey"));
    let files = Files { slots: storage.slots, generations: storage.generations, keys };
    let (ring, _numbers) = tokio::sync::mpsc::channel(8);
    let (cluster, mut inputs) = tokio::sync::mpsc::channel(8);
    let worker = Worker::start(files, ring, cluster, std::sync::Arc::default()).expect("starts");
    let fault = calls::faults::FAULT.as_bytes().to_vec();
    worker.order(PersistId(1), Persist::CibPrepare { generation: 1, bytes: fault }).expect("takes it");
    worker.order(PersistId(2), Persist::CibPrepare { generation: 2, bytes: b"two".to_vec() }).expect("takes it");
    worker.order(PersistId(3), Persist::CibCommit { generation: 2 }).expect("takes it");
    drop((worker, storage.lock));
    let mut results = Vec::new();
    while let Some(crate::driver::Input::Persisted(reply)) = inputs.blocking_recv() {
        results.push(reply.result);
    }
    assert_eq!(results, [Err("hacd has a fault in what stores it".to_owned()), Ok(()), Ok(())]);
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!(opened.stored.cib.as_deref(), Some(&b"two"[..]));
}

#[test]
fn a_number_above_all_is_none_of_ours_and_what_is_in_the_place_of_the_folder_is_named() {
    let dir = TempDir::new();
    three_generations(&dir);
    for name in ["cib.18446744073709551615", "cib.18446744073709551615.prepared", "cib.9223372036854775807.tmp"] {
        fs::write(dir.path().join(name), b"x").expect("writes");
    }
    for end in ["", ".prepared", ".lost-1.1.1", ".old"] {
        fs::write(dir.path().join(format!("cib.4611686018427387904{end}")), b"x").expect("writes");
    }
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!((opened.stored.cib_generation, opened.stored.cib.as_deref()), (3, Some(&b"content 3"[..])));
    // A number that was counted on from the highest of all would not be found again.
    let generations = &opened.storage.generations;
    generations.prepare(4, b"content 4").and_then(|()| generations.commit(4)).expect("stores");
    drop(opened);
    let opened = open(dir.path(), WALL, 0).expect("opens");
    assert_eq!((opened.stored.cib_generation, opened.stored.cib.as_deref()), (4, Some(&b"content 4"[..])));
    drop(opened);
    let file = dir.path().join("file");
    fs::write(&file, b"x").expect("writes");
    std::os::unix::fs::symlink("nowhere", dir.path().join("link")).expect("links");
    for name in ["file", "link"] {
        let error = open(&dir.path().join(name), WALL, 0).expect_err("does not open").to_string();
        assert!(error.ends_with("not a directory"), "{error}");
    }
    let unfinished = dir.path().join("cib.9.tmp");
    fs::create_dir(&unfinished).expect("makes a folder");
    let error = open(dir.path(), WALL, 0).expect_err("does not open").to_string();
    assert!(error.contains("cib.9.tmp"), "{error}");
}
