//! Clients that ask for the status again and again, each on a thread of its own.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{Cluster, Error};

/// What `hacctl status` asks for, less the connection that is kept open.
const REQUEST: &str = "GET /v1/status?view=true HTTP/1.1\r\nHost: hacd\r\nConnection: close\r\n\r\n";
/// An answer that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a good answer begins with.
const GOOD: &[u8] = b"HTTP/1.1 200";

/// Clients on host 1.
pub(super) struct Clients {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, usize, Duration)>>,
}

impl Clients {
    /// Starts `count` clients, each of which asks every `period`, or at once when an answer took longer.
    pub(super) fn new(cluster: &Cluster, count: usize, period: Duration) -> Result<Self, Error> {
        let socket = cluster.host(1).outside("/run/hacd/hacd.sock")?;
        let ended = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|_| {
                let (socket, ended) = (socket.clone(), Arc::clone(&ended));
                std::thread::spawn(move || asking(&socket, period, &ended))
            })
            .collect();
        Ok(Self { ended, threads })
    }

    /// Ends them: how many answers were asked for, how many did not come, and how long the slowest took.
    pub(super) fn end(mut self) -> (usize, usize, Duration) {
        self.ended.store(true, Ordering::Relaxed);
        let told = self.threads.drain(..).filter_map(|thread| thread.join().ok());
        told.fold((0, 0, Duration::ZERO), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2.max(one.2)))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn asking(socket: &Path, period: Duration, ended: &AtomicBool) -> (usize, usize, Duration) {
    let (mut asked, mut unanswered, mut slowest) = (0, 0, Duration::ZERO);
    while !ended.load(Ordering::Relaxed) {
        let begin = Instant::now();
        asked += 1;
        unanswered += usize::from(!ask(socket).unwrap_or(false));
        slowest = slowest.max(begin.elapsed());
        std::thread::sleep(period.saturating_sub(begin.elapsed()));
    }
    (asked, unanswered, slowest)
}

/// Whether a good answer comes.
fn ask(socket: &Path) -> std::io::Result<bool> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(REQUEST.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(GOOD))
}
