//! EVS-12: what is given to anybody as safe in a regular view is given to every member of that view, there or in its
//! transitional view, unless it dies.

use super::{Executed, Life, Violation, count, stays};

pub(super) fn check(lives: &[Life<'_>], executed: &mut Executed) -> Result<(), Violation> {
    let stays = stays(lives);
    for life in lives {
        for stay in &life.stays {
            for member in stay.view.members.iter().filter(|m| **m != life.member) {
                let Some(theirs) = stays.get(&(*member, stay.ring())).filter(|s| !s.died) else { continue };
                count(executed, "EVS-12");
                if let Some(message) = stay.safe.iter().find(|m| !theirs.has(m)) {
                    let text = format!(
                        "node{} was given {message:?} as safe in ring {}, node{} never was",
                        life.member.node,
                        stay.ring(),
                        member.node
                    );
                    return Err(Violation::new("EVS-12", text));
                }
            }
        }
    }
    Ok(())
}
