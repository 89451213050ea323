//! A datagram, and what anybody sees of it who has no key.

use std::ops::Range;

use hac_types::LinkId;

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The host that sent it.
    pub from: u32,
    /// The host that it is for.
    pub to: u32,
    /// On which link.
    pub link: LinkId,
    /// Envelope and body.
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// Where the envelope names its class.
    const CLASS: usize = 6;
    /// The class of a hello.
    const HELLO: u8 = 0;
    /// Where the envelope names the cluster.
    pub(crate) const CLUSTER: Range<usize> = 8..12;
    /// Where it names sender and receiver.
    pub(crate) const ADDRESSES: Range<usize> = 12..20;
    /// Length of the envelope's header.
    pub(crate) const HEADER: usize = 38;

    /// The class of its messages; `None` if it is too short to have one.
    #[must_use]
    pub fn class(&self) -> Option<u8> {
        self.bytes.get(Self::CLASS).copied()
    }

    /// Whether it offers a session or answers such an offer.
    #[must_use]
    pub fn is_hello(&self) -> bool {
        self.class() == Some(Self::HELLO)
    }
}
