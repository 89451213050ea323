//! Generations of the configuration.
//!
//! `cib.N.prepared` is durable but does not count; a rename makes it `cib.N`, which does. The newest few are kept.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::digest::{Context, Digest, SHA256};

use super::{StorageError, at, set_aside, sync_directory, words};

/// How many committed generations are kept.
const KEPT: usize = 5;
/// Largest generation that is read, bytes: far above what a cluster can have.
const MAX: u64 = 256 << 20;
/// Bytes in front of the content: magic (8), number (8), length (8), checksum (32).
const HEADER: usize = 56;
const MAGIC: &[u8; 8] = b"HACDCIB1";

/// The generations in a directory.
#[derive(Debug)]
pub(crate) struct Generations {
    directory: PathBuf,
}

/// What was found at the start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Newest {
    /// Content of the newest intact committed generation.
    pub(super) content: Option<Vec<u8>>,
    /// Highest number of any generation, intact or not.
    pub(super) highest: u64,
}

impl Generations {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Reads the newest intact generation, sets damaged ones that are newer aside and removes what was only prepared.
    pub(super) fn newest(&mut self, wall_secs: i64, remarks: &mut Vec<String>) -> Result<Newest, StorageError> {
        let mut found = Newest::default();
        let mut committed = Vec::new();
        for (number, name, kind) in self.list().map_err(at(&self.directory))? {
            found.highest = found.highest.max(number);
            match kind {
                Kind::Committed => committed.push(number),
                Kind::Unfinished => fs::remove_file(self.directory.join(&name)).map_err(at(&self.directory))?,
                Kind::SetAside => {}
            }
        }
        committed.sort_unstable();
        for number in committed.into_iter().rev() {
            let path = self.committed(number);
            match read(&path, number) {
                Ok(content) => {
                    found.content = Some(content);
                    break;
                }
                Err(why) => set_aside(&path, wall_secs, &why, remarks)?,
            }
        }
        Ok(found)
    }

    /// Writes a generation so that it is durable, without making it count.
    ///
    /// # Errors
    /// In words, such as `no space left on device`. Nothing is left behind.
    pub(crate) fn prepare(&self, number: u64, content: &[u8]) -> Result<(), String> {
        let unfinished = self.directory.join(format!("cib.{number}.tmp"));
        let result = write(&unfinished, number, content)
            .and_then(|()| fs::rename(&unfinished, self.prepared(number)))
            .and_then(|()| sync_directory(&self.directory));
        if result.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        result.map_err(|error| words(&error))
    }

    /// Makes a prepared generation the newest one and removes the oldest ones.
    ///
    /// # Errors
    /// In words. The generation before still counts.
    pub(crate) fn commit(&self, number: u64) -> Result<(), String> {
        fs::rename(self.prepared(number), self.committed(number))
            .and_then(|()| sync_directory(&self.directory))
            .map_err(|error| words(&error))?;
        let mut numbers: Vec<u64> = self
            .list()
            .map_err(|error| words(&error))?
            .into_iter()
            .filter_map(|(number, _, kind)| (kind == Kind::Committed).then_some(number))
            .collect();
        numbers.sort_unstable();
        for number in numbers.iter().rev().skip(KEPT) {
            // One too many does no harm; the next commit tries again.
            let _ = fs::remove_file(self.committed(*number));
        }
        Ok(())
    }

    /// Removes a generation that was prepared, if it is there.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn discard(&self, number: u64) -> Result<(), String> {
        match fs::remove_file(self.prepared(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(words(&error)),
            _ => Ok(()),
        }
    }

    fn committed(&self, number: u64) -> PathBuf {
        self.directory.join(format!("cib.{number}"))
    }

    fn prepared(&self, number: u64) -> PathBuf {
        self.directory.join(format!("cib.{number}.prepared"))
    }

    fn list(&self) -> io::Result<Vec<(u64, String, Kind)>> {
        let mut list = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let Some(rest) = name.strip_prefix("cib.") else { continue };
            let (number, end) = rest.split_once('.').unwrap_or((rest, ""));
            let Ok(number) = number.parse() else { continue };
            let kind = match end {
                "" => Kind::Committed,
                "prepared" | "tmp" => Kind::Unfinished,
                _ => Kind::SetAside,
            };
            list.push((number, name, kind));
        }
        Ok(list)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Committed,
    Unfinished,
    SetAside,
}

fn checksum(number: u64, content: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(MAGIC);
    context.update(&number.to_le_bytes());
    context.update(&(content.len() as u64).to_le_bytes());
    context.update(content);
    context.finish()
}

fn write(path: &Path, number: u64, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&header(number, content))?;
    file.write_all(content)?;
    file.sync_all()
}

/// The content of a file, or what is wrong with it.
fn read(path: &Path, number: u64) -> Result<Vec<u8>, String> {
    let size = fs::metadata(path).map_err(|error| words(&error))?.len();
    if size > MAX {
        return Err(format!("{size} bytes are too many"));
    }
    content(fs::read(path).map_err(|error| words(&error))?, number)
}

/// What lies in the file of generation `number` in front of its content.
pub(crate) fn header(number: u64, content: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&number.to_le_bytes());
    header.extend_from_slice(&(content.len() as u64).to_le_bytes());
    header.extend_from_slice(checksum(number, content).as_ref());
    header
}

/// The content of a file's bytes, or what is wrong with them.
pub(crate) fn content(mut bytes: Vec<u8>, number: u64) -> Result<Vec<u8>, String> {
    let Some((header, content)) = bytes.split_at_checked(HEADER) else { return Err("cut off".to_owned()) };
    let length = (content.len() as u64).to_le_bytes();
    if header[..8] != MAGIC[..] || header[8..16] != number.to_le_bytes() {
        return Err("not a generation of this number".to_owned());
    }
    if header[16..24] != length {
        return Err("cut off".to_owned());
    }
    if header[24..] != *checksum(number, content).as_ref() {
        return Err("wrong checksum".to_owned());
    }
    bytes.drain(..HEADER);
    Ok(bytes)
}
