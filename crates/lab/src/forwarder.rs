//! The floating IP of a lab without namespaces: a port that leads to one host's web server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::Error;
use crate::netns::spawn_in;

/// A running forwarder; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Forwarder {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Forwarder {
    /// Listens on a free port and leads to nobody yet.
    pub(crate) fn start() -> Result<Self, Error> {
        let target = Arc::new(Mutex::new(None));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let shared = Arc::clone(&target);
        let thread = spawn_in(None, "forwarder", move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                // The one who started us waits for this; if it gave up, we stop with the channel.
                let _ = tell.send(listener.local_addr()?);
                tokio::select! {
                    ended = accept_on(&listener, &shared) => ended,
                    _ = stopped => Ok(()),
                }
            })
        })?;
        let address = told.recv().map_err(|_| {
            let source = io::Error::other("the thread ended");
            Error::System { what: "the forwarder cannot listen".to_owned(), source }
        })?;
        Ok(Self { address, target, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens: the floating IP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads to a web server, or to nobody, from now on.
    pub(crate) fn point(&self, target: Option<SocketAddr>) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(()); // it may have ended already
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a failure has nobody to be told
        }
    }
}

async fn accept_on(listener: &TcpListener, target: &Mutex<Option<SocketAddr>>) -> io::Result<()> {
    loop {
        let (mut client, _) = listener.accept().await?;
        let target = *target.lock().unwrap_or_else(PoisonError::into_inner);
        tokio::spawn(async move {
            if let Some(target) = target
                && let Ok(mut server) = TcpStream::connect(target).await
            {
                // An end without a whole answer is what the client sees too.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
