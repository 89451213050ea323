//! Stage: the status. Which nodes are up, what runs where and what failed.
//!
//! Reads the status section; writes nodes' states, resources' roles and places, and flags of failure. What failures call for
//! at once (a required stop, fencing as an option, clearing of fail counts) is asked of the graph.

pub(crate) mod failcount;
mod history;
mod migration;
mod nodes;
mod operation;
mod outcome;
pub(crate) mod sort;

pub(crate) use operation::{active_since, operation_view};
pub(crate) use sort::sorted;

use crate::action::Task;
use crate::facts::Ticket;
use crate::ids::NodeIdx;
use crate::reading::Reading;
use hac_model::Role;
use hac_model::parse_bool;

/// Reads the whole status section.
pub(crate) fn read(reading: &mut Reading<'_>) {
    read_tickets(reading);
    nodes::read(reading);
    let mut reader = history::Reader::default();
    while reader.pass(reading, false) {}
    reader.pass(reading, true);
    stop_containers(reading, &reader);
    settle_remote_nodes(reading);
}

fn read_tickets(reading: &mut Reading<'_>) {
    for state in &reading.cib.status.tickets {
        let flag = |text: &Option<String>| text.as_deref().and_then(parse_bool).unwrap_or(false);
        let ticket = Ticket { granted: flag(&state.granted), standby: flag(&state.standby) };
        reading.facts.write().tickets.insert(state.id.clone(), ticket);
    }
}

/// Now that it is known where everything is: stops containers whose connection failed.
fn stop_containers(reading: &mut Reading<'_>, reader: &history::Reader) {
    for container in &reader.containers_to_stop {
        if let Some(node) = reading.current_node(*container) {
            reading.ask_for(*container, Task::Stop, node);
        }
    }
}

/// Connections to nodes that shut down are to be stopped; remote nodes without history get their state.
fn settle_remote_nodes(reading: &mut Reading<'_>) {
    let remote: Vec<NodeIdx> =
        reading.node_order.iter().copied().filter(|node| reading.nodes[*node].is_pacemaker_remote()).collect();
    for node in remote {
        if reading.nodes[node].shutdown
            && let Some(connection) = reading.nodes[node].connection
        {
            reading.rsc[connection].next_role = Role::Stopped;
        }
        if !reading.nodes[node].unpacked {
            nodes::remote_online(reading, node);
        }
    }
}
