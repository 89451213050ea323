//! Earlier moments: which a node kept, and how things stood.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Place, Readiness};

/// Query of `GET /v1/past`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastQuery {
    /// Milliseconds since 1970, or the place of an event, `RING.REPRESENTATIVE.LIFE.DELIVERY.NTH`: the last state that was kept up to
    /// then. Without it, all moments of which one was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// After this event a state was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moment {
    /// Id of the event.
    pub id: String,
    /// Where it stands among the events of all nodes.
    pub place: Place,
    /// When, milliseconds since 1970, by the clock of the node that kept it.
    pub time_ms: i64,
    /// Kind of the event.
    pub kind: String,
    /// Its sentence.
    pub text: String,
}

/// The moments of which the answering node kept a state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moments {
    /// The node.
    pub node: String,
    /// The oldest first, the newest 2000.
    pub moments: Vec<Moment>,
}

/// How things stood at an earlier moment, as the answering node saw them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Past {
    /// The node.
    pub node: String,
    /// The event after which it was so.
    pub moment: Moment,
    /// How nodes and resources stood: `hac_scheduler::view::ClusterView`.
    pub view: Value,
    /// Whether this part of the cluster might act.
    pub quorate: bool,
    /// Name of the designated coordinator.
    pub dc: Option<String>,
    /// What nodes had found out about what they could start.
    pub readiness: Vec<Readiness>,
}
