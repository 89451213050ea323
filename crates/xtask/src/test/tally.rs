//! What all stages together passed, failed and skipped.

use super::results::Counts;

/// The sum over all stages, with the names of what did not pass.
#[derive(Debug, Default)]
pub(super) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    failures: Vec<String>,
    skips: Vec<String>,
}

impl Tally {
    /// Adds what a program counted.
    pub(super) fn add(&mut self, stage: &str, counts: &Counts) {
        self.passed += counts.passed;
        self.failed += counts.failed;
        self.skipped += counts.skipped;
        self.failures.extend(counts.failures.iter().map(|name| format!("{stage}: {name}")));
        self.skips.extend(counts.skips.iter().map(|reason| format!("{stage}: {reason}")));
    }

    /// One more that passed.
    pub(super) fn pass(&mut self) {
        self.passed += 1;
    }

    /// One more that failed.
    pub(super) fn fail(&mut self, what: &str) {
        self.failed += 1;
        self.failures.push(what.to_owned());
    }

    /// One more that could not run, with its reason.
    pub(super) fn skip(&mut self, what: &str) {
        self.skipped += 1;
        self.skips.push(what.to_owned());
    }

    /// Whether something was tested and nothing failed.
    pub(super) fn good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// What failed, what was skipped and why, and the line that counts.
    pub(super) fn report(&self) -> String {
        let mut text = String::from("\n");
        for failure in &self.failures {
            text.push_str(&format!("failed: {failure}\n"));
        }
        for skip in &self.skips {
            text.push_str(&format!("skipped: {skip}\n"));
        }
        text.push_str(&format!("{} passed, {} failed, {} skipped\n", self.passed, self.failed, self.skipped));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn the_last_line_counts() {
        let mut tally = Tally::default();
        assert!(!tally.good(), "nothing tested is not good");
        tally.pass();
        tally.skip("hosts: not root");
        assert!(tally.good());
        assert!(tally.report().ends_with("skipped: hosts: not root\n1 passed, 0 failed, 1 skipped\n"));
        tally.fail("x");
        assert!(!tally.good());
    }
}
