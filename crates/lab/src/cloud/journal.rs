//! What happened in the cloud, with the moment of each.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// One happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it happened; for a request, when it came in.
    pub at: Instant,
    /// What it was.
    pub event: Event,
}

/// Kinds of happenings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request to the API or the metadata service.
    Request {
        /// Where it came from.
        source: IpAddr,
        /// The host that this is, if it is one.
        host: Option<usize>,
        /// Its method.
        method: String,
        /// Its path and query.
        path: String,
        /// Its body.
        body: String,
        /// The status it was answered with; `None` if it got no answer.
        status: Option<u16>,
        /// From its arrival to its answer.
        took: Duration,
        /// Whether a rule struck it.
        struck: bool,
    },
    /// The floating IP now belongs to this host, or nobody.
    Holder(Option<usize>),
    /// A host was switched on or off by an action.
    Power {
        /// The host.
        host: usize,
        /// On or off.
        on: bool,
    },
    /// An action reached its last status.
    ActionEnded {
        /// Its id.
        id: u64,
        /// Its type, as the API names it.
        kind: String,
        /// Its status.
        status: String,
    },
}

impl Entry {
    /// Whether it is a request that begins an action of the floating IP.
    pub fn is_assign(&self) -> bool {
        // An action that there is not is asked for to find out what a token may do, and begins nothing.
        matches!(&self.event, Event::Request { method, path, body, .. }
            if method == "POST" && path.contains("_ips/") && path.ends_with("/actions") && !body.contains("\"none\""))
    }

    /// The status that a request was answered with.
    pub fn status(&self) -> Option<u16> {
        match &self.event {
            Event::Request { status, .. } => *status,
            Event::Holder(_) | Event::Power { .. } | Event::ActionEnded { .. } => None,
        }
    }

    /// The host that a request came from.
    pub fn host(&self) -> Option<usize> {
        match &self.event {
            Event::Request { host, .. } => *host,
            Event::Holder(_) | Event::Power { .. } | Event::ActionEnded { .. } => None,
        }
    }
}
