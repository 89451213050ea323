//! `ocf:digitalocean:floatip` in process: keeps a floating (reserved) IP on the droplet that runs it.
//!
//! * **start** assigns the address to this droplet and returns once that is so: the action is completed, or the metadata
//!   service shows a change to it, whichever is seen first. A refusal that passes (422 pending event, 429, 5xx, a
//!   hang, a lost reply) is met with another try until the operation's timeout, and is then no failure: the start is to
//!   be run again, and goes on with the action that is under way. One that does not pass (401, 403, 404) ends the start
//!   with a sentence that says which. An address that another droplet took while not all nodes are members is not
//!   taken back: each of two nodes that do not see each other would do so for ever.
//! * **stop** releases nothing: the address moves when another droplet takes it, so a move has no gap.
//! * **monitor** asks the metadata service, which costs no quota; every [`API_CHECK`] a recurring monitor asks the API
//!   too, because metadata may lag behind. What cannot be found out is no failure: an outage of the cloud's control
//!   plane must not move an address.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod actions;
mod api;
mod prove;
mod start;

pub use actions::{AddressAction, AddressActions};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hac_model::{ExecStatus, Invocation};

use super::Native;
use crate::cloud::{Cloud, Need, Refused};
use crate::look::lock;
use crate::{Doing, Exit, Finished, Missing};
use api::Api;

/// How often a recurring monitor asks the API, unless `api_check_interval` says otherwise.
const API_CHECK: Duration = Duration::from_secs(60);

/// Part of an operation's timeout that is left for saying why it did not succeed.
const MARGIN: Duration = Duration::from_millis(200);

/// How long metadata may lag behind what the API confirmed.
const LAG: Duration = Duration::from_secs(60);

/// Longest operation, so that no reckoning with its end can fail.
const OPERATION_MAX: Duration = Duration::from_secs(24 * 3600);

/// The agent. One for all its resources.
#[derive(Debug)]
pub(super) struct FloatIp {
    cloud: Arc<Cloud>,
    /// Whether all nodes are members.
    whole: AtomicBool,
    /// By address.
    known: Mutex<BTreeMap<String, Known>>,
    /// By address: whether it could be brought here.
    proved: Mutex<BTreeMap<String, prove::Proved>>,
    sums: std::hash::RandomState,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// When the API was last asked where it is.
    checked: Option<Instant>,
    /// When the API last said that it is here.
    confirmed: Option<Instant>,
    /// The family of URLs that worked.
    family: api::Family,
    /// The action that is to bring it here, not known to have ended.
    action: Option<u64>,
    /// The droplet that took it.
    taken: Option<u64>,
}

/// What one resource is told. No `Debug`: there is a token in it.
struct Service<'a> {
    token: &'a str,
    address: &'a str,
    check: Duration,
}

impl<'a> Service<'a> {
    fn new(params: &'a BTreeMap<String, String>) -> Result<Self, Finished> {
        let get =
            |name: &str| {
                params.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()).ok_or_else(|| {
                    Finished::failed(Exit::Configured, format!("the required parameter {name} is not set"))
                })
            };
        let (token, address) = (get("do_token")?, get("floating_ip")?);
        if address.parse::<std::net::IpAddr>().is_err() {
            return Err(Finished::failed(Exit::Configured, format!("floating_ip is no address: {address}")));
        }
        let token = crate::cloud::token("do_token", token).map_err(|why| Finished::failed(Exit::Configured, why))?;
        let check = params.get("api_check_interval").and_then(|text| hac_model::parse_duration_ms(text));
        Ok(Self { token, address, check: check.map_or(API_CHECK, Duration::from_millis) })
    }
}

impl Native for FloatIp {
    fn name(&self) -> &'static str {
        "ocf:digitalocean:floatip"
    }

    fn metadata(&self) -> &'static str {
        include_str!("floatip/metadata.xml")
    }

    fn prove<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Vec<Missing>> {
        Box::pin(self.prove(invocation))
    }

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(self.act(invocation))
    }

    fn members(&self, whole: bool) {
        self.whole.store(whole, Ordering::Relaxed);
        if whole {
            lock(&self.known).values_mut().for_each(|known| known.taken = None);
        }
    }
}

impl FloatIp {
    /// Asks this cloud.
    pub(super) fn new(cloud: Arc<Cloud>) -> Self {
        let (known, proved, sums) = (Mutex::default(), Mutex::default(), prove::sums());
        Self { cloud, whole: AtomicBool::new(true), known, proved, sums }
    }

    /// Runs one action.
    async fn act(&self, invocation: &Invocation) -> Finished {
        let service = match Service::new(&invocation.params) {
            Ok(service) => service,
            // What cannot run does not run, and is stopped.
            Err(_) if invocation.action == "stop" => return Finished::with(Exit::Success),
            Err(wrong) => return wrong,
        };
        let budget = invocation.timeout.saturating_sub(MARGIN).min(OPERATION_MAX);
        let now = Instant::now();
        let deadline = now.checked_add(budget).unwrap_or(now);
        match invocation.action.as_str() {
            "start" => self.start(&service, deadline).await,
            "stop" => {
                self.change(service.address, |known| known.action = None);
                Finished::with(Exit::Success)
            }
            "validate-all" => Finished::with(Exit::Success),
            "monitor" | "status" => self.monitor(&service, invocation.interval_ms > 0, deadline).await,
            other => Finished::failed(Exit::Unimplemented, format!("floatip knows no action {other}"))
                .with_status(ExecStatus::NotSupported),
        }
    }

    fn known(&self, address: &str) -> Known {
        lock(&self.known).get(address).copied().unwrap_or_default()
    }

    fn change(&self, address: &str, change: impl FnOnce(&mut Known)) {
        change(lock(&self.known).entry(address.to_owned()).or_default());
    }

    fn api<'a>(&'a self, service: &Service<'a>, need: Need, deadline: Instant) -> Result<Api<'a>, Finished> {
        let control = self.cloud.control(service.token, deadline)?;
        Ok(Api { control, address: service.address, family: self.known(service.address).family, need })
    }

    async fn monitor(&self, service: &Service<'_>, recurring: bool, deadline: Instant) -> Finished {
        let metadata = match self.cloud.metadata(deadline) {
            Ok(metadata) => metadata,
            Err(failed) => return failed,
        };
        let shown = metadata.has(service.address).await.ok();
        let known = self.known(service.address);
        let due = known.checked.is_none_or(|last| last.elapsed() >= service.check);
        let by_api = match shown {
            Some(true) if recurring && due => self.ask_api(service, deadline).await,
            // Metadata may lag behind a start; the API knows.
            Some(false) if recurring => self.ask_api(service, deadline).await,
            None => self.ask_api(service, deadline).await,
            _ => None,
        };
        match (by_api, shown) {
            (Some(Ok(())), _) | (None, Some(true)) => Finished::with(Exit::Success),
            (Some(Err(where_to)), _) => Finished::failed(Exit::NotRunning, where_to),
            // The API does not say, and not long ago it said that the address is here.
            (None, Some(false)) if recurring && known.confirmed.is_some_and(|at| at.elapsed() < LAG) => {
                Finished::with(Exit::Success)
            }
            (None, Some(false)) => Finished::with(Exit::NotRunning),
            // Nothing could be found out: what ran goes on, what is looked for is not taken to be here.
            (None, None) if recurring => Finished::with(Exit::Success),
            (None, None) => Finished::with(Exit::NotRunning),
        }
    }

    /// Whether the API says that the address is here; an error says where it is. `None` if it does not say: then nothing
    /// is known, also if it names no droplet, because the token may not be allowed to see droplets.
    async fn ask_api(&self, service: &Service<'_>, deadline: Instant) -> Option<Result<(), String>> {
        let droplet = self.cloud.droplet(deadline, ASK).await.ok()?;
        let mut api = self.api(service, Need::Calm, deadline).ok()?;
        let assignment = api.assignment().await.ok()?;
        let (now, family) = (Instant::now(), api.family);
        let here = assignment.droplet.map(|id| id == droplet);
        self.change(service.address, |known| {
            known.checked = Some(now);
            known.family = family;
            match here {
                Some(true) => (known.confirmed, known.taken) = (Some(now), None),
                Some(false) => (known.confirmed, known.taken) = (None, assignment.droplet),
                None => {}
            }
        });
        match assignment.droplet {
            Some(id) if id == droplet => Some(Ok(())),
            Some(other) => Some(Err(format!("{} is assigned to droplet {other}, not to this one", service.address))),
            None => None,
        }
    }
}

/// How long a monitor asks which droplet this is.
const ASK: Duration = Duration::from_secs(3);

/// The sentence for a refusal that does not pass.
fn finished(refused: Refused, address: &str) -> Finished {
    match refused {
        Refused::Token => Finished::failed(Exit::Perm, "the API refused the token (401)"),
        Refused::Scope(message) => {
            Finished::failed(Exit::Perm, format!("the API does not allow the token to do this (403): {message}"))
        }
        Refused::Unknown => {
            let reason =
                format!("the API knows no address {address} in the token's account, or not this droplet (404)");
            Finished::failed(Exit::Args, reason)
        }
        Refused::Other(status, message) => {
            Finished::failed(Exit::Generic, format!("the API refused the request ({status}): {message}"))
        }
    }
}

#[cfg(test)]
mod tests;
