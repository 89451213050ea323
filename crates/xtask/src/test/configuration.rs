//! `config/hacd.toml` beside the daemon: the file names exactly the keys that the daemon knows.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use anyhow::ensure;

use super::stage::Stage;
use super::tally::Failure;
use crate::project::{Profile, Project};
use crate::tidy;

/// Compares the file with `hacd --print-keys`.
pub(super) fn check(project: &Project, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let hacd = project.binaries(Profile::Dev).join("hacd");
    let output = Command::new(&hacd).arg("--print-keys").stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "hacd --print-keys ended with {}", output.status);
    let text = std::fs::read_to_string(project.root.join("config/hacd.toml"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let (missing, unknown) = compare(&printed, &tidy::config_keys(&text));
    if missing.is_empty() && unknown.is_empty() {
        stage.tally().pass(1);
        return Ok(());
    }
    let text = format!("it does not name {missing:?} and names {unknown:?}, which hacd does not know");
    stage.tally().fail(Failure::new("config/hacd.toml", &text));
    Ok(())
}

/// The keys that only the daemon knows, and those that only the file names.
///
/// The daemon prints a line a key; the key ends at the first tab, tables that repeat carry `[]`, and `table.*` stands for
/// free keys, of which the file has at least one as an example.
fn compare(printed: &str, told: &[String]) -> (Vec<String>, Vec<String>) {
    let told: BTreeSet<String> = told.iter().cloned().collect();
    let lines = printed.lines().filter(|line| !line.starts_with('#'));
    let known: BTreeSet<String> =
        lines.filter_map(|line| line.split('\t').next()).map(|key| key.replace("[]", "")).collect();
    let free = |table: &str| known.contains(&format!("{table}.*"));
    let table = |key: &str| key.rsplit_once('.').map_or(String::new(), |(table, _)| table.to_owned());
    let told_of = |key: &String| match key.strip_suffix(".*") {
        Some(free) => told.iter().any(|key| table(key) == free),
        None => told.contains(key),
    };
    let missing = known.iter().filter(|key| !told_of(key)).cloned().collect();
    let unknown = told.iter().filter(|key| !known.contains(*key) && !free(&table(key))).cloned().collect();
    (missing, unknown)
}

#[cfg(test)]
mod tests {
    use super::compare;

    const PRINTED: &str =
        "#key\taccepts\nquorum.two_node\tyes or no\ntotem.interface[].ringnumber\t0\nproperties.*\ttext\n";

    #[test]
    fn keys_are_compared_both_ways() {
        let told = ["quorum.two_node", "totem.interface.ringnumber", "properties.x"].map(str::to_owned);
        assert_eq!(compare(PRINTED, &told), (vec![], vec![]));
        let (missing, unknown) = compare(PRINTED, &["quorum.two_nodes".to_owned()]);
        assert_eq!(missing, ["properties.*", "quorum.two_node", "totem.interface.ringnumber"]);
        assert_eq!(unknown, ["quorum.two_nodes"]);
    }
}
