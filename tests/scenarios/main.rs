//! Runs the directed scenarios of this folder in the simulator and compares what they print with what the files say.
//! With `HACD_BLESS=1` the files are rewritten instead.
//!
//! Every state about which a coordinator decides on the way is exported as XML, read back, and must lead to the same plan:
//! what an operator saves and simulates is what the daemon does.

use std::fs;
use std::path::{Path, PathBuf};

use hac_model::Cib;
use hac_pacemaker::cib_xml;
use hac_scheduler::schedule;
use hac_types::WallTime;

use hac_sim::run::{self, Kind};

/// Seeds that once showed a fault, and which.
const FOUND: &[(Kind, u64, &str)] = &[
    (Kind::Cluster, 10_032, "a start ordered with quorum waited behind another order and ran without"),
    (Kind::Cluster, 10_093, "the same"),
    (Kind::Cluster, 10_564, "the same"),
    (Kind::Cluster, 10_926, "the same"),
    (Kind::Cluster, 4508, "a node alone acknowledged a change that the others had prepared and not made"),
    (Kind::Cluster, 131, "a node was let go while it was being asked what runs there"),
    (Kind::Cluster, 66, "a node voted for a change because it had stored what came of it in an earlier view"),
    (Kind::Cluster, 1589, "a disk was replaced during a rotation, and the key of before it was copied to the new one"),
    (Kind::Cluster, 4435, "the same"),
    (Kind::Cluster, 6234, "a start under way was said to have to wait for a probe on another node"),
    (Kind::Cluster, 10, "a start whose result was on its way was ordered again, and run again"),
    (Kind::Cluster, 114, "the same"),
    (Kind::Cluster, 255, "the same"),
    (Kind::Cluster, 5116, "a change that was there already was acknowledged before the node asked had it on its disk"),
    (Kind::Cluster, 7667, "the same"),
    (
        Kind::Ring,
        507,
        "a node that died amid its outputs had passed the token on, and the count of its packets missed it",
    ),
    (Kind::Ring, 1_795_380_578_036, "the same"),
    (Kind::Ring, 1789, "a membership that was being replaced when the calm began was taken for the lasting one"),
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
    let mut decisions = 0;
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("it can be read");
        let watched = hac_sim::script::run_and_watch(&text);
        let decided = watched.as_ref().map_or(&[][..], |(_, decided)| decided);
        decisions += decided.len();
        wrong.extend(
            decided
                .iter()
                .filter_map(|(cib, now)| differs_when_exported(cib, *now))
                .map(|why| format!("{name}: {why}")),
        );
        match watched.map(|(real, _)| real) {
            Ok(real) if real == text => {}
            Ok(real) if bless => fs::write(&file, real).expect("it can be written"),
            Ok(real) => wrong.push(format!("{name}: {}", first_difference(&text, &real))),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(decisions > 0, "no coordinator decided anything");
    assert!(wrong.is_empty(), "{}\n(HACD_BLESS=1 rewrites the files)", wrong.join("\n\n"));
}

#[test]
fn seeds_that_once_showed_a_fault_show_none() {
    for &(kind, seed, fault) in FOUND {
        let verdict = run::run(kind, run::options(kind, seed, None), false);
        let kind = kind.word();
        assert!(verdict.violation.is_none(), "{kind} seed {seed} ({fault}): {:?}", verdict.violation);
    }
}

/// How the plan for the exported state differs from that for the state itself, if it does.
fn differs_when_exported(cib: &Cib, now: WallTime) -> Option<String> {
    let exported = match cib_xml::read(&cib_xml::write(cib)) {
        Ok(exported) => exported,
        Err(error) => return Some(format!("version {:?} cannot be read back: {error}", cib.version)),
    };
    let (live, simulated) = (schedule(cib, now), schedule(&exported, now));
    (live != simulated).then(|| format!("version {:?}: live {live:#?}\nexported {simulated:#?}", cib.version))
}

fn first_difference(expected: &str, real: &str) -> String {
    let lines = expected.lines().zip(real.lines()).enumerate();
    let (number, (expected, real)) = lines
        .clone()
        .find(|(_, (a, b))| a != b)
        .unwrap_or_else(|| (expected.lines().count().min(real.lines().count()), ("(end)", "(end)")));
    format!("line {}\n  expected: {expected}\n  real:     {real}", number + 1)
}
