//! `cargo xtask fix`: the writing counterpart of `check`.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::codemap;
use crate::options::Options;
use crate::project::Project;

/// Writes the code map, applies clippy's machine-applicable suggestions, and formats.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &["--map"], &[])?;
    options.no_words()?;
    codemap::write(&project.root)?;
    if options.has("--map") {
        return Ok(ExitCode::SUCCESS);
    }
    let mut clippy = project.cargo("clippy");
    clippy.args(["--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"]);
    let mut fmt = project.cargo("fmt");
    fmt.arg("--all");
    for mut command in [clippy, fmt] {
        if !command.status().context("cannot run cargo")?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
