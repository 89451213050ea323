//! Tests: watchdogs, from what a node tells of its own to a lost node that counts as gone, and to a node that hears that it does.

use std::time::Duration;

use hac_crm::cib::{Change, Configure, Object, PutMode, Section, StatusChange};
use hac_crm::executor::{Invocation, Outcome};
use hac_crm::fencer::requests::{Step, Wanted};
use hac_model::{Cib, FenceAction, Primitive};

use super::cluster::Cluster;
use crate::participant::Incoming;
use crate::{Armed, Duty, Reply, Request, Times};

const TIMES: Times = Times { timeout: Duration::from_secs(10), stop: Duration::from_secs(15) };

fn property(name: &str, value: &str) -> Change {
    let pairs = vec![(name.to_owned(), Some(value.to_owned()))];
    Change::SetProperties { section: Section::CrmConfig, set: None, pairs }
}

fn configure(cluster: &mut Cluster, changes: Vec<Change>) {
    let configure = Configure { changes, client: "test".to_owned(), user: "root".to_owned(), ..Configure::default() };
    let reply = cluster.ask(1, Request::Configure(configure));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.settle();
}

fn obedient(invocation: &Invocation) -> Option<Outcome> {
    let probe = invocation.action == "monitor" && invocation.interval_ms == 0;
    invocation.fencing.is_none().then(|| Outcome { rc: if probe { 7 } else { 0 }, ..Outcome::default() })
}

impl Cluster {
    /// How a node is for its watchdog, in a ring that is in service.
    fn duty(&self, node: u32) -> Duty {
        self.duty_if(node, true)
    }

    fn duty_if(&self, node: u32, sure: bool) -> Duty {
        self.hosts[&node].participant.as_ref().expect("it runs").duty(sure)
    }

    fn give(&mut self, node: u32, incoming: Incoming) {
        let now = self.now;
        self.hosts.get_mut(&node).expect("a host").give(now, incoming);
    }
}

fn tell(cluster: &mut Cluster, node: u32, told: Result<(), &str>) {
    let armed = || Armed { device: "softdog at /dev/watchdog".to_owned(), times: TIMES };
    cluster.give(node, Incoming::Watchdog(told.map(|()| armed()).map_err(str::to_owned)));
    cluster.settle();
}

/// Three nodes and a service that must not run twice; these have armed their watchdogs.
fn cluster(armed: &[u32]) -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.agents_answer(obedient);
    cluster.view(&[1, 2, 3]);
    armed.iter().for_each(|&node| tell(&mut cluster, node, Ok(())));
    let agent = "ocf:heartbeat:pgsql".parse().expect("an agent");
    let object = Object::Primitive(Primitive { id: "Db".to_owned(), agent, ..Primitive::default() });
    let changes = vec![
        property("stonith-enabled", "true"),
        property("stonith-watchdog-timeout", "-1"),
        Change::Put { object, mode: PutMode::Create },
    ];
    configure(&mut cluster, changes);
    cluster
}

fn place(cib: &Cib) -> Option<u32> {
    let runs = |state: &&hac_model::NodeState| {
        let ops = state.resources.iter().filter(|of| of.id == "Db").flat_map(|of| &of.ops);
        let last = ops.filter(|op| op.interval_ms == 0).max_by_key(|op| op.call_id);
        last.is_some_and(|op| op.operation == "start" && op.rc_code.0 == 0)
    };
    cib.status.nodes.iter().find(runs)?.id.parse().ok()
}

fn shots(cluster: &mut Cluster, among: &[u32]) -> Vec<(u32, Invocation)> {
    let of = |(id, all): (u32, Vec<Invocation>)| all.into_iter().map(move |it| (id, it));
    let all: Vec<_> = among.iter().map(|&id| (id, cluster.invoked(id))).collect();
    all.into_iter().flat_map(of).filter(|(_, it)| it.fencing.is_some()).collect()
}

#[test]
fn all_know_which_node_has_armed_a_watchdog_and_for_which_life_and_have_watchdog_says_so() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    assert_eq!(cluster.cib(1).configuration.property("have-watchdog"), Some("false"));
    tell(&mut cluster, 2, Ok(()));
    let known = cluster.cib(3).status.fencing.watchdog("node2").cloned().expect("it is known");
    assert_eq!((known.device.as_str(), known.timeout_ms), ("softdog at /dev/watchdog", 10_000));
    // Token of three nodes, the stop, the watchdog, one in a hundred and two seconds.
    assert_eq!(known.gone_after_ms, Some(3650 + 15_000 + 10_000 + 286 + 2000));
    assert_eq!(cluster.cib(1).configuration.property("have-watchdog"), Some("true"));
    // In another life it has not armed anything yet.
    cluster.kill(2);
    cluster.view(&[1, 3]);
    assert!(cluster.cib(1).status.fencing.watchdog("node2").is_some(), "a lost node is what it is for");
    cluster.start(2);
    cluster.view(&[1, 2, 3]);
    assert_eq!(cluster.cib(1).status.fencing.watchdog("node2"), None);
    assert_eq!(cluster.cib(1).configuration.property("have-watchdog"), Some("false"));
    cluster.assert_equal(&[1, 2, 3]);
    // What is told while a node is alone counts when it has joined.
    cluster.split(&[&[1, 3], &[2]]);
    tell(&mut cluster, 2, Ok(()));
    cluster.view(&[1, 2, 3]);
    assert!(cluster.cib(1).status.fencing.watchdog("node2").is_some());
}

#[test]
fn a_node_of_a_pair_of_which_each_goes_on_alone_tells_no_time_after_which_it_is_gone() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    tell(&mut cluster, 1, Ok(()));
    let known = cluster.cib(2).status.fencing.watchdog("node1").cloned().expect("it is known");
    assert_eq!((known.timeout_ms, known.gone_after_ms), (10_000, None));
}

#[test]
fn what_ran_on_a_lost_node_starts_elsewhere_when_its_watchdog_was_waited_for_and_not_before() {
    let mut cluster = cluster(&[1, 2, 3]);
    let victim = place(cluster.cib(1)).expect("it runs");
    let rest: Vec<u32> = (1..=3).filter(|id| *id != victim).collect();
    shots(&mut cluster, &rest);
    cluster.kill(victim);
    cluster.view(&rest);
    let mut shots = shots(&mut cluster, &rest);
    assert_eq!(shots.len(), 1, "{shots:?}");
    let (by, shot) = shots.remove(0);
    let order = shot.fencing.clone().expect("an order");
    assert_eq!((shot.agent.kind.as_str(), order.delay), ("fence_watchdog", Duration::from_millis(30_936)));
    cluster.advance(Duration::from_secs(30));
    assert_eq!(place(cluster.cib(by)), Some(victim), "as far as anybody knows it runs there");
    cluster.advance(Duration::from_secs(1));
    cluster.agent_ends(by, &shot, Outcome::default());
    assert!(place(cluster.cib(by)).is_some_and(|place| rest.contains(&place)));
}

/// As [`obedient`], and a probe finds what an earlier life left running.
fn found(invocation: &Invocation) -> Option<Outcome> {
    invocation.fencing.is_none().then(Outcome::default)
}

#[test]
fn a_node_that_is_back_alone_stops_nothing_until_others_had_time_to_take_it_in() {
    let mut cluster = cluster(&[1, 2, 3]);
    let victim = place(cluster.cib(1)).expect("it runs");
    let stops = |cluster: &mut Cluster| cluster.invoked(victim).iter().filter(|it| it.action == "stop").count();
    let back_alone = |cluster: &mut Cluster| {
        cluster.advance(Duration::from_secs(60));
        cluster.kill(victim);
        cluster.start(victim);
        cluster.hosts.get_mut(&victim).expect("a host").agents = Some(found);
        // The others have not noticed anything yet.
        cluster.view(&[victim]);
        assert!(!cluster.duty(victim).may_run && cluster.duty(victim).runs);
        cluster.advance(Duration::from_millis(1900));
    };
    back_alone(&mut cluster);
    cluster.view(&[1, 2, 3]);
    cluster.advance(Duration::from_secs(60));
    assert_eq!(stops(&mut cluster), 0);
    assert!(cluster.duty(victim).may_run && cluster.duty(victim).runs);
    // Who is not taken in stops what it found, as it should.
    back_alone(&mut cluster);
    assert_eq!(stops(&mut cluster), 0);
    cluster.advance(Duration::from_millis(200));
    assert_eq!(stops(&mut cluster), 1);
    assert!(!cluster.duty(victim).runs);
}

#[test]
fn a_node_that_comes_back_in_time_is_not_waited_for_any_more() {
    let mut cluster = cluster(&[1, 2, 3]);
    let victim = place(cluster.cib(1)).expect("it runs");
    let rest: Vec<u32> = (1..=3).filter(|id| *id != victim).collect();
    cluster.split(&[&rest, &[victim]]);
    assert_eq!(shots(&mut cluster, &rest).len(), 1);
    cluster.advance(Duration::from_secs(10));
    let before = cluster.cancelled(rest[0]) + cluster.cancelled(rest[1]);
    cluster.view(&[1, 2, 3]);
    assert_eq!(cluster.cancelled(rest[0]) + cluster.cancelled(rest[1]), before + 1, "the wait is called off");
    assert_eq!(cluster.fenced(victim), None);
}

/// The watchdog of the node that runs the service was waited for; what it is told of it when it is back, in the same life. It has
/// stopped what it ran, or could not.
fn back_after_the_wait(stops: bool) -> (Cluster, u32, Option<String>) {
    let mut cluster = cluster(&[1, 2, 3]);
    let victim = place(cluster.cib(1)).expect("it runs");
    let rest: Vec<u32> = (1..=3).filter(|id| *id != victim).collect();
    if stops {
        cluster.split(&[&rest, &[victim]]);
    } else {
        cluster.view(&rest);
    }
    let (by, shot) = shots(&mut cluster, &rest).remove(0);
    cluster.advance(Duration::from_secs(31));
    cluster.agent_ends(by, &shot, Outcome::default());
    let elsewhere = place(cluster.cib(by)).expect("it runs elsewhere");
    assert_ne!(elsewhere, victim);
    cluster.view(&[1, 2, 3]);
    let told = cluster.fenced(victim).map(str::to_owned);
    (cluster, victim, told)
}

#[test]
fn who_has_stopped_everything_and_was_waited_for_takes_part_again_and_who_has_not_learns_of_it() {
    let (cluster, victim, told) = back_after_the_wait(true);
    assert_eq!(told, None, "it has done what it promised");
    cluster.assert_equal(&[1, 2, 3]);
    assert!(place(cluster.cib(victim)).is_some_and(|place| place != victim), "nothing moved");
    let (cluster, victim, told) = back_after_the_wait(false);
    assert!(told.is_some_and(|why| why.contains("was fenced")));
    assert!(cluster.has_left(victim), "all is stopped, and it leaves");
}

#[test]
fn of_a_node_without_a_watchdog_nothing_is_assumed_and_status_says_why() {
    let mut cluster = cluster(&[1, 2]);
    cluster.kill(3);
    cluster.view(&[1, 2]);
    assert_eq!(shots(&mut cluster, &[1, 2]), []);
    let record = cluster.cib(1).status.fencing.history.last().cloned().expect("a record");
    let hac_model::fencing::End::Failed { reason, nobody: true } = record.end else { panic!("nobody can") };
    assert!(reason.contains("node3 has not said that it has armed a watchdog"), "{reason}");
}

#[test]
fn a_member_that_hears_that_its_watchdog_is_waited_for_is_reset_at_once() {
    let mut cluster = cluster(&[1, 2, 3]);
    let wanted = Wanted {
        target: "node2".to_owned(),
        action: FenceAction::Reboot,
        client: "test".to_owned(),
        origin: "node1".to_owned(),
        delay_s: Some(0),
        ..Wanted::default()
    };
    cluster.ask(1, Request::Status(StatusChange::Fencing(Step::Wanted(wanted))));
    cluster.settle();
    let told = cluster.fenced(2).expect("it was told").to_owned();
    assert!(told.contains("to be fenced by its watchdog"), "{told}");
    assert!(cluster.duty(2).condemned, "its watchdog is not petted any more");
    let shots = shots(&mut cluster, &[1, 2, 3]);
    assert!(shots.iter().all(|(by, shot)| *by != 2 && shot.fencing.as_ref().is_some_and(|it| !it.delay.is_zero())));
}

#[test]
fn what_must_not_run_twice_is_not_started_on_a_node_whose_watchdog_cannot_be_armed() {
    let mut cluster = cluster(&[1, 2]);
    tell(&mut cluster, 3, Err("another program has /dev/watchdog"));
    let why = |cluster: &Cluster| {
        let problems = cluster.report(3).problems;
        problems.iter().any(|it| it.sentence == "the watchdog is not armed: another program has /dev/watchdog")
    };
    assert!(why(&cluster));
    for node in [1, 2] {
        let attribute = Change::SetNodeAttribute {
            node: format!("node{node}"),
            name: "standby".to_owned(),
            value: Some("on".to_owned()),
            lifetime: hac_crm::cib::Lifetime::Forever,
        };
        configure(&mut cluster, vec![attribute]);
    }
    let state = cluster.cib(1).status.nodes.iter().find(|state| state.id == "3").cloned().expect("a state");
    let start = state.resources.iter().flat_map(|of| &of.ops).find(|op| op.operation == "start").expect("a start");
    assert_eq!(start.rc_code.0, 5);
    let reason = start.exit_reason.clone().expect("a reason");
    assert!(reason.contains("this node's watchdog is not armed (another program has"), "{reason}");
    assert!(cluster.invoked(3).iter().all(|it| it.action != "start"), "no agent was run");
    // It is armed after all.
    tell(&mut cluster, 3, Ok(()));
    let clear = StatusChange::ClearFailures { resource: None, node: None, operation: None };
    cluster.ask(1, Request::Status(clear));
    cluster.settle();
    assert_eq!(place(cluster.cib(1)), Some(3));
}

#[test]
fn a_node_may_run_what_it_runs_only_in_a_quorate_membership_that_is_not_in_doubt() {
    let mut cluster = cluster(&[1, 2, 3]);
    let holder = place(cluster.cib(1)).expect("it runs");
    let duty = cluster.duty(holder);
    assert!(duty.may_run && duty.runs && !duty.condemned, "{duty:?}");
    assert!(!cluster.duty_if(holder, false).may_run, "the ring is not in service");
    let idle = (1..=3).find(|id| *id != holder).expect("another one");
    assert!(!cluster.duty(idle).runs);
    // Alone it stops everything in time.
    cluster.view(&[holder]);
    let duty = cluster.duty(holder);
    assert_eq!((duty.may_run, duty.runs), (false, false), "nothing that could do harm is left");
}
