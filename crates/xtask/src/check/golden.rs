//! What was released stays readable: every file under `tests/golden` is listed with its SHA-256 in `MANIFEST`.
//!
//! A file that changes is a broken promise to those who run the release that wrote it. A new file gets a new line; a line
//! changes only while no release has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use ring::digest::{SHA256, digest};

/// Where they are.
const FOLDER: &str = "tests/golden";
/// The list in it: a sum, two blanks and a path a line.
const MANIFEST: &str = "MANIFEST";

/// What stands against the list.
pub(super) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(FOLDER);
    let path = folder.join(MANIFEST);
    let list = fs::read_to_string(&path).with_context(|| format!("{FOLDER}/{MANIFEST} is missing"))?;
    let listed: BTreeMap<&str, &str> =
        list.lines().filter_map(|line| line.split_once("  ")).map(|(sum, path)| (path, sum)).collect();
    let mut there = BTreeMap::new();
    sums(&folder, "", &mut there)?;
    Ok(compare(&listed, &there))
}

fn compare(listed: &BTreeMap<&str, &str>, there: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, sum) in there {
        match listed.get(path.as_str()) {
            None => problems.push(format!("{FOLDER}/{MANIFEST} lacks the line: {sum}  {path}")),
            Some(old) if old != sum => problems.push(format!(
                "{FOLDER}/{path} has changed: every later release must read what a release wrote. Take the change back, and \
                 make a new level for what is new"
            )),
            Some(_) => {}
        }
    }
    let gone = listed.keys().filter(|path| !there.contains_key(**path));
    problems.extend(gone.map(|path| format!("{FOLDER}/{path} is gone, and {MANIFEST} lists it")));
    if there.is_empty() {
        problems.push(format!("{FOLDER} is empty"));
    }
    problems
}

/// The sums of all files in a folder, by their paths below [`FOLDER`].
fn sums(folder: &Path, above: &str, there: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            sums(&entry.path(), &format!("{name}/"), there)?;
        } else if name != MANIFEST {
            let sum = digest(&SHA256, &fs::read(entry.path())?);
            there.insert(name, sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_gone_or_is_not_listed_is_a_problem() {
        let listed = BTreeMap::from([("a", "1"), ("b", "2"), ("c", "3")]);
        let there = |files: &[(&str, &str)]| files.iter().map(|(p, s)| ((*p).to_owned(), (*s).to_owned())).collect();
        assert!(compare(&listed, &there(&[("a", "1"), ("b", "2"), ("c", "3")])).is_empty());
        let problems = compare(&listed, &there(&[("a", "1"), ("b", "9"), ("d", "4")]));
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].contains("b has changed") && problems[1].contains("4  d") && problems[2].contains("c is gone")
        );
        assert!(!compare(&BTreeMap::new(), &BTreeMap::new()).is_empty(), "a check of nothing is no check");
    }
}
