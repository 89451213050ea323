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

/// Writes what a program was made of.
const CYCLONEDX: Tool = Tool { name: "cargo-cyclonedx", version: "0.5.9", arguments: &[] };

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

/// Lists of the crates in each program, as CycloneDX in JSON. None where the tool that writes them cannot be had, which is said.
pub(super) fn materials(project: &Project) -> anyhow::Result<Vec<PathBuf>> {
    let program = match CYCLONEDX.program(project) {
        Ok(program) => program,
        Err(error) => {
            println!("left out: the lists of what the programs are made of ({error:#})");
            return Ok(Vec::new());
        }
    };
    let crates = project.root.join("crates");
    let mut command = Command::new(&program);
    command.args(["cyclonedx", "--format", "json", "--describe", "crate", "--quiet"]).arg("--manifest-path");
    super::output(command.arg(crates.join("hacd/Cargo.toml")))?;
    // The tool writes a list beside every manifest of the workspace; those of the two programs hold all others.
    let mut lists = Vec::new();
    let members = std::fs::read_dir(&crates)?.map(|entry| entry.map(|entry| entry.path()));
    for folder in members.chain([Ok(project.root.join("tests"))]) {
        for path in std::fs::read_dir(folder?)? {
            let path = path?.path();
            let name = super::file_name(&path)?.to_string_lossy().into_owned();
            if ["hacd.cdx.json", "hacctl.cdx.json"].contains(&name.as_str()) {
                let kept = project.target.join("dist/materials").join(&name);
                super::write(&kept, &std::fs::read(&path)?)?;
                lists.push(kept);
            }
            if name.ends_with(".cdx.json") {
                std::fs::remove_file(&path)?;
            }
        }
    }
    lists.sort();
    Ok(lists)
}
