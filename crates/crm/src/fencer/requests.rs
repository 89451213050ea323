//! Requests to fence nodes, as a replicated machine: wanted, attempted with one device by one node after the other, over.
//! Each [`Step`] is a command of the ordered stream, so that all nodes have the same [`Requests`], and whoever coordinates next
//! goes on where the last one was ([`Requests::next`]).
//!
//! A step says which turn of its request it answers. One that was proposed by an earlier coordinator, or twice, is out of turn
//! and does nothing.
//!
//! What a success proves is proved of the life in which the target was when the attempt began. If it has joined again since, it
//! says nothing of its new life ([`Consequence::Outlived`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_model::FenceAction;
pub use hac_model::fencing::{Attempt, End, How, Record, Request, Requests, Wanted};
use hac_types::{WallTime, mutant};
use serde::{Deserialize, Serialize};

use super::watchdog::WATCHDOG;

/// More records than this are not kept.
const HISTORY_MAX: usize = 500;

/// To so many of the newest the history is cut.
const HISTORY_CUT: usize = 250;

/// Who asks on behalf of a plan.
pub const A_PLAN: &str = "hacd";

/// Who is named as the one that did it when a person says that a node is down.
pub const A_HUMAN: &str = "a human";

/// What travels in the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Somebody wants a node fenced.
    Wanted(Wanted),
    /// An attempt begins.
    Begun {
        /// Number of the request.
        request: u64,
        /// Which turn of it this answers.
        turn: u64,
        /// What is tried.
        attempt: Attempt,
    },
    /// The attempt that was under way has ended.
    Ended {
        /// Number of the request.
        request: u64,
        /// Which turn of it this answers.
        turn: u64,
        /// The attempt's key: two sides of a cut may have had different attempts in the same turn.
        key: String,
        /// How.
        how: How,
    },
    /// Nothing more is tried.
    Over {
        /// Number of the request.
        request: u64,
        /// Which turn of it this answers.
        turn: u64,
        /// What came of it.
        end: End,
    },
    /// The newest plan does not want what an earlier one asked for: what called for it is gone.
    Unwanted {
        /// Number of the request.
        request: u64,
    },
    /// A person says that a node is down.
    Confirmed {
        /// Name of the node.
        target: String,
        /// Who says so.
        client: String,
        /// Name of the node through which it is said.
        origin: String,
        /// Although the node is a member.
        force: bool,
    },
    /// Forget what is over: of this node, or of all. Requests under way stay.
    Forget {
        /// Name of the node.
        target: Option<String>,
    },
}

/// What follows from a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consequence {
    /// A request of this number is under way, whether it was before or not.
    UnderWay(u64),
    /// The node is down, or was for a moment: nothing that ran there runs any more.
    Down(String),
    /// The node was let in.
    LetIn(String),
    /// What was done was done to an earlier life of the node.
    Outlived(String),
    /// It came to nothing for the `failures`th time in a row.
    Failed {
        /// Name of the node.
        target: String,
        /// What was to be done to it.
        action: FenceAction,
        /// Times in a row.
        failures: u32,
        /// There was no device that could have been tried.
        nobody: bool,
    },
    /// A person said that a node is down that is a member.
    Alive(String),
}

/// A device that can perhaps fence the target, seen from the coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Id of the device.
    pub device: String,
    /// Names of the members that may use it.
    pub nodes: BTreeSet<String>,
    /// Those of them where its agent has succeeded since it was started there.
    pub verified: BTreeSet<String>,
    /// The wait before it powers the target off.
    pub delay: Duration,
    /// It is not told to power the target on again.
    pub stays_off: bool,
    /// It lets nodes in, and each node needs it before anything starts there.
    pub unfences: bool,
    /// It does nothing to the target but wait for so long, whatever else is said of delays: the target's own watchdog.
    pub waits: Option<Duration>,
}

/// What the coordinator knows when it decides about a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// Members of the view, by name.
    pub members: BTreeSet<String>,
    /// The devices, in the order of the configuration.
    pub offers: Vec<Offer>,
    /// The devices of each level of the topology for the target; none if there is no topology for it.
    pub levels: Vec<Vec<String>>,
    /// For the next attempt: tells it from every other one.
    pub key: String,
    /// Watchdogs are counted on, and why that of the target is not, as a clause.
    pub unwatched: Option<String>,
}

/// The requests as a replicated machine. `members` are the members of the view by name, the same for all at the same place of
/// the stream.
pub trait Machine {
    /// The members are these now. What those ran that are gone is lost; who joined lives anew and may be fenced as often as
    /// before. `lives` has the lives of members, as far as they are known.
    fn members_changed(&mut self, before: &BTreeSet<String>, now: &BTreeSet<String>, lives: &BTreeMap<String, u64>);

    /// A node has left in good order: if its present life was said to be over, it was not.
    fn left(&mut self, node: &str);

    /// Carries out a step that was proposed at `wall`; what follows from it, if anything does.
    fn apply(&mut self, step: Step, members: &BTreeSet<String>, wall: WallTime) -> Option<Consequence>;

    /// What the coordinator proposes next for the request of this number; nothing while an attempt is under way.
    #[must_use]
    fn next(&self, id: u64, scene: &Scene) -> Option<Step>;
}

impl Machine for Requests {
    fn members_changed(&mut self, before: &BTreeSet<String>, now: &BTreeSet<String>, lives: &BTreeMap<String, u64>) {
        for joined in now.difference(before) {
            self.failures.remove(joined);
            self.waited.remove(joined);
            let life = lives.get(joined).copied();
            let is_same = life.is_some() && self.lives.get(joined) == life.as_ref();
            if !is_same {
                self.watchdogs.remove(joined);
            }
            for request in self.running.iter_mut().filter(|request| request.wanted.target == *joined) {
                request.is_back = true;
                request.rejoined |= !is_same;
            }
            if is_same && self.ended.get(joined) == life.as_ref() {
                self.survivors.insert(joined.clone());
            } else {
                self.survivors.remove(joined);
                self.ended.remove(joined);
            }
        }
        self.lives.extend(lives.iter().map(|(node, life)| (node.clone(), *life)));
        for request in &mut self.running {
            if let Some(attempt) = request.attempt.take_if(|attempt| !now.contains(&attempt.by)) {
                request.tried.push((attempt, How::Lost));
                request.turn = request.turn.saturating_add(1);
            }
        }
    }

    fn left(&mut self, node: &str) {
        if self.ended.contains_key(node) && self.ended.get(node) == self.lives.get(node) {
            self.survivors.insert(node.to_owned());
        }
    }

    fn apply(&mut self, step: Step, members: &BTreeSet<String>, wall: WallTime) -> Option<Consequence> {
        match step {
            Step::Wanted(wanted) => Some(want(self, wanted, members, wall)),
            Step::Begun { request, turn, attempt } => {
                let request = in_turn(&mut self.running, request, turn).filter(|request| request.attempt.is_none())?;
                // By a node that has left meanwhile: the next decision does not count on it.
                if !members.contains(&attempt.by) {
                    return None;
                }
                if attempt.place == 0 {
                    request.rejoined = false;
                }
                request.attempt = Some(attempt);
                None
            }
            Step::Ended { request, turn, key, how } => {
                let of = self.running.iter().find(|of| of.id == request)?;
                of.attempt.as_ref().filter(|attempt| attempt.key == key)?;
                let how = if mutant("failure-as-success") { How::Done } else { how };
                let request = in_turn(&mut self.running, request, turn)?;
                request.tried.push((request.attempt.take()?, how));
                None
            }
            Step::Over { request, turn, end } => {
                in_turn(&mut self.running, request, turn)?;
                let at = self.running.iter().position(|running| running.id == request)?;
                let request = self.running.remove(at);
                Some(conclude(self, request, end, wall))
            }
            Step::Unwanted { request } => {
                let request = self.running.iter_mut().find(|of| of.id == request && of.wanted.client == A_PLAN)?;
                request.unwanted = true;
                if request.attempt.is_none() {
                    request.turn = request.turn.saturating_add(1);
                }
                None
            }
            Step::Confirmed { target, force: false, .. } if members.contains(&target) => {
                Some(Consequence::Alive(target))
            }
            Step::Confirmed { target, client, origin, .. } => {
                // What is under way has nothing to do any more: it might hit a node that was switched on again.
                self.running.retain(|of| of.wanted.target != target || !of.wanted.action.takes_down());
                let wanted = Wanted { target, action: FenceAction::Off, client, origin, ..Wanted::default() };
                let human = Attempt { by: A_HUMAN.to_owned(), ..Attempt::default() };
                let tried = vec![(human, How::Done)];
                let request = Request { id: number(self), wanted, tried, ..Request::default() };
                Some(conclude(self, request, End::Succeeded, wall))
            }
            Step::Forget { target } => {
                self.history.retain(|record| target.as_ref().is_some_and(|target| record.target != *target));
                self.survivors.retain(|node| target.as_ref().is_some_and(|target| node != target));
                None
            }
        }
    }

    fn next(&self, id: u64, scene: &Scene) -> Option<Step> {
        let of = self.running.iter().find(|request| request.id == id && request.attempt.is_none())?;
        let (request, turn) = (of.id, of.turn);
        let mut others = self.running.iter().filter(|other| other.id != id && other.wanted.target == of.wanted.target);
        if of.wanted.action.takes_down() {
            // What lets the node in would undo this one: it comes to its end first.
            let lets_in = |other: &Request| other.wanted.action == FenceAction::On && other.attempt.is_some();
            if others.any(lets_in) {
                return None;
            }
        } else if others.any(|other| other.wanted.action.takes_down() && !is_withdrawn(other)) {
            let reason = format!("{} is to be fenced", of.wanted.target);
            return Some(Step::Over { request, turn, end: End::Failed { reason, nobody: true } });
        }
        Some(match decide(of, scene) {
            Ok(attempt) => Step::Begun { request, turn, attempt },
            Err(end) => Step::Over { request, turn, end },
        })
    }
}

fn number(requests: &mut Requests) -> u64 {
    requests.last = requests.last.saturating_add(1);
    requests.last
}

/// Begins a request, joins one of the same kind, or finds that it is done.
fn want(requests: &mut Requests, wanted: Wanted, members: &BTreeSet<String>, wall: WallTime) -> Consequence {
    let same = |target: &str, action| target == wanted.target && action == wanted.action && wanted.device.is_none();
    // What is being powered off is not switched on again for a plan that knows only that it has gone.
    let serves = |other: &Wanted| {
        same(&other.target, other.action)
            || other.target == wanted.target && (other.action, wanted.action) == (FenceAction::Off, FenceAction::Reboot)
    };
    // A test of one device is a request of its own: no other one may answer it, nor it any other.
    let serves = |other: &Wanted| other.device == wanted.device && (serves(other) || *other == wanted);
    let under_way = requests.running.iter_mut().find(|other| serves(&other.wanted));
    if let Some(other) = under_way {
        // What was proposed because nobody wanted it any more does not count any more.
        if is_withdrawn(other) && other.attempt.is_none() {
            other.turn = other.turn.saturating_add(1);
        }
        (other.is_back, other.unwanted) = (false, false);
        if other.wanted.client != wanted.client && !other.joined.contains(&wanted.client) {
            other.joined.push(wanted.client);
        }
        return Consequence::UnderWay(other.id);
    }
    // A plan that was made before it was known that this is done.
    if wanted.client == A_PLAN && wanted.action.takes_down() && is_down(requests, &wanted.target, members) {
        return done_to(wanted.target, wanted.action);
    }
    let tolerance = i64::try_from(wanted.tolerance_s).unwrap_or(i64::MAX);
    let since = wall.as_secs().saturating_sub(tolerance);
    let recent = |record: &&Record| {
        same(&record.target, record.action) && record.end == End::Succeeded && record.completed >= since
    };
    if tolerance > 0 && requests.history.iter().rev().any(|record| recent(&record)) && !members.contains(&wanted.target)
    {
        return done_to(wanted.target, wanted.action);
    }
    let id = number(requests);
    requests.running.push(Request { id, wanted, ..Request::default() });
    Consequence::UnderWay(id)
}

/// Whether what is known of the target is that its last life was ended.
fn is_down(requests: &Requests, target: &str, members: &BTreeSet<String>) -> bool {
    let is_over = |life: &u64| requests.has_ended(target, *life) || requests.waited.get(target) == Some(life);
    let has_ended = requests.lives.get(target).is_some_and(is_over);
    has_ended && !requests.survivors.contains(target) && !members.contains(target)
}

/// A request is over: it goes into the history, and is counted.
fn conclude(requests: &mut Requests, request: Request, end: End, wall: WallTime) -> Consequence {
    let (rejoined, is_withdrawn) = (request.rejoined, is_withdrawn(&request));
    let only_waited = request.tried.last().is_some_and(|(attempt, _)| attempt.device == WATCHDOG);
    let Wanted { target, action, client, origin, .. } = request.wanted;
    let delegate = request.tried.last().map(|(attempt, _)| attempt.by.clone());
    let (id, completed) = (request.id, wall.as_secs());
    let nobody = matches!(end, End::Failed { nobody: true, .. });
    let succeeded = end == End::Succeeded;
    let is_plans = client == A_PLAN;
    requests.history.push(Record { id, target: target.clone(), action, client, origin, delegate, completed, end });
    if requests.history.len() > HISTORY_MAX {
        requests.history.drain(..requests.history.len().saturating_sub(HISTORY_CUT));
    }
    if succeeded {
        requests.failures.remove(&target);
        if rejoined && (action != FenceAction::On || is_plans) && !mutant("fenced-in-an-earlier-life") {
            return Consequence::Outlived(target);
        }
        if action.takes_down()
            && let Some(life) = requests.lives.get(&target)
        {
            let over = if only_waited { &mut requests.waited } else { &mut requests.ended };
            over.insert(target.clone(), *life);
        }
        return done_to(target, action);
    }
    if is_withdrawn {
        return Consequence::Failed { target, action, failures: 0, nobody };
    }
    let failures = requests.failures.entry(target.clone()).or_default();
    *failures = failures.saturating_add(1);
    Consequence::Failed { target, action, failures: *failures, nobody }
}

/// The request of this number whose turn it is; it has had it then.
fn in_turn(running: &mut [Request], id: u64, turn: u64) -> Option<&mut Request> {
    let request = running.iter_mut().find(|request| request.id == id && request.turn == turn)?;
    request.turn = request.turn.saturating_add(1);
    Some(request)
}

fn done_to(target: String, action: FenceAction) -> Consequence {
    if action.takes_down() { Consequence::Down(target) } else { Consequence::LetIn(target) }
}

/// Whether nothing more is to be tried: a plan wanted it, and the target, which was lost then, is back, or the newest plan finds
/// nothing wrong with it. Who still wants it says so again.
pub(super) fn is_withdrawn(request: &Request) -> bool {
    let is_back = request.is_back && !mutant("fenced-though-back");
    (is_back || request.unwanted) && request.wanted.client == A_PLAN && request.joined.is_empty()
}

/// Why nothing more is tried for a request that [is withdrawn](is_withdrawn).
pub(super) fn why_withdrawn(request: &Request) -> String {
    let target = &request.wanted.target;
    if request.is_back { format!("{target} has joined again") } else { "nothing calls for it any more".to_owned() }
}

/// The next attempt, or what came of the request.
fn decide(request: &Request, scene: &Scene) -> Result<Attempt, End> {
    let done = request.tried.last().is_some_and(|(_, how)| *how == How::Done);
    if is_withdrawn(request) && !done {
        return Err(End::Failed { reason: why_withdrawn(request), nobody: false });
    }
    let lets_in = request.wanted.action == FenceAction::On;
    if lets_in && request.wanted.client == A_PLAN && !scene.members.contains(&request.wanted.target) {
        let reason = format!("{} has left", request.wanted.target);
        return Err(End::Failed { reason, nobody: true });
    }
    if let Some(device) = &request.wanted.device {
        let offers = scene.offers.iter().filter(|offer| offer.device == *device).cloned().collect();
        return without_topology(request, &Scene { offers, levels: Vec::new(), ..scene.clone() });
    }
    let required: Vec<&Offer> = scene.offers.iter().filter(|offer| lets_in && offer.unfences).collect();
    match (required.is_empty(), scene.levels.is_empty()) {
        (true, true) => without_topology(request, scene),
        (true, false) => by_levels(request, scene, &scene.levels),
        (false, true) => by_all(request, scene, &required),
        (false, false) => {
            // Each level, and what every node needs besides.
            let with = |level: &Vec<String>| {
                let more = required.iter().map(|offer| &offer.device).filter(|device| !level.contains(device));
                level.iter().chain(more).cloned().collect()
            };
            by_levels(request, scene, &scene.levels.iter().map(with).collect::<Vec<_>>())
        }
    }
}

/// All of these that know the target, one after the other; one that fails is enough to fail.
fn by_all(request: &Request, scene: &Scene, required: &[&Offer]) -> Result<Attempt, End> {
    for (place, offer) in required.iter().enumerate() {
        let mut tried = request.tried.iter().filter(|(attempt, _)| attempt.device == offer.device).peekable();
        let was_tried = tried.peek().is_some();
        let (mut not_by, mut is_done, mut is_lost) = (BTreeSet::new(), false, false);
        for (attempt, how) in tried {
            match how {
                How::Done => is_done = true,
                How::Unable => drop(not_by.insert(attempt.by.as_str())),
                How::Lost => {
                    is_lost = true;
                    not_by.insert(attempt.by.as_str());
                }
                How::Failed(_) | How::TimedOut => return Err(exhausted(request, scene)),
            }
        }
        if is_done {
            continue;
        }
        let able = executors(request, scene, offer, FenceAction::On).filter(|(_, by)| !not_by.contains(by.as_str()));
        if let Some((_, by)) = able.min() {
            return Ok(attempt((request, scene), offer, by, (0, place), FenceAction::On));
        }
        if is_lost {
            return Err(exhausted(request, scene));
        }
        if !was_tried {
            let reason = format!("no node may use {}", offer.device);
            return Err(End::Failed { reason, nobody: true });
        }
    }
    // None of them may know the target: then it was not let in.
    if request.tried.iter().any(|(_, how)| *how == How::Done) {
        Err(End::Succeeded)
    } else {
        Err(exhausted(request, scene))
    }
}

/// One device that succeeds is enough. Nodes where the agent was seen to work come first, then those with more devices; the
/// target itself only if there is nobody else.
fn without_topology(request: &Request, scene: &Scene) -> Result<Attempt, End> {
    if request.tried.last().is_some_and(|(_, how)| *how == How::Done) {
        return Err(End::Succeeded);
    }
    if let Some((attempt, How::TimedOut)) = request.tried.last() {
        let reason = format!("{} did not answer {} in time", attempt.device, attempt.by);
        return Err(End::Failed { reason, nobody: false });
    }
    let action = request.wanted.action;
    let mut choices: Vec<_> = scene
        .offers
        .iter()
        .enumerate()
        .flat_map(|(at, offer)| executors(request, scene, offer, action).map(move |(rank, by)| (rank, by, at, offer)))
        .collect();
    choices.retain(|(_, by, _, offer)| {
        !request.tried.iter().any(|(tried, _)| tried.device == offer.device && tried.by == *by)
    });
    // All that one node can do comes before what the next one can.
    choices.sort_by(|left, right| (&left.0, &left.1, left.2).cmp(&(&right.0, &right.1, right.2)));
    let Some((_, by, _, offer)) = choices.into_iter().next() else { return Err(exhausted(request, scene)) };
    Ok(attempt((request, scene), offer, by, (0, 0), action))
}

/// Who may run the device, with a rank: the least is the first. A node that is let in lets itself in, where the device allows
/// that.
fn executors<'s>(
    request: &Request,
    scene: &'s Scene,
    offer: &'s Offer,
    action: FenceAction,
) -> impl Iterator<Item = ((u8, usize), String)> + 's {
    let target = request.wanted.target.clone();
    let alone = scene.members.iter().all(|member| *member == target);
    let lets_in = action == FenceAction::On && request.wanted.action == action && offer.unfences;
    offer.nodes.iter().filter(|node| scene.members.contains(*node)).filter_map(move |node| {
        let devices = scene.offers.iter().filter(|offer| offer.nodes.contains(node)).count();
        let rank = match (*node == target, offer.verified.contains(node)) {
            (true, _) if lets_in => 0,
            (true, _) if (!alone || action == FenceAction::On) && !mutant("fence-by-target") => return None,
            (true, _) => 3,
            _ if offer.waits.is_some() && !action.takes_down() => return None,
            // Last of all: whatever is done to the target is done sooner.
            _ if offer.waits.is_some() => 4,
            (false, true) => 1,
            (false, false) => 2,
        };
        Some(((rank, usize::MAX - devices), node.clone()))
    })
}

fn attempt(
    (request, scene): (&Request, &Scene),
    offer: &Offer,
    by: String,
    at: (usize, usize),
    action: FenceAction,
) -> Attempt {
    let delay = match request.wanted.delay_s {
        _ if offer.waits.is_some() => offer.waits.unwrap_or_default(),
        Some(_) if mutant("delay-ignored") => Duration::ZERO,
        Some(asked) if action.takes_down() => {
            let asked = if request.tried.is_empty() { asked } else { 0 };
            offer.delay.saturating_add(Duration::from_secs(asked))
        }
        _ => Duration::ZERO,
    };
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    Attempt { level: at.0, place: at.1, device: offer.device.clone(), by, action, delay_ms, key: scene.key.clone() }
}

/// Nothing is left to try.
fn exhausted(request: &Request, scene: &Scene) -> End {
    let target = &request.wanted.target;
    let mut tried = request.tried.iter().filter(|(_, how)| *how != How::Unable).peekable();
    if tried.peek().is_none() {
        let takes_down = request.wanted.action.takes_down();
        let unwatched = scene.unwatched.as_ref().filter(|_| takes_down).map(|why| format!(", and {why}"));
        let reason = format!("no fence device can reach {target}{}", unwatched.unwrap_or_default());
        return End::Failed { reason, nobody: true };
    }
    let told: Vec<String> = tried
        .map(|(attempt, how)| {
            let Attempt { device, by, .. } = attempt;
            match how {
                How::Failed(why) => format!("{device} on {by}: {why}"),
                How::TimedOut => format!("{device} on {by} did not answer in time"),
                How::Lost => format!("{by} was lost while it ran {device}"),
                How::Done | How::Unable => format!("{device} on {by} was not enough"),
            }
        })
        .collect();
    End::Failed { reason: told.join("; "), nobody: false }
}

/// What a level does, in order: a reboot with several devices is off with all of them, then on with all of them.
fn program(level: &[String], scene: &Scene, action: FenceAction) -> Vec<(String, FenceAction)> {
    let all = |action| level.iter().map(move |device| (device.clone(), action));
    if action != FenceAction::Reboot || level.len() < 2 {
        return all(action).collect();
    }
    let stays_off =
        |device: &str| scene.offers.iter().any(|offer| offer.device == device && (offer.stays_off || offer.unfences));
    all(FenceAction::Off).chain(all(FenceAction::On).filter(|(device, _)| !stays_off(device))).collect()
}

/// All devices of a level, one after the other; the next level if one of them does not succeed. What fails while a target is
/// switched on again does not matter: it was off.
fn by_levels(request: &Request, scene: &Scene, levels: &[Vec<String>]) -> Result<Attempt, End> {
    let wanted = request.wanted.action;
    let (mut level, mut place, mut lost) = (0, 0, BTreeSet::new());
    for (attempt, how) in &request.tried {
        if (attempt.level, attempt.place) != (level, place) {
            (level, place) = (attempt.level, attempt.place);
            lost.clear();
        }
        match how {
            // Another node tries the same device.
            How::Lost => {
                lost.insert(attempt.by.as_str());
                continue;
            }
            How::Done => place += 1,
            _ if attempt.action == FenceAction::On && wanted != FenceAction::On => place += 1,
            How::Failed(_) | How::TimedOut | How::Unable => (level, place) = (level + 1, 0),
        }
        lost.clear();
    }
    while let Some(devices) = levels.get(level) {
        let program = program(devices, scene, wanted);
        let Some((device, action)) = program.get(place) else {
            if program.is_empty() {
                (level, place) = (level + 1, 0);
                continue;
            }
            return Err(End::Succeeded);
        };
        let offer = scene.offers.iter().find(|offer| offer.device == *device);
        let best = offer.and_then(|offer| {
            let able = executors(request, scene, offer, *action).filter(|(_, by)| !lost.contains(by.as_str()));
            Some((offer, able.min()?.1))
        });
        if let Some((offer, by)) = best {
            return Ok(attempt((request, scene), offer, by, (level, place), *action));
        }
        lost.clear();
        (level, place) =
            if *action == FenceAction::On && wanted != FenceAction::On { (level, place + 1) } else { (level + 1, 0) };
    }
    Err(match exhausted(request, scene) {
        End::Failed { reason, nobody } => {
            End::Failed { reason: format!("no level of the fencing topology succeeded: {reason}"), nobody }
        }
        End::Succeeded => End::Succeeded,
    })
}

/// How long the coordinator waits for a node that was to run a device whose agent may take `timeout` after waiting `delay`.
#[must_use]
pub fn patience(timeout: Duration, delay: Duration) -> Duration {
    let time = timeout.saturating_add(delay);
    time.saturating_add(time / 5)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod watchdog_tests;
