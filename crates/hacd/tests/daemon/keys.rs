//! The cluster's key is changed while its daemons run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Cluster, Daemon, wait_for};

fn key_file(cluster: &Cluster, node: u8) -> PathBuf {
    cluster.dir(node).join("authkey")
}

fn key(cluster: &Cluster, node: u8) -> Vec<u8> {
    fs::read(key_file(cluster, node)).expect("reads")
}

fn keys(daemon: &Daemon) -> Value {
    daemon.get("/v1/key").expect("answers")
}

fn problem(daemon: &Daemon, part: &str) -> Value {
    wait_for(part, || {
        let status = daemon.get("/v1/status")?;
        status["problems"].as_array()?.iter().find(|problem| problem.to_string().contains(part)).cloned()
    })
}

#[test]
fn all_get_another_key_without_a_new_membership_and_who_was_away_is_told() {
    let cluster = Cluster::new(120, 3);
    let daemons: Vec<Daemon> = (1..=3).map(|node| cluster.start(node)).collect();
    daemons.iter().for_each(|daemon| daemon.await_members(&["n1", "n2", "n3"]));
    let ring = daemons[0].get("/v1/members").expect("answers")["ring"].clone();
    let first = keys(&daemons[0])["fingerprint"].clone();
    let before = key(&cluster, 1);

    let rotated = daemons[1].post("/v1/key/rotate", &json!({}));
    assert_eq!(rotated["left_behind"], json!([]), "{rotated}");
    wait_for("the same key in all files", || {
        let now = key(&cluster, 1);
        (now != before && (2..=3).all(|node| key(&cluster, node) == now)).then_some(())
    });
    for (daemon, node) in daemons.iter().zip(1..) {
        let keys = wait_for("the same key everywhere", || {
            let keys = keys(daemon);
            let all = keys["nodes"].as_array()?.iter().all(|node| node["fingerprint"] == rotated["fingerprint"]);
            all.then_some(keys)
        });
        assert!(keys["fingerprint"] == rotated["fingerprint"] && keys["fingerprint"] != first, "{keys}");
        let mode = fs::metadata(key_file(&cluster, node)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!cluster.dir(node).join("authkey.next").exists());
        assert!(cluster.log(node).contains("the authkey was changed"), "{}", cluster.log(node));
    }
    assert_eq!(daemons[0].get("/v1/members").expect("answers")["ring"], ring, "nobody was lost");

    let mut daemons = daemons;
    daemons.pop().expect("the third").kill();
    daemons[0].await_members(&["n1", "n2"]);
    let refused = daemons[0].post("/v1/key/rotate", &json!({}));
    assert_eq!(refused["code"], "unsafe", "{refused}");
    assert!(refused["message"].as_str().expect("a sentence").starts_with("n3 would be left"), "{refused}");
    let forced = daemons[0].post("/v1/key/rotate", &json!({"force": true}));
    assert_eq!(forced["left_behind"], json!(["n3"]), "{forced}");

    // With the key of the rotation before it is told what to do, and so are the others.
    let late = cluster.start(3);
    problem(&daemons[1], "authkey");
    assert!(
        problem(&late, "authkey")["remedy"].as_str().expect("a sentence").contains("rotated while a node was away")
    );
    late.kill();
    wait_for("the new key", || (key(&cluster, 1) == key(&cluster, 2)).then_some(()));
    fs::copy(key_file(&cluster, 1), key_file(&cluster, 3)).expect("copies");
    let late = cluster.start(3);
    late.await_members(&["n1", "n2", "n3"]);
}

#[test]
fn a_daemon_that_died_in_the_middle_of_a_rotation_finishes_it() {
    let cluster = Cluster::new(121, 2);
    let (one, two) = cluster.start_both();
    let before = key(&cluster, 2);
    // The second node cannot keep the next key: something is in the way.
    let obstacle = cluster.dir(2).join("authkey.next");
    fs::create_dir(&obstacle).expect("makes a folder");
    let answer = one.post("/v1/key/rotate", &json!({}));
    assert_eq!(answer["code"], "storage", "{answer}");
    assert!(answer["message"].as_str().expect("a sentence").starts_with("n2 could not store the next key"), "{answer}");
    assert_eq!((key(&cluster, 1), key(&cluster, 2)), (before.clone(), before.clone()), "the present one stays");
    // The refusal may be here before the first node has stored its own.
    wait_for("only n2 to be waited for", || (keys(&one)["waiting_for"] == json!(["n2"])).then_some(()));
    // It dies; when it is back without the obstacle, the rotation that was begun is finished by itself.
    two.kill();
    one.await_members(&["n1"]);
    fs::remove_dir(&obstacle).expect("removes it");
    let two = cluster.start(2);
    two.await_members(&["n1", "n2"]);
    wait_for("the same new key on both", || {
        (key(&cluster, 1) != before && key(&cluster, 1) == key(&cluster, 2)).then_some(())
    });
    // The file is replaced first; what was kept of the next key goes when that is done.
    wait_for("nothing to be left of the next key", || {
        let files = [1, 2].iter().any(|node| cluster.dir(*node).join("authkey.next").exists());
        (keys(&two)["next"] == Value::Null && !files).then_some(())
    });
}
