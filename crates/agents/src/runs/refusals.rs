//! Every call by which a run is recorded, started, watched and cleared away is refused in turn: nothing panics; the action ends
//! with the right result, or with an error that says what was refused; nothing that begins something runs without a record;
//! and nothing is left: no process, no record, no descriptor, nothing that stays under way.

use std::fs;

use rustix::io::Errno;

use super::process::Run;
use super::*;
use crate::calls::faults;
use crate::look::Key;

/// How the system refuses.
const ERRORS: [Errno; 3] = [Errno::NOSPC, Errno::MFILE, Errno::INTR];
/// How long the end of what was given up may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Says whether it is recorded, something more, and how it ended.
const SCRIPT: &str = r#"grep -l "\"$HACD_RUN\"" DIR/runs/*.run 2>/dev/null | grep -c .; cat; exit 7"#;

/// What holds runs together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Processes,
    /// In folders that only look like control groups: their door takes what is written to it.
    Groups,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Processes => "process groups",
            Self::Groups => "control groups",
        }
    }
}

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hacd-refusals-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("groups")).expect("a folder for the test");
        Self(path)
    }

    fn runs(&self, kind: Kind) -> Arc<Runs> {
        let mut runs = Runs::new(self.0.join("runs"));
        runs.cgroups = match kind {
            Kind::Processes => Err("not here".to_owned()),
            Kind::Groups => Cgroups::below(self.0.join("groups")),
        };
        Arc::new(runs)
    }

    fn task(&self, action: &str) -> Task {
        Task {
            resource: "R".into(),
            action: action.into(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), SCRIPT.replace("DIR", &self.0.display().to_string())],
            environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            folder: None,
            input: Some("said\n".to_owned()),
            user: None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A run as its thread does it, here on this one.
fn serve(runs: &Arc<Runs>, task: &Task) -> io::Result<Ran> {
    let (ran, record, kept) = Run::new(runs).serve(&Key::default(), task)?;
    runs.settle(&record, kept);
    runs.live.fetch_sub(1, Ordering::SeqCst);
    Ok(ran)
}

/// Judges a run of which one call, or all from one on, may have been refused.
fn judge(runs: &Arc<Runs>, task: &Task, result: io::Result<Ran>, error: Errno, what: &str) {
    match result {
        Ok(ran) => {
            assert_eq!(ran.status.code(), Some(7), "{what}: {ran:?}");
            let said = String::from_utf8_lossy(&ran.stdout).into_owned();
            // What was read may be lost with a read that was refused, and with nothing else.
            let whole = ["1\nsaid\n", "0\nsaid\n", "1\n", "0\n", ""];
            assert!(whole.contains(&said.as_str()), "{what}: {said:?}");
            assert!(task.action != "start" || !said.starts_with('0'), "{what}: it ran without a record");
        }
        Err(refused) => {
            let words = io::Error::from(error).to_string();
            assert!(refused.to_string().contains(&words), "{what}: {refused}");
        }
    }
    assert!(runs.wait(LIMIT), "{what}: it stays under way");
    assert_eq!(runs.unfinished("R"), None, "{what}");
}

/// The descriptors of this thread's own doing cannot be told from those of other tests, so those that lead to the place count.
fn open_below(place: &Place) -> usize {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries.filter(|entry| fs::read_link(entry.path()).is_ok_and(|path| path.starts_with(&place.0))).count()
}

fn each_call_is_refused(kind: Kind, action: &str) -> u64 {
    let mut calls = 0;
    for error in ERRORS {
        // What is interrupted each time is tried for ever: no kernel does that.
        let how: &[bool] = if error == Errno::INTR { &[false] } else { &[false, true] };
        for &for_good in how {
            for call in 1.. {
                let place = Place::new();
                let (runs, task) = (place.runs(kind), place.task(action));
                faults::refuse(call, error, for_good);
                let _ = runs.take_over();
                let first = serve(&runs, &task);
                let refused = faults::end();
                let what = format!("{}, {action}, call {call}: {error}, for good: {for_good}", kind.word());
                judge(&runs, &task, first, error, &what);
                let second = serve(&runs, &task);
                assert!(second.is_ok(), "{what}: afterwards: {second:?}");
                judge(&runs, &task, second, error, &what);
                // The daemon ends. The thread that ended something may have a moment to go.
                let life = runs.life.clone();
                drop(runs);
                let end = Instant::now() + LIMIT;
                // So may what another test has just begun: it has a share in the lock until it is its program.
                while open_below(&place) > 0 || life::is_held(&place.0.join("runs"), &life) {
                    assert!(Instant::now() < end, "{what}: something stays open");
                    std::thread::sleep(LOOK);
                }
                // What the next life finds is over, and nothing is ended.
                assert_eq!(place.runs(kind).take_over(), Vec::<String>::new(), "{what}");
                assert_eq!(record::all(&place.0.join("runs")), Vec::new(), "{what}");
                if !refused {
                    calls = call - 1;
                    break;
                }
            }
        }
    }
    calls
}

#[test]
fn what_begins_something_is_recorded_or_does_not_run_whichever_call_is_refused() {
    for kind in [Kind::Processes, Kind::Groups] {
        let calls = each_call_is_refused(kind, "start");
        assert!(calls >= 14, "only {calls} calls go through what can refuse them");
    }
}

#[test]
fn what_only_looks_or_stops_runs_whichever_call_of_its_record_is_refused() {
    let place = Place::new();
    let (runs, task) = (place.runs(Kind::Processes), place.task("stop"));
    // The folder of records is not there and cannot be made.
    fs::write(place.0.join("runs"), "").expect("written");
    let ran = serve(&runs, &task).expect("a stop is tried in any case");
    assert_eq!((ran.status.code(), &ran.stdout[..]), (Some(7), &b"0\nsaid\n"[..]));
    let refused = serve(&runs, &place.task("start")).expect_err("nobody could find it");
    assert!(refused.to_string().starts_with("it is not run, because it cannot be recorded in "), "{refused}");
    each_call_is_refused(Kind::Processes, "monitor");
}

#[test]
fn what_is_given_up_is_ended_though_there_was_no_thread_for_it() {
    for calls_until_then in 0..3 {
        let place = Place::new();
        let runs = place.runs(Kind::Processes);
        runs.take_over();
        let mut child = std::process::Command::new("/bin/sleep");
        let child = std::os::unix::process::CommandExt::process_group(&mut child, 0).arg("60").spawn().expect("starts");
        let mut record = runs.prepare(&place.task("start"));
        record.leader = members::process(child.id());
        let leader = record.leader.expect("it is there");
        let kept = Kept::Slot(runs.keep(&record).expect("is written"));
        faults::refuse(1, Errno::AGAIN, true);
        runs.end(record, kept, Some(child));
        for _ in 0..calls_until_then {
            runs.end_owed();
        }
        assert!(faults::end(), "there was a thread");
        assert!(runs.unfinished("R").is_some(), "nothing may be done with its resource yet");
        assert!(runs.wait(LIMIT), "it is never ended");
        assert!(!members::exists(&leader), "it is there still, or nobody took note of its end");
        assert_eq!(record::all(&place.0.join("runs")), Vec::new());
    }
}
