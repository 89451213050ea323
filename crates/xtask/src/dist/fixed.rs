//! Programs with nothing of the machine in them that built them, and, as static ones, nothing of the host that runs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::Kind;
use crate::project::{Profile, Project};

/// How functions are named: as in `.cargo/config.toml`, whose flags do not count where others are given (decision 55).
const NAMES: &str = "-Csymbol-mangling-version=v0";

/// What static programs are built for.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// The compiler for the C in them.
const COMPILER: &str = "musl-gcc";

/// Why no static programs can be built here, and what to do; nothing if they can.
pub(super) fn missing(project: &Project) -> Option<String> {
    if std::env::consts::ARCH != "x86_64" {
        return Some(format!("they are built for {TARGET} alone, and this is {}", std::env::consts::ARCH));
    }
    let asked = Command::new("rustc").args(["--print", "sysroot"]).current_dir(&project.root).output();
    let sysroot = asked.ok().map(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    if !sysroot.is_some_and(|root| root.join("lib/rustlib").join(TARGET).is_dir()) {
        return Some(format!("the target {TARGET} is not installed; 'rustup target add {TARGET}' gets it"));
    }
    if Command::new(COMPILER).arg("--version").output().is_err() {
        return Some(format!("there is no {COMPILER} for the C in ring; on Debian 'apt install musl-tools' gets it"));
    }
    None
}

/// Builds the two programs in a folder of their own, and gives the folder that they are in.
pub(super) fn build(
    project: &Project,
    profile: Profile,
    kind: Kind,
    place: &str,
    epoch: u64,
) -> anyhow::Result<PathBuf> {
    let target = project.target.join("dist").join(place);
    let mut command = project.cargo("build");
    command.args(["--locked", "--bins", "--package", "hacd", "--package", "hacctl", "--profile", profile.name()]);
    command.arg("--target-dir").arg(&target);
    if kind == Kind::Static {
        command.args(["--target", TARGET]);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(project, &target)?).env("SOURCE_DATE_EPOCH", epoch.to_string());
    command.env("CARGO_INCREMENTAL", "0");
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "the build of the programs failed");
    let target = if kind == Kind::Static { target.join(TARGET) } else { target };
    let binaries = target.join(if matches!(profile, Profile::Dev) { "debug" } else { profile.name() });
    if kind == Kind::Static {
        for program in ["hacd", "hacctl"] {
            let bytes = std::fs::read(binaries.join(program))?;
            ensure!(interpreter(&bytes) == Some(false), "{program} is not static");
        }
    }
    Ok(binaries)
}

/// Flags that leave no path of this machine in what is built, as cargo takes them.
fn flags(project: &Project, target: &Path) -> anyhow::Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    // The last one that fits counts: the folder of what is built lies below that of the sources.
    let pairs = [(home.as_path(), "/cargo"), (project.root.as_path(), "/hacd"), (target, "/target")];
    let pairs = pairs.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    Ok([&[NAMES.to_owned()], &pairs[..]].concat().join("\u{1f}"))
}

/// Whether a program names another one that has to load it; nothing if it is no program of 64 bits.
fn interpreter(bytes: &[u8]) -> Option<bool> {
    /// The kind of a header that names the loader.
    const PT_INTERP: u32 = 3;
    if bytes.get(..5)? != b"\x7fELF\x02" {
        return None;
    }
    let number = |at: usize, length: usize| -> Option<usize> {
        let mut word = [0; 8];
        word.get_mut(..length)?.copy_from_slice(bytes.get(at..at.checked_add(length)?)?);
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    let (begin, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for header in 0..count {
        let at = begin.checked_add(size.checked_mul(header)?)?;
        if number(at, 4)? == usize::try_from(PT_INTERP).ok()? {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_need_a_loader_are_told_from_those_that_do_not() {
        let own = std::fs::read("/proc/self/exe").expect("can be read");
        assert_eq!(interpreter(&own), Some(true), "this test is dynamic");
        assert_eq!(interpreter(b"#!/bin/sh"), None);
        let mut header = vec![0; 64];
        header[..5].copy_from_slice(b"\x7fELF\x02");
        assert_eq!(interpreter(&header), Some(false));
    }

    #[test]
    fn the_machine_is_mapped_away() {
        let project = Project::find().expect("is a workspace");
        let flags = flags(&project, &project.target.join("dist/build")).expect("are known");
        let last = flags.split('\u{1f}').next_back().expect("some");
        assert!(last.ends_with("dist/build=/target"), "{flags}");
        assert!(flags.contains(&format!("{}=/hacd", project.root.display())), "{flags}");
    }

    #[test]
    fn functions_are_named_as_in_every_other_build() {
        let project = Project::find().expect("is a workspace");
        let config = std::fs::read_to_string(project.root.join(".cargo/config.toml")).expect("can be read");
        assert!(config.contains(&format!("rustflags = [\"{NAMES}\"]")), "{config}");
        assert!(flags(&project, &project.target).expect("are known").starts_with(NAMES));
    }
}
