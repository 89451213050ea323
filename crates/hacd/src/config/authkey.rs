//! The cluster's key: a regular file that nobody else can read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hac_totem::AuthKey;
use zeroize::Zeroizing;

use super::Checker;
use super::mistake::Mistake;
use super::read::Section;
use crate::files::at_once;
use crate::storage::words;

/// Where the key is unless the file says otherwise: beside the configuration.
const NAME: &str = "authkey";
/// Largest key, bytes.
const MAX: u64 = 4096;
/// Smallest key, bytes.
const MIN: usize = 32;

impl Checker<'_> {
    /// The key and where it is, or `None` with a mistake about the key file.
    pub(super) fn authkey(&mut self, totem: &Section) -> Option<(AuthKey, PathBuf)> {
        let beside = self.file.with_file_name(NAME);
        let path: PathBuf = totem.text("authkey").map_or(beside, Into::into);
        match read(&path) {
            Ok(key) => Some((key, path)),
            Err(what) => {
                // Another file than the one that is checked, which may come later.
                self.mistakes.push(Mistake { file: path, line: None, key: String::new(), what, may_pass: true });
                None
            }
        }
    }
}

/// Reads a key file, or says what is wrong with it.
fn read(path: &Path) -> Result<AuthKey, String> {
    let make = "make one with \"hacctl keygen\" on one node and copy it to the others";
    let mut file = match at_once(path, File::options().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(format!("no authkey: {make}")),
        Err(error) => return Err(unreadable(&error)),
    };
    let about = file.metadata().map_err(|error| unreadable(&error))?;
    if !about.is_file() {
        return Err(format!("authkey is not a regular file: {make}"));
    }
    if about.mode() & 0o077 != 0 {
        let mode = about.mode() & 0o777;
        return Err(format!("authkey is open to others (mode {mode:03o}): chmod 400 {}", path.display()));
    }
    let user = rustix::process::geteuid().as_raw();
    if about.uid() != 0 && about.uid() != user {
        return Err(format!("authkey belongs to user {}: chown root: {}", about.uid(), path.display()));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MIN));
    file.by_ref().take(MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() < MIN {
        return Err(format!("authkey is too short: {} bytes, it must have 32 to 4096; {make}", bytes.len()));
    }
    let key = AuthKey::new(std::mem::take(&mut *bytes));
    key.map_err(|_| format!("authkey is too long: it must have 32 to 4096 bytes; {make}"))
}

fn unreadable(error: &std::io::Error) -> String {
    format!("authkey cannot be read: {}", words(error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::{TempDir, fifo};

    fn key(dir: &TempDir, bytes: usize, mode: u32) -> Result<AuthKey, String> {
        let path = dir.path().join("authkey");
        std::fs::write(&path, vec![7; bytes]).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("sets the mode");
        let result = read(&path);
        std::fs::remove_file(&path).expect("removes");
        result
    }

    #[test]
    fn a_key_is_a_private_regular_file_of_32_to_4096_bytes() {
        let dir = TempDir::new();
        assert!(key(&dir, 32, 0o400).is_ok() && key(&dir, 4096, 0o600).is_ok());
        for (bytes, mode, part) in [
            (31, 0o400, "too short: 31 bytes"),
            (4097, 0o400, "too long"),
            (128, 0o440, "chmod 400"),
            (128, 0o644, "mode 644"),
        ] {
            let error = key(&dir, bytes, mode).expect_err("refused");
            assert!(error.contains(part), "{error}");
        }
        assert!(read(&dir.path().join("none")).expect_err("refused").contains("hacctl keygen"));
        assert!(read(dir.path()).expect_err("refused").contains("not a regular file"));
        let hung = dir.path().join("fifo");
        fifo(&hung);
        assert!(read(&hung).expect_err("refused").contains("not a regular file"));
    }
}
