//! Two nodes and the store that has the third vote. Requests and answers may be lost, late or doubled; nodes are cut off from
//! each other, meet again half-way, crash and start with what is on their disks; the store is set back. The store is a register
//! that compares and swaps, or a provider's list of actions on an address, which end one after the other, well or not.

use std::collections::VecDeque;
use std::time::Duration;

use hac_quorum::{
    Action, ActionLog, Answer, Arbiter, ArbiterOutput, ArbiterRequest, Config, Engine, Found, Mark, Model, Outcome,
    Progress, Register, Voter,
};
use hac_types::{Incarnation, Member, NodeId, RingId, Timestamp};

mod steps;
mod worlds;

pub use self::steps::Step;
use self::steps::words;
pub use self::worlds::{Bounds, WORLDS};
use super::{Counts, World};
use crate::check::Violation;

/// The moment at which everything happens but timeouts: what is to happen first is searched in every order.
const NOW: Timestamp = Timestamp::ZERO;

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum View {
    /// In a membership of both, which it takes for what it is.
    Both,
    /// In one of both that is not active yet.
    Meeting,
    /// In one of its own.
    Alone,
    /// It does not run.
    Down,
}

#[derive(Clone, Hash)]
struct Node {
    life: u64,
    machine: Arbiter,
    /// What it knows of the actions that it has ordered.
    log: ActionLog,
    view: View,
    /// It was told that it has the vote.
    won: bool,
    /// It learned in this life that the other has it, and was not active with the other since.
    lost: bool,
    /// Its state, as a number that each change raises.
    state: u8,
    /// What is to be stored.
    storing: Option<Register>,
    /// What its disk has.
    disk: (Option<Register>, u8),
    asks: u8,
    timeouts: u8,
    /// What it knew when it found itself alone.
    base: u64,
}

#[derive(Clone, Hash)]
struct Store {
    id: u64,
    revision: u64,
    there: Option<(u64, Mark)>,
    /// What was ordered, if it is a list of actions.
    actions: Vec<Action>,
    /// The last move of the cluster itself.
    moved: u64,
}

/// What the store says before the node has made an answer of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Reply {
    /// It compares and swaps itself.
    Register(Answer),
    /// It has accepted an action under this number.
    Accepted(u64, Mark),
    /// What it has, for this request.
    List(ArbiterRequest, Vec<Action>),
}

/// See the head of this file.
#[derive(Clone, Hash)]
pub struct Pair {
    nodes: [Node; 2],
    store: Store,
    backup: Store,
    /// They hear each other.
    linked: bool,
    /// What both share when they meet.
    met: (Option<Register>, u8),
    /// What one of them has read of a list, or says of it, and proposes to both: in this order.
    proposed: VecDeque<Register>,
    requests: Vec<(usize, u64, u64, ArbiterRequest)>,
    answers: Vec<(usize, u64, u64, Reply)>,
    /// The newest state that a quorate node made.
    newest: u8,
    left: Bounds,
}

fn me(index: usize, life: u64) -> Member {
    let node = NodeId(u32::try_from(index).unwrap_or_default() + 1);
    Member { node, incarnation: Incarnation(life) }
}

impl Pair {
    /// Both have just met; the register is as both know it. Then happens what has happened before.
    ///
    /// # Panics
    /// That breaks a promise.
    #[must_use]
    pub fn new(left: Bounds) -> Self {
        let register = Register { epoch: 1, revision: 1, store: 7, moving: None };
        let mark = Mark { epoch: 1, node: NodeId(1), incarnation: 1, nonce: "first".to_owned(), members: Vec::new() };
        let node = |index| Node {
            life: 1,
            machine: Arbiter::new(me(index, 1), left.model, Some(register.clone())),
            log: ActionLog::default(),
            view: View::Meeting,
            won: false,
            lost: false,
            state: 0,
            storing: None,
            disk: (Some(register.clone()), 0),
            asks: 0,
            timeouts: 0,
            base: 0,
        };
        let first = Action { id: 1, progress: Progress::Completed };
        let store = Store { id: 7, revision: 1, there: Some((1, mark)), actions: vec![first], moved: 0 };
        let mut pair = Self {
            nodes: [node(0), node(1)],
            backup: store.clone(),
            store,
            linked: true,
            met: (Some(register.clone()), 0),
            proposed: VecDeque::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            newest: 0,
            left,
        };
        for step in left.before {
            assert!(pair.happen(*step, &mut Counts::default()).is_ok(), "a world begins well");
        }
        pair.left.before = &[];
        pair.forget();
        pair
    }

    /// Whether a node may act, as the code of the daemon judges it.
    fn is_quorate(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        let voter = |index: usize| Voter { node: me(index, 1).node, name: String::new(), votes: 1 };
        let mut config = Config::new(me(index, 1).node, vec![voter(0), voter(1)]);
        config.arbiter = true;
        let Ok(mut engine) = Engine::new(config) else { return false };
        let both = node.view == View::Both;
        let members = (0..2).filter(|other| both || *other == index).map(|i| (me(i, 1).node, engine.info())).collect();
        engine.membership(NOW, RingId::default(), members);
        if node.won {
            engine.set_arbiter(true);
        }
        engine.is_quorate()
    }

    /// Does what a machine wants done.
    fn drain(&mut self, index: usize, now: Timestamp, counts: &mut Counts) -> Result<(), Violation> {
        while let Some(output) = self.nodes[index].machine.poll_output() {
            let node = &mut self.nodes[index];
            match output {
                ArbiterOutput::Ask(id, request) => {
                    counts.executed("Q-12");
                    if node.lost && matches!(request, ArbiterRequest::Swap { .. }) {
                        return Err(Violation::new("Q-12", "a node that has lost claims before it has met the other"));
                    }
                    if node.asks < self.left.asks {
                        node.asks += 1;
                        if let ArbiterRequest::Swap { mark, .. } = &request {
                            node.log.ordering(mark);
                        }
                        self.requests.push((index, node.life, id, request));
                        self.requests.sort();
                    }
                }
                // What was read of a list counts when both were there after it was read: the stream delivers it to both.
                ArbiterOutput::Store(register) if self.left.model == Model::ActionLog && node.view == View::Both => {
                    self.proposed.push_back(register);
                }
                ArbiterOutput::Store(register) => node.storing = Some(register),
                ArbiterOutput::Won => {
                    node.won = true;
                    counts.sometimes("a node has won");
                    let won = node.machine.register().map_or(0, |register| register.revision);
                    let moved = Action { id: self.store.moved, progress: Progress::Completed };
                    if (node.base + 1..won).contains(&moved.id) && self.store.actions.contains(&moved) {
                        counts.sometimes("a node has won while the cluster moved the address");
                    }
                }
                ArbiterOutput::Without(_) => counts.sometimes("a node is without the vote"),
                ArbiterOutput::NotTrusted(_) => {}
            }
        }
        let node = &mut self.nodes[index];
        node.lost |= node.machine.has_lost();
        node.machine = node.machine.relative_to(now);
        self.judge(counts)
    }

    fn judge(&self, counts: &mut Counts) -> Result<(), Violation> {
        counts.executed("Q-10");
        counts.executed("Q-2");
        let acting = [0, 1].map(|index| self.nodes[index].view == View::Alone && self.is_quorate(index));
        if acting == [true, true] {
            return Err(Violation::new("Q-10", "both nodes are quorate, each without the other"));
        }
        for index in [0, 1] {
            if acting[index] && self.nodes[index].state < self.newest {
                return Err(Violation::new("Q-2", "a node is quorate alone and has not what was agreed before"));
            }
        }
        Ok(())
    }

    /// What the store does with a request.
    fn serve(&mut self, request: &ArbiterRequest) -> Reply {
        match (self.left.model, request) {
            (Model::Register, _) => Reply::Register(self.compare_and_swap(request)),
            (Model::ActionLog, ArbiterRequest::Swap { mark, .. }) => Reply::Accepted(self.accept(), mark.clone()),
            (Model::ActionLog, _) => Reply::List(request.clone(), self.store.actions.clone()),
        }
    }

    /// A provider takes an order.
    fn accept(&mut self) -> u64 {
        self.store.revision += 1;
        self.store.actions.push(Action { id: self.store.revision, progress: Progress::Underway });
        self.store.revision
    }

    /// What a node makes of what the store said.
    fn read(&mut self, index: usize, reply: Reply) -> Answer {
        let (id, log) = (7, &mut self.nodes[index].log);
        match reply {
            Reply::Register(answer) => answer,
            Reply::Accepted(revision, mark) => {
                log.ordered(revision, mark);
                Answer { store: id, revision, outcome: Outcome::Underway }
            }
            Reply::List(request, actions) => {
                let revision = actions.iter().map(|action| action.id).max().unwrap_or_default();
                let outcome = match request {
                    ArbiterRequest::Since(known) => log.since(known, &actions),
                    ArbiterRequest::Read | ArbiterRequest::Swap { .. } => log.last(&actions),
                };
                Answer { store: id, revision, outcome }
            }
        }
    }

    /// The first action that is under way ends.
    fn end(&mut self, progress: Progress) {
        if let Some(action) = self.store.actions.iter_mut().find(|action| action.progress == Progress::Underway) {
            action.progress = progress;
        }
    }

    /// What a register does with a request.
    fn compare_and_swap(&mut self, request: &ArbiterRequest) -> Answer {
        let store = &mut self.store;
        let found = |store: &Store| {
            let found = store.there.clone();
            Outcome::Found(found.map(|(revision, mark)| Found { revision, mark: Some(mark) }))
        };
        let outcome = match request {
            ArbiterRequest::Read | ArbiterRequest::Since(_) => found(store),
            ArbiterRequest::Swap { expected, mark } => {
                if store.there.as_ref().map_or(0, |(revision, _)| *revision) == *expected {
                    store.revision += 1;
                    store.there = Some((store.revision, mark.clone()));
                    Outcome::Swapped
                } else {
                    found(store)
                }
            }
        };
        Answer { store: store.id, revision: store.revision, outcome }
    }

    /// What happens at a provider by itself.
    fn provide(&mut self, step: Step, counts: &mut Counts) {
        match step {
            Step::Stale(at) => {
                self.left.stale -= 1;
                let (index, life, id, request) = self.requests.remove(at);
                let mut actions = self.store.actions.clone();
                actions.pop();
                self.answers.push((index, life, id, Reply::List(request, actions)));
                self.answers.sort();
            }
            Step::Complete => self.end(Progress::Completed),
            Step::Fail => {
                self.left.errors -= 1;
                self.end(Progress::Errored);
                counts.sometimes("an assignment was not carried out");
            }
            Step::Move => {
                self.left.moves -= 1;
                self.store.moved = self.accept();
            }
            _ => {}
        }
    }

    /// The steward says that the cluster is about to move the address, or has done so.
    fn move_address(&mut self, step: Step, counts: &mut Counts) -> Result<(), Violation> {
        if matches!(step, Step::Tell) {
            self.left.told -= 1;
            self.nodes[0].machine.moving();
        } else {
            self.left.ends -= 1;
            self.nodes[0].machine.moved(NOW, true);
        }
        self.drain(0, NOW, counts)
    }

    /// They meet, and compare their states.
    fn meet(&mut self) {
        self.linked = true;
        self.left.heals -= 1;
        let registers = self.nodes.iter().filter_map(|node| node.machine.register());
        let register = Register::newest(registers).cloned();
        // The state that counts is that of the last quorate membership.
        let state = self.nodes.iter().map(|node| node.state).max().unwrap_or_default();
        self.met = (register, state);
        self.proposed.clear();
        for node in &mut self.nodes {
            node.view = View::Meeting;
            node.state = state;
            node.won = false;
            node.machine.meet();
        }
    }

    /// What a node was to store with its state is stored; with both active it is for both.
    fn store(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let Some(register) = node.storing.take() else { return };
        let together = self.left.model == Model::Register && node.view == View::Both && self.linked;
        node.disk = (Some(register.clone()), node.state);
        node.machine.stored(&register);
        let other = &mut self.nodes[1 - index];
        if together && other.view == View::Both && Some(&register) > other.machine.register() {
            other.storing = Some(register);
        }
    }

    /// The state is changed by who may.
    fn change(&mut self, index: usize) {
        self.left.changes -= 1;
        self.newest += 1;
        let (newest, both) = (self.newest, self.nodes[index].view == View::Both);
        for (other, node) in self.nodes.iter_mut().enumerate() {
            if both || other == index {
                node.state = newest;
                node.disk.1 = newest;
            }
        }
    }

    /// Forgets what nobody asks for any more, so that states are equal in which the same may happen.
    fn forget(&mut self) {
        let Self { nodes, requests, answers, left, .. } = self;
        let is_awaited = |index: usize, life: u64, id: u64| {
            let node: &Node = &nodes[index];
            node.life == life && node.view != View::Down && node.machine.waits_for(id)
        };
        requests.retain(|(index, life, id, request)| {
            matches!(request, ArbiterRequest::Swap { .. }) || is_awaited(*index, *life, *id)
        });
        answers.retain(|(index, life, id, reply)| {
            let is_own = nodes[*index].life == *life && nodes[*index].view != View::Down;
            (is_own && matches!(reply, Reply::Accepted(..))) || is_awaited(*index, *life, *id)
        });
        // Nobody starts any more.
        if left.starts == 0 || (left.crashes == 0 && nodes.iter().all(|node| node.view != View::Down)) {
            for node in nodes {
                node.disk = (None, 0);
                // Nor asks anything, if they do not meet any more either.
                if left.heals == 0
                    && node.view != View::Both
                    && node.view != View::Meeting
                    && node.machine.poll_timeout().is_none()
                {
                    (node.asks, node.timeouts) = (0, 0);
                }
            }
        }
    }

    fn runs(&self, index: usize) -> bool {
        self.nodes[index].view != View::Down
    }
}

impl World for Pair {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let both = |view: View| self.nodes.iter().all(|node| node.view == view);
        if self.linked && self.left.cuts > 0 {
            steps.push(Step::Cut);
        }
        if !self.linked && self.left.heals > 0 && both(View::Alone) {
            steps.push(Step::Meet);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            match node.view {
                View::Down => {
                    steps.extend((self.left.starts > 0).then_some(Step::Start(index)));
                    continue;
                }
                View::Both | View::Meeting if !self.linked => steps.push(Step::Notice(index)),
                View::Meeting => steps.push(Step::Activate(index)),
                View::Both | View::Alone => {}
            }
            if self.left.crashes > 0
                && self.left.starts > 0
                && node.disk != (node.machine.register().cloned(), node.state)
            {
                steps.push(Step::Persist(index));
            }
            if node.storing.is_some() {
                steps.push(Step::Stored(index));
            }
            if node.timeouts < self.left.timeouts && node.machine.poll_timeout().is_some() {
                steps.push(Step::Timeout(index));
            }
            let may_change = match node.view {
                View::Both => self.linked && both(View::Both) && index == 0,
                View::Alone => self.is_quorate(index),
                View::Meeting | View::Down => false,
            };
            if self.left.changes > 0 && may_change {
                steps.push(Step::Change(index));
            }
            if self.left.crashes > 0 {
                steps.push(Step::Crash(index));
            }
        }
        steps.extend((0..self.requests.len()).map(Step::Arrive));
        if self.left.doubles > 0 {
            steps.extend((0..self.requests.len()).map(Step::Double));
        }
        steps.extend((0..self.answers.len()).map(Step::Answer));
        // One change of what all store comes after the other.
        let stored = self.nodes.iter().all(|node| node.storing.is_none());
        if !self.proposed.is_empty() && both(View::Both) && self.linked && stored {
            steps.push(Step::Deliver);
        }
        // It is the steward who says it.
        if self.nodes[0].view == View::Both {
            steps.extend((self.left.told > 0).then_some(Step::Tell));
            steps.extend((self.left.ends > 0).then_some(Step::End));
        }
        let underway = self.store.actions.iter().any(|action| action.progress == Progress::Underway);
        if underway {
            steps.push(Step::Complete);
            if self.left.errors > 0 {
                steps.push(Step::Fail);
            }
        }
        if self.left.stale > 0 {
            let reads = self.requests.iter().map(|request| !matches!(request.3, ArbiterRequest::Swap { .. }));
            steps.extend(reads.enumerate().filter(|(_, reads)| *reads).map(|(at, _)| Step::Stale(at)));
        }
        // What was to be ordered together may be ordered when they have lost each other.
        if self.left.moves > 0 {
            steps.push(Step::Move);
        }
        if self.left.restores > 0 && self.store.revision > self.backup.revision {
            steps.push(Step::Restore);
        }
        steps
    }

    fn take(&mut self, step: Step, counts: &mut Counts) -> Result<(), Violation> {
        let taken = self.happen(step, counts);
        self.forget();
        taken
    }

    fn tell(step: Step) -> String {
        words(step)
    }
}

impl Pair {
    /// This happens.
    fn happen(&mut self, step: Step, counts: &mut Counts) -> Result<(), Violation> {
        match step {
            Step::Cut => {
                self.linked = false;
                self.left.cuts -= 1;
            }
            Step::Notice(index) => {
                let node = &mut self.nodes[index];
                node.view = View::Alone;
                node.storing = None;
                node.base = node.machine.register().map_or(0, |register| register.revision);
                node.machine.alone(NOW, Duration::ZERO);
                self.proposed.clear();
                return self.drain(index, NOW, counts);
            }
            Step::Meet => self.meet(),
            Step::Activate(index) => {
                let node = &mut self.nodes[index];
                node.view = View::Both;
                (node.won, node.lost, node.base) = (false, false, 0);
                node.machine.together(NOW, self.met.0.clone(), index == 0);
                return self.drain(index, NOW, counts);
            }
            Step::Persist(index) => {
                let node = &mut self.nodes[index];
                node.disk = (node.machine.register().cloned(), node.state);
            }
            Step::Stored(index) => {
                self.store(index);
                return self.drain(index, NOW, counts);
            }
            Step::Deliver => {
                let register = self.proposed.pop_front();
                for node in &mut self.nodes {
                    if register.as_ref().is_some_and(|register| register.follows(node.machine.register())) {
                        node.storing.clone_from(&register);
                    }
                }
            }
            Step::Timeout(index) => {
                let node = &mut self.nodes[index];
                node.timeouts += 1;
                let Some(due) = node.machine.poll_timeout() else { return Ok(()) };
                node.machine.handle_timeout(due);
                return self.drain(index, due, counts);
            }
            Step::Arrive(at) => {
                let (index, life, id, request) = self.requests.remove(at);
                let answer = self.serve(&request);
                self.answers.push((index, life, id, answer));
                self.answers.sort();
            }
            Step::Double(at) => {
                self.left.doubles -= 1;
                let (index, life, id, request) = self.requests[at].clone();
                let answer = self.serve(&request);
                self.answers.push((index, life, id, answer));
                self.answers.sort();
            }
            Step::Stale(_) | Step::Complete | Step::Fail | Step::Move => self.provide(step, counts),
            Step::Tell | Step::End => return self.move_address(step, counts),
            Step::Answer(at) => {
                let (index, life, id, reply) = self.answers.remove(at);
                if self.nodes[index].life == life && self.runs(index) {
                    let answer = self.read(index, reply);
                    self.nodes[index].machine.answered(NOW, id, Ok(answer));
                    return self.drain(index, NOW, counts);
                }
            }
            Step::Change(index) => self.change(index),
            Step::Crash(index) => {
                self.left.crashes -= 1;
                self.linked = false;
                let node = &mut self.nodes[index];
                node.view = View::Down;
                (node.won, node.storing) = (false, None);
            }
            Step::Start(index) => {
                self.left.starts -= 1;
                let node = &mut self.nodes[index];
                node.life += 1;
                node.lost = false;
                node.machine = Arbiter::new(me(index, node.life), self.left.model, node.disk.0.clone());
                node.log = ActionLog::default();
                node.state = node.disk.1;
                node.view = View::Alone;
                node.base = node.machine.register().map_or(0, |register| register.revision);
                node.machine.alone(NOW, Duration::ZERO);
                return self.drain(index, NOW, counts);
            }
            Step::Restore => {
                self.left.restores -= 1;
                self.store = Store { id: self.store.id + 1, ..self.backup.clone() };
                counts.sometimes("the store was set back");
            }
        }
        self.judge(counts)
    }
}

#[cfg(test)]
mod tests {
    //! The smaller worlds are searched to their end; all of them are by `hac-sim --only model`, in a build that is fast enough.
    use super::*;
    use crate::model::search;

    #[test]
    fn of_two_nodes_without_each_other_at_most_one_has_the_vote() {
        // A cut, a store that is another one, crashes, and a claim from before a meeting.
        for bounds in [0, 1, 3, 9].map(|index| &WORLDS[index]) {
            let found = search(Pair::new(*bounds));
            let violation = found.violation.map(|(violation, way)| format!("{violation}: {}", way.join("; ")));
            assert_eq!(violation, None, "after {} states", found.states);
            assert!(found.states > 1000, "{} states are no search", found.states);
            assert!(found.counts.sometimes.contains_key("a node has won"), "nobody ever won");
            assert!(found.counts.sometimes.contains_key("a node is without the vote"), "nobody ever lost");
        }
    }
}
