//! The clocks of this host.

use std::time::{SystemTime, UNIX_EPOCH};

use hac_node::Now;
use hac_types::{Timestamp, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Reads both clocks: `CLOCK_BOOTTIME`, which goes on while the host is suspended, and the wall clock.
pub(crate) fn now() -> Now {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Now { mono: Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)), wall: wall() }
}

/// Reads the wall clock.
pub(crate) fn wall() -> WallTime {
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    WallTime(millis)
}
