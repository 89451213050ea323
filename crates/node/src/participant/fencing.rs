//! Nodes that are fenced: the coordinator's part of each request, and what all nodes make of its steps.
//!
//! The requests are part of the state; what is here is only what a coordinator has said and not heard back yet, and until when it
//! waits for whoever carries an attempt out. A new coordinator begins with nothing and goes on where the state is.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::{Applied, Command, StatusChange};
use hac_crm::fencer;
use hac_crm::fencer::requests::{A_PLAN, Consequence, End, How, Machine as _, Request, Step, Wanted};
use hac_crm::transition_engine::uuid_of;
use hac_crm::work::{Order, Work};
use hac_model::{Cib, FenceAction};
use hac_scheduler::plan::{ActionKind, Fencing as Fence, Plan, UsableDevice};
use hac_types::{Member, RingId, Timestamp, mutant};

use super::coordinator::Seat;
use super::{Participant, Phase};
use crate::wire::{Body, Dated, DatedOrder, Proposed};
use crate::{Event, Level, Now};

/// A coordinator's part in all fencing.
#[derive(Debug)]
pub(super) struct Fencing {
    node: String,
    ring: RingId,
    /// The devices that may be used, as the last plan found them; nothing before the first one.
    devices: Option<Vec<UsableDevice>>,
    /// Whom the last plan wants fenced, and whether that takes it down.
    wanted: BTreeSet<(String, bool)>,
    /// Requests of earlier plans of which was said that the last one does not want them.
    dropped: BTreeSet<u64>,
    /// When a plan of this coordinator first wanted a node fenced that nobody has seen yet.
    begin: Option<Timestamp>,
    /// Wanted by a plan, against nodes that nobody has seen yet: said at this time, unless they come before.
    postponed: Vec<(Timestamp, Wanted)>,
    /// By the number of a request: the turn for which a step was said.
    said: BTreeMap<u64, u64>,
    /// By the number of a request: the turn and the key of the attempt that is waited for, and until when.
    awaited: BTreeMap<u64, (u64, String, Timestamp)>,
}

impl Fencing {
    /// That of a coordinator that begins.
    pub(super) fn new(node: &str, ring: RingId) -> Self {
        let (said, awaited) = (BTreeMap::new(), BTreeMap::new());
        Self {
            node: node.to_owned(),
            ring,
            devices: None,
            wanted: BTreeSet::new(),
            dropped: BTreeSet::new(),
            begin: None,
            postponed: Vec::new(),
            said,
            awaited,
        }
    }

    /// A plan was made: these devices may be used, and this is what it wants. What waits to be asked for and is not in it is
    /// not asked for.
    pub(super) fn planned(&mut self, cib: &Cib, plan: &Plan) {
        self.devices = Some(fencer::watchdog::with_watchdogs(cib, plan.fence_devices.clone()));
        let wanted = plan.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::Fence(Fence { target, action }) => Some((target.clone(), action.takes_down())),
            _ => None,
        });
        self.wanted = wanted.collect();
        self.dropped.clear();
        let wanted = &self.wanted;
        self.postponed.retain(|(_, other)| wanted.contains(&(other.target.clone(), other.action.takes_down())));
    }

    /// Whether a plan asked for it and the last one does not want it.
    fn is_unwanted(&self, request: &Request) -> bool {
        let Wanted { target, action, client, .. } = &request.wanted;
        client == A_PLAN
            && self.devices.is_some()
            && !self.wanted.contains(&(target.clone(), action.takes_down()))
            && !mutant("fenced-for-an-old-plan")
    }

    /// What is said when a plan wants a node fenced; nothing yet if that node was never seen: it may be about to come.
    pub(super) fn wanted(
        &mut self,
        seat: &Seat<'_>,
        (target, action): (String, FenceAction),
        delay_s: u64,
    ) -> Option<StatusChange> {
        let (client, origin) = (A_PLAN.to_owned(), self.node.clone());
        let (digests_all, digests_secure) = match (action, &self.devices) {
            (FenceAction::On, Some(devices)) => fencer::unfencing_digests(devices, &target),
            _ => Default::default(),
        };
        let delay_s = Some(delay_s);
        let wanted =
            Wanted { target, action, client, origin, delay_s, digests_all, digests_secure, ..Wanted::default() };
        let cib = &seat.replica.cib;
        let is_known = |state: &hac_model::NodeState| state.uname.as_deref() == Some(&wanted.target);
        if cib.status.nodes.iter().any(is_known) || action == FenceAction::On {
            return Some(StatusChange::Fencing(Step::Wanted(wanted)));
        }
        let until = *self.begin.get_or_insert(seat.now.mono) + fencer::deadtime(&cib.configuration);
        if until <= seat.now.mono {
            return Some(StatusChange::Fencing(Step::Wanted(wanted)));
        }
        if !self.postponed.iter().any(|(_, other)| *other == wanted) {
            self.postponed.push((until, wanted));
        }
        None
    }

    /// When an attempt is no longer waited for.
    pub(super) fn timeout(&self) -> Option<Timestamp> {
        if mutant("attempt-without-end") {
            return None;
        }
        let postponed = self.postponed.iter().map(|(until, _)| *until);
        self.awaited.values().map(|(.., until)| *until).chain(postponed).min()
    }

    /// Goes on with every request that does not wait for anybody. While it is decided anew (`deciding`) nothing is begun for a
    /// plan: what called for it may be gone.
    pub(super) fn advance(&mut self, seat: &mut Seat<'_>, deciding: bool) {
        let cib = &seat.replica.cib;
        if cib.status.fencing.running.is_empty() {
            self.said.clear();
            self.awaited.clear();
            self.dropped.clear();
            return;
        }
        if !seat.acting {
            return;
        }
        let running = cib.status.fencing.running.clone();
        self.said.retain(|id, _| running.iter().any(|request| request.id == *id));
        self.awaited.retain(|id, (turn, ..)| running.iter().any(|of| of.id == *id && of.turn == *turn));
        for request in &running {
            if self.is_unwanted(request) && !request.unwanted && self.dropped.insert(request.id) {
                let change = StatusChange::Fencing(Step::Unwanted { request: request.id });
                seat.broadcast(Body::Change(Dated { wall: seat.now.wall, change }));
            }
            if request.attempt.is_some() {
                self.wait_for(seat, request);
            } else if request.wanted.client == A_PLAN
                && fencer::withdrawn(request).is_none()
                && (deciding || (self.is_unwanted(request) && request.joined.is_empty()))
            {
                // It is known soon whether that is still to be done.
            } else if self.said.get(&request.id) != Some(&request.turn)
                && let Some(body) = self.next(seat, request)
            {
                self.said.insert(request.id, request.turn);
                seat.broadcast(body);
            }
        }
    }

    /// Until when the node that carries the attempt out is waited for.
    fn wait_for(&mut self, seat: &Seat<'_>, request: &Request) {
        let (Some(attempt), Some(devices)) = (&request.attempt, &self.devices) else { return };
        let known = self.awaited.get(&request.id).is_some_and(|(turn, ..)| *turn == request.turn);
        if !known {
            let until = seat.now.mono + fencer::patience(&seat.replica.cib, devices, attempt);
            self.awaited.insert(request.id, (request.turn, attempt.key.clone(), until));
        }
    }

    /// What is said next of a request; nothing while it is not known which devices may be used.
    fn next(&self, seat: &Seat<'_>, request: &Request) -> Option<Body> {
        let (cib, wall) = (&seat.replica.cib, seat.now.wall);
        let over = |reason: &str| {
            let end = End::Failed { reason: reason.to_owned(), nobody: true };
            let step = Step::Over { request: request.id, turn: request.turn, end };
            Body::Change(Dated { wall, change: StatusChange::Fencing(step) })
        };
        if !seat.may_fence() && !mutant("fence-without-quorum") {
            return Some(over("this partition is not quorate"));
        }
        let devices = self.devices.as_ref()?;
        let scene = fencer::scene(cib, devices, &request.wanted.target, self.key(request));
        Some(match cib.status.fencing.next(request.id, &scene)? {
            Step::Begun { attempt, .. } => {
                let (by, at) = (attempt.by.clone(), request.wanted.target.clone());
                let Some(run) = fencer::run_of(cib, devices, request, attempt) else {
                    return Some(over("the fence device is not there any more"));
                };
                let order = Order { by, at, transition_key: String::new(), work: Work::Fence(run) };
                Body::Order(DatedOrder { wall, order })
            }
            step => Body::Change(Dated { wall, change: StatusChange::Fencing(step) }),
        })
    }

    /// Names the next attempt at a request: differs between two coordinators, and between two lives of one.
    fn key(&self, request: &Request) -> String {
        uuid_of(&format!("{} {} {} {}", self.node, self.ring, request.id, request.turn))
    }

    /// Whoever does not answer in time is not waited for.
    pub(super) fn handle_timeout(&mut self, seat: &mut Seat<'_>) {
        let wall = seat.now.wall;
        let is_due = |(until, _): &mut (Timestamp, Wanted)| *until <= seat.now.mono;
        for (_, wanted) in self.postponed.extract_if(.., is_due).collect::<Vec<_>>() {
            seat.broadcast(Body::Change(Dated { wall, change: StatusChange::Fencing(Step::Wanted(wanted)) }));
        }
        let overdue = self.awaited.iter().filter(|(_, (.., until))| *until <= seat.now.mono);
        let overdue: Vec<_> = overdue.map(|(request, (turn, key, _))| (*request, *turn, key.clone())).collect();
        for (request, turn, key) in overdue {
            self.awaited.remove(&request);
            let step = Step::Ended { request, turn, key, how: How::TimedOut };
            seat.broadcast(Body::Change(Dated { wall, change: StatusChange::Fencing(step) }));
        }
    }
}

impl Participant {
    /// What the state says that this node carries out and it does not, because the order came too late or to an earlier life,
    /// somebody else is to try.
    pub(super) fn disown_fencing(&mut self, now: Now) {
        let running = self.replica.cib.status.fencing.running.iter().filter(|_| !mutant("attempt-without-end"));
        let mine = running.filter_map(|request| Some((request, request.attempt.as_ref()?)));
        let mine = mine.filter(|(_, attempt)| attempt.by == self.name && !self.executor.is_fencing(&attempt.key));
        for (request, turn, key) in mine.map(|(of, attempt)| (of.id, of.turn, attempt.key.clone())).collect::<Vec<_>>()
        {
            let step = Step::Ended { request, turn, key, how: How::Lost };
            self.propose(now, Proposed::Command(Command::Status(StatusChange::Fencing(step))), None, None);
        }
    }

    /// Events of fencing; and a node that learns that it was fenced stops everything.
    pub(super) fn follow_fencing(&mut self, now: Now, step: &Step, applied: &Applied) {
        let Applied::Changed(changes) = applied else { return };
        let text = match (step, &changes.fencing) {
            (Step::Wanted(wanted), Some(Consequence::UnderWay(_))) => {
                let Wanted { target, action, client, origin, .. } = wanted;
                Some((Level::Warning, format!("{target} is to be fenced ({action}), asked by {client} on {origin}")))
            }
            (_, Some(Consequence::Down(target))) => {
                Some((Level::Warning, format!("{target} was fenced: it is taken for down")))
            }
            (_, Some(Consequence::LetIn(target))) => Some((Level::Notice, format!("{target} was let in again"))),
            (_, Some(Consequence::Outlived(target))) => {
                Some((Level::Warning, format!("{target} was fenced, and has joined again since")))
            }
            (
                Step::Over { end: End::Failed { reason, .. }, .. },
                Some(Consequence::Failed { target, failures, .. }),
            ) => {
                let often = if *failures > 1 { format!(" ({failures} times in a row)") } else { String::new() };
                let level = if *failures > 0 { Level::Error } else { Level::Warning };
                Some((level, format!("{target} was not fenced{often}: {reason}")))
            }
            _ => None,
        };
        if let Some((level, text)) = text {
            self.effects.event(Event::Remark { level, text });
        }
        self.withdraw_fencing(now);
        let down = changes.fencing == Some(Consequence::Down(self.name.clone()));
        if down && !self.is_breaking() && !mutant("survivor-not-told") {
            self.was_fenced(now);
        }
    }

    /// What this node waits to do to others and has no reason any more is not done: who was lost is back, the newest plan does
    /// not want it, or the state, taken over from others, does not know of it. Who is back is so from the first moment of a view
    /// on: members may take longer to compare their states than this node waits.
    pub(super) fn withdraw_fencing(&mut self, now: Now) {
        for key in self.executor.fencing_that_waits(now.mono) {
            let mut running = self.replica.cib.status.fencing.running.iter();
            let is_this = |of: &&Request| of.attempt.as_ref().is_some_and(|attempt| attempt.key == key);
            let why = match running.find(is_this) {
                Some(request) if self.returns(&request.wanted.target) => fencer::withdrawn_on_return(request),
                Some(request) => fencer::withdrawn(request),
                None => Some("the cluster does not know of it any more".to_owned()),
            };
            if let Some(why) = why {
                self.executor.withdraw_fencing(now.mono, now.wall, &key, &why);
            }
        }
    }

    /// Whether states are compared with a node that this one had lost.
    fn returns(&self, target: &str) -> bool {
        let Phase::Syncing(_) = self.phase else { return false };
        let mut members = self.view.iter().flat_map(|view| &view.members);
        members.any(|member| self.shared_name_of(member.node) == target)
            && !fencer::members(&self.replica.cib).contains(target)
    }

    /// Tells when something else protects than before.
    pub(super) fn tell_protection(&mut self, command: &Command, applied: &Applied) {
        let matters = match command {
            Command::Status(StatusChange::OpResult(result)) => result.agent.is_fence_device(),
            Command::Status(StatusChange::NodeStates(_) | StatusChange::Watchdog { .. }) | Command::Configure(_) => {
                true
            }
            _ => false,
        };
        if !matters || !matches!(applied, Applied::Changed(_)) {
            return;
        }
        let protection = fencer::protection(&self.replica.cib);
        let (text, parts) = (protection.to_string(), protection.by.len());
        let Some(before) = self.protected.replace(text.clone()).filter(|before| *before != text) else { return };
        let weaker = parts == 0 || parts < before.split("), ").count();
        let why = protection.missing.filter(|_| weaker).map(|(why, _)| format!(": {why}")).unwrap_or_default();
        let level = if weaker { Level::Warning } else { Level::Notice };
        self.effects.event(Event::Remark { level, text: format!("protected by {text} (before: {before}){why}") });
    }

    /// The state says that this very life of the node was ended: it stood still while that was done to it, or said of it.
    pub(super) fn has_survived(&self, member: &Member) -> bool {
        let name = self.shared_name_of(member.node);
        let ended = self.replica.cib.status.fencing.has_ended(&name, member.incarnation.0);
        ended && !mutant("survivor-not-told")
    }

    /// A membership has begun: who was fenced and lives is named, and if it is this node, it stops everything.
    pub(super) fn expose_survivors(&mut self, now: Now, members: &[Member]) {
        let survivors: Vec<Member> = members.iter().filter(|member| self.has_survived(member)).copied().collect();
        for member in survivors {
            if member == self.me {
                self.was_fenced(now);
            } else {
                let text = format!(
                    "{} was fenced, and is back without having been restarted: what said that it is off was wrong",
                    self.shared_name_of(member.node)
                );
                self.effects.event(Event::Remark { level: Level::Error, text });
            }
        }
    }
}
