//! The envelope: a hand-written header, the body, an authentication code over both.
//!
//! ```text
//! off len
//!  0   4  "HCD1"
//!  4   1  suite: 1 = HMAC-SHA256, 2 = AES-256-GCM and HMAC-SHA256
//!  5   1  0, reserved
//!  6   1  class
//!  7   1  link
//!  8   4  cluster
//! 12   4  source node          all integers little endian
//! 16   4  destination node
//! 20   8  source incarnation
//! 28   8  counter of the session and link
//! 36   2  body length
//! 38   n  body, or ciphertext and 16-byte tag
//!  -  32  HMAC-SHA256 over everything before
//! ```

use hac_types::{Incarnation, LinkId, NodeId, mutant};
use ring::hmac;

use crate::Rejected;
use crate::crypto::{DirectionKeys, TAG_LEN};

#[cfg(test)]
mod tests;

const MAGIC: [u8; 4] = *b"HCD1";
const HEADER_LEN: usize = 38;
const MAC_LEN: usize = 32;

/// Bytes around a body that is not encrypted.
pub(crate) const OVERHEAD: usize = HEADER_LEN + MAC_LEN;
/// Bytes around an encrypted body.
pub(crate) const OVERHEAD_ENCRYPTED: usize = OVERHEAD + TAG_LEN;

/// Suite of frames that are authenticated only.
pub(crate) const SUITE_HMAC: u8 = 1;
/// Suite of frames that are encrypted and authenticated.
pub(crate) const SUITE_AES: u8 = 2;

/// What kind of message is inside, for queueing by the kernel or the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Hello,
    Liveness,
    Membership,
    Token,
    Data,
    Bulk,
}

impl Class {
    fn code(self) -> u8 {
        match self {
            Self::Hello => 0,
            Self::Liveness => 1,
            Self::Membership => 2,
            Self::Token => 3,
            Self::Data => 4,
            Self::Bulk => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Hello, Self::Liveness, Self::Membership, Self::Token, Self::Data, Self::Bulk]
            .into_iter()
            .find(|class| class.code() == code)
    }
}

/// Whether this node's datagram belongs to a ring, in service or to be: it is a token, a message or a word of the
/// membership protocol, and not a greeting or a probe of the path. For a driver that must keep back what names a ring's
/// number until that is durable.
#[must_use]
pub fn is_of_a_ring(datagram: &[u8]) -> bool {
    let class = datagram.get(6).and_then(|code| Class::from_code(*code));
    matches!(class, Some(Class::Membership | Class::Token | Class::Data))
}

/// The header, decoded but not yet authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) suite: u8,
    pub(crate) class: Class,
    pub(crate) link: LinkId,
    pub(crate) cluster: [u8; 4],
    pub(crate) source: NodeId,
    pub(crate) destination: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) counter: u64,
}

impl Header {
    /// Reads the header and checks that the sizes fit. Nothing is believed yet.
    pub(crate) fn parse(datagram: &[u8]) -> Result<Self, Rejected> {
        let magic: [u8; 4] = field(datagram, 0)?;
        if magic != MAGIC {
            return Err(Rejected::Magic);
        }
        let [suite, _reserved, class, link] = field(datagram, 4)?;
        let length = usize::from(u16::from_le_bytes(field(datagram, 36)?));
        if datagram.len() != OVERHEAD + length {
            return Err(Rejected::Size);
        }
        Ok(Self {
            suite,
            class: Class::from_code(class).ok_or(Rejected::Magic)?,
            link: LinkId(link),
            cluster: field(datagram, 8)?,
            source: NodeId(u32::from_le_bytes(field(datagram, 12)?)),
            destination: NodeId(u32::from_le_bytes(field(datagram, 16)?)),
            incarnation: Incarnation(u64::from_le_bytes(field(datagram, 20)?)),
            counter: u64::from_le_bytes(field(datagram, 28)?),
        })
    }

    fn write(&self, length: u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[self.suite, 0, self.class.code(), self.link.0]);
        out.extend_from_slice(&self.cluster);
        out.extend_from_slice(&self.source.0.to_le_bytes());
        out.extend_from_slice(&self.destination.0.to_le_bytes());
        out.extend_from_slice(&self.incarnation.0.to_le_bytes());
        out.extend_from_slice(&self.counter.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
    }

    /// Unique for a key: every datagram on every link has its own counter value.
    fn aead_nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[0] = self.link.0;
        nonce[4..].copy_from_slice(&self.counter.to_le_bytes());
        nonce
    }
}

fn field<const N: usize>(datagram: &[u8], offset: usize) -> Result<[u8; N], Rejected> {
    datagram.get(offset..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(Rejected::Size)
}

/// Makes a datagram that is authenticated with `mac` only.
pub(crate) fn seal_plain(header: &Header, body: &[u8], mac: &hmac::Key) -> Option<Vec<u8>> {
    let length = u16::try_from(body.len()).ok()?;
    let mut out = Vec::with_capacity(OVERHEAD + body.len());
    header.write(length, &mut out);
    out.extend_from_slice(body);
    let tag = hmac::sign(mac, &out);
    out.extend_from_slice(tag.as_ref());
    Some(out)
}

/// Makes a datagram with the keys of a session, encrypted if the header's suite says so. `None` if the body is too
/// large for any datagram.
pub(crate) fn seal(header: &Header, body: &[u8], keys: &DirectionKeys) -> Option<Vec<u8>> {
    if header.suite != SUITE_AES {
        return seal_plain(header, body, &keys.mac);
    }
    let length = u16::try_from(body.len() + TAG_LEN).ok()?;
    let mut out = Vec::with_capacity(OVERHEAD_ENCRYPTED + body.len());
    header.write(length, &mut out);
    out.extend_from_slice(body);
    let (head, plain) = out.split_at_mut(HEADER_LEN);
    let tag = keys.encrypt(header.aead_nonce(), head, plain)?;
    out.extend_from_slice(tag.as_ref());
    let mac = hmac::sign(&keys.mac, &out);
    out.extend_from_slice(mac.as_ref());
    Some(out)
}

/// Checks the authentication code; in constant time.
pub(crate) fn verify(datagram: &[u8], mac: &hmac::Key) -> Result<(), Rejected> {
    let end = datagram.len().checked_sub(MAC_LEN).ok_or(Rejected::Size)?;
    let (content, tag) = datagram.split_at(end);
    if mutant("mac-unchecked") {
        return Ok(());
    }
    hmac::verify(mac, content, tag).map_err(|_| Rejected::Mac)
}

/// The body of a datagram that was verified.
pub(crate) fn open(header: &Header, datagram: &[u8], keys: &DirectionKeys) -> Result<Vec<u8>, Rejected> {
    let end = datagram.len().checked_sub(MAC_LEN).ok_or(Rejected::Size)?;
    let (head, body) = datagram.get(..end).and_then(|d| d.split_at_checked(HEADER_LEN)).ok_or(Rejected::Size)?;
    let mut body = body.to_vec();
    if header.suite == SUITE_AES {
        let length = keys.decrypt(header.aead_nonce(), head, &mut body).ok_or(Rejected::Decrypt)?;
        body.truncate(length);
    }
    Ok(body)
}

/// The body of a datagram that is not encrypted and was verified.
pub(crate) fn open_plain(datagram: &[u8]) -> Result<&[u8], Rejected> {
    let end = datagram.len().checked_sub(MAC_LEN).ok_or(Rejected::Size)?;
    datagram.get(HEADER_LEN..end).ok_or(Rejected::Size)
}
