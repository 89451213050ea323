//! What is replicated beside the CIB: which cluster this is, and at which level its members speak.

use hac_types::{Level, LevelWindow, RingId, mutant};
use serde::{Deserialize, Serialize};

use crate::replica::Replica;

/// The cluster as such. The highest `version` counts, wherever it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterConfig {
    /// Tells this cluster from any other for ever, 32 hexadecimal digits. Empty until all configured nodes have been
    /// together once.
    pub uuid: String,
    /// The level at which members speak and store.
    pub level: Level,
    /// Raised by every change of this.
    pub version: u64,
}

impl Default for ClusterConfig {
    /// A cluster that never ran.
    fn default() -> Self {
        Self { uuid: String::new(), level: Level::FIRST, version: 0 }
    }
}

impl ClusterConfig {
    /// The same with a name of its own, if it has none: made from the ring in which all nodes first were together, of
    /// which there is one in the world (its representative's life has 32 random bits).
    pub(crate) fn named_after(&self, ring: RingId) -> Option<Self> {
        if !self.uuid.is_empty() {
            return None;
        }
        let RingId { seq, rep, rep_incarnation } = ring;
        let uuid = format!("{:016x}{:08x}{:08x}", rep_incarnation.0, rep, seq & 0xffff_ffff);
        Some(Self { uuid, version: self.version.saturating_add(1), ..self.clone() })
    }

    /// Its name as the ring has it: zeros if it has none.
    pub(crate) fn uuid_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        for (byte, digits) in bytes.iter_mut().zip(self.uuid.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        bytes
    }

    /// The same at another level.
    pub(crate) fn at_level(&self, level: Level) -> Self {
        Self { level, version: self.version.saturating_add(1), ..self.clone() }
    }
}

/// What decides whether the level may be changed, besides the state: who is there, and what each knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Names of the configured nodes that are away.
    pub(crate) away: Vec<String>,
    /// Name, release and levels of each member.
    pub(crate) members: Vec<(String, String, LevelWindow)>,
}

impl Gate {
    /// Why level `to` cannot be had, and what to do about it; `None` if it can. The same on all members.
    pub(crate) fn refuses(&self, replica: &Replica, to: Level) -> Option<(String, String)> {
        let from = replica.cluster.level;
        if to.is_none() || from.next().is_some_and(|next| to > next) {
            let sentence = format!("the cluster is at level {from}; level {to} is not the next one");
            return Some((sentence, "Levels are raised one at a time.".to_owned()));
        }
        if to > from && !self.away.is_empty() {
            let away = self.away.join(" ");
            let sentence =
                format!("level {to} must wait for {away}: the level is raised only while all nodes are here");
            return Some((sentence, format!("Start hacd on {away}, or remove it from the cluster.")));
        }
        let cannot = self.members.iter().find(|(_, _, levels)| !levels.contains(to));
        if let Some((name, release, levels)) = cannot {
            let sentence = format!("{name} runs hacd {release}, which knows levels {levels}, not {to}");
            return Some((sentence, format!("Install a release on {name} that knows level {to}.")));
        }
        let reasons = if mutant("revert-unchecked") { Vec::new() } else { fits(replica, to) };
        if !reasons.is_empty() {
            let sentence = format!("the configuration uses what level {to} does not have: {}", reasons.join(", "));
            return Some((sentence, "Change or delete these objects first.".to_owned()));
        }
        None
    }
}

/// What in the state level `to` cannot say, by name; nothing if the level may be had.
pub(crate) fn fits(replica: &Replica, to: Level) -> Vec<String> {
    if to >= Level(2) || replica.cluster.level < Level(2) {
        return Vec::new();
    }
    // The synthetic level 2 brought one thing: a property of this name.
    let sets = &replica.cib.configuration.crm_config;
    let uses = sets.iter().flat_map(|set| &set.pairs).any(|pair| pair.name == LEVEL_TWO_PROPERTY);
    if uses { vec![format!("property {LEVEL_TWO_PROPERTY}")] } else { Vec::new() }
}

/// The property that needs the synthetic level 2, which only test builds know.
pub(crate) const LEVEL_TWO_PROPERTY: &str = "level-two-test";
