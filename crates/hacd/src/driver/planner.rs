//! Runs the scheduler beside everything else: on a thread of its own, inside a time budget, with its panics caught.
//!
//! A run cannot be stopped from outside. One that is not done in time is no longer waited for and keeps its place until
//! it ends; when all places are taken, nothing more is begun.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hac_node::Unplannable;
use hac_node::planner::{PLACES, guarded};
use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The name of its threads; a panic there does not end the daemon.
pub(crate) const NAME: &str = "hacd-planner";

/// How much nicer threads are that come after others.
const BEHIND: i32 = 5;

/// Stack of a run, bytes; what is not used takes no memory.
const STACK: usize = 16 << 20;

/// See the [module documentation](self).
#[derive(Clone, Debug)]
pub(crate) struct Planner {
    places: Arc<Semaphore>,
    /// Its threads come after others.
    behind: bool,
}

impl Planner {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), behind: false }
    }

    /// One that comes after all else on this host: whoever asks all the time must not take the processor from what the
    /// cluster does.
    pub(crate) fn behind() -> Self {
        Self { behind: true, ..Self::new() }
    }

    /// Begins `work` and calls `done` with what comes of it, on a thread of its own. Whoever asks waits for `budget` and no
    /// longer; if all places are taken, the answer comes at once.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        budget: Duration,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(Result<T, Unplannable>) + Send + 'static,
    ) {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => spawn(self.behind, move || done(in_place(work, place))),
            Err(_) => spawn(self.behind, move || done(Err(Unplannable::TooSlow(budget)))),
        }
    }

    /// The result of `work`, if it is there within `budget`, waiting for a place included.
    ///
    /// # Errors
    /// It took longer, or has a fault.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        budget: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unplannable> {
        let (answer, result) = oneshot::channel();
        let behind = self.behind;
        let run = async {
            // The semaphore is never closed.
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            spawn(behind, move || {
                // Nobody may wait for it any more.
                let _ = answer.send(in_place(work, place));
            });
            result.await.ok()
        };
        match tokio::time::timeout(budget, run).await {
            Ok(Some(result)) => result,
            Ok(None) => Err(Unplannable::Fault("it could not be begun".to_owned())),
            Err(_) => Err(Unplannable::TooSlow(budget)),
        }
    }
}

/// Runs something on a thread of its own. If there is none to be had, the question stays open until its time is over.
fn spawn(behind: bool, work: impl FnOnce() + Send + 'static) {
    let placed = move || {
        if behind {
            // On Linux this is the thread's alone. Where it is not allowed, it is no worse than before; a daemon that was made
            // to come after others does not come before them here.
            let own = getpriority_process(Some(gettid())).unwrap_or(0);
            let _ = setpriority_process(Some(gettid()), BEHIND.max(own));
        }
        work();
    };
    if let Err(error) = thread::Builder::new().name(NAME.to_owned()).stack_size(STACK).spawn(placed) {
        tracing::error!(target: "hacd::planner", "no thread for the planner: {error}");
    }
}

fn in_place<T>(work: impl FnOnce() -> T, place: OwnedSemaphorePermit) -> Result<T, Unplannable> {
    let result = guarded(work);
    drop(place);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let planner = Planner::new();
        let result = planner.run(LATE, || panic!("no way out")).await;
        assert_eq!(result, Err::<(), _>(Unplannable::Fault("no way out".to_owned())));
        assert_eq!(planner.run(LATE, || 5).await, Ok(5));
    }

    #[tokio::test]
    async fn who_comes_after_others_does_so_alone() {
        let own = |id| getpriority_process(Some(id)).expect("told");
        let before = own(gettid());
        let nice = Planner::behind().run(LATE, move || own(gettid())).await.expect("told");
        assert_eq!(nice, BEHIND.max(before));
        assert_eq!((own(gettid()), Planner::new().run(LATE, move || own(gettid())).await), (before, Ok(before)));
    }

    #[tokio::test]
    async fn runs_that_do_not_end_take_no_more_than_their_places() {
        let planner = Planner::new();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let ended = Arc::new(std::sync::Mutex::new(ended));
        for _ in 0..PLACES {
            let ended = Arc::clone(&ended);
            let result = planner.run(SOON, move || ended.lock().expect("not poisoned").recv().is_ok()).await;
            assert_eq!(result, Err(Unplannable::TooSlow(SOON)));
        }
        assert_eq!(planner.run(SOON, || 5).await, Err(Unplannable::TooSlow(SOON)), "no place");
        drop(end);
        while planner.places.available_permits() < PLACES {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(planner.run(LATE, || 5).await, Ok(5));
    }
}
