//! EVS-7: who comes from the same ring to the same ring is in the transitional view of the other, and was given the same
//! messages.

use super::{Executed, Life, Stay, Violation, count};

pub(super) fn check(lives: &[Life<'_>], executed: &mut Executed) -> Result<(), Violation> {
    for (index, life) in lives.iter().enumerate() {
        for other in lives.iter().skip(index + 1).filter(|o| o.member.node != life.member.node) {
            for (stay, next) in life.steps() {
                let Some(next) = next else { continue };
                let there = other.steps().find(|(s, _)| s.ring() == stay.ring());
                let Some((theirs, Some(their_next))) = there else { continue };
                if their_next.ring() != next.ring() {
                    continue;
                }
                count(executed, "EVS-7");
                if !together(stay, other) || !together(theirs, life) {
                    let (one, other) = (life.member.node, other.member.node);
                    let text =
                        format!("node{one} and node{other} went from ring {} the same way, not together", stay.ring());
                    return Err(Violation::new("EVS-7", text));
                }
                compare(life, stay, other, theirs)?;
            }
        }
    }
    Ok(())
}

/// Whether the other came along in the transitional view at the end of a stay.
fn together(stay: &Stay<'_>, other: &Life<'_>) -> bool {
    stay.end.is_some_and(|end| end.members.contains(&other.member))
}

fn compare(life: &Life<'_>, stay: &Stay<'_>, other: &Life<'_>, theirs: &Stay<'_>) -> Result<(), Violation> {
    let (ours, theirs) = (&stay.given, &theirs.given);
    match ours.symmetric_difference(theirs).next() {
        None => Ok(()),
        Some(message) => {
            let who = if ours.contains(message) { life } else { other };
            let text = format!(
                "of node{} and node{}, which left ring {} together, only node{} was given {message:?}",
                life.member.node,
                other.member.node,
                stay.ring(),
                who.member.node
            );
            Err(Violation::new("EVS-7", text))
        }
    }
}
