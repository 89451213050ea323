//! What the service manager is told: that the daemon is ready, how it stands, that its threads go round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hac_node::{Report, SyncState};
use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::cluster::Thread;
use crate::clock;

/// How often the status is told anew where there is no watchdog.
const STATUS: Duration = Duration::from_secs(30);

/// Tells the service manager, when the ring's thread has answered the cluster's thread: one of them that hangs does not
/// beat.
pub(super) struct Watchdog {
    period: Duration,
    /// Telling may block, so it is done elsewhere.
    workers: Handle,
    telling: Arc<AtomicBool>,
    status: String,
}

impl Watchdog {
    pub(super) fn start(workers: Handle) -> Self {
        let period = sd_notify::watchdog_enabled().map_or(STATUS, |limit| (limit / 3).min(STATUS));
        let period = period.max(Duration::from_millis(10));
        Self { period, workers, telling: Arc::default(), status: String::new() }
    }

    /// When the threads are asked.
    pub(super) fn interval(&self) -> Interval {
        let mut interval = interval(self.period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }

    fn tell(&mut self, status: String) {
        if self.telling.swap(true, Ordering::SeqCst) {
            return;
        }
        let telling = Arc::clone(&self.telling);
        let news = (status != self.status).then(|| status.clone());
        self.status = status;
        self.workers.spawn_blocking(move || {
            let _ = match &news {
                Some(status) => sd_notify::notify(&[NotifyState::Watchdog, NotifyState::Status(status)]),
                None => sd_notify::notify(&[NotifyState::Watchdog]),
            };
            telling.store(false, Ordering::SeqCst);
        });
    }
}

/// Tells that the daemon serves. There may be no service manager, so all errors are ignored.
pub(crate) fn ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// Tells that the daemon begins to leave.
pub(super) fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

impl Thread {
    /// Tells that both threads go round, and how things stand if that changed.
    pub(super) fn report_to_service_manager(&mut self) {
        let status = sentence(&self.parts.half.report(clock::now()));
        self.watchdog.tell(status);
    }
}

/// How the node stands, in one line.
fn sentence(report: &Report) -> String {
    let members: Vec<&str> = report
        .members
        .iter()
        .filter(|member| member.state == hac_node::MemberState::Joined)
        .map(|member| member.name.as_str())
        .collect();
    let state = match report.sync {
        SyncState::Joining => "joining",
        SyncState::Syncing => "synchronising",
        SyncState::Active => "active",
        SyncState::Leaving => "handing resources over",
        SyncState::Stopped => "left",
    };
    let quorum = match &report.quorum.waiting_for {
        _ if report.quorum.quorate => "with quorum".to_owned(),
        Some(whom) => format!("without quorum, {whom}"),
        None => "without quorum".to_owned(),
    };
    let dc = report.dc.as_deref().unwrap_or("NONE");
    format!("{} is {state}, {quorum}; members: {}; DC: {dc}", report.name, members.join(" "))
}
