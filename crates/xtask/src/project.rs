//! Where the project lies on this machine, and how cargo is called for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// The workspace that this tool belongs to.
pub(crate) struct Project {
    /// The folder of the workspace manifest.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
}

/// What `cargo metadata` says, as far as it is used here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// All packages: the members alone, or everything when dependencies are resolved.
    pub(crate) packages: Vec<Package>,
    /// Where cargo puts what it builds.
    pub(crate) target_directory: PathBuf,
    /// The resolved dependency graph, when it was asked for.
    pub(crate) resolve: Option<Resolve>,
}

/// A package of the graph.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) id: String,
    pub(crate) license: Option<String>,
    /// `None` where the package comes from a folder, that is from this workspace.
    pub(crate) source: Option<String>,
    /// An empty list where publishing is forbidden.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: std::collections::BTreeMap<String, Vec<String>>,
    pub(crate) manifest_path: PathBuf,
}

/// A dependency as a manifest states it.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// The platform or configuration that it is for; `None` for all.
    pub(crate) target: Option<String>,
    /// Features that it asks for.
    pub(crate) features: Vec<String>,
}

/// The resolved dependency graph.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package and what it was resolved to depend on.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<NodeDependency>,
}

/// An edge of the resolved graph.
#[derive(Debug, Deserialize)]
pub(crate) struct NodeDependency {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<DependencyKind>,
}

/// Why an edge is in the graph.
#[derive(Debug, Deserialize)]
pub(crate) struct DependencyKind {
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Project {
    /// Finds the workspace from the folder of this package.
    ///
    /// # Errors
    /// It is not run by cargo, or cargo cannot read the workspace.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR").context("this tool is run by cargo: cargo xtask COMMAND")?;
        let root = Path::new(&own).ancestors().nth(2).context("the workspace has no folder")?;
        let mut project = Self { root: root.to_owned(), target: PathBuf::new() };
        project.target = project.metadata(false)?.target_directory;
        Ok(project)
    }

    /// A call of cargo in the workspace, free of what the outer cargo told this tool about itself (some build scripts
    /// would otherwise run again and again).
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let own = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME"];
            if own.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.root).arg(subcommand);
        command
    }

    /// Whether `cargo SUBCOMMAND --version` works, that is whether an optional cargo tool is installed.
    pub(crate) fn has_cargo_tool(&self, subcommand: &str) -> bool {
        let mut command = self.cargo(subcommand);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// What cargo knows of the packages; `resolved` adds the dependencies and the graph.
    ///
    /// # Errors
    /// cargo fails, or speaks another format.
    pub(crate) fn metadata(&self, resolved: bool) -> anyhow::Result<Metadata> {
        let mut command = self.cargo("metadata");
        command.args(["--format-version", "1", "--locked"]);
        if !resolved {
            command.arg("--no-deps");
        }
        let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo metadata failed");
        serde_json::from_slice(&output.stdout).context("cargo metadata has an unknown format")
    }

    /// Builds binaries and gives the folder they are in.
    ///
    /// # Errors
    /// They do not build.
    pub(crate) fn build(&self, profile: Profile, packages: &[&str]) -> anyhow::Result<PathBuf> {
        let mut command = self.cargo("build");
        command.args(["--locked", "--bins"]);
        for package in packages {
            command.args(["--package", package]);
        }
        command.args(["--profile", profile.name()]);
        let status = command.status().context("cannot run cargo")?;
        ensure!(status.success(), "the build of {} failed", packages.join(", "));
        Ok(self.binaries(profile))
    }

    /// The folder of the binaries of a profile.
    pub(crate) fn binaries(&self, profile: Profile) -> PathBuf {
        self.target.join(match profile {
            Profile::Dev => "debug",
            Profile::Seeds | Profile::Release => profile.name(),
        })
    }
}

/// How something is built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// With assertions and overflow checks: what the tests use.
    Dev,
    /// As `Dev`, and optimised: for the simulator, which otherwise takes most of the time of all tests.
    Seeds,
    /// What is shipped and measured.
    Release,
}

impl Profile {
    /// What cargo calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Seeds => "seeds",
            Self::Release => "release",
        }
    }
}
