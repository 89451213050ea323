//! `cargo xtask check`: everything that can be judged without running the program. It never writes a source file.

mod links;
mod walls;

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::codemap;
use crate::options::Options;
use crate::project::Project;
use crate::tidy;

/// What a step found.
enum Finding {
    /// Nothing wrong.
    Good,
    /// Not done, and why.
    Skipped(String),
    /// What is wrong, a line each; empty where the tool that ran has said it already.
    Wrong(Vec<String>),
}

impl From<Vec<String>> for Finding {
    fn from(problems: Vec<String>) -> Self {
        if problems.is_empty() { Self::Good } else { Self::Wrong(problems) }
    }
}

/// A step: its name and what it does.
type Step = (&'static str, fn(&Project) -> anyhow::Result<Finding>);

/// The quick ones first.
const STEPS: &[Step] = &[
    ("format", |project| cargo(project, "fmt", &["--all", "--check", "--", "-l"])),
    ("tidy", |project| Ok(tidy::problems(&project.root)?.into())),
    ("manifests and dependency walls", |project| Ok(walls::problems(project)?.into())),
    ("code map", |project| Ok(codemap::problems(&project.root)?.into())),
    ("links in the documents", |project| Ok(links::problems(&project.root)?.into())),
    ("deny.toml", deny),
    ("clippy", |project| {
        let arguments = ["--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
        cargo(project, "clippy", &arguments)
    }),
    ("documentation", |project| {
        let mut command = project.cargo("doc");
        command.args(["--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
        judge(&mut command)
    }),
];

/// Runs all steps, whatever the earlier ones found.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    Options::parse(arguments, &[], &[])?.no_words()?;
    let mut wrong = Vec::new();
    for (name, step) in STEPS {
        println!("check: {name}");
        match step(project).unwrap_or_else(|error| Finding::Wrong(vec![format!("{error:#}")])) {
            Finding::Good => {}
            Finding::Skipped(reason) => println!("  skipped: {reason}"),
            Finding::Wrong(problems) => {
                problems.iter().for_each(|problem| println!("  {problem}"));
                wrong.push(*name);
            }
        }
    }
    if wrong.is_empty() {
        println!("check: all good");
        return Ok(ExitCode::SUCCESS);
    }
    println!("check: not good: {}", wrong.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Runs a cargo subcommand and judges by its exit status.
fn cargo(project: &Project, subcommand: &str, arguments: &[&str]) -> anyhow::Result<Finding> {
    judge(project.cargo(subcommand).args(arguments))
}

/// Runs a command that reports on the terminal itself.
fn judge(command: &mut Command) -> anyhow::Result<Finding> {
    let status = command.status().context("cannot run cargo")?;
    Ok(if status.success() { Finding::Good } else { Finding::Wrong(Vec::new()) })
}

/// Licences, bans, advisories and sources, where cargo-deny is installed; that its rules exist, always.
fn deny(project: &Project) -> anyhow::Result<Finding> {
    if !project.root.join("deny.toml").is_file() {
        return Ok(Finding::Wrong(vec!["deny.toml is missing".to_owned()]));
    }
    if !project.has_cargo_tool("deny") {
        let reason = "cargo-deny is not installed (the walls above ban the other crypto libraries)";
        return Ok(Finding::Skipped(reason.to_owned()));
    }
    let rules = project.cargo("deny").args(["--offline", "check", "bans", "licenses", "sources"]).status()?;
    // New advisories appear without any change of ours, and need the network: they are shown and do not decide.
    project.cargo("deny").args(["check", "advisories"]).status()?;
    Ok(if rules.success() { Finding::Good } else { Finding::Wrong(Vec::new()) })
}
