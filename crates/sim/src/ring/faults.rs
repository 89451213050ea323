//! The chaos of the ring, and the calm after it.

use std::time::Duration;

use hac_netsim::{Net, Rng, Weather};

use super::World;
use crate::check::{Violation, ring};
use crate::harm::{self, Harmed};

/// How slow the network is at times.
const SLOW: Duration = Duration::from_millis(500);

/// Bytes that pass where large datagrams vanish: the least that every path must let pass.
const NARROW: usize = 1280;

/// Faults to come.
pub struct Chaos {
    rng: Rng,
}

impl Chaos {
    /// The faults of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed, 5) }
    }

    /// A whole run.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub fn run(mut self, world: &mut World) -> Result<(), Violation> {
        let ids: Vec<u32> = world.hosts.keys().copied().collect();
        for &id in &ids {
            world.start_after(id, Duration::from_millis(self.rng.below(600)));
        }
        world.run(Duration::from_millis(self.rng.between(0, 3000)))?;
        self.storm(world);
        let end = world.now + world.options.chaos;
        while world.now < end {
            self.fault(world, &ids);
            let pause = u64::try_from(world.options.pause_between.as_millis()).unwrap_or(1000);
            world.run(Duration::from_millis(self.rng.between(1, pause * 2)))?;
        }
        ring::recovery(world, &ids)
    }

    fn storm(&mut self, world: &mut World) {
        let options = &world.options;
        world.net.weather = Weather {
            loss: options.loss,
            duplication: options.duplication,
            delay: Duration::from_micros(self.rng.between(50, 2000)),
            jitter: options.jitter,
            ..Weather::calm()
        };
        world.deadly = if options.crash_between_outputs { 200 } else { 0 };
        world.set_pace(Duration::from_millis(self.rng.between(5, 100)));
    }

    fn fault(&mut self, world: &mut World, ids: &[u32]) {
        let Some(&id) = self.rng.pick(ids) else { return };
        let back = Duration::from_millis(self.rng.between(1, 5000));
        match self.rng.below(17) {
            0 | 1 => {
                world.kill(id);
                world.start_after(id, back);
            }
            2 => {
                world.leave(id);
                world.start_after(id, back);
            }
            3 => {
                let times = self.rng.between(10, 400);
                world.trace.line(world.now, id, format!("sends {times} messages at once"));
                for _ in 0..times {
                    world.send_now(id);
                }
            }
            4 => {
                // Slower than all timers of the ring, and back.
                let slow = world.net.weather.jitter > SLOW / 2;
                world.net.weather.jitter = if slow { world.options.jitter } else { SLOW };
                world.trace.line(world.now, 0, if slow { "the network is as before" } else { "the network is slow" });
            }
            5 => {
                let Some(&other) = self.rng.pick(ids) else { return };
                world.trace.line(world.now, 0, format!("large datagrams vanish from node{id} to node{other}"));
                world.net.narrow(id, other, NARROW);
            }
            6 => {
                let loss = self.rng.between(100, 900);
                world.trace.line(world.now, id, format!("loses {loss} thousandths of what arrives"));
                world.net.deafen(id, loss);
            }
            7 => world.raise_level(id),
            _ => {
                let links = world.options.links;
                harm::befall(world, &mut self.rng, ids, links);
            }
        }
    }
}

impl World {
    /// Faults cease.
    pub fn calm(&mut self, ids: &[u32]) {
        self.trace.line(self.now, 0, "the world becomes calm");
        self.net.heal();
        self.net.weather = Weather::calm();
        self.deadly = 0;
        for &id in ids {
            self.start_after(id, Duration::ZERO);
        }
    }
}

impl Harmed for World {
    fn net(&mut self) -> &mut Net {
        &mut self.net
    }

    fn note(&mut self, text: String) {
        self.trace.line(self.now, 0, text);
    }

    fn happened(&mut self, name: &'static str) {
        self.sometimes.count(name);
    }

    fn pause(&mut self, id: u32, time: Duration) {
        self.pause_host(id, time);
    }
}
