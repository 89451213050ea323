//! `cargo xtask test`: every test there is, from fast to real, and one last line that counts them.
//!
//! Everything but the simulator is built once, in the dev profile: assertions and overflow checks are on, and little is
//! built twice.
//! The last line is `N passed, N failed, N skipped`; what was skipped is listed above it with its reason.

mod configuration;
mod results;
mod tally;

use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::options::Options;
use crate::project::{Profile, Project};
use crate::{conformance, sim, stream};
use results::Counts;
use tally::Tally;

/// Seeds that every run of the tests repeats, of the ring alone and of whole nodes. More are for `cargo xtask sim`.
const FIXED_SEEDS: u64 = 500;

/// Seeds that no run had before.
const FRESH_SEEDS: u64 = 200;

/// Seeds that a deliberate bug may take in the tests.
const MUTANT_SEEDS: u64 = 40;

/// Deliberate bugs that the tests switch on, because a few seeds find each: one for each of the layers. The rest is for
/// `cargo xtask sim --mutants`.
const MUTANTS: &[&str] = &["mac-unchecked", "token-repeated", "released-too-early", "safe-too-early", "leave-unheard"];

/// The packages whose tests are run one program after the other, with their output: they say what they cannot do here.
const WHOLE: &[&str] = &["hac-lab", "hac-tests"];

/// How the names of test programs begin that use real processes and hosts.
const REAL: &[&str] = &["daemon", "hosts", "lab"];

/// How many tests of real processes and hosts run at the same time.
const REAL_THREADS: &str = "--test-threads=2";

/// How long a stage may take: far more than any does, so that a test that hangs ends as a failure.
const LIMIT: Duration = Duration::from_secs(25 * 60);

/// Runs all stages, whatever the earlier ones found.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &["--quick"], &[])?;
    options.no_words()?;
    let mut tally = Tally::default();
    let mut build = project.cargo("build");
    build.args(["--workspace", "--bins", "--locked"]);
    if counted(&mut tally, "build", Counts::libtest(), &mut build) {
        let quick = options.has("--quick");
        units(project, &mut tally);
        stage(&mut tally, "configuration keys", |tally| configuration::check(project, tally));
        if !quick {
            set_up(project);
        }
        stage(&mut tally, "whole", |tally| whole(project, quick, tally));
        if quick {
            tally.skip("seeds of the simulator and conformance: --quick");
        } else {
            stage(&mut tally, "seeds of the simulator", |tally| seeds(project, tally));
            stage(&mut tally, "conformance of the scheduler", |tally| scheduler(project, tally));
        }
    }
    print!("{}", tally.report());
    Ok(if tally.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a stage; what keeps it from running counts as a failure, and the other stages still run.
fn stage(tally: &mut Tally, name: &str, run: impl FnOnce(&mut Tally) -> anyhow::Result<()>) {
    if let Err(error) = run(tally) {
        tally.fail(&format!("{name}: {error:#}"));
    }
}

/// Runs a command whose output counts tests; what ends badly without a failed test counts as one.
fn counted(tally: &mut Tally, stage: &str, mut counts: Counts, command: &mut Command) -> bool {
    println!("\ntest: {stage}");
    let outcome = stream::run(command, LIMIT, |line| counts.read(line));
    tally.add(stage, &counts);
    match outcome {
        Ok(status) if status.success() => return true,
        Ok(_) if counts.failed > 0 => {}
        Ok(status) => tally.fail(&format!("{stage}: ended with {status}")),
        Err(error) => tally.fail(&format!("{stage}: {error:#}")),
    }
    false
}

/// The tests beside the code, and the examples in the documentation.
fn units(project: &Project, tally: &mut Tally) {
    let mut whole = vec!["--workspace", "--locked", "--no-fail-fast"];
    whole.extend(WHOLE.iter().flat_map(|package| ["--exclude", package]));
    if project.has_cargo_tool("nextest") {
        let mut command = project.cargo("nextest");
        command.arg("run").args(&whole).args(["--lib", "--bins", "--tests", "--no-tests=pass"]);
        command.args(["--status-level", "fail", "--final-status-level", "none"]);
        counted(tally, "units (nextest)", Counts::nextest(), &mut command);
    } else {
        let mut command = project.cargo("test");
        command.args(&whole).args(["--lib", "--bins", "--tests"]);
        counted(tally, "units", Counts::libtest(), &mut command);
    }
    let mut command = project.cargo("test");
    command.args(&whole).arg("--doc");
    counted(tally, "examples in the documentation", Counts::libtest(), &mut command);
}

/// Lets the lab install what real hosts need. Where it cannot, the tests of real hosts say what is missing.
fn set_up(project: &Project) {
    println!("\ntest: set-up of the lab");
    let mut command = Command::new(project.binaries(Profile::Dev).join("hac-lab"));
    match stream::run(command.arg("setup"), LIMIT, |_| {}) {
        Ok(status) if status.success() => {}
        Ok(status) => println!("the set-up ended with {status}"),
        Err(error) => println!("no set-up: {error:#}"),
    }
}

/// The tests of the whole: scenarios, golden plans, real processes, real hosts; one program after the other.
fn whole(project: &Project, quick: bool, tally: &mut Tally) -> anyhow::Result<()> {
    let metadata = project.metadata(false)?;
    for package in metadata.packages.iter().filter(|package| WHOLE.contains(&package.name.as_str())) {
        for target in &package.targets {
            let select: &[&str] = match target.kind.first().map(String::as_str) {
                Some("lib") => &["--lib"],
                Some(kind @ ("bin" | "test")) => &[if kind == "bin" { "--bin" } else { "--test" }, &target.name],
                _ => continue,
            };
            let name = format!("whole: {} {}", package.name, target.name);
            let real = target.kind == ["test"] && REAL.iter().any(|real| target.name.starts_with(real));
            if real && quick {
                tally.skip(&format!("{name}: --quick"));
                continue;
            }
            let mut command = project.cargo("test");
            command.args(["--locked", "--no-fail-fast", "--package", &package.name]).args(select);
            command.args(["--", "--show-output"]).env("HACD_BINARIES", project.binaries(Profile::Dev));
            if real {
                command.arg(REAL_THREADS);
            }
            counted(tally, &name, Counts::libtest(), &mut command);
        }
    }
    Ok(())
}

/// Seeds of the simulator, fixed and fresh ones, each run twice; and some of its deliberate bugs.
fn seeds(project: &Project, tally: &mut Tally) -> anyhow::Result<()> {
    if !sim::exists(project)? {
        tally.skip("seeds of the simulator: it has no program yet");
        return Ok(());
    }
    let simulator = project.build(Profile::Seeds, &["hac-sim"])?.join("hac-sim");
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let fresh = 1_000_000 + since * 1000;
    for (from, seeds) in [(1, FIXED_SEEDS), (fresh, FRESH_SEEDS)] {
        println!("\ntest: {seeds} seeds of the simulator from {from}: hac-sim --from {from} --seeds {seeds}");
        for kind in ["ring", "cluster"] {
            let mut command = Command::new(&simulator);
            command.args(["--seeds", &seeds.to_string(), "--from", &from.to_string(), "--only", kind]);
            judge(tally, &format!("seeds of the simulator from {from}: {kind}"), &mut command);
        }
    }
    let mutated = sim::with_mutants(project)?;
    for mutant in MUTANTS {
        let mut command = Command::new(&mutated);
        command.args(["--mutant", mutant, "--seeds", &MUTANT_SEEDS.to_string()]);
        judge(tally, &format!("deliberate bug {mutant}"), &mut command);
    }
    Ok(())
}

/// Runs a command that says by its end whether all is well.
fn judge(tally: &mut Tally, what: &str, command: &mut Command) {
    match stream::run(command, LIMIT, |_| {}) {
        Ok(status) if status.success() => tally.pass(),
        Ok(status) => tally.fail(&format!("{what}: ended with {status}")),
        Err(error) => tally.fail(&format!("{what}: {error:#}")),
    }
}

/// The scheduler beside Pacemaker's, where the cases are on this machine.
fn scheduler(project: &Project, tally: &mut Tally) -> anyhow::Result<()> {
    let Some(suite) = conformance::find(project) else {
        tally.skip("conformance of the scheduler: no suite (PACEMAKER_CTS names none)");
        return Ok(());
    };
    let tool = project.binaries(Profile::Dev).join("hacctl");
    let offered = Command::new(&tool).args(["simulate", "--help"]).output()?.status.success();
    if !offered {
        tally.skip("conformance of the scheduler: hacctl has no `simulate` yet");
        return Ok(());
    }
    println!("\ntest: conformance of the scheduler");
    let score = conformance::compare(&suite, &tool)?;
    let floor = conformance::floor(&project.root)?;
    println!("{} (at least {floor} must)", score.line());
    if score.levels[2] >= floor {
        tally.pass();
    } else {
        tally.fail(&format!("conformance: {} agree at L3, {floor} must", score.levels[2]));
    }
    Ok(())
}
