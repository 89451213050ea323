//! The machine itself: commands in, versions up.

use hac_types::WallTime;

use super::{Applied, Change, Command, Configure, Refusal, canonical, configure, ids, observed};
use hac_model::{BOOTSTRAP_OPTIONS, Cib, CibInfo, Configuration, FEATURE_SET, Node, NvPair, NvSet};

/// What the first CIB of a cluster is made from. The same on every node, because it comes from the same file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// `totem.cluster_name`.
    pub cluster_name: String,
    /// Version of the daemon.
    pub version: String,
    /// Ids (decimal) and names of the nodes, in the order of `nodelist`.
    pub nodes: Vec<(String, String)>,
    /// Resources, constraints and properties that the file gives.
    pub seed: Configuration,
}

/// Schema whose objects the model mirrors.
const SCHEMA: &str = "pacemaker-3.9";

/// Properties that the cluster writes itself.
pub const FACTS: [&str; 4] = ["have-watchdog", "dc-version", "cluster-infrastructure", "cluster-name"];

/// A CIB as a replicated machine.
pub trait Replicated: Sized {
    /// The CIB of a cluster that never ran. Its version is 0.0.0, so that any that ran is newer.
    #[must_use]
    fn initial(bootstrap: Bootstrap) -> Self;

    /// Carries out a command of the ordered stream. The same CIB, command and `wall` give the same CIB everywhere:
    /// `wall` is the time at which the command was proposed, travelling with it, not the time of the node that applies
    /// it. A refused command leaves everything as it was.
    ///
    /// Nothing is judged here: a change is refused if it cannot be made or brings in a contradiction, by rules that belong
    /// to the level. What is merely wrong is for [`judge`](super::judge), before it is proposed.
    fn apply(&mut self, command: &Command, wall: WallTime) -> Applied;

    /// The CIB as [`apply`](Self::apply) would leave it, for judging a change before it is proposed. The version
    /// stays.
    ///
    /// # Errors
    /// Why `apply` would refuse.
    fn candidate(&self, command: &Configure) -> Result<Self, Refusal>;

    /// A copy with these changes made, contradictions and all: for states that no daemon would take. The version stays.
    ///
    /// # Errors
    /// A change that cannot be made at all: an id that is taken, a member that is not there.
    fn with_unverified(&self, changes: &[Change]) -> Result<Self, Refusal>;

    /// Digest of everything, the same on every platform. Two nodes that applied the same commands have the same.
    #[must_use]
    fn digest(&self) -> [u8; 16];

    /// Digest of the configuration and of the part of the version that counts its changes.
    #[must_use]
    fn configuration_digest(&self) -> [u8; 16];
}

impl Replicated for Cib {
    fn initial(bootstrap: Bootstrap) -> Self {
        let Bootstrap { cluster_name, version, nodes, seed: mut configuration } = bootstrap;
        let values = ["false".to_owned(), version, "hacd".to_owned(), cluster_name];
        let facts = FACTS.into_iter().zip(values);
        let sets = &mut configuration.crm_config;
        let index = sets.iter().position(|set| set.id == BOOTSTRAP_OPTIONS || set.id.is_empty()).unwrap_or_else(|| {
            sets.insert(0, NvSet { id: BOOTSTRAP_OPTIONS.to_owned(), ..NvSet::default() });
            0
        });
        if let Some(set) = sets.get_mut(index) {
            set.pairs.retain(|pair| !FACTS.contains(&pair.name.as_str()));
            let pair = |(name, value): (&str, String)| NvPair {
                name: name.to_owned(),
                value: Some(value),
                ..NvPair::default()
            };
            set.pairs.splice(0..0, facts.map(pair));
        }
        for (id, uname) in nodes {
            match configuration.nodes.iter_mut().find(|node| node.uname == uname) {
                Some(node) => node.id = id,
                None => configuration.nodes.push(Node { id, uname, ..Node::default() }),
            }
        }
        ids::fill_configuration(&mut configuration);
        let info = CibInfo {
            validate_with: Some(SCHEMA.to_owned()),
            crm_feature_set: Some(FEATURE_SET.to_owned()),
            ..CibInfo::default()
        };
        Self { info, configuration: configuration.into(), ..Self::default() }
    }

    fn apply(&mut self, command: &Command, wall: WallTime) -> Applied {
        match command {
            Command::Configure(command) => configure::apply(self, command, wall),
            Command::Status(change) => observed::apply(self, change, wall),
        }
    }

    fn candidate(&self, command: &Configure) -> Result<Self, Refusal> {
        configure::candidate(self, command)
    }

    fn with_unverified(&self, changes: &[Change]) -> Result<Self, Refusal> {
        configure::unverified(self, changes)
    }

    fn digest(&self) -> [u8; 16] {
        canonical::digest(self)
    }

    fn configuration_digest(&self) -> [u8; 16] {
        canonical::digest(&(self.version.admin_epoch, self.version.epoch, &self.configuration))
    }
}

#[cfg(test)]
mod tests;
