//! Alerts and notices, in the words of the API.

use axum::Json;
use axum::extract::State;
use hac_api::{AlertList, AlertTestRequest, AlertTested, ErrorCode};

use super::asked::Body;
use super::refusal::Refused;
use super::routes::{Answer, aside, look};
use super::server::Api;
use crate::clock;

/// All of them, as they stand on this node.
pub(super) async fn list(State(api): State<Api>) -> Answer<AlertList> {
    let look = look(&api).await;
    let (node, sender) = (look.facts().name.clone(), look.facts().dc.clone());
    let alerts = aside(move || api.alerts.list(&look.cib)).await?;
    Ok(Json(AlertList { node, sender, alerts }))
}

/// Tries one, from this node.
pub(super) async fn test(
    State(api): State<Api>,
    Body(AlertTestRequest { id }): Body<AlertTestRequest>,
) -> Answer<AlertTested> {
    let cib = std::sync::Arc::clone(&look(&api).await.cib);
    match api.alerts.test(&id, &cib, clock::wall()).await {
        Some(tested) => Ok(Json(tested)),
        None => Err(Refused::new(ErrorCode::NoSuch, format!("there is no alert and no notice {id}"))
            .with_remedy("'hacctl alert list' prints those that there are.")),
    }
}
