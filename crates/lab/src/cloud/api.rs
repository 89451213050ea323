//! The control API: who may call, what is called, and the shapes that all answers share.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::quota::Left;
use super::world::{Action, Droplet, Thing, World};
use super::{Fault, TOKEN, actions, addresses, droplets};
use crate::plan::Plan;

/// Project that everything belongs to.
pub(super) const PROJECT: &str = "4e1bfbc3-dc3e-41f2-a18f-1b4d7ba71679";
/// Most items on a page.
const PER_PAGE_MAX: usize = 200;
/// Items on a page unless the caller says otherwise.
const PER_PAGE: usize = 20;

/// A request to the control API.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    /// Path without query.
    pub(super) path: &'a str,
    pub(super) query: BTreeMap<String, String>,
    /// The body; `null` when there is none.
    pub(super) body: Value,
    /// The bearer token; empty when there is none.
    pub(super) token: &'a str,
    /// The server as the caller names it, for links.
    pub(super) server: &'a str,
    /// The fault that struck this request, for the action that it may begin.
    pub(super) fault: &'a Fault,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Content,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Json(Value),
    Text(String),
}

/// What a request led to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reply: Reply,
    /// Actions that have begun: to be carried out.
    pub(super) begun: Vec<actions::Begun>,
}

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) id: Option<String>,
    pub(super) message: Option<String>,
}

impl Refusal {
    /// A refusal with the usual words for its status.
    pub(super) fn new(status: u16) -> Self {
        Self { status, id: None, message: None }
    }

    pub(super) fn with(status: u16, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(status) }
    }

    /// The error body of the real API.
    pub(super) fn reply(self) -> Reply {
        let (id, message) = usual_words(self.status);
        let body = json!({
            "id": self.id.unwrap_or_else(|| id.to_owned()),
            "message": self.message.unwrap_or_else(|| message.to_owned()),
            "request_id": "2b1f6a0e-7f3c-4d9d-9a3f-5f5c0a3c7e11",
        });
        Reply::json(self.status, body)
    }
}

fn usual_words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("bad_request", "error parsing request body"),
        401 => ("unauthorized", "Unable to authenticate you."),
        403 => ("forbidden", "You do not have access for the attempted action."),
        404 => ("not_found", "The resource you requested could not be found."),
        422 => ("unprocessable_entity", "Droplet already has a pending event."),
        429 => ("too_many_requests", "API rate limit exceeded."),
        _ => ("server_error", "Unexpected server-side error"),
    }
}

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::Json(body) }
    }

    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: Content::Text(body.into()) }
    }

    /// Adds the rate-limit headers.
    pub(super) fn with_quota(mut self, left: Left) -> Self {
        self.headers.extend([
            ("ratelimit-limit", left.limit.to_string()),
            ("ratelimit-remaining", left.remaining.to_string()),
            ("ratelimit-reset", left.reset.to_string()),
        ]);
        if let Some(Some(seconds)) = left.refused {
            self.headers.push(("retry-after", seconds.to_string()));
        }
        self
    }
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self { reply, begun: Vec::new() }
    }
}

/// Answers a request, with the rate-limit headers of its token.
pub(super) fn answer(world: &mut World, call: &Call<'_>) -> Outcome {
    if call.token != TOKEN && !world.settings.tokens.contains_key(call.token) {
        return Refusal::new(401).reply().into();
    }
    let settings = world.settings.clone();
    let left = world.quota.spend(call.token, &settings, Instant::now());
    if left.refused.is_some() {
        return Refusal::new(429).reply().with_quota(left).into();
    }
    let outcome = dispatch(world, call).unwrap_or_else(|refusal| refusal.reply().into());
    Outcome { reply: outcome.reply.with_quota(left), begun: outcome.begun }
}

fn dispatch(world: &mut World, call: &Call<'_>) -> Result<Outcome, Refusal> {
    if call.method == "POST" && !call.body.is_object() {
        return Err(Refusal::new(400));
    }
    let segments: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["v2", "actions", rest @ ..] if call.method == "GET" => {
            need(world, call, "actions:read")?;
            actions::show(world, call, rest, |_| true).map(Outcome::from)
        }
        ["v2", "droplets", rest @ ..] => droplets::answer(world, call, rest),
        ["v2", family, rest @ ..] if world.settings.families.iter().any(|name| name == family) => {
            addresses::answer(world, call, family, rest)
        }
        _ => Err(Refusal::new(404)),
    }
}

/// Refuses with 403 unless the token has a scope.
pub(super) fn need(world: &World, call: &Call<'_>, scope: &str) -> Result<(), Refusal> {
    if may(world, call, scope) {
        return Ok(());
    }
    let message = format!("You are missing the required permission {scope}.");
    Err(Refusal::with(403, message))
}

/// Whether the token has a scope.
pub(super) fn may(world: &World, call: &Call<'_>, scope: &str) -> bool {
    call.token == TOKEN
        || world.settings.tokens.get(call.token).is_some_and(|scopes| scopes.iter().any(|name| name == scope))
}

/// One page of a list.
pub(super) fn page(call: &Call<'_>, key: &str, items: Vec<Value>) -> Result<Reply, Refusal> {
    let number = |name: &str, usual: usize| match call.query.get(name) {
        None => Ok(usual),
        Some(text) => text
            .parse()
            .ok()
            .filter(|&number| number > 0)
            .ok_or_else(|| Refusal::with(400, format!("{name} must be a positive number"))),
    };
    let per_page = number("per_page", PER_PAGE)?.min(PER_PAGE_MAX);
    let page = number("page", 1)?;
    let total = items.len();
    let last = total.div_ceil(per_page).max(1);
    let mut pages = serde_json::Map::new();
    let mut link = |name: &str, target: usize| {
        let url = format!("http://{}{}?page={target}&per_page={per_page}", call.server, call.path);
        pages.insert(name.to_owned(), Value::String(url));
    };
    if page > 1 {
        link("first", 1);
        link("prev", page - 1);
    }
    if page < last {
        link("next", page + 1);
        link("last", last);
    }
    let links = if pages.is_empty() { json!({}) } else { json!({ "pages": pages }) };
    let skipped = per_page.saturating_mul(page - 1);
    let shown: Vec<Value> = items.into_iter().skip(skipped).take(per_page).collect();
    Ok(Reply::json(200, json!({ key: shown, "links": links, "meta": { "total": total } })))
}

/// The region, as object or as plain string.
pub(super) fn region(world: &World) -> Value {
    if world.settings.region_string {
        return json!("nyc3");
    }
    json!({
        "slug": "nyc3",
        "name": "New York 3",
        "available": true,
        "features": ["private_networking", "metadata"],
        "sizes": ["s-1vcpu-1gb"],
    })
}

/// An action as it is shown.
pub(super) fn action_shown(world: &World, action: &Action) -> Value {
    json!({
        "id": action.id,
        "status": action.status,
        "type": action.kind,
        "started_at": action.started_at,
        "completed_at": action.completed_at,
        "resource_id": action.resource_id,
        "resource_type": action.resource_type,
        "region": region(world),
        "region_slug": "nyc3",
        "project_id": PROJECT,
    })
}

/// A droplet as it is shown.
pub(super) fn droplet_shown(world: &World, host: usize, droplet: &Droplet) -> Value {
    let on = droplet.on.seen(world.settings.status_lag_ms);
    json!({
        "id": Plan::droplet(host),
        "name": droplet.name,
        "memory": 1024,
        "vcpus": 1,
        "disk": 25,
        "locked": droplet.locked || world.busy(Thing::Host(host)),
        "status": if on { "active" } else { "off" },
        "created_at": "2015-10-16T18:00:00Z",
        "features": ["private_networking"],
        "region": region(world),
        "size_slug": "s-1vcpu-1gb",
        "tags": droplet.tags,
        "vpc_uuid": "760e09ef-dc84-11e8-981e-3cfdfeaae000",
        "networks": { "v6": [], "v4": [
            { "ip_address": Plan::private(host), "netmask": "255.255.0.0", "gateway": null,
              "type": "private" },
            { "ip_address": Plan::public(host), "netmask": "255.255.255.0",
              "gateway": "203.0.113.1", "type": "public" },
        ]},
    })
}

/// Milliseconds as a duration.
pub(super) fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
