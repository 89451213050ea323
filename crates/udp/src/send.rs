//! One peer's sending socket and what waits for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hac_types::{LinkId, NodeId};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use crate::link::never_fragment;
use crate::{Counters, Hint, Trouble};

/// A connected socket to one peer on one link.
#[derive(Debug)]
pub(crate) struct Sender {
    socket: Arc<UdpSocket>,
    link: LinkId,
    node: NodeId,
    /// Why the last datagram could not be sent, other than for want of a listener.
    failing: Option<io::ErrorKind>,
    /// The task that waits for the hints.
    hints: AbortHandle,
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
        never_fragment(&socket, address)?;
        SockRef::from(&socket).connect(&address.into())?;
        let socket = Arc::new(socket);
        let task = hints(Arc::clone(&socket), link, node, Arc::clone(hint));
        let hints = tokio::spawn(task).abort_handle();
        Ok(Self { socket, link, node, failing: None, hints })
    }

    /// Takes a datagram to be sent.
    pub(crate) fn queue(&mut self, datagram: &[u8], counters: &mut Counters, troubles: &mut Vec<Trouble>) {
        self.send(datagram, counters, troubles);
    }

    /// Sends what was taken.
    pub(crate) fn flush(&mut self, _counters: &mut Counters, _troubles: &mut Vec<Trouble>) {}

    fn send(&mut self, datagram: &[u8], counters: &mut Counters, troubles: &mut Vec<Trouble>) {
        let socket = SockRef::from(&*self.socket);
        for _ in 0..2 {
            counters.send_calls += 1;
            match socket.send(datagram) {
                Ok(_) => {
                    counters.sent += 1;
                    self.failing = None;
                    return;
                }
                // The answer to an earlier datagram; this one has not been sent yet.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    troubles.push(Trouble::Refused(self.link, self.node));
                }
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
                    troubles.push(Trouble::TooBig(self.link, self.node));
                    break;
                }
                // The buffer of the socket is full: as good as lost on the way.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.complain(&error);
                    break;
                }
            }
        }
        counters.unsent += 1;
    }

    /// Says once why nothing can be sent.
    fn complain(&mut self, error: &io::Error) {
        if self.failing.replace(error.kind()) != Some(error.kind()) {
            let (node, link) = (self.node, self.link);
            tracing::warn!(target: "hacd::udp", "nothing can be sent to node {node} on link {link}: {error}");
        }
    }
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
