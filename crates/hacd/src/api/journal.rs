//! `POST /v1/journal`: what this node wrote into its journal, or another member into its own, which is asked through the
//! ordered stream.

use std::io;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use hac_api::{ErrorCode, JournalPage, JournalQuery};
use hac_node::{Reply, Request};
use serde::{Deserialize, Serialize};

use super::refusal::Refused;
use super::routes::{self, Answer};
use super::server::Api;
use super::{Hub, convert};

/// How long another node may take: less than after which a silent coordinator is asked for a sign of life.
const PATIENCE: Duration = Duration::from_secs(8);

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

pub(super) async fn answer(
    State(api): State<Api>,
    body: Result<Json<JournalQuery>, JsonRejection>,
) -> Answer<JournalPage> {
    let mut query = routes::read(body)?;
    let node = query.node.take().filter(|name| *name != api.place.name);
    let Some(name) = node else {
        let hub = api.hub.clone();
        return match routes::aside(move || page(&hub, &query)).await? {
            Ok(page) => Ok(Json(page)),
            Err(error) => Err(Refused::new(ErrorCode::Storage, unread(&error))),
        };
    };
    let look = routes::look(&api).await;
    let node = look.facts().members.iter().find(|member| member.name == name).map(|member| member.node);
    let node = node.ok_or_else(|| Refused::new(ErrorCode::Usage, format!("there is no node {name}")))?;
    let question = serde_json::to_string(&Question::Journal(query));
    let question = question.map_err(|_| Refused::new(ErrorCode::Internal, "the question cannot be written"))?;
    match routes::request(&api, Request::Ask { node, question, timeout: PATIENCE }).await? {
        Reply::Answered(text) => match serde_json::from_str(&text) {
            Ok(Told::Journal(page)) => Ok(Json(page)),
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
