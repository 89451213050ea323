//! Tests: what the coordinator makes of the state and the devices for one request.

use super::*;
use crate::cib::fixtures::{NOW, changed, cluster, result};
use crate::cib::{Command, OpResult, Replicated as _, StatusChange};
use hac_model::{Agent, FenceAction, FencingLevel, FencingTarget};

fn device(id: &str, nodes: &[&str], params: &[(&str, &str)]) -> UsableDevice {
    let params: BTreeMap<String, String> =
        params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let nodes = nodes.iter().map(|node| ((*node).to_owned(), params.clone())).collect();
    UsableDevice { id: id.to_owned(), agent: "stonith:fence_x".parse().expect("an agent"), nodes, unfences: false }
}

fn scene_of(cib: &Cib, devices: &[UsableDevice], target: &str) -> Scene {
    scene(cib, devices, target, "key".to_owned())
}

#[test]
fn a_device_whose_parameters_name_other_nodes_is_no_offer_and_one_whose_agent_knows_is() {
    let devices = [
        device("named", &["primary"], &[("pcmk_host_list", "secondary")]),
        device("other", &["primary"], &[("pcmk_host_map", "third:3")]),
        device("asks", &["primary"], &[]),
        device("typo", &["primary"], &[("pcmk_host_check", "lists")]),
        device("nowhere", &[], &[("pcmk_host_list", "secondary")]),
    ];
    let offers = scene_of(&cluster(), &devices, "secondary").offers;
    assert_eq!(offers.iter().map(|offer| offer.device.as_str()).collect::<Vec<_>>(), ["named", "asks"]);
}

#[test]
fn a_device_is_verified_where_it_was_started_and_not_stopped_since() {
    let mut cib = cluster();
    let devices = [device("F", &["primary", "secondary"], &[])];
    let mut run = |node: &str, task: &str, rc, call| {
        let result = OpResult { node: node.into(), ..result("F", task, 0, 0, rc, call) };
        changed(cib.apply(&Command::Status(StatusChange::OpResult(result)), NOW));
        scene_of(&cib, &devices, "third").offers.remove(0).verified.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(run("primary", "start", 0, 1), ["primary"]);
    assert_eq!(run("secondary", "start", 1, 1), ["primary"], "a failed start proves nothing");
    assert_eq!(run("primary", "stop", 0, 2), Vec::<String>::new());
}

#[test]
fn the_levels_are_those_of_the_node_itself_before_a_pattern_and_in_the_order_of_their_numbers() {
    let mut cib = cluster();
    let mut level = |id: &str, target, index, device: &str| {
        let devices = vec![device.to_owned()];
        cib.configuration.fencing_topology.push(FencingLevel { id: id.to_owned(), target, index, devices });
    };
    let node = |name: &str| FencingTarget::Node(name.to_owned());
    level("a", FencingTarget::Pattern("^s.*y$".to_owned()), 1, "by-pattern");
    level("b", node("secondary"), 2, "second");
    level("c", node("secondary"), 1, "first");
    level("d", FencingTarget::Pattern("^pri".to_owned()), 1, "for-primary");
    let levels = |target| scene_of(&cib, &[], target).levels;
    assert_eq!(levels("secondary"), [["first"], ["second"]]);
    assert_eq!(levels("primary"), [["for-primary"]]);
    assert_eq!(levels("third"), Vec::<Vec<String>>::new());
}

#[test]
fn a_run_has_the_parameters_of_its_node_and_all_the_time_that_the_device_may_take() {
    let mut cib = cluster();
    let mut devices = [device("F", &["primary"], &[("pcmk_off_timeout", "120s"), ("ip", "a")])];
    let request = Request { id: 7, ..Request::default() };
    let attempt = Attempt {
        device: "F".to_owned(),
        by: "primary".to_owned(),
        action: FenceAction::Reboot,
        delay_ms: 5_000,
        ..Attempt::default()
    };
    let run = run_of(&cib, &devices, &request, attempt.clone()).expect("a run");
    assert_eq!((run.request, run.timeout_ms, run.params["ip"].as_str()), (7, 60_000, "a"));
    // Its agent may turn out not to know reboot: then it is off, with the time that off has.
    assert_eq!(longest(&run), Duration::from_secs(150));
    assert_eq!(patience(&cib, &devices, &attempt), longest(&run));
    assert_eq!(run.agent, "stonith:fence_x".parse::<Agent>().expect("an agent"));
    assert!(!format!("{run:?}").contains("ip"), "there may be secrets among the parameters");
    let set = &mut cib.configuration.crm_config[0];
    let pair = |name: &str, value: &str| hac_model::NvPair {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..hac_model::NvPair::default()
    };
    set.pairs.extend([pair("stonith-timeout", "90s"), pair("stonith-max-attempts", "3")]);
    assert_eq!((base_timeout(&cib), max_attempts(&cib.configuration)), (Duration::from_secs(90), 3));
    devices[0].nodes.clear();
    assert_eq!(run_of(&cib, &devices, &request, attempt), None);
}

fn with_property(cib: &mut Cib, name: &str, value: &str) {
    let set = &mut cib.configuration.crm_config[0];
    let (name, value) = (name.to_owned(), Some(value.to_owned()));
    set.pairs.push(hac_model::NvPair { name, value, ..hac_model::NvPair::default() });
}

/// The watchdog of `node`, which needs so many seconds, is counted on.
fn watched(node: &str, needs: u64) -> Cib {
    let mut cib = cluster();
    with_property(&mut cib, "stonith-watchdog-timeout", "40s");
    cib.info.have_quorum = true;
    cib.status.fencing.lives.insert(node.to_owned(), 3);
    let gone_after_ms = Some(needs * 1000);
    let armed = hac_model::fencing::Watchdog { life: 3, gone_after_ms, ..Default::default() };
    assert!(watchdog::told(&mut cib, node, Some(&armed)));
    cib
}

#[test]
fn a_watchdog_is_waited_for_last_of_all_by_anybody_but_its_own_node() {
    let cib = watched("secondary", 30);
    let real = device("F", &["primary"], &[]);
    let devices = watchdog::with_watchdogs(&cib, vec![real]);
    let offers = scene_of(&cib, &devices, "secondary").offers;
    let named: Vec<&str> = offers.iter().map(|offer| offer.device.as_str()).collect();
    assert_eq!(named, ["F", "watchdog"]);
    assert_eq!(offers[1].waits, Some(Duration::from_secs(40)));
    assert!(!offers[1].nodes.contains("secondary") && offers[1].nodes.contains("primary"));
    // Of a node that has told of none it is no device, and the reason says so.
    let scene = scene_of(&cib, &devices[1..], "primary");
    assert_eq!(scene.offers, []);
    assert!(scene.unwatched.expect("a reason").contains("has not said that it has armed"));
    // Nor where it needs longer, nor without quorum, nor for nobody.
    assert_eq!(scene_of(&watched("secondary", 41), &devices[1..], "secondary").offers, []);
    let mut alone = cib.clone();
    alone.info.have_quorum = false;
    assert_eq!(scene_of(&alone, &devices[1..], "secondary").offers, []);
    assert_eq!(watchdog::with_watchdogs(&cluster(), Vec::new()), []);
    // A configured one narrows it.
    let mut own = device("watchdog", &["primary"], &[("pcmk_host_list", "primary")]);
    own.agent = "stonith:fence_watchdog".parse().expect("an agent");
    let (id, agent) = (own.id.clone(), own.agent.clone());
    let mut cib = cib;
    let configured = hac_model::Primitive { id, agent, ..hac_model::Primitive::default() };
    cib.configuration.resources.push(hac_model::Resource::Primitive(configured));
    let devices = watchdog::with_watchdogs(&cib, vec![own]);
    assert_eq!(scene_of(&cib, &devices, "secondary").offers, []);
}
