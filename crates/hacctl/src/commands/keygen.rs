//! `hacctl keygen`: the key that the nodes share.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use hac_api::ErrorCode;

use crate::args::Keygen;
use crate::failure::Failure;
use crate::terminal;

/// Where hacd's configuration is.
const FOLDER: &str = "/etc/hacd";

/// Writes a new key, readable by its owner alone.
pub(crate) fn run(keygen: &Keygen, json: bool) -> Result<ExitCode, Failure> {
    let file = &keygen.file;
    if file.exists() && !keygen.force {
        return Err(Failure::new(ErrorCode::Exists, format!("{} exists already; it was not touched", file.display()))
            .with_remedy("Copy that key to the other nodes, or overwrite it with --force (then copy the new one)."));
    }
    let key =
        random(usize::from(keygen.size)).map_err(|error| Failure::system("could not get random bytes", &error))?;
    write(file, &key).map_err(|error| {
        Failure { exit_code: 73, ..Failure::system(&format!("could not write {}", file.display()), &error) }
            .with_remedy("Run hacctl as root, or name a file in a folder that exists with -k FILE.")
    })?;
    if json {
        terminal::print_json(&serde_json::json!({ "file": file, "bytes": keygen.size }))?;
    } else {
        let name = file.display();
        terminal::print(&format!(
            "Wrote {} random bytes to {name} (mode 0400).\nCopy it to the same place on every other node: scp -p {name} NODE:{name}\n",
            keygen.size,
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Bytes of the system's generator.
pub(super) fn random(size: usize) -> io::Result<Vec<u8>> {
    let mut key = vec![0; size];
    fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

/// Writes beside the target and renames, so that a key is never half there.
fn write(file: &Path, key: &[u8]) -> io::Result<()> {
    // hacd's own folder is made; a folder that somebody named and that is not there is most likely a slip.
    if let Some(folder) = file.parent().filter(|folder| *folder == Path::new(FOLDER)) {
        fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension("new");
    let written = (|| {
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&fresh)?;
        out.write_all(key)?;
        out.sync_all()?;
        fs::rename(&fresh, file)
    })();
    if written.is_err() {
        // The error that is reported is the first one.
        let _ = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("hacctl-keygen-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the test");
        folder
    }

    #[test]
    fn a_key_is_private_and_of_the_size_asked_for() {
        let folder = folder("size");
        let file = folder.join("authkey");
        run(&Keygen { file: file.clone(), size: 256, force: false }, true).expect("written");
        let meta = fs::metadata(&file).expect("there");
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (256, 0o400));
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn folders_that_are_not_there_are_not_made() {
        let folder = folder("missing");
        let file = folder.join("slip/authkey");
        let failure = run(&Keygen { file, size: 256, force: false }, true).expect_err("refused");
        assert_eq!(failure.exit_code, 73);
        assert!(!folder.join("slip").exists());
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_key_is_not_overwritten_unless_forced() {
        let folder = folder("force");
        let file = folder.join("authkey");
        fs::write(&file, "old").expect("written");
        let failure = run(&Keygen { file: file.clone(), size: 128, force: false }, true).expect_err("refused");
        assert_eq!(failure.exit_code, 108);
        assert_eq!(fs::read(&file).expect("there"), b"old");
        run(&Keygen { file: file.clone(), size: 128, force: true }, true).expect("forced");
        assert_eq!(fs::read(&file).expect("there").len(), 128);
        fs::remove_dir_all(folder).expect("removed");
    }
}
