//! The file that keeps everything that the tests print: the terminal shows counts and failures alone.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Its name in the folder of what cargo builds.
const NAME: &str = "xtask-test.log";

/// The file of this run.
pub(super) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// An empty one, in place of the last run's.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line. A disk that is full costs the log and not the tests.
    pub(super) fn line(&mut self, line: &str) {
        let _ = writeln!(self.file, "{line}");
    }
}
