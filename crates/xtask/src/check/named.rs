//! The tests that `docs/testing.md` names for what is promised: a name that no test has any more proves nothing.

use std::collections::BTreeSet;
use std::path::Path;

/// The document.
const DOCUMENT: &str = "docs/testing.md";

/// With fewer of these a name is a word of something else.
const UNDERSCORES: usize = 3;

/// The names that nothing has.
pub(super) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut known = BTreeSet::new();
    for path in crate::tidy::files(root)? {
        match path.extension().and_then(|extension| extension.to_str()) {
            // A scenario is called as its file is.
            Some("txt") => known.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned)),
            Some("rs") => known.extend(names(&std::fs::read_to_string(&path)?).map(str::to_owned)),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(root.join(DOCUMENT))?;
    let missing = named(&text).filter(|(_, name)| !known.contains(*name));
    Ok(missing.map(|(line, name)| format!("{DOCUMENT}:{line}: `{name}`: no test is called so")).collect())
}

/// What functions and texts of a source are called: tests are one or the other.
fn names(source: &str) -> impl Iterator<Item = &str> {
    let functions = source.split("fn ").skip(1).map(|rest| rest.split(|c| !is_of_a_name(c)).next().unwrap_or_default());
    functions.chain(source.split('"').filter(|text| text.chars().all(is_of_a_name)))
}

/// The names of tests in a document, with their lines; the module may stand before a name.
fn named(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let quoted = (1..).zip(text.lines()).flat_map(|(number, line)| {
        line.split('`').skip(1).step_by(2).map(move |words| (number, words.rsplit(' ').next().unwrap_or(words)))
    });
    quoted.filter(|(_, name)| name.chars().all(is_of_a_name) && name.matches('_').count() >= UNDERSCORES)
}

const fn is_of_a_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::{named, names};

    #[test]
    fn what_a_document_names_is_found_and_compared_with_what_there_is() {
        let text = "| this | `lab: a_test_of_something`, `pcmk_host_map`, `cargo x` |\n\n`it_is_not_there_any_more`\n";
        let found: Vec<_> = named(text).collect();
        assert_eq!(found, [(1, "a_test_of_something"), (3, "it_is_not_there_any_more")]);
        let source = "async fn a_test_of_something() {}\nvec![(\"a_host_is_lost\", lost)]";
        let known: Vec<_> = names(source).collect();
        assert!(known.contains(&"a_test_of_something") && known.contains(&"a_host_is_lost"), "{known:?}");
        assert!(!known.contains(&"it_is_not_there_any_more"));
    }
}
