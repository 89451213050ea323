//! How soon the death of a host is noticed, and how often one is imagined: the two ends of one decision, measured on
//! rings of two hosts in simulated time.
//!
//! Each [`Setting`] is tried in each [`Circumstance`]: hosts die at random moments, and for some hours nobody dies while
//! the network and the hosts do what the circumstance says. Every suspicion in those hours is a false one.

use std::time::Duration;

use hac_netsim::{Rng, Weather};
use hac_totem::{Stats, Timers};

use crate::check::Violation;
use crate::options::Options;
use crate::ring::World;

/// The hosts.
const HOSTS: [u32; 2] = [1, 2];
/// How exactly a moment is found.
const STEP: Duration = Duration::from_millis(1);
/// After this time a death counts as not noticed.
const NEVER: Duration = Duration::from_secs(30);
/// After this time a ring that does not form counts as broken.
const FORMED_MAX: Duration = Duration::from_secs(120);
/// The random numbers of this module are of their own.
const STREAM: u64 = 11;

/// A way to set the detector.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What it is called.
    pub name: &'static str,
    /// The timeouts.
    pub timers: Timers,
}

/// What the network and the hosts do.
#[derive(Clone, Debug)]
pub struct Circumstance {
    /// What it is called.
    pub name: &'static str,
    /// The network.
    pub weather: Weather,
    /// Hosts do not run for up to so long, so often on average.
    pub pauses: Option<(Duration, Duration)>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// From each death to the suspicion, ascending; deaths that were not noticed are the last.
    pub noticed: Vec<Duration>,
    /// From each death to the membership without the dead host, ascending.
    pub settled: Vec<Duration>,
    /// Suspicions while nobody died.
    pub suspicions: u64,
    /// Memberships beyond the first while nobody died.
    pub changes: u64,
}

/// The settings that are compared.
#[must_use]
pub fn settings() -> Vec<Setting> {
    let millis = Duration::from_millis;
    let usual = Timers::default();
    let patient =
        |name, silence_min| Setting { name, timers: Timers { silence_min: millis(silence_min), ..Timers::default() } };
    let quick = |name, ping, silence_min| Setting {
        name,
        timers: Timers { ping: Some(millis(ping)), silence_min: millis(silence_min), ..Timers::default() },
    };
    let fixed =
        |name, token| Setting { name, timers: Timers { token: millis(token), adaptive: false, ..Timers::default() } };
    vec![
        quick("fast: ping 25, silence_min 80", 25, 80),
        quick("ping 50, silence_min 160", 50, 160),
        Setting { name: "default", timers: usual },
        patient("silence_min 500", 500),
        patient("silence_min 1000", 1000),
        fixed("token 300, not adaptive", 300),
        fixed("token 1000, not adaptive", 1000),
        fixed("token 3000, not adaptive", 3000),
    ]
}

/// The circumstances in which they are tried.
#[must_use]
pub fn circumstances() -> Vec<Circumstance> {
    let calm = |name| Circumstance { name, weather: Weather::calm(), pauses: None };
    let seconds = Duration::from_secs;
    vec![
        calm("idle"),
        Circumstance { weather: Weather { loss: 50, ..Weather::calm() }, ..calm("5 % of datagrams lost") },
        Circumstance {
            weather: Weather { jitter: Duration::from_millis(200), ..Weather::calm() },
            ..calm("200 ms jitter")
        },
        Circumstance { pauses: Some((Duration::from_millis(300), seconds(10))), ..calm("pauses up to 300 ms") },
    ]
}

/// Lets `deaths` hosts die and watches `quiet` of living ones.
///
/// # Errors
/// A ring does not form.
pub fn measure(
    setting: &Setting,
    circumstance: &Circumstance,
    deaths: u64,
    quiet: Duration,
) -> Result<Curve, Violation> {
    let mut curve = Curve::default();
    for seed in 1..=deaths {
        let (noticed, settled) = die(setting, circumstance, seed)?;
        curve.noticed.push(noticed);
        curve.settled.push(settled);
    }
    curve.noticed.sort_unstable();
    curve.settled.sort_unstable();
    (curve.suspicions, curve.changes) = watch(setting, circumstance, quiet, 1)?;
    Ok(curve)
}

/// Watches living hosts for so long; suspicions, and memberships beyond the first.
///
/// # Errors
/// A ring does not form.
pub fn watch(
    setting: &Setting,
    circumstance: &Circumstance,
    quiet: Duration,
    seed: u64,
) -> Result<(u64, u64), Violation> {
    let (mut world, mut rng) = formed(setting, circumstance, seed)?;
    let before = HOSTS.map(|id| count(&world, id));
    pass(&mut world, &mut rng, circumstance, quiet)?;
    let after = HOSTS.map(|id| count(&world, id));
    let grown = |number: fn(&Stats) -> u64| {
        before.iter().zip(&after).map(move |(before, after)| number(after).saturating_sub(number(before)))
    };
    // Both hosts see a change of membership: it is one.
    Ok((grown(|stats| stats.suspicions).sum(), grown(|stats| stats.views).max().unwrap_or(0)))
}

/// One host dies: how long until the other suspects it, and until it goes on without it.
fn die(setting: &Setting, circumstance: &Circumstance, seed: u64) -> Result<(Duration, Duration), Violation> {
    let (mut world, mut rng) = formed(setting, circumstance, seed)?;
    // Some time for the round trip to be known, and to meet any moment of the detector's periods.
    let calm = Duration::from_millis(rng.between(5000, 8000));
    pass(&mut world, &mut rng, circumstance, calm)?;
    let [dead, survivor] = if rng.chance(500) { [1, 2] } else { [2, 1] };
    let before = count(&world, survivor);
    let begin = world.now;
    world.kill(dead);
    let mut noticed = None;
    let mut settled = None;
    while settled.is_none() && world.now.since(begin) < NEVER {
        world.run(STEP)?;
        let after = count(&world, survivor);
        let passed = world.now.since(begin);
        noticed = noticed.or_else(|| (after.suspicions > before.suspicions).then_some(passed));
        settled = settled.or_else(|| (after.views > before.views).then_some(passed));
    }
    Ok((noticed.or(settled).unwrap_or(NEVER), settled.unwrap_or(NEVER)))
}

/// A ring in service in fair weather that has just changed to that of the circumstance.
fn formed(setting: &Setting, circumstance: &Circumstance, seed: u64) -> Result<(World, Rng), Violation> {
    let mut world = World::new(Options { seed, ..Options::directed(2) }, false);
    world.timers = setting.timers.clone();
    // Nothing is sent but what the ring itself has to say.
    world.pace = Duration::from_secs(u64::from(u32::MAX));
    for id in HOSTS {
        world.start_after(id, Duration::ZERO);
    }
    let begin = world.now;
    while HOSTS.iter().any(|id| count(&world, *id).views == 0) {
        world.run(STEP)?;
        if world.now.since(begin) > FORMED_MAX {
            return Err(Violation::new("LIVE-1", "two hosts form no ring"));
        }
    }
    world.run(Duration::from_secs(2))?;
    world.net.weather = circumstance.weather.clone();
    Ok((world, Rng::new(seed, STREAM)))
}

/// Lets time pass as the circumstance has it.
fn pass(world: &mut World, rng: &mut Rng, circumstance: &Circumstance, time: Duration) -> Result<(), Violation> {
    let Some((longest, every)) = circumstance.pauses else { return world.run(time) };
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let end = world.now + time;
    // Of two hosts one is paused twice as often as each.
    let mean = nanos(every) / 2;
    while world.now < end {
        let wait = Duration::from_nanos(rng.below(mean * 2)).min(end.since(world.now));
        world.run(wait)?;
        let id = if rng.chance(500) { 1 } else { 2 };
        world.pause_host(id, Duration::from_nanos(rng.between(1_000_000, nanos(longest))));
    }
    Ok(())
}

fn count(world: &World, id: u32) -> Stats {
    world.hosts.get(&id).and_then(crate::ring::Host::stats).unwrap_or_default()
}

#[cfg(test)]
mod tests;
