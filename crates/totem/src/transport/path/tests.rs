//! Round trips and the search for the size that passes.

use super::*;

const SPACING: Duration = Duration::from_millis(50);

/// Runs the search on a path that carries `limit` bytes for `seconds` and returns the size found.
fn run(mtu: &mut Mtu, limit: u16, from: u64, seconds: u64) -> u16 {
    for tick in 0..seconds * 100 {
        let now = Timestamp::from_millis(from + tick * 10);
        if let Some(size) = mtu.poll(now, SPACING, true)
            && size <= limit
        {
            mtu.acknowledge(now, size);
        }
    }
    mtu.current
}

#[test]
fn the_largest_size_that_passes_is_found() {
    for (limit, found) in [(1452, 1452), (1420, 1400), (1250, 1200), (1200, 1200)] {
        let mut mtu = Mtu::new(1500);
        mtu.search(Timestamp::ZERO);
        assert_eq!(run(&mut mtu, limit, 0, 5), found, "limit {limit}");
    }
}

#[test]
fn a_path_that_narrows_falls_back_and_recovers_later() {
    let mut mtu = Mtu::new(9000);
    mtu.search(Timestamp::ZERO);
    assert_eq!(run(&mut mtu, 8952, 0, 2), 8952);
    mtu.verify(Timestamp::from_millis(3000));
    assert_eq!(run(&mut mtu, 1300, 3000, 1), DATAGRAM_FLOOR);
    assert_eq!(run(&mut mtu, 8952, 4000, 60), 8952);
}

#[test]
fn silence_of_the_path_is_no_reason_to_fall_back() {
    let mut mtu = Mtu::new(1500);
    mtu.search(Timestamp::ZERO);
    assert_eq!(run(&mut mtu, 1452, 0, 1), 1452);
    for tick in 0..6000 {
        mtu.poll(Timestamp::from_millis(1000 + tick * 10), SPACING, false);
    }
    assert_eq!(mtu.current, 1452);
}

#[test]
fn round_trips_are_smoothed() {
    let mut rtt = Rtt::default();
    for _ in 0..100 {
        rtt.sample(Duration::from_millis(10));
    }
    assert_eq!(rtt.smoothed(), Some(Duration::from_millis(10)));
    assert!(rtt.bound() < Duration::from_millis(11));
    rtt.sample(Duration::from_millis(90));
    assert!(rtt.bound() > Duration::from_millis(80));
}
