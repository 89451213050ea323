//! `cargo xtask bench`: measurements, each printed as a table by the program that can make it.

mod scheduler;
mod states;

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use crate::project::{Profile, Project};

/// The measurement that is made here.
const SCHEDULER: &str = "scheduler";

/// A measurement: its name, the program that makes it (none where it is not there yet), and the packages to build.
const BENCHES: &[(&str, Option<&str>, &[&str])] = &[
    ("failover", Some("hac-lab"), &["hacd", "hacctl", "hac-lab"]),
    ("coldstart", Some("hac-lab"), &["hacd", "hacctl", "hac-lab"]),
    ("idle", Some("hac-lab"), &["hacd", "hacctl", "hac-lab"]),
    ("messaging", Some("hac-lab"), &["hac-lab"]),
    ("detection", None, &[]),
    (SCHEDULER, None, &[]),
];

/// Builds in release and hands over to the program, arguments and all.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let names = BENCHES.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join("|");
    let Some(name) = arguments.first() else {
        bail!("say which one: cargo xtask bench {names}");
    };
    let Some((_, program, packages)) = BENCHES.iter().find(|(known, ..)| known == name) else {
        bail!("there is no bench {name}; there are {names}");
    };
    if *name == SCHEDULER {
        return scheduler::run(project, &arguments[1..]);
    }
    let Some(program) = program else {
        bail!("bench {name} is not there yet");
    };
    let program = project.build(Profile::Release, packages)?.join(program);
    let status = Command::new(&program)
        .arg("bench")
        .args(arguments)
        .current_dir(&project.root)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
