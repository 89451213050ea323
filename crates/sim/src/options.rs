//! What one seed stands for: how large the cluster is, how bad the world.

use std::time::Duration;

use hac_netsim::Rng;

use crate::power::Fencing;

/// Everything that is drawn before a run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// Hosts.
    pub nodes: u32,
    /// Links between them, 1 or 2.
    pub links: u8,
    /// How long faults happen.
    pub chaos: Duration,
    /// How long the world is calm afterwards, at most.
    pub calm: Duration,
    /// Mean time between two faults.
    pub pause_between: Duration,
    /// Datagrams lost during the chaos, thousandths, at most.
    pub loss: u64,
    /// Datagrams doubled, thousandths, at most.
    pub duplication: u64,
    /// Delay of a datagram, at most.
    pub jitter: Duration,
    /// A daemon may be killed between any two things it does.
    pub crash_between_outputs: bool,
    /// Disks may be lost (never so many that an acknowledged change could be).
    pub disk_loss: bool,
    /// How often people want something else, at each fault, thousandths.
    pub people: u64,
    /// Plans are made beside everything else, and take their time.
    pub planner: bool,
    /// There is a machine that can migrate while it runs.
    pub machine: bool,
    /// The halves of a node run apart.
    pub apart: bool,
    /// Rings and packets are numbered from here: what has run for long.
    pub numbers_from: u64,
    /// What takes the power of hosts that are lost.
    pub fencing: Option<Fencing>,
}

impl Options {
    /// A world in which nothing happens by itself, for directed scenarios.
    #[must_use]
    pub const fn directed(nodes: u32) -> Self {
        Self {
            seed: 1,
            nodes,
            links: 1,
            chaos: Duration::ZERO,
            calm: Duration::from_secs(60),
            pause_between: Duration::from_secs(1),
            loss: 0,
            duplication: 0,
            jitter: Duration::ZERO,
            crash_between_outputs: false,
            disk_loss: false,
            people: 0,
            planner: false,
            machine: false,
            apart: false,
            numbers_from: 0,
            fencing: None,
        }
    }

    /// What `seed` stands for where the ring runs alone: sometimes many hosts, for a shorter time, and sometimes a ring
    /// that has run for long.
    #[must_use]
    pub fn of_ring(seed: u64, nodes: Option<u32>) -> Self {
        let mut rng = Rng::new(seed, 8);
        let drawn = match rng.below(100) {
            0..=2 => Some(rng.between(6, 12)),
            3 if rng.chance(500) => Some(rng.between(13, 32)),
            _ => None,
        };
        let many = drawn.and_then(|many| u32::try_from(many).ok());
        let mut options = Self::of(seed, nodes.or(many));
        if options.nodes > 5 {
            options.chaos = Duration::from_secs(rng.between(3, 10));
        }
        options.numbers_from = match rng.below(10) {
            0 => (1 << 32) - rng.between(1, 600),
            1 => (1 << 63) - rng.between(1, 600),
            _ => 0,
        };
        options
    }

    /// What `seed` stands for. `nodes` overrides the number of hosts.
    #[must_use]
    pub fn of(seed: u64, nodes: Option<u32>) -> Self {
        let mut rng = Rng::new(seed, 7);
        let drawn = match rng.below(10) {
            0..=4 => 2,
            5..=7 => 3,
            8 => 4,
            _ => 5,
        };
        let nodes = nodes.unwrap_or(drawn);
        Self {
            seed,
            nodes,
            links: if rng.chance(300) { 2 } else { 1 },
            chaos: Duration::from_secs(rng.between(5, 40)),
            calm: Duration::from_secs(60),
            pause_between: Duration::from_millis(rng.between(200, 3000)),
            loss: if rng.chance(500) { rng.below(200) } else { 0 },
            duplication: if rng.chance(500) { rng.below(100) } else { 0 },
            jitter: Duration::from_micros(if rng.chance(500) { rng.below(40_000) } else { 200 }),
            crash_between_outputs: rng.chance(300),
            disk_loss: rng.chance(200),
            people: if rng.chance(600) { rng.between(100, 900) } else { 0 },
            planner: rng.chance(400),
            machine: Rng::new(seed, 14).chance(250),
            apart: rng.chance(400),
            numbers_from: 0,
            fencing: Fencing::of(seed, nodes),
        }
    }
}
