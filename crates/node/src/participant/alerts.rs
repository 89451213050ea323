//! What alerts are for: found where a change of the state is applied, if somebody asked for alerts at all.
//!
//! As in Pacemaker every node tells of nodes and of fencing, and the one that carried an operation out tells of it. What
//! Pacemaker's writer of attributes tells, the coordinator tells here.

use std::collections::BTreeMap;

use hac_crm::cib::{Applied, Command, OpResult, StatusChange};
use hac_model::{Cib, ExecStatus, NvSet};
use hac_types::NodeId;

use super::Participant;
use crate::{Ended, Output, Seen};

/// How things stood before a change, as far as it matters to those who are told.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Numbers of the requests to fence that were over.
    fenced: Vec<u64>,
    /// By id of the node: its transient attributes.
    attributes: Option<BTreeMap<String, Vec<NvSet>>>,
}

impl Participant {
    /// Whether anybody is told of anything.
    fn tells(&self) -> bool {
        let configuration = &self.replica.cib.configuration;
        !configuration.alerts.is_empty() || !configuration.notices.is_empty()
    }

    /// To be called before a command is applied.
    pub(super) fn before(&self, command: &Command) -> Before {
        let Command::Status(change) = command else { return Before::default() };
        if !self.tells() {
            return Before::default();
        }
        let cib = &self.replica.cib;
        let fencing = matches!(change, StatusChange::Fencing(_));
        let fenced = cib.status.fencing.history.iter().filter(|_| fencing).map(|record| record.id).collect();
        let wanted = self.is_dc() && cib.configuration.alerts.iter().any(|alert| alert.select.attributes);
        let attributes = (wanted && writes(change)).then(|| attributes(cib));
        Before { fenced, attributes }
    }

    /// To be called after it was applied.
    pub(super) fn tell_of(&mut self, command: &Command, applied: &Applied, before: &Before) {
        let Command::Status(change) = command else { return };
        if !self.tells() || matches!(applied, Applied::Refused(_)) {
            return;
        }
        if let Some(before) = &before.attributes {
            self.tell_of_attributes(before);
        }
        match change {
            StatusChange::OpResult(result) if result.node == self.name => {
                if let Some(ended) = ended(result) {
                    self.effects.output(Output::Alert(Seen::Operation(Box::new(ended))));
                }
            }
            StatusChange::Fencing(_) => {
                let history = &self.replica.cib.status.fencing.history;
                let new = history.iter().filter(|record| !before.fenced.contains(&record.id));
                for record in new.cloned().collect::<Vec<_>>() {
                    self.effects.output(Output::Alert(Seen::Fencing(record)));
                }
            }
            _ => {}
        }
    }

    fn tell_of_attributes(&mut self, before: &BTreeMap<String, Vec<NvSet>>) {
        let cib = &self.replica.cib;
        let none = Vec::new();
        let mut seen = Vec::new();
        for state in &cib.status.nodes {
            let old = before.get(&state.id).unwrap_or(&none);
            if *old == state.attributes {
                continue;
            }
            let node = state.uname.clone().unwrap_or_default();
            let (old, new) = (pairs(old), pairs(&state.attributes));
            let names = old.keys().chain(new.keys()).copied().collect::<std::collections::BTreeSet<&str>>();
            for name in names.into_iter().filter(|name| old.get(name) != new.get(name)) {
                let value = new.get(name).copied().unwrap_or_default().to_owned();
                seen.push(Seen::Attribute { node: node.clone(), id: state.id.clone(), name: name.to_owned(), value });
            }
        }
        seen.into_iter().for_each(|seen| self.effects.output(Output::Alert(seen)));
    }

    /// Nodes came and went.
    pub(super) fn tell_of_nodes(&mut self, came: &[NodeId], went: &[NodeId]) {
        if !self.tells() {
            return;
        }
        for (nodes, member) in [(went, false), (came, true)] {
            for node in nodes {
                let seen = Seen::Node { node: self.name_of(*node), id: node.to_string(), member };
                self.effects.output(Output::Alert(seen));
            }
        }
    }
}

/// Whether a change sets attributes, other than by taking them away with their node.
const fn writes(change: &StatusChange) -> bool {
    matches!(
        change,
        StatusChange::SetAttribute { .. }
            | StatusChange::SetDampening { .. }
            | StatusChange::WriteAttributes { .. }
            | StatusChange::OpResult(_)
            | StatusChange::ClearFailures { .. }
            | StatusChange::ClearFailCount { .. }
            | StatusChange::ForgetHistory { .. }
            | StatusChange::Shutdown { .. }
    )
}

fn attributes(cib: &Cib) -> BTreeMap<String, Vec<NvSet>> {
    cib.status.nodes.iter().map(|state| (state.id.clone(), state.attributes.clone())).collect()
}

fn pairs(sets: &[NvSet]) -> BTreeMap<&str, &str> {
    let pairs = sets.iter().flat_map(|set| &set.pairs);
    pairs.filter_map(|pair| Some((pair.name.as_str(), pair.value.as_deref()?))).collect()
}

/// What is told of a result; nothing of one that was cancelled, or of a probe that found what was expected.
fn ended(result: &OpResult) -> Option<Ended> {
    let op = &result.op;
    let target = op.expected_rc().unwrap_or(op.rc_code);
    if op.ended(ExecStatus::Cancelled) || op.is_pending() || op.is_probe() && op.rc_code == target {
        return None;
    }
    Some(Ended {
        node: result.node.clone(),
        resource: result.resource.clone(),
        task: op.operation.clone(),
        interval_ms: op.interval_ms,
        target_rc: target.0,
        status: op.op_status,
        rc: op.rc_code.0,
        exec_time_ms: op.exec_time_ms.unwrap_or_default(),
    })
}
