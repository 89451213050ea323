//! Something to look at while a command takes longer than two seconds.

use std::future::Future;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Silence until the first sign of life.
const PATIENCE: Duration = Duration::from_secs(2);
/// Distance between signs of life.
const BEAT: Duration = Duration::from_millis(500);

/// What is printed is for programs: nothing stands beside it.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Shows nothing from now on.
pub(crate) fn be_silent() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Awaits `work`; after two seconds says `what` on stderr, then a dot twice a second until it is done.
pub(crate) async fn show<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, work.as_mut()).await {
        return done;
    }
    if SILENT.load(Ordering::Relaxed) {
        return work.await;
    }
    eprint!("{what} ");
    // A line that was begun is ended, also where nobody waits any more.
    let _line = Line;
    loop {
        eprint!(".");
        // A terminal that is gone is no reason to give the work up.
        let _ = std::io::stderr().flush();
        if let Ok(done) = tokio::time::timeout(BEAT, work.as_mut()).await {
            return done;
        }
    }
}

/// A line on stderr that has been begun.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        eprintln!();
    }
}
