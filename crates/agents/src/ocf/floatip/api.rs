//! The control API: requests about one address, and what its answers mean.

use std::fmt;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// How long one request may take: a hang costs this much of a failover.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept: monitors keep it warm, so that a failover saves the handshake.
const IDLE: Duration = Duration::from_secs(90);

/// Longest answer that is taken, bytes.
const ANSWER_MAX: usize = 1 << 20;

/// First pause before another try; it doubles with every try up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause before another try, unless the API asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A client that follows no redirect: the token goes where it was meant to go and nowhere else.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    // Only fails if it is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("hacd/", env!("CARGO_PKG_VERSION")))
        .build()
}

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
    pub(super) http: reqwest::Client,
    /// Where the API is, without a slash at the end.
    pub(super) url: &'a str,
    /// The token; goes into the header and nowhere else.
    pub(super) token: &'a str,
    /// The address.
    pub(super) address: &'a str,
    /// The family that is tried first; afterwards the one that worked.
    pub(super) family: Family,
}

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The droplet; `None` if it is unassigned or the token may not see droplets.
    pub(super) droplet: Option<u64>,
    /// An action on it is in progress.
    pub(super) locked: bool,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It will not be, however often it is repeated.
    Refused(Refused),
    /// Another action is in progress (422).
    Pending,
    /// Too many requests (429), and how long to wait if it says so.
    TooMany(Option<Duration>),
    /// The service failed (5xx).
    Failed(u16),
    /// No answer, or not a whole one: it may have been carried out or not.
    Unknown(String),
    /// The action ended without success.
    Errored,
}

/// A refusal that does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// 401.
    Token,
    /// 403, with the API's words.
    Scope(String),
    /// 404.
    Unknown,
    /// Any other, with the API's words.
    Other(u16, String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_) => f.write_str("the API refused the request"),
            Self::Pending => f.write_str("another action is pending (422)"),
            Self::TooMany(Some(wait)) => write!(f, "too many requests (429), to be repeated after {wait:?}"),
            Self::TooMany(None) => f.write_str("too many requests (429)"),
            Self::Failed(status) => write!(f, "the API failed ({status})"),
            Self::Unknown(what) => write!(f, "no answer: {what}"),
            Self::Errored => f.write_str("the action ended without success"),
        }
    }
}

impl Trouble {
    /// How long to wait before the try after the `tries`-th.
    pub(super) fn pause(&self, tries: u32) -> Duration {
        let doubled = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1).min(10))).min(PAUSE_MAX);
        match self {
            Self::TooMany(Some(wait)) => *wait,
            Self::TooMany(None) => doubled.max(Duration::from_secs(1)),
            Self::Pending => doubled.min(Duration::from_millis(500)),
            _ => doubled,
        }
    }
}

impl Api<'_> {
    /// Asks for the address; gives the action's id.
    pub(super) async fn assign(&mut self, droplet: u64) -> Result<u64, Trouble> {
        let body = json!({ "type": "assign", "droplet_id": droplet });
        let answer = self.either(Method::POST, "/actions", Some(&body)).await?;
        let action = answer.get("action").unwrap_or(&Value::Null);
        if action.get("status").and_then(Value::as_str) == Some("errored") {
            return Err(Trouble::Errored);
        }
        action.get("id").and_then(Value::as_u64).ok_or_else(|| Trouble::Unknown("an answer without an action".into()))
    }

    /// Whether the action has been completed. A word that the API never used before is looked up in the assignment by
    /// the caller's next try.
    pub(super) async fn action_done(&self, action: u64) -> Result<bool, Trouble> {
        let path = match self.family {
            // IPv6 addresses have no list of actions of their own.
            Family::Reserved6 => format!("/v2/actions/{action}"),
            family => format!("/v2/{}/{}/actions/{action}", family.path(), self.address),
        };
        let answer = self.request(Method::GET, &path, None).await?;
        match answer.pointer("/action/status").and_then(Value::as_str) {
            Some("completed") => Ok(true),
            Some("in-progress") => Ok(false),
            Some("errored") => Err(Trouble::Errored),
            other => Err(Trouble::Unknown(format!("an action of status {other:?}"))),
        }
    }

    /// Where the address is.
    pub(super) async fn assignment(&mut self) -> Result<Assignment, Trouble> {
        let answer = self.either(Method::GET, "", None).await?;
        let object = ["reserved_ip", "floating_ip", "reserved_ipv6"].iter().find_map(|key| answer.get(key));
        let object = object.ok_or_else(|| Trouble::Unknown("an answer without an address".into()))?;
        Ok(Assignment {
            droplet: object.pointer("/droplet/id").and_then(Value::as_u64),
            locked: object.get("locked").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// A request below the address. If the family at hand does not know it, the other one is tried and kept.
    async fn either(&mut self, method: Method, below: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        let families = match (self.address.contains(':'), self.family) {
            (true, _) => [Some(Family::Reserved6), None],
            (false, Family::Floating) => [Some(Family::Floating), Some(Family::Reserved)],
            (false, _) => [Some(Family::Reserved), Some(Family::Floating)],
        };
        let mut result = Err(Trouble::Refused(Refused::Unknown));
        for family in families.into_iter().flatten() {
            let path = format!("/v2/{}/{}{below}", family.path(), self.address);
            result = self.request(method.clone(), &path, body).await;
            if !matches!(result, Err(Trouble::Refused(Refused::Unknown))) {
                self.family = family;
                break;
            }
        }
        result
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.url)).bearer_auth(self.token).timeout(REQUEST_TIMEOUT);
        if let Some(body) = body {
            request = request.json(body);
        }
        // The error would name the URL, which is of no use to people, and nothing else.
        let unknown = |error: reqwest::Error| Trouble::Unknown(error.without_url().to_string());
        let mut response = request.send().await.map_err(unknown)?;
        let status = response.status();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unknown)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_MAX {
                return Err(Trouble::Unknown("an answer too long to be one".into()));
            }
        }
        if !status.is_success() {
            return Err(trouble(status, wait.map(Duration::from_secs), &bytes));
        }
        serde_json::from_slice(&bytes).map_err(|_| Trouble::Unknown("an answer that is no JSON".into()))
    }
}

/// What a status other than success means.
fn trouble(status: StatusCode, wait: Option<Duration>, body: &[u8]) -> Trouble {
    let message = || {
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        let text = parsed.as_ref().and_then(|value| value.get("message")).and_then(Value::as_str).map(str::to_owned);
        text.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(200).collect())
    };
    match status.as_u16() {
        401 => Trouble::Refused(Refused::Token),
        403 => Trouble::Refused(Refused::Scope(message())),
        404 => Trouble::Refused(Refused::Unknown),
        // A pending event, or the address is there already: the assignment is read before the next try.
        422 => Trouble::Pending,
        429 => Trouble::TooMany(wait),
        status @ 500..=599 => Trouble::Failed(status),
        status => Trouble::Refused(Refused::Other(status, message())),
    }
}
