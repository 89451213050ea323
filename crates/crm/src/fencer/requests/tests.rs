//! Requests driven as a coordinator drives them, with devices that answer as the test says.

use std::ops::Deref;

use super::*;

/// Requests, and the members of the view.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cluster {
    requests: Requests,
    members: BTreeSet<String>,
    /// Lives of members, where they are known.
    pub(super) lives: BTreeMap<String, u64>,
}

impl Cluster {
    pub(super) fn members_are(&mut self, members: BTreeSet<String>) {
        self.requests.members_changed(&self.members, &members, &self.lives);
        self.members = members;
    }

    /// Whoever asked wants no delay at all.
    pub(super) fn forbid_delays(&mut self, id: u64) {
        let request = self.requests.running.iter_mut().find(|request| request.id == id).expect("a request");
        request.wanted.delay_s = None;
    }

    pub(super) fn apply(&mut self, step: Step, wall: WallTime) -> Option<Consequence> {
        self.requests.apply(step, &self.members, wall)
    }
}

impl Deref for Cluster {
    type Target = Requests;

    fn deref(&self) -> &Requests {
        &self.requests
    }
}

const WALL: WallTime = WallTime::from_secs(1_000);

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn offer(device: &str, nodes: &[&str], verified: &[&str]) -> Offer {
    Offer { device: device.to_owned(), nodes: names(nodes), verified: names(verified), ..Offer::default() }
}

pub(super) fn scene(members: &[&str], offers: Vec<Offer>, levels: &[&[&str]]) -> Scene {
    let levels = levels.iter().map(|level| level.iter().map(|device| (*device).to_owned()).collect()).collect();
    Scene { members: names(members), offers, levels, key: "key".to_owned(), unwatched: None }
}

fn wanted(target: &str, action: FenceAction) -> Wanted {
    let (client, origin) = ("te".to_owned(), "a".to_owned());
    Wanted { target: target.to_owned(), action, client, origin, delay_s: Some(0), ..Wanted::default() }
}

/// A cluster of these members in which `target` is to be fenced, and the number of the request.
pub(super) fn asked(members: &[&str], target: &str, action: FenceAction) -> (Cluster, u64) {
    let mut requests = Cluster::default();
    requests.members_are(names(members));
    let Some(Consequence::UnderWay(id)) = requests.apply(Step::Wanted(wanted(target, action)), WALL) else {
        panic!("not under way")
    };
    (requests, id)
}

/// Carries a request out to its end; `answer` is what each attempt comes to. What was tried, and what followed.
pub(super) fn carry_out(
    requests: &mut Cluster,
    id: u64,
    scene: &Scene,
    mut answer: impl FnMut(&Attempt) -> How,
) -> (Vec<String>, Option<Consequence>) {
    let mut tried = Vec::new();
    for _ in 0..100 {
        let Some(step) = requests.next(id, scene) else { panic!("nothing to do") };
        let Step::Begun { turn, attempt, .. } = step.clone() else {
            return (tried, requests.apply(step, WALL));
        };
        tried.push(format!("{} {} on {}", attempt.action, attempt.device, attempt.by));
        requests.apply(step, WALL);
        assert_eq!(requests.next(id, scene), None, "one attempt at a time");
        requests.apply(Step::Ended { request: id, turn: turn + 1, key: "key".to_owned(), how: answer(&attempt) }, WALL);
    }
    panic!("no end: {tried:?}")
}

pub(super) fn down(node: &str) -> Option<Consequence> {
    Some(Consequence::Down(node.to_owned()))
}

pub(super) fn failed() -> How {
    How::Failed("no".to_owned())
}

#[test]
fn a_node_where_the_agent_was_seen_to_work_comes_first_and_the_target_is_never_asked() {
    let (mut requests, id) = asked(&["a", "b", "c", "x"], "x", FenceAction::Off);
    let scene = scene(&["a", "b", "c", "x"], vec![offer("d", &["a", "b", "c", "x"], &["c", "x"])], &[]);
    let (tried, end) = carry_out(&mut requests, id, &scene, |_| failed());
    assert_eq!(tried, ["off d on c", "off d on a", "off d on b"]);
    assert_eq!(
        end,
        Some(Consequence::Failed { target: "x".to_owned(), action: FenceAction::Off, failures: 1, nobody: false })
    );
}

#[test]
fn the_target_shoots_itself_only_if_it_is_alone_and_never_switches_itself_on() {
    let devices = || vec![offer("d", &["x"], &["x"])];
    let (mut requests, id) = asked(&["x"], "x", FenceAction::Off);
    assert_eq!(
        carry_out(&mut requests, id, &scene(&["x"], devices(), &[]), |_| How::Done),
        (vec!["off d on x".to_owned()], down("x"))
    );
    for (members, action) in [(&["a", "x"][..], FenceAction::Off), (&["x"][..], FenceAction::On)] {
        let (mut requests, id) = asked(members, "x", action);
        let (tried, end) = carry_out(&mut requests, id, &scene(members, devices(), &[]), |_| How::Done);
        assert_eq!(tried, Vec::<String>::new());
        assert_eq!(end, Some(Consequence::Failed { target: "x".to_owned(), action, failures: 1, nobody: true }));
    }
}

#[test]
fn without_topology_a_node_tries_all_its_devices_and_one_success_is_enough() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Reboot);
    let scene = scene(&["a", "b"], vec![offer("d1", &["a", "b"], &[]), offer("d2", &["b"], &[])], &[]);
    let (tried, end) =
        carry_out(&mut requests, id, &scene, |attempt| if attempt.by == "b" { failed() } else { How::Done });
    assert_eq!(tried, ["reboot d1 on b", "reboot d2 on b", "reboot d1 on a"], "who has more devices comes first");
    assert_eq!(end, down("x"));
}

#[test]
fn a_device_that_does_not_answer_ends_the_request_where_there_is_no_topology() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Off);
    let scene = scene(&["a", "b"], vec![offer("d", &["a", "b"], &[])], &[]);
    let (tried, end) = carry_out(&mut requests, id, &scene, |_| How::TimedOut);
    assert_eq!(tried.len(), 1);
    assert!(matches!(end, Some(Consequence::Failed { nobody: false, .. })));
}

#[test]
fn who_is_lost_is_replaced_at_once_and_its_late_answer_does_not_count() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Off);
    let offers = || vec![offer("d", &["a", "b"], &["a"])];
    let first = requests.next(id, &scene(&["a", "b"], offers(), &[])).expect("an attempt");
    requests.apply(first.clone(), WALL);
    let Step::Begun { turn, attempt, .. } = first else { panic!("{first:?}") };
    assert_eq!(attempt.by, "a");
    requests.members_are(names(&["b"]));
    requests.apply(Step::Ended { request: id, turn: turn + 1, key: "key".to_owned(), how: How::Done }, WALL);
    let (tried, end) = carry_out(&mut requests, id, &scene(&["b"], offers(), &[]), |_| How::Done);
    assert_eq!((tried, end), (vec!["off d on b".to_owned()], down("x")));
}

#[test]
fn what_came_of_an_attempt_of_another_side_of_a_cut_answers_none_of_this_one() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Off);
    let scene = scene(&["a", "b"], vec![offer("d", &["a", "b"], &[])], &[]);
    let step = requests.next(id, &scene).expect("an attempt");
    requests.apply(step, WALL);
    let before = requests.clone();
    requests.apply(Step::Ended { request: id, turn: 1, key: "another".to_owned(), how: How::Done }, WALL);
    assert_eq!(requests, before);
}

#[test]
fn two_coordinators_that_propose_the_same_step_take_it_once() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Off);
    let scene = scene(&["a", "b"], vec![offer("d", &["a", "b"], &[])], &[]);
    let step = requests.next(id, &scene).expect("an attempt");
    requests.apply(step.clone(), WALL);
    let once = requests.clone();
    requests.apply(step, WALL);
    assert_eq!(requests, once);
    let end = Step::Over { request: id, turn: 0, end: End::Succeeded };
    assert_eq!(requests.apply(end, WALL), None, "out of turn");
    assert_eq!(requests.running.len(), 1);
}

#[test]
fn a_level_needs_all_its_devices_and_the_next_one_follows_a_failure() {
    let (mut requests, id) = asked(&["a"], "x", FenceAction::Off);
    let offers = || vec![offer("d1", &["a"], &[]), offer("d2", &["a"], &[]), offer("d3", &["a"], &[])];
    let scene = scene(&["a"], offers(), &[&["d1", "d2"], &["gone"], &["d3"]]);
    let (tried, end) =
        carry_out(&mut requests, id, &scene, |attempt| if attempt.device == "d2" { How::TimedOut } else { How::Done });
    assert_eq!(tried, ["off d1 on a", "off d2 on a", "off d3 on a"]);
    assert_eq!(end, down("x"));
}

#[test]
fn a_reboot_with_several_devices_is_off_with_all_and_then_on_which_may_fail() {
    let (mut requests, id) = asked(&["a"], "x", FenceAction::Reboot);
    let mut offers = vec![offer("d1", &["a"], &[]), offer("d2", &["a"], &[]), offer("d3", &["a"], &[])];
    offers[1].stays_off = true;
    let scene = scene(&["a"], offers, &[&["d1", "d2", "d3"]]);
    let (tried, end) =
        carry_out(
            &mut requests,
            id,
            &scene,
            |attempt| {
                if attempt.action == FenceAction::On { failed() } else { How::Done }
            },
        );
    assert_eq!(tried, ["off d1 on a", "off d2 on a", "off d3 on a", "on d1 on a", "on d3 on a"]);
    assert_eq!(end, down("x"));
}

#[test]
fn the_next_level_reboots_again_and_a_lost_node_costs_no_level() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Reboot);
    let offers = vec![offer("d1", &["a"], &[]), offer("d2", &["a"], &[]), offer("d3", &["a", "b"], &["a"])];
    let scene = scene(&["a", "b"], offers, &[&["d1", "d2"], &["d3"]]);
    let (tried, end) = carry_out(&mut requests, id, &scene, |attempt| match attempt.device.as_str() {
        "d1" => failed(),
        _ if attempt.by == "a" => How::Lost,
        _ => How::Done,
    });
    assert_eq!(tried, ["off d1 on a", "reboot d3 on a", "reboot d3 on b"]);
    assert_eq!(end, down("x"));
}

#[test]
fn the_asked_delay_counts_once_the_devices_every_time_and_minus_one_forbids_both() {
    let delays = |delay_s| {
        let mut requests = Cluster::default();
        requests.members_are(names(&["a"]));
        let wanted = Wanted { delay_s, ..wanted("x", FenceAction::Off) };
        requests.apply(Step::Wanted(wanted), WALL);
        let with = |device| Offer { delay: Duration::from_secs(2), ..offer(device, &["a"], &[]) };
        let scene = scene(&["a"], vec![with("d1"), with("d2")], &[]);
        let mut waits = Vec::new();
        carry_out(&mut requests, 1, &scene, |attempt| {
            waits.push(attempt.delay_ms);
            failed()
        });
        waits
    };
    assert_eq!(delays(Some(5)), [7_000, 2_000]);
    assert_eq!(delays(None), [0, 0]);
}

#[test]
fn who_asks_for_the_same_joins_and_a_recent_success_is_enough_only_while_the_node_is_away() {
    let (mut requests, id) = asked(&["a"], "x", FenceAction::Off);
    let again = Wanted { client: "admin".to_owned(), tolerance_s: 60, ..wanted("x", FenceAction::Off) };
    assert_eq!(requests.apply(Step::Wanted(again.clone()), WALL), Some(Consequence::UnderWay(id)));
    assert_eq!(requests.running[0].joined, ["admin"]);
    let scene = scene(&["a"], vec![offer("d", &["a"], &[])], &[]);
    assert_eq!(carry_out(&mut requests, id, &scene, |_| How::Done).1, down("x"));
    assert_eq!(requests.apply(Step::Wanted(again.clone()), WallTime::from_secs(1_060)), down("x"));
    let late = requests.clone().apply(Step::Wanted(again.clone()), WallTime::from_secs(1_061));
    assert_eq!(late, Some(Consequence::UnderWay(2)));
    requests.members_are(names(&["a", "x"]));
    assert_eq!(requests.apply(Step::Wanted(again), WALL), Some(Consequence::UnderWay(2)), "it is back");
}

#[test]
fn a_success_says_nothing_of_a_life_that_began_after_the_attempt() {
    let (mut requests, id) = asked(&["a"], "x", FenceAction::Off);
    let scene = scene(&["a"], vec![offer("d", &["a"], &[])], &[]);
    let step = requests.next(id, &scene).expect("an attempt");
    requests.apply(step, WALL);
    requests.members_are(names(&["a", "x"]));
    requests.apply(Step::Ended { request: id, turn: 1, key: "key".to_owned(), how: How::Done }, WALL);
    let over = requests.next(id, &scene).expect("an end");
    assert_eq!(requests.apply(over, WALL), Some(Consequence::Outlived("x".to_owned())));
}

#[test]
fn failures_in_a_row_are_counted_until_a_success_or_until_the_node_joins() {
    let (mut requests, mut id) = asked(&["a"], "x", FenceAction::Off);
    let scene = scene(&["a"], vec![offer("d", &["a"], &[])], &[]);
    for times in 1..=3 {
        carry_out(&mut requests, id, &scene, |_| failed());
        assert_eq!(requests.failures("x"), times);
        requests.apply(Step::Wanted(wanted("x", FenceAction::Off)), WALL);
        id += 1;
    }
    requests.members_are(names(&["a", "x"]));
    assert_eq!(requests.failures("x"), 0);
    carry_out(&mut requests, id, &scene, |_| failed());
    requests.apply(Step::Wanted(wanted("x", FenceAction::Off)), WALL);
    carry_out(&mut requests, id + 1, &scene, |_| How::Done);
    assert_eq!(requests.failures("x"), 0);
}

#[test]
fn what_a_device_cannot_do_is_no_attempt_and_a_reason_names_what_was_tried() {
    let (mut requests, id) = asked(&["a", "b"], "x", FenceAction::Off);
    let scene = scene(&["a", "b"], vec![offer("d", &["a"], &[])], &[]);
    let (_, end) = carry_out(&mut requests, id, &scene, |_| How::Unable);
    assert_eq!(
        end,
        Some(Consequence::Failed { target: "x".to_owned(), action: FenceAction::Off, failures: 1, nobody: true })
    );
    requests.apply(Step::Wanted(wanted("x", FenceAction::Off)), WALL);
    carry_out(&mut requests, id + 1, &scene, |_| How::Failed("401 from the API".to_owned()));
    let end = requests.history.last().map(|record| record.end.clone());
    assert_eq!(end, Some(End::Failed { reason: "d on a: 401 from the API".to_owned(), nobody: false }));
}

#[test]
fn a_person_may_say_that_a_node_is_down_unless_it_is_a_member() {
    let mut requests = Cluster::default();
    requests.members_are(names(&["a", "b"]));
    let confirmed = |target: &str, force| Step::Confirmed {
        target: target.to_owned(),
        client: "hacctl".to_owned(),
        origin: "a".to_owned(),
        force,
    };
    assert_eq!(requests.apply(confirmed("b", false), WALL), Some(Consequence::Alive("b".to_owned())));
    assert!(requests.history.is_empty());
    assert_eq!(requests.apply(confirmed("b", true), WALL), down("b"));
    assert_eq!(requests.apply(confirmed("x", false), WALL), down("x"));
    assert_eq!(requests.history[1].delegate.as_deref(), Some(A_HUMAN));
}

#[test]
fn what_a_person_says_ends_what_is_under_way_for_that_node() {
    let mut requests = Cluster::default();
    requests.members_are(names(&["a", "b"]));
    for (target, action) in [("x", FenceAction::Reboot), ("y", FenceAction::Reboot), ("x", FenceAction::On)] {
        requests.apply(Step::Wanted(wanted(target, action)), WALL);
    }
    let (target, client, origin) = ("x".to_owned(), "hacctl".to_owned(), "a".to_owned());
    assert_eq!(requests.apply(Step::Confirmed { target, client, origin, force: false }, WALL), down("x"));
    let left: Vec<_> = requests.running.iter().map(|of| (of.wanted.target.as_str(), of.wanted.action)).collect();
    assert_eq!(left, [("y", FenceAction::Reboot), ("x", FenceAction::On)]);
    // The agent that was under way comes to nothing, and nothing is counted.
    assert_eq!(requests.apply(Step::Over { request: 1, turn: 0, end: End::Succeeded }, WALL), None);
    assert!(requests.failures.is_empty());
}

#[test]
fn a_node_that_is_being_powered_off_is_not_switched_on_again_by_a_plan() {
    let mut requests = Cluster::default();
    requests.members_are(names(&["a", "b"]));
    let off = requests.apply(Step::Wanted(wanted("x", FenceAction::Off)), WALL);
    assert_eq!(off, Some(Consequence::UnderWay(1)));
    let plan = Wanted { client: "hacd".to_owned(), ..wanted("x", FenceAction::Reboot) };
    assert_eq!(requests.apply(Step::Wanted(plan), WALL), Some(Consequence::UnderWay(1)), "it joins");
    let other = requests.apply(Step::Wanted(wanted("y", FenceAction::Reboot)), WALL);
    assert_eq!(other, Some(Consequence::UnderWay(2)));
    let further = requests.apply(Step::Wanted(wanted("y", FenceAction::Off)), WALL);
    assert_eq!(further, Some(Consequence::UnderWay(3)), "a reboot does not leave it off");
}

#[test]
fn the_history_is_bounded_and_can_be_forgotten_for_one_node() {
    let mut requests = Cluster::default();
    for count in 0..600 {
        let target = if count % 2 == 0 { "x" } else { "y" };
        let (client, origin) = ("hacctl".to_owned(), "a".to_owned());
        requests.apply(Step::Confirmed { target: target.to_owned(), client, origin, force: false }, WALL);
        assert!(requests.history.len() <= HISTORY_MAX);
    }
    assert_eq!(requests.history.last().map(|record| record.id), Some(600));
    requests.apply(Step::Forget { target: Some("x".to_owned()) }, WALL);
    assert!(!requests.history.is_empty() && requests.history.iter().all(|record| record.target == "y"));
    requests.apply(Step::Forget { target: None }, WALL);
    assert!(requests.history.is_empty());
}

#[test]
fn a_node_is_waited_for_a_fifth_longer_than_its_agent_may_take() {
    assert_eq!(patience(Duration::from_secs(60), Duration::from_secs(5)), Duration::from_secs(78));
}

/// A cluster of `a` and `b` that has seen the first life of `x`, and lost it; a plan wants it fenced, and `a` is at it.
fn shot_at() -> (Cluster, u64, Scene) {
    let mut requests = Cluster { lives: [("x".to_owned(), 1)].into(), ..Cluster::default() };
    requests.members_are(names(&["a", "b", "x"]));
    requests.members_are(names(&["a", "b"]));
    let plan = Wanted { client: A_PLAN.to_owned(), ..wanted("x", FenceAction::Off) };
    let Some(Consequence::UnderWay(id)) = requests.apply(Step::Wanted(plan), WALL) else { panic!("not under way") };
    let scene = scene(&["a", "b"], vec![offer("d", &["a", "b"], &[])], &[]);
    let begun = requests.next(id, &scene).expect("an attempt");
    requests.apply(begun, WALL);
    (requests, id, scene)
}

fn ended(requests: &mut Cluster, id: u64, how: How) {
    requests.apply(Step::Ended { request: id, turn: 1, key: "key".to_owned(), how }, WALL);
}

#[test]
fn who_was_lost_and_is_back_is_not_shot_any_more_unless_it_is_wanted_again() {
    let (mut requests, id, scene) = shot_at();
    requests.members_are(names(&["a", "b", "x"]));
    ended(&mut requests, id, failed());
    let mut again = requests.clone();
    let over = requests.next(id, &scene).expect("a step");
    let end = requests.apply(over, WALL);
    let (target, action) = ("x".to_owned(), FenceAction::Off);
    assert_eq!(
        end,
        Some(Consequence::Failed { target, action, failures: 0, nobody: false }),
        "that counts as no failure"
    );
    let plan = Wanted { client: A_PLAN.to_owned(), ..wanted("x", FenceAction::Off) };
    again.apply(Step::Wanted(plan), WALL);
    assert!(matches!(again.next(id, &scene), Some(Step::Begun { .. })), "who asks knows that it is back");
}

#[test]
fn a_node_that_was_fenced_and_comes_back_in_the_same_life_is_a_survivor_until_it_lives_anew() {
    let (mut requests, id, scene) = shot_at();
    ended(&mut requests, id, How::Done);
    let over = requests.next(id, &scene).expect("a step");
    assert_eq!(requests.apply(over, WALL), down("x"));
    assert!(requests.has_ended("x", 1) && !requests.has_ended("x", 2));
    assert!(requests.survivors.is_empty(), "as far as anybody knows it is off");
    requests.members_are(names(&["a", "b", "x"]));
    assert_eq!(requests.survivors, names(&["x"]));
    requests.members_are(names(&["a", "b"]));
    assert_eq!(requests.survivors, names(&["x"]), "the device was wrong all the same");
    requests.lives = [("x".to_owned(), 2)].into();
    requests.members_are(names(&["a", "b", "x"]));
    assert!(requests.survivors.is_empty() && requests.ended.is_empty());
}

#[test]
fn a_success_counts_for_who_came_back_in_the_same_life_and_not_for_who_was_started_anew() {
    for (life, follows) in [(1, down("x")), (2, Some(Consequence::Outlived("x".to_owned())))] {
        let (mut requests, id, scene) = shot_at();
        requests.lives = [("x".to_owned(), life)].into();
        requests.members_are(names(&["a", "b", "x"]));
        ended(&mut requests, id, How::Done);
        let over = requests.next(id, &scene).expect("a step");
        assert_eq!(requests.apply(over, WALL), follows, "life {life}");
    }
}

#[test]
fn a_test_of_one_device_uses_no_other_and_joins_no_other_request() {
    let (mut requests, first) = asked(&["a", "b"], "x", FenceAction::Reboot);
    let test = Wanted { device: Some("d2".to_owned()), ..wanted("x", FenceAction::Reboot) };
    let Some(Consequence::UnderWay(id)) = requests.apply(Step::Wanted(test), WALL) else { panic!("not under way") };
    assert_ne!(id, first);
    let scene = scene(&["a", "b"], vec![offer("d1", &["a"], &["a"]), offer("d2", &["a", "b"], &[])], &[&["d1"]]);
    let (tried, _) = carry_out(&mut requests, id, &scene, |_| failed());
    assert_eq!(tried, ["reboot d2 on a", "reboot d2 on b"]);
}

#[test]
fn what_the_newest_plan_does_not_want_is_given_up_unless_somebody_else_asked_too() {
    let (mut requests, id, scene) = shot_at();
    let person = Wanted { client: "person".to_owned(), ..wanted("x", FenceAction::Off) };
    let mut joined = requests.clone();
    joined.apply(Step::Wanted(person), WALL);
    for requests in [&mut requests, &mut joined] {
        requests.apply(Step::Unwanted { request: id }, WALL);
        ended(requests, id, failed());
    }
    assert!(matches!(joined.next(id, &scene), Some(Step::Begun { .. })), "a person wants it");
    let mut again = requests.clone();
    let over = requests.next(id, &scene).expect("a step");
    let reason = "nothing calls for it any more".to_owned();
    assert!(matches!(&over, Step::Over { end: End::Failed { reason: told, .. }, .. } if *told == reason), "{over:?}");
    let plan = Wanted { client: A_PLAN.to_owned(), ..wanted("x", FenceAction::Off) };
    again.apply(Step::Wanted(plan), WALL);
    assert_eq!(again.apply(over.clone(), WALL), None, "the next plan wants it again");
    assert!(matches!(again.next(id, &scene), Some(Step::Begun { .. })));
    let (target, action) = ("x".to_owned(), FenceAction::Off);
    let end = requests.apply(over, WALL);
    assert_eq!(end, Some(Consequence::Failed { target, action, failures: 0, nobody: false }));
}

#[test]
fn what_was_done_before_anybody_knew_that_it_was_not_wanted_counts() {
    let (mut requests, id, scene) = shot_at();
    requests.apply(Step::Unwanted { request: id }, WALL);
    ended(&mut requests, id, How::Done);
    let over = requests.next(id, &scene).expect("a step");
    assert_eq!(requests.apply(over, WALL), down("x"));
}

fn fabric(device: &str, nodes: &[&str]) -> Offer {
    Offer { unfences: true, ..offer(device, nodes, &[]) }
}

/// A plan wants `x` let in, which is a member.
fn to_let_in(members: &[&str]) -> (Cluster, u64) {
    let mut requests = Cluster { lives: [("x".to_owned(), 1)].into(), ..Cluster::default() };
    requests.members_are(names(members));
    let plan = Wanted { client: A_PLAN.to_owned(), ..wanted("x", FenceAction::On) };
    let Some(Consequence::UnderWay(id)) = requests.apply(Step::Wanted(plan), WALL) else { panic!("not under way") };
    (requests, id)
}

#[test]
fn a_node_is_let_in_by_all_devices_that_know_it_first_by_itself() {
    let members = ["a", "b", "x"];
    let offers = || vec![offer("power", &["a"], &["a"]), fabric("f1", &["a", "b", "x"]), fabric("f2", &["a", "b"])];
    let (mut requests, id) = to_let_in(&members);
    let (tried, end) = carry_out(&mut requests, id, &scene(&members, offers(), &[]), |attempt| {
        if attempt.device == "f2" && attempt.by == "a" { How::Unable } else { How::Done }
    });
    assert_eq!(tried, ["on f1 on x", "on f2 on a", "on f2 on b"]);
    assert_eq!(end, Some(Consequence::LetIn("x".to_owned())));

    let (mut requests, id) = to_let_in(&members);
    let (tried, end) = carry_out(&mut requests, id, &scene(&members, offers(), &[]), |attempt| {
        if attempt.device == "f2" { How::Unable } else { How::Done }
    });
    assert_eq!(tried, ["on f1 on x", "on f2 on a", "on f2 on b"], "f2 does not know it");
    assert_eq!(end, Some(Consequence::LetIn("x".to_owned())));

    let (mut requests, id) = to_let_in(&members);
    let (tried, end) = carry_out(&mut requests, id, &scene(&members, offers(), &[]), |_| failed());
    assert_eq!(tried, ["on f1 on x"], "one that fails is enough to fail");
    assert!(matches!(end, Some(Consequence::Failed { failures: 1, nobody: false, .. })), "{end:?}");

    let (mut requests, id) = to_let_in(&members);
    let (tried, end) = carry_out(&mut requests, id, &scene(&members, offers(), &[]), |_| How::Unable);
    assert_eq!(tried.len(), 5, "none knows it: {tried:?}");
    assert!(matches!(end, Some(Consequence::Failed { nobody: true, .. })), "{end:?}");
}

#[test]
fn what_lets_nodes_in_is_needed_beside_each_level_and_is_not_told_to_switch_on_after_a_reboot() {
    let members = ["a", "x"];
    let offers = vec![offer("power", &["a"], &[]), fabric("f", &["a", "x"])];
    let (mut requests, id) = to_let_in(&members);
    let (tried, _) = carry_out(&mut requests, id, &scene(&members, offers.clone(), &[&["power"]]), |_| How::Done);
    assert_eq!(tried, ["on power on a", "on f on x"]);
    let (mut requests, id) = asked(&["a"], "x", FenceAction::Reboot);
    let (tried, _) = carry_out(&mut requests, id, &scene(&["a"], offers, &[&["f", "power"]]), |_| How::Done);
    assert_eq!(tried, ["off f on a", "off power on a", "on power on a"]);
}

#[test]
fn nobody_is_let_in_who_has_left_or_joined_anew_or_is_to_be_fenced() {
    let devices = || vec![fabric("f", &["a", "b", "x"])];
    let (mut requests, id) = to_let_in(&["a", "b", "x"]);
    requests.members_are(names(&["a", "b"]));
    let over = requests.next(id, &scene(&["a", "b"], devices(), &[])).expect("a step");
    assert!(matches!(&over, Step::Over { end: End::Failed { reason, .. }, .. } if reason == "x has left"), "{over:?}");

    let (mut requests, id) = to_let_in(&["a", "b", "x"]);
    let whole = scene(&["a", "b", "x"], devices(), &[]);
    let begun = requests.next(id, &whole).expect("a step");
    requests.apply(begun, WALL);
    let Some(Consequence::UnderWay(down)) = requests.apply(Step::Wanted(wanted("x", FenceAction::Off)), WALL) else {
        panic!("not under way")
    };
    assert_eq!(requests.next(down, &whole), None, "what lets it in comes to its end first");
    requests.apply(Step::Ended { request: id, turn: 1, key: "key".to_owned(), how: failed() }, WALL);
    assert!(matches!(requests.next(down, &whole), Some(Step::Begun { .. })));
    let over = requests.next(id, &whole).expect("a step");
    assert!(matches!(&over, Step::Over { end: End::Failed { nobody: true, .. }, .. }), "{over:?}");

    let (mut requests, id) = to_let_in(&["a", "b", "x"]);
    let begun = requests.next(id, &whole).expect("a step");
    requests.apply(begun, WALL);
    requests.members_are(names(&["a", "b"]));
    requests.lives = [("x".to_owned(), 2)].into();
    requests.members_are(names(&["a", "b", "x"]));
    let over = requests.next(id, &whole).expect("a step");
    let reason = "x has joined again".to_owned();
    assert!(matches!(&over, Step::Over { end: End::Failed { reason: told, .. }, .. } if *told == reason), "{over:?}");
}

#[test]
fn a_plan_that_was_made_before_the_node_was_known_to_be_off_does_not_have_it_shot_again() {
    let (mut requests, id, scene) = shot_at();
    ended(&mut requests, id, How::Done);
    let over = requests.next(id, &scene).expect("a step");
    assert_eq!(requests.apply(over, WALL), down("x"));
    let plan = Wanted { client: A_PLAN.to_owned(), ..wanted("x", FenceAction::Reboot) };
    assert_eq!(requests.apply(Step::Wanted(plan.clone()), WALL), down("x"));
    assert!(requests.running.is_empty());
    let person = wanted("x", FenceAction::Reboot);
    assert!(matches!(requests.clone().apply(Step::Wanted(person), WALL), Some(Consequence::UnderWay(_))));
    requests.lives = [("x".to_owned(), 2)].into();
    requests.members_are(names(&["a", "b", "x"]));
    requests.members_are(names(&["a", "b"]));
    assert!(matches!(requests.apply(Step::Wanted(plan), WALL), Some(Consequence::UnderWay(_))), "it has lived since");
}
