//! Rules of style that a machine can check, each with the reason why it exists.

mod config;
mod mutants;
mod sources;
mod words;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Folders that are not the project's own text.
const SKIPPED: &[&str] = &[".git", ".lab", "target"];

/// Everything that breaks a rule, a line each: `path:line: what`.
pub(crate) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for path in files(root)? {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        sources::paths(&shown, &text, &mut problems);
        words::words(&shown, &text, &mut problems);
        if shown.ends_with(".rs") {
            sources::source(&shown, &text, &mut problems);
        }
    }
    for needed in NEEDED {
        if !root.join(needed).exists() {
            problems.push(format!("{needed} is missing"));
        }
    }
    config::problems(root, &mut problems)?;
    mutants::problems(root, &mut problems)?;
    Ok(problems)
}

/// The names of all options of a `hacd.toml`, set or commented out.
pub(crate) fn config_keys(text: &str) -> Vec<String> {
    config::keys(text).into_iter().map(|key| key.name).collect()
}

/// What must be in the project.
const NEEDED: &[&str] = &[
    ".ci/run",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "config/hacd.toml",
    "deny.toml",
    "docs/architecture.md",
    "docs/changelog.md",
    "docs/configuration.md",
    "docs/glossary.md",
    "docs/operations.md",
    "docs/protocol.md",
    "docs/scheduler.md",
    "docs/testing.md",
    "systemd/hacd.service",
];

/// All files of the project, sorted.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
