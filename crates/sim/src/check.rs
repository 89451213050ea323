//! What must always hold, one file a property. A property that was never looked at is a failure of the run set: what is
//! executed is counted.

mod agreement;
mod answers;
mod coordinator;
pub mod coverage;
mod durability;
mod effects;
pub(crate) mod fencing;
mod forks;
mod journals;
mod levels;
pub mod numbers;
pub mod once;
mod ordered;
pub mod plans;
mod reads;
mod recovery;
pub mod ring;
mod started;
pub mod still;
pub mod waits;
pub(crate) mod watchdogs;
pub mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hac_crm::cib::Configure;
use hac_model::Cib;
use hac_node::{Event, Invocation, Now, Outcome, Persist, Reply, RequestId, Told};
use hac_types::{RingId, Timestamp, WallTime};

use crate::cluster::{Asked, Host, World};
use crate::reality::Reality;

/// Names of the properties of whole nodes.
pub const PROPERTIES: &[&str] = &[
    "P-2", "P-3", "P-6", "P-8", "P-9", "P-10", "P-11", "P-14", "Q-1", "S-1", "AGENT-1", "AGENT-2", "AGENT-3",
    "AGENT-4", "AGENT-5", "CALM", "CAUSES", "DOG-1", "DOG-2", "FENCE-1", "FENCE-2", "FENCE-3", "FORK", "JOURNAL",
    "KEY-1", "LEVEL-2", "LIVE-1", "NUMBER", "ONCE", "PLAN", "READ", "STILL", "TRUTH", "WAIT-1", "WAIT-2", "WAIT-3",
    "answers",
];

pub(crate) use forks::marks_in;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which, by its name in the fault model.
    pub property: &'static str,
    /// How.
    pub text: String,
}

impl Violation {
    /// A broken promise.
    #[must_use]
    pub fn new(property: &'static str, text: impl Into<String>) -> Self {
        Self { property, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.text)
    }
}

/// All properties of whole nodes, and how often each was looked at.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    agreement: agreement::Agreement,
    coordinator: coordinator::OneCoordinator,
    started: started::Started,
    ordered: ordered::Ordered,
    forks: forks::Forks,
    reads: reads::Reads,
    journals: journals::Journals,
    /// What was on one node at a time when a coordinator decided last.
    singles: BTreeSet<String>,
    /// What was found inside an event, to be reported after it.
    found: Option<Violation>,
    /// Two sides were quorate at once (which `two_node` permits), or one acknowledged a change without the other (which
    /// `no-quorum-policy=ignore` permits): what was acknowledged on one of them may be lost.
    pub split: bool,
    /// The highest number of a ring that was active with quorum.
    pub(crate) highest_ring: u64,
    /// How often each property was looked at.
    pub executed: BTreeMap<&'static str, u64>,
    /// How often something interesting happened.
    pub sometimes: BTreeMap<&'static str, u64>,
}

impl Checks {
    /// A node said that something happened.
    pub(crate) fn saw(&mut self, host: Option<&Host>, told: &Told) {
        let (Some(host), event) = (host, &told.event) else { return };
        self.ordered.saw(host.id, event);
        self.journals.told(host, told);
        if let Event::View { ring, members, .. } = event {
            self.coordinator.saw_view(*ring, members);
        }
        if let Event::Active { ring, quorate: true, .. } = event {
            self.highest_ring = self.highest_ring.max(ring.seq);
        }
        if let Some(name) = coverage::of_event(event) {
            self.happened(name);
        }
    }

    /// A client was answered.
    pub(crate) fn answered(&mut self, reply: &Reply) {
        if let Some(name) = coverage::of_reply(reply) {
            self.happened(name);
        }
    }

    /// Something interesting happened.
    pub(crate) fn happened(&mut self, name: &'static str) {
        *self.sometimes.entry(name).or_default() += 1;
    }

    /// A coordinator decided, and has this state.
    pub(crate) fn decided(&mut self, id: u32, cib: &Cib, wall: WallTime) {
        self.singles = once::singles(&cib.configuration).map(str::to_owned).collect();
        if let Some(violation) = plans::check(id, cib, wall, &mut self.executed) {
            self.violated(violation);
        }
    }

    /// A node says that a change of the configuration counts.
    pub(crate) fn counts(&mut self, id: u32, hosts: &BTreeMap<u32, Host>) {
        if let Some(violation) =
            durability::counts(id, hosts, |ring| self.coordinator.members(ring), &mut self.executed)
        {
            self.violated(violation);
        }
    }

    /// A node said that it has stored a change.
    pub(crate) fn said_stored(&mut self, host: &Host, configure: &Configure) {
        if let Some(violation) = durability::said_stored(host, configure, &mut self.executed) {
            self.violated(violation);
        }
    }

    /// A node starts with this state from its disk.
    pub(crate) fn starts_with(&mut self, id: u32, state: &[u8]) {
        self.forks.starts_with(id, state);
    }

    /// A node has something stored; if that is a state that it gave up, it reports what was lost with it.
    pub(crate) fn persists(
        &mut self,
        id: u32,
        what: &Persist,
        hosts: &BTreeMap<u32, Host>,
        asked: &BTreeMap<(u32, u64, RequestId), Asked>,
        now: Now,
    ) {
        if let (Persist::CibDiscard { generation }, Some(host)) = (what, hosts.get(&id)) {
            let found = self.forks.gives_up((host, now), *generation, hosts, asked, &mut self.executed);
            found.into_iter().for_each(|violation| self.violated(violation));
        }
        let node = hosts.get(&id).and_then(|host| host.node.as_ref());
        let (Persist::CibLost { file, bytes }, Some(node)) = (what, node) else { return };
        self.happened("changes were reported as lost");
        let report = node.report(now);
        let changes = report.lost.iter().find(|(name, _)| name == file).map_or(&[][..], |(_, changes)| changes);
        let here = forks::proposed_by_members(&report, hosts, asked);
        self.forks.reported((id, now.mono), changes, bytes, &here);
    }

    /// What nodes have shown of the configuration and have to show again, unless it was told as lost.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.reads.shown().filter(|mark| !self.forks.told(mark)).cloned().collect()
    }

    /// A node is something else than before.
    pub(crate) fn shows(&mut self, id: u32, hosts: &BTreeMap<u32, Host>) {
        let Some(host) = hosts.get(&id) else { return };
        let told = |mark: &str| self.forks.told(mark);
        let (violation, older) = self.reads.look(host, hosts, told, &mut self.executed);
        if older {
            self.happened("a node showed an older state after its start");
        }
        if let Some(violation) = violation {
            self.violated(violation);
        }
    }

    /// A node of a cluster that ignores quorum acknowledged a change in this view.
    pub(crate) fn acknowledged(&mut self, ring: Option<RingId>, nodes: usize) {
        self.split |= nodes == 2 && ring.is_some_and(|ring| self.coordinator.members(ring) < nodes);
    }

    /// A property was found broken inside an event.
    pub(crate) fn violated(&mut self, violation: Violation) {
        self.found.get_or_insert(violation);
    }

    /// Whether a property was found broken and has not been reported.
    pub(crate) const fn found_something(&self) -> bool {
        self.found.is_some()
    }

    /// After every event that changed what a node is.
    pub(crate) fn after_event(&mut self, hosts: &BTreeMap<u32, Host>) -> Result<(), Violation> {
        if let Some(violation) = self.found.take() {
            return Err(violation);
        }
        self.agreement.check(hosts, &mut self.executed)?;
        levels::check(hosts, &mut self.executed)?;
        once::orphans(hosts, &mut self.executed)?;
        let split = self.split;
        self.coordinator.check(hosts, &mut self.executed, &mut self.split)?;
        if self.split && !split {
            self.happened("two sides had quorum");
        }
        Ok(())
    }

    /// An agent is about to be run.
    pub(crate) fn effect(
        &mut self,
        host: u32,
        invocation: &Invocation,
        hosts: &BTreeMap<u32, Host>,
        reality: &Reality,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let life = hosts.get(&host).map_or(0, |host| host.life);
        // Who was fenced and lives stops what runs, whatever was ordered.
        let stops_all = invocation.action == "stop" && hosts.get(&host).is_some_and(|host| host.learned);
        if !stops_all {
            self.ordered.begins(host, invocation, &mut self.executed)?;
        }
        self.started.begins(host, life, invocation, reality, &mut self.executed)?;
        effects::in_the_past(host, invocation, (hosts, &self.coordinator), now, &mut self.executed)?;
        let was_single = self.singles.contains(&invocation.resource);
        effects::check(host, (invocation, was_single), hosts, reality, &mut self.executed)
    }

    /// An agent has ended, and its daemon is about to be told how.
    pub(crate) fn agent_ended(&mut self, host: &Host, invocation: &Invocation, outcome: &Outcome) {
        self.started.ended(host.id, host.life, invocation, outcome);
        self.ordered.ended(host.id, invocation, outcome);
    }
}

/// The marks of all changes that were acknowledged.
#[must_use]
pub fn acknowledged(asked: &BTreeMap<(u32, u64, RequestId), Asked>) -> Vec<String> {
    durability::acknowledged(asked)
}

/// After the calm phase.
///
/// # Errors
///
/// The first promise that was broken.
pub fn at_the_end(world: &mut World) -> Result<(), Violation> {
    recovery::check(world)?;
    answers::check(world)?;
    numbers::at_the_end(world)?;
    durability::check(world)?;
    fencing::at_the_end(world)?;
    world.checks.journals.check(&mut world.checks.executed)?;
    forks::check(world)
}

fn count(executed: &mut BTreeMap<&'static str, u64>, property: &'static str) {
    *executed.entry(property).or_default() += 1;
}
