//! The control API: requests about one address, and what its answers mean.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::gate::{Gate, Limits, Need};
use super::lock;

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
    /// How often it may be asked.
    pub(super) gate: &'a Gate,
    /// How long it may take to answer.
    pub(super) patience: &'a Patience,
    /// How much the requests matter.
    pub(super) need: Need,
    /// When the answers must be there.
    pub(super) deadline: Instant,
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

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
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
            Self::Pending(what) => f.write_str(what),
            Self::TooMany(Some(wait)) => {
                write!(f, "too many requests (429), none is allowed for {}", crate::seconds(*wait))
            }
            Self::TooMany(None) => f.write_str("too many requests (429)"),
            Self::Failed(status, _) => write!(f, "the API failed ({status})"),
            Self::Unknown(what) => write!(f, "no answer: {what}"),
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
    pub(super) fn pause(&self, tries: u32) -> Duration {
        let doubled = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1).min(10))).min(PAUSE_MAX);
        match self {
            Self::TooMany(Some(wait)) | Self::Failed(_, Some(wait)) => doubled.max(*wait),
            Self::TooMany(None) | Self::Taken(_) => doubled.max(Duration::from_secs(1)),
            Self::Pending(_) => doubled.min(Duration::from_millis(500)),
            _ => doubled,
        }
    }

    /// Whether the agent could not ask or find out, rather than being told no.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Pending(what) => what.contains("pending") || what.contains("locked"),
            _ => true,
        }
    }
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
        let answer = self.request(Need::Look, Method::GET, &path, None).await.map_err(unseen)?;
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
    async fn either(&mut self, method: Method, below: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        let families = match (self.address.contains(':'), self.family) {
            (true, _) => [Some(Family::Reserved6), None],
            (false, Family::Floating) => [Some(Family::Floating), Some(Family::Reserved)],
            (false, _) => [Some(Family::Reserved), Some(Family::Floating)],
        };
        let mut result = Err(Trouble::Refused(Refused::Unknown));
        for family in families.into_iter().flatten() {
            let path = format!("/v2/{}/{}{below}", family.path(), self.address);
            result = self.request(self.need, method.clone(), &path, body).await;
            if !matches!(result, Err(Trouble::Refused(Refused::Unknown))) {
                self.family = family;
                break;
            }
        }
        result
    }

    async fn request(&self, need: Need, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
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
            Err(Trouble::Unknown(_)) if begin.elapsed() >= limit => self.patience.grow(limit),
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
        serde_json::from_slice(&bytes).map_err(|_| Trouble::Unknown("an answer that is no JSON".into()))
    }
}

/// How long is waited for an answer: little at first, because a request that is lost is never answered; more after each that
/// was not answered in time, because a service may be slow.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<Option<Duration>>);

impl Patience {
    /// At first, and never less.
    pub(super) const MIN: Duration = Duration::from_secs(3);
    /// Never more.
    const MAX: Duration = Duration::from_secs(30);

    /// How long is waited at present.
    pub(super) fn now(&self) -> Duration {
        lock(&self.0).unwrap_or(Self::MIN)
    }

    /// There was no answer within `limit`.
    pub(super) fn grow(&self, limit: Duration) {
        let mut now = lock(&self.0);
        let more = limit.saturating_mul(4).clamp(Self::MIN, Self::MAX);
        *now = (*now).max(Some(more));
    }

    /// There was an answer after `took`.
    pub(super) fn answered(&self, took: Duration) {
        *lock(&self.0) = Some(took.saturating_mul(3).clamp(Self::MIN, Self::MAX));
    }
}

/// What a status other than success means.
fn trouble(status: StatusCode, limits: Limits, body: &[u8]) -> Trouble {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let message = || {
        let text = parsed.as_ref().and_then(|value| value.get("message")).and_then(Value::as_str).map(str::to_owned);
        text.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(200).collect())
    };
    // The API's own errors are JSON. A page for people comes from something in between.
    let foreign = body.trim_ascii_start().starts_with(b"<");
    match status.as_u16() {
        429 => Trouble::TooMany(limits.wait()),
        status @ 500..=599 => Trouble::Failed(status, limits.retry_after),
        status @ (300..=399 | 408 | 425) => Trouble::Unknown(format!("status {status}, as of a proxy in between")),
        status if foreign => Trouble::Unknown(format!("a page of something in between (status {status})")),
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
