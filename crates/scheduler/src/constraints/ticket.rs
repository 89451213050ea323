//! Ticket constraints.

use crate::Role;
use crate::constraints::Unpacking;
use crate::ids::RscIdx;
use crate::rules::{Loss, TicketRule};

use super::{expanded, members, resource, set_resources};

/// Reads one ticket constraint.
pub(super) fn read(cluster: &mut Unpacking<'_, '_>, constraint: &hac_model::Ticket) {
    if constraint.sets.is_empty() {
        for member in members(cluster, &constraint.id, &constraint.rsc).unwrap_or_default() {
            if let Some(rsc) = resource(cluster, &constraint.id, &member) {
                add(cluster, constraint, rsc, constraint.rsc_role.as_deref());
            }
        }
        return;
    }
    for set in &constraint.sets {
        let Some(set) = expanded(cluster, set) else { continue };
        for rsc in set_resources(cluster, &constraint.id, &set) {
            add(cluster, constraint, rsc, set.role.as_deref());
        }
    }
}

fn add(cluster: &mut Unpacking<'_, '_>, constraint: &hac_model::Ticket, rsc: RscIdx, role: Option<&str>) {
    let role = match role.and_then(Role::parse) {
        None | Some(Role::Started) => Role::Unknown,
        Some(role) => role,
    };
    let loss = match constraint.loss_policy.as_deref() {
        Some("stop") => Loss::Stop,
        Some("demote") => Loss::Demote,
        Some("freeze") => Loss::Freeze,
        Some("fence") if cluster.options.fencing => Loss::Fence,
        Some("fence") => Loss::Stop,
        _ if role == Role::Promoted => Loss::Demote,
        _ => Loss::Stop,
    };
    let (ticket, constraint) = (constraint.ticket.clone(), constraint.id.clone());
    cluster.rules.add_ticket(TicketRule { constraint, ticket, rsc, role, loss });
}
