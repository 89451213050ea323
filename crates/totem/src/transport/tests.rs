//! How bodies leave on links that carry datagrams of different sizes; that both ends are in one session.

use hac_types::Incarnation;

use super::*;
use crate::crypto::{End, SessionNonce};
use crate::transport::segment::Segments;
use crate::transport::session::Session;
use crate::{AuthKey, NodeConfig};

const PEER: NodeId = NodeId(2);

fn end(node: NodeId) -> End {
    End { node, incarnation: Incarnation(1), nonce: SessionNonce::default() }
}

/// A node of two with two links, since a time.
fn transport(node: NodeId, since: u64) -> Transport {
    let config = Config {
        cluster_name: "test".to_owned(),
        node,
        nodes: [NodeId(1), PEER].map(|node| NodeConfig { node, links: 2 }).to_vec(),
        links: 2,
        authkey: AuthKey::new(vec![7; 32]).unwrap(),
        cipher: Cipher::None,
        timers: Timers::default(),
        window_size: 50,
        max_messages: 17,
        netmtu: 9000,
        contract: Contract::default(),
    };
    Transport::new(&config, Incarnation(1), [3; 32], Timestamp::from_millis(since))
}

/// Node 1 of two with two links, which carry datagrams of these sizes, and the session of the other.
fn connected(sizes: [u16; 2]) -> (Transport, Session) {
    let mut net = transport(NodeId(1), 1000);
    let keys = net.keyring.own();
    let peer = net.peers.get_mut(PEER).unwrap();
    peer.session = Some(Session::new(&keys, end(NodeId(1)), end(PEER), Cipher::None));
    for (path, size) in peer.paths.iter_mut().zip(sizes) {
        path.up = true;
        path.mtu.current = size;
    }
    (net, Session::new(&keys, end(PEER), end(NodeId(1)), Cipher::None))
}

/// What is sent on each link.
fn sent(net: &mut Transport) -> [VecDeque<Vec<u8>>; 2] {
    let mut links = [VecDeque::new(), VecDeque::new()];
    for output in net.outputs.drain(..) {
        if let Output::Transmit { link, datagram, .. } = output {
            links[usize::from(link.0)].push_back(datagram);
        }
    }
    links
}

#[test]
fn a_body_that_is_cut_on_links_of_different_sizes_arrives() {
    for sizes in [[1200, 1452], [1452, 1200], [1200, 8952], [1200, 1200]] {
        let (mut net, mut session) = connected(sizes);
        let message = Message::MtuProbe((0..=u8::MAX).cycle().take(2400).collect());
        net.send(PEER, &message);
        let mut links = sent(&mut net);
        for (queue, size) in links.iter().zip(sizes) {
            assert!(queue.iter().all(|datagram| datagram.len() <= usize::from(size)));
        }
        // The links take turns, as they do where both are equally fast.
        let (mut segments, mut arrived) = (Segments::default(), 0);
        while links.iter().any(|queue| !queue.is_empty()) {
            for datagram in links.iter_mut().filter_map(VecDeque::pop_front) {
                let body = session.open(&Header::parse(&datagram).unwrap(), &datagram).unwrap();
                let whole = match Message::decode(&body).unwrap() {
                    Message::Segment(segment) => segments.accept(segment),
                    _ => Some(body),
                };
                if let Some(body) = whole {
                    assert_eq!(Message::decode(&body).as_ref(), Ok(&message), "{sizes:?}");
                    arrived += 1;
                }
            }
        }
        assert!(arrived > 0, "{sizes:?}: it never became whole");
    }
}

/// Lets a node do what is due, and returns what it sends on the first link.
fn due(net: &mut Transport, at: u64) -> VecDeque<Vec<u8>> {
    net.advance(Timestamp::from_millis(at), None);
    net.handle_timeout();
    let [first, _] = sent(net);
    first
}

/// Gives what one sent to the other, and returns what that sends back.
fn give(to: &mut Transport, from: NodeId, datagrams: VecDeque<Vec<u8>>) -> VecDeque<Vec<u8>> {
    for datagram in datagrams {
        let _ = to.receive(LinkId(0), from, &datagram);
    }
    let [first, _] = sent(to);
    first
}

/// The nonces of a node's session, its own first.
fn nonces(net: &Transport, peer: NodeId) -> Option<[SessionNonce; 2]> {
    net.peers.get(peer).unwrap().session.as_ref().map(|session| [session.own.nonce, session.peer.nonce])
}

#[test]
fn a_session_is_confirmed_with_the_nonce_that_was_said_last() {
    let (mut one, mut two) = (transport(NodeId(1), 1000), transport(PEER, 8000));
    // What node 1 answers to the first offer is lost, and it takes another nonce before the same offer comes again.
    let offer = due(&mut two, 8000);
    due(&mut one, 8000);
    give(&mut one, PEER, offer.clone());
    due(&mut one, 12_000);
    due(&mut two, 12_000);
    let answer = give(&mut one, PEER, offer);
    let confirm = give(&mut two, NodeId(1), answer);
    give(&mut one, PEER, confirm);
    let [own, theirs] = nonces(&two, NodeId(1)).unwrap();
    assert_eq!(nonces(&one, PEER), Some([theirs, own]), "both ends are in one session");
}

#[test]
fn ends_that_are_in_different_sessions_come_together_again() {
    let (mut one, mut two) = (transport(NodeId(1), 1000), transport(PEER, 1000));
    let offer = due(&mut two, 1000);
    let answer = give(&mut one, PEER, offer);
    let confirm = give(&mut two, NodeId(1), answer);
    give(&mut one, PEER, confirm);
    // The other end has the same contribution of node 2, but another one of node 1: the one that it offers next.
    let [own, _] = nonces(&two, NodeId(1)).unwrap();
    let keys = one.keyring.own();
    let theirs = End { nonce: one.peers.get(PEER).unwrap().nonce, ..end(NodeId(1)) };
    two.peers.get_mut(NodeId(1)).unwrap().session =
        Some(Session::new(&keys, End { nonce: own, ..end(PEER) }, theirs, Cipher::None));
    one.with_peer(PEER, Transport::offer_session).unwrap();
    let [offer, _] = sent(&mut one);
    let confirm = give(&mut two, NodeId(1), offer);
    give(&mut one, PEER, confirm);
    let [own, theirs] = nonces(&two, NodeId(1)).unwrap();
    assert_eq!(nonces(&one, PEER), Some([theirs, own]));
}

#[test]
fn a_late_answer_does_not_displace_a_session_that_answers() {
    let (mut one, mut two) = (transport(NodeId(1), 1000), transport(PEER, 1000));
    let offer = due(&mut two, 1000);
    let answer = give(&mut one, PEER, offer);
    let confirm = give(&mut two, NodeId(1), answer);
    let before = nonces(&two, NodeId(1));
    // Another offer, made while the session was thought to be of no use, is answered before the confirm comes.
    two.with_peer(NodeId(1), Transport::offer_session).unwrap();
    let [offer, _] = sent(&mut two);
    let late = give(&mut one, PEER, offer);
    give(&mut one, PEER, confirm);
    assert!(!late.is_empty());
    give(&mut two, NodeId(1), late);
    assert_eq!(nonces(&two, NodeId(1)), before);
    let [own, theirs] = before.unwrap();
    assert_eq!(nonces(&one, PEER), Some([theirs, own]), "both ends are in one session");
}
