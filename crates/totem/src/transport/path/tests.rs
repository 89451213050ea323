//! Round trips and the search for the size that passes.

use super::*;

const SPACING: Duration = Duration::from_millis(50);

/// On a path that answers at once.
fn answers(now: Timestamp, in_a_row: u32) -> Answers {
    Answers { spacing: SPACING, alive: true, in_a_row, ping: Some(now) }
}

/// Runs the search on a path that carries `limit` bytes for `seconds` and returns the size found.
fn run(mtu: &mut Mtu, limit: u16, from: u64, seconds: u64) -> u16 {
    for tick in 0..seconds * 100 {
        let now = Timestamp::from_millis(from + tick * 10);
        if let Some(size) = mtu.poll(now, answers(now, 1))
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
fn a_path_that_does_not_carry_the_smallest_size_is_too_narrow_until_it_does() {
    let mut mtu = Mtu::new(1500);
    mtu.search(Timestamp::ZERO);
    assert_eq!((run(&mut mtu, 1199, 0, 2), mtu.narrow), (DATAGRAM_FLOOR, true));
    assert_eq!((run(&mut mtu, 1199, 2000, 60), mtu.narrow), (DATAGRAM_FLOOR, true));
    run(&mut mtu, 1300, 62_000, 2);
    assert!(!mtu.narrow, "soon after it has become wider");
    assert_eq!(run(&mut mtu, 1300, 64_000, 60), 1300);
    mtu.fall_back(Timestamp::from_millis(130_000));
    assert_eq!((run(&mut mtu, 800, 130_000, 1), mtu.narrow), (DATAGRAM_FLOOR, true), "soon after it has narrowed");
}

#[test]
fn where_much_is_lost_more_probes_are_needed() {
    let at = |tick: u64| Timestamp::from_millis(tick * 50);
    let mut mtu = Mtu::new(1500);
    mtu.fall_back(Timestamp::ZERO);
    let sent = (0..100).filter(|tick| mtu.poll(at(*tick), answers(at(*tick), 20)).is_some()).count();
    assert!(mtu.narrow);
    assert!(sent >= 20, "{sent}");
    let mut mtu = Mtu::new(1500);
    mtu.fall_back(Timestamp::ZERO);
    let polls = (0..19).filter(|tick| mtu.poll(at(*tick), answers(at(*tick), 20)).is_some());
    assert_eq!((polls.count(), mtu.narrow), (19, false));
}

#[test]
fn where_small_datagrams_do_not_pass_either_nothing_is_said_of_sizes() {
    let mut mtu = Mtu::new(1500);
    mtu.fall_back(Timestamp::from_millis(500));
    let mut sent = 0;
    for tick in 0..2000 {
        let now = Timestamp::from_millis(500 + tick * 10);
        let silent = Answers { ping: Some(Timestamp::from_millis(490)), ..answers(now, 1) };
        sent += u32::from(mtu.poll(now, silent).is_some());
    }
    assert!(!mtu.narrow);
    assert!(sent < 40, "{sent}");
}

#[test]
fn an_outage_is_not_held_against_the_path_when_it_answers_again() {
    let at = Timestamp::from_millis;
    let mut mtu = Mtu::new(1500);
    mtu.fall_back(at(0));
    // All probes are lost, and then the path is down for a while.
    for tick in 0..10 {
        mtu.poll(at(tick * 50), Answers { ping: Some(at(0)), ..answers(at(0), 1) });
    }
    mtu.poll(at(1000), Answers { alive: false, ..answers(at(0), 1) });
    let size = mtu.poll(at(20_000), answers(at(20_000), 1));
    assert!(size.is_some(), "it is probed anew");
    assert!(!mtu.narrow);
}

#[test]
fn probes_lost_in_a_short_outage_between_two_answers_are_one() {
    let at = Timestamp::from_millis;
    let mut mtu = Mtu::new(1500);
    mtu.fall_back(at(0));
    // The path is never counted as down, but nothing passes for half a second: the pings that were answered were sent
    // just after the first probe and after the outage.
    for tick in 0..100 {
        let now = at(tick * 10);
        let ping = if tick < 50 { at(10) } else { now };
        let probe = mtu.poll(now, Answers { ping: Some(ping), ..answers(now, 1) });
        if let Some(size) = probe.filter(|_| tick >= 50) {
            mtu.acknowledge(now, size);
        }
        assert!(!mtu.narrow, "after {tick} ticks");
    }
}

#[test]
fn hints_make_the_size_be_checked_once_a_second() {
    let mut mtu = Mtu::new(1500);
    mtu.search(Timestamp::ZERO);
    run(&mut mtu, 1452, 0, 1);
    let mut probes = 0;
    for tick in 0..1000 {
        let now = Timestamp::from_millis(1000 + tick);
        mtu.hint(now);
        if let Some(size) = mtu.poll(now, answers(now, 1)) {
            probes += 1;
            mtu.acknowledge(now, size);
        }
    }
    assert_eq!((probes, mtu.current), (1, 1452));
}

#[test]
fn silence_of_the_path_is_no_reason_to_fall_back() {
    let mut mtu = Mtu::new(1500);
    mtu.search(Timestamp::ZERO);
    assert_eq!(run(&mut mtu, 1452, 0, 1), 1452);
    for tick in 0..6000 {
        let now = Timestamp::from_millis(1000 + tick * 10);
        mtu.poll(now, Answers { alive: false, ..answers(now, 1) });
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
