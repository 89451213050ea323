//! What is done with resources, in Pacemaker's words: tasks, roles, and what follows from a failure.
//!
//! Each serializes as its word, as it stands in a CIB.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A word that stands for nothing of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuch {
    kind: &'static str,
    word: String,
}

impl NoSuch {
    fn new(kind: &'static str, word: &str) -> Self {
        Self { kind, word: word.to_owned() }
    }
}

impl fmt::Display for NoSuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no {} \"{}\"", self.kind, self.word)
    }
}

impl std::error::Error for NoSuch {}

/// Serializes as the word that `Display` prints and `FromStr` reads.
macro_rules! as_word {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_word!(Task);
as_word!(OnFail);

/// What an action does. Finished forms are milestones of collectives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// `monitor`, once (a probe) or recurring.
    #[default]
    Monitor,
    /// `start`.
    Start,
    /// `running`: all of a collective are started.
    Started,
    /// `stop`.
    Stop,
    /// `stopped`.
    Stopped,
    /// `promote`.
    Promote,
    /// `promoted`.
    Promoted,
    /// `demote`.
    Demote,
    /// `demoted`.
    Demoted,
    /// `notify`.
    Notify,
    /// `notified`.
    Notified,
    /// `migrate_to`, on the source.
    MigrateTo,
    /// `migrate_from`, on the target.
    MigrateFrom,
    /// `reload-agent`.
    Reload,
    /// `cancel` of a recurring operation.
    Cancel,
    /// `lrm_delete`: forget the history of a resource on an absent node.
    Delete,
    /// `delete`: let the node forget a resource that is no longer configured or changed its agent.
    CleanUp,
    /// `clear_failcount`.
    ClearFailCount,
    /// `stonith`: power a node off or on.
    Fence,
    /// `do_shutdown`: let a node go.
    Shutdown,
    /// A milestone that only its key names.
    Milestone,
}

impl Task {
    /// Its name in keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Start => "start",
            Self::Started => "running",
            Self::Stop => "stop",
            Self::Stopped => "stopped",
            Self::Promote => "promote",
            Self::Promoted => "promoted",
            Self::Demote => "demote",
            Self::Demoted => "demoted",
            Self::Notify => "notify",
            Self::Notified => "notified",
            Self::MigrateTo => "migrate_to",
            Self::MigrateFrom => "migrate_from",
            Self::Reload => "reload-agent",
            Self::Cancel => "cancel",
            Self::Delete => "lrm_delete",
            Self::CleanUp => "delete",
            Self::ClearFailCount => "clear_failcount",
            Self::Fence => "stonith",
            Self::Shutdown => "do_shutdown",
            Self::Milestone => "",
        }
    }

    /// From the name in a configuration or history; `None` if it is no task that can be ordered.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "monitor" => Self::Monitor,
            "start" => Self::Start,
            "running" | "started" => Self::Started,
            "stop" => Self::Stop,
            "stopped" => Self::Stopped,
            "promote" => Self::Promote,
            "promoted" => Self::Promoted,
            "demote" => Self::Demote,
            "demoted" => Self::Demoted,
            "notify" => Self::Notify,
            "notified" => Self::Notified,
            "migrate_to" => Self::MigrateTo,
            "migrate_from" => Self::MigrateFrom,
            "reload" | "reload-agent" => Self::Reload,
            "cancel" => Self::Cancel,
            "lrm_delete" => Self::Delete,
            "delete" => Self::CleanUp,
            "clear_failcount" => Self::ClearFailCount,
            "stonith" => Self::Fence,
            "do_shutdown" => Self::Shutdown,
            _ => return None,
        })
    }

    /// What is reached when a collective has finished this.
    #[must_use]
    pub const fn finished(self) -> Option<Self> {
        Some(match self {
            Self::Start => Self::Started,
            Self::Stop => Self::Stopped,
            Self::Promote => Self::Promoted,
            Self::Demote => Self::Demoted,
            Self::Notify => Self::Notified,
            _ => return None,
        })
    }

    /// What leads there: the opposite of [`finished`](Self::finished), itself for what is no milestone.
    #[must_use]
    pub const fn begun(self) -> Self {
        match self {
            Self::Started => Self::Start,
            Self::Stopped => Self::Stop,
            Self::Promoted => Self::Promote,
            Self::Demoted => Self::Demote,
            Self::Notified => Self::Notify,
            other => other,
        }
    }

    /// What undoes it.
    #[must_use]
    pub const fn inverse(self) -> Option<Self> {
        Some(match self {
            Self::Start => Self::Stop,
            Self::Stop => Self::Start,
            Self::Promote => Self::Demote,
            Self::Demote => Self::Promote,
            Self::Promoted => Self::Demoted,
            Self::Demoted => Self::Promoted,
            Self::Started => Self::Stopped,
            Self::Stopped => Self::Started,
            _ => return None,
        })
    }

    /// Whether it changes the state of a resource, so that recurring operations of the old state end first.
    #[must_use]
    pub const fn changes_state(self) -> bool {
        matches!(self, Self::Start | Self::Stop | Self::Promote | Self::Demote | Self::MigrateTo | Self::MigrateFrom)
    }
}

impl AsRef<str> for Task {
    fn as_ref(&self) -> &str {
        self.name()
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Task {
    type Err = NoSuch;

    fn from_str(name: &str) -> Result<Self, NoSuch> {
        Self::parse(name).ok_or_else(|| NoSuch::new("task", name))
    }
}

/// What is done when an operation fails, from mildest to severest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnFail {
    /// Nothing.
    #[default]
    Ignore,
    /// Demote.
    Demote,
    /// Stop and start, perhaps elsewhere.
    Restart,
    /// Reset the remote node.
    ResetRemote,
    /// Restart the container.
    RestartContainer,
    /// Not here any more.
    Ban,
    /// Wait for a person.
    Block,
    /// Stop and stay stopped.
    Stop,
    /// The node goes on standby.
    StandbyNode,
    /// The node is fenced.
    FenceNode,
}

impl OnFail {
    /// Its name as a value of `on-fail`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Demote => "demote",
            Self::Restart => "restart",
            Self::ResetRemote => "reset-remote",
            Self::RestartContainer => "restart-container",
            Self::Ban => "migrate",
            Self::Block => "block",
            Self::Stop => "stop",
            Self::StandbyNode => "standby",
            Self::FenceNode => "fence",
        }
    }

    /// From a value of `on-fail`, without regard to case; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "ignore" | "nothing" => Self::Ignore,
            "demote" => Self::Demote,
            "restart" => Self::Restart,
            "reset-remote" => Self::ResetRemote,
            "restart-container" => Self::RestartContainer,
            "migrate" => Self::Ban,
            "block" => Self::Block,
            "stop" => Self::Stop,
            "standby" => Self::StandbyNode,
            "fence" => Self::FenceNode,
            _ => return None,
        })
    }
}

impl fmt::Display for OnFail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for OnFail {
    type Err = NoSuch;

    fn from_str(name: &str) -> Result<Self, NoSuch> {
        Self::parse(name).ok_or_else(|| NoSuch::new("on-fail", name))
    }
}

/// What fencing does to a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FenceAction {
    /// Power off, and on again.
    #[default]
    Reboot,
    /// Power off.
    Off,
    /// Let it in again (unfencing).
    On,
}

impl FenceAction {
    /// Its name in options and keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::Off => "off",
            Self::On => "on",
        }
    }

    /// From its name; `None` if there is no such action.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reboot, Self::Off, Self::On].into_iter().find(|action| action.name() == name)
    }

    /// Whether the node is down after it, or was for a moment: nothing that ran there runs any more.
    #[must_use]
    pub const fn takes_down(self) -> bool {
        matches!(self, Self::Reboot | Self::Off)
    }
}

impl fmt::Display for FenceAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FenceAction {
    type Err = NoSuch;

    fn from_str(name: &str) -> Result<Self, NoSuch> {
        Self::parse(name).ok_or_else(|| NoSuch::new("fencing action", name))
    }
}

/// The two ends of a live migration: names of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Migration {
    /// Where it runs before; carries out `migrate_to`.
    pub source: String,
    /// Where it runs after; carries out `migrate_from`.
    pub target: String,
}

/// What a resource does on a node, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Not known.
    #[default]
    Unknown,
    /// Does nothing.
    Stopped,
    /// Runs.
    Started,
    /// Runs as an instance of a promotable clone.
    Unpromoted,
    /// Runs and is promoted.
    Promoted,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "Unknown",
            Self::Stopped => "Stopped",
            Self::Started => "Started",
            Self::Unpromoted => "Unpromoted",
            Self::Promoted => "Promoted",
        })
    }
}

impl Role {
    /// A role by its name, without regard to case; the older names `Master` and `Slave` too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "stopped" => Self::Stopped,
            "started" => Self::Started,
            "unpromoted" | "slave" => Self::Unpromoted,
            "promoted" | "master" => Self::Promoted,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_printed() {
        for word in ["monitor", "start", "running", "stop", "promoted", "migrate_to", "reload-agent", "lrm_delete"] {
            assert_eq!(word.parse::<Task>().map(|task| task.to_string()), Ok(word.to_owned()));
        }
        for word in ["reboot", "off", "on"] {
            assert_eq!(word.parse::<FenceAction>().map(|action| action.to_string()), Ok(word.to_owned()));
        }
        assert!("cycle".parse::<FenceAction>().is_err());
        assert_eq!("frobnicate".parse::<Task>().unwrap_err().to_string(), "there is no task \"frobnicate\"");
        for word in ["ignore", "demote", "restart", "restart-container", "migrate", "block", "stop", "standby", "fence"]
        {
            assert_eq!(word.parse::<OnFail>().map(|on_fail| on_fail.to_string()), Ok(word.to_owned()));
        }
    }

    #[test]
    fn a_task_is_stored_as_its_word() {
        let json = serde_json::to_string(&Task::Reload).unwrap();
        assert_eq!(json, "\"reload-agent\"");
        assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), Task::Reload);
        assert!(serde_json::from_str::<Task>("\"frobnicate\"").is_err());
    }
}
