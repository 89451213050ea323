//! Which alerts are for what, with which variables.

use std::collections::BTreeMap;

use hac_agents::Options;
use hac_model::{NvPair, Recipient, Select, SelectedAttribute};

use super::*;

fn set(pairs: &[(&str, &str)]) -> Vec<NvSet> {
    let pair = |(name, value): &(&str, &str)| NvPair {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
        ..NvPair::default()
    };
    vec![NvSet { pairs: pairs.iter().map(pair).collect(), ..NvSet::default() }]
}

fn shared() -> Shared {
    Shared::new("n1".to_owned())
}

fn operation() -> Seen {
    Seen::Operation(Box::new(Ended {
        node: "n1".into(),
        resource: "web".into(),
        task: "monitor".into(),
        interval_ms: 10_000,
        target_rc: 0,
        status: 0,
        rc: 7,
        exec_time_ms: 12,
    }))
}

fn node() -> Seen {
    Seen::Node { node: "n2".into(), id: "2".into(), member: false }
}

fn attribute(name: &str) -> Seen {
    Seen::Attribute { node: "n2".into(), id: "2".into(), name: name.into(), value: "5".into() }
}

fn fencing(end: End) -> Seen {
    Seen::Fencing(Record {
        id: 7,
        target: "n2".into(),
        action: hac_model::FenceAction::Reboot,
        client: "stonith_admin".into(),
        origin: "n1".into(),
        delegate: Some("n1".into()),
        completed: 0,
        end,
    })
}

/// The variables of the runs, without those that every run has.
fn variables(alert: &Alert, seen: &Seen) -> Vec<BTreeMap<String, String>> {
    let mut all: Vec<_> =
        shared().runs(alert, seen, WallTime(0)).into_iter().map(|run| run.telling.variables).collect();
    for variables in &mut all {
        for name in ["version", "node_sequence", "timestamp", "timestamp_epoch", "timestamp_usec"] {
            assert!(variables.remove(&format!("CRM_alert_{name}")).is_some(), "{name}");
        }
    }
    all
}

fn expect(seen: &Seen, expected: &[(&str, &str)]) {
    let all = variables(&Alert::default(), seen);
    let named = |(name, value): &(&str, &str)| (format!("CRM_alert_{name}"), (*value).to_owned());
    let expected: BTreeMap<String, String> = expected.iter().chain(&[("recipient", "")]).map(named).collect();
    assert_eq!(all, vec![expected]);
}

#[test]
fn each_kind_has_the_variables_of_pacemaker() {
    expect(&node(), &[("kind", "node"), ("node", "n2"), ("nodeid", "2"), ("desc", "lost")]);
    expect(
        &operation(),
        &[
            ("kind", "resource"),
            ("node", "n1"),
            ("rsc", "web"),
            ("task", "monitor"),
            ("interval", "10000"),
            ("target_rc", "0"),
            ("status", "0"),
            ("rc", "7"),
            ("exec_time", "12"),
            ("desc", "not running"),
        ],
    );
    let done = "Operation reboot of n2 by n1 for stonith_admin@n1: OK (ref=7)";
    let common = [("kind", "fencing"), ("node", "n2"), ("task", "st_notify_fence")];
    expect(&fencing(End::Succeeded), &[&common[..], &[("rc", "0"), ("desc", done)]].concat());
    let failed = "Operation reboot of n2 by n1 for stonith_admin@n1: Error (no power switch) (ref=7)";
    let end = End::Failed { reason: "no power switch".into(), nobody: false };
    expect(&fencing(end), &[&common[..], &[("rc", "-61"), ("desc", failed)]].concat());
    expect(
        &attribute("pingd"),
        &[
            ("kind", "attribute"),
            ("node", "n2"),
            ("nodeid", "2"),
            ("attribute_name", "pingd"),
            ("attribute_value", "5"),
        ],
    );
}

#[test]
fn a_timeout_is_told_by_its_status() {
    assert_eq!(ended_as(2, 1), "Timed Out");
    assert_eq!(ended_as(0, 0), "ok");
    assert_eq!(ended_as(99, 0), "unknown");
}

#[test]
fn what_is_selected_is_told_and_attributes_only_if_they_are() {
    let alert = |select| Alert { select, ..Alert::default() };
    let all = [node(), fencing(End::Succeeded), operation(), attribute("pingd")];
    let wants = |select: Select| all.iter().map(|seen| is_for(&alert(select.clone()), seen)).collect::<Vec<_>>();
    assert_eq!(wants(Select::default()), [true, true, true, false]);
    assert_eq!(wants(Select { nodes: true, ..Select::default() }), [true, false, false, false]);
    assert_eq!(wants(Select { fencing: true, resources: true, ..Select::default() }), [false, true, true, false]);
    assert_eq!(wants(Select { attributes: true, ..Select::default() }), [false, false, false, true]);
    let names = vec![SelectedAttribute { id: String::new(), name: "other".into() }];
    assert_eq!(wants(Select { attributes: true, names, ..Select::default() }), [false; 4]);
}

#[test]
fn what_a_recipient_says_counts_over_what_its_alert_says() {
    let alert = Alert {
        id: "a".into(),
        path: "/bin/true".into(),
        attributes: set(&[("color", "red"), ("size", "1")]),
        meta: set(&[("timeout", "5s"), ("timestamp-format", "%H")]),
        recipients: vec![
            Recipient { value: "one".into(), ..Recipient::default() },
            Recipient {
                value: "two".into(),
                attributes: set(&[("color", "blue")]),
                meta: set(&[("timeout", "7"), ("timestamp-format", "%N")]),
                ..Recipient::default()
            },
            Recipient { value: "off".into(), meta: set(&[("enabled", "false")]), ..Recipient::default() },
        ],
        ..Alert::default()
    };
    let runs = shared().runs(&alert, &node(), WallTime(1_795_332_969_042));
    let said: Vec<_> = runs
        .iter()
        .map(|run| {
            let get = |name: &str| run.telling.variables.get(name).map(String::as_str).unwrap_or_default();
            let own = (get("color"), get("size"));
            let times = (get("CRM_alert_timestamp_epoch"), get("CRM_alert_timestamp_usec"));
            assert_eq!(times, ("1795332969", "42000"));
            (get("CRM_alert_recipient"), own, run.telling.timeout.as_secs(), get("CRM_alert_node_sequence"))
        })
        .collect();
    assert_eq!(said, [("one", ("red", "1"), 5, "1"), ("two", ("blue", "1"), 7, "2")]);
    assert_eq!(runs[1].telling.variables["CRM_alert_timestamp"], "042000000");
    let off = Alert { meta: set(&[("enabled", "no")]), ..Alert::default() };
    assert!(shared().runs(&off, &node(), WallTime(0)).is_empty());
}

/// A storm is bounded, those that run are waited for at the end, and none begins after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_holds_nothing_up_and_the_end_waits_for_what_runs() {
    let folder = std::env::temp_dir().join(format!("hacd-alerts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("can be made");
    let options = Options {
        runs: folder.join("runs"),
        node: "n1".into(),
        node_id: 1,
        nodes: 1,
        ocf_root: folder.clone(),
        fence_agents: folder.clone(),
        tools: None,
        environment: BTreeMap::new(),
        prefer_script: false,
        native: Vec::new(),
        script: Vec::new(),
        api_url: String::new(),
        metadata_url: String::new(),
    };
    let alerts = Alerts::new("n1".into(), Arc::new(Agents::new(options)), Handle::current());
    let mut cib = Cib::default();
    let path = "/bin/false".to_owned();
    cib.configuration.alerts.push(Alert { id: "a".into(), path, ..Alert::default() });
    let begin = Instant::now();
    for _ in 0..WAITING_MAX + 100 {
        alerts.put(&node(), &cib, WallTime(0));
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let alerts = Arc::new(alerts);
    let last = Arc::clone(&alerts);
    tokio::task::spawn_blocking(move || last.finish()).await.expect("no fault");
    let listed = alerts.list(&cib);
    assert_eq!(listed[0].runs, listed[0].failures);
    assert!(listed[0].runs > 0 && listed[0].last_failure.is_some(), "{listed:?}");
    let before = listed[0].runs;
    alerts.put(&node(), &cib, WallTime(0));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(alerts.list(&cib)[0].runs, before, "none begins after the end");
    std::fs::remove_dir_all(&folder).ok();
}
