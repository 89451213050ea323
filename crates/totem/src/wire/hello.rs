//! HELLO, whose form is the same for ever: written by hand, 160 bytes in every stage, so that an answer is never larger
//! than what caused it.
//!
//! ```text
//! off len
//!   0   1  stage: 0 offer, 1 answer, 2 confirm
//!   1   1  suite of what is said in the session
//!   2  16  nonce of the sender
//!  18  16  nonce of the receiver, given back; zeros in an offer
//!  34   2  lowest level that the sender knows       all integers little endian
//!  36   2  highest level that it knows
//!  38   2  its active level; 0: none yet
//!  40  16  which cluster it is of; zeros: none yet
//!  56   8  version of the replicated configuration that it has stored
//!  64   8  hash of nodes, timeouts and limits
//!  72  16  release of its program, text, padded with zeros
//!  88   1  remark: 0 none, 1 another life of the receiver is connected to the sender
//!  89  71  zeros, which are ignored
//! ```
//!
//! A later release may give a meaning to what is zero here, and to nothing else: two releases that cannot be in one ring
//! must still be able to tell each other why.

use std::fmt;

use hac_types::{Level, LevelWindow};

use crate::Rejected;
use crate::crypto::SessionNonce;

/// Bytes of every HELLO after its type byte.
pub(crate) const HELLO_LEN: usize = 160;
/// Bytes that have a meaning.
const USED: usize = 89;

/// Steps of making a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelloStage {
    /// "Here is my nonce."
    Offer,
    /// "Here is mine, and I have seen yours."
    Answer,
    /// "I have seen yours."
    Confirm,
}

/// Body of HELLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) stage: HelloStage,
    pub(crate) suite: u8,
    pub(crate) nonce: SessionNonce,
    /// The receiver's nonce; zero in an offer.
    pub(crate) echo: SessionNonce,
    /// What the sender knows. Not checked: it may be from a release of which nothing is known here.
    pub(crate) levels: LevelWindow,
    pub(crate) level: Level,
    pub(crate) cluster_uuid: [u8; 16],
    pub(crate) config_version: u64,
    pub(crate) config_hash: [u8; 8],
    pub(crate) release: Release,
    /// The sender is connected to another life of the receiver.
    pub(crate) doubled: bool,
}

/// The release of a program, for people: up to 16 bytes of text.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Release([u8; 16]);

impl Release {
    /// What of `text` fits.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(bytes)
    }
}

impl fmt::Display for Release {
    /// What is not printable, or not ASCII, is shown as a question mark.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.iter().take_while(|byte| **byte != 0);
        let shown = text.map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' });
        f.write_str(&shown.collect::<String>())
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Hello {
    /// Writes all of it.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let end = out.len() + HELLO_LEN;
        out.push(match self.stage {
            HelloStage::Offer => 0,
            HelloStage::Answer => 1,
            HelloStage::Confirm => 2,
        });
        out.push(self.suite);
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.echo);
        for level in [self.levels.min, self.levels.max, self.level] {
            out.extend_from_slice(&level.0.to_le_bytes());
        }
        out.extend_from_slice(&self.cluster_uuid);
        out.extend_from_slice(&self.config_version.to_le_bytes());
        out.extend_from_slice(&self.config_hash);
        out.extend_from_slice(&self.release.0);
        out.push(u8::from(self.doubled));
        out.resize(end, 0);
    }

    /// Reads one that was authenticated.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Rejected> {
        let bytes: &[u8; HELLO_LEN] = bytes.try_into().map_err(|_| Rejected::Malformed)?;
        let stage = match bytes[0] {
            0 => HelloStage::Offer,
            1 => HelloStage::Answer,
            2 => HelloStage::Confirm,
            _ => return Err(Rejected::Malformed),
        };
        let level = |at| field(bytes, at).map(|number| Level(u16::from_le_bytes(number)));
        Ok(Self {
            stage,
            suite: bytes[1],
            nonce: field(bytes, 2)?,
            echo: field(bytes, 18)?,
            levels: LevelWindow { min: level(34)?, max: level(36)? },
            level: level(38)?,
            cluster_uuid: field(bytes, 40)?,
            config_version: u64::from_le_bytes(field(bytes, 56)?),
            config_hash: field(bytes, 64)?,
            release: Release(field(bytes, 72)?),
            doubled: bytes[USED - 1] == 1,
        })
    }
}

fn field<const N: usize>(bytes: &[u8; HELLO_LEN], offset: usize) -> Result<[u8; N], Rejected> {
    bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(Rejected::Malformed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn hello() -> Hello {
        Hello {
            stage: HelloStage::Answer,
            suite: 2,
            nonce: [1; 16],
            echo: [2; 16],
            levels: LevelWindow { min: Level(1), max: Level(0x0102) },
            level: Level(2),
            cluster_uuid: [3; 16],
            config_version: 0x0a0b,
            config_hash: [4; 8],
            release: Release::new("0.1.0"),
            doubled: false,
        }
    }

    #[test]
    fn every_stage_has_the_same_size_and_comes_back_as_it_went() {
        for stage in [HelloStage::Offer, HelloStage::Answer, HelloStage::Confirm] {
            for doubled in [false, true] {
                let mut bytes = Vec::new();
                let hello = Hello { stage, doubled, ..hello() };
                hello.encode(&mut bytes);
                assert_eq!(bytes.len(), HELLO_LEN);
                assert_eq!(Hello::decode(&bytes), Ok(hello));
            }
        }
    }

    #[test]
    fn what_a_later_release_writes_behind_is_ignored() {
        let mut bytes = Vec::new();
        hello().encode(&mut bytes);
        for byte in &mut bytes[USED..] {
            assert_eq!(*byte, 0);
            *byte = 0xff;
        }
        bytes[USED - 1] = 9;
        assert_eq!(Hello::decode(&bytes), Ok(hello()), "a remark that is unknown here is none");
    }

    #[test]
    fn another_size_or_stage_is_refused() {
        let mut bytes = Vec::new();
        hello().encode(&mut bytes);
        assert_eq!(Hello::decode(&bytes[..HELLO_LEN - 1]), Err(Rejected::Malformed));
        assert_eq!(Hello::decode(&[&bytes[..], &[0]].concat()), Err(Rejected::Malformed));
        bytes[0] = 3;
        assert_eq!(Hello::decode(&bytes), Err(Rejected::Malformed));
    }

    #[test]
    fn a_release_is_text_of_at_most_16_bytes_and_shows_nothing_else() {
        assert_eq!(Release::new("0.1.0").to_string(), "0.1.0");
        assert_eq!(Release::new("0.1.0-beta.12+git").to_string(), "0.1.0-beta.12+gi");
        assert_eq!(Release::new("\u{1b}[1m\u{e9}").to_string(), "?[1m??");
        assert_eq!(Release::new("").to_string(), "");
    }
}
