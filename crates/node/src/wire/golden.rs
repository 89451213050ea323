//! The bytes of level 1: of every body, of a stored state, and every name in them. What is compared here was released with
//! level 1 and never changes; `cargo xtask check` compares the files themselves with their list.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hac_crm::fencer::requests::{Attempt, Step, Wanted};
use hac_crm::work::{FenceRun, Work};
use hac_model::{FenceAction, Migration, Task};
use hac_quorum::Moving;
use hac_scheduler::plan::ResourceOp;
use hac_types::LevelWindow;
use proptest::prelude::*;

use super::tests::{RING, id, proposal};
use super::*;
use crate::cluster::{ClusterConfig, ClusterNode};

fn wall() -> WallTime {
    WallTime(1000)
}

fn hello() -> Hello {
    let version = Version { admin_epoch: 1, epoch: 300, num_updates: 7 };
    let member = Member { node: NodeId(2), incarnation: Incarnation(9) };
    Hello {
        version,
        digest: [0xab; 16],
        processed: vec![Processed { node: NodeId(1), lane: Lane::Status, incarnation: Incarnation(5), seq: 70_000 }],
        lineage: Some(RING),
        lived: Some(RING),
        lives: [(NodeId(2), Incarnation(9))].into(),
        since: RING,
        dc: Some(member),
        left_clean: [NodeId(3)].into(),
        votes: Votes {
            votes: 1,
            expected_votes: 3,
            quorate: true,
            waiting: false,
            last_quorate: Some((RING, [NodeId(1), NodeId(2)].into(), NodeId(1), NodeId(2))),
        },
        wall: wall(),
        name: "n1".to_owned(),
        software: "0.1.0".to_owned(),
        keys: KeyStanding { own: [1; 8], next: Some([2; 8]) },
        undurable: Some("full".to_owned()),
        levels: LevelWindow { min: Level(1), max: Level(2) },
        cluster: ClusterConfig { uuid: "ab".repeat(16), level: Level(1), version: 3, ..ClusterConfig::default() },
        few: true,
        offer: Some(Offer { version, digest: [0xcd; 16], lineage: Some(RING), cluster: ClusterConfig::default() }),
    }
}

fn trail() -> Vec<Mark> {
    let (node, incarnation) = (NodeId(2), Incarnation(9));
    vec![Mark { admin_epoch: 1, epoch: 300, node, incarnation, seq: 4, passing: false, apart: false }]
}

fn order(work: Work) -> Body {
    let (by, at) = ("n1".to_owned(), "guest".to_owned());
    let order = hac_crm::work::Order { by, at, transition_key: "1:2:0:key".to_owned(), work };
    Body::Order(DatedOrder { wall: wall(), order })
}

fn operation(task: Task) -> ResourceOp {
    let ends = Migration { source: "n1".to_owned(), target: "n2".to_owned() };
    let migration = (task == Task::MigrateTo).then_some(ends);
    ResourceOp { resource: "R".to_owned(), task, migration, ..ResourceOp::default() }
}

fn fence_run() -> FenceRun {
    let key = "89f7a5d2-6f0e-3b7c-a1d4-2c5b8e9f0a13".to_owned();
    let (device, by) = ("F".to_owned(), "n1".to_owned());
    let attempt = Attempt { level: 1, place: 2, device, by, action: FenceAction::Off, delay_ms: 5000, key };
    FenceRun {
        request: 4,
        turn: 3,
        target: "guest".to_owned(),
        attempt,
        agent: "stonith:fence_x".parse().expect("an agent"),
        params: [("ip".to_owned(), "192.0.2.1".to_owned())].into(),
        timeout_ms: 60_000,
    }
}

fn wanted() -> Step {
    Step::Wanted(Wanted {
        target: "n2".to_owned(),
        action: FenceAction::Reboot,
        client: "hacd".to_owned(),
        origin: "n1".to_owned(),
        delay_s: Some(15),
        tolerance_s: 60,
        ..Wanted::default()
    })
}

fn new_nodes() -> NewNodes {
    let address = |last| std::net::IpAddr::from([10, 0, 0, last]);
    let node = |id, votes| ClusterNode {
        id: NodeId(id),
        name: format!("n{id}"),
        addresses: vec![address(1)],
        votes,
        learner: votes == 0,
    };
    NewNodes { base: 7, nodes: vec![node(1, 1), node(300, 0)], statement: "it is off".to_owned() }
}

fn new_register(moving: Option<Moving>) -> NewRegister {
    let register = Register { epoch: 3, revision: 300, store: u64::MAX, moving };
    NewRegister { register, claimed: Some(RING), read_in: None }
}

fn bodies() -> Vec<(&'static str, Body)> {
    let version = Version { admin_epoch: 1, epoch: 300, num_updates: 7 };
    let vote = Vote { proposal: id(Lane::Status, 300), error: Some("full".to_owned()) };
    let change = StatusChange::Shutdown { node: "n1".to_owned(), wanted: true };
    let history = vec![ResourceHistory { id: "R".to_owned(), ..ResourceHistory::default() }];
    let lost = Some(Lost { file: "cib.4.lost-8.1.5".to_owned(), changes: vec!["R".to_owned()] });
    let what = |what| Body::Propose(Proposal { id: id(Lane::Ask, 1), wall: wall(), what });
    vec![
        ("hello", Body::Hello(hello())),
        ("part", Body::Part(Part { index: 1, last: true, bytes: b"part".to_vec() })),
        (
            "ready",
            Body::Ready(Ready {
                quorate: true,
                history: Some(history),
                lost,
                register: None,
                arbiter: false,
                watchdog: None,
            }),
        ),
        ("propose configure", proposal().body),
        ("propose status", what(Proposed::Command(Command::Status(change.clone())))),
        ("propose settle", what(Proposed::Settle)),
        ("propose cancel_wait_for_all", what(Proposed::CancelWaitForAll)),
        ("propose rotate", what(Proposed::RotateKey { sealed: vec![1, 2, 255], force: true })),
        ("propose level", what(Proposed::SetLevel { to: Level(2) })),
        ("propose nodes", what(Proposed::SetNodes(new_nodes()))),
        ("propose register", what(Proposed::SetRegister(new_register(None)))),
        ("propose register moving", what(Proposed::SetRegister(new_register(Some(Moving::Expected))))),
        ("vote", Body::Vote(vote)),
        ("order operation", order(Work::run(operation(Task::Start)))),
        ("order migration", order(Work::run(operation(Task::MigrateTo)))),
        ("order notify", order(Work::run(operation(Task::Notify)))),
        ("order cancel", order(Work::Cancel(operation(Task::Monitor)))),
        ("order fence", order(Work::Fence(fence_run()))),
        ("change fencing", Body::Change(Dated { wall: wall(), change: StatusChange::Fencing(wanted()) })),
        ("change", Body::Change(Dated { wall: wall(), change })),
        ("settle_done", Body::SettleDone(id(Lane::Ask, 2))),
        ("progress", Body::Progress { busy: true }),
        ("key_stored", Body::KeyStored(KeyStored { next: [3; 8], error: None })),
        ("snapshot", Body::Snapshot(b"{}".to_vec())),
        ("no_snapshot", Body::NoSnapshot("too large".to_owned())),
        ("impatient", Body::Impatient),
        ("close", Body::Close(Close { proposal: id(Lane::Configure, 3), counts: true })),
        ("stored", Body::Stored(version)),
        ("propose ask", what(Proposed::Ask { node: NodeId(2), question: "how?".to_owned() })),
        ("answer", Body::Answer(Answer { proposal: id(Lane::Ask, 4), text: "well".to_owned() })),
    ]
}

#[test]
fn every_body_of_level_1_has_these_bytes() {
    let mut text = String::new();
    for (name, body) in bodies() {
        let message = Message { ring: RING, body };
        let bytes = encode(&message, Level(1)).unwrap();
        assert_eq!(decode(&bytes, Level(1)), Ok(message), "{name}");
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        writeln!(text, "{name}: {hex}").unwrap();
    }
    expect_test::expect_file!["../../../../tests/golden/wire/l1/bodies.txt"].assert_eq(&text);
}

/// What a release stored at level 1 is read by all that come after it.
#[test]
fn a_state_of_level_1_is_read_with_all_that_is_in_it() {
    let everything = include_str!("../../../../tests/golden/state/l0/everything.json");
    let cib: Cib = hac_wire::from_slice(everything.as_bytes()).unwrap();
    let cluster = ClusterConfig { uuid: "ab".repeat(16), level: Level(1), version: 3, ..ClusterConfig::default() };
    let golden = include_bytes!("../../../../tests/golden/state/l1/everything.state");
    let state = decode_stored(golden, LevelWindow::KNOWN).unwrap();
    assert_eq!((&state.cib, &state.cluster, state.lineage), (&cib, &cluster, Some(RING)));
    assert_eq!(state.trail, trail());
    let written = encode_stored(&cib, &cluster, Some(RING), &state.trail, None).unwrap();
    let release = format!("\"release\":\"{}\"", stored::RELEASE);
    let written = String::from_utf8(written).unwrap().replace(&release, "\"release\":\"0.1.0\"");
    assert_eq!(written, std::str::from_utf8(golden).unwrap(), "the same is written at this level");
}

/// A name that is not in the list is a change of the contract: it needs a level of its own ([`Command::level`]), or the
/// members of two releases at level 1 do not understand each other.
#[test]
fn no_name_slips_into_level_1() {
    let mut names = hac_wire::names::<Snapshot>();
    names.extend(hac_wire::names::<StoredState>());
    names.extend(hac_wire::names::<Proposal>());
    names.extend(hac_wire::names::<Ready>());
    names.extend(hac_wire::names::<DatedOrder>());
    names.extend(hac_wire::names::<Dated>());
    names.extend(hac_wire::names::<Step>());
    names.extend(hac_wire::names::<hac_model::fencing::Requests>());
    for known in ["Cib.configuration", "OpHistory.exit_reason", "Expression::Date.spec", "Change::Rename.from"] {
        assert!(names.contains(known), "{known}");
    }
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    expect_test::expect_file!["../../../../tests/golden/wire/l1/names.txt"].assert_eq(&text);
}

/// Leaves of a value in the named form, changed: `which` picks them, the other says how.
fn change(value: &mut serde_json::Value, picks: &[(usize, u8)]) {
    fn leaves<'v>(value: &'v mut serde_json::Value, into: &mut Vec<&'v mut serde_json::Value>) {
        match value {
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| leaves(field, into)),
            leaf if leaf.as_array().is_none_or(Vec::is_empty) => into.push(leaf),
            list => list.as_array_mut().into_iter().flatten().for_each(|entry| leaves(entry, into)),
        }
    }
    let mut found = Vec::new();
    leaves(value, &mut found);
    for (which, how) in picks {
        let index = which % found.len().max(1);
        let Some(leaf) = found.get_mut(index) else { continue };
        **leaf = match &**leaf {
            serde_json::Value::String(text) => match how % 4 {
                0 => "".into(),
                1 => "x".into(),
                2 => format!("{text} \"ü\"").into(),
                _ => text.repeat(3).into(),
            },
            serde_json::Value::Number(_) => u64::from(*how).into(),
            serde_json::Value::Bool(value) => (!value).into(),
            other => other.clone(),
        };
    }
}

/// The keys of all objects in what serde_json writes of a value, with those of empty fields.
fn keys(value: &serde_json::Value, into: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, field) in fields {
                into.insert(key.clone());
                keys(field, into);
            }
        }
        serde_json::Value::Array(entries) => entries.iter().for_each(|entry| keys(entry, into)),
        _ => {}
    }
}

/// Writes a value in both ways; the keys in it that level 1 does not list.
fn unlisted<T>(json: &serde_json::Value) -> Option<BTreeSet<String>>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let value: T = hac_wire::from_slice(&serde_json::to_vec(json).unwrap()).ok()?;
    let named = hac_wire::to_vec(&value).unwrap();
    assert_eq!(hac_wire::from_slice::<T>(&named).as_ref(), Ok(&value));
    let listed = include_str!("../../../../tests/golden/wire/l1/names.txt");
    let listed: BTreeSet<&str> = listed.lines().filter_map(|name| name.rsplit(['.', ':']).next()).collect();
    let mut written = BTreeSet::new();
    keys(&serde_json::to_value(&value).unwrap(), &mut written);
    keys(&serde_json::from_slice(&named).unwrap(), &mut written);
    written.retain(|key| !listed.contains(key.as_str()));
    Some(written)
}

/// Keys that are values: names of attributes, options and parts of dates, which people choose.
const CHOSEN: &[&str] = &["hours", "image", "ip", "k", "months", "on-fail", "port", "range", "source", "timeout", "x"];

/// States and commands with everything in them.
fn filled() -> (serde_json::Value, Vec<serde_json::Value>) {
    let state = include_str!("../../../../tests/golden/state/l0/everything.json");
    let commands = include_str!("../../../sim/src/stream/kinds.jsonl");
    let read = |text: &str| serde_json::from_str(text).unwrap();
    (read(state), commands.lines().map(read).collect())
}

proptest! {
    /// The other way round: whatever is in a value, what is written of it has no name that level 1 lacks.
    #[test]
    fn what_is_written_at_level_1_has_no_other_names(picks in prop::collection::vec((0..9999_usize, any::<u8>()), 0..6)) {
        let (mut state, mut commands) = filled();
        change(&mut state, &picks);
        let chosen = CHOSEN.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        let found = unlisted::<Cib>(&state).unwrap_or_default();
        prop_assert!(found.is_subset(&chosen), "{:?}", found);
        for command in &mut commands {
            change(command, &picks);
            let found = unlisted::<Command>(command).unwrap_or_default();
            prop_assert!(found.is_subset(&chosen), "{:?}", found);
        }
    }
}

#[test]
fn the_values_that_are_changed_can_be_read() {
    let (state, commands) = filled();
    assert!(unlisted::<Cib>(&state).is_some());
    for command in &commands {
        assert!(unlisted::<Command>(command).is_some(), "{command}");
    }
}
