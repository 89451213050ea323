//! What is wrong with the configuration: file, line, key and remedy in one line.

use std::fmt;
use std::path::PathBuf;

pub(crate) use hac_model::nearest;

/// One thing that is wrong. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Mistake {
    /// In which file.
    pub(crate) file: PathBuf,
    /// On which line, from 1; none where it is about the file as a whole.
    pub(crate) line: Option<usize>,
    /// The key with its table, or empty.
    pub(crate) key: String,
    /// What is wrong and what would be right.
    pub(crate) what: String,
    /// Not the text alone decides: it may pass without anybody's doing, so it is worth another try.
    pub(crate) may_pass: bool,
}

/// The mistake that decides: the first that does not pass by itself, else the first.
pub(crate) fn decisive(mistakes: &[Mistake]) -> Option<&Mistake> {
    mistakes.iter().find(|mistake| !mistake.may_pass).or_else(|| mistakes.first())
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        // What stands in the file may contain anything; a message stays on its line.
        let what: String = self.what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, " {what}")
    }
}
