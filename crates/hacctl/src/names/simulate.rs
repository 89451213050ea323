//! `crm_simulate`: its words as those of `hacctl simulate`.

use crate::failure::Failure;
use crate::terminal;

/// What an option of `crm_simulate` becomes.
enum Becomes {
    /// This option, with the value that follows.
    Valued(&'static str),
    /// This option.
    Plain(&'static str),
    /// Nothing: `hacctl simulate` does it anyway, or does not tell more.
    Nothing,
    /// The failure of an operation: `RSC_TASK_INTERVAL@NODE=RC`.
    Failure,
    /// What to do instead.
    Instead(&'static str),
}

use Becomes::{Instead, Nothing, Plain, Valued};

const OPTIONS: &[(&str, &[&str], Becomes)] = &[
    ("x", &["xml-file"], Valued("--xml-file")),
    ("L", &["live-check"], Plain("--live-check")),
    ("p", &["xml-pipe"], Plain("--xml-file=-")),
    ("S", &["simulate"], Nothing),
    ("R", &["run"], Nothing),
    ("s", &["show-scores"], Plain("--scores")),
    ("a", &["all-actions"], Nothing),
    ("j", &["pending"], Nothing),
    ("Q", &["quiet"], Nothing),
    ("V", &["verbose"], Nothing),
    ("U", &["show-utilization"], Nothing),
    ("A", &["show-attrs"], Nothing),
    ("c", &["show-failcounts"], Nothing),
    ("u", &["node-up"], Valued("--node-up")),
    ("d", &["node-down"], Valued("--node-down")),
    ("f", &["node-fail"], Valued("--node-down")),
    ("F", &["op-fail"], Becomes::Failure),
    ("t", &["set-datetime"], Valued("--now")),
    ("G", &["save-graph"], Valued("--graph")),
    ("D", &["save-dotfile"], Valued("--dot")),
    ("X", &["xml-text"], Instead("Write it to a file, or hand it over: 'crm_simulate -p'.")),
    ("i", &["op-inject"], Instead("--op-fail RSC_OPERATION_INTERVAL@NODE=EXITCODE says what an operation came to.")),
    ("q", &["quorum"], Instead("Change have-quorum in a file: 'cibadmin -Q > FILE', then -x FILE.")),
    ("w", &["watchdog"], Instead("Whether there is one the nodes tell themselves (have-watchdog).")),
    ("g", &["ticket-grant"], Instead("'crm_ticket -t TICKET -g --force' with CIB_file changes a file; then -x FILE.")),
    ("r", &["ticket-revoke"], Instead("'crm_ticket -t TICKET -r --force' with CIB_file changes a file; then -x FILE.")),
    ("b", &["ticket-standby"], Instead("'crm_ticket -t TICKET -s' with CIB_file changes a file; then -x FILE.")),
    ("e", &["ticket-activate"], Instead("'crm_ticket -t TICKET -a' with CIB_file changes a file; then -x FILE.")),
    ("I", &["save-input"], Instead("'cibadmin -Q > FILE' writes what is decided about.")),
    ("O", &["save-output"], Instead("'hacctl simulate --format json' has the state afterwards.")),
    ("P", &["profile"], Instead("Call it for each file: for f in DIR/*.xml; do crm_simulate -x $f; done")),
];

/// The line of `hacctl` for this one, the program's name first in both. Without `-S` or `-R` nothing is carried out.
pub(super) fn line(words: &[String]) -> Result<Vec<String>, Failure> {
    let stored = std::env::var("CIB_file").ok().filter(|file| !file.is_empty());
    line_on(words, stored.as_deref())
}

/// The same, on a stored state if there is one.
fn line_on(words: &[String], stored: Option<&str>) -> Result<Vec<String>, Failure> {
    let mut line = vec!["hacctl".to_owned(), "simulate".to_owned()];
    let (mut carried_out, mut input) = (false, false);
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        let parts: Vec<(String, Option<String>)> = match word.strip_prefix("--") {
            Some(long) if !long.is_empty() => {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                vec![(name.to_owned(), value.map(str::to_owned))]
            }
            _ => bundle(word)?,
        };
        for (name, glued) in parts {
            let is = |(letter, long, _): &&(&str, &[&str], Becomes)| *letter == name || long.contains(&name.as_str());
            if matches!(name.as_str(), "?" | "help") {
                line.push("--help".to_owned());
                continue;
            }
            let (letter, _, becomes) = OPTIONS.iter().find(is).ok_or_else(|| unknown(word))?;
            carried_out |= matches!(*letter, "S" | "R");
            input |= matches!(*letter, "x" | "L" | "p");
            let mut value = || {
                let value = glued.clone().or_else(|| rest.next().cloned());
                value.ok_or_else(|| {
                    Failure::usage(format!("{} needs a value", terminal::harmless(word)))
                        .with_remedy("'crm_simulate --help' shows the options.")
                })
            };
            match becomes {
                // A file stands for the cluster, as for every program of that family.
                Plain("--live-check") if stored.is_some() => {
                    line.push(format!("--xml-file={}", stored.unwrap_or_default()));
                }
                Plain(option) => line.push((*option).to_owned()),
                Valued(option) => line.push(format!("{option}={}", value()?)),
                Becomes::Failure => line.push(format!("--op-fail={}", failure(&value()?)?)),
                Nothing => {}
                Instead(instead) => {
                    let sentence = format!("crm_simulate: hacd does not offer {}", terminal::harmless(word));
                    return Err(Failure::usage(sentence).with_remedy(*instead));
                }
            }
        }
    }
    if !input && !line.iter().any(|word| word == "--help") {
        return Err(Failure::usage("crm_simulate: no input specified")
            .with_remedy("Name it: -L for the running cluster, -x FILE, or -p for standard input."));
    }
    if !carried_out {
        line.push("--schedule-only".to_owned());
    }
    Ok(line)
}

/// Short options in one word; the value of the last of them may be glued on.
fn bundle(word: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
    let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else { return Err(unknown(word)) };
    let mut parts = Vec::new();
    let mut rest = letters;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        let name = letter.to_string();
        let valued =
            OPTIONS.iter().any(|(known, _, becomes)| *known == name && matches!(becomes, Valued(_) | Becomes::Failure));
        if valued && !rest.is_empty() {
            parts.push((name, Some(rest.to_owned())));
            break;
        }
        parts.push((name, None));
    }
    Ok(parts)
}

/// `RSC_TASK_INTERVAL@NODE=RC` as `RSC:TASK:INTERVALms=RC@NODE`.
fn failure(text: &str) -> Result<String, Failure> {
    let read = || {
        let (operation, place) = text.split_once('@')?;
        let (node, code) = place.split_once('=')?;
        let (rest, interval) = operation.rsplit_once('_')?;
        let (resource, task) = rest.rsplit_once('_')?;
        interval.parse::<u64>().ok()?;
        Some(format!("{resource}:{task}:{interval}ms={code}@{node}"))
    };
    read().ok_or_else(|| {
        Failure::usage(format!("crm_simulate: '{}' is no failure of an operation", terminal::harmless(text)))
            .with_remedy("Write RSC_OPERATION_INTERVAL@NODE=EXITCODE, such as Nginx_monitor_10000@primary=7.")
    })
}

fn unknown(word: &str) -> Failure {
    Failure::usage(format!("crm_simulate: Unknown option {}", terminal::harmless(word)))
        .with_remedy("'crm_simulate --help' shows the options.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn becomes(words: &str) -> Result<String, Failure> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        line(&words).map(|line| line.join(" "))
    }

    #[test]
    fn lines_of_crm_simulate_are_lines_of_hacctl() {
        for (from, to) in [
            ("crm_simulate -x f", "hacctl simulate --xml-file=f --schedule-only"),
            ("crm_simulate -Sx f -d n1", "hacctl simulate --xml-file=f --node-down=n1"),
            ("crm_simulate -LS", "hacctl simulate --live-check"),
            ("crm_simulate -LjV", "hacctl simulate --live-check --schedule-only"),
            ("crm_simulate --live-check --simulate --show-scores", "hacctl simulate --live-check --scores"),
            (
                "crm_simulate -x f -S -F a_b_monitor_10000@n1=7",
                "hacctl simulate --xml-file=f --op-fail=a_b:monitor:10000ms=7@n1",
            ),
            ("crm_simulate --xml-file=f --save-graph=g -D d -S", "hacctl simulate --xml-file=f --graph=g --dot=d"),
        ] {
            assert_eq!(becomes(from).as_deref(), Ok(to), "{from}");
        }
    }

    #[test]
    fn what_is_not_offered_has_a_way_around() {
        for line in [
            "crm_simulate",
            "crm_simulate -x",
            "crm_simulate -L -i x",
            "crm_simulate -Z",
            "crm_simulate -L -F soon",
            "crm_simulate f",
        ] {
            let failure = becomes(line).expect_err("is refused");
            assert_eq!(failure.exit_code, 64, "{line}");
            assert!(failure.remedy.is_some(), "{line}");
        }
    }
}
