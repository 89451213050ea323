//! The folder with the names.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::NAMES;

/// Why the names are not there.
#[derive(Debug)]
pub enum NotInstalled {
    /// A program of that name is there, which is not ours.
    Taken(PathBuf),
    /// A file cannot be made.
    Io(PathBuf, io::Error),
}

/// Makes links of all names to `program` in `folder`, which is made if it is not there. What is there under these names
/// and is no link to `program` stays, and then none is made.
///
/// # Errors
/// See [`NotInstalled`].
pub fn install(folder: &Path, program: &Path) -> Result<(), NotInstalled> {
    install_names(folder, program, NAMES)
}

/// The same for names that the caller chooses.
///
/// # Errors
/// See [`NotInstalled`].
pub fn install_names(folder: &Path, program: &Path, names: &[&str]) -> Result<(), NotInstalled> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| NotInstalled::Io(path, error)
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut missing = Vec::new();
    for name in names {
        let path = folder.join(name);
        match fs::read_link(&path) {
            // It is never away for a moment: agents of a daemon that runs may be calling it.
            Ok(target) if target == program => continue,
            Ok(target) if is_ours(&target, program) => {}
            Ok(_) => return Err(NotInstalled::Taken(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // It is no link.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(NotInstalled::Taken(path)),
            Err(error) => return Err(NotInstalled::Io(path, error)),
        }
        missing.push(path);
    }
    for path in missing {
        // Another version of the program may have made it.
        let _ = fs::remove_file(&path);
        symlink(program, &path).map_err(failed(&path))?;
    }
    Ok(())
}

/// Whether a link leads to this program, wherever it was when the link was made.
fn is_ours(target: &Path, program: &Path) -> bool {
    target == program || target.file_name() == program.file_name()
}

/// Makes links to what is in `others` under names that are not there: agents look for programs of all kinds where they
/// are told that Pacemaker's are. What cannot be linked is not there, as before. Where all was linked after the last change of
/// `others`, nothing is done: a daemon that starts has no time for some hundred links that are there.
pub fn link_others(folder: &Path, others: &Path) {
    let linked = folder.join(LINKED);
    if is_younger(&linked, others) {
        return;
    }
    for entry in fs::read_dir(others).into_iter().flatten().flatten() {
        // What is there already stays.
        let _ = symlink(entry.path(), folder.join(entry.file_name()));
    }
    // Without it all is done once more at the next start.
    let _ = fs::remove_file(&linked);
    let _ = symlink(others, &linked);
}

/// Name of the link that is made when all others are there: its age tells when that was.
const LINKED: &str = ".linked";

/// What changed so shortly before may have come when the folder was already read.
const MARGIN: Duration = Duration::from_secs(1);

/// Whether this link leads to `folder`, and was made after the last change there.
fn is_younger(link: &Path, folder: &Path) -> bool {
    let leads = fs::read_link(link).is_ok_and(|target| target == folder);
    let age = |metadata: io::Result<fs::Metadata>| metadata.and_then(|metadata| metadata.modified()).ok();
    let ages = age(fs::symlink_metadata(link)).zip(age(fs::metadata(folder)));
    leads && ages.is_some_and(|(made, changed)| made.duration_since(changed).is_ok_and(|since| since >= MARGIN))
}
