//! Fencing from the plan to its end: who carries it out, what begins after it, and what happens when somebody dies in between.

use std::time::Duration;

use hac_crm::cib::{Change, Configure, Object, PutMode, Section, StatusChange};
use hac_crm::executor::{ExecStatus, Invocation, Outcome};
use hac_crm::fencer::requests::{End, Step, Wanted};
use hac_model::fencing::Record;
use hac_model::{Cib, Constraint, FenceAction, Location, LocationSubject, LocationTarget, NvPair, NvSet, Primitive};

use super::cluster::Cluster;
use crate::{Reply, Request};

fn set(id: &str, pairs: &[(&str, &str)]) -> Vec<NvSet> {
    let pair = |(name, value): &(&str, &str)| NvPair {
        id: format!("{id}-{name}"),
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
        ..NvPair::default()
    };
    vec![NvSet { id: id.to_owned(), pairs: pairs.iter().map(pair).collect(), ..NvSet::default() }]
}

fn put(id: &str, agent: &str, params: &[(&str, &str)]) -> Change {
    let agent = agent.parse().expect("an agent");
    let params = if params.is_empty() { Vec::new() } else { set(&format!("{id}-params"), params) };
    let object = Object::Primitive(Primitive { id: id.to_owned(), agent, params, ..Primitive::default() });
    Change::Put { object, mode: PutMode::Create }
}

fn property(name: &str, value: &str) -> Change {
    let pairs = vec![(name.to_owned(), Some(value.to_owned()))];
    Change::SetProperties { section: Section::CrmConfig, set: None, pairs }
}

/// Agents that do what they are told at once: nothing runs before it is started. Those that fence are left running.
fn obedient(invocation: &Invocation) -> Option<Outcome> {
    let probe = invocation.action == "monitor" && invocation.interval_ms == 0;
    invocation.fencing.is_none().then(|| Outcome { rc: if probe { 7 } else { 0 }, ..Outcome::default() })
}

/// All nodes, one resource that needs fencing, and a device for all.
fn cluster(nodes: u32, more: Vec<Change>) -> Cluster {
    let mut cluster = Cluster::new(nodes);
    cluster.agents_answer(obedient);
    cluster.view(&(1..=nodes).collect::<Vec<_>>());
    let mut changes = vec![
        property("stonith-enabled", "true"),
        put("Web", "ocf:heartbeat:Dummy", &[]),
        put("Shooter", "stonith:fence_x", &[("ip", "192.0.2.1")]),
    ];
    changes.extend(more);
    let configure = Configure { changes, client: "test".to_owned(), user: "root".to_owned(), ..Configure::default() };
    let reply = cluster.ask(1, Request::Configure(configure));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.settle();
    cluster
}

/// Names of the nodes where a resource runs, as the state has it.
fn places(cib: &Cib, resource: &str) -> Vec<String> {
    let here = |state: &&hac_model::NodeState| {
        let ops = state.resources.iter().filter(|of| of.id == resource).flat_map(|of| &of.ops);
        let last = ops.filter(|op| op.interval_ms == 0).max_by_key(|op| op.call_id);
        last.is_some_and(|op| op.operation == "start" && op.rc_code.0 == 0)
    };
    cib.status.nodes.iter().filter(here).filter_map(|state| state.uname.clone()).collect()
}

fn number(node: &str) -> u32 {
    node.trim_start_matches("node").parse().expect("a number")
}

/// Who was told to fence, and what.
fn shots(cluster: &mut Cluster, among: &[u32]) -> Vec<(u32, Invocation)> {
    let of = |id: u32, all: Vec<Invocation>| all.into_iter().filter(|it| it.fencing.is_some()).map(move |it| (id, it));
    among.iter().flat_map(|&id| of(id, cluster.invoked(id)).collect::<Vec<_>>()).collect()
}

fn started(cluster: &mut Cluster, among: &[u32], resource: &str) -> usize {
    let all = among.iter().flat_map(|&id| cluster.invoked(id));
    all.filter(|it| it.resource == resource && it.action == "start").count()
}

fn last(cib: &Cib) -> &Record {
    cib.status.fencing.history.last().expect("a record")
}

fn failed(why: &str) -> Outcome {
    Outcome { rc: 1, exit_reason: Some(why.to_owned()), ..Outcome::default() }
}

/// A cluster whose node with the service is lost: who is left, who is gone, and the order to shoot it.
fn lost(nodes: u32, more: Vec<Change>) -> (Cluster, Vec<u32>, u32, (u32, Invocation)) {
    let mut cluster = cluster(nodes, more);
    let victim = number(&places(cluster.cib(1), "Web")[0]);
    let rest: Vec<u32> = (1..=nodes).filter(|id| *id != victim).collect();
    shots(&mut cluster, &rest);
    cluster.kill(victim);
    cluster.view(&rest);
    let mut shots = shots(&mut cluster, &rest);
    assert_eq!(shots.len(), 1, "{shots:?}");
    (cluster, rest, victim, shots.remove(0))
}

#[test]
fn what_ran_on_a_lost_node_starts_elsewhere_after_the_fencing_and_not_before() {
    let (mut cluster, rest, victim, (by, shot)) = lost(2, Vec::new());
    let name = format!("node{victim}");
    let order = shot.fencing.clone().expect("an order");
    assert_eq!(
        (shot.action.as_str(), order.target.as_str(), order.base),
        ("reboot", name.as_str(), Duration::from_secs(60))
    );
    assert_eq!((shot.agent.to_string().as_str(), shot.params["ip"].as_str()), ("stonith:fence_x", "192.0.2.1"));
    cluster.advance(Duration::from_secs(5));
    assert_eq!(places(cluster.cib(by), "Web"), [name.as_str()], "as far as anybody knows it runs there");
    cluster.agent_ends(by, &shot, Outcome::default());
    let cib = cluster.cib(rest[0]);
    let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(&name)).expect("a state");
    assert_eq!(
        (state.expected.as_deref(), state.join.as_deref(), state.resources.len()),
        (Some("down"), Some("down"), 0)
    );
    assert_eq!(places(cib, "Web"), [format!("node{by}")]);
    let record = last(cib);
    assert_eq!(
        (record.target.as_str(), record.delegate.as_deref()),
        (name.as_str(), Some(format!("node{by}").as_str()))
    );
    assert_eq!((&record.end, record.client.as_str()), (&End::Succeeded, "hacd"));
}

#[test]
fn a_fencing_that_fails_is_tried_again_and_waits_after_too_many_times() {
    let (mut cluster, rest, _, (by, shot)) = lost(2, vec![property("stonith-max-attempts", "3")]);
    cluster.agent_ends(by, &shot, failed("401 from the API"));
    let mut tried = 1;
    while let Some((by, shot)) = shots(&mut cluster, &rest).pop() {
        tried += 1;
        cluster.agent_ends(by, &shot, failed("401 from the API"));
    }
    assert_eq!(tried, 3);
    let end = End::Failed { reason: format!("Shooter on node{by}: 401 from the API"), nobody: false };
    assert_eq!(last(cluster.cib(by)).end, end);
    cluster.advance(Duration::from_secs(60));
    assert_eq!(shots(&mut cluster, &rest).len(), 0, "something else has to happen first");
    assert_eq!(started(&mut cluster, &rest, "Web"), 0);
    let reply = cluster.ask(
        by,
        Request::Status(StatusChange::Fencing(Step::Confirmed {
            target: "node9".to_owned(),
            client: "test".to_owned(),
            origin: "node1".to_owned(),
            force: false,
        })),
    );
    assert!(matches!(reply, Some(Reply::Refused(_))), "nobody of that name: {reply:?}");
}

#[test]
fn a_person_may_say_that_a_lost_node_is_down_and_not_one_that_lives() {
    let (mut cluster, rest, victim, (by, shot)) = lost(3, Vec::new());
    let confirm = |node: u32| {
        let (target, client, origin) = (format!("node{node}"), "hacctl".to_owned(), format!("node{by}"));
        Request::Status(StatusChange::Fencing(Step::Confirmed { target, client, origin, force: false }))
    };
    let reply = cluster.ask(by, confirm(by));
    assert!(matches!(reply, Some(Reply::Refused(_))), "{reply:?}");
    assert!(matches!(cluster.ask(by, confirm(victim)), Some(Reply::Done { .. })));
    cluster.settle();
    assert_eq!(places(cluster.cib(rest[0]), "Web").len(), 1);
    // The device comes to its end later: that changes nothing.
    cluster.agent_ends(by, &shot, failed("no route"));
    assert_eq!(places(cluster.cib(rest[0]), "Web").len(), 1);
    assert_ne!(places(cluster.cib(rest[0]), "Web"), [format!("node{victim}")]);
}

#[test]
fn who_dies_while_it_fences_is_replaced_at_once_and_a_new_coordinator_goes_on() {
    let (mut cluster, rest, victim, (by, _)) = lost(4, Vec::new());
    let left: Vec<u32> = rest.iter().copied().filter(|id| *id != by).collect();
    cluster.kill(by);
    // Half of the nodes have no quorum: whatever is known of the request, nobody is shot.
    cluster.view(&left);
    assert_eq!(shots(&mut cluster, &left).len(), 0);
    let end = last(cluster.cib(left[0])).end.clone();
    assert!(matches!(&end, End::Failed { reason, .. } if reason.contains("not quorate")), "{end:?}");
    cluster.start(by);
    let all: Vec<u32> = (1..=4).filter(|id| *id != victim).collect();
    cluster.view(&all);
    let again = shots(&mut cluster, &all);
    let targets: Vec<&str> = again.iter().filter_map(|(_, it)| Some(it.fencing.as_ref()?.target.as_str())).collect();
    assert_eq!(targets, [format!("node{victim}")]);
    let (by, shot) = &again[0];
    cluster.agent_ends(*by, shot, Outcome::default());
    assert_eq!(places(cluster.cib(all[0]), "Web").len(), 1);
}

#[test]
fn the_coordinator_dies_while_another_node_fences_and_the_result_still_counts() {
    let ban = Constraint::Location(Location {
        id: "ban".to_owned(),
        subject: LocationSubject::Resource("Shooter".to_owned()),
        role: None,
        resource_discovery: None,
        target: LocationTarget::Node { node: "node1".to_owned(), score: Some("-INFINITY".to_owned()) },
        lifetime: Vec::new(),
    });
    let ban = Change::Put { object: Object::Constraint(ban), mode: PutMode::Create };
    let mut cluster = cluster(5, vec![ban]);
    assert_eq!(cluster.report(2).dc.as_deref(), Some("node1"));
    shots(&mut cluster, &[1, 2, 3, 4]);
    cluster.kill(5);
    cluster.view(&[1, 2, 3, 4]);
    let (by, shot) = shots(&mut cluster, &[1, 2, 3, 4]).remove(0);
    assert_ne!(by, 1, "a node that the device is banned from never uses it");
    cluster.kill(1);
    let left = [2, 3, 4];
    cluster.view(&left);
    let of_first: Vec<_> = shots(&mut cluster, &left);
    assert!(of_first.iter().all(|(_, it)| it.fencing.as_ref().is_some_and(|of| of.target == "node1")), "{of_first:?}");
    cluster.agent_ends(by, &shot, Outcome::default());
    let known = &cluster.cib(2).status.fencing.history;
    let ends: Vec<_> = known.iter().map(|record| (record.target.as_str(), &record.end)).collect();
    assert_eq!(ends, [("node5", &End::Succeeded)]);
    assert_eq!(cluster.cib(3).status.fencing, cluster.cib(4).status.fencing);
}

#[test]
fn a_node_that_learns_that_it_was_fenced_stops_all_and_leaves() {
    let mut cluster = cluster(3, Vec::new());
    let victim = number(&places(cluster.cib(1), "Web")[0]);
    let name = format!("node{victim}");
    let wanted = Wanted {
        target: name,
        action: FenceAction::Off,
        client: "hacctl".to_owned(),
        origin: "node1".to_owned(),
        delay_s: Some(0),
        ..Wanted::default()
    };
    let all = [1, 2, 3];
    shots(&mut cluster, &all);
    cluster.request(1, Request::Status(StatusChange::Fencing(Step::Wanted(wanted))));
    cluster.settle();
    let mut told = shots(&mut cluster, &all);
    assert_eq!(told.len(), 1);
    let (by, shot) = told.remove(0);
    assert_ne!(by, victim, "never the node itself while there are others");
    assert_eq!(shot.action, "off");
    cluster.agent_ends(by, &shot, Outcome::default());
    let stops = cluster.invoked(victim);
    assert!(stops.iter().any(|it| it.resource == "Web" && it.action == "stop"), "{stops:?}");
    assert!(cluster.fenced(victim).is_some_and(|why| why.contains("fenced")));
    assert!(all.iter().filter(|id| **id != victim).all(|id| cluster.fenced(*id).is_none()));
}

#[test]
fn without_a_device_for_the_node_nothing_starts_and_the_reason_is_known() {
    let mut cluster = cluster(2, vec![property("no-quorum-policy", "ignore")]);
    let victim = number(&places(cluster.cib(1), "Web")[0]);
    let other = 3 - victim;
    let host_list = Change::SetParam {
        resource: "Shooter".to_owned(),
        name: "pcmk_host_list".to_owned(),
        value: Some("somebody-else".to_owned()),
    };
    let changes = vec![host_list];
    let configure = Configure { changes, client: "test".to_owned(), user: "root".to_owned(), ..Configure::default() };
    cluster.ask(1, Request::Configure(configure));
    cluster.settle();
    cluster.invoked(other);
    cluster.kill(victim);
    cluster.view(&[other]);
    cluster.advance(Duration::from_secs(30));
    assert_eq!(shots(&mut cluster, &[other]).len(), 0);
    assert_eq!(places(cluster.cib(other), "Web"), [format!("node{victim}")]);
    let end = End::Failed { reason: format!("no fence device can reach node{victim}"), nobody: true };
    assert_eq!(last(cluster.cib(other)).end, end);
}

#[test]
fn a_device_that_hangs_is_given_up_and_the_next_node_is_not_asked_without_a_topology() {
    let (mut cluster, rest, _, (by, shot)) = lost(3, Vec::new());
    assert!(shot.timeout >= Duration::from_secs(72), "{:?}", shot.timeout);
    let timed_out = Outcome { rc: 1, status: ExecStatus::Timeout, ..Outcome::default() };
    cluster.agent_ends(by, &shot, timed_out);
    let again = shots(&mut cluster, &rest);
    assert_eq!(again.len(), 1, "the plan asks anew: {again:?}");
    assert!(matches!(&last(cluster.cib(by)).end, End::Failed { reason, .. } if reason.contains("in time")));
}

#[test]
fn a_node_that_stood_still_while_it_was_fenced_learns_of_it_when_it_comes_back() {
    let mut cluster = cluster(3, Vec::new());
    let victim = number(&places(cluster.cib(1), "Web")[0]);
    let rest: Vec<u32> = (1..=3).filter(|id| *id != victim).collect();
    shots(&mut cluster, &[1, 2, 3]);
    // It does not run, and the device says that it did what it was told.
    cluster.view(&rest);
    let (by, shot) = shots(&mut cluster, &rest).remove(0);
    cluster.agent_ends(by, &shot, Outcome::default());
    assert_eq!(places(cluster.cib(rest[0]), "Web").len(), 1, "it was started elsewhere");
    cluster.invoked(victim);
    cluster.view(&[1, 2, 3]);
    assert!(cluster.fenced(victim).is_some_and(|why| why.contains("was fenced")));
    assert!(rest.iter().all(|id| cluster.fenced(*id).is_none()));
    assert_ne!(cluster.report(rest[0]).dc.as_deref(), Some(format!("node{victim}").as_str()));
    let told = cluster.report(rest[0]).problems;
    let alarm = format!("node{victim} was fenced by node{by}, and was seen again without having been restarted");
    assert!(told.iter().any(|problem| problem.sentence.starts_with(&alarm)), "{told:?}");
    assert!(cluster.has_left(victim), "all is stopped, and it leaves");
    let survivors = cluster.cib(rest[0]).status.fencing.survivors.clone();
    assert_eq!(survivors, [format!("node{victim}")].into());
}

/// Three, of which the one that had Web (which is told) is lost to the rest, who wait for 10 s before they shoot it.
fn lost_with_a_delay() -> (Cluster, u32, Vec<u32>) {
    let delay = Change::SetParam {
        resource: "Shooter".to_owned(),
        name: "pcmk_delay_base".to_owned(),
        value: Some("10s".to_owned()),
    };
    let mut cluster = cluster(3, vec![delay]);
    let victim = number(&places(cluster.cib(1), "Web")[0]);
    let rest: Vec<u32> = (1..=3).filter(|id| *id != victim).collect();
    shots(&mut cluster, &[1, 2, 3]);
    cluster.view(&rest);
    (cluster, victim, rest)
}

#[test]
fn who_is_back_before_the_delay_is_over_is_not_shot() {
    let (mut cluster, victim, rest) = lost_with_a_delay();
    assert_eq!(shots(&mut cluster, &rest).len(), 1);
    cluster.pass(Duration::from_secs(2));
    cluster.view(&[1, 2, 3]);
    cluster.settle();
    let fencing = cluster.cib(rest[0]).status.fencing.clone();
    let end = End::Failed { reason: format!("node{victim} has joined again"), nobody: false };
    assert_eq!((fencing.running, fencing.history.last().map(|record| record.end.clone())), (Vec::new(), Some(end)));
    assert_eq!(shots(&mut cluster, &[1, 2, 3]).len(), 0);
}

/// Seed 93001054 of the simulator.
#[test]
fn who_is_back_is_not_shot_while_states_are_still_compared() {
    let (mut cluster, _, rest) = lost_with_a_delay();
    let waiting = shots(&mut cluster, &rest);
    let [(by, _)] = waiting.as_slice() else { panic!("{waiting:?}") };
    let third = rest.iter().copied().find(|id| id != by).expect("another one");
    let before = cluster.cancelled(*by);
    cluster.hang(third, true);
    cluster.view(&[1, 2, 3]);
    assert_eq!(cluster.report(*by).sync, crate::SyncState::Syncing, "one says nothing");
    assert_eq!(cluster.cancelled(*by), before + 1, "the wait is called off at once");
    cluster.hang(third, false);
    cluster.view(&[1, 2, 3]);
    assert_eq!(shots(&mut cluster, &[1, 2, 3]).len(), 0);
    let running = cluster.cib(*by).status.fencing.running.clone();
    assert!(running.is_empty(), "{running:?}");
}

#[test]
fn a_node_that_was_never_seen_is_waited_for_before_it_is_fenced() {
    let mut cluster = Cluster::new(3);
    cluster.agents_answer(obedient);
    cluster.view(&[1, 2]);
    let changes = vec![
        property("stonith-enabled", "true"),
        put("Web", "ocf:heartbeat:Dummy", &[]),
        put("Shooter", "stonith:fence_x", &[("ip", "192.0.2.1")]),
    ];
    let configure = Configure { changes, client: "test".to_owned(), user: "root".to_owned(), ..Configure::default() };
    cluster.ask(1, Request::Configure(configure));
    cluster.settle();
    // Known to be down as long as nothing is fenced; a cluster that begins with fencing knows nothing of it.
    [1, 2].into_iter().for_each(|id| cluster.kill(id));
    [1, 2].into_iter().for_each(|id| cluster.start(id));
    cluster.view(&[1, 2]);
    assert_eq!(shots(&mut cluster, &[1, 2]).len(), 0, "it may be about to come");
    cluster.advance(Duration::from_secs(15));
    assert_eq!(shots(&mut cluster, &[1, 2]).len(), 0);
    assert_eq!(places(cluster.cib(1), "Web"), Vec::<String>::new(), "it may run there");
    cluster.advance(Duration::from_secs(6));
    let told = shots(&mut cluster, &[1, 2]);
    let targets: Vec<&str> = told.iter().filter_map(|(_, it)| Some(it.fencing.as_ref()?.target.as_str())).collect();
    assert_eq!(targets, ["node3"]);
}

#[test]
fn a_node_leaves_although_another_one_cannot_be_fenced() {
    let mut cluster = cluster(2, Vec::new());
    let host_list = Change::SetParam {
        resource: "Shooter".to_owned(),
        name: "pcmk_host_list".to_owned(),
        value: Some("somebody-else".to_owned()),
    };
    let configure = Configure {
        changes: vec![host_list],
        client: "test".to_owned(),
        user: "root".to_owned(),
        ..Configure::default()
    };
    cluster.ask(1, Request::Configure(configure));
    cluster.settle();
    let victim = number(&places(cluster.cib(1), "Web")[0]);
    let other = 3 - victim;
    cluster.kill(victim);
    cluster.view(&[other]);
    cluster.advance(Duration::from_secs(5));
    cluster.shutdown(other);
    cluster.settle();
    cluster.advance(Duration::from_secs(20));
    assert!(!cluster.has_left(other), "it may yet be let go");
    cluster.advance(Duration::from_secs(20));
    assert!(cluster.has_left(other));
}

#[test]
fn it_is_told_when_something_else_protects_than_before() {
    let mut cluster = cluster(2, Vec::new());
    let told = |cluster: &Cluster| cluster.remarks(1).iter().filter(|text| text.starts_with("protected by")).count();
    let before = told(&cluster);
    assert!(before >= 1, "{:?}", cluster.remarks(1));
    let configure = Configure {
        changes: vec![property("stonith-enabled", "false")],
        client: "test".to_owned(),
        user: "root".to_owned(),
        ..Configure::default()
    };
    cluster.ask(1, Request::Configure(configure));
    cluster.settle();
    let last = cluster.remarks(1).into_iter().rev().find(|text| text.starts_with("protected by")).expect("is told");
    assert!(last.starts_with("protected by nothing (before: power-off (Shooter)): no node is powered off"), "{last}");
}

#[test]
fn what_the_next_plan_does_not_want_any_more_is_not_done_by_whom_it_waits_for() {
    let delay = Change::SetParam {
        resource: "Shooter".to_owned(),
        name: "pcmk_delay_base".to_owned(),
        value: Some("30s".to_owned()),
    };
    let mut cluster = cluster(2, vec![delay]);
    let victim = number(&places(cluster.cib(1), "Web")[0]);
    let rest = [3 - victim];
    shots(&mut cluster, &rest);
    cluster.kill(victim);
    cluster.view(&rest);
    let waiting = shots(&mut cluster, &rest);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let changes = vec![property("stonith-enabled", "false")];
    let configure = Configure { changes, client: "test".to_owned(), user: "root".to_owned(), ..Configure::default() };
    let reply = cluster.ask(rest[0], Request::Configure(configure));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.settle();
    let cib = cluster.cib(rest[0]);
    assert!(cib.status.fencing.running.is_empty(), "{:?}", cib.status.fencing.running);
    let reason = "nothing calls for it any more".to_owned();
    assert_eq!(last(cib).end, End::Failed { reason, nobody: false });
    assert!(cib.status.fencing.failures.is_empty(), "it is no failure");
}

#[test]
fn what_the_state_does_not_know_any_more_is_not_done_by_whom_it_waits_for() {
    let delay = Change::SetParam {
        resource: "Shooter".to_owned(),
        name: "pcmk_delay_base".to_owned(),
        value: Some("30s".to_owned()),
    };
    let (mut cluster, rest, victim, (by, _)) = lost(3, vec![delay]);
    // A person has seen to it: whatever waits has nothing to do any more.
    let (target, client, origin) = (format!("node{victim}"), "person".to_owned(), "node1".to_owned());
    let step = Step::Confirmed { target, client, origin, force: false };
    let reply = cluster.ask(rest[0], Request::Status(StatusChange::Fencing(step)));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_eq!(cluster.cancelled(by), 1);
}

fn attribute(cib: &Cib, node: u32, name: &str) -> Option<String> {
    cib.transient(&format!("node{node}"), name).map(str::to_owned)
}

/// A device that cuts nodes off, and lets them in before anything starts there.
fn fabric(secret: &str) -> Change {
    let Change::Put { object: Object::Primitive(primitive), mode } =
        put("Fabric", "stonith:fence_scsi", &[("devices", "/dev/sdb"), ("passwd", secret)])
    else {
        panic!("a primitive")
    };
    let meta = set("Fabric-meta", &[("provides", "unfencing")]);
    Change::Put { object: Object::Primitive(Primitive { meta, ..primitive }), mode }
}

#[test]
fn nothing_starts_on_a_node_before_it_is_let_in_and_that_is_known_until_it_leaves() {
    let mut cluster = cluster(2, vec![fabric("one")]);
    let mut waiting = shots(&mut cluster, &[1, 2]);
    waiting.sort_by_key(|(by, _)| *by);
    let told: Vec<(u32, &str, &str, &str)> = waiting
        .iter()
        .map(|(by, it)| {
            (*by, it.resource.as_str(), it.action.as_str(), it.fencing.as_ref().map_or("", |order| &order.target))
        })
        .collect();
    assert_eq!(told, [(1, "Fabric", "on", "node1"), (2, "Fabric", "on", "node2")], "each lets itself in");
    assert_eq!(started(&mut cluster, &[1, 2], "Web"), 0);
    for (by, shot) in &waiting {
        cluster.agent_ends(*by, shot, Outcome::default());
    }
    cluster.settle();
    let cib = cluster.cib(1);
    let victim = number(&places(cib, "Web")[0]);
    for node in [1, 2] {
        assert!(attribute(cib, node, "#node-unfenced").is_some_and(|at| at.parse::<i64>().is_ok_and(|at| at > 0)));
        let all = attribute(cib, node, "#digests-all").expect("what let it in");
        let secure = attribute(cib, node, "#digests-secure").expect("the same without secrets");
        assert!(all.starts_with("Fabric:fence_scsi:") && all.ends_with(',') && all != secure, "{all} {secure}");
    }
    assert_eq!(shots(&mut cluster, &[1, 2]).len(), 0, "once is enough");
    cluster.kill(victim);
    let rest = 3 - victim;
    cluster.view(&[rest]);
    assert_eq!(attribute(cluster.cib(rest), victim, "#node-unfenced"), None, "it is let in anew when it comes back");
}
