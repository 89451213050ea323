//! Sorting nodes for a resource, and resources by where they want to be.

use std::cmp::Ordering;

use crate::allowed::AllowedTable;
use crate::ids::{NodeIdx, RscIdx};
use crate::options::Strategy;
use crate::placement::Placement;
use hac_model::INFINITY;

use super::{utilization, wishes};

/// The nodes of a resource's table, best first. `active` is preferred among equals.
pub(super) fn nodes(placement: &Placement<'_>, rsc: RscIdx, active: Option<NodeIdx>) -> Vec<NodeIdx> {
    let table = placement.scores.of(rsc);
    let mut nodes: Vec<NodeIdx> = placement.node_order.iter().copied().filter(|node| table.has(*node)).collect();
    nodes.sort_by(|a, b| compare(placement, table, *a, *b, active));
    nodes
}

fn compare(
    placement: &Placement<'_>,
    table: &AllowedTable,
    a: NodeIdx,
    b: NodeIdx,
    active: Option<NodeIdx>,
) -> Ordering {
    let score = |node: NodeIdx| if placement.node_available(node) { table.score(node) } else { -INFINITY };
    let by_score = score(b).cmp(&score(a));
    let by_name = || placement.nodes[a].name.cmp(&placement.nodes[b].name);
    if by_score != Ordering::Equal {
        return by_score;
    }
    if placement.options.strategy == Strategy::Minimal {
        return by_name();
    }
    if placement.options.strategy == Strategy::Balanced {
        let by_room = utilization::compare_room(placement, a, b);
        if by_room != Ordering::Equal {
            return by_room;
        }
    }
    let by_load = placement.load[a].resources.cmp(&placement.load[b].resources);
    let by_activity = (active != Some(a)).cmp(&(active != Some(b)));
    by_load.then(by_activity).then_with(by_name)
}

/// Sorts resources at top level by priority, then by how much they want their nodes.
pub(super) fn by_scores(placement: &mut Placement<'_>) {
    // Nodes as they stand by themselves: the best one decides first.
    let mut own = AllowedTable::default();
    for node in placement.node_order.clone() {
        own.insert(node, placement.nodes[node].table_entry);
    }
    let mut nodes = placement.node_order.clone();
    nodes.sort_by(|a, b| compare(placement, &own, *a, *b, None));
    let mut keyed: Vec<(RscIdx, i32, i32, Vec<i32>)> = Vec::with_capacity(placement.top.len());
    for rsc in placement.top.clone() {
        let mut table = AllowedTable::default();
        let mode = wishes::Mode { this_with: true, ..wishes::Mode::default() };
        wishes::add(placement, rsc, rsc, &mut table, None, 1.0, mode);
        let current = if placement.rsc[rsc].active.is_empty() { None } else { placement.current_node(rsc) };
        let here = current.map_or(-INFINITY, |node| table.score(node));
        let scores = nodes.iter().map(|node| table.score(*node)).collect();
        keyed.push((rsc, placement.rsc[rsc].priority, here, scores));
    }
    keyed.sort_by(|a, b| b.1.cmp(&a.1).then(b.2.cmp(&a.2)).then_with(|| b.3.cmp(&a.3)));
    placement.top = keyed.into_iter().map(|(rsc, ..)| rsc).collect();
}
