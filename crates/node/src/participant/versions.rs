//! What has to do with other releases and other states: the level, a message that cannot be read, and a configuration that
//! was prepared before all went down.

use std::sync::Arc;
use std::time::Duration;

use hac_crm::cib::{Command, Refusal, RefusalKind, Replicated as _, above};
use hac_model::parse_duration_ms;
use hac_totem::Delivery;
use hac_types::{Level, NodeId, RingId, Timestamp, mutant};

use super::coordinator::Coordinator;
use super::{Active, Participant, Phase};
use crate::cluster::{ClusterConfig, Gate};
use crate::halves::Down;
use crate::join::Comparison;
use crate::wire::{self, Offer, Proposed, StoredState, Undecodable};
use crate::{Level as Importance, Now, Output};

/// What the last life of this node had prepared.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) generation: u64,
    pub(super) state: StoredState,
    offer: Offer,
    /// A barrier has found that it does not count. It is kept until the state is known that does.
    pub(super) passed_over: bool,
}

impl Offered {
    pub(super) fn new(generation: u64, state: StoredState) -> Self {
        let (version, digest) = (state.cib.version, state.cib.digest());
        let offer = Offer { version, digest, lineage: state.lineage, cluster: state.cluster.clone() };
        Self { generation, state, offer, passed_over: false }
    }

    /// As it is stored.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let StoredState { cib, cluster, lineage, trail, register, .. } = &self.state;
        wire::encode_stored(cib, cluster, *lineage, trail, register.as_ref())
    }
}

/// The next level can be had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raising {
    /// Since then, without interruption.
    since: Timestamp,
    /// When it was last proposed.
    asked: Option<Timestamp>,
}

/// How long all nodes must know a level before the cluster goes there by itself.
const UPGRADE_HOLD: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a proposed level is waited for before it is proposed again.
const RAISED_AGAIN: Duration = Duration::from_secs(60);

impl Participant {
    /// The level of the ring: everything is said in its form, and applied by its rules.
    pub(super) fn level(&self) -> Level {
        let known = self.replica.cluster.level;
        if mutant("level-by-program") {
            return self.levels.max;
        }
        self.view.as_ref().map_or(known, |view| if view.level.is_none() { known } else { view.level })
    }

    /// A delivery that this node cannot read, though it has the level of the ring. Others apply it, so whatever this node
    /// did from here on would be done on another state than theirs: it stops acting and leaves, alone. Its resources go on.
    pub(super) fn cannot_follow(&mut self, delivery: &Delivery, why: &Undecodable) {
        self.effects.count("node.undecodable");
        let text = format!(
            "message {} of membership {} from {} cannot be read here: {why}; this node cannot follow the others any more \
             and leaves, its resources go on",
            delivery.seq,
            delivery.ring,
            self.name_of(delivery.origin)
        );
        self.effects.remark(Importance::Error, text.clone());
        self.effects.output(Output::Fault(text));
        self.go_as_it_is();
    }

    /// Why this cannot be proposed: not every member would understand it.
    pub(super) fn unsayable(&self, what: &Proposed) -> Option<Refusal> {
        let (needs, level) = (what.level(), self.level());
        if needs <= level {
            return None;
        }
        let behind = self.releases.iter().filter(|(_, (_, levels))| levels.max < needs);
        let behind: Vec<String> =
            behind.map(|(node, (release, _))| format!("{} still runs {release}", self.name_of(*node))).collect();
        let why = if behind.is_empty() { String::new() } else { format!(" because {}", behind.join(" and ")) };
        let named = match what {
            Proposed::Command(Command::Configure(configure)) => {
                configure.changes.iter().find_map(|change| change.above(level.0))
            }
            _ => None,
        };
        let thing = named.as_deref().unwrap_or("this");
        let sentence = format!("{thing} needs level {needs}; the cluster is at {level}{why}");
        Some(Refusal::new(sentence, "'hacctl upgrade status' says what is missing.").of(RefusalKind::Level))
    }

    /// What this node offers at the barrier, if none has judged it since its start.
    pub(super) fn offer(&self) -> Option<Offer> {
        self.offer.as_ref().filter(|offered| !offered.passed_over).map(|offered| offered.offer.clone())
    }

    /// All hellos are there: what the cluster is called and its level are those of the newest; what was prepared counts,
    /// stays open, or is given up for the state that counts.
    pub(super) fn take_over_what_is_newest(&mut self, now: Now, comparison: &Comparison) {
        let newest = comparison.cluster.clone();
        if let Some(cluster) = newest.filter(|cluster| *cluster != self.replica.cluster) {
            if cluster.level != self.replica.cluster.level {
                self.effects.remark(Importance::Notice, format!("level {} was taken over", cluster.level));
            }
            let nodes = cluster.nodes != self.replica.cluster.nodes;
            self.replica.cluster = cluster;
            self.store_present(now);
            self.announce_level_of_ring();
            if nodes {
                self.adopt_nodes();
            }
        }
        if comparison.open.contains(&self.me.node) {
            return;
        }
        let Some(mut offered) = self.offer.take() else { return };
        let counts = comparison.offer.as_ref().is_some_and(|offer| offer.is(&offered.offer));
        if counts && !offered.passed_over {
            let Offered { generation, state, .. } = offered;
            let text = "a change of the configuration that was stored before this node went down counts";
            self.effects.remark(Importance::Notice, text);
            // It was stored without what is known of the present.
            let status = std::mem::take(&mut Arc::make_mut(&mut self.replica.cib).status);
            self.replica.cib = Arc::new(hac_model::Cib { status, ..state.cib });
            self.replica.trail = state.trail;
            self.replica.lineage = self.replica.lineage.max(state.lineage);
            self.replica.register = self.replica.register.take().max(state.register);
            self.commit_generation(now, generation, Vec::new());
        } else {
            offered.passed_over = true;
            self.offer = Some(offered);
            if !comparison.needy.contains(&self.me.node) {
                // The state that counts is this node's own.
                let (donor, trail, cib) = (comparison.donor, self.replica.trail.clone(), Arc::clone(&self.replica.cib));
                self.give_up_offer(now, donor, &trail, &cib);
                self.discard_superseded();
            }
        }
    }

    /// Has the state as it is stored.
    pub(super) fn store_present(&mut self, now: Now) {
        if let Some(bytes) = self.replica.durable() {
            self.store(now, bytes);
        }
    }

    /// The level was changed; the next ring has it.
    pub(super) fn level_changed(&mut self, to: Level) {
        self.raising = None;
        self.announce_contract();
        self.effects.remark(Importance::Notice, format!("the cluster is at level {to} from now on"));
    }

    /// What decides about another level in this view.
    pub(super) fn gate(&self) -> Gate {
        let members: Vec<NodeId> = self.view.iter().flat_map(|view| view.members.iter().map(|m| m.node)).collect();
        let nodes = &self.replica.cib.configuration.nodes;
        let is_here = |id: &str| members.iter().any(|member| member.to_string() == id);
        let is_ours = |node: &&hac_model::Node| node.kind.as_deref().is_none_or(|kind| kind == "member");
        let away = nodes.iter().filter(is_ours).filter(|node| !is_here(&node.id)).map(|node| node.uname.clone());
        let away = away.collect();
        let row = |node: &NodeId| {
            let (release, levels) = self.releases.get(node).cloned().unwrap_or_default();
            (self.name_of(*node), release, levels)
        };
        Gate { away, members: members.iter().map(row).collect(), here: members }
    }

    /// The first view that has all nodes gives the cluster a name that no other has. If nobody in it has been in a cluster
    /// before, this one begins at the highest level that all know.
    pub(super) fn name_cluster(&mut self, now: Now, ring: RingId, quorate: bool, is_new: bool) {
        let gate = self.gate();
        if quorate
            && gate.away.is_empty()
            && let Some(named) = self.replica.cluster.named_after(ring)
        {
            let known = gate.members.iter().map(|(_, _, levels)| levels.max).min();
            let level = known.filter(|_| is_new).unwrap_or(named.level);
            self.replica.cluster = ClusterConfig { level, ..named };
            self.store_present(now);
            self.announce_level_of_ring();
        }
    }

    /// The ring is told what this cluster is called and at which level it is.
    pub(super) fn announce_contract(&mut self) {
        let cluster = &self.replica.cluster;
        self.effects.order(Down::SetCluster { uuid: cluster.uuid_bytes(), version: cluster.version });
        self.effects.order(Down::SetLevel(cluster.level));
    }

    /// A view has begun or is over: whether the level could be raised in it.
    pub(super) fn weigh_raising(&mut self, now: Now) {
        let next = self.replica.cluster.level.next().filter(|next| self.levels.contains(*next));
        let can = next.is_some_and(|next| self.is_dc() && self.gate().refuses(&self.replica, next).is_none());
        self.raising = self.raising.filter(|_| can).or_else(|| can.then_some(Raising { since: now.mono, asked: None }));
    }

    /// When the level is raised by itself: never while a transition runs.
    pub(super) fn raising_timeout(&self) -> Option<Timestamp> {
        let raising = self.raising.filter(|_| self.acting() && !self.at_work())?;
        let property = self.replica.cib.configuration.property("upgrade-hold");
        let hold = match property {
            Some("never") => return None,
            Some(text) => parse_duration_ms(text).map_or(UPGRADE_HOLD, Duration::from_millis),
            None => UPGRADE_HOLD,
        };
        let again = raising.asked.map(|asked| asked + RAISED_AGAIN);
        Some(again.unwrap_or(raising.since).max(raising.since + hold))
    }

    /// Proposes the next level when it is due.
    pub(super) fn raise_level(&mut self, now: Now) {
        let due = self.raising_timeout().is_some_and(|due| due <= now.mono);
        let next = self.replica.cluster.level.next();
        if let (Some(to), Some(raising)) = (next, self.raising.as_mut().filter(|_| due)) {
            raising.asked = Some(now.mono);
            self.propose(now, Proposed::SetLevel { to }, None, None);
        }
    }

    /// Whether a transition runs or is about to.
    fn at_work(&self) -> bool {
        let busy = matches!(self.phase, Phase::Active(Active { busy: true, .. }));
        busy || self.coordinator().is_some_and(Coordinator::is_busy)
    }

    /// Tells the ring what the cluster is, if the ring is of its level. If not it is made anew, and then all are to know
    /// why: see [`follow_level`](Self::follow_level).
    fn announce_level_of_ring(&mut self) {
        let said = self.view.as_ref().map_or(Level::NONE, |view| view.level);
        if said.is_none() || said == self.replica.cluster.level {
            self.announce_contract();
        }
    }

    /// The coordinator has said something in this view, so all members have gone through its barrier and are agreed on the
    /// level of the cluster. A ring of another level is given up, by all of them at the same place: if one did so before
    /// the others, the level that they still have would be that of the next ring, again and again.
    pub(super) fn follow_level(&mut self) {
        let said = self.view.as_ref().map_or(Level::NONE, |view| view.level);
        if !said.is_none() && said != self.replica.cluster.level {
            self.announce_contract();
        }
    }

    /// The barrier is over. A state that says what the level of the cluster does not have raises it again: somebody changed
    /// it on a side that had not heard that the level was lowered.
    pub(super) fn settle_level(&mut self, now: Now) {
        let mut level = self.replica.cluster.level;
        let uses = above(&self.replica.cib.configuration, level.0);
        let Some(first) = uses.first() else { return };
        while let Some(next) = level.next().filter(|next| self.levels.contains(*next)) {
            level = next;
            if above(&self.replica.cib.configuration, level.0).is_empty() {
                break;
            }
        }
        let text = format!("the cluster is at level {level}, because its configuration uses {first}");
        self.effects.remark(Importance::Warning, text);
        self.replica.cluster = self.replica.cluster.at_level(level);
        self.store_present(now);
        self.announce_level_of_ring();
    }
}
