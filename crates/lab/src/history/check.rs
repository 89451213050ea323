//! What must hold of a recorded history.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

/// How many broken promises are told.
const TOLD: usize = 20;

/// A client asked for a value of its own register: each is larger than all before.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Who.
    pub(super) client: usize,
    /// The value.
    pub(super) value: u64,
    /// Which host was asked.
    pub(super) host: usize,
    /// Whether it was told that this is done. Otherwise it may be done or not.
    pub(super) acknowledged: bool,
}

/// What a host had to say of all registers.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) host: usize,
    /// When it was asked and when it had answered, since the begin of the run.
    pub(super) time: (Duration, Duration),
    /// The value of each register, by client.
    pub(super) values: BTreeMap<usize, u64>,
    /// How many sentences about forks had been told by then.
    pub(super) forks: usize,
    /// The life of the daemon that answered: when it started.
    pub(super) life: i64,
    /// It said that it had not compared its state with others since it started.
    pub(super) uncompared: bool,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    hosts: usize,
    pub(super) writes: Vec<Written>,
    pub(super) reads: Vec<Read>,
    /// How often the hosts were looked at.
    pub(super) samples: u64,
    /// When the resource was active on two hosts that nothing had befallen.
    pub(super) twice: Vec<String>,
    /// What nodes told of changes that they gave up.
    pub(super) forks: BTreeSet<String>,
    /// Acknowledged and not there when all was calm, with how many forks had been told by then.
    lost: Vec<(String, usize)>,
}

/// The name of a client's register.
pub(super) fn register(client: usize) -> String {
    format!("history-{client}")
}

/// The registers in a view of the cluster.
pub(super) fn registers(view: &Value, clients: usize) -> BTreeMap<usize, u64> {
    (1..=clients).filter_map(|client| Some((client, find(view, &register(client))?))).collect()
}

/// The value of the attribute of this name, wherever it is.
fn find(value: &Value, name: &str) -> Option<u64> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
            own.or_else(|| fields.values().find_map(|value| find(value, name)))
        }
        Value::Array(values) => values.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

impl Recorded {
    pub(super) fn new(hosts: usize) -> Self {
        Self { hosts, ..Self::default() }
    }

    /// The highest value of each client that was acknowledged so far.
    pub(super) fn acknowledged(&self) -> BTreeMap<usize, u64> {
        let mut highest = BTreeMap::new();
        for write in self.writes.iter().filter(|write| write.acknowledged) {
            let value: &mut u64 = highest.entry(write.client).or_default();
            *value = (*value).max(write.value);
        }
        highest
    }

    /// All is calm, and a host says this; what was acknowledged before must be in it.
    pub(super) fn at_rest(&mut self, host: usize, acknowledged: &BTreeMap<usize, u64>, values: &BTreeMap<usize, u64>) {
        for (client, wanted) in acknowledged {
            let there = values.get(client).copied().unwrap_or(0);
            if there < *wanted {
                let asked = self.writes.iter().find(|write| write.client == *client && write.value == *wanted);
                let asked = asked.map_or(0, |write| write.host);
                let text = format!(
                    "{wanted} of client {client}, acknowledged by host {asked}, is not on host {host}, which has {there}"
                );
                self.lost.push((text, self.forks.len()));
            }
        }
    }
}

/// Every promise that was broken, in words.
pub(super) fn broken(recorded: &Recorded) -> Vec<String> {
    let mut broken = Vec::new();
    // Where a minority may change nothing, nothing can be lost; a pair may lose what it tells of.
    let may_fork = recorded.hosts == 2;
    for (what, forks) in &recorded.lost {
        if !may_fork || *forks == 0 {
            broken.push(format!("lost: {what}"));
        }
    }
    for host in 1..=recorded.hosts {
        went_back(recorded, host, may_fork, &mut broken);
    }
    broken.extend(recorded.twice.iter().map(|when| format!("active twice: on hosts {when}")));
    broken.truncate(TOLD);
    broken
}

/// What a host said after it had said something newer. Who asked before the newer answer was there may get an older one; so
/// may who is told that the daemon has started and met too few others, but not an older one than that daemon gave before.
fn went_back(recorded: &Recorded, host: usize, may_fork: bool, broken: &mut Vec<String>) {
    let all = || recorded.reads.iter().filter(move |read| read.host == host);
    goes_back(recorded, all().filter(|read| !read.uncompared).collect(), may_fork, broken);
    let lives: BTreeSet<i64> = all().filter(|read| read.uncompared).map(|read| read.life).collect();
    for life in lives {
        goes_back(recorded, all().filter(|read| read.life == life).collect(), may_fork, broken);
    }
}

/// The same for some answers of one host.
fn goes_back(recorded: &Recorded, mut asked: Vec<&Read>, may_fork: bool, broken: &mut Vec<String>) {
    let mut answered = asked.clone();
    asked.sort_by_key(|read| read.time.0);
    answered.sort_by_key(|read| read.time.1);
    let mut answered = answered.into_iter().peekable();
    let mut newest: BTreeMap<usize, u64> = BTreeMap::new();
    for read in asked {
        while let Some(before) = answered.next_if(|before| before.time.1 <= read.time.0) {
            for (client, value) in &before.values {
                let newest = newest.entry(*client).or_default();
                // A pair that told of a fork has gone back once, and counts on from there.
                *newest = if may_fork && before.forks > 0 { *value } else { (*newest).max(*value) };
            }
        }
        for (client, value) in &read.values {
            if let Some(newer) = newest.get(client).filter(|newer| *newer > value)
                && !(may_fork && read.forks > 0)
            {
                let when = read.time.0.as_secs_f64();
                let acknowledged =
                    |write: &&Written| write.client == *client && write.value == *newer && write.acknowledged;
                let by = recorded.writes.iter().find(acknowledged).map(|write| write.host);
                let by = by.map_or_else(|| "never acknowledged".to_owned(), |by| format!("acknowledged by host {by}"));
                let late = |write: &&Written| write.client == *client && write.value == *value && !write.acknowledged;
                let late = recorded.writes.iter().find(late).map(|write| write.host);
                let late =
                    late.map_or_else(String::new, |asked| format!(", which host {asked} was asked for in vain before"));
                broken.push(format!(
                    "host {} said {newer} of client {client}, {by}, and at {when:.1} s {value}{late}",
                    read.host
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(hosts: usize) -> Recorded {
        let mut recorded = Recorded::new(hosts);
        for (value, acknowledged) in [(1, true), (2, false), (3, true), (4, false)] {
            recorded.writes.push(Written { client: 1, value, host: 2, acknowledged });
        }
        recorded
    }

    /// Asked at this second, and answered in the next.
    fn read(host: usize, second: u64, value: u64) -> Read {
        let time = (Duration::from_secs(second), Duration::from_secs(second + 1));
        Read { host, time, values: BTreeMap::from([(1, value)]), forks: 0, life: 0, uncompared: false }
    }

    #[test]
    fn what_was_acknowledged_is_there_or_it_is_lost() {
        for (value, right) in [(2, false), (3, true), (4, true)] {
            let mut recorded = recorded(3);
            let acknowledged = recorded.acknowledged();
            recorded.at_rest(1, &acknowledged, &BTreeMap::from([(1, value)]));
            assert_eq!(broken(&recorded).is_empty(), right, "{value}");
        }
        let mut none = recorded(3);
        none.at_rest(1, &none.acknowledged(), &BTreeMap::new());
        assert_eq!(broken(&none).len(), 1);
    }

    #[test]
    fn a_pair_may_lose_what_it_tells_of_and_three_may_not() {
        for (hosts, told, right) in [(2, true, true), (2, false, false), (3, true, false)] {
            let mut recorded = recorded(hosts);
            if told {
                recorded.forks.insert("both sides of a cut".to_owned());
            }
            recorded.at_rest(1, &recorded.acknowledged(), &BTreeMap::from([(1, 1)]));
            assert_eq!(broken(&recorded).is_empty(), right, "{hosts} {told}");
        }
    }

    #[test]
    fn one_host_never_goes_back() {
        let mut recorded = recorded(3);
        recorded.reads = vec![read(1, 1, 3), read(2, 3, 1), read(1, 4, 3), read(2, 5, 3)];
        assert!(broken(&recorded).is_empty(), "another host may be behind");
        recorded.reads.push(read(2, 5, 1));
        assert!(broken(&recorded).is_empty(), "it was asked before it said more");
        recorded.reads.push(read(2, 6, 1));
        assert_eq!(broken(&recorded).len(), 1);
    }

    #[test]
    fn who_says_that_it_has_met_nobody_may_be_older_than_an_earlier_life_and_not_than_its_own() {
        let started = |second, value, uncompared| Read { life: 1, uncompared, ..read(1, second, value) };
        for (first, second, right) in [
            (started(3, 2, true), started(5, 3, false), true),
            (started(3, 2, false), started(5, 3, false), false),
            (started(3, 2, true), started(5, 1, true), false),
            (started(3, 2, true), started(5, 2, false), false),
        ] {
            let mut recorded = recorded(3);
            recorded.reads = vec![read(1, 1, 3), first.clone(), second.clone()];
            assert_eq!(broken(&recorded).is_empty(), right, "{first:?} {second:?}");
        }
    }

    #[test]
    fn twice_active_is_told() {
        let mut recorded = recorded(3);
        recorded.twice.push("[1, 2] at 3 s".to_owned());
        assert_eq!(broken(&recorded).len(), 1);
    }

    #[test]
    fn registers_are_found_wherever_they_are() {
        let attributes = serde_json::json!({"history-1": "7", "history-2": "8"});
        let view = serde_json::json!({"nodes": [{"name": "primary", "attributes": attributes}]});
        assert_eq!(registers(&view, 3), BTreeMap::from([(1, 7), (2, 8)]));
    }
}
