//! The state of the cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::journal::{Entry, Event};
use super::quota::Quota;
use super::{Rule, Settings};
use crate::plan::{DROPLET_BASE, Plan};

/// The first action gets the number after this one.
const FIRST_ACTION: u64 = 72_531_856;
/// Older entries of the journal are dropped beyond this many.
const JOURNAL_MAX: usize = 200_000;

/// A value that changed over time, for readers that see an old one.
#[derive(Debug, Clone)]
pub(super) struct History<T> {
    first: T,
    changes: Vec<(Instant, T)>,
}

impl<T: Copy> History<T> {
    fn new(first: T) -> Self {
        Self { first, changes: Vec::new() }
    }

    fn set(&mut self, value: T) {
        self.changes.push((Instant::now(), value));
    }

    fn now(&self) -> T {
        self.changes.last().map_or(self.first, |&(_, value)| value)
    }

    /// What a reader sees who is `lag_ms` behind.
    pub(super) fn seen(&self, lag_ms: u64) -> T {
        let lag = Duration::from_millis(lag_ms);
        self.changes.iter().rev().find(|(since, _)| since.elapsed() >= lag).map_or(self.first, |&(_, value)| value)
    }
}

/// A droplet, that is a host as the cloud sees it.
#[derive(Debug, Clone)]
pub(super) struct Droplet {
    pub(super) name: String,
    pub(super) tags: Vec<String>,
    pub(super) locked: bool,
    /// Whether it is switched on.
    pub(super) on: History<bool>,
}

/// What an action occupies while it is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Address,
    Host(usize),
}

/// An action of the address or a droplet.
#[derive(Debug, Clone)]
pub(super) struct Action {
    pub(super) id: u64,
    /// `assign_ip`, `power_off` ...
    pub(super) kind: String,
    /// `in-progress`, `completed`, `errored` or what a rule wants.
    pub(super) status: String,
    pub(super) started_at: String,
    pub(super) completed_at: Option<String>,
    /// `reserved_ip`, `floating_ip` or `droplet`.
    pub(super) resource_type: &'static str,
    pub(super) resource_id: u64,
    pub(super) occupies: BTreeSet<Thing>,
    pub(super) begun: Instant,
}

impl Action {
    pub(super) fn in_progress(&self) -> bool {
        self.status == "in-progress"
    }
}

/// Everything that the cloud knows.
#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) rules: Vec<Rule>,
    pub(super) droplets: BTreeMap<usize, Droplet>,
    pub(super) holders: History<Option<usize>>,
    pub(super) actions: BTreeMap<u64, Action>,
    pub(super) quota: Quota,
    pub(super) journal: Vec<Entry>,
}

impl World {
    /// A cloud of `hosts` droplets that are on; `holder` has the address.
    pub(super) fn new(hosts: usize, holder: Option<usize>) -> Self {
        let droplets = (1..=hosts).map(|host| {
            let droplet = Droplet {
                name: Plan::name(host).to_owned(),
                tags: vec!["ha".to_owned()],
                locked: false,
                on: History::new(true),
            };
            (host, droplet)
        });
        Self {
            settings: Settings::default(),
            rules: Vec::new(),
            droplets: droplets.collect(),
            holders: History::new(holder),
            actions: BTreeMap::new(),
            quota: Quota::default(),
            journal: Vec::new(),
        }
    }

    /// The host that holds the address now.
    pub(super) fn holder(&self) -> Option<usize> {
        self.holders.now()
    }

    pub(super) fn set_holder(&mut self, holder: Option<usize>) {
        self.holders.set(holder);
        self.record(Instant::now(), Event::Holder(holder));
    }

    pub(super) fn set_power(&mut self, host: usize, on: bool) {
        if let Some(droplet) = self.droplets.get_mut(&host)
            && droplet.on.now() != on
        {
            droplet.on.set(on);
            self.record(Instant::now(), Event::Power { host, on });
        }
    }

    pub(super) fn record(&mut self, at: Instant, event: Event) {
        if self.journal.len() >= JOURNAL_MAX {
            self.journal.drain(..JOURNAL_MAX / 2);
        }
        self.journal.push(Entry { at, event });
    }

    /// Whether an action in progress occupies a thing.
    pub(super) fn busy(&self, thing: Thing) -> bool {
        self.actions.values().any(|action| action.in_progress() && action.occupies.contains(&thing))
    }

    /// The id of the next action.
    pub(super) fn next_action(&self) -> u64 {
        self.actions.last_key_value().map_or(FIRST_ACTION, |(&id, _)| id) + 1
    }

    /// The host behind a droplet id.
    pub(super) fn host_of(&self, droplet: u64) -> Option<usize> {
        let host = usize::try_from(droplet.checked_sub(DROPLET_BASE)?).ok()?;
        self.droplets.contains_key(&host).then_some(host)
    }

    /// The host with this number, name or droplet id.
    pub(super) fn host_called(&self, text: &str) -> Option<usize> {
        self.droplets.iter().find_map(|(&host, droplet)| {
            let known = [host.to_string(), Plan::droplet(host).to_string(), droplet.name.clone()];
            known.iter().any(|name| name == text).then_some(host)
        })
    }
}
