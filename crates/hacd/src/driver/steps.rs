//! How long the steps of a thread take: by the clock, and by the processor alone. A machine that does other things makes
//! the first longer, work makes both longer. Counted without locks, read at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// What a step was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Datagrams that came together, or an event of the ring.
    Messages,
    /// The time had come.
    Timer,
    /// An order of the other half, or a client's request.
    Command,
    /// An agent, the disk or the planner is done.
    Result,
    /// The snapshot for reads was made.
    Snapshot,
}

impl Cause {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Messages, Self::Timer, Self::Command, Self::Result, Self::Snapshot];

    /// Its name in the status.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Timer => "timer",
            Self::Command => "command",
            Self::Result => "result",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Upper ends of the classes of the histogram, microseconds; one more class has no end.
pub(crate) const CLASSES: [u64; 7] = [50, 200, 1_000, 5_000, 20_000, 100_000, 1_000_000];

/// The steps of a thread.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    causes: [Counted; Cause::ALL.len()],
}

/// The steps of one cause.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    longest_us: AtomicU64,
    longest_cpu_us: AtomicU64,
    /// How many took at most so long, by the clock; the last one those above.
    classes: [AtomicU64; CLASSES.len() + 1],
}

/// A step that has begun.
pub(super) struct Step {
    clock: Instant,
    /// What the thread had used of the processor when the step before it ended: waiting costs none, and to ask for it is a
    /// system call each time.
    cpu_us: u64,
}

impl Step {
    pub(super) fn begin() -> Self {
        Self { clock: Instant::now(), cpu_us: cpu_us() }
    }

    /// The thread has waited, and goes on.
    pub(super) fn go_on(&mut self) {
        self.clock = Instant::now();
    }
}

/// What this thread has used of the processor, microseconds.
fn cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 1000)
}

impl Steps {
    /// A step has ended; another one may follow it.
    pub(super) fn end(&self, cause: Cause, step: &mut Step) {
        let us = u64::try_from(step.clock.elapsed().as_micros()).unwrap_or(u64::MAX);
        let cpu_us = cpu_us();
        // What the thread did between the two, to find out what comes, is no part of the step.
        self.add(cause, us, cpu_us.saturating_sub(step.cpu_us).min(us));
        step.cpu_us = cpu_us;
    }

    fn add(&self, cause: Cause, us: u64, cpu_us: u64) {
        let counted = &self.causes[cause as usize];
        counted.longest_us.fetch_max(us, Ordering::Relaxed);
        counted.longest_cpu_us.fetch_max(cpu_us, Ordering::Relaxed);
        let class = CLASSES.iter().position(|end| us <= *end).unwrap_or(CLASSES.len());
        counted.classes[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Those of one cause.
    pub(crate) const fn of(&self, cause: Cause) -> &Counted {
        &self.causes[cause as usize]
    }
}

impl Counted {
    /// The longest one by the clock, microseconds.
    pub(crate) fn longest_us(&self) -> u64 {
        self.longest_us.load(Ordering::Relaxed)
    }

    /// The longest one by the processor, microseconds.
    pub(crate) fn longest_cpu_us(&self) -> u64 {
        self.longest_cpu_us.load(Ordering::Relaxed)
    }

    /// How many there were in each class of [`CLASSES`], and above the last.
    pub(crate) fn classes(&self) -> Vec<u64> {
        self.classes.iter().map(|class| class.load(Ordering::Relaxed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_by_cause_and_class() {
        let steps = Steps::default();
        steps.add(Cause::Timer, 50, 40);
        steps.add(Cause::Timer, 700, 10);
        steps.add(Cause::Timer, 2_000_000, 20);
        let timer = steps.of(Cause::Timer);
        assert_eq!((timer.longest_us(), timer.longest_cpu_us()), (2_000_000, 40));
        assert_eq!(timer.classes(), [1, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(steps.of(Cause::Result).classes().iter().sum::<u64>(), 0);
    }

    #[test]
    fn waiting_is_no_work() {
        let steps = Steps::default();
        let mut step = Step::begin();
        std::thread::sleep(std::time::Duration::from_millis(20));
        steps.end(Cause::Command, &mut step);
        let command = steps.of(Cause::Command);
        assert!(command.longest_us() >= 20_000, "{command:?}");
        assert!(command.longest_cpu_us() < 10_000, "{command:?}");
        std::thread::sleep(std::time::Duration::from_millis(200));
        step.go_on();
        steps.end(Cause::Timer, &mut step);
        assert!(steps.of(Cause::Timer).longest_cpu_us() <= steps.of(Cause::Timer).longest_us());
        let timer = steps.of(Cause::Timer);
        assert!(
            timer.longest_us() < 200_000 && timer.longest_cpu_us() < 10_000,
            "what lies between is of none: {timer:?}"
        );
    }
}
