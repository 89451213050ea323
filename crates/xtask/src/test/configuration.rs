//! `config/hacd.toml` beside the daemon: the file names exactly the keys that the daemon knows.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use super::tally::Tally;
use crate::project::{Profile, Project};
use crate::tidy;

/// Compares the file with `hacd --print-keys`.
pub(super) fn check(project: &Project, tally: &mut Tally) -> anyhow::Result<()> {
    println!("\ntest: configuration keys");
    let hacd = project.binaries(Profile::Dev).join("hacd");
    let output = Command::new(&hacd).arg("--print-keys").stdin(Stdio::null()).output()?;
    if !output.status.success() {
        tally.skip("configuration keys: hacd has no --print-keys");
        return Ok(());
    }
    let text = std::fs::read_to_string(project.root.join("config/hacd.toml"))?;
    let told: BTreeSet<String> = tidy::config_keys(&text).into_iter().collect();
    let printed = String::from_utf8_lossy(&output.stdout);
    let known: BTreeSet<String> =
        printed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    let missing: Vec<&String> = known.difference(&told).collect();
    let unknown: Vec<&String> = told.difference(&known).collect();
    if missing.is_empty() && unknown.is_empty() {
        tally.pass();
        return Ok(());
    }
    tally.fail(&format!(
        "configuration keys: config/hacd.toml does not name {missing:?} and names {unknown:?}, which hacd does not know"
    ));
    Ok(())
}
