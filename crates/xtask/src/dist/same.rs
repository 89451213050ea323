//! Whether two tarballs have the same bytes, and if not, which of their files differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::tidy;

/// A tarball that was packed: its sum, and that of each file of the tree beside it that it was made of.
pub(super) struct Packed {
    sum: String,
    files: BTreeMap<String, String>,
}

impl Packed {
    /// Looks at a tarball `NAME.tar.gz`, beside which the folder `NAME` lies.
    pub(super) fn look(tarball: &Path) -> anyhow::Result<Self> {
        let name = tarball.to_str().and_then(|name| name.strip_suffix(".tar.gz"));
        let tree = Path::new(name.with_context(|| format!("{} is no tarball", tarball.display()))?);
        let mut files = BTreeMap::new();
        for file in tidy::files(tree)? {
            let place = file.strip_prefix(tree)?.display().to_string();
            files.insert(place, sum(&file)?);
        }
        Ok(Self { sum: sum(tarball)?, files })
    }

    /// The SHA-256 of the tarball.
    pub(super) fn sum(&self) -> &str {
        &self.sum
    }

    /// # Errors
    /// They are not the same: the files that differ.
    pub(super) fn is(&self, other: &Self) -> anyhow::Result<()> {
        let places: BTreeSet<&String> = self.files.keys().chain(other.files.keys()).collect();
        let differ = places.into_iter().filter_map(|place| match (self.files.get(place), other.files.get(place)) {
            (Some(one), Some(two)) => (one != two).then(|| format!("{place} is not the same")),
            (Some(_), None) => Some(format!("{place} is in the first alone")),
            (None, _) => Some(format!("{place} is in the second alone")),
        });
        let differ: Vec<String> = differ.collect();
        ensure!(differ.is_empty(), "{}", differ.join("; "));
        if self.sum != other.sum {
            bail!("the files are the same, but not their names, rights or times: {} and {}", self.sum, other.sum);
        }
        Ok(())
    }
}

/// The SHA-256 of a file.
fn sum(file: &Path) -> anyhow::Result<String> {
    let said = super::output(Command::new("sha256sum").arg(file))?;
    match String::from_utf8_lossy(&said).split_whitespace().next() {
        Some(sum) => Ok(sum.to_owned()),
        None => bail!("sha256sum said nothing of {}", file.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::Packed;

    fn packed(sum: &str, files: &[(&str, &str)]) -> Packed {
        let files = files.iter().map(|(place, sum)| ((*place).to_owned(), (*sum).to_owned())).collect();
        Packed { sum: sum.to_owned(), files }
    }

    #[test]
    fn each_file_that_differs_is_named() {
        let first = packed("1", &[("a", "x"), ("docs/b", "x"), ("sbin/hacd", "x")]);
        let second = packed("2", &[("a", "x"), ("docs/c", "x"), ("sbin/hacd", "y")]);
        let said = first.is(&second).expect_err("they differ").to_string();
        assert_eq!(said, "docs/b is in the first alone; docs/c is in the second alone; sbin/hacd is not the same");
        first.is(&first).expect("is the same as itself");
        let said = first.is(&packed("2", &[("a", "x"), ("docs/b", "x"), ("sbin/hacd", "x")])).expect_err("another sum");
        assert!(said.to_string().contains("names, rights or times: 1 and 2"), "{said}");
    }
}
