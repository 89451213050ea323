//! Configurations that nobody could have meant: an answer comes all the same, with a warning where it is not whole.

use std::fmt::Write as _;

use hac_scheduler::plan::Plan;
use hac_types::WallTime;

use crate::cib_xml;
use crate::simulate::{Clock, Simulation, simulate};

/// Room for the deepest recursion that is allowed; the program's main thread has as much.
const STACK: usize = 8 << 20;

/// Decides about so many resources on two nodes with these constraints.
fn decide(resources: usize, constraints: &str) -> Simulation {
    let mut text = String::from(
        "<cib have-quorum=\"1\"><configuration><crm_config><cluster_property_set id=\"o\"><nvpair id=\"s\" \
         name=\"stonith-enabled\" value=\"false\"/></cluster_property_set></crm_config><nodes><node id=\"1\" \
         uname=\"n1\"/><node id=\"2\" uname=\"n2\"/></nodes><resources>",
    );
    for i in 0..resources {
        write!(text, "<primitive id=\"r{i}\" class=\"ocf\" provider=\"heartbeat\" type=\"Dummy\"/>").unwrap();
    }
    write!(text, "</resources><constraints>{constraints}</constraints></configuration><status>").unwrap();
    for i in 1..=2 {
        write!(
            text,
            "<node_state id=\"{i}\" uname=\"n{i}\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\"/>"
        )
        .unwrap();
    }
    text.push_str("</status></cib>");
    let work = move || simulate(&cib_xml::read(&text).unwrap(), &Clock::Present(WallTime(1_700_000_000_000)), false);
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

fn colocation(a: usize, b: usize, score: &str) -> String {
    format!("<rsc_colocation id=\"c{a}-{b}\" rsc=\"r{a}\" with-rsc=\"r{b}\" score=\"{score}\"/>")
}

fn order(a: usize, b: usize) -> String {
    format!("<rsc_order id=\"o{a}-{b}\" first=\"r{a}\" then=\"r{b}\"/>")
}

fn warns(plan: &Plan, of: &str) -> bool {
    plan.warnings.iter().any(|warning| warning.contains(of))
}

#[test]
fn two_that_wait_for_each_other_are_named() {
    let simulation = decide(2, &(order(0, 1) + &order(1, 0)));
    let stuck = simulation.stuck().unwrap();
    assert_eq!(stuck.circle.len(), 2);
    assert!(stuck.circle.iter().all(|action| action.contains("_start_0")), "{:?}", stuck.circle);
    assert_eq!(decide(2, &order(0, 1)).stuck(), None);
}

#[test]
fn a_circle_of_colocations_longer_than_any_stack_is_decided_about() {
    const COUNT: usize = 3_000;
    let circle: String = (0..COUNT).map(|i| colocation(i, (i + 1) % COUNT, "INFINITY")).collect();
    let simulation = decide(COUNT, &circle);
    assert!(warns(&simulation.outcome.plan, "the chain of colocations that it begins is too long"));
}

#[test]
fn a_chain_of_colocations_of_ordinary_length_is_placed_in_one_piece() {
    const COUNT: usize = 200;
    let chain: String = (1..COUNT).map(|i| colocation(i - 1, i, "INFINITY")).collect();
    let simulation = decide(COUNT, &chain);
    assert!(simulation.outcome.plan.warnings.is_empty(), "{:?}", simulation.outcome.plan.warnings);
    let actions = &simulation.outcome.plan.actions;
    let starts: Vec<_> = actions.iter().filter(|action| action.key.ends_with("_start_0")).collect();
    assert_eq!(starts.len(), COUNT);
    assert!(starts.iter().all(|action| action.node == starts[0].node));
}

#[test]
fn a_long_circle_of_orderings_is_decided_about() {
    const COUNT: usize = 1_000;
    let circle: String = (0..COUNT).map(|i| order(i, (i + 1) % COUNT)).collect();
    assert!(decide(COUNT, &circle).stuck().is_some());
}

/// There are more ways through such a net than could ever be walked.
#[test]
fn everybody_with_everybody_is_decided_about() {
    const COUNT: usize = 24;
    let pairs = || (0..COUNT).flat_map(|a| (0..COUNT).map(move |b| (a, b))).filter(|(a, b)| a != b);
    let net: String = pairs().map(|(a, b)| colocation(a, b, "10") + &order(a, b)).collect();
    let simulation = decide(COUNT, &net);
    assert!(warns(&simulation.outcome.plan, "not all of them were weighed"), "{:?}", simulation.outcome.plan.warnings);
}
