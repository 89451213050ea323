//! What is said of each kind of thing. Whole answers about whole states are in the golden explanations.

use std::collections::BTreeSet;

use expect_test::expect;

use super::*;
use crate::plan::{Cause, Verb};
use hac_model::INFINITY;

fn influences() -> Vec<Influence> {
    let id = || Some("together".to_owned());
    vec![
        Influence::Location { constraint: "web-on-n1".into() },
        Influence::Location { constraint: "cli-ban-web-on-n1".into() },
        Influence::Health,
        Influence::Stickiness,
        Influence::ShutdownLock { node: "n2".into() },
        Influence::Failures { service: "web".into(), failures: 1, threshold: 1 },
        Influence::Failures { service: "web".into(), failures: 3, threshold: 2 },
        Influence::Failures { service: "web".into(), failures: INFINITY, threshold: INFINITY },
        Influence::Failed { operation: "web_start_0".into(), node: "n1".into(), outcome: "Not installed".into() },
        Influence::OnFail { node: "n1".into() },
        Influence::MultiplyActive,
        Influence::Unmanaged,
        Influence::Ticket { constraint: "needs".into(), ticket: "T".into() },
        Influence::Discovery,
        Influence::Colocation { constraint: id(), with: "ip".into(), role: None, nodes: vec!["n2".into()], score: 1 },
        Influence::Colocation {
            constraint: None,
            with: "db".into(),
            role: Some(Role::Promoted),
            nodes: Vec::new(),
            score: -INFINITY,
        },
        Influence::Company { constraint: id(), dependent: "web".into() },
        Influence::Disabled,
        Influence::StoppedByFailure,
        Influence::Capacity,
        Influence::Promotion,
        Influence::NodeFull { max: 1 },
        Influence::WholeClone,
        Influence::NodeUnavailable,
        Influence::Surplus { max: 2 },
        Influence::Removed,
        Influence::BuiltIn,
        Influence::ChainTooLong,
    ]
}

#[test]
fn every_influence_has_a_clause_and_perhaps_a_remedy() {
    let line = |influence: Influence| match influence.remedy("web", "n1") {
        Some(remedy) => format!("{influence} | {remedy}\n"),
        None => format!("{influence}\n"),
    };
    let text: String = influences().into_iter().map(line).collect();
    expect![[r#"
        location constraint web-on-n1 | 'hacctl configure show web-on-n1' shows it
        location constraint cli-ban-web-on-n1 | 'hacctl resource clear web' removes it
        the node's health
        resource-stickiness: it is active there
        it is locked to n2, which shut down (shutdown-lock)
        web failed there once; migration-threshold is 1 | 'hacctl resource cleanup web n1' forgets that
        web failed there 3 times; migration-threshold is 2 | 'hacctl resource cleanup web n1' forgets that
        web failed there, and its fail count is INFINITY; migration-threshold is INFINITY | 'hacctl resource cleanup web n1' forgets that
        web_start_0 on n1 said: Not installed | 'hacctl resource cleanup web n1' forgets that
        it failed on n1, and on-fail keeps it away | 'hacctl resource cleanup web n1' forgets that
        it was active on several nodes (multiple-active=stop_only) | 'hacctl resource cleanup web' forgets that
        it is active there and not managed
        ticket T is not granted or on standby (constraint needs)
        resource-discovery=exclusive names other nodes
        it belongs with ip, which will be on n2 (colocation together)
        it is to be away from the Promoted db, which will run nowhere
        wishes of web, which is placed with it (colocation together)
        target-role=Stopped: it is to be stopped
        it failed, and on-fail wants it stopped | 'hacctl resource cleanup web' forgets that
        the node has not enough room for it
        how much it is wanted promoted there
        its clone has as many instances there as it may, 1 (clone-node-max)
        what it is an instance of may not be there
        the node may not run resources
        its clone has as many instances as it may, 2 (clone-max)
        it is no longer configured
        its place follows from what it is
        the chain of colocations that it begins is too long
    "#]]
    .assert_eq(&text);
}

#[test]
fn no_two_influences_say_the_same() {
    let clauses: BTreeSet<String> = influences().iter().map(ToString::to_string).collect();
    assert_eq!(clauses.len(), influences().len());
}

#[test]
fn causes_reasons_and_obstacles_are_clauses_for_people() {
    let node = || "n1".to_owned();
    let causes = [
        Cause::NotRunning,
        Cause::Failed { node: node() },
        Cause::Node { node: node(), obstacle: Obstacle::Standby },
        Cause::Node { node: node(), obstacle: Obstacle::StandbyOnFail },
        Cause::Node { node: node(), obstacle: Obstacle::Leaving },
        Cause::Node { node: node(), obstacle: Obstacle::Offline },
        Cause::Node { node: node(), obstacle: Obstacle::Joining },
        Cause::Node { node: node(), obstacle: Obstacle::Unclean },
        Cause::Node { node: node(), obstacle: Obstacle::Maintenance },
        Cause::Banned { node: node() },
        Cause::BetterNode { from: node(), to: "n2".into() },
        Cause::TargetRole,
        Cause::StopAll,
        Cause::MultiplyActive,
        Cause::Changed,
        Cause::Contained { resource: "guest".into() },
        Cause::Removed,
        Cause::OtherInstances,
        Cause::BestPromoted,
        Cause::Requested,
        Cause::Implied,
    ];
    let reasons = [
        Reason::NodeAvailability,
        Reason::NoQuorum,
        Reason::QuorumFreeze,
        Reason::DefinitionChange,
        Reason::MultiplyActive,
        Reason::Colocation("ip".into()),
        Reason::Unrunnable("ip".into(), "start".into()),
        Reason::Unrunnable(String::new(), "stonith".into()),
        Reason::Unmigrateable("ip".into(), "stop".into()),
        Reason::Required("ip".into(), "stop".into()),
        Reason::Other("peer is no longer part of the cluster".into()),
    ];
    let causes = causes.iter().map(|cause| format!("{cause}\n"));
    let text: String = causes.chain(reasons.iter().map(|reason| format!("{}\n", reason.clause()))).collect();
    expect![[r#"
        it is to run
        it failed on n1
        n1 is on standby
        n1 is on standby because of a failure there
        n1 is shutting down
        n1 is offline
        n1 is still joining
        n1 is unclean and must be fenced
        n1 is in maintenance
        it may not be on n1
        n2 has a better score than n1
        target-role says so
        stop-all-resources is set
        it was active on several nodes
        its parameters or its agent changed
        guest, which runs in it, failed
        it is no longer configured
        other instances go before it
        no other instance is wanted promoted more
        it was asked for
        the state of the cluster leaves nothing else
        no node may run it
        this partition has no quorum
        this partition has no quorum and may only keep what runs
        its parameters or its agent changed
        it was active on several nodes
        it belongs with ip, which cannot be there
        the start of ip, which comes before, cannot be carried out
        stonith, which comes before, cannot be carried out
        the stop of ip, which comes before, is no live migration
        the stop of ip requires it
        peer is no longer part of the cluster
    "#]]
    .assert_eq(&text);
}

/// A service about which all that can be said is said.
fn service() -> Service {
    let candidate = |node: &str, score| Candidate { node: node.into(), score, ..Candidate::default() };
    let part = Part { influence: Influence::Stickiness, points: 100, after: 100 };
    let ban = Part { influence: Influence::Disabled, points: -INFINITY, after: -INFINITY };
    Service {
        id: "web:0".into(),
        agent: "ocf:heartbeat:nginx".into(),
        now: vec![Place { node: "n1".into(), role: Role::Promoted }],
        next: Some(Place { node: "n1".into(), role: Role::Unpromoted }),
        verdict: Verdict::Tie { with: vec!["n2".into(), "n3".into()], by: TieBreak::Active },
        conditions: vec![
            Condition::Unmanaged,
            Condition::Maintenance,
            Condition::Blocked,
            Condition::Failed,
            Condition::FailedOperation {
                task: "monitor".into(),
                interval_ms: 10_000,
                node: "n1".into(),
                outcome: "not running".into(),
                reason: Some("no disk there".into()),
            },
            Condition::FailedOperation {
                task: "monitor".into(),
                interval_ms: 0,
                node: "n2".into(),
                outcome: "timed out".into(),
                reason: None,
            },
            Condition::FailureIgnored,
            Condition::Removed,
            Condition::Pending { task: "start".into(), node: "n2".into() },
            Condition::MultiplyActive,
            Condition::FailCount { node: "n1".into(), failures: 2, threshold: Some(3) },
            Condition::FailCount { node: "n2".into(), failures: INFINITY, threshold: None },
            Condition::PromotionScore { score: 10, max: 1 },
        ],
        nodes: vec![
            Candidate { active: true, chosen: true, parts: vec![part], ..candidate("n1", Some(100)) },
            Candidate { parts: vec![ban], ..candidate("node22", Some(-INFINITY)) },
            Candidate { obstacle: Some(Obstacle::Offline), ..candidate("n3", None) },
        ],
    }
}

fn story() -> ResourceStory {
    let decision = Decision {
        verb: Verb::Demote,
        subject: "web:0".into(),
        detail: "Promoted -> Unpromoted n1".into(),
        reason: None,
        cause: Some(Cause::OtherInstances),
        blocked: false,
    };
    let wait = Wait {
        key: "ip_start_0".into(),
        resource: Some("ip".into()),
        task: "start".into(),
        node: Some("n1".into()),
        blocked: true,
        constraint: Some("ip-first".into()),
    };
    let step = Step { key: "web:0_monitor_1500".into(), task: "monitor".into(), interval_ms: 1500, ..Step::default() };
    let node = || Some("n1".to_owned());
    ResourceStory {
        id: "web-clone".into(),
        kind: Kind::Clone,
        circumstances: vec![
            Circumstance::NoQuorum { policy: "stop".into() },
            Circumstance::NoFenceDevices,
            Circumstance::Maintenance,
            Circumstance::StopAll,
            Circumstance::OptIn,
            Circumstance::Unclean { node: "n4".into(), fenced: true },
            Circumstance::Unclean { node: "n5".into(), fenced: false },
        ],
        services: vec![service()],
        decisions: vec![decision],
        steps: vec![
            Step { task: "demote".into(), resource: Some("web:0".into()), node: node(), ..step.clone() },
            Step { resource: Some("web:0".into()), node: node(), after: vec![wait], ..step.clone() },
            Step {
                task: "start".into(),
                interval_ms: 0,
                blocked: true,
                node: node(),
                obstacle: Some(Obstacle::Offline),
                ..step.clone()
            },
            Step { task: "stop".into(), interval_ms: 0, blocked: true, reason: Some(Reason::NoQuorum), ..step },
        ],
    }
}

#[test]
fn a_resource_is_told_from_where_it_is_to_what_is_done() {
    expect![[r#"
        This partition has no quorum (no-quorum-policy=stop).
        Fencing is wanted and no fence device is configured: nothing is started, stopped or moved. Configure one, or set stonith-enabled=false.
        The cluster is in maintenance: nothing is touched.
        Everything is to be stopped (stop-all-resources).
        A resource runs only where a location constraint allows it (symmetric-cluster=false).
        Node n4 is unclean and is to be fenced.
        Node n5 is unclean and cannot be fenced: what it ran stays where it may still be.
        web-clone is a clone.

        web:0 (ocf:heartbeat:nginx) runs on n1 (Promoted) and is demoted on n1 (Unpromoted): other instances go before it.
          It belongs on n1: n2 and n3 would do as well, but it is active there already.
          It is not managed; 'hacctl resource manage web' changes that.
          It, its node or the cluster is in maintenance.
          A failure blocks it until 'hacctl resource cleanup web' forgets that failure.
          It failed.
          Its monitor on n1 failed: not running (no disk there).
          Its probe on n2 failed: timed out.
          It failed, which is ignored (on-fail).
          It is no longer configured.
          Its start on n2 is under way.
          It is active on more than one node.
          Its fail count on n1 is 2 (migration-threshold=3).
          Its fail count on n2 is INFINITY; it is never banned for that.
          Its promotion score is 10 (promoted-max=1).
            n1            100  it belongs here; it is active here
                         +100  resource-stickiness: it is active there
            node22  -INFINITY
                    -INFINITY  target-role=Stopped: it is to be stopped
            n3              -  the node is offline; nothing allows it here

        Actions of the next transition:
          * demote of web:0 on n1, every 1500 ms
          * monitor of web:0 on n1, every 1500 ms
              after start of ip on n1, which cannot be carried out (order ip-first)

        Needed, but cannot be carried out:
          * start on n1: n1 is offline
          * stop: this partition has no quorum
    "#]].assert_eq(&Explanation::Resource(story()).to_string());
}

#[test]
fn a_node_is_told_with_what_it_runs_and_what_not() {
    let elsewhere = Service {
        id: "db".into(),
        now: Vec::new(),
        next: None,
        nodes: vec![Candidate {
            node: "n1".into(),
            parts: vec![Part { influence: Influence::Capacity, points: -INFINITY, after: -INFINITY }],
            ..Candidate::default()
        }],
        ..service()
    };
    let moves =
        Service { id: "ip".into(), next: Some(Place { node: "n2".into(), role: Role::Started }), ..elsewhere.clone() };
    let node = NodeStory {
        name: "n1".into(),
        dc: true,
        obstacle: Some(Obstacle::Standby),
        here: vec![Service { nodes: Vec::new(), ..service() }],
        elsewhere: vec![elsewhere, moves],
        ..NodeStory::default()
    };
    expect![[r#"
        Node n1 may not run anything: it is on standby; it is the coordinator (DC).

        Here:
          * web:0 runs and belongs on n1 (Unpromoted)

        Not here:
          * db belongs nowhere
              -INFINITY  the node has not enough room for it
          * ip belongs on n2
              -INFINITY  the node has not enough room for it
    "#]]
    .assert_eq(&Explanation::Node(node).to_string());
}

#[test]
fn explanations_can_be_written_as_json_and_read_again() {
    let service = Service { nodes: vec![], ..service() };
    let nodes = influences().into_iter().map(|influence| Part { influence, points: 1, after: 1 }).collect();
    let all = Candidate { node: "n1".into(), parts: nodes, ..Candidate::default() };
    for explanation in [
        Explanation::Resource(story()),
        Explanation::Cluster(ClusterStory { decisions: story().decisions, ..ClusterStory::default() }),
        Explanation::Node(NodeStory { here: vec![Service { nodes: vec![all], ..service }], ..NodeStory::default() }),
    ] {
        let text = serde_json::to_string(&explanation).expect("can be written");
        let again: Explanation = serde_json::from_str(&text).expect("can be read");
        assert_eq!(again, explanation);
    }
}

#[test]
fn an_unknown_name_comes_with_what_could_have_been_meant() {
    let unknown = |nearest: Option<&str>, known: &[&str]| Unknown {
        kind: "resource",
        name: "wbe".into(),
        nearest: nearest.map(str::to_owned),
        known: known.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(unknown(None, &[]).to_string(), "there is no resource wbe");
    assert_eq!(unknown(Some("web"), &["web"]).remedy(), "Did you mean web? There are: web.");
    assert_eq!(unknown(None, &["a", "b"]).remedy(), "There are: a, b.");
    assert_eq!(unknown(None, &[]).remedy(), "Nothing of that kind is configured.");
    assert_eq!(unknown(None, &["x"; 21]).remedy(), "'hacctl status' lists what there is.");
}
