//! Runs the directed scenarios of this folder in the simulator and compares what they print with what the files say.
//! With `HACD_BLESS=1` the files are rewritten instead.

use std::fs;
use std::path::{Path, PathBuf};

use hac_sim::options::Options;
use hac_sim::run::{self, Kind};

/// Seeds that once showed a fault, and which.
const FOUND: &[(Kind, u64, &str)] = &[
    (Kind::Cluster, 10_032, "a start ordered with quorum waited behind another order and ran without"),
    (Kind::Cluster, 10_093, "the same"),
    (Kind::Cluster, 10_564, "the same"),
    (Kind::Cluster, 10_926, "the same"),
];

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(folder).expect("the folder is here");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_goes_as_its_file_says() {
    let bless = std::env::var_os("HACD_BLESS").is_some();
    let files = scenarios();
    assert!(!files.is_empty(), "no scenario was found");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("it can be read");
        match hac_sim::script::run(&text) {
            Ok(real) if real == text => {}
            Ok(real) if bless => fs::write(&file, real).expect("it can be written"),
            Ok(real) => wrong.push(format!("{name}: {}", first_difference(&text, &real))),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}\n(HACD_BLESS=1 rewrites the files)", wrong.join("\n\n"));
}

#[test]
fn seeds_that_once_showed_a_fault_show_none() {
    for &(kind, seed, fault) in FOUND {
        let verdict = run::run(kind, Options::of(seed, None), false);
        let kind = kind.word();
        assert!(verdict.violation.is_none(), "{kind} seed {seed} ({fault}): {:?}", verdict.violation);
    }
}

fn first_difference(expected: &str, real: &str) -> String {
    let lines = expected.lines().zip(real.lines()).enumerate();
    let (number, (expected, real)) = lines
        .clone()
        .find(|(_, (a, b))| a != b)
        .unwrap_or_else(|| (expected.lines().count().min(real.lines().count()), ("(end)", "(end)")));
    format!("line {}\n  expected: {expected}\n  real:     {real}", number + 1)
}
