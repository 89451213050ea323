//! `ocf:digitalocean:floatip` in process: keeps a floating (reserved) IP on the droplet that runs it.
//!
//! * **start** assigns the address to this droplet and returns once that is so: the action is completed, or the metadata
//!   service shows a change to it, whichever is seen first. A refusal that passes (422 pending event, 429, 5xx, a
//!   hang, a lost reply) is met with another try until the operation's timeout; one that does not (401, 403, 404) ends
//!   the start with a sentence that says which.
//! * **stop** releases nothing: the address moves when another droplet takes it, so a move has no gap.
//! * **monitor** asks the metadata service, which costs no quota; every [`API_CHECK`] a recurring monitor asks the API
//!   too, because metadata may lag behind. What cannot be found out is no failure: an outage of the cloud's control
//!   plane must not move an address.

mod api;
mod metadata;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hac_model::{ExecStatus, Invocation};

use super::Native;
use crate::{Doing, Exit, Finished, Options};
use api::{Api, Assignment, Refused, Trouble};
use metadata::Metadata;

/// How often a recurring monitor asks the API, unless `api_check_interval` says otherwise.
const API_CHECK: Duration = Duration::from_secs(60);

/// First pause between two looks at an action; it doubles up to [`LOOK_MAX`].
const LOOK_MIN: Duration = Duration::from_millis(20);
/// Longest pause between two looks at an action.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// Part of an operation's timeout that is left for saying why it did not succeed.
const MARGIN: Duration = Duration::from_millis(200);

/// The agent. One for all its resources: they share connections and what is known of this droplet.
#[derive(Debug)]
pub(super) struct FloatIp {
    api_url: String,
    metadata_url: String,
    http: Mutex<Option<reqwest::Client>>,
    droplet: Mutex<Option<u64>>,
    /// When the API was last asked where an address is, by address.
    checked: Mutex<BTreeMap<String, Instant>>,
    /// The family of URLs that worked, by address.
    families: Mutex<BTreeMap<String, api::Family>>,
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
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            let reason = "do_token has characters in it that no token has; was it copied whole?";
            return Err(Finished::failed(Exit::Configured, reason));
        }
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

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(self.act(invocation))
    }
}

impl FloatIp {
    /// Talks to the API and the metadata service that `options` name.
    pub(super) fn new(options: &Options) -> Self {
        Self {
            api_url: options.api_url.clone(),
            metadata_url: options.metadata_url.clone(),
            http: Mutex::default(),
            droplet: Mutex::default(),
            checked: Mutex::default(),
            families: Mutex::default(),
        }
    }

    /// Runs one action.
    async fn act(&self, invocation: &Invocation) -> Finished {
        let service = match Service::new(&invocation.params) {
            Ok(service) => service,
            // What cannot run does not run, and is stopped.
            Err(_) if invocation.action == "stop" => return Finished::with(Exit::Success),
            Err(wrong) => return wrong,
        };
        match invocation.action.as_str() {
            "start" => self.start(&service, invocation.timeout.saturating_sub(MARGIN)).await,
            "stop" | "validate-all" => Finished::with(Exit::Success),
            "monitor" | "status" => self.monitor(&service, invocation.interval_ms > 0).await,
            other => Finished::failed(Exit::Unimplemented, format!("floatip knows no action {other}"))
                .with_status(ExecStatus::NotSupported),
        }
    }

    /// The HTTP client, made when it is first needed: a node that never moves an address does without.
    fn http(&self) -> Result<reqwest::Client, Finished> {
        let mut slot = lock(&self.http);
        if let Some(client) = slot.as_ref() {
            return Ok(client.clone());
        }
        let client = api::client().map_err(|error| {
            Finished::failed(Exit::Generic, format!("could not prepare HTTPS: {error}; is ca-certificates installed?"))
        })?;
        Ok(slot.insert(client).clone())
    }

    fn metadata(&self) -> Result<Metadata<'_>, Finished> {
        Ok(Metadata { http: self.http()?, url: &self.metadata_url })
    }

    fn api<'a>(&'a self, service: &Service<'a>) -> Result<Api<'a>, Finished> {
        let family = lock(&self.families).get(service.address).copied().unwrap_or_default();
        Ok(Api { http: self.http()?, url: &self.api_url, token: service.token, address: service.address, family })
    }

    fn remember_family(&self, api: &Api<'_>) {
        lock(&self.families).insert(api.address.to_owned(), api.family);
    }

    /// This droplet's id; asked for once.
    async fn droplet(&self) -> Result<u64, Finished> {
        let known = *lock(&self.droplet);
        if let Some(id) = known {
            return Ok(id);
        }
        let metadata = self.metadata()?;
        let mut pause = LOOK_MIN;
        loop {
            match metadata.droplet_id().await {
                Ok(id) => return Ok(*lock(&self.droplet).insert(id)),
                Err(metadata::Trouble::Wrong(what)) => {
                    let reason = format!("the metadata service gave no droplet id: {what}");
                    return Err(Finished::failed(Exit::Generic, reason));
                }
                Err(metadata::Trouble::Unreachable(_)) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LOOK_MAX);
        }
    }

    /// Tries until `budget` is used up, and then says what the last try met with.
    async fn start(&self, service: &Service<'_>, budget: Duration) -> Finished {
        let begin = Instant::now();
        let droplet = match self.droplet().await {
            Ok(droplet) => droplet,
            Err(failed) => return failed,
        };
        let mut api = match self.api(service) {
            Ok(api) => api,
            Err(failed) => return failed,
        };
        let mut tries = 0_u32;
        loop {
            let trouble = match self.assign(&mut api, droplet).await {
                Ok(()) => {
                    self.remember_family(&api);
                    lock(&self.checked).insert(service.address.to_owned(), Instant::now());
                    return Finished::with(Exit::Success);
                }
                Err(Trouble::Refused(refused)) => return finished(refused, service.address),
                Err(passing) => passing,
            };
            tries += 1;
            if begin.elapsed() + trouble.pause(tries) >= budget {
                return Finished::failed(
                    Exit::Generic,
                    format!("{} could not be assigned: {trouble}", service.address),
                );
            }
            tracing::info!(target: "hacd::agents", "assigning {}: {trouble}; trying again", service.address);
            tokio::time::sleep(trouble.pause(tries)).await;
            // Whatever went wrong may have gone wrong after the address was moved.
            if matches!(api.assignment().await, Ok(Assignment { droplet: Some(d), locked: false }) if d == droplet) {
                self.remember_family(&api);
                return Finished::with(Exit::Success);
            }
        }
    }

    /// One try: asks for the address and waits until the action has come to its end.
    async fn assign(&self, api: &mut Api<'_>, droplet: u64) -> Result<(), Trouble> {
        let metadata = Metadata { http: api.http.clone(), url: &self.metadata_url };
        let (before, action) = tokio::join!(metadata.has(api.address), api.assign(droplet));
        let action = action?;
        // Metadata that showed the address here already shows nothing new when it goes on doing so.
        let trust_metadata = matches!(before, Ok(false));
        let mut pause = LOOK_MIN;
        loop {
            let (done, here) = tokio::join!(api.action_done(action), async {
                trust_metadata && matches!(metadata.has(api.address).await, Ok(true))
            });
            if here {
                return Ok(());
            }
            match done {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // One look that fails is no news about the action.
                Err(Trouble::Refused(_) | Trouble::Errored) => return done.map(|_| ()),
                Err(_) => pause = LOOK_MAX,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAX);
        }
    }

    async fn monitor(&self, service: &Service<'_>, recurring: bool) -> Finished {
        let metadata = match self.metadata() {
            Ok(metadata) => metadata,
            Err(failed) => return failed,
        };
        let known = metadata.has(service.address).await.ok();
        let due = lock(&self.checked).get(service.address).is_none_or(|last| last.elapsed() >= service.check);
        let by_api = match known {
            Some(true) if recurring && due => self.ask_api(service).await,
            // Metadata may lag behind a start; the API knows.
            Some(false) if recurring => self.ask_api(service).await,
            None => self.ask_api(service).await,
            _ => None,
        };
        match (by_api, known) {
            (Some(Ok(())), _) | (None, Some(true)) => Finished::with(Exit::Success),
            (Some(Err(where_to)), _) => Finished::failed(Exit::NotRunning, where_to),
            (None, Some(false)) => Finished::with(Exit::NotRunning),
            // Nothing could be found out: what ran goes on, what is looked for is not taken to be here.
            (None, None) if recurring => Finished::with(Exit::Success),
            (None, None) => Finished::with(Exit::NotRunning),
        }
    }

    /// Whether the API says that the address is here; an error says where it is. `None` if it does not say.
    async fn ask_api(&self, service: &Service<'_>) -> Option<Result<(), String>> {
        let droplet = tokio::time::timeout(api::REQUEST_TIMEOUT, self.droplet()).await.ok()?.ok()?;
        let mut api = self.api(service).ok()?;
        let assignment = api.assignment().await.ok()?;
        self.remember_family(&api);
        lock(&self.checked).insert(service.address.to_owned(), Instant::now());
        Some(match assignment.droplet {
            Some(id) if id == droplet => Ok(()),
            // The token may not be allowed to see droplets: then nothing is said.
            None if !assignment.locked => Err(format!("{} is not assigned to this droplet", service.address)),
            None => return None,
            Some(other) => Err(format!("{} is assigned to droplet {other}, not to this one", service.address)),
        })
    }
}

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

/// Nothing panics while it holds one of these locks, and none is held across an await.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
