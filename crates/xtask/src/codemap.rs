//! The code map in `docs/architecture.md`: a line for each module, taken from the head of its file.
//!
//! `cargo xtask fix` writes it, `cargo xtask check` finds it out of date.

use std::path::Path;

use anyhow::Context as _;

const DOCUMENT: &str = "docs/architecture.md";
const BEGIN: &str = "<!-- code map: written by `cargo xtask fix` from the heads of the files -->\n";
const END: &str = "<!-- end of the code map -->\n";

/// Says if the map is missing or out of date.
pub(crate) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let path = root.join(DOCUMENT);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path)?;
    let current = replaced(&text, &render(root)?)?;
    Ok(if current == text {
        Vec::new()
    } else {
        vec![format!("{DOCUMENT}: the code map is old: cargo xtask fix --map")]
    })
}

/// Brings the map up to date.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let path = root.join(DOCUMENT);
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(path, replaced(&text, &render(root)?)?)?;
    Ok(())
}

/// The document with another map in it.
fn replaced(text: &str, map: &str) -> anyhow::Result<String> {
    let broken = || format!("{DOCUMENT} has lost the marks of its code map");
    let (before, rest) = text.split_once(BEGIN).with_context(broken)?;
    let (_, after) = rest.split_once(END).with_context(broken)?;
    Ok(format!("{before}{BEGIN}\n{map}\n{END}{after}"))
}

/// A section for each crate, a row for each of its modules.
fn render(root: &Path) -> anyhow::Result<String> {
    let mut crates = Vec::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        crates.push(entry?.file_name().to_string_lossy().into_owned());
    }
    crates.sort();
    let mut map = Vec::new();
    for name in crates {
        let source = root.join("crates").join(&name).join("src");
        let mut rows = Vec::new();
        for entry in std::fs::read_dir(&source).with_context(|| format!("crates/{name} has no src"))? {
            let path = entry?.path();
            let Some(file) = path.file_name().and_then(|file| file.to_str()) else { continue };
            if path.extension().is_some_and(|extension| extension == "rs") && file != "tests.rs" {
                rows.push((file.to_owned(), subject(&std::fs::read_to_string(&path)?)));
            }
        }
        // The root of the crate first: it says what the crate is.
        rows.sort_by_key(|(file, _)| (!matches!(file.as_str(), "lib.rs" | "main.rs"), file.clone()));
        let rows: Vec<String> = rows.iter().map(|(file, subject)| format!("| `{file}` | {subject} |\n")).collect();
        map.push(format!("### `crates/{name}`\n\n| file | subject |\n|---|---|\n{}", rows.concat()));
    }
    Ok(map.join("\n"))
}

/// The first sentence of a head, on one line and fit for a table.
fn subject(text: &str) -> String {
    let head: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .map(|line| line.trim_start_matches("//!").trim())
        .collect();
    let paragraph: Vec<&str> = head.split(|line| line.is_empty()).next().unwrap_or_default().to_vec();
    let paragraph = paragraph.join(" ");
    let sentence = paragraph.split_once(". ").map_or(paragraph.as_str(), |(first, _)| first);
    sentence.trim_end_matches(['.', ':']).replace('|', "\\|").replace("[`", "`").replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replaced, subject};

    #[test]
    fn the_subject_is_the_first_sentence() {
        assert_eq!(subject("//! One, two\n//! and | three. Four.\n//!\n//! Five.\n"), "One, two and \\| three");
        assert_eq!(subject("//! All of [`it`]:\n//!\n//! x\n"), "All of `it`");
    }

    #[test]
    fn only_the_map_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(replaced(&text, "new\n").unwrap(), format!("a\n{BEGIN}\nnew\n\n{END}b\n"));
        assert!(replaced("a\n", "new\n").is_err());
    }
}
