//! EVS-13: a safe message that is given to one member in a transitional view is given to all members of that view, there
//! or before it, unless they die.

use super::{Executed, Life, Violation, count, stays};

pub(super) fn check(lives: &[Life<'_>], executed: &mut Executed) -> Result<(), Violation> {
    let stays = stays(lives);
    for life in lives {
        for stay in life.stays.iter().filter(|stay| !stay.safe_transitional.is_empty()) {
            let along = stay.end.map_or(&[][..], |end| &end.members);
            for member in along.iter().filter(|member| **member != life.member) {
                let Some(theirs) = stays.get(&(*member, stay.ring())).filter(|s| !s.died) else { continue };
                count(executed, "EVS-13");
                if let Some(message) = stay.safe_transitional.iter().find(|message| !theirs.has(message)) {
                    let (node, ring) = (life.member.node, stay.ring());
                    let text = format!(
                        "node{node} was given the safe {message:?} at the end of ring {ring}, node{}, which came along, \
                         never was",
                        member.node
                    );
                    return Err(Violation::new("EVS-13", text));
                }
            }
        }
    }
    Ok(())
}
