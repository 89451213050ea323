//! Sessions are made by three hellos: offer, answer, confirm.
//!
//! A session is usable for a node as soon as its own nonce came back, because only a living holder of the key can have
//! sent it. Nonces are never used for a second session, so whatever was recorded belongs to keys nobody uses any more.
//! An established session is replaced only by a proven one, and never while its peer is alive unless the peer's life
//! is a later one or the session's key a newer one.

use hac_types::LinkId;

use crate::crypto::{ClusterKeys, End, SessionNonce};
use crate::transport::Transport;
use crate::transport::peer::{HELLO_FIRST, HELLO_SLOWEST, Life, Peer};
use crate::transport::session::{Session, suite_of};
use crate::wire::envelope::{self, SUITE_HMAC};
use crate::wire::{Class, Header, Hello, HelloStage, Message};
use crate::{Notice, PeerProblem, Rejected};

/// Answers to hellos of one peer in a second.
const ANSWERS_PER_PEER: u32 = 10;
/// Answers to hellos in a second altogether.
const ANSWERS_TOTAL: u32 = 50;

/// What a hello says of freshness: our contribution, and that of the peer back.
struct Nonces {
    own: SessionNonce,
    echo: SessionNonce,
}

impl Transport {
    /// Offers a session on every link: under the own key, and where that was not answered under the next one too, as the
    /// peer may use it already while this node did not live to see the end of the rotation.
    pub(super) fn offer_session(&mut self, peer: &mut Peer) {
        let next = self.keyring.next().filter(|_| peer.hello.wait > HELLO_FIRST);
        peer.hello.next = self.now + peer.hello.wait;
        peer.hello.wait = (peer.hello.wait * 2).min(HELLO_SLOWEST);
        for keys in [Some(self.keyring.own()), next].into_iter().flatten() {
            for path in &peer.paths {
                self.send_hello(peer, path.link, &keys, HelloStage::Offer, Nonces { own: peer.nonce, echo: [0; 16] });
            }
        }
    }

    fn send_hello(&mut self, peer: &Peer, link: LinkId, keys: &ClusterKeys, stage: HelloStage, nonces: Nonces) {
        let suite = suite_of(self.cipher);
        let Nonces { own: nonce, echo } = nonces;
        let body = Message::Hello(Hello { stage, nonce, echo, suite, config_hash: self.config_hash }).encode();
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
        if let Some(datagram) = envelope::seal_plain(&header, &body, keys.hello()) {
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
        if hello.suite != suite_of(self.cipher) {
            self.report_problem(peer, PeerProblem::CipherDiffers);
            return Err(Rejected::Suite);
        }
        let end = End { node: peer.node, incarnation: header.incarnation, nonce: hello.nonce };
        self.note_config(peer, &hello);
        match hello.stage {
            HelloStage::Offer => self.handle_offer(peer, header.link, &keys, end),
            HelloStage::Answer => self.handle_answer(peer, header.link, &keys, end, &hello),
            HelloStage::Confirm => self.handle_confirm(peer, &keys, &end, &hello),
        }
    }

    fn handle_offer(&mut self, peer: &mut Peer, link: LinkId, keys: &ClusterKeys, end: End) -> Result<(), Rejected> {
        self.take_answer_right(peer)?;
        let cluster = keys.cluster();
        if let Some(session) = peer.session.as_ref().filter(|session| session.is_with(&end, cluster)) {
            // It has missed that we have this session already.
            let nonces = Nonces { own: session.own.nonce, echo: end.nonce };
            self.send_hello(peer, link, keys, HelloStage::Confirm, nonces);
            return Ok(());
        }
        self.admissible(peer, &end, cluster)?;
        if peer.pending.as_ref().is_none_or(|pending| !pending.is_with(&end, cluster)) {
            peer.pending = Some(self.session_with(peer, keys, end));
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
        if hello.echo != peer.nonce {
            return Err(Rejected::NoSession);
        }
        self.admissible(peer, &end, keys.cluster())?;
        let session = self.session_with(peer, keys, end);
        let nonces = Nonces { own: session.own.nonce, echo: end.nonce };
        self.establish(peer, session);
        self.send_hello(peer, link, keys, HelloStage::Confirm, nonces);
        Ok(())
    }

    fn handle_confirm(
        &mut self,
        peer: &mut Peer,
        keys: &ClusterKeys,
        end: &End,
        hello: &Hello,
    ) -> Result<(), Rejected> {
        let cluster = keys.cluster();
        if peer.session.as_ref().is_some_and(|session| session.is_with(end, cluster)) {
            return Ok(());
        }
        if hello.echo != peer.nonce {
            return Err(Rejected::NoSession);
        }
        self.admissible(peer, end, cluster)?;
        let session = peer.pending.take().filter(|pending| pending.is_with(end, cluster));
        let session = session.unwrap_or_else(|| self.session_with(peer, keys, *end));
        self.establish(peer, session);
        Ok(())
    }

    /// Promotes the session that was offered if the datagram belongs to it: having its key proves as much as a confirm.
    pub(super) fn open_pending(
        &mut self,
        peer: &mut Peer,
        header: &Header,
        datagram: &[u8],
    ) -> Result<Vec<u8>, Rejected> {
        let mut pending = peer.pending.take().ok_or(Rejected::NoSession)?;
        match pending.open(header, datagram) {
            Ok(body) => {
                self.establish(peer, pending);
                Ok(body)
            }
            Err(_) => {
                peer.pending = Some(pending);
                Err(Rejected::NoSession)
            }
        }
    }

    fn session_with(&self, peer: &Peer, keys: &ClusterKeys, end: End) -> Session {
        let own = End { node: self.me.node, incarnation: self.me.incarnation, nonce: peer.nonce };
        Session::new(keys, own, end, self.cipher)
    }

    /// Whether a session with this life under this key may take the place of the present one.
    fn admissible(&mut self, peer: &mut Peer, end: &End, cluster: [u8; 4]) -> Result<(), Rejected> {
        let Some(session) = &peer.session else { return Ok(()) };
        let present = session.peer.incarnation;
        if end.incarnation > present {
            return Ok(());
        }
        if matches!(peer.life, Life::Left { .. }) && end.incarnation == present {
            return Err(Rejected::Incarnation);
        }
        if self.is_rekeying(peer, end.incarnation, cluster) {
            return Ok(());
        }
        if peer.is_alive() {
            self.report_problem(peer, PeerProblem::DuplicateNode);
            return Err(Rejected::Incarnation);
        }
        Ok(())
    }

    fn establish(&mut self, peer: &mut Peer, session: Session) {
        if self.is_rekeying(peer, session.peer.incarnation, session.cluster()) {
            self.move_to(peer, session);
            return;
        }
        let member = session.member();
        let same_life = peer.member() == Some(member);
        peer.session = Some(session);
        peer.former = None;
        peer.pending = None;
        peer.renew_nonce(&self.entropy);
        peer.hello.wait = HELLO_FIRST;
        peer.problem = None;
        peer.withheld_until = None;
        peer.unreachable = false;
        peer.small_only = false;
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

    fn take_answer_right(&mut self, peer: &mut Peer) -> Result<(), Rejected> {
        let second = std::time::Duration::from_secs(1);
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

    fn note_config(&mut self, peer: &Peer, hello: &Hello) {
        if hello.config_hash != self.config_hash && hello.stage != HelloStage::Confirm && peer.session.is_none() {
            self.notice_config_differs(peer.node);
        }
    }
}

/// Eight bytes that differ when the node list, the timeouts or the limits of flow control do.
pub(crate) fn config_hash(config: &crate::Config) -> [u8; 8] {
    let mut nodes: Vec<(u32, u8)> = config.nodes.iter().map(|n| (n.node.0, n.links)).collect();
    nodes.sort_unstable();
    let flow = (config.window_size, config.max_messages);
    let text = format!("{nodes:?} {:?} {flow:?}", config.timers);
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut hash = [0; 8];
    hash.copy_from_slice(&digest.as_ref()[..8]);
    hash
}
