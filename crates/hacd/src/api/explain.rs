//! `GET /v1/explain`: the scheduler's reasons about the live state.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hac_api::{ErrorCode, ExplainQuery, Explained, SubjectKind};
use hac_scheduler::explain::{Question, Unknown, explain};

use hac_node::Unplannable;

use super::asked::Asked;
use super::refusal::Refused;
use super::routes::{Answer, look};
use super::server::Api;
use super::{convert, past};
use crate::clock;

/// Answers with what the scheduler decides about the state as this node has it, and why.
pub(super) async fn answer(State(api): State<Api>, Asked(query): Asked<ExplainQuery>) -> Answer<Explained> {
    if let Some(at) = query.at.clone() {
        return earlier(&api, &at, question(query)?).await;
    }
    let failed_runs = query.name.as_deref().map(|name| api.hub.said.failures(name)).unwrap_or_default();
    let question = question(query)?;
    let look = look(&api).await;
    let (cib, now) = (Arc::clone(&look.cib), clock::wall());
    let explained = api.planner.run(BUDGET, move || explain(&cib, now, &question)).await;
    let explanation = explained.map_err(unplannable)?.map_err(unknown)?;
    let report = look.facts();
    let quorum = report.quorum.waiting_for.clone();
    Ok(Json(Explained {
        text: explanation.to_string(),
        explanation: convert::json(&explanation)?,
        now_ms: now.0,
        node: report.name.clone(),
        moment: None,
        dc: report.dc.clone(),
        waiting_for: quorum.into_iter().chain(report.waiting_for.iter().cloned()).collect(),
        last_transition: api.hub.last_transition().map(convert::transition),
        failed_runs,
    }))
}

/// What was decided about a state of an earlier moment, by the present rules of the scheduler.
async fn earlier(api: &Api, at: &str, question: Question) -> Answer<Explained> {
    let (moment, cib) = past::state(api, at).await?;
    let now = hac_types::WallTime(moment.time_ms);
    let explained = api.planner.run(BUDGET, move || explain(&cib, now, &question)).await;
    let explanation = explained.map_err(unplannable)?.map_err(unknown)?;
    Ok(Json(Explained {
        text: explanation.to_string(),
        explanation: convert::json(&explanation)?,
        now_ms: now.0,
        node: api.place.name.clone(),
        moment: Some(moment),
        ..Explained::default()
    }))
}

/// Longest time for what a client asks of the scheduler: less than its own patience.
pub(super) const BUDGET: Duration = Duration::from_secs(10);

/// What a client gets when the scheduler has no answer.
pub(super) fn unplannable(why: Unplannable) -> Refused {
    let code = match why {
        Unplannable::TooSlow(_) => ErrorCode::Timeout,
        Unplannable::Fault(_) => ErrorCode::Internal,
    };
    Refused::new(code, why.to_string()).with_remedy("Ask again later, or make the configuration smaller.")
}

fn question(query: ExplainQuery) -> Result<Question, Refused> {
    Ok(match (query.name, query.kind) {
        (None, None) => Question::Cluster,
        (Some(name), None) => Question::Named(name),
        (Some(name), Some(SubjectKind::Resource)) => Question::Resource(name),
        (Some(name), Some(SubjectKind::Node)) => Question::Node(name),
        (None, Some(_)) => return Err(Refused::new(ErrorCode::Usage, "a kind needs a name")),
    })
}

fn unknown(unknown: Unknown) -> Refused {
    let refusal = hac_crm::cib::Refusal::new(unknown.to_string(), unknown.remedy());
    Refused::of(ErrorCode::NoSuch, refusal)
}
