//! From a view to taking part: the barrier's messages, and the moment at which it is over.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::{Applied, Command, Join as Joined, NodePresence, Replicated as _, StatusChange};
use hac_model::ResourceHistory;
use hac_quorum::{Candidate, coordinator};
use hac_totem::Exclusion;
use hac_types::{Departure, Member, NodeId, Timestamp, View, WallTime, mutant};

use super::coordination::Coordinator;
use super::{Participant, Phase};
use crate::halves::Down;
use crate::join::Join;
use crate::wire::{self, Body, Hello, Proposed, Ready};
use crate::{Event, Level};

impl Participant {
    /// A transitional view: nobody acts until the next active one.
    pub(super) fn break_up(&mut self) {
        self.transitional = true;
        self.coordinator = None;
        self.executor.hold();
    }

    /// A regular view: everything that belonged to the old ring goes, and the barrier begins.
    pub(super) fn begin_view(&mut self, view: View) {
        if matches!(self.phase, Phase::Left) {
            return;
        }
        self.transitional = false;
        self.paused = false;
        self.coordinator = None;
        self.copied_from = None;
        self.meet(&view);
        self.executor.end_view(self.now.mono);
        self.drain_executor();
        self.outbox.clear();
        self.parts.clear();
        if let Some(generation) = self.durable.reset() {
            self.discard(generation);
        }
        self.keys.begin_view();
        let clean = |left: &&hac_types::Left| left.departure == Departure::LeftClean;
        self.left_clean = view.left.iter().filter(clean).map(|left| left.member.node).collect();
        self.phase = Phase::Syncing(Join::new(view.ring, view.members.clone(), self.now.mono));
        self.view = Some(view);
        let hello = Hello {
            version: self.replica.cib.version,
            digest: self.replica.cib.digest(),
            processed: self.replica.processed(),
            lineage: self.replica.lineage,
            lives: self.replica.lives.clone(),
            since: self.since,
            dc: self.replica.dc,
            left_clean: self.left_clean.clone(),
            votes: self.quorum.info().into(),
            wall: self.now.wall,
            name: self.name.clone(),
            software: self.version.clone(),
            keys: self.keys.standing(),
            undurable: self.disk.undurable.clone(),
            levels: self.levels,
            cluster: self.replica.cluster.clone(),
            trail: self.replica.trail.clone(),
            offer: self.offer(),
        };
        self.say(Body::Hello(hello));
    }

    /// A message of the barrier.
    pub(super) fn handle_barrier(&mut self, from: NodeId, body: Body) {
        let now = self.now.mono;
        let Phase::Syncing(join) = &mut self.phase else { return };
        if !matches!(body, Body::Impatient) {
            join.progress(now);
        }
        match body {
            Body::Hello(hello) => {
                let software = hello.software.clone();
                self.keys.learn(from, hello.keys);
                self.releases.insert(from, (hello.software.clone(), hello.levels));
                if let Some(comparison) = join.hello(from, hello) {
                    self.compared(&comparison);
                }
                self.learn_version(from, software);
            }
            Body::Snapshot(bytes) => {
                if join.copied(from, bytes.len()) {
                    self.copied(from, Ok(&bytes));
                }
            }
            Body::NoSnapshot(why) => {
                if join.copied(from, 0) {
                    self.copied(from, Err(why));
                }
            }
            Body::Impatient => self.leave_out(from),
            // Progress it is; it counts when it is whole.
            Body::Part(_) => {}
            Body::Ready(ready) => {
                let lost = ready.lost.clone();
                let over = join.ready(from, ready);
                self.learn_lost(from, lost);
                if over {
                    self.activate();
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
            | Body::Progress { .. } => self.count("node.out_of_phase"),
        }
    }

    /// All hellos are there: quorum is judged, and the donor speaks if anybody needs its state.
    fn compared(&mut self, comparison: &crate::join::Comparison) {
        let Phase::Syncing(join) = &self.phase else { return };
        let infos = join.hellos().iter().map(|(&node, hello)| (node, hello.votes.clone().into())).collect();
        let ring = join.ring;
        let decision = self.quorum.membership(self.now.mono, ring, infos);
        if decision.changed {
            let waiting_for = self.quorum.status().waiting_for;
            self.event(Event::Quorum { quorate: decision.quorate, waiting_for });
        }
        self.take_over_what_is_newest(comparison);
        if comparison.needy.is_empty() {
            self.say_ready();
        } else if comparison.donor == self.me.node {
            self.send_snapshot(&comparison.needy);
        }
    }

    fn send_snapshot(&mut self, needy: &BTreeSet<NodeId>) {
        let names: Vec<String> = needy.iter().map(|&node| self.name_of(node)).collect();
        let Some(bytes) = self.replica.snapshot() else {
            let why = format!("it is larger than {} MiB", wire::SNAPSHOT_MAX >> 20);
            self.remark(Level::Error, format!("the cluster's state cannot be handed to {}: {why}", names.join(" ")));
            return self.say(Body::NoSnapshot(why));
        };
        let text = format!("handing the state ({} bytes) to {}", bytes.len(), names.join(" "));
        self.remark(Level::Info, text);
        self.say(Body::Snapshot(bytes));
    }

    /// The donor's state is complete, or cannot be had. Who needs it and cannot use it leaves, alone.
    fn copied(&mut self, donor: NodeId, state: Result<&[u8], String>) {
        let Phase::Syncing(join) = &self.phase else { return };
        let needs = join.comparison().is_some_and(|c| c.needy.contains(&self.me.node));
        if needs && !mutant("snapshot-untaken") {
            match state.and_then(|bytes| wire::decode_snapshot(bytes).map_err(|why| why.to_string())) {
                Ok(snapshot) => self.take_over(donor, snapshot),
                Err(why) => {
                    self.count("node.undecodable");
                    let donor = self.name_of(donor);
                    return self.fail(format!("the state of {donor} cannot be taken over: {why}"));
                }
            }
        }
        self.say_ready();
    }

    /// A member has waited for too long without progress. All members see the same ones missing here, and go on without
    /// them.
    fn leave_out(&mut self, from: NodeId) {
        let now = self.now.mono;
        let Phase::Syncing(join) = &mut self.phase else { return };
        let missing = join.judge(now, from);
        if missing.is_empty() {
            return;
        }
        let owed = join.owed();
        if missing.contains(&self.me.node) {
            let text = format!("{} goes on without this node, which {owed} in time", self.name_of(from));
            self.remark(Level::Error, text.clone());
            self.left_out.insert(self.me.node, text);
            return;
        }
        for &node in &missing {
            let text = format!("{} {owed} in time and is left out of the next membership", self.name_of(node));
            self.remark(Level::Error, text.clone());
            self.left_out.insert(node, text);
        }
        self.ring_orders.push_back(Down::Exclude(missing, Exclusion::Silent));
    }

    /// When this node has waited for too long in the barrier.
    pub(super) fn barrier_timeout(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Syncing(join) if !self.transitional => Some(join.deadline()),
            _ => None,
        }
    }

    /// Says that nothing comes, if nothing comes.
    pub(super) fn lose_patience(&mut self) {
        let now = self.now.mono;
        let due = self.barrier_timeout().is_some_and(|at| at <= now);
        let Phase::Syncing(join) = &mut self.phase else { return };
        if due {
            join.progress(now);
            self.say(Body::Impatient);
        }
    }

    fn take_over(&mut self, donor: NodeId, snapshot: wire::Snapshot) {
        let old = self.replica.cib.configuration_digest();
        let older = self.replica.cib.version;
        if self.replica.is_fork_of(&snapshot.trail) && !self.will_propose_again() {
            self.keep_what_is_lost(donor, &snapshot.cib);
        }
        self.replica.replace(snapshot);
        self.copied_from = Some(donor);
        let version = self.replica.cib.version;
        let same_configuration = self.replica.cib.configuration_digest() == old;
        if same_configuration && (older.admin_epoch, older.epoch) == (version.admin_epoch, version.epoch) {
            return;
        }
        self.store_present();
    }

    /// This node has the state of the view, and tells its own truth if that says otherwise.
    fn say_ready(&mut self) {
        // What it found and has not been able to tell is told first: nobody must order it again.
        let reported = self.proposals.again().filter_map(|proposal| match &proposal.what {
            Proposed::Command(Command::Status(change)) => Some(change),
            _ => None,
        });
        let histories = self.executor.history_with(reported);
        let mut recorded: Vec<&ResourceHistory> = self.recorded_histories().iter().collect();
        recorded.sort_by(|a, b| a.id.cmp(&b.id));
        let same = recorded.into_iter().eq(&histories);
        let history = (!same && !mutant("history-untold")).then_some(histories);
        let lost = self.lost.last().cloned();
        self.say(Body::Ready(Ready { quorate: self.quorum.is_quorate(), history, lost }));
    }

    /// What the state says about this node's resources.
    fn recorded_histories(&self) -> &[ResourceHistory] {
        let id = self.me.node.to_string();
        let nodes = &self.replica.cib.status.nodes;
        nodes.iter().find(|state| state.id == id).map_or(&[], |state| state.resources.as_slice())
    }

    /// The barrier is over. Everything here follows from what all members delivered, so it is the same on all.
    fn activate(&mut self) {
        let Phase::Syncing(join) = std::mem::replace(&mut self.phase, Phase::Joining) else {
            return;
        };
        let Some(comparison) = join.comparison() else { return };
        let ring = join.ring;
        let wall = join.wall();
        let candidates: Vec<Candidate> = candidates(&join, &comparison.needy);
        let donor_dc = join.hellos().get(&comparison.donor).and_then(|hello| hello.dc);
        let dc = coordinator(&candidates, donor_dc);
        let quorate = dc.and_then(|dc| join.readies().get(&dc.node)).is_some_and(|ready| ready.quorate);

        self.record_presence(&join, &comparison.donor, wall);
        for (&node, ready) in join.readies() {
            if let Some(resources) = &ready.history {
                let node = self.shared_name_of(node);
                let resources = resources.clone();
                self.record(wall, StatusChange::NodeHistory { node, resources });
            }
        }
        self.record(wall, StatusChange::Quorum(quorate));
        self.record(wall, StatusChange::Dc { node: dc.map(|dc| self.shared_name_of(dc.node)) });
        self.replica.dc = dc;
        if quorate {
            self.replica.lineage = Some(ring);
        }
        self.name_cluster(ring, quorate);

        let mine = candidates.iter().find(|c| c.member == self.me);
        self.since = mine.map_or(ring, |c| c.since);
        self.replica.lives.extend(join.members().iter().map(|m| (m.node, m.incarnation)));
        let undurable = |(&node, hello): (&NodeId, &Hello)| Some((node, hello.undurable.clone()?));
        self.durable.behind = join.hellos().iter().filter_map(undurable).collect();
        self.busy = true;
        // Not before all is recorded: what is proposed from now on must not overtake what is proposed again below.
        self.phase = Phase::Active;
        self.left_out.retain(|node, _| !join.members().iter().any(|member| member.node == *node));
        let copied_from = self.copied_from.map(|donor| self.name_of(donor));
        let dc_name = dc.map(|dc| self.name_of(dc.node));
        self.event(Event::Active { ring, dc: dc_name, quorate, copied_from });
        if self.is_dc() {
            self.coordinator = Some(Coordinator::new(&self.name, ring));
        }
        if !mutant("not-proposed-again") {
            self.propose_again();
        }
        self.weigh_raising();
        self.settle_keys();
        self.catch_up();
        self.tell_caught_up();
        self.ask_to_leave_again();
    }

    /// Who is there and who is not. Members in a new life were gone in between.
    fn record_presence(&mut self, join: &Join, donor: &NodeId, wall: WallTime) {
        let hellos = join.hellos();
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
        let stayed: BTreeSet<String> = join.members().iter().filter(same_life).map(|m| m.node.to_string()).collect();
        let gone = |id: &String| !stayed.contains(id);
        let away = names.iter().filter(|(id, _)| gone(id)).map(|(id, name)| NodePresence {
            id: id.clone(),
            name: name.clone(),
            member: false,
            online: false,
            join: Joined::Down,
            expected_up: clean.contains(id).then_some(false),
        });
        let away = away.collect();
        let here = names.iter().filter(|(id, _)| members.contains_key(*id));
        let here = here.map(|(id, name)| NodePresence {
            id: id.clone(),
            name: name.clone(),
            member: true,
            online: true,
            join: Joined::Member,
            expected_up: Some(true),
        });
        let here = here.collect();
        self.record(wall, StatusChange::NodeStates(away));
        self.record(wall, StatusChange::NodeStates(here));
    }

    /// The name of a node that all members have for it: that of the CIB.
    fn shared_name_of(&self, node: NodeId) -> String {
        let id = node.to_string();
        let known = self.replica.cib.configuration.nodes.iter().find(|n| n.id == id);
        known.map_or_else(|| self.name_of(node), |n| n.uname.clone())
    }

    /// Applies what follows from the barrier itself.
    fn record(&mut self, wall: WallTime, change: StatusChange) {
        let applied = self.replica.apply(&Command::Status(change), wall);
        self.forget_as_told(&applied);
        // A node that the configuration did not know was taken in.
        let grown = matches!(&applied, Applied::Changed(changes) if changes.configuration);
        if grown {
            let ring = self.ring().unwrap_or_default();
            self.replica.note(NodeId(ring.rep), ring.rep_incarnation, ring.seq);
            self.store_present();
        }
    }
}

/// Who may coordinate.
fn candidates(join: &Join, needy: &BTreeSet<NodeId>) -> Vec<Candidate> {
    let candidate = |&member: &Member| {
        let synced = !needy.contains(&member.node);
        let before = join.hellos().get(&member.node).map(|hello| hello.since).unwrap_or_default();
        let since = if synced && before != hac_types::RingId::default() { before } else { join.ring };
        Candidate { member, since, synced }
    };
    join.members().iter().map(candidate).collect()
}
