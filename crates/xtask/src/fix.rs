//! `cargo xtask fix`: the writing counterpart of `check`.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::codemap;
use crate::options::Options;
use crate::project::Project;

/// Applies clippy's machine-applicable suggestions, formats, and writes the code map.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    Options::parse(arguments, &[], &[])?.no_words()?;
    let mut clippy = project.cargo("clippy");
    clippy.args(["--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"]);
    let mut fmt = project.cargo("fmt");
    fmt.arg("--all");
    for mut command in [clippy, fmt] {
        if !command.status().context("cannot run cargo")?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    codemap::write(&project.root)?;
    Ok(ExitCode::SUCCESS)
}
