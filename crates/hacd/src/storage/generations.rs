//! Generations of the configuration.
//!
//! `cib.N.prepared` is durable but does not count; a rename makes it `cib.N`, which does. The newest few are kept.
//! `cib.N.lost-RING` is a state that was given up for that of another node; `.seen` behind it says that people know.
//!
//! **Damaged is only what its checksum proves to be damaged.** What cannot be read now, is too large, or has a form that a
//! later release made, stays where it is, and the daemon does not start in its place with something older.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::digest::{Context, Digest, SHA256};

use super::{StorageError, at, set_aside, words};
use crate::calls;

/// How many committed generations are kept.
const KEPT: usize = 5;
/// The highest number of a generation: no cluster comes so far, and what counts on from it cannot overflow.
const LAST: u64 = 1 << 62;
/// How far above the newest intact generation a number may be that is counted on from: what lies further is a stranger's.
const NEAR: u64 = 1 << 20;
/// Largest generation that is read, bytes: far above what a cluster can have.
pub(super) const MAX: u64 = 256 << 20;
/// Bytes in front of the content: magic (8), number (8), length (8), checksum (32).
const HEADER: usize = 56;
const MAGIC: &[u8; 8] = b"HACDCIB1";
/// How the magic of any later form begins.
const FAMILY: &[u8] = b"HACDCIB";

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
    /// Its number.
    pub(super) number: u64,
    /// The newest intact generation that was prepared after it.
    pub(super) prepared: Option<(u64, Vec<u8>)>,
    /// States that were given up and that nobody has looked at.
    pub(super) lost: Vec<(String, Vec<u8>)>,
    /// Highest number of any generation, intact or not, that was written here.
    pub(super) highest: u64,
}

impl Generations {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Reads the newest intact generation and what was prepared after it; sets damaged ones that are newer aside and
    /// removes what was left half done.
    ///
    /// # Errors
    /// The directory or a file cannot be read, or a file has a form that a later release made. Nothing was changed then.
    pub(super) fn newest(&mut self, wall_secs: i64, remarks: &mut Vec<String>) -> Result<Newest, StorageError> {
        let mut found = Newest::default();
        let (mut numbers, mut committed, mut prepared) = (Vec::new(), Vec::new(), Vec::new());
        for (number, name, kind) in self.list().map_err(at(&self.directory))? {
            numbers.push(number);
            match kind {
                Kind::Committed => committed.push(number),
                Kind::Prepared => prepared.push(number),
                Kind::Unfinished => {
                    let path = self.directory.join(&name);
                    calls::remove(&path).map_err(at(&path))?;
                }
                Kind::Lost => match read(&self.directory.join(&name), number)? {
                    Ok(content) => found.lost.push((name, content)),
                    Err(why) => remarks.push(format!("{}/{name} is damaged ({why})", self.directory.display())),
                },
                Kind::SetAside => {}
            }
        }
        committed.sort_unstable();
        for number in committed.into_iter().rev() {
            let path = self.committed(number);
            match read(&path, number)? {
                Ok(content) => {
                    (found.content, found.number) = (Some(content), number);
                    break;
                }
                Err(why) => set_aside(&path, wall_secs, &why, remarks)?,
            }
        }
        found.prepared = self.newest_prepared(prepared, found.number)?;
        let intact = found.prepared.as_ref().map_or(found.number, |(number, _)| *number);
        let near = intact.saturating_add(NEAR);
        found.highest = numbers.into_iter().filter(|number| *number <= near).fold(intact, u64::max);
        found.lost.sort();
        Ok(found)
    }

    /// What was prepared last and after the one that counts; all else that was prepared is removed.
    fn newest_prepared(&self, mut numbers: Vec<u64>, counts: u64) -> Result<Option<(u64, Vec<u8>)>, StorageError> {
        numbers.sort_unstable();
        let mut newest = None;
        for number in numbers.into_iter().rev() {
            let path = self.prepared(number);
            if newest.is_none()
                && number > counts
                && let Ok(content) = read(&path, number)?
            {
                newest = Some((number, content));
            } else {
                calls::remove(&path).map_err(at(&path))?;
            }
        }
        Ok(newest)
    }

    /// Keeps a state that was given up under this name, which is one of this directory.
    ///
    /// # Errors
    /// In words, such as `no space left on device`. Nothing is left behind.
    pub(crate) fn keep_lost(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let Some((number, Kind::Lost)) = kind_of(name) else { return Err("that is no name for it".to_owned()) };
        let unfinished = self.directory.join(format!("cib.{number}.tmp"));
        let result = write(&unfinished, number, content)
            .and_then(|()| calls::rename(&unfinished, &self.directory.join(name)))
            .and_then(|()| calls::sync_folder(&self.directory));
        if result.is_err() {
            let _ = calls::remove(&unfinished);
        }
        result.map_err(|error| words(&error))
    }

    /// People have looked at the states that were given up: they stay, and are not told of any more.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn lost_seen(&self) -> Result<(), String> {
        let seen = || {
            for (_, name, kind) in self.list()? {
                if kind == Kind::Lost {
                    calls::rename(&self.directory.join(&name), &self.directory.join(format!("{name}.seen")))?;
                }
            }
            calls::sync_folder(&self.directory)
        };
        seen().map_err(|error| words(&error))
    }

    /// Writes a generation so that it is durable, without making it count.
    ///
    /// # Errors
    /// In words, such as `no space left on device`. Nothing is left behind.
    pub(crate) fn prepare(&self, number: u64, content: &[u8]) -> Result<(), String> {
        let unfinished = self.directory.join(format!("cib.{number}.tmp"));
        let result = write(&unfinished, number, content)
            .and_then(|()| calls::rename(&unfinished, &self.prepared(number)))
            .and_then(|()| calls::sync_folder(&self.directory));
        if result.is_err() {
            let _ = calls::remove(&unfinished);
        }
        result.map_err(|error| words(&error))
    }

    /// Makes a prepared generation the newest one and removes the oldest ones.
    ///
    /// # Errors
    /// In words. If the rename failed, the generation before still counts; if only the directory could not be made
    /// durable, the new one does, unless the power fails before the system has written the directory by itself.
    pub(crate) fn commit(&self, number: u64) -> Result<(), String> {
        calls::rename(&self.prepared(number), &self.committed(number)).map_err(|error| words(&error))?;
        calls::sync_folder(&self.directory).map_err(|error| {
            format!("{}; it counts, but a power failure may bring the one before back", words(&error))
        })?;
        let mut numbers: Vec<u64> = self
            .list()
            .map_err(|error| words(&error))?
            .into_iter()
            .filter_map(|(number, _, kind)| (kind == Kind::Committed).then_some(number))
            .collect();
        numbers.sort_unstable();
        for number in numbers.iter().rev().skip(KEPT) {
            // One too many does no harm; the next commit tries again.
            let _ = calls::remove(&self.committed(*number));
        }
        Ok(())
    }

    /// Removes a generation that was prepared, if it is there.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn discard(&self, number: u64) -> Result<(), String> {
        match calls::remove(&self.prepared(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(words(&error)),
            _ => Ok(()),
        }
    }

    pub(super) fn committed(&self, number: u64) -> PathBuf {
        self.directory.join(format!("cib.{number}"))
    }

    pub(super) fn prepared(&self, number: u64) -> PathBuf {
        self.directory.join(format!("cib.{number}.prepared"))
    }

    fn list(&self) -> io::Result<Vec<(u64, String, Kind)>> {
        let mut list = Vec::new();
        for name in calls::names(&self.directory)? {
            let Some((number, kind)) = kind_of(&name) else { continue };
            list.push((number, name, kind));
        }
        Ok(list)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Committed,
    Prepared,
    Unfinished,
    Lost,
    SetAside,
}

/// Number of a state that was given up, by the name of its file.
pub(super) fn lost_number(name: &str) -> Option<u64> {
    kind_of(name).and_then(|(number, kind)| (kind == Kind::Lost).then_some(number))
}

/// What a file of this name is; `None` if it is none of ours.
fn kind_of(name: &str) -> Option<(u64, Kind)> {
    let rest = name.strip_prefix("cib.")?;
    let (number, end) = rest.split_once('.').unwrap_or((rest, ""));
    let kind = match end {
        "" => Kind::Committed,
        "prepared" => Kind::Prepared,
        "tmp" => Kind::Unfinished,
        _ if end.starts_with("lost-") && !end.ends_with(".seen") && !end.contains('/') => Kind::Lost,
        _ => Kind::SetAside,
    };
    let number = number.parse().ok().filter(|number| *number <= LAST)?;
    Some((number, kind))
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
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = calls::open(path, &mut options)?;
    calls::write_all(&mut file, &header(number, content))?;
    calls::write_all(&mut file, content)?;
    calls::sync(&file)
}

/// The content of a file, or how it is damaged.
///
/// # Errors
/// It cannot be read now, or is of a form that is not known here: that says nothing about what is in it.
fn read(path: &Path, number: u64) -> Result<Result<Vec<u8>, String>, StorageError> {
    let size = calls::metadata(path).map_err(at(path))?.len();
    if size > MAX {
        return Err(StorageError::Foreign {
            path: path.to_owned(),
            why: format!("has {size} bytes, more than any state that is read"),
        });
    }
    let bytes = calls::read(path, MAX).map_err(at(path))?;
    if let Some(magic) = bytes.get(..8)
        && magic != MAGIC
        && magic.starts_with(FAMILY)
    {
        let form = String::from_utf8_lossy(magic).escape_debug().to_string();
        return Err(StorageError::Foreign {
            path: path.to_owned(),
            why: format!("has the form {form} of a newer hacd"),
        });
    }
    Ok(content(bytes, number))
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
