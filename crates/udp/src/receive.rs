//! A link's receiving socket and what was taken from it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use hac_types::NodeId;
use socket2::SockRef;
use tokio::net::UdpSocket;

use crate::Counters;

/// Receive buffer asked for, bytes: some hundred full datagrams, a burst after a pause.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Largest datagram that can come.
const DATAGRAM_MAX: usize = 65_536;

/// The socket on which a link receives.
#[derive(Debug)]
pub(crate) struct Receiver {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Receiver {
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        // The kernel may give less; that is no reason not to start.
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        Ok(Self { socket, buffer: vec![0; DATAGRAM_MAX] })
    }

    /// Whether something may have come. An error is found when the socket is read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_recv_ready(context).map(drop)
    }

    /// The next datagram that came from one of `peers`.
    pub(crate) fn next(
        &mut self,
        peers: &BTreeMap<NodeId, SocketAddr>,
        counters: &mut Counters,
    ) -> Option<(NodeId, &[u8])> {
        loop {
            counters.receive_calls += 1;
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, from)) => {
                    let node = peers.iter().find(|(_, address)| address.ip() == from.ip());
                    let Some((node, _)) = node else {
                        counters.unlisted += 1;
                        continue;
                    };
                    counters.received += 1;
                    // Bounded by the buffer it was read into.
                    return Some((*node, self.buffer.get(..length).unwrap_or_default()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // Errors of a receiving socket are about one datagram.
                Err(_) => {}
            }
        }
    }
}
