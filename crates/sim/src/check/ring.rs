//! The promises of the ring (extended virtual synchrony), one file a property, judged over the whole record of a run.

mod agreed;
mod atomicity;
mod causality;
mod delivery;
mod epilogue;
mod liveness;
mod membership;
mod order;
mod safe;
mod transition;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use hac_types::{Member, NodeId, RingId, View, ViewKind};

pub use self::liveness::recovery;
pub use self::watch::Watch;
use super::Violation;
use crate::ring::{History, Item, Message, Process};

/// How often each property was looked at.
pub type Executed = BTreeMap<&'static str, u64>;

/// The properties.
pub const PROPERTIES: &[&str] = &[
    "LEVEL-1", "EVS-1", "EVS-2", "EVS-3", "EVS-4", "EVS-5", "EVS-6", "EVS-7", "EVS-8", "EVS-9", "EVS-10", "EVS-11",
    "EVS-12", "EVS-13", "EVS-14", "EVS-15", "EVS-16", "EVS-17", "EVS-18", "EVS-19", "EVS-20", "EVS-21", "LIVE-1",
    "LIVE-2", "LIVE-3", "LIVE-4", "LINK", "MTU", "ACCOUNT", "REPLAY-1", "FORGE-1",
];

/// Judges a record.
///
/// # Errors
///
/// The first promise that was broken.
pub fn judge(history: &History, executed: &mut Executed) -> Result<(), Violation> {
    let lives: Vec<Life<'_>> = history.processes.iter().map(|(id, p)| Life::of(*id, p)).collect();
    delivery::check(history, executed)?;
    membership::check(&lives, executed)?;
    order::check(history, executed)?;
    causality::check(history, executed)?;
    agreed::check(&lives, executed)?;
    atomicity::check(&lives, executed)?;
    safe::check(&lives, executed)?;
    transition::check(&lives, executed)
}

/// What one life of an engine was given in one ring.
#[derive(Clone, Debug)]
pub(super) struct Stay<'a> {
    pub(super) view: &'a View,
    /// The transitional view at its end, if there was one.
    pub(super) end: Option<&'a View>,
    /// Delivered in either, in order.
    pub(super) order: Vec<Message>,
    /// How many of them in the regular view.
    pub(super) regular: usize,
    /// Delivered in the regular view with the promise of safety.
    pub(super) safe: BTreeSet<Message>,
    /// Delivered in the transitional view with the promise of safety.
    pub(super) safe_transitional: BTreeSet<Message>,
    /// Delivered in either, sorted.
    pub(super) given: BTreeSet<Message>,
    /// It is the last one of a life that died in it.
    pub(super) died: bool,
}

impl<'a> Stay<'a> {
    /// Nothing has been delivered yet.
    pub(super) fn begin(view: &'a View) -> Self {
        Self {
            view,
            end: None,
            order: Vec::new(),
            regular: 0,
            safe: BTreeSet::new(),
            safe_transitional: BTreeSet::new(),
            given: BTreeSet::new(),
            died: false,
        }
    }

    pub(super) fn ring(&self) -> RingId {
        self.view.ring
    }

    pub(super) fn has(&self, message: &Message) -> bool {
        self.given.contains(message)
    }
}

/// One life of an engine, ring by ring.
#[derive(Clone, Debug)]
pub(super) struct Life<'a> {
    /// The host, and which of its lives.
    pub(super) id: (u32, u64),
    pub(super) member: Member,
    pub(super) stays: Vec<Stay<'a>>,
}

impl<'a> Life<'a> {
    fn of(id: (u32, u64), process: &'a Process) -> Self {
        let member = Member { node: NodeId(id.0), incarnation: process.incarnation };
        let mut stays: Vec<Stay<'a>> = Vec::new();
        for item in &process.items {
            match item {
                Item::View(view) if view.kind == ViewKind::Regular => stays.push(Stay::begin(view)),
                Item::View(view) => {
                    if let Some(stay) = stays.last_mut() {
                        stay.end = Some(view);
                    }
                }
                Item::Delivered { guarantee, transitional, message: Some(message), .. } => {
                    let Some(stay) = stays.last_mut() else { continue };
                    stay.given.insert(*message);
                    stay.order.push(*message);
                    if *transitional {
                        if *guarantee == hac_totem::Guarantee::Safe {
                            stay.safe_transitional.insert(*message);
                        }
                    } else {
                        stay.regular += 1;
                        if *guarantee == hac_totem::Guarantee::Safe {
                            stay.safe.insert(*message);
                        }
                    }
                }
                Item::Delivered { .. } | Item::Sent { .. } => {}
                Item::Died => {
                    if let Some(stay) = stays.last_mut() {
                        stay.died = true;
                    }
                }
            }
        }
        Self { id, member, stays }
    }

    /// Its stays, each with the one that followed.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&Stay<'a>, Option<&Stay<'a>>)> {
        self.stays.iter().enumerate().map(|(index, stay)| (stay, self.stays.get(index + 1)))
    }
}

/// What every member was given in every ring.
pub(super) fn stays<'a>(lives: &'a [Life<'a>]) -> BTreeMap<(Member, RingId), &'a Stay<'a>> {
    let stays = lives.iter().flat_map(|life| life.stays.iter().map(|stay| ((life.member, stay.ring()), stay)));
    stays.collect()
}

pub(super) fn count(executed: &mut Executed, property: &'static str) {
    count_many(executed, property, 1);
}

/// A property was looked at so often; what was never looked at is not listed.
pub(super) fn count_many(executed: &mut Executed, property: &'static str, times: u64) {
    if times > 0 {
        *executed.entry(property).or_default() += times;
    }
}
