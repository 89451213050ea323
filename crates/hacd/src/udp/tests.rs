//! Sockets on addresses of 127.0.0.0/8.

use std::net::UdpSocket as Plain;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::config::{Config, Identity};
use crate::testing::TempDir;

/// The configuration of node `own` of a cluster with nodes at `net`.1 and `net`.2.
fn config(net: &str, own: &str) -> Config {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new();
    let key = dir.path().join("authkey");
    std::fs::write(&key, [1; 64]).expect("writes");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o400)).expect("sets the mode");
    let file = dir.path().join("hacd.toml");
    let node = |id: u8| format!("[[nodelist.node]]\nring0_addr = \"{net}.{id}\"\nname = \"n{id}\"\nnodeid = {id}\n");
    std::fs::write(&file, node(1) + &node(2)).expect("writes");
    let identity = Identity { node: Some(own.to_owned()), hostname: String::new() };
    crate::config::load(&file, &identity).expect("right")
}

fn open(net: &str, own: &str) -> (Udp, UnboundedReceiver<Input>) {
    let (sender, inputs) = unbounded_channel();
    (Udp::open(&config(net, own), sender).expect("opens"), inputs)
}

const LINK: LinkId = LinkId(0);
const SOON: Duration = Duration::from_secs(5);

async fn exchange(from: &mut Udp, to: &mut Udp, sender: NodeId, receiver: NodeId) {
    assert_eq!(from.send(LINK, receiver, b"hello"), Sent::Gone);
    tokio::time::timeout(SOON, to.readable()).await.expect("in time");
    let datagram = to.receive().expect("has come");
    assert_eq!((datagram.link, datagram.from, datagram.bytes), (LINK, sender, &b"hello"[..]));
    assert!(to.receive().is_none());
}

#[tokio::test]
async fn datagrams_go_from_port_5404_to_5405_and_back() {
    let (mut one, _a) = open("127.0.81", "n1");
    let (mut two, _b) = open("127.0.81", "n2");
    exchange(&mut one, &mut two, NodeId(1), NodeId(2)).await;
    exchange(&mut two, &mut one, NodeId(2), NodeId(1)).await;
    assert_eq!(one.counters().received, 1);
}

#[tokio::test]
async fn a_stranger_is_dropped_and_counted() {
    let (mut one, _inputs) = open("127.0.82", "n1");
    let stranger = Plain::bind("127.0.82.77:0").expect("binds");
    stranger.send_to(b"let me in", "127.0.82.1:5405").expect("sends");
    tokio::time::timeout(SOON, one.readable()).await.expect("in time");
    assert!(one.receive().is_none());
    assert_eq!((one.counters().unlisted, one.counters().received), (1, 0));
}

#[tokio::test]
async fn a_closed_port_is_told_without_another_datagram() {
    let (mut one, mut inputs) = open("127.0.83", "n1");
    assert_eq!(one.send(LINK, NodeId(2), b"anybody?"), Sent::Gone);
    let hint = tokio::time::timeout(SOON, inputs.recv()).await.expect("in time");
    assert!(matches!(hint, Some(Input::Unreachable(LINK, NodeId(2)))), "{hint:?}");
    // The peer comes up: the next datagram arrives although the last one was refused.
    let (mut two, _b) = open("127.0.83", "n2");
    one.send(LINK, NodeId(2), b"now");
    tokio::time::timeout(SOON, two.readable()).await.expect("in time");
    assert_eq!(two.receive().expect("has come").bytes, b"now");
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_names_it() {
    let other = Plain::bind("127.0.84.1:5405").expect("binds");
    let (sender, _inputs) = unbounded_channel();
    let config = config("127.0.84", "n1");
    let error = Udp::open(&config, sender.clone()).err().expect("refused");
    assert_eq!((error.link, error.address.to_string().as_str()), (0, "127.0.84.1:5405"));
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    drop(other);
    assert!(Udp::open(&config, sender).is_ok());
}

#[tokio::test]
async fn an_address_that_is_not_there_is_waited_for() {
    let (mut one, _inputs) = open("192.0.2", "n1");
    assert_eq!(one.missing().map(|address| address.to_string()).collect::<Vec<_>>(), ["192.0.2.1:5405"]);
    assert_eq!(one.send(LINK, NodeId(2), b"into the void"), Sent::Gone);
    assert!(!one.retry().expect("is no error"));
    assert_eq!(one.counters().unsent, 1);
}

#[tokio::test]
async fn a_datagram_that_no_path_takes_is_told() {
    let (mut one, _inputs) = open("127.0.85", "n1");
    assert_eq!(one.send(LINK, NodeId(2), &[0; 65_535]), Sent::TooBig);
}
