//! Sessions are made by three hellos: offer, answer, confirm.
//!
//! A session is usable for a node as soon as its own nonce came back, because only a living holder of the key can have
//! sent it. Until then nothing is believed and nothing told: what came may have been recorded long ago. A nonce that came
//! back is never used again, so whatever was recorded belongs to keys nobody uses any more.
//!
//! What becomes of a proof ([`Transport::admit`]):
//!
//! | with the peer there is | the proof is of | then |
//! |---|---|---|
//! | anything | a program or cluster that cannot be in one ring | it is told, no session |
//! | no session, or a silent one | any life | it is the session |
//! | a session that is not to be replaced, and the proof is an answer | the same life | it came too late: nothing |
//! | a session of one that said LEAVE | a later life | it is the session |
//! | a session that answers | the same life | it takes its place, nothing else changes |
//! | a session that answers | another life | it waits ([`Successor`]): if the present one falls silent it has restarted, if it answers there are two |

use std::time::Duration;

use hac_types::{LevelWindow, LinkId, Timestamp};

use crate::crypto::{ClusterKeys, End, SessionNonce};
use crate::rotation::Flow;
use crate::transport::Transport;
use crate::transport::peer::{HELLO_FIRST, HELLO_SLOWEST, Life, Peer};
use crate::transport::session::{Session, suite_of};
use crate::wire::envelope::{self, SUITE_HMAC};
use crate::wire::{Class, Header, Hello, HelloStage, Message, Release};
use crate::{Mismatch, NodeConfig, Notice, PeerProblem, Rejected, Timers};

/// Answers to hellos of one peer in a second.
const ANSWERS_PER_PEER: u32 = 10;
/// Answers to hellos in a second altogether.
const ANSWERS_TOTAL: u32 = 50;
/// Longest wait between hellos to a peer that is silent in a session: nearly always it is down, and pinged anyway.
const HELLO_SILENT: Duration = Duration::from_secs(10);
/// A nonce that is older is not offered any more; longer than any exchange lasts.
const NONCE_LASTS: Duration = Duration::from_secs(10);

/// What a hello says of freshness: our contribution, and that of the peer back.
#[derive(Clone, Copy)]
struct Nonces {
    own: SessionNonce,
    echo: SessionNonce,
}

/// A session that nothing proves yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) session: Session,
    /// Why it cannot be, if the peer said so itself.
    problem: Option<PeerProblem>,
    config_differs: bool,
    told: Told,
}

/// What a peer has proved to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The levels that its program knows.
    pub levels: LevelWindow,
    /// The release of its program.
    pub release: Release,
}

/// A proven session with another life of a peer that answers.
#[derive(Debug)]
pub(crate) struct Successor {
    session: Session,
    /// When it was proven.
    since: Timestamp,
}

impl Transport {
    /// Offers a session on every link: under the own key, and where that was not answered under the next one too, as the
    /// peer may use it already while this node did not live to see the end of the rotation.
    pub(super) fn offer_session(&mut self, peer: &mut Peer) {
        let next = self.keyring.next().filter(|_| peer.hello.wait > HELLO_FIRST);
        peer.hello.next = self.now + peer.hello.wait;
        let slowest = if self.is_just_silent(peer) { HELLO_SILENT } else { HELLO_SLOWEST };
        peer.hello.wait = (peer.hello.wait * 2).min(slowest);
        self.freshen_nonce(peer);
        for keys in [Some(self.keyring.own()), next].into_iter().flatten() {
            for path in &peer.paths {
                self.send_hello(peer, path.link, &keys, HelloStage::Offer, Nonces { own: peer.nonce, echo: [0; 16] });
            }
        }
    }

    fn send_hello(&mut self, peer: &Peer, link: LinkId, keys: &ClusterKeys, stage: HelloStage, nonces: Nonces) {
        let hello = self.hello(stage, nonces);
        self.send_this_hello(peer, link, keys, hello);
    }

    fn hello(&self, stage: HelloStage, nonces: Nonces) -> Hello {
        let Nonces { own: nonce, echo } = nonces;
        let contract = &self.contract;
        Hello {
            stage,
            suite: suite_of(self.cipher),
            nonce,
            echo,
            levels: contract.levels,
            level: contract.level,
            cluster_uuid: contract.cluster_uuid,
            config_version: contract.config_version,
            config_hash: self.config_hash,
            release: Release::new(&contract.release),
            doubled: false,
        }
    }

    fn send_this_hello(&mut self, peer: &Peer, link: LinkId, keys: &ClusterKeys, hello: Hello) {
        let header = Header {
            suite: SUITE_HMAC,
            class: Class::Hello,
            link,
            cluster: keys.cluster(),
            source: self.me.node,
            destination: peer.node,
            incarnation: self.me.incarnation,
            counter: 0,
        };
        if let Some(datagram) = envelope::seal_plain(&header, &Message::Hello(hello).encode(), keys.hello()) {
            self.transmit(link, peer.node, datagram);
        }
    }

    /// Takes a hello whose header fits but is not authenticated yet. It is answered under the key it came with.
    pub(super) fn handle_hello(&mut self, peer: &mut Peer, header: &Header, datagram: &[u8]) -> Result<(), Rejected> {
        let keys = self.keyring.named(header.cluster).ok_or(Rejected::ForeignCluster)?;
        if header.suite != SUITE_HMAC {
            return Err(Rejected::Suite);
        }
        envelope::verify(datagram, keys.hello())?;
        let Message::Hello(hello) = Message::decode(envelope::open_plain(datagram)?)? else {
            return Err(Rejected::Malformed);
        };
        let end = End { node: peer.node, incarnation: header.incarnation, nonce: hello.nonce };
        match hello.stage {
            HelloStage::Offer => self.handle_offer(peer, header.link, &keys, end, &hello),
            HelloStage::Answer => self.handle_answer(peer, header.link, &keys, end, &hello),
            HelloStage::Confirm => self.handle_confirm(peer, &keys, &end, &hello),
        }
    }

    /// An offer proves nothing: whoever sent it must first send our nonce back.
    fn handle_offer(
        &mut self,
        peer: &mut Peer,
        link: LinkId,
        keys: &ClusterKeys,
        end: End,
        hello: &Hello,
    ) -> Result<(), Rejected> {
        self.take_answer_right(peer)?;
        let cluster = keys.cluster();
        if let Some(session) = peer.session.as_ref().filter(|session| session.is_with(&end, cluster)) {
            // It has missed that we have this session already.
            let nonces = Nonces { own: session.own.nonce, echo: end.nonce };
            self.send_hello(peer, link, keys, HelloStage::Confirm, nonces);
            return Ok(());
        }
        if peer.pending.as_ref().is_none_or(|pending| !pending.session.is_with(&end, cluster)) {
            self.freshen_nonce(peer);
            peer.pending = Some(self.pending_with(peer, keys, end, hello));
        }
        self.send_hello(peer, link, keys, HelloStage::Answer, Nonces { own: peer.nonce, echo: end.nonce });
        Ok(())
    }

    fn handle_answer(
        &mut self,
        peer: &mut Peer,
        link: LinkId,
        keys: &ClusterKeys,
        end: End,
        hello: &Hello,
    ) -> Result<(), Rejected> {
        if let Some(session) = &peer.session
            && session.is_with(&end, keys.cluster())
            && session.own.nonce == hello.echo
        {
            return Ok(());
        }
        // Only who still asks takes an answer: the peer may have gone on since it gave a late one, into another session.
        let same_life = peer.is_in_life(end.incarnation);
        if hello.echo != peer.nonce || (same_life && !self.wants_session(peer)) {
            return Err(Rejected::NoSession);
        }
        let nonces = Nonces { own: peer.nonce, echo: end.nonce };
        let pending = self.pending_with(peer, keys, end, hello);
        let admitted = self.admit(peer, pending);
        // Refused or not: the peer is to know with whom it speaks.
        self.send_hello(peer, link, keys, HelloStage::Confirm, nonces);
        admitted
    }

    fn handle_confirm(
        &mut self,
        peer: &mut Peer,
        keys: &ClusterKeys,
        end: &End,
        hello: &Hello,
    ) -> Result<(), Rejected> {
        let cluster = keys.cluster();
        // The nonces of both ends make a session: one that fits at the other end alone is another, and opens nothing.
        let is_this = |session: &Session| session.is_with(end, cluster) && session.own.nonce == hello.echo;
        if peer.session.as_ref().is_some_and(is_this) {
            if hello.doubled && peer.life == Life::Unproven {
                self.give_way(peer);
            }
            return Ok(());
        }
        if hello.echo != peer.nonce {
            return Err(Rejected::NoSession);
        }
        let pending = peer.pending.take().filter(|pending| pending.session.is_with(end, cluster));
        let pending = pending.unwrap_or_else(|| self.pending_with(peer, keys, *end, hello));
        self.admit(peer, pending)
    }

    /// Takes the datagram as a confirm if it belongs to the session that was offered: having its key proves as much.
    pub(super) fn open_pending(
        &mut self,
        peer: &mut Peer,
        header: &Header,
        datagram: &[u8],
    ) -> Result<Vec<u8>, Rejected> {
        let mut pending = peer.pending.take().ok_or(Rejected::NoSession)?;
        let Ok(body) = pending.session.open(header, datagram) else {
            peer.pending = Some(pending);
            return Err(Rejected::NoSession);
        };
        let (end, cluster) = (pending.session.peer, pending.session.cluster());
        self.admit(peer, pending)?;
        if peer.session.as_ref().is_some_and(|session| session.is_with(&end, cluster)) {
            Ok(body)
        } else {
            Err(Rejected::Incarnation)
        }
    }

    fn pending_with(&self, peer: &Peer, keys: &ClusterKeys, end: End, hello: &Hello) -> Pending {
        let own = End { node: self.me.node, incarnation: self.me.incarnation, nonce: peer.nonce };
        let session = Session::new(keys, own, end, self.cipher);
        let config_differs = hello.config_hash != self.config_hash;
        let told = Told { levels: hello.levels, release: hello.release };
        Pending { session, problem: self.judge(hello), config_differs, told }
    }

    /// Why this node cannot be in one ring with one that says this.
    fn judge(&self, hello: &Hello) -> Option<PeerProblem> {
        if hello.suite != suite_of(self.cipher) {
            return Some(PeerProblem::CipherDiffers);
        }
        let ours = &self.contract;
        let named = |uuid: [u8; 16]| uuid != [0; 16];
        if named(ours.cluster_uuid) && named(hello.cluster_uuid) && ours.cluster_uuid != hello.cluster_uuid {
            return Some(PeerProblem::OtherCluster { cluster_uuid: hello.cluster_uuid });
        }
        let release = Release::new(&ours.release);
        let mismatch = |own: bool, levels: LevelWindow, level| Mismatch {
            own,
            release: if own { release } else { hello.release },
            levels,
            level,
            fits: if own { hello.release } else { release },
        };
        // Where nobody has a level yet, a level that both know is needed; the program that knows the lower ones is told.
        let level = if ours.level.is_none() && hello.level.is_none() { ours.levels.min } else { ours.level };
        if !level.is_none() && hello.levels.max < level {
            return Some(PeerProblem::TooOld(mismatch(false, hello.levels, level)));
        }
        if !ours.level.is_none() && hello.levels.min > ours.level {
            return Some(PeerProblem::TooNew(mismatch(false, hello.levels, ours.level)));
        }
        let theirs = if ours.level.is_none() && hello.level.is_none() { hello.levels.min } else { hello.level };
        if !theirs.is_none() && ours.levels.max < theirs {
            return Some(PeerProblem::TooOld(mismatch(true, ours.levels, theirs)));
        }
        if !hello.level.is_none() && ours.levels.min > hello.level {
            return Some(PeerProblem::TooNew(mismatch(true, ours.levels, hello.level)));
        }
        None
    }

    /// The peer has proved that it is there now and holds the key; see the [module](self).
    fn admit(&mut self, peer: &mut Peer, pending: Pending) -> Result<(), Rejected> {
        let Pending { session, problem, config_differs, told } = pending;
        peer.pending = None;
        self.renew_nonce(peer);
        peer.told = Some(told);
        if let Some(problem) = problem {
            peer.hello.wait = HELLO_SLOWEST;
            self.report_problem(peer, problem);
            return Err(Rejected::Incompatible);
        }
        let life = session.peer.incarnation;
        if let Some(present) = &peer.session {
            let rank = |session: &Session| self.keyring.age_rank(session.cluster());
            let (same, older_key) = (present.peer.incarnation == life, rank(&session) < rank(present));
            if matches!(peer.life, Life::Left { .. }) && life <= present.peer.incarnation {
                return Err(Rejected::Incarnation);
            }
            if same && older_key {
                return Err(Rejected::ForeignCluster);
            }
            if same {
                self.move_to(peer, session);
                return Ok(());
            }
            if peer.is_alive() {
                peer.successor = Some(Successor { session, since: self.now });
                // Whether the present life answers is soon known.
                self.ping_soon(peer);
                return Err(Rejected::Incarnation);
            }
        }
        if config_differs {
            self.notice_config_differs(peer.node);
        }
        self.establish(peer, session);
        Ok(())
    }

    /// The active level has changed: ends sessions with programs that do not know it.
    pub(crate) fn level_changed(&mut self) {
        let (level, ours) = (self.contract.level, Release::new(&self.contract.release));
        self.with_each_peer(|net, peer| {
            if let Some(Told { levels, release }) = peer.told
                && peer.session.is_some()
                && !levels.contains(level)
            {
                let mismatch = Mismatch { own: false, release, levels, level, fits: ours };
                let old = levels.max < level;
                net.report_problem(peer, if old { PeerProblem::TooOld } else { PeerProblem::TooNew }(mismatch));
                peer.session = None;
                peer.life = Life::Unproven;
                peer.hello.next = net.now + HELLO_SLOWEST;
                net.changed = true;
            }
        });
    }

    /// The session is over: another life of the peer that was there already takes its place.
    pub(super) fn succeed(&mut self, peer: &mut Peer) {
        if let Some(successor) = peer.successor.take()
            && self.now.since(successor.since) < self.silence_max * 2
        {
            self.establish(peer, successor.session);
        }
    }

    /// The present life of the peer has answered a ping that was sent at `asked`: if another life was there before, there
    /// are two. All three are told; the one that is connected stays.
    pub(super) fn is_doubled(&mut self, peer: &mut Peer, asked: Timestamp) {
        let Some(successor) = peer.successor.take_if(|successor| successor.since <= asked) else { return };
        self.report_problem(peer, PeerProblem::DuplicateNode);
        self.send_body(peer, Class::Membership, &Message::Doubled.encode(), peer.usable_links());
        let Some(keys) = self.keyring.named(successor.session.cluster()) else { return };
        let nonces = Nonces { own: successor.session.own.nonce, echo: successor.session.peer.nonce };
        for index in 0..peer.paths.len() {
            let Some(link) = peer.paths.get(index).map(|path| path.link) else { return };
            let hello = Hello { doubled: true, ..self.hello(HelloStage::Confirm, nonces) };
            self.send_this_hello(peer, link, &keys, hello);
        }
    }

    /// The peer is connected to another life of this node, which stays.
    fn give_way(&mut self, peer: &mut Peer) {
        self.report_problem(peer, PeerProblem::OwnDuplicate { stays: false });
        peer.session = None;
        peer.hello.wait = HELLO_SLOWEST;
        peer.hello.next = self.now + HELLO_SLOWEST;
        self.changed = true;
    }

    fn establish(&mut self, peer: &mut Peer, session: Session) {
        let member = session.member();
        let same_life = peer.member() == Some(member);
        peer.session = Some(session);
        peer.session_at = self.now;
        peer.former = None;
        peer.pending = None;
        peer.successor = None;
        self.renew_nonce(peer);
        peer.hello.wait = HELLO_FIRST;
        peer.problem = None;
        peer.withheld_until = None;
        peer.unreachable = false;
        peer.small_only = false;
        peer.replays = 0;
        peer.segments = Default::default();
        peer.life = Life::Unproven;
        peer.last_heard = Some(self.now);
        let now = self.now;
        for path in &mut peer.paths {
            path.restart(now);
        }
        self.changed = true;
        if !same_life {
            peer.excluded = None;
            self.notice(Notice::Connected { member });
        }
    }

    /// Takes a new nonce, so that what was said for the one before is of no use any more.
    pub(super) fn renew_nonce(&self, peer: &mut Peer) {
        peer.renew_nonce(&self.entropy, self.now);
    }

    /// Takes a new nonce if the present one is older than any exchange.
    fn freshen_nonce(&self, peer: &mut Peer) {
        if self.now.since(peer.nonce_at) > NONCE_LASTS {
            self.renew_nonce(peer);
        }
    }

    fn take_answer_right(&mut self, peer: &mut Peer) -> Result<(), Rejected> {
        let second = Duration::from_secs(1);
        if self.now.since(peer.hello.window) >= second {
            peer.hello.window = self.now;
            peer.hello.answers = 0;
        }
        if self.now.since(self.answers.0) >= second {
            self.answers = (self.now, 0);
        }
        if peer.hello.answers >= ANSWERS_PER_PEER || self.answers.1 >= ANSWERS_TOTAL {
            return Err(Rejected::RateLimit);
        }
        peer.hello.answers += 1;
        self.answers.1 += 1;
        Ok(())
    }
}

/// Eight bytes that differ when the node list, the timeouts in effect or the limits of flow control do: the first of the
/// SHA-256 of
///
/// ```text
/// "hacd config 1" 0
/// count of nodes u32, then for each, ascending, id u32 and links u8             all integers little endian
/// in microseconds, u64: token token_retransmit hold join consensus merge ping silence_min silence_max startup_listen
///     rejoin_hold
/// adaptive u8, token_retransmits_before_loss_const u32, window_size u32, max_messages u32
/// ```
pub(crate) fn config_hash(nodes: &[NodeConfig], timers: &Timers, flow: Flow) -> [u8; 8] {
    let mut nodes: Vec<(u32, u8)> = nodes.iter().map(|n| (n.node.0, n.links)).collect();
    nodes.sort_unstable();
    let count = nodes.len();
    let mut text = b"hacd config 1\0".to_vec();
    text.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    for (node, links) in nodes {
        text.extend(node.to_le_bytes());
        text.push(links);
    }
    let times = [
        timers.token_for(count),
        timers.token_retransmit_for(count),
        timers.hold_for(count),
        timers.join,
        timers.consensus_for(count),
        timers.merge,
        timers.ping_for(count),
        timers.silence_min_for(count),
        timers.silence_max_for(count),
        timers.startup_listen,
        timers.rejoin_hold,
    ];
    for time in times {
        text.extend(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).to_le_bytes());
    }
    text.push(u8::from(timers.adaptive));
    for number in [timers.token_retransmits_before_loss_const, flow.window_size, flow.max_messages] {
        text.extend(number.to_le_bytes());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &text);
    let mut hash = [0; 8];
    hash.copy_from_slice(&digest.as_ref()[..8]);
    hash
}
