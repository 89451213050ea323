//! From a view to taking part: the barrier's messages, and the moment at which it is over.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::{Applied, Command, Join as Joined, NodePresence, Replicated as _, StatusChange};
use hac_crm::model::ResourceHistory;
use hac_quorum::{Candidate, coordinator};
use hac_types::{Departure, Member, NodeId, View, WallTime, mutant};

use super::coordination::Coordinator;
use super::{Participant, Phase};
use crate::join::{Copied, Join};
use crate::replica::Replica;
use crate::wire::{self, Body, Chunk, Hello, Proposed, Ready};
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
        if let Some(generation) = self.durable.reset() {
            self.discard(generation);
        }
        self.keys.begin_view();
        let clean = |left: &&hac_types::Left| left.departure == Departure::LeftClean;
        self.left_clean = view.left.iter().filter(clean).map(|left| left.member.node).collect();
        self.phase = Phase::Syncing(Join::new(view.ring, view.members.clone()));
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
        };
        self.say(Body::Hello(hello));
    }

    /// A message of the barrier.
    pub(super) fn handle_barrier(&mut self, from: NodeId, body: Body) {
        let Phase::Syncing(join) = &mut self.phase else { return };
        match body {
            Body::Hello(hello) => {
                let software = hello.software.clone();
                self.keys.learn(from, hello.keys);
                if let Some(comparison) = join.hello(from, hello) {
                    self.compared(&comparison);
                }
                self.learn_version(from, software);
            }
            Body::Snapshot(chunk) => {
                if let Copied::All(bytes) = join.chunk(from, chunk) {
                    self.copied(from, &bytes);
                }
            }
            Body::Ready(ready) => {
                if join.ready(from, ready) {
                    self.activate();
                }
            }
            Body::Propose(_)
            | Body::Vote(_)
            | Body::Order(_)
            | Body::Change(_)
            | Body::SettleDone(_)
            | Body::KeyStored(_)
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
        if comparison.needy.is_empty() {
            self.say_ready();
        } else if comparison.donor == self.me.node {
            self.send_snapshot(&comparison.needy);
        }
    }

    fn send_snapshot(&mut self, needy: &BTreeSet<NodeId>) {
        let names: Vec<String> = needy.iter().map(|&node| self.name_of(node)).collect();
        let Some(bytes) = self.replica.snapshot() else {
            self.remark(Level::Error, "the cluster's state is too large to be handed over");
            return;
        };
        let text = format!("handing the state ({} bytes) to {}", bytes.len(), names.join(" "));
        self.remark(Level::Info, text);
        let chunks = bytes.chunks(wire::CHUNK);
        let count = chunks.len();
        for (index, bytes) in (0_u32..).zip(chunks) {
            let last = usize::try_from(index).is_ok_and(|i| i + 1 == count);
            self.say(Body::Snapshot(Chunk { index, last, bytes: bytes.to_vec() }));
        }
    }

    /// The donor's state is complete.
    fn copied(&mut self, donor: NodeId, bytes: &[u8]) {
        let Phase::Syncing(join) = &self.phase else { return };
        let needs = join.comparison().is_some_and(|c| c.needy.contains(&self.me.node));
        if needs && !mutant("snapshot-untaken") {
            match wire::decode_snapshot(bytes) {
                Ok(snapshot) => self.take_over(donor, snapshot),
                Err(why) => {
                    self.count("node.undecodable");
                    let donor = self.name_of(donor);
                    self.remark(Level::Error, format!("the state of {donor} is unusable: {why}"));
                    return;
                }
            }
        }
        self.say_ready();
    }

    fn take_over(&mut self, donor: NodeId, snapshot: wire::Snapshot) {
        let old = self.replica.cib.configuration_digest();
        let older = self.replica.cib.version;
        self.replica.replace(snapshot);
        self.copied_from = Some(donor);
        let version = self.replica.cib.version;
        let same_configuration = self.replica.cib.configuration_digest() == old;
        if same_configuration && (older.admin_epoch, older.epoch) == (version.admin_epoch, version.epoch) {
            return;
        }
        if let Some(bytes) = Replica::durable(&self.replica.cib, self.replica.lineage) {
            self.store(bytes);
        }
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
        self.say(Body::Ready(Ready { quorate: self.quorum.is_quorate(), history }));
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

        let mine = candidates.iter().find(|c| c.member == self.me);
        self.since = mine.map_or(ring, |c| c.since);
        self.replica.lives.extend(join.members().iter().map(|m| (m.node, m.incarnation)));
        self.busy = true;
        // Not before all is recorded: what is proposed from now on must not overtake what is proposed again below.
        self.phase = Phase::Active;
        let copied_from = self.copied_from.map(|donor| self.name_of(donor));
        let dc_name = dc.map(|dc| self.name_of(dc.node));
        self.event(Event::Active { ring, dc: dc_name, quorate, copied_from });
        if self.is_dc() {
            self.coordinator = Some(Coordinator::new(&self.name, ring));
        }
        if !mutant("not-proposed-again") {
            self.propose_again();
        }
        self.settle_keys();
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
        if grown && let Some(bytes) = Replica::durable(&self.replica.cib, self.replica.lineage) {
            self.store(bytes);
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
