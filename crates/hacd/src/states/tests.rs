//! States on a disk: kept, bounded, and readable whatever a crash left.

use std::fs;

use super::*;
use crate::testing::TempDir;

fn event(number: u64, kind: &str) -> Event {
    let place = Place { ring: 1, representative: 1, life: 1, delivery: number, nth: 0 };
    let (id, time_ms) = (format!("1.a.{number}"), i64::try_from(number).unwrap_or(0) * 1000);
    Event { id, time_ms, kind: kind.to_owned(), text: "it changed".to_owned(), place: Some(place), ..Event::default() }
}

fn state(updates: u64, weight: usize) -> Arc<Cib> {
    let mut cib = Cib::default();
    cib.version.num_updates = updates;
    let resource = |n: usize| hac_model::ResourceHistory { id: format!("R{n}-{updates}"), ..Default::default() };
    let resources = (0..weight).map(resource).map(hac_model::Shared::new).collect();
    cib.status.nodes.push(hac_model::NodeState { resources, ..Default::default() });
    Arc::new(cib)
}

/// Puts a state and waits until it is written.
fn keep(states: &States, number: u64, weight: usize) {
    states.put(&event(number, "result"), &state(number, weight));
    states.settle();
}

#[test]
fn the_state_of_a_moment_is_the_last_one_up_to_it_also_after_a_restart() {
    let folder = TempDir::new();
    let states = States::start(folder.path()).expect("a thread");
    (1..=5).for_each(|number| keep(&states, number, 3));
    states.finish();
    let states = States::start(folder.path()).expect("a thread");
    assert_eq!(states.moments().expect("read").len(), 5);
    let at = |time: i64| {
        let found = states.last(|moment| moment.time_ms <= time).expect("read");
        found.map(|(moment, cib)| (moment.id, cib.version.num_updates))
    };
    assert_eq!(at(3_500), Some(("1.a.3".to_owned(), 3)));
    assert_eq!(at(99_000), Some(("1.a.5".to_owned(), 5)));
    assert_eq!(at(500), None);
    keep(&states, 6, 3);
    assert_eq!(at(99_000), Some(("1.a.6".to_owned(), 6)));
}

#[test]
fn while_the_disk_does_not_keep_up_decisions_and_the_last_state_stay() {
    let folder = TempDir::new();
    // Nobody writes.
    let states = States { shared: Arc::default(), folder: folder.path().to_owned() };
    for number in 1..=40 {
        let kind = if number == 3 { DECISION } else { "result" };
        states.put(&event(number, kind), &state(number, 1));
    }
    let waiting: Vec<String> = states.shared.lock().waiting.iter().map(|(line, _)| line.id.clone()).collect();
    assert_eq!(waiting.len(), WAITING);
    assert!(waiting.contains(&"1.a.3".to_owned()) && waiting.contains(&"1.a.40".to_owned()), "{waiting:?}");
    assert!(changes("result") && !changes("remark"));
}

#[test]
fn a_crash_at_any_byte_leaves_what_was_whole() {
    let folder = TempDir::new();
    let states = States::start(folder.path()).expect("a thread");
    (1..=4).for_each(|number| keep(&states, number, 2));
    states.finish();
    let file = path(folder.path(), 1);
    let whole = fs::read(&file).expect("written");
    for length in 0..=whole.len() {
        fs::write(&file, &whole[..length]).expect("torn");
        let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
        let mut seen = 0;
        read(&file, |_, cib| {
            seen += 1;
            assert_eq!(*cib, *state(seen, 2));
        });
        assert_eq!(usize::try_from(seen), Ok(lines), "at {length}");
    }
    // What is no line of ours ends the file, and the next life goes on in another one.
    fs::write(&file, [&whole[..], b"garbage\n"].concat()).expect("written");
    let states = States::start(folder.path()).expect("a thread");
    keep(&states, 5, 2);
    assert_eq!(states.moments().expect("read").len(), 5);
    assert!(path(folder.path(), 2).is_file());
}

#[test]
fn a_file_with_an_absurd_number_stops_nothing() {
    let folder = TempDir::new();
    fs::write(path(folder.path(), u64::MAX), "").expect("written");
    Files::new(folder.path().to_owned()).keep(Line::of(&event(1, "result")), &state(1, 1)).expect("kept");
    assert_eq!(list(folder.path()).expect("listed").len(), 1);
}

#[test]
fn files_have_an_end_in_number_and_in_bytes() {
    let folder = TempDir::new();
    let mut files = Files::new(folder.path().to_owned());
    for number in 1..=40_u64 {
        for more in 0..LINES as u64 {
            let cib = state(number * 1000 + more, 1);
            files.keep(Line::of(&event(number, "result")), &cib).expect("kept");
        }
    }
    assert!(list(folder.path()).expect("listed").len() <= FILES);
    for number in 1..=40 {
        // Nothing of one is in the next.
        files.keep(Line::of(&event(number, "result")), &state(number, 30_000)).expect("kept");
        let bytes: u64 = list(folder.path()).expect("listed").iter().map(|(_, length)| length).sum();
        assert!(bytes <= BYTES + LINE_MAX as u64, "{bytes}");
    }
}

#[test]
fn only_the_owner_may_read_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new();
    let states = States::start(&folder.path().join("states")).expect("a thread");
    keep(&states, 1, 1);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o077;
    assert_eq!((mode(&folder.path().join("states")), mode(&path(&folder.path().join("states"), 1))), (0, 0));
}
