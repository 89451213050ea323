//! The vote of a store outside: when it is claimed, what is held back meanwhile, and how what was won becomes part of the state.
//! What decides is `hac_quorum::Arbiter`; see `docs/decisions/0046-third-vote.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use hac_crm::cib::{OpResult, Refusal};
use hac_crm::fencer;
use hac_crm::work::Work;
use hac_model::{ExecStatus, OcfCode, ResourceHistory, Task};
use hac_quorum::{Arbiter, ArbiterOutput, Health, Model, Register};
use hac_types::{Member, NodeId, Timestamp, View};

use super::Participant;
use crate::join::Agreement;
use crate::report::{ArbiterReport, Severity};
use crate::wire::{NewRegister, Proposed};
use crate::{Event, Level, Now, Output, Reply, RequestId};

/// What a node has that was told of an arbiter.
pub(super) struct ThirdVote {
    machine: Arbiter,
    /// Why this node is without the vote, if it asked for it.
    without: Option<String>,
    /// Members that were not told of it.
    untold: Vec<NodeId>,
    /// Who asked that the store be believed.
    trusting: Option<RequestId>,
    /// What people were told last of how it does.
    told: Option<Health>,
}

impl ThirdVote {
    /// Of a node that has just started, with what its state says.
    pub(super) const fn new(me: Member, model: Model, register: Option<Register>) -> Self {
        Self {
            machine: Arbiter::new(me, model, register),
            without: None,
            untold: Vec::new(),
            trusting: None,
            told: None,
        }
    }
}

impl Participant {
    /// A membership is over, and this one is next.
    pub(super) fn leave_arbiter(&mut self, next: &View) {
        self.doubts.undecided = false;
        let alone = next.members.iter().all(|member| member.node == self.me.node);
        if let Some(arbiter) = &mut self.arbiter {
            if alone { arbiter.machine.rest() } else { arbiter.machine.meet() }
        }
    }

    /// All hellos are there: who has won the vote has it in this membership too, if the other node is still away.
    pub(super) fn keep_arbiters_vote(&mut self) {
        if self.arbiter.as_ref().is_some_and(|arbiter| arbiter.machine.has_won()) && self.quorum.needs_arbiter() {
            self.quorum.set_arbiter(true);
        }
    }

    /// The barrier is over: what the members know of the register is one from now on; if the arbiter's vote decides whether this
    /// membership is quorate, it is claimed, and nothing is started or stopped before the answer.
    pub(super) fn weigh_arbiter(&mut self, now: Now, over: &Agreement) {
        let whole = self.quorum.is_whole();
        let told = |ready: &crate::wire::Ready| ready.arbiter;
        let known = over.readies.values().filter_map(|ready| ready.register.as_ref());
        let newest = Register::newest(known).cloned();
        let nobody = whole && !over.readies.values().any(told);
        let newest = newest.filter(|_| !nobody);
        if newest != self.replica.register {
            self.replica.register.clone_from(&newest);
            self.store_present(now);
        }
        // The other node may have the arbiter's vote although this one was told of none.
        let barred = self.arbiter.is_none() && newest.is_some();
        if self.quorum.bar_two_node(barred).changed {
            self.announce_quorum(now);
        }
        let untold = over.readies.iter().filter(|(_, ready)| !ready.arbiter).map(|(node, _)| *node).collect();
        let left_clean = over.hellos.get(&self.me.node).map(|hello| hello.left_clean.clone()).unwrap_or_default();
        let led = over.hellos.get(&self.me.node).is_some_and(|hello| hello.dc == Some(self.me));
        let grace = self.grace(&left_clean, led);
        let (steward, counts, needed) = (self.is_dc(), self.quorum.counts_arbiter(), self.quorum.needs_arbiter());
        let Some(arbiter) = &mut self.arbiter else { return };
        arbiter.untold = untold;
        if nobody {
            arbiter.machine.forget();
        }
        if whole && counts && arbiter.untold.is_empty() {
            arbiter.without = None;
            arbiter.machine.together(now.mono, newest, steward);
        } else if needed {
            self.doubts.undecided = true;
            arbiter.machine.alone(now.mono, grace);
            self.effects.remark(Level::Notice, "the arbiter is asked which of the nodes goes on");
        } else if !arbiter.machine.has_won() {
            arbiter.machine.rest();
        }
        self.follow_arbiter(now);
    }

    /// How long this node lets the other one claim first: whoever runs more goes on, so that a cut moves nothing.
    fn grace(&self, left_clean: &BTreeSet<NodeId>, led: bool) -> Duration {
        if !left_clean.is_empty() {
            return Duration::ZERO;
        }
        let me = self.me.node.to_string();
        let (mut mine, mut theirs) = (0, 0);
        for state in &self.replica.cib.status.nodes {
            let active = state.resources.iter().filter(|history| is_active(history)).count();
            if state.id == me { mine = active } else { theirs = theirs.max(active) }
        }
        let first = mine > theirs || (mine == theirs && led);
        let grace = self.arbiter.as_ref().map_or(Duration::ZERO, |arbiter| arbiter.machine.model().grace());
        if first { Duration::ZERO } else { grace }
    }

    /// Does what the claim wants done.
    pub(super) fn follow_arbiter(&mut self, now: Now) {
        while let Some(output) = self.arbiter.as_mut().and_then(|arbiter| arbiter.machine.poll_output()) {
            match output {
                ArbiterOutput::Ask(id, request) => {
                    let cluster = self.replica.cluster.uuid.clone();
                    self.effects.output(Output::Arbiter { id, cluster, request });
                }
                ArbiterOutput::Store(register) => self.propose_register(now, register),
                ArbiterOutput::Won => {
                    if let Some(arbiter) = &mut self.arbiter {
                        arbiter.without = None;
                    }
                    self.effects.remark(Level::Notice, "the arbiter's vote is with this node");
                    self.quorum.set_arbiter(true);
                    self.announce_quorum(now);
                }
                ArbiterOutput::Without(why) => self.go_on_without(why),
                ArbiterOutput::NotTrusted(why) => {
                    let request = self.arbiter.as_mut().and_then(|arbiter| arbiter.trusting.take());
                    if let Some(id) = request {
                        let sentence = format!("what the arbiter has cannot be taken for this cluster's: {why}");
                        let remedy = "Start all nodes, see to the arbiter, and try again.";
                        self.effects.reply(id, Reply::Unavailable(Refusal::new(sentence, remedy)));
                    }
                }
            }
        }
        // It is known to all that this partition is quorate: the coordinator decides with that.
        let won = self.arbiter.as_ref().is_some_and(|arbiter| arbiter.machine.has_won());
        if won && self.replica.cib.info.have_quorum {
            self.doubts.undecided = false;
        }
        self.tell_of_arbiter();
    }

    /// There is no vote, or not in time.
    fn go_on_without(&mut self, why: String) {
        if std::mem::take(&mut self.doubts.undecided) {
            let waiting_for = self.quorum.status().waiting_for;
            self.effects.event(Event::Quorum { quorate: false, waiting_for });
        }
        let Some(arbiter) = &mut self.arbiter else { return };
        if arbiter.without.as_ref() != Some(&why) {
            self.effects.remark(Level::Warning, why.clone());
            arbiter.without = Some(why);
        }
    }

    /// What was written at the arbiter becomes part of the state of all members, and counts then.
    fn propose_register(&mut self, now: Now, register: Register) {
        let request = self.arbiter.as_mut().and_then(|arbiter| arbiter.trusting.take());
        if self.proposals.has_register(&register) {
            return;
        }
        let whole = self.quorum.is_whole();
        let claimed = self.ring().filter(|_| !whole);
        let lists = self.arbiter.as_ref().is_some_and(|arbiter| arbiter.machine.model() == Model::ActionLog);
        let read_in = self.ring().filter(|_| whole && lists);
        let deadline = request.map(|_| now.mono + self.request_timeout);
        self.propose(now, Proposed::SetRegister(NewRegister { register, claimed, read_in }), request, deadline);
    }

    /// Whether what was read of a list of actions may become what all know: only if it is delivered to all in the membership in which
    /// it was read. Then no action in it is a claim of a node that was lost meanwhile, which this node has not noticed yet.
    pub(super) fn is_read_in_time(&self, new: &NewRegister) -> bool {
        new.read_in.is_none_or(|ring| !self.is_breaking() && self.ring() == Some(ring))
    }

    /// An operation is about to begin: both nodes are to know it before, if it moves the address.
    pub(super) fn tell_arbiter_before(&mut self, work: &Work) {
        if let Work::Operation(op) = work
            && op.interval_ms == 0
            && op.task == Task::Start
            && fencer::is_address(&op.agent)
            && let Some(arbiter) = &mut self.arbiter
        {
            arbiter.machine.moving();
        }
    }

    /// An operation has ended at the outside.
    pub(super) fn tell_arbiter_of(&mut self, now: Now, result: &OpResult) {
        if result.op.interval_ms == 0
            && let Some(arbiter) = &mut self.arbiter
        {
            arbiter.machine.moved(now.mono, fencer::is_address(&result.agent));
        }
    }

    /// The state has another register, and all members have stored it.
    pub(super) fn register_stored(&mut self) {
        if let (Some(arbiter), Some(register)) = (&mut self.arbiter, &self.replica.register) {
            arbiter.machine.stored(register);
        }
    }

    /// The store has answered, or has not.
    pub(super) fn handle_arbiter(&mut self, now: Now, id: u64, answer: Result<hac_quorum::Answer, String>) {
        if let Some(arbiter) = &mut self.arbiter {
            arbiter.machine.answered(now.mono, id, answer);
        }
    }

    /// A person says that what the store has is to be believed.
    pub(super) fn trust_arbiter(&mut self, now: Now, id: RequestId) {
        let refused = match &mut self.arbiter {
            None => Some(("this node was told of no arbiter", "See [arbiter] in hacd.toml.")),
            Some(arbiter) if arbiter.trusting.is_some() => {
                Some(("the arbiter is being asked just now", "Try again in some seconds."))
            }
            Some(arbiter) => {
                arbiter.trusting = Some(id);
                arbiter.machine.trust(now.mono);
                None
            }
        };
        if let Some((sentence, remedy)) = refused {
            self.effects.reply(id, Reply::Unavailable(Refusal::new(sentence, remedy)));
        }
    }

    /// When the claim has something to do.
    pub(super) fn arbiter_timeout(&self) -> Option<Timestamp> {
        self.arbiter.as_ref().and_then(|arbiter| arbiter.machine.poll_timeout())
    }

    /// Does what is due of it.
    pub(super) fn expire_arbiter(&mut self, now: Now) {
        if let Some(arbiter) = &mut self.arbiter {
            arbiter.machine.handle_timeout(now.mono);
        }
    }

    /// Says when the store can or cannot be had any more.
    fn tell_of_arbiter(&mut self) {
        let Some(arbiter) = &mut self.arbiter else { return };
        let health = arbiter.machine.health();
        if arbiter.told.as_ref() == Some(health) || *health == Health::Unknown {
            return;
        }
        let before = arbiter.told.replace(health.clone());
        let (level, text) = match health {
            Health::Unknown => return,
            Health::Ready if before.is_none() => (Level::Info, "the arbiter answers".to_owned()),
            Health::Ready => (Level::Notice, "the arbiter answers again".to_owned()),
            // Why it does not may be said in other words each time.
            Health::Silent(_) if matches!(before, Some(Health::Silent(_))) => return,
            Health::Silent(why) => (Level::Warning, format!("the arbiter does not answer: {why}")),
            Health::Strange(why) => (Level::Error, format!("the arbiter is not believed: {why}")),
        };
        self.effects.remark(level, text);
    }

    /// How it stands with the third vote.
    pub(super) fn arbiter_report(&self) -> Option<ArbiterReport> {
        let arbiter = self.arbiter.as_ref()?;
        let epoch = arbiter.machine.register().map_or(0, |register| register.epoch);
        let unused = !self.quorum.counts_arbiter();
        let (state, sentence) = match (&arbiter.without, arbiter.machine.health()) {
            _ if unused => ("unused", "it votes with two nodes that have one vote each, and with no others".to_owned()),
            _ if self.doubts.undecided => ("asked", "it is asked which of the nodes goes on".to_owned()),
            _ if arbiter.machine.has_won() => ("won", "its vote is with this node".to_owned()),
            (Some(why), _) => ("lost", why.clone()),
            (None, Health::Unknown) => ("unknown", "it was not asked yet".to_owned()),
            (None, Health::Ready) => ("ready", "it answers and has what this cluster knows".to_owned()),
            (None, Health::Silent(why)) => ("silent", why.clone()),
            (None, Health::Strange(why)) => ("strange", why.clone()),
        };
        Some(ArbiterReport { state: state.to_owned(), sentence, epoch })
    }

    /// What people should know of it.
    pub(super) fn arbiter_problems(&self, add: &mut impl FnMut(Severity, String, &str)) {
        let Some(arbiter) = &self.arbiter else {
            if self.replica.register.is_some() {
                let sentence = "this cluster has an arbiter and this node was told of none: it does not go on alone";
                add(
                    Severity::Error,
                    sentence.to_owned(),
                    "Give all nodes the same hacd.toml and start hacd here again.",
                );
            }
            return;
        };
        if !arbiter.untold.is_empty() {
            let names: Vec<String> = arbiter.untold.iter().map(|node| self.name_of(*node)).collect();
            let sentence = format!("{} was told of no arbiter, so that its vote is not used", names.join(" and "));
            add(Severity::Error, sentence, "Give all nodes the same hacd.toml and start hacd there again.");
        }
        if let Some(why) = arbiter.without.as_ref().filter(|_| !self.standing().quorate) {
            let remedy = "It is asked again by itself unless the other node has the vote; start the other node.";
            add(Severity::Error, format!("no vote of the arbiter: {why}"), remedy);
        }
        match arbiter.machine.health() {
            Health::Silent(why) => {
                let sentence = format!("no arbiter: the next death of a node stops the service: {why}");
                let remedy = "See to the store that 'arbiter.endpoints' names; it is asked again by itself.";
                add(Severity::Warning, sentence, remedy);
            }
            Health::Strange(why) => {
                let sentence =
                    format!("the arbiter is not believed, and the next death of a node stops the service: {why}");
                let remedy = "If that is as it should be, 'hacctl quorum trust' takes it, while all nodes are members.";
                add(Severity::Error, sentence, remedy);
            }
            Health::Unknown | Health::Ready => {}
        }
    }
}

/// Whether the last operation in a history left the resource running.
fn is_active(history: &ResourceHistory) -> bool {
    let done = history.ops.iter().filter(|op| op.op_status == ExecStatus::Done.code());
    let last = done.max_by_key(|op| op.call_id);
    last.is_some_and(|op| {
        let runs = matches!(op.rc_code, OcfCode::OK | OcfCode::PROMOTED);
        runs && !matches!(op.operation.as_str(), "stop" | "migrate_to" | "notify")
    })
}
