//! Whether an address could be brought here: what a start would have to find out first is found out before, and the connection
//! to the API is kept open, so that a start has to ask for nothing but the address.
//!
//! The API is asked where the address is, which tells whether the token is one and may read, once in [`AGAIN`] for each address,
//! and more often where it said no, or where nothing else has kept the connection open for [`WARM`]. All of that reads, and is as
//! calm as a monitor: it leaves to starts what the API allows.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use hac_model::Invocation;

use super::{ASK, FloatIp, Service};
use crate::Missing;
use crate::cloud::{Need, Refused, Trouble};

/// How often the API is asked about an address that it would bring here.
const AGAIN: Duration = Duration::from_secs(3600);

/// How long the connection to the API may be idle before it is used, so that it is not closed.
const WARM: Duration = Duration::from_secs(50);

/// How long the API may take.
const ANSWER: Duration = Duration::from_secs(10);

/// So many times in a row the API gave no answer before that is told.
const SILENT: u32 = 2;

/// What was found out of an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Proved {
    /// When the API last said where the address is.
    asked: Option<Instant>,
    /// A sum of the token that it was asked with.
    token: u64,
    /// What it said no to.
    refused: Option<Missing>,
    /// How often in a row it gave no answer.
    silent: u32,
}

impl FloatIp {
    /// See the [module documentation](self).
    pub(super) async fn prove(&self, invocation: &Invocation) -> Vec<Missing> {
        let service = match Service::new(&invocation.params) {
            Ok(service) => service,
            Err(wrong) => {
                let why = wrong.exit_reason.unwrap_or_default();
                let remedy = "hacctl configure edit puts the parameters right.";
                return vec![Missing::new("parameters", why, remedy)];
            }
        };
        let now = Instant::now();
        let deadline = now.checked_add(ANSWER).unwrap_or(now);
        let mut missing = Vec::new();
        if let Err(trouble) = self.cloud.droplet(deadline, ASK).await {
            let remedy =
                "'curl http://169.254.169.254/metadata/v1/id' on that node shows it; see [digitalocean] in hacd.toml.";
            missing.push(Missing::new("droplet", trouble.to_string(), remedy));
        }
        missing.extend(self.ask(&service, deadline).await);
        missing
    }

    /// What the API says, asked again if it is time.
    async fn ask(&self, service: &Service<'_>, deadline: Instant) -> Option<Missing> {
        let mut proved = crate::look::lock(&self.proved).get(service.address).cloned().unwrap_or_default();
        let token = self.sums.hash_one(service.token);
        if proved.token != token {
            proved = Proved { token, ..Proved::default() };
        }
        let due = proved.asked.is_none_or(|at| at.elapsed() >= AGAIN) || proved.refused.is_some();
        if due || proved.silent > 0 || self.cloud.is_idle(WARM) {
            match self.read(service, deadline).await {
                Ok(()) => (proved.refused, proved.silent, proved.asked) = (None, 0, Some(Instant::now())),
                Err(Trouble::Refused(refused)) => {
                    (proved.refused, proved.silent) = (Some(said_no(refused, service.address)), 0);
                }
                // Nothing is allowed at present, which says nothing.
                Err(Trouble::TooMany(_)) => {}
                Err(trouble) => {
                    proved.silent = proved.silent.saturating_add(1);
                    if proved.silent >= SILENT {
                        let remedy = "Look at the network of that node, and at status.digitalocean.com.";
                        proved.refused = None;
                        let silent = Missing::new("api", format!("the API cannot be asked: {trouble}"), remedy);
                        self.keep(service.address, proved);
                        return Some(silent);
                    }
                }
            }
        }
        let refused = proved.refused.clone();
        self.keep(service.address, proved);
        refused
    }

    fn keep(&self, address: &str, proved: Proved) {
        crate::look::lock(&self.proved).insert(address.to_owned(), proved);
    }

    /// Asks where the address is.
    async fn read(&self, service: &Service<'_>, deadline: Instant) -> Result<(), Trouble> {
        let api = self.api(service, Need::Calm, deadline);
        let mut api = api.map_err(|failed| Trouble::Unknown(failed.exit_reason.unwrap_or_default()))?;
        api.assignment().await?;
        self.change(service.address, |known| known.family = api.family);
        Ok(())
    }
}

/// The sentence for a refusal that does not pass.
fn said_no(refused: Refused, address: &str) -> Missing {
    let (sentence, remedy) = match refused {
        Refused::Token => (
            "the API refuses the token (401)".to_owned(),
            "Set a token that is valid: 'hacctl secret set NAME', or do_token of the resource.",
        ),
        Refused::Scope(message) => (
            format!("the API does not allow the token to ask where {address} is (403): {message}"),
            "Give it the scopes reserved_ip:read and reserved_ip:update, with those that they need.",
        ),
        Refused::Unknown => (
            format!("the API knows no address {address} in the token's account (404)"),
            "Compare floating_ip of the resource with the addresses of the account.",
        ),
        Refused::Other(status, message) => {
            (format!("the API refuses what it is asked about {address} ({status}): {message}"), "See what it says.")
        }
    };
    Missing::new("api", sentence, remedy)
}

/// Sums of tokens that mean nothing outside of this life of the daemon.
pub(super) fn sums() -> RandomState {
    RandomState::new()
}
