//! `cargo xtask fuzz`: runs the fuzz targets of `tests/fuzz` with cargo-fuzz and a nightly toolchain.
//!
//! Inputs that reach new code are gathered below the target folder; `--merge` takes those of them that matter into
//! `tests/fuzz/corpus`, which the ordinary tests replay on any toolchain. Where the tools are missing, that replay is
//! all that is done, and what is skipped is said.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::options::Options;
use crate::project::Project;
use crate::stream;

/// The folder of the targets, and of the inputs that are kept.
const FOLDER: &str = "tests/fuzz";

/// How long each target runs unless told otherwise, seconds.
const SECONDS: u64 = 60;

/// How long a build may take, or a merge.
const LIMIT: Duration = Duration::from_secs(45 * 60);

/// No sanitizer: there is no unsafe code in this workspace that one could judge, and without it twice as many inputs
/// are tried. Debug assertions and overflow checks are on.
const BUILD: &[&str] = &["--sanitizer", "none"];

/// For libFuzzer: an input that takes ten seconds or two GiB is a finding; longer inputs only make it slow.
const LIMITS: &[&str] = &["-timeout=10", "-rss_limit_mb=2048", "-max_len=16384", "-print_final_stats=1"];

/// Packages whose tests replay what is kept.
const REPLAYED_BY: &[&str] = &["hac-node", "hac-pacemaker", "hac-totem", "hacd"];

/// Runs the targets that are named, or all, one after the other.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &["--merge"], &["--seconds"])?;
    let seconds = options.number("--seconds")?.unwrap_or(SECONDS);
    let known = targets(&project.root.join(FOLDER))?;
    let chosen = chosen(&known, &options.words)?;
    if let Some(missing) = missing() {
        println!("skipped: fuzzing of {}: {missing}", chosen.join(", "));
        println!("what is kept of earlier runs is replayed instead");
        return replay(project);
    }
    let mut build = cargo_fuzz(project, "build");
    build.args(BUILD);
    let built = stream::show(&mut build, LIMIT)?;
    ensure!(built.success(), "the targets do not build");
    let mut findings = Vec::new();
    for target in chosen {
        println!("\nfuzz: {target}, {seconds} s");
        if !fuzz(project, target, seconds)? {
            findings.push(target);
        } else if options.has("--merge") {
            merge(project, target)?;
        }
    }
    if findings.is_empty() {
        println!("\nno findings");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nfindings in {}: the inputs are in {FOLDER}/artifacts.", findings.join(", "));
    println!("Put each into {FOLDER}/corpus/TARGET, see the test fail, mend the cause.");
    Ok(ExitCode::FAILURE)
}

/// Names of the targets, in order: each has a file.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let files = folder.join("fuzz_targets");
    let entries = std::fs::read_dir(&files).with_context(|| format!("cannot read {}", files.display()))?;
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    let names = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let mut names: Vec<String> =
        names.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

/// Those that are named, or all.
fn chosen<'a>(known: &'a [String], words: &[String]) -> anyhow::Result<Vec<&'a str>> {
    for word in words {
        ensure!(known.contains(word), "there is no target {word}; there are {}", known.join(", "));
    }
    Ok(known.iter().filter(|name| words.is_empty() || words.contains(name)).map(String::as_str).collect())
}

/// What keeps this machine from fuzzing, with the remedy.
fn missing() -> Option<&'static str> {
    let works = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !works(&["run", "nightly", "rustc", "--version"]) {
        return Some("it needs a nightly toolchain (rustup toolchain install nightly)");
    }
    if !works(&["run", "nightly", "cargo", "fuzz", "--version"]) {
        return Some("it needs cargo-fuzz (cargo install cargo-fuzz)");
    }
    None
}

/// A call of cargo-fuzz with the nightly toolchain.
fn cargo_fuzz(project: &Project, subcommand: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", subcommand]).arg("--fuzz-dir").arg(".");
    // What the outer cargo says of its own toolchain and profile is not for the inner one.
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command.current_dir(project.root.join(FOLDER)).env("CARGO_TARGET_DIR", project.target.join("fuzz"));
    command
}

/// Where the inputs of a target are gathered, and where they are kept.
fn corpora(project: &Project, target: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
    let gathered = project.target.join("fuzz").join("corpus").join(target);
    std::fs::create_dir_all(&gathered).with_context(|| format!("cannot make {}", gathered.display()))?;
    Ok((gathered, project.root.join(FOLDER).join("corpus").join(target)))
}

/// Whether a target found nothing in its time.
fn fuzz(project: &Project, target: &str, seconds: u64) -> anyhow::Result<bool> {
    let (gathered, kept) = corpora(project, target)?;
    let mut command = cargo_fuzz(project, "run");
    command.args(BUILD).arg(target).arg(gathered).arg(kept).arg("--").args(LIMITS);
    command.arg(format!("-max_total_time={seconds}"));
    Ok(stream::show(&mut command, LIMIT + Duration::from_secs(seconds))?.success())
}

/// Keeps those of the gathered inputs that reach code which the kept ones do not reach.
fn merge(project: &Project, target: &str) -> anyhow::Result<()> {
    let (gathered, kept) = corpora(project, target)?;
    let mut command = cargo_fuzz(project, "run");
    command.args(BUILD).arg(target).arg(kept).arg(gathered).args(["--", "-merge=1"]).args(LIMITS);
    let merged = stream::show(&mut command, LIMIT)?;
    ensure!(merged.success(), "the inputs of {target} could not be merged");
    Ok(())
}

/// Replays what is kept, on the toolchain at hand.
fn replay(project: &Project) -> anyhow::Result<ExitCode> {
    let mut command = project.cargo("test");
    command.args(["--locked", "--lib"]);
    command.args(REPLAYED_BY.iter().flat_map(|package| ["--package", package])).arg("fuzzing::");
    let status = stream::show(&mut command, LIMIT)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FOLDER)
    }

    #[test]
    fn every_target_has_inputs_and_a_place_in_the_manifest() {
        let known = targets(&folder()).unwrap();
        assert!(known.iter().any(|name| name == "ring_envelope"));
        let corpora: BTreeSet<String> = std::fs::read_dir(folder().join("corpus"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(known.iter().cloned().collect::<BTreeSet<_>>(), corpora);
        let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        for name in &known {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in the manifest");
        }
    }

    #[test]
    fn a_target_that_does_not_exist_is_refused_with_those_that_do() {
        let known = ["one".to_owned(), "two".to_owned()];
        assert_eq!(chosen(&known, &[]).unwrap(), ["one", "two"]);
        assert_eq!(chosen(&known, &["two".to_owned()]).unwrap(), ["two"]);
        let error = chosen(&known, &["three".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no target three; there are one, two");
    }
}
