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
