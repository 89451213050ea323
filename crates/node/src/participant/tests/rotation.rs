//! The key is changed: agreed on, stored by all, then used; and whoever dies at any moment finds its way back.

use hac_totem::{AuthKey, SealedKey};

use super::*;
use crate::Rotate;

fn next_key() -> AuthKey {
    AuthKey::new(vec![0x5e; 128]).unwrap()
}

fn rotate(force: bool) -> Request {
    Request::RotateKey(Rotate { next: next_key(), salt: [4; 16], force })
}

/// What a daemon that starts with this disk answers to: its key, and the next one if it has stored it.
fn accepted(cluster: &mut Cluster, node: u32) -> (AuthKey, Option<AuthKey>) {
    let own = cluster.key_file(node);
    let sealed = cluster.disk(node).next_key.clone().map(SealedKey::from_bytes);
    let next = sealed.and_then(|sealed| own.unseal(&sealed));
    (own, next)
}

/// Whether two hosts could meet if both were started now: one offers a session under a key that the other answers to.
fn could_meet(cluster: &mut Cluster, one: u32, other: u32) -> bool {
    let (own, next) = accepted(cluster, one);
    let (theirs, their_next) = accepted(cluster, other);
    own == theirs || Some(&own) == their_next.as_ref() || next.as_ref() == Some(&theirs)
}

fn assert_all_use(cluster: &mut Cluster, nodes: &[u32], key: &AuthKey) {
    for &node in nodes {
        assert_eq!(accepted(cluster, node), (key.clone(), None), "node {node}");
        let report = cluster.report(node).keys;
        assert_eq!((report.fingerprint, report.next), (key.fingerprint().to_string(), None), "node {node}");
    }
}

#[test]
fn every_member_stores_the_next_key_and_then_all_use_it() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    let reply = cluster.ask(2, rotate(false));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_all_use(&mut cluster, &[1, 2, 3], &next_key());
    let keys = cluster.report(1).keys;
    assert!(keys.members.iter().all(|m| m.fingerprint.as_ref() == Some(&keys.fingerprint) && m.next.is_none()));
    assert!(keys.waiting_for.is_empty());
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn nobody_uses_the_next_key_while_a_member_has_not_stored_it() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    let before = cluster.key_file(1);
    cluster.disk(3).slow = true;
    let id = cluster.request(1, rotate(false));
    cluster.settle();
    assert_eq!(cluster.reply(1, id), None);
    for node in [1, 2, 3] {
        assert_eq!(cluster.key_file(node), before);
    }
    let report = cluster.report(1);
    assert_eq!(report.keys.waiting_for, ["node3"]);
    let told = report.problems.iter().find(|p| p.sentence.contains("rotation")).expect("it is told");
    assert_eq!(told.sentence, "a rotation of the authkey is not finished: node3 has not stored it");
}

#[test]
fn a_rotation_waits_for_nodes_that_are_away_unless_it_is_forced() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    let before = cluster.key_file(1);
    cluster.kill(3);
    cluster.view(&[1, 2]);
    let reply = cluster.ask(1, rotate(false));
    let Some(Reply::Refused(refusal)) = reply else { panic!("{reply:?}") };
    assert_eq!(refusal.sentence, "node3 would be left with the present key: not a member now; the key was not changed");
    assert!(refusal.remedy.contains("copy /etc/hacd/authkey"), "{}", refusal.remedy);
    assert_all_use(&mut cluster, &[1, 2], &before);

    let reply = cluster.ask(1, rotate(true));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_all_use(&mut cluster, &[1, 2], &next_key());
    assert!(!could_meet(&mut cluster, 1, 3), "the one that was away is left behind");
}

#[test]
fn without_quorum_the_key_stays() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.kill(2);
    cluster.kill(3);
    cluster.view(&[1]);
    let reply = cluster.ask(1, rotate(true));
    assert!(matches!(reply, Some(Reply::NoQuorum(_))), "{reply:?}");
}

#[test]
fn a_member_that_cannot_store_the_next_key_is_named_and_the_present_one_stays() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    let before = cluster.key_file(1);
    cluster.disk(2).full = true;
    let reply = cluster.ask(1, rotate(false));
    let Some(Reply::NotStored(refusal)) = reply else { panic!("{reply:?}") };
    assert_eq!(
        refusal.sentence,
        "node2 could not store the next key: no space left on device; the present key stays in use"
    );
    for node in [1, 2, 3] {
        assert_eq!(cluster.key_file(node), before);
    }
    cluster.disk(2).full = false;
    let reply = cluster.ask(3, rotate(false));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_all_use(&mut cluster, &[1, 2, 3], &next_key());
}

#[test]
fn a_member_whose_disk_does_not_answer_is_named_and_the_rotation_is_finished_when_it_does() {
    for hung in [1, 2, 3] {
        let mut cluster = Cluster::new(3);
        cluster.view(&[1, 2, 3]);
        let before = cluster.key_file(1);
        cluster.disk(hung).slow = true;
        let id = cluster.request(2, rotate(false));
        cluster.settle();
        cluster.advance(Duration::from_secs(29));
        assert_eq!(cluster.reply(2, id), None, "the disk may be slow");
        cluster.advance(Duration::from_secs(1));
        let Some(Reply::NotStored(refusal)) = cluster.reply(2, id) else { panic!("{:?}", cluster.reply(2, id)) };
        assert_eq!(
            refusal.sentence,
            format!("node{hung} could not store the next key: its disk does not answer; the present key stays in use")
        );
        for node in [1, 2, 3] {
            assert_eq!(cluster.key_file(node), before);
        }
        cluster.disk(hung).slow = false;
        cluster.end_a_write(hung);
        assert_all_use(&mut cluster, &[1, 2, 3], &next_key());
        assert!(cluster.report(1).keys.waiting_for.is_empty());
    }
}

#[test]
fn who_waits_for_a_key_file_that_is_not_replaced_in_time_is_told() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.disk(1).slow = true;
    let id = cluster.request(1, rotate(false));
    cluster.settle();
    cluster.end_a_write(1);
    assert_eq!(cluster.reply(1, id), None, "the next key is stored, the key file is not replaced");
    cluster.advance(Duration::from_secs(5));
    let Some(Reply::Done { warnings, .. }) = cluster.reply(1, id) else { panic!("{:?}", cluster.reply(1, id)) };
    assert_eq!(warnings, ["node1 could not replace its key file: its disk does not answer"]);
    let problem =
        |cluster: &Cluster| cluster.report(1).problems.iter().any(|p| p.sentence.contains("its disk does not answer"));
    assert!(problem(&cluster));
    cluster.end_a_write(1);
    assert!(!problem(&cluster), "it answers again");
    assert_all_use(&mut cluster, &[1, 2], &next_key());
}

#[test]
fn the_next_key_is_not_stored_beside_a_key_file_that_it_does_not_belong_to() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.disk(2).keeps_key_file = true;
    let reply = cluster.ask(1, rotate(false));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert!(could_meet(&mut cluster, 2, 1), "what it stored before is beside its key file");
    let third = AuthKey::new(vec![0x33; 64]).unwrap();
    let again = || Request::RotateKey(Rotate { next: third.clone(), salt: [5; 16], force: false });
    let Some(Reply::NotStored(refusal)) = cluster.ask(1, again()) else { panic!("it would be shut out") };
    assert_eq!(
        refusal.sentence,
        "node2 could not store the next key: input/output error; the present key stays in use"
    );
    for other in [1, 3] {
        assert!(could_meet(&mut cluster, 2, other), "node2 and node{other}");
    }
    cluster.disk(2).keeps_key_file = false;
    let reply = cluster.ask(1, again());
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_all_use(&mut cluster, &[1, 2, 3], &third);
}

#[test]
fn a_key_file_that_is_slow_to_be_replaced_keeps_the_next_rotation_waiting_and_nobody_out() {
    for writes in 0..4 {
        let mut cluster = Cluster::new(2);
        cluster.view(&[1, 2]);
        cluster.disk(2).slow = true;
        cluster.request(1, rotate(false));
        cluster.settle();
        cluster.end_a_write(2);
        let third = AuthKey::new(vec![0x33; 64]).unwrap();
        cluster.request(1, Request::RotateKey(Rotate { next: third.clone(), salt: [5; 16], force: false }));
        cluster.settle();
        for _ in 0..writes.min(cluster.disk(2).waits()) {
            cluster.end_a_write(2);
        }
        assert!(could_meet(&mut cluster, 1, 2), "after {writes} writes");
        cluster.disk(2).slow = false;
        while cluster.disk(2).waits() > 0 {
            cluster.end_a_write(2);
        }
        assert_all_use(&mut cluster, &[1, 2], &third);
    }
}

#[test]
fn whoever_dies_at_any_step_comes_back_and_the_rotation_is_finished() {
    let mut finished_before = 0;
    for victim in 1..=3 {
        for steps in 0..10 {
            let mut cluster = Cluster::new(3);
            cluster.view(&[1, 2, 3]);
            let before = cluster.key_file(1);
            let asked = cluster.request(1, rotate(false));
            for _ in 0..steps {
                cluster.step();
            }
            cluster.kill(victim);
            let others: Vec<u32> = (1..=3).filter(|node| *node != victim).collect();
            cluster.view(&others);
            for other in &others {
                assert!(could_meet(&mut cluster, victim, *other), "victim {victim} after {steps} steps");
            }
            cluster.start(victim);
            cluster.view(&[1, 2, 3]);
            if cluster.key_file(2) == before {
                // Nobody had stored it yet: it was lost with the node that asked, or refused because one is away.
                let refused = matches!(cluster.reply(1, asked), Some(Reply::Refused(_)));
                assert!(victim == 1 || refused, "victim {victim} after {steps} steps");
                assert_all_use(&mut cluster, &[1, 2, 3], &before);
            } else {
                finished_before += 1;
                assert_all_use(&mut cluster, &[1, 2, 3], &next_key());
            }
        }
    }
    assert!(finished_before >= 20, "{finished_before}");
}

#[test]
fn when_all_lose_power_at_any_step_they_form_again_and_finish() {
    let mut finished = 0;
    for steps in 0..10 {
        let mut cluster = Cluster::new(3);
        cluster.view(&[1, 2, 3]);
        cluster.request(1, rotate(false));
        for _ in 0..steps {
            cluster.step();
        }
        [1, 2, 3].into_iter().for_each(|node| cluster.kill(node));
        for (one, other) in [(1, 2), (1, 3), (2, 3)] {
            assert!(could_meet(&mut cluster, one, other), "{one} and {other} after {steps} steps");
        }
        [1, 2, 3].into_iter().for_each(|node| cluster.start(node));
        cluster.view(&[1, 2, 3]);
        let key = cluster.key_file(1);
        assert_all_use(&mut cluster, &[1, 2, 3], &key);
        finished += u32::from(key == next_key());
    }
    assert!(finished > 3, "{finished}");
}

#[test]
fn a_member_that_missed_the_last_word_follows_those_who_use_the_next_key() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    let before = cluster.key_file(3);
    let reply = cluster.ask(1, rotate(false));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    // Node 3 died after it had told and before it heard that all had.
    cluster.kill(3);
    cluster.disk(3).authkey = None;
    cluster.disk(3).next_key = Some(before.seal(&next_key(), [9; 16]).bytes().to_vec());
    cluster.view(&[1, 2]);
    assert!(could_meet(&mut cluster, 3, 1));
    cluster.start(3);
    cluster.view(&[1, 2, 3]);
    assert_all_use(&mut cluster, &[1, 2, 3], &next_key());
}

#[test]
fn a_second_key_that_only_some_hear_of_before_the_membership_breaks_up_keeps_nobody_from_the_first() {
    let third = AuthKey::new(vec![0x33; 64]).unwrap();
    for heard in 0..=3 {
        let mut cluster = Cluster::new(3);
        cluster.view(&[1, 2, 3]);
        (1..=3).for_each(|node| cluster.disk(node).slow = true);
        let another = Rotate { next: third.clone(), salt: [5; 16], force: false };
        let (from, second) = cluster.capture(3, Request::RotateKey(another));
        let first = cluster.request(1, rotate(false));
        cluster.settle();
        let told = cluster.words_after_writing();
        assert_eq!(told.len(), 3);
        (1..=heard).for_each(|node| cluster.deliver_bytes(node, from, &second));
        // Whatever those who heard of it do of that is not told in this membership any more.
        cluster.words_after_writing();
        for node in 1..=3 {
            let late = (node > heard).then(|| (from, second.clone()));
            cluster.break_up(node, &late.into_iter().chain(told.clone()).collect::<Vec<_>>());
        }
        cluster.view(&[1, 2, 3]);
        assert_all_use(&mut cluster, &[1, 2, 3], &next_key());
        let reply = cluster.reply(1, first);
        assert!(matches!(reply, Some(Reply::Done { .. })), "{heard}: {reply:?}");
    }
}

#[test]
fn of_two_keys_that_are_wanted_at_once_all_use_the_first_and_both_who_asked_are_told() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.disk(2).slow = true;
    let another = Rotate { next: AuthKey::new(vec![0x33; 64]).unwrap(), salt: [5; 16], force: false };
    let first = cluster.capture(1, rotate(false));
    let second = cluster.capture(2, Request::RotateKey(another));
    cluster.inject(&first);
    cluster.inject(&second);
    cluster.disk(2).slow = false;
    while cluster.disk(2).waits() > 0 {
        cluster.end_a_write(2);
    }
    assert_all_use(&mut cluster, &[1, 2], &next_key());
    for node in [1, 2] {
        let reply = cluster.reply(node, RequestId(1));
        assert!(matches!(reply, Some(Reply::Done { .. })), "node {node}: {reply:?}");
    }
}

#[test]
fn an_unfinished_rotation_is_finished_by_force_without_those_who_are_away() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.disk(3).slow = true;
    let id = cluster.request(1, rotate(false));
    cluster.settle();
    cluster.kill(3);
    cluster.view(&[1, 2]);
    assert_eq!(cluster.report(2).keys.waiting_for, ["node3"]);
    let Some(Reply::Refused(refusal)) = cluster.reply(1, id) else { panic!("it said that all should get it") };
    assert_eq!(refusal.sentence, "the rotation that was begun waits for node3: not a member now");
    let another = Rotate { next: AuthKey::new(vec![1; 128]).unwrap(), salt: [8; 16], force: true };
    let reply = cluster.ask(2, Request::RotateKey(another));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_all_use(&mut cluster, &[1, 2], &next_key());
}

#[test]
fn a_next_key_that_belongs_to_another_key_is_removed_at_the_start() {
    let mut cluster = Cluster::new(2);
    cluster.kill(1);
    let replaced = AuthKey::new(vec![0x77; 64]).unwrap();
    cluster.disk(1).next_key = Some(replaced.seal(&next_key(), [1; 16]).bytes().to_vec());
    cluster.start(1);
    cluster.view(&[1, 2]);
    assert_eq!(cluster.disk(1).next_key, None);
    assert_eq!(cluster.report(1).keys.next, None);
}

#[test]
fn the_key_is_in_no_message_and_in_nothing_that_is_printed() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    let (_, message) = cluster.capture(1, rotate(false));
    assert!(!message.windows(16).any(|window| window == [0x5e; 16]));
    let wish = format!("{:?}", rotate(false));
    assert!(wish.contains("AuthKey(..)") && !wish.contains("94, 94"), "{wish}");
    let persist = format!("{:?}", crate::Persist::KeyCommit { key: next_key() });
    assert!(!persist.contains("94, 94"), "{persist}");
}
