//! `hac-lab ring-node`: the ring and its sockets as `hacd` uses them, without the rest of the daemon, for
//! `bench messaging`.
//!
//! One task owns the engine and the sockets and drives them as the daemon's driver does. Orders come on standard input,
//! one a line; answers go to standard output ([`crate::bench`] reads them; the program that does the same over
//! Corosync's CPG speaks the same language):
//!
//! | order | answer |
//! |---|---|
//! | (at the start) | `ready` when all nodes are members |
//! | `flood SIZE MILLIS` | `flood MESSAGES NANOS`: own messages delivered here, and in what time |
//! | `echo SIZE COUNT` | `echo P50 P99`: nanoseconds from sending to own delivery, one message at a time |
//! | `count` | `count DELIVERED CPU`: messages delivered so far, CPU time of the process in microseconds |
//!
//! It ends when standard input does.

mod load;

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hac_totem::{AuthKey, Cipher, Config, Engine, NodeConfig, Output, Stored, Timers};
use hac_types::{Incarnation, LinkId, NodeId, Timestamp, ViewKind};
use hac_udp::{LinkAddresses, Trouble, Udp};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::load::{Load, Order};
use crate::Error;

/// Most datagrams taken before timers and orders have their turn, as in the daemon.
const BATCH: usize = 64;

/// What a node of the bench must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingNode {
    /// Its number, from 1: the position of its address.
    pub number: usize,
    /// The addresses of all nodes.
    pub addresses: Vec<IpAddr>,
    /// The port on which all receive.
    pub port: u16,
    /// Whether what they say is encrypted.
    pub encrypted: bool,
    /// Largest IP packet to try, bytes.
    pub netmtu: u16,
}

/// Runs a node until its orders end.
///
/// # Errors
/// When its sockets cannot be opened.
pub fn ring_node(node: &RingNode) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::system("no runtime"))?.block_on(serve(node))
}

async fn serve(node: &RingNode) -> Result<(), Error> {
    let (sender, mut hints) = unbounded_channel();
    let hint = Arc::new(move |link: LinkId, peer: NodeId| {
        // Nobody takes hints any more when this task has ended.
        let _ = sender.send((link, peer));
    });
    let udp = Udp::open(node.links(), hint)
        .map_err(|error| Error::System { what: format!("{} cannot be had", error.address), source: error.source })?;
    let mut orders = orders();
    let mut driver =
        Driver { engine: node.engine()?, udp, load: Load::new(node.number), members: node.addresses.len() };
    loop {
        driver.perform();
        while driver.load.offer(&mut driver.engine, now()) {
            driver.perform();
        }
        tokio::select! {
            () = driver.udp.readable() => driver.datagrams(),
            () = until(driver.engine.poll_timeout()) => {}
            Some((link, peer)) = hints.recv() => driver.engine.handle_unreachable(now(), link, peer),
            order = orders.recv() => match order {
                Some(line) => driver.order(&line),
                None => return Ok(()),
            },
        }
        let now = now();
        if driver.engine.poll_timeout().is_some_and(|due| due <= now) {
            driver.perform();
            driver.engine.handle_timeout(now);
        }
    }
}

struct Driver {
    engine: Engine,
    udp: Udp,
    load: Load,
    members: usize,
}

impl Driver {
    fn perform(&mut self) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Transmit { link, to, datagram } => self.udp.queue(link, to, &datagram),
                    Output::Delivery(delivery) => self.load.deliver(&delivery.payload, now()),
                    Output::View(view) if view.kind == ViewKind::Regular && view.members.len() == self.members => {
                        say("ready");
                    }
                    // Nothing survives this node, and what it remarks is of no interest here.
                    Output::Persist { .. } | Output::View(_) | Output::Notice(_) => {}
                }
            }
            let troubles = self.udp.flush();
            if troubles.is_empty() {
                return;
            }
            for trouble in troubles {
                match trouble {
                    Trouble::Refused(link, peer) => self.engine.handle_unreachable(now(), link, peer),
                    Trouble::TooBig(link, peer) => self.engine.handle_too_big(now(), link, peer),
                }
            }
        }
    }

    fn datagrams(&mut self) {
        for _ in 0..BATCH {
            let Some(datagram) = self.udp.receive() else { return };
            // Why one is refused is counted by the engine.
            let _ = self.engine.handle_datagram(now(), datagram.link, datagram.from, datagram.bytes);
            self.perform();
        }
    }

    fn order(&mut self, line: &str) {
        match Order::parse(line) {
            Some(order) => self.load.begin(order, now()),
            None => say(&format!("what is {line}?")),
        }
    }
}

impl RingNode {
    fn links(&self) -> Vec<LinkAddresses> {
        let mut all: BTreeMap<NodeId, SocketAddr> =
            (1..).map(NodeId).zip(self.addresses.iter().map(|ip| SocketAddr::new(*ip, self.port))).collect();
        let own = all.remove(&self.id());
        own.map(|own| LinkAddresses { own, peers: all }).into_iter().collect()
    }

    fn id(&self) -> NodeId {
        NodeId(u32::try_from(self.number).unwrap_or(u32::MAX))
    }

    fn engine(&self) -> Result<Engine, Error> {
        let invalid = |why: hac_totem::ConfigError| Error::Invalid(why.to_string());
        let nodes = (1..).take(self.addresses.len()).map(|id| NodeConfig { node: NodeId(id), links: 1 });
        let config = Config {
            cluster_name: "bench".to_owned(),
            node: self.id(),
            nodes: nodes.collect(),
            links: 1,
            // What is measured is no secret.
            authkey: AuthKey::new(vec![0x42; 128]).map_err(invalid)?,
            cipher: if self.encrypted { Cipher::Aes256Gcm } else { Cipher::None },
            timers: Timers::default(),
            window_size: 50,
            max_messages: 17,
            netmtu: self.netmtu,
            contract: hac_totem::Contract::default(),
        };
        let mut entropy = [0; 32];
        let filled = SystemRandom::new().fill(&mut entropy);
        filled.map_err(|_| Error::Invalid("the operating system gives no randomness".to_owned()))?;
        let stored = Stored { ring_seq: 0, incarnation: Incarnation(1 << 32) };
        Engine::new(config, stored, entropy, now()).map_err(invalid)
    }
}

/// Standard input, line by line, from a thread of its own.
fn orders() -> UnboundedReceiver<String> {
    let (sender, orders) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    orders
}

/// Waits until this moment; for ever if there is none.
async fn until(due: Option<Timestamp>) {
    match due.map(|due| due.since(now())) {
        Some(wait) if wait.is_zero() => {}
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Who has stopped reading has closed our input as well.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn now() -> Timestamp {
    Timestamp::from_nanos(nanos(ClockId::Boottime))
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    Duration::from_nanos(nanos(ClockId::ProcessCPUTime))
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}
