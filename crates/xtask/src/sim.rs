//! `cargo xtask sim`: seeded chaos, run by the simulator's own binary.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

use crate::options::Options;
use crate::project::{Profile, Project};

/// What the simulator accepts.
const FLAGS: &[&str] = &["--mutants", "--no-fencing", "--once", "--quiet", "--trace"];
const VALUES: &[&str] = &["--from", "--jobs", "--mutant", "--nodes", "--only", "--seeds"];

/// Builds the simulator in release and runs the seeds asked for.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, FLAGS, VALUES)?;
    options.no_words()?;
    options.number("--seeds")?.context("say how many: cargo xtask sim --seeds N")?;
    options.number("--from")?;
    if let Some(only) = options.value("--only") {
        ensure!(matches!(only, "ring" | "cluster" | "model"), "--only takes ring, cluster or model");
    }
    let program = if options.has("--mutants") || options.value("--mutant").is_some() {
        with_mutants(project)?
    } else {
        with_two_levels(project)?
    };
    let mut simulator = Command::new(program);
    simulator.args(arguments).current_dir(&project.root);
    let status = simulator.status().context("cannot run hac-sim")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the simulator in release, with the second level that tests have; where it is then.
fn with_two_levels(project: &Project) -> anyhow::Result<PathBuf> {
    let mut build = project.cargo("build");
    build.args(["--locked", "--release", "--package", "hac-sim", "--features", "level2", "--bin", "hac-sim"]);
    let status = build.status().context("cannot run cargo")?;
    ensure!(status.success(), "the simulator cannot be built");
    Ok(project.binaries(Profile::Release).join("hac-sim"))
}

/// Builds the simulator with its deliberate bugs; where it is then.
fn with_mutants(project: &Project) -> anyhow::Result<PathBuf> {
    let status = build_with_mutants(project).status().context("cannot run cargo")?;
    ensure!(status.success(), "the simulator with deliberate bugs cannot be built");
    name_with_mutants(project)
}

/// The command that builds the simulator with its deliberate bugs.
pub(crate) fn build_with_mutants(project: &Project) -> Command {
    let mut build = project.cargo("build");
    build.args(["--locked", "--profile", "seeds", "--package", "hac-sim", "--features", "mutants"]);
    build
}

/// Gives the simulator that was just built with deliberate bugs a name of its own: nothing else may ever be run with
/// them.
pub(crate) fn name_with_mutants(project: &Project) -> anyhow::Result<PathBuf> {
    let folder = project.binaries(Profile::Seeds);
    let program = folder.join("hac-sim-mutants");
    std::fs::rename(folder.join("hac-sim"), &program).context("cannot rename hac-sim")?;
    Ok(program)
}
