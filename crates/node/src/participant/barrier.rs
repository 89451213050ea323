//! From a view to taking part: the barrier's messages, and the moment at which it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hac_crm::cib::{Applied, Command, Join as Joined, NodePresence, Replicated as _, StatusChange, has_primitive};
use hac_model::{ResourceHistory, Shared};
use hac_quorum::{Candidate, coordinator};
use hac_totem::Exclusion;
use hac_types::{Departure, Member, NodeId, Timestamp, View, WallTime, mutant};

use super::coordinator::{ARRIVAL, Coordinator};
use super::sign_of_life::SignOfLife;
use super::{Active, Participant, Phase};
use crate::halves::Down;
use crate::join::{Agreement, Comparison, Join};
use crate::wire::{self, Body, Hello, Proposed, Ready};
use crate::{Event, Level, Now};

/// The barrier of the present view, and what this node has come to in it.
#[derive(Debug)]
pub(super) struct Barrier {
    pub(super) join: Join,
    /// Whose state was taken over.
    copied_from: Option<NodeId>,
}

impl Participant {
    /// A transitional view: nobody acts until the next active one.
    pub(super) fn break_up(&mut self) {
        if self.is_active() {
            self.shown.get_or_insert_with(|| Arc::clone(&self.replica.cib));
        }
        self.phase = match self.phase {
            Phase::Active(_) | Phase::Breaking { was_active: true } => Phase::Breaking { was_active: true },
            Phase::Joining | Phase::Syncing(_) | Phase::Breaking { was_active: false } => {
                Phase::Breaking { was_active: false }
            }
            Phase::Left => Phase::Left,
        };
    }

    /// A regular view follows: everything that belonged to the old ring goes.
    pub(super) fn end_view(&mut self, now: Now, next: &View) {
        self.meet(next);
        self.doubts.paused = false;
        self.phase =
            Phase::Syncing(Barrier { join: Join::new(next.ring, next.members.clone(), now.mono), copied_from: None });
        self.leave_arbiter(next);
        self.executor.end_view(now.mono);
        self.parts.clear();
        self.keys.begin_view();
    }

    /// A regular view: the barrier begins.
    pub(super) fn begin_view(&mut self, now: Now, view: View) {
        if let Some(generation) = self.durable.reset() {
            self.discard(generation);
        }
        let clean = |left: &&hac_types::Left| left.departure == Departure::LeftClean;
        let left_clean = view.left.iter().filter(clean).map(|left| left.member.node).collect();
        self.view = Some(view);
        let hello = Hello {
            version: self.replica.cib.version,
            digest: self.replica.cib.digest(),
            processed: self.replica.processed(),
            lineage: self.replica.lineage,
            lived: self.lived,
            lives: self.replica.lives.clone(),
            since: self.since,
            dc: self.replica.dc,
            left_clean,
            votes: self.quorum.info().into(),
            wall: now.wall,
            name: self.name.clone(),
            software: self.version.clone(),
            keys: self.keys.standing(),
            undurable: self.unreliable(),
            levels: self.levels,
            cluster: self.replica.cluster.clone(),
            few: self.few_may_configure(),
            offer: self.offer(),
        };
        self.broadcast(Body::Hello(hello));
        self.withdraw_fencing(now);
    }

    /// A message of the barrier.
    pub(super) fn handle_barrier(&mut self, now: Now, from: NodeId, body: Body) {
        let Phase::Syncing(Barrier { join, .. }) = &mut self.phase else { return };
        if !matches!(body, Body::Impatient) {
            join.progress(now.mono);
        }
        match body {
            Body::Hello(hello) => {
                let software = hello.software.clone();
                self.keys.learn(from, hello.keys);
                self.releases.insert(from, (hello.software.clone(), hello.levels));
                if let Some(comparison) = join.hello(from, hello) {
                    self.compared(now, &comparison);
                }
                self.learn_version(from, software);
            }
            Body::Snapshot(bytes) => {
                if join.copied(from, bytes.len()) {
                    self.copied(now, from, Ok(&bytes));
                }
            }
            Body::NoSnapshot(why) => {
                if join.copied(from, 0) {
                    self.copied(now, from, Err(why));
                }
            }
            Body::Impatient => self.leave_out(now, from),
            // Progress it is; it counts when it is whole.
            Body::Part(_) => {}
            Body::Ready(ready) => {
                let lost = ready.lost.clone();
                let agreement = join.ready(from, ready);
                self.learn_lost(from, lost);
                if let Some(agreement) = agreement {
                    self.activate(now, agreement);
                }
            }
            Body::Propose(_)
            | Body::Vote(_)
            | Body::Order(_)
            | Body::Change(_)
            | Body::SettleDone(_)
            | Body::KeyStored(_)
            | Body::Close(_)
            | Body::Stored(_)
            | Body::Answer(_)
            | Body::Progress { .. } => self.effects.count("node.out_of_phase"),
        }
    }

    /// All hellos are there: quorum is judged, and the donor speaks if anybody needs its state.
    fn compared(&mut self, now: Now, comparison: &Comparison) {
        let Phase::Syncing(Barrier { join, .. }) = &self.phase else { return };
        let infos = join.hellos().iter().map(|(&node, hello)| (node, hello.votes.clone().into())).collect();
        let ring = join.ring;
        let decision = self.quorum.membership(now.mono, ring, infos);
        self.keep_arbiters_vote();
        if decision.changed && !self.quorum.needs_arbiter() {
            let waiting_for = self.quorum.status().waiting_for;
            self.effects.event(Event::Quorum { quorate: decision.quorate, waiting_for });
        }
        self.take_over_what_is_newest(now, comparison);
        if comparison.needy.is_empty() {
            self.announce_ready(now);
        } else if comparison.donor == self.me.node {
            self.send_snapshot(&comparison.needy);
        }
    }

    fn send_snapshot(&mut self, needy: &BTreeSet<NodeId>) {
        let names: Vec<String> = needy.iter().map(|&node| self.name_of(node)).collect();
        let Some(bytes) = self.replica.snapshot() else {
            let why = format!("it is larger than {} MiB", wire::SNAPSHOT_MAX >> 20);
            self.effects
                .remark(Level::Error, format!("the cluster's state cannot be handed to {}: {why}", names.join(" ")));
            return self.broadcast(Body::NoSnapshot(why));
        };
        let text = format!("handing the state ({} bytes) to {}", bytes.len(), names.join(" "));
        self.effects.remark(Level::Info, text);
        self.broadcast(Body::Snapshot(bytes));
    }

    /// The donor's state is complete, or cannot be had. Who needs it and cannot use it leaves, alone.
    fn copied(&mut self, now: Now, donor: NodeId, state: Result<&[u8], String>) {
        let Phase::Syncing(Barrier { join, copied_from }) = &mut self.phase else { return };
        let needs = join.comparison().is_some_and(|c| c.needy.contains(&self.me.node));
        if needs && !mutant("snapshot-untaken") {
            match state.and_then(|bytes| wire::decode_snapshot(bytes).map_err(|why| why.to_string())) {
                Ok(snapshot) => {
                    *copied_from = Some(donor);
                    self.take_over(now, donor, snapshot);
                }
                Err(why) => {
                    self.effects.count("node.undecodable");
                    let donor = self.name_of(donor);
                    return self.fail(format!("the state of {donor} cannot be taken over: {why}"));
                }
            }
        }
        self.announce_ready(now);
    }

    /// A member has waited for too long without progress. All members see the same ones missing here, and go on without
    /// them.
    fn leave_out(&mut self, now: Now, from: NodeId) {
        let Phase::Syncing(Barrier { join, .. }) = &mut self.phase else { return };
        let missing = join.judge(now.mono, from);
        if missing.is_empty() {
            return;
        }
        let owed = join.owed();
        self.exclude(from, missing, owed);
    }

    /// These owe something and are left out of the next membership; `from` is who says so.
    pub(super) fn exclude(&mut self, from: NodeId, missing: Vec<NodeId>, owed: &str) {
        if missing.contains(&self.me.node) {
            let text = format!("{} goes on without this node, which {owed} in time", self.name_of(from));
            self.effects.remark(Level::Error, text.clone());
            self.left_out.insert(self.me.node, text);
            return;
        }
        for &node in &missing {
            let text = format!("{} {owed} in time and is left out of the next membership", self.name_of(node));
            self.effects.remark(Level::Error, text.clone());
            self.left_out.insert(node, text);
        }
        self.effects.order(Down::Exclude(missing, Exclusion::Silent));
    }

    /// When this node has waited for too long in the barrier.
    pub(super) fn barrier_timeout(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Syncing(_) if mutant("barrier-without-end") => None,
            Phase::Syncing(barrier) => Some(barrier.join.deadline()),
            _ => None,
        }
    }

    /// Says that nothing comes, if nothing comes.
    pub(super) fn lose_patience(&mut self, now: Now) {
        let Phase::Syncing(Barrier { join, .. }) = &mut self.phase else { return };
        if join.deadline() <= now.mono {
            join.progress(now.mono);
            self.broadcast(Body::Impatient);
        }
    }

    fn take_over(&mut self, now: Now, donor: NodeId, snapshot: wire::Snapshot) {
        let old = self.replica.cib.configuration_digest();
        let older = self.replica.cib.version;
        self.give_way(now, donor, &snapshot.trail, &snapshot.cib);
        self.replica.replace(snapshot);
        self.doubt_answers();
        let version = self.replica.cib.version;
        let same_configuration = self.replica.cib.configuration_digest() == old;
        if same_configuration && (older.admin_epoch, older.epoch) == (version.admin_epoch, version.epoch) {
            return self.discard_superseded();
        }
        self.unkept = true;
        self.store_present(now);
    }

    /// This node has the state of the view, and tells its own truth if that says otherwise.
    fn announce_ready(&mut self, now: Now) {
        // What it found and has not been able to tell is told first: nobody must order it again.
        let configuration = &self.replica.cib.configuration;
        self.executor.expose_unconfigured(|history| has_primitive(configuration, history));
        let histories = self.executor.history_with(self.untold());
        let mut recorded: Vec<&ResourceHistory> = self.recorded_histories().iter().map(|of| &**of).collect();
        recorded.sort_by(|a, b| a.id.cmp(&b.id));
        // What a node tells that was fenced does not count: others take it for down.
        let same = recorded.into_iter().eq(&histories) || self.has_survived(&self.me);
        let history = (!same && !mutant("history-untold")).then_some(histories);
        self.find_lost(now);
        let lost = self.lost.last().map(|kept| kept.lost.clone());
        let (quorate, arbiter) = (self.quorum.is_quorate(), self.arbiter.is_some());
        let register = self.replica.register.clone();
        let watchdog = self.own_watchdog();
        self.broadcast(Body::Ready(Ready { quorate, history, lost, register, arbiter, watchdog }));
    }

    /// What this node has said of the present and not heard back yet.
    pub(super) fn untold(&self) -> impl Iterator<Item = &StatusChange> {
        self.proposals.again().filter_map(|proposal| match &proposal.what {
            Proposed::Command(Command::Status(change)) => Some(change),
            _ => None,
        })
    }

    /// What the state says about this node's resources.
    fn recorded_histories(&self) -> &[Shared<ResourceHistory>] {
        let id = self.me.node.to_string();
        let nodes = &self.replica.cib.status.nodes;
        nodes.iter().find(|state| state.id == id).map_or(&[], |state| state.resources.as_slice())
    }

    /// The barrier is over. Everything here follows from what all members delivered, so it is the same on all.
    fn activate(&mut self, now: Now, over: Agreement) {
        let (ring, wall) = (over.ring, over.wall());
        let mut candidates: Vec<Candidate> = candidates(&over);
        // Who was fenced and lives is about to go. So does everybody, if that is everybody.
        if !over.members.iter().all(|member| self.has_survived(member)) {
            candidates.retain(|candidate| !self.has_survived(&candidate.member));
        }
        let donor_dc = over.hellos.get(&over.comparison.donor).and_then(|hello| hello.dc);
        let dc = coordinator(&candidates, donor_dc);
        let quorate = dc.and_then(|dc| over.readies.get(&dc.node)).is_some_and(|ready| ready.quorate);

        let was_waited_for = self.runs_though_waited_for();
        self.record_presence(now, &over, wall);
        for (&node, ready) in &over.readies {
            if let Some(resources) = &ready.history {
                let node = self.shared_name_of(node);
                let resources = resources.clone();
                self.record(now, wall, StatusChange::NodeHistory { node, resources });
            }
        }
        for (&node, ready) in &over.readies {
            let (node, armed) = (self.shared_name_of(node), ready.watchdog.clone());
            if self.replica.cib.status.fencing.watchdogs.get(&node) != armed.as_ref() {
                self.record(now, wall, StatusChange::Watchdog { node, armed });
            }
        }
        self.record(now, wall, StatusChange::Quorum(quorate));
        self.record(now, wall, StatusChange::Dc { node: dc.map(|dc| self.shared_name_of(dc.node)) });
        self.replica.dc = dc;
        if quorate {
            self.replica.lineage = Some(ring);
            self.lived = Some(ring);
        }
        let counts = self.may_configure() && self.replica.counts(self.quorum.is_majority());
        // What was prepared long ago counts now: nothing that was prepared since must take its place later.
        let since_now = quorate && over.comparison.offer.is_some();
        if counts || since_now {
            self.store_present(now);
        }
        self.show_what_counts();
        self.settle_level(now);
        let is_new = over.hellos.values().all(|hello| hello.lineage.is_none());
        self.name_cluster(now, ring, quorate, is_new);

        let mine = candidates.iter().find(|c| c.member == self.me);
        self.since = mine.map_or(ring, |c| c.since);
        self.replica.lives.extend(over.members.iter().map(|m| (m.node, m.incarnation)));
        let undurable = |(&node, hello): (&NodeId, &Hello)| Some((node, hello.undurable.clone()?));
        self.durable.behind = over.hellos.iter().filter_map(undurable).collect();
        self.left_out.retain(|node, _| !over.members.iter().any(|member| member.node == *node));
        let copied_from = match &self.phase {
            Phase::Syncing(barrier) => barrier.copied_from.map(|donor| self.name_of(donor)),
            _ => None,
        };
        let dc_name = dc.map(|dc| self.name_of(dc.node));
        self.effects.event(Event::Active { ring, dc: dc_name, quorate, copied_from });
        // Not before all is recorded: what is proposed from now on must not overtake what is proposed again below.
        let arrives = !self.may_configure() && self.lived.is_none();
        let arrives_until = arrives.then(|| self.begin + ARRIVAL);
        let coordinator = self.is_dc().then(|| Coordinator::new(&self.name, ring, arrives_until));
        self.phase = Phase::Active(Active { coordinator, busy: true, sign: SignOfLife::default() });
        if !mutant("not-proposed-again") {
            self.propose_again();
        }
        self.disown_fencing(now);
        self.expose_survivors(now, &over.members);
        if was_waited_for {
            self.was_fenced(now);
        }
        self.withdraw_fencing(now);
        self.weigh_raising(now);
        self.weigh_learner(now);
        self.settle_keys(now);
        self.catch_up(now);
        self.announce_caught_up();
        self.ask_to_leave_again(now);
        self.weigh_arbiter(now, &over);
        self.begin_with_watchdog(now);
    }

    /// Who is there and who is not. Members in a new life were gone in between.
    fn record_presence(&mut self, now: Now, over: &Agreement, wall: WallTime) {
        let (hellos, donor) = (&over.hellos, &over.comparison.donor);
        let clean = hellos.get(donor).map(|hello| hello.left_clean.clone()).unwrap_or_default();
        let clean: BTreeSet<String> = clean.iter().map(ToString::to_string).collect();
        let members: BTreeMap<String, &Hello> = hellos.iter().map(|(node, hello)| (node.to_string(), hello)).collect();
        // The names of the CIB count, which all members share; their files may differ.
        let nodes = &self.replica.cib.configuration.nodes;
        let mut names: BTreeMap<String, String> =
            members.iter().map(|(id, hello)| (id.clone(), hello.name.clone())).collect();
        names.extend(nodes.iter().map(|node| (node.id.clone(), node.uname.clone())));

        let lives = hellos.get(donor).map(|hello| hello.lives.clone()).unwrap_or_default();
        let same_life = |m: &&Member| lives.get(&m.node) == Some(&m.incarnation) || mutant("new-life-unnoticed");
        let stayed: BTreeSet<String> = over.members.iter().filter(same_life).map(|m| m.node.to_string()).collect();
        let gone = |id: &String| !stayed.contains(id);
        let away = names.iter().filter(|(id, _)| gone(id)).map(|(id, name)| NodePresence {
            id: id.clone(),
            name: name.clone(),
            member: false,
            online: false,
            join: Joined::Down,
            expected_up: clean.contains(id).then_some(false),
            life: 0,
        });
        let away = away.collect();
        let member = |id: &str| over.members.iter().find(|member| member.node.to_string() == id);
        let life = |id: &str| member(id).map_or(0, |member| member.incarnation.0);
        let survived = |id: &str| member(id).is_some_and(|member| self.has_survived(member));
        let here = names.iter().filter(|(id, _)| members.contains_key(*id));
        let here = here.map(|(id, name)| NodePresence {
            id: id.clone(),
            name: name.clone(),
            member: true,
            online: true,
            join: if self.is_learner(id) || survived(id) { Joined::Pending } else { Joined::Member },
            expected_up: Some(true),
            life: life(id),
        });
        let here = here.collect();
        self.record(now, wall, StatusChange::NodeStates(away));
        self.record(now, wall, StatusChange::NodeStates(here));
    }

    /// The name of a node that all members have for it: that of the CIB.
    pub(super) fn shared_name_of(&self, node: NodeId) -> String {
        let id = node.to_string();
        let known = self.replica.cib.configuration.nodes.iter().find(|n| n.id == id);
        known.map_or_else(|| self.name_of(node), |n| n.uname.clone())
    }

    /// Applies what follows from the barrier itself.
    pub(super) fn record(&mut self, now: Now, wall: WallTime, change: StatusChange) {
        let applied = self.apply(now, &Command::Status(change), wall);
        // A node that the configuration did not know was taken in.
        let grown = matches!(&applied, Applied::Changed(changes) if changes.configuration);
        if grown {
            self.store_present(now);
        }
    }
}

/// Who may coordinate.
fn candidates(over: &Agreement) -> Vec<Candidate> {
    let candidate = |&member: &Member| {
        let synced = !over.comparison.needy.contains(&member.node);
        let before = over.hellos.get(&member.node).map(|hello| hello.since).unwrap_or_default();
        let since = if synced && before != hac_types::RingId::default() { before } else { over.ring };
        Candidate { member, since, synced }
    };
    over.members.iter().map(candidate).collect()
}
