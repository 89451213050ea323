//! Memberships of small graphs, and the same answer at every node.

use hac_types::Incarnation;

use super::*;

fn member(node: u32) -> Member {
    Member { node: NodeId(node), incarnation: Incarnation(u64::from(node) + 100) }
}

fn members(nodes: &[u32]) -> Members {
    Members(nodes.iter().map(|n| member(*n)).collect())
}

/// Who says to hear whom, by node.
type Rows = BTreeMap<NodeId, (Member, Members)>;

fn graph(me: u32, rows: &Rows) -> Graph {
    let nobody = Members::default();
    let rows: Vec<Says<'_>> =
        rows.values().map(|(member, heard)| Says { member: *member, heard, excluded: &nobody }).collect();
    Graph::new(member(me), &rows)
}

/// The rows `me` knows when these edges exist: all that can be reached.
fn seen_by(me: u32, edges: &[(u32, u32)]) -> Rows {
    let heard = |node: u32| {
        let mut heard: Vec<u32> = edges
            .iter()
            .filter_map(|(a, b)| (*a == node).then_some(*b).or_else(|| (*b == node).then_some(*a)))
            .collect();
        heard.sort_unstable();
        members(&heard)
    };
    let mut rows = Rows::new();
    let mut open = vec![me];
    while let Some(node) = open.pop() {
        if rows.insert(NodeId(node), (member(node), heard(node))).is_none() {
            open.extend(heard(node).iter().map(|m| m.node.0));
        }
    }
    rows
}

fn of(me: u32, edges: &[(u32, u32)]) -> Vec<u32> {
    graph(me, &seen_by(me, edges)).membership().members.iter().map(|m| m.node.0).collect()
}

#[test]
fn a_node_that_hears_nobody_is_alone() {
    assert_eq!(of(1, &[]), [1]);
}

#[test]
fn all_who_hear_each_other_are_one_membership() {
    let edges = [(1, 2), (1, 3), (2, 3)];
    for me in 1..=3 {
        assert_eq!(of(me, &edges), [1, 2, 3]);
    }
}

#[test]
fn one_cut_edge_excludes_one_node_the_same_for_all() {
    let edges = [(1, 3), (1, 4), (2, 3), (2, 4), (3, 4)];
    assert_eq!(of(1, &edges), [1, 3, 4]);
    assert_eq!(of(3, &edges), [1, 3, 4]);
    assert_eq!(of(4, &edges), [1, 3, 4]);
    assert_eq!(of(2, &edges), [2]);
}

#[test]
fn a_chain_of_four_becomes_two_pairs() {
    let edges = [(1, 2), (2, 3), (3, 4)];
    assert_eq!(of(1, &edges), [1, 2]);
    assert_eq!(of(2, &edges), [1, 2]);
    assert_eq!(of(3, &edges), [3, 4]);
    assert_eq!(of(4, &edges), [3, 4]);
}

#[test]
fn the_larger_side_wins_over_lower_ids() {
    let edges = [(1, 2), (2, 3), (2, 4), (3, 4)];
    assert_eq!(of(2, &edges), [2, 3, 4]);
    assert_eq!(of(1, &edges), [1]);
}

#[test]
fn hearing_in_one_direction_is_no_edge() {
    let mut rows = seen_by(1, &[(1, 2)]);
    rows.insert(NodeId(2), (member(2), members(&[])));
    assert_eq!(graph(1, &rows).membership().members, members(&[1]));
    assert!(!graph(1, &rows).is_connected(&members(&[1, 2])));
}

#[test]
fn an_earlier_life_is_no_edge() {
    let mut rows = seen_by(1, &[(1, 2)]);
    let earlier = Member { node: NodeId(1), incarnation: Incarnation(1) };
    rows.insert(NodeId(2), (member(2), Members(vec![earlier])));
    assert_eq!(graph(1, &rows).membership().members, members(&[1]));
}

#[test]
fn only_a_set_smaller_than_another_is_minor() {
    let minor = |me, edges| graph(me, &seen_by(me, edges)).membership().is_minor;
    // A chain of three: a pair and one who is left out.
    assert_eq!([1, 2, 3].map(|me| minor(me, &[(1, 2), (2, 3)])), [false, false, true]);
    // A chain of four: two pairs.
    assert_eq!([1, 2, 3, 4].map(|me| minor(me, &[(1, 2), (2, 3), (3, 4)])), [false; 4]);
    assert!(!minor(1, &[]));
}

#[test]
fn who_is_not_heard_by_another_is_doubtful() {
    let rows = seen_by(3, &[(1, 3), (2, 3)]);
    assert_eq!(graph(3, &rows).doubtful(), [NodeId(1), NodeId(2)]);
    assert!(graph(3, &seen_by(3, &[(1, 3), (2, 3), (1, 2)])).doubtful().is_empty());
}

#[test]
fn the_fast_search_agrees_with_trying_every_set() {
    let mut random = 0x1234_5678_u64;
    for _ in 0..300 {
        let mut edges = Vec::new();
        for a in 1..=7 {
            for b in a + 1..=7 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if random >> 33 & 3 != 0 {
                    edges.push((a, b));
                }
            }
        }
        let rows: Rows = (1..=7).flat_map(|me| seen_by(me, &edges)).collect();
        let graph = graph(1, &rows);
        let is_clique = |set: u64| bits(set).all(|i| set & !graph.edges[i] & !(1 << i) == 0);
        let size = (1..1_u64 << 7).filter(|set| is_clique(*set)).map(u64::count_ones).max().unwrap();
        let best = graph.largest_clique(graph.all());
        assert!(is_clique(best));
        assert_eq!(best.count_ones(), size);
    }
}

#[test]
fn sixty_four_nodes_with_several_cut_edges_are_solved_quickly() {
    let mut edges = Vec::new();
    for a in 1..=64_u32 {
        for b in a + 1..=64 {
            if !(a % 7 == 0 && b % 5 == 0) {
                edges.push((a, b));
            }
        }
    }
    let found = of(1, &edges);
    assert!(found.len() >= 52, "{}", found.len());
}
