//! Letting nodes in and taking them out for good: the requests about it. The door itself is `door`.

use axum::Json;
use axum::extract::State;
use hac_api::{ErrorCode, Invitation, InviteRequest, Invited, NodeRemoved, RemoveNodeRequest};
use hac_node::{ClusterNode, Report, Request};

use super::asked::Body;
use super::door::LASTS_MAX;
use super::refusal::Refused;
use super::routes::{self, Answer, look};
use super::server::Api;

/// Opens the door.
pub(super) async fn open(State(api): State<Api>, Body(order): Body<InviteRequest>) -> Answer<Invited> {
    if order.seconds == 0 || order.seconds > LASTS_MAX.as_secs() {
        return Err(
            Refused::new(ErrorCode::Usage, "an invitation lasts up to 24 hours").with_remedy("Write --for 15m.")
        );
    }
    if order.name.as_deref().is_some_and(|name| !is_name(name)) {
        return Err(not_a_name(&order.name.unwrap_or_default()));
    }
    let look = look(&api).await;
    can_grow(look.facts())?;
    Ok(Json(api.door.open(&api, order).await?))
}

/// Whether it is open.
pub(super) async fn show(State(api): State<Api>) -> Json<Invitation> {
    Json(api.door.state())
}

/// Closes it.
pub(super) async fn cancel(State(api): State<Api>) -> Json<Invitation> {
    Json(api.door.close())
}

/// Takes a node out.
pub(super) async fn remove(State(api): State<Api>, Body(order): Body<RemoveNodeRequest>) -> Answer<NodeRemoved> {
    let look = look(&api).await;
    let report = look.facts();
    let mut nodes = api.place.current(report);
    let Some(at) = nodes.iter().position(|node| node.name == order.node) else {
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(Refused::new(ErrorCode::NoSuch, format!("there is no node {}", order.node))
            .with_remedy(format!("The nodes are {}.", names.join(" "))));
    };
    if nodes.len() == 1 {
        return Err(Refused::new(ErrorCode::Unsafe, format!("{} is the only node", order.node))
            .with_remedy("'systemctl disable --now hacd' ends the cluster."));
    }
    nodes.remove(at);
    let names = nodes.iter().map(|node| node.name.clone()).collect();
    set(&api, report, nodes, order.statement).await?;
    let look = routes::look(&api).await;
    let two_node = look.facts().quorum.flags.iter().any(|flag| flag == "2Node");
    Ok(Json(NodeRemoved { version: look.facts().cluster.version, nodes: names, two_node }))
}

/// Has the cluster agree on this list, made from what `report` says.
pub(super) async fn set(api: &Api, report: &Report, nodes: Vec<ClusterNode>, statement: String) -> Result<(), Refused> {
    let request = Request::SetNodes { base: report.cluster.version, nodes, statement };
    routes::done(routes::request(api, request).await?).map(|_| ())
}

/// Whether a node can be added now.
fn can_grow(report: &Report) -> Result<(), Refused> {
    if !report.quorum.quorate {
        return Err(Refused::new(ErrorCode::Quorum, "this partition has no quorum: no node can be added")
            .with_remedy("'hacctl quorum' shows who is missing."));
    }
    if !report.away.is_empty() {
        let away = report.away.join(" and ");
        return Err(Refused::new(
            ErrorCode::Unsafe,
            format!("{away} is away: nodes are added only while all are here"),
        )
        .with_remedy(format!("Start hacd on {away}, or take it out with 'hacctl node remove'.")));
    }
    if report.keys.next.is_some() {
        return Err(Refused::new(ErrorCode::Busy, "the cluster's key is being changed")
            .with_remedy("Try again when 'hacctl key status' shows one key."));
    }
    Ok(())
}

/// Whether a node may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '.'])
}

/// What is said of a name that is none.
pub(super) fn not_a_name(name: &str) -> Refused {
    let shown: String = name.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect();
    Refused::new(ErrorCode::Usage, format!("'{shown}' cannot be the name of a node"))
        .with_remedy("Use letters, digits, dots and dashes, up to 64 of them.")
}
