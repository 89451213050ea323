//! What a decision answers to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Reason;

/// Why a node may not run anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// Its state is not known; it must be fenced.
    Unclean,
    /// It is not in the membership.
    Offline,
    /// It is joining.
    Joining,
    /// It asked to leave.
    Leaving,
    /// It is on standby.
    Standby,
    /// It is on standby because of a failure there.
    StandbyOnFail,
    /// It is in maintenance.
    Maintenance,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unclean => "unclean and must be fenced",
            Self::Offline => "offline",
            Self::Joining => "still joining",
            Self::Leaving => "shutting down",
            Self::Standby => "on standby",
            Self::StandbyOnFail => "on standby because of a failure there",
            Self::Maintenance => "in maintenance",
        })
    }
}

/// What a [`Decision`](super::Decision) answers to, where it has no [`Reason`] in Pacemaker's words. `Display` is a
/// clause for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It is to run and runs nowhere.
    NotRunning,
    /// It failed where it is.
    Failed {
        /// That node.
        node: String,
    },
    /// The node it is on may not run anything.
    Node {
        /// That node.
        node: String,
        /// Why.
        obstacle: Obstacle,
    },
    /// It may not be on the node it is on.
    Banned {
        /// That node.
        node: String,
    },
    /// Another node has a better score.
    BetterNode {
        /// The one it is on.
        from: String,
        /// The better one.
        to: String,
    },
    /// `target-role` wants it stopped or not promoted.
    TargetRole,
    /// `stop-all-resources` is set.
    StopAll,
    /// It was active on several nodes.
    MultiplyActive,
    /// Its parameters or its agent changed.
    Changed,
    /// What runs in it failed.
    Contained {
        /// That.
        resource: String,
    },
    /// It is no longer configured.
    Removed,
    /// Other instances go before it.
    OtherInstances,
    /// It is among those that are best promoted.
    BestPromoted,
    /// A node asked for it.
    Requested,
    /// What stands in the state of the cluster leaves nothing else.
    Implied,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => f.write_str("it is to run"),
            Self::Failed { node } => write!(f, "it failed on {node}"),
            Self::Node { node, obstacle } => write!(f, "{node} is {obstacle}"),
            Self::Banned { node } => write!(f, "it may not be on {node}"),
            Self::BetterNode { from, to } => write!(f, "{to} has a better score than {from}"),
            Self::TargetRole => f.write_str("target-role says so"),
            Self::StopAll => f.write_str("stop-all-resources is set"),
            Self::MultiplyActive => f.write_str("it was active on several nodes"),
            Self::Changed => f.write_str("its parameters or its agent changed"),
            Self::Contained { resource } => write!(f, "{resource}, which runs in it, failed"),
            Self::Removed => f.write_str("it is no longer configured"),
            Self::OtherInstances => f.write_str("other instances go before it"),
            Self::BestPromoted => f.write_str("no other instance is wanted promoted more"),
            Self::Requested => f.write_str("it was asked for"),
            Self::Implied => f.write_str("the state of the cluster leaves nothing else"),
        }
    }
}

impl Reason {
    /// The reason as a clause for people, where `Display` has Pacemaker's words.
    #[must_use]
    pub fn clause(&self) -> String {
        let of = |resource: &str, action: &str| {
            if resource.is_empty() { action.to_owned() } else { format!("the {action} of {resource}") }
        };
        match self {
            Self::NodeAvailability => "no node may run it".to_owned(),
            Self::NoQuorum => "this partition has no quorum".to_owned(),
            Self::QuorumFreeze => "this partition has no quorum and may only keep what runs".to_owned(),
            Self::DefinitionChange => "its parameters or its agent changed".to_owned(),
            Self::MultiplyActive => "it was active on several nodes".to_owned(),
            Self::Colocation(with) => format!("it belongs with {with}, which cannot be there"),
            Self::Unrunnable(resource, action) => {
                format!("{}, which comes before, cannot be carried out", of(resource, action))
            }
            Self::Unmigrateable(resource, action) => {
                format!("{}, which comes before, is no live migration", of(resource, action))
            }
            Self::Required(resource, action) => format!("{} requires it", of(resource, action)),
            Self::Other(words) => words.clone(),
        }
    }
}
