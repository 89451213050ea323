//! Which nodes are up, and how.

use crate::ids::NodeIdx;
use crate::options::NoQuorum;
use crate::reading::Reading;
use crate::reading::config;
use hac_model::Role;
use hac_model::{INFINITY, NodeState, parse_bool};

/// First pass over the entries: cluster nodes get attributes and state; of remote ones only what must be known early.
pub(super) fn read(reading: &mut Reading<'_>) {
    let cib = reading.cib;
    for (at, state) in cib.status.nodes.iter().enumerate() {
        let Some(node) = node_of(reading, state) else { continue };
        reading.nodes[node].facts.write().state = Some(at);
        reading.nodes[node].unclean = false;
        if reading.nodes[node].is_pacemaker_remote() {
            let fenced = state.node_fenced.as_deref().is_some_and(|text| !matches!(text.trim(), "" | "0" | "false"));
            let maintenance =
                state.in_maintenance.as_deref().is_some_and(|text| text.trim().parse::<i64>().is_ok_and(|it| it > 0));
            reading.nodes[node].facts.write().remote_was_fenced = fenced;
            reading.nodes[node].facts.write().remote_maintenance = maintenance;
            continue;
        }
        read_attributes(reading, node, state);
        online(reading, node, state);
        if !reading.quorate && reading.nodes[node].online && reading.options.no_quorum == NoQuorum::Fence {
            reading.fence_node(node, "cluster does not have quorum", false);
        }
    }
}

/// The node that an entry is about.
pub(super) fn node_of(reading: &Reading<'_>, state: &NodeState) -> Option<NodeIdx> {
    reading.find_node_by_id(&state.id).or_else(|| reading.find_node(state.uname.as_deref()?))
}

/// Transient attributes, and that the node was seen.
fn read_attributes(reading: &mut Reading<'_>, node: NodeIdx, state: &NodeState) {
    reading.nodes[node].facts.write().seen = true;
    config::add_attributes(reading, node, &state.attributes, true);
    config::add_capacity(reading, node, &state.utilization);
    let flag = |name: &str| reading.nodes[node].attributes.get(name).and_then(|v| parse_bool(v)).unwrap_or(false);
    let (standby, maintenance) = (flag("standby"), flag("maintenance"));
    reading.nodes[node].facts.write().standby |= standby;
    reading.nodes[node].facts.write().maintenance |= maintenance;
}

/// Whether the `shutdown` attribute asks to leave.
fn shutdown_requested(reading: &Reading<'_>, node: NodeIdx) -> bool {
    reading.nodes[node].attributes.get("shutdown").is_some_and(|value| !value.is_empty() && value != "0")
}

fn online(reading: &mut Reading<'_>, node: NodeIdx, state: &NodeState) {
    if shutdown_requested(reading, node) {
        reading.nodes[node].shutdown = true;
    } else if state.expected.as_deref() == Some("member") {
        reading.nodes[node].facts.write().expected_up = true;
    }
    let online = if reading.options.fencing {
        online_with_fencing(reading, node, state)
    } else {
        online_without_fencing(reading, node, state)
    };
    reading.nodes[node].online = online;
    if !online || reading.nodes[node].shutdown {
        reading.nodes[node].facts.write().table_entry.score = -INFINITY;
    }
}

/// When it joined the membership: `None` unknown, 0 not a member.
fn member_since(state: &NodeState) -> Option<i64> {
    let text = state.in_ccm.as_deref()?.trim();
    match parse_bool(text) {
        Some(true) => Some(1),
        Some(false) => Some(0),
        None => Some(text.parse().unwrap_or(0)),
    }
}

/// Since when its resource manager answers: 0 not.
fn online_since(state: &NodeState) -> i64 {
    match state.crmd.as_deref().map(str::trim) {
        None | Some("" | "offline") => 0,
        Some("online") => 1,
        Some(text) => text.parse().unwrap_or(0),
    }
}

fn online_without_fencing(reading: &mut Reading<'_>, node: NodeIdx, state: &NodeState) -> bool {
    if member_since(state).unwrap_or(-1) <= 0 {
        return false;
    }
    if online_since(state) > 0 {
        return state.join.as_deref() == Some("member");
    }
    if reading.nodes[node].expected_up {
        reading.fence_node(node, "peer is unexpectedly down", false);
    }
    false
}

fn online_with_fencing(reading: &mut Reading<'_>, node: NodeIdx, state: &NodeState) -> bool {
    let member = member_since(state);
    let is_member = member.is_some_and(|since| since > 0);
    let peer_online = online_since(state) > 0;
    let join = state.join.as_deref().unwrap_or_default();
    let expected = state.expected.as_deref().unwrap_or("down");
    if reading.nodes[node].shutdown {
        return peer_online;
    }
    let terminate = reading.nodes[node]
        .attributes
        .get("terminate")
        .is_some_and(|text| parse_bool(text).unwrap_or_else(|| text.trim().parse::<i64>().is_ok_and(|time| time > 0)));
    if member.is_none() {
        reading.fence_node(node, "peer has not been seen by the cluster", false);
    } else if join == "banned" {
        reading.fence_node(node, "peer failed Pacemaker membership criteria", false);
    } else if terminate {
        if is_member || peer_online || !matches!(join, "" | "down") {
            reading.fence_node(node, "fencing was requested", false);
        }
    } else if expected == "down" {
        if pending_too_long(reading, member, peer_online) {
            reading.fence_node(node, "peer pending timed out on joining the process group", false);
        } else if is_member || peer_online {
            reading.nodes[node].facts.write().standby = true;
            reading.nodes[node].facts.write().pending = true;
        }
    } else if !is_member {
        reading.fence_node(node, "peer is no longer part of the cluster", true);
    } else if !peer_online {
        reading.fence_node(node, "peer process is no longer available", false);
    } else if matches!(join, "pending" | "down") {
        reading.nodes[node].facts.write().standby = true;
        reading.nodes[node].facts.write().pending = true;
    } else if join != "member" {
        reading.fence_node(node, "peer was in an unknown state", false);
    }
    is_member
}

/// Whether a node has been joining for longer than allowed.
fn pending_too_long(reading: &mut Reading<'_>, member: Option<i64>, peer_online: bool) -> bool {
    let limit = i64::try_from(reading.options.node_pending_timeout_ms / 1000).unwrap_or(i64::MAX);
    let Some(since) = member.filter(|since| limit > 0 && *since > 1 && !peer_online) else { return false };
    let end = since.saturating_add(limit);
    if reading.now >= end {
        return true;
    }
    reading.recheck(end);
    false
}

/// Attributes of a remote or guest node whose history is about to be read.
pub(super) fn read_remote_attributes(reading: &mut Reading<'_>, node: NodeIdx, state: &NodeState) {
    read_attributes(reading, node, state);
    if shutdown_requested(reading, node) {
        reading.nodes[node].shutdown = true;
    }
    let unmanaged = reading.nodes[node].connection.is_some_and(|connection| !reading.rsc[connection].is.managed);
    reading.nodes[node].facts.write().maintenance |= unmanaged;
    let discovery = reading.nodes[node].attributes.get("resource-discovery-enabled");
    if discovery.and_then(|text| parse_bool(text)) == Some(false) {
        let fenceable = reading.nodes[node].is_remote() && !reading.options.fencing;
        reading.nodes[node].facts.write().discovery = fenceable;
    }
}

/// Whether a remote or guest node is up, as its connection and container tell.
pub(super) fn remote_online(reading: &mut Reading<'_>, node: NodeIdx) {
    let Some(connection) = reading.nodes[node].connection else {
        reading.nodes[node].online = false;
        return;
    };
    let link = &reading.rsc[connection];
    let container = link.launcher.map(|container| &reading.rsc[container]);
    let host = container.and_then(|container| match container.active.as_slice() {
        [host] => Some(*host),
        _ => None,
    });
    let (started, failed, stopped) = (link.role == Role::Started, link.is.failed, link.role == Role::Stopped);
    let leaving = started && link.next_role == Role::Stopped;
    let container_failed = container.is_some_and(|container| container.is.failed);
    let container_stopped = container.is_some_and(|container| container.role == Role::Stopped);
    let host_lost = host.is_some_and(|host| reading.nodes[host].unclean && !reading.nodes[host].online);
    let entry = &mut reading.nodes[node];
    entry.online |= started;
    entry.shutdown |= leaving;
    if container_failed {
        entry.online = false;
        entry.remote_requires_reset = true;
    } else if failed {
        entry.online = false;
    } else if stopped || container_stopped {
        entry.online = false;
        entry.remote_requires_reset = false;
    } else if host_lost {
        entry.online = false;
        entry.remote_requires_reset = true;
    }
}
