//! Which of two operations is newer.

use std::cmp::Ordering;

use hac_model::OpHistory;

/// Number and writer of the transition that ordered an operation; -1 and nobody if no key says so.
fn transition(op: &OpHistory) -> (i64, &str) {
    op.ordered_by().map_or((-1, ""), |key| (key.transition, key.uuid))
}

/// Compares the age of two operations: less is older. With `same_node` call ids can be compared.
pub(super) fn compare(a: &OpHistory, b: &OpHistory, same_node: bool) -> Ordering {
    if a.id == b.id && same_node {
        return Ordering::Equal;
    }
    let same_node = match (&a.on_node, &b.on_node) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => same_node,
    };
    let (x, y) = (a.call_id, b.call_id);
    if x == -1 && y == -1 {
        Ordering::Equal
    } else if same_node && x >= 0 && x < y {
        Ordering::Less
    } else if same_node && y >= 0 && x > y {
        Ordering::Greater
    } else if x >= 0 && y >= 0 {
        compare_times(a.last_rc_change, b.last_rc_change)
    } else {
        compare_transitions(a, b)
    }
}

fn compare_times(a: Option<i64>, b: Option<i64>) -> Ordering {
    let (a, b) = (a.unwrap_or(-1), b.unwrap_or(-1));
    if a >= 0 && a < b {
        Ordering::Less
    } else if b >= 0 && a > b {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// One of them is pending, so only the transition tells.
fn compare_transitions(a: &OpHistory, b: &OpHistory) -> Ordering {
    let ((x, from_x), (y, from_y)) = (transition(a), transition(b));
    if from_x != from_y || x == y {
        // A pending operation does not survive a change of the coordinator, so it is the newer one.
        if b.call_id == -1 {
            Ordering::Less
        } else if a.call_id == -1 {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    } else if (x >= 0 && x < y) || y == -1 {
        Ordering::Less
    } else if (y >= 0 && x > y) || x == -1 {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// Positions of operations from oldest to newest. Comparing is not always consistent, so this is an insertion sort, which
/// ends in any case.
pub(crate) fn sorted(ops: &[OpHistory]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(ops.len());
    for at in 0..ops.len() {
        let place = order.iter().rposition(|other| compare(&ops[*other], &ops[at], true) != Ordering::Greater);
        order.insert(place.map_or(0, |place| place + 1), at);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(id: &str, call_id: i64, key: &str) -> OpHistory {
        OpHistory { id: id.into(), call_id, transition_key: key.into(), ..OpHistory::default() }
    }

    #[test]
    fn call_ids_order_operations_of_one_node() {
        let ops = [op("a", 7, "1:1:0:x"), op("b", 3, "1:1:0:x"), op("c", 5, "1:1:0:x")];
        assert_eq!(sorted(&ops), [1, 2, 0]);
    }

    #[test]
    fn a_pending_operation_is_placed_by_its_transition() {
        let ops = [op("pending", -1, "1:4:0:x"), op("later", 9, "1:5:0:x"), op("earlier", 8, "1:3:0:x")];
        assert_eq!(sorted(&ops), [2, 0, 1]);
    }
}
