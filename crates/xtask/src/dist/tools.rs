//! Tools of the field that a release needs: taken where they are installed, else installed once below the target folder.

use std::path::PathBuf;
use std::process::Command;

use crate::project::Project;

/// A program of cargo's that this project does not build.
pub(super) struct Tool {
    /// The package and the program.
    name: &'static str,
    /// The release that is installed where there is none.
    version: &'static str,
    /// What else cargo is told for it.
    arguments: &'static [&'static str],
}

/// Packs a tree for Debian.
pub(super) const DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0", arguments: &["--no-default-features"] };

impl Tool {
    /// The program, if it is to be had.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn program(&self, project: &Project) -> anyhow::Result<PathBuf> {
        let tools = project.target.join("tools");
        let program = tools.join("bin").join(self.name);
        if program.exists() {
            return Ok(program);
        }
        if Command::new(self.name).arg("--version").output().is_ok_and(|output| output.status.success()) {
            return Ok(PathBuf::from(self.name));
        }
        println!("installing {} {} below the target folder, once", self.name, self.version);
        let mut command = project.cargo("install");
        command.args([self.name, "--version", self.version, "--locked", "--quiet"]).args(self.arguments);
        let status = command.arg("--root").arg(&tools).status()?;
        anyhow::ensure!(status.success() && program.exists(), "{} {} cannot be installed", self.name, self.version);
        Ok(program)
    }
}
