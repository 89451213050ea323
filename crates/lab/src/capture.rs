//! Packets on the private network: listened to, and forged.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketType, recv, socket};

use crate::netns::spawn_in;
use crate::{Error, Lab, Plan};

/// Only IPv4 packets, in the byte order of the network.
const ETH_P_IP: u32 = 0x0800_u16.to_be() as u32;
/// IP protocol numbers.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// How often a listener looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(50);
/// Largest packet that is taken.
const PACKET_MAX: usize = 65_536;
/// Datagrams that are sent without a pause, and the pause.
const BURST: usize = 50;
const BETWEEN_BURSTS: Duration = Duration::from_millis(1);
/// Most packets that a listener keeps.
const PACKETS_MAX: usize = 100_000;

/// An IPv4 packet that a host sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Where it came from.
    pub source: Ipv4Addr,
    /// Where it went.
    pub destination: Ipv4Addr,
    /// The IP protocol: 17 is UDP, 6 is TCP, 1 is ICMP.
    pub protocol: u8,
    /// Source and destination port; 0 where the protocol has none.
    pub ports: (u16, u16),
    /// What a UDP datagram carried; empty for other protocols.
    pub payload: Vec<u8>,
}

impl Packet {
    /// Whether it is a UDP datagram.
    pub fn is_udp(&self) -> bool {
        self.protocol == UDP
    }

    /// Whether it is a message of the network itself.
    pub fn is_icmp(&self) -> bool {
        self.protocol == ICMP
    }

    /// Reads an IPv4 packet; `None` if it is cut short.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let words = usize::from(bytes.first()? & 0x0f);
        let address = |at: usize| {
            let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        };
        let rest = bytes.get(words * 4..)?;
        let protocol = *bytes.get(9)?;
        let number = |at: usize| {
            let octets: [u8; 2] = rest.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_be_bytes(octets))
        };
        let has_ports = matches!(protocol, TCP | UDP);
        let ports = if has_ports { (number(0)?, number(2)?) } else { (0, 0) };
        let payload = match protocol {
            UDP => {
                let length = usize::from(number(4)?);
                rest.get(8..length.min(rest.len()))?.to_vec()
            }
            _ => Vec::new(),
        };
        Some(Self { source: address(12)?, destination: address(16)?, protocol, ports, payload })
    }
}

/// Listens to everything that a host sends and receives; stops when it is dropped.
#[derive(Debug)]
pub struct Capture {
    packets: Arc<Mutex<Vec<Packet>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Capture {
    /// The packets so far.
    pub fn packets(&self) -> Vec<Packet> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its failure would have shown as missing packets
        }
    }
}

impl Lab {
    /// Listens on all interfaces of a host.
    ///
    /// # Errors
    /// When the host's network cannot be entered.
    pub fn capture(&self, host: usize) -> Result<Capture, Error> {
        let packets = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, ended) = (Arc::clone(&packets), Arc::clone(&stop));
        let (ready, listening) = std::sync::mpsc::channel();
        let thread = spawn_in(Some(self.plan().host_namespace(host)), "capture", move || {
            let listener = listener()?;
            // Without this the caller's first packets could be missed.
            let _ = ready.send(());
            listen(&listener, &kept, &ended);
            Ok(())
        })?;
        if listening.recv().is_err() {
            let source = match thread.join() {
                Ok(Err(error)) => error,
                Ok(Ok(())) | Err(_) => io::Error::other("the thread ended"),
            };
            return Err(Error::System { what: "cannot listen to packets".to_owned(), source });
        }
        Ok(Capture { packets, stop, thread: Some(thread) })
    }

    /// Sends datagrams to a port of host `to` as somebody on host `from` would who is not `hacd`:
    /// from that host's private address and a port of their own.
    ///
    /// # Errors
    /// When a datagram cannot be sent.
    pub fn send(&self, from: usize, to: usize, port: u16, datagrams: Vec<Vec<u8>>) -> Result<(), Error> {
        let namespace = self.plan().host_namespace(from);
        let thread = spawn_in(Some(namespace), "sender", move || {
            let socket = UdpSocket::bind(SocketAddr::from((Plan::private(from), 0)))?;
            let target = SocketAddr::from((Plan::private(to), port));
            for (number, datagram) in datagrams.into_iter().enumerate() {
                if number % BURST == BURST - 1 {
                    // Faster, they would only fill the socket of a daemon on a busy machine.
                    std::thread::sleep(BETWEEN_BURSTS);
                }
                match socket.send_to(&datagram, target) {
                    // The port is closed, as an earlier datagram has told: this one is still sent.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => (),
                    sent => drop(sent?),
                }
            }
            Ok(())
        })?;
        let failed = Error::system("cannot send datagrams");
        match thread.join() {
            Ok(sent) => sent.map_err(failed),
            Err(_) => Err(failed(io::Error::other("the sender panicked"))),
        }
    }
}

fn listener() -> io::Result<OwnedFd> {
    let protocol = NonZeroU32::new(ETH_P_IP).map(Protocol::from_raw);
    let listener = socket(AddressFamily::PACKET, SocketType::DGRAM, protocol)?;
    set_socket_timeout(&listener, Timeout::Recv, Some(LOOK))?;
    Ok(listener)
}

fn listen(listener: &OwnedFd, kept: &Mutex<Vec<Packet>>, ended: &AtomicBool) {
    let mut buffer = vec![0; PACKET_MAX];
    while !ended.load(Ordering::Relaxed) {
        // An error here is the time limit above; anything worse shows as missing packets.
        let Ok((_, length)) = recv(listener, &mut buffer[..], RecvFlags::empty()) else {
            continue;
        };
        if let Some(packet) = buffer.get(..length).and_then(Packet::parse) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < PACKETS_MAX {
                kept.push(packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_read_from_its_packet() {
        let mut bytes = vec![0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 10, 132, 0, 11, 10, 132, 0, 12];
        bytes.extend([0x15, 0x1c, 0x15, 0x1d, 0, 11, 0, 0]);
        bytes.extend(b"abc");
        bytes.extend([0; 20]); // padding of a short frame
        let packet = Packet::parse(&bytes).expect("whole");
        assert!(packet.is_udp());
        assert_eq!(packet.source, Ipv4Addr::new(10, 132, 0, 11));
        assert_eq!(packet.ports, (5404, 5405));
        assert_eq!(packet.payload, b"abc");
        assert_eq!(Packet::parse(&bytes[..19]), None);
        assert_eq!(Packet::parse(&[]), None);
    }
}
