//! Dead links in the documents: files that are not there, headings that nobody wrote, paths in backquotes.

use std::collections::BTreeSet;
use std::path::Path;

/// The relative links of `README.md` and `docs/` that lead nowhere.
pub(super) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for path in crate::tidy::files(root)? {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        for (line, target) in links(&text) {
            if let Some(reason) = dead(&path, &text, target)? {
                problems.push(format!("{shown}:{line}: {target}: {reason}"));
            }
        }
        let named = paths(&text).filter(|(_, path)| !root.join(path).exists());
        problems.extend(named.map(|(line, path)| format!("{shown}:{line}: `{path}`: no such file")));
    }
    Ok(problems)
}

/// Why a link leads nowhere; `None` for one that is good or leads out of the project.
fn dead(from: &Path, text: &str, target: &str) -> anyhow::Result<Option<&'static str>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let there = from.parent().unwrap_or(from).join(file);
    if !file.is_empty() && !there.exists() {
        return Ok(Some("no such file"));
    }
    if anchor.is_empty() || !(file.is_empty() || file.ends_with(".md")) {
        return Ok(None);
    }
    let known = if file.is_empty() { anchors(text) } else { anchors(&std::fs::read_to_string(there)?) };
    Ok((!known.contains(anchor)).then_some("no such heading"))
}

/// The lines outside of fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// The targets of inline links, with the lines that they are on.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            found.push((number, rest[..end].split_whitespace().next().unwrap_or("")));
            rest = &rest[end..];
        }
    }
    found
}

/// The folders that a path in backquotes may begin with to be taken for one of this project.
const FOLDERS: &[&str] = &["config/", "crates/", "docs/", "systemd/", "tests/"];

/// Paths of this project that stand in backquotes, with the lines that they are on.
fn paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let quoted =
        prose(text).flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |path| (number, path)));
    quoted.filter(|(_, path)| {
        FOLDERS.iter().any(|folder| path.starts_with(folder)) && !path.contains(['*', '{', ' ', '<'])
    })
}

/// The anchors of the headings: lower case, spaces as dashes, punctuation dropped.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|(_, line)| line.strip_prefix('#'));
    headings
        .map(|heading| {
            let title = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{anchors, dead, links, paths};

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "see [a](x.md) and [b](y.md#two)\n```\n[c](no.md)\n```\n";
        assert_eq!(links(text), [(1, "x.md"), (1, "y.md#two")]);
    }

    #[test]
    fn paths_in_backquotes_are_found() {
        let text = "see `crates/a.rs`, `cargo x` and `docs/*.md`\n";
        assert_eq!(paths(text).collect::<Vec<_>>(), [(1, "crates/a.rs")]);
    }

    #[test]
    fn headings_become_anchors() {
        let found = anchors("# One, two: `three`\n## 4. Five-six\n");
        assert!(found.contains("one-two-three"), "{found:?}");
        assert!(found.contains("4-five-six"), "{found:?}");
    }

    #[test]
    fn a_dead_link_is_told_from_a_good_one() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let text = "# Here\n";
        let judge = |target| dead(&here, text, target).unwrap();
        assert_eq!(judge("Cargo.toml"), None);
        assert_eq!(judge("#here"), None);
        assert_eq!(judge("https://example.org/x"), None);
        assert_eq!(judge("nothing.md"), Some("no such file"));
        assert_eq!(judge("#there"), Some("no such heading"));
    }
}
