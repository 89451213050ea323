//! The journal on a real disk: pages, files that are full, and what a crash leaves.

use std::fs;

use super::*;
use crate::testing::TempDir;

fn event(seq: u64, text: &str) -> Arc<Event> {
    let (time_ms, id) = (i64::try_from(seq).unwrap_or(0), format!("1.a.{seq}"));
    Event { seq, time_ms, id, kind: "remark".to_owned(), text: text.to_owned(), ..Event::default() }.into()
}

fn numbers(page: &JournalPage) -> Vec<u64> {
    page.events.iter().map(|event| event.seq).collect()
}

fn all(folder: &Path, query: &JournalQuery) -> (Vec<u64>, Vec<String>) {
    let (mut seen, mut gaps, mut query) = (Vec::new(), Vec::new(), query.clone());
    loop {
        let page = page(folder, &query).expect("reads");
        seen.splice(0..0, numbers(&page));
        gaps.extend(page.gaps);
        match page.before {
            Some(before) => query.before = Some(before),
            None => return (seen, gaps),
        }
    }
}

#[test]
fn what_was_told_is_there_in_the_next_life_and_pages_are_whole() {
    let dir = TempDir::new();
    let folder = dir.path().join("events");
    for life in [1..=500_u64, 501..=1000] {
        let journal = Journal::start(&folder).expect("starts");
        life.for_each(|seq| journal.put(&event(seq, &"x".repeat(300))));
        journal.finish();
    }
    let (seen, gaps) = all(&folder, &JournalQuery::default());
    assert_eq!(seen, (1..=1000).collect::<Vec<_>>());
    assert_eq!(gaps, Vec::<String>::new());
    let filter = hac_api::EventFilter { since_ms: Some(700), until_ms: Some(702), ..Default::default() };
    assert_eq!(all(&folder, &JournalQuery { filter, ..Default::default() }).0, [700, 701, 702]);
}

#[test]
fn a_file_cut_at_any_byte_can_be_read_and_gone_on_with() {
    let dir = TempDir::new();
    let folder = dir.path().join("events");
    let whole: Vec<u8> = (1..=3).flat_map(|seq| line(&event(seq, "näher"))).collect();
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole.get(*at) == Some(&b'\n')).map(|at| at + 1).collect();
    fs::create_dir(&folder).expect("makes it");
    for cut in 0..=whole.len() {
        fs::write(path(&folder, 1), &whole[..cut]).expect("writes");
        let mut files = Files::new(folder.clone());
        files.append(&[event(4, "after")].into()).expect("goes on");
        let (seen, gaps) = all(&folder, &JournalQuery::default());
        // The end of a line that lacks its last byte alone is mended by what ends it.
        let before = ends.iter().filter(|end| **end <= cut + 1).count() as u64;
        let expected: Vec<u64> = (1..=before).chain([4]).collect();
        assert_eq!(seen, expected, "cut at {cut}");
        assert_eq!(gaps.is_empty(), before == 3 || cut == 0, "cut at {cut}: {gaps:?}");
    }
}

#[test]
fn old_files_go_and_what_was_not_written_is_told() {
    let dir = TempDir::new();
    let folder = dir.path().join("events");
    let mut files = Files::new(folder.clone());
    let long = "y".repeat(20_000);
    for seq in (1..=2200).filter(|seq| *seq != 2190) {
        files.append(&[event(seq, &long)].into()).expect("writes");
    }
    let kept = list(&folder).expect("lists");
    assert_eq!(kept.len(), FILES);
    assert!(kept.iter().all(|(_, length)| *length <= FILE_MAX + LINE_MAX as u64), "{kept:?}");
    let (seen, gaps) = all(&folder, &JournalQuery::default());
    assert_eq!(seen.last(), Some(&2200));
    assert!(seen.len() > 1000 && !seen.contains(&1), "{}", seen.len());
    assert_eq!(gaps, ["1 events after 1.a.2189 were not written"]);
}

#[test]
fn an_event_of_any_length_is_a_line_of_a_bounded_one() {
    let much = Event { details: Value::String("z".repeat(1 << 20)), ..Event::clone(&event(1, &"ö".repeat(1 << 20))) };
    let line = line(&much);
    assert!(line.len() < LINE_MAX, "{}", line.len());
    let read: Event = serde_json::from_slice(&line).expect("reads");
    assert!(read.text.ends_with("(cut)") && read.id == "1.a.1");
}

#[test]
fn a_disk_that_refuses_costs_events_and_nothing_else() {
    let dir = TempDir::new();
    let folder = dir.path().join("events");
    fs::write(&folder, "a file").expect("writes");
    let journal = Journal::start(&folder).expect("starts");
    journal.put(&event(1, "lost"));
    journal.settle();
    fs::remove_file(&folder).expect("removes");
    journal.put(&event(2, "kept"));
    assert_eq!(numbers(&journal.page(&JournalQuery::default()).expect("reads")), [2]);
    journal.finish();
}

#[test]
fn a_fault_costs_the_events_that_were_written_then_and_nothing_else() {
    let dir = TempDir::new();
    let journal = Journal::start(dir.path()).expect("starts");
    for (seq, text) in [(1, "one"), (2, calls::faults::FAULT), (3, "three")] {
        journal.put(&event(seq, text));
        journal.settle();
    }
    journal.finish();
    let (seen, gaps) = all(dir.path(), &JournalQuery::default());
    assert_eq!((seen, gaps.len()), (vec![1, 3], 1), "{gaps:?}");
}

#[test]
fn each_call_may_be_refused_and_what_was_told_before_and_after_is_there() {
    use rustix::io::Errno;
    for error in [Errno::IO, Errno::NOSPC, Errno::MFILE, Errno::ACCESS, Errno::INTR] {
        for call in 1.. {
            let dir = TempDir::new();
            let mut files = Files::new(dir.path().to_owned());
            let batch = |seq| VecDeque::from([event(seq, "x")]);
            files.append(&batch(1)).expect("writes");
            files.open = None;
            calls::faults::refuse(call, error, false);
            let told = files.append(&batch(2));
            let refused = calls::faults::end();
            files.judge(told);
            files.append(&batch(3)).expect("writes");
            let (seen, gaps) = all(dir.path(), &JournalQuery::default());
            assert_eq!(seen, if refused { vec![1, 3] } else { vec![1, 2, 3] }, "call {call}: {error}");
            assert_eq!(gaps.is_empty(), !refused, "{gaps:?}");
            if !refused {
                assert!(call > 2);
                break;
            }
        }
    }
}

#[test]
fn a_number_above_all_is_none_of_ours() {
    let dir = TempDir::new();
    fs::write(dir.path().join("18446744073709551615.jsonl"), vec![b' '; 5 << 20]).expect("writes");
    let mut files = Files::new(dir.path().to_owned());
    files.append(&VecDeque::from([event(1, "x")])).expect("writes");
    assert_eq!(all(dir.path(), &JournalQuery::default()).0, [1]);
}
