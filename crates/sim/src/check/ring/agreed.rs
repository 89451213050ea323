//! LEVEL-1: a ring has one level. EVS-8 and EVS-9 between any two members of a ring: what both are given comes in one order, in the transitional view
//! too, and there are no gaps. Who is given a message in the regular view was given all that others were given before it.
//! In the transitional view only those messages may be missing whose senders do not come along.
//!
//! The order is taken from the messages alone: the positions that the ring tells are counted by each member for itself, so
//! they are always without gap.

use std::collections::BTreeMap;

use hac_types::{Member, RingId};

use super::{Executed, Life, Stay, Violation, count};
use crate::ring::Message;

pub(super) fn check(lives: &[Life<'_>], executed: &mut Executed) -> Result<(), Violation> {
    let senders: Senders = lives.iter().map(|life| (life.id, life.member)).collect();
    let mut rings: BTreeMap<RingId, Vec<(Member, &Stay<'_>)>> = BTreeMap::new();
    for life in lives {
        for stay in &life.stays {
            rings.entry(stay.ring()).or_default().push((life.member, stay));
        }
    }
    for stays in rings.values() {
        for (index, &one) in stays.iter().enumerate() {
            for &other in stays.iter().skip(index + 1) {
                count(executed, "LEVEL-1");
                if one.1.view.level != other.1.view.level {
                    let (ring, levels) = (one.1.ring(), [one.1.view.level, other.1.view.level]);
                    let text = format!(
                        "ring {ring} has level {} on node{} and level {} on node{}",
                        levels[0], one.0.node, levels[1], other.0.node
                    );
                    return Err(Violation::new("LEVEL-1", text));
                }
                count(executed, "EVS-9");
                let (ours, theirs) = (&one.1.order, &other.1.order);
                // Most are given the same, or one was there for longer.
                if !ours.starts_with(theirs) && !theirs.starts_with(ours) {
                    compare(one, other, &senders)?;
                    compare(other, one, &senders)?;
                }
            }
        }
    }
    Ok(())
}

/// Which member sent the messages of each life.
type Senders = BTreeMap<(u32, u64), Member>;

/// Goes through what another member was given: all that this one was given too comes in the same order, and what it
/// lacks before that may be lacking.
fn compare(one: (Member, &Stay<'_>), other: (Member, &Stay<'_>), senders: &Senders) -> Result<(), Violation> {
    let ((member, stay), (reference, theirs)) = (one, other);
    let (node, ring) = (member.node, stay.ring());
    let places: BTreeMap<&Message, usize> = stay.order.iter().zip(0..).collect();
    let mut before: Option<(usize, &Message)> = None;
    let mut lacking: Vec<&Message> = Vec::new();
    for message in &theirs.order {
        let Some(&place) = places.get(message) else {
            lacking.push(message);
            continue;
        };
        if let Some((_, earlier)) = before.filter(|(earlier, _)| *earlier > place) {
            let text = format!(
                "in ring {ring} node{} was given {earlier:?} before {message:?}, node{node} after it",
                reference.node
            );
            return Err(Violation::new("EVS-8", text));
        }
        let forgivable = |lacking: &&&Message| place >= stay.regular && !comes_along(stay, lacking, senders);
        if let Some(gap) = lacking.iter().find(|lacking| !forgivable(lacking)) {
            let text = format!(
                "node{node} was given {message:?} in ring {ring} without {gap:?}, which node{} was given before it",
                reference.node
            );
            return Err(Violation::new("EVS-9", text));
        }
        lacking.clear();
        before = Some((place, message));
    }
    Ok(())
}

/// Whether the sender of a message is in the transitional view at the end of a stay.
fn comes_along(stay: &Stay<'_>, message: &Message, senders: &Senders) -> bool {
    let sender = senders.get(&(message.host, message.life));
    stay.end.is_some_and(|end| sender.is_some_and(|sender| end.members.contains(sender)))
}

#[cfg(test)]
mod tests;
