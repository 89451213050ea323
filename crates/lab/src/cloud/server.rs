//! The HTTP side of the cloud: connections that can be cut or left hanging, one handler for all.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use axum::serve::{IncomingStream, Listener};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::api::{Call, Content, Refusal, Reply, millis};
use super::journal::Event;
use super::rules::fault_for;
use super::{Door, Fault, Shared, When, actions, api, door, metadata};

/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves until told to stop; says through `tell` where it listens.
pub(super) fn serve(
    doors: &[Door],
    shared: &Arc<Shared>,
    tell: &mpsc::Sender<Vec<SocketAddr>>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut addresses = Vec::new();
        for door in doors {
            let listener = TcpListener::bind(door.listen).await?;
            addresses.push(listener.local_addr()?);
            let app = Router::new().fallback(handle).with_state(Arc::clone(shared));
            let service = app.into_make_service_with_connect_info::<Peer>();
            let listener = Cuttable { listener, host: door.host };
            tokio::spawn(async { axum::serve(listener, service).await });
        }
        // The one who started us waits for this; if it gave up, we stop with the channel.
        let _ = tell.send(addresses);
        // Told to stop, or the cloud is gone without a word: the end either way.
        let _ = stopped.await;
        Ok(())
    })
}

/// A listener whose connections a handler can cut.
struct Cuttable {
    listener: TcpListener,
    host: Option<usize>,
}

/// A connection that fails as soon as it has been cut.
struct CuttableStream {
    stream: TcpStream,
    host: Option<usize>,
    cut: Arc<AtomicBool>,
}

/// What a handler knows about its connection.
#[derive(Debug, Clone)]
struct Peer {
    address: SocketAddr,
    host: Option<usize>,
    cut: Arc<AtomicBool>,
}

impl Listener for Cuttable {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, address)) = self.listener.accept().await {
                let _ = stream.set_nodelay(true); // only speed is lost without it
                let cut = Arc::new(AtomicBool::new(false));
                return (CuttableStream { stream, host: self.host, cut }, address);
            }
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        let io = stream.io();
        Self { address: *stream.remote_addr(), host: io.host, cut: Arc::clone(&io.cut) }
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Answers any request.
async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let arrived = Instant::now();
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = uri.to_string();
    if uri.path() == "/_lab" {
        return response(door::answer(&shared, method.as_str(), &body));
    }
    let host = peer.host.or_else(|| shared.caller(peer.address.ip()));
    let struck = {
        let mut world = shared.world();
        fault_for(&mut world.rules, method.as_str(), &path, &body, host)
    };
    let fault = struck.clone().unwrap_or_default();
    let is_metadata = uri.path().starts_with("/metadata");
    wait(&shared, &fault, is_metadata).await;
    let lost = fault.drop.or(fault.hang);
    let reply = if lost == Some(When::Before) {
        None
    } else if fault.status.is_some() {
        Some(refused(&fault))
    } else if is_metadata {
        let world = shared.world();
        Some(metadata::answer(&world, method.as_str(), uri.path(), host))
    } else {
        let call = Call {
            method: method.as_str(),
            path: uri.path(),
            query: query(&uri),
            body: serde_json::from_str(&body).unwrap_or(Value::Null),
            token: bearer(&headers),
            server: header(&headers, "host"),
            fault: &fault,
        };
        Some(call_api(&shared, &call).await)
    };
    tokio::time::sleep(millis(fault.reply_delay_ms)).await;
    let answered = reply.filter(|_| lost.is_none());
    let event = Event::Request {
        source: peer.address.ip(),
        host,
        method: method.to_string(),
        path,
        body,
        status: answered.as_ref().map(|reply| reply.status),
        took: arrived.elapsed(),
        struck: struck.is_some(),
    };
    shared.world().record(arrived, event);
    finish(answered, &fault, &peer).await
}

/// The cloud's usual latency and the rule's delay.
async fn wait(shared: &Shared, fault: &Fault, is_metadata: bool) {
    let latency = {
        let world = shared.world();
        if is_metadata { world.settings.metadata_latency_ms } else { world.settings.latency_ms }
    };
    tokio::time::sleep(millis(latency.saturating_add(fault.delay_ms))).await;
}

/// Sends the answer, or ends the connection as the fault says.
async fn finish(answered: Option<Reply>, fault: &Fault, peer: &Peer) -> Response<Body> {
    match answered {
        Some(mut reply) => {
            if let Some(raw) = &fault.raw {
                reply.body = Content::Text(raw.clone());
            }
            response(reply)
        }
        None if fault.hang.is_some() => std::future::pending().await,
        None => {
            peer.cut.store(true, Ordering::Relaxed);
            Response::new(Body::empty())
        }
    }
}

/// The answer that a rule gives instead of doing anything.
fn refused(fault: &Fault) -> Reply {
    let status = fault.status.unwrap_or(500);
    let mut reply = Refusal { status, id: fault.id.clone(), message: fault.message.clone() }.reply();
    if status == 429 {
        reply.headers.push(("ratelimit-remaining", "0".to_owned()));
    }
    if let Some(seconds) = fault.retry_after {
        reply.headers.push(("retry-after", seconds.to_string()));
    }
    reply
}

/// Answers by the control API and sees to the actions that have begun.
async fn call_api(shared: &Arc<Shared>, call: &Call<'_>) -> Reply {
    let outcome = api::answer(&mut shared.world(), call);
    for begun in outcome.begun {
        let at_once = begun.at_once();
        let carried_out = actions::carry_out(Arc::clone(shared), begun);
        if at_once {
            carried_out.await;
        } else {
            tokio::spawn(carried_out);
        }
    }
    outcome.reply
}

fn response(reply: Reply) -> Response<Body> {
    let (kind, text) = match reply.body {
        Content::Json(value) => ("application/json", value.to_string()),
        Content::Text(text) => ("text/plain", text),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", kind.parse().unwrap_or_else(|_| empty()));
    for (name, value) in reply.headers {
        headers.insert(name, value.parse().unwrap_or_else(|_| empty()));
    }
    response
}

fn empty() -> axum::http::HeaderValue {
    axum::http::HeaderValue::from_static("")
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> &str {
    header(headers, "authorization").strip_prefix("Bearer ").unwrap_or_default()
}
