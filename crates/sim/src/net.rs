//! The network between the hosts: what is lost, doubled, delayed, overtaken, cut.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_types::LinkId;

use crate::rng::Rng;

/// How the network behaves at present.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Lost datagrams, thousandths.
    pub loss: u64,
    /// Doubled datagrams, thousandths.
    pub duplication: u64,
    /// Shortest time a datagram takes.
    pub delay: Duration,
    /// Up to this much more, drawn for each datagram: datagrams overtake each other.
    pub jitter: Duration,
}

impl Weather {
    /// A quiet local network.
    #[must_use]
    pub const fn calm() -> Self {
        Self { loss: 0, duplication: 0, delay: Duration::from_micros(150), jitter: Duration::from_micros(100) }
    }
}

/// The network.
#[derive(Clone, Debug)]
pub struct Net {
    /// How it behaves.
    pub weather: Weather,
    /// Bytes that pass from one host to another, where that is less than usual.
    narrow: BTreeMap<(u32, u32), usize>,
    /// Hosts whose receive buffers overflow: thousandths lost on arrival.
    deaf: BTreeMap<u32, u64>,
    /// Ways on which nothing passes: from, to, link.
    cut: BTreeSet<(u32, u32, u8)>,
    rng: Rng,
}

impl Net {
    /// A quiet network.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            weather: Weather::calm(),
            narrow: BTreeMap::new(),
            deaf: BTreeMap::new(),
            cut: BTreeSet::new(),
            rng: Rng::new(seed, 1),
        }
    }

    /// Cuts the way from one host to another on all links.
    pub fn cut_way(&mut self, from: u32, to: u32) {
        self.cut.extend([(from, to, 0), (from, to, 1)]);
    }

    /// Cuts one link between two hosts, both ways.
    pub fn cut_link(&mut self, a: u32, b: u32, link: u8) {
        self.cut.extend([(a, b, link), (b, a, link)]);
    }

    /// Cuts both ways between the hosts of different groups. Hosts in no group are left alone.
    pub fn partition(&mut self, groups: &[Vec<u32>]) {
        for (index, group) in groups.iter().enumerate() {
            for other in groups.iter().skip(index + 1) {
                for &a in group {
                    for &b in other {
                        self.cut_way(a, b);
                        self.cut_way(b, a);
                    }
                }
            }
        }
    }

    /// Datagrams of more than so many bytes vanish on the way from one host to another, without a word.
    pub fn narrow(&mut self, from: u32, to: u32, bytes: usize) {
        self.narrow.insert((from, to), bytes);
    }

    /// A host loses so many thousandths of what arrives.
    pub fn deafen(&mut self, to: u32, loss: u64) {
        self.deaf.insert(to, loss);
    }

    /// Everything is connected again.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.narrow.clear();
        self.deaf.clear();
    }

    /// Whether nothing is cut.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cut.is_empty() && self.narrow.is_empty() && self.deaf.is_empty()
    }

    /// A datagram with the times after which it arrives: never, once or twice.
    pub fn carry(
        &mut self,
        from: u32,
        to: u32,
        link: LinkId,
        datagram: Vec<u8>,
    ) -> impl Iterator<Item = (Duration, Vec<u8>)> + use<> {
        let (time, double) = self.fate(from, to, link, datagram.len());
        let copy = double.map(|double| (double, datagram.clone()));
        time.map(|time| (time, datagram)).into_iter().chain(copy)
    }

    fn fate(&mut self, from: u32, to: u32, link: LinkId, bytes: usize) -> (Option<Duration>, Option<Duration>) {
        if self.narrow.get(&(from, to)).is_some_and(|most| bytes > *most) || self.cut.contains(&(from, to, link.0)) {
            return (None, None);
        }
        let loss = self.weather.loss.max(self.deaf.get(&to).copied().unwrap_or(0));
        if self.rng.chance(loss) {
            return (None, None);
        }
        let time = self.time();
        let double = self.rng.chance(self.weather.duplication).then(|| self.time() * 2);
        (Some(time), double)
    }

    fn time(&mut self) -> Duration {
        let jitter = u64::try_from(self.weather.jitter.as_nanos()).unwrap_or(u64::MAX);
        self.weather.delay + Duration::from_nanos(self.rng.below(jitter))
    }
}
