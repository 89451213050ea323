//! What changes the score of a resource on a node.

use std::fmt;

use serde::{Deserialize, Serialize};

use hac_model::{INFINITY, Role};

/// Why a score is what it is: one influence on the score of a resource on a node.
///
/// `Display` is a clause: `location constraint web-prefers-n1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "influence", rename_all = "snake_case")]
pub enum Influence {
    /// A location constraint, perhaps by one of its rules.
    Location {
        /// Its id.
        constraint: String,
    },
    /// The node's health, under `node-health-strategy`.
    Health,
    /// `resource-stickiness`: it is active there.
    Stickiness,
    /// It is locked to a node that shut down in good order.
    ShutdownLock {
        /// The node.
        node: String,
    },
    /// It failed there as often as `migration-threshold` allows.
    Failures {
        /// The service that failed.
        service: String,
        /// How often.
        failures: i32,
        /// `migration-threshold`.
        threshold: i32,
    },
    /// A result in the history rules it out.
    Failed {
        /// The operation: `RSC_TASK_INTERVALms`.
        operation: String,
        /// The node that it ran on.
        node: String,
        /// What its exit code means.
        outcome: String,
    },
    /// A failure with `on-fail=ban` or the like.
    OnFail {
        /// The node.
        node: String,
    },
    /// It was active on several nodes and `multiple-active=stop_only`.
    MultiplyActive,
    /// It is not managed and stays where it is.
    Unmanaged,
    /// Its ticket is not granted here, or is on standby.
    Ticket {
        /// The constraint.
        constraint: String,
        /// The ticket.
        ticket: String,
    },
    /// `resource-discovery=exclusive` names other nodes.
    Discovery,
    /// It is colocated with something that was placed before.
    Colocation {
        /// The constraint; none if it follows from what the resources are.
        constraint: Option<String>,
        /// What it is placed with.
        with: String,
        /// Its role, if that matters.
        role: Option<Role>,
        /// Where that will be (in that role); empty if nowhere.
        nodes: Vec<String>,
        /// The score of the constraint.
        score: i32,
    },
    /// Something that is colocated with it would rather, or rather not, be there.
    Company {
        /// The constraint; none if it follows from what the resources are.
        constraint: Option<String>,
        /// What is placed with it.
        dependent: String,
    },
    /// `target-role` wants it stopped.
    Disabled,
    /// A failure wants it stopped.
    StoppedByFailure,
    /// The node has not enough room for it (`placement-strategy`).
    Capacity,
    /// How much its agent, or others, want it promoted there.
    Promotion,
    /// Its clone has as many instances on one node as `clone-node-max` allows.
    NodeFull {
        /// How many those are.
        max: usize,
    },
    /// Its clone as a whole may not be there.
    WholeClone,
    /// The node may not run resources, so no instance is put there.
    NodeUnavailable,
    /// There are as many instances as `clone-max` allows.
    Surplus {
        /// How many those are.
        max: usize,
    },
    /// It is no longer configured.
    Removed,
    /// It follows from what the resource is: a connection, a container, or what belongs to one.
    BuiltIn,
    /// The chain of colocations that it begins is too long to be followed.
    ChainTooLong,
}

impl Influence {
    /// What a person can do about it, if it is in the way of `resource` on `node`.
    #[must_use]
    pub fn remedy(&self, resource: &str, node: &str) -> Option<String> {
        match self {
            Self::Location { constraint } if constraint.starts_with("cli-") => {
                Some(format!("'hacctl resource clear {resource}' removes it"))
            }
            Self::Location { constraint } => Some(format!("'hacctl configure show {constraint}' shows it")),
            Self::Failures { service, .. } => Some(format!("'hacctl resource cleanup {service} {node}' forgets that")),
            Self::Failed { node, .. } | Self::OnFail { node } => {
                Some(format!("'hacctl resource cleanup {resource} {node}' forgets that"))
            }
            Self::MultiplyActive | Self::StoppedByFailure => {
                Some(format!("'hacctl resource cleanup {resource}' forgets that"))
            }
            Self::Health
            | Self::Stickiness
            | Self::ShutdownLock { .. }
            | Self::Unmanaged
            | Self::Ticket { .. }
            | Self::Discovery
            | Self::Colocation { .. }
            | Self::Company { .. }
            | Self::Disabled
            | Self::Capacity
            | Self::Promotion
            | Self::NodeFull { .. }
            | Self::WholeClone
            | Self::NodeUnavailable
            | Self::Surplus { .. }
            | Self::Removed
            | Self::BuiltIn
            | Self::ChainTooLong => None,
        }
    }
}

impl fmt::Display for Influence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location { constraint } => write!(f, "location constraint {constraint}"),
            Self::Health => f.write_str("the node's health"),
            Self::Stickiness => f.write_str("resource-stickiness: it is active there"),
            Self::ShutdownLock { node } => write!(f, "it is locked to {node}, which shut down (shutdown-lock)"),
            Self::Failures { service, failures, threshold } => {
                let threshold = crate::score::text(*threshold);
                match *failures {
                    1 => write!(f, "{service} failed there once")?,
                    // One failure that nothing can follow (of a start or a stop) counts as that.
                    INFINITY.. => write!(f, "{service} failed there, and its fail count is INFINITY")?,
                    _ => write!(f, "{service} failed there {failures} times")?,
                }
                write!(f, "; migration-threshold is {threshold}")
            }
            Self::Failed { operation, node, outcome } => write!(f, "{operation} on {node} said: {outcome}"),
            Self::OnFail { node } => write!(f, "it failed on {node}, and on-fail keeps it away"),
            Self::MultiplyActive => f.write_str("it was active on several nodes (multiple-active=stop_only)"),
            Self::Unmanaged => f.write_str("it is active there and not managed"),
            Self::Ticket { constraint, ticket } => {
                write!(f, "ticket {ticket} is not granted or on standby (constraint {constraint})")
            }
            Self::Discovery => f.write_str("resource-discovery=exclusive names other nodes"),
            Self::Colocation { constraint, with, role, nodes, score } => {
                f.write_str(if *score < 0 { "it is to be away from " } else { "it belongs with " })?;
                if let Some(role) = role {
                    write!(f, "the {role} ")?;
                }
                match &nodes[..] {
                    [] => write!(f, "{with}, which will run nowhere")?,
                    nodes => write!(f, "{with}, which will be on {}", nodes.join(", "))?,
                }
                named(f, constraint.as_deref())
            }
            Self::Company { constraint, dependent } => {
                write!(f, "wishes of {dependent}, which is placed with it")?;
                named(f, constraint.as_deref())
            }
            Self::Disabled => f.write_str("target-role=Stopped: it is to be stopped"),
            Self::StoppedByFailure => f.write_str("it failed, and on-fail wants it stopped"),
            Self::Capacity => f.write_str("the node has not enough room for it"),
            Self::Promotion => f.write_str("how much it is wanted promoted there"),
            Self::NodeFull { max } => {
                write!(f, "its clone has as many instances there as it may, {max} (clone-node-max)")
            }
            Self::WholeClone => f.write_str("what it is an instance of may not be there"),
            Self::NodeUnavailable => f.write_str("the node may not run resources"),
            Self::Surplus { max } => write!(f, "its clone has as many instances as it may, {max} (clone-max)"),
            Self::Removed => f.write_str("it is no longer configured"),
            Self::BuiltIn => f.write_str("its place follows from what it is"),
            Self::ChainTooLong => f.write_str("the chain of colocations that it begins is too long"),
        }
    }
}

/// The constraint that says so, in parentheses.
fn named(f: &mut fmt::Formatter<'_>, constraint: Option<&str>) -> fmt::Result {
    constraint.map_or(Ok(()), |id| write!(f, " (colocation {id})"))
}

/// A part of a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Whose it is.
    #[serde(flatten)]
    pub influence: Influence,
    /// What it added; infinite if it set the score.
    pub points: i32,
    /// The score after it.
    pub after: i32,
}

/// What decides among nodes of the same score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TieBreak {
    /// It is active there.
    Active,
    /// What it belongs to wants it there.
    Preferred,
    /// The node has fewer resources.
    FewerResources,
    /// The node has more room left.
    MoreRoom,
    /// The order of names.
    Order,
}
