//! Tests: the streams that are kept are applied as they were when they were recorded.

use hac_types::LevelWindow;

use super::*;

/// Most bytes of all streams together.
const MAX: usize = 2 << 20;

/// The enums whose variants are kinds of commands.
const ENUMS: &[&str] = &[
    "Command",
    "Change",
    "Object",
    "Constraint",
    "PutMode",
    "Section",
    "Lifetime",
    "GroupEdit",
    "Place",
    "StatusChange",
    "Step",
];

/// The streams, by name.
fn kept() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/streams");
    let mut kept = Vec::new();
    for level in fs::read_dir(&folder).expect("there are streams") {
        for file in fs::read_dir(level.expect("a folder").path()).expect("can be read") {
            let path = file.expect("a file").path();
            kept.push((path.display().to_string(), fs::read_to_string(&path).expect("is text")));
        }
    }
    kept.sort();
    kept
}

#[test]
fn what_was_recorded_is_applied_and_planned_in_the_same_way() {
    let kept = kept();
    assert_eq!(kept.len(), SEEDS.count() + 1);
    let (mut kinds, mut commands) = (BTreeSet::new(), 0);
    for (name, text) in &kept {
        let replayed = replay(text).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(replayed.digests >= replayed.commands / EVERY, "{name}: {replayed:?}");
        assert!(
            (LevelWindow::KNOWN.min.0..=LevelWindow::KNOWN.max.0).contains(&replayed.level),
            "{name}: {replayed:?}"
        );
        kinds.extend(replayed.kinds);
        commands += replayed.commands;
    }
    let wanted = hac_wire::names::<Command>();
    let wanted = wanted
        .iter()
        .filter(|name| !name.contains('.') && name.split_once("::").is_some_and(|(of, _)| ENUMS.contains(&of)));
    let missing: Vec<&String> = wanted.clone().filter(|name| !kinds.contains(*name)).collect();
    assert!(missing.is_empty(), "no stream has {missing:?}");
    assert!(wanted.count() > 40);
    assert!(commands > 500, "{commands}");
    let size: usize = kept.iter().map(|(_, text)| text.len()).sum();
    assert!(size <= MAX, "{size} bytes");
}

#[test]
fn a_command_that_is_applied_otherwise_shows() {
    let text = of_kinds().unwrap();
    replay(&text).unwrap();
    let other = text.replacen("\"cluster-delay\",\"80s\"", "\"cluster-delay\",\"81s\"", 1);
    assert_ne!(other, text);
    assert!(replay(&other).unwrap_err().contains("the state differs"));
    let moved = text.replacen("\"plan\":\"", "\"plan\":\"0", 1);
    assert!(replay(&moved).unwrap_err().contains("the plan differs"));
    let unknown = text.replacen("\"command\":", "\"order\":", 1);
    assert!(replay(&unknown).unwrap_err().contains("line 3"));
}

#[test]
fn a_seed_gives_a_stream_that_replays() {
    let text = of_seed(*SEEDS.start());
    let replayed = replay(&text).unwrap();
    assert!(replayed.commands > 20 && replayed.digests > 0, "{replayed:?}");
    assert_eq!(of_seed(*SEEDS.start()), text);
}
