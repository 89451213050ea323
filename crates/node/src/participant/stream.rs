//! What is delivered while this node takes part. Everything is applied, in transitional views too, because all who move
//! on together were handed the same; answers and outside effects follow in regular views only.

use std::collections::BTreeSet;

use hac_crm::cib::{Applied, Command, OpResult, StatusChange};
use hac_crm::transition_engine::Limits;
use hac_crm::work::Work;
use hac_model::{ExecStatus, OcfCode, Version};
use hac_types::{NodeId, Timestamp, WallTime, mutant};

use super::{Participant, Phase, told};
use crate::durable::{Prepare, Tally};
use crate::wire::{self, Answer, Body, Close, DatedOrder, Proposal, ProposalId, Proposed, Vote};
use crate::{Event, Level, Now, Reply};

impl Participant {
    /// A message of an active view.
    pub(super) fn handle_stream(&mut self, now: Now, from: NodeId, body: Body) {
        let from_dc = self.replica.dc.is_some_and(|dc| dc.node == from);
        if body.is_of_coordinator() && !from_dc {
            return self.effects.count("node.not_coordinator");
        }
        self.note_sign_of_life(now, from, &body);
        match body {
            Body::Propose(proposal) => self.handle_proposal(now, from, proposal),
            Body::Vote(vote) => self.handle_vote(now, from, vote),
            Body::Order(order) => self.handle_order(now, order),
            Body::Change(dated) => self.change_status(now, dated.change, dated.wall),
            Body::Answer(Answer { proposal, text }) => {
                if self.proposals.asks(proposal) == Some(from) {
                    self.answer(proposal, Reply::Answered(text));
                }
            }
            Body::SettleDone(id) => self.answer(id, Reply::Settled { settled: true, waiting_for: Vec::new() }),
            Body::Progress { busy } => {
                if let Phase::Active(active) = &mut self.phase {
                    active.busy = busy;
                }
                self.follow_level();
            }
            Body::KeyStored(told) => self.handle_key_stored(now, from, told),
            Body::Close(close) => self.handle_close(now, close),
            Body::Stored(version) => self.handle_stored(from, version),
            Body::Impatient => self.sign_of_life_wanted(from),
            // What is left of a barrier that came to its end all the same.
            Body::Part(_) => {}
            Body::Hello(_) | Body::Snapshot(_) | Body::NoSnapshot(_) | Body::Ready(_) => {
                self.effects.count("node.out_of_phase");
            }
        }
    }

    fn handle_proposal(&mut self, now: Now, from: NodeId, proposal: Proposal) {
        let id = proposal.id;
        if id.node != from {
            self.effects.count("node.misattributed");
            return;
        }
        let processed = self.replica.is_processed(id);
        match proposal.what {
            // It was carried out in a passing view. Whether its members have stored it nobody knows: it is stored again.
            _ if processed && proposal.what.is_stored() => {
                self.durable.queue.push_back(proposal);
                self.advance_configuration(now);
            }
            _ if processed => self.refuse(id, self.done(Vec::new())),
            Proposed::SetRegister(ref new) if !self.is_read_in_time(new) => self.refuse(id, self.done(Vec::new())),
            Proposed::SetLevel { .. }
            | Proposed::SetNodes(_)
            | Proposed::SetRegister(_)
            | Proposed::Command(Command::Configure(_)) => {
                self.durable.queue.push_back(proposal);
                self.advance_configuration(now);
            }
            Proposed::Command(Command::Status(change)) => {
                let command = Command::Status(change);
                let applied = self.apply(now, &command, proposal.wall);
                match &applied {
                    Applied::Refused(refusal) => self.refuse(id, Reply::Refused(refusal.clone())),
                    Applied::Changed(_) | Applied::Unchanged => {
                        self.replica.mark_processed(id);
                        self.answer(id, self.reply_to(&applied));
                    }
                }
                self.follow_change(now, &command, &applied);
            }
            Proposed::Settle => {
                if let Some((coordinator, _)) = self.coordinating(now) {
                    coordinator.settle(id);
                }
            }
            Proposed::Ask { node, question } => self.handle_question(id, node, question),
            Proposed::RotateKey { sealed, force } => self.begin_rotation(now, id, sealed, force),
            Proposed::CancelWaitForAll => {
                self.quorum.cancel_wait_for_all();
                self.announce_quorum(now);
                self.answer(id, self.done(Vec::new()));
            }
        }
    }

    /// The coordinator changes the status.
    fn change_status(&mut self, now: Now, change: StatusChange, wall: WallTime) {
        let command = Command::Status(change);
        let applied = self.apply(now, &command, wall);
        self.follow_change(now, &command, &applied);
    }

    /// What else follows from a change: events, and for a node that may go, going.
    fn follow_change(&mut self, now: Now, command: &Command, applied: &Applied) {
        let Command::Status(change) = command else { return };
        match change {
            StatusChange::OpResult(result) => {
                self.effects.event(result_event(result));
                self.tell_arbiter_of(now, result);
            }
            StatusChange::Quorum(quorate) if matches!(applied, Applied::Changed(_)) => {
                let waiting_for = self.quorum.status().waiting_for;
                self.effects.event(Event::Quorum { quorate: *quorate, waiting_for });
            }
            StatusChange::Shutdown { node, wanted: true } => {
                self.effects.event(Event::ShutdownRequested { node: node.clone() });
            }
            StatusChange::LetGo { node } if *node == self.name && !self.is_breaking() => {
                self.let_go();
            }
            StatusChange::Fencing(step) => self.follow_fencing(now, step, applied),
            change => {
                if let (Applied::Changed(_), Some(text)) = (applied, told::status(change)) {
                    self.effects.event(Event::Status { text });
                }
            }
        }
    }

    /// An order: recorded as pending everywhere, carried out by the node it names. In a transitional view it is only
    /// recorded, and the node says at the next barrier that it did not begin; nor does it before a pause is over.
    fn handle_order(&mut self, now: Now, dated: DatedOrder) {
        let DatedOrder { wall, order } = dated;
        let applied = order.started().map(|change| self.apply(now, &Command::Status(change), wall));
        if matches!((&order.work, &applied), (Work::Fence(_), Some(Applied::Unchanged | Applied::Refused(_)))) {
            // Out of turn: nothing is tried.
            return;
        }
        self.effects.event(match &order.work {
            Work::Fence(run) => Event::Remark { level: Level::Warning, text: told::shot(run) },
            _ => Event::of_order(&order),
        });
        if let Work::Fence(run) = &order.work {
            self.hear_of_watchdog(now, run);
        }
        self.tell_arbiter_before(&order.work);
        if order.by == self.name && !self.is_breaking() && !self.fenced {
            self.executor.limit(Limits::of(&self.replica.cib.configuration, self.cores).node_action_limit);
            self.executor.handle_order(now.mono, &order);
        }
    }

    /// Begins with the next change of the configuration, if none is being stored.
    fn advance_configuration(&mut self, now: Now) {
        while self.durable.current.is_none() {
            let Some(proposal) = self.durable.queue.pop_front() else { return };
            let id = proposal.id;
            if let Err(reply) = self.begin_configuration(now, proposal) {
                self.refuse(id, reply);
            }
        }
    }

    /// Computes the candidate and has it stored; the answer if it comes to nothing. What was carried out before is only
    /// stored; without quorum it is neither, and its origin waits for a view in which it can be.
    fn begin_configuration(&mut self, now: Now, proposal: Proposal) -> Result<(), Reply> {
        let processed = self.replica.is_processed(proposal.id);
        // What was won at the arbiter is what makes a partition quorate.
        let claims = matches!(&proposal.what, Proposed::SetRegister(new) if new.claimed.is_some());
        if !self.may_configure() && !claims {
            return if processed { Ok(()) } else { Err(Reply::NoQuorum(self.no_quorum())) };
        }
        let mut candidate = self.replica.clone();
        if !processed {
            match candidate.carry_out(&proposal, &self.gate()) {
                Applied::Refused(refusal) => return Err(Reply::Refused(refusal)),
                Applied::Unchanged => {
                    self.answer_unchanged(proposal.id);
                    self.register_stored();
                    return Ok(());
                }
                Applied::Changed(_) => {}
            }
            candidate.qualify(proposal.id, false, !self.quorum.is_majority());
        }
        let members = self.view.iter().flat_map(|view| view.members.iter().map(|member| member.node));
        let voters: Vec<NodeId> = members.filter(|node| !self.durable.behind.contains_key(node)).collect();
        // Who is behind is not asked: if the others are too few, asking them would change nothing.
        if !self.is_enough(&voters.iter().copied().collect()) {
            let behind: Vec<(NodeId, &str)> =
                self.durable.behind.iter().map(|(node, why)| (*node, why.as_str())).collect();
            let refusal = self.not_stored_on(&behind);
            return Err(if processed { made_anyway(refusal) } else { Reply::NotStored(refusal) });
        }
        let asked = voters.contains(&self.me.node);
        let generation = self.disk.next_generation();
        let id = proposal.id;
        self.durable.current = Some(Prepare::new(proposal, generation, voters, now.mono));
        if !asked {
            return Ok(());
        }
        match candidate.durable() {
            Some(bytes) => self.prepare(now, id, generation, bytes),
            None => {
                let error = Some(format!("the configuration is larger than {} MiB", wire::SNAPSHOT_MAX >> 20));
                self.broadcast(Body::Vote(Vote { proposal: id, error }));
            }
        }
        Ok(())
    }

    /// Whether this partition may change its configuration: it is quorate, or was told not to care.
    pub(super) fn may_configure(&self) -> bool {
        let cib = &self.replica.cib;
        cib.info.have_quorum || cib.configuration.property("no-quorum-policy") == Some("ignore")
    }

    /// Whether fewer than most of the votes may change the configuration, by the rules for quorum or because it was told
    /// not to care.
    pub(super) fn few_may_configure(&self) -> bool {
        let policy = self.replica.cib.configuration.property("no-quorum-policy");
        self.quorum.few_may_act() || policy == Some("ignore")
    }

    fn handle_vote(&mut self, now: Now, from: NodeId, vote: Vote) {
        let Some(current) = &mut self.durable.current else { return };
        match current.vote(from, vote.proposal, vote.error) {
            Tally::Open => {}
            Tally::Stored => {
                self.commit_configuration(now);
                self.advance_configuration(now);
            }
            Tally::Divided => self.judge_vote(now),
        }
    }

    /// The coordinator closes the vote if that is due: all that were asked have answered, or have had their time.
    pub(super) fn judge_vote(&mut self, now: Now) {
        let Some(enough) = self.unjudged() else { return };
        if let Some(close) = self.durable.close(now.mono, enough) {
            self.broadcast(Body::Close(close));
        }
    }

    /// When the coordinator is to look at the vote again.
    pub(super) fn vote_timeout(&self) -> Option<Timestamp> {
        let enough = self.unjudged()?;
        Some(self.durable.unjudged()?.judgeable(enough))
    }

    /// Whether enough have stored the change that this node is to judge, if there is one.
    fn unjudged(&self) -> Option<bool> {
        self.coordinator().filter(|_| self.acting())?;
        if mutant("vote-without-end") {
            return None;
        }
        self.durable.unjudged().map(|current| self.is_enough(current.stored()))
    }

    /// Whether a change that only these have stored survives: any partition that can be quorate later has one of them,
    /// or, in a partition that has not the votes for that, most of its members have stored it.
    pub(super) fn is_enough(&self, stored: &BTreeSet<NodeId>) -> bool {
        let votes = |node: NodeId| self.quorum.votes_of(node);
        let have: u32 = stored.iter().map(|&node| votes(node)).sum();
        let present: u32 = self.view.iter().flat_map(|view| &view.members).map(|member| votes(member.node)).sum();
        let quorum = self.quorum.status().quorum;
        let needed = if present < quorum { present / 2 + 1 } else { quorum };
        !stored.is_empty() && have >= needed
    }

    /// The coordinator's word on a change that not all have stored.
    fn handle_close(&mut self, now: Now, close: Close) {
        if self.durable.current.as_ref().is_none_or(|current| current.proposal.id != close.proposal) {
            return;
        }
        if close.counts {
            self.commit_configuration(now);
        } else {
            self.abandon_configuration();
        }
        self.advance_configuration(now);
    }

    /// A member that was behind has caught up, if nothing has changed since.
    fn handle_stored(&mut self, from: NodeId, version: Version) {
        let current = self.replica.cib.version;
        if (version.admin_epoch, version.epoch) == (current.admin_epoch, current.epoch)
            && self.durable.behind.remove(&from).is_some()
        {
            let text = format!("{} has stored the newest configuration again", self.name_of(from));
            self.effects.remark(Level::Notice, text);
        }
    }

    /// Enough members have stored the change: it counts.
    fn commit_configuration(&mut self, now: Now) {
        let Some(prepare) = self.durable.current.take() else { return };
        let Prepare { ref proposal, generation, .. } = prepare;
        if self.replica.is_processed(proposal.id) {
            self.fall_behind(&prepare);
            return self.commit(now, generation, proposal.id, self.done(self.behind_warnings()));
        }
        let gate = self.gate();
        let applied = self.replica.carry_out(proposal, &gate);
        let Applied::Changed(changes) = &applied else {
            // What is known of the present changed meanwhile so that the change no longer applies.
            self.discard(generation);
            self.refuse(proposal.id, self.reply_to(&applied));
            return;
        };
        self.fall_behind(&prepare);
        self.replica.mark_processed(proposal.id);
        let passing = self.is_breaking();
        self.replica.qualify(proposal.id, passing, !passing && !self.quorum.is_majority());
        match &proposal.what {
            Proposed::Command(command) => {
                self.applied(now, command, &applied);
                if let Command::Configure(configure) = command {
                    self.effects.event(Event::Configuration {
                        version: version_text(self.replica.cib.version),
                        origin: configure.origin.clone(),
                        client: configure.client.clone(),
                        user: configure.user.clone(),
                        changes: told::steps(configure),
                    });
                }
            }
            Proposed::SetLevel { to } => self.level_changed(*to),
            Proposed::SetNodes(_) => self.nodes_changed(now, proposal.wall),
            Proposed::SetRegister(_) => self.register_stored(),
            Proposed::Settle | Proposed::CancelWaitForAll | Proposed::RotateKey { .. } | Proposed::Ask { .. } => {}
        }
        self.find_lost(now);
        let mut warnings = changes.warnings.clone();
        warnings.extend(self.behind_warnings());
        let reply = self.done(warnings);
        self.commit(now, generation, proposal.id, reply);
        if passing {
            // What was prepared does not say so.
            self.store_present(now);
        }
    }

    /// What counts now is not on the disks of these.
    fn fall_behind(&mut self, prepare: &Prepare) {
        let members: Vec<NodeId> =
            self.view.iter().flat_map(|view| view.members.iter().map(|member| member.node)).collect();
        let before = self.durable.behind.clone();
        self.durable.counts(prepare, members.into_iter());
        for (node, why) in self.durable.behind.clone() {
            if !before.contains_key(&node) {
                let name = self.name_of(node);
                self.effects.remark(Level::Error, format!("{name} has not stored the newest configuration: {why}"));
            }
        }
    }

    /// What people must know of those who are behind.
    pub(super) fn behind_warnings(&self) -> Vec<String> {
        let warning = |(&node, why): (&NodeId, &String)| {
            format!("{} has not stored the newest configuration: {why}", self.name_of(node))
        };
        self.durable.behind.iter().map(warning).collect()
    }

    /// Too few members could store the change: nobody has it, unless it was carried out before.
    fn abandon_configuration(&mut self) {
        let Some(prepare) = self.durable.current.take() else { return };
        self.discard(prepare.generation);
        let without: Vec<(NodeId, &str)> = prepare.without().collect();
        let refusal = self.not_stored_on(&without);
        if self.replica.is_processed(prepare.proposal.id) {
            return self.refuse(prepare.proposal.id, made_anyway(refusal));
        }
        self.effects.remark(Level::Warning, refusal.sentence.clone());
        self.refuse(prepare.proposal.id, Reply::NotStored(refusal));
    }

    /// These could not store a change, and the others are too few.
    fn not_stored_on(&self, without: &[(NodeId, &str)]) -> hac_crm::cib::Refusal {
        let whom =
            without.iter().map(|(node, why)| format!("{} could not store the change: {why}", self.name_of(*node)));
        let whom = whom.collect::<Vec<_>>().join("; ");
        let names = without.iter().map(|(node, _)| self.name_of(*node)).collect::<Vec<_>>().join(" and ");
        hac_crm::cib::Refusal::new(
            format!("{whom}; nothing was changed"),
            format!("Make room for /var/lib/hacd on {names}, or look at that disk, and try again."),
        )
    }

    pub(super) fn done(&self, warnings: Vec<String>) -> Reply {
        Reply::Done { version: self.replica.cib.version, warnings }
    }

    fn reply_to(&self, applied: &Applied) -> Reply {
        match applied {
            Applied::Changed(changes) => self.done(changes.warnings.clone()),
            Applied::Unchanged => self.done(Vec::new()),
            Applied::Refused(refusal) => Reply::Refused(refusal.clone()),
        }
    }

    /// A proposal came to nothing. In a transitional view that is no answer: others may have carried it out, and if not,
    /// it will be proposed again and judged anew. What changed nothing needs no mark either.
    pub(super) fn refuse(&mut self, id: ProposalId, reply: Reply) {
        if !self.is_breaking() {
            self.answer(id, reply);
        }
    }

    /// Whether this node proposed it, in its present life.
    pub(super) fn is_mine(&self, id: ProposalId) -> bool {
        (id.node, id.incarnation) == (self.me.node, self.me.incarnation)
    }

    /// The answer to a proposal was found: given if it is this node's and the view is regular, remembered otherwise.
    pub(super) fn answer(&mut self, id: ProposalId, reply: Reply) {
        if !self.is_mine(id) {
            return;
        }
        if self.is_breaking() {
            self.proposals.maybe(id, reply);
        } else if let Some(concluded) = self.proposals.conclude(id)
            && let Some(request) = concluded.request
        {
            // What came of it in a transitional view says nothing of whether it was stored.
            let reply = match (concluded.maybe, reply) {
                (Some(Reply::Done { version, mut warnings }), Reply::Done { warnings: since, .. }) => {
                    warnings
                        .extend(since.into_iter().filter(|warning| !warnings.contains(warning)).collect::<Vec<_>>());
                    Reply::Done { version, warnings }
                }
                (None, reply) | (_, reply @ (Reply::NotStored(_) | Reply::TimedOut(_))) => reply,
                (Some(maybe), _) => maybe,
            };
            self.effects.reply(request, reply);
        }
    }
}

/// The answer to a change that was carried out in a transitional view and could not be stored by enough members since.
fn made_anyway(mut refusal: hac_crm::cib::Refusal) -> Reply {
    refusal.sentence = refusal.sentence.replace("; nothing was changed", ", though it was made");
    Reply::TimedOut(refusal)
}

/// `ADMIN_EPOCH.EPOCH.NUM_UPDATES`.
pub(super) fn version_text(version: Version) -> String {
    format!("{}.{}.{}", version.admin_epoch, version.epoch, version.num_updates)
}

fn result_event(result: &OpResult) -> Event {
    let op = &result.op;
    // A probe asks; that something runs where nobody knew of it is an answer, not a failure.
    let answers = op.is_probe() && matches!(op.rc_code, OcfCode::OK | OcfCode::NOT_RUNNING | OcfCode::PROMOTED);
    let expected = op.ended(ExecStatus::Done) && (answers || op.expected_rc().is_none_or(|rc| rc == op.rc_code));
    Event::Result {
        node: result.node.clone(),
        operation: hac_crm::executor::operation_key(&result.resource, &op.operation, op.interval_ms),
        rc: op.rc_code.0,
        expected,
        took_ms: op.exec_time_ms,
        exit_reason: op.exit_reason.clone(),
    }
}
