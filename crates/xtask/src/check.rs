//! `cargo xtask check`: everything that can be judged without running the program. It never writes a source file.

mod golden;
mod layers;
mod links;
mod named;
mod walls;

use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::codemap;
use crate::options::Options;
use crate::project::Project;
use crate::stream;
use crate::test::{Failure, Tally};
use crate::tidy;

/// How long a step may take that runs cargo.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// What a step found.
enum Finding {
    /// Nothing wrong.
    Good,
    /// Not done, and why.
    Skipped(String),
    /// What is wrong, a line each.
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
    ("layers of the scheduler", |project| Ok(layers::problems(&project.root)?.into())),
    ("code map", |project| Ok(codemap::problems(&project.root)?.into())),
    ("golden files", |project| Ok(golden::problems(&project.root)?.into())),
    ("links in the documents", |project| Ok(links::problems(&project.root)?.into())),
    ("tests that the documents name", |project| Ok(named::problems(&project.root)?.into())),
    ("deny.toml", deny),
    ("clippy", |project| {
        let arguments = ["--quiet", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
        cargo(project, "clippy", &arguments)
    }),
    ("documentation", |project| {
        let mut command = project.cargo("doc");
        command.args(["--quiet", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
        judge(&mut command)
    }),
];

/// Runs all steps.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    Options::parse(arguments, &[], &[])?.no_words()?;
    let tally = all(project);
    println!("check: {}", if tally.good() { "all good" } else { "not good" });
    Ok(if tally.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all steps, whatever the earlier ones found, and counts them.
pub(crate) fn all(project: &Project) -> Tally {
    let mut tally = Tally::default();
    for (name, step) in STEPS {
        println!("check: {name}");
        match step(project).unwrap_or_else(|error| Finding::Wrong(vec![format!("{error:#}")])) {
            Finding::Good => tally.pass(1),
            Finding::Skipped(reason) => {
                println!("  skipped: {reason}");
                tally.skip(1, [format!("check: {name}: {reason}")]);
            }
            Finding::Wrong(problems) => {
                problems.iter().for_each(|problem| println!("  {problem}"));
                println!("  not good: {name}");
                tally.fail(
                    Failure::new(format!("check: {name}"), &problems.join("\n")).with_replay("cargo xtask check"),
                );
            }
        }
    }
    tally
}

/// Runs a cargo subcommand and judges by its exit status.
fn cargo(project: &Project, subcommand: &str, arguments: &[&str]) -> anyhow::Result<Finding> {
    judge(project.cargo(subcommand).args(arguments))
}

/// Runs a command and judges by its exit status; what it says counts only where it is not good.
fn judge(command: &mut Command) -> anyhow::Result<Finding> {
    let mut lines = Vec::new();
    let status = stream::read(command, LIMIT, |line| lines.push(line.to_owned()))?;
    Ok(if status.success() { Finding::Good } else { Finding::Wrong(lines) })
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
    let rules = judge(project.cargo("deny").args(["--offline", "check", "bans", "licenses", "sources"]))?;
    // New advisories appear without any change of ours, and need the network: they are shown and do not decide.
    if let Finding::Wrong(told) = judge(project.cargo("deny").args(["check", "advisories"]))? {
        told.iter().for_each(|line| println!("  advisories: {line}"));
    }
    Ok(rules)
}
