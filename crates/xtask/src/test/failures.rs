//! Finds, in what a program printed, what belongs to a test that failed.

/// A line that begins or ends what one test printed: libtest's, and that of our own runner.
fn is_rule(line: &str) -> bool {
    line.starts_with("---- ") && line.ends_with(" ----")
}

/// What libtest, or our own runner, printed of a test that failed; nothing if it is not there.
pub(super) fn of_libtest(lines: &[String], test: &str) -> Vec<String> {
    let head = format!("---- {test} stdout ----");
    let begin = lines.iter().rposition(|line| *line == head);
    let text = begin.and_then(|begin| lines.get(begin + 1..)).unwrap_or_default();
    let ends = |line: &String| is_rule(line) || line == "failures:" || line == "successes:";
    trimmed(text.iter().take_while(|line| !ends(line)))
}

/// What nextest printed of a test that failed.
pub(super) fn of_nextest(lines: &[String], test: &str) -> Vec<String> {
    let is_status = |line: &str| {
        let (word, rest) = line.trim_start().split_once(" [").unwrap_or_default();
        !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '-') && rest.contains(']')
    };
    let begin = lines.iter().position(|line| is_status(line) && line.ends_with(test));
    let text = begin.and_then(|begin| lines.get(begin + 1..)).unwrap_or_default();
    trimmed(text.iter().take_while(|line| !is_status(line) && !line.starts_with('─')))
}

/// What the simulator printed of each seed that failed: the line that says what was broken, and all that belongs to it.
pub(super) fn of_seeds(lines: &[String]) -> Vec<(String, Vec<String>)> {
    let is_head = |line: &&String| {
        let seed = line.strip_prefix("seed ").and_then(|rest| rest.split_once(": "));
        seed.is_some_and(|(number, _)| number.parse::<u64>().is_ok())
    };
    let is_summary = |line: &&String| line.contains(" seeds, ") && line.contains(" events, ");
    let mut seeds: Vec<(String, Vec<String>)> = Vec::new();
    for line in lines.iter().take_while(|line| !is_summary(line)) {
        if is_head(&line) {
            seeds.push((line.clone(), Vec::new()));
        } else if let Some((_, text)) = seeds.last_mut() {
            text.push(line.clone());
        }
    }
    seeds
}

/// The command with which the simulator says that a seed is run again.
pub(super) fn replay(text: &[String]) -> Option<String> {
    text.iter().find_map(|line| line.trim_start().strip_prefix("replay: ")).map(str::to_owned)
}

/// Without empty lines around.
fn trimmed<'a>(lines: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.skip_while(|line| line.trim().is_empty()).cloned().collect();
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{of_libtest, of_nextest, of_seeds, replay};

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn libtest_prints_a_failure_below_its_name() {
        let text = lines(
            "test a ... ok\ntest b ... FAILED\nsuccesses:\n\n---- a stdout ----\nfine\n\nsuccesses:\n    a\n\n\
             failures:\n\n---- b stdout ----\n\nthread 'b' panicked at src/lib.rs:1:2:\nboom\n\n---- c stdout ----\nno\n\n\
             failures:\n    b\n",
        );
        assert_eq!(of_libtest(&text, "b"), ["thread 'b' panicked at src/lib.rs:1:2:", "boom"]);
        assert_eq!(of_libtest(&text, "c"), ["no"]);
        assert!(of_libtest(&text, "d").is_empty());
    }

    #[test]
    fn our_own_runner_says_where_a_failure_ends() {
        let text =
            lines("test x ... FAILED (0.1 s)\n---- x stdout ----\nwhy\n---- x end ----\ntest y ... ok (0.1 s)\n");
        assert_eq!(of_libtest(&text, "x"), ["why"]);
    }

    #[test]
    fn nextest_prints_a_failure_after_its_status() {
        let text = lines(
            "        FAIL [   0.927s] (294/575) hac-sim a::b\n  stdout ───\n\n    running 1 test\n\n  stderr ───\n\
             \n    boom\n\n        FAIL [   0.004s] (36/107) hac-crm tests::x\n    why\n\n────────────\n     Summary [ 1 s]\n",
        );
        assert_eq!(of_nextest(&text, "hac-crm tests::x"), ["    why"]);
        assert_eq!(of_nextest(&text, "hac-sim a::b").last().map(String::as_str), Some("    boom"));
    }

    #[test]
    fn a_failed_seed_comes_with_its_command() {
        let text = lines(
            "seed 12: EVS-21: too many\n  replay: cargo xtask sim --from 12\n     seconds  world\nseed 13: I-1: a panic\n\
             ring: 200 seeds, 10 events, 72.0 s; most in seed 1: 2\n  failed seeds: 12 13\n",
        );
        let seeds = of_seeds(&text);
        assert_eq!(seeds.len(), 2);
        assert_eq!(seeds[0].0, "seed 12: EVS-21: too many");
        assert_eq!(replay(&seeds[0].1).as_deref(), Some("cargo xtask sim --from 12"));
        assert!(seeds[1].1.is_empty());
    }
}
