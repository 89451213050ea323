//! The configuration section, except resources and constraints.

use hac_model::{Alert, Configuration, FencingLevel, FencingTarget, Node, Notice, Recipient, Select, Tag};

use super::nvset::sets;
use super::xml::{Attributes, Writer};
use super::{constraint, resource};
use crate::cib_xml::NOTICE;

/// Writes what is inside `configuration`. Sections that need not be there are left out when empty.
pub(super) fn configuration(w: &mut Writer, configuration: &Configuration) {
    let none = Attributes::default;
    w.element("crm_config", &none(), |w| sets(w, "cluster_property_set", &configuration.crm_config));
    w.element("nodes", &none(), |w| configuration.nodes.iter().for_each(|n| node(w, n)));
    w.element("resources", &none(), |w| configuration.resources.iter().for_each(|r| resource::resource(w, r)));
    w.element("constraints", &none(), |w| configuration.constraints.iter().for_each(|c| constraint::constraint(w, c)));
    if !configuration.rsc_defaults.is_empty() {
        w.element("rsc_defaults", &none(), |w| sets(w, "meta_attributes", &configuration.rsc_defaults));
    }
    if !configuration.op_defaults.is_empty() {
        w.element("op_defaults", &none(), |w| sets(w, "meta_attributes", &configuration.op_defaults));
    }
    if !configuration.fencing_topology.is_empty() {
        w.element("fencing-topology", &none(), |w| {
            configuration.fencing_topology.iter().for_each(|level| fencing_level(w, level));
        });
    }
    if !configuration.tags.is_empty() {
        w.element("tags", &none(), |w| configuration.tags.iter().for_each(|t| tag(w, t)));
    }
    if !configuration.alerts.is_empty() || !configuration.notices.is_empty() {
        w.element("alerts", &none(), |w| {
            configuration.alerts.iter().for_each(|a| alert(w, a));
            configuration.notices.iter().for_each(|n| notice(w, n));
        });
    }
}

fn node(w: &mut Writer, node: &Node) {
    let attributes = Attributes::default()
        .with("id", &node.id)
        .with("uname", &node.uname)
        .opt("type", node.kind.as_ref())
        .opt("score", node.score.as_ref());
    w.element("node", &attributes, |w| {
        sets(w, "instance_attributes", &node.attributes);
        sets(w, "utilization", &node.utilization);
    });
}

fn fencing_level(w: &mut Writer, level: &FencingLevel) {
    let attributes = Attributes::default().nonempty("id", &level.id);
    let attributes = match &level.target {
        FencingTarget::Node(node) => attributes.with("target", node),
        FencingTarget::Pattern(pattern) => attributes.with("target-pattern", pattern),
        FencingTarget::Attribute(name, value) => attributes.with("target-attribute", name).with("target-value", value),
    };
    w.empty("fencing-level", &attributes.with("index", level.index).with("devices", level.devices.join(",")));
}

fn tag(w: &mut Writer, tag: &Tag) {
    w.element("tag", &Attributes::default().with("id", &tag.id), |w| {
        for member in &tag.members {
            w.empty("obj_ref", &Attributes::default().with("id", member));
        }
    });
}

fn alert(w: &mut Writer, alert: &Alert) {
    let attributes = Attributes::default()
        .with("id", &alert.id)
        .with("path", &alert.path)
        .opt("description", alert.description.as_ref());
    w.element("alert", &attributes, |w| {
        sets(w, "instance_attributes", &alert.attributes);
        sets(w, "meta_attributes", &alert.meta);
        if !alert.select.is_usual() {
            w.element("select", &Attributes::default(), |w| select(w, &alert.select));
        }
        alert.recipients.iter().for_each(|r| recipient(w, r));
    });
}

fn select(w: &mut Writer, select: &Select) {
    for (name, selected) in
        [("select_nodes", select.nodes), ("select_fencing", select.fencing), ("select_resources", select.resources)]
    {
        if selected {
            w.empty(name, &Attributes::default());
        }
    }
    if select.attributes {
        w.element("select_attributes", &Attributes::default(), |w| {
            for attribute in &select.names {
                w.empty("attribute", &Attributes::default().with("id", &attribute.id).with("name", &attribute.name));
            }
        });
    }
}

fn recipient(w: &mut Writer, recipient: &Recipient) {
    let attributes = Attributes::default()
        .with("id", &recipient.id)
        .with("value", &recipient.value)
        .opt("description", recipient.description.as_ref());
    w.element("recipient", &attributes, |w| {
        sets(w, "instance_attributes", &recipient.attributes);
        sets(w, "meta_attributes", &recipient.meta);
    });
}

fn notice(w: &mut Writer, notice: &Notice) {
    let attributes = Attributes::default()
        .with("id", &notice.id)
        .with("path", format!("{NOTICE}{}", notice.form))
        .opt("description", notice.description.as_ref());
    w.element("alert", &attributes, |w| sets(w, "instance_attributes", &notice.params));
}
