//! The layers of the scheduler: which module may use which.
//!
//! The modules stand in one order, so there is no circle among them. A module uses those before it; the types of a
//! layer therefore know nothing of what is decided on top of it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Where they are.
const FOLDER: &str = "crates/scheduler/src";

/// The modules from the lowest to the highest, by layers.
const ORDER: &[(&str, &[&str])] = &[
    (
        "words",
        &[
            "arena",
            "ids",
            "view",
            "drawing",
            "plan",
            "action",
            "conditions",
            "options",
            "index",
            "score",
            "allowed",
            "requests",
            "influence",
            "witness",
            "names",
            "limits",
        ],
    ),
    ("facts", &["reading::fact", "facts", "known", "scores", "configured", "digests", "reading", "lookup"]),
    ("rules", &["rules", "constraints", "viewing", "relations"]),
    ("placement", &["placement", "weigh", "assign"]),
    ("graph", &["graph", "ordering", "notify", "actions", "params", "probes", "remote", "fencing"]),
    ("plan", &["convert", "explain"]),
];

/// What goes against the order.
pub(super) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(FOLDER);
    let mut problems = Vec::new();
    for path in crate::tidy::files(&folder)? {
        let Ok(inside) = path.strip_prefix(&folder) else { continue };
        let shown = inside.display().to_string();
        let Some(name) = shown.strip_suffix(".rs").filter(|name| *name != "lib") else { continue };
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        problems.extend(of_file(name, &text).into_iter().map(|problem| format!("{FOLDER}/{shown}:{problem}")));
    }
    if !folder.join("graph.rs").exists() {
        problems.push(format!("{FOLDER}: the layers are not where this check looks for them"));
    }
    Ok(problems)
}

/// What goes against the order in the file of a module, without `.rs`: the line, and what is wrong there.
fn of_file(name: &str, text: &str) -> Vec<String> {
    let own = if name == "reading/fact" { "reading::fact" } else { name.split('/').next().unwrap_or(name) };
    let Some(own_rank) = rank(own) else {
        return vec![format!("1: the module {own} has no place in the order of layers")];
    };
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut problems = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for used in used(line, !name.contains('/')) {
            if rank(&used).is_some_and(|rank| rank > own_rank) {
                problems.push(format!("{}: {own} is below {used} and may not use it", at + 1));
            }
        }
    }
    problems
}

/// The place of a module in the order.
fn rank(module: &str) -> Option<usize> {
    ORDER.iter().flat_map(|(_, modules)| *modules).position(|other| *other == module)
}

/// The modules at the top that a line names; `super` is the top for a file that is there itself.
fn used(line: &str, at_top: bool) -> Vec<String> {
    let line = line.replace("pub(in crate::", "pub(in ");
    let mut found = Vec::new();
    for root in ["crate::", "super::"].iter().take(1 + usize::from(at_top)) {
        for (at, _) in line.match_indices(root) {
            let rest = &line[at + root.len()..];
            let ident = |text: &str| {
                text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == ':').collect::<String>()
            };
            match rest.strip_prefix('{') {
                Some(list) => {
                    found.extend(list.split(['}', ';']).next().unwrap_or(list).split(',').map(|it| ident(it.trim())))
                }
                None => found.push(ident(rest)),
            }
        }
    }
    let module = |path: String| {
        if path.starts_with("reading::fact::") {
            "reading::fact".into()
        } else {
            path.split("::").next().unwrap_or_default().to_owned()
        }
    };
    found.into_iter().map(module).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_may_not_use_one_above_it() {
        assert_eq!(of_file("facts", "use crate::ids::NodeIdx;\n"), Vec::<String>::new());
        assert_eq!(of_file("facts", "\nuse super::graph::Graph;\n"), ["2: facts is below graph and may not use it"]);
        assert_eq!(
            of_file("assign/sort", "use crate::{ids, graph};\n"),
            ["1: assign is below graph and may not use it"]
        );
    }

    #[test]
    fn super_below_the_top_is_the_module_itself() {
        assert_eq!(of_file("assign/sort", "use super::graph;\n"), Vec::<String>::new());
    }

    #[test]
    fn the_word_for_a_fact_is_below_what_reads_facts() {
        assert_eq!(of_file("known", "use crate::reading::fact::Fact;\n"), Vec::<String>::new());
        assert_eq!(
            of_file("known", "use crate::reading::Reading;\n"),
            ["1: known is below reading and may not use it"]
        );
    }

    #[test]
    fn a_new_module_needs_a_place() {
        assert_eq!(of_file("fresh", ""), ["1: the module fresh has no place in the order of layers"]);
    }
}
