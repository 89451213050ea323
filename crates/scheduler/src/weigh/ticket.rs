//! Tickets: what hangs on one that is not granted here, or is on standby.

use crate::ids::RscIdx;
use crate::influence::Influence;
use crate::placement::Placement;
use crate::requests::Requests;
use crate::rules::Loss;
use crate::scores::Why;
use hac_model::INFINITY;
use hac_model::Role;

/// Applies all tickets, in order of the constraints.
pub(super) fn apply_all(placement: &mut Placement<'_>, requests: &mut Requests) {
    for rule in placement.rules().tickets().to_vec() {
        let ticket = placement.tickets.get(&rule.ticket);
        let (granted, standby) = ticket.map_or((false, false), |ticket| (ticket.granted, ticket.standby));
        if !granted || standby {
            let (constraint, ticket) = (rule.constraint, rule.ticket);
            let why = placement.because(|_| Influence::Ticket { constraint, ticket });
            apply(placement, requests, rule.rsc, (rule.role, rule.loss, granted), &why);
        }
    }
}

/// Applies a ticket that is not granted (or is on standby) to a resource, part by part.
fn apply(placement: &mut Placement<'_>, requests: &mut Requests, rsc: RscIdx, rule: (Role, Loss, bool), why: &Why) {
    let (role, loss, granted) = rule;
    if !placement.rsc[rsc].children.is_empty() {
        for child in placement.rsc[rsc].children.clone() {
            apply(placement, requests, child, rule, why);
        }
        return;
    }
    let active = !placement.rsc[rsc].active.is_empty();
    if granted || !active {
        if role != Role::Promoted || loss == Loss::Stop {
            placement.add_score(rsc, None, -INFINITY, why);
        }
        return;
    }
    let role_matches = role == Role::Unknown || role == placement.rsc[rsc].role;
    match loss {
        Loss::Stop => placement.add_score(rsc, None, -INFINITY, why),
        Loss::Demote if role != Role::Promoted => placement.add_score(rsc, None, -INFINITY, why),
        Loss::Fence if role_matches => {
            placement.add_score(rsc, None, -INFINITY, why);
            for node in placement.rsc[rsc].active.clone() {
                placement.fence_node(requests, node, "deadman ticket was lost", false);
            }
        }
        Loss::Freeze if role_matches => {
            placement.rsc[rsc].is.managed = false;
            placement.rsc[rsc].is.blocked = true;
        }
        Loss::Demote | Loss::Fence | Loss::Freeze => {}
    }
}
