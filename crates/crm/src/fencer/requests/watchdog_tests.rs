//! The watchdog of a node as a device: the time is waited for, whatever else is said of delays.

use super::tests::{asked, carry_out, down, failed, offer, scene};
use super::*;

const WAIT: Duration = Duration::from_secs(40);

fn watchdog(nodes: &[&str]) -> Offer {
    Offer { waits: Some(WAIT), stays_off: true, ..offer("watchdog", nodes, nodes) }
}

#[test]
fn the_watchdog_of_level_two_is_waited_for_after_level_one_has_failed() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Reboot);
    let offers = vec![offer("ipmi", &["a"], &[]), offer("pdu", &["a"], &[]), watchdog(&["a", "b"])];
    let scene = scene(&["a", "b"], offers, &[&["ipmi", "pdu"], &["watchdog"]]);
    let mut waited = Vec::new();
    let (tried, end) = carry_out(&mut requests, id, &scene, |attempt| {
        waited.push(attempt.delay_ms);
        if attempt.device == "watchdog" { How::Done } else { failed() }
    });
    assert_eq!(tried, ["off ipmi on a", "reboot watchdog on a"], "one failure ends the first level");
    assert_eq!((waited, end), (vec![0, 40_000], down("x")));
}

#[test]
fn without_topology_every_device_comes_before_it_and_nobody_forbids_the_wait() {
    let (mut requests, id) = asked(&["a", "x"], "x", FenceAction::Off);
    requests.forbid_delays(id);
    let scene = scene(&["a", "x"], vec![watchdog(&["a"]), offer("ipmi", &["a"], &[])], &[]);
    let mut waited = Vec::new();
    let (tried, end) = carry_out(&mut requests, id, &scene, |attempt| {
        waited.push(attempt.delay_ms);
        if attempt.device == "watchdog" { How::Done } else { How::Unable }
    });
    assert_eq!(tried, ["off ipmi on a", "off watchdog on a"]);
    assert_eq!((waited, end), (vec![0, 40_000], down("x")));
}

#[test]
fn who_waits_and_is_lost_is_replaced_by_one_that_waits_all_over_again() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Off);
    let scene = scene(&["a", "b"], vec![watchdog(&["a", "b"])], &[]);
    let Some(step @ Step::Begun { .. }) = requests.next(id, &scene) else { panic!("nothing begins") };
    requests.apply(step, WallTime::from_secs(1));
    requests.members_are(["b".to_owned()].into());
    let Some(Step::Begun { attempt, .. }) = requests.next(id, &Scene { members: ["b".to_owned()].into(), ..scene })
    else {
        panic!("nobody goes on")
    };
    assert_eq!((attempt.by.as_str(), attempt.delay_ms), ("b", 40_000));
}

#[test]
fn it_lets_nobody_in_and_of_whom_it_is_not_counted_on_the_reason_says_why() {
    let (mut requests, id) = asked(&["a", "x"], "x", FenceAction::On);
    let with = scene(&["a", "x"], vec![watchdog(&["a"])], &[]);
    assert_eq!(carry_out(&mut requests, id, &with, |_| How::Done).0, Vec::<String>::new());
    let (mut requests, id) = asked(&["a"], "x", FenceAction::Off);
    let unwatched = Some("x has not said that it has armed a watchdog".to_owned());
    let without = Scene { unwatched, ..scene(&["a"], Vec::new(), &[]) };
    let (_, end) = carry_out(&mut requests, id, &without, |_| How::Done);
    assert!(matches!(end, Some(Consequence::Failed { nobody: true, .. })));
    let Some(Record { end: End::Failed { reason, .. }, .. }) = requests.history.last() else { panic!("no record") };
    assert_eq!(reason, "no fence device can reach x, and x has not said that it has armed a watchdog");
}

#[test]
fn who_was_waited_for_is_down_and_no_survivor_if_it_is_back_in_the_same_life() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Off);
    requests.lives = [("x".to_owned(), 1)].into();
    requests.members_are(["a", "b", "x"].map(str::to_owned).into());
    requests.members_are(["a", "b"].map(str::to_owned).into());
    // The plan wants it still.
    let wanted = requests.running[0].wanted.clone();
    assert_eq!(requests.apply(Step::Wanted(wanted.clone()), WallTime::from_secs(1)), Some(Consequence::UnderWay(id)));
    let scene = scene(&["a", "b"], vec![watchdog(&["a", "b"])], &[]);
    assert_eq!(carry_out(&mut requests, id, &scene, |_| How::Done).1, down("x"));
    assert_eq!((requests.waited.get("x"), requests.has_ended("x", 1)), (Some(&1), false));
    let plans = Wanted { client: A_PLAN.to_owned(), ..wanted };
    assert_eq!(
        requests.apply(Step::Wanted(plans.clone()), WallTime::from_secs(1)),
        down("x"),
        "it is not waited for twice"
    );
    requests.members_are(["a", "b", "x"].map(str::to_owned).into());
    assert!(requests.survivors.is_empty() && requests.waited.is_empty());
    // Lost once more, it is waited for once more.
    requests.members_are(["a", "b"].map(str::to_owned).into());
    assert!(matches!(requests.apply(Step::Wanted(plans), WallTime::from_secs(1)), Some(Consequence::UnderWay(_))));
}
