//! A link's receiving socket and what was taken from it.

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use hac_types::NodeId;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use rustix::net::sockopt;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::Counters;

/// Receive buffer asked for, bytes: some hundred full datagrams, a burst after a pause.
const RECEIVE_BUFFER: usize = 4 << 20;
/// So many errors in a row are not about datagrams.
const ERRORS_MAX: u32 = 8;
/// Most that one buffer can be given: one datagram, or several of one size that came together.
const BUFFER_LEN: usize = 65_536;

/// The socket on which a link receives.
#[derive(Debug)]
pub(crate) struct Receiver {
    socket: UdpSocket,
    state: UdpSocketState,
    /// Pages that no burst ever reached take no memory.
    buffers: Vec<u8>,
    taken: Taken,
    /// Why nothing can be received.
    failing: Option<io::ErrorKind>,
}

/// What the last call gave, and how far it was looked at.
#[derive(Debug)]
struct Taken {
    metas: [RecvMeta; BATCH_SIZE],
    count: usize,
    buffer: usize,
    offset: usize,
}

impl Taken {
    /// Where the next datagram lies, and who sent it.
    fn next(&mut self) -> Option<(SocketAddr, std::ops::Range<usize>)> {
        while self.buffer < self.count {
            let meta = self.metas.get(self.buffer)?;
            let (begin, stride) = (self.offset, meta.stride.max(1));
            // An empty datagram is one, too.
            if begin < meta.len || (begin == 0 && meta.len == 0) {
                let end = (begin + stride).min(meta.len);
                self.offset = end.max(begin + 1);
                let base = self.buffer * BUFFER_LEN;
                return Some((meta.addr, base + begin..base + end));
            }
            self.buffer += 1;
            self.offset = 0;
        }
        None
    }
}

impl Receiver {
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        // The kernel may give less than is asked for; that is no reason not to start.
        if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        }
        let state = UdpSocketState::new((&socket).into())?;
        let metas = std::array::from_fn(|_| RecvMeta::default());
        let taken = Taken { metas, count: 0, buffer: 0, offset: 0 };
        Ok(Self { socket, state, buffers: vec![0; BATCH_SIZE * BUFFER_LEN], taken, failing: None })
    }

    /// Whether something may have come. An error is found when the socket is read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.taken.buffer < self.taken.count {
            return Poll::Ready(());
        }
        self.socket.poll_recv_ready(context).map(drop)
    }

    /// The next datagram that came from one of `peers`.
    pub(crate) fn next(
        &mut self,
        peers: &BTreeMap<NodeId, SocketAddr>,
        counters: &mut Counters,
    ) -> Option<(NodeId, &[u8])> {
        loop {
            let Some((from, place)) = self.taken.next() else {
                if self.fill(counters) {
                    continue;
                }
                return None;
            };
            let node = peers.iter().find(|(_, address)| address.ip() == from.ip());
            let Some((node, _)) = node else {
                counters.unlisted += 1;
                continue;
            };
            counters.received += 1;
            // Bounded by the buffer it was read into.
            return Some((*node, self.buffers.get(place).unwrap_or_default()));
        }
    }

    /// Takes what has come; `false` if there is nothing.
    fn fill(&mut self, counters: &mut Counters) -> bool {
        let Self { socket, state, buffers, taken, failing } = self;
        let mut chunks = buffers.chunks_mut(BUFFER_LEN);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        for tried in 1..=ERRORS_MAX {
            counters.receive_calls += 1;
            let read = socket.try_io(Interest::READABLE, || {
                let read = state.recv((&*socket).into(), &mut slices, &mut taken.metas);
                match read {
                    Err(error) if tried == ERRORS_MAX && error.kind() != io::ErrorKind::WouldBlock => {
                        counters.unreceived += 1;
                        complain(failing, &error);
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    read => read,
                }
            });
            match read {
                Ok(count) => {
                    *failing = None;
                    (taken.count, taken.buffer, taken.offset) = (count, 0, 0);
                    return count > 0;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Errors of a receiving socket are about one datagram. One that stays is not: then it is waited for the
                // next datagram, instead of asking without end.
                Err(_) => {}
            }
        }
        (taken.count, taken.buffer) = (0, 0);
        false
    }
}

/// Says once why nothing can be received.
fn complain(failing: &mut Option<io::ErrorKind>, error: &io::Error) {
    if failing.replace(error.kind()) != Some(error.kind()) {
        tracing::warn!(target: "hacd::udp", "nothing can be received: {error}");
    }
}
