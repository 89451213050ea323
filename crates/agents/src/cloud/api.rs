//! The control API: one request at a time, and what its answers mean.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::gate::{Gate, Limits, Need};
use super::several::Addresses;
use crate::look::lock;

/// How long an idle connection is kept: monitors keep it warm, so that a failover saves the handshake.
const IDLE: Duration = Duration::from_secs(90);

/// Longest answer that is taken, bytes.
const ANSWER_MAX: usize = 1 << 20;

/// First pause before another try; it doubles with every try up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause before another try, unless the API asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Whether a server at this address proves who it is.
pub(crate) fn is_proved(url: &str) -> bool {
    !url.starts_with("http://")
}

/// A client that follows no redirect: the token goes where it was meant to go and nowhere else. If it is for no server that proves
/// who it is, the certificates of this host are not read: that takes as long as a ring to form.
pub(crate) fn client(addresses: &Addresses, proved: bool) -> reqwest::Result<reqwest::Client> {
    // Only fails if it is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder();
    let builder = if proved { builder } else { builder.tls_certs_only([]) };
    builder
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(addresses.clone())
        .user_agent(concat!("hacd/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It will not be, however often it is repeated.
    Refused(Refused),
    /// Another action is in progress (409, 422), or the API's words for something else that it cannot do now.
    Pending(String),
    /// Too many requests (429), and how long to wait if it says so; or no request is allowed yet.
    TooMany(Option<Duration>),
    /// The service failed (5xx), and how long to wait if it says so.
    Failed(u16, Option<Duration>),
    /// No answer, or not a whole one: it may have been carried out or not.
    Unknown(String),
    /// A status that did not come from the API, whose errors are JSON, but from something in between.
    Foreign(u16),
    /// The action ended without success; another one may end better.
    Errored,
    /// The action cannot be looked at, with the API's status: it is not known there yet, or the token may not see actions.
    Unseen(u64, u16),
    /// The action has not ended.
    Unfinished(u64),
    /// The metadata service does not say who this droplet is.
    Metadata(String),
    /// Another droplet has taken the address, and it may be the other node.
    Taken(u64),
}

/// A refusal that does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
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
            Self::Pending(what) => f.write_str(what),
            Self::TooMany(Some(wait)) => {
                write!(f, "too many requests (429), none is allowed for {}", crate::seconds(*wait))
            }
            Self::TooMany(None) => f.write_str("too many requests (429)"),
            Self::Failed(status, _) => write!(f, "the API failed ({status})"),
            Self::Unknown(what) => write!(f, "no answer: {what}"),
            Self::Foreign(status) => write!(f, "no answer of the API, but of something in between (status {status})"),
            Self::Errored => f.write_str("the action ended without success"),
            Self::Unseen(action, status) => write!(f, "action {action} cannot be looked at ({status})"),
            Self::Unfinished(action) => write!(f, "action {action} has not ended"),
            Self::Metadata(what) => write!(f, "the metadata service does not say which droplet this is: {what}"),
            Self::Taken(droplet) => write!(
                f,
                "droplet {droplet} has taken it while not all nodes are members; it may be the other node, so it is not taken back"
            ),
        }
    }
}

impl Trouble {
    /// How long to wait before the try after the `tries`-th.
    pub(crate) fn pause(&self, tries: u32) -> Duration {
        let doubled = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1).min(10))).min(PAUSE_MAX);
        match self {
            Self::TooMany(Some(wait)) | Self::Failed(_, Some(wait)) => doubled.max(*wait),
            Self::TooMany(None) | Self::Taken(_) => doubled.max(Duration::from_secs(1)),
            Self::Pending(_) => doubled.min(Duration::from_millis(500)),
            _ => doubled,
        }
    }

    /// Whether the agent could not ask or find out, rather than being told no.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Pending(what) => what.contains("pending") || what.contains("locked"),
            _ => true,
        }
    }
}

/// Requests with one token.
pub(crate) struct Control<'a> {
    /// For the requests.
    pub(crate) http: reqwest::Client,
    /// Where the API is, without a slash at the end.
    pub(crate) url: &'a str,
    /// The token; goes into the header and nowhere else.
    pub(crate) token: &'a str,
    /// How often it may be asked.
    pub(crate) gate: &'a Gate,
    /// How long it may take to answer.
    pub(crate) patience: &'a Patience,
    /// Its addresses.
    pub(crate) addresses: &'a Addresses,
    /// When the answers must be there.
    pub(crate) deadline: Instant,
}

impl Control<'_> {
    /// One request; its answer as JSON.
    ///
    /// # Errors
    /// It was not carried out, or nobody knows whether it was.
    pub(crate) async fn request(
        &self,
        need: Need,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        self.enter(need).await?;
        let (begin, limit) = (Instant::now(), self.patience.now());
        let limit = limit.min(self.deadline.saturating_duration_since(begin));
        let mut request =
            self.http.request(method, format!("{}{path}", self.url)).bearer_auth(self.token).timeout(limit);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self.exchange(request).await;
        match &answer {
            Err(Trouble::Unknown(_)) if begin.elapsed() >= limit => {
                self.patience.grow(limit);
                self.addresses.turn();
            }
            _ => self.patience.answered(begin.elapsed()),
        }
        answer
    }

    /// Waits for the gate, if it is worth that and can be before the deadline.
    async fn enter(&self, need: Need) -> Result<(), Trouble> {
        while let Err(wait) = self.gate.enter(need, Instant::now()) {
            if need != Need::Urgent || wait >= self.deadline.saturating_duration_since(Instant::now()) {
                return Err(Trouble::TooMany(Some(wait)));
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Value, Trouble> {
        // The error would name the URL, which is of no use to people, and nothing else.
        let unknown = |error: reqwest::Error| Trouble::Unknown(error.without_url().to_string());
        let mut response = request.send().await.map_err(unknown)?;
        let status = response.status();
        let limits = Limits::read(|name| response.headers().get(name).and_then(|value| value.to_str().ok()));
        let busy = matches!(status.as_u16(), 429 | 500..=599);
        self.gate.note(Instant::now(), busy, &limits);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unknown)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_MAX {
                return Err(Trouble::Unknown("an answer too long to be one".into()));
            }
        }
        if !status.is_success() {
            return Err(trouble(status, limits, &bytes));
        }
        json(&bytes).ok_or_else(|| Trouble::Unknown("an answer that is no JSON".into()))
    }
}

/// How long is waited for an answer: little at first, because a request that is lost is never answered; more after each that
/// was not answered in time, because a service may be slow.
#[derive(Debug, Default)]
pub(crate) struct Patience(Mutex<Option<Duration>>);

impl Patience {
    /// At first, and never less.
    pub(crate) const MIN: Duration = Duration::from_secs(3);
    /// Never more.
    const MAX: Duration = Duration::from_secs(30);

    /// Of who waits this long at first.
    pub(crate) const fn of(limit: Duration) -> Self {
        Self(Mutex::new(Some(limit)))
    }

    /// How long is waited at present.
    pub(crate) fn now(&self) -> Duration {
        lock(&self.0).unwrap_or(Self::MIN)
    }

    /// There was no answer within `limit`.
    pub(crate) fn grow(&self, limit: Duration) {
        let mut now = lock(&self.0);
        let more = limit.saturating_mul(4).clamp(Self::MIN, Self::MAX);
        *now = (*now).max(Some(more));
    }

    /// There was an answer after `took`.
    pub(crate) fn answered(&self, took: Duration) {
        *lock(&self.0) = Some(took.saturating_mul(3).clamp(Self::MIN, Self::MAX));
    }
}

/// An answer's text as JSON; a byte order mark in front of it says nothing.
fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()
}

/// What a status other than success means.
fn trouble(status: StatusCode, limits: Limits, body: &[u8]) -> Trouble {
    let parsed = json(body).filter(Value::is_object);
    let message = || {
        let text = parsed.as_ref().and_then(|value| value.get("message")).and_then(Value::as_str).map(str::to_owned);
        text.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(200).collect())
    };
    match status.as_u16() {
        429 => Trouble::TooMany(limits.wait()),
        status @ 500..=599 => Trouble::Failed(status, limits.retry_after),
        status @ (300..=399 | 408 | 425) => Trouble::Foreign(status),
        status if parsed.is_none() => Trouble::Foreign(status),
        401 => Trouble::Refused(Refused::Token),
        403 => Trouble::Refused(Refused::Scope(message())),
        404 => Trouble::Refused(Refused::Unknown),
        // A pending event, or the address is there already: the assignment is read before the next try.
        status @ (409 | 422) => Trouble::Pending(match message() {
            text if text.is_empty() => format!("another action is pending ({status})"),
            text => format!("the API cannot do it now ({status}): {text}"),
        }),
        status => Trouble::Refused(Refused::Other(status, message())),
    }
}
