//! What the fuzz targets of `tests/fuzz` do with their input. Compiled for them and for the tests, never into the daemon.
//!
//! Each function takes any bytes and must return: a panic is a finding, and so is a broken promise that it asserts.

#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hac_api::{CommandRequest, ConfigureRequest, RotateRequest, SettleRequest};
use hac_crm::cib::{Applied, Command, Configure, Replicated as _};
use hac_model::{Cib, mask};
use hac_node::Request;
use hac_pacemaker::corosync_conf;
use hac_types::WallTime;
use toml::de::DeTable;

use crate::api;
use crate::config::{self, Identity};
use crate::storage::{RingState, generations, slots};

/// The files below `/var/lib/hacd`. No bytes are taken for a file that they are not, what was written is read, and one
/// changed byte is noticed wherever it is.
pub fn state_files(input: &[u8]) {
    assert!(generations::content(input.to_vec(), 1).is_err(), "a checksum was guessed");
    let mut file = generations::header(1, input);
    file.extend_from_slice(input);
    assert_eq!(generations::content(file.clone(), 1).as_deref(), Ok(input));
    assert!(generations::content(file.clone(), 2).is_err(), "another generation is taken for this one");
    change(&mut file, input);
    assert!(generations::content(file, 1).is_err(), "a changed generation is taken");

    let Some((chosen, _)) = input.split_first_chunk::<20>() else { return };
    let (number, rest) = chosen.split_first_chunk::<8>().expect("20 bytes have 8");
    let (ring_seq, boots) = rest.split_first_chunk::<8>().expect("12 bytes have 8");
    let state = RingState {
        boots: boots.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)),
        ring_seq: u64::from_le_bytes(*ring_seq),
    };
    let mut slot = slots::encode(u64::from_le_bytes(*number), state);
    assert_eq!(slots::decode(&slot), Some((u64::from_le_bytes(*number), state)));
    change(&mut slot, input);
    assert_eq!(slots::decode(&slot), None, "a changed slot is taken");
    if let Some((slot, _)) = input.split_first_chunk::<{ slots::SLOT }>() {
        assert_eq!(slots::decode(slot), None, "a checksum was guessed");
    }
}

/// Changes one byte, where and how the end of `choice` says.
fn change(bytes: &mut [u8], choice: &[u8]) {
    let choice: Vec<usize> = choice.iter().rev().take(3).map(|byte| usize::from(*byte)).collect();
    let place = choice.iter().take(2).fold(0, |sum, byte| sum << 8 | byte) % bytes.len();
    let how = choice.get(2).and_then(|byte| u8::try_from(*byte).ok()).unwrap_or(1);
    bytes[place] ^= how.max(1);
}

/// `hacd.toml`. What is wrong is said in lines that name the file and stay on their line.
pub fn hacd_toml(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let file = Path::new("/nowhere/hacd.toml");
    let identity = Identity { node: None, hostname: "primary".to_owned() };
    // The key is not there, so that something is wrong in any case.
    let mistakes = config::check(file, text, &identity, &|_| true).expect_err("there is no key");
    assert!(!mistakes.is_empty());
    for line in mistakes.iter().map(ToString::to_string) {
        assert!(line.starts_with('/') && !line.contains(char::is_control), "{line:?}");
    }
}

/// A key file, made once in a process: without one the daemon looks no further.
fn authkey() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = std::env::temp_dir().join(format!("hacd-fuzzing-{}.authkey", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        let mut opened = options.write(true).create(true).truncate(true).mode(0o600).open(&file).expect("a file");
        opened.write_all(&[7; 32]).expect("a small file");
        file
    })
}

/// A `corosync.conf`. What comes of it is a file that the daemon accepts, whatever the values were.
pub fn corosync_conf(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(converted) = corosync_conf::to_toml(text) else { return };
    if let Err(error) = DeTable::parse(&converted.toml) {
        panic!("{error}\n{}", converted.toml);
    }
    let file = Path::new("/nowhere/hacd.toml");
    let first = converted.toml.lines().find_map(|line| line.strip_prefix("nodeid = "));
    let identity = Identity { node: first.map(str::to_owned), hostname: String::new() };
    let authkey = format!("[totem]\nauthkey = {:?}\n", authkey().display().to_string());
    let toml = converted.toml.replacen("[totem]\n", &authkey, 1);
    if let Err(mistakes) = config::check(file, &toml, &identity, &|_| true) {
        panic!("{}\n{text}\n{toml}", mistakes[0]);
    }
}

/// Civil time of requests.
const NOW: WallTime = WallTime(1_700_000_000_000);

/// The bodies that clients of the API send; the first byte says to which path. A configuration that they can make is
/// one that the API can show, masked and not, and that its clients read as it is.
pub fn api_request(input: &[u8]) {
    let Some((path, body)) = input.split_first() else { return };
    match path % 4 {
        0 => configure(body),
        1 => command(body),
        2 => {
            let _ = serde_json::from_slice::<RotateRequest>(body);
        }
        _ => {
            let _ = serde_json::from_slice::<SettleRequest>(body);
        }
    }
}

fn configure(body: &[u8]) {
    let Ok(order) = serde_json::from_slice::<ConfigureRequest>(body) else { return };
    let Ok(changes) = api::changes(order.changes) else { return };
    let configure =
        Configure { changes, origin: "primary".into(), client: order.client, user: "root".into(), base: None };
    let mut cib = Cib::default();
    if let Applied::Changed(_) = cib.apply(&Command::Configure(configure), NOW) {
        shown(&cib);
        mask(&mut cib);
        shown(&cib);
    }
}

fn command(body: &[u8]) {
    let Ok(order) = serde_json::from_slice::<CommandRequest>(body) else { return };
    if let Request::Status(change) = api::asked(order.command, "node1") {
        let mut cib = Cib::default();
        let _ = cib.apply(&Command::Status(change), NOW);
        shown(&cib);
    }
}

fn shown(cib: &Cib) {
    let json = serde_json::to_value(cib).expect("a CIB can be written as JSON");
    let again: Cib = serde_json::from_value(json).expect("what was written here reads");
    assert_eq!(&again, cib, "another CIB comes back");
}
