//! Changes that are collected and not made yet: the transaction of a shell's `configure`, and shadow configurations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hac_api::{ErrorCode, Version};
use hac_crm::cib::{Change, Configure, Replicated as _};
use hac_model::Cib;
use serde::{Deserialize, Serialize};

use super::impact::difference;
use super::{Context, cib};
use crate::failure::Failure;
use crate::terminal;

/// Collected changes, with the state that they start from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Draft {
    /// Name of the shadow configuration; empty for the transaction of a shell.
    pub(crate) name: String,
    /// The configuration that it began with, secrets masked.
    pub(crate) before: Cib,
    /// The changes, in order.
    pub(crate) changes: Vec<Change>,
}

/// A draft that several commands work on, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<Draft>>);

impl Shared {
    /// Shares a draft.
    pub(crate) fn new(draft: Draft) -> Self {
        Self(Arc::new(Mutex::new(draft)))
    }

    /// The draft. Nothing panics while it is held, and if so it is as good as before.
    pub(crate) fn get(&self) -> MutexGuard<'_, Draft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draft {
    /// An empty one of the configuration in force.
    pub(crate) async fn begin(context: &Context, name: &str) -> Result<Self, Failure> {
        Ok(Self { name: name.to_owned(), before: context.client.cib(false).await?, changes: Vec::new() })
    }

    /// The configuration with all changes made.
    pub(crate) fn now(&self) -> Result<Cib, Failure> {
        with(&self.before, &self.changes)
    }

    /// Adds changes if they can be made.
    pub(crate) fn add(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let mut all = self.changes.clone();
        all.extend_from_slice(changes);
        with(&self.before, &all)?;
        self.changes = all;
        Ok(())
    }

    /// What it would change, in crm's words.
    pub(crate) fn difference(&self) -> Result<String, Failure> {
        Ok(difference(&self.before, &self.now()?))
    }

    /// Makes the changes, all or none. A configuration that was changed meanwhile by somebody else is left alone, unless
    /// `force`.
    pub(crate) async fn commit(&self, context: &Context, force: bool) -> Result<(), Failure> {
        if self.changes.is_empty() {
            return context.done("apparently there is nothing to commit: nothing was changed", None);
        }
        let live = Context { draft: None, ..context.clone() };
        let now = live.client.cib(false).await?;
        if now.version.epoch != self.before.version.epoch && !force {
            let theirs = difference(&self.before, &now);
            eprint!("{}", terminal::harmless(&theirs));
            let sentence = "the configuration was changed meanwhile (see above); nothing was committed";
            return Err(Failure::new(ErrorCode::Old, sentence).with_remedy(
                "'configure diff' shows your changes, 'configure commit force' makes them on top of that, 'configure refresh' drops them.",
            ));
        }
        let base = (!force).then(|| version(&self.before));
        let done = format!("committed {}", counted(self.changes.len()));
        live.change_since(&self.changes, base, &done).await
    }
}

fn counted(changes: usize) -> String {
    if changes == 1 { "1 change".to_owned() } else { format!("{changes} changes") }
}

/// The version of a state as the API has it.
pub(crate) fn version(cib: &Cib) -> Version {
    Version { admin_epoch: cib.version.admin_epoch, epoch: cib.version.epoch, num_updates: cib.version.num_updates }
}

fn with(before: &Cib, changes: &[Change]) -> Result<Cib, Failure> {
    let configure = Configure { changes: changes.to_vec(), ..Configure::default() };
    before.candidate(&configure).map_err(|refusal| {
        Failure::new(ErrorCode::Invalid, terminal::harmless(&refusal.sentence))
            .with_remedy(terminal::harmless(&refusal.remedy))
    })
}

impl Context {
    /// The state that commands work on: the cluster's, or that of the draft.
    pub(crate) async fn cib(&self, secrets: bool) -> Result<Cib, Failure> {
        match &self.draft {
            Some(draft) => draft.get().now(),
            None => self.client.cib(secrets).await,
        }
    }

    /// Adds changes to the draft.
    pub(super) fn collect(&self, draft: &Shared, changes: &[Change], done: &str) -> Result<(), Failure> {
        let kept = {
            let mut draft = draft.get();
            draft.add(changes)?;
            draft.clone()
        };
        if !kept.name.is_empty() {
            cib::store(&kept)?;
        }
        if done.is_empty() { Ok(()) } else { self.done(&format!("{done} (not committed yet)"), None) }
    }
}

#[cfg(test)]
mod tests {
    use hac_pacemaker::crm_syntax;

    use super::*;

    #[test]
    fn a_draft_takes_what_the_cluster_would_take_and_refuses_the_rest() {
        let mut draft = Draft { name: String::new(), before: Cib::default(), changes: Vec::new() };
        let changes = |text: &str| crm_syntax::parse(text).expect("is written in crm's words");
        draft.add(&changes("primitive a ocf:pacemaker:Dummy\nclone c a")).expect("is taken");
        let failure = draft.add(&changes("primitive a ocf:pacemaker:Dummy")).expect_err("is there already");
        assert!(failure.message.contains("'a'"), "{}", failure.message);
        assert_eq!(draft.changes.len(), 2, "as before");
        assert!(draft.difference().expect("can be made").contains("+clone c a"));
    }
}
