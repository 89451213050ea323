//! The status section.

use std::mem;

use hac_model::fencing::Requests;
use hac_model::{
    Agent, NodeState, NvSet, OcfCode, OpHistory, ResourceHistory, Shared, Status, TicketState, parse_bool,
};

use super::nvset::sets;
use crate::cib_xml::document::{Element, Fault, quotable};
use crate::cib_xml::{MAX_OPERATIONS, Problem};

/// Reads what a node knows of a resource as soon as its element has ended.
pub(in crate::cib_xml) fn early(parent: &Element<'_>, done: &Element<'_>) -> Result<Option<ResourceHistory>, Fault> {
    let wanted = done.name == "lrm_resource" && parent.name == "lrm_resources";
    wanted.then(|| resource_history(done)).transpose()
}

/// Reads `status`.
pub(super) fn status(element: &mut Element<'_>) -> Result<Status, Fault> {
    let states = element.children.iter_mut().filter(|child| child.name == "node_state");
    Ok(Status {
        held: Vec::new(),
        fencing: Requests::default(),
        noticed: Vec::new(),
        readiness: Vec::new(),
        nodes: states.map(node_state).collect::<Result<_, _>>()?,
        tickets: element
            .children
            .iter()
            .filter(|child| child.name == "tickets")
            .flat_map(|tickets| tickets.all("ticket_state"))
            .map(ticket)
            .collect::<Result<_, _>>()?,
    })
}

fn node_state(element: &mut Element<'_>) -> Result<NodeState, Fault> {
    let histories = element.child_mut("lrm").and_then(|lrm| lrm.child_mut("lrm_resources"));
    let histories = histories.map(|block| mem::take(&mut block.histories)).unwrap_or_default();
    let transient = |name: &str| -> Result<Vec<NvSet>, Fault> {
        element.child("transient_attributes").map_or_else(|| Ok(Vec::new()), |block| sets(block, name))
    };
    Ok(NodeState {
        id: element.or_empty("id"),
        uname: element.opt("uname"),
        remote_node: element.get("remote_node").and_then(parse_bool).unwrap_or(false),
        in_ccm: element.opt("in_ccm"),
        crmd: element.opt("crmd"),
        join: element.opt("join"),
        expected: element.opt("expected"),
        in_maintenance: element.opt("node_in_maintenance"),
        node_fenced: element.opt("node_fenced"),
        attributes: transient("instance_attributes")?,
        utilization: transient("utilization")?,
        resources: histories.into_iter().map(Shared::new).collect(),
    })
}

fn resource_history(element: &Element<'_>) -> Result<ResourceHistory, Fault> {
    if element.all("lrm_rsc_op").nth(MAX_OPERATIONS).is_some() {
        return Err(element.fault(Problem::TooManyOperations(quotable(&element.or_empty("id")))));
    }
    let mut ops = Vec::with_capacity(element.all("lrm_rsc_op").count());
    for operation in element.all("lrm_rsc_op") {
        ops.push(op_history(operation)?);
    }
    Ok(ResourceHistory {
        id: element.required("id")?,
        agent: Agent {
            class: element.or_empty("class"),
            provider: element.opt("provider"),
            kind: element.or_empty("type"),
        },
        container: element.opt("container"),
        shutdown_lock: element.number("shutdown-lock")?,
        ops,
    })
}

fn op_history(element: &Element<'_>) -> Result<OpHistory, Fault> {
    Ok(OpHistory {
        id: element.or_empty("id"),
        operation_key: element.or_empty("operation_key"),
        operation: element.or_empty("operation"),
        transition_key: element.or_empty("transition-key"),
        transition_magic: element.or_empty("transition-magic"),
        rc_code: element.number("rc-code")?.map(OcfCode).unwrap_or_default(),
        op_status: element.number("op-status")?.unwrap_or(0),
        call_id: element.number("call-id")?.unwrap_or(0),
        interval_ms: element.number("interval")?.unwrap_or(0),
        last_rc_change: element.number("last-rc-change")?,
        last_run: element.number("last-run")?,
        exec_time_ms: element.number("exec-time")?,
        queue_time_ms: element.number("queue-time")?,
        op_digest: element.opt("op-digest"),
        op_force_restart: element.opt("op-force-restart"),
        op_restart_digest: element.opt("op-restart-digest"),
        op_secure_params: element.opt("op-secure-params"),
        op_secure_digest: element.opt("op-secure-digest"),
        crm_feature_set: element.opt("crm_feature_set"),
        exit_reason: element.opt("exit-reason"),
        on_node: element.opt("on_node"),
        migrate_source: element.opt("migrate_source"),
        migrate_target: element.opt("migrate_target"),
    })
}

fn ticket(element: &Element<'_>) -> Result<TicketState, Fault> {
    const KNOWN: [&str; 4] = ["id", "granted", "standby", "last-granted"];
    Ok(TicketState {
        id: element.required("id")?,
        granted: element.opt("granted"),
        standby: element.opt("standby"),
        last_granted: element.opt("last-granted"),
        attributes: element
            .attributes
            .iter()
            .filter(|(name, _)| !KNOWN.contains(name))
            .map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()))
            .collect(),
    })
}
