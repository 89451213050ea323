//! The provider's list of actions on an address as the store that has the third vote ([decision 47]). What a list says is decided
//! in `hac_quorum::ActionLog`; here it is fetched, and what this life of the daemon has ordered is remembered.
//!
//! [decision 47]: ../../../../docs/decisions/0047-claims.md

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hac_agents::{AddressAction, AddressActions};
use hac_node::{ArbiterAnswer, ArbiterOutcome};
use hac_quorum::{Action, ActionLog, ArbiterRequest, Progress};
use zeroize::Zeroizing;

use super::AddressLog;
use crate::files;
use crate::storage::words;

/// Longest file with a token, bytes.
const FILE_MAX: u64 = 64 << 10;

/// Reads one list and adds to it.
pub(super) struct Client {
    place: AddressLog,
    actions: AddressActions,
    log: Mutex<ActionLog>,
}

impl Client {
    /// Of the address at this place. Nothing is read or sent yet.
    pub(super) fn new(place: AddressLog, actions: AddressActions) -> Self {
        Self { place, actions, log: Mutex::default() }
    }

    /// Reads the list, or orders an assignment.
    ///
    /// # Errors
    /// A clause, without the token: it could not be, or nobody knows whether it was.
    pub(super) async fn ask(&self, request: &ArbiterRequest, limit: Duration) -> Result<ArbiterAnswer, String> {
        let token = self.token()?;
        match request {
            ArbiterRequest::Read => self.look(&token, None, limit).await,
            ArbiterRequest::Since(known) => self.look(&token, Some(*known), limit).await,
            ArbiterRequest::Swap { mark, .. } => {
                self.log().ordering(mark);
                // What is written for both nodes changes nothing: the address stays where it is.
                let stay = mark.members.is_empty();
                let revision = self.actions.order(&self.place.address.to_string(), &token, stay, limit).await?;
                self.log().ordered(revision, mark.clone());
                Ok(ArbiterAnswer { store: self.store(), revision, outcome: ArbiterOutcome::Underway })
            }
        }
    }

    /// What the list says: the first change after what is known, or the last of all.
    async fn look(&self, token: &str, known: Option<u64>, limit: Duration) -> Result<ArbiterAnswer, String> {
        let listed = self.actions.list(&self.place.address.to_string(), token, known, limit).await?;
        let actions: Vec<Action> = listed.iter().map(action).collect();
        let revision = actions.iter().map(|action| action.id).max().unwrap_or_default();
        let log = self.log();
        let outcome = known.map_or_else(|| log.last(&actions), |known| log.since(known, &actions));
        Ok(ArbiterAnswer { store: self.store(), revision, outcome })
    }

    /// Which list it is: numbers of two addresses have nothing to do with each other.
    fn store(&self) -> u64 {
        u64::from(u32::from(self.place.address))
    }

    fn log(&self) -> MutexGuard<'_, ActionLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read each time: a token that was replaced is used at once.
    fn token(&self) -> Result<Zeroizing<String>, String> {
        let file = &self.place.token_file;
        let text = files::read_text(file, FILE_MAX);
        let text =
            Zeroizing::new(text.map_err(|error| format!("{} cannot be read: {}", file.display(), words(&error)))?);
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{} has no token in it and nothing else", file.display()));
        }
        Ok(Zeroizing::new(token.to_owned()))
    }
}

fn action(listed: &AddressAction) -> Action {
    let progress = match listed.done {
        Some(true) => Progress::Completed,
        Some(false) => Progress::Errored,
        None => Progress::Underway,
    };
    Action { id: listed.id, progress }
}
