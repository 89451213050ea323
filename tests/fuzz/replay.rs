//! Runs a fuzz target over the inputs that are kept for it, on any toolchain. Each crate with targets includes this
//! file in its tests.

use std::fs;
use std::path::{Path, PathBuf};

/// Gives every file of `tests/fuzz/corpus/TARGET` to `run`, which panics on a finding; the output names the file.
pub(super) fn replay(target: &str, run: fn(&[u8])) {
    for (file, input) in kept(target) {
        eprintln!("{target}: {}", file.display());
        run(&input);
    }
}

/// What is kept for a target, by file.
pub(super) fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no inputs are kept for {target}");
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}
