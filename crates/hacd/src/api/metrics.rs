//! Numbers for Prometheus: what monitoring made for `ha_cluster_exporter` knows, and what only hacd knows.
//!
//! They are made from a copy of how things stand when somebody asks, never on a thread that others wait for.

mod compatible;
mod own;
mod series;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hac_api::{ErrorCode, Status};
use hac_model::Cib;
use hac_scheduler::view::ClusterView;
use tokio::sync::Semaphore;

use super::explain::{BUDGET, unplannable};
use super::refusal::Refused;
use super::routes::look;
use super::server::Api;
use super::tcp;
use super::{convert, hub::Hub};
use crate::clock;
use series::{Page, SAMPLES_MAX};

/// The form of the answer.
const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/metrics` on this address in a task of its own. An address that cannot be had is tried again; status says so.
pub(crate) fn serve_metrics(at: SocketAddr, api: Api) {
    let trouble = Arc::clone(&api.trouble);
    let asked = Asked { api, one: Arc::new(Semaphore::new(1)) };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/", get(async || "hacd: the numbers for Prometheus are at /metrics\n"))
        .layer(middleware::from_fn(async |request: Request, next: Next| {
            // Everybody may have them who says what is wanted.
            tcp::let_in(&request);
            next.run(request).await
        }))
        .with_state(asked);
    tcp::serve(at, None, "metrics", router, trouble);
}

/// What the handler needs.
#[derive(Clone)]
struct Asked {
    api: Api,
    /// One at a time: each asks the cluster's thread, and two scrapers need not wait long for each other.
    one: Arc<Semaphore>,
}

async fn metrics(State(asked): State<Asked>) -> Result<Response, Refused> {
    let Ok(_turn) = asked.one.acquire().await else { return Err(Refused::ending()) };
    let api = &asked.api;
    let look = look(api).await;
    let wall = clock::wall();
    let work = {
        let (look, api) = (Arc::clone(&look), api.clone());
        move || {
            let status = convert::status(&look, &api, false);
            let view: ClusterView = serde_json::from_str(&look.view(wall)).unwrap_or_default();
            text(&status, &view, &look.cib, &api.hub)
        }
    };
    let text = if look.is_viewed() {
        super::routes::aside(work).await?
    } else {
        api.planner.run(BUDGET, work).await.map_err(unplannable)?
    };
    match text {
        Ok(text) => Ok(([(header::CONTENT_TYPE, FORM)], text).into_response()),
        Err(_) => Ok((StatusCode::INTERNAL_SERVER_ERROR, "the numbers cannot be written\n").into_response()),
    }
}

/// All numbers as text.
fn text(status: &Status, view: &ClusterView, cib: &Cib, hub: &Hub) -> Result<String, Refused> {
    let mut page = page(status, view, cib);
    own::events(&mut page, &hub.counted());
    page.text().map_err(|_| Refused::new(ErrorCode::Internal, "the numbers cannot be written"))
}

/// What follows from a state.
fn page(status: &Status, view: &ClusterView, cib: &Cib) -> Page {
    let mut page = Page::default();
    compatible::corosync(&mut page, status);
    compatible::pacemaker(&mut page, view, &cib.configuration, status);
    own::node(&mut page, status, cib);
    own::resources(&mut page, view);
    let too_many = page.len() > SAMPLES_MAX;
    if too_many {
        page.without_resources();
    }
    own::dropped(&mut page, too_many);
    page
}
