//! Agents as the daemon runs them: how long they take, what goes wrong with them, what they do in the end.

use std::time::Duration;

use hac_crm::executor::Outcome;
use hac_node::InvocationId;

use super::host::Run;
use super::{Event, Item, World};
use crate::check::{Checks, fencing};
use crate::reality::Reality;
use crate::service::Fault;

impl World {
    /// An agent begins.
    pub(super) fn invoke(&mut self, id: u32, invocation: hac_node::Invocation) {
        if let Some(order) = invocation.fencing.clone() {
            return self.shoot(id, invocation, &order);
        }
        let (low, high) = self.agent_time;
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let time = Duration::from_nanos(self.agents.between(nanos(low), nanos(high)));
        let text = format!("runs {} {}", invocation.resource, invocation.action);
        self.trace.line(self.now, id, text);
        self.reality.begin(id, &invocation);
        let effect = self.checks.effect(id, &invocation, &self.hosts, &self.reality, self.now);
        if let Err(violation) = effect {
            self.checks.violated(violation);
        }
        let found = fencing::starts(self, id, &invocation);
        found.into_iter().for_each(|violation| self.checks.violated(violation));
        let fault = if time >= invocation.timeout {
            Some(Fault::Hung)
        } else {
            let manners = self.manners.fault(&mut self.agents, &invocation);
            self.service.fault(&mut self.agents, &invocation).or(manners)
        };
        let fault = fault.or_else(|| self.cannot_reach(id, &invocation));
        let ends = self.now + fault.and_then(|fault| fault.lasts(invocation.timeout)).unwrap_or(time);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let event = Event::AgentEnded(invocation.id);
        host.invocations.insert(invocation.id, Run { invocation, fault, ends });
        self.queue.push(ends, Item::Host(id, host.life, event));
    }

    /// An agent has come to its end.
    pub(super) fn agent_ended(&mut self, id: u32, invocation: InvocationId) {
        let now = self.time_at(id);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(Run { invocation, fault, .. }) = host.invocations.remove(&invocation) else { return };
        let outcome = Self::outcome(&mut self.reality, &mut self.checks, id, &invocation, fault);
        self.checks.agent_ended(host, &invocation, &outcome);
        if invocation.action == "start" {
            let found = fencing::started(self, id, &invocation.resource);
            found.into_iter().for_each(|violation| self.checks.violated(violation));
        }
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if invocation.action == "migrate_from" && outcome.rc == 0 {
            self.checks.happened("a resource migrated");
        }
        if let Some(node) = &mut host.node {
            node.handle_outcome(now, invocation.id, outcome);
        }
    }

    /// What an agent does in the end, and what it says.
    pub(super) fn outcome(
        reality: &mut Reality,
        checks: &mut Checks,
        id: u32,
        invocation: &hac_node::Invocation,
        fault: Option<Fault>,
    ) -> Outcome {
        let Some(fault) = fault else { return reality.act(id, invocation).outcome };
        checks.happened(fault.name());
        if fault.is_done() {
            reality.act(id, invocation);
        }
        fault.outcome(&invocation.action)
    }

    /// A resource dies; who watches it is told.
    pub fn kill_resource(&mut self, id: u32, resource: &str) {
        let Some(process) = self.reality.kill(id, resource) else { return };
        self.trace.line(self.now, id, format!("{resource} dies"));
        self.checks.happened("a resource died");
        let Some(host) = self.hosts.get(&id) else { return };
        let watchers = host.watches.iter().filter(|(_, p)| **p == process).map(|(watch, _)| *watch);
        for watch in watchers {
            self.queue.push(self.now, Item::Host(id, host.life, Event::ProcessExited(watch)));
        }
    }

    /// A host of this world looks at nothing that another one asks, and says so.
    pub(super) fn looks_at_nothing(&mut self, id: u32, question: hac_node::QuestionId) {
        if let Some(host) = self.hosts.get(&id) {
            let event = Event::Answered(question, "nothing".to_owned());
            self.queue.push(self.now, Item::Host(id, host.life, event));
        }
    }
}
