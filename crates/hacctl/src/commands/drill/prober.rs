//! Asks for a page all the time, each time over a connection of its own, as clients do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::failure::Failure;
use crate::terminal;

/// How often is asked.
const EVERY: Duration = Duration::from_millis(25);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// One request: when it was sent, and whether the page came.
type Asked = (Instant, bool);

/// See the [module documentation](self). It ends when this is dropped.
pub(super) struct Prober {
    asked: Arc<Mutex<Vec<Asked>>>,
    task: AbortHandle,
}

/// What a client felt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// The longest time between two requests that were answered.
    pub(super) longest: Duration,
    /// Requests that were not.
    pub(super) lost: usize,
    /// All.
    pub(super) asked: usize,
}

impl Prober {
    /// Begins to ask for `url`.
    pub(super) fn start(url: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!("'{}' cannot be asked for", terminal::harmless(url)))
                .with_remedy("Write --url http://ADDRESS/PATH: an address and no name, without TLS.")
        };
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let at: SocketAddr = host.parse().or_else(|_| format!("{host}:80").parse()).map_err(|_| wrong())?;
        let request = Arc::new(format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(EVERY);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                let (list, request) = (Arc::clone(&list), Arc::clone(&request));
                tokio::spawn(async move {
                    let sent = Instant::now();
                    let answered = tokio::time::timeout(PATIENCE, ask(at, &request)).await.unwrap_or(false);
                    list.lock().unwrap_or_else(PoisonError::into_inner).push((sent, answered));
                });
            }
        });
        Ok(Self { asked, task: task.abort_handle() })
    }

    fn list(&self) -> Vec<Asked> {
        let mut list = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        list.sort_by_key(|(sent, _)| *sent);
        list
    }

    /// Why what came so far is not clean, if it is not.
    pub(super) fn unclean(&self) -> Option<String> {
        let list = self.list();
        let lost = list.iter().filter(|(_, answered)| !answered).count();
        match (list.len(), lost) {
            (0, _) => Some("nothing was asked".to_owned()),
            (_, 0) => None,
            (asked, lost) => Some(format!("{lost} of {asked} requests were not answered")),
        }
    }

    /// Whether the last requests were answered.
    pub(super) fn answers(&self) -> bool {
        let list = self.list();
        list.len() >= 5 && list.iter().rev().take(5).all(|(_, answered)| *answered)
    }

    /// For how long the page has not come.
    pub(super) fn outage(&self) -> Duration {
        let last = self.list().iter().rev().find(|(_, answered)| *answered).map(|(sent, _)| *sent);
        last.map_or(Duration::ZERO, |last| last.elapsed())
    }

    /// What a client felt since `from`.
    pub(super) fn gap(&self, from: Instant) -> Gap {
        measure(&self.list(), from)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The longest time between two answered requests; the last one before `from` counts too.
pub(super) fn measure(list: &[Asked], from: Instant) -> Gap {
    let before = list.iter().rposition(|(sent, answered)| *sent < from && *answered).unwrap_or(0);
    let window = list.get(before..).unwrap_or_default();
    let answered: Vec<Instant> = window.iter().filter(|(_, answered)| *answered).map(|(sent, _)| *sent).collect();
    let lost = window.iter().filter(|(_, answered)| !answered).count();
    let longest = answered.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap_or_default();
    // Without a request that was lost it is only the time between two requests.
    Gap { longest: if lost == 0 { Duration::ZERO } else { longest }, lost, asked: window.len() }
}

/// Whether the page comes.
async fn ask(at: SocketAddr, request: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(at).await else { return false };
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.is_ok() && head.starts_with(b"HTTP/1.") && matches!(head[9], b'2' | b'3' | b'4')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_longest_time_between_two_answers() {
        let begin = Instant::now();
        let at = |ms: u64, answered| (begin + Duration::from_millis(ms), answered);
        let list =
            [at(0, true), at(25, true), at(50, false), at(75, false), at(400, true), at(425, true), at(450, true)];
        let gap = measure(&list, begin + Duration::from_millis(40));
        assert_eq!(gap, Gap { longest: Duration::from_millis(375), lost: 2, asked: 6 });
        let gap = measure(&list, begin + Duration::from_millis(410));
        assert_eq!(gap, Gap { longest: Duration::ZERO, lost: 0, asked: 3 }, "nothing was lost since");
        assert_eq!(measure(&[], begin), Gap { longest: Duration::ZERO, lost: 0, asked: 0 });
    }

    #[tokio::test]
    async fn only_plain_addresses_are_asked() {
        for wrong in ["https://10.0.0.1/", "http://name/", "ftp://10.0.0.1", ""] {
            assert_eq!(Prober::start(wrong).err().map(|failure| failure.exit_code), Some(64), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_page_that_comes_is_clean_and_one_that_does_not_is_an_outage() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello").await;
                let _ = stream.read(&mut [0; 256]).await;
            }
        });
        let prober = Prober::start(&url).expect("it can be asked");
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(prober.answers(), "{:?}", prober.unclean());
        server.abort();
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(!prober.answers() && prober.outage() > Duration::from_millis(200));
        assert!(prober.unclean().is_some());
    }
}
