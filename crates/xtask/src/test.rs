//! `cargo xtask test`: every test there is, from fast to real, and one last line that counts them.
//!
//! Everything but the simulator is built once, in the dev profile: assertions and overflow checks are on, and little is
//! built twice.
//! The terminal shows a line a stage, and what failed in full; everything else is in a log. At the end comes what was
//! skipped, with its reason, then every failure again with the command that repeats it; the last line is
//! `N passed, N failed, N skipped`.

mod configuration;
mod failures;
mod log;
mod programs;
mod results;
mod stage;
mod tally;

use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::options::Options;
use crate::project::{Profile, Project};
use crate::{conformance, dist, sim};
use log::Log;
use programs::Program;
use stage::{Reading, Stage, stage};
pub(crate) use tally::{Failure, Tally};

/// Seeds that every run of the tests repeats, of the ring alone and of whole nodes. More are for `cargo xtask sim`.
const FIXED_SEEDS: u64 = 500;

/// Seeds that no run had before, of each; where the tests are a gate, that many more fixed ones instead.
const FRESH_SEEDS: u64 = 200;

/// Seeds that a deliberate bug may take in the tests.
const MUTANT_SEEDS: u64 = 40;

/// Deliberate bugs that the tests switch on, because a few seeds find each: one for each of the layers. The rest is for
/// `cargo xtask sim --mutants`.
const MUTANTS: &[&str] = &[
    "mac-unchecked",
    "token-repeated",
    "released-too-early",
    "safe-too-early",
    "leave-unheard",
    "level-by-program",
    "digest-with-defaults",
];

/// The packages whose tests are run one program after the other: they need the machine for themselves, and they say what
/// they cannot do here.
const WHOLE: &[&str] = &["hac-lab", "hac-tests"];

/// How the names of test programs begin that use real processes and hosts.
const REAL: &[&str] = &["daemon", "hosts", "lab"];

/// How many tests of real processes and hosts run at the same time.
const REAL_THREADS: &str = "--test-threads=2";

/// Cases that differ from Pacemaker and are named, at most.
const SHOWN_CASES: usize = 20;

/// Runs all stages.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &["--quick"], &[])?;
    options.no_words()?;
    all(project, options.has("--quick"), Seeds::Fresh, Tally::default())
}

/// Which seeds are run beside the fixed ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seeds {
    /// Some that no run had before: they may find something that is older than the change at hand.
    Fresh,
    /// None but fixed ones: what passes today passes tomorrow, if nothing was changed.
    Fixed,
}

/// Runs all stages, whatever the earlier ones found, and reports them together with what was counted before.
pub(crate) fn all(project: &Project, quick: bool, which: Seeds, mut tally: Tally) -> anyhow::Result<ExitCode> {
    let mut log = Log::new(&project.target)?;
    let built = stage("build", &mut log, &mut tally, |stage| programs::build(project, stage));
    if let Some(programs) = built {
        stage("build of a second release", &mut log, &mut tally, |stage| programs::build_next_release(project, stage));
        beside(project, &programs, &mut log, &mut tally);
        if !quick {
            stage("set-up of the lab", &mut log, &mut tally, |stage| set_up(project, stage));
            stage("package", &mut log, &mut tally, |stage| package(project, stage));
        }
        for program in programs.iter().filter(|program| WHOLE.contains(&program.package.as_str())) {
            let name = format!("whole: {} {}", program.package, program.target);
            stage(&name, &mut log, &mut tally, |stage| whole(project, program, quick, stage));
        }
        if quick {
            tally.skip(1, ["seeds of the simulator and conformance: --quick".to_owned()]);
        } else {
            seeds(project, which, &mut log, &mut tally);
            stage("conformance of the scheduler", &mut log, &mut tally, |stage| scheduler(project, stage));
        }
    }
    let report = tally.report(log.path());
    log.line(&report);
    print!("{report}");
    Ok(if tally.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests beside the code, the examples in the documentation, and the configuration file beside the daemon.
fn beside(project: &Project, programs: &[Program], log: &mut Log, tally: &mut Tally) {
    if project.has_cargo_tool("nextest") {
        stage("units (nextest)", log, tally, |stage| {
            let without: Vec<String> = WHOLE.iter().map(|package| format!("package({package})")).collect();
            let mut command = project.cargo("nextest");
            command.args(["run", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]);
            command.args(["-E", &format!("not ({})", without.join(" | ")), "--no-tests=pass"]);
            command.args(["--status-level", "fail", "--final-status-level", "none"]);
            stage.tests(&mut command, Reading::Nextest, again_with_nextest);
            Ok(())
        });
    } else {
        stage("units", log, tally, |stage| {
            for program in programs.iter().filter(|program| !WHOLE.contains(&program.package.as_str())) {
                stage.tests(&mut program.command(), Reading::Libtest, |test| program.again(test));
            }
            Ok(())
        });
    }
    stage("units with a second level", log, tally, |stage| {
        let mut command = project.cargo("test");
        command.args(["--package", "hac-node", "--features", "level2", "--lib", "--locked", "--no-fail-fast"]);
        command.args(["--", "levels", "cluster::tests"]);
        let again = |test: &str| format!("cargo test --package hac-node --features level2 --lib -- --exact {test}");
        stage.tests(&mut command, Reading::Libtest, again);
        Ok(())
    });
    stage("examples in the documentation", log, tally, |stage| {
        let mut command = project.cargo("test");
        command.args(["--workspace", "--locked", "--no-fail-fast", "--doc"]);
        stage.tests(&mut command, Reading::Libtest, |_| "cargo test --workspace --doc".to_owned());
        Ok(())
    });
    stage("configuration keys", log, tally, |stage| configuration::check(project, stage));
}

/// What cargo is told to run one test alone that nextest names `PACKAGE[::TARGET] TEST`.
fn again_with_nextest(name: &str) -> String {
    let (binary, test) = name.split_once(' ').unwrap_or(("", name));
    let package = binary.split("::").next().unwrap_or_default();
    format!("cargo test --package {package} -- --exact {test}")
}

/// Lets the lab install what real hosts need. Where it cannot, the tests of real hosts say what is missing.
fn set_up(project: &Project, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut command = Command::new(project.binaries(Profile::Dev).join("hac-lab"));
    let (_, outcome) = stage.run(command.arg("setup"), |_| {});
    if let Err(why) = outcome {
        stage.note(&format!("no set-up: {why}"));
    }
    Ok(())
}

/// Makes the Debian package of what the tests have built, for the test that installs it.
fn package(project: &Project, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    match dist::for_tests(project) {
        Ok(package) => stage.note(&format!("made {}", package.display())),
        Err(why) => stage.tally().skip(1, [format!("no package: {why:#}")]),
    }
    Ok(())
}

/// One program of the tests of the whole: scenarios, golden plans, real processes, real hosts.
fn whole(project: &Project, program: &Program, quick: bool, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let real = program.kind == "test" && REAL.iter().any(|real| program.target.starts_with(real));
    if real && quick {
        stage.tally().skip(1, ["--quick".to_owned()]);
        return Ok(());
    }
    let mut command = program.command();
    // With what tests print that pass: a line there says what they could not do.
    command.arg("--show-output").env("HACD_BINARIES", project.binaries(Profile::Dev));
    if real {
        command.arg(REAL_THREADS);
    }
    stage.tests(&mut command, Reading::Libtest, |test| program.again(test));
    Ok(())
}

/// Seeds of the simulator, each run twice; and some of its deliberate bugs.
fn seeds(project: &Project, which: Seeds, log: &mut Log, tally: &mut Tally) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let fresh = 1_000_000 + since * 1000;
    let built = stage("build of the simulator", log, tally, |stage| {
        let mut build = project.cargo("build");
        build.args(["--locked", "--profile", "seeds", "--package", "hac-sim", "--bin", "hac-sim"]);
        build.args(["--features", "level2"]);
        Ok(stage.build(&mut build, |_| true))
    });
    if !built {
        return;
    }
    let simulator = project.binaries(Profile::Seeds).join("hac-sim");
    let others = if which == Seeds::Fresh { fresh } else { 1 + FIXED_SEEDS };
    if which == Seeds::Fixed {
        let reason =
            "fresh seeds of the simulator: a gate decides by what is the same each time; 'cargo xtask test' has them";
        tally.skip(1, [reason.to_owned()]);
    }
    for (from, seeds) in [(1, FIXED_SEEDS), (others, FRESH_SEEDS)] {
        for kind in ["ring", "cluster"] {
            stage(&format!("{seeds} seeds of the simulator from {from}: {kind}"), log, tally, |stage| {
                let mut command = Command::new(&simulator);
                command.args(["--seeds", &seeds.to_string(), "--from", &from.to_string(), "--only", kind]);
                stage.seeds(kind, &mut command);
                Ok(())
            });
        }
    }
    stage("small worlds of the simulator, from end to end", log, tally, |stage| {
        let mut command = Command::new(&simulator);
        command.args(["--only", "model", "--once"]);
        stage.seeds("model", &mut command);
        Ok(())
    });
    stage("deliberate bugs", log, tally, |stage| {
        if !stage.build(&mut sim::build_with_mutants(project), |_| true) {
            return Ok(());
        }
        let mutated = sim::name_with_mutants(project)?;
        for mutant in MUTANTS {
            let mut command = Command::new(&mutated);
            command.args(["--mutant", mutant, "--seeds", &MUTANT_SEEDS.to_string()]);
            stage.seeds(mutant, &mut command);
        }
        Ok(())
    });
}

/// The scheduler beside Pacemaker's, where the cases are on this machine.
fn scheduler(project: &Project, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let Some(suite) = conformance::find(project) else {
        stage.tally().skip(1, ["no suite (PACEMAKER_CTS names none)".to_owned()]);
        return Ok(());
    };
    let tool = project.binaries(Profile::Dev).join("hacctl");
    let score = conformance::compare(&suite, &tool)?;
    let floor = conformance::floor(&project.root)?;
    stage.note(&format!("{} (at least {floor} must agree at L3)", score.line()));
    if score.levels[2] >= floor {
        stage.tally().pass(1);
        return Ok(());
    }
    let again = format!("cargo xtask conformance --suite {}", suite.display());
    let text = format!("{}\n{}", score.line(), score.differing(SHOWN_CASES).join("\n"));
    stage.tally().fail(Failure::new(format!("at least {floor} cases must agree at L3"), &text).with_replay(again));
    Ok(())
}
