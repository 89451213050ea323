//! The prober: a client that asks the floating IP for its page, many times a second.
//!
//! Every request has a connection of its own and requests overlap, so a host that swallows packets
//! does not stop the clock. A *gap* is the largest distance between two neighbouring answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Error;
use crate::http::{Answer, request_text};
use crate::netns::spawn_in;
use crate::nginx::page_of;
use crate::run::wait_for;

/// A request without an answer after this long has failed.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
/// The longest page that is read.
const PAGE_MAX: usize = 64 * 1024;
/// Samples beyond this many push out the oldest half: an hour at 10 ms.
const SAMPLES_MAX: usize = 720_000;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was sent.
    pub sent: Instant,
    /// When it was answered, refused or given up.
    pub done: Instant,
    /// The host that the page names; `None` when there was no page.
    pub host: Option<String>,
}

/// What the prober saw in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The largest distance between two neighbouring answers.
    pub gap: Duration,
    /// The answers around that gap; `None` when there were fewer than two.
    pub around: Option<(Instant, Instant)>,
    /// Requests without an answer.
    pub failed: usize,
    /// Requests with one.
    pub answered: usize,
    /// The hosts that answered, in the order of their first answer.
    pub hosts: Vec<String>,
}

/// The prober of a [`Lab`](crate::Lab); it stops when it is dropped.
#[derive(Debug)]
pub struct Prober {
    samples: Arc<Mutex<Vec<Sample>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Prober {
    /// Asks `target` every `period` from a namespace.
    pub(crate) fn start(namespace: Option<String>, target: SocketAddr, period: Duration) -> Result<Self, Error> {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (Arc::clone(&samples), Arc::clone(&stop));
        let thread = spawn_in(namespace, "prober", move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask_on(target, period, &shared, &ended));
            Ok(())
        })?;
        Ok(Self { samples, stop, thread: Some(thread) })
    }

    /// All samples that were sent at or after `from`, in the order of their ends.
    pub fn samples(&self, from: Instant) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        // They are kept by end; a sample cannot end before it was sent.
        let first = samples.partition_point(|sample| sample.done < from);
        let tail = samples.get(first..).unwrap_or_default();
        tail.iter().filter(|sample| sample.sent >= from).cloned().collect()
    }

    /// What was seen from `from` until now. The last answer before `from` counts as the first
    /// neighbour, so a gap that began before `from` is measured whole.
    pub fn window(&self, from: Instant) -> Window {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let first = samples.partition_point(|sample| sample.done < from);
        let (before, tail) = samples.split_at(first);
        let last = before.iter().rev().find(|sample| sample.host.is_some());
        window_of(last, tail)
    }

    /// Waits for `count` answers in a row that were sent after `from` and name `host` (any, if
    /// `None`).
    ///
    /// # Errors
    /// [`Error::Late`].
    pub fn wait_answers(&self, host: Option<&str>, from: Instant, count: usize, limit: Duration) -> Result<(), Error> {
        let whose = host.map_or_else(String::new, |host| format!(" from {host}"));
        let what = format!("{count} answers in a row{whose}");
        wait_for(&what, limit, || {
            let samples = self.samples(from);
            let last = samples.len().checked_sub(count)?;
            samples
                .get(last..)?
                .iter()
                .all(|sample| sample.host.is_some() && host.is_none_or(|host| sample.is_from(host)))
                .then_some(())
        })
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its failure would have shown as missing samples
        }
    }
}

impl Sample {
    /// Whether it was answered by `host`.
    pub fn is_from(&self, host: &str) -> bool {
        self.host.as_deref() == Some(host)
    }
}

fn window_of(last: Option<&Sample>, samples: &[Sample]) -> Window {
    let mut window = Window { gap: Duration::ZERO, around: None, failed: 0, answered: 0, hosts: Vec::new() };
    let mut previous = last.map(|sample| sample.done);
    for sample in samples {
        let Some(host) = &sample.host else {
            window.failed += 1;
            continue;
        };
        window.answered += 1;
        if !window.hosts.contains(host) {
            window.hosts.push(host.clone());
        }
        if let Some(earlier) = previous {
            let gap = sample.done.saturating_duration_since(earlier);
            if gap > window.gap {
                window.gap = gap;
                window.around = Some((earlier, sample.done));
            }
        }
        previous = Some(sample.done);
    }
    window
}

async fn ask_on(target: SocketAddr, period: Duration, samples: &Arc<Mutex<Vec<Sample>>>, stop: &AtomicBool) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let samples = Arc::clone(samples);
        tokio::spawn(async move {
            let sent = Instant::now();
            let host = timeout(ANSWER_LIMIT, ask(target)).await.ok().flatten();
            keep(&samples, sent, host);
        });
    }
}

/// Appends a sample; its end is taken under the lock, so samples stay in the order of their ends.
fn keep(samples: &Mutex<Vec<Sample>>, sent: Instant, host: Option<String>) {
    let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
    if samples.len() >= SAMPLES_MAX {
        samples.drain(..SAMPLES_MAX / 2);
    }
    samples.push(Sample { sent, done: Instant::now(), host });
}

/// One request: the host named by the page, if there is one.
async fn ask(target: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(target).await.ok()?;
    let request = request_text(target, "GET", "/", None, "");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    let mut bounded = stream.take(PAGE_MAX as u64);
    bounded.read_to_end(&mut bytes).await.ok()?;
    let answer = Answer::parse(&bytes)?;
    (answer.status == 200).then(|| page_of(&answer.body).map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(start: Instant, sent: u64, took: u64, host: Option<&str>) -> Sample {
        Sample {
            sent: start + Duration::from_millis(sent),
            done: start + Duration::from_millis(sent + took),
            host: host.map(str::to_owned),
        }
    }

    #[test]
    fn the_gap_is_the_largest_distance_between_answers() {
        let start = Instant::now();
        let samples = [
            sample(start, 0, 1, Some("primary")),
            sample(start, 10, 1, Some("primary")),
            sample(start, 20, 30, None),
            sample(start, 400, 2, Some("secondary")),
            sample(start, 410, 2, Some("secondary")),
        ];
        let window = window_of(None, &samples);
        assert_eq!(window.gap, Duration::from_millis(391));
        assert_eq!(window.failed, 1);
        assert_eq!(window.answered, 4);
        assert_eq!(window.hosts, ["primary", "secondary"]);
    }

    #[test]
    fn a_gap_that_began_before_the_window_counts_whole() {
        let start = Instant::now();
        let before = sample(start, 0, 1, Some("primary"));
        let after = [sample(start, 300, 1, Some("secondary"))];
        let window = window_of(Some(&before), &after);
        assert_eq!(window.gap, Duration::from_millis(300));
        assert_eq!(window.around, Some((before.done, after[0].done)));
    }

    #[test]
    fn silence_is_not_a_gap_of_zero_by_accident() {
        let window = window_of(None, &[]);
        assert_eq!((window.gap, window.around), (Duration::ZERO, None));
        assert_eq!(window.answered, 0);
    }
}
