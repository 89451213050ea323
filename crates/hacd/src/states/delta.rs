//! What one state has that the one before has not: so little, mostly, that many states fit where one does.

use hac_model::fencing::Requests;
use hac_model::{
    Cib, CibInfo, Configuration, HeldAttribute, Histories, NodeState, Noticed, Readiness, ResourceHistory, Shared,
    TicketState, Version,
};
use serde::{Deserialize, Serialize};

/// A difference. What is not there is as before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Delta {
    version: Version,
    info: Option<CibInfo>,
    configuration: Option<Shared<Configuration>>,
    nodes: Listed<NodeDelta>,
    tickets: Option<Vec<TicketState>>,
    held: Option<Vec<HeldAttribute>>,
    fencing: Option<Requests>,
    noticed: Option<Vec<Noticed>>,
    readiness: Option<Vec<Readiness>>,
}

/// A list: how long it is, and what stands elsewhere or is otherwise, by place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Listed<T> {
    count: usize,
    set: Vec<(usize, T)>,
}

/// A node: all but its histories, if that is otherwise, and those.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct NodeDelta {
    head: Option<NodeState>,
    resources: Listed<Shared<ResourceHistory>>,
}

impl Delta {
    /// From `before` to `after`.
    pub(super) fn between(before: &Cib, after: &Cib) -> Self {
        let (old, new) = (&before.status, &after.status);
        let nodes = new.nodes.iter().enumerate().filter_map(|(place, node)| {
            let was = old.nodes.get(place);
            (was != Some(node)).then(|| (place, NodeDelta::between(was, node)))
        });
        Self {
            version: after.version,
            info: other(&before.info, &after.info),
            configuration: other(&before.configuration, &after.configuration),
            nodes: Listed { count: new.nodes.len(), set: nodes.collect() },
            tickets: other(&old.tickets, &new.tickets),
            held: other(&old.held, &new.held),
            fencing: other(&old.fencing, &new.fencing),
            noticed: other(&old.noticed, &new.noticed),
            readiness: other(&old.readiness, &new.readiness),
        }
    }

    /// Makes `cib` what comes after it.
    ///
    /// # Errors
    /// It is no difference to this one: places are missing.
    pub(super) fn apply(self, cib: &mut Cib) -> Result<(), Foreign> {
        let put = |nodes: &mut NodeState, delta: NodeDelta| delta.apply(nodes);
        cib.version = self.version;
        replace(&mut cib.info, self.info);
        replace(&mut cib.configuration, self.configuration);
        self.nodes.apply(&mut cib.status.nodes, put)?;
        replace(&mut cib.status.tickets, self.tickets);
        replace(&mut cib.status.held, self.held);
        replace(&mut cib.status.fencing, self.fencing);
        replace(&mut cib.status.noticed, self.noticed);
        replace(&mut cib.status.readiness, self.readiness);
        Ok(())
    }
}

/// A difference to another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign;

impl NodeDelta {
    fn between(before: Option<&NodeState>, after: &NodeState) -> Self {
        let head = |node: &NodeState| NodeState { resources: Histories::default(), ..node.clone() };
        let none = Vec::new();
        let old = before.map_or(&none, |before| &before.resources);
        let set = after.resources.iter().enumerate().filter(|(place, of)| old.get(*place) != Some(*of));
        Self {
            head: Some(head(after)).filter(|after| before.map(head).as_ref() != Some(after)),
            resources: Listed {
                count: after.resources.len(),
                set: set.map(|(place, of)| (place, of.clone())).collect(),
            },
        }
    }

    fn apply(self, node: &mut NodeState) -> Result<(), Foreign> {
        if let Some(head) = self.head {
            let resources = std::mem::take(&mut node.resources);
            *node = NodeState { resources, ..head };
        }
        self.resources.apply(&mut node.resources, |there, of| {
            *there = of;
            Ok(())
        })
    }
}

impl<T> Listed<T> {
    fn apply<U: Default>(
        self,
        list: &mut Vec<U>,
        put: impl Fn(&mut U, T) -> Result<(), Foreign>,
    ) -> Result<(), Foreign> {
        list.truncate(self.count);
        for (place, value) in self.set {
            if place == list.len() && place < self.count {
                list.push(U::default());
            }
            put(list.get_mut(place).ok_or(Foreign)?, value)?;
        }
        if list.len() == self.count { Ok(()) } else { Err(Foreign) }
    }
}

fn other<T: PartialEq + Clone>(before: &T, after: &T) -> Option<T> {
    (before != after).then(|| after.clone())
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(id: &str, rc: i32) -> ResourceHistory {
        let op = hac_model::OpHistory { rc_code: hac_model::OcfCode(rc), ..Default::default() };
        ResourceHistory { id: id.into(), ops: vec![op], ..ResourceHistory::default() }
    }

    fn state(nodes: &[&[(&str, i32)]]) -> Cib {
        let mut cib = Cib::default();
        for (place, resources) in nodes.iter().enumerate() {
            cib.status.nodes.push(NodeState {
                id: place.to_string(),
                resources: resources.iter().map(|(id, rc)| history(id, *rc).into()).collect(),
                ..NodeState::default()
            });
        }
        cib
    }

    #[test]
    fn a_state_and_a_difference_give_the_next_state_whatever_changed() {
        let mut other = state(&[&[("A", 0)]]);
        other.configuration.nodes.push(hac_model::Node::default());
        other.info.have_quorum = true;
        other.version.num_updates = 7;
        other.status.held.push(HeldAttribute::default());
        other.status.nodes[0].crmd = Some("online".into());
        let all = [
            state(&[]),
            state(&[&[("A", 0), ("B", 0)], &[]]),
            state(&[&[("A", 0), ("B", 7)], &[("A", 0)]]),
            state(&[&[("B", 0)], &[("A", 0), ("C", 5), ("D", 5)]]),
            other,
        ];
        for before in &all {
            for after in &all {
                let delta = Delta::between(before, after);
                let bytes = hac_wire::to_vec(&delta).expect("plain data");
                let read: Delta = hac_wire::from_slice(&bytes).expect("its own form");
                assert_eq!(read, delta);
                let mut there = before.clone();
                assert_eq!(read.apply(&mut there), Ok(()));
                assert_eq!(&there, after);
            }
        }
    }

    #[test]
    fn a_difference_to_another_state_is_found_out() {
        let delta = Delta::between(&state(&[&[("A", 0)], &[]]), &state(&[&[("A", 0)], &[("B", 0)]]));
        assert_eq!(delta.apply(&mut state(&[])), Err(Foreign));
    }
}
