//! The Debian package: programs, unit, pages and completions, and nothing in `/etc/hacd`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::{Contents, copy, file_name, output, tools, write};
use crate::project::Project;

/// Where what of the source tree goes.
const PLACES: &[(&str, &str)] = &[
    ("systemd/hacd.service", "usr/lib/systemd/system/hacd.service"),
    ("config/debian/tmpfiles.conf", "usr/lib/tmpfiles.d/hacd.conf"),
    ("config/debian/logrotate", "etc/logrotate.d/hacd"),
    ("config/debian/needrestart.conf", "etc/needrestart/conf.d/hacd.conf"),
    ("config/hacd.toml", "usr/share/doc/hacd/examples/hacd.toml"),
    ("README.md", "usr/share/doc/hacd/README.md"),
];

/// Where the shells look for completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/hacctl"),
    ("zsh", "usr/share/zsh/vendor-completions/_hacctl"),
    ("fish", "usr/share/fish/vendor_completions.d/hacctl.fish"),
];

/// Lays the tree that cargo-deb is told of in the daemon's manifest, and packs it.
///
/// # Errors
/// cargo-deb cannot be had or refuses the tree.
pub(super) fn pack(project: &Project, contents: &Contents) -> anyhow::Result<PathBuf> {
    let program = tools::DEB.program(project).context("no package without cargo-deb; the tarball above is complete")?;
    // The manifest names this folder, so it is below the source tree wherever cargo builds.
    let tree = project.root.join("target/dist/deb");
    if tree.exists() {
        std::fs::remove_dir_all(&tree)?;
    }
    let root = tree.join("root");
    for name in ["hacd", "hacctl"] {
        copy(&contents.binaries.join(name), &tree.join("sbin").join(name))?;
    }
    for (from, to) in PLACES {
        copy(&contents.sources.folder.join(from), &root.join(to))?;
    }
    let documents = root.join("usr/share/doc/hacd");
    let (docs, config) = (contents.sources.folder.join("docs"), contents.sources.folder.join("config"));
    super::below(&docs, &docs, &documents)?;
    super::below(&config, &config.join("examples"), &documents)?;
    for list in &contents.materials {
        copy(list, &documents.join(file_name(list)?))?;
    }
    for (shell, to) in COMPLETIONS {
        copy(&contents.generated.join("completions").join(shell), &root.join(to))?;
    }
    for page in std::fs::read_dir(contents.generated.join("man"))? {
        let page = page?.path();
        let section = page.extension().context("a page without a section")?.to_string_lossy().into_owned();
        copy(&page, &root.join(format!("usr/share/man/man{section}")).join(file_name(&page)?))?;
    }
    write(&tree.join("changelog"), changelog(contents.sources.epoch)?.as_bytes())?;
    let mut command = Command::new(program);
    command.args(["deb", "--no-build", "--package", "hacd", "--output"]).arg(project.target.join("dist/"));
    command.current_dir(&project.root).env("SOURCE_DATE_EPOCH", contents.sources.epoch.to_string());
    let said = String::from_utf8(output(&mut command)?)?;
    let package = said.lines().map(Path::new).rfind(|path| path.extension().is_some_and(|end| end == "deb"));
    package.map(Path::to_owned).with_context(|| format!("cargo-deb names no package: {}", said.trim()))
}

/// A changelog of Debian's form for the package itself; what changed in hacd stands in `changelog.md`.
fn changelog(epoch: u64) -> anyhow::Result<String> {
    let date = output(Command::new("date").args(["--utc", "-R", "-d", &format!("@{epoch}")]))?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(format!(
        "hacd ({version}-1) stable; urgency=medium\n\n  * What changed: /usr/share/doc/hacd/changelog.md.gz\n\n \
         -- hacd maintainers <maintainers@hacd.dev>  {}",
        String::from_utf8_lossy(&date)
    ))
}
