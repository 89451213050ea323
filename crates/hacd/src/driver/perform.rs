//! Performs what the cluster half wants done, in order.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hac_model::OcfCode;
use hac_node::{
    Event, ExecStatus, Invocation, Outcome, Output, Persist, PersistId, ProcessRef, QuestionId, Told, WatchId,
};

use super::End;
use super::cluster::Thread;
use super::inputs::Input;
use crate::clock;
use crate::storage::WorkerReply;

/// How long an agent waits until what it starts with is kept.
const KEPT: Duration = Duration::from_secs(2);

impl Thread {
    pub(super) fn act(&mut self, output: Output) {
        match output {
            // The ring half's.
            Output::Transmit { .. } => {}
            Output::Persist { id, what } => self.persist(id, what),
            Output::Invoke(invocation) => self.invoke(invocation),
            Output::CancelInvocation(id) => {
                if let Some(task) = self.running.remove(&id) {
                    task.abort();
                }
                self.parts.readiness.note(self.running.len());
            }
            Output::Watch(id, process) => self.watch(id, process),
            Output::Unwatch(id) => {
                if let Some(task) = self.watches.remove(&id) {
                    task.abort();
                }
            }
            Output::Remember(resource, started) => {
                let kept = self.parts.remembered.put(resource.clone(), started);
                self.remembering.insert(resource, kept);
            }
            Output::Decide { id, cib, wall, budget, .. } => {
                let sender = self.parts.sender.clone();
                let shared = Arc::clone(&self.shared);
                self.planner.start(
                    budget,
                    move || {
                        let begin = std::time::Instant::now();
                        let plan = hac_scheduler::schedule(&cib, wall);
                        let us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
                        shared.longest_plan_us.fetch_max(us, std::sync::atomic::Ordering::Relaxed);
                        plan
                    },
                    // Nobody waits for it any more when the daemon ends.
                    move |result| drop(sender.blocking_send(Input::Decided(id, Box::new(result)))),
                );
            }
            Output::Reply { id, reply } => self.answers.push((id, reply)),
            Output::Event(told) => self.tell(&told),
            Output::Alert(seen) => self.parts.alerts.put(&seen, self.parts.half.cib(), clock::wall()),
            Output::Ask(id, question) => self.asked(id, question),
            Output::Arbiter { id, cluster, request } => {
                self.parts.arbiter.ask(id, cluster, request, self.parts.sender.clone());
            }
            Output::Fault(why) => self.fault = Some(End::Fault(why)),
            Output::Fenced { why, panics } => {
                if panics {
                    self.reset_host(&why);
                }
                self.fault = Some(End::Fenced(why));
            }
            Output::Stopped => self.end = Some(self.fault.take().unwrap_or(End::Left)),
        }
    }

    /// The kernel resets the host, without another word to anybody or to its disks; where it does not, the node goes on to leave.
    fn reset_host(&self, why: &str) {
        tracing::error!(target: "hacd::driver", "{why}; fencing-reaction=panic: this host is reset now");
        if let Err(error) = std::fs::write(&self.parts.sysrq, "b") {
            let path = self.parts.sysrq.display();
            tracing::error!(target: "hacd::driver", "{path}: {error}: this host cannot be reset, and stops everything instead");
        }
    }

    /// Files are written by their own thread, which answers.
    fn persist(&mut self, id: PersistId, what: Persist) {
        if let Err(error) = self.worker.order(id, what) {
            self.later(Input::Persisted(WorkerReply { id, result: Err(error) }));
        }
    }

    /// Something is an input that has come from this thread itself.
    fn later(&self, input: Input) {
        let sender = self.parts.sender.clone();
        self.parts.workers.spawn(async move { drop(sender.send(input).await) });
    }

    fn invoke(&mut self, mut invocation: Invocation) {
        let id = invocation.id;
        if let Err(why) = crate::secrets::resolve(&mut invocation.params, &self.parts.half.cib().configuration) {
            let (rc, status) = (OcfCode::NOT_CONFIGURED.0, ExecStatus::NoSecrets);
            let outcome = Outcome { rc, status, exit_reason: Some(why), ..Outcome::default() };
            return self.later(Input::Outcome(id, outcome));
        }
        tracing::debug!(target: "hacd::agents", "{} of {} begins", invocation.action, invocation.instance);
        self.parts.readiness.give_way(&invocation.resource, self.running.len() + 1);
        let (agents, hub) = (Arc::clone(&self.parts.agents), Arc::clone(&self.parts.hub));
        let inputs = self.parts.sender.clone();
        let reloadable = self.reloadable.clone();
        let kept = self.remembering.remove(&invocation.resource);
        let task = self.parts.workers.spawn(async move {
            if let Some(kept) = kept {
                // What cannot be kept must not keep the resource from running.
                let _ = tokio::time::timeout(KEPT, kept).await;
            }
            // A fault in what runs agents fails this action and nothing else.
            let outcome = AssertUnwindSafe(reloadable.run(&agents, &hub.said, &invocation)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| Outcome {
                rc: 1,
                status: ExecStatus::Error,
                exit_reason: Some("hacd has a fault in what runs this agent; its log says more".to_owned()),
                ..Outcome::default()
            });
            let _ = inputs.send(Input::Outcome(invocation.id, outcome)).await;
        });
        self.running.insert(id, task.abort_handle());
    }

    fn watch(&mut self, id: WatchId, process: ProcessRef) {
        let inputs = self.parts.sender.clone();
        let task = self.parts.workers.spawn(async move {
            if let Err(error) = hac_agents::ended(process).await {
                tracing::warn!(target: "hacd::agents", "process {} cannot be watched: {error}", process.pid);
                return;
            }
            let _ = inputs.send(Input::Exited(id)).await;
        });
        self.watches.insert(id, task.abort_handle());
    }

    /// Another node asks: whoever looks does so beside everything else, and two at a time.
    fn asked(&self, id: QuestionId, question: String) {
        let Ok(turn) = Arc::clone(&self.questions).try_acquire_owned() else { return };
        let (hub, inputs) = (Arc::clone(&self.parts.hub), self.parts.sender.clone());
        self.parts.workers.spawn_blocking(move || {
            let answer = crate::api::answer_node(&hub, &question);
            drop(turn);
            // Nobody waits for it any more when the daemon ends.
            drop(inputs.blocking_send(Input::Answered(id, answer)));
        });
    }

    fn tell(&mut self, told: &Told) {
        let (event, now) = (&told.event, clock::now());
        let text = event.to_string();
        self.parts.log.event(event, text.clone(), now);
        let published = self.parts.hub.publish(told, text, now);
        self.keep(published, now.mono);
        self.parts.alerts.notices.tell(told, self.parts.half.cib(), now.wall);
        if let Event::View { members, .. } = event {
            self.parts.agents.members(members.len());
        }
        if matches!(event, Event::Quorum { quorate: true, .. }) && self.parts.arbiter.exists() {
            self.parts.agents.decides_alone();
        }
        self.news |= matches!(event, Event::View { .. } | Event::Active { .. } | Event::Quorum { .. });
    }
}
