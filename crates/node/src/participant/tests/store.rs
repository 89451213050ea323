//! The store that has the third vote, as the tests have it.

use std::collections::BTreeMap;

use hac_quorum::{Action, ActionLog, Answer, ArbiterRequest, Found, Model, Outcome, Progress};

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
    /// It is a list of actions: these.
    pub(crate) list: Option<Vec<Action>>,
    /// What each node knows of what it has ordered.
    pub(crate) logs: BTreeMap<u32, ActionLog>,
}

impl Store {
    /// What it does with a request.
    pub(crate) fn serve(&mut self, node: u32, request: ArbiterRequest) -> Result<Answer, String> {
        if self.down {
            return Err("connection refused".to_owned());
        }
        if self.list.is_some() {
            return Ok(self.look(node, request));
        }
        let outcome = match request {
            ArbiterRequest::Swap { expected, mark }
                if self.there.as_ref().map_or(0, |found| found.revision) == expected =>
            {
                self.revision += 1;
                self.there = Some(Found { revision: self.revision, mark: Some(mark) });
                Outcome::Swapped
            }
            ArbiterRequest::Swap { .. } | ArbiterRequest::Read | ArbiterRequest::Since(_) => {
                Outcome::Found(self.there.clone())
            }
        };
        Ok(Answer { store: self.id, revision: self.revision, outcome })
    }

    /// What kind it is.
    pub(crate) const fn model(&self) -> Model {
        if self.list.is_some() { Model::ActionLog } else { Model::Register }
    }

    /// Somebody has the address assigned.
    pub(crate) fn order(&mut self, progress: Progress) -> u64 {
        self.revision += 1;
        let id = self.revision;
        self.list.get_or_insert_default().push(Action { id, progress });
        id
    }

    fn look(&mut self, node: u32, request: ArbiterRequest) -> Answer {
        let log = self.logs.entry(node).or_default();
        let list = self.list.as_deref().unwrap_or_default();
        let outcome = match request {
            ArbiterRequest::Read => log.last(list),
            ArbiterRequest::Since(known) => log.since(known, list),
            ArbiterRequest::Swap { mark, .. } => {
                log.ordering(&mark);
                let id = self.order(Progress::Completed);
                self.logs.entry(node).or_default().ordered(id, mark);
                Outcome::Underway
            }
        };
        Answer { store: self.id, revision: self.revision, outcome }
    }
}

impl super::cluster::Cluster {
    /// Two hosts with a store that has the third vote.
    pub(crate) fn with_store() -> Self {
        let mut cluster = Self::new(2);
        cluster.store = Some(Store { id: 7, revision: 1, ..Store::default() });
        [1, 2].into_iter().for_each(|id| cluster.start(id));
        cluster
    }

    /// Two hosts whose third vote is a list of actions.
    pub(crate) fn with_list() -> Self {
        let mut cluster = Self::new(2);
        let mut store = Store { id: 7, ..Store::default() };
        store.order(Progress::Completed);
        cluster.store = Some(store);
        [1, 2].into_iter().for_each(|id| cluster.start(id));
        cluster
    }
}
