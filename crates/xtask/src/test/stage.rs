//! A stage of the tests: one line on the terminal, everything in the log, and what failed in full.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use super::failures;
use super::log::Log;
use super::results::Counts;
use super::tally::{Failure, Tally};
use crate::stream;

/// How long one program may take: far more than any does, so that a test that hangs ends as a failure.
const LIMIT: Duration = Duration::from_secs(25 * 60);

/// How long a build may take.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How many of the last lines tell why a program failed that does not say it itself.
const LAST: usize = 60;

/// How a program tells what it tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As libtest does, or our own runner.
    Libtest,
    /// As nextest does.
    Nextest,
}

/// See the [module documentation](self).
pub(super) struct Stage<'a> {
    log: &'a mut Log,
    tally: Tally,
}

/// Runs a stage and adds it to what was counted; what keeps it from running counts as a failure, and the other stages
/// still run.
pub(super) fn stage<T: Default>(
    name: &str,
    log: &mut Log,
    tally: &mut Tally,
    run: impl FnOnce(&mut Stage<'_>) -> anyhow::Result<T>,
) -> T {
    print!("{name}: ");
    // A closed terminal does not stop the tests.
    let _ = std::io::stdout().flush();
    log.line(&format!("\n==== {name}"));
    let begin = Instant::now();
    let mut stage = Stage { log, tally: Tally::default() };
    let outcome = run(&mut stage).unwrap_or_else(|error| {
        stage.tally.fail(Failure::new("it cannot be run", &format!("{error:#}")));
        T::default()
    });
    println!("{} in {} s", stage.tally.short(), begin.elapsed().as_secs());
    print!("{}", stage.tally.failures());
    stage.log.line(&format!("==== {name}: {}", stage.tally.short()));
    tally.add(name, stage.tally);
    outcome
}

impl Stage<'_> {
    /// What was counted so far.
    pub(super) const fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Adds a line to the log.
    pub(super) fn note(&mut self, line: &str) {
        self.log.line(line);
    }

    /// Runs a command that builds something; whether it could. `on_line` is given its lines, and says which of them are
    /// for people.
    pub(super) fn build(&mut self, command: &mut Command, mut on_line: impl FnMut(&str) -> bool) -> bool {
        let mut lines = Vec::new();
        let outcome = stream::read(command, BUILD_LIMIT, |line| {
            if on_line(line) {
                self.log.line(line);
                lines.push(line.to_owned());
            }
        });
        let why = match outcome {
            Ok(status) if status.success() => return true,
            Ok(status) => format!("it ended with {status}"),
            Err(error) => format!("{error:#}"),
        };
        // The first complaint is the one to read; what was compiled before it is of no use to anybody.
        let text = match lines.iter().position(|line| line.starts_with("error")) {
            Some(complaint) => lines.split_off(complaint),
            None => last(&lines),
        };
        self.tally.fail(Failure { name: why, text, replay: Some(told(command)) });
        false
    }

    /// Runs a program that counts tests. `again` gives the command that runs one of them alone.
    pub(super) fn tests(&mut self, command: &mut Command, reading: Reading, again: impl Fn(&str) -> String) {
        let mut counts = match reading {
            Reading::Libtest => Counts::libtest(),
            Reading::Nextest => Counts::nextest(),
        };
        let (lines, outcome) = self.run(command, |line| counts.read(line));
        self.tally.pass(counts.passed);
        self.tally.skip(counts.skipped, std::mem::take(&mut counts.skips));
        for name in &counts.failures {
            let text = match reading {
                Reading::Libtest => failures::of_libtest(&lines, name),
                Reading::Nextest => failures::of_nextest(&lines, name),
            };
            let text = if text.is_empty() { last(&lines) } else { text };
            self.tally.fail(Failure { name: name.clone(), text, replay: Some(again(name)) });
        }
        // A program that was killed does not count what it was at, and one may fail before or after its tests.
        if let Err(why) = outcome
            && counts.failures.is_empty()
        {
            self.tally.fail(Failure { name: why, text: last(&lines), replay: Some(told(command)) });
        }
    }

    /// Runs the simulator: it passes as a whole, and fails with each seed that does.
    pub(super) fn seeds(&mut self, what: &str, command: &mut Command) {
        let (lines, outcome) = self.run(command, |_| {});
        let Err(why) = outcome else {
            return self.tally.pass(1);
        };
        let seeds = failures::of_seeds(&lines);
        if seeds.is_empty() {
            let name = format!("{what}: {why}");
            return self.tally.fail(Failure { name, text: last(&lines), replay: Some(told(command)) });
        }
        for (name, text) in seeds {
            let replay = failures::replay(&text);
            self.tally.fail(Failure { name: format!("{what}: {name}"), text, replay });
        }
    }

    /// Runs a program; all that it printed, and why it failed if it did.
    pub(super) fn run(
        &mut self,
        command: &mut Command,
        mut on_line: impl FnMut(&str),
    ) -> (Vec<String>, Result<(), String>) {
        self.log.line(&format!("$ {}", told(command)));
        let mut lines = Vec::new();
        let outcome = stream::read(command, LIMIT, |line| {
            self.log.line(line);
            on_line(line);
            lines.push(line.to_owned());
        });
        let outcome = match outcome {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("it ended with {status}")),
            Err(error) => Err(format!("{error:#}")),
        };
        (lines, outcome)
    }
}

/// The end of what a program printed.
fn last(lines: &[String]) -> Vec<String> {
    lines.get(lines.len().saturating_sub(LAST)..).unwrap_or_default().to_vec()
}

/// A command as one types it.
fn told(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Reading, stage};
    use crate::test::log::Log;
    use crate::test::tally::Tally;

    /// Runs a shell script as a stage and gives the report.
    fn report(name: &str, script: &str, reading: Option<Reading>) -> (String, bool) {
        let folder = std::env::temp_dir().join(format!("xtask-stage-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut log = Log::new(&folder).unwrap();
        let mut tally = Tally::default();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        stage("s", &mut log, &mut tally, |stage| {
            match reading {
                Some(reading) => stage.tests(&mut command, reading, |name| format!("again {name}")),
                None => stage.seeds("seeds", &mut command),
            }
            Ok(())
        });
        let logged = std::fs::read_to_string(log.path()).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(logged.contains("told to the log"), "{logged}");
        (tally.report(std::path::Path::new("log")), tally.good())
    }

    #[test]
    fn a_test_that_fails_is_told_with_what_it_printed() {
        let script = "echo told to the log; echo 'test a ... ok'; echo 'test b ... FAILED'; echo failures:; \
                      echo '---- b stdout ----'; echo boom; echo failures:; \
                      echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored'; exit 101";
        let (report, good) = report("fails", script, Some(Reading::Libtest));
        assert!(!good);
        assert!(report.contains("==== failed: s: b\n  boom\n  again: again b\n"), "{report}");
        assert!(report.ends_with("1 passed, 1 failed, 0 skipped\n"), "{report}");
    }

    #[test]
    fn a_program_that_dies_is_a_failure() {
        let script = "echo 'test result: ok. 3 passed; 0 failed; 0 ignored'; echo told to the log; kill -SEGV $$";
        let (report, good) = report("dies", script, Some(Reading::Libtest));
        assert!(!good);
        assert!(report.contains("failed: s: it ended with signal: 11"), "{report}");
        assert!(report.contains("told to the log"), "{report}");
    }

    #[test]
    fn each_seed_that_fails_is_told_with_its_command() {
        let script = "echo 'seed 7: EVS-1: wrong'; echo '  replay: cargo xtask sim --from 7'; echo told to the log; \
                      echo 'ring: 9 seeds, 3 events, 1 s'; exit 1";
        let (report, good) = report("seeds", script, None);
        assert!(!good);
        assert!(report.contains("failed: s: seeds: seed 7: EVS-1: wrong"), "{report}");
        assert!(report.contains("again: cargo xtask sim --from 7"), "{report}");
    }
}
