//! What is replicated beside the CIB: which cluster this is, and at which level its members speak.

use std::net::IpAddr;

use hac_crm::cib::above;
use hac_types::{Level, LevelWindow, NodeId, RingId, mutant};
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
    /// The nodes, ascending by id. Empty until a node was added or removed for the first time: until then the files of
    /// all nodes have the list.
    pub nodes: Vec<ClusterNode>,
    /// Nodes that were removed, ascending by id: an id is never given again.
    pub retired: Vec<Retired>,
}

/// A node of the replicated list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNode {
    /// Its id, never given to another node.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Its address on each link.
    pub addresses: Vec<IpAddr>,
    /// Its votes; 0 while it is a learner.
    pub votes: u32,
    /// It has been added and is not yet counted: it carries messages and has the state, runs nothing and has no vote.
    pub learner: bool,
}

/// A node that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// The version of the cluster's configuration from which on it is gone.
    pub version: u64,
    /// What whoever removed it said about its being off; empty if it was a member.
    pub statement: String,
}

impl Default for ClusterConfig {
    /// A cluster that never ran.
    fn default() -> Self {
        Self { uuid: String::new(), level: Level::FIRST, version: 0, nodes: Vec::new(), retired: Vec::new() }
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

    /// What counts when members come together: the newest, under the name that any of them has. One that lost its disk and
    /// was alone for a while may have changed the level more often than the others, and has no name to give. The same for
    /// all who know the same; `None` if there is none.
    pub(crate) fn newest<'a>(known: impl Iterator<Item = &'a Self> + Clone) -> Option<Self> {
        let rank = |config: &&Self| (config.version, !config.uuid.is_empty(), config.level, config.uuid.clone());
        let newest = known.clone().max_by_key(rank)?;
        let named = known.filter(|config| !config.uuid.is_empty()).max_by_key(rank);
        Some(match named.filter(|_| newest.uuid.is_empty()) {
            // Only a cluster with a name has ever changed its nodes.
            Some(named) => Self { level: newest.level, version: newest.version.saturating_add(1), ..named.clone() },
            None => newest.clone(),
        })
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
    /// The members.
    pub(crate) here: Vec<NodeId>,
}

impl Gate {
    /// Why level `to` cannot be had, and what to do about it; `None` if it can. The same on all members.
    pub(crate) fn refuses(&self, replica: &Replica, to: Level) -> Option<(String, String)> {
        let from = replica.cluster.level;
        if to.is_none() || from.next().is_some_and(|next| to > next) {
            let sentence = format!("the cluster is at level {from}; level {to} is not the next one");
            return Some((sentence, "Levels are raised one at a time.".to_owned()));
        }
        // Who is away would come back with a state of another level, and perhaps beside programs that do not know it.
        if to != from && !self.away.is_empty() {
            let away = self.away.join(" ");
            let sentence =
                format!("level {to} must wait for {away}: the level is changed only while all nodes are here");
            return Some((sentence, format!("Start hacd on {away}, or remove it from the cluster.")));
        }
        let cannot = self.members.iter().find(|(_, _, levels)| !levels.contains(to));
        if let Some((name, release, levels)) = cannot {
            let sentence = format!("{name} runs hacd {release}, which knows levels {levels}, not {to}");
            return Some((sentence, format!("Install a release on {name} that knows level {to}.")));
        }
        let reasons = if mutant("revert-unchecked") { Vec::new() } else { above(&replica.cib.configuration, to.0) };
        if !reasons.is_empty() {
            let sentence = format!("the configuration uses what level {to} does not have: {}", reasons.join(", "));
            return Some((sentence, "Change or delete these objects first.".to_owned()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::Applied;
    use hac_types::{Incarnation, NodeId, WallTime};

    use super::*;
    use crate::wire::{Lane, Proposal, ProposalId, Proposed, StoredState};

    fn gate(max: [u16; 2]) -> Gate {
        let levels = |max| LevelWindow { min: Level(1), max: Level(max) };
        let member = |name: &str, max| (name.to_owned(), "0.1.0".to_owned(), levels(max));
        Gate { members: vec![member("n1", max[0]), member("n2", max[1])], ..Gate::default() }
    }

    fn set(replica: &mut Replica, to: u16, gate: &Gate) -> Applied {
        let id = ProposalId { node: NodeId(1), incarnation: Incarnation(1), lane: Lane::Configure, seq: 1 };
        let what = Proposed::SetLevel { to: Level(to) };
        replica.carry_out(&Proposal { id, wall: WallTime(0), what }, gate)
    }

    fn refused(applied: Applied) -> String {
        match applied {
            Applied::Refused(refusal) => refusal.sentence,
            other => panic!("{other:?}"),
        }
    }

    fn config(uuid: &str, level: u16, version: u64) -> ClusterConfig {
        ClusterConfig { uuid: uuid.to_owned(), level: Level(level), version, ..ClusterConfig::default() }
    }

    #[test]
    fn what_counts_is_the_newest_under_the_name_that_anybody_has() {
        let (named, nameless) = (config("a1", 1, 1), config("", 2, 5));
        let newest = |all: [&ClusterConfig; 2]| ClusterConfig::newest(all.into_iter());
        for all in [[&named, &nameless], [&nameless, &named]] {
            assert_eq!(newest(all), Some(config("a1", 2, 6)), "newer than both, so that both disks are told");
        }
        let newer = config("a1", 2, 9);
        assert_eq!(newest([&nameless, &newer]), Some(newer));
        let equal = config("", 2, 1);
        assert_eq!((newest([&named, &equal]), newest([&equal, &named])), (Some(named.clone()), Some(named)));
        assert_eq!(ClusterConfig::newest([].into_iter()), None);
    }

    #[test]
    fn the_level_goes_up_one_at_a_time_while_all_are_here_and_know_it() {
        let mut replica = Replica::new(StoredState::default());
        assert!(refused(set(&mut replica, 3, &gate([3, 3]))).contains("not the next one"));
        let why = refused(set(&mut replica, 2, &gate([2, 1])));
        assert_eq!(why, "n2 runs hacd 0.1.0, which knows levels 1, not 2");
        let away = Gate { away: vec!["n3".to_owned()], ..gate([2, 2]) };
        assert!(refused(set(&mut replica, 2, &away)).contains("must wait for n3"));
        assert_eq!(replica.cluster, ClusterConfig::default(), "a refusal changes nothing");
        assert!(matches!(set(&mut replica, 2, &gate([2, 2])), Applied::Changed(_)));
        assert_eq!((replica.cluster.level, replica.cluster.version), (Level(2), 1));
        assert!(matches!(set(&mut replica, 2, &gate([2, 2])), Applied::Unchanged));
    }

    /// Deliberate bug `revert-unchecked`: older programs would be installed over a state that they cannot read.
    #[cfg(feature = "level2")]
    #[test]
    fn the_level_goes_down_only_if_nothing_needs_the_higher_one() {
        let mut replica = Replica::new(StoredState::default());
        assert!(matches!(set(&mut replica, 2, &gate([2, 2])), Applied::Changed(_)));
        std::sync::Arc::make_mut(&mut replica.cib).configuration.word.0 = "x".to_owned();
        assert_eq!(
            refused(set(&mut replica, 1, &gate([2, 2]))),
            "the configuration uses what level 1 does not have: the word"
        );
        std::sync::Arc::make_mut(&mut replica.cib).configuration.word.0.clear();
        assert!(matches!(set(&mut replica, 1, &gate([2, 2])), Applied::Changed(_)));
    }

    #[test]
    fn the_level_goes_down_while_all_are_here() {
        let mut replica = Replica::new(StoredState::default());
        assert!(matches!(set(&mut replica, 2, &gate([2, 2])), Applied::Changed(_)));
        let away = Gate { away: vec!["n3".to_owned()], ..gate([2, 2]) };
        assert!(refused(set(&mut replica, 1, &away)).contains("must wait for n3"));
        assert_eq!(replica.cluster.level, Level(2));
        assert!(matches!(set(&mut replica, 1, &gate([2, 2])), Applied::Changed(_)));
        assert_eq!((replica.cluster.level, replica.cluster.version), (Level(1), 2));
    }

    #[test]
    fn a_cluster_is_named_once() {
        let ring = RingId { seq: 8, rep: 1, rep_incarnation: Incarnation(0x1122_3344_5566_7788) };
        let named = ClusterConfig::default().named_after(ring).expect("it had no name");
        assert_eq!(named.uuid, "11223344556677880000000100000008");
        assert_eq!(named.uuid_bytes()[..9], [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0]);
        assert_eq!(named.named_after(ring), None);
    }
}
