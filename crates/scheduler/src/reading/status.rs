//! Stage: the status. Which nodes are up, what runs where and what failed.
//!
//! Reads the status section; writes nodes' states, resources' roles and places, flags of failure, and the actions that
//! failures call for at once (a required stop, fencing as an option, clearing of fail counts).

pub(crate) mod failcount;
mod history;
mod migration;
mod nodes;
mod operation;
mod outcome;
pub(crate) mod sort;

pub(crate) use operation::{active_since, operation_view};
pub(crate) use sort::sorted;

use crate::Role;
use crate::action::Task;
use crate::facts::Ticket;
use crate::ids::NodeIdx;
use crate::reading::Reading;
use hac_model::parse_bool;

/// Reads the whole status section.
pub(crate) fn read(cluster: &mut Reading<'_>) {
    read_tickets(cluster);
    nodes::read(cluster);
    let mut reader = history::Reader::default();
    while reader.pass(cluster, false) {}
    reader.pass(cluster, true);
    stop_containers(cluster, &reader);
    settle_remote_nodes(cluster);
}

fn read_tickets(cluster: &mut Reading<'_>) {
    for state in &cluster.cib.status.tickets {
        let flag = |text: &Option<String>| text.as_deref().and_then(parse_bool).unwrap_or(false);
        let ticket = Ticket { granted: flag(&state.granted), standby: flag(&state.standby) };
        cluster.facts.write().tickets.insert(state.id.clone(), ticket);
    }
}

/// Now that it is known where everything is: stops containers whose connection failed.
fn stop_containers(cluster: &mut Reading<'_>, reader: &history::Reader) {
    for container in &reader.containers_to_stop {
        if let Some(node) = cluster.current_node(*container) {
            cluster.ask_for(*container, Task::Stop, node);
        }
    }
}

/// Connections to nodes that shut down are to be stopped; remote nodes without history get their state.
fn settle_remote_nodes(cluster: &mut Reading<'_>) {
    let remote: Vec<NodeIdx> =
        cluster.node_order.iter().copied().filter(|node| cluster.nodes[*node].is_pacemaker_remote()).collect();
    for node in remote {
        if cluster.nodes[node].shutdown
            && let Some(connection) = cluster.nodes[node].connection
        {
            cluster.rsc[connection].next_role = Role::Stopped;
        }
        if !cluster.nodes[node].unpacked {
            nodes::remote_online(cluster, node);
        }
    }
}
