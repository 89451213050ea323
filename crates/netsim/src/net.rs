//! The network between the hosts: what is lost, doubled, delayed, overtaken, cut.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_types::LinkId;

use crate::{Datagram, Rng};

/// Links that hosts may have.
const LINKS: std::ops::Range<u8> = 0..2;

/// The stream of the seed's random numbers that the network draws from.
const STREAM: u64 = 1;

/// How the network behaves at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Lost datagrams, thousandths.
    pub loss: u64,
    /// Doubled datagrams, thousandths. The copy takes a time of its own, up to twice as long.
    pub duplication: u64,
    /// Shortest time a datagram takes.
    pub delay: Duration,
    /// Up to this much more, drawn for each datagram: datagrams overtake each other.
    pub jitter: Duration,
    /// Bytes that pass; larger datagrams vanish without a word.
    pub size_max: usize,
}

impl Weather {
    /// A quiet local network.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            loss: 0,
            duplication: 0,
            delay: Duration::from_micros(150),
            jitter: Duration::from_micros(100),
            size_max: usize::MAX,
        }
    }

    /// A network on which every datagram takes 100 microseconds, and none is lost or overtaken.
    #[must_use]
    pub const fn even() -> Self {
        Self { delay: Duration::from_micros(100), jitter: Duration::ZERO, ..Self::calm() }
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
    /// Hosts that datagrams of these classes never reach.
    unreached: BTreeMap<u32, &'static [u8]>,
    /// Ways on which nothing passes: from, to, link.
    cut: BTreeSet<(u32, u32, LinkId)>,
    /// Of the datagrams of this class, the one after so many more is lost.
    doomed: Option<(u8, u64)>,
    /// Every datagram that was sent, lost ones too, while that is wanted.
    recording: Option<Vec<Datagram>>,
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
            unreached: BTreeMap::new(),
            cut: BTreeSet::new(),
            doomed: None,
            recording: None,
            rng: Rng::new(seed, STREAM),
        }
    }

    /// Cuts the way from one host to another on one link.
    pub fn cut_one_way(&mut self, from: u32, to: u32, link: LinkId) {
        self.cut.insert((from, to, link));
    }

    /// Cuts the way from one host to another on all links.
    pub fn cut_way(&mut self, from: u32, to: u32) {
        self.cut.extend(LINKS.map(|link| (from, to, LinkId(link))));
    }

    /// Cuts both ways between two hosts on all links.
    pub fn cut_pair(&mut self, a: u32, b: u32) {
        self.cut_way(a, b);
        self.cut_way(b, a);
    }

    /// Cuts one link between two hosts, both ways.
    pub fn cut_link(&mut self, a: u32, b: u32, link: LinkId) {
        self.cut.extend([(a, b, link), (b, a, link)]);
    }

    /// Cuts both ways between the hosts of different groups. Hosts in no group are left alone.
    pub fn partition(&mut self, groups: &[Vec<u32>]) {
        for (index, group) in groups.iter().enumerate() {
            for other in groups.iter().skip(index + 1) {
                for &a in group {
                    for &b in other {
                        self.cut_pair(a, b);
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

    /// Datagrams of these classes never reach a host; with none of them, everything does again.
    pub fn keep_from(&mut self, to: u32, classes: &'static [u8]) {
        self.unreached.insert(to, classes);
    }

    /// Of the datagrams of this class, the one after `more` others is lost.
    pub fn lose_one(&mut self, class: u8, more: u64) {
        self.doomed = Some((class, more));
    }

    /// Everything is connected again.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.narrow.clear();
        self.deaf.clear();
        self.unreached.clear();
    }

    /// Whether nothing is cut.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cut.is_empty() && self.narrow.is_empty() && self.deaf.is_empty() && self.unreached.is_empty()
    }

    /// From now on, what is sent is recorded, whether it arrives or not.
    pub fn record(&mut self) {
        self.recording = Some(Vec::new());
    }

    /// Ends the recording, and gives it; empty if there was none.
    pub fn recorded(&mut self) -> Vec<Datagram> {
        self.recording.take().unwrap_or_default()
    }

    /// A datagram with the times after which it arrives: never, once or twice.
    pub fn carry(&mut self, datagram: Datagram) -> impl Iterator<Item = (Duration, Datagram)> + use<> {
        if let Some(recording) = &mut self.recording {
            recording.push(datagram.clone());
        }
        let (time, double) = self.fate(&datagram);
        let copy = double.map(|double| (double, datagram.clone()));
        time.map(|time| (time, datagram)).into_iter().chain(copy)
    }

    fn fate(&mut self, datagram: &Datagram) -> (Option<Duration>, Option<Duration>) {
        if self.is_stopped(datagram) || self.is_doomed(datagram) {
            return (None, None);
        }
        let loss = self.weather.loss.max(self.deaf.get(&datagram.to).copied().unwrap_or(0));
        if self.rng.chance(loss) {
            return (None, None);
        }
        let time = self.time();
        let double = self.rng.chance(self.weather.duplication).then(|| self.time() * 2);
        (Some(time), double)
    }

    /// Whether nothing of its kind passes.
    fn is_stopped(&self, datagram: &Datagram) -> bool {
        let Datagram { from, to, link, bytes } = datagram;
        let most = self.narrow.get(&(*from, *to)).copied().unwrap_or(usize::MAX).min(self.weather.size_max);
        let unreached = self.unreached.get(to).copied().unwrap_or_default();
        bytes.len() > most
            || self.cut.contains(&(*from, *to, *link))
            || datagram.class().is_some_and(|class| unreached.contains(&class))
    }

    fn is_doomed(&mut self, datagram: &Datagram) -> bool {
        let Some((class, more)) = self.doomed.filter(|(class, _)| datagram.class() == Some(*class)) else {
            return false;
        };
        self.doomed = more.checked_sub(1).map(|more| (class, more));
        more == 0
    }

    fn time(&mut self) -> Duration {
        let jitter = u64::try_from(self.weather.jitter.as_nanos()).unwrap_or(u64::MAX);
        self.weather.delay + Duration::from_nanos(self.rng.below(jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(from: u32, to: u32, length: usize) -> Datagram {
        Datagram { from, to, link: LinkId(0), bytes: vec![4; length] }
    }

    fn arrives(net: &mut Net, datagram: &Datagram) -> bool {
        net.carry(datagram.clone()).next().is_some()
    }

    #[test]
    fn a_cut_stops_its_own_way_and_link_and_ends() {
        let mut net = Net::new(1);
        net.cut_one_way(1, 2, LinkId(0));
        assert!(!arrives(&mut net, &datagram(1, 2, 50)) && arrives(&mut net, &datagram(2, 1, 50)));
        assert!(arrives(&mut net, &Datagram { link: LinkId(1), ..datagram(1, 2, 50) }) && !net.is_whole());
        net.partition(&[vec![1, 2], vec![3]]);
        assert!(!arrives(&mut net, &datagram(3, 2, 50)) && arrives(&mut net, &datagram(2, 1, 50)));
        net.heal();
        assert!(arrives(&mut net, &datagram(1, 2, 50)) && arrives(&mut net, &datagram(3, 2, 50)) && net.is_whole());
    }

    #[test]
    fn what_is_too_large_or_of_an_unwanted_class_vanishes() {
        let mut net = Net::new(1);
        net.narrow(1, 2, 100);
        net.weather.size_max = 200;
        let mut sizes = |from| [100, 101, 201].map(|length| arrives(&mut net, &datagram(from, 2, length)));
        assert_eq!((sizes(1), sizes(3)), ([true, false, false], [true, true, false]));
        net.keep_from(2, &[4, 5]);
        assert!(!arrives(&mut net, &datagram(1, 2, 50)) && arrives(&mut net, &datagram(1, 3, 50)));
    }

    #[test]
    fn one_datagram_of_a_class_is_lost_and_all_are_recorded() {
        let mut net = Net::new(1);
        net.record();
        net.lose_one(4, 2);
        let fates: Vec<bool> = (0..5).map(|_| arrives(&mut net, &datagram(1, 2, 50))).collect();
        assert_eq!(fates, [true, true, false, true, true]);
        assert_eq!((net.recorded().len(), net.recorded().len()), (5, 0));
    }

    #[test]
    fn a_bad_network_loses_doubles_and_overtakes_as_much_as_it_is_told() {
        let mut net = Net::new(7);
        net.weather = Weather { loss: 300, duplication: 200, jitter: Duration::from_millis(5), ..Weather::calm() };
        let fates: Vec<Vec<Duration>> =
            (0..2000).map(|_| net.carry(datagram(1, 2, 50)).map(|(time, _)| time).collect()).collect();
        let lost = fates.iter().filter(|times| times.is_empty()).count();
        let twice = fates.iter().filter(|times| times.len() == 2).count();
        let overtaken = fates.windows(2).filter(|pair| pair[0].first() > pair[1].first()).count();
        assert!((500..700).contains(&lost) && (200..360).contains(&twice) && overtaken > 500, "{lost} {twice}");
    }
}
