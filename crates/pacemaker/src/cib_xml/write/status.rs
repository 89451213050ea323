//! The status section.

use hac_model::{NodeState, OpHistory, ResourceHistory, Status, TicketState};

use super::nvset::sets;
use super::xml::{Attributes, Writer};

/// Who wrote an entry, in Pacemaker's traces.
const ORIGIN: &str = "hacd";

/// Writes what is inside `status`.
pub(super) fn status(w: &mut Writer, status: &Status) {
    status.nodes.iter().for_each(|node| node_state(w, node));
    if !status.tickets.is_empty() {
        w.element("tickets", &Attributes::default(), |w| status.tickets.iter().for_each(|t| ticket(w, t)));
    }
}

fn node_state(w: &mut Writer, node: &NodeState) {
    let attributes = Attributes::default()
        .nonempty("id", &node.id)
        .opt("uname", node.uname.as_ref())
        .opt("remote_node", node.remote_node.then_some(true))
        .opt("in_ccm", node.in_ccm.as_ref())
        .opt("crmd", node.crmd.as_ref())
        .with("crm-debug-origin", ORIGIN)
        .opt("join", node.join.as_ref())
        .opt("expected", node.expected.as_ref())
        .opt("node_in_maintenance", node.in_maintenance.as_ref())
        .opt("node_fenced", node.node_fenced.as_ref());
    let id = Attributes::default().nonempty("id", &node.id);
    w.element("node_state", &attributes, |w| {
        if !node.attributes.is_empty() || !node.utilization.is_empty() {
            w.element("transient_attributes", &id, |w| {
                sets(w, "instance_attributes", &node.attributes);
                sets(w, "utilization", &node.utilization);
            });
        }
        w.element("lrm", &id, |w| {
            w.element("lrm_resources", &Attributes::default(), |w| {
                node.resources.iter().for_each(|resource| resource_history(w, resource));
            });
        });
    });
}

fn resource_history(w: &mut Writer, resource: &ResourceHistory) {
    let attributes = Attributes::default()
        .with("id", &resource.id)
        .with("type", &resource.agent.kind)
        .with("class", &resource.agent.class)
        .opt("provider", resource.agent.provider.as_ref())
        .opt("container", resource.container.as_ref())
        .opt("shutdown-lock", resource.shutdown_lock);
    w.element("lrm_resource", &attributes, |w| resource.ops.iter().for_each(|op| op_history(w, op)));
}

fn op_history(w: &mut Writer, op: &OpHistory) {
    let attributes = Attributes::default()
        .nonempty("id", &op.id)
        .nonempty("operation_key", &op.operation_key)
        .nonempty("operation", &op.operation)
        .with("crm-debug-origin", ORIGIN)
        .opt("crm_feature_set", op.crm_feature_set.as_ref())
        .nonempty("transition-key", &op.transition_key)
        .nonempty("transition-magic", &op.transition_magic)
        .opt("exit-reason", op.exit_reason.as_ref())
        .opt("on_node", op.on_node.as_ref())
        .with("call-id", op.call_id)
        .with("rc-code", op.rc_code)
        .with("op-status", op.op_status)
        .with("interval", op.interval_ms)
        .opt("last-run", op.last_run)
        .opt("last-rc-change", op.last_rc_change)
        .opt("exec-time", op.exec_time_ms)
        .opt("queue-time", op.queue_time_ms)
        .opt("migrate_source", op.migrate_source.as_ref())
        .opt("migrate_target", op.migrate_target.as_ref())
        .opt("op-digest", op.op_digest.as_ref())
        .opt("op-force-restart", op.op_force_restart.as_ref())
        .opt("op-restart-digest", op.op_restart_digest.as_ref())
        .opt("op-secure-params", op.op_secure_params.as_ref())
        .opt("op-secure-digest", op.op_secure_digest.as_ref());
    w.empty("lrm_rsc_op", &attributes);
}

fn ticket(w: &mut Writer, ticket: &TicketState) {
    let mut attributes = Attributes::default()
        .with("id", &ticket.id)
        .opt("granted", ticket.granted.as_ref())
        .opt("standby", ticket.standby.as_ref())
        .opt("last-granted", ticket.last_granted.as_ref());
    for (name, value) in &ticket.attributes {
        attributes = attributes.with(name, value);
    }
    w.empty("ticket_state", &attributes);
}
