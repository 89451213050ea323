//! Datagrams that nobody of the cluster sent, against a live pair: replayed, truncated, bit-flipped, forged, random.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::run::wait_for;
use crate::{Agents, Cluster, Error, Plan, Tools};

/// Ports on which the ring listens.
const PORTS: [u16; 2] = [5405, 5406];
/// Genuine datagrams that are listened to first, and made use of again and again.
const GENUINE: usize = 200;
/// Datagrams that are made and sent in one go.
const VOLLEY: usize = 10_000;
/// How long a step may take that does not depend on the number of datagrams.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of the code at the end of each datagram.
const CODE: usize = 32;

/// What came of an assault on the first host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Datagrams sent.
    pub sent: usize,
    /// Datagrams that the daemon counted as refused meanwhile. The kernel may have dropped some before.
    pub refused: u64,
    /// How long it took.
    pub took: Duration,
    /// CPU time that the attacked daemon used meanwhile.
    pub cpu: Duration,
    /// What changed of that which must not: the ring, the state, the resources; empty if all is well.
    pub changed: Vec<String>,
}

/// What must be the same afterwards.
#[derive(Debug, PartialEq)]
struct Standing {
    ring: String,
    members: Vec<String>,
    cib: serde_json::Value,
}

/// Sends about `count` datagrams of all kinds from the second host of a running pair to the first.
///
/// # Errors
/// When the daemons do not tell how they stand, or the datagrams cannot be sent.
pub fn assault(cluster: &Cluster, count: usize) -> Result<Outcome, Error> {
    let genuine = listen(cluster)?;
    let before = [standing(cluster, 1)?, standing(cluster, 2)?];
    let refused = refused(cluster)?;
    let cpu = cluster.cpu(1)?;
    let begin = Instant::now();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut sent = 0;
    while sent < count {
        let volley: Vec<Vec<u8>> = (0..VOLLEY.min(count - sent)).map(|_| hostile(&genuine, &mut random)).collect();
        sent += volley.len();
        // The second port is that of a second link, which is usually not there.
        let port = PORTS[usize::from(random.below(10) == 0)];
        cluster.lab().send(2, 1, port, volley)?;
    }
    // What lies in the socket is taken before the daemon answers.
    let after = [standing(cluster, 1)?, standing(cluster, 2)?];
    let mut changed = Vec::new();
    for (host, (before, after)) in before.iter().zip(&after).enumerate() {
        let name = Plan::name(host + 1);
        if before.ring != after.ring || before.members != after.members {
            changed.push(format!("{name} was in ring {} and is in ring {}", before.ring, after.ring));
        }
        if before.cib != after.cib {
            changed.push(format!("the state of {name} was {} and is {}", before.cib, after.cib));
        }
    }
    let refused = self::refused(cluster)?.saturating_sub(refused);
    Ok(Outcome { sent, refused, took: begin.elapsed(), cpu: cluster.cpu(1)?.saturating_sub(cpu), changed })
}

/// The same on a lab of its own, for people.
///
/// # Errors
/// When the lab cannot be built, or something changed that must not.
pub fn run(tools: &Tools, count: usize, out: &mut dyn Write) -> Result<(), Error> {
    let cluster = Cluster::running(tools, 2, Agents::Native, "", LIMIT)?;
    let outcome = assault(&cluster, count)?;
    let seconds = outcome.took.as_secs_f64();
    let cpu = outcome.cpu.as_secs_f64();
    writeln!(
        out,
        "{} hostile datagrams in {seconds:.1} s: {} refused by the daemon, which used {cpu:.2} s of CPU ({:.0} % of a core)",
        outcome.sent,
        outcome.refused,
        cpu / seconds * 100.0
    )
    .map_err(Error::system("cannot write"))?;
    if outcome.changed.is_empty() { Ok(()) } else { Err(Error::Invalid(outcome.changed.join("; "))) }
}

/// Genuine datagrams from the second host to the first.
fn listen(cluster: &Cluster) -> Result<Vec<Vec<u8>>, Error> {
    let capture = cluster.lab().capture(1)?;
    wait_for("the peer has said enough", LIMIT, || {
        let packets = capture.packets().into_iter();
        let genuine = packets.filter(|p| p.is_udp() && p.source == Plan::private(2) && p.payload.len() > CODE);
        let heard: Vec<Vec<u8>> = genuine.map(|packet| packet.payload).take(GENUINE).collect();
        (heard.len() >= 20).then_some(heard)
    })
}

/// How a host stands, once nothing is in progress there.
fn standing(cluster: &Cluster, host: usize) -> Result<Standing, Error> {
    let told = wait_for("the daemon answers and is settled", LIMIT, || {
        cluster.told(host).filter(|status| status.settled && !status.members.ring.is_empty())
    })?;
    let joined = told.members.nodes.iter().filter(|node| node.state == hac_api::MemberState::Joined);
    Ok(Standing { ring: told.members.ring, members: joined.map(|node| node.name.clone()).collect(), cib: told.cib })
}

fn refused(cluster: &Cluster) -> Result<u64, Error> {
    let told = wait_for("the daemon answers", LIMIT, || cluster.told(1))?;
    Ok(told.counters.iter().filter(|counter| counter.name.contains("reject")).map(|counter| counter.value).sum())
}

/// One datagram that should be refused.
fn hostile(genuine: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let length = random.below(1400);
    let Some(model) = genuine.get(random.below(genuine.len())) else { return random.bytes(length) };
    let mut datagram = model.clone();
    match random.below(6) {
        // Sent again as it was.
        0 => {}
        1 => datagram.truncate(random.below(model.len())),
        2 => {
            let (at, bit) = (random.below(model.len()), random.below(8));
            datagram[at] ^= 1 << bit;
        }
        // A new counter and a made-up code, as one would who knows the format but not the key.
        3 => {
            datagram[28..36].copy_from_slice(&(1 << 40 | random.next() >> 30).to_le_bytes());
            forge(&mut datagram, random);
        }
        // A hello, the only thing that is answered without a session.
        4 => {
            datagram[6] = 0;
            forge(&mut datagram, random);
        }
        _ => datagram = random.bytes(length),
    }
    datagram
}

/// Puts a made-up code at the end.
fn forge(datagram: &mut [u8], random: &mut Random) {
    let begin = datagram.len().saturating_sub(CODE);
    datagram[begin..].iter_mut().for_each(|byte| *byte = random.byte());
}

/// A small generator (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}
