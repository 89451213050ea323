//! A session: keys, counters and replay windows between one life of this node and one life of a peer.

use std::hash::{Hash as _, Hasher};

use hac_types::{LinkId, Member};

use crate::config::LINKS_MAX;
use crate::crypto::{ClusterKeys, DirectionKeys, End};
use crate::transport::replay::ReplayWindow;
use crate::wire::{Class, Header, envelope};
use crate::{Cipher, Rejected};

/// Keys and counters of one session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) own: End,
    pub(crate) peer: End,
    suite: u8,
    /// Names the key in every header.
    cluster: [u8; 4],
    outgoing: DirectionKeys,
    incoming: DirectionKeys,
    counters: [u64; LINKS_MAX as usize],
    windows: [ReplayWindow; LINKS_MAX as usize],
    next_segment: u64,
}

/// The suite byte of a cipher.
pub(crate) fn suite_of(cipher: Cipher) -> u8 {
    match cipher {
        Cipher::None => envelope::SUITE_HMAC,
        Cipher::Aes256Gcm => envelope::SUITE_AES,
    }
}

impl Session {
    pub(crate) fn new(keys: &ClusterKeys, own: End, peer: End, cipher: Cipher) -> Self {
        Self {
            own,
            peer,
            suite: suite_of(cipher),
            cluster: keys.cluster(),
            outgoing: keys.direction(&own, &peer, cipher),
            incoming: keys.direction(&peer, &own, cipher),
            counters: Default::default(),
            windows: Default::default(),
            next_segment: 0,
        }
    }

    /// The peer in the life this session is with.
    pub(crate) fn member(&self) -> Member {
        Member { node: self.peer.node, incarnation: self.peer.incarnation }
    }

    /// Names the key it was made with.
    pub(crate) const fn cluster(&self) -> [u8; 4] {
        self.cluster
    }

    /// Goes on after a session with the same life: pieces of large bodies keep their own numbers.
    pub(crate) const fn continue_after(&mut self, before: &Self) {
        self.next_segment = before.next_segment;
    }

    /// A number for the pieces of the next large body.
    pub(crate) fn next_segment(&mut self) -> u64 {
        self.next_segment += 1;
        self.next_segment
    }

    /// Makes a datagram. `None` if the body fits into no datagram or the link does not exist.
    pub(crate) fn seal(&mut self, link: LinkId, class: Class, body: &[u8]) -> Option<Vec<u8>> {
        let counter = self.counters.get_mut(usize::from(link.0))?;
        *counter += 1;
        let header = Header {
            suite: self.suite,
            class,
            link,
            cluster: self.cluster,
            source: self.own.node,
            destination: self.peer.node,
            incarnation: self.own.incarnation,
            counter: *counter,
        };
        envelope::seal(&header, body, &self.outgoing)
    }

    /// Checks a datagram against this session and returns its body; marks its counter as used.
    pub(crate) fn open(&mut self, header: &Header, datagram: &[u8]) -> Result<Vec<u8>, Rejected> {
        if header.incarnation != self.peer.incarnation || header.cluster != self.cluster {
            return Err(Rejected::NoSession);
        }
        let window = self.windows.get_mut(usize::from(header.link.0)).ok_or(Rejected::Link)?;
        if !window.is_fresh(header.counter) {
            return Err(Rejected::Replay);
        }
        envelope::verify(datagram, &self.incoming.mac)?;
        window.mark(header.counter);
        envelope::open(header, datagram, &self.incoming)
    }

    /// Adds what was received and sent to a digest, without the keys.
    pub(crate) fn outline(&self, out: &mut impl Hasher) {
        (&self.peer, &self.windows, &self.counters, self.next_segment).hash(out);
    }

    /// Whether this session is with exactly this life and contribution of the peer, under this key.
    pub(crate) fn is_with(&self, peer: &End, cluster: [u8; 4]) -> bool {
        self.peer == *peer && self.cluster == cluster
    }
}
