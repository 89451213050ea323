//! The fencer: what carries the fencing of a plan out. The transition engine hands each [`Fencing`] over here and to
//! nobody else.
//!
//! There is none in this release: every request is refused, with one sentence. What waits for the fencing stays undone, no
//! new decision is asked for, and `configure verify` says the same of a fence device ([`NOT_CARRIED_OUT`]).
//! The machine that is to carry requests out is there ([`requests`]), but nothing feeds it yet.

pub mod requests;

use std::fmt;

use crate::work::Order;
use hac_scheduler::plan::Fencing;

/// What is said of fence devices.
pub const NOT_CARRIED_OUT: &str = "fence devices are not carried out by hacd yet";

/// Why a node is not fenced, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    fencing: Fencing,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fencing { target, action } = &self.fencing;
        write!(f, "cannot fence {target} ({action}): {NOT_CARRIED_OUT}; what waits for it stays undone")
    }
}

/// The order by which `fencing` begins.
///
/// # Errors
/// It cannot begin.
pub(crate) fn begin(fencing: &Fencing) -> Result<Order, Refused> {
    Err(Refused { fencing: fencing.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hac_model::FenceAction;

    #[test]
    fn fencing_is_refused_with_one_sentence_that_names_the_node() {
        let fencing = Fencing { target: "secondary".to_owned(), action: FenceAction::Off };
        assert_eq!(
            begin(&fencing).unwrap_err().to_string(),
            "cannot fence secondary (off): fence devices are not carried out by hacd yet; what waits for it stays undone"
        );
    }
}
