//! Anything at any moment.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::world::World;
use crate::cib::StatusChange;
use crate::cib::fixtures::NOW;

/// What may happen at any moment.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Deliver,
    Answer(prop::sample::Index),
    Kill(bool, prop::sample::Index),
    Break(bool, prop::sample::Index),
    Mend,
    Cleanup,
    Refresh(bool),
    Attribute,
    Standby(bool, bool),
    Pass(u64),
    NewCoordinator,
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Deliver),
        6 => any::<prop::sample::Index>().prop_map(Step::Answer),
        2 => (any::<bool>(), any::<prop::sample::Index>()).prop_map(|(node, pick)| Step::Kill(node, pick)),
        1 => (any::<bool>(), any::<prop::sample::Index>()).prop_map(|(node, pick)| Step::Break(node, pick)),
        1 => Just(Step::Mend),
        1 => Just(Step::Cleanup),
        1 => any::<bool>().prop_map(Step::Refresh),
        1 => Just(Step::Attribute),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(node, on)| Step::Standby(node, on)),
        2 => (0..40_000_u64).prop_map(Step::Pass),
        1 => Just(Step::NewCoordinator),
    ]
}

fn name(first: bool) -> String {
    if first { "primary" } else { "secondary" }.to_owned()
}

impl World {
    /// `resources` are those that may fail.
    pub(super) fn step(&mut self, step: Step, count: u32, resources: &[&str]) {
        match step {
            Step::Deliver => {
                self.deliver();
            }
            Step::Answer(pick) if !self.agents.is_empty() => {
                self.answer(pick.index(self.agents.len()));
            }
            Step::Answer(_) => {}
            Step::Kill(first, pick) => self.kill(&name(first), resources[pick.index(resources.len())]),
            Step::Break(first, pick) => {
                let resource = resources[pick.index(resources.len())];
                self.broken.push((name(first), resource.to_owned()));
            }
            Step::Mend => self.broken.clear(),
            Step::Cleanup => {
                self.status(StatusChange::ClearFailures { resource: None, node: None, operation: None });
            }
            Step::Refresh(first) => {
                self.status(StatusChange::ForgetHistory { resource: None, node: Some(name(first)) });
            }
            Step::Attribute => {
                let (node, name, value) = (name(true), "colour".to_owned(), Some(count.to_string()));
                self.status(StatusChange::SetAttribute {
                    node,
                    name,
                    value,
                    private: false,
                    dampening_ms: 0,
                    utilization: false,
                });
            }
            Step::Standby(first, on) => self.standby(&name(first), on),
            Step::Pass(millis) => self.now += Duration::from_millis(millis),
            Step::NewCoordinator => self.new_coordinator(format!("u{count}")),
        }
        for executor in self.executors.values_mut() {
            executor.handle_timeout(self.now, NOW);
        }
        self.engine.handle_timeout(self.now);
        self.drain();
    }

    /// Nothing goes wrong any more, and people clean up.
    pub(super) fn calm_down(&mut self) {
        self.broken.clear();
        self.standby("primary", false);
        self.standby("secondary", false);
        for _ in 0..3 {
            self.settle();
            self.pass(Duration::from_secs(100));
            self.engine.handle_timeout(self.now);
            self.settle();
        }
        self.status(StatusChange::ClearFailures { resource: None, node: None, operation: None });
        self.settle();
    }

    /// No node does two things at a time for one resource.
    pub(super) fn assert_one_at_a_time(&self) {
        let mut seen = BTreeSet::new();
        for (node, invocation) in &self.agents {
            assert!(seen.insert((node, &invocation.resource)), "{node}: {invocation:?}");
        }
    }
}
