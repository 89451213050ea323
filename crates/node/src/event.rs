//! What happens, for the log and for those who follow it.

use std::fmt;

use hac_crm::work::{Order, Work};
use hac_types::{NodeId, RingId};
use serde::{Deserialize, Serialize};

/// How important an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For those who look for a fault in hacd.
    Debug,
    /// Normal.
    Info,
    /// Normal and worth knowing.
    Notice,
    /// Something is not as it should be; the cluster goes on.
    Warning,
    /// Something failed.
    Error,
}

/// An event, its place among those of all nodes, and what it follows from.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What happened.
    pub event: Event,
    /// Counts the events of this life of the node, from 1, without gaps.
    pub number: u64,
    /// Its place.
    pub place: Place,
    /// The number of the event of this life that it follows from; what comes from outside has none.
    pub cause: Option<u64>,
}

/// A place in the ordered stream: after which delivery. Nodes that are handed the same have the same places, so that sorting
/// by them merges what several nodes tell without a look at their clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// In which ring. Before the first ring of a life its number is the last that was stored, and nobody made it.
    pub ring: RingId,
    /// The number of the last delivery in it; 0 before the first.
    pub delivery: u64,
    /// Counts what this node told after it, from 0.
    pub nth: u64,
}

/// Something that happened on this node or in the cluster. `Display` is one sentence for the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A remark of the ring.
    Ring {
        /// How important.
        level: Level,
        /// What, in snake case: `gather_entered`, `suspected`, `wrong_key` …
        what: String,
        /// The node it is about, if it is about one.
        node: Option<NodeId>,
        /// One sentence.
        text: String,
    },
    /// A new membership.
    View {
        /// Its ring.
        ring: RingId,
        /// Its members' names.
        members: Vec<String>,
        /// Who came.
        joined: Vec<String>,
        /// Who left in good order.
        left: Vec<String>,
        /// Who fell silent or died.
        lost: Vec<String>,
    },
    /// The members agreed on a state and act again.
    Active {
        /// The ring.
        ring: RingId,
        /// Name of the coordinator.
        dc: Option<String>,
        /// This partition may act.
        quorate: bool,
        /// This node's state was replaced by that of this node.
        copied_from: Option<String>,
    },
    /// Quorum was gained or lost.
    Quorum {
        /// This partition may act.
        quorate: bool,
        /// What is waited for.
        waiting_for: Option<String>,
    },
    /// The coordinator decided what to do.
    Transition {
        /// Its number.
        number: u64,
        /// Actions to carry out.
        actions: usize,
        /// Decisions with their reasons, one line each: `Move FloatIP (n1 -> n2) because n1 is on standby`.
        decisions: Vec<String>,
    },
    /// A decision was carried out, or given up.
    TransitionEnded {
        /// Its number.
        number: u64,
        /// How, in words.
        end: String,
        /// What went wrong, in sentences.
        problems: Vec<String>,
    },
    /// An order reached the node that carries it out.
    Operation {
        /// The node.
        node: String,
        /// `RSC_TASK_INTERVALms`.
        operation: String,
    },
    /// An operation ended.
    Result {
        /// The node.
        node: String,
        /// `RSC_TASK_INTERVALms`.
        operation: String,
        /// Exit code.
        rc: i32,
        /// As expected.
        expected: bool,
        /// How long it took, milliseconds.
        took_ms: Option<u64>,
        /// What the agent said.
        exit_reason: Option<String>,
    },
    /// The configuration changed.
    Configuration {
        /// Version after it, `ADMIN_EPOCH.EPOCH.NUM_UPDATES`.
        version: String,
        /// Node through which it came.
        origin: String,
        /// Program that asked for it.
        client: String,
        /// User who asked for it.
        user: String,
        /// What was changed, in words and without values, which may be secret.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<String>,
    },
    /// What is known of the present was changed by a person or a program: an attribute, failures that are forgotten.
    Status {
        /// One sentence.
        text: String,
    },
    /// The cluster uses another key.
    KeyChanged {
        /// Names it.
        fingerprint: String,
        /// Names the one before.
        before: String,
    },
    /// A node asked to be let go.
    ShutdownRequested {
        /// Its name.
        node: String,
    },
    /// Anything else, in words.
    Remark {
        /// How important.
        level: Level,
        /// One sentence.
        text: String,
    },
}

impl Event {
    /// What is told of an order that reached its node.
    pub(crate) fn of_order(order: &Order) -> Self {
        let (node, operation) = (order.at.clone(), order.name());
        match order.work {
            Work::Cancel(_) => {
                Self::Remark { level: Level::Info, text: format!("{operation} is no longer run on {node}") }
            }
            _ => Self::Operation { node, operation },
        }
    }

    /// How important it is.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Ring { level, .. } | Self::Remark { level, .. } => *level,
            Self::View { .. }
            | Self::Active { .. }
            | Self::Quorum { quorate: true, .. }
            | Self::Configuration { .. }
            | Self::KeyChanged { .. }
            | Self::ShutdownRequested { .. }
            | Self::Transition { .. } => Level::Notice,
            Self::Status { .. } => Level::Info,
            Self::Quorum { quorate: false, .. } | Self::Result { expected: false, .. } => Level::Warning,
            Self::TransitionEnded { problems, .. } => {
                if problems.is_empty() {
                    Level::Info
                } else {
                    Level::Warning
                }
            }
            Self::Operation { .. } | Self::Result { .. } => Level::Info,
        }
    }

    /// What kind it is, in snake case, as in its serialised form.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ring { .. } => "ring",
            Self::View { .. } => "view",
            Self::Active { .. } => "active",
            Self::Quorum { .. } => "quorum",
            Self::Transition { .. } => "transition",
            Self::TransitionEnded { .. } => "transition_ended",
            Self::Operation { .. } => "operation",
            Self::Result { .. } => "result",
            Self::Configuration { .. } => "configuration",
            Self::Status { .. } => "status",
            Self::KeyChanged { .. } => "key_changed",
            Self::ShutdownRequested { .. } => "shutdown_requested",
            Self::Remark { .. } => "remark",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring { text, .. } | Self::Remark { text, .. } | Self::Status { text } => f.write_str(text),
            Self::View { ring, members, joined, left, lost } => {
                write!(f, "new membership {ring}: {}", members.join(" "))?;
                for (word, names) in [("joined", joined), ("left", left), ("lost", lost)] {
                    if !names.is_empty() {
                        write!(f, "; {word}: {}", names.join(" "))?;
                    }
                }
                Ok(())
            }
            Self::Active { ring, dc, quorate, copied_from } => {
                let dc = dc.as_deref().unwrap_or("NONE");
                let quorum = if *quorate { "with quorum" } else { "WITHOUT quorum" };
                write!(f, "membership {ring} is active {quorum}, the coordinator (DC) is {dc}")?;
                match copied_from {
                    Some(donor) => write!(f, "; the state was taken over from {donor}"),
                    None => Ok(()),
                }
            }
            Self::Quorum { quorate: true, .. } => f.write_str("this node is within the quorate partition"),
            Self::Quorum { quorate: false, waiting_for } => {
                f.write_str("this partition has no quorum")?;
                waiting_for.as_ref().map_or(Ok(()), |whom| write!(f, "; {whom}"))
            }
            Self::Transition { number, actions, decisions } => {
                write!(f, "transition {number}: {actions} actions")?;
                if decisions.is_empty() { Ok(()) } else { write!(f, ": {}", decisions.join("; ")) }
            }
            Self::TransitionEnded { number, end, problems } => {
                write!(f, "transition {number} {end}")?;
                if problems.is_empty() { Ok(()) } else { write!(f, ": {}", problems.join("; ")) }
            }
            Self::Operation { node, operation } => write!(f, "{operation} begins on {node}"),
            Self::Result { node, operation, rc, expected, took_ms, exit_reason } => {
                let verdict = if *expected { "ended" } else { "failed" };
                write!(f, "{operation} on {node} {verdict}: exit code {rc}")?;
                if let Some(ms) = took_ms {
                    write!(f, " after {ms} ms")?;
                }
                exit_reason.as_ref().map_or(Ok(()), |why| write!(f, " ({})", why.escape_debug()))
            }
            Self::Configuration { version, origin, client, user, changes } => {
                write!(f, "the configuration changed to version {version} through {origin}")?;
                write!(f, " (client {}, user {})", client.escape_debug(), user.escape_debug())?;
                if changes.is_empty() { Ok(()) } else { write!(f, ": {}", changes.join(", ").escape_debug()) }
            }
            Self::KeyChanged { fingerprint, before } => {
                write!(f, "the authkey was changed: {fingerprint} is in use, {before} was before")
            }
            Self::ShutdownRequested { node } => write!(f, "{node} asks to be let go"),
        }
    }
}

#[cfg(test)]
mod tests {
    use hac_model::Task;
    use hac_scheduler::plan::ResourceOp;

    use super::*;

    #[test]
    fn the_end_of_a_recurring_operation_is_told_as_its_end() {
        let order = |work: fn(ResourceOp) -> Work| {
            let op = ResourceOp {
                resource: "db".to_owned(),
                task: Task::Monitor,
                interval_ms: 16_000,
                ..ResourceOp::default()
            };
            let node = || "n1".to_owned();
            let (transition_key, work) = ("1:2:0:u".to_owned(), work(op));
            Event::of_order(&Order { by: node(), at: node(), transition_key, work }).to_string()
        };
        assert_eq!(order(Work::Operation), "db_monitor_16000 begins on n1");
        assert_eq!(order(Work::Cancel), "db_monitor_16000 is no longer run on n1");
    }
}
