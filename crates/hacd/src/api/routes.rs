//! The handlers, one a path.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream, StreamExt as _};
use hac_api::{
    AgentQuery, CibQuery, CibResponse, Command, CommandRequest, ConfigureRequest, Configured, Conflict, Done,
    ErrorCode, EventsQuery, KeyStatus, Members, Quorum, RotateRequest, Rotated, SettleRequest, Settled, StatusQuery,
    Version, route,
};
use hac_crm::cib::{Change, Configure, StatusChange};
use hac_crm::fencer::requests::{Step, Wanted};
use hac_model::FenceAction;
use hac_node::{Reply, Request, Rotate};
use hac_totem::AuthKey;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::asked::{Asked, Body};
use super::explain::BUDGET;
use super::hub::News;
use super::refusal::Refused;
use super::server::{Api, Peer};
use super::{alerts, attributes, convert, explain, invite, journal, judge, past};
use crate::clock;
use crate::driver::{Ask, SETTLE_MAX, Snapshot};

/// Bytes of a key made by a rotation, as `hacctl keygen` makes them.
const KEY_BYTES: usize = 256;

/// How long a status waits for the ring's thread, which answers at once or has worse to do.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a page's events are gathered after the last that were sent.
const PACE: Duration = Duration::from_millis(50);

pub(super) type Answer<T> = Result<Json<T>, Refused>;

/// What only looks, and shows no secret whatever is asked: all that the page may have.
pub(super) fn looks() -> Router<Api> {
    Router::new()
        .route(route::STATUS, get(status))
        .route(route::MEMBERS, get(members))
        .route(route::QUORUM, get(quorum))
        .route(route::EXPLAIN, get(explain::answer))
        .route(route::PAST, get(past::answer))
        .route(route::EVENTS, get(events))
        .route(route::HISTORY, get(journal::history))
        .route(route::ALERTS, get(alerts::list))
}

pub(super) fn router(api: Api) -> Router {
    looks()
        .route(route::CIB, get(cib))
        .route(route::ATTRIBUTES, get(attributes::answer))
        .route(route::CONFLICT, get(conflict))
        .route(route::AGENTS, get(agents))
        .route(route::ALERT_TEST, post(alerts::test))
        .route(route::KEY, get(key))
        .route(route::KEY_ROTATE, post(rotate))
        .route(route::INVITE, post(invite::open).get(invite::show).delete(invite::cancel))
        .route(route::NODE_REMOVE, post(invite::remove))
        .route(route::WEB, get(web))
        .route(route::JOURNAL, post(journal::answer))
        .route(route::CONFIGURE, post(configure))
        .route(route::COMMAND, post(command))
        .route(route::SETTLE, post(settle))
        .fallback(unknown)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(hac_api::MAX_REQUEST))
        .with_state(api)
}

async fn unknown() -> Refused {
    Refused::new(ErrorCode::Usage, "there is no such path")
}

async fn not_so() -> Refused {
    Refused::new(ErrorCode::Usage, "this path does not know that method")
}

/// How things stand; if the threads do not answer at once, how they stood a moment ago.
pub(super) async fn look(api: &Api) -> Arc<Snapshot> {
    let (reply, answer) = oneshot::channel();
    if api.asks.try_send(Ask::Look(reply)).is_ok() {
        let _ = tokio::time::timeout(PATIENCE, answer).await;
    }
    Arc::clone(&api.snapshots.borrow())
}

/// Something that takes a while, on a thread where nobody waits for it.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refused::new(ErrorCode::Internal, "hacd has a fault in what answers this request"))
}

pub(super) async fn request(api: &Api, request: Request) -> Result<Reply, Refused> {
    let (reply, answer) = oneshot::channel();
    api.asks.send(Ask::Request { request, reply }).await.map_err(|_| Refused::ending())?;
    answer.await.map_err(|_| Refused::ending())
}

async fn status(State(api): State<Api>, Asked(query): Asked<StatusQuery>) -> Result<Response, Refused> {
    let look = look(&api).await;
    let (view, wall) = (query.view, clock::wall());
    let text = {
        let (look, api) = (Arc::clone(&look), api.clone());
        move || {
            let status = convert::status(&look, &api, !view);
            convert::text(&status, view.then(|| look.view(wall)).as_deref())
        }
    };
    let text = if view && !look.is_viewed() {
        api.planner.run(BUDGET, text).await.map_err(explain::unplannable)?
    } else {
        aside(text).await?
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], text?).into_response())
}

async fn cib(State(api): State<Api>, Asked(query): Asked<CibQuery>) -> Answer<CibResponse> {
    let look = look(&api).await;
    let version = convert::version(look.cib.version);
    let (secrets, uncompared) = (query.secrets, !look.facts().compared);
    let cib = aside(move || if secrets { convert::json(&*look.cib) } else { Ok(look.masked()) }).await??;
    Ok(Json(CibResponse { version, cib, secrets, uncompared }))
}

async fn members(State(api): State<Api>) -> Answer<Members> {
    let look = look(&api).await;
    Ok(Json(convert::members(look.facts(), &api.place)))
}

/// What this node gave up, from the files in which it is kept.
async fn conflict(State(api): State<Api>) -> Answer<Vec<Conflict>> {
    let lost = look(&api).await.facts().lost.clone();
    let read = aside(move || {
        let configuration = |file: &str| {
            let mut cib = crate::storage::read_lost(&api.place.state, file)?;
            hac_model::mask(&mut cib);
            convert::json(&cib.configuration).ok()
        };
        lost.into_iter()
            .map(|(file, changes)| Conflict { configuration: configuration(&file), file, changes })
            .collect::<Vec<_>>()
    });
    Ok(Json(read.await?))
}

async fn quorum(State(api): State<Api>) -> Answer<Quorum> {
    Ok(Json(convert::quorum(look(&api).await.facts().quorum.clone())))
}

async fn agents(State(api): State<Api>, Asked(query): Asked<AgentQuery>) -> Result<Response, Refused> {
    let Some(name) = query.agent else { return Ok(Json(super::agents::list(&api.agents).await).into_response()) };
    match super::agents::detail(&api.agents, &name).await {
        Some(detail) => Ok(Json(detail).into_response()),
        None => Err(Refused::new(ErrorCode::NoSuch, format!("there is no agent {name} on this node"))
            .with_remedy("'hacctl ra list' prints those that there are.")),
    }
}

async fn configure(
    State(api): State<Api>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Body(order): Body<ConfigureRequest>,
) -> Answer<Configured> {
    let changes = changes(order.changes)
        .map_err(|error| Refused::new(ErrorCode::Usage, format!("a change cannot be read: {error}")))?;
    let own = api.snapshots.borrow().facts().name.clone();
    let configure = Configure {
        changes,
        origin: own,
        client: order.client,
        user: user(&peer),
        base: order.base.map(convert::version_back),
    };
    let doubts = judge::judged(&api, &configure).await?;
    let (version, mut findings) = done(request(&api, Request::Configure(configure)).await?)?;
    findings.extend(doubts);
    let settled = settle_if(&api, order.wait_ms).await?;
    Ok(Json(Configured { version, findings, settled }))
}

/// The changes of a request, which the API passes on without knowing them.
pub(crate) fn changes(values: Vec<Value>) -> serde_json::Result<Vec<Change>> {
    let changes: Vec<Change> = values.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
    #[cfg(feature = "level2")]
    let changes = changes.into_iter().map(word).collect();
    Ok(changes)
}

/// In a build of the tests a property of this name stands for the word of the second level, so that clients need no word
/// for it.
#[cfg(feature = "level2")]
fn word(change: Change) -> Change {
    match change {
        Change::SetProperties { pairs, .. } if matches!(pairs.as_slice(), [(name, _)] if name == "word") => {
            let value = pairs.into_iter().find_map(|(_, value)| value);
            Change::SetWord(hac_model::level_two::NewWord(value.unwrap_or_default()))
        }
        other => other,
    }
}

async fn command(State(api): State<Api>, Body(order): Body<CommandRequest>) -> Answer<Done> {
    let origin = api.snapshots.borrow().facts().name.clone();
    let (version, _) = done(request(&api, asked(order.command, &origin)).await?)?;
    Ok(Json(Done { version, settled: settle_if(&api, order.wait_ms).await? }))
}

/// What is asked of the node `origin` by a command.
pub(crate) fn asked(command: Command, origin: &str) -> Request {
    let origin = origin.to_owned();
    Request::Status(match command {
        Command::Cleanup { resource, node, operation, interval_ms } => StatusChange::ClearFailures {
            resource,
            node,
            operation: operation.map(|operation| (operation, interval_ms.unwrap_or(0))),
        },
        Command::Refresh { resource, node } => StatusChange::ForgetHistory { resource, node },
        Command::Attribute { node, name, value, private, dampening_ms, utilization } => {
            let dampening_ms = dampening_ms.unwrap_or(0);
            StatusChange::SetAttribute { node, name, value, private, dampening_ms, utilization }
        }
        Command::Dampening { name, dampening_ms } => StatusChange::SetDampening { name, dampening_ms },
        Command::Ticket { id, values, forget } => StatusChange::Ticket { id, values, forget },
        Command::WriteAttributes => StatusChange::WriteAttributes { name: None },
        Command::Fence { node, action, client, delay_s, tolerance_s, device } => {
            let action = match action {
                hac_api::FenceAction::Reboot => FenceAction::Reboot,
                hac_api::FenceAction::Off => FenceAction::Off,
                hac_api::FenceAction::On => FenceAction::On,
            };
            let wanted =
                Wanted { target: node, action, client, origin, delay_s, tolerance_s, device, ..Wanted::default() };
            StatusChange::Fencing(Step::Wanted(wanted))
        }
        Command::ConfirmDown { node, client, force } => {
            StatusChange::Fencing(Step::Confirmed { target: node, client, origin, force })
        }
        Command::ForgetFencing { node } => StatusChange::Fencing(Step::Forget { target: node }),
        Command::CancelWaitForAll => return Request::CancelWaitForAll,
        Command::TrustArbiter => return Request::TrustArbiter,
        Command::SetLevel { to } => return Request::SetLevel { to: hac_types::Level(to) },
        Command::ClearConflict => return Request::ForgetLost,
    })
}

/// What opens the page.
async fn web(State(api): State<Api>) -> Answer<hac_api::WebLink> {
    let Some(web) = &api.web else {
        return Err(Refused::new(ErrorCode::NoSuch, "this node serves no page")
            .with_remedy("Write 'listen = \"127.0.0.1:7630\"' below '[web]' into hacd.toml and start hacd again."));
    };
    Ok(Json(web.link()))
}

async fn key(State(api): State<Api>) -> Answer<KeyStatus> {
    Ok(Json(convert::key(look(&api).await.facts().keys.clone())))
}

/// The new key is made here, so that it never leaves the daemons.
async fn rotate(State(api): State<Api>, Body(order): Body<RotateRequest>) -> Answer<Rotated> {
    let wish = new_key(order.force)
        .ok_or_else(|| Refused::new(ErrorCode::Internal, "the operating system gives no randomness"))?;
    let (_, findings) = done(request(&api, Request::RotateKey(wish)).await?)?;
    let keys = look(&api).await.facts().keys.clone();
    let away = keys.members.iter().filter(|member| member.fingerprint.as_ref() != Some(&keys.fingerprint));
    let left_behind = away.map(|member| member.name.clone()).collect();
    Ok(Json(Rotated { fingerprint: keys.fingerprint, left_behind, findings }))
}

fn new_key(force: bool) -> Option<Rotate> {
    let random = SystemRandom::new();
    let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
    let mut salt = [0; 16];
    random.fill(&mut key).and_then(|()| random.fill(&mut salt)).ok()?;
    let next = AuthKey::new(std::mem::take(&mut *key)).ok()?;
    Some(Rotate { next, salt, force })
}

async fn settle(State(api): State<Api>, Body(order): Body<SettleRequest>) -> Answer<Settled> {
    Ok(Json(settle_for(&api, order.timeout_ms).await?))
}

async fn settle_if(api: &Api, wait_ms: Option<u64>) -> Result<Option<Settled>, Refused> {
    match wait_ms {
        Some(wait_ms) => settle_for(api, wait_ms).await.map(Some),
        None => Ok(None),
    }
}

async fn settle_for(api: &Api, wait_ms: u64) -> Result<Settled, Refused> {
    let timeout = Duration::from_millis(wait_ms).min(SETTLE_MAX);
    match request(api, Request::Settle { timeout }).await? {
        Reply::Settled { settled, waiting_for } => Ok(Settled { settled, waiting_for }),
        other => done(other).map(|_| Settled { settled: true, waiting_for: Vec::new() }),
    }
}

/// The version after a request that was carried out, and what is to be said about it.
pub(super) fn done(reply: Reply) -> Result<(Version, Vec<hac_api::Finding>), Refused> {
    match reply {
        Reply::Done { version, warnings } => {
            let finding =
                |sentence| hac_api::Finding { severity: "warning".to_owned(), sentence, ..hac_api::Finding::default() };
            Ok((convert::version(version), warnings.into_iter().map(finding).collect()))
        }
        Reply::Settled { .. } | Reply::Answered(_) => {
            Err(Refused::new(ErrorCode::Internal, "the node gave an answer of another kind"))
        }
        Reply::Refused(refusal) => Err(Refused::of(convert::refusal(refusal.kind), refusal)),
        Reply::TooLarge(refusal) => Err(Refused::too_large(refusal)),
        Reply::NotStored(refusal) => Err(Refused::of(ErrorCode::Storage, refusal)),
        Reply::NoQuorum(refusal) => Err(Refused::of(ErrorCode::Quorum, refusal)),
        Reply::Unavailable(refusal) => Err(Refused::of(ErrorCode::Unavailable, refusal)),
        Reply::TimedOut(refusal) => Err(Refused::of(ErrorCode::Timeout, refusal)),
    }
}

async fn events(
    State(api): State<Api>,
    Asked(query): Asked<EventsQuery>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let (past, present) = api.hub.follow(resumed.or(query.since));
    let present = gathered(present, if query.unnamed { PACE } else { Duration::ZERO });
    let follow = !query.no_follow;
    let future = stream::once(async move { follow }).filter(|follow| std::future::ready(*follow));
    let present = future.flat_map({
        let mut present = Some(present.boxed());
        move |_| present.take().unwrap_or_else(|| stream::empty().boxed())
    });
    let past = past.into_iter().map(|event| (event, Arc::default()));
    let all = stream::iter(past).chain(present);
    let events = all.map(move |(event, text): News| {
        let data = text.get_or_init(|| serde_json::to_string(&*event).unwrap_or_default().into());
        let message = sse::Event::default().id(event.seq.to_string()).data(&**data);
        Ok(if query.unnamed { message } else { message.event(&event.kind) })
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

/// What comes from now on: at once if nothing came for a while, else together with what comes within the pause, so that many who
/// follow a cluster in which much happens cost little.
fn gathered(news: broadcast::Receiver<News>, pause: Duration) -> impl Stream<Item = News> + Send + 'static {
    let more = move |(mut news, not_before): (broadcast::Receiver<News>, Option<Instant>)| async move {
        if let Some(not_before) = not_before {
            tokio::time::sleep_until(not_before).await;
        }
        let mut all = Vec::new();
        while all.is_empty() {
            match news.recv().await {
                Ok(event) => all.push(event),
                // A follower that fell behind misses what it missed; the numbers show it.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
        loop {
            match news.try_recv() {
                Ok(event) => all.push(event),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let not_before = (!pause.is_zero()).then(|| Instant::now() + pause);
        Some((stream::iter(all), (news, not_before)))
    };
    stream::unfold((news, None), more).flatten()
}

/// Name of the user at the other end, as far as it is known without asking a name service.
fn user(peer: &Peer) -> String {
    match peer.uid {
        Some(0) => "root".to_owned(),
        Some(uid) => format!("uid {uid}"),
        None => String::new(),
    }
}
