//! What is known of fencing: requests under way, what was tried, and what came of earlier ones. The machine that carries them
//! out is in `hac-crm`; this is the part of the status that it works on. It is no part of Pacemaker's document.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::FenceAction;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Name of the node that it is done to.
    pub target: String,
    /// What is done to it.
    pub action: FenceAction,
    /// Who asks.
    pub client: String,
    /// Name of the node through which it asks.
    pub origin: String,
    /// To wait so many seconds before the first attempt, on top of what the devices say; `None` is not to wait at all, whatever
    /// they say.
    pub delay_s: Option<u64>,
    /// A success of the same kind within so many seconds before is enough; with 0 an earlier one does not count.
    pub tolerance_s: u64,
    /// Id of the only device that is to be used, whatever the topology says: a test.
    pub device: Option<String>,
    /// Of a node that is let in: what the devices are that let it in, as its attribute `#digests-all` says it.
    pub digests_all: String,
    /// The same without secrets, for `#digests-secure`.
    pub digests_secure: String,
}

/// One run of a device by a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Place of the level among those for the target, from 0; also 0 if there are no levels.
    pub level: usize,
    /// Place within the level, from 0.
    pub place: usize,
    /// Id of the device.
    pub device: String,
    /// Name of the node that runs it.
    pub by: String,
    /// What the device is told to do.
    pub action: FenceAction,
    /// The node waits so many milliseconds first.
    pub delay_ms: u64,
    /// Tells it from every other attempt of any coordinator.
    pub key: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// The device says that it is done.
    Done,
    /// It says that it could not; why.
    Failed(String),
    /// It did not answer in time.
    TimedOut,
    /// It does not know the target or the action, so nothing was tried.
    Unable,
    /// The node that ran it is no member any more.
    Lost,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It is done.
    Succeeded,
    /// It is not.
    Failed {
        /// Why, as a clause.
        reason: String,
        /// There was no device that could have been tried: to ask again at once would change nothing.
        nobody: bool,
    },
}

/// A request under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its number.
    pub id: u64,
    /// What is asked for.
    pub wanted: Wanted,
    /// Others who asked for the same meanwhile.
    pub joined: Vec<String>,
    /// Counts its steps.
    pub turn: u64,
    /// What is being tried.
    pub attempt: Option<Attempt>,
    /// What was tried and how it ended, in order.
    pub tried: Vec<(Attempt, How)>,
    /// The target has joined since the first attempt of the present level began: what is proved of it is proved of an earlier
    /// life.
    pub rejoined: bool,
    /// The target has joined since it was asked for, in whatever life, and nobody has asked for it again since.
    pub is_back: bool,
    /// The newest plan does not want it, and nobody has asked for it again since.
    pub unwanted: bool,
}

/// A request that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number.
    pub id: u64,
    /// Name of the node that it was done to.
    pub target: String,
    /// What was done to it.
    pub action: FenceAction,
    /// Who asked.
    pub client: String,
    /// Name of the node through which it was asked.
    pub origin: String,
    /// Name of the node that did it, or tried last.
    pub delegate: Option<String>,
    /// When it was over, seconds since 1970.
    pub completed: i64,
    /// What came of it.
    pub end: End,
}

/// The watchdog of a node, as the node told of it: what resets the host when hacd does not go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// In which life of the node it was armed.
    pub life: u64,
    /// What it is, in the words of its driver.
    pub device: String,
    /// The host is reset when hacd has not petted it for so many milliseconds.
    pub timeout_ms: u64,
    /// So many milliseconds after others went on without it the node runs nothing any more: it has stopped what it had, or was
    /// reset. `None` where a node that is cut off goes on (`two_node`): then nothing follows from its watchdog.
    pub gone_after_ms: Option<u64>,
}

/// All requests to fence nodes, and what is known of earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Number of the last request.
    pub last: u64,
    /// Under way, in the order in which they were asked for.
    pub running: Vec<Request>,
    /// Over, the oldest first; 500 at most.
    pub history: Vec<Record>,
    /// By node, how often in a row it could not be fenced.
    pub failures: BTreeMap<String, u32>,
    /// By node, the life in which it was last seen as a member.
    pub lives: BTreeMap<String, u64>,
    /// By node, the life of it that was ended last, as a device or a person said.
    pub ended: BTreeMap<String, u64>,
    /// Nodes that were seen in a life that had been ended, and have not been seen in another one since: what said that they
    /// were down was wrong.
    pub survivors: BTreeSet<String>,
    /// By node, the watchdog that it has armed in the life in which it was last seen.
    pub watchdogs: BTreeMap<String, Watchdog>,
    /// By node that is away, its life, if its watchdog was waited for: it was reset, or has stopped all that it ran and lives.
    pub waited: BTreeMap<String, u64>,
}

impl Requests {
    /// How often in a row `target` could not be fenced.
    #[must_use]
    pub fn failures(&self, target: &str) -> u32 {
        self.failures.get(target).copied().unwrap_or_default()
    }

    /// Whether `node` was fenced in this life of it.
    #[must_use]
    pub fn has_ended(&self, node: &str, life: u64) -> bool {
        self.ended.get(node) == Some(&life)
    }

    /// The watchdog of `node` in the life in which it was last seen, if it has armed one.
    #[must_use]
    pub fn watchdog(&self, node: &str) -> Option<&Watchdog> {
        let life = self.lives.get(node)?;
        self.watchdogs.get(node).filter(|watchdog| watchdog.life == *life)
    }

    /// Whether there is nothing to know.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { lives: self.lives.clone(), watchdogs: self.watchdogs.clone(), ..Self::default() }
    }
}
