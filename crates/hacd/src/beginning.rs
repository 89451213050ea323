//! The start of the daemon, watched: a disk or a file server that does not answer is named, and in the end the service
//! manager is asked to try again. Whoever waits for such a disk inside the kernel cannot be woken.

use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::{complain, exit};

/// After how long it is said what the start waits for: longer than it waits by itself for what may pass, and says so.
const SLOW: Duration = Duration::from_secs(15);

/// After how long one step of the start is given up.
const HANGS: Duration = Duration::from_secs(60);

/// Watches the start until it is dropped.
#[derive(Debug)]
pub(crate) struct Beginning(Option<SyncSender<String>>);

impl Beginning {
    /// Begins with the step that is called `what` (`reading FILE`).
    pub(crate) fn new(what: String) -> Self {
        Self::watched(what, SLOW, HANGS, |line, over| {
            complain(line);
            if over {
                std::process::exit(exit::OS.into());
            }
        })
    }

    fn watched(what: String, slow: Duration, hangs: Duration, told: impl Fn(&str, bool) + Send + 'static) -> Self {
        let (steps, next) = mpsc::sync_channel::<String>(16);
        let watch = move || {
            let (mut what, mut since, mut said) = (what, Instant::now(), false);
            loop {
                let limit = if said { hangs } else { slow };
                match next.recv_timeout(limit.saturating_sub(since.elapsed())) {
                    Ok(step) => (what, since, said) = (step, Instant::now(), false),
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) if said => {
                        told(&format!("{what} hangs: given up after {} s; look at the disk", hangs.as_secs()), true);
                        return;
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        said = true;
                        told(&format!("waiting: {what} takes long"), false);
                    }
                }
            }
        };
        // Without the thread the start is not watched, and goes on.
        let thread = thread::Builder::new().name("hacd-beginning".to_owned()).stack_size(64 << 10).spawn(watch);
        Self(thread.is_ok().then_some(steps))
    }

    /// The next step has begun.
    pub(crate) fn step(&self, what: String) {
        if let Some(steps) = &self.0 {
            let _ = steps.try_send(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_hangs_is_named_and_then_given_up() {
        let (said, heard) = mpsc::channel();
        let (slow, hangs) = (Duration::from_millis(20), Duration::from_millis(60));
        let beginning = Beginning::watched("reading a".to_owned(), slow, hangs, move |line, over| {
            let _ = said.send((line.to_owned(), over));
        });
        beginning.step("reading b".to_owned());
        let next = || heard.recv_timeout(Duration::from_secs(10)).expect("told");
        // A machine that is busy may find the first step slow, too.
        let (mut line, mut over) = next();
        if line.contains("reading a") {
            (line, over) = next();
        }
        assert!(line.contains("reading b takes long") && !over, "{line}");
        let (line, over) = next();
        assert!(line.contains("reading b hangs") && over, "{line}");
    }

    #[test]
    fn a_start_that_is_over_is_not_watched() {
        let (said, heard) = mpsc::channel();
        let slow = Duration::from_millis(200);
        let told = move |line: &str, _| drop(said.send(line.to_owned()));
        drop(Beginning::watched("reading a".to_owned(), slow, slow, told));
        assert!(heard.recv_timeout(Duration::from_secs(10)).is_err(), "the thread has ended and said nothing");
    }
}
