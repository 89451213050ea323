//! AGENT-3: an agent is run once for an order that was delivered in the present view, recurring monitors aside. What was
//! ordered in a view that is over counts no longer, because its quorum may be over too.

use std::collections::BTreeMap;

use hac_node::{Event, Invocation};

use super::{Violation, count};

/// Orders of the present view that have not begun: how many, by host and operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Ordered(BTreeMap<(u32, String), u32>);

impl Ordered {
    /// A node said that something happened.
    pub(super) fn saw(&mut self, id: u32, event: &Event) {
        match event {
            Event::View { .. } => self.0.retain(|(host, _), _| *host != id),
            Event::Operation { node, operation } if *node == format!("node{id}") => {
                *self.0.entry((id, operation.clone())).or_default() += 1;
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
        match self.0.get_mut(&(id, operation)).filter(|orders| **orders > 0) {
            Some(orders) => {
                *orders -= 1;
                Ok(())
            }
            None => {
                let text = format!("node{id} runs {resource} {action}, which nobody has ordered in the present view");
                Err(Violation::new("AGENT-3", text))
            }
        }
    }
}
