//! The metadata service: plain HTTP on a link-local address, one value a path, no quota.

use std::fmt;
use std::time::Instant;

use super::api::Patience;

/// Longest answer that is taken, bytes.
const ANSWER_MAX: usize = 256;

/// The metadata service of this droplet.
pub(crate) struct Metadata<'a> {
    /// For the requests.
    pub(crate) http: reqwest::Client,
    /// Where it is, without a slash at the end.
    pub(crate) url: &'a str,
    /// How long it may take to answer.
    pub(crate) patience: &'a Patience,
    /// When answers must be there.
    pub(crate) deadline: Instant,
}

/// Why it gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was not reached, or said so itself (5xx).
    Unreachable(String),
    /// It answered something that makes no sense.
    Wrong(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreachable(what) | Self::Wrong(what)) = self;
        f.write_str(what)
    }
}

impl Metadata<'_> {
    /// This droplet's id.
    pub(crate) async fn droplet_id(&self) -> Result<u64, Trouble> {
        let text = self.get("id").await?.ok_or_else(|| Trouble::Wrong("it has none".into()))?;
        let id = text.trim().parse().ok().filter(|id| *id > 0);
        id.ok_or_else(|| Trouble::Wrong(format!("'{}'", text.trim().escape_debug())))
    }

    /// Whether `address` is assigned to this droplet, by the new names and by the old.
    pub(crate) async fn has(&self, address: &str) -> Result<bool, Trouble> {
        let version = if address.contains(':') { "ipv6" } else { "ipv4" };
        for family in ["reserved_ip", "floating_ip"] {
            // Anything but `true` is false, by the official client's rule; a page of something in between is neither.
            match self.get(&format!("{family}/{version}/active")).await? {
                Some(active) if active.trim() == "true" => {}
                Some(active) if active.trim().chars().all(|c| c.is_ascii_alphanumeric()) => return Ok(false),
                Some(other) => return Err(Trouble::Wrong(format!("'{}'", other.trim().escape_debug()))),
                None => continue,
            }
            let held = self.get(&format!("{family}/{version}/ip_address")).await?;
            return Ok(held.is_some_and(|held| same(held.trim(), address)));
        }
        Err(Trouble::Wrong("it knows no addresses".into()))
    }

    /// The value of a path; `None` if there is none.
    async fn get(&self, path: &str) -> Result<Option<String>, Trouble> {
        let url = format!("{}/metadata/v1/{path}", self.url);
        let begin = Instant::now();
        let limit = self.patience.now().min(self.deadline.saturating_duration_since(begin));
        let unreachable = |error: reqwest::Error| Trouble::Unreachable(error.without_url().to_string());
        let sent = self.http.get(url).timeout(limit).send().await;
        match &sent {
            Err(_) if begin.elapsed() >= limit => self.patience.grow(limit),
            _ => self.patience.answered(begin.elapsed()),
        }
        let mut response = sent.map_err(unreachable)?;
        let status = response.status();
        if status.as_u16() == 404 {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(Trouble::Unreachable(format!("it answered {status}")));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_MAX {
                return Err(Trouble::Wrong("an answer too long to be one".into()));
            }
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Whether two texts name one address (IPv6 has many ways to write one).
fn same(left: &str, right: &str) -> bool {
    left == right
        || matches!((left.parse::<std::net::IpAddr>(), right.parse::<std::net::IpAddr>()), (Ok(l), Ok(r)) if l == r)
}
