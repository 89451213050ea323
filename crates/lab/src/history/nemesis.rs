//! What befalls the hosts, drawn from a seed.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use super::{clock, disk};
use crate::{Cluster, Error, Plan};

/// What can befall a host here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    Kill,
    Pause,
    Cut,
    Deafen,
    Stop,
    KillAll,
    Freeze,
    Fill,
    Clock,
}

/// What always can.
const ALWAYS: [Harm; 6] = [Harm::Kill, Harm::Pause, Harm::Cut, Harm::Deafen, Harm::Stop, Harm::KillAll];

/// See the module.
pub(super) struct Nemesis<'a> {
    cluster: &'a Cluster,
    harms: Vec<Harm>,
    /// Whether what cannot be asked any more is powered off.
    fenced: bool,
    random: Mutex<u64>,
    /// Hosts that something has befallen, until all is calm again.
    hurt: Mutex<BTreeSet<usize>>,
    /// Hosts whose daemon is paused.
    paused: Mutex<BTreeSet<usize>>,
    /// Hosts whose daemon was stopped in order: nobody starts it but who stopped it.
    stopped: Mutex<BTreeSet<usize>>,
}

impl<'a> Nemesis<'a> {
    /// `more` is what can befall these hosts besides what always can.
    pub(super) fn new(cluster: &'a Cluster, seed: u64, fenced: bool, more: &[Harm]) -> Self {
        let random = Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let harms = [&ALWAYS, more].concat();
        let (hurt, paused, stopped) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { cluster, harms, fenced, random, hurt, paused, stopped }
    }

    /// A number below `limit`.
    fn below(&self, limit: usize) -> usize {
        let mut state = lock(&self.random);
        // xorshift64: it need not be good, only repeatable.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state >> 33).unwrap_or(0) % limit.max(1)
    }

    fn hosts(&self) -> usize {
        self.cluster.lab().hosts().len()
    }

    /// Hosts on which nothing may run that runs on another: where there is fencing, all; else those that nothing has befallen
    /// after which only fencing would help.
    pub(super) fn strict(&self) -> Vec<usize> {
        let hurt = lock(&self.hurt);
        (1..=self.hosts()).filter(|host| self.fenced || !hurt.contains(host)).collect()
    }

    /// All is calm.
    pub(super) fn well(&self) {
        lock(&self.hurt).clear();
    }

    /// Does something to the cluster for a while, and says what.
    pub(super) fn harm(&self) -> Result<String, Error> {
        let all: Vec<usize> = (1..=self.hosts()).collect();
        let number = 1 + self.below(all.len());
        let others: Vec<usize> = all.iter().copied().filter(|&peer| peer != number).collect();
        let other = others.get(self.below(others.len())).copied().unwrap_or(number);
        let (name, network, host) = (Plan::name(number), self.cluster.lab().network()?, self.cluster.host(number));
        let time = Duration::from_millis(300 + self.below(6000) as u64);
        let hurt = |hosts: &[usize]| lock(&self.hurt).extend(hosts);
        let what = match self.harms.get(self.below(self.harms.len())).copied().unwrap_or(Harm::Kill) {
            Harm::Kill => {
                hurt(&[number]);
                self.cluster.kill(number)?;
                format!("{name}: killed")
            }
            Harm::Pause => {
                hurt(&[number]);
                lock(&self.paused).insert(number);
                self.cluster.pause(number)?;
                format!("{name}: paused for {time:.1?}")
            }
            Harm::Cut => {
                // Of a pair each is cut off, of three one is.
                hurt(if all.len() == 2 { &all } else { std::slice::from_ref(&number) });
                for &peer in &others {
                    network.lose(number, peer)?;
                    network.lose(peer, number)?;
                }
                format!("{name}: cut off for {time:.1?}")
            }
            Harm::Deafen => {
                // Either of them may be left out.
                hurt(&[number, other]);
                network.lose(number, other)?;
                format!("{name}: not heard by {} for {time:.1?}", Plan::name(other))
            }
            Harm::Stop => {
                lock(&self.stopped).insert(number);
                self.cluster.stop(number)?;
                format!("{name}: stopped in order")
            }
            Harm::KillAll => {
                hurt(&all);
                self.cluster.kill_together(&all)?;
                "all: killed".to_owned()
            }
            Harm::Freeze => {
                let time = time.saturating_mul(2);
                disk::freeze(host, time)?;
                return Ok(format!("{name}: its disk frozen for {time:.1?}"));
            }
            Harm::Fill => {
                disk::fill(host)?;
                format!("{name}: its disk full for {time:.1?}")
            }
            Harm::Clock => {
                let seconds = clock::STEPS.get(self.below(clock::STEPS.len())).copied().unwrap_or(0);
                clock::step(host, seconds)?;
                format!("{name}: its clock {seconds:+} s for {time:.1?}")
            }
        };
        sleep(time);
        Ok(what)
    }

    /// Ends what lasts.
    pub(super) fn heal(&self) -> Result<(), Error> {
        self.cluster.lab().network()?.heal()?;
        for host in std::mem::take(&mut *lock(&self.paused)) {
            // It may have been powered off meanwhile.
            let _ = self.cluster.resume(host);
        }
        for host in std::mem::take(&mut *lock(&self.stopped)) {
            self.cluster.start(host)?;
        }
        for host in self.cluster.lab().hosts() {
            if self.harms.contains(&Harm::Fill) {
                disk::empty(host);
            }
            if self.harms.contains(&Harm::Clock) {
                clock::right(host)?;
            }
        }
        Ok(())
    }
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
