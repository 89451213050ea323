//! The door through which a host without the key becomes a node: TCP on the address and port of link 0, open only while
//! there is an invitation. What is said is in `hac-join`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hac_api::{ErrorCode, Invitation, InviteRequest, Invited};
use hac_join::Code;
use hac_node::{Event, Level};
use hac_types::NodeId;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::guest;
use super::refusal::Refused;
use super::server::Api;
use crate::clock;
use crate::storage::words;

/// Longest invitation.
pub(super) const LASTS_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Most nodes that one invitation lets in.
const COUNT_MAX: u32 = 63;

/// Connections at the same time.
const AT_ONCE: usize = 4;

/// After so many connections that did not prove to have the code the door closes.
const STRANGERS_MAX: u32 = 100;

/// How long the door of an invitation that was ended may stay open.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);

/// Longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The door of this node. Codes live in its memory alone: a restart ends them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door {
    open: Arc<Mutex<Option<Open>>>,
    /// Nodes are added one after the other.
    pub(super) adding: Arc<tokio::sync::Mutex<()>>,
}

/// An invitation.
#[derive(Debug)]
struct Open {
    until: Instant,
    used: u32,
    count: u32,
    strangers: u32,
    /// The ids that were given under this invitation, by name: the same host gets the same one again.
    given: BTreeMap<String, NodeId>,
    task: AbortHandle,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Door {
    /// Opens it, in the place of an earlier invitation.
    pub(super) async fn open(&self, api: &Api, order: InviteRequest) -> Result<Invited, Refused> {
        let code = match order.code.as_deref().map(Code::parse) {
            Some(Ok(code)) => Some(code),
            Some(Err(why)) => return Err(Refused::new(ErrorCode::Usage, why.to_string())),
            None => Code::generate(),
        };
        let code = code.ok_or_else(|| Refused::new(ErrorCode::Internal, "the operating system gives no randomness"))?;
        let acceptor = hac_join::acceptor(&code)
            .map_err(|error| Refused::new(ErrorCode::Internal, format!("no invitation can be made: {error}")))?;
        let (Some(address), Some(port)) = (api.place.addresses.first().copied(), api.place.ports.first().copied())
        else {
            return Err(Refused::new(ErrorCode::Internal, "this node has no address"));
        };
        self.close();
        let at = SocketAddr::new(address, port);
        let listener = bind(at).await.map_err(|error| {
            Refused::new(ErrorCode::Unavailable, format!("TCP {at} cannot be opened: {}", words(&error)))
                .with_remedy("Another program has it; 'ss -ltnp' shows which.")
        })?;
        let count = order.count.unwrap_or(1).clamp(1, COUNT_MAX);
        let lasts = Duration::from_secs(order.seconds).min(LASTS_MAX);
        let until = Instant::now() + lasts;
        let wanted = Arc::new(order.name);
        let (door, of) = (self.clone(), api.clone());
        let task = tokio::spawn(async move {
            let serving = door.serve(listener, acceptor, of.clone(), wanted);
            if tokio::time::timeout_at(until.into(), serving).await.is_err() {
                tell(&of, Level::Notice, "the invitation is over: nobody is let in any more".to_owned());
            }
            door.forget();
        });
        let open = Open { until, used: 0, count, strangers: 0, given: BTreeMap::new(), task: task.abort_handle() };
        *self.lock() = Some(open);
        let minutes = lasts.as_secs().div_ceil(60);
        tell(
            api,
            Level::Notice,
            format!("a node was invited on {}: TCP {at} is open for it for {minutes} min", api.place.name),
        );
        Ok(Invited {
            code: code.reveal().to_string(),
            address: address.to_string(),
            port,
            seconds: lasts.as_secs(),
            count,
        })
    }

    /// Whether it is open.
    pub(super) fn state(&self) -> Invitation {
        let open = self.lock();
        open.as_ref().map_or_else(Invitation::default, |open| Invitation {
            open: true,
            seconds_left: open.until.saturating_duration_since(Instant::now()).as_secs(),
            used: open.used,
            count: open.count,
            strangers: open.strangers,
        })
    }

    /// Closes it; how it was.
    pub(super) fn close(&self) -> Invitation {
        let state = self.state();
        drop(self.lock().take());
        state
    }

    /// The task has come to its end by itself.
    fn forget(&self) {
        drop(self.lock().take());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id that was given to a host of this name under the present invitation.
    pub(super) fn given(&self, name: &str) -> Option<NodeId> {
        self.lock().as_ref()?.given.get(name).copied()
    }

    /// A host of this name was given this id.
    pub(super) fn give(&self, name: &str, id: NodeId) {
        if let Some(open) = self.lock().as_mut() {
            open.given.insert(name.to_owned(), id);
        }
    }

    /// Whether another host may still be let in.
    pub(super) fn has_room(&self) -> bool {
        self.lock().as_ref().is_some_and(|open| u32::try_from(open.given.len()).unwrap_or(u32::MAX) < open.count)
    }

    /// A host became a node; whether it was the last one.
    fn use_up(&self) -> bool {
        let mut open = self.lock();
        let Some(open) = open.as_mut() else { return true };
        open.used += 1;
        open.used >= open.count
    }

    /// Somebody did not prove to have the code; whether these were too many.
    fn count_stranger(&self) -> bool {
        let mut open = self.lock();
        let Some(open) = open.as_mut() else { return true };
        open.strangers += 1;
        open.strangers >= STRANGERS_MAX
    }

    /// Lets guests in until enough are.
    async fn serve(
        &self,
        listener: TcpListener,
        acceptor: hac_join::TlsAcceptor,
        api: Api,
        wanted: Arc<Option<String>>,
    ) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let (ended, mut ends) = tokio::sync::mpsc::channel::<()>(1);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = ends.recv() => return,
            };
            let Ok((stream, from)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            // One too many is turned away at once: it costs nobody anything.
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
            let (acceptor, api, door) = (acceptor.clone(), api.clone(), self.clone());
            let (wanted, ended) = (Arc::clone(&wanted), ended.clone());
            tokio::spawn(async move {
                let _permit = permit;
                let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
                let Ok(Ok(mut stream)) = shaken else {
                    let text = format!("{from} wanted to join and did not prove to have the code");
                    tell(&api, Level::Warning, text);
                    if door.count_stranger() {
                        tell(&api, Level::Error, "too many strangers: the invitation is over".to_owned());
                        let _ = ended.try_send(());
                    }
                    return;
                };
                if guest::serve(&api, &mut stream, wanted.as_deref()).await && door.use_up() {
                    let _ = ended.try_send(());
                }
            });
        }
    }
}

/// Listens. The door of the invitation before closes in a moment.
async fn bind(at: SocketAddr) -> std::io::Result<TcpListener> {
    let end = Instant::now() + CLOSES_WITHIN;
    loop {
        match TcpListener::bind(at).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
}

/// An event, here and in the log.
pub(super) fn tell(api: &Api, level: Level, text: String) {
    let (event, now) = (Event::Remark { level, text }, clock::now());
    api.log.event(&event, event.to_string(), now);
    api.hub.publish_own(&event, now);
}
