//! All other nodes of the configuration. One of them is taken out while it is worked on, so that the work can use the
//! rest of the transport ([`Transport::with_peer`]), and comes back whatever the work comes to.

use std::collections::BTreeSet;

use hac_types::NodeId;

use crate::transport::Transport;
use crate::transport::peer::Peer;

/// The peers, ascending by node id. Their number changes only between two calls of the engine.
#[derive(Debug, Default)]
pub(crate) struct Peers(Vec<Place>);

/// On the heap: a peer is moved often, and is large.
#[derive(Debug)]
struct Place {
    node: NodeId,
    /// `None` while it is taken out.
    peer: Option<Box<Peer>>,
}

impl Peers {
    pub(crate) fn new(peers: impl Iterator<Item = Peer>) -> Self {
        let mut places: Vec<Place> = peers.map(|peer| Place { node: peer.node, peer: Some(Box::new(peer)) }).collect();
        places.sort_by_key(|place| place.node);
        Self(places)
    }

    /// Keeps these, and takes `new` in.
    pub(crate) fn set(&mut self, kept: &BTreeSet<NodeId>, new: Vec<Peer>) {
        self.0.retain(|place| kept.contains(&place.node));
        self.0.extend(new.into_iter().map(|peer| Place { node: peer.node, peer: Some(Box::new(peer)) }));
        self.0.sort_by_key(|place| place.node);
    }

    fn place(&mut self, node: NodeId) -> Option<&mut Place> {
        let index = self.0.binary_search_by_key(&node, |place| place.node).ok()?;
        self.0.get_mut(index)
    }

    /// Whose place is the `index`-th.
    fn node_at(&self, index: usize) -> Option<NodeId> {
        self.0.get(index).map(|place| place.node)
    }

    fn take(&mut self, node: NodeId) -> Option<Box<Peer>> {
        self.place(node)?.peer.take()
    }

    fn put(&mut self, peer: Box<Peer>) {
        if let Some(place) = self.place(peer.node) {
            place.peer = Some(peer);
        }
    }

    /// A peer, unless it is taken out.
    pub(crate) fn get(&self, node: NodeId) -> Option<&Peer> {
        let index = self.0.binary_search_by_key(&node, |place| place.node).ok()?;
        self.0.get(index)?.peer.as_deref()
    }

    /// A peer, unless it is taken out.
    pub(crate) fn get_mut(&mut self, node: NodeId) -> Option<&mut Peer> {
        self.place(node)?.peer.as_deref_mut()
    }

    /// Those that are not taken out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.0.iter().filter_map(|place| place.peer.as_deref())
    }

    /// Those that are not taken out.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.0.iter_mut().filter_map(|place| place.peer.as_deref_mut())
    }
}

impl Transport {
    /// Works on a peer, with the rest of the transport at hand; `None` if there is no such peer. Meanwhile the table of
    /// peers does not show it.
    pub(crate) fn with_peer<T>(&mut self, node: NodeId, work: impl FnOnce(&mut Self, &mut Peer) -> T) -> Option<T> {
        let mut peer = self.peers.take(node)?;
        let result = work(self, &mut peer);
        self.peers.put(peer);
        Some(result)
    }

    /// Works on all peers, one after the other.
    pub(crate) fn with_each_peer(&mut self, mut work: impl FnMut(&mut Self, &mut Peer)) {
        let mut place = 0;
        while let Some(node) = self.peers.node_at(place) {
            place += 1;
            self.with_peer(node, &mut work);
        }
    }
}
