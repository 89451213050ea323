//! What can take a host's power: a switch for each host, or the provider's API for all. Either does what it is told, or what
//! it says is not what it did, or it hangs, or is late, or is not reached from everywhere. In some clusters there is a device
//! besides that cuts a host off, which lives on, and has to let each host in when it has joined.

use std::collections::BTreeSet;
use std::time::Duration;

use hac_model::{Agent, Configuration, FencingLevel, FencingTarget, NvPair, NvSet, Operation, Primitive, Resource};
use hac_netsim::Rng;

/// The stream of the seed's random numbers that fencing draws from: that of clusters without it stays as it is.
pub(crate) const STREAM: u64 = 31;

/// The device of all hosts.
pub const CLOUD: &str = "Cloud";
/// The device that cuts hosts off and lets them in.
pub const FABRIC: &str = "Fabric";
/// Begins the names of the devices of one host each.
const SWITCH: &str = "Switch-";

/// How long a device has, unless it says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// With what delay a node waits that shoots the second of two, or the one with less to do: longer than any honest device
/// takes, and than the two need to lose each other at different times.
pub const DELAY: Duration = Duration::from_secs(12);

/// Who waits for how long before it shoots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delays {
    /// Nobody.
    None,
    /// Who shoots the first host ([`DELAY`]), `pcmk_delay_base`.
    Base,
    /// Everybody a time of its own, `pcmk_delay_max`.
    Random,
    /// Who shoots the host with the address, `priority-fencing-delay`.
    Priority,
}

impl Delays {
    /// Of two that lose each other one is sure to survive.
    #[must_use]
    pub const fn decide(self) -> bool {
        matches!(self, Self::Base | Self::Priority)
    }
}

/// How a cluster fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fencing {
    /// There is a switch for each host.
    pub switches: bool,
    /// There is the provider's API, with switches as the second level of a topology.
    pub cloud: bool,
    /// Who waits.
    pub delays: Delays,
    /// Hosts are left off, until somebody switches them on.
    pub off: bool,
    /// Devices may say that they did what they did not do.
    pub lies: bool,
    /// How often something happens to a device, thousandths of the faults.
    pub often: u64,
    /// There is a device that cuts hosts off, and that has to let each in before anything starts there.
    pub fabric: bool,
    /// Hosts have watchdogs, and they are counted on.
    pub watchdogs: Watchdogs,
}

/// How watchdogs are counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watchdogs {
    /// No host has one.
    None,
    /// After as long as each host needs.
    Needed,
    /// After a time that is too short, so that nobody may count on it.
    TooShort,
}

impl Fencing {
    /// What a seed draws; most clusters have no fencing.
    #[must_use]
    pub fn of(seed: u64, nodes: u32) -> Option<Self> {
        let mut rng = Rng::new(seed, STREAM);
        rng.chance(350).then(|| {
            let (switches, cloud) = match rng.below(3) {
                0 => (true, false),
                1 => (false, true),
                _ => (true, true),
            };
            let delays = match rng.below(4) {
                0 => Delays::None,
                1 => Delays::Random,
                2 => Delays::Priority,
                _ => Delays::Base,
            };
            let (off, lies) = (rng.chance(250), rng.chance(250));
            let often = if rng.chance(700) { rng.between(50, 600) } else { 0 };
            let watchdogs = Watchdogs::None;
            let mut drawn = Self { switches, cloud, delays, off, lies, often, fabric: rng.chance(250), watchdogs };
            // Of two nodes with two_node each goes on, so that a watchdog proves nothing.
            if nodes > 2 && rng.chance(500) {
                drawn.watchdogs = if rng.chance(200) { Watchdogs::TooShort } else { Watchdogs::Needed };
                if rng.chance(600) {
                    (drawn.switches, drawn.cloud, drawn.fabric) = (false, false, false);
                }
            }
            drawn
        })
    }

    /// Switches, and nothing that goes wrong with them.
    #[must_use]
    pub const fn honest(delays: Delays) -> Self {
        let watchdogs = Watchdogs::None;
        Self { switches: true, cloud: false, delays, off: false, lies: false, often: 0, fabric: false, watchdogs }
    }

    /// Watchdogs, and nothing else.
    #[must_use]
    pub const fn watchdogs_alone() -> Self {
        Self { switches: false, watchdogs: Watchdogs::Needed, ..Self::honest(Delays::None) }
    }

    /// The devices of a cluster of so many hosts.
    #[must_use]
    pub fn devices(&self, nodes: u32) -> Vec<Device> {
        let switches = (1..=nodes).filter(|_| self.switches).map(|id| Device::new(switch(id), [id].into()));
        let cloud = self.cloud.then(|| Device::new(CLOUD.to_owned(), (1..=nodes).collect()));
        let fabric = self.fabric.then(|| Device::new(FABRIC.to_owned(), (1..=nodes).collect()));
        cloud.into_iter().chain(switches).chain(fabric).collect()
    }

    /// Puts the devices into a configuration.
    pub fn configure(&self, configuration: &mut Configuration, nodes: u32) {
        let properties = configuration.crm_config.iter_mut().flat_map(|set| &mut set.pairs);
        for pair in properties {
            match pair.name.as_str() {
                "stonith-enabled" => pair.value = Some("true".to_owned()),
                // Who cannot count the others waits for them, instead of shooting whoever it does not see.
                "no-quorum-policy" => pair.value = Some("stop".to_owned()),
                _ => {}
            }
        }
        let mut more = vec![("stonith-timeout", format!("{}s", TIMEOUT.as_secs()))];
        match self.watchdogs {
            Watchdogs::None => {}
            Watchdogs::Needed => more.push(("stonith-watchdog-timeout", "-1".to_owned())),
            Watchdogs::TooShort => more.push(("stonith-watchdog-timeout", "10s".to_owned())),
        }
        if self.off {
            more.push(("stonith-action", "off".to_owned()));
        }
        if self.delays == Delays::Priority {
            more.push(("priority-fencing-delay", format!("{}s", DELAY.as_secs())));
            for resource in &mut configuration.resources {
                if let Resource::Primitive(primitive) = resource
                    && primitive.id == crate::tutorial::ADDRESS
                {
                    primitive.meta.push(set("address-meta", &[("priority", "10".to_owned())]));
                }
            }
        }
        if let Some(set) = configuration.crm_config.first_mut() {
            set.pairs.extend(more.into_iter().map(|(name, value)| pair(&set.id, name, value)));
        }
        for device in self.devices(nodes) {
            configuration.resources.push(Resource::Primitive(self.primitive(&device)));
        }
        if self.switches && self.cloud {
            for id in 1..=nodes {
                for (index, device) in [(1, CLOUD.to_owned()), (2, switch(id))] {
                    let (id, target) = (format!("level-{id}-{index}"), FencingTarget::Node(format!("node{id}")));
                    configuration.fencing_topology.push(FencingLevel { id, target, index, devices: vec![device] });
                }
            }
        }
    }

    fn primitive(&self, device: &Device) -> Primitive {
        let names: Vec<String> = device.targets.iter().map(|id| format!("node{id}")).collect();
        let mut params = vec![("pcmk_host_list", names.join(","))];
        match self.delays {
            Delays::Base => params.push(("pcmk_delay_base", format!("node1:{}s", DELAY.as_secs()))),
            Delays::Random => params.push(("pcmk_delay_max", "6s".to_owned())),
            Delays::None | Delays::Priority => {}
        }
        let monitor = Operation {
            id: format!("{}-monitor", device.id),
            name: "monitor".to_owned(),
            interval: "30s".to_owned(),
            ..Operation::default()
        };
        let unfences = device.id == FABRIC;
        let meta = unfences.then(|| set("fabric-meta", &[("provides", "unfencing".to_owned())]));
        Primitive {
            meta: meta.into_iter().collect(),
            id: device.id.clone(),
            agent: Agent { class: "stonith".to_owned(), provider: None, kind: "fence_sim".to_owned() },
            params: vec![set(&format!("{}-params", device.id), &params)],
            operations: vec![monitor],
            ..Primitive::default()
        }
    }
}

/// The switch of one host.
#[must_use]
pub fn switch(id: u32) -> String {
    format!("{SWITCH}{id}")
}

fn pair(id: &str, name: &str, value: String) -> NvPair {
    NvPair { id: format!("{id}-{name}"), name: name.to_owned(), value: Some(value), ..NvPair::default() }
}

fn set(id: &str, pairs: &[(&str, String)]) -> NvSet {
    let pairs = pairs.iter().map(|(name, value)| pair(id, name, value.clone())).collect();
    NvSet { id: id.to_owned(), pairs, ..NvSet::default() }
}

/// How a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It does what it is told, and says so.
    #[default]
    Well,
    /// It does nothing, and says so.
    Refuses,
    /// It does nothing and does not answer.
    Hangs,
    /// It does what it is told, later, and says so when that is done.
    Late,
    /// It does what it is told, and says that it could not.
    SaysNo,
    /// It does what it is told, and does not answer.
    Silent,
    /// It does nothing, and says that it is done.
    Lies,
    /// It has no say about this host from there.
    Unable,
}

impl Mood {
    /// Its name among the things that happened.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "a device took the power of a host",
            Self::Refuses => "a device refused",
            Self::Hangs => "a device hung",
            Self::Late => "a device was late",
            Self::SaysNo => "a device did it and said that it could not",
            Self::Silent => "a device did it and did not answer",
            Self::Lies => "a device lied",
            Self::Unable => "a device was of no use there",
        }
    }

    /// Whether it does what it is told.
    #[must_use]
    pub const fn does(self) -> bool {
        matches!(self, Self::Well | Self::Late | Self::SaysNo | Self::Silent)
    }
}

/// A device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id in the configuration.
    pub id: String,
    /// The hosts whose power it has.
    pub targets: BTreeSet<u32>,
    /// How it is.
    pub mood: Mood,
    /// Hosts that do not reach it.
    pub unreached: BTreeSet<u32>,
}

impl Device {
    fn new(id: String, targets: BTreeSet<u32>) -> Self {
        Self { id, targets, mood: Mood::Well, unreached: BTreeSet::new() }
    }

    /// It is as it should be, and everybody reaches it.
    pub fn recover(&mut self) {
        self.mood = Mood::Well;
        self.unreached.clear();
    }

    /// Something else is with it from now on.
    pub fn changes(&mut self, rng: &mut Rng, fencing: Fencing, ids: &[u32]) {
        self.recover();
        match rng.below(12) {
            0 => self.mood = Mood::Refuses,
            1 => self.mood = Mood::Hangs,
            2 | 3 => self.mood = Mood::Late,
            4 => self.mood = Mood::SaysNo,
            5 => self.mood = Mood::Silent,
            6 | 7 if fencing.lies => self.mood = Mood::Lies,
            6..=9 => self.unreached = ids.iter().copied().filter(|_| rng.chance(500)).collect(),
            _ => {}
        }
    }
}
