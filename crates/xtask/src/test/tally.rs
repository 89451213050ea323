//! What was counted: in one stage, and in all of them together.

use std::path::Path;

/// How many lines of a failure are repeated at the end: its first, which say what went wrong, and its last.
const HEAD: usize = 20;
const TAIL: usize = 40;

/// Something that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What: a test, a seed, a step.
    pub(super) name: String,
    /// All that it said.
    pub(super) text: Vec<String>,
    /// The command that runs it alone.
    pub(super) replay: Option<String>,
}

impl Failure {
    /// One that is told in a few words.
    pub(crate) fn new(name: impl Into<String>, text: &str) -> Self {
        Self { name: name.into(), text: text.lines().map(str::to_owned).collect(), replay: None }
    }

    /// The same, with the command that runs it alone.
    pub(crate) fn with_replay(self, replay: impl Into<String>) -> Self {
        Self { replay: Some(replay.into()), ..self }
    }

    /// All of it, or its beginning and end.
    fn shown(&self, whole: bool) -> String {
        let mut text = String::new();
        let left_out = self.text.len().saturating_sub(HEAD + TAIL);
        for (index, line) in self.text.iter().enumerate() {
            if whole || left_out == 0 || index < HEAD || index >= HEAD + left_out {
                text.push_str(&format!("  {line}\n"));
            } else if index == HEAD {
                text.push_str(&format!("  ({left_out} lines are left out)\n"));
            }
        }
        if let Some(replay) = &self.replay {
            text.push_str(&format!("  again: {replay}\n"));
        }
        text
    }
}

/// What passed, failed and was skipped, with the names of what did not pass.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failures: Vec<Failure>,
    skipped: u64,
    skips: Vec<String>,
}

impl Tally {
    /// So many more that passed.
    pub(crate) fn pass(&mut self, count: u64) {
        self.passed += count;
    }

    /// One more that failed.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// So many more that could not run; `reasons` has a line for each that gave one.
    pub(crate) fn skip(&mut self, count: u64, reasons: impl IntoIterator<Item = String>) {
        self.skipped += count;
        self.skips.extend(reasons);
    }

    /// Adds what a stage counted, under its name.
    pub(crate) fn add(&mut self, stage: &str, part: Self) {
        self.passed += part.passed;
        self.skipped += part.skipped;
        let named = |failure: Failure| Failure { name: format!("{stage}: {}", failure.name), ..failure };
        self.failures.extend(part.failures.into_iter().map(named));
        self.skips.extend(grouped(&part.skips).into_iter().map(|reason| format!("{stage}: {reason}")));
    }

    /// Whether something was tested and nothing failed.
    pub(crate) fn good(&self) -> bool {
        self.failures.is_empty() && self.passed > 0
    }

    /// `300 passed, 1 skipped`: what there is none of is left out.
    pub(super) fn short(&self) -> String {
        let failed = u64::try_from(self.failures.len()).unwrap_or(u64::MAX);
        let parts = [(self.passed, "passed"), (failed, "failed"), (self.skipped, "skipped")];
        let told: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if told.is_empty() { "done".to_owned() } else { told.join(", ") }
    }

    /// Everything that failed, in full.
    pub(super) fn failures(&self) -> String {
        let told = |failure: &Failure| format!("failed: {}\n{}", failure.name, failure.shown(true));
        self.failures.iter().map(told).collect()
    }

    /// What was skipped and why; what failed, with the end of what it said and the command that runs it again; once more
    /// the names; and the line that counts.
    pub(super) fn report(&self, log: &Path) -> String {
        let mut text = String::from("\n");
        for skip in &self.skips {
            text.push_str(&format!("skipped: {skip}\n"));
        }
        for failure in &self.failures {
            text.push_str(&format!("\n==== failed: {}\n{}", failure.name, failure.shown(false)));
        }
        text.push_str(&format!("\nEverything that was printed is in {}\n", log.display()));
        for failure in &self.failures {
            text.push_str(&format!("failed: {}\n", failure.name));
        }
        let (passed, failed, skipped) = (self.passed, self.failures.len(), self.skipped);
        text.push_str(&format!("{passed} passed, {failed} failed, {skipped} skipped\n"));
        text
    }
}

/// The reasons `NAME: WHY`, one line for all tests in a row that have the same.
fn grouped(reasons: &[String]) -> Vec<String> {
    fn why(reason: &str) -> &str {
        reason.split_once(": ").map_or(reason, |(_, why)| why)
    }
    let groups = reasons.chunk_by(|a, b| why(a) == why(b));
    groups
        .filter_map(|group| match group {
            [] => None,
            [one] => Some(one.clone()),
            [first, ..] => Some(format!("{} tests: {}", group.len(), why(first))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Failure, HEAD, TAIL, Tally, grouped};

    #[test]
    fn the_last_lines_name_what_failed_and_count() {
        let mut tally = Tally::default();
        assert!(!tally.good(), "nothing tested is not good");
        tally.pass(1);
        tally.skip(1, ["hosts: not root".to_owned()]);
        assert!(tally.good());
        assert_eq!(tally.short(), "1 passed, 1 skipped");
        let report = tally.report(Path::new("x.log"));
        assert!(report.starts_with("\nskipped: hosts: not root\n"), "{report}");
        assert!(report.ends_with("\n1 passed, 0 failed, 1 skipped\n"), "{report}");
        let mut stage = Tally::default();
        stage.fail(Failure::new("a::b", "boom").with_replay("cargo test a::b"));
        tally.add("units", stage);
        assert!(!tally.good());
        let report = tally.report(Path::new("x.log"));
        assert!(report.contains("==== failed: units: a::b\n  boom\n  again: cargo test a::b\n"), "{report}");
        assert!(report.ends_with("failed: units: a::b\n1 passed, 1 failed, 1 skipped\n"), "{report}");
    }

    #[test]
    fn a_long_failure_is_repeated_with_its_beginning_and_its_end() {
        let lines: Vec<String> = (1..=HEAD + TAIL + 7).map(|number| number.to_string()).collect();
        let failure = Failure::new("x", &lines.join("\n"));
        let shown = failure.shown(false);
        assert_eq!(shown.lines().count(), HEAD + 1 + TAIL);
        assert!(shown.contains("  20\n  (7 lines are left out)\n  28\n"), "{shown}");
        assert_eq!(failure.shown(true).lines().count(), lines.len());
    }

    #[test]
    fn one_reason_for_many_tests_is_told_once() {
        let reasons = ["a: not root", "b: not root", "c: no nginx"].map(str::to_owned);
        assert_eq!(grouped(&reasons), ["2 tests: not root", "c: no nginx"]);
    }
}
