//! The store that has the third vote, as the tests have it.

use hac_quorum::{Answer, ArbiterRequest, Found, Outcome};

/// A store that has the third vote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    /// Which it is.
    pub(crate) id: u64,
    /// Its revision.
    pub(crate) revision: u64,
    /// What is in the register.
    pub(crate) there: Option<Found>,
    /// It does not answer.
    pub(crate) down: bool,
}

impl Store {
    /// What it does with a request.
    pub(crate) fn serve(&mut self, request: ArbiterRequest) -> Result<Answer, String> {
        if self.down {
            return Err("connection refused".to_owned());
        }
        let outcome = match request {
            ArbiterRequest::Swap { expected, mark }
                if self.there.as_ref().map_or(0, |found| found.revision) == expected =>
            {
                self.revision += 1;
                self.there = Some(Found { revision: self.revision, mark: Some(mark) });
                Outcome::Swapped
            }
            ArbiterRequest::Swap { .. } | ArbiterRequest::Read => Outcome::Found(self.there.clone()),
        };
        Ok(Answer { store: self.id, revision: self.revision, outcome })
    }
}
