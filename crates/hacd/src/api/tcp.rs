//! TCP for those who only look: Prometheus, a browser. What comes from outside cannot take more of the daemon than is set
//! aside for it: so many connections, each for so long, and a short while for those who are not let in.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::tls::{Identity, Wire};
use crate::storage::words;

/// Connections at the same time, for each address. The next ones wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// The longest that a connection is silent in both directions. Who follows events hears something more often than that.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a connection may last on which nobody was let in, however much passes on it.
const STRANGER: Duration = Duration::from_secs(10);

/// How often an address that cannot be had is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// How often is looked whether a certificate was renewed.
const RENEWED: Duration = Duration::from_secs(60);

/// What cannot be served, by what it is: a sentence for status.
pub(super) type Trouble = Arc<Mutex<BTreeMap<&'static str, String>>>;

/// Serves in a task of its own, as soon as the address can be had and the certificate can be used, if there is to be one.
pub(super) fn serve(
    at: SocketAddr,
    identity: Option<Arc<Identity>>,
    what: &'static str,
    router: Router,
    trouble: Trouble,
) {
    tokio::spawn(async move {
        let listener = bind(at, identity.as_ref(), what, &trouble).await;
        if let Some(identity) = &identity {
            tokio::spawn(keep_fresh(Arc::clone(identity), what));
        }
        let scheme = if identity.is_some() { "https" } else { "http" };
        tracing::info!(target: "hacd::api", notice = true, "{what}: {scheme}://{at}");
        let gate = Gate { listener, room: Arc::new(Semaphore::new(CONNECTIONS)), at, identity };
        if let Err(error) = axum::serve(gate, router.into_make_service_with_connect_info::<Known>()).await {
            tracing::error!(target: "hacd::api", "{what} on {at} has ended: {error}");
        }
    });
}

/// Whether somebody was let in on a connection.
#[derive(Clone, Debug, Default)]
struct Known(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Gate>> for Known {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        stream.io().known.clone()
    }
}

/// Who made this request is let in: the connection may stay.
pub(super) fn let_in(request: &Request) {
    if let Some(ConnectInfo(Known(known))) = request.extensions().get() {
        known.store(true, Ordering::Relaxed);
    }
}

/// Takes a certificate that was renewed.
async fn keep_fresh(identity: Arc<Identity>, what: &'static str) {
    let mut told = None;
    loop {
        sleep(RENEWED).await;
        let why = read(&identity).await.err();
        if let Some(why) = why.as_ref().filter(|_| why != told) {
            tracing::warn!(target: "hacd::api", "{what}.certificate: {why}; the one before stays in use");
        }
        told = why;
    }
}

/// Reads a certificate, on a thread where nobody waits.
async fn read(identity: &Arc<Identity>) -> Result<(), String> {
    let identity = Arc::clone(identity);
    let read = tokio::task::spawn_blocking(move || identity.refresh()).await;
    read.unwrap_or_else(|_| Err("hacd has a fault in what reads it".to_owned()))
}

async fn bind(at: SocketAddr, identity: Option<&Arc<Identity>>, what: &'static str, trouble: &Trouble) -> TcpListener {
    loop {
        let usable = match identity {
            Some(identity) => read(identity).await.map_err(|why| format!("{what}.certificate: {why}")),
            None => Ok(()),
        };
        let bound = match usable {
            Ok(()) => TcpListener::bind(at)
                .await
                .map_err(|error| format!("{what}.listen: TCP {at} cannot be opened: {}", words(&error))),
            Err(why) => Err(why),
        };
        match bound {
            Ok(listener) => {
                lock(trouble).remove(what);
                return listener;
            }
            Err(sentence) => {
                let told = lock(trouble).insert(what, sentence.clone());
                if told.as_ref() != Some(&sentence) {
                    tracing::warn!(target: "hacd::api", "{sentence}; it is tried again every {} s", TRY_AGAIN.as_secs());
                }
            }
        }
        sleep(TRY_AGAIN).await;
    }
}

fn lock(trouble: &Trouble) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
    trouble.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What cannot be served now.
pub(super) fn sentences(trouble: &Trouble) -> Vec<String> {
    lock(trouble).values().cloned().collect()
}

/// Takes connections while there is room.
struct Gate {
    listener: TcpListener,
    room: Arc<Semaphore>,
    at: SocketAddr,
    identity: Option<Arc<Identity>>,
}

impl Listener for Gate {
    type Io = Watched;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Watched, SocketAddr) {
        loop {
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else {
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, from)) => match self.identity.as_ref().map(|identity| identity.acceptor()) {
                    None => return (Watched::new(Wire::Clear(stream), permit), from),
                    Some(Some(acceptor)) => return (Watched::new(Wire::tls(&acceptor, stream), permit), from),
                    // One was read before this was bound.
                    Some(None) => {}
                },
                // No descriptors, most likely: it passes when others are closed.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }
}

/// A connection that ends when nothing has passed for [`SILENCE`], or nobody was let in for [`STRANGER`].
struct Watched {
    stream: Wire,
    end: Pin<Box<Sleep>>,
    begun: Instant,
    /// When something passed last.
    last: Instant,
    known: Known,
    _permit: OwnedSemaphorePermit,
}

impl Watched {
    fn new(stream: Wire, permit: OwnedSemaphorePermit) -> Self {
        let now = Instant::now();
        let end = Box::pin(sleep_until(now + STRANGER));
        Self { stream, end, begun: now, last: now, known: Known::default(), _permit: permit }
    }

    /// When it ends if nothing passes any more.
    fn over(&self) -> Instant {
        let silent = self.last + SILENCE;
        if self.known.0.load(Ordering::Relaxed) { silent } else { silent.min(self.begun + STRANGER) }
    }

    /// Something passed, or the time is over.
    fn watched<T>(&mut self, passed: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let now = Instant::now();
        if passed.is_ready() {
            self.last = now;
        }
        let over = self.over();
        if over <= now {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if passed.is_pending() {
            // Who was let in since it was set has more time.
            if self.end.deadline() != over {
                self.end.as_mut().reset(over);
            }
            if self.end.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        passed
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let passed = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watched(passed, context)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let passed = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(passed, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
