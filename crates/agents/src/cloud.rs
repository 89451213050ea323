//! The cloud that this node is a droplet of: its control API and its metadata service. One for all agents, so that they share
//! connections, the budget of requests and what is known of this droplet ([decision 36]).
//!
//! [decision 36]: ../../../docs/decisions/0036-asking-the-provider.md

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub(crate) mod api;
mod gate;
mod metadata;
mod several;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(crate) use api::{Control, Patience, Refused, Trouble};
pub(crate) use gate::{Gate, Need};
pub(crate) use metadata::Metadata;
pub use several::Addresses;

use crate::look::lock;
use crate::{Exit, Finished, Options};

/// First pause between two looks at what is not there yet; it doubles up to [`LOOK_MAX`].
pub(crate) const LOOK_MIN: Duration = Duration::from_millis(20);
/// Longest pause between two looks at what is about to be there.
pub(crate) const LOOK_MAX: Duration = Duration::from_millis(500);

/// How long after a claim a start takes it for what brings the address.
const CLAIM_LASTS: Duration = Duration::from_secs(60);

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Cloud {
    api_url: String,
    metadata_url: String,
    http: Mutex<Option<reqwest::Client>>,
    addresses: Addresses,
    droplet: Mutex<Option<u64>>,
    /// By address: the action that was ordered last to bring it here, by who claimed it.
    claimed: Mutex<BTreeMap<String, (u64, Instant)>>,
    gate: Gate,
    api_patience: Patience,
    metadata_patience: Patience,
}

impl Cloud {
    /// Talks to the API and the metadata service that `options` name; connects nowhere before it is asked to.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            api_url: options.api_url.clone(),
            metadata_url: options.metadata_url.clone(),
            http: Mutex::default(),
            addresses: Addresses::default(),
            droplet: Mutex::default(),
            claimed: Mutex::default(),
            gate: Gate::default(),
            api_patience: Patience::default(),
            metadata_patience: Patience::default(),
        }
    }

    /// Takes names to stand for these addresses.
    #[cfg(test)]
    pub(crate) fn stand_for(&mut self, all: Vec<std::net::SocketAddr>) {
        self.addresses.known = Some(all);
    }

    /// Where the API is.
    #[cfg(test)]
    pub(crate) fn api_url(&self) -> &str {
        &self.api_url
    }

    /// The HTTP client, made when it is first needed: a node that asks nothing does without.
    ///
    /// # Errors
    /// There are no certificates to check the API's with.
    pub(crate) fn http(&self) -> Result<reqwest::Client, Finished> {
        let mut slot = lock(&self.http);
        if let Some(client) = slot.as_ref() {
            return Ok(client.clone());
        }
        let proved = api::is_proved(&self.api_url) || api::is_proved(&self.metadata_url);
        let client = api::client(&self.addresses, proved).map_err(|error| {
            Finished::failed(Exit::Generic, format!("could not prepare HTTPS: {error}; is ca-certificates installed?"))
        })?;
        Ok(slot.insert(client).clone())
    }

    /// The metadata service.
    ///
    /// # Errors
    /// As [`Self::http`].
    pub(crate) fn metadata(&self, deadline: Instant) -> Result<Metadata<'_>, Finished> {
        Ok(Metadata { http: self.http()?, url: &self.metadata_url, patience: &self.metadata_patience, deadline })
    }

    /// The control API with this token.
    ///
    /// # Errors
    /// As [`Self::http`].
    pub(crate) fn control<'a>(&'a self, token: &'a str, deadline: Instant) -> Result<Control<'a>, Finished> {
        let (http, url, addresses) = (self.http()?, self.api_url.as_str(), &self.addresses);
        Ok(Control { http, url, token, gate: &self.gate, patience: &self.api_patience, addresses, deadline })
    }

    /// A claim has ordered this action, which brings the address here: who is to start it next need not order another.
    pub(crate) fn claimed(&self, address: &str, action: u64) {
        lock(&self.claimed).insert(address.to_owned(), (action, Instant::now()));
    }

    /// The action of a claim that was made just now, once.
    pub(crate) fn take_claim(&self, address: &str) -> Option<u64> {
        let claim = lock(&self.claimed).remove(address);
        claim.filter(|(_, at)| at.elapsed() < CLAIM_LASTS).map(|(action, _)| action)
    }

    /// Whether the API has not answered for so long: then a connection to it is about to be closed, or there is none.
    pub(crate) fn is_idle(&self, limit: Duration) -> bool {
        self.gate.answered().is_none_or(|at| at.elapsed() >= limit)
    }

    /// This droplet's id; asked for once, `limit` long at most.
    ///
    /// # Errors
    /// The metadata service does not say it.
    pub(crate) async fn droplet(&self, deadline: Instant, limit: Duration) -> Result<u64, Trouble> {
        let known = *lock(&self.droplet);
        if let Some(id) = known {
            return Ok(id);
        }
        let end = Instant::now().checked_add(limit).map_or(deadline, |end| end.min(deadline));
        let metadata =
            self.metadata(end).map_err(|failed| Trouble::Metadata(failed.exit_reason.unwrap_or_default()))?;
        let mut pause = LOOK_MIN;
        loop {
            let trouble = match metadata.droplet_id().await {
                Ok(id) => return Ok(*lock(&self.droplet).insert(id)),
                Err(metadata::Trouble::Wrong(what) | metadata::Trouble::Unreachable(what)) => what,
            };
            if pause >= end.saturating_duration_since(Instant::now()) {
                return Err(Trouble::Metadata(trouble));
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LOOK_MAX);
        }
    }
}

/// Whether this can be a token of the API at all.
///
/// # Errors
/// Why not, as a sentence.
pub(crate) fn token<'a>(name: &str, text: &'a str) -> Result<&'a str, String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(format!("{name} has characters in it that no token has; was it copied whole?"))
    }
}

#[cfg(test)]
mod tests {
    use super::api::is_proved;

    #[test]
    fn only_a_plain_address_does_without_certificates() {
        assert!(is_proved("https://api.digitalocean.com") && is_proved("HTTP://x") && is_proved("x"));
        assert!(!is_proved("http://169.254.169.254"));
    }
}
