//! What instances of a clone are told of each other, in notifications and in the actions around them, and what waits for what.

use std::collections::BTreeSet;

use hac_scheduler::plan::{Action, ActionKind, Plan};
use hac_scheduler::schedule;
use hac_types::WallTime;

use crate::golden::Golden;

/// 2026-01-01 12:00.
const NOW: i64 = 1_767_268_800;

fn plan(state: &str) -> Plan {
    let golden = Golden::read(&format!("{state}----\n")).expect("a state");
    schedule(&golden.cib, WallTime::from_secs(NOW))
}

/// The lists that an action has: name and value, those that are empty left out.
fn lists(action: &Action) -> Vec<(String, String)> {
    let ActionKind::Resource(op) = &action.kind else { return Vec::new() };
    let named = |(name, value): (&String, &String)| {
        let name = name.strip_prefix("CRM_meta_notify_")?;
        let list = name.ends_with("_resource") || name.ends_with("_uname");
        // An empty list is one blank, and never nothing.
        assert!(!list || !value.is_empty(), "{name} of {} is empty", action.key);
        (list && value != " ").then(|| (name.to_owned(), value.clone()))
    };
    op.meta.iter().filter_map(named).collect()
}

/// The key of an action without the number of an instance.
fn name_of(action: &Action) -> String {
    let Some((resource, rest)) = action.key.split_once(':') else { return action.key.clone() };
    let task = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{resource}{task}")
}

fn expect(plan: &Plan, key: &str, node: &str, expected: &[(&str, &str)]) {
    let found = plan.actions.iter().find(|action| name_of(action) == key && action.node.as_deref() == Some(node));
    let action = found.unwrap_or_else(|| panic!("no {key} on {node}: {:#?}", keys(plan)));
    let mut expected: Vec<(String, String)> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    expected.sort();
    assert_eq!(lists(action), expected, "{key} on {node}");
}

/// Keys without the numbers of instances, which are the scheduler's to give, with nodes.
fn keys(plan: &Plan) -> Vec<String> {
    let of = |action: &Action| format!("{} {}", name_of(action), action.node.as_deref().unwrap_or_default());
    plan.actions.iter().map(of).collect()
}

fn at(plan: &Plan, name: &str) -> usize {
    keys(plan).iter().position(|key| key.trim() == name).unwrap_or_else(|| panic!("no {name}: {:#?}", keys(plan)))
}

/// Whether `later` waits for `first`, over whatever is between them.
fn waits(plan: &Plan, later: &str, first: &str) -> bool {
    let (later, first) = (at(plan, later), at(plan, first));
    let (mut seen, mut open) = (BTreeSet::new(), vec![later]);
    while let Some(action) = open.pop() {
        if action == first {
            return true;
        }
        if seen.insert(action) {
            open.extend(&plan.actions[action].inputs);
        }
    }
    false
}

/// Each waits for the one before it.
fn in_order(plan: &Plan, names: &[&str]) {
    for pair in names.windows(2) {
        assert!(waits(plan, pair[1], pair[0]), "{} does not wait for {}: {:#?}", pair[1], pair[0], keys(plan));
        assert!(!waits(plan, pair[0], pair[1]), "{} waits for {}", pair[0], pair[1]);
    }
}

#[test]
fn an_instance_that_starts_is_told_who_is_there_and_its_start_waits_until_they_know() {
    let plan = plan(
        "nodes n1 n2\nproperty stonith-enabled=false\nprimitive web ocf:pacemaker:Dummy op monitor interval=10s\n\
         clone webs web meta notify=true\non n1\n  web start\n  web monitor/10s\non n2\n  web monitor\n",
    );
    let told = [
        ("start_resource", "web:1"),
        ("start_uname", "n2"),
        ("active_resource", "web:0"),
        ("active_uname", "n1"),
        ("inactive_resource", "web:1"),
        ("unpromoted_resource", "web:0"),
        ("unpromoted_uname", "n1"),
        ("slave_resource", "web:0"),
        ("slave_uname", "n1"),
        ("available_uname", "n1 n2"),
        ("all_uname", "n1 n2"),
    ];
    // Started and no more is neither promoted nor unpromoted.
    let plain: Vec<_> =
        told.into_iter().filter(|(name, _)| !name.starts_with("un") && !name.starts_with("sl")).collect();
    expect(&plan, "web_start_0", "n2", &plain);
    expect(&plan, "web_pre_notify_start_0", "n1", &plain);
    for node in ["n1", "n2"] {
        expect(&plan, "web_post_notify_start_0", node, &plain);
    }
    assert!(!keys(&plan).contains(&"web_pre_notify_start_0 n2".to_owned()), "who is not there is told nothing before");
    in_order(
        &plan,
        &[
            "webs_pre_notify_start_0",
            "web_pre_notify_start_0 n1",
            "webs_confirmed-pre_notify_start_0",
            "webs_start_0",
            "web_start_0 n2",
            "webs_running_0",
            "webs_post_notify_running_0",
            "web_post_notify_start_0 n2",
            "webs_confirmed-post_notify_running_0",
            "web_monitor_10000 n2",
        ],
    );
    assert!(waits(&plan, "webs_confirmed-post_notify_running_0", "web_post_notify_start_0 n1"));
}

#[test]
fn lists_are_sorted_as_text_and_those_of_a_pair_belong_together() {
    let nodes: Vec<String> = (1..=11).map(|node| format!("n{node:02}")).collect();
    let on: String = nodes.iter().map(|node| format!("on {node}\n  x monitor\n")).collect();
    let plan = plan(&format!(
        "nodes {}\nproperty stonith-enabled=false\nprimitive x ocf:pacemaker:Dummy\nclone xs x meta notify=true\n{on}",
        nodes.join(" ")
    ));
    let starts = plan.actions.iter().filter(|action| name_of(action) == "x_start_0");
    let mut resources = Vec::new();
    for start in starts.clone() {
        let of = |name: &str| {
            let found = lists(start).into_iter().find(|(list, _)| list == name);
            found.map(|(_, value)| value.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default()
        };
        resources = of("start_resource");
        assert_eq!(of("start_uname").len(), resources.len());
    }
    assert_eq!(starts.count(), 11);
    assert_eq!(resources[..4], ["x:0", "x:1", "x:10", "x:2"]);
}

/// The promoted role goes from one node to the other.
const SWITCH: &str = "nodes n1 n2\nproperty stonith-enabled=false\n\
    primitive db ocf:pacemaker:Stateful op monitor interval=10s role=Promoted op monitor interval=11s role=Unpromoted\n\
    clone dbs db meta promotable=true notify=true\n\
    on n1 master-db=5\n  db start\n  db promote\n  db monitor/10s 8 expected=8\non n2 master-db=10\n  db start\n  db monitor/11s\n";

#[test]
fn who_is_promoted_and_who_will_be_is_told_in_demote_and_promote_and_around_them() {
    let plan = plan(SWITCH);
    // One of the two instances was promoted at the beginning: which number it has is the scheduler's.
    let promote = plan.actions.iter().find(|action| name_of(action) == "db_promote_0").expect("a promotion");
    let all = lists(promote);
    let get =
        |name: &str| all.iter().find(|(list, _)| list == name).map(|(_, value)| value.clone()).unwrap_or_default();
    for (of, node) in [("promote", "n2"), ("demote", "n1"), ("promoted", "n1"), ("unpromoted", "n2")] {
        assert_eq!(get(&format!("{of}_uname")), node, "{of}: {all:#?}");
    }
    assert_eq!(get("promote_resource"), get("unpromoted_resource"));
    assert_eq!(get("demote_resource"), get("promoted_resource"));
    assert_eq!((get("master_resource"), get("slave_uname")), (get("promoted_resource"), "n2".to_owned()));
    assert_eq!(get("active_resource").split(' ').count(), 2);
    assert_eq!((get("start_resource"), get("stop_resource"), get("inactive_resource")), Default::default());
    for (key, node) in [
        ("db_demote_0", "n1"),
        ("db_pre_notify_demote_0", "n1"),
        ("db_pre_notify_demote_0", "n2"),
        ("db_post_notify_demote_0", "n1"),
        ("db_pre_notify_promote_0", "n2"),
        ("db_post_notify_promote_0", "n2"),
    ] {
        let expected: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        expect(&plan, key, node, &expected);
    }
    in_order(
        &plan,
        &[
            "dbs_pre_notify_demote_0",
            "db_pre_notify_demote_0 n2",
            "dbs_confirmed-pre_notify_demote_0",
            "dbs_demote_0",
            "db_demote_0 n1",
            "dbs_demoted_0",
            "db_post_notify_demote_0 n2",
            "dbs_confirmed-post_notify_demoted_0",
            "dbs_pre_notify_promote_0",
            "db_pre_notify_promote_0 n1",
            "dbs_confirmed-pre_notify_promote_0",
            "dbs_promote_0",
            "db_promote_0 n2",
            "dbs_promoted_0",
            "db_post_notify_promote_0 n1",
            "dbs_confirmed-post_notify_promoted_0",
            "db_monitor_10000 n2",
        ],
    );
}

#[test]
fn members_of_a_cloned_group_are_listed_and_told_each_for_itself() {
    let plan = plan(
        "nodes n1 n2\nproperty stonith-enabled=false\nprimitive a ocf:pacemaker:Dummy\nprimitive b ocf:pacemaker:Dummy\n\
         group both a b\nclone cs both meta notify=true\non n1\n  a start\n  b start\non n2\n  a monitor\n  b monitor\n",
    );
    let told = [
        ("start_resource", "a:1 b:1"),
        ("start_uname", "n2 n2"),
        ("active_resource", "a:0 b:0"),
        ("active_uname", "n1 n1"),
        ("inactive_resource", "a:1 b:1"),
        ("available_uname", "n1 n2"),
        ("all_uname", "n1 n2"),
    ];
    for key in ["a_start_0", "b_start_0", "a_post_notify_start_0", "b_post_notify_start_0"] {
        expect(&plan, key, "n2", &told);
    }
    for key in ["a_pre_notify_start_0", "b_pre_notify_start_0"] {
        expect(&plan, key, "n1", &told);
    }
    in_order(
        &plan,
        &[
            "b_pre_notify_start_0 n1",
            "cs_confirmed-pre_notify_start_0",
            "cs_start_0",
            "a_start_0 n2",
            "b_start_0 n2",
            "cs_running_0",
        ],
    );
    assert!(waits(&plan, "cs_confirmed-pre_notify_start_0", "a_pre_notify_start_0 n1"));
}
