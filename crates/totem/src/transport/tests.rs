//! How bodies leave on links that carry datagrams of different sizes.

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

/// Node 1 of two with two links, which carry datagrams of these sizes, and the session of the other.
fn connected(sizes: [u16; 2]) -> (Transport, Session) {
    let config = Config {
        cluster_name: "test".to_owned(),
        node: NodeId(1),
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
    let mut net = Transport::new(&config, Incarnation(1), [3; 32], Timestamp::from_millis(1000));
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
