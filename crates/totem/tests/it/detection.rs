//! How soon a dead node is noticed, and that a living one is not taken for dead.

use std::time::Duration;

use hac_totem::{Config, Guarantee, Timers};

use crate::checks::check;
use crate::net::{Net, config, ms};

/// Times from the crash of one of two nodes to the new view of the other.
fn detection_times(config: &Config, seeds: u64, weather: impl Fn(&mut Net)) -> Vec<Duration> {
    let mut times = Vec::new();
    for seed in 0..seeds {
        let mut net = Net::with_config(seed, config.clone());
        net.start_all();
        net.run_until_formed(ms(5000));
        weather(&mut net);
        let phase = net.random.below(700);
        net.run(ms(5000 + phase));
        let victim = 1 + u32::try_from(seed % 2).unwrap();
        net.crash(victim);
        times.push(net.run_until_ring(&[3 - victim], ms(10_000)));
    }
    times.sort_unstable();
    times
}

fn median(times: &[Duration]) -> Duration {
    times[times.len() / 2]
}

#[test]
fn the_documented_fast_profile_notices_in_a_tenth_of_a_second() {
    let mut config = config(2, 1);
    config.timers = Timers { ping: Some(ms(25)), silence_min: ms(80), ..Timers::default() };
    let times = detection_times(&config, 20, |_| {});
    assert!(median(&times) < ms(130), "{times:?}");
}

#[test]
fn detection_is_never_slower_than_token() {
    let storm = |net: &mut Net| {
        net.air.weather.loss = 300;
        net.air.weather.jitter = ms(400);
    };
    let times = detection_times(&config(2, 1), 10, storm);
    assert!(times[times.len() - 1] <= ms(3100), "{times:?}");
    let mut fixed = config(2, 1);
    fixed.timers.adaptive = false;
    let times = detection_times(&fixed, 10, |_| {});
    assert!(times[0] > ms(2800) && times[times.len() - 1] <= ms(3050), "{times:?}");
}

#[test]
fn a_token_of_300_ms_alone_is_a_bound_too() {
    let mut config = config(2, 1);
    config.timers.token = ms(300);
    let times = detection_times(&config, 10, |_| {});
    assert!(times[times.len() - 1] <= ms(310), "{times:?}");
}

/// Runs a pair for `minutes` and returns how often its membership changed.
fn changes(seed: u64, minutes: u64, mut disturb: impl FnMut(&mut Net)) -> usize {
    let mut net = Net::formed(seed, 2, 1);
    net.run(ms(3000));
    let end = net.now + Duration::from_secs(minutes * 60);
    while net.now < end {
        disturb(&mut net);
        net.run(ms(1000));
    }
    net.regular_views(1) + net.regular_views(2) - 2
}

#[test]
fn loss_of_five_percent_changes_nothing_in_ten_minutes() {
    assert_eq!(changes(1, 10, |net| net.air.weather.loss = 50), 0);
}

#[test]
fn jitter_of_200_ms_changes_nothing_in_ten_minutes() {
    assert_eq!(changes(2, 10, |net| net.air.weather.jitter = ms(200)), 0);
}

#[test]
fn a_pause_of_up_to_300_ms_every_second_changes_nothing_in_ten_minutes() {
    let pause = |net: &mut Net| {
        let node = 1 + u32::try_from(net.random.below(2)).unwrap();
        let (delay, time) = (net.random.below(400), net.random.below(301));
        net.run(ms(delay));
        net.pause(node, ms(time));
    };
    assert_eq!(changes(3, 10, pause), 0);
}

#[test]
fn a_peer_suspected_falsely_is_back_at_once_and_tolerated_longer() {
    let mut net = Net::formed(4, 2, 1);
    net.run(ms(3000));
    net.pause(2, ms(600));
    net.run(ms(600));
    assert_eq!(net.member_ids(1), [1]);
    let took = net.run_until_formed(ms(2000));
    assert!(took < ms(150), "{took:?}");
    net.run(ms(5000));
    let limit = net.hosts[&1].engine.as_ref().unwrap().links(net.now)[0].silence_limit;
    assert!(limit > ms(500), "{limit:?}");
    let stats = net.hosts[&1].engine.as_ref().unwrap().stats();
    assert_eq!((stats.suspicions, stats.false_suspicions), (1, 1));
    net.pause(2, ms(450));
    net.run(ms(3000));
    assert_eq!(net.regular_views(1), 3, "the same pause again would be tolerated");
    check(&net);
}

#[test]
fn a_peer_that_was_steady_for_long_is_back_at_once_again() {
    let mut net = Net::formed(5, 2, 1);
    net.run(ms(3000));
    let away = |net: &mut Net| {
        net.pause(2, ms(2500));
        net.run(ms(2500));
        net.run_until_formed(ms(10_000))
    };
    for _ in 0..4 {
        away(&mut net);
        net.run(ms(2000));
    }
    net.run(Duration::from_secs(660));
    let took = away(&mut net);
    assert_eq!(net.hosts[&1].engine.as_ref().unwrap().stats().false_suspicions, 5);
    assert!(took < ms(1000), "{took:?}");
}

#[test]
fn flapping_costs_a_bounded_number_of_views() {
    for period in [100, 350, 390, 500, 1000, 3000] {
        let mut net = Net::formed(period, 2, 1);
        net.run(ms(2000));
        let before = net.regular_views(1);
        for _ in 0..60_000 / (2 * period) {
            net.air.cut_pair(1, 2);
            net.run(ms(period));
            net.air.heal();
            net.run(ms(period));
        }
        let views = net.regular_views(1) - before;
        assert!(views <= 24, "period {period}: {views} views in a minute");
        net.run_until_formed(ms(15_000));
        assert!(net.send(1, vec![1], Guarantee::Safe));
        net.run(ms(500));
        assert_eq!(net.deliveries(2).len(), 1);
        check(&net);
    }
}

#[test]
fn round_trips_longer_than_what_is_tolerated_cause_no_storm_of_pings() {
    for adaptive in [true, false] {
        let mut config = config(2, 1);
        config.timers.token = ms(300);
        config.timers.adaptive = adaptive;
        let mut net = Net::with_config(1, config);
        net.start_all();
        net.run_until_formed(ms(5000));
        net.run(ms(2000));
        net.air.weather.jitter = ms(200);
        net.run(ms(10_000));
        let before: Vec<u64> = net.hosts.values().map(|host| host.transmitted).collect();
        net.run(ms(20_000));
        for (host, before) in net.hosts.values().zip(before) {
            let per_second = (host.transmitted - before) / 20;
            assert!(per_second < 100, "adaptive {adaptive}: {per_second} datagrams a second");
        }
        check(&net);
    }
}
