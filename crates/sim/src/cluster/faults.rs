//! The chaos: faults drawn from the seed, one after the other; and the calm after it.

use std::time::Duration;

use hac_crm::cib::{Change, Configure, Section, StatusChange};
use hac_netsim::{Net, Rng, Weather};
use hac_node::{Request, Rotate};

use super::{Power, World};
use crate::check::{self, Violation};
use crate::harm::{self, Harmed};
use crate::service::Service;
use crate::tutorial::{ADDRESS, SERVER};

/// Faults to come.
pub struct Chaos {
    rng: Rng,
    /// Draws the keys of rotations.
    keys: Rng,
    changes: u64,
}

impl Chaos {
    /// The faults of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed, 5), keys: Rng::new(seed, 9), changes: 0 }
    }

    /// A whole run: the hosts start, faults happen, the world becomes calm, and all must be well.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub fn run(mut self, world: &mut World) -> Result<(), Violation> {
        let ids: Vec<u32> = world.hosts.keys().copied().collect();
        for &id in &ids {
            let delay = Duration::from_millis(self.rng.below(600));
            world.start_after(id, delay);
        }
        if self.rng.chance(700) {
            // Most runs begin with a cluster that works, so that there is something to break.
            world.run_until(Duration::from_secs(20), World::is_settled)?;
        }
        self.storm(world);
        let end = world.now + world.options.chaos;
        while world.now < end {
            self.fault(world, &ids);
            let pause = u64::try_from(world.options.pause_between.as_millis()).unwrap_or(1000);
            world.run(Duration::from_millis(self.rng.between(1, pause * 2)))?;
        }
        Self::calm(world, &ids)?;
        check::at_the_end(world)
    }

    /// The weather of the chaos.
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
    }

    fn fault(&mut self, world: &mut World, ids: &[u32]) {
        let Some(&id) = self.rng.pick(ids) else {
            return;
        };
        match self.rng.below(22) {
            0..=7 => self.befall(world, ids),
            8 | 9 => self.crash(world, id, Power::Stays),
            10 => self.crash(world, id, Power::Off),
            11 => self.shut_down(world, id),
            12 => {
                let full = self.rng.chance(500);
                self.change_disk(world, id, full);
            }
            13 => {
                let resource = if self.rng.chance(500) { ADDRESS } else { SERVER };
                world.kill_resource(id, resource);
            }
            14 => {
                if let Some(host) = world.hosts.get_mut(&id) {
                    let step = i64::try_from(self.rng.below(7_200_000)).unwrap_or(0) - 3_600_000;
                    host.clock_step_ms = step;
                    world.checks.happened("the clock jumped");
                }
            }
            15 => {
                let slow = self.rng.between(5, 3000);
                world.agent_time.1 = world.agent_time.0 + Duration::from_millis(slow);
            }
            16 => {
                world.service = if self.rng.chance(500) { Service::ill(&mut self.rng) } else { Service::well() };
            }
            17 => {
                let server = (id, SERVER.to_owned());
                if !world.reality.broken.remove(&server) {
                    world.reality.broken.insert(server);
                }
            }
            _ => self.request(world, id),
        }
    }

    fn befall(&mut self, world: &mut World, ids: &[u32]) {
        let links = world.options.links;
        harm::befall(world, &mut self.rng, ids, links);
    }

    fn crash(&mut self, world: &mut World, id: u32, power: Power) {
        let safe = Self::others_have_all(world, id);
        world.checks.happened(if power == Power::Off { "power was lost" } else { "a daemon was killed" });
        world.kill(id, power);
        if world.options.disk_loss && safe && self.rng.chance(300) {
            world.trace.line(world.now, id, "gets an empty disk");
            world.checks.happened("a disk was replaced");
            if let Some(host) = world.hosts.get_mut(&id) {
                host.disk.wipe();
            }
        }
        world.start_after(id, Duration::from_millis(self.rng.between(1, 6000)));
    }

    /// Whether a disk may be lost: all nodes are one quorate view, so what was acknowledged is with the others too.
    fn others_have_all(world: &World, id: u32) -> bool {
        let ring = |host: &super::Host| {
            let (standing, _) = host.seen?;
            standing.ring.filter(|_| standing.quorate && standing.takes_part())
        };
        let mine = world.hosts.get(&id).and_then(ring);
        world.hosts.len() > 1 && mine.is_some() && world.hosts.values().all(|host| ring(host) == mine)
    }

    fn shut_down(&mut self, world: &mut World, id: u32) {
        if world.shut_down(id) {
            world.start_after(id, Duration::from_millis(self.rng.between(3000, 9000)));
        }
    }

    fn change_disk(&mut self, world: &mut World, id: u32, full: bool) {
        let latency = Duration::from_millis(self.rng.between(1, 800));
        if let Some(host) = world.hosts.get_mut(&id) {
            host.disk.full = full;
            if full {
                world.checks.happened("a disk was full");
            }
            host.disk.latency = latency;
        }
    }

    fn request(&mut self, world: &mut World, id: u32) {
        let request = match self.rng.below(4) {
            0 if self.keys.chance(500) => self.rotation(),
            0 => Request::Settle { timeout: Duration::from_secs(self.rng.between(1, 20)) },
            1 => Request::Status(StatusChange::ClearFailures { resource: None, node: None, operation: None }),
            _ => {
                self.changes += 1;
                let pair = (format!("sim-change-{}", self.changes), Some(self.changes.to_string()));
                let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs: vec![pair] };
                Request::Configure(Configure {
                    changes: vec![change],
                    origin: format!("node{id}"),
                    client: "sim".to_owned(),
                    user: "root".to_owned(),
                    base: None,
                })
            }
        };
        world.ask(id, request);
    }

    /// Another key for all. Never by force: that would leave nodes outside for good.
    fn rotation(&mut self) -> Request {
        let mut salt = [0; 16];
        salt.copy_from_slice(&self.keys.entropy()[..16]);
        let next = hac_totem::AuthKey::new(self.keys.entropy().to_vec());
        // 32 bytes are a key.
        Request::RotateKey(Rotate { next: next.expect("32 bytes are a key"), salt, force: false })
    }

    /// Faults cease, and everybody comes back.
    fn calm(world: &mut World, ids: &[u32]) -> Result<(), Violation> {
        world.trace.line(world.now, 0, "the world becomes calm");
        world.net.heal();
        world.net.weather = Weather::calm();
        world.deadly = 0;
        world.service = Service::well();
        world.reality.broken.clear();
        world.agent_time = (Duration::from_millis(5), Duration::from_millis(60));
        for &id in ids {
            if let Some(host) = world.hosts.get_mut(&id) {
                host.disk.full = false;
                host.disk.latency = Duration::from_millis(2);
                host.clock_step_ms = 0;
            }
            world.start_after(id, Duration::from_millis(10));
        }
        // Pauses and shutdowns that were under way end.
        world.run(Duration::from_secs(12))?;
        for &id in ids {
            world.start_after(id, Duration::ZERO);
        }
        world.run(Duration::from_secs(10))?;
        let everywhere = StatusChange::ClearFailures { resource: None, node: None, operation: None };
        let asked = world.up().next().map(|host| host.id);
        if let Some(id) = asked {
            world.ask(id, Request::Status(everywhere));
        }
        // Who wanted to leave and could not stop something can now.
        world.run(Duration::from_secs(10))?;
        for &id in ids {
            world.start_after(id, Duration::ZERO);
        }
        world.run(Duration::from_secs(1))
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
        self.checks.happened(name);
    }

    fn pause(&mut self, id: u32, time: Duration) {
        self.pause_host(id, time);
    }
}
