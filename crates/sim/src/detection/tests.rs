//! What `docs/protocol.md` promises of the detector, in simulated time.

use super::*;

fn setting(name: &str) -> Setting {
    settings().into_iter().find(|setting| setting.name.starts_with(name)).expect("a setting")
}

fn circumstance(name: &str) -> Circumstance {
    circumstances().into_iter().find(|circumstance| circumstance.name.starts_with(name)).expect("a circumstance")
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn by_default_a_death_is_noticed_in_400_ms_and_pauses_of_300_ms_are_none() {
    let curve = measure(&setting("default"), &circumstance("pauses"), 20, HOUR / 4).expect("forms");
    assert_eq!((curve.suspicions, curve.changes), (0, 0), "{curve:?}");
    let curve = measure(&setting("default"), &circumstance("idle"), 20, HOUR / 4).expect("forms");
    assert_eq!((curve.suspicions, curve.changes), (0, 0), "{curve:?}");
    assert!(curve.noticed[10] < Duration::from_millis(400), "{curve:?}");
}

#[test]
fn the_fast_profile_notices_a_death_in_130_ms() {
    let curve = measure(&setting("fast"), &circumstance("idle"), 20, HOUR / 4).expect("forms");
    assert!(curve.noticed[19] <= Duration::from_millis(130), "{curve:?}");
    assert_eq!((curve.suspicions, curve.changes), (0, 0), "{curve:?}");
}

#[test]
fn no_setting_takes_longer_than_token() {
    for setting in settings() {
        for circumstance in circumstances() {
            let curve = measure(&setting, &circumstance, 3, Duration::ZERO).expect("forms");
            let slowest = curve.noticed.last().copied().expect("three deaths");
            let pause = circumstance.pauses.map_or(Duration::ZERO, |(longest, _)| longest);
            // What was on its way when the host died may still come, and the survivor itself may be paused.
            let limit = setting.timers.token + circumstance.weather.jitter + pause + STEP;
            assert!(slowest <= limit, "{} in {}: {slowest:?}", setting.name, circumstance.name);
        }
    }
}
