//! Whose word counts.

use hac_types::Incarnation;

use super::*;

fn member(node: u32) -> Member {
    Member { node: NodeId(node), incarnation: Incarnation(1) }
}

fn says(node: u32, version: u64, heard: &[u32]) -> Said {
    let heard = Members(heard.iter().map(|node| member(*node)).collect());
    Said { member: member(node), version, heard, excluded: Members::default() }
}

fn told(rows: &[Said]) -> Knowledge {
    Knowledge::new(rows.iter().cloned())
}

/// Node 1, which hears these.
fn hearing(heard: &[u32]) -> Hearing {
    let mut hearing = Hearing::new(member(1), (2..=4).map(NodeId));
    hearing.hears(heard.iter().map(|node| member(*node)).collect(), Vec::new());
    hearing
}

fn heard_by(hearing: &Hearing, node: u32) -> Vec<u32> {
    hearing.rows[&member(node)].heard.iter().map(|member| member.node.0).collect()
}

#[test]
fn of_a_node_that_is_heard_nobody_else_is_believed() {
    let mut hearing = hearing(&[2, 3]);
    assert!(hearing.learn(member(3), &told(&[says(3, 5, &[1, 2])])).any);
    let lie = says(3, u64::MAX, &[]);
    assert!(!hearing.learn(member(2), &told(std::slice::from_ref(&lie))).any);
    assert_eq!(heard_by(&hearing, 3), [1, 2]);
    assert!(hearing.learn(member(3), &told(&[says(3, 6, &[1])])).any, "itself is believed as before");
    // What was told before the node itself spoke ends when it does.
    let mut hearing = self::hearing(&[2, 3]);
    assert!(hearing.learn(member(2), &told(&[lie])).any);
    assert!(hearing.learn(member(3), &told(&[says(3, 5, &[1, 2])])).any);
    assert_eq!(heard_by(&hearing, 3), [1, 2]);
}

#[test]
fn of_a_node_that_is_not_heard_others_tell() {
    let mut hearing = hearing(&[2]);
    assert!(hearing.learn(member(2), &told(&[says(3, 5, &[2])])).any);
    assert!(!hearing.learn(member(2), &told(&[says(3, 4, &[])])).any, "older");
    assert!(hearing.learn(member(2), &told(&[says(3, 6, &[])])).any);
    assert!(!hearing.learn(member(2), &told(&[says(3, 7, &[])])).any, "the same again");
    assert!(!hearing.learn(member(2), &told(&[says(9, 1, &[])])).any, "no node of ours");
}

#[test]
fn what_a_node_says_itself_in_another_order_of_arrival_is_not_turned_back() {
    let mut hearing = hearing(&[2]);
    assert!(hearing.learn(member(2), &told(&[says(2, 7, &[1])])).any);
    assert!(!hearing.learn(member(2), &told(&[says(2, 6, &[])])).any);
    assert_eq!(heard_by(&hearing, 2), [1]);
}
