//! Sockets on addresses of 127.0.0.0/8.

use std::net::UdpSocket as Plain;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

type Hints = UnboundedReceiver<(LinkId, NodeId)>;

/// Node `own` of a cluster with nodes 1 and 2 at `net`.1 and `net`.2.
fn addresses(net: &str, own: u32) -> Vec<LinkAddresses> {
    let address = |id: u32| format!("{net}.{id}:5405").parse().expect("an address");
    let peer = 3 - own;
    vec![LinkAddresses { own: address(own), peers: BTreeMap::from([(NodeId(peer), address(peer))]) }]
}

fn hint() -> (Hint, Hints) {
    let (sender, hints) = unbounded_channel();
    let hint = move |link, node| sender.send((link, node)).expect("the test listens");
    (Arc::new(hint), hints)
}

fn open(net: &str, own: u32) -> (Udp, Hints) {
    let (hint, hints) = hint();
    (Udp::open(addresses(net, own), hint).expect("opens"), hints)
}

const LINK: LinkId = LinkId(0);
const SOON: Duration = Duration::from_secs(5);

async fn exchange(from: &mut Udp, to: &mut Udp, sender: NodeId, receiver: NodeId) {
    from.queue(LINK, receiver, b"hello");
    assert_eq!(from.flush(), []);
    tokio::time::timeout(SOON, to.readable()).await.expect("in time");
    let datagram = to.receive().expect("has come");
    assert_eq!((datagram.link, datagram.from, datagram.bytes), (LINK, sender, &b"hello"[..]));
    assert!(to.receive().is_none());
}

#[tokio::test]
async fn datagrams_go_from_port_5404_to_5405_and_back() {
    let (mut one, _a) = open("127.0.81", 1);
    let (mut two, _b) = open("127.0.81", 2);
    exchange(&mut one, &mut two, NodeId(1), NodeId(2)).await;
    exchange(&mut two, &mut one, NodeId(2), NodeId(1)).await;
    assert_eq!(one.counters().received, 1);
}

#[tokio::test]
async fn a_stranger_is_dropped_and_counted() {
    let (mut one, _hints) = open("127.0.82", 1);
    let stranger = Plain::bind("127.0.82.77:0").expect("binds");
    stranger.send_to(b"let me in", "127.0.82.1:5405").expect("sends");
    tokio::time::timeout(SOON, one.readable()).await.expect("in time");
    assert!(one.receive().is_none());
    assert_eq!((one.counters().unlisted, one.counters().received), (1, 0));
}

#[tokio::test]
async fn a_closed_port_is_told_without_another_datagram() {
    let (mut one, mut hints) = open("127.0.83", 1);
    one.queue(LINK, NodeId(2), b"anybody?");
    assert_eq!(one.flush(), []);
    let hint = tokio::time::timeout(SOON, hints.recv()).await.expect("in time");
    assert_eq!(hint, Some((LINK, NodeId(2))));
    // The peer comes up: the next datagram arrives although the last one was refused.
    let (mut two, _b) = open("127.0.83", 2);
    one.queue(LINK, NodeId(2), b"now");
    one.flush();
    tokio::time::timeout(SOON, two.readable()).await.expect("in time");
    assert_eq!(two.receive().expect("has come").bytes, b"now");
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_names_it() {
    let other = Plain::bind("127.0.84.1:5405").expect("binds");
    let error = Udp::open(addresses("127.0.84", 1), hint().0).expect_err("refused");
    assert_eq!((error.link, error.address.to_string().as_str()), (0, "127.0.84.1:5405"));
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    drop(other);
    assert!(Udp::open(addresses("127.0.84", 1), hint().0).is_ok());
}

#[tokio::test]
async fn an_address_that_is_not_there_is_waited_for() {
    let (mut one, _hints) = open("192.0.2", 1);
    assert_eq!(one.missing().map(|address| address.to_string()).collect::<Vec<_>>(), ["192.0.2.1:5405"]);
    one.queue(LINK, NodeId(2), b"into the void");
    assert_eq!(one.flush(), []);
    assert!(!one.retry().expect("is no error"));
    assert_eq!(one.counters().unsent, 1);
}

#[tokio::test]
async fn a_datagram_that_no_path_takes_is_told() {
    let (mut one, _hints) = open("127.0.85", 1);
    one.queue(LINK, NodeId(2), &[0; 65_535]);
    assert_eq!(one.flush(), [Trouble::TooBig(LINK, NodeId(2))]);
    assert_eq!(one.counters().unsent, 1);
}

/// Datagrams of these sizes, each filled with its number.
fn numbered(sizes: &[usize]) -> Vec<Vec<u8>> {
    (0_u8..).zip(sizes).map(|(number, size)| vec![number; *size]).collect()
}

async fn receive_all(to: &mut Udp, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while all.len() < count {
        tokio::time::timeout(SOON, to.readable()).await.expect("in time");
        while let Some(datagram) = to.receive() {
            all.push(datagram.bytes.to_vec());
        }
    }
    all
}

#[tokio::test]
async fn a_burst_arrives_whole_and_in_order_whatever_its_sizes() {
    let (mut one, _a) = open("127.0.88", 1);
    let (mut two, _b) = open("127.0.88", 2);
    let mut sizes = vec![1400; 70];
    sizes.extend([300, 1400, 1400, 900, 1400, 1, 1, 0, 7, 60_000, 60_000, 8]);
    let sent = numbered(&sizes);
    for datagram in &sent {
        one.queue(LINK, NodeId(2), datagram);
    }
    assert_eq!(one.flush(), []);
    assert_eq!(receive_all(&mut two, sent.len()).await, sent);
    let (sent, received) = (one.counters(), two.counters());
    assert_eq!((sent.sent, received.received), (82, 82));
    assert!(sent.send_calls < 20, "{sent:?}");
}

#[tokio::test]
async fn a_datagram_that_is_too_large_does_not_keep_others_from_leaving_together() {
    let (mut one, _a) = open("127.0.89", 1);
    let (mut two, _b) = open("127.0.89", 2);
    one.queue(LINK, NodeId(2), &[0; 65_530]);
    assert_eq!(one.flush(), [Trouble::TooBig(LINK, NodeId(2))]);
    let small = numbered(&[100; 10]);
    let calls = one.counters().send_calls;
    for datagram in &small {
        one.queue(LINK, NodeId(2), datagram);
    }
    assert_eq!(one.flush(), []);
    assert_eq!(one.counters().send_calls, calls + 1);
    assert_eq!(receive_all(&mut two, small.len()).await, small);
}
