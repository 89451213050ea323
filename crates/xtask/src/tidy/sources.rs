//! Rules for source files.

/// The longest that a source file may be. The aim is 600; what is longer has more than one subject.
const LONGEST: usize = 700;

/// Files that may be longer, each with its reason. Best empty.
const LONG_FILES: &[(&str, &str)] = &[];

/// Marks of work that is not finished, and what silences a test. Split, so that this file does not hold them.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
    concat!("#[ig", "nore"),
];

/// Folders of machines that the project was worked on; they must not be named in it.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk"), concat!("/ro", "ot/"), concat!("/tmp/tar", "get")];

/// The sans-IO crates, by folder.
const CORES: &[&str] = &["crm", "node", "pacemaker", "quorum", "totem", "types"];

/// What a core never names: clippy bans most of it by type, this also what is imported under another name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::process",
    "std::time::Instant",
    "SystemTime",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "HashMap",
    "HashSet",
    "tokio::",
];

/// Where bincode may be named (docs/decisions/0004-bincode-contained.md).
const BINCODE: &str = "bincode";

/// What prints a value as the compiler names it. Split, so that this file does not hold it.
const DEBUG: &str = concat!(":", "?}");

/// Crates that nobody who runs a cluster meets, by folder.
const WORKSHOP: &[&str] = &["lab", "netsim", "sim", "xtask"];

/// `Debug` is for those who look for a fault: renaming a variant would change what people, programs and disks are given.
/// Tests and panics may print it; elsewhere a comment beside it names it and says why.
fn debug_output(path: &str, text: &str, problems: &mut Vec<String>) {
    let workshop = WORKSHOP.iter().any(|folder| path.starts_with(&format!("crates/{folder}/")));
    if !path.starts_with("crates/") || workshop || is_test(path) || path.contains("/fuzzing") {
        return;
    }
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate().take_while(|(_, line)| **line != "mod tests {") {
        let around = &lines[index.saturating_sub(4)..=index];
        let excused = around.iter().any(|line| {
            line.contains("`Debug`") || ["assert", "panic!", "unreachable!"].iter().any(|word| line.contains(word))
        });
        if line.contains(DEBUG) && !line.trim_start().starts_with("//") && !excused {
            problems.push(format!("{path}:{}: `Debug` as a format: print a word of its own", index + 1));
        }
    }
}

/// What may leave a field out by an attribute: the second level, whose form of old programs has no such field.
const LEFT_OUT_BY_ATTRIBUTE: &str = "level_two";

/// The named form leaves empty fields out by itself (`hac-wire`). With an attribute they are missing in the positional form of a
/// recording as well, which cannot be read then.
fn left_out(path: &str, text: &str, problems: &mut Vec<String>) {
    let travels = ["crates/crm/src/", "crates/model/src/"].iter().any(|folder| path.starts_with(folder));
    for (index, line) in text.lines().enumerate().filter(|_| travels) {
        if line.contains("skip_serializing_if") && !line.contains(LEFT_OUT_BY_ATTRIBUTE) {
            problems.push(format!("{path}:{}: the named form leaves empty fields out without an attribute", index + 1));
        }
    }
}

/// Heads, lengths, marks, the purity of the cores and the place of bincode.
pub(super) fn source(path: &str, text: &str, problems: &mut Vec<String>) {
    if !text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!")) {
        problems.push(format!("{path}:1: no //! head that says what the file is about"));
    }
    let length = text.lines().count();
    if length > LONGEST && !LONG_FILES.iter().any(|(long, _)| *long == path) {
        problems.push(format!("{path}: {length} lines; {LONGEST} are the limit"));
    }
    debug_output(path, text, problems);
    left_out(path, text, problems);
    let core = CORES.iter().any(|core| path.starts_with(&format!("crates/{core}/src/")));
    let tests = is_test(path);
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        for mark in MARKS.iter().filter(|mark| line.contains(**mark)) {
            problems.push(format!("{path}:{number}: {mark}"));
        }
        let code = line.split("//").next().unwrap_or("");
        if core && !tests {
            for impure in IMPURE.iter().filter(|impure| code.contains(**impure)) {
                problems.push(format!("{path}:{number}: {impure} in a core"));
            }
        }
        let wire = path.contains("/wire") || path.starts_with("crates/xtask/");
        if code.contains(BINCODE) && !wire && !tests {
            problems.push(format!("{path}:{number}: {BINCODE} outside of a wire module"));
        }
        if code.contains("#[allow(") && !reasoned(text, number) {
            problems.push(format!("{path}:{number}: #[allow] without a reason"));
        }
    }
}

/// Whether a reason stands at an attribute, in a comment above or beside it, or as its `reason`.
fn reasoned(text: &str, number: usize) -> bool {
    let mut around = text.lines().skip(number.saturating_sub(2)).take(3);
    around.any(|line| line.contains("//") || line.contains("reason"))
}

/// Names of machine folders, in any text file.
pub(super) fn paths(path: &str, text: &str, problems: &mut Vec<String>) {
    for (index, line) in text.lines().enumerate() {
        for machine in MACHINE_PATHS.iter().filter(|machine| names(line, machine)) {
            problems.push(format!("{path}:{}: names {machine}, a folder of one machine", index + 1));
        }
    }
}

/// Whether a line names a folder: as a path of its own, not as a part of a longer word or path.
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "._-".contains(c));
        !word(before) && before != Some('/') && (folder.ends_with('/') || !word(after))
    })
}

/// Whether a file holds tests alone.
fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

#[cfg(test)]
mod tests {
    use super::{names, paths, source};

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        source(path, text, &mut problems);
        problems
    }

    #[test]
    fn a_good_file_has_no_problems() {
        assert_eq!(found("crates/totem/src/ring.rs", "//! The ring.\nfn a() {}\n"), [""; 0]);
    }

    #[test]
    fn each_rule_is_told() {
        assert!(found("a.rs", "fn a() {}\n")[0].contains("no //! head"));
        assert!(found("a.rs", &format!("//! a\n// {}\n", super::MARKS[0]))[0].contains("a.rs:2"));
        assert!(found("a.rs", &format!("//! a\n{}", "\n".repeat(800)))[0].contains("801 lines"));
        let map = "//! a\nuse std::collections::HashMap;\n";
        assert!(found("crates/crm/src/a.rs", map)[0].contains("in a core"));
        assert_eq!(found("crates/hacd/src/a.rs", map), [""; 0]);
        let bincode = "//! a\nbincode::decode();\n";
        assert!(found("crates/totem/src/ring.rs", bincode)[0].contains("wire module"));
        assert_eq!(found("crates/totem/src/wire/body.rs", bincode), [""; 0]);
        let left_out = "//! a\n#[serde(skip_serializing_if = \"Option::is_none\")]\n";
        assert!(found("crates/model/src/a.rs", left_out)[0].contains("a.rs:2: the named form"));
        assert_eq!(found("crates/api/src/a.rs", left_out), [""; 0]);
        let allow = "//! a\n\n#[allow(dead_code)]\n";
        assert!(found("a.rs", allow)[0].contains("without a reason"));
        let debug = format!("//! a\nformat!(\"{{x{}\");\n", super::DEBUG);
        assert!(found("crates/hacd/src/a.rs", &debug)[0].contains("a.rs:2: `Debug` as a format"));
        assert_eq!(found("crates/sim/src/a.rs", &debug), [""; 0]);
        assert_eq!(found("crates/hacd/src/a.rs", &format!("//! a\nmod tests {{\n{debug}")), [""; 0]);
        assert_eq!(
            found("crates/hacd/src/a.rs", &debug.replace("format!", "// `Debug`, as tracing has it\nformat!")),
            [""; 0]
        );
        assert_eq!(found("a.rs", "//! a\n\n// So it is.\n#[allow(dead_code)]\n"), [""; 0]);
    }

    #[test]
    fn machine_folders_are_told_from_words() {
        let folder = super::MACHINE_PATHS[0];
        assert!(names(&format!("cd {folder}/main"), folder));
        assert!(names(&format!("\"{folder}\""), folder));
        assert!(!names(&format!("{folder}space"), folder));
        assert!(!names(&format!("a{folder}/b"), folder));
        let mut problems = Vec::new();
        paths("a.md", &format!("x\n{folder}\n"), &mut problems);
        assert_eq!(problems.len(), 1);
    }
}
