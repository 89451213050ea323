//! The socket: who may connect, and how long a request may take.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::serve::IncomingStream;
use futures_util::FutureExt as _;
use hac_agents::Agents;
use hac_api::ErrorCode;
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc, watch};

use super::door::Door;
use super::hub::Hub;
use super::refusal::Refused;
use super::web::Web;
use super::{routes, tcp};
use crate::alerts::Alerts;
use crate::driver::planner::Planner;
use crate::driver::{Ask, Shared, Snapshot};
use crate::log::Log;
use crate::nodes::Place;

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct Api {
    /// The way to the cluster's thread.
    pub(super) asks: mpsc::Sender<Ask>,
    /// Where reads are answered from.
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Events.
    pub(super) hub: Arc<Hub>,
    /// Agents, for their descriptions.
    pub(super) agents: Arc<Agents>,
    /// Who is told of what is seen.
    pub(super) alerts: Arc<Alerts>,
    /// What this node has, and the nodes of its file.
    pub(super) place: Arc<Place>,
    /// Lets nodes in.
    pub(super) door: Door,
    /// What the threads publish.
    pub(super) shared: Arc<Shared>,
    /// The log, for what it tells of itself.
    pub(super) log: Log,
    /// Runs the scheduler for clients; not the one of the coordinator.
    pub(super) planner: Planner,
    /// What cannot be served on TCP.
    pub(super) trouble: tcp::Trouble,
    /// Whose turn it is to gather a history.
    pub(super) histories: Arc<Semaphore>,
    /// The page, if it is served.
    pub(super) web: Option<Arc<Web>>,
}

impl Api {
    /// `cluster` is the way to the cluster's thread, and where reads are answered from.
    pub(crate) fn new(
        cluster: (mpsc::Sender<Ask>, watch::Receiver<Arc<Snapshot>>),
        hub: Arc<Hub>,
        (agents, alerts): (Arc<Agents>, Arc<Alerts>),
        place: Arc<Place>,
        shared: Arc<Shared>,
        log: Log,
        web: Option<Arc<Web>>,
    ) -> Self {
        let (asks, snapshots) = cluster;
        let (planner, trouble, door) = (Planner::behind(), tcp::Trouble::default(), Door::default());
        let histories = Arc::new(Semaphore::new(1));
        Self { asks, snapshots, hub, agents, alerts, place, door, shared, log, planner, trouble, histories, web }
    }
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

/// Makes the socket and serves it in a task of its own.
///
/// # Errors
/// The socket cannot be made.
pub(crate) fn serve(path: &Path, api: Api) -> io::Result<()> {
    let listener = listen(path)?;
    let router = routes::router(api).layer(axum::middleware::from_fn(admit));
    let service = router.into_make_service_with_connect_info::<Peer>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service).await {
            tracing::error!(target: "hacd::api", "the API has ended: {error}");
        }
    });
    Ok(())
}

/// A socket that only its owner may use. One that a daemon left behind is replaced; the state directory's lock has made
/// sure that none is alive.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Nobody can connect between the two calls who could not afterwards: the credentials of every peer are checked.
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Lets root and the user of the daemon in.
async fn admit(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let own = rustix::process::geteuid().as_raw();
    if peer.uid.is_some_and(|uid| uid == 0 || uid == own) {
        // A fault in a handler costs this request.
        let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        answered.unwrap_or_else(|_| {
            let refused = Refused::new(ErrorCode::Internal, "hacd has a fault in what answers this request");
            refused.with_remedy("The log of hacd says more.").into_response()
        })
    } else {
        Refused::new(ErrorCode::NotPermitted, "only root may talk to hacd").into_response()
    }
}
