//! The key file, and beside it the next key while the cluster changes to it.
//!
//! `authkey` is replaced all at once: whatever happens, a whole key is there. `authkey.next` is sealed under the key in
//! `authkey`; if that was replaced meanwhile, by the daemon or by a person, it opens nothing and is removed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hac_totem::AuthKey;

use super::words;
use crate::calls;

/// Largest sealed key, bytes: the largest key with salt and tag.
const SEALED_MAX: u64 = 4096 + 64;

/// Where the keys are.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The key file at `path`; if that is a link, what it leads to.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) }
    }

    /// What was kept as the next key, if anything.
    ///
    /// # Errors
    /// In words; it may be there.
    pub(crate) fn next(&self) -> Result<Option<Vec<u8>>, String> {
        let path = self.beside("next");
        let mut sealed = Vec::new();
        let open = calls::open_regular(&path, File::options().read(true));
        let read = open.and_then(|file| file.take(SEALED_MAX).read_to_end(&mut sealed));
        match read {
            Ok(_) => Ok(Some(sealed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {}", path.display(), words(&error))),
        }
    }

    /// Keeps the next key; durable when this returns.
    ///
    /// # Errors
    /// In words, with the file. What was kept before is still there.
    pub(crate) fn stage(&self, sealed: &[u8]) -> Result<(), String> {
        self.replace(&self.beside("next"), sealed)
    }

    /// Replaces the key, then removes the next one; durable when this returns.
    ///
    /// # Errors
    /// In words, with the file. The key before is still there.
    pub(crate) fn commit(&self, key: &AuthKey) -> Result<(), String> {
        self.replace(&self.path, key.bytes())?;
        self.discard()
    }

    /// Removes the next key, if there is one.
    ///
    /// # Errors
    /// In words, with the file.
    pub(crate) fn discard(&self) -> Result<(), String> {
        let path = self.beside("next");
        let removed = calls::remove(&path).and_then(|()| calls::sync_folder(self.folder()));
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{}: {}", path.display(), words(&error)))
            }
            _ => Ok(()),
        }
    }

    /// Writes beside the target, readable by its owner alone, and puts it in its place.
    fn replace(&self, target: &Path, content: &[u8]) -> Result<(), String> {
        let fresh = self.beside("new");
        let write = || {
            // One may be left of a daemon that died here; it may have had another mode.
            if let Err(error) = calls::remove(&fresh)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut options = File::options();
            options.write(true).create_new(true).mode(0o600);
            let mut file = calls::open(&fresh, &mut options)?;
            calls::write_all(&mut file, content)?;
            calls::sync(&file)?;
            calls::rename(&fresh, target)?;
            calls::sync_folder(self.folder())
        };
        write().map_err(|error| {
            let _ = calls::remove(&fresh);
            format!("{}: {}", target.display(), words(&error))
        })
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut name = OsString::from(self.path.file_name().unwrap_or_default());
        name.push(".");
        name.push(end);
        self.path.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::TempDir;

    fn key(byte: u8) -> AuthKey {
        AuthKey::new(vec![byte; 128]).expect("128 bytes are a key")
    }

    fn place() -> (TempDir, KeyFile) {
        let dir = TempDir::new();
        fs::write(dir.path().join("authkey"), key(1).bytes()).expect("writes");
        let file = KeyFile::new(&dir.path().join("authkey"));
        (dir, file)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    #[test]
    fn the_next_key_is_kept_then_takes_the_place_of_the_key() {
        let (dir, file) = place();
        assert_eq!(file.next(), Ok(None));
        file.stage(b"sealed").expect("keeps it");
        assert_eq!(file.next(), Ok(Some(b"sealed".to_vec())));
        assert_eq!(mode(&dir.path().join("authkey.next")), 0o600);
        file.commit(&key(2)).expect("replaces it");
        assert_eq!(fs::read(dir.path().join("authkey")).expect("reads"), key(2).bytes());
        assert_eq!(mode(&dir.path().join("authkey")), 0o600);
        let names: Vec<_> = fs::read_dir(dir.path()).expect("lists").map(|e| e.expect("is one").file_name()).collect();
        assert_eq!(names, ["authkey"], "nothing is left over");
    }

    #[test]
    fn a_link_to_the_key_stays_one() {
        let (dir, _) = place();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("authkey"), &link).expect("links");
        KeyFile::new(&link).commit(&key(3)).expect("replaces it");
        assert!(fs::symlink_metadata(&link).expect("is there").is_symlink());
        assert_eq!(fs::read(&link).expect("reads"), key(3).bytes());
    }

    #[test]
    fn what_a_daemon_left_that_died_while_writing_is_in_nobodys_way() {
        let (dir, file) = place();
        fs::write(dir.path().join("authkey.new"), b"half").expect("writes");
        file.stage(b"sealed").expect("keeps it");
        assert_eq!(file.next(), Ok(Some(b"sealed".to_vec())));
        assert!(!dir.path().join("authkey.new").exists());
    }

    #[test]
    fn a_key_that_cannot_be_written_is_named_and_the_one_before_stays() {
        let (dir, file) = place();
        fs::create_dir(dir.path().join("authkey.next")).expect("makes a folder in the way");
        let error = file.stage(b"sealed").expect_err("is refused");
        assert!(error.contains("authkey.next"), "{error}");
        assert_eq!(fs::read(dir.path().join("authkey")).expect("reads"), key(1).bytes());
        assert!(!dir.path().join("authkey.new").exists());
    }

    #[test]
    fn removing_what_is_not_there_is_no_error() {
        let (_dir, file) = place();
        assert_eq!(file.discard(), Ok(()));
    }
}
