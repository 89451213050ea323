//! The chaos: faults drawn from the seed, one after the other; and the calm after it.

use std::time::Duration;

use hac_crm::cib::StatusChange;
use hac_netsim::{Net, Rng, Weather};
use hac_node::{Request, Rotate};

use super::levels::Levels;
use super::{Planners, Power, World};
use crate::check::{self, Violation, waits};
use crate::harm::{self, Harmed};
use crate::manners::Manners;
use crate::service::Service;
use crate::tutorial::{ADDRESS, SERVER};
use crate::workload::Workload;

/// Faults to come.
pub struct Chaos {
    rng: Rng,
    /// Draws the keys of rotations.
    keys: Rng,
    people: Workload,
    levels: Levels,
}

impl Chaos {
    /// The faults of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed, 5), keys: Rng::new(seed, 9), people: Workload::new(seed), levels: Levels::new(seed) }
    }

    /// A whole run: the hosts start, faults happen, the world becomes calm, and all must be well.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub fn run(mut self, world: &mut World) -> Result<(), Violation> {
        let ids: Vec<u32> = world.hosts.keys().copied().collect();
        self.levels.begin(world);
        for &id in &ids {
            if let Some(host) = world.hosts.get_mut(&id).filter(|_| world.options.apart) {
                host.disk.is_usually(Duration::from_millis(self.rng.between(1, 20)));
            }
            let delay = Duration::from_millis(self.rng.below(600));
            world.start_after(id, delay);
        }
        if self.rng.chance(700) {
            // Most runs begin with a cluster that works, so that there is something to break.
            world.run_until(Duration::from_secs(20), World::is_settled)?;
        }
        world.race()?;
        self.storm(world);
        let end = world.now + world.options.chaos;
        while world.now < end {
            self.fault(world, &ids);
            world.trouble_with_power(&ids);
            self.people_ask(world);
            self.levels.happen(world, &ids, &mut self.people);
            let pause = u64::try_from(world.options.pause_between.as_millis()).unwrap_or(1000);
            world.run(Duration::from_millis(self.rng.between(1, pause * 2)))?;
        }
        if world.options.apart && self.rng.chance(200) {
            self.say_nothing(world, &ids)?;
        }
        world.calm()?;
        check::at_the_end(world)
    }

    /// The last of the storm: nothing that a member says gets out while the others meet anew, and nothing else happens for
    /// so long that what waits for it without end is found out.
    fn say_nothing(&mut self, world: &mut World, ids: &[u32]) -> Result<(), Violation> {
        world.net.heal();
        world.run_until(Duration::from_secs(20), World::halves_are_well)?;
        let silent = self.rng.pick(ids).copied().unwrap_or_default();
        let others: Vec<u32> = ids.iter().copied().filter(|id| *id != silent).collect();
        world.mute(silent, waits::BARRIER + Duration::from_secs(15));
        if let Some(&other) = self.rng.pick(&others) {
            world.kill(other, Power::Stays);
            world.start_after(other, Duration::from_millis(self.rng.between(1, 3000)));
        }
        world.run(waits::BARRIER + Duration::from_secs(10))
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
        world.planners = if options.planner { Planners::slow() } else { Planners::default() };
        world.deadly = if options.crash_between_outputs { 200 } else { 0 };
    }

    fn fault(&mut self, world: &mut World, ids: &[u32]) {
        let Some(&id) = self.rng.pick(ids) else {
            return;
        };
        match self.rng.below(25) {
            0..=7 => self.befall(world, ids),
            8 | 9 => self.crash(world, id, Power::Stays),
            10 => self.crash(world, id, Power::Off),
            11 => self.shut_down(world, id),
            12 => self.change_disk(world, id),
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
            15 if self.rng.chance(500) => {
                world.manners = if self.rng.chance(700) { Manners::bad(&mut self.rng) } else { Manners::good() };
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
            18 if world.options.planner => {
                world.planners = if self.rng.chance(600) { Planners::ill(&mut self.rng) } else { Planners::slow() };
            }
            19 | 20 if world.options.apart => self.trouble_above(world, id, ids),
            21 if self.rng.chance(300) => self.black_out(world, ids),
            _ => self.request(world, id),
        }
    }

    /// The half of a node above the ring stands still for a while, or is slow, or nothing that it says gets out; one of a
    /// cluster at a time.
    fn trouble_above(&mut self, world: &mut World, id: u32, ids: &[u32]) {
        if !world.halves_are_well() {
            return;
        }
        let times = [200, 1400, 2800, 3100, 4400, 5200, 8000, 11_000];
        let time = Duration::from_millis(self.rng.between(1000, 15_000));
        match self.rng.below(5) {
            0 | 1 => {
                let millis = self.rng.pick(&times).copied().unwrap_or(5200);
                world.stand_still(id, Duration::from_millis(millis));
            }
            2 => world.slow_down(id, Duration::from_millis(self.rng.between(20, 1500)), time),
            3 => world.mute(id, time),
            _ => {
                // The others meet anew while it says nothing.
                world.mute(id, waits::BARRIER + time);
                let other = self.rng.pick(ids).copied().filter(|other| *other != id);
                if let Some(other) = other {
                    self.crash(world, other, Power::Stays);
                }
            }
        }
    }

    /// All hosts lose their power at once, and one of them its disk.
    fn black_out(&mut self, world: &mut World, ids: &[u32]) {
        let lost = self.rng.pick(ids).copied().unwrap_or_default();
        if self.rng.chance(400) || !Self::others_have_all(world, lost) {
            return world.black_out(lost);
        }
        // The worst moment: somebody has just been told that a change counts, and it counts on the disk that is lost
        // alone; the others have it prepared, and are slower.
        world.black_out_after = Some((lost, world.now + Duration::from_secs(1)));
        for host in world.hosts.values_mut().filter(|host| host.id != lost) {
            host.disk.latency = Duration::from_millis(60);
        }
        let mark = self.people.mark(&format!("node{lost}"));
        world.ask(lost, mark);
    }

    fn befall(&mut self, world: &mut World, ids: &[u32]) {
        let links = world.options.links;
        harm::befall(world, &mut self.rng, ids, links);
    }

    fn crash(&mut self, world: &mut World, id: u32, power: Power) {
        let safe = Self::others_have_all(world, id);
        world.checks.happened(if power == Power::Off { "power was lost" } else { "a daemon was killed" });
        world.kill(id, power);
        if world.options.disk_loss && safe && self.rng.chance(500) {
            self.harm_disk(world, id);
        }
        world.start_after(id, Duration::from_millis(self.rng.between(1, 6000)));
    }

    /// What a disk had is lost, or some of it, or all since a copy was made.
    fn harm_disk(&mut self, world: &mut World, id: u32) {
        let Some(host) = world.hosts.get_mut(&id) else { return };
        let (name, text) = match self.rng.below(3) {
            0 => {
                host.disk.wipe();
                ("a disk was replaced", "gets an empty disk")
            }
            1 => {
                host.disk.rot(&mut self.rng);
                ("a disk has rotted", "finds its disk rotten")
            }
            _ => {
                host.disk.roll_back();
                ("a disk was rolled back", "gets an old copy of its disk")
            }
        };
        world.trace.line(world.now, id, text);
        world.checks.happened(name);
    }

    /// Whether a disk may be lost: all nodes are one quorate view, so what was acknowledged is with the others too, and on
    /// one of their disks.
    fn others_have_all(world: &World, id: u32) -> bool {
        let ring = |host: &super::Host| {
            let (standing, _) = host.seen?;
            standing.ring.filter(|_| standing.quorate && standing.takes_part())
        };
        let Some(host) = world.hosts.get(&id) else { return false };
        let (Some(mine), Some(node)) = (ring(host), &host.node) else { return false };
        let marks = crate::workload::marks(&node.cib().configuration);
        let mut others = world.hosts.values().filter(|other| other.id != id);
        world.hosts.values().all(|host| ring(host) == Some(mine))
            && others.any(|other| other.disk.has_committed(&marks))
    }

    fn shut_down(&mut self, world: &mut World, id: u32) {
        if world.shut_down(id) {
            world.start_after(id, Duration::from_millis(self.rng.between(3000, 9000)));
        }
    }

    /// A disk becomes slow, full or sick for a while, or well again.
    fn change_disk(&mut self, world: &mut World, id: u32) {
        world.recover_disk(id);
        let Some(host) = world.hosts.get_mut(&id) else { return };
        match self.rng.below(7) {
            0 | 1 => {
                host.disk.full = true;
                world.checks.happened("a disk was full");
            }
            2 => host.disk.sick = self.rng.between(50, 1000),
            3 => {
                host.disk.latency = Duration::from_millis(self.rng.between(800, 30_000));
                world.checks.happened("a disk was slow");
            }
            4 => host.disk.latency = Duration::from_millis(self.rng.between(1, 800)),
            5 => {
                host.disk.hangs = true;
                world.checks.happened("a disk did not answer");
            }
            _ => {}
        }
    }

    fn request(&mut self, world: &mut World, id: u32) {
        let request = match self.rng.below(4) {
            0 if self.keys.chance(500) => self.rotation(),
            0 => Request::Settle { timeout: Duration::from_secs(self.rng.between(1, 20)) },
            1 => Request::Status(StatusChange::ClearFailures { resource: None, node: None, operation: None }),
            _ => self.people.mark(&format!("node{id}")),
        };
        world.ask(id, request);
    }

    /// Somebody wants something else of the cluster.
    fn people_ask(&mut self, world: &mut World) {
        let wanted = self.people.wants(world.options.people);
        let asked = world.up().nth(wanted.unwrap_or_default());
        if wanted.is_some()
            && let Some((id, node)) = asked.and_then(|host| Some((host.id, host.node.as_ref()?)))
        {
            let request = self.people.asks(node.cib(), &format!("node{id}"));
            world.ask(id, request);
        }
    }

    /// Another key for all. Never by force: that would leave nodes outside for good.
    fn rotation(&mut self) -> Request {
        let mut salt = [0; 16];
        salt.copy_from_slice(&self.keys.entropy()[..16]);
        let next = hac_totem::AuthKey::new(self.keys.entropy().to_vec());
        // 32 bytes are a key.
        Request::RotateKey(Rotate { next: next.expect("32 bytes are a key"), salt, force: false })
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
