//! Datagrams that nobody of the cluster sent: forged, replayed, truncated, random.

use std::time::Instant;

use anyhow::ensure;
use hac_lab::{Cluster, Plan};

use crate::Test;
use crate::common::{Env, assert_consistent, steady, wait, web_servers};

/// Ports on which the ring listens.
const PORTS: [u16; 2] = [5405, 5406];
/// How many datagrams of each kind are sent.
const EACH: usize = 200;

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![("hostile_datagrams_change_nothing_but_a_counter", hostile)]
}

fn hostile(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        let genuine = listen(cluster)?;
        let before = web_servers(cluster)?;
        let (ring, refused) = standing(cluster)?;
        let begin = Instant::now();
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for datagrams in [genuine.clone(), truncated(&genuine), flipped(&genuine, &mut random), noise(&mut random)] {
            // From the peer's own host, so that the source address is one of the cluster's, and
            // from the attacked host's point of view nothing but the content is wrong.
            for port in PORTS {
                cluster.lab().send(2, 1, port, datagrams.clone())?;
            }
        }
        wait("the refused datagrams are counted", || {
            standing(cluster).is_ok_and(|(_, count)| count >= refused + EACH as u64)
        })?;
        let (ring_now, _) = standing(cluster)?;
        ensure!(ring_now == ring, "the membership was formed anew: {ring} became {ring_now}");
        ensure!(web_servers(cluster)? == before, "a web server was restarted");
        ensure!(cluster.lab().cloud().assigns(begin).is_empty(), "somebody asked for the address");
        ensure!(cluster.lab().prober().window(begin).failed == 0, "the page went away");
        let active = cluster.active()?;
        cluster.hacctl(active, &["--wait", "node", "standby", Plan::name(active)])?;
        steady(cluster, Some(cluster.other(active)?), begin)?;
        cluster.hacctl(active, &["--wait", "node", "online", Plan::name(active)])?;
        assert_consistent(cluster)
    })
}

/// Genuine datagrams from host 2 to host 1.
fn listen(cluster: &Cluster) -> anyhow::Result<Vec<Vec<u8>>> {
    let capture = cluster.lab().capture(1)?;
    let mut heard = Vec::new();
    wait("the peer has said enough", || {
        heard = capture
            .packets()
            .into_iter()
            .filter(|packet| packet.is_udp() && packet.source == Plan::private(2))
            .map(|packet| packet.payload)
            .collect();
        heard.len() >= 20
    })?;
    Ok(heard.into_iter().cycle().take(EACH).collect())
}

/// The ring's name and the number of refused datagrams, as host 1 tells.
fn standing(cluster: &Cluster) -> anyhow::Result<(String, u64)> {
    let text = cluster.hacctl(1, &["--json", "status"])?;
    let status: hac_api::Status = serde_json::from_str(&text)?;
    let rejected = status.counters.iter().filter(|counter| counter.name.contains("reject"));
    let count = rejected.map(|counter| counter.value).sum();
    ensure!(!status.members.ring.is_empty(), "no ring in {text}");
    Ok((status.members.ring, count))
}

fn truncated(genuine: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let cut = |(index, datagram): (usize, &Vec<u8>)| {
        let length = index % datagram.len().max(1);
        datagram.iter().copied().take(length).collect()
    };
    genuine.iter().enumerate().map(cut).collect()
}

fn flipped(genuine: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let flip = |datagram: &Vec<u8>| {
        let mut datagram = datagram.clone();
        let length = datagram.len().max(1);
        if let Some(byte) = datagram.get_mut(random.below(length)) {
            *byte ^= 1 << (random.0 % 8);
        }
        datagram
    };
    genuine.iter().map(flip).collect()
}

fn noise(random: &mut Random) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    for _ in 0..EACH {
        let length = random.below(1400);
        datagrams.push((0..length).map(|_| random.byte()).collect());
    }
    datagrams
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
}
