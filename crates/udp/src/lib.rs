//! The sockets of the ring.
//!
//! Each link has one socket on which it receives, and a connected one for each peer from which it sends, on the port
//! below: that is how the kernel tells that a peer's port is closed (ICMP port unreachable), which is a hint for the
//! ring. What comes from an address that is no node's is dropped and counted. An address that is not there (any more) is
//! waited for; nothing is ever bound to another one.
//!
//! A visit of the token makes a burst. So what is to be sent is collected until [`Udp::flush`], and goes to each peer in
//! as few system calls as its sizes allow (generic segmentation offload); what has come is taken many datagrams at a
//! time, too. Where the kernel cannot do that, each datagram is a call of its own.
//!
//! | module | what |
//! |---|---|
//! | `link` | opening the sockets of a link |
//! | `send` | one peer's sending socket and what waits for it |
//! | `receive` | a link's receiving socket and what was taken from it |
//!
//! Invariant: the datagrams to one peer on one link leave in the order in which they were queued.

mod link;
mod receive;
mod send;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use hac_types::{LinkId, NodeId};

use crate::link::{Link, Open};

/// What is to be done when the kernel tells that nobody listens at a peer. Called from a task of its own.
pub type Hint = Arc<dyn Fn(LinkId, NodeId) + Send + Sync>;

/// Where a link is: the first of a list is link 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAddresses {
    /// Our address, and the port on which every node receives; each sends from the port below.
    pub own: SocketAddr,
    /// The other nodes' addresses.
    pub peers: BTreeMap<NodeId, SocketAddr>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams from addresses of no node.
    pub unlisted: u64,
    /// Datagrams that the kernel did not take.
    pub unsent: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Calls in which they were sent.
    pub send_calls: u64,
    /// How often the kernel gave an error instead of what has come, several times in a row.
    pub unreceived: u64,
    /// Datagrams received.
    pub received: u64,
    /// Calls in which they were received.
    pub receive_calls: u64,
}

/// Why a link cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    /// Which link.
    pub link: u8,
    /// Which of its addresses and ports.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// A datagram from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'b> {
    /// On which link.
    pub link: LinkId,
    /// Whose address it came from.
    pub from: NodeId,
    /// What it says.
    pub bytes: &'b [u8],
}

/// What the ring should know of a datagram that was sent. Any other may be lost on the way, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody listens there.
    Refused(LinkId, NodeId),
    /// It was too large for the path.
    TooBig(LinkId, NodeId),
}

/// All sockets of this node.
pub struct Udp {
    links: Vec<Link>,
    hint: Hint,
    counters: Counters,
    troubles: Vec<Trouble>,
}

impl std::fmt::Debug for Udp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Udp").field("links", &self.links).field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Udp {
    /// Opens the sockets of all links whose address is there.
    ///
    /// # Errors
    /// The link and why its sockets cannot be opened, other than for want of the address.
    pub fn open(links: Vec<LinkAddresses>, hint: Hint) -> Result<Self, OpenError> {
        let links = (0_u8..).zip(links).map(|(id, addresses)| Link::new(LinkId(id), addresses)).collect();
        let mut udp = Self { links, hint, counters: Counters::default(), troubles: Vec::new() };
        udp.retry()?;
        Ok(udp)
    }

    /// Opens what could not be opened before; `true` if everything is open.
    ///
    /// # Errors
    /// As [`Udp::open`].
    pub fn retry(&mut self) -> Result<bool, OpenError> {
        let mut complete = true;
        for link in &mut self.links {
            complete &= link.open(&self.hint)?;
        }
        Ok(complete)
    }

    /// The other nodes' addresses are these from now on, for each link: to who is no longer there nothing is sent and from
    /// there nothing is taken. What cannot be opened yet is tried again by [`Udp::retry`].
    ///
    /// # Errors
    /// As [`Udp::open`]; the addresses count all the same.
    pub fn set_peers(&mut self, peers: impl Iterator<Item = BTreeMap<NodeId, SocketAddr>>) -> Result<bool, OpenError> {
        for (link, peers) in self.links.iter_mut().zip(peers) {
            link.set_peers(peers);
        }
        self.retry()
    }

    /// Where each link receives.
    pub fn own(&self) -> impl Iterator<Item = SocketAddr> {
        self.links.iter().map(|link| link.addresses.own)
    }

    /// Addresses that are not there.
    pub fn missing(&self) -> impl Iterator<Item = SocketAddr> {
        self.links.iter().filter(|link| link.open.is_none()).map(|link| link.addresses.own)
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a datagram to be sent. It has left at the latest after [`Udp::flush`].
    pub fn queue(&mut self, link: LinkId, to: NodeId, datagram: &[u8]) {
        let open = self.links.get_mut(usize::from(link.0)).and_then(|link| link.open.as_mut());
        match open.and_then(|open| open.senders.get_mut(&to)) {
            Some(sender) => sender.queue(datagram, &mut self.counters, &mut self.troubles),
            None => self.counters.unsent += 1,
        }
    }

    /// Sends everything that was queued, and says what went wrong since the last time.
    pub fn flush(&mut self) -> Vec<Trouble> {
        for open in self.links.iter_mut().filter_map(|link| link.open.as_mut()) {
            for sender in open.senders.values_mut() {
                sender.flush(&mut self.counters, &mut self.troubles);
            }
        }
        std::mem::take(&mut self.troubles)
    }

    /// Waits until something may have come. Safe to be dropped.
    pub async fn readable(&self) {
        std::future::poll_fn(|context| self.poll_readable(context)).await;
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut any = Poll::Pending;
        for open in self.opened() {
            if open.receiver.poll_readable(context).is_ready() {
                any = Poll::Ready(());
            }
        }
        any
    }

    fn opened(&self) -> impl Iterator<Item = &Open> {
        self.links.iter().filter_map(|link| link.open.as_ref())
    }

    /// The next datagram of a node, if one has come.
    pub fn receive(&mut self) -> Option<Datagram<'_>> {
        let counters = &mut self.counters;
        self.links.iter_mut().find_map(|link| {
            let open = link.open.as_mut()?;
            let (from, bytes) = open.receiver.next(&link.addresses.peers, counters)?;
            Some(Datagram { link: link.id, from, bytes })
        })
    }
}

#[cfg(test)]
mod tests;
