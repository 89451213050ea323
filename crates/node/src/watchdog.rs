//! When the watchdog of this host is petted, as a machine without a device: the host is to be reset when this node runs what it may
//! not run, or when nothing decides that any more.
//!
//! * It is petted while the node *may run* what it runs: it is in a ring that is in service and quorate, and nothing is in doubt.
//! * It is petted while nothing runs here, whatever else is so: there is nothing that could do harm.
//! * Who loses the right while something runs has [`Times::stop`] to stop it. After that the watchdog is not petted any more, and
//!   [`Times::timeout`] later the host is reset, unless all is stopped or the right is back by then.
//! * Whoever finds something running at its start, and does not know for how long it had no right, does not arm the watchdog before
//!   it has it again: the one that an earlier life of the daemon armed goes on counting meanwhile.
//! * A node that was ordered to go ([`Duty::condemned`]) is not petted for again.
//!
//! So [`Times::gone_after`] a partition went on without this node, nothing runs here any more. That is what others wait for
//! (`hac_crm::fencer::watchdog`). The same machine decides in the daemon and in the simulator.

use std::time::Duration;

use hac_types::{Timestamp, mutant};
use serde::{Deserialize, Serialize};

/// How often it is tried to arm a watchdog that could not be armed.
const AGAIN: Duration = Duration::from_secs(5);

/// Clocks that go at different speeds, and all that takes no time by design.
const SLACK: Duration = Duration::from_secs(2);

/// What is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The watchdog resets the host so long after it was petted last.
    pub timeout: Duration,
    /// A node that has lost the right to run what it runs has so long to stop it.
    pub stop: Duration,
}

impl Times {
    /// So long after others went on without this node nothing runs here any more. `token` is how long a ring may take to notice
    /// that it is over: the last moment at which this node can believe that it may run anything.
    #[must_use]
    pub fn gone_after(self, token: Duration) -> Duration {
        let certain = token + self.stop + self.timeout;
        certain + certain / 100 + SLACK
    }
}

/// A watchdog that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// What it is, in the words of its driver.
    pub device: String,
    /// Its times, as they are.
    pub times: Times,
}

/// How the node is at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duty {
    /// It may run what it runs.
    pub may_run: bool,
    /// Something runs here, or may.
    pub runs: bool,
    /// It was ordered to be reset.
    pub condemned: bool,
}

/// What is to be done with the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Open it, which starts it, and tell [`Petting::armed`].
    Arm,
    /// Pet it.
    Pet,
    /// Say that it is not petted any more; the host is reset soon.
    Forsake,
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Petting {
    times: Times,
    armed: bool,
    /// When this is looked at next.
    next: Timestamp,
    /// When the node last had nothing to fear.
    safe: Option<Timestamp>,
    /// It was said that the watchdog is not petted any more.
    forsaken: bool,
}

impl Petting {
    /// One of a node that has just started. Its device is not open.
    #[must_use]
    pub const fn new(times: Times) -> Self {
        Self { times, armed: false, next: Timestamp::ZERO, safe: None, forsaken: false }
    }

    /// What is configured.
    #[must_use]
    pub const fn times(&self) -> Times {
        self.times
    }

    /// Whether the device is open and counts.
    #[must_use]
    pub const fn is_armed(&self) -> bool {
        self.armed
    }

    /// When [`Petting::judge`] must be called.
    #[must_use]
    pub const fn due(&self) -> Timestamp {
        self.next
    }

    /// Whether [`Petting::judge`] has anything to do.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next <= now
    }

    /// What is to be done now, with how the node is at this moment.
    pub fn judge(&mut self, now: Timestamp, duty: Duty) -> Option<Deed> {
        if !self.is_due(now) {
            return None;
        }
        let harmless = duty.may_run || !duty.runs || mutant("watchdog-petted-always");
        if harmless && !duty.condemned {
            self.safe = Some(now);
        }
        // Whoever has to wait looks more often, because what counts meanwhile resets the host.
        let soon = (self.times.timeout / 20).min(AGAIN);
        if !self.armed {
            let may_arm = self.safe == Some(now);
            self.next = now + if may_arm { AGAIN } else { soon };
            return may_arm.then_some(Deed::Arm);
        }
        let within = self.safe.is_some_and(|safe| now.since(safe) < self.times.stop);
        if within && !duty.condemned {
            self.next = now + self.times.timeout / 4;
            self.forsaken = false;
            return Some(Deed::Pet);
        }
        self.next = now + soon;
        (!std::mem::replace(&mut self.forsaken, true)).then_some(Deed::Forsake)
    }

    /// The device was opened and counts for `timeout`, which its driver may have rounded; or it could not be.
    pub fn armed(&mut self, now: Timestamp, timeout: Option<Duration>) {
        self.armed = timeout.is_some();
        if let Some(timeout) = timeout {
            self.times.timeout = timeout;
            self.next = now + timeout / 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { timeout: Duration::from_secs(10), stop: Duration::from_secs(15) };
    const RUNS: Duty = Duty { may_run: true, runs: true, condemned: false };
    const LOST: Duty = Duty { may_run: false, runs: true, condemned: false };
    const IDLE: Duty = Duty { may_run: false, runs: false, condemned: false };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn armed(duty: Duty) -> Petting {
        let mut petting = Petting::new(TIMES);
        assert_eq!(petting.judge(at(100), duty), Some(Deed::Arm));
        petting.armed(at(100), Some(TIMES.timeout));
        petting
    }

    /// What is done until `end`, with the second of each deed; looked at as often as it wants to be.
    fn deeds(petting: &mut Petting, end: u64, duty: impl Fn(u64) -> Duty) -> Vec<(u64, Deed)> {
        let mut all = Vec::new();
        while petting.due() <= at(end) {
            let now = petting.due();
            let second = now.as_nanos() / 1_000_000_000;
            all.extend(petting.judge(now, duty(second)).map(|deed| (second, deed)));
        }
        all
    }

    #[test]
    fn it_is_petted_four_times_in_its_time_while_the_node_may_run_what_it_runs() {
        let mut petting = armed(RUNS);
        let all = deeds(&mut petting, 200, |_| RUNS);
        assert_eq!(all.len(), 40);
        assert!(all.iter().all(|(_, deed)| *deed == Deed::Pet));
    }

    #[test]
    fn who_loses_the_right_is_petted_for_until_it_must_have_stopped_and_not_after_that() {
        let mut petting = armed(RUNS);
        let all = deeds(&mut petting, 200, |second| if second < 150 { RUNS } else { LOST });
        let last = all.iter().rfind(|(_, deed)| *deed == Deed::Pet).expect("it was petted").0;
        assert!((160..150 + 15).contains(&last), "the last time at {last}");
        assert_eq!(all.iter().filter(|(_, deed)| *deed == Deed::Forsake).count(), 1, "said once");
        // It is gone then, before anybody else counts on that.
        assert!(Duration::from_secs(last - 150) + TIMES.timeout < TIMES.gone_after(Duration::ZERO));
    }

    #[test]
    fn who_has_stopped_everything_in_time_is_not_reset_and_who_has_the_right_again_is_not() {
        for again in [IDLE, RUNS] {
            let mut petting = armed(RUNS);
            let all = deeds(&mut petting, 300, |second| match second {
                0..150 => RUNS,
                150..160 => LOST,
                _ => again,
            });
            assert!(all.iter().all(|(_, deed)| *deed == Deed::Pet), "{all:?}");
        }
        // Late is better than never: it is not reset as long as the time is not over.
        let mut petting = armed(RUNS);
        let all = deeds(&mut petting, 300, |second| if (150..168).contains(&second) { LOST } else { IDLE });
        let pets: Vec<u64> = all.iter().filter(|(_, deed)| *deed == Deed::Pet).map(|(second, _)| *second).collect();
        assert!(pets.windows(2).all(|pair| pair[1] - pair[0] < 10), "{all:?}");
    }

    #[test]
    fn a_node_that_found_something_running_arms_nothing_before_it_may_run_that() {
        let mut petting = Petting::new(TIMES);
        assert_eq!(petting.judge(at(1), LOST), None);
        assert!(petting.due() <= at(2), "it looks again soon");
        assert_eq!(petting.judge(at(2), RUNS), Some(Deed::Arm));
        petting.armed(at(2), None);
        assert_eq!((petting.judge(at(3), RUNS), petting.is_armed()), (None, false));
        assert_eq!(petting.judge(at(7), RUNS), Some(Deed::Arm), "it is tried again");
    }

    #[test]
    fn who_was_ordered_to_go_is_not_petted_for_whatever_else_is_so() {
        let mut petting = armed(RUNS);
        let all = deeds(&mut petting, 300, |second| Duty { condemned: second >= 120, ..IDLE });
        assert!(all.iter().all(|(second, deed)| *second < 120 || *deed == Deed::Forsake), "{all:?}");
    }
}
