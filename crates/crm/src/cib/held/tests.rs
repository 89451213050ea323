//! Attributes that are private, and those whose changes are collected.

use super::super::{Applied, Command, Join, NodePresence, Replicated as _, StatusChange};
use hac_model::{Cib, Node};
use hac_types::WallTime;

fn cluster() -> Cib {
    let mut cib = Cib::default();
    for (id, uname) in [("1", "n1"), ("2", "n2")] {
        cib.configuration.nodes.push(Node { id: id.into(), uname: uname.into(), ..Node::default() });
    }
    cib
}

fn apply(cib: &mut Cib, change: StatusChange) -> Applied {
    cib.apply(&Command::Status(change), WallTime::from_secs(1))
}

/// Whether something changed, and whether it was only held.
fn held(applied: &Applied) -> (bool, bool) {
    match applied {
        Applied::Changed(changes) => (true, changes.held),
        _ => (false, false),
    }
}

fn set(cib: &mut Cib, node: &str, value: Option<&str>, private: bool, dampening_ms: u64) -> (bool, bool) {
    let change = StatusChange::SetAttribute {
        node: node.into(),
        name: "a".into(),
        value: value.map(str::to_owned),
        private,
        dampening_ms,
        utilization: false,
    };
    held(&apply(cib, change))
}

fn write(cib: &mut Cib) -> (bool, bool) {
    held(&apply(cib, StatusChange::WriteAttributes { name: Some("a".into()) }))
}

fn counting(cib: &Cib) -> [Option<&str>; 2] {
    ["n1", "n2"].map(|node| cib.transient(node, "a"))
}

const COLLECTED: (bool, bool) = (true, true);
const COUNTS: (bool, bool) = (true, false);
const NOTHING: (bool, bool) = (false, false);

#[test]
fn changes_of_several_nodes_are_collected_and_count_together() {
    let mut cib = cluster();
    assert_eq!(set(&mut cib, "n1", Some("100"), false, 5000), COLLECTED);
    assert_eq!(set(&mut cib, "n2", Some("100"), false, 0), COLLECTED);
    assert_eq!(counting(&cib), [None, None]);
    assert_eq!(write(&mut cib), COUNTS);
    assert_eq!(counting(&cib), [Some("100"), Some("100")]);
    assert_eq!(write(&mut cib), NOTHING);
    // The dampening is the attribute's from now on. What is as it was begins nothing.
    assert_eq!(set(&mut cib, "n1", Some("100"), false, 0), NOTHING);
    assert_eq!(set(&mut cib, "n1", Some("0"), false, 0), COLLECTED);
    assert_eq!(set(&mut cib, "n1", Some("0"), false, 0), NOTHING);
    assert_eq!(set(&mut cib, "n1", Some("value++"), false, 0), COLLECTED);
    assert_eq!(set(&mut cib, "n2", None, false, 0), COLLECTED);
    assert_eq!(counting(&cib), [Some("100"), Some("100")]);
    assert_eq!(write(&mut cib), COUNTS);
    assert_eq!(counting(&cib), [Some("1"), None]);
    // Nobody has it any more: it is forgotten, and made anew without dampening.
    assert_eq!((set(&mut cib, "n1", None, false, 0), write(&mut cib)), (COLLECTED, COUNTS));
    assert!(cib.status.held.is_empty());
    assert_eq!(set(&mut cib, "n1", Some("5"), false, 0), COUNTS);
    // Nor does an old one get any by being set.
    assert_eq!(set(&mut cib, "n1", Some("6"), false, 5000), COUNTS);
}

#[test]
fn dampening_is_changed_by_itself() {
    let mut cib = cluster();
    let dampen =
        |cib: &mut Cib, dampening_ms| apply(cib, StatusChange::SetDampening { name: "a".into(), dampening_ms });
    assert!(matches!(dampen(&mut cib, 1), Applied::Refused(_)), "nobody has it");
    assert_eq!(set(&mut cib, "n1", Some("1"), false, 0), COUNTS);
    assert_eq!(held(&dampen(&mut cib, 1000)), COLLECTED);
    assert_eq!(held(&dampen(&mut cib, 1000)), NOTHING);
    assert_eq!(set(&mut cib, "n1", Some("2"), false, 0), COLLECTED);
    // Without dampening what waits counts.
    assert_eq!(held(&dampen(&mut cib, 0)), COUNTS);
    assert_eq!(cib.transient("n1", "a"), Some("2"));
    assert_eq!(set(&mut cib, "n1", Some("3"), false, 0), COUNTS);
    assert_eq!(held(&dampen(&mut cib, u64::MAX)), COLLECTED);
    assert_eq!(cib.status.held("a").map(|held| held.dampening_ms), Some(86_400_000));
}

#[test]
fn what_is_private_is_never_written() {
    let mut cib = cluster();
    assert_eq!(set(&mut cib, "n1", Some("1"), true, 5000), COLLECTED);
    // It stays private, of all nodes, and counts at once for those who ask.
    assert_eq!(set(&mut cib, "n2", Some("x"), false, 0), COLLECTED);
    assert_eq!(set(&mut cib, "n1", Some("value+=4"), false, 0), COLLECTED);
    assert_eq!((write(&mut cib), counting(&cib)), (NOTHING, [None, None]));
    let of = |cib: &Cib, node: &str| cib.status.held("a").and_then(|held| held.of(node)?.value.clone());
    assert_eq!((of(&cib, "n1").as_deref(), of(&cib, "n2").as_deref()), (Some("5"), Some("x")));
    assert_eq!(set(&mut cib, "n1", None, false, 0), COLLECTED);
    assert_eq!(set(&mut cib, "n2", None, false, 0), COLLECTED);
    assert!(cib.status.held.is_empty());
    assert!(matches!(
        apply(
            &mut cib,
            StatusChange::SetAttribute {
                node: "n3".into(),
                name: "a".into(),
                value: Some("1".into()),
                private: true,
                dampening_ms: 0,
                utilization: false
            }
        ),
        Applied::Refused(_)
    ));
    // What counts already does not become private.
    assert_eq!(set(&mut cib, "n1", Some("1"), false, 0), COUNTS);
    assert_eq!(set(&mut cib, "n1", Some("2"), true, 0), COUNTS);
}

#[test]
fn a_node_that_is_gone_takes_its_own_with_it() {
    let gone = |fenced: bool| match fenced {
        true => StatusChange::Fenced { node: "n1".into() },
        false => StatusChange::NodeStates(vec![NodePresence {
            id: "1".into(),
            name: "n1".into(),
            member: false,
            online: false,
            join: Join::Down,
            expected_up: None,
            life: 0,
        }]),
    };
    for (private, fenced) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut cib = cluster();
        set(&mut cib, "n1", Some("1"), private, 5000);
        set(&mut cib, "n2", Some("2"), private, 5000);
        assert!(held(&apply(&mut cib, gone(fenced))).0);
        let left: Vec<&str> = cib.status.held.iter().flat_map(|held| &held.values).map(|v| v.node.as_str()).collect();
        assert_eq!(left, ["n2"], "private: {private}, fenced: {fenced}");
        write(&mut cib);
        assert_eq!(cib.transient("n1", "a"), None);
    }
}

/// The names of a node's attributes, and those of its capacities.
fn names(cib: &Cib, node: &str) -> (Vec<String>, Vec<String>) {
    let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(node)).expect("is known");
    let names =
        |sets: &[hac_model::NvSet]| sets.iter().flat_map(|set| &set.pairs).map(|pair| pair.name.clone()).collect();
    (names(&state.attributes), names(&state.utilization))
}

#[test]
fn a_capacity_is_one_from_its_first_value_until_nobody_has_it() {
    let mut cib = cluster();
    let mut set = |node: &str, name: &str, value: Option<&str>, utilization: bool, dampening_ms: u64| {
        let (node, name, value) = (node.to_owned(), name.to_owned(), value.map(str::to_owned));
        let change = StatusChange::SetAttribute { node, name, value, private: false, dampening_ms, utilization };
        assert!(matches!(apply(&mut cib, change), Applied::Changed(_)));
        cib.clone()
    };
    set("n1", "cpu", Some("4"), true, 0);
    // What it is stays, whoever sets it.
    set("n2", "cpu", Some("8"), false, 0);
    set("n1", "site", Some("east"), false, 0);
    let state = set("n1", "site", Some("west"), true, 0);
    assert_eq!(names(&state, "n1"), (vec!["site".into()], vec!["cpu".into()]));
    assert_eq!(names(&state, "n2"), (vec![], vec!["cpu".into()]));
    let state = set("n1", "cpu", Some("value+=2"), true, 0);
    let of = |cib: &Cib| cib.status.nodes[0].utilization[0].get("cpu").map(str::to_owned);
    assert_eq!(of(&state).as_deref(), Some("6"));
    assert_eq!(state.status.nodes[0].utilization[0].pairs[0].id, "status-1-utilization-cpu");
    // One that is collected counts as what it is.
    set("n1", "memory", Some("1"), true, 5000);
    let mut state = set("n1", "memory", Some("2"), false, 0);
    apply(&mut state, StatusChange::WriteAttributes { name: None });
    assert_eq!(names(&state, "n1").1, ["cpu", "memory"]);
    set("n1", "cpu", None, false, 0);
    set("n2", "cpu", None, false, 0);
    let state = set("n2", "cpu", Some("x"), false, 0);
    assert_eq!(names(&state, "n2"), (vec!["cpu".into()], vec![]));
}
