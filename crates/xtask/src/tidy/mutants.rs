//! Deliberate bugs stay in the simulator: no other manifest names the feature that makes them possible, and those in the
//! source are those in the simulator's list.

use std::collections::BTreeSet;
use std::path::Path;

/// The only manifests that may name the feature: where it is, and who may switch it on.
const ALLOWED: &[&str] = &["crates/sim/Cargo.toml", "crates/types/Cargo.toml"];

/// Where the list is.
const LIST: &str = "crates/sim/src/mutants.rs";

/// Looks at all manifests and all sources, those of this program aside.
pub(super) fn problems(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut planted = BTreeSet::new();
    for path in super::files(root)? {
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if shown.ends_with("Cargo.toml") && !ALLOWED.contains(&shown.as_str()) && text.contains("mutants") {
            problems.push(format!("{shown}: names the feature `mutants`, which belongs to the simulator alone"));
        }
        let source = shown.starts_with("crates/") && !shown.starts_with("crates/xtask/") && shown != LIST;
        if source && shown.ends_with(".rs") {
            planted
                .extend(text.split("mutant(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    let list = std::fs::read_to_string(root.join(LIST)).unwrap_or_default();
    let kinds = ["    ring(\"", "    cluster(\"", "    fencing(\"", "    watchdog(\"", "    model(\""];
    let entries = kinds.iter().flat_map(|kind| list.split(kind).skip(1));
    let listed: BTreeSet<String> = entries.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    for name in planted.symmetric_difference(&listed) {
        problems.push(format!("{LIST}: the deliberate bug {name} is in the list or in the source, not in both"));
    }
    Ok(())
}
