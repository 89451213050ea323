//! `GET /v1/explain`: the scheduler's reasons about the live state.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use hac_api::{ErrorCode, ExplainQuery, Explained, SubjectKind};
use hac_crm::explain::{Question, Unknown, explain};

use super::convert;
use super::refusal::Refused;
use super::routes::{Answer, look};
use super::server::Api;

/// Answers with what the scheduler decides about the state as this node has it, and why.
pub(super) async fn answer(
    State(api): State<Api>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Answer<Explained> {
    let Query(query) = query.map_err(|rejection| Refused::new(ErrorCode::Usage, rejection.body_text()))?;
    let question = question(query)?;
    let look = look(&api).await?;
    let (cib, now) = (look.cib, look.report.now);
    // A large cluster takes a while to think about; the daemon has other things to do meanwhile.
    let explained = tokio::task::spawn_blocking(move || explain(&cib, now, &question)).await;
    let explanation = explained
        .map_err(|_| Refused::new(ErrorCode::Internal, "the scheduler could not be asked"))?
        .map_err(unknown)?;
    let quorum = look.report.quorum.waiting_for;
    Ok(Json(Explained {
        text: explanation.to_string(),
        explanation: convert::json(&explanation)?,
        now_ms: now.0,
        node: look.report.name,
        dc: look.report.dc,
        waiting_for: quorum.into_iter().chain(look.report.waiting_for).collect(),
        last_transition: api.hub.last_transition().map(convert::transition),
    }))
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
