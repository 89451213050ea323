//! What goes wrong with agents: the service behind the address refuses, hangs or does what is asked and does not say so;
//! a server does not start; an agent has no manners.

use std::time::Duration;

use hac_netsim::Rng;
use hac_node::{ExecStatus, Invocation, Outcome};

use crate::manners::{GRACE, SAID_MAX};
use crate::tutorial::ADDRESS;

/// How much later it wants to be asked.
const LATER: Duration = Duration::from_secs(2);

/// How ill the service behind the address is: chances in thousandths, drawn for each call of its agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// It answers 429 or 5xx: nothing was done.
    pub refuses: u64,
    /// It does not answer until the agent's time is over, and does nothing.
    pub hangs: u64,
    /// It does what it is asked and does not answer: nobody knows whether it was done.
    pub loses_answers: u64,
    /// It wants to be asked later, and its agent says so: nothing was done, and nothing has failed.
    pub puts_off: u64,
}

/// What goes wrong with one run of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was done, and the agent says so.
    Refused,
    /// Nothing was done, and the agent wants to be run again later.
    PutOff,
    /// Nothing was done, and the agent was ended at its timeout.
    Hung,
    /// It was done, and the agent was ended at its timeout.
    AnswerLost,
    /// It was done, and the agent went on until it was killed, some time after its timeout.
    Stubborn,
    /// Nothing was done, and the agent says why at great length.
    Flood,
    /// Nothing was done, and the agent says that it was.
    Lied,
}

impl Service {
    /// A service that always does what it is asked.
    #[must_use]
    pub const fn well() -> Self {
        Self { refuses: 0, hangs: 0, loses_answers: 0, puts_off: 0 }
    }

    /// How a service may be for a while.
    pub fn ill(rng: &mut Rng) -> Self {
        let mut chance = |most| if rng.chance(500) { rng.below(most) } else { 0 };
        Self { refuses: chance(600), hangs: chance(200), loses_answers: chance(300), puts_off: chance(500) }
    }

    /// What goes wrong with this run.
    pub fn fault(&self, rng: &mut Rng, invocation: &Invocation) -> Option<Fault> {
        if invocation.resource != ADDRESS || *self == Self::well() {
            return None;
        }
        let drawn = rng.below(1000);
        if drawn < self.refuses {
            Some(Fault::Refused)
        } else if drawn < self.refuses + self.hangs {
            Some(Fault::Hung)
        } else if drawn < self.refuses + self.hangs + self.loses_answers {
            Some(Fault::AnswerLost)
        } else if drawn < self.refuses + self.hangs + self.loses_answers + self.puts_off {
            Some(Fault::PutOff)
        } else {
            None
        }
    }
}

impl Fault {
    /// Its name among the things that happened.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "the service refused",
            Self::PutOff => "the service wanted to be asked later",
            Self::Hung => "the service hung",
            Self::AnswerLost => "the service did what was asked and did not answer",
            Self::Stubborn => "an agent did not end when it was told to",
            Self::Flood => "an agent said too much",
            Self::Lied => "an agent lied",
        }
    }

    /// How long the run takes, where that is not how long such runs take.
    #[must_use]
    pub fn lasts(self, timeout: Duration) -> Option<Duration> {
        match self {
            Self::Hung | Self::AnswerLost => Some(timeout),
            Self::Stubborn => Some(timeout + GRACE),
            Self::Refused | Self::PutOff | Self::Flood | Self::Lied => None,
        }
    }

    /// Whether what was asked is done.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::AnswerLost | Self::Stubborn)
    }

    /// What the agent says of this action.
    #[must_use]
    pub fn outcome(self, action: &str) -> Outcome {
        let (rc, status) = match self {
            Self::Hung | Self::AnswerLost | Self::Stubborn => (1, ExecStatus::Timeout),
            Self::Refused | Self::PutOff | Self::Flood => (1, ExecStatus::Done),
            Self::Lied if action == "monitor" => (7, ExecStatus::Done),
            Self::Lied => (0, ExecStatus::Done),
        };
        let said = if self == Self::Flood { "x".repeat(SAID_MAX) } else { self.name().to_owned() };
        let retry_after = (self == Self::PutOff).then_some(LATER);
        Outcome { rc, status, exit_reason: (rc == 1).then_some(said), retry_after, ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(resource: &str) -> Invocation {
        Invocation {
            id: hac_node::InvocationId(1),
            node: "node1".to_owned(),
            migration: None,
            fencing: None,
            resource: resource.to_owned(),
            instance: resource.to_owned(),
            agent: hac_model::Agent::default(),
            action: "start".to_owned(),
            interval_ms: 0,
            timeout: Duration::from_secs(20),
            expected_rc: 0,
            params: std::collections::BTreeMap::new(),
            meta: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn an_ill_service_does_each_of_its_harms_and_only_to_who_uses_it() {
        let mut rng = Rng::new(1, 1);
        let service = Service { refuses: 200, hangs: 200, loses_answers: 200, puts_off: 200 };
        let faults: Vec<Option<Fault>> = (0..200).map(|_| service.fault(&mut rng, &of(ADDRESS))).collect();
        for fault in [None, Some(Fault::Refused), Some(Fault::Hung), Some(Fault::AnswerLost), Some(Fault::PutOff)] {
            assert!(faults.contains(&fault), "{fault:?}");
        }
        assert_eq!(service.fault(&mut rng, &of("Nginx")), None);
        assert_eq!(Service::well().fault(&mut rng, &of(ADDRESS)), None);
    }
}
