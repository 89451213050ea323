//! Two slots in one file, written in turn: a torn write costs the slot being written, never the one before.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use super::{StorageError, at, set_aside};
use crate::calls;

/// Distance between the slots: never in one sector or page.
const STRIDE: u64 = 4096;
/// Bytes of a slot: magic (8), number (8), boots (4), zero (4), ring_seq (8), checksum (32).
pub(crate) const SLOT: usize = 64;
const MAGIC: &[u8; 8] = b"HACDRNG1";

/// What the slots keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RingState {
    /// How often the daemon started, or the wall clock's seconds at its start if that is more.
    pub(crate) boots: u32,
    /// The highest number reserved for rings.
    pub(crate) ring_seq: u64,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Slots {
    path: PathBuf,
    file: File,
    /// Number of the newest slot.
    number: u64,
    state: RingState,
}

impl Slots {
    /// Opens or makes the file; a file without an intact slot is set aside.
    pub(super) fn open(
        directory: &Path,
        wall_secs: i64,
        remarks: &mut Vec<String>,
    ) -> Result<(Self, RingState), StorageError> {
        let path = directory.join("ring");
        let size = match calls::metadata(&path) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(at(&path)(error)),
        };
        if size > 0 {
            let file = open_file(&path)?;
            if let Some((number, state)) = newest(&file).map_err(at(&path))? {
                return Ok((Self { path, file, number, state }, state));
            }
            set_aside(&path, wall_secs, "no intact slot", remarks)?;
        }
        let file = open_file(&path)?;
        calls::sync_folder(directory).map_err(at(directory))?;
        let state = RingState::default();
        Ok((Self { path, file, number: 0, state }, state))
    }

    /// Writes the state; it is durable when this returns.
    pub(crate) fn write(&mut self, state: RingState) -> Result<(), StorageError> {
        let number = self.number.wrapping_add(1);
        let place = number % 2 * STRIDE;
        calls::write_all_at(&self.file, &encode(number, state), place).map_err(at(&self.path))?;
        calls::sync_content(&self.file).map_err(at(&self.path))?;
        (self.number, self.state) = (number, state);
        Ok(())
    }

    /// Reserves ring numbers up to `ring_seq`; durable when this returns.
    pub(crate) fn reserve(&mut self, ring_seq: u64) -> Result<(), StorageError> {
        self.write(RingState { ring_seq: ring_seq.max(self.state.ring_seq), ..self.state })
    }
}

fn open_file(path: &Path) -> Result<File, StorageError> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    calls::open_regular(path, &mut options).map_err(at(path))
}

/// The newer of the two slots, if one is intact.
///
/// # Errors
/// The file cannot be read, which says nothing about what is in it. A file that ends before a slot has none there.
fn newest(file: &File) -> io::Result<Option<(u64, RingState)>> {
    let slot = |place: u64| {
        let mut bytes = [0; SLOT];
        match calls::read_exact_at(file, &mut bytes, place) {
            Ok(()) => Ok(decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    };
    Ok([slot(0)?, slot(STRIDE)?].into_iter().flatten().max_by_key(|(number, _)| *number))
}

/// A slot as it lies in the file.
pub(crate) fn encode(number: u64, state: RingState) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..20].copy_from_slice(&state.boots.to_le_bytes());
    bytes[24..32].copy_from_slice(&state.ring_seq.to_le_bytes());
    let checksum = digest(&SHA256, &bytes[..32]);
    bytes[32..].copy_from_slice(checksum.as_ref());
    bytes
}

/// Number and state of a slot; `None` if it is not intact.
pub(crate) fn decode(bytes: &[u8; SLOT]) -> Option<(u64, RingState)> {
    let (content, checksum) = bytes.split_at(32);
    if content[..8] != MAGIC[..] || digest(&SHA256, content).as_ref() != checksum {
        return None;
    }
    let number = u64::from_le_bytes(content[8..16].try_into().ok()?);
    let boots = u32::from_le_bytes(content[16..20].try_into().ok()?);
    let ring_seq = u64::from_le_bytes(content[24..32].try_into().ok()?);
    Some((number, RingState { boots, ring_seq }))
}
