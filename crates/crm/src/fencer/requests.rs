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
use hac_types::WallTime;
use serde::{Deserialize, Serialize};

/// More records than this are not kept.
const HISTORY_MAX: usize = 500;

/// To so many of the newest the history is cut.
const HISTORY_CUT: usize = 250;

/// Who is named as the one that did it when a person says that a node is down.
pub const A_HUMAN: &str = "a human";

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Name of the node that it is done to.
    pub target: String,
    /// What is done to it.
    pub action: FenceAction,
    /// Who asks.
    pub client: String,
    /// Name of the node through which it asks.
    pub origin: String,
    /// To wait so many seconds before the first attempt, on top of what the devices say; `None` is not to wait at all, whatever
    /// they say.
    pub delay_s: Option<u64>,
    /// A success of the same kind within so many seconds before is enough; 0 is none.
    pub tolerance_s: u64,
}

/// One run of a device by a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Place of the level among those for the target, from 0; 0 where there are none.
    pub level: usize,
    /// Place within the level, from 0.
    pub place: usize,
    /// Id of the device.
    pub device: String,
    /// Name of the node that runs it.
    pub by: String,
    /// What the device is told to do.
    pub action: FenceAction,
    /// The node waits so many milliseconds first.
    pub delay_ms: u64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// The device says that it is done.
    Done,
    /// It says that it could not; why.
    Failed(String),
    /// It did not answer in time.
    TimedOut,
    /// It does not know the target or the action, so nothing was tried.
    Unable,
    /// The node that ran it is no member any more.
    Lost,
}

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

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It is done.
    Succeeded,
    /// It is not.
    Failed {
        /// Why, as a clause.
        reason: String,
        /// There was no device that could have been tried: to ask again at once would change nothing.
        nobody: bool,
    },
}

/// A request under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its number.
    pub id: u64,
    /// What is asked for.
    pub wanted: Wanted,
    /// Others who asked for the same meanwhile.
    pub joined: Vec<String>,
    /// Counts its steps.
    pub turn: u64,
    /// What is being tried.
    pub attempt: Option<Attempt>,
    /// What was tried and how it ended, in order.
    pub tried: Vec<(Attempt, How)>,
    /// In which of its lives the target was when the first attempt of the present level began.
    life: u64,
}

/// A request that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number.
    pub id: u64,
    /// Name of the node that it was done to.
    pub target: String,
    /// What was done to it.
    pub action: FenceAction,
    /// Who asked.
    pub client: String,
    /// Name of the node through which it was asked.
    pub origin: String,
    /// Name of the node that did it, or tried last.
    pub delegate: Option<String>,
    /// When it was over, seconds since 1970.
    pub completed: i64,
    /// What came of it.
    pub end: End,
}

/// What follows from a step.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// All requests, and what is known of earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    next: u64,
    /// Under way, in the order in which they were asked for.
    pub running: Vec<Request>,
    /// Over, the oldest first; 500 at most.
    pub history: Vec<Record>,
    /// By node, how often in a row it could not be fenced.
    failures: BTreeMap<String, u32>,
    /// By node, how often it was seen to join.
    lives: BTreeMap<String, u64>,
    /// Members, by name.
    members: BTreeSet<String>,
}

impl Requests {
    /// How often in a row `target` could not be fenced.
    #[must_use]
    pub fn failures(&self, target: &str) -> u32 {
        self.failures.get(target).copied().unwrap_or_default()
    }

    /// The members are these now. What those ran that are gone is lost; who joined lives anew and may be fenced as often as
    /// before.
    pub fn members_are(&mut self, members: BTreeSet<String>) {
        for joined in members.difference(&self.members) {
            let life = self.lives.entry(joined.clone()).or_default();
            *life = life.saturating_add(1);
            self.failures.remove(joined);
        }
        self.members = members;
        for request in &mut self.running {
            let gone = |attempt: &mut Attempt| !self.members.contains(&attempt.by);
            if let Some(attempt) = request.attempt.take_if(gone) {
                request.tried.push((attempt, How::Lost));
                request.turn = request.turn.saturating_add(1);
            }
        }
    }

    /// Carries out a step that was proposed at `wall`; what follows from it, if anything does.
    pub fn apply(&mut self, step: Step, wall: WallTime) -> Option<Consequence> {
        match step {
            Step::Wanted(wanted) => Some(self.want(wanted, wall)),
            Step::Begun { request, turn, attempt } => {
                let lives = &self.lives;
                let request = in_turn(&mut self.running, request, turn).filter(|request| request.attempt.is_none())?;
                // By a node that has left meanwhile: the next decision does not count on it.
                if !self.members.contains(&attempt.by) {
                    return None;
                }
                if attempt.place == 0 {
                    request.life = lives.get(&request.wanted.target).copied().unwrap_or_default();
                }
                request.attempt = Some(attempt);
                None
            }
            Step::Ended { request, turn, how } => {
                let request = in_turn(&mut self.running, request, turn)?;
                request.tried.push((request.attempt.take()?, how));
                None
            }
            Step::Over { request, turn, end } => {
                in_turn(&mut self.running, request, turn)?;
                let at = self.running.iter().position(|running| running.id == request)?;
                let request = self.running.remove(at);
                Some(self.conclude(request, end, wall))
            }
            Step::Confirmed { target, force: false, .. } if self.members.contains(&target) => {
                Some(Consequence::Alive(target))
            }
            Step::Confirmed { target, client, origin, .. } => {
                let life = self.lives.get(&target).copied().unwrap_or_default();
                let wanted = Wanted { target, action: FenceAction::Off, client, origin, ..Wanted::default() };
                let human = Attempt { by: A_HUMAN.to_owned(), ..Attempt::default() };
                let tried = vec![(human, How::Done)];
                let request = Request { id: self.number(), wanted, tried, life, ..Request::default() };
                Some(self.conclude(request, End::Succeeded, wall))
            }
            Step::Forget { target } => {
                self.history.retain(|record| target.as_ref().is_some_and(|target| record.target != *target));
                None
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// Begins a request, joins one of the same kind, or finds that it is done.
    fn want(&mut self, wanted: Wanted, wall: WallTime) -> Consequence {
        let same = |target: &str, action| target == wanted.target && action == wanted.action;
        let under_way = self.running.iter_mut().find(|other| same(&other.wanted.target, other.wanted.action));
        if let Some(other) = under_way {
            if other.wanted.client != wanted.client && !other.joined.contains(&wanted.client) {
                other.joined.push(wanted.client);
            }
            return Consequence::UnderWay(other.id);
        }
        let tolerance = i64::try_from(wanted.tolerance_s).unwrap_or(i64::MAX);
        let since = wall.as_secs().saturating_sub(tolerance);
        let recent = |record: &&Record| {
            same(&record.target, record.action) && record.end == End::Succeeded && record.completed >= since
        };
        if tolerance > 0
            && self.history.iter().rev().any(|record| recent(&record))
            && !self.members.contains(&wanted.target)
        {
            return done_to(wanted.target, wanted.action);
        }
        let id = self.number();
        self.running.push(Request { id, wanted, ..Request::default() });
        Consequence::UnderWay(id)
    }

    /// A request is over: it goes into the history, and is counted.
    fn conclude(&mut self, request: Request, end: End, wall: WallTime) -> Consequence {
        let Wanted { target, action, client, origin, .. } = request.wanted;
        let delegate = request.tried.last().map(|(attempt, _)| attempt.by.clone());
        let (id, completed) = (request.id, wall.as_secs());
        let nobody = matches!(end, End::Failed { nobody: true, .. });
        let succeeded = end == End::Succeeded;
        self.history.push(Record { id, target: target.clone(), action, client, origin, delegate, completed, end });
        if self.history.len() > HISTORY_MAX {
            self.history.drain(..self.history.len().saturating_sub(HISTORY_CUT));
        }
        if succeeded {
            self.failures.remove(&target);
            let life = self.lives.get(&target).copied().unwrap_or_default();
            return if life == request.life || action == FenceAction::On {
                done_to(target, action)
            } else {
                Consequence::Outlived(target)
            };
        }
        let failures = self.failures.entry(target.clone()).or_default();
        *failures = failures.saturating_add(1);
        Consequence::Failed { target, failures: *failures, nobody }
    }

    /// What the coordinator proposes next for the request of this number; nothing while an attempt is under way.
    #[must_use]
    pub fn next(&self, id: u64, scene: &Scene) -> Option<Step> {
        let of = self.running.iter().find(|request| request.id == id && request.attempt.is_none())?;
        let (request, turn) = (of.id, of.turn);
        Some(match decide(of, scene) {
            Ok(attempt) => Step::Begun { request, turn, attempt },
            Err(end) => Step::Over { request, turn, end },
        })
    }
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

/// The next attempt, or what came of the request.
fn decide(request: &Request, scene: &Scene) -> Result<Attempt, End> {
    if scene.levels.is_empty() { without_topology(request, scene) } else { by_levels(request, scene, &scene.levels) }
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
    let Some((_, by, _, offer)) = choices.into_iter().next() else { return Err(exhausted(request)) };
    Ok(attempt(request, offer, by, (0, 0), action))
}

/// Who may run the device, with a rank: the least is the first.
fn executors<'s>(
    request: &Request,
    scene: &'s Scene,
    offer: &'s Offer,
    action: FenceAction,
) -> impl Iterator<Item = ((u8, usize), String)> + 's {
    let target = request.wanted.target.clone();
    let alone = scene.members.iter().all(|member| *member == target);
    offer.nodes.iter().filter(|node| scene.members.contains(*node)).filter_map(move |node| {
        let devices = scene.offers.iter().filter(|offer| offer.nodes.contains(node)).count();
        let rank = match (*node == target, offer.verified.contains(node)) {
            (true, _) if !alone || action == FenceAction::On => return None,
            (true, _) => 2,
            (false, true) => 0,
            (false, false) => 1,
        };
        Some(((rank, usize::MAX - devices), node.clone()))
    })
}

fn attempt(request: &Request, offer: &Offer, by: String, at: (usize, usize), action: FenceAction) -> Attempt {
    let delay = match request.wanted.delay_s {
        Some(asked) if action.takes_down() => {
            let asked = if request.tried.is_empty() { asked } else { 0 };
            offer.delay.saturating_add(Duration::from_secs(asked))
        }
        _ => Duration::ZERO,
    };
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    Attempt { level: at.0, place: at.1, device: offer.device.clone(), by, action, delay_ms }
}

/// Nothing is left to try.
fn exhausted(request: &Request) -> End {
    let target = &request.wanted.target;
    let mut tried = request.tried.iter().filter(|(_, how)| *how != How::Unable).peekable();
    if tried.peek().is_none() {
        return End::Failed { reason: format!("no fence device can reach {target}"), nobody: true };
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
    let stays_off = |device: &str| scene.offers.iter().any(|offer| offer.device == device && offer.stays_off);
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
            return Ok(attempt(request, offer, by, (level, place), *action));
        }
        lost.clear();
        (level, place) =
            if *action == FenceAction::On && wanted != FenceAction::On { (level, place + 1) } else { (level + 1, 0) };
    }
    Err(match exhausted(request) {
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
