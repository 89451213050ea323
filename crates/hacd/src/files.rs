//! Opening files at which the daemon must not get stuck: a FIFO that nobody writes to would hang, a device might never end.
//! A file server that is dead hangs all the same; see [`Beginning`](crate::beginning::Beginning).

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file as `options` say if it is a regular one.
///
/// # Errors
/// It cannot be opened, or is something else.
pub(crate) fn regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let other = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
    // Opening it may do something already: rewind a tape, or find nobody at the other end.
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(other());
    }
    let file = at_once(path, options)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(other()) }
}

/// Opens a file of any kind without waiting for somebody at the other end. What is then done with a FIFO or a device does
/// not wait either, and fails with [`io::ErrorKind::WouldBlock`].
///
/// # Errors
/// It cannot be opened.
pub(crate) fn at_once(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// The content of a regular file, up to `limit` bytes.
///
/// # Errors
/// It cannot be read, is no regular file, or is longer.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = regular(path, OpenOptions::new().read(true))?;
    let size = file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(size).is_ok_and(|size| size > limit) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// The same, as a text.
///
/// # Errors
/// As [`read`], or it is no UTF-8.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let bytes = read(path, limit)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TempDir, fifo};

    #[test]
    fn only_regular_files_of_a_sane_length_are_read() {
        let dir = TempDir::new();
        let file = dir.path().join("file");
        std::fs::write(&file, "1234").expect("writes");
        assert_eq!(read_text(&file, 4).expect("reads"), "1234");
        assert_eq!(read(&file, 3).expect_err("too long").kind(), io::ErrorKind::InvalidData);
        std::fs::write(&file, [0xff]).expect("writes");
        assert!(read_text(&file, 4).is_err());
        let hung = dir.path().join("fifo");
        fifo(&hung);
        for path in [hung.as_path(), dir.path(), Path::new("/dev/zero"), Path::new("/dev/full")] {
            assert!(read(path, 4).is_err(), "{}", path.display());
            assert!(regular(path, OpenOptions::new().read(true).write(true)).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn a_fifo_without_a_reader_is_not_waited_for() {
        let dir = TempDir::new();
        let hung = dir.path().join("fifo");
        fifo(&hung);
        assert!(at_once(&hung, OpenOptions::new().append(true)).is_err());
    }
}
