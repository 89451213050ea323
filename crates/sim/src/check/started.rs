//! AGENT-2: what a node started well and has not been told to stop is not started there again while it runs. An agent
//! need not bear a second start, and what is under way when the coordinator changes must not be ordered anew.

use std::collections::BTreeMap;

use hac_node::{Invocation, Outcome};

use super::{Violation, count};
use crate::reality::Reality;

/// What was started and not stopped since: the life of the daemon that did it, by host and resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Started(BTreeMap<(u32, String), u64>);

impl Started {
    /// An agent is about to be run.
    pub(super) fn begins(
        &mut self,
        id: u32,
        life: u64,
        invocation: &Invocation,
        reality: &Reality,
        executed: &mut BTreeMap<&'static str, u64>,
    ) -> Result<(), Violation> {
        let key = (id, invocation.resource.clone());
        match invocation.action.as_str() {
            "stop" => {
                self.0.remove(&key);
            }
            "start" if !invocation.agent.is_fence_device() => {
                count(executed, "AGENT-2");
                // What has died since is started again without a stop: a stopped server and a dead one are the same.
                let runs = reality.places(&invocation.resource).contains(&id);
                if runs && self.0.get(&key) == Some(&life) {
                    let text = format!("node{id} starts {} again, which it has started and not stopped", key.1);
                    return Err(Violation::new("AGENT-2", text));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An agent has ended, and its daemon was told how.
    pub(super) fn ended(&mut self, id: u32, life: u64, invocation: &Invocation, outcome: &Outcome) {
        if invocation.action == "start" && outcome.rc == 0 {
            self.0.insert((id, invocation.resource.clone()), life);
        }
    }
}
