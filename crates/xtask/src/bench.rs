//! `cargo xtask bench`: measurements, each printed as a table by the program that can make it.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use crate::options::Options;
use crate::project::{Profile, Project};

/// A measurement: its name, the program that makes it and the packages that it needs built beside it.
const BENCHES: &[(&str, &str, &[&str])] = &[
    ("failover", "hac-lab", &["hacd", "hacctl", "hac-lab"]),
    ("coldstart", "hac-lab", &["hacd", "hacctl", "hac-lab"]),
    ("idle", "hac-lab", &["hacd", "hacctl", "hac-lab"]),
    ("messaging", "hac-lab", &["hacd", "hacctl", "hac-lab"]),
    ("detection", "hac-sim", &["hac-sim"]),
    ("scheduler", "hac-sim", &["hac-sim", "hacctl"]),
];

/// Builds in release and hands over to the program; its arguments are passed on.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &[], &["--reps", "--seeds"])?;
    let names = BENCHES.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join("|");
    let [name] = options.words.as_slice() else {
        bail!("say which one: cargo xtask bench {names}");
    };
    let Some((_, program, packages)) = BENCHES.iter().find(|(known, ..)| known == name) else {
        bail!("there is no bench {name}; there are {names}");
    };
    let binaries = project.build(Profile::Release, packages)?;
    let program = binaries.join(program);
    if !program.is_file() {
        bail!("bench {name} is not there yet: {} has no program", packages.join(" and "));
    }
    let status = Command::new(&program)
        .arg("bench")
        .args(arguments)
        .current_dir(&project.root)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
