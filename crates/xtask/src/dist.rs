//! `cargo xtask dist`: a release tarball in the target folder, and with `--deb` a Debian package.

mod deb;
mod fixed;
mod materials;
mod pages;
mod same;
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

use crate::options::Options;
use crate::project::{Profile, Project};
use crate::tidy;

/// The shells that completions are asked for.
const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// Builds in release and packs what an administrator needs. With `--deb` a Debian package is made too, with `--static` a tarball of
/// programs that need no library of the host; `--verify` builds and packs everything twice and compares. `--dev` packs what the
/// tests have built instead of a release, for the test of the package itself.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &["--deb", "--dev", "--static", "--verify"], &[])?;
    options.no_words()?;
    let profile = if options.has("--dev") { Profile::Dev } else { Profile::Release };
    let mut kinds = vec![Kind::Dynamic];
    if options.has("--static") {
        match fixed::missing(project) {
            None => kinds.push(Kind::Static),
            Some(reason) => anyhow::bail!("no static programs: {reason}"),
        }
    }
    // What is packed is one state of the sources, though somebody may go on working while programs are built.
    let sources = Sources::read(project)?;
    for kind in kinds {
        let contents = Contents::build(project, &sources, profile, kind, "build")?;
        let packed = tarball(project, &contents)?;
        println!("{}", packed.display());
        if options.has("--verify") {
            let first = same::Packed::look(&packed)?;
            let again = Contents::build(project, &sources, profile, kind, "build-again")?;
            let second = same::Packed::look(&tarball(project, &again)?)?;
            first.is(&second).with_context(|| format!("two builds of {} differ", packed.display()))?;
            println!("{}  both builds", first.sum());
        }
        if kind == Kind::Dynamic && options.has("--deb") {
            println!("{}", deb::pack(project, &contents)?.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The Debian package of what the tests have built.
///
/// # Errors
/// Why it cannot be made here.
pub(crate) fn for_tests(project: &Project) -> anyhow::Result<PathBuf> {
    let sources = Sources::read(project)?;
    deb::pack(project, &Contents::build(project, &sources, Profile::Dev, Kind::Dynamic, "build")?)
}

/// What is packed as it is in the source tree. It is copied aside once, and all packages are made from the copy.
#[derive(Clone)]
struct Sources {
    /// Documents, examples and units at their places below the root of the source tree.
    folder: PathBuf,
    /// Seconds since 1970 of the commit: the time of everything in the packages.
    epoch: u64,
}

impl Sources {
    fn read(project: &Project) -> anyhow::Result<Self> {
        let epoch = epoch(project)?;
        let folder = project.target.join("dist/sources");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        for name in ["config", "docs", "systemd"] {
            below(&project.root, &project.root.join(name), &folder)?;
        }
        for file in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
            copy(&project.root.join(file), &folder.join(file))?;
        }
        Ok(Self { folder, epoch })
    }
}

/// What programs need of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its C library.
    Dynamic,
    /// Its kernel.
    Static,
}

/// What both forms of a release hold.
struct Contents {
    /// The folder of the two programs.
    binaries: PathBuf,
    /// The folder of manual pages and completions: `man/*` and `completions/SHELL`.
    generated: PathBuf,
    /// The lists of what the programs were made of.
    materials: Vec<PathBuf>,
    /// What is packed as it is in the source tree.
    sources: Sources,
    /// What the programs need.
    kind: Kind,
}

impl Contents {
    /// Builds the programs and has them say what a packager needs. What is shipped is built below the folder `place`, with
    /// nothing of this machine in it.
    fn build(project: &Project, sources: &Sources, profile: Profile, kind: Kind, place: &str) -> anyhow::Result<Self> {
        let binaries = match (profile, kind) {
            (Profile::Dev, Kind::Dynamic) => project.build(profile, &["hacd", "hacctl"])?,
            _ => fixed::build(project, profile, kind, place, sources.epoch)?,
        };
        released(&binaries)?;
        let generated = project.target.join("dist/generated");
        if generated.exists() {
            std::fs::remove_dir_all(&generated)?;
        }
        let man = generated.join("man");
        std::fs::create_dir_all(&man)?;
        let hacctl = binaries.join("hacctl");
        output(Command::new(&hacctl).arg("man").arg(&man))?;
        pages::write(&binaries.join("hacd"), &man)?;
        for shell in SHELLS {
            let script = output(Command::new(&hacctl).args(["completion", shell]))?;
            write(&generated.join("completions").join(shell), &script)?;
        }
        let mut materials = Vec::new();
        for program in ["hacd", "hacctl"] {
            let (name, text) = materials::of(project, program, sources.epoch)?;
            let path = project.target.join("dist/materials").join(name);
            write(&path, text.as_bytes())?;
            materials.push(path);
        }
        Ok(Self { binaries, generated, materials, sources: sources.clone(), kind })
    }
}

/// Packs programs, pages, documents and the unit; the same contents give the same bytes.
fn tarball(project: &Project, contents: &Contents) -> anyhow::Result<PathBuf> {
    let kind = if contents.kind == Kind::Static { "-musl" } else { "" };
    let name = format!("hacd-{}-{}-linux{kind}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let dist = project.target.join("dist");
    let tree = dist.join(&name);
    if tree.exists() {
        std::fs::remove_dir_all(&tree)?;
    }
    for program in ["hacd", "hacctl"] {
        copy(&contents.binaries.join(program), &tree.join("sbin").join(program))?;
    }
    below(&contents.sources.folder, &contents.sources.folder, &tree)?;
    below(&contents.generated, &contents.generated, &tree)?;
    for list in &contents.materials {
        copy(list, &tree.join("docs").join(file_name(list)?))?;
    }
    let tarball = dist.join(format!("{name}.tar.gz"));
    let packed = Command::new("tar")
        .args([
            "--create",
            "--use-compress-program=gzip -n",
            "--sort=name",
            "--mode=go=rX,u+rw,a-s",
            "--format=gnu",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
        ])
        .arg(format!("--mtime=@{}", contents.sources.epoch))
        .arg("--file")
        .arg(&tarball)
        .arg("--directory")
        .arg(&dist)
        .arg(&name)
        .status()
        .context("cannot run tar")?;
    ensure!(packed.success(), "tar failed");
    Ok(tarball)
}

/// The daemon says of itself that it is this release, and not one that only tests have.
fn released(binaries: &Path) -> anyhow::Result<()> {
    let said = output(Command::new(binaries.join("hacd")).arg("--version"))?;
    let (said, expected) = (String::from_utf8_lossy(&said), concat!("hacd ", env!("CARGO_PKG_VERSION")));
    ensure!(said.trim_end() == expected, "the daemon says that it is {said:?}, not {expected:?}");
    Ok(())
}

/// When the commit was made that is packed; where there is no repository, what `SOURCE_DATE_EPOCH` says.
fn epoch(project: &Project) -> anyhow::Result<u64> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return given.trim().parse().context("SOURCE_DATE_EPOCH is seconds since 1970");
    }
    let said = output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(&project.root))
        .context("set SOURCE_DATE_EPOCH where there is no git repository")?;
    String::from_utf8_lossy(&said).trim().parse().context("git gave no time of the commit")
}

/// A time in seconds since 1970 as `2026-01-04T10:00:00Z`.
fn timestamp(epoch: u64) -> anyhow::Result<String> {
    let said = output(Command::new("date").args(["--utc", "+%Y-%m-%dT%H:%M:%SZ", "-d", &format!("@{epoch}")]))?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// What a command prints.
///
/// # Errors
/// It cannot be run, fails, or prints its errors instead.
fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", said.trim());
    Ok(output.stdout)
}

/// Copies all files of `folder` to the same places below `to` that they have below `root`.
fn below(root: &Path, folder: &Path, to: &Path) -> anyhow::Result<()> {
    for path in tidy::files(folder)? {
        copy(&path, &to.join(path.strip_prefix(root)?))?;
    }
    Ok(())
}

/// Copies a file and makes the folders above it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().context("a file without a folder")?;
    std::fs::create_dir_all(folder)?;
    std::fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Writes a file and makes the folders above it.
fn write(to: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    std::fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

/// The last part of a path.
fn file_name(path: &Path) -> anyhow::Result<&std::ffi::OsStr> {
    path.file_name().with_context(|| format!("{} names no file", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The tarball of made-up programs, packed below a folder of its own, with files of these rights.
    fn packed(place: &str, daemon: &str, mode: u32) -> (PathBuf, PathBuf) {
        let folder = std::env::temp_dir().join(format!("hacd-dist-{place}-{}", std::process::id()));
        let binaries = folder.join("made");
        for (name, text) in [("hacd", daemon), ("hacctl", "a client")] {
            write(&binaries.join(name), text.as_bytes()).expect("is written");
            std::fs::set_permissions(binaries.join(name), std::fs::Permissions::from_mode(mode)).expect("has rights");
        }
        write(&folder.join("generated/man/hacd.8"), b"a page").expect("is written");
        let found = Project::find().expect("is a workspace");
        let project = Project { root: found.root, target: folder.clone() };
        let sources = Sources { epoch: 1_700_000_000, ..Sources::read(&project).expect("can be read") };
        // What is changed after it was read is not packed.
        let moved = Project { root: folder.join("moved"), target: project.target };
        let generated = folder.join("generated");
        let contents = Contents { binaries, generated, materials: Vec::new(), sources, kind: Kind::Dynamic };
        (tarball(&moved, &contents).expect("is packed"), folder)
    }

    #[test]
    fn two_packings_have_the_same_bytes() {
        let (first, one) = packed("one", "a daemon", 0o755);
        // Later, elsewhere, and with the rights that another person's files have.
        let (second, other) = packed("other", "a daemon", 0o775);
        let length = first.metadata().expect("is there").len();
        let looked = |tarball: &Path| same::Packed::look(tarball).expect("can be looked at");
        let compared = looked(&first).is(&looked(&second));
        std::fs::remove_dir_all(one).expect("can be removed");
        std::fs::remove_dir_all(other).expect("can be removed");
        assert!(length > 10_000, "{length} bytes");
        compared.expect("are the same");
    }

    #[test]
    fn of_two_packings_that_differ_the_files_are_named() {
        let (first, one) = packed("first", "a daemon", 0o755);
        let before = same::Packed::look(&first).expect("can be looked at");
        let (second, other) = packed("second", "another daemon", 0o755);
        let after = same::Packed::look(&second).expect("can be looked at");
        std::fs::remove_dir_all(one).expect("can be removed");
        std::fs::remove_dir_all(other).expect("can be removed");
        let said = format!("{:#}", before.is(&after).expect_err("they differ"));
        assert_eq!(said, "sbin/hacd is not the same");
    }
}
