//! Files `NNNNNNNN.jsonl` in a folder, the newest with the highest number: how the journal and earlier states are kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Highest number of a file: a cursor of the journal has half of its bits for it. What has a higher one is left alone.
pub(crate) const LAST: u64 = u32::MAX as u64;

/// Where the file with this number is.
pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.jsonl"))
}

/// The files by their numbers, with their lengths, the oldest first; none where there is no folder.
///
/// # Errors
/// The folder or a file in it cannot be looked at.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number <= LAST) {
            all.push((number, entry.metadata()?.len()));
        }
    }
    all.sort_unstable();
    Ok(all)
}
