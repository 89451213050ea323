//! Talking to the daemon: HTTP with JSON over its unix socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hac_api::{
    AgentDetail, AgentList, AlertList, AlertTestRequest, AlertTested, CibResponse, CommandRequest, ConfigureRequest,
    Configured, Done, ErrorBody, ErrorCode, ExplainQuery, Explained, Invitation, InviteRequest, Invited, JournalPage,
    JournalQuery, KeyStatus, NodeRemoved, RemoveNodeRequest, RotateRequest, Rotated, SettleRequest, Settled, Status,
    route,
};
use hac_crm::cib::Change;
use hac_model::Cib;
use hac_scheduler::view::ClusterView;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::progress;

/// How long the daemon may take to answer, over and above what a request asks it to wait.
const ANSWER: Duration = Duration::from_secs(30);

/// How long the programs of an alert may take together, beyond that.
const ALERT_TEST: Duration = Duration::from_secs(120);

/// How long the daemon waits for the members to agree before it says what is missing: longer than that is waited here, so
/// that its sentence arrives.
const AGREEMENT: Duration = Duration::from_secs(60);

/// A connection to the daemon of this node.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

impl Client {
    /// Prepares to talk to the daemon that listens on `socket`; nothing is sent yet.
    pub(crate) fn new(socket: &Path) -> Result<Self, Failure> {
        // Only fails if it is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .tls_certs_only([])
            .no_proxy()
            .build()
            .map_err(|error| Failure::system("could not prepare the connection", &error))?;
        Ok(Self { http, socket: socket.to_owned() })
    }

    /// The same daemon by connections of its own, for another thread: those of this one wait for its runtime.
    pub(crate) fn anew(&self) -> Result<Self, Failure> {
        Self::new(&self.socket)
    }

    /// How the cluster stands.
    pub(crate) async fn status(&self) -> Result<Status, Failure> {
        self.get(route::STATUS, &()).await
    }

    /// How the cluster stands, and how its nodes and resources do, as the daemon sees them.
    pub(crate) async fn view(&self) -> Result<(Status, ClusterView), Failure> {
        let query = hac_api::StatusQuery { view: true };
        let mut status: Status = self.get(route::STATUS, &query).await?;
        let view = serde_json::from_value(std::mem::take(&mut status.view));
        let view =
            view.map_err(|error| another_version(format!("hacd's view of the cluster cannot be read: {error}")))?;
        Ok((status, view))
    }

    /// The cluster information base, with secrets in clear only if `secrets`.
    pub(crate) async fn cib(&self, secrets: bool) -> Result<Cib, Failure> {
        self.cib_as_told(secrets).await.map(|(cib, _)| cib)
    }

    /// The same, and whether the node says that it has not met most of the votes since it started.
    pub(crate) async fn cib_as_told(&self, secrets: bool) -> Result<(Cib, bool), Failure> {
        let response: CibResponse = self.get(route::CIB, &hac_api::CibQuery { secrets }).await?;
        Ok((read_cib(response.cib)?, response.uncompared))
    }

    /// Why things are as they are.
    pub(crate) async fn explain(&self, query: &ExplainQuery) -> Result<Explained, Failure> {
        self.get(route::EXPLAIN, query).await
    }

    /// The moments of which the node kept a state.
    pub(crate) async fn moments(&self) -> Result<hac_api::Moments, Failure> {
        self.get(route::PAST, &hac_api::PastQuery::default()).await
    }

    /// Makes `changes`, all or none.
    pub(crate) async fn configure(
        &self,
        changes: &[Change],
        base: Option<hac_api::Version>,
        wait: Option<Duration>,
    ) -> Result<Configured, Failure> {
        let changes = changes
            .iter()
            .map(serde_json::to_value)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::system("could not write the change", &error))?;
        let request = ConfigureRequest { changes, base, wait_ms: wait.map(millis), client: "hacctl".to_owned() };
        self.post(route::CONFIGURE, &request, wait).await
    }

    /// Asks for something that does not change the configuration.
    pub(crate) async fn command(&self, command: hac_api::Command, wait: Option<Duration>) -> Result<Done, Failure> {
        self.post(route::COMMAND, &CommandRequest { command, wait_ms: wait.map(millis) }, wait).await
    }

    /// What the node gave up when both sides of a cut had changed the configuration.
    pub(crate) async fn conflicts(&self) -> Result<Vec<hac_api::Conflict>, Failure> {
        self.get(route::CONFLICT, &()).await
    }

    /// Where the daemon listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Opens the door for another node.
    pub(crate) async fn invite(&self, request: &InviteRequest) -> Result<Invited, Failure> {
        self.post(route::INVITE, request, None).await
    }

    /// Whether the door is open.
    pub(crate) async fn invitation(&self) -> Result<Invitation, Failure> {
        self.get(route::INVITE, &()).await
    }

    /// Closes the door; how it was.
    pub(crate) async fn cancel_invitation(&self) -> Result<Invitation, Failure> {
        self.answer(self.http.delete(url(route::INVITE)).timeout(ANSWER)).await
    }

    /// Takes a node out for good.
    pub(crate) async fn remove_node(&self, request: &RemoveNodeRequest) -> Result<NodeRemoved, Failure> {
        self.post(route::NODE_REMOVE, request, None).await
    }

    /// Which keys are in use.
    pub(crate) async fn key(&self) -> Result<KeyStatus, Failure> {
        self.get(route::KEY, &()).await
    }

    /// Gives all members another key.
    pub(crate) async fn rotate(&self, force: bool) -> Result<Rotated, Failure> {
        self.post(route::KEY_ROTATE, &RotateRequest { force }, None).await
    }

    /// Waits until nothing is in progress, at most `timeout`.
    pub(crate) async fn settle(&self, timeout: Duration) -> Result<Settled, Failure> {
        self.post(route::SETTLE, &SettleRequest { timeout_ms: millis(timeout) }, Some(timeout)).await
    }

    /// The agents that this node knows.
    pub(crate) async fn agents(&self) -> Result<AgentList, Failure> {
        self.get(route::AGENTS, &()).await
    }

    /// What one agent says of itself.
    pub(crate) async fn agent(&self, name: &str) -> Result<AgentDetail, Failure> {
        self.get(route::AGENTS, &hac_api::AgentQuery { agent: Some(name.to_owned()) }).await
    }

    /// The link to the page for browsers.
    pub(crate) async fn alerts(&self) -> Result<AlertList, Failure> {
        self.get(route::ALERTS, &()).await
    }

    /// Tries an alert or a notice. As long as its programs may take.
    pub(crate) async fn test_alert(&self, id: &str) -> Result<AlertTested, Failure> {
        let request = AlertTestRequest { id: id.to_owned() };
        self.post(route::ALERT_TEST, &request, Some(ALERT_TEST)).await
    }

    /// What opens the page.
    pub(crate) async fn web(&self) -> Result<hac_api::WebLink, Failure> {
        self.get(route::WEB, &()).await
    }

    /// A page of a node's journal.
    pub(crate) async fn journal(&self, query: &JournalQuery) -> Result<JournalPage, Failure> {
        progress::show("reading journals", self.post(route::JOURNAL, query, None)).await
    }

    /// The stream of events, raw.
    pub(crate) async fn events(&self, follow: bool) -> Result<reqwest::Response, Failure> {
        let query = hac_api::EventsQuery { since: Some(0), no_follow: !follow, unnamed: false };
        let sent = self.http.get(url(route::EVENTS)).query(&query).send().await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    async fn get<A: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<A, Failure> {
        let request = self.http.get(url(path)).query(query).timeout(ANSWER);
        progress::show("waiting for hacd", self.answer(request)).await
    }

    async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        wait: Option<Duration>,
    ) -> Result<A, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::system("could not write the request", &error))?;
        if body.len() > hac_api::MAX_REQUEST {
            let limit = hac_api::MAX_REQUEST >> 20;
            let sentence =
                format!("the request has {} bytes, and the limit is {limit} MiB; nothing was changed", body.len());
            return Err(Failure::new(ErrorCode::Invalid, sentence).with_remedy("Make the change in several steps."));
        }
        let request = self.http.post(url(path)).header("content-type", "application/json").body(body);
        self.answer(request.timeout(ANSWER + AGREEMENT + wait.unwrap_or_default())).await
    }

    async fn answer<A: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<A, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        response.json().await.map_err(|error| {
            another_version(format!("hacd answered something hacctl cannot read: {}", cause(&error.without_url())))
        })
    }

    /// What a failed connection means.
    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let socket = self.socket.display();
        if error.is_builder() {
            return Failure::usage("what is asked for cannot be said in a request: it is too long")
                .with_remedy("Give a shorter name.");
        }
        if error.is_timeout() {
            return Failure::new(ErrorCode::Timeout, format!("hacd did not answer on {socket} in time"))
                .with_remedy("See what it does with 'journalctl -u hacd' or in its log file.");
        }
        match io_kind(error) {
            Some(ErrorKind::PermissionDenied) => {
                Failure::new(ErrorCode::NotPermitted, format!("you may not talk to hacd on {socket}"))
                    .with_remedy("Run hacctl as root, for example with sudo.")
            }
            Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Failure::disconnected(format!(
                "hacd is not running here: nothing listens on {socket}"
            ))
            .with_remedy("Start it with 'systemctl start hacd'; if it does not stay up, 'hacd --check' says why."),
            _ => Failure::disconnected(format!("the connection to hacd on {socket} broke: {}", cause(error)))
                .with_remedy("Try again; if it happens again, see 'journalctl -u hacd'."),
        }
    }
}

/// Reads the CIB out of an answer.
pub(crate) fn read_cib(value: serde_json::Value) -> Result<Cib, Failure> {
    serde_json::from_value(value)
        .map_err(|error| another_version(format!("hacd sent a cluster state that hacctl cannot read: {error}")))
}

/// What is not understood comes most likely from another release.
fn another_version(message: String) -> Failure {
    Failure::new(ErrorCode::Internal, message)
        .with_remedy("Are hacd and hacctl of the same version? Compare 'hacd --version' and 'hacctl --version'.")
}

/// What lies at the bottom of an error: what is above it only says that a request failed.
fn cause(error: &reqwest::Error) -> String {
    let mut at: &dyn std::error::Error = error;
    while let Some(below) = at.source() {
        at = below;
    }
    at.to_string()
}

fn url(path: &str) -> String {
    format!("http://{}{path}", hac_api::HOST)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the daemon says about a request that it did not carry out.
async fn refusal(response: reqwest::Response) -> Failure {
    let status = response.status();
    response
        .json::<ErrorBody>()
        .await
        .map_or_else(|_| another_version(format!("hacd answered with status {status} and no reason")), Failure::from)
}

/// The kind of the system's error somewhere below `error`.
fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = error.source();
    }
    None
}
