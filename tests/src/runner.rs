//! A test runner that counts what could not be run.
//!
//! It understands the part of libtest's command line that people and tools use (`FILTER`,
//! `--exact`, `--list`, `--test-threads N`) and ends with the line
//! `N passed, N failed, N skipped`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Tests that run at the same time unless the command line says otherwise.
const THREADS: usize = 2;

/// A test that takes longer hangs; nothing can end it but the end of the program.
const HANG: Duration = Duration::from_secs(180);

/// What a test does.
pub type Body = Box<dyn Fn() -> anyhow::Result<()> + Send + Sync>;

/// A test with its name.
pub struct Case {
    name: String,
    body: Body,
    skip: Option<String>,
}

impl Case {
    /// A test; names are sentences in snake case, with a slash before a variant.
    pub fn new(name: impl Into<String>, body: impl Fn() -> anyhow::Result<()> + Send + Sync + 'static) -> Self {
        Self { name: name.into(), body: Box::new(body), skip: None }
    }

    /// Marks the test as one that cannot run here, with the reason.
    #[must_use]
    pub fn skipped(self, reason: impl Into<String>) -> Self {
        Self { skip: Some(reason.into()), ..self }
    }
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    filters: Vec<String>,
    exact: bool,
    list: bool,
    ignored: bool,
    threads: Option<usize>,
}

impl Wanted {
    fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let mut wanted = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            match name.as_str() {
                "--exact" => wanted.exact = true,
                "--list" => wanted.list = true,
                "--ignored" => wanted.ignored = true,
                "--test-threads" => {
                    let number = value.or_else(|| arguments.next());
                    wanted.threads = number.and_then(|number| number.parse().ok());
                }
                "--format" | "--color" | "-Z" if value.is_none() => drop(arguments.next()),
                option if option.starts_with('-') => (), // it changes only what libtest prints
                _ => wanted.filters.push(name),
            }
        }
        wanted
    }

    fn wants(&self, name: &str) -> bool {
        let fits = |filter: &String| {
            if self.exact { name == filter } else { name.contains(filter.as_str()) }
        };
        !self.ignored && (self.filters.is_empty() || self.filters.iter().any(fits))
    }
}

/// How a test ended.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs the cases that the command line asks for. The exit code says whether none failed.
pub fn run(cases: Vec<Case>) -> ExitCode {
    let wanted = Wanted::parse(std::env::args().skip(1));
    let chosen: VecDeque<Case> = cases.into_iter().filter(|case| wanted.wants(&case.name)).collect();
    if wanted.list {
        chosen.iter().for_each(|case| say(&format!("{}: test", case.name)));
        return ExitCode::SUCCESS;
    }
    let count = chosen.len();
    say(&format!("running {count} tests"));
    let queue = Mutex::new(chosen);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..wanted.threads.unwrap_or(THREADS).max(1) {
            scope.spawn(|| work(&queue, &outcomes));
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary(&outcomes)
}

/// Takes tests from the queue and runs them until none is left.
fn work(queue: &Mutex<VecDeque<Case>>, outcomes: &Mutex<Vec<(String, Outcome)>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(case) = next else { return };
        let begin = Instant::now();
        let outcome = watched(&case, outcomes);
        let seconds = begin.elapsed().as_secs_f64();
        match &outcome {
            Outcome::Failed(text) => {
                let name = &case.name;
                say(&format!(
                    "test {name} ... FAILED ({seconds:.1} s)\n---- {name} stdout ----\n{text}\n---- {name} end ----"
                ));
            }
            Outcome::Passed => say(&format!("test {} ... ok ({seconds:.1} s)", case.name)),
            Outcome::Skipped(reason) => say(&format!("skipped: {}: {reason}", case.name)),
        }
        let mut all = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((case.name, outcome));
    }
}

/// Runs a test; if it hangs, says how the others went so far and ends the program.
fn watched(case: &Case, outcomes: &Mutex<Vec<(String, Outcome)>>) -> Outcome {
    let (tell, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(HANG) == Err(RecvTimeoutError::Timeout) {
                let mut all = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                say(&format!("{} hangs: it has not ended after {} s", case.name, HANG.as_secs()));
                all.push((case.name.clone(), Outcome::Failed(String::new())));
                summary(&all);
                std::process::exit(1);
            }
        });
        let outcome = outcome_of(case);
        drop(tell);
        outcome
    })
}

fn outcome_of(case: &Case) -> Outcome {
    if let Some(reason) = &case.skip {
        return Outcome::Skipped(reason.clone());
    }
    let (outcome, panic) = caught(&case.body);
    match outcome {
        Some(Ok(())) => Outcome::Passed,
        Some(Err(error)) => Outcome::Failed(format!("{error:#}")),
        None => Outcome::Failed(panic),
    }
}

thread_local! {
    /// What a panic of this thread said and where, while a test runs on it; none on any other thread.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a test. If it panics there is no outcome, but what the panic said and where: that is the failure's text, and is
/// not printed besides.
fn caught(body: &Body) -> (Option<anyhow::Result<()>>, String) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !PANIC.with_borrow_mut(|panic| keep(panic, info)) {
                before(info);
            }
        }));
    });
    PANIC.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(body)).ok();
    (outcome, PANIC.take().unwrap_or_default())
}

/// Keeps what a panic said if it is that of a test; whether it is.
fn keep(panic: &mut Option<String>, info: &PanicHookInfo<'_>) -> bool {
    let Some(text) = panic else { return false };
    let said = info.payload_as_str().unwrap_or("it panicked");
    *text = info.location().map_or_else(|| said.to_owned(), |place| format!("{said}\n(a panic at {place})"));
    true
}

fn summary(outcomes: &[(String, Outcome)]) -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed(_) => {
                failed += 1;
                say(&format!("test {name} ... FAILED"));
            }
        }
    }
    say(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(line: &str) {
    // A closed output has nobody to be told; the exit code still says how it went.
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Wanted {
        Wanted::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_of_libtest_is_understood() {
        let wanted = parse("standby --exact --test-threads=3 --show-output");
        assert_eq!(wanted.threads, Some(3));
        assert!(wanted.wants("standby") && !wanted.wants("standby/native"));
        let wanted = parse("--list --format terse");
        assert!(wanted.list && wanted.wants("anything"));
        assert!(!parse("--list --format terse --ignored").wants("anything"));
        assert_eq!(parse("--test-threads 4").threads, Some(4));
    }

    #[test]
    fn a_panic_is_a_failure_with_its_words() {
        let case = Case::new("panics", || panic!("boom"));
        let place = format!("boom\n(a panic at {}:", file!());
        assert!(matches!(outcome_of(&case), Outcome::Failed(text) if text.starts_with(&place)));
        let case = Case::new("errs", || anyhow::bail!("no"));
        assert!(matches!(outcome_of(&case), Outcome::Failed(text) if text == "no"));
        let case = Case::new("cannot", || Ok(())).skipped("no root");
        assert!(matches!(outcome_of(&case), Outcome::Skipped(text) if text == "no root"));
    }
}
