//! The threads that wait for others: one for agents and the processes that are watched, one for clients. Each is a runtime of
//! its own, so that clients who ask much keep no agent waiting; and none wakes another one to look for work.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// The name of the thread for agents, and of those that may block for it.
pub(crate) const AGENTS: &str = "hacd-agents";

/// The name of the thread for clients, and of those that may block for it.
pub(crate) const CLIENTS: &str = "hacd-api";

/// The stack of each, bytes.
const STACK: usize = 1 << 20;

/// Threads that may block, for each: files, views of clients.
const BLOCKING: usize = 64;

/// One of them.
#[derive(Debug)]
pub(crate) struct Workers {
    handle: Handle,
    /// Dropped when it is to end.
    go_on: oneshot::Sender<()>,
    /// The runtime, when the thread has ended.
    ended: Receiver<Runtime>,
}

impl Workers {
    /// Starts the thread of this name.
    ///
    /// # Errors
    /// There can be no more threads, or no runtime.
    pub(crate) fn start(name: &'static str) -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().thread_name(name).thread_stack_size(STACK).max_blocking_threads(BLOCKING);
        let runtime = builder.build()?;
        let handle = runtime.handle().clone();
        let (go_on, until) = oneshot::channel();
        let (back, ended) = mpsc::channel();
        thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
            // Nothing is ever sent.
            let _ = runtime.block_on(until);
            // Who ends it may have lost patience.
            let _ = back.send(runtime);
        })?;
        Ok(Self { handle, go_on, ended })
    }

    /// Where work is given to it.
    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Gives up what it still does. What cannot be given up is waited for, `limit` at most for each kind of it.
    pub(crate) fn end(self, limit: Duration) {
        drop(self.go_on);
        if let Ok(runtime) = self.ended.recv_timeout(limit) {
            runtime.shutdown_timeout(limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use super::*;

    /// Tells when it is dropped.
    struct Dropped(Arc<AtomicBool>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn what_is_under_way_at_the_end_is_given_up() {
        let workers = Workers::start(AGENTS).expect("a thread");
        let given_up = Arc::new(AtomicBool::new(false));
        let dropped = Dropped(Arc::clone(&given_up));
        let (begun, begins) = mpsc::channel();
        workers.handle().spawn(async move {
            let _kept = dropped;
            begun.send(thread::current().name().map(str::to_owned)).expect("somebody waits");
            std::future::pending::<()>().await;
        });
        assert_eq!(begins.recv().expect("it begins").as_deref(), Some(AGENTS));
        workers.end(Duration::from_secs(30));
        assert!(given_up.load(Ordering::SeqCst));
    }

    #[test]
    fn a_fault_costs_the_task_that_has_it() {
        let workers = Workers::start(CLIENTS).expect("a thread");
        let handle = workers.handle().clone();
        assert!(handle.block_on(handle.spawn(async { panic!("no way out") })).is_err());
        assert_eq!(handle.block_on(handle.spawn(async { 5 })).expect("it goes on"), 5);
        workers.end(Duration::from_secs(30));
    }

    #[test]
    fn a_task_that_hangs_is_not_waited_for() {
        let workers = Workers::start(CLIENTS).expect("a thread");
        let (release, hang) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        workers.handle().spawn(async move {
            begun.send(()).expect("somebody waits");
            let _ = hang.recv();
        });
        begins.recv().expect("it begins");
        let begin = Instant::now();
        workers.end(Duration::from_millis(50));
        assert!(begin.elapsed() < Duration::from_secs(20));
        drop(release);
    }
}
