//! Something to look at while a command takes longer than two seconds.

use std::future::Future;
use std::io::Write as _;
use std::time::Duration;

/// Silence until the first sign of life.
const PATIENCE: Duration = Duration::from_secs(2);
/// Distance between signs of life.
const BEAT: Duration = Duration::from_millis(500);

/// Awaits `work`; after two seconds says `what` on stderr, then a dot twice a second until it is done.
pub(crate) async fn show<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, work.as_mut()).await {
        return done;
    }
    eprint!("{what} ");
    loop {
        eprint!(".");
        // A terminal that is gone is no reason to give the work up.
        let _ = std::io::stderr().flush();
        if let Ok(done) = tokio::time::timeout(BEAT, work.as_mut()).await {
            eprintln!();
            return done;
        }
    }
}
