//! The way out: ask to be let go, wait until the resources are handed over, say goodbye.

use std::time::Duration;

use hac_crm::cib::{Command, Refusal, StatusChange};
use hac_crm::fencer;
use hac_totem::LeaveReason;
use hac_types::Timestamp;

use super::{Participant, Phase};
use crate::halves::Down;
use crate::wire::Proposed;
use crate::{Level, Now, Output, Reply};

/// How long a node that was fenced stops what runs on it before it leaves with what is left.
const FENCED_MAX: Duration = Duration::from_secs(60);

/// How long a node on which nothing runs any more waits to be let go: whoever coordinates may be at work on what does not come
/// to an end, such as the fencing of a node that no device reaches.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A node that wants to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    deadline: Timestamp,
    /// Until when it waits to be let go although nothing runs here, since that is so.
    idle: Option<Timestamp>,
}

impl Leaving {
    /// When it goes as it is.
    pub(super) fn deadline(&self) -> Timestamp {
        self.idle.map_or(self.deadline, |idle| idle.min(self.deadline))
    }
}

impl Participant {
    /// Hands resources over and leaves; a second call leaves at once.
    pub(super) fn handle_shutdown(&mut self, now: Now) {
        if matches!(self.phase, Phase::Left) {
            return;
        }
        if self.leaving.is_some() {
            self.effects.remark(Level::Warning, "asked a second time to leave: leaving at once");
            return self.go();
        }
        self.leaving = Some(Leaving { deadline: now.mono + self.shutdown_escalation, idle: None });
        if !self.has_state() && !self.executor.is_active() {
            return self.go();
        }
        self.ask_to_leave(now);
    }

    fn ask_to_leave(&mut self, now: Now) {
        let change = StatusChange::Shutdown { node: self.name.clone(), wanted: true };
        self.propose(now, Proposed::Command(Command::Status(change)), None, None);
    }

    /// In a new view the wish may have been lost with the state of the old one.
    pub(super) fn ask_to_leave_again(&mut self, now: Now) {
        let asked = self.replica.cib.transient(&self.name, "shutdown").is_some();
        if self.leaving.is_some() && !asked {
            self.ask_to_leave(now);
        }
    }

    /// The coordinator lets this node go.
    pub(super) fn let_go(&mut self) {
        if self.leaving.is_some() {
            self.go();
        }
    }

    /// Since when nothing runs here that would have to be handed over: from then on it waits a while, and no longer.
    pub(super) fn watch_leaving(&mut self, now: Now) {
        if let Some(leaving) = &mut self.leaving {
            // Looks at all resources: only while it matters.
            let idle = !self.executor.is_active() && self.executor.in_progress() == 0;
            leaving.idle = idle.then(|| leaving.idle.unwrap_or(now.mono + IDLE_MAX));
        }
    }

    /// The coordinator did not let this node go in time.
    pub(super) fn expire_leaving(&mut self, now: Now) {
        if self.leaving.is_some_and(|leaving| leaving.idle.is_some_and(|idle| idle <= now.mono)) {
            let text = "nothing runs here any more, and nobody lets this node go: leaving without that";
            self.effects.remark(Level::Warning, text);
            return self.go();
        }
        if self.leaving.is_some_and(|leaving| leaving.deadline <= now.mono) {
            let text = "was not let go in time: leaving with what still runs here";
            self.effects.remark(Level::Error, text);
            self.go();
        }
    }

    /// This node cannot go on as a member: it leaves, alone, and says why. A start of the daemon tries again.
    pub(super) fn fail(&mut self, why: String) {
        self.effects.remark(Level::Error, format!("{why}; this node leaves the cluster"));
        self.effects.output(Output::Fault(why));
        self.go();
    }

    /// This node learns that it was fenced, and lives: the others take it for down and start elsewhere what ran here. All of
    /// that is stopped at once, then it leaves, and stays away until somebody starts it.
    pub(super) fn was_fenced(&mut self, now: Now) {
        if self.fenced || matches!(self.phase, Phase::Left) {
            return;
        }
        let panics = fencer::panics(&self.replica.cib.configuration);
        let why = "this node was fenced, but it still runs: everything here is stopped, and it leaves the cluster";
        self.stop_and_go(now, why, panics);
    }

    /// The others wait for this node's watchdog, and it hears of that: the host is reset at once. Where that cannot be done, the
    /// watchdog does it, which is not petted any more; until then all is stopped.
    pub(super) fn was_condemned(&mut self, now: Now) {
        self.stop_and_go(now, "this node is to be fenced by its watchdog: the host is reset", true);
    }

    /// Stops everything, whatever was ordered, and leaves after that; before, if the host is to be reset and can be.
    fn stop_and_go(&mut self, now: Now, why: &str, panics: bool) {
        self.fenced = true;
        self.effects.remark(Level::Error, why.to_owned());
        self.effects.output(Output::Fenced { why: why.to_owned(), panics });
        self.leaving = Some(Leaving { deadline: now.mono + FENCED_MAX, idle: None });
        self.executor.stop_everything(now.mono);
    }

    /// Once all is stopped, a node that was fenced leaves. It does not wait until the others have heard of the stops.
    pub(super) fn leave_if_fenced(&mut self) {
        if self.fenced && self.executor.in_progress() == 0 {
            let is_active = self.executor.is_active_with(self.untold());
            self.go_with(!is_active);
        }
    }

    fn go(&mut self) {
        self.go_with(!self.executor.is_active());
    }

    /// Leaves with whatever runs here, which others are to take for running.
    pub(super) fn go_as_it_is(&mut self) {
        self.go_with(false);
    }

    fn go_with(&mut self, resources_clean: bool) {
        if matches!(self.phase, Phase::Left) {
            return;
        }
        self.phase = Phase::Left;
        for request in self.proposals.abandon() {
            let refusal = Refusal::new(
                "this node has left the cluster; the change may still be made",
                "Look at the configuration on another node before asking again.",
            );
            self.effects.reply(request, Reply::TimedOut(refusal));
        }
        self.effects.order(Down::Leave(LeaveReason::Shutdown { resources_clean }));
    }
}
