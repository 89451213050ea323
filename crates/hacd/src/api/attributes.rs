//! `GET /v1/attributes`: what the programs that agents call ask for.

use axum::Json;
use axum::extract::{Query, State};
use hac_api::{Attributes, AttributesQuery};
use hac_node::MemberState;

use super::routes::{Answer, look};
use super::server::Api;

/// Answers with nodes and attributes.
pub(super) async fn answer(State(api): State<Api>, Query(query): Query<AttributesQuery>) -> Answer<Attributes> {
    let look = look(&api).await;
    let wanted = |name: &str| query.name.as_deref().is_none_or(|only| only == name);
    let facts = look.facts();
    let member =
        |name: &str| facts.members.iter().any(|member| member.state == MemberState::Joined && member.name == name);
    Ok(Json(Attributes {
        node: facts.name.clone(),
        node_id: facts.node.0,
        quorate: facts.quorum.quorate,
        ..hac_compat::attributes(&look.cib, wanted, member)
    }))
}
