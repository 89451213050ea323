//! `GET /v1/attributes`: what the programs that agents call ask for.

use axum::Json;
use axum::extract::State;
use hac_api::{Attributes, AttributesQuery};
use hac_node::MemberState;

use super::asked::Asked;
use super::routes::{Answer, look};
use super::server::Api;

/// Answers with nodes and attributes.
pub(super) async fn answer(State(api): State<Api>, Asked(query): Asked<AttributesQuery>) -> Answer<Attributes> {
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
