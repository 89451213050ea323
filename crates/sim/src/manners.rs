//! How agents behave, whatever they are for: some do not end when they are told to, some say more than anybody wants to
//! know, some say that they did what they did not do.

use std::time::Duration;

use hac_netsim::Rng;
use hac_node::Invocation;

use crate::service::Fault;

/// How ill-mannered the agents of a cluster are: chances in thousandths, drawn for each run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// It does not end at its timeout, nor when it is told to; it is killed [`GRACE`] later.
    pub stubborn: u64,
    /// It fails, and says why at such length that nothing else would pass.
    pub floods: u64,
    /// It says that it did what it did not do.
    pub lies: u64,
}

/// How long after its timeout an agent is killed that does not end when it is told to.
pub const GRACE: Duration = Duration::from_secs(5);

/// Bytes of what a talkative agent says that reach the node: the shell cuts what is longer.
pub const SAID_MAX: usize = 4096;

impl Manners {
    /// Agents that do as they are told and say what is so.
    #[must_use]
    pub const fn good() -> Self {
        Self { stubborn: 0, floods: 0, lies: 0 }
    }

    /// How they may be for a while.
    pub fn bad(rng: &mut Rng) -> Self {
        let mut chance = |most| if rng.chance(400) { rng.below(most) } else { 0 };
        Self { stubborn: chance(60), floods: chance(100), lies: chance(60) }
    }

    /// What goes wrong with this run. Only what the cluster can find out by asking again is lied about: that something
    /// was started, or, to a recurring monitor, that it does not run. (Nothing helps against a stop that was never made.)
    pub fn fault(&self, rng: &mut Rng, invocation: &Invocation) -> Option<Fault> {
        if *self == Self::good() {
            return None;
        }
        let drawn = rng.below(1000);
        let (stubborn, floods) = (self.stubborn, self.stubborn + self.floods);
        let can_lie = invocation.action == "start" || (invocation.action == "monitor" && invocation.interval_ms > 0);
        if drawn < stubborn {
            Some(Fault::Stubborn)
        } else if drawn < floods {
            Some(Fault::Flood)
        } else if drawn < floods + self.lies && can_lie {
            Some(Fault::Lied)
        } else {
            None
        }
    }
}
