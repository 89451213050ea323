//! Tickets: what hangs on one that is not granted here, or is on standby.

use crate::Role;
use crate::ids::RscIdx;
use crate::influence::Influence;
use crate::placement::Placement;
use crate::requests::Requests;
use crate::rules::Loss;
use crate::scores::Why;
use hac_model::INFINITY;

/// Applies all tickets, in order of the constraints.
pub(super) fn apply_all(cluster: &mut Placement<'_>, requests: &mut Requests) {
    for rule in cluster.rules().tickets().to_vec() {
        let ticket = cluster.tickets.get(&rule.ticket);
        let (granted, standby) = ticket.map_or((false, false), |ticket| (ticket.granted, ticket.standby));
        if !granted || standby {
            let (constraint, ticket) = (rule.constraint, rule.ticket);
            let why = cluster.because(|_| Influence::Ticket { constraint, ticket });
            apply(cluster, requests, rule.rsc, (rule.role, rule.loss, granted), &why);
        }
    }
}

/// Applies a ticket that is not granted (or is on standby) to a resource, part by part.
fn apply(cluster: &mut Placement<'_>, requests: &mut Requests, rsc: RscIdx, rule: (Role, Loss, bool), why: &Why) {
    let (role, loss, granted) = rule;
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            apply(cluster, requests, child, rule, why);
        }
        return;
    }
    let active = !cluster.rsc[rsc].active.is_empty();
    if granted || !active {
        if role != Role::Promoted || loss == Loss::Stop {
            cluster.add_score(rsc, None, -INFINITY, why);
        }
        return;
    }
    let role_matches = role == Role::Unknown || role == cluster.rsc[rsc].role;
    match loss {
        Loss::Stop => cluster.add_score(rsc, None, -INFINITY, why),
        Loss::Demote if role != Role::Promoted => cluster.add_score(rsc, None, -INFINITY, why),
        Loss::Fence if role_matches => {
            cluster.add_score(rsc, None, -INFINITY, why);
            for node in cluster.rsc[rsc].active.clone() {
                cluster.fence_node(requests, node, "deadman ticket was lost", false);
            }
        }
        Loss::Freeze if role_matches => {
            cluster.rsc[rsc].is.managed = false;
            cluster.rsc[rsc].is.blocked = true;
        }
        Loss::Demote | Loss::Fence | Loss::Freeze => {}
    }
}
