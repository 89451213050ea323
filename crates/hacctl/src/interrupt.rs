//! Ctrl-C while a command runs in the shell: it ends the command, and not the shell.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::failure::Failure;

/// How many parts of commands deal with Ctrl-C themselves at this moment.
static OWN: AtomicUsize = AtomicUsize::new(0);

/// As long as it lives, Ctrl-C is left to the command, which has something to put right.
pub(crate) struct Own(());

/// From now on.
pub(crate) fn own() -> Own {
    OWN.fetch_add(1, Ordering::Relaxed);
    Own(())
}

impl Drop for Own {
    fn drop(&mut self) {
        OWN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Awaits a command until it is done or somebody types Ctrl-C.
pub(crate) async fn or<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = work.as_mut() => return done,
            _ = tokio::signal::ctrl_c() => {}
        }
        if OWN.load(Ordering::Relaxed) == 0 {
            return Err(Failure { exit_code: 130, ..Failure::usage("interrupted") }
                .with_remedy("'status' shows how things stand: what was asked for may be done all the same."));
        }
    }
}
