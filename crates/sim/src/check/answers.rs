//! Every request is answered, and once, unless the daemon that was asked died.

use super::{Violation, count};
use crate::cluster::World;

/// Looks at all requests.
pub(super) fn check(world: &mut World) -> Result<(), Violation> {
    for ((host, _, id), asked) in &world.asked {
        count(&mut world.checks.executed, "answers");
        let wrong = match asked.replies.len() {
            0 => !asked.void,
            1 => false,
            _ => true,
        };
        if wrong {
            let text = format!("request {} of node{host} at {} has {} answers", id.0, asked.at, asked.replies.len());
            return Err(Violation::new("answers", text));
        }
    }
    Ok(())
}
