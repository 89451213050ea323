//! What the service manager is told: that the daemon is ready, how it stands, that its loop goes round.

use std::time::Duration;

use hac_node::{Report, SyncState};
use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Driver;
use crate::clock;

/// How often the status is told anew where there is no watchdog.
const STATUS: Duration = Duration::from_secs(30);

/// Beats in the driver's loop: a loop that hangs does not beat.
pub(super) struct Watchdog {
    interval: Interval,
}

impl Watchdog {
    pub(super) fn start() -> Self {
        let period = sd_notify::watchdog_enabled().map_or(STATUS, |limit| (limit / 3).min(STATUS));
        let mut interval = interval(period.max(Duration::from_millis(10)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval }
    }

    /// Waits for the next beat. Safe to be dropped.
    pub(super) async fn beat(&mut self) {
        self.interval.tick().await;
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

impl Driver {
    /// Tells that the loop goes round, and how things stand if that changed.
    pub(super) fn report_to_service_manager(&mut self) {
        let status = sentence(&self.parts.node.report(clock::now()));
        if status == self.status {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        } else {
            let _ = sd_notify::notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
            self.status = status;
        }
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
