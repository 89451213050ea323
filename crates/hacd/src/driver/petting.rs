//! The watchdog of this host, petted by the cluster's thread: by the loop that decides whether this node may run anything, so that
//! it is not petted when that loop does not go round.

use std::time::Duration;

use hac_node::{Armed, Deed, Petting};
use hac_types::Timestamp;

use super::cluster::Thread;
use crate::clock;
use crate::watchdog::Device;

/// The device, and what decides about it.
pub(crate) struct Guard {
    petting: Petting,
    device: Device,
    /// It could not be petted, and that was said.
    troubled: bool,
}

impl Guard {
    pub(crate) const fn new(petting: Petting, device: Device) -> Self {
        Self { petting, device, troubled: false }
    }
}

impl Thread {
    /// How long the watchdog need not be looked at; `None` without one.
    pub(super) fn until_petted(&self, now: Timestamp) -> Option<Duration> {
        self.parts.guard.as_ref().map(|guard| guard.petting.due().since(now))
    }

    /// Pets it, if it is due and this node may run what it runs.
    pub(super) fn pet(&mut self) {
        let now = clock::now();
        let Some(guard) = self.parts.guard.as_mut().filter(|guard| guard.petting.is_due(now.mono)) else { return };
        let duty = self.parts.half.duty(now, self.shared.assurance());
        let told = match guard.petting.judge(now.mono, duty) {
            None => return,
            Some(Deed::Pet) => {
                let result = guard.device.pet();
                if let Err(why) = &result
                    && !std::mem::replace(&mut guard.troubled, true)
                {
                    tracing::error!(target: "hacd::watchdog", "{why}");
                }
                guard.troubled = result.is_err();
                return;
            }
            Some(Deed::Forsake) => {
                let seconds = guard.petting.times().timeout.as_secs();
                let why = if duty.condemned {
                    "this node was ordered to be reset"
                } else {
                    "this node has no right to run what it has not stopped"
                };
                tracing::error!(
                    target: "hacd::watchdog",
                    "{why}: the watchdog is not petted any more, and resets this host in {seconds} s unless that changes"
                );
                return;
            }
            Some(Deed::Arm) => match guard.device.start(guard.petting.times().timeout) {
                Ok(started) => {
                    guard.petting.armed(clock::now().mono, Some(started.timeout));
                    started.remarks.iter().for_each(|it| tracing::warn!(target: "hacd::watchdog", "{it}"));
                    Ok(Armed { device: started.device, times: guard.petting.times() })
                }
                Err(why) => {
                    guard.petting.armed(clock::now().mono, None);
                    Err(why)
                }
            },
        };
        let now = self.enter(hac_node::Input::Watchdog(told.clone()));
        self.parts.half.handle_watchdog(now, told);
        self.changed();
        self.perform_outputs();
    }

    /// The daemon ends. If nothing runs here that others may start, the watchdog is stopped; else it counts on, and resets this
    /// host unless another daemon opens it in time.
    pub(super) fn let_watchdog_go(&mut self) {
        let Some(guard) = self.parts.guard.as_mut().filter(|guard| guard.petting.is_armed()) else { return };
        if !self.parts.half.leaves_nothing(clock::now()) {
            let seconds = guard.petting.times().timeout.as_secs();
            tracing::error!(
                target: "hacd::watchdog",
                "hacd ends and something runs on: the watchdog resets this host in {seconds} s unless hacd is started before that"
            );
            return;
        }
        if let Err(why) = guard.device.stop() {
            tracing::error!(target: "hacd::watchdog", "{why}: it counts on");
        }
    }
}
