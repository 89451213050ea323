//! Performs what the node wants done, in order.

use hac_node::{Event, Invocation, Output, Persist, PersistId, ProcessRef, WatchId};
use hac_udp::Trouble;

use super::inputs::Input;
use super::{Driver, End};
use crate::clock;

impl Driver {
    /// Performs everything that is to be done now. Datagrams that follow each other leave together.
    pub(super) fn perform(&mut self) {
        loop {
            while let Some(output) = self.parts.node.poll_output() {
                if let Output::Transmit { link, to, datagram } = output {
                    self.parts.udp.queue(link, to, &datagram);
                } else {
                    self.flush();
                    self.act(output);
                }
            }
            if !self.flush() {
                break;
            }
        }
        self.record();
    }

    /// Passes on what the flight recorder has.
    fn record(&mut self) {
        let Some(recording) = &mut self.parts.recording else { return };
        while let Some(chunk) = self.parts.node.poll_record() {
            if !recording.append(chunk) {
                self.parts.node.stop_recording();
                self.parts.recording = None;
                return;
            }
        }
    }

    /// Sends what is queued; whether the node had to be told of troubles.
    fn flush(&mut self) -> bool {
        let troubles = self.parts.udp.flush();
        for trouble in &troubles {
            match *trouble {
                Trouble::Refused(link, to) => self.parts.node.handle_unreachable(clock::now(), link, to),
                Trouble::TooBig(link, to) => self.parts.node.handle_too_big(clock::now(), link, to),
            }
        }
        !troubles.is_empty()
    }

    /// Performs anything but a transmission.
    fn act(&mut self, output: Output) {
        match output {
            Output::Transmit { .. } => {}
            Output::Persist { id, what } => self.persist(id, what),
            Output::Invoke(invocation) => self.invoke(invocation),
            Output::CancelInvocation(id) => {
                if let Some(task) = self.running.remove(&id) {
                    task.abort();
                }
            }
            Output::Watch(id, process) => self.watch(id, process),
            Output::Unwatch(id) => {
                if let Some(task) = self.watches.remove(&id) {
                    task.abort();
                }
            }
            // The node decides itself.
            Output::Decide { .. } => {}
            Output::Reply { id, reply } => {
                if let Some(waiting) = self.waiting.remove(&id) {
                    // A client that went away does not want it any more.
                    let _ = waiting.send(reply);
                }
            }
            Output::Event(event) => self.event(&event),
            Output::Stopped => self.end = Some(End::Left),
        }
    }

    /// The ring's number is durable before anything that follows is done; generations go to their thread.
    fn persist(&mut self, id: PersistId, what: Persist) {
        let result = match what {
            Persist::RingSeq(ring_seq) => {
                let written = self.parts.slots.reserve(ring_seq).map_err(|error| error.to_string());
                if let Err(error) = &written {
                    tracing::error!(target: "hacd::storage", "the ring's number cannot be stored: {error}");
                }
                written
            }
            generation => match self.parts.worker.order(id, generation) {
                // The thread answers.
                Ok(()) => return,
                Err(error) => Err(error),
            },
        };
        self.parts.node.handle_persisted(clock::now(), id, result);
    }

    fn invoke(&mut self, invocation: Invocation) {
        let id = invocation.id;
        tracing::debug!(target: "hacd::agents", "{} of {} begins", invocation.action, invocation.instance);
        let agents = std::sync::Arc::clone(&self.parts.agents);
        let inputs = self.parts.sender.clone();
        let reloadable = self.reloadable.clone();
        let task = tokio::spawn(async move {
            let outcome = reloadable.run(&agents, &invocation).await;
            let _ = inputs.send(Input::Outcome(invocation.id, outcome));
        });
        self.running.insert(id, task.abort_handle());
    }

    fn watch(&mut self, id: WatchId, process: ProcessRef) {
        let inputs = self.parts.sender.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = hac_agents::ended(process).await {
                tracing::warn!(target: "hacd::agents", "process {} cannot be watched: {error}", process.pid);
                return;
            }
            let _ = inputs.send(Input::Exited(id));
        });
        self.watches.insert(id, task.abort_handle());
    }

    fn event(&mut self, event: &Event) {
        let now = clock::now();
        self.parts.log.event(event, now);
        self.parts.hub.publish(event, now);
        if let Event::View { members, .. } = event {
            self.parts.agents.members(members.len());
        }
        if matches!(event, Event::View { .. } | Event::Active { .. } | Event::Quorum { .. }) {
            self.report_to_service_manager();
        }
    }
}
