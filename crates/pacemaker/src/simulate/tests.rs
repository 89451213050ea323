//! Times, sweeps, and the report and graph of a plan made by hand.

mod hostile;
mod reports;

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{expect, expect_file};
use hac_model::{Agent, FenceAction};
use hac_scheduler::DrawnAction;
use hac_scheduler::plan::{Action, ActionKind, Decision, Fencing, Plan, Reason, ResourceOp, Verb};
use hac_types::WallTime;

use super::execute::sweep;
use super::*;

fn given(text: &str) -> Option<i64> {
    let Some(Clock::Given(WallTime(ms), _)) = Clock::given(text) else { return None };
    Some(ms / 1000)
}

#[test]
fn times_are_read_as_people_write_them() {
    assert_eq!(given("2014-05-07 00:28:00"), Some(1_399_422_480));
    assert_eq!(given("2014-05-07T00:28:00Z"), Some(1_399_422_480));
    assert_eq!(given("2014-05-07T02:28:00+02:00"), Some(1_399_422_480));
    assert_eq!(given("2005-020T12:30"), Some(1_106_224_200));
    assert_eq!(given("2005-W03-4T12:30"), Some(1_106_224_200));
    assert_eq!(given("@77"), Some(77));
    for nonsense in ["", "soon", "2014-13-01", "2014-05-07T25:00", "2014-05-07T00:28:00+xx", "+1-+1-+1", "20é4-05-07"]
    {
        assert_eq!(given(nonsense), None, "{nonsense}");
    }
}

#[test]
fn a_state_carries_its_own_time() {
    let mut cib = Cib::default();
    let present = Clock::Present(WallTime::from_secs(9));
    assert_eq!(present.time_for(&cib), WallTime::from_secs(9));
    cib.info.execution_date = Some(5);
    assert_eq!(present.time_for(&cib), WallTime::from_secs(5));
    assert_eq!(Clock::Given(WallTime::from_secs(7), String::new()).time_for(&cib), WallTime::from_secs(7));
}

fn milestone(inputs: &[usize]) -> Action {
    Action {
        inputs: inputs.to_vec(),
        rather_after: Vec::new(),
        key: String::new(),
        node: None,
        node_id: None,
        router_node: None,
        priority: 0,
        kind: ActionKind::Pseudo,
        downed: Vec::new(),
        meta: BTreeMap::new(),
    }
}

#[test]
fn what_fires_in_a_sweep_counts_for_those_later_in_it() {
    // 0 waits for 3, which comes later; 1 is free; 2 waits for 1 in the same sweep; 3 waits for 2.
    let plan = Plan { actions: [&[3][..], &[], &[1], &[2]].map(milestone).into(), ..Plan::default() };
    assert_eq!(sweep(&plan), [1, 2, 3, 0]);
}

#[test]
fn a_cycle_never_fires() {
    let plan = Plan { actions: [&[1][..], &[0], &[]].map(milestone).into(), ..Plan::default() };
    assert_eq!(sweep(&plan), [2]);
}

fn agent(provider: &str, kind: &str) -> Agent {
    Agent { class: "ocf".to_owned(), provider: Some(provider.to_owned()), kind: kind.to_owned() }
}

/// An order for an agent; instances have their number in `id`.
fn order(
    inputs: &[usize],
    id: &str,
    agent: &Agent,
    (task, interval_ms): (&str, u64),
    (node, node_id): (&str, &str),
) -> Action {
    let short = ids::without_number(id);
    let op = ResourceOp {
        resource: short.to_owned(),
        instance: (short != id).then(|| id.to_owned()),
        agent: agent.clone().into(),
        task: task.parse().unwrap(),
        interval_ms,
        timeout_ms: 20_000,
        ..ResourceOp::default()
    };
    Action {
        key: format!("{id}_{task}_{interval_ms}"),
        node: Some(node.to_owned()),
        node_id: Some(node_id.to_owned()),
        kind: ActionKind::Resource(Box::new(op)),
        ..milestone(inputs)
    }
}

/// The address moves, the web server starts on the second node, and the first node goes.
fn outcome(cib: &Cib) -> Outcome {
    let (float, nginx) = (agent("digitalocean", "floatip"), agent("heartbeat", "nginx"));
    let (primary, secondary) = (("primary", "1"), ("secondary", "2"));
    let named = |inputs: &[usize], key: &str| Action { key: key.to_owned(), ..milestone(inputs) };
    let on_primary = |inputs: &[usize], kind, key: &str| Action {
        node: Some("primary".to_owned()),
        node_id: Some("1".to_owned()),
        kind,
        ..named(inputs, key)
    };
    let mut monitor = order(&[0], "FloatIP", &float, ("monitor", 10_000), secondary);
    monitor.priority = 5;
    let fencing = Fencing { target: "primary".to_owned(), action: FenceAction::Off };
    let mut fence = on_primary(&[2, 4], ActionKind::Fence(fencing), "stonith-primary-off");
    fence.downed = vec!["1".to_owned()];
    let clear = ActionKind::ClearFailCount { resource: "Nginx".to_owned(), instance: Some("Nginx:0".to_owned()) };
    let actions = vec![
        order(&[2, 5], "FloatIP", &float, ("start", 0), secondary),
        monitor,
        order(&[], "FloatIP", &float, ("stop", 0), primary),
        order(&[6], "Nginx:1", &nginx, ("start", 0), secondary),
        order(&[], "Nginx:0", &nginx, ("stop", 0), primary),
        named(&[3], "Nginx-clone_running_0"),
        named(&[], "Nginx-clone_start_0"),
        fence,
        on_primary(&[], clear, "Nginx:0_clear_failcount_0"),
    ];
    let decision = |verb, subject: &str, detail: &str, reason, blocked| Decision {
        verb,
        subject: subject.to_owned(),
        detail: detail.to_owned(),
        reason,
        cause: None,
        blocked,
    };
    let summary = vec![
        decision(
            Verb::Fence,
            "primary",
            "off",
            Some(Reason::Other("peer is no longer part of the cluster".into())),
            false,
        ),
        decision(Verb::Move, "FloatIP", "primary -> secondary", None, false),
        decision(Verb::Stop, "Nginx:0", "primary", Some(Reason::NodeAvailability), false),
        decision(Verb::Start, "Nginx:1", "secondary", Some(Reason::Unrunnable("x".into(), "start".into())), true),
    ];
    let drawn = |name: &str, planned, pseudo| DrawnAction { name: name.to_owned(), planned, blocked: !planned, pseudo };
    Outcome {
        plan: Plan {
            actions,
            summary,
            recheck_by: Some(1_700_000_600),
            warnings: Vec::new(),
            fence_devices: Vec::new(),
        },
        view: hac_scheduler::view(cib, WallTime::from_secs(1_700_000_000)),
        drawing: Drawing {
            actions: vec![
                drawn("FloatIP_start_0 secondary", true, false),
                drawn("Nginx-clone_running_0", true, true),
                drawn("a\"b", false, false),
            ],
            edges: vec![(1, 0, true), (0, 2, false)],
        },
        scores: Vec::new(),
    }
}

#[test]
fn a_plan_is_told_carried_out_and_its_end_shown() {
    let cib = crate::cib_xml::read(include_str!("tests/state.xml")).unwrap();
    let simulation = carry_out(&cib, outcome(&cib), &Clock::Present(WallTime(0)));
    expect![[r#"
        Using the original execution date of: 2023-11-14 22:13:20Z
        Current cluster status:
          * Node List:
            * Online: [ primary secondary ]

          * Full List of Resources:
            * FloatIP	(ocf:digitalocean:floatip):	 Started primary
            * Clone Set: Nginx-clone [Nginx]:
              * Started: [ primary ]
              * Stopped: [ secondary ]

        Transition Summary:
          * Fence (off) primary 'peer is no longer part of the cluster'
          * Move       FloatIP     ( primary -> secondary )
          * Stop       Nginx:0     (              primary )  due to node availability
          * Start      Nginx:1     (            secondary )  due to unrunnable x start (blocked)

        Executing Cluster Transition:
          * Resource action: FloatIP         stop on primary
          * Resource action: Nginx           stop on primary
          * Pseudo action:   Nginx-clone_start_0
          * Fencing primary (off)
          * Cluster action:  clear_failcount for Nginx on primary
          * Resource action: Nginx           start on secondary
          * Pseudo action:   Nginx-clone_running_0
          * Resource action: FloatIP         start on secondary
          * Resource action: FloatIP         monitor=10000 on secondary
        Using the original execution date of: 2023-11-14 22:13:20Z

        Revised Cluster Status:
          * Node List:
            * Online: [ secondary ]
            * OFFLINE: [ primary ]

          * Full List of Resources:
            * FloatIP	(ocf:digitalocean:floatip):	 Started secondary
            * Clone Set: Nginx-clone [Nginx]:
              * Started: [ secondary ]
              * Stopped: [ primary ]
    "#]]
    .assert_eq(&simulation.report());
    let given = Clock::given("2023-11-14 22:13:20").unwrap();
    let first = carry_out(&cib, outcome(&cib), &given).report();
    assert!(first.starts_with("Setting effective cluster time: 2023-11-14 22:13:20\n"), "{first}");
}

#[test]
fn the_graph_is_written_in_pacemakers_forms() {
    let cib = crate::cib_xml::read(include_str!("tests/state.xml")).unwrap();
    let simulation = carry_out(&cib, outcome(&cib), &Clock::Present(WallTime(0)));
    expect_file!["tests/graph.xml"].assert_eq(&simulation.graph_xml(&cib));
    expect![[r#"
         digraph "g" {
        "FloatIP_start_0 secondary" -> "a\"b" [ style = dashed]
        "FloatIP_start_0 secondary" [ style=bold color="green" fontcolor="black"]
        "Nginx-clone_running_0" -> "FloatIP_start_0 secondary" [ style = bold]
        "Nginx-clone_running_0" [ style=bold color="green" fontcolor="orange"]
        "a\"b" [ style=dashed color="red" fontcolor="black"]
        }
    "#]]
    .assert_eq(&simulation.dot());
}

#[test]
fn parameters_that_xml_could_not_name_are_elements() {
    let cib: Cib = Cib::default();
    let mut start = milestone(&[]);
    let params = [("1", "192.0.2.1"), ("state", "x"), ("a b", "y")];
    start.kind = ActionKind::Resource(Box::new(ResourceOp {
        resource: "ip".into(),
        task: "start".parse().unwrap(),
        params: Arc::new(params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        ..ResourceOp::default()
    }));
    let outcome = Outcome { plan: Plan { actions: vec![start], ..Plan::default() }, ..Outcome::default() };
    let graph = carry_out(&cib, outcome, &Clock::Present(WallTime(0))).graph_xml(&cib);
    assert!(graph.contains(r#"<param name="1" value="192.0.2.1"/>"#), "{graph}");
    assert!(graph.contains(r#"<param name="a b" value="y"/>"#), "{graph}");
    assert!(graph.contains(r#"state="x""#), "{graph}");
}

#[test]
fn instances_are_told_of_each_other() {
    let node = |id: u32| format!("<node id=\"{id}\" uname=\"n{id}\"/>");
    let state = |id: u32| {
        format!(
            "<node_state id=\"{id}\" uname=\"n{id}\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\"/>"
        )
    };
    let pair = |name: &str| format!("<nvpair id=\"m-{name}\" name=\"{name}\" value=\"true\"/>");
    let text = format!(
        "<cib validate-with=\"pacemaker-3.9\" have-quorum=\"1\" dc-uuid=\"1\"><configuration>\
         <crm_config><cluster_property_set id=\"o\"><nvpair id=\"o-s\" name=\"stonith-enabled\" value=\"false\"/>\
         </cluster_property_set></crm_config><nodes>{}{}</nodes><resources><clone id=\"dbs\"><meta_attributes id=\"m\">{}{}\
         </meta_attributes><primitive id=\"db\" class=\"ocf\" provider=\"pacemaker\" type=\"Stateful\"/></clone></resources>\
         <constraints/></configuration><status>{}{}</status></cib>",
        node(1),
        node(2),
        pair("promotable"),
        pair("notify"),
        state(1),
        state(2)
    );
    let cib = crate::cib_xml::read_valid(&text).unwrap();
    let graph = simulate(&cib, &Clock::Present(WallTime(1_700_000_000_000)), false).graph_xml(&cib);
    let attributes = |key: &str| -> Vec<&str> {
        let line = graph.lines().skip_while(|line| !line.contains(&format!("operation_key=\"{key}\"")));
        let mut line = line;
        let line = line.find(|line| line.contains("<attributes")).expect("the action is there");
        line.split("CRM_meta_notify_")
            .skip(1)
            .map(|rest| rest.split_inclusive('"').take(2).collect::<String>().leak() as &str)
            .collect()
    };
    let start = attributes("db:0_start_0");
    expect![[r#"
        active_resource=" "
        active_uname=" "
        all_uname="n1 n2"
        available_uname="n1 n2"
        demote_resource=" "
        demote_uname=" "
        inactive_resource="db:0 db:1"
        master_resource=" "
        master_uname=" "
        promote_resource=" "
        promote_uname=" "
        promoted_resource=" "
        promoted_uname=" "
        slave_resource=" "
        slave_uname=" "
        start_resource="db:0 db:1"
        start_uname="n1 n2"
        stop_resource=" "
        stop_uname=" "
        unpromoted_resource=" "
        unpromoted_uname=" ""#]]
    .assert_eq(&start.join("\n"));
    let told = attributes("db:0_post_notify_start_0");
    let more: Vec<&str> = told.into_iter().filter(|attribute| !start.contains(attribute)).collect();
    expect![[r#"
        key_operation="running"
        key_type="post"
        operation="start"
        type="post""#]]
    .assert_eq(&more.join("\n"));
}
