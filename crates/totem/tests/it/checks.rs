//! Extended virtual synchrony, checked over everything all nodes did.

use std::collections::{BTreeMap, BTreeSet};

use hac_totem::Guarantee;
use hac_types::{Incarnation, Member, NodeId, RingId, View, ViewKind};

use crate::net::{Event, Net};

/// A message delivered: which one, by whom, where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Delivered {
    payload: Vec<u8>,
    origin: NodeId,
    guarantee: Guarantee,
    transitional: bool,
    seq: u64,
}

/// One regular view at one node with everything up to the next regular view.
#[derive(Debug)]
struct Stay {
    view: View,
    /// Members of the transitional view that ended it.
    transitional: Option<Vec<Member>>,
    delivered: Vec<Delivered>,
    sent: Vec<Vec<u8>>,
    next: Option<RingId>,
}

#[derive(Debug)]
struct Life {
    me: Member,
    stays: Vec<Stay>,
    stopped: bool,
    sent: Vec<Vec<u8>>,
}

fn lives(net: &Net) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    for (node, host) in &net.hosts {
        let mut life: Option<Life> = None;
        for (_, event) in &host.log {
            match event {
                Event::Started(incarnation) => {
                    lives.extend(life.take());
                    life = Some(new_life(*node, *incarnation));
                }
                event => record(life.as_mut().expect("started"), event),
            }
        }
        lives.extend(life);
    }
    lives
}

fn new_life(node: u32, incarnation: Incarnation) -> Life {
    Life { me: Member { node: NodeId(node), incarnation }, stays: vec![], stopped: false, sent: vec![] }
}

fn record(life: &mut Life, event: &Event) {
    match event {
        Event::Sent(payload, _) => {
            life.sent.push(payload.clone());
            if let Some(stay) = life.stays.last_mut() {
                stay.sent.push(payload.clone());
            }
        }
        Event::View(view) if view.kind == ViewKind::Transitional => {
            let stay = life.stays.last_mut().expect("a transitional view ends a regular one");
            assert_eq!(view.ring, stay.view.ring, "the transitional view carries the old ring");
            stay.transitional = Some(view.members.clone());
        }
        Event::View(view) => {
            if let Some(stay) = life.stays.last_mut() {
                assert!(stay.transitional.is_some(), "no transitional view before {}", view.ring);
                stay.next = Some(view.ring);
            }
            life.stays.push(Stay {
                view: view.clone(),
                transitional: None,
                delivered: vec![],
                sent: vec![],
                next: None,
            });
        }
        Event::Delivery(d) => {
            let stay = life.stays.last_mut().expect("a delivery belongs to a view");
            assert_eq!(d.ring, stay.view.ring, "a delivery belongs to the ring of its view");
            assert_eq!(d.transitional, stay.transitional.is_some(), "the mark says in which view it is");
            stay.delivered.push(Delivered {
                payload: d.payload.clone(),
                origin: d.origin,
                guarantee: d.guarantee,
                transitional: d.transitional,
                seq: d.seq,
            });
        }
        Event::Stopped => life.stopped = true,
        Event::Started(_) | Event::Notice(_) => {}
    }
}

/// Everything that must always hold. Payloads must be unique in the run.
pub(crate) fn check(net: &Net) {
    let lives = lives(net);
    same_id_same_members(&lives);
    self_inclusion_and_growing_ids(&lives);
    integrity_and_no_duplicates(&lives);
    total_order_without_gaps(&lives);
    virtual_synchrony(&lives);
    self_delivery(&lives);
    safe_delivery(&lives);
    incarnations(&lives);
}

fn same_id_same_members(lives: &[Life]) {
    let mut members: BTreeMap<RingId, &Vec<Member>> = BTreeMap::new();
    for stay in lives.iter().flat_map(|life| &life.stays) {
        let known = members.entry(stay.view.ring).or_insert(&stay.view.members);
        assert_eq!(*known, &stay.view.members, "EVS-4: ring {} has two memberships", stay.view.ring);
        assert_eq!(Some(stay.view.ring.rep), stay.view.members.iter().map(|m| m.node.0).min(), "EVS-17");
    }
}

fn self_inclusion_and_growing_ids(lives: &[Life]) {
    let mut last: BTreeMap<NodeId, u64> = BTreeMap::new();
    for life in lives {
        for stay in &life.stays {
            assert!(stay.view.members.contains(&life.me), "EVS-3: a view contains its node");
            if let Some(transitional) = &stay.transitional {
                assert!(transitional.contains(&life.me), "EVS-3");
                assert!(transitional.iter().all(|m| stay.view.members.contains(m)), "EVS-3: subset of the old view");
            }
            // Boot counters tell lives with the disk intact apart from those without.
            let previous = last.entry(life.me.node).or_default();
            if life.me.incarnation.0 >> 32 > 1 || *previous == 0 {
                assert!(stay.view.ring.seq > *previous, "EVS-5: ring numbers grow at {}", life.me.node);
            }
            *previous = stay.view.ring.seq;
        }
    }
}

fn integrity_and_no_duplicates(lives: &[Life]) {
    let sent: BTreeMap<&Vec<u8>, NodeId> =
        lives.iter().flat_map(|life| life.sent.iter().map(|payload| (payload, life.me.node))).collect();
    for life in lives {
        let mut seen = BTreeSet::new();
        for delivered in life.stays.iter().flat_map(|stay| &stay.delivered) {
            let sender = sent.get(&delivered.payload).expect("EVS-1: delivered but never sent");
            assert_eq!(*sender, delivered.origin, "EVS-1: the sender is named rightly");
            assert!(seen.insert(&delivered.payload), "EVS-2: delivered twice at {}", life.me.node);
        }
    }
}

/// Within a ring all regular deliveries are prefixes of one sequence, and the positions agree.
fn total_order_without_gaps(lives: &[Life]) {
    let mut order: BTreeMap<RingId, Vec<&Delivered>> = BTreeMap::new();
    for stay in lives.iter().flat_map(|life| &life.stays) {
        let known = order.entry(stay.view.ring).or_default();
        let regular = stay.delivered.iter().filter(|d| !d.transitional);
        for (index, delivered) in regular.enumerate() {
            assert_eq!(delivered.seq, index as u64 + 1, "positions count from 1");
            match known.get(index) {
                Some(other) => assert_eq!(
                    (&other.payload, other.origin),
                    (&delivered.payload, delivered.origin),
                    "EVS-8: another order in ring {}",
                    stay.view.ring
                ),
                None => known.push(delivered),
            }
        }
    }
    // Transitional deliveries keep to the same order where both have the message.
    for a in lives.iter().flat_map(|life| &life.stays) {
        for b in lives.iter().flat_map(|life| &life.stays).filter(|b| b.view.ring == a.view.ring) {
            let position: BTreeMap<&Vec<u8>, usize> =
                b.delivered.iter().enumerate().map(|(index, d)| (&d.payload, index)).collect();
            let common: Vec<usize> = a.delivered.iter().filter_map(|d| position.get(&d.payload).copied()).collect();
            assert!(common.is_sorted(), "EVS-8: another order in ring {}", a.view.ring);
        }
    }
}

/// Those who go together from one ring to the next have delivered the same messages.
fn virtual_synchrony(lives: &[Life]) {
    let mut groups: BTreeMap<(RingId, RingId), Vec<(Member, &Stay)>> = BTreeMap::new();
    for life in lives {
        for stay in &life.stays {
            if let Some(next) = stay.next {
                groups.entry((stay.view.ring, next)).or_default().push((life.me, stay));
            }
        }
    }
    for ((ring, _), group) in groups {
        for (a, stay_a) in &group {
            for (b, stay_b) in &group {
                let together = stay_a.transitional.as_ref().is_some_and(|members| members.contains(b));
                assert!(together, "EVS-7: {} and {} went the same way but not together", a.node, b.node);
                let set = |stay: &Stay| stay.delivered.iter().map(|d| d.payload.clone()).collect::<Vec<_>>();
                assert_eq!(set(stay_a), set(stay_b), "EVS-7: {} and {} differ in ring {ring}", a.node, b.node);
            }
        }
    }
}

/// Who sends in a ring and goes on to the next but one delivers what it sent.
fn self_delivery(lives: &[Life]) {
    for life in lives {
        let delivered: BTreeSet<&Vec<u8>> =
            life.stays.iter().flat_map(|stay| &stay.delivered).map(|d| &d.payload).collect();
        let ours: Vec<&Vec<u8>> = life
            .stays
            .iter()
            .flat_map(|stay| &stay.delivered)
            .filter(|d| d.origin == life.me.node)
            .map(|d| &d.payload)
            .collect();
        // What was delivered of ours is a prefix of what was sent, in its order: nothing is lost or overtaken.
        let prefix: Vec<&Vec<u8>> = life.sent.iter().take(ours.len()).collect();
        assert_eq!(ours, prefix, "EVS-11/14: {} lost or reordered its own messages", life.me.node);
        assert!(ours.iter().all(|payload| delivered.contains(*payload)));
    }
}

/// A safe message delivered in a regular view is delivered by every member of it that does not stop.
fn safe_delivery(lives: &[Life]) {
    let by_member: BTreeMap<Member, &Life> = lives.iter().map(|life| (life.me, life)).collect();
    for life in lives {
        for stay in &life.stays {
            let is_safe = |d: &&Delivered| d.guarantee == Guarantee::Safe && !d.transitional;
            let Some(last) = stay.delivered.iter().rfind(is_safe) else { continue };
            for member in &stay.view.members {
                let Some(other) = by_member.get(member) else { continue };
                let theirs = other.stays.iter().find(|s| s.view.ring == stay.view.ring);
                let has = theirs.is_some_and(|s| s.delivered.iter().any(|d| d.payload == last.payload));
                // It may still be in that ring, about to deliver.
                let may_still = other.stopped || theirs.is_some_and(|s| s.next.is_none());
                assert!(has || may_still, "EVS-12: {} missed a safe message of {}", member.node, life.me.node);
            }
        }
    }
}

fn incarnations(lives: &[Life]) {
    for stay in lives.iter().flat_map(|life| &life.stays) {
        let nodes: BTreeSet<NodeId> = stay.view.members.iter().map(|m| m.node).collect();
        assert_eq!(nodes.len(), stay.view.members.len(), "EVS-18: two lives of a node in one view");
    }
}
