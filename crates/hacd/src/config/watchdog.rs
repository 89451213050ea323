//! `[watchdog]`: what resets this host when hacd does not go on.

use std::path::PathBuf;
use std::time::Duration;

use hac_node::Times;

use super::Checker;
use super::keys::Table;

/// Defaults of `timeout` and `stop`, milliseconds.
const TIMES: (u64, u64) = (10_000, 15_000);

/// A watchdog that is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watchdog {
    /// Where it is.
    pub(crate) device: PathBuf,
    /// Its times.
    pub(crate) times: Times,
}

impl Checker<'_> {
    /// The watchdog, if there is to be one. `token` is how long the ring may take to notice that it is over.
    pub(super) fn watchdog(&mut self, token: Duration) -> Option<Watchdog> {
        let section = self.document.section(Table::Watchdog);
        let device = section.text("device").map(PathBuf::from);
        let Some(device) = device else {
            for key in ["timeout", "stop"].into_iter().filter(|key| section.has(key)) {
                let what = "means nothing without watchdog.device, such as /dev/watchdog";
                self.warn(section.line_of(key), &format!("watchdog.{key}"), what);
            }
            return None;
        };
        if !crate::watchdog::is_kernel_device(&device) {
            let what = "is no watchdog of the kernel (/dev/watchdog, /dev/watchdog1): it resets this host only if what listens there does";
            self.warn(section.line_of("device"), "watchdog.device", what);
        }
        let time = |key, default| Duration::from_millis(section.number(key).unwrap_or(default));
        let times = Times { timeout: time("timeout", TIMES.0), stop: time("stop", TIMES.1) };
        let seconds = |time: Duration| time.as_millis().div_ceil(1000);
        if times.timeout <= token {
            let what = format!(
                "must be more than the {} s that the ring may take to lose a token (totem.token): this host would be reset for a \
                 silence that the others let pass",
                seconds(token)
            );
            self.report(section.line_of("timeout"), "watchdog.timeout", what);
        }
        if times.stop.saturating_mul(2) < times.timeout {
            let what = format!(
                "must be at least half of watchdog.timeout ({} s): how long this node had no right to run anything is known to a \
                 quarter of it",
                seconds(times.timeout)
            );
            self.report(section.line_of("stop"), "watchdog.stop", what);
        }
        if !times.timeout.as_millis().is_multiple_of(1000) {
            self.report(section.line_of("timeout"), "watchdog.timeout", "must be whole seconds: watchdogs count them");
        }
        Some(Watchdog { device, times })
    }
}
