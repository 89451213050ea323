//! What the fuzz targets do with their input.

use crate::frame::decode;
use crate::{Code, FromGuest, FromHost};

#[cfg(test)]
mod tests;

/// Bytes as a frame of either side, and as a code: nothing panics, and what was understood reads back.
pub fn join_frames(data: &[u8]) {
    if let Ok(said) = decode::<FromGuest>(data) {
        let bytes = serde_json::to_vec(&said).expect("what was read can be written");
        assert_eq!(decode::<FromGuest>(&bytes).ok(), Some(said));
    }
    if let Ok(said) = decode::<FromHost>(data) {
        let bytes = serde_json::to_vec(&said).expect("what was read can be written");
        assert_eq!(decode::<FromHost>(&bytes).ok(), Some(said));
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(code) = Code::parse(text)
    {
        assert_eq!(Code::parse(&code.reveal()), Ok(code));
    }
}
