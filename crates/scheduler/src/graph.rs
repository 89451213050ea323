//! The graph: actions, and the relations between them.
//!
//! It stands on the placement, which it reads like its own ([`Deref`]), but cannot change: what may still be revised
//! while actions are made has a method here, and there are no others. Taking an assignment back is one more, and only a
//! graph that is [`Open`] has it.

mod fence;
mod make;
mod order;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use crate::known::Known;
use crate::placement::Placement;
use hac_model::{OcfCode, OpHistory, Role};

use crate::action::{Action, Ordering, RelationFlags, Task};
use crate::arena::{Arena, Key as _};
use crate::assign;
use crate::digests::Places;
use crate::ids::{ActIdx, NodeIdx, ReqIdx, RscIdx};
use crate::requests::{Request, Requests};

/// Task, interval in milliseconds, and position of the configured operation.
type OperationKind = (Task, u64, Option<usize>);

/// A comparison of parameters that waits for the assignment: resource, node, operation.
pub(crate) type Later = (RscIdx, NodeIdx, OpHistory);

/// Assignments stand.
#[derive(Debug)]
pub(crate) struct Fixed;

/// Assignments may be taken back.
#[derive(Debug)]
pub(crate) struct Open;

/// Actions and relations, on a placement.
pub(crate) struct Graph<'a, M = Fixed> {
    placement: Placement<'a>,
    /// Actions, in order of creation.
    pub(crate) actions: Arena<ActIdx, Action>,
    /// Orderings that wait to be applied, in order of creation.
    pub(crate) orderings: Vec<Ordering>,
    /// Comparisons that wait for the assignment.
    pub(crate) later: Vec<Later>,
    /// Actions without resource, by key.
    loose: BTreeMap<String, Vec<ActIdx>>,
    /// What belongs to each resource.
    of: Arena<RscIdx, OfResource>,
    assignments: PhantomData<M>,
}

/// What belongs to one resource.
#[derive(Debug, Default)]
struct OfResource {
    /// Its actions, in order of creation.
    actions: Vec<ActIdx>,
    /// Values of its operations that were read already.
    meta: Vec<(OperationKind, Rc<BTreeMap<String, String>>)>,
    /// It starts anew, whatever else is decided.
    starts: bool,
    /// Parameters are to be changed in place.
    reloads: bool,
}

/// A graph that was set aside while its placement is made.
pub(crate) struct Draft {
    actions: Arena<ActIdx, Action>,
    orderings: Vec<Ordering>,
    later: Vec<Later>,
    loose: BTreeMap<String, Vec<ActIdx>>,
    of: Arena<RscIdx, OfResource>,
}

impl<'a, M> Deref for Graph<'a, M> {
    type Target = Placement<'a>;

    fn deref(&self) -> &Placement<'a> {
        &self.placement
    }
}

impl<'a> Graph<'a> {
    /// A graph that answers what the stages before it asked for, on a placement where nothing is assigned yet.
    pub(crate) fn begin(placement: Placement<'a>, requests: &Requests) -> Self {
        let mut of = Arena::default();
        for _ in placement.rsc.keys() {
            of.push(OfResource::default());
        }
        let draft =
            Draft { actions: Arena::default(), orderings: Vec::new(), later: Vec::new(), loose: BTreeMap::new(), of };
        let mut graph: Self = draft.with(placement);
        graph.answer(requests);
        graph
    }

    /// Answers all requests in order, and takes over the orderings that name them.
    fn answer(&mut self, requests: &Requests) {
        let answers: Vec<Option<ActIdx>> = requests.list().iter().map(|request| self.answer_one(request)).collect();
        let number = |request: ReqIdx| answers.get(request.at()).copied().flatten();
        self.orderings = self.placement.take_orderings().into_iter().map(|ordering| ordering.map(number)).collect();
    }

    /// The action that answers a request.
    fn answer_one(&mut self, request: &Request) -> Option<ActIdx> {
        Some(match request {
            Request::Action { rsc, task, node } => self.action(*rsc, *task, Some(*node), false),
            Request::Keep { rsc, task, interval_ms, node } => {
                self.recurring_action(*rsc, *task, *interval_ms, Some(*node), true)
            }
            Request::Forget { rsc, node, reason, after_fencing } => {
                let clear = self.clear_fail_count(*rsc, *node, reason);
                if let Some(victim) = after_fencing {
                    let fencing = self.fence_op(*victim, None, true, None, false);
                    self.order(fencing, clear, RelationFlags::FIRST_IMPLIES_THEN);
                }
                clear
            }
            Request::NoStop { rsc, node } => {
                for stop in self.actions_of(*rsc, Task::Stop, 0) {
                    if self.actions[stop].node == Some(*node) {
                        self.actions[stop].optional = true;
                    }
                }
                return None;
            }
            Request::Fence { node, reason, delay } => self.fence_op(*node, None, true, Some(reason), *delay),
            Request::Unfence { node } => self.fence_op(*node, Some("on"), true, None, false),
            Request::Milestone { name, needed } => {
                let milestone = self.milestone(name);
                self.actions[milestone].required_runnable = *needed;
                milestone
            }
            Request::Room { name, node } => {
                let milestone = self.milestone(name);
                self.actions[milestone].node.get_or_insert(*node);
                self.actions[milestone].optional = false;
                milestone
            }
        })
    }

    /// Sets the actions aside until the placement is made.
    pub(crate) fn set_aside(self) -> (Placement<'a>, Draft) {
        let Self { placement, actions, orderings, later, loose, of, .. } = self;
        (placement, Draft { actions, orderings, later, loose, of })
    }

    /// The same graph for the one stage that may take assignments back.
    pub(crate) fn open(self) -> Graph<'a, Open> {
        let (placement, draft) = self.set_aside();
        draft.with(placement)
    }
}

impl Draft {
    /// Goes on with a placement that is made: what has no node there does not start.
    pub(crate) fn resume<'a>(self, placement: Placement<'a>) -> Graph<'a> {
        let mut graph: Graph<'a> = self.with(placement);
        graph.give_up();
        graph
    }

    fn with<'a, M>(self, placement: Placement<'a>) -> Graph<'a, M> {
        let Self { actions, orderings, later, loose, of } = self;
        Graph { placement, actions, orderings, later, loose, of, assignments: PhantomData }
    }
}

impl<'a> Graph<'a, Open> {
    /// Takes a resource and all its parts from their nodes for good: it is to be stopped, because no part of `partner`
    /// goes with it.
    pub(crate) fn take_back(&mut self, rsc: RscIdx, partner: RscIdx) {
        assign::unassign_and_stop(&mut self.placement, rsc);
        assign::note_withheld(&mut self.placement, rsc, partner);
        self.give_up();
    }

    /// From here on assignments stand.
    pub(crate) fn close(self) -> Graph<'a> {
        let Self { placement, actions, orderings, later, loose, of, .. } = self;
        Draft { actions, orderings, later, loose, of }.with(placement)
    }
}

impl<'a, M> Places<'a> for Graph<'a, M> {
    fn known(&self) -> &Known<'a> {
        self.placement.known()
    }

    fn place(&self, rsc: RscIdx) -> Option<NodeIdx> {
        self.placement.place(rsc)
    }
}

impl<M> Graph<'_, M> {
    /// The actions of a resource, in order of creation.
    pub(crate) fn actions_on(&self, rsc: RscIdx) -> &[ActIdx] {
        &self.of[rsc].actions
    }

    /// Whether a resource starts anew, whatever else is decided.
    pub(crate) fn starts(&self, rsc: RscIdx) -> bool {
        self.of[rsc].starts || self.rsc[rsc].is.start_pending
    }

    /// A resource starts anew, whatever else is decided.
    pub(crate) fn set_starts(&mut self, rsc: RscIdx) {
        self.of[rsc].starts = true;
    }

    /// Whether parameters of a resource are to be changed in place.
    pub(crate) fn reloads(&self, rsc: RscIdx) -> bool {
        self.of[rsc].reloads
    }

    /// Says whether parameters of a resource are to be changed in place.
    pub(crate) fn set_reloads(&mut self, rsc: RscIdx, reloads: bool) {
        self.of[rsc].reloads = reloads;
    }

    /// What turned out to have no node is stopped: what was made for it already follows.
    fn give_up(&mut self) {
        for rsc in std::mem::take(&mut self.placement.given_up) {
            for action in self.of[rsc].actions.clone() {
                let entry = &mut self.actions[action];
                let for_stopped = entry.target_rc == Some(OcfCode::NOT_RUNNING);
                match entry.task {
                    Task::Stop => entry.optional = false,
                    Task::Start => entry.runnable = false,
                    _ if entry.interval_ms > 0 && !for_stopped => entry.runnable = false,
                    _ => {}
                }
            }
        }
    }
}

/// What may still be revised in a placement while actions are made.
impl<M> Graph<'_, M> {
    /// Sets the role to reach.
    pub(crate) fn set_next_role(&mut self, rsc: RscIdx, role: Role) {
        self.placement.rsc[rsc].next_role = role;
    }

    /// A live migration that was half done does not go on.
    pub(crate) fn end_migration(&mut self, rsc: RscIdx) {
        self.placement.rsc[rsc].migration = None;
    }

    /// Sorts the instances of a clone, which the assignment left in the order of its choice, by number.
    pub(crate) fn sort_instances(&mut self, clone: RscIdx) {
        let mut children = std::mem::take(&mut self.placement.rsc[clone].children);
        children.sort_by_key(|child| {
            self.placement.rsc[*child].id.rsplit_once(':').and_then(|(_, text)| text.parse::<u32>().ok())
        });
        self.placement.rsc[clone].children = children;
    }

    /// Nothing of a resource is looked for on a node.
    pub(crate) fn forget_node(&mut self, rsc: RscIdx, node: NodeIdx) {
        self.placement.scores.forget(rsc, node);
    }

    /// The scores as lines for people.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.placement.scores.into_lines()
    }
}
