//! Datagrams that nobody of the cluster sent, against a live pair: replayed, truncated, bit-flipped, forged, random. Requests that
//! nobody should make, against the page and the numbers of one of them.

pub mod requests;

use std::io::Write;
use std::net::SocketAddr;
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

/// Hostile requests against the page and the numbers of the first host of a lab of its own, for so long.
///
/// # Errors
/// When the lab cannot be built, or something changed, was told or grew that must not.
pub fn run_requests(tools: &Tools, length: Duration, seed: u64, out: &mut dyn Write) -> Result<(), Error> {
    let (page, metrics) = (SocketAddr::from(([127, 0, 0, 1], 7630)), SocketAddr::from(([127, 0, 0, 1], 9664)));
    let more = format!("[web]\nlisten = \"{page}\"\nactions = \"yes\"\n[metrics]\nlisten = \"{metrics}\"\n");
    let cluster = Cluster::running(tools, 2, Agents::Native, &more, LIMIT)?;
    let link = cluster.hacctl(1, &["--json", "web"])?;
    let link: serde_json::Value = serde_json::from_str(&link).unwrap_or_default();
    let url = link["url"].as_str().unwrap_or_default();
    let token = url.split_once("token=").map(|(_, token)| token.to_owned());
    let token = token.ok_or_else(|| Error::Invalid("hacctl web prints no link".to_owned()))?;
    let secrets = vec![crate::cloud::TOKEN.to_owned(), token.clone()];
    let names = ["FloatIP", "Nginx", "lbcluster"].map(str::to_owned).to_vec();
    let target = requests::Target { page, metrics, token, secrets, names };
    // The page shows its own link nowhere, but a cookie has it.
    let before = [standing(&cluster, 1)?, standing(&cluster, 2)?];
    let (longest, begin, cpu) = (ring_step(&cluster)?, Instant::now(), cluster.cpu(1)?);
    let told = cluster.lab().at_host(1, "hostile requests", move || Ok(requests::attack(&target, length, seed)))?;
    let used = cluster.cpu(1)?.saturating_sub(cpu);
    let after = [standing(&cluster, 1)?, standing(&cluster, 2)?];
    let longest_after = ring_step(&cluster)?;
    let failed = cluster.lab().prober().window(begin).failed;
    let share = used.as_secs_f64() / begin.elapsed().as_secs_f64() * 100.0;
    writeln!(
        out,
        "{}\nin {:.0} s, which cost the daemon {share:.0} % of a core; requests of the floating address that failed meanwhile: \
         {failed}\nlongest step of the ring's thread (of work alone): {} us before, {} us after",
        told.line(),
        begin.elapsed().as_secs_f64(),
        longest,
        longest_after
    )
    .map_err(Error::system("cannot write"))?;
    let mut wrong = told.wrong;
    if before != after {
        wrong.push("ring, members or state are not what they were".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong.join("\n"))) }
}

/// The longest step of work of the first host's ring, microseconds.
fn ring_step(cluster: &Cluster) -> Result<u64, Error> {
    let told = wait_for("the daemon answers", LIMIT, || cluster.told(1))?;
    let steps = told.steps.iter().filter(|steps| steps.thread == "ring");
    Ok(steps.map(|steps| steps.longest_cpu_us).max().unwrap_or(0))
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
