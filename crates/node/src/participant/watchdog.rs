//! The watchdog of this host: what others are told of it, whether it is to be petted, and what must not be started without it.

use hac_crm::cib::{Applied, Change, Command, Configure, Section, StatusChange};
use hac_crm::executor::{Invocation, Outcome};
use hac_crm::fencer::{self, watchdog};
use hac_model::fencing::Watchdog;
use hac_model::{ExecStatus, OcfCode};
use hac_types::mutant;

use super::{Participant, Phase};
use crate::report::Severity;
use crate::watchdog::Duty;
use crate::wire::Proposed;
use crate::{Armed, Level, Now};

/// What is known here of this host's watchdog.
#[derive(Clone, Debug, Default)]
pub(super) enum Own {
    /// None is configured.
    #[default]
    None,
    /// It is armed.
    Armed(Armed),
    /// One is configured, and it is not armed, for this reason.
    Not(String),
}

impl Participant {
    /// The device was armed, or could not be, or is not open any more.
    pub(super) fn handle_watchdog(&mut self, now: Now, told: Result<Armed, String>) {
        let own = match told {
            Ok(armed) => Own::Armed(armed),
            Err(why) => Own::Not(why),
        };
        match (&self.watchdog, &own) {
            (_, Own::Armed(armed)) => {
                let (device, seconds) = (&armed.device, armed.times.timeout.as_secs());
                let text =
                    format!("the watchdog is armed: {device}; this host is reset {seconds} s after hacd stands still");
                self.effects.remark(Level::Notice, text);
            }
            (Own::Not(before), Own::Not(why)) if before == why => {}
            (_, Own::Not(why)) => self.effects.remark(Level::Error, format!("the watchdog is not armed: {why}")),
            (_, Own::None) => {}
        }
        self.watchdog = own;
        self.tell_watchdog(now);
    }

    /// The members are told what this node has, if the state says something else.
    pub(super) fn tell_watchdog(&mut self, now: Now) {
        if !self.is_active() {
            return;
        }
        let armed = self.own_watchdog();
        let node = self.shared_name_of(self.me.node);
        let known = self.replica.cib.status.fencing.watchdogs.get(&node);
        if known != armed.as_ref() {
            let what = Proposed::Command(Command::Status(StatusChange::Watchdog { node, armed }));
            if !self.proposals.has(&what) {
                self.propose(now, what, None, None);
            }
        }
    }

    /// What this node has armed, as others are told of it.
    pub(super) fn own_watchdog(&self) -> Option<Watchdog> {
        let Own::Armed(Armed { device, times }) = &self.watchdog else { return None };
        let exclusive = !self.quorum.status().flags.two_node;
        let token = self.timers.token_for(self.names.len());
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Some(Watchdog {
            life: self.me.incarnation.0,
            device: device.clone(),
            timeout_ms: millis(times.timeout),
            gone_after_ms: exclusive.then(|| millis(times.gone_after(token))),
        })
    }

    /// A node told of its watchdog: the coordinator writes down whether there is one (`have-watchdog`).
    pub(super) fn follow_watchdogs(&mut self, now: Now, command: &Command, applied: &Applied) {
        let matters = matches!(command, Command::Status(StatusChange::Watchdog { .. }) | Command::Configure(_));
        if matches!(command, Command::Status(StatusChange::Watchdog { .. })) && matches!(applied, Applied::Changed(_)) {
            self.tell_of_watchdog(command);
        }
        if matters && matches!(applied, Applied::Changed(_)) {
            self.write_have_watchdog(now);
        }
    }

    /// `have-watchdog` is what is so, as far as this node coordinates and may change the configuration.
    pub(super) fn write_have_watchdog(&mut self, now: Now) {
        let cib = &self.replica.cib;
        let is_there = watchdog::is_there(cib);
        let written = cib.configuration.property("have-watchdog").and_then(hac_model::parse_bool).unwrap_or(false);
        if is_there == written || !self.is_active() || !self.is_dc() || !self.may_configure() || self.fenced {
            return;
        }
        let pairs = vec![("have-watchdog".to_owned(), Some(is_there.to_string()))];
        let changes = vec![Change::SetProperties { section: Section::CrmConfig, set: None, pairs }];
        let (origin, client) = (self.name.clone(), "hacd".to_owned());
        let configure = Configure { changes, origin, client, user: "root".to_owned(), base: None };
        let what = Proposed::Command(Command::Configure(configure));
        if !self.proposals.has(&what) {
            self.propose(now, what, None, None);
        }
    }

    /// Everybody is told when a node has armed its watchdog, and when it has none any more.
    fn tell_of_watchdog(&mut self, command: &Command) {
        let Command::Status(StatusChange::Watchdog { node, armed }) = command else { return };
        if self.shared_name_of(self.me.node) == *node {
            return;
        }
        let (level, text) = match armed {
            Some(armed) => (Level::Info, format!("{node} has armed its watchdog: {}", armed.device)),
            None => (Level::Warning, format!("{node} has no watchdog any more")),
        };
        self.effects.remark(level, text);
    }

    /// How this node is, for its watchdog. `sure` says that the ring half is in service and was not kept from running.
    pub(crate) fn duty(&self, sure: bool) -> Duty {
        let judged = match &self.phase {
            Phase::Active(_) => true,
            Phase::Syncing(barrier) => barrier.join.comparison().is_some(),
            Phase::Joining | Phase::Breaking { .. } | Phase::Left => false,
        };
        let doubts = self.doubts.paused || self.doubts.undecided || self.fenced;
        let may_run = judged && sure && !doubts && self.quorum.is_quorate();
        Duty { may_run, runs: self.executor.holds_anything(), condemned: self.condemned }
    }

    /// Whether nothing runs here that others may start when this node is gone: what is left is not managed by the cluster, here or
    /// anywhere.
    pub(crate) fn leaves_nothing(&self, now: Now) -> bool {
        let held = self.executor.held_resources();
        if held.is_empty() {
            return true;
        }
        let view = hac_scheduler::view(&self.replica.cib, now.wall);
        let me = self.shared_name_of(self.me.node);
        let in_maintenance = view.maintenance_mode || view.nodes.iter().any(|it| it.name == me && it.maintenance);
        in_maintenance || held.iter().all(|id| is_unmanaged(&view.resources, id))
    }

    /// This node is to be fenced by its own watchdog, and hears of it: it does not wait for that.
    pub(super) fn obey_watchdog(&mut self, now: Now) {
        if self.condemned || self.is_breaking() || mutant("watchdog-order-ignored") {
            return;
        }
        self.condemned = true;
        self.was_condemned(now);
    }

    /// Where watchdogs are counted on, what must not run twice is not started without one. The outcome that it has instead.
    pub(super) fn refuses(&self, invocation: &Invocation) -> Option<Outcome> {
        let cib = &self.replica.cib;
        let begins = matches!(invocation.action.as_str(), "start" | "promote" | "migrate_from");
        let Own::Not(why) = &self.watchdog else { return None };
        if !begins || invocation.fencing.is_some() || !watchdog::is_counted_on(&cib.configuration) {
            return None;
        }
        if !fencer::is_exclusive(cib, &invocation.resource) {
            return None;
        }
        let reason = format!(
            "this node's watchdog is not armed ({why}), and others count on it (stonith-watchdog-timeout): mend it, then clean \
             this up"
        );
        let (rc, status) = (OcfCode::NOT_INSTALLED.0, ExecStatus::Done);
        Some(Outcome { rc, status, exit_reason: Some(reason), ..Outcome::default() })
    }

    /// What people should know of it.
    pub(super) fn watchdog_problems(&self, add: &mut impl FnMut(Severity, String, &str)) {
        if let Own::Not(why) = &self.watchdog {
            let remedy = "See to the device that watchdog.device names; it is tried again by itself.";
            add(Severity::Error, format!("the watchdog is not armed: {why}"), remedy);
        }
        let cib = &self.replica.cib;
        let armed = matches!(self.watchdog, Own::Armed(_));
        let policy = cib.configuration.property("no-quorum-policy").unwrap_or("stop");
        if armed && matches!(policy, "ignore" | "freeze") && !self.quorum.status().flags.two_node {
            let sentence = format!(
                "no-quorum-policy={policy} keeps running what the watchdog resets this host for, without quorum"
            );
            add(Severity::Warning, sentence, "Set no-quorum-policy=stop, or remove [watchdog] from hacd.toml.");
        }
        if let Some((sentence, remedy)) = watchdog::misfit(cib) {
            add(Severity::Error, format!("the watchdog of a lost node is not counted on: {sentence}"), &remedy);
        }
    }

    /// Coordinators and members of another membership know nothing of what was said in the last one.
    pub(super) fn begin_with_watchdog(&mut self, now: Now) {
        self.tell_watchdog(now);
        self.write_have_watchdog(now);
        // The state is that of the view: who finds an order against itself there obeys it.
        let me = self.shared_name_of(self.me.node);
        let running = &self.replica.cib.status.fencing.running;
        let ordered = running.iter().any(|request| {
            request.wanted.target == me
                && request.attempt.as_ref().is_some_and(|attempt| attempt.device == watchdog::WATCHDOG)
                && fencer::withdrawn(request).is_none()
        });
        if ordered {
            self.obey_watchdog(now);
        }
    }

    /// This node comes back, its watchdog was waited for meanwhile, and something runs here all the same: what was to stop it in
    /// time has not. Others may run it.
    pub(super) fn runs_though_waited_for(&self) -> bool {
        let waited = self.replica.cib.status.fencing.waited.get(&self.shared_name_of(self.me.node));
        waited == Some(&self.me.incarnation.0) && self.executor.holds_anything()
    }

    /// An order was delivered: if it is this node's watchdog that is waited for, it goes at once.
    pub(super) fn hear_of_watchdog(&mut self, now: Now, body: &hac_crm::work::FenceRun) {
        if watchdog::is_watchdog(&body.agent) && body.target == self.shared_name_of(self.me.node) {
            self.obey_watchdog(now);
        }
    }
}

/// Whether the cluster leaves its hands off the resource with a history of this id, as far as it is known.
fn is_unmanaged(resources: &[hac_scheduler::view::ResourceView], id: &str) -> bool {
    resources.iter().any(|of| {
        let within = is_unmanaged(&of.children, id);
        let is_this = of.id == id || of.history_name.as_deref() == Some(id);
        within || (is_this && !of.flags.managed)
    })
}
