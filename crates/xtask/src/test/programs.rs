//! The test programs of the workspace: built once, all together, and then run as often as needed.
//!
//! A call of `cargo test` for one package would build its dependencies again, with the features of that package alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::stage::Stage;
use crate::project::{self, Project};

/// A program that tests.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// The package that it belongs to.
    pub(super) package: String,
    /// The folder of that package, in which cargo runs it.
    folder: PathBuf,
    /// The name of what it tests.
    pub(super) target: String,
    /// Whether it tests a library, a program, or from outside.
    pub(super) kind: String,
    executable: PathBuf,
}

/// What cargo says of something that it has built, as far as it is used here.
#[derive(Deserialize)]
struct Built {
    package_id: String,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Program {
    /// A call of it.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder);
        command
    }

    /// What cargo is told to run one of its tests alone.
    pub(super) fn again(&self, test: &str) -> String {
        let select = match self.kind.as_str() {
            "test" | "bin" => format!("--{} {}", self.kind, self.target),
            _ => "--lib".to_owned(),
        };
        format!("cargo test --package {} {select} -- --exact {test}", self.package)
    }
}

/// Builds the programs of the workspace and all its tests; the tests, or nothing if they do not build.
pub(super) fn build(project: &Project, stage: &mut Stage<'_>) -> anyhow::Result<Option<Vec<Program>>> {
    let mut binaries = project.cargo("build");
    binaries.args(["--workspace", "--bins", "--locked"]);
    if !stage.build(&mut binaries, |_| true) {
        return Ok(None);
    }
    let mut tests = project.cargo("test");
    tests.args(["--workspace", "--lib", "--bins", "--tests", "--locked", "--no-run"]);
    tests.args(["--message-format", "json-render-diagnostics"]);
    let packages = project.metadata(false)?.packages;
    let mut programs = Vec::new();
    let built = stage.build(&mut tests, |line| {
        let json = line.starts_with('{');
        if let Some((built, executable)) = built(line)
            && let Some(package) = packages.iter().find(|package| package.id == built.package_id)
        {
            programs.push(Program {
                package: package.name.clone(),
                folder: package.manifest_path.parent().map(Path::to_owned).unwrap_or_default(),
                target: built.target.name,
                kind: built.target.kind.into_iter().next().unwrap_or_default(),
                executable,
            });
        }
        !json
    });
    programs.sort_by(|a, b| (&a.package, &a.kind, &a.target).cmp(&(&b.package, &b.kind, &b.target)));
    Ok(built.then_some(programs))
}

/// Builds the daemon once more, with the level that tests have, and puts it where the tests of two releases look for it.
pub(super) fn build_next_release(project: &Project, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut build = project.cargo("build");
    build.args(["--locked", "--package", "hacd", "--bin", "hacd-level2", "--features", "level2"]);
    if stage.build(&mut build, |_| true) {
        let folder = project.binaries(project::Profile::Dev).join("level2");
        std::fs::create_dir_all(&folder)?;
        std::fs::rename(project.binaries(project::Profile::Dev).join("hacd-level2"), folder.join("hacd"))?;
    }
    Ok(())
}

/// What a line of cargo says of a test program.
fn built(line: &str) -> Option<(Built, PathBuf)> {
    let mut built: Built = serde_json::from_str(line).ok()?;
    let executable = built.executable.take().filter(|_| built.profile.test)?;
    Some((built, executable))
}

#[cfg(test)]
mod tests {
    use super::built;

    #[test]
    fn test_programs_are_told_from_what_else_is_built() {
        let line = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"p","manifest_path":"/x","target":{{"kind":["lib"],
                "name":"n","src_path":"/y"}},"profile":{{"opt_level":"0","test":{test}}},"executable":{executable}}}"#
            )
        };
        let (it, executable) = built(&line(true, r#""/target/n-1""#)).unwrap();
        assert_eq!((it.package_id.as_str(), it.target.name.as_str()), ("p", "n"));
        assert_eq!(executable.to_str(), Some("/target/n-1"));
        assert!(built(&line(false, r#""/target/n""#)).is_none());
        assert!(built(&line(true, "null")).is_none());
        assert!(built(r#"{"reason":"build-finished","success":true}"#).is_none());
        assert!(built("   Compiling x").is_none());
    }
}
