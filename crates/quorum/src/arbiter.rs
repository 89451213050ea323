//! The third vote of two nodes: a register in a store that both reach, changed by compare-and-swap.
//!
//! Each node keeps, in its state and durable with it, at which revision the register was changed last ([`Register`]): who has it
//! has the state that belongs to it. Two nodes that lose each other both ask the store to replace that one. One of them can,
//! because both compare with the same; it stores the new revision together with its state, and is quorate then. The other one has
//! lost, and claims no more before both have met and share the newer revision.
//!
//! ```text
//!          all nodes are members              a node is missing
//!   IDLE ───────────────────────► TOGETHER ────────────────────► CLAIMING ── swapped, or my own mark is there ──► STORING
//!                                    ▲                               │                                               │ stored
//!                                    │                               └── somebody else's mark ──► LOST               ▼
//!                                    └────────────────── all nodes are members again ───────────────┴────────────── WON
//! ```
//!
//! Nothing here is a lease: who has won keeps the vote until it meets the other node, whether the store can be reached or not.
//! An answer that proves nothing counts as none. With all nodes together the store decides nothing; it is only looked at.
//! See `docs/decisions/0046-third-vote.md`.
//!
//! The store may be a provider's list of actions on an address ([`Model::ActionLog`]): a change of it takes as long as an
//! assignment, and the list is changed by every assignment, also by those that the cluster orders itself. While all nodes are
//! members its last action is taken for what is known. See `docs/decisions/0047-claims.md`.

mod list;
mod words;

use std::collections::VecDeque;
use std::time::Duration;

use hac_types::{Member, NodeId, Timestamp, mutant};

pub use self::words::{Answer, Found, Mark, Model, Moving, Outcome, Register, Request};

/// How much longer than [`Model::call`] an answer is waited for, which keeps to that by itself.
const LATE: Duration = Duration::from_millis(500);

/// How long a node that was quorate neither starts nor stops anything because of a claim that is not decided.
const SUSPENDED: Duration = Duration::from_secs(5);

/// The same where a change takes as long as a provider needs to assign an address.
const SUSPENDED_LONG: Duration = Duration::from_secs(30);

/// How soon it is looked whether what a provider has accepted was carried out.
const UNDERWAY: Duration = Duration::from_secs(1);

/// How soon a claim is tried again while it is waited for.
const SOON: Duration = Duration::from_millis(250);

/// How soon a claim is tried again that nobody waits for any more, and a state stored that was not.
const AGAIN: Duration = Duration::from_secs(5);

/// How often the store is looked at while all nodes are members.
const LOOK: Duration = Duration::from_secs(60);

/// What is said of an answer that does not fit its question.
const UNASKED: &str = "it answers what was not asked";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// Ask the store, and answer with [`Arbiter::answered`].
    Ask(u64, Request),
    /// Have all members store this with their state, and say [`Arbiter::stored`] when it is part of it.
    Store(Register),
    /// This node has the arbiter's vote, for as long as it is without the other.
    Won,
    /// It has it not, for this reason: the suspension is over.
    Without(String),
    /// What [`Arbiter::trust`] was to do cannot be done.
    NotTrusted(String),
}

/// How it stands with the store, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It has what this cluster knows: a vote can be had.
    Ready,
    /// It does not answer, or what it says is no answer.
    Silent(String),
    /// It answers, and is not to be believed.
    Strange(String),
}

/// How far a node is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    /// The arbiter decides nothing.
    Idle,
    /// All nodes are members.
    Together {
        /// Who writes for both.
        steward: bool,
        /// When the store is looked at.
        next: Timestamp,
        /// A person said that what is there is to be believed.
        trusting: bool,
        /// The cluster moves the address itself, and what it has ordered was not seen yet.
        moving: bool,
    },
    /// The vote is claimed.
    Claiming {
        /// When it is not waited for any more.
        until: Option<Timestamp>,
        /// When the next request is due.
        next: Timestamp,
    },
    /// The claim was won; it counts when this is stored.
    Storing {
        /// What is to be stored.
        register: Register,
        /// When that is said again.
        again: Timestamp,
    },
    /// This node has the vote.
    Won,
    /// The other node has it.
    Lost(String),
}

/// A request on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Asked {
    id: u64,
    due: Timestamp,
    /// The epoch that it would make, if it is to change something.
    swaps: Option<u64>,
}

/// The claim of one node to the arbiter's vote. See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arbiter {
    me: Member,
    model: Model,
    register: Option<Register>,
    /// The highest revision that was seen of the store that is known.
    newest: u64,
    place: Place,
    asked: Option<Asked>,
    last: u64,
    /// Counts the times that the other node was met: what was ordered before is no claim any more.
    meetings: u64,
    health: Health,
    outputs: VecDeque<Output>,
}

impl Arbiter {
    /// A node that has just started, with what its state says.
    #[must_use]
    pub const fn new(me: Member, model: Model, register: Option<Register>) -> Self {
        Self {
            me,
            model,
            register,
            newest: 0,
            place: Place::Idle,
            asked: None,
            last: 0,
            meetings: 0,
            health: Health::Unknown,
            outputs: VecDeque::new(),
        }
    }

    /// What is known of the register.
    #[must_use]
    pub const fn register(&self) -> Option<&Register> {
        self.register.as_ref()
    }

    /// What kind of store it is.
    #[must_use]
    pub const fn model(&self) -> Model {
        self.model
    }

    /// How it stands with the store.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Whether this node has the vote.
    #[must_use]
    pub const fn has_won(&self) -> bool {
        matches!(self.place, Place::Won)
    }

    /// Whether the other node has it, as far as is known.
    #[must_use]
    pub const fn has_lost(&self) -> bool {
        matches!(self.place, Place::Lost(_))
    }

    /// All nodes are members, and their states are one: `register` is the newest that any of them knows. One of them is
    /// the steward, who writes for all.
    pub fn together(&mut self, now: Timestamp, register: Option<Register>, steward: bool) {
        self.leave_off();
        self.learn(register);
        if mutant("numbered-keys")
            && let Some(register) = &mut self.register
        {
            register.epoch += 1;
        }
        self.place = Place::Together { steward, next: now, trusting: false, moving: false };
    }

    /// The members have not all nodes, and the arbiter's vote would make them quorate: it is claimed after `grace`.
    pub fn alone(&mut self, now: Timestamp, grace: Duration) {
        match &self.place {
            // Nobody else can have claimed since.
            Place::Won => self.outputs.push_back(Output::Won),
            Place::Lost(why) => self.outputs.push_back(Output::Without(why.clone())),
            Place::Storing { register, .. } => {
                let register = register.clone();
                self.store(now, register);
            }
            Place::Idle | Place::Together { .. } | Place::Claiming { .. } => {
                self.leave_off();
                if self.register.is_none() {
                    let why = "the nodes have not agreed with the arbiter yet".to_owned();
                    self.place = Place::Lost(why.clone());
                    return self.outputs.push_back(Output::Without(why));
                }
                self.place = Place::Claiming { until: Some(now + grace + self.suspended()), next: now + grace };
            }
        }
    }

    /// A membership of all nodes begins, of which nobody knows yet whether it becomes active: the other node may from here on learn
    /// what this one has won.
    pub fn meet(&mut self) {
        self.rest();
        // The other one may come to know what this one has ordered, and claim after it.
        if self.model == Model::ActionLog && !mutant("claims-outlive-a-meeting") {
            self.meetings += 1;
        }
        if matches!(self.place, Place::Won) && !mutant("vote-kept-in-meeting") {
            self.place = Place::Idle;
        }
    }

    /// The membership is over, or the arbiter's vote makes no difference to it.
    pub fn rest(&mut self) {
        // Who has won has done so until it meets the other; who has lost, until both are active together.
        if matches!(self.place, Place::Together { .. } | Place::Claiming { .. }) {
            self.leave_off();
            self.place = Place::Idle;
        }
    }

    /// All nodes are members and none of them counts an arbiter any more.
    pub fn forget(&mut self) {
        self.leave_off();
        (self.register, self.newest, self.place) = (None, 0, Place::Idle);
    }

    /// Nobody waits any more for what was asked.
    fn leave_off(&mut self) {
        self.asked = None;
        if let Place::Together { trusting, .. } = &mut self.place
            && std::mem::take(trusting)
        {
            self.outputs.push_back(Output::NotTrusted("the membership has changed".to_owned()));
        }
    }

    /// What the state says of the register was changed and is stored by all members.
    pub fn stored(&mut self, register: &Register) {
        self.learn(Some(register.clone()));
        if matches!(&self.place, Place::Storing { register: awaited, .. } if awaited == register) {
            self.place = Place::Won;
            self.outputs.push_back(Output::Won);
        }
        if register.moving == Some(Moving::Announced) {
            self.announce();
        }
        // Somebody else may have written it: whether this node reaches the store is to be seen.
        if self.health != Health::Ready
            && let Place::Together { next, .. } = &mut self.place
        {
            *next = Timestamp::ZERO;
        }
    }

    /// A person says that what the store has is to be believed from now on, while all nodes are members: it is replaced, whatever
    /// it is.
    pub fn trust(&mut self, now: Timestamp) {
        match &mut self.place {
            Place::Together { trusting, next, .. } => {
                (*trusting, *next) = (true, now);
                self.asked = None;
                self.handle_timeout(now);
            }
            _ => self.outputs.push_back(Output::NotTrusted("not all nodes are members".to_owned())),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let waits = match &self.place {
            Place::Together { next, .. } => self.asked.is_none().then_some(*next),
            Place::Claiming { until, next } => {
                let next = self.asked.is_none().then_some(*next);
                [*until, next].into_iter().flatten().min()
            }
            Place::Storing { again, .. } => Some(*again),
            Place::Lost(_) if mutant("lease-decides") => Some(Timestamp::ZERO),
            Place::Idle | Place::Won | Place::Lost(_) => None,
        };
        [waits, self.asked.as_ref().map(|asked| asked.due)].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let Some(asked) = self.asked.take_if(|asked| asked.due <= now) {
            if mutant("unknown-is-won")
                && let (Some(epoch), Some(register), Place::Claiming { .. }) =
                    (asked.swaps, self.register.clone(), &self.place)
            {
                return self.store(now, Register { epoch, revision: register.revision + 1, ..register });
            }
            self.silent(now, "no answer came in time".to_owned());
        }
        if let Place::Claiming { until, .. } = &mut self.place
            && until.is_some_and(|until| until <= now)
        {
            *until = None;
            let why = match &self.health {
                Health::Silent(why) | Health::Strange(why) => why.clone(),
                Health::Unknown | Health::Ready => "it has not answered yet".to_owned(),
            };
            self.outputs.push_back(Output::Without(format!("the arbiter gives no vote: {why}")));
        }
        match &self.place {
            Place::Together { trusting: true, next, .. } if self.asked.is_none() && *next <= now => {
                self.ask(now, Request::Read, None);
            }
            Place::Together { next, .. } | Place::Claiming { next, .. } if self.asked.is_none() && *next <= now => {
                let request = match (self.model, &self.register) {
                    (Model::ActionLog, Some(known)) => Request::Since(known.revision),
                    _ => Request::Read,
                };
                self.ask(now, request, None);
            }
            Place::Storing { register, again } if *again <= now => {
                let register = register.clone();
                let why = "the arbiter's vote counts when this node has stored it".to_owned();
                self.outputs.push_back(Output::Without(why));
                self.store(now, register);
            }
            Place::Lost(_) if mutant("lease-decides") && self.asked.is_none() => {
                self.place = Place::Claiming { until: None, next: now };
                self.ask(now, Request::Read, None);
            }
            _ => {}
        }
    }

    /// What the store said to a request, or why it said nothing.
    pub fn answered(&mut self, now: Timestamp, id: u64, answer: Result<Answer, String>) {
        // What comes late answers nothing: it is asked anew.
        let Some(asked) = self.asked.take_if(|asked| asked.id == id) else { return };
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return self.silent(now, why),
        };
        let trusting = matches!(self.place, Place::Together { trusting: true, .. });
        if let Err(why) = self.judge(&answer)
            && !trusting
        {
            return self.strange(now, why);
        }
        self.newest = if trusting { answer.revision } else { self.newest.max(answer.revision) };
        if answer.outcome == Outcome::Underway {
            return self.underway(now);
        }
        match self.place {
            Place::Claiming { .. } if self.model == Model::ActionLog => self.claim_in_list(now, &asked, answer),
            Place::Claiming { .. } => self.claim(now, &asked, answer),
            Place::Together { .. } if matches!(answer.outcome, Outcome::Since { .. }) => self.settle(now, answer),
            Place::Together { .. } => self.look(now, &asked, answer),
            Place::Idle | Place::Storing { .. } | Place::Won | Place::Lost(_) => {}
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the answer to this request would be heard.
    #[must_use]
    pub fn waits_for(&self, id: u64) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.id == id)
    }

    /// The same with all times counted from `now`: machines that will do the same are equal. For who enumerates states.
    #[must_use]
    pub fn relative_to(&self, now: Timestamp) -> Self {
        let from = |at: Timestamp| Timestamp::ZERO + at.since(now);
        let mut same = self.clone();
        if let Some(asked) = &mut same.asked {
            asked.due = from(asked.due);
        }
        match &mut same.place {
            Place::Together { next, .. } => *next = from(*next),
            Place::Claiming { until, next } => (*until, *next) = (until.map(from), from(*next)),
            Place::Storing { again, .. } => *again = from(*again),
            Place::Idle | Place::Won | Place::Lost(_) => {}
        }
        same
    }

    /// An answer in a claim.
    fn claim(&mut self, now: Timestamp, asked: &Asked, answer: Answer) {
        let Some(known) = self.register.clone() else { return };
        let Answer { store, revision, outcome } = answer;
        let found = match (outcome, asked.swaps) {
            (Outcome::Swapped, Some(epoch)) => {
                return self.store(now, Register { epoch, revision, store, moving: None });
            }
            (Outcome::Swapped, None) | (Outcome::Underway | Outcome::Since { .. }, _) => {
                return self.silent(now, UNASKED.to_owned());
            }
            (Outcome::Found(found), _) => found,
        };
        self.health = Health::Ready;
        let Some(found) = found else {
            return self.lose("what this cluster had at the arbiter is gone".to_owned());
        };
        let next = known.epoch.saturating_add(1);
        if let Some(mark) = &found.mark {
            let mine = mark.epoch == next && (mark.nonce == self.nonce(&known) || mutant("other-nonce-wins"));
            if (mine && found.revision > known.revision)
                || (mutant("pointer-decides") && mark.node == self.me.node && found.revision == known.revision)
            {
                return self.store(now, Register { epoch: mark.epoch, revision: found.revision, store, moving: None });
            }
        }
        let numbered = mutant("numbered-keys") && found.mark.as_ref().is_some_and(|mark| mark.epoch < next);
        if found.revision == known.revision || mutant("compares-with-what-is-there") || numbered {
            if asked.swaps.is_some() {
                return self.silent(now, "it contradicts itself".to_owned());
            }
            let mark = self.mark(&known, vec![self.me.node]);
            let expected =
                if mutant("compares-with-what-is-there") || numbered { found.revision } else { known.revision };
            return self.ask(now, Request::Swap { expected, mark }, Some(next));
        }
        if mutant("lease-decides") && matches!(self.place, Place::Claiming { until: None, .. }) {
            let mark = self.mark(&known, vec![self.me.node]);
            return self.ask(now, Request::Swap { expected: found.revision, mark }, Some(next));
        }
        let why = match &found.mark {
            Some(mark) => format!("the arbiter's vote went to node {} (epoch {})", mark.node, mark.epoch),
            None => "what is at the arbiter was not written by this cluster".to_owned(),
        };
        self.lose(why);
    }

    /// An answer while all nodes are members.
    fn look(&mut self, now: Timestamp, asked: &Asked, answer: Answer) {
        let Place::Together { steward, trusting, next, .. } = &mut self.place else { return };
        *next = now + LOOK;
        let (steward, trusting) = (*steward, *trusting);
        let Answer { store, revision, outcome } = answer;
        let found = match (outcome, asked.swaps) {
            (Outcome::Swapped, Some(epoch)) => {
                self.health = Health::Ready;
                if let Place::Together { trusting, .. } = &mut self.place {
                    *trusting = false;
                }
                return self.outputs.push_back(Output::Store(Register { epoch, revision, store, moving: None }));
            }
            (Outcome::Swapped, None) | (Outcome::Underway | Outcome::Since { .. }, _) => {
                return self.silent(now, UNASKED.to_owned());
            }
            (Outcome::Found(found), _) => found,
        };
        if self.model == Model::ActionLog && self.take_over(&found, store, steward, trusting) {
            return;
        }
        let known = self.register.clone();
        // A claim of one of these nodes that was answered too late, or whose answer nobody stored.
        let is_ours = |found: &Found| {
            found.mark.as_ref().is_some_and(|mark| {
                known.as_ref().is_none_or(|known| {
                    mark.epoch == known.epoch.saturating_add(1) && mark.nonce.ends_with(&after(known))
                })
            })
        };
        let expected = match (&known, &found) {
            (Some(known), Some(found)) if found.revision == known.revision && !trusting => {
                self.health = Health::Ready;
                return;
            }
            (None, None) => 0,
            (None, Some(found)) if self.model == Model::ActionLog => found.revision,
            (_, Some(found)) if trusting || is_ours(found) => found.revision,
            (_, None) if trusting => 0,
            (Some(_), None) => return self.strange(now, "what this cluster had there is gone".to_owned()),
            (_, Some(_)) => {
                return self.strange(now, "what is there is not what this cluster wrote last".to_owned());
            }
        };
        if !steward && !trusting {
            // The steward puts it right.
            return;
        }
        let there = found.and_then(|found| found.mark).map_or(0, |mark| mark.epoch);
        let epoch = known.as_ref().map_or(0, |known| known.epoch).max(there);
        let base = Register { epoch, revision: expected, store, moving: None };
        let mark = self.mark(&base, Vec::new());
        self.ask(now, Request::Swap { expected, mark }, Some(epoch.saturating_add(1)));
    }

    /// What somebody has ordered is being carried out.
    fn underway(&mut self, now: Timestamp) {
        if matches!(self.health, Health::Silent(_)) {
            self.health = Health::Unknown;
        }
        if let Place::Together { next, .. } | Place::Claiming { next, .. } = &mut self.place {
            *next = now + UNDERWAY;
        }
    }

    const fn suspended(&self) -> Duration {
        match self.model {
            Model::Register => SUSPENDED,
            Model::ActionLog => SUSPENDED_LONG,
        }
    }

    /// Whether an answer can be of the store that this cluster knows, as it was or later.
    fn judge(&self, answer: &Answer) -> Result<(), String> {
        let Some(known) = &self.register else { return Ok(()) };
        if mutant("rollback-trusted") {
            return Ok(());
        }
        if answer.store != known.store {
            let (is, was) = (answer.store, known.store);
            return Err(format!("it is another store ({is:x}) than the one that this cluster knows ({was:x})"));
        }
        let newest = self.newest.max(known.revision);
        if answer.revision < newest {
            let is = answer.revision;
            return Err(format!("it was set back: it is at revision {is} and was at {newest}"));
        }
        Ok(())
    }

    fn silent(&mut self, now: Timestamp, why: String) {
        self.health = Health::Silent(why);
        self.later(now);
    }

    fn strange(&mut self, now: Timestamp, why: String) {
        self.health = Health::Strange(why);
        self.later(now);
    }

    /// Nothing came of a request: when the next one is made.
    fn later(&mut self, now: Timestamp) {
        match &mut self.place {
            Place::Together { next, trusting, .. } => {
                *next = now + if matches!(self.health, Health::Silent(_)) { AGAIN } else { LOOK };
                if std::mem::take(trusting) {
                    let (Health::Silent(why) | Health::Strange(why)) = &self.health else { return };
                    self.outputs.push_back(Output::NotTrusted(why.clone()));
                }
            }
            Place::Claiming { until, next } => {
                let soon = if self.model == Model::ActionLog { UNDERWAY } else { SOON };
                *next = now + if until.is_some() { soon } else { AGAIN };
            }
            Place::Idle | Place::Storing { .. } | Place::Won | Place::Lost(_) => {}
        }
    }

    fn lose(&mut self, why: String) {
        self.place = Place::Lost(why.clone());
        self.outputs.push_back(Output::Without(why));
    }

    /// The claim was won: it counts when the state that belongs to it is stored with it.
    fn store(&mut self, now: Timestamp, register: Register) {
        self.outputs.push_back(Output::Store(register.clone()));
        self.place = Place::Storing { register, again: now + AGAIN };
    }

    fn ask(&mut self, now: Timestamp, request: Request, swaps: Option<u64>) {
        self.last += 1;
        self.asked = Some(Asked { id: self.last, due: now + self.model.call() + LATE, swaps });
        self.outputs.push_back(Output::Ask(self.last, request));
    }

    /// Takes over what is newer.
    fn learn(&mut self, register: Option<Register>) {
        if register > self.register {
            let other = register.as_ref().map(|new| new.store) != self.register.as_ref().map(|old| old.store);
            self.newest = if other { 0 } else { self.newest };
            self.register = register;
        }
    }

    fn mark(&self, known: &Register, members: Vec<NodeId>) -> Mark {
        let epoch = known.epoch.saturating_add(1);
        let (node, incarnation) = (self.me.node, self.me.incarnation.0);
        Mark { epoch, node, incarnation, nonce: self.nonce(known), members }
    }

    /// Names the change that this life of this node would make to a register that is so, before it meets the other one again.
    fn nonce(&self, known: &Register) -> String {
        let meetings = if self.meetings == 0 { String::new() } else { format!("-{}", self.meetings) };
        format!("{}-{:016x}{meetings}{}", self.me.node, self.me.incarnation.0, after(known))
    }
}

/// How the names of all changes end that anybody would make to a register that is so.
fn after(known: &Register) -> String {
    format!("-{}-{}", known.epoch, known.revision)
}

#[cfg(test)]
mod tests;
