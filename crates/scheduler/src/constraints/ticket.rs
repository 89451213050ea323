//! Ticket constraints.

use crate::constraints::Unpacking;
use crate::ids::RscIdx;
use crate::rules::{Loss, TicketRule};
use hac_model::Role;

use super::{expanded, members, resource, set_resources};

/// Reads one ticket constraint.
pub(super) fn read(unpacking: &mut Unpacking<'_, '_>, constraint: &hac_model::Ticket) {
    if constraint.sets.is_empty() {
        for member in members(unpacking, &constraint.id, &constraint.rsc).unwrap_or_default() {
            if let Some(rsc) = resource(unpacking, &constraint.id, &member) {
                add(unpacking, constraint, rsc, constraint.rsc_role.as_deref());
            }
        }
        return;
    }
    for set in &constraint.sets {
        let Some(set) = expanded(unpacking, set) else { continue };
        for rsc in set_resources(unpacking, &constraint.id, &set) {
            add(unpacking, constraint, rsc, set.role.as_deref());
        }
    }
}

fn add(unpacking: &mut Unpacking<'_, '_>, constraint: &hac_model::Ticket, rsc: RscIdx, role: Option<&str>) {
    let role = match role.and_then(Role::parse) {
        None | Some(Role::Started) => Role::Unknown,
        Some(role) => role,
    };
    let loss = match constraint.loss_policy.as_deref() {
        Some("stop") => Loss::Stop,
        Some("demote") => Loss::Demote,
        Some("freeze") => Loss::Freeze,
        Some("fence") if unpacking.options.fencing => Loss::Fence,
        Some("fence") => Loss::Stop,
        _ if role == Role::Promoted => Loss::Demote,
        _ => Loss::Stop,
    };
    let (ticket, constraint) = (constraint.ticket.clone(), constraint.id.clone());
    unpacking.rules.add_ticket(TicketRule { constraint, ticket, rsc, role, loss });
}
