//! One peer's sending socket and what waits for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hac_types::{LinkId, NodeId};
use quinn_udp::{Transmit, UdpSocketState};
use rustix::io::Errno;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use crate::link::never_fragment;
use crate::{Counters, Hint, Trouble};

/// Send buffer asked for, bytes: a burst of the largest kind must not fill it.
const SEND_BUFFER: usize = 1 << 20;
/// How often a datagram is given to the kernel at most. An error may be of an earlier one, or of nobody: a message of the
/// network that anybody can send. Only one that stays is of this datagram.
const TRIES: u32 = 4;
/// Most bytes that one call may send, over any version of IP.
const RUN_MAX: usize = 65_000;

/// A connected socket to one peer on one link.
#[derive(Debug)]
pub(crate) struct Sender {
    socket: Arc<UdpSocket>,
    state: UdpSocketState,
    address: SocketAddr,
    link: LinkId,
    node: NodeId,
    run: Run,
    /// Why the last datagram could not be sent, other than for want of a listener.
    failing: Option<io::ErrorKind>,
    /// The task that waits for the hints.
    hints: AbortHandle,
}

/// Datagrams that one call can send: all of one size but the last, which may be shorter.
#[derive(Debug, Default)]
struct Run {
    bytes: Vec<u8>,
    /// Size of the first.
    size: usize,
    count: usize,
    /// The last one was shorter: nothing can follow.
    ended: bool,
}

impl Run {
    /// Whether a datagram of this length can be added to a run of at most `most`.
    fn has_room(&self, length: usize, most: usize) -> bool {
        // An empty one would leave no trace between the others.
        let fits = (1..=self.size).contains(&length) && self.bytes.len() + length <= RUN_MAX;
        self.count == 0 || (!self.ended && fits && self.count < most)
    }

    fn add(&mut self, datagram: &[u8]) {
        if self.count == 0 {
            self.size = datagram.len();
        }
        self.ended = datagram.len() < self.size;
        self.bytes.extend_from_slice(datagram);
        self.count += 1;
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.ended = false;
    }
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Gone,
    /// Too large for the path.
    TooBig,
    /// The kernel or the card does not take several at once, or not of this size.
    NotTogether,
    /// Lost.
    Lost,
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.hints.abort();
    }
}

impl Sender {
    pub(crate) fn new(
        socket: UdpSocket,
        link: LinkId,
        node: NodeId,
        address: SocketAddr,
        hint: &Hint,
    ) -> io::Result<Self> {
        let state = state(&socket, address)?;
        // The kernel may give less; that is no reason not to start.
        let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
        SockRef::from(&socket).connect(&address.into())?;
        let socket = Arc::new(socket);
        let task = hints(Arc::clone(&socket), link, node, Arc::clone(hint));
        let hints = tokio::spawn(task).abort_handle();
        Ok(Self { socket, state, address, link, node, run: Run::default(), failing: None, hints })
    }

    /// Takes a datagram to be sent.
    pub(crate) fn queue(&mut self, datagram: &[u8], counters: &mut Counters, troubles: &mut Vec<Trouble>) {
        if !self.run.has_room(datagram.len(), self.state.max_gso_segments()) {
            self.flush(counters, troubles);
        }
        self.run.add(datagram);
    }

    /// Sends what was taken.
    pub(crate) fn flush(&mut self, counters: &mut Counters, troubles: &mut Vec<Trouble>) {
        let mut run = std::mem::take(&mut self.run);
        let datagrams = || run.bytes.chunks(run.size.max(1));
        match run.count {
            0 => {}
            1 => drop(self.send(&run.bytes, None, 1, counters, troubles)),
            _ => {
                let count = u64::try_from(run.count).unwrap_or(u64::MAX);
                if self.send(&run.bytes, Some(run.size), count, counters, troubles) == Sent::NotTogether {
                    let mut too_big = false;
                    for datagram in datagrams() {
                        too_big |= self.send(datagram, None, 1, counters, troubles) == Sent::TooBig;
                    }
                    if too_big {
                        self.take_heart();
                    }
                }
            }
        }
        // Its memory serves the next run.
        run.clear();
        self.run = run;
    }

    /// Not several at once were refused but their size: the next run may be sent at once again.
    fn take_heart(&mut self) {
        if let Ok(state) = state(&self.socket, self.address) {
            self.state = state;
        }
    }

    /// Sends `count` datagrams of `size` (one, if there is no size) in one call.
    fn send(
        &mut self,
        bytes: &[u8],
        size: Option<usize>,
        count: u64,
        counters: &mut Counters,
        troubles: &mut Vec<Trouble>,
    ) -> Sent {
        let mut last = None;
        for _ in 0..TRIES {
            counters.send_calls += 1;
            let error = match self.call(bytes, size) {
                Ok(()) => {
                    counters.sent += count;
                    self.failing = None;
                    return Sent::Gone;
                }
                Err(error) => error,
            };
            let errno = error.raw_os_error().map(Errno::from_raw_os_error);
            match errno {
                Some(Errno::CONNREFUSED) if last.is_none() => {
                    troubles.push(Trouble::Refused(self.link, self.node));
                }
                Some(Errno::INVAL | Errno::IO | Errno::MSGSIZE) if size.is_some() => return Sent::NotTogether,
                // The buffer of the socket is full: as good as lost on the way.
                Some(Errno::AGAIN) => {
                    last = None;
                    break;
                }
                _ => {}
            }
            last = Some((errno, error));
        }
        counters.unsent += count;
        match last {
            Some((Some(Errno::MSGSIZE), _)) => {
                troubles.push(Trouble::TooBig(self.link, self.node));
                return Sent::TooBig;
            }
            Some((Some(Errno::CONNREFUSED), _)) | None => {}
            Some((_, error)) => self.complain(&error),
        }
        Sent::Lost
    }

    fn call(&self, bytes: &[u8], size: Option<usize>) -> io::Result<()> {
        let Some(size) = size else { return SockRef::from(&*self.socket).send(bytes).map(drop) };
        let transmit =
            Transmit { destination: self.address, ecn: None, contents: bytes, segment_size: Some(size), src_ip: None };
        self.state.try_send((&*self.socket).into(), &transmit)
    }

    /// Says once why nothing can be sent.
    fn complain(&mut self, error: &io::Error) {
        if self.failing.replace(error.kind()) != Some(error.kind()) {
            let (node, link) = (self.node, self.link);
            tracing::warn!(target: "hacd::udp", "nothing can be sent to node {node} on link {link}: {error}");
        }
    }
}

/// Prepares a socket for sending several datagrams at once, none of which is ever cut by the network.
fn state(socket: &UdpSocket, address: SocketAddr) -> io::Result<UdpSocketState> {
    let state = UdpSocketState::new(socket.into())?;
    // It may have asked for that already, which is not promised.
    never_fragment(socket, address)?;
    Ok(state)
}

/// Waits for hints that nobody listens at the peer. Ends with the socket.
async fn hints(socket: Arc<UdpSocket>, link: LinkId, node: NodeId, hint: Hint) {
    let mut nothing = [0; 16];
    loop {
        if socket.ready(Interest::READABLE | Interest::ERROR).await.is_err() {
            return;
        }
        // Nobody has a reason to send to this port; what comes is thrown away.
        let received = socket.try_recv(&mut nothing);
        let pending = socket.try_io(Interest::ERROR, || match SockRef::from(&*socket).take_error()? {
            Some(error) => Err(error),
            None => Err(io::ErrorKind::WouldBlock.into()),
        });
        let refused = |result: &io::Result<usize>| {
            result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if refused(&received) || refused(&pending) {
            hint(link, node);
        }
    }
}

#[cfg(test)]
mod tests;
