//! The service manager: starts daemons again by the rules of the unit that is shipped.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{Cluster, Error, Plan};

/// The unit.
const UNIT: &str = include_str!("../../../../systemd/hacd.service");
/// Signals whose deaths are clean ends; see systemd.service(5), `Restart=`.
const CLEAN: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::TERM, Signal::PIPE];

/// What the unit says of daemons that end.
#[derive(Debug, PartialEq, Eq)]
struct Rules {
    /// How long it waits before it starts one again.
    pause: Duration,
    /// Exit codes after which it does not.
    never: Vec<i32>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Manager {
    rules: Rules,
    /// How daemons ended, and how often; by host.
    ends: Mutex<BTreeMap<(usize, String), u32>>,
}

impl Manager {
    /// With the rules of the unit.
    ///
    /// # Errors
    /// When the unit has other rules than those that are known here.
    pub(super) fn new() -> Result<Self, Error> {
        let rules =
            Rules::read(UNIT).ok_or_else(|| Error::Invalid("hacd.service has rules of another kind".to_owned()))?;
        Ok(Self { rules, ends: Mutex::default() })
    }

    /// Starts what ends, until all is over.
    pub(super) fn manage(&self, cluster: &Cluster, ended: &AtomicBool) {
        let hosts = cluster.lab().hosts().len();
        // When each ended that is to be started again; none of one that runs, or is left alone.
        let mut due: Vec<Option<Instant>> = vec![None; hosts];
        let mut noted = vec![false; hosts];
        while !ended.load(Ordering::Relaxed) {
            for (host, (due, noted)) in (1..).zip(due.iter_mut().zip(&mut noted)) {
                let Ok(Some(status)) = cluster.host(host).ended("hacd") else {
                    (*due, *noted) = (None, false);
                    continue;
                };
                if !*noted {
                    *noted = true;
                    self.note(host, status);
                    *due = self.rules.restarts(status).then(|| Instant::now() + self.rules.pause);
                }
                if due.is_some_and(|due| due <= Instant::now()) {
                    // It may have been started by somebody else meanwhile, or its host be off.
                    let _ = cluster.start(host);
                }
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn note(&self, host: usize, status: ExitStatus) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        *ends.entry((host, status.to_string())).or_default() += 1;
    }

    /// How daemons ended.
    pub(super) fn told(&self) -> String {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = ends.iter().map(|((host, how), times)| format!("{} {times} times: {how}", Plan::name(*host)));
        lines.collect::<Vec<_>>().join("; ")
    }
}

impl Rules {
    fn read(unit: &str) -> Option<Self> {
        let value = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        // Nothing is given up because it fails often, and nothing that ends as it should is started again.
        if value("Restart") != Some("on-failure") || value("StartLimitIntervalSec") != Some("0") {
            return None;
        }
        let never = value("RestartPreventExitStatus")?.split_whitespace().map(|code| code.parse().ok());
        Some(Self {
            pause: Duration::from_secs(value("RestartSec")?.parse().ok()?),
            never: never.collect::<Option<_>>()?,
        })
    }

    /// Whether a daemon that ended so is started again.
    fn restarts(&self, status: ExitStatus) -> bool {
        match (status.code(), status.signal()) {
            (Some(code), _) => code != 0 && !self.never.contains(&code),
            (None, signal) => !CLEAN.iter().any(|clean| signal == Some(clean.as_raw())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_that_is_shipped_starts_again_what_failed() {
        let rules = Rules::read(UNIT).expect("known rules");
        assert_eq!(rules, Rules { pause: Duration::from_secs(1), never: vec![78, 100] });
        let exit = |code: i32| ExitStatus::from_raw(code << 8);
        for (status, again) in [
            (exit(0), false),
            (exit(71), true),
            (exit(78), false),
            (exit(100), false),
            (ExitStatus::from_raw(Signal::KILL.as_raw()), true),
            (ExitStatus::from_raw(Signal::ABORT.as_raw()), true),
            (ExitStatus::from_raw(Signal::TERM.as_raw()), false),
        ] {
            assert_eq!(rules.restarts(status), again, "{status}");
        }
        assert_eq!(Rules::read("Restart=always\n"), None);
    }
}
