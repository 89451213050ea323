//! `cargo xtask ci`: the checks, then every test, and one report of both, so that its last lines always say what failed.

use std::process::ExitCode;

use crate::options::Options;
use crate::project::Project;
use crate::{check, test};

/// Runs everything, whatever the earlier steps found.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    Options::parse(arguments, &[], &[])?.no_words()?;
    let checked = check::all(project);
    println!();
    test::all(project, false, test::Seeds::Fixed, checked)
}
