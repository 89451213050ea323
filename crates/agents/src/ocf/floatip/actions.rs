//! What was ordered of an address: the provider's list of actions, and one more in it. For who takes that list for the register in
//! which two nodes settle who goes on ([decision 47]).
//!
//! [decision 47]: ../../../../../docs/decisions/0047-claims.md

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, Family};
use crate::cloud::{Cloud, Control, Need, Patience, Refused, Trouble};
use crate::look::lock;

/// Most actions on a page of the list.
const PAGE: usize = 200;

/// So many pages are read at most.
const PAGES_MAX: u32 = 25;

/// What was ordered of an address, as the provider lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressAction {
    /// Its number: later ones have higher ones.
    pub id: u64,
    /// Whether it was carried out; nothing as long as it may yet end either way.
    pub done: Option<bool>,
}

/// What was ordered of the addresses of the cloud, read and added to.
#[derive(Debug)]
pub struct AddressActions {
    cloud: Arc<Cloud>,
    family: std::sync::Mutex<Family>,
}

impl AddressActions {
    pub(crate) fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud, family: std::sync::Mutex::default() }
    }

    /// The actions on this address: all with a higher number than `known`, or the last ones and whatever is under way. Takes
    /// `limit` at most.
    ///
    /// # Errors
    /// A clause, without the token: they cannot be read.
    pub async fn list(
        &self,
        address: &str,
        token: &str,
        known: Option<u64>,
        limit: Duration,
    ) -> Result<Vec<AddressAction>, String> {
        let patience = Patience::of(limit);
        let mut api = self.api(address, token, limit, &patience)?;
        let mut all: Vec<AddressAction> = Vec::new();
        for page in 1..=PAGES_MAX {
            let below = format!("/actions?page={page}&per_page={PAGE}");
            let answer = api.either(Method::GET, &below, None).await.map_err(|trouble| words(&trouble, address))?;
            let read =
                page_of(&answer).ok_or_else(|| "it answers with something other than a list of actions".to_owned())?;
            let last = read.is_empty() || answer.pointer("/links/pages/next").is_none_or(Value::is_null);
            all.extend(read);
            // With the newest first there is nothing new behind one that is known.
            let newest_first = all.is_sorted_by(|one, next| one.id > next.id);
            let enough = all.last().is_some_and(|oldest| known.is_none_or(|known| oldest.id <= known));
            if last || (newest_first && enough) {
                *lock(&self.family) = api.family;
                return Ok(all);
            }
        }
        Err("its list of actions has no end".to_owned())
    }

    /// Orders the address to be assigned: to this droplet, or to the one that has it if there is one and it is to `stay`. The
    /// number of the action. Takes `limit` at most.
    ///
    /// # Errors
    /// A clause, without the token: it was refused, or nobody knows whether it was accepted.
    pub async fn order(&self, address: &str, token: &str, stay: bool, limit: Duration) -> Result<u64, String> {
        // An order that is not waited for to its end is lost.
        let patience = Patience::of(limit);
        let mut api = self.api(address, token, limit, &patience)?;
        let said = |trouble: Trouble| words(&trouble, address);
        let holder = if stay { api.assignment().await.map_err(said)?.droplet } else { None };
        let droplet = match holder {
            Some(droplet) => droplet,
            None => self.cloud.droplet(api.control.deadline, limit).await.map_err(said)?,
        };
        let body = json!({ "type": "assign", "droplet_id": droplet });
        let answer = api.either(Method::POST, "/actions", Some(&body)).await.map_err(said)?;
        let id = answer.pointer("/action/id").and_then(Value::as_u64);
        let id = id.ok_or_else(|| "it has accepted an assignment without saying its number".to_owned())?;
        if !stay {
            self.cloud.claimed(address, id);
        }
        Ok(id)
    }

    fn api<'a>(
        &'a self,
        address: &'a str,
        token: &'a str,
        limit: Duration,
        patience: &'a Patience,
    ) -> Result<Api<'a>, String> {
        let now = Instant::now();
        let deadline = now.checked_add(limit).unwrap_or(now);
        let control = self.cloud.control(token, deadline).map_err(|failed| failed.exit_reason.unwrap_or_default())?;
        let control = Control { patience, ..control };
        Ok(Api { control, address, family: *lock(&self.family), need: Need::Urgent })
    }
}

/// One page of the list.
fn page_of(answer: &Value) -> Option<Vec<AddressAction>> {
    let entry = |action: &Value| {
        let id = action.get("id")?.as_u64()?;
        let done = match action.get("status")?.as_str()? {
            "completed" => Some(true),
            "errored" => Some(false),
            // A word that it never used before is no end.
            _ => None,
        };
        Some(AddressAction { id, done })
    };
    answer.get("actions")?.as_array()?.iter().map(entry).collect()
}

/// What went wrong, for people.
fn words(trouble: &Trouble, address: &str) -> String {
    match trouble {
        Trouble::Refused(Refused::Token) => "the API refuses the token (401)".to_owned(),
        Trouble::Refused(Refused::Scope(said)) => {
            format!("the API does not allow the token to read and assign {address} (403): {said}")
        }
        Trouble::Refused(Refused::Unknown) => {
            format!("the API knows no address {address} in the token's account (404)")
        }
        Trouble::Refused(Refused::Other(status, said)) => format!("the API refuses it ({status}): {said}"),
        passing => passing.to_string(),
    }
}

#[cfg(test)]
mod tests {
    //! What a page of the list says.
    use super::*;

    #[test]
    fn a_page_is_read_whole_or_not_at_all() {
        let page = json!({ "actions": [
            { "id": 9, "status": "in-progress" }, { "id": 8, "status": "errored" },
            { "id": 7, "status": "completed" }, { "id": 6, "status": "paused" },
        ]});
        let done = [(9, None), (8, Some(false)), (7, Some(true)), (6, None)];
        let expected: Vec<AddressAction> = done.map(|(id, done)| AddressAction { id, done }).into();
        assert_eq!(page_of(&page), Some(expected));
        // A list that lacks something is not taken for one without it.
        assert_eq!(page_of(&json!({ "actions": [{ "id": "x", "status": "completed" }] })), None);
        assert_eq!(page_of(&json!({ "actions": [{ "id": 3 }] })), None);
        assert_eq!(page_of(&json!({ "action": [] })), None);
        assert_eq!(page_of(&json!({ "actions": [] })), Some(Vec::new()));
    }
}
