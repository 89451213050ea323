//! Below the ring: sessions, links, life of peers, path sizes. Gives the ring authenticated messages and takes messages
//! to send; knows nothing of tokens and memberships but who hears whom.

pub(crate) mod detector;
pub(crate) mod excluding;
pub(crate) mod hearing;
pub(crate) mod hello;
pub(crate) mod keyring;
pub(crate) mod path;
pub(crate) mod peer;
pub(crate) mod peers;
pub(crate) mod remarks;
pub(crate) mod replay;
pub(crate) mod segment;
pub(crate) mod session;

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash as _, Hasher};
use std::time::Duration;

use hac_types::{Incarnation, LinkId, Member, NodeId, RingId, Timestamp, mutant};

use crate::config::{NETMTU_MIN, Timers};
use crate::crypto::{ClusterKeys, stirred};
use crate::graph::Graph;
use crate::rotation::Flow;
use crate::transport::hearing::Hearing;
use crate::transport::keyring::Keyring;
use crate::transport::path::DATAGRAM_FLOOR;
use crate::transport::peer::{Life, Links, Peer};
use crate::transport::peers::Peers;
use crate::transport::session::suite_of;
use crate::wire::{Class, Header, Knowledge, Message, OVERHEAD, OVERHEAD_ENCRYPTED};
use crate::{Cipher, Config, Contract, Misbehaviour, NodeConfig, Output, PeerProblem, Rejected, Stats};

/// Bytes that a packet of messages needs around its payload, as original or as recovered message.
const PACKET_HEADROOM: usize = 112;
/// Lateness up to this is ordinary.
const LATE_MIN: Duration = Duration::from_millis(10);
const LATE_BUCKET: Duration = Duration::from_secs(30);

/// Sessions with all peers, and the queue of outputs.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) me: Member,
    pub(crate) now: Timestamp,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) stats: Stats,
    /// Who is heard has changed, or what others say of it.
    pub(crate) changed: bool,
    /// The ring announced in pings.
    pub(crate) ring: RingId,
    pub(crate) small_only: bool,
    peers: Peers,
    hearing: Hearing,
    keyring: Keyring,
    cluster_name: String,
    entropy: [u8; 32],
    cipher: Cipher,
    overhead: usize,
    pub(crate) contract: Contract,
    config_hash: [u8; 8],
    /// Links of this node.
    links: u8,
    netmtu: u16,
    flow: Flow,
    config_told: BTreeMap<NodeId, Timestamp>,
    answers: (Timestamp, u32),
    timers: Timers,
    token: Duration,
    ping: Duration,
    silence_min: Duration,
    silence_max: Duration,
    /// Worst lateness of the present and the previous half minute, and when the present one began.
    late: (Duration, Duration, Timestamp),
    /// When this process went on after it had not run for long, last.
    awake_since: Timestamp,
}

/// Which links a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// All that answer: small, rare, urgent.
    All,
    /// The best one: bulk.
    Best,
}

impl Transport {
    pub(crate) fn new(config: &Config, incarnation: Incarnation, entropy: [u8; 32], now: Timestamp) -> Self {
        let count = config.nodes.len();
        let silence_min = config.timers.silence_min_for(count);
        let own = config.node;
        let peers = config.nodes.iter().filter(|n| n.node != own).map(|n| {
            let links = n.links.min(config.links);
            Peer::new(n.node, links, config.netmtu.max(NETMTU_MIN), &entropy, silence_min, now)
        });
        let me = Member { node: own, incarnation };
        let flow = Flow { window_size: config.window_size, max_messages: config.max_messages };
        let others = config.nodes.iter().map(|n| n.node).filter(|node| *node != own);
        Self {
            me,
            now,
            outputs: VecDeque::new(),
            stats: Stats::default(),
            changed: true,
            ring: RingId::default(),
            small_only: false,
            peers: Peers::new(peers),
            hearing: Hearing::new(me, others),
            keyring: Keyring::new(ClusterKeys::new(&config.authkey, &config.cluster_name)),
            cluster_name: config.cluster_name.clone(),
            entropy,
            cipher: config.cipher,
            overhead: if config.cipher == Cipher::None { OVERHEAD } else { OVERHEAD_ENCRYPTED },
            contract: config.contract.clone(),
            config_hash: hello::config_hash(&config.nodes, &config.timers, flow),
            links: config.links,
            netmtu: config.netmtu.max(NETMTU_MIN),
            flow,
            config_told: BTreeMap::new(),
            answers: (now, 0),
            token: config.timers.token_for(count),
            ping: config.timers.ping_for(count),
            silence_min,
            silence_max: config.timers.silence_max_for(count),
            timers: config.timers.clone(),
            late: (Duration::ZERO, Duration::ZERO, now),
            awake_since: Timestamp::ZERO,
        }
    }

    /// The nodes are these from now on: who is no longer among them is not spoken with any more, who is new is greeted.
    pub(crate) fn set_nodes(&mut self, nodes: &[NodeConfig]) {
        let count = nodes.len();
        self.config_hash = hello::config_hash(nodes, &self.timers, self.flow);
        self.token = self.timers.token_for(count);
        self.ping = self.timers.ping_for(count);
        self.silence_min = self.timers.silence_min_for(count);
        self.silence_max = self.timers.silence_max_for(count);
        let own = self.me.node;
        let others: Vec<NodeConfig> = nodes.iter().filter(|node| node.node != own).cloned().collect();
        let fresh = |node: &NodeConfig| {
            let links = node.links.min(self.links);
            Peer::new(node.node, links, self.netmtu, &self.entropy, self.silence_min, self.now)
        };
        let new: Vec<Peer> = others.iter().filter(|node| self.peers.get(node.node).is_none()).map(fresh).collect();
        self.peers.set(&others.iter().map(|node| node.node).collect(), new);
        self.hearing.set_others(others.iter().map(|node| node.node).collect());
        self.config_told.retain(|node, _| nodes.iter().any(|kept| kept.node == *node));
        self.changed = true;
    }

    /// Time goes on. `expected` is when this process wanted to be woken at the latest.
    ///
    /// Returns how long it was not scheduled; the silence of peers during that time is not held against them.
    pub(crate) fn advance(&mut self, now: Timestamp, expected: Option<Timestamp>) -> Duration {
        self.now = self.now.max(now);
        let late = expected.map_or(Duration::ZERO, |expected| self.now.since(expected));
        if self.now.since(self.late.2) > LATE_BUCKET {
            self.late = (Duration::ZERO, self.late.0, self.now);
        }
        if late <= LATE_MIN {
            return Duration::ZERO;
        }
        self.late.0 = self.late.0.max(late);
        let now = self.now;
        if late >= self.ping {
            self.awake_since = now;
        }
        for peer in self.peers.iter_mut() {
            peer.last_heard = peer.last_heard.map(|heard| (heard + late).min(now));
            for path in &mut peer.paths {
                path.last_heard = path.last_heard.map(|heard| (heard + late).min(now));
            }
            if let Life::Probing { .. } = peer.life {
                peer.life = Life::Alive;
            }
        }
        late
    }

    /// See [`crate::Engine::stir`].
    pub(crate) fn stir(&mut self, fresh: &[u8; 32]) {
        self.entropy = stirred(&self.entropy, fresh);
    }

    // --- receiving

    /// Authenticates and decodes a datagram. What concerns only this layer is dealt with here.
    pub(crate) fn receive(
        &mut self,
        link: LinkId,
        from: NodeId,
        datagram: &[u8],
    ) -> Result<Option<(Member, Message)>, Rejected> {
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
        let header = Header::parse(datagram)?;
        if header.destination != self.me.node {
            return Err(Rejected::Destination);
        }
        if header.source != from {
            return Err(Rejected::Source);
        }
        if header.link != link {
            return Err(Rejected::Link);
        }
        self.with_peer(from, |net, peer| net.receive_from(peer, &header, datagram)).unwrap_or(Err(Rejected::Source))
    }

    fn receive_from(
        &mut self,
        peer: &mut Peer,
        header: &Header,
        datagram: &[u8],
    ) -> Result<Option<(Member, Message)>, Rejected> {
        if !self.can_read(peer, header) {
            self.report_foreign(peer, header.cluster);
            return Err(Rejected::ForeignCluster);
        }
        if header.class == Class::Hello {
            self.handle_hello(peer, header, datagram)?;
            return Ok(None);
        }
        if header.suite != suite_of(self.cipher) {
            return Err(Rejected::Suite);
        }
        let body = self.open(peer, header, datagram)?;
        let member = peer.member().ok_or(Rejected::NoSession)?;
        if matches!(peer.life, Life::Left { .. }) {
            return Err(Rejected::HasLeft);
        }
        self.heard_from(peer, header.link);
        let Some(message) = self.decode(peer, &body)? else { return Ok(None) };
        Ok(self.dispatch(peer, header.link, message, datagram.len()).map(|message| (member, message)))
    }

    fn open(&mut self, peer: &mut Peer, header: &Header, datagram: &[u8]) -> Result<Vec<u8>, Rejected> {
        let refused = match &mut peer.session {
            Some(session) => match session.open(header, datagram) {
                Ok(body) => return Ok(body),
                Err(refused) => {
                    peer.replays = peer.replays.saturating_add(u32::from(refused == Rejected::Replay));
                    refused
                }
            },
            None => Rejected::NoSession,
        };
        match refused {
            // It may belong to the session before,
            Rejected::NoSession if peer.former.as_ref().is_some_and(|former| former.cluster() == header.cluster) => {
                peer.former.as_mut().map_or(Err(refused), |former| former.open(header, datagram))
            }
            // or to the one that is being made.
            Rejected::NoSession | Rejected::Mac | Rejected::Replay if peer.pending.is_some() => {
                self.open_pending(peer, header, datagram).map_err(|_| refused)
            }
            _ => Err(refused),
        }
    }

    fn decode(&mut self, peer: &mut Peer, body: &[u8]) -> Result<Option<Message>, Rejected> {
        let message = Message::decode(body);
        let message = match message {
            Ok(Message::Segment(segment)) => match peer.segments.accept(segment) {
                None => return Ok(None),
                Some(body) => Message::decode(&body),
            },
            other => other,
        };
        match message {
            Ok(Message::Segment(_) | Message::Hello(_)) | Err(_) => {
                self.report_misbehaviour(peer, Misbehaviour::Malformed);
                Err(Rejected::Malformed)
            }
            Ok(message) => Ok(Some(message)),
        }
    }

    /// Keeps what belongs here, gives on what belongs to the ring.
    fn dispatch(&mut self, peer: &mut Peer, link: LinkId, message: Message, datagram_len: usize) -> Option<Message> {
        match message {
            Message::Ping(ping) => self.handle_ping(peer, link, ping),
            Message::Pong(pong) => self.handle_pong(peer, link, pong),
            Message::MtuProbe(_) => self.handle_size_probe(peer, link, datagram_len),
            Message::MtuAck(size) => self.handle_size_ack(peer, link, size),
            Message::Doubled => self.report_problem(peer, PeerProblem::OwnDuplicate { stays: true }),
            message => return Some(message),
        }
        None
    }

    // --- sending

    fn transmit(&mut self, link: LinkId, to: NodeId, datagram: Vec<u8>) {
        self.stats.datagrams_sent += 1;
        self.stats.bytes_sent += datagram.len() as u64;
        self.outputs.push_back(Output::Transmit { link, to, datagram });
    }

    fn send_on(&mut self, peer: &mut Peer, link: LinkId, message: &Message) {
        let Some(session) = &mut peer.session else { return };
        if let Some(datagram) = session.seal(link, message.class(), &message.encode()) {
            self.transmit(link, peer.node, datagram);
        }
    }

    /// Sends to one peer on every link that answers.
    pub(crate) fn send(&mut self, to: NodeId, message: &Message) {
        self.send_routed(to, message.class(), &message.encode(), Route::All);
    }

    /// Sends to several peers on every link that answers.
    pub(crate) fn send_all(&mut self, to: impl IntoIterator<Item = NodeId>, message: &Message) {
        let body = message.encode();
        for node in to {
            self.send_routed(node, message.class(), &body, Route::All);
        }
    }

    /// Sends to several peers on the best link of each.
    pub(crate) fn send_bulk(&mut self, to: impl IntoIterator<Item = NodeId>, message: &Message) {
        let body = message.encode();
        for node in to {
            self.send_routed(node, message.class(), &body, Route::Best);
        }
    }

    fn send_routed(&mut self, to: NodeId, class: Class, body: &[u8], route: Route) {
        self.with_peer(to, |net, peer| {
            let links = match route {
                Route::All => peer.usable_links(),
                Route::Best => Links::of(peer.best_path()),
            };
            net.send_body(peer, class, body, links);
        });
    }

    fn send_body(&mut self, peer: &mut Peer, class: Class, body: &[u8], links: Links) {
        let (to, overhead, paths) = (peer.node, self.overhead, &peer.paths);
        let Some(session) = &mut peer.session else { return };
        let fitting = |link: LinkId| {
            let path = paths.get(usize::from(link.0));
            path.map_or(0, |path| usize::from(path.mtu.current).saturating_sub(overhead))
        };
        let too_small = links.iter().map(fitting).filter(|body_max| body.len() > *body_max);
        // The same pieces on every link, whatever each carries: they belong together.
        let pieces: Option<Vec<Vec<u8>>> = too_small.min().map(|body_max| {
            let segments = segment::cut(session.next_segment(), body, body_max);
            segments.into_iter().map(|segment| Message::Segment(segment).encode()).collect()
        });
        for link in links.iter() {
            match &pieces {
                Some(pieces) if body.len() > fitting(link) => {
                    for piece in pieces {
                        self.transmit_sealed(link, to, session.seal(link, class, piece));
                    }
                }
                _ => self.transmit_sealed(link, to, session.seal(link, class, body)),
            }
        }
    }

    /// What fits into no datagram is not sent.
    fn transmit_sealed(&mut self, link: LinkId, to: NodeId, datagram: Option<Vec<u8>>) {
        if let Some(datagram) = datagram {
            self.transmit(link, to, datagram);
        }
    }

    /// Bytes of payload that a packet to these peers may have so that it needs no cutting.
    pub(crate) fn payload_max(&self, to: impl IntoIterator<Item = NodeId>) -> usize {
        let sizes = to.into_iter().filter_map(|node| self.peers.get(node)?.best_path()).map(|path| path.mtu.current);
        let smallest = sizes.min().unwrap_or(DATAGRAM_FLOOR);
        usize::from(smallest).saturating_sub(self.overhead + PACKET_HEADROOM)
    }

    // --- time

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self) {
        self.retire_former_key();
        self.with_each_peer(|net, peer| {
            if net.next_offer(peer).is_some_and(|at| at <= net.now) {
                net.offer_session(peer);
            }
            if peer.session.is_some() && !matches!(peer.life, Life::Left { .. }) {
                net.watch(peer);
            }
        });
    }

    /// When something is due.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        let watch = |peer: &Peer| peer.session.is_some().then(|| self.next_watch(peer)).flatten();
        let due = |peer: &Peer| [self.next_offer(peer), watch(peer)].into_iter().flatten().min();
        self.peers.iter().filter_map(due).chain(self.next_retirement()).min()
    }

    // --- who hears whom

    /// The known graph: this node, those it hears, those they hear and so on, with what each says to hear. Announces a
    /// change of our own row at once.
    pub(crate) fn graph(&mut self) -> Graph {
        let now = self.now;
        let heard = self.peers.iter().filter(|peer| peer.is_heard(now)).filter_map(Peer::member).collect();
        let excluded = self.peers.iter().filter(|peer| peer.is_excluded()).filter_map(Peer::member).collect();
        if self.hearing.hears(heard, excluded) {
            for path in self.peers.iter_mut().filter(|peer| peer.is_alive()).flat_map(|peer| &mut peer.paths) {
                path.next_ping = path.next_ping.min(now);
            }
        }
        self.hearing.graph()
    }

    /// What to tell others of who hears whom.
    pub(crate) fn own_knowledge(&mut self) -> Knowledge {
        self.hearing.knowledge()
    }

    /// Takes what a peer says of itself and of others; whether there was anything new.
    pub(crate) fn learn_rows(&mut self, from: Member, knowledge: &Knowledge) -> bool {
        let news = self.hearing.learn(from, knowledge);
        self.changed |= news.any;
        self.notice_exclusions(&news.excluded);
        news.any
    }

    /// Somebody does not hear these: check them.
    pub(crate) fn check_soon(&mut self, doubtful: &[NodeId]) {
        for node in doubtful {
            self.with_peer(*node, |net, peer| {
                if peer.session.is_some() {
                    net.doubt(peer);
                }
            });
        }
    }

    /// All peers with which a session exists and which have not left.
    pub(crate) fn connected(&self) -> Vec<NodeId> {
        let reachable = |peer: &Peer| peer.session.is_some() && !matches!(peer.life, Life::Left { .. });
        self.peers.iter().filter(|peer| reachable(peer)).map(|peer| peer.node).collect()
    }

    /// The connected life of a peer, if it is in contact.
    pub(crate) fn alive(&self, node: NodeId) -> Option<Member> {
        self.peers.get(node).filter(|peer| peer.is_alive()).and_then(|peer| peer.member())
    }

    /// Whether the peer's present life differs from `member`.
    pub(crate) fn has_restarted(&self, member: Member) -> bool {
        let present = self.peers.get(member.node).and_then(|peer| peer.member());
        present.is_some_and(|present| present.incarnation != member.incarnation)
    }

    /// This life of a node has left: expect nothing more of it.
    pub(crate) fn mark_left(&mut self, member: Member, clean: bool) -> bool {
        let marked = self.with_peer(member.node, |net, peer| {
            let is_news = peer.is_in_life(member.incarnation) && !matches!(peer.life, Life::Left { .. });
            if is_news {
                peer.life = Life::Left { clean };
                for path in &mut peer.paths {
                    path.up = false;
                }
                net.changed = true;
                net.succeed(peer);
            }
            is_news
        });
        marked.unwrap_or(false)
    }

    /// Whether anybody goes without somebody who is known here.
    pub(crate) fn is_someone_excluded(&self) -> bool {
        self.hearing.is_someone_excluded()
    }

    /// Do not count a peer among those heard for a while, although it answers.
    pub(crate) fn withhold(&mut self, node: NodeId, time: Duration) {
        if let Some(peer) = self.peers.get_mut(node) {
            let time = if mutant("withheld-for-ever") { Duration::from_secs(1 << 30) } else { time };
            peer.withheld_until = Some(self.now + time);
            self.changed = true;
        }
    }

    /// Nobody listens at a peer's port, says somebody: a hint that shortens the wait once.
    pub(crate) fn hint_unreachable(&mut self, link: LinkId, node: NodeId) {
        self.with_peer(node, |net, peer| {
            let others_up = peer.paths.iter().any(|path| path.link != link && path.up);
            if !others_up && peer.life == Life::Alive && peer.hints_from <= net.now && !peer.unreachable {
                peer.unreachable = true;
                net.ping_soon(peer);
            }
        });
    }

    /// A datagram was too large for the path, says somebody: a hint that makes its size be checked.
    pub(crate) fn hint_too_big(&mut self, link: LinkId, node: NodeId) {
        let now = self.now;
        if let Some(path) = self.peers.get_mut(node).and_then(|peer| peer.path_mut(link)) {
            path.mtu.hint(now);
        }
    }

    /// Somebody keeps missing packets: check whether they still pass.
    pub(crate) fn verify_paths(&mut self) {
        let now = self.now;
        for path in self.peers.iter_mut().flat_map(|peer| &mut peer.paths) {
            path.mtu.verify(now);
        }
    }

    /// A time within which nearly every answer of these peers comes.
    pub(crate) fn rtt_bound(&self, peers: impl IntoIterator<Item = NodeId>) -> Duration {
        peers.into_iter().filter_map(|node| self.peers.get(node)).map(|peer| peer.rtt_bound()).max().unwrap_or_default()
    }

    /// Adds what makes the state of this layer to a digest: sessions, who is heard, what passes.
    pub(crate) fn outline(&self, out: &mut impl Hasher) {
        (self.ring, self.small_only).hash(out);
        self.hearing.outline(out);
        for peer in self.peers.iter() {
            (peer.ring, peer.small_only, peer.withheld_until, peer.unreachable, peer.excluded).hash(out);
            (peer.member(), peer.life, peer.last_heard, &peer.trust, &peer.paths).hash(out);
            if let Some(session) = &peer.session {
                session.outline(out);
            }
        }
    }
}

#[cfg(test)]
mod tests;
