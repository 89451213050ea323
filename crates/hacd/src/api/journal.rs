//! `POST /v1/journal`: what this node wrote into its journal, or another member into its own, which is asked through the
//! ordered stream. `GET /v1/history`: the same of all members, merged.

use std::io;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use hac_api::{ErrorCode, Event, History, HistoryQuery, JournalPage, JournalQuery, MemberState, Merged};
use hac_node::{Reply, Request};
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Body};
use super::refusal::Refused;
use super::routes::{self, Answer};
use super::server::Api;
use super::{Hub, convert};

/// How long another node may take: less than after which a silent coordinator is asked for a sign of life.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long a history is gathered; who was not asked by then is left out.
const GATHER: Duration = Duration::from_secs(20);

/// Most pages that are read of a node for one history.
const PAGES: usize = 4;

/// Most entries of a history.
const ENTRIES: usize = 1000;

/// What one daemon asks another one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    /// A page of its journal.
    Journal(JournalQuery),
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// The page.
    Journal(JournalPage),
    /// Why it cannot, in a sentence.
    Cannot(String),
}

pub(super) async fn answer(State(api): State<Api>, Body(query): Body<JournalQuery>) -> Answer<JournalPage> {
    Ok(Json(of_node(&api, query).await?))
}

/// A page of the node that is asked for.
async fn of_node(api: &Api, mut query: JournalQuery) -> Result<JournalPage, Refused> {
    let node = query.node.take().filter(|name| *name != api.place.name);
    let Some(name) = node else {
        let hub = api.hub.clone();
        return match routes::aside(move || page(&hub, &query)).await? {
            Ok(page) => Ok(page),
            Err(error) => Err(Refused::new(ErrorCode::Storage, unread(&error))),
        };
    };
    let look = routes::look(api).await;
    let node = look.facts().members.iter().find(|member| member.name == name).map(|member| member.node);
    let node = node.ok_or_else(|| Refused::new(ErrorCode::Usage, format!("there is no node {name}")))?;
    let question = serde_json::to_string(&Question::Journal(query));
    let question = question.map_err(|_| Refused::new(ErrorCode::Internal, "the question cannot be written"))?;
    match routes::request(api, Request::Ask { node, question, timeout: PATIENCE }).await? {
        Reply::Answered(text) => match serde_json::from_str(&text) {
            Ok(Told::Journal(page)) => Ok(page),
            Ok(Told::Cannot(why)) => Err(Refused::new(ErrorCode::Unavailable, why)),
            Err(_) => {
                let sentence = format!("{name} answered what this release cannot read");
                Err(Refused::new(ErrorCode::Unavailable, sentence))
            }
        },
        Reply::Refused(refusal) => Err(Refused::of(convert::refusal(refusal.kind), refusal)),
        Reply::TimedOut(refusal) => Err(Refused::of(ErrorCode::Timeout, refusal)),
        Reply::TooLarge(refusal) => Err(Refused::too_large(refusal)),
        Reply::Unavailable(refusal) | Reply::NoQuorum(refusal) | Reply::NotStored(refusal) => {
            Err(Refused::of(ErrorCode::Unavailable, refusal))
        }
        Reply::Done { .. } | Reply::Settled { .. } => {
            Err(Refused::new(ErrorCode::Internal, "the node gave an answer of another kind"))
        }
    }
}

/// What all members wrote, merged; who cannot be asked is named. One at a time: it costs the ring a question and an answer for each
/// page of another member.
pub(super) async fn history(State(api): State<Api>, Asked(query): Asked<HistoryQuery>) -> Answer<History> {
    let Ok(_turn) = api.histories.try_acquire() else {
        return Err(Refused::new(ErrorCode::Unavailable, "another history is being gathered on this node")
            .with_remedy("Ask again when it is done."));
    };
    let last = query.last.unwrap_or(ENTRIES).min(ENTRIES);
    let mut merged = Merged::default();
    let (mut events, mut more) = (Vec::new(), false);
    let members = convert::members(routes::look(&api).await.facts(), &api.place).nodes;
    let begin = Instant::now();
    for member in members {
        if begin.elapsed() > GATHER {
            merged.missing.push(format!("{} was not asked any more: the others took too long", member.name));
            continue;
        }
        if !member.local && member.state != MemberState::Joined {
            merged.missing.push(format!("{} is away: what it alone knows is missing", member.name));
            continue;
        }
        let (own, cut) = gathered(&api, &member.name, &query, last, &mut merged.missing).await;
        more |= cut;
        events.extend(own);
    }
    let history = routes::aside(move || {
        merged.take(events);
        let mut entries = match &query.causes {
            Some(id) => merged.chain(id)?.into_iter().cloned().collect(),
            None => std::mem::take(&mut merged.entries),
        };
        if query.causes.is_none() {
            let surplus = entries.len().saturating_sub(last);
            more |= surplus > 0;
            entries.drain(..surplus);
        }
        Some(History { entries, missing: merged.missing, more })
    });
    let none = || Refused::new(ErrorCode::NoSuch, "no journal has that event, as far as they were read");
    history.await?.map(Json).ok_or_else(none)
}

/// The newest events of a node that are asked for, and whether there are more.
async fn gathered(
    api: &Api,
    name: &str,
    query: &HistoryQuery,
    last: usize,
    missing: &mut Vec<String>,
) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    let mut ask = JournalQuery { node: Some(name.to_owned()), before: None, filter: query.filter() };
    for _ in 0..PAGES {
        let page = match of_node(api, ask.clone()).await {
            Ok(page) => page,
            Err(refused) => {
                missing.push(format!("{name}: {}", refused.0.message));
                return (events, false);
            }
        };
        missing.extend(page.gaps.into_iter().map(|gap| format!("{name}: {gap}")));
        events.extend(page.events);
        ask.before = page.before;
        if ask.before.is_none() || query.causes.is_none() && events.len() >= last {
            break;
        }
    }
    (events, ask.before.is_some())
}

/// Answers another node. It may wait for the disk.
pub(crate) fn answer_node(hub: &Hub, question: &str) -> String {
    let told = match serde_json::from_str(question) {
        Ok(Question::Journal(query)) => match page(hub, &query) {
            Ok(page) => Told::Journal(page),
            Err(error) => Told::Cannot(format!("{}: {}", hub.name(), unread(&error))),
        },
        Err(_) => Told::Cannot(format!("{} is asked what its release does not know", hub.name())),
    };
    serde_json::to_string(&told).unwrap_or_default()
}

fn page(hub: &Hub, query: &JournalQuery) -> io::Result<JournalPage> {
    let mut page = hub.journal().map_or_else(|| Ok(JournalPage::default()), |journal| journal.page(query))?;
    hub.name().clone_into(&mut page.node);
    Ok(page)
}

fn unread(error: &io::Error) -> String {
    format!("the journal cannot be read: {}", crate::storage::words(error))
}
