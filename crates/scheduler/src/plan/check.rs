//! Whether a plan is lawful: a second, dumber reading of the rules, that shares no code with the decision.
//!
//! It knows nothing of scores. From how things stand, what is configured, and the graph, it says what must never be in a
//! plan: a circle, a start before what it needs, a resource on two nodes, an action where nobody can carry it out, a
//! hand laid on what is not managed. What a plan leaves undone is never unlawful.
//!
//! Constraints are looked at in their plain forms: pairs, and the members inside one set. Rules that bind two sets, clones
//! of which a part is enough, instances by number, and bundles are not judged; nor is a clone that must not meet
//! something, which Pacemaker takes as a mere wish, nor where something is and what it is a part of, if they were told to be
//! together or apart; nor that nobody waits for an instance that is being started already.

mod constraints;
mod graph;
mod places;
mod standing;

use thiserror::Error;

use crate::ClusterView;
use crate::plan::{Plan, Verb};
use graph::Graph;
use hac_model::Cib;
use standing::Standing;

/// A rule that a plan breaks. Actions are told as `KEY NODE`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// An input is no action of the plan.
    #[error("{0} waits for an action that is not there")]
    DanglingInput(String),
    /// Actions wait for each other.
    #[error("{0} waits for itself")]
    Cycle(String),
    /// Nobody can carry it out there.
    #[error("{0} is ordered on a node that is not there")]
    AbsentNode(String),
    /// The node may not start anything.
    #[error("{0} starts something on a node that is to have nothing started")]
    UnwillingNode(String),
    /// The resource is not to be touched.
    #[error("{0} touches what is not managed")]
    Unmanaged(String),
    /// This partition may not start anything.
    #[error("{0} starts something without quorum")]
    NoQuorum(String),
    /// It is started while it runs, or may run.
    #[error("{start} does not wait until it has stopped on {node}")]
    ActiveTwice {
        /// The start.
        start: String,
        /// Where it runs.
        node: String,
    },
    /// It is started twice in one plan.
    #[error("{0} is started on two nodes")]
    StartedTwice(String),
    /// More instances than may share a node.
    #[error("{clone} would have {count} instances on {node}, {most} are allowed")]
    TooManyInstances {
        /// The clone.
        clone: String,
        /// The node.
        node: String,
        /// How many it would have.
        count: usize,
        /// How many it may have.
        most: usize,
    },
    /// An action does not wait for another that must come first.
    #[error("{then} does not wait for {first} ({rule})")]
    TooEarly {
        /// What must wait.
        then: String,
        /// What it must wait for.
        first: String,
        /// Id of the constraint, or of the group.
        rule: String,
    },
    /// What it needs will not be running.
    #[error("{then} needs {needed}, which will not run ({rule})")]
    Unmet {
        /// The start.
        then: String,
        /// The resource that it needs.
        needed: String,
        /// Id of the constraint, or of the group.
        rule: String,
    },
    /// It is started where what it belongs to will not be.
    #[error("{start} is not where {with} will be ({rule})")]
    Apart {
        /// The start.
        start: String,
        /// What it belongs to.
        with: String,
        /// Id of the constraint, or of the group.
        rule: String,
    },
    /// It is started beside something that it must not meet.
    #[error("{start} is where {with} will be, against {rule}")]
    Together {
        /// The start.
        start: String,
        /// What it must not meet.
        with: String,
        /// Id of the constraint.
        rule: String,
    },
    /// A decision that people are told without why.
    #[error("{verb} {subject} has no reason")]
    NoReason {
        /// What is done.
        verb: Verb,
        /// To what.
        subject: String,
    },
}

/// Everything in `plan` that breaks a rule. `view` must be how things stand in `cib` at the time of the decision.
#[must_use]
pub fn check(cib: &Cib, view: &ClusterView, plan: &Plan) -> Vec<Violation> {
    let graph = match Graph::new(plan) {
        Ok(graph) => graph,
        // Without a sound graph nothing else means anything.
        Err(violations) => return violations,
    };
    let standing = Standing::new(view, plan);
    let mut violations = Vec::new();
    places::check(&standing, &graph, &mut violations);
    constraints::check(cib, &standing, &graph, &mut violations);
    reasons(plan, &mut violations);
    violations
}

/// People are always told why a node is powered off.
fn reasons(plan: &Plan, violations: &mut Vec<Violation>) {
    for decision in &plan.summary {
        if decision.verb == Verb::Fence && decision.reason.is_none() {
            violations.push(Violation::NoReason { verb: decision.verb, subject: decision.subject.clone() });
        }
    }
}

#[cfg(test)]
mod tests;
