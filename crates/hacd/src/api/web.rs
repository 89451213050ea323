//! The page of the cluster for browsers: one file, nothing from outside; read-only unless `[web] actions` says otherwise.
//!
//! Anybody who has the link that `hacctl web` prints may read. A request is let in if it names this host by an address
//! or a known name (a foreign name may point here: DNS rebinding), comes from no other page, and has the token. What it
//! may read is what [`routes::looks`] has; nothing there changes anything. With actions there is one path more,
//! [`act::PATH`], for which the page itself must have asked: a request without its `Origin` is refused.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use hac_api::WebLink;
use hac_pacemaker::mon;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::explain::BUDGET;
use super::routes::{self, look};
use super::server::Api;
use super::tcp;
use super::tls::Identity;
use super::{act, convert};
use crate::clock;
use crate::config::Page;

/// Name of the cookie with the token.
const COOKIE: &str = "hacd";

/// So many wrong tokens within [`WINDOW`] are looked at; more are turned away without a look.
const WRONG_MAX: u32 = 20;

/// See [`WRONG_MAX`].
const WINDOW: Duration = Duration::from_secs(60);

/// The page. `NONCE`, `NODE`, `ACTIONS` and `TEXT` in it are filled in.
const PAGE: &str = include_str!("web/page.html");

/// Where the page is served, and what opens it.
#[derive(Debug)]
pub(crate) struct Web {
    at: SocketAddr,
    actions: bool,
    identity: Option<Arc<Identity>>,
    token: String,
    wrong: Mutex<(Instant, u32)>,
}

impl Web {
    /// As configured, with a token of this life of the daemon; none if the operating system gives no randomness.
    pub(crate) fn new(page: Page) -> Option<Self> {
        let Page { at, actions, certificate } = page;
        let identity = certificate.map(|files| Arc::new(Identity::new(files)));
        Some(Self { at, actions, identity, token: random()?, wrong: Mutex::new((Instant::now(), 0)) })
    }

    /// What stands for the token where it must not be shown: the beginning of its digest.
    pub(super) fn name(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.token.as_bytes());
        digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    const fn scheme(&self) -> &'static str {
        if self.identity.is_some() { "https" } else { "http" }
    }

    /// For `hacctl web`.
    pub(super) fn link(&self) -> WebLink {
        let (tls, actions) = (self.identity.is_some(), self.actions);
        WebLink { listen: self.at.to_string(), token: self.token.clone(), tls, actions }
    }

    /// Whether this is the token. Takes the same time whatever is in it; of wrong ones only so many are looked at.
    fn opens(&self, token: &str) -> Result<bool, StatusCode> {
        let same = token.len() == self.token.len()
            && token.bytes().zip(self.token.bytes()).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0;
        if same {
            return Ok(true);
        }
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.0.elapsed() > WINDOW {
            *wrong = (Instant::now(), 0);
        }
        wrong.1 = wrong.1.saturating_add(1);
        if wrong.1 > WRONG_MAX { Err(StatusCode::TOO_MANY_REQUESTS) } else { Ok(false) }
    }
}

/// 128 bits that nobody can guess, as hexadecimal digits.
fn random() -> Option<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Serves the page in a task of its own. An address that cannot be had is tried again; status says so.
pub(crate) fn serve_web(web: &Arc<Web>, api: Api) {
    let trouble = Arc::clone(&api.trouble);
    tcp::serve(web.at, web.identity.clone(), "web", router(Arc::clone(web), api), trouble);
}

pub(super) fn router(web: Arc<Web>, api: Api) -> Router {
    let guard = middleware::from_fn_with_state((Arc::clone(&web), api.clone()), admit);
    let mut looks = routes::looks().route("/", get(page));
    if web.actions {
        looks = looks.route(act::PATH, post(act::answer)).layer(DefaultBodyLimit::max(act::BODY_MAX));
    }
    looks.fallback(async || refused(StatusCode::NOT_FOUND)).with_state(api).layer(guard)
}

/// See the [module documentation](self).
async fn admit(State((web, api)): State<(Arc<Web>, Api)>, request: Request, next: Next) -> Response {
    let mut response = match judge(&web, &api, &request) {
        Ok(()) => {
            tcp::let_in(&request);
            next.run(request).await
        }
        Err(response) => response,
    };
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

#[expect(clippy::result_large_err, reason = "it is made once a request and goes out as it is")]
fn judge(web: &Web, api: &Api, request: &Request) -> Result<(), Response> {
    let acts = web.actions && request.method() == Method::POST && request.uri().path() == act::PATH;
    if request.method() != Method::GET && !acts {
        return Err(refused(StatusCode::METHOD_NOT_ALLOWED));
    }
    let headers = request.headers();
    // Two of what may be there once would be judged by one and meant by the other.
    if [header::HOST, header::ORIGIN].iter().any(|name| headers.get_all(name).iter().count() > 1) {
        return Err(refused(StatusCode::BAD_REQUEST));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let nodes = api.snapshots.borrow();
    let named = nodes.facts().members.iter().any(|member| member.name == name_of(host));
    drop(nodes);
    if !named && !is_here(web.at, host) {
        return Err(refused(StatusCode::MISDIRECTED_REQUEST));
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let own = format!("{}://{host}", web.scheme());
    let foreign = text(header::ORIGIN).map_or(acts, |origin| origin != own)
        || text(HeaderName::from_static("sec-fetch-site"))
            .is_some_and(|site| !["same-origin", "none"].contains(&site) && request.uri().path() != "/");
    if foreign {
        return Err(refused(StatusCode::FORBIDDEN));
    }
    // The link leads to the page without the token in its address, so that it is in no history and on no screen.
    if let Some(token) = request.uri().query().and_then(|query| query.strip_prefix("token=")) {
        return Err(match web.opens(token) {
            Ok(true) => {
                let secure = if web.identity.is_some() { "; Secure" } else { "" };
                let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}");
                ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
            }
            Ok(false) => refused(StatusCode::UNAUTHORIZED),
            Err(code) => refused(code),
        });
    }
    match token(headers).map(|token| web.opens(token)) {
        Some(Ok(true)) => Ok(()),
        Some(Err(code)) => Err(refused(code)),
        Some(Ok(false)) | None => Err(refused(StatusCode::UNAUTHORIZED)),
    }
}

/// The token of a request: of its cookie, or as programs have it.
fn token(headers: &HeaderMap) -> Option<&str> {
    let text = |name: HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).find_map(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| {
        let pairs = text(header::COOKIE).flat_map(|cookies| cookies.split(';'));
        pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
    })
}

/// The name in a `Host`, without the port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a `Host` can only mean this host: its address, any address if it listens on all of them, or `localhost`, as it is
/// behind a tunnel.
fn is_here(at: SocketAddr, host: &str) -> bool {
    let name = name_of(host);
    match name.parse::<IpAddr>() {
        Ok(address) => at.ip().is_unspecified() || address == at.ip() || address.is_loopback(),
        Err(_) => name == "localhost",
    }
}

/// What a browser shows instead of the page.
fn refused(code: StatusCode) -> Response {
    let sentence = match code {
        StatusCode::UNAUTHORIZED => "This page opens with the link that 'hacctl web' prints on this node.",
        StatusCode::TOO_MANY_REQUESTS => "Too many wrong links; try again in a minute.",
        StatusCode::MISDIRECTED_REQUEST => "This host is not known by that name; use its address.",
        StatusCode::FORBIDDEN => "Another page may not ask here.",
        StatusCode::BAD_REQUEST => "This request says twice what may be said once.",
        StatusCode::METHOD_NOT_ALLOWED => "Nothing can be changed here; 'hacctl' does that.",
        _ => "There is no such page.",
    };
    (code, format!("hacd: {sentence}\n")).into_response()
}

/// The page, with how things stand as text for those who run no scripts.
async fn page(State(api): State<Api>) -> Response {
    let actions = if api.web.as_ref().is_some_and(|web| web.actions) { "yes" } else { "no" };
    let Some(nonce) = random() else { return refused(StatusCode::INTERNAL_SERVER_ERROR) };
    let look = look(&api).await;
    let (node, wall, of) = (look.facts().name.clone(), clock::wall(), api.clone());
    let text = api.planner.run(BUDGET, move || {
        let facts = hac_compat::facts(&convert::status(&look, &of, false));
        let view = serde_json::from_str(&look.view(wall)).unwrap_or_default();
        let options = mon::Options { inactive: true, ..mon::Options::default() };
        mon::render(&facts, &view, &look.cib, &options)
    });
    let text = text.await.unwrap_or_else(|why| why.to_string());
    let page = PAGE.replace("{{NODE}}", &escaped(&node)).replace("{{NONCE}}", &nonce).replace("{{ACTIONS}}", actions);
    let page = page.replace("{{TEXT}}", &escaped(&text));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response()
}

/// Text within HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
