//! Requests about one address.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cloud::{Control, Need, Refused, Trouble};

/// The two names of one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Family {
    /// The name since 2022.
    #[default]
    Reserved,
    /// The old one, still served; some accounts' tooling and stand-ins know only this.
    Floating,
    /// IPv6 addresses have a third.
    Reserved6,
}

impl Family {
    const fn path(self) -> &'static str {
        match self {
            Self::Reserved => "reserved_ips",
            Self::Floating => "floating_ips",
            Self::Reserved6 => "reserved_ipv6",
        }
    }
}

/// Requests about one address.
pub(super) struct Api<'a> {
    /// For the requests.
    pub(super) control: Control<'a>,
    /// The address.
    pub(super) address: &'a str,
    /// The family that is tried first; afterwards the one that worked.
    pub(super) family: Family,
    /// How much the requests matter.
    pub(super) need: Need,
}

/// What became of a request to assign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// The address is here.
    Done,
    /// An action of this id brings it.
    Action(u64),
}

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The droplet; `None` if it is unassigned or the token may not see droplets.
    pub(super) droplet: Option<u64>,
    /// Whether that droplet is switched off, as far as the API says.
    pub(super) off: bool,
    /// An action on it is in progress.
    pub(super) locked: bool,
}

impl Api<'_> {
    /// Asks for the address.
    pub(super) async fn assign(&mut self, droplet: u64) -> Result<Posted, Trouble> {
        let body = json!({ "type": "assign", "droplet_id": droplet });
        let answer = self.either(Method::POST, "/actions", Some(&body)).await?;
        let action = answer.get("action").unwrap_or(&Value::Null);
        match action.get("status").and_then(Value::as_str) {
            Some("errored") => return Err(Trouble::Errored),
            Some("completed") => return Ok(Posted::Done),
            _ => {}
        }
        let id = action.get("id").and_then(Value::as_u64);
        id.map(Posted::Action).ok_or_else(|| Trouble::Unknown("an answer without an action".into()))
    }

    /// Whether the action has been completed. A word that the API never used before, and an action that it does not show,
    /// are looked up in the assignment by the caller's next try.
    pub(super) async fn action_done(&self, action: u64) -> Result<bool, Trouble> {
        let path = match self.family {
            // IPv6 addresses have no list of actions of their own.
            Family::Reserved6 => format!("/v2/actions/{action}"),
            family => format!("/v2/{}/{}/actions/{action}", family.path(), self.address),
        };
        let unseen = |trouble| match trouble {
            Trouble::Refused(Refused::Scope(_)) => Trouble::Unseen(action, 403),
            Trouble::Refused(Refused::Unknown) => Trouble::Unseen(action, 404),
            Trouble::Refused(Refused::Other(status, _)) => Trouble::Unseen(action, status),
            other => other,
        };
        let answer = self.control.request(Need::Look, Method::GET, &path, None).await.map_err(unseen)?;
        match answer.pointer("/action/status").and_then(Value::as_str) {
            Some("completed") => Ok(true),
            Some("in-progress") => Ok(false),
            Some("errored") => Err(Trouble::Errored),
            Some(other) => Err(Trouble::Unknown(format!("an action of status \"{other}\""))),
            None => Err(Trouble::Unknown("an action without a status".to_owned())),
        }
    }

    /// Where the address is.
    pub(super) async fn assignment(&mut self) -> Result<Assignment, Trouble> {
        let answer = self.either(Method::GET, "", None).await?;
        let object = ["reserved_ip", "floating_ip", "reserved_ipv6"].iter().find_map(|key| answer.get(key));
        let object = object.ok_or_else(|| Trouble::Unknown("an answer without an address".into()))?;
        Ok(Assignment {
            droplet: object.pointer("/droplet/id").and_then(Value::as_u64),
            off: matches!(object.pointer("/droplet/status").and_then(Value::as_str), Some("off" | "archive")),
            locked: object.get("locked").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// A request below the address. If the family at hand does not know it, the other one is tried and kept.
    pub(super) async fn either(&mut self, method: Method, below: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        let families = match (self.address.contains(':'), self.family) {
            (true, _) => [Some(Family::Reserved6), None],
            (false, Family::Floating) => [Some(Family::Floating), Some(Family::Reserved)],
            (false, _) => [Some(Family::Reserved), Some(Family::Floating)],
        };
        let mut unknown = Trouble::Refused(Refused::Unknown);
        for family in families.into_iter().flatten() {
            let path = format!("/v2/{}/{}{below}", family.path(), self.address);
            match self.control.request(self.need, method.clone(), &path, body).await {
                Err(Trouble::Refused(Refused::Unknown)) => {}
                // Whether the API knows the address was not said.
                Err(foreign @ Trouble::Foreign(404)) => unknown = foreign,
                result => {
                    self.family = family;
                    return result;
                }
            }
        }
        Err(unknown)
    }
}
