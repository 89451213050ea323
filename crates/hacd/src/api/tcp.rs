//! TCP for those who only look: Prometheus, a browser. What comes from outside cannot take more of the daemon than is set
//! aside for it: so many connections, each for so long.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::storage::words;

/// Connections at the same time, for each address. The next ones wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// The longest that a connection is silent in both directions. Who follows events hears something more often than that.
const SILENCE: Duration = Duration::from_secs(30);

/// How often an address that cannot be had is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What cannot be served, by what it is: a sentence for status.
pub(super) type Trouble = Arc<Mutex<BTreeMap<&'static str, String>>>;

/// Serves in a task of its own, as soon as the address can be had.
pub(super) fn serve(at: SocketAddr, what: &'static str, router: Router, trouble: Trouble) {
    tokio::spawn(async move {
        let listener = bind(at, what, &trouble).await;
        tracing::info!(target: "hacd::api", notice = true, "{what}: http://{at}");
        let gate = Gate { listener, room: Arc::new(Semaphore::new(CONNECTIONS)), at };
        if let Err(error) = axum::serve(gate, router).await {
            tracing::error!(target: "hacd::api", "{what} on {at} has ended: {error}");
        }
    });
}

async fn bind(at: SocketAddr, what: &'static str, trouble: &Trouble) -> TcpListener {
    loop {
        match TcpListener::bind(at).await {
            Ok(listener) => {
                lock(trouble).remove(what);
                return listener;
            }
            Err(error) => {
                let sentence = format!("{what}.listen: TCP {at} cannot be opened: {}", words(&error));
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
                Ok((stream, from)) => return (Watched::new(stream, permit), from),
                // No descriptors, most likely: it passes when others are closed.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }
}

/// A connection that ends when nothing has passed for [`SILENCE`].
struct Watched {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Watched {
    fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        Self { stream, end: Box::pin(sleep_until(Instant::now() + SILENCE)), _permit: permit }
    }

    /// Something passed, or the time is over.
    fn watched<T>(&mut self, passed: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if passed.is_ready() {
            self.end.as_mut().reset(Instant::now() + SILENCE);
        } else if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
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
