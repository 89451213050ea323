//! What befalls the hosts, drawn from a seed, and the service manager.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use crate::{Cluster, Error, Plan};

/// What the service manager waits before it starts a daemon again.
const RESTART: Duration = Duration::from_secs(1);
/// The exit code after which it does not.
const NEVER: i32 = 78;

/// See the module.
pub(super) struct Nemesis<'a> {
    cluster: &'a Cluster,
    random: Mutex<u64>,
    /// Hosts that something has befallen, until all is calm again.
    hurt: Mutex<BTreeSet<usize>>,
    /// Hosts whose daemon is paused.
    paused: Mutex<BTreeSet<usize>>,
}

impl<'a> Nemesis<'a> {
    pub(super) fn new(cluster: &'a Cluster, seed: u64) -> Self {
        let random = Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { cluster, random, hurt: Mutex::default(), paused: Mutex::default() }
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

    /// Hosts that nothing has befallen.
    pub(super) fn unhurt(&self) -> Vec<usize> {
        let hurt = lock(&self.hurt);
        (1..=self.hosts()).filter(|host| !hurt.contains(host)).collect()
    }

    /// All is calm.
    pub(super) fn well(&self) {
        lock(&self.hurt).clear();
    }

    /// Does something to the cluster for a while, and says what.
    pub(super) fn harm(&self) -> Result<String, Error> {
        let all: Vec<usize> = (1..=self.hosts()).collect();
        let host = 1 + self.below(all.len());
        let others: Vec<usize> = all.iter().copied().filter(|&peer| peer != host).collect();
        let other = others.get(self.below(others.len())).copied().unwrap_or(host);
        let (name, network) = (Plan::name(host), self.cluster.lab().network()?);
        let time = Duration::from_millis(300 + self.below(6000) as u64);
        let hurt = |hosts: &[usize]| lock(&self.hurt).extend(hosts);
        let what = match self.below(6) {
            0 => {
                hurt(&[host]);
                self.cluster.kill(host)?;
                format!("{name}: killed")
            }
            1 => {
                hurt(&[host]);
                lock(&self.paused).insert(host);
                self.cluster.pause(host)?;
                format!("{name}: paused for {time:.1?}")
            }
            2 => {
                // Of a pair each is cut off, of three one is.
                hurt(if all.len() == 2 { &all } else { std::slice::from_ref(&host) });
                for &peer in &others {
                    network.lose(host, peer)?;
                    network.lose(peer, host)?;
                }
                format!("{name}: cut off for {time:.1?}")
            }
            3 => {
                // Either of them may be left out.
                hurt(&[host, other]);
                network.lose(host, other)?;
                format!("{name}: not heard by {} for {time:.1?}", Plan::name(other))
            }
            4 => {
                hurt(&[host]);
                self.cluster.stop(host)?;
                format!("{name}: stopped in order")
            }
            _ => {
                hurt(&all);
                self.cluster.kill_together(&all)?;
                "all: killed".to_owned()
            }
        };
        sleep(time);
        Ok(what)
    }

    /// Ends what lasts.
    pub(super) fn heal(&self) -> Result<(), Error> {
        self.cluster.lab().network()?.heal()?;
        for host in std::mem::take(&mut *lock(&self.paused)) {
            self.cluster.resume(host)?;
        }
        Ok(())
    }

    /// The service manager: starts what has ended, unless its exit code says that this is of no use.
    pub(super) fn manage(&self, ended: &AtomicBool) {
        while !ended.load(Ordering::Relaxed) {
            for host in 1..=self.hosts() {
                if let Ok(Some(status)) = self.cluster.host(host).ended("hacd")
                    && status.code() != Some(NEVER)
                {
                    sleep(RESTART);
                    // It may have been started by somebody else meanwhile.
                    let _ = self.cluster.start(host);
                }
            }
            sleep(Duration::from_millis(100));
        }
    }
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
