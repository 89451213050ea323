//! Reads the counts from what test programs print.
//!
//! Three formats are known: the `test result:` line of libtest, the `Summary` line of nextest, and a line
//! `N passed, N failed, N skipped` of a runner of our own. A libtest test that cannot run on this machine passes after
//! printing a line `skipped: NAME: REASON`; it is counted as skipped.

/// What one program counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
    pub(super) failures: Vec<String>,
    pub(super) skips: Vec<String>,
    /// Whether nextest runs the tests: what libtest says is then part of the output of a failed test.
    nextest: bool,
    /// Tests that have said that they cannot run and that libtest is going to count as passed.
    unable: u64,
}

impl Counts {
    /// For the output of `cargo test`, or of a runner of our own.
    pub(super) fn libtest() -> Self {
        Self::default()
    }

    /// For the output of `cargo nextest run`.
    pub(super) fn nextest() -> Self {
        Self { nextest: true, ..Self::default() }
    }

    /// Reads a line.
    pub(super) fn read(&mut self, line: &str) {
        let line = line.trim();
        if self.nextest {
            self.read_nextest(line);
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            if !self.skips.iter().any(|known| known == reason) {
                self.skips.push(reason.to_owned());
                self.unable += 1;
            }
        } else if let Some(rest) = line.strip_prefix("test result:") {
            self.libtest_result(rest);
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        } else if let [passed, failed, skipped] = numbers(line, &["passed", "failed", "skipped"])[..] {
            self.passed += passed;
            self.failed += failed;
            self.skipped += skipped;
            self.unable = 0;
        }
    }

    /// `Summary [   0.016s] 4 tests run: …` and `FAIL [   0.004s] (1/4) crate test`
    fn read_nextest(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("Summary [") {
            self.nextest_summary(rest);
        } else if let Some((_, name)) = line.strip_prefix("FAIL [").and_then(|rest| rest.split_once(']')) {
            let name = name.rsplit_once(") ").map_or(name, |(_, name)| name).trim();
            if !self.failures.iter().any(|known| known == name) {
                self.failures.push(name.to_owned());
            }
        }
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
    fn libtest_result(&mut self, rest: &str) {
        let unable = std::mem::take(&mut self.unable);
        for part in rest.split([';', '.']) {
            let Some((count, what)) = count(part) else {
                continue;
            };
            match what {
                "passed" => self.passed += count.saturating_sub(unable),
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
        self.skipped += unable;
    }

    /// `   0.016s] 4 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 0 skipped`
    fn nextest_summary(&mut self, rest: &str) {
        let Some((_, counts)) = rest.split_once(" run: ") else {
            return;
        };
        for part in counts.split(',') {
            let Some((count, what)) = count(part) else {
                continue;
            };
            match what.split(" (").next().unwrap_or("") {
                "passed" => self.passed += count,
                "skipped" => self.skipped += count,
                _ => self.failed += count,
            }
        }
    }
}

/// A number and what it counts.
fn count(part: &str) -> Option<(u64, &str)> {
    let (number, what) = part.trim().split_once(' ')?;
    Some((number.parse().ok()?, what.trim()))
}

/// The numbers of a line that consists of counts of exactly these things, else nothing.
fn numbers(line: &str, what: &[&str]) -> Vec<u64> {
    let counts: Vec<(u64, &str)> = line.split(',').filter_map(count).collect();
    let same = counts.iter().map(|(_, what)| *what).eq(what.iter().copied());
    if same { counts.into_iter().map(|(count, _)| count).collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    fn read(text: &str) -> Counts {
        read_into(Counts::libtest(), text)
    }

    fn read_into(mut counts: Counts, text: &str) -> Counts {
        text.lines().for_each(|line| counts.read(line));
        counts
    }

    #[test]
    fn libtest_is_read() {
        let counts = read(
            "test a::b ... ok\ntest a::c ... FAILED\n\
             test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 5 filtered out; finished in 0.12s\n\
             test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n",
        );
        assert_eq!((counts.passed, counts.failed, counts.skipped), (7, 1, 2));
        assert_eq!(counts.failures, ["a::c"]);
    }

    #[test]
    fn a_test_that_cannot_run_is_skipped_and_not_passed() {
        let counts = read(
            "skipped: power_off: not root\nskipped: power_off: not root\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.12s\n",
        );
        assert_eq!((counts.passed, counts.failed, counts.skipped), (2, 0, 1));
        assert_eq!(counts.skips, ["power_off: not root"]);
    }

    #[test]
    fn nextest_is_read_and_the_output_of_its_tests_is_not() {
        let counts = read_into(
            Counts::nextest(),
            "        FAIL [   0.004s] (36/107) hac-crm tests::x\n    test tests::x ... FAILED\n\
             test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.68s\n\
             Summary [   0.016s] 5 tests run: 2 passed (1 slow), 2 failed, 1 timed out, 4 skipped\n",
        );
        assert_eq!((counts.passed, counts.failed, counts.skipped), (2, 3, 4));
        assert_eq!(counts.failures, ["hac-crm tests::x"]);
        let one = read_into(Counts::nextest(), "     Summary [   0.016s] 1 test run: 1 passed, 0 skipped\n");
        assert_eq!((one.passed, one.failed, one.skipped), (1, 0, 0));
    }

    #[test]
    fn a_runner_of_our_own_is_read() {
        let counts = read("skipped: hosts: not root\n12 passed, 1 failed, 1 skipped\n");
        assert_eq!((counts.passed, counts.failed, counts.skipped), (12, 1, 1));
        assert_eq!(read("12 passed, of which some"), Counts::default());
    }
}
