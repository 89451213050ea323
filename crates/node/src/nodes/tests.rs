//! The list of nodes, changed one node at a time.

use hac_crm::cib::{Applied, Bootstrap, Replicated as _};
use hac_model::Cib;
use hac_types::{Incarnation, WallTime};

use super::*;
use crate::wire::{Lane, Proposal, ProposalId, Proposed, StoredState};

fn node(id: u32, votes: u32) -> ClusterNode {
    ClusterNode {
        id: NodeId(id),
        name: format!("n{id}"),
        addresses: vec![IpAddr::from([10, 0, 0, u8::try_from(id).expect("small")])],
        votes,
        learner: votes == 0,
    }
}

/// A cluster of these nodes, as their files have it.
fn replica(ids: &[u32]) -> Replica {
    let nodes = ids.iter().map(|id| (id.to_string(), format!("n{id}"))).collect();
    let bootstrap = Bootstrap { cluster_name: "c".to_owned(), nodes, ..Bootstrap::default() };
    Replica::new(StoredState { cib: Cib::initial(bootstrap), ..StoredState::default() })
}

fn here(ids: &[u32]) -> Gate {
    Gate { here: ids.iter().map(|id| NodeId(*id)).collect(), ..Gate::default() }
}

fn set(replica: &mut Replica, gate: &Gate, nodes: &[ClusterNode], statement: &str) -> Result<(), String> {
    let new = NewNodes { base: replica.cluster.version, nodes: nodes.to_vec(), statement: statement.to_owned() };
    let id = ProposalId { node: NodeId(1), incarnation: Incarnation(1), lane: Lane::Configure, seq: 1 };
    match replica.carry_out(&Proposal { id, wall: WallTime(0), what: Proposed::SetNodes(new) }, gate) {
        Applied::Refused(refusal) => Err(refusal.sentence),
        _ => Ok(()),
    }
}

#[test]
fn a_node_is_added_without_a_vote_and_counted_when_it_is_here() {
    let mut cluster = replica(&[1]);
    let early = set(&mut cluster, &here(&[1]), &[node(1, 1), node(2, 1)], "");
    assert!(early.expect_err("it has no state yet").contains("no vote before it has the state"));
    assert_eq!(set(&mut cluster, &here(&[1]), &[node(1, 1), node(2, 0)], ""), Ok(()));
    let third = [node(1, 1), node(2, 0), node(3, 0)];
    assert!(set(&mut cluster, &here(&[1]), &third, "").expect_err("one at a time").contains("being added just now"));
    let voter = [node(1, 1), node(2, 1)];
    assert!(set(&mut cluster, &here(&[1]), &voter, "").expect_err("it is not here").contains("n2 is away"));
    assert_eq!(set(&mut cluster, &here(&[1, 2]), &voter, ""), Ok(()));
    assert_eq!((cluster.cluster.version, cluster.cluster.nodes.len()), (2, 2));
}

#[test]
fn a_learner_that_does_not_come_is_taken_back_and_its_id_is_never_used_again() {
    let mut cluster = replica(&[1]);
    assert_eq!(set(&mut cluster, &here(&[1]), &[node(1, 1), node(2, 0)], ""), Ok(()));
    assert_eq!(set(&mut cluster, &here(&[1]), &[node(1, 1)], ""), Ok(()));
    let again = set(&mut cluster, &here(&[1]), &[node(1, 1), node(2, 0)], "");
    assert!(again.expect_err("its id is used up").contains("was that of a node that was removed"));
    assert_eq!(set(&mut cluster, &here(&[1]), &[node(1, 1), node(3, 0)], ""), Ok(()));
}

#[test]
fn nodes_change_one_at_a_time_and_only_while_all_that_stay_are_here() {
    let mut cluster = replica(&[1, 2, 3]);
    let all = here(&[1, 2, 3]);
    let two = set(&mut cluster, &all, &[node(1, 1)], "");
    assert!(two.expect_err("two at once").contains("one at a time"));
    let away = set(&mut cluster, &here(&[1, 3]), &[node(1, 1), node(2, 1)], "");
    assert!(away.expect_err("n2 stays and is not here").contains("n2 is away"));
    assert_eq!(set(&mut cluster, &all, &[node(1, 1), node(2, 1)], ""), Ok(()));
    let known: Vec<&str> = cluster.cib.configuration.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(known, ["1", "2"], "it is gone from the CIB too");
    assert_eq!(cluster.cluster.retired.iter().map(|retired| retired.id.0).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_node_that_is_away_is_removed_only_by_somebody_who_knows_that_it_is_off() {
    let mut cluster = replica(&[1, 2]);
    let silent = set(&mut cluster, &here(&[1]), &[node(1, 1)], " ");
    assert!(silent.expect_err("nobody says so").contains("nobody has said that it is off"));
    assert_eq!(set(&mut cluster, &here(&[1]), &[node(1, 1)], "powered off"), Ok(()));
    assert_eq!(cluster.cluster.retired[0].statement, "powered off");
}

#[test]
fn a_list_that_contradicts_itself_or_is_out_of_date_is_refused() {
    let mut cluster = replica(&[1]);
    let gate = here(&[1]);
    let named = ClusterNode { name: "n1".to_owned(), ..node(2, 0) };
    assert!(set(&mut cluster, &gate, &[node(1, 1), named], "").expect_err("one name").contains("one name"));
    let placed = ClusterNode { addresses: node(1, 1).addresses, ..node(2, 0) };
    assert!(set(&mut cluster, &gate, &[node(1, 1), placed], "").expect_err("one address").contains("one address"));
    assert!(set(&mut cluster, &gate, &[node(1, 0)], "").expect_err("no votes").contains("nobody would have a vote"));
    let new = NewNodes { base: 9, nodes: vec![node(1, 1), node(2, 0)], statement: String::new() };
    let refused = refusal(&cluster, &gate, &new).expect("it was made from another version");
    assert_eq!(refused.kind, RefusalKind::Old);
    assert_eq!(cluster.cluster.version, 0, "a refusal changes nothing");
}
