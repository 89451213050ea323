//! A sending socket for which the kernel refuses several datagrams in one call.
//!
//! That is so behind IPsec and on cards that do not count checksums. A socket of UDP-Lite is refused in the same way, with
//! the same error, and needs neither.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hac_types::{LinkId, NodeId};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Sender;
use crate::{Counters, Hint, Trouble};

/// The number of UDP-Lite (RFC 3828).
const UDP_LITE: i32 = 136;

/// A socket of UDP-Lite with an address of its own; none where the kernel does not have it.
fn udp_lite() -> Option<(Socket, SocketAddr)> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = match Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::from(UDP_LITE))) {
        Ok(socket) => socket,
        Err(error) => {
            let thread = std::thread::current();
            skipped(&format!("{}: this kernel has no UDP-Lite: {error}", thread.name().unwrap_or("send")));
            return None;
        }
    };
    socket.bind(&any.into()).expect("binds");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
    Some((socket, address))
}

#[allow(clippy::print_stdout, reason = "libtest shows what a test prints, and a skip must be seen")]
fn skipped(what: &str) {
    println!("skipped: {what}");
}

/// A sender, and the socket that it sends to.
fn sender_and_receiver() -> Option<(Sender, Socket)> {
    let (own, _) = udp_lite()?;
    let (receiver, address) = udp_lite()?;
    own.set_nonblocking(true).expect("can be set");
    receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("can be set");
    let socket = UdpSocket::from_std(own.into()).expect("a socket");
    let hint: Hint = Arc::new(|_, _| {});
    Some((Sender::new(socket, LinkId(0), NodeId(2), address, &hint).expect("connects"), receiver))
}

/// Sends datagrams of these sizes as one burst; what was counted and what went wrong.
fn burst(sender: &mut Sender, datagrams: &[Vec<u8>]) -> (Counters, Vec<Trouble>) {
    let (mut counters, mut troubles) = (Counters::default(), Vec::new());
    for datagram in datagrams {
        sender.queue(datagram, &mut counters, &mut troubles);
    }
    sender.flush(&mut counters, &mut troubles);
    (counters, troubles)
}

/// The next datagrams, each as it came.
fn receive(receiver: &mut Socket, count: usize) -> Vec<Vec<u8>> {
    let mut buffer = vec![0; 65_536];
    let mut next = || {
        let length = receiver.read(&mut buffer).expect("in time");
        buffer[..length].to_vec()
    };
    (0..count).map(|_| next()).collect()
}

fn numbered(sizes: &[usize]) -> Vec<Vec<u8>> {
    (1_u8..).zip(sizes).map(|(number, size)| vec![number; *size]).collect()
}

#[tokio::test]
async fn what_cannot_leave_together_leaves_one_by_one_and_nothing_is_lost() {
    let Some((mut sender, mut receiver)) = sender_and_receiver() else { return };
    assert!(sender.state.max_gso_segments() > 1, "nothing would be sent together, so nothing is shown");
    let sent = numbered(&[700, 700, 700, 700, 300]);
    let (counters, troubles) = burst(&mut sender, &sent);
    assert_eq!(troubles, []);
    assert_eq!(receive(&mut receiver, sent.len()), sent);
    // One call for all was refused; none of them counts as sent twice, none as lost.
    assert_eq!((counters.sent, counters.unsent, counters.send_calls), (5, 0, 6));

    // Refused once is enough: nobody asks again.
    let (counters, troubles) = burst(&mut sender, &sent);
    assert_eq!(troubles, []);
    assert_eq!(receive(&mut receiver, sent.len()), sent);
    assert_eq!((counters.sent, counters.unsent, counters.send_calls), (5, 0, 5));
}

#[tokio::test]
async fn a_refusal_for_size_is_told_for_the_datagrams_that_are_too_large_alone() {
    let Some((mut sender, mut receiver)) = sender_and_receiver() else { return };
    let sent = numbered(&[65_530, 200, 200]);
    let (counters, troubles) = burst(&mut sender, &sent);
    assert_eq!(troubles, [Trouble::TooBig(LinkId(0), NodeId(2))]);
    assert_eq!(receive(&mut receiver, 2), sent[1..]);
    assert_eq!((counters.sent, counters.unsent), (2, 1));
}

#[tokio::test]
async fn nothing_is_cut_and_the_kernel_is_not_asked_what_passes() {
    use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
    let hint: Hint = Arc::new(|_, _| {});
    for own in ["127.0.0.1:0", "[::1]:0"] {
        let own: SocketAddr = own.parse().expect("an address");
        let Ok(socket) = UdpSocket::bind(own).await else { continue };
        let address = socket.local_addr().expect("is bound");
        let mut sender = Sender::new(socket, LinkId(0), NodeId(2), address, &hint).expect("connects");
        for _ in 0..2 {
            if own.is_ipv4() {
                let asked = sockopt::ip_mtu_discover(&sender.socket).expect("can be read");
                assert_eq!(asked, Ipv4PathMtuDiscovery::PROBE);
            } else {
                let asked = sockopt::ipv6_mtu_discover(&sender.socket).expect("can be read");
                assert_eq!(asked, Ipv6PathMtuDiscovery::PROBE);
            }
            sender.take_heart();
        }
    }
}
