//! Ticket constraints. They act as soon as they are read.

use crate::cluster::{Cluster, Role, RscIdx, Why};
use crate::influence::Influence;
use hac_model::INFINITY;

use super::{expanded, members, resource, set_resources};

/// What happens to a resource whose ticket is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Stop,
    Demote,
    Fence,
    Freeze,
}

/// Reads one ticket constraint.
pub(super) fn read(cluster: &mut Cluster<'_>, constraint: &hac_model::Ticket) {
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

fn add(cluster: &mut Cluster<'_>, constraint: &hac_model::Ticket, rsc: RscIdx, role: Option<&str>) {
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
    cluster.rsc[rsc].tickets.push((constraint.ticket.clone(), role));
    let ticket = cluster.tickets.get(&constraint.ticket);
    let (granted, standby) = ticket.map_or((false, false), |ticket| (ticket.granted, ticket.standby));
    if !granted || standby {
        let why = cluster
            .because(|_| Influence::Ticket { constraint: constraint.id.clone(), ticket: constraint.ticket.clone() });
        apply(cluster, rsc, role, (loss, granted), &why);
    }
}

/// Applies a ticket that is not granted (or is on standby) to a resource, part by part.
fn apply(cluster: &mut Cluster<'_>, rsc: RscIdx, role: Role, (loss, granted): (Loss, bool), why: &Why) {
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            apply(cluster, child, role, (loss, granted), why);
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
                cluster.fence_node(node, "deadman ticket was lost", false);
            }
        }
        Loss::Freeze if role_matches => {
            cluster.rsc[rsc].is.managed = false;
            cluster.rsc[rsc].is.blocked = true;
        }
        Loss::Demote | Loss::Fence | Loss::Freeze => {}
    }
}
