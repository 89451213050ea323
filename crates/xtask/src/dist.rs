//! `cargo xtask dist`: a release tarball in the target folder.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

use crate::options::Options;
use crate::project::{Profile, Project};
use crate::tidy;

/// The shells that completions are asked for.
const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// Builds in release and packs what an administrator needs.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    Options::parse(arguments, &[], &[])?.no_words()?;
    let binaries = project.build(Profile::Release, &["hacd", "hacctl"])?;
    released(&binaries)?;
    let name = format!("hacd-{}-{}-linux", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let dist = project.target.join("dist");
    let tree = dist.join(&name);
    if tree.exists() {
        std::fs::remove_dir_all(&tree)?;
    }
    copy(&binaries.join("hacd"), &tree.join("sbin/hacd"))?;
    copy(&binaries.join("hacctl"), &tree.join("sbin/hacctl"))?;
    for folder in ["config", "docs", "systemd"] {
        for path in tidy::files(&project.root.join(folder))? {
            copy(&path, &tree.join(path.strip_prefix(&project.root)?))?;
        }
    }
    for file in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&project.root.join(file), &tree.join(file))?;
    }
    for shell in SHELLS {
        generated(&binaries, &["completion", shell], &tree.join("completions").join(shell))?;
    }
    generated(&binaries, &["man"], &tree.join("man/hacctl.8"))?;
    let tarball = dist.join(format!("{name}.tar.gz"));
    let packed = Command::new("tar")
        .args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .arg("--file")
        .arg(&tarball)
        .arg("--directory")
        .arg(&dist)
        .arg(&name)
        .status()
        .context("cannot run tar")?;
    ensure!(packed.success(), "tar failed");
    println!("{}", tarball.display());
    Ok(ExitCode::SUCCESS)
}

/// The daemon says of itself that it is this release, and not one that only tests have.
fn released(binaries: &Path) -> anyhow::Result<()> {
    let output = Command::new(binaries.join("hacd")).arg("--version").output()?;
    let (said, expected) = (String::from_utf8_lossy(&output.stdout), concat!("hacd ", env!("CARGO_PKG_VERSION")));
    ensure!(said.trim_end() == expected, "the daemon says that it is {said:?}, not {expected:?}");
    Ok(())
}

/// Copies a file and makes the folders above it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().context("a file without a folder")?;
    std::fs::create_dir_all(folder)?;
    std::fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Stores what `hacctl` generates for a packager, or says that it does not offer it.
fn generated(binaries: &Path, arguments: &[&str], to: &Path) -> anyhow::Result<()> {
    let output = Command::new(binaries.join("hacctl")).args(arguments).output()?;
    if !output.status.success() || output.stdout.is_empty() {
        println!("left out: hacctl does not offer `{}`", arguments.join(" "));
        return Ok(());
    }
    std::fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    std::fs::write(to, output.stdout)?;
    Ok(())
}
