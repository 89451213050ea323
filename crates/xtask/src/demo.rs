//! `cargo xtask demo`: builds the daemon, the client and the lab, and hands over to the lab.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::options::Options;
use crate::project::{Profile, Project};

/// Builds in release and runs `hac-lab demo`.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &["--keep"], &[])?;
    options.no_words()?;
    println!("Building hacd, hacctl and the lab (release; a few minutes the first time) ...");
    let binaries = project.build(Profile::Release, &["hacd", "hacctl", "hac-lab"])?;
    let mut lab = std::process::Command::new(binaries.join("hac-lab"));
    lab.arg("demo").args(arguments).current_dir(&project.root);
    let status = lab.status().context("cannot run hac-lab")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
