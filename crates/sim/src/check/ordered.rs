//! AGENT-3: an agent is run once for an order that was delivered in the present view, recurring monitors aside, and again
//! if it could not ask. What was ordered in a view that is over counts no longer, because its quorum may be over too.

use std::collections::{BTreeMap, BTreeSet};

use hac_node::{Event, Invocation, InvocationId, Outcome};

use super::{Violation, count};

/// Orders of the present view.
#[derive(Clone, Debug, Default)]
pub(super) struct Ordered {
    /// How many have not begun, by host and operation.
    open: BTreeMap<(u32, String), u32>,
    /// What runs for one.
    runs: BTreeSet<(u32, InvocationId)>,
}

impl Ordered {
    /// A node said that something happened.
    pub(super) fn saw(&mut self, id: u32, event: &Event) {
        match event {
            Event::View { .. } => {
                self.open.retain(|(host, _), _| *host != id);
                self.runs.retain(|(host, _)| *host != id);
            }
            Event::Operation { node, operation } if *node == format!("node{id}") => {
                *self.open.entry((id, operation.clone())).or_default() += 1;
            }
            _ => {}
        }
    }

    /// An agent is about to be run.
    pub(super) fn begins(
        &mut self,
        id: u32,
        invocation: &Invocation,
        executed: &mut BTreeMap<&'static str, u64>,
    ) -> Result<(), Violation> {
        if invocation.interval_ms > 0 {
            return Ok(());
        }
        count(executed, "AGENT-3");
        let (resource, action) = (&invocation.resource, &invocation.action);
        let operation = hac_crm::executor::operation_key(resource, action, 0);
        match self.open.get_mut(&(id, operation)).filter(|orders| **orders > 0) {
            Some(orders) => {
                *orders -= 1;
                self.runs.insert((id, invocation.id));
                Ok(())
            }
            None => {
                let text = format!("node{id} runs {resource} {action}, which nobody has ordered in the present view");
                Err(Violation::new("AGENT-3", text))
            }
        }
    }

    /// An agent has ended, and its daemon was told how.
    pub(super) fn ended(&mut self, id: u32, invocation: &Invocation, outcome: &Outcome) {
        if self.runs.remove(&(id, invocation.id)) && outcome.retry_after.is_some() {
            let operation = hac_crm::executor::operation_key(&invocation.resource, &invocation.action, 0);
            *self.open.entry((id, operation)).or_default() += 1;
        }
    }
}
