//! The configuration section, except resources and constraints.

use hac_model::{
    Alert, Configuration, FencingLevel, FencingTarget, Node, Notice, Recipient, Select, SelectedAttribute, Tag,
};

use super::nvset::sets;
use super::{constraint, resource};
use crate::cib_xml::document::{Element, Fault, quotable};
use crate::cib_xml::{NOTICE, Problem};

/// Reads `configuration`.
pub(super) fn configuration(element: &Element<'_>) -> Result<Configuration, Fault> {
    let mut configuration = Configuration::default();
    for section in &element.children {
        match section.name {
            "crm_config" => configuration.crm_config = sets(section, "cluster_property_set")?,
            "rsc_defaults" => configuration.rsc_defaults = sets(section, "meta_attributes")?,
            "op_defaults" => configuration.op_defaults = sets(section, "meta_attributes")?,
            "nodes" => configuration.nodes = section.all("node").map(node).collect::<Result<_, _>>()?,
            "resources" => configuration.resources = resource::resources(section)?,
            "constraints" => configuration.constraints = constraint::constraints(section)?,
            "fencing-topology" => {
                configuration.fencing_topology =
                    section.all("fencing-level").map(fencing_level).collect::<Result<_, _>>()?;
            }
            "tags" => configuration.tags = section.all("tag").map(tag).collect::<Result<_, _>>()?,
            "alerts" => {
                for element in section.all("alert") {
                    let alert = alert(element)?;
                    match alert.path.strip_prefix(NOTICE) {
                        Some(form) => configuration.notices.push(notice(form, &alert)),
                        None => configuration.alerts.push(alert),
                    }
                }
            }
            _ => {}
        }
    }
    Ok(configuration)
}

fn node(element: &Element<'_>) -> Result<Node, Fault> {
    let id = element.required("id")?;
    Ok(Node {
        uname: element.opt("uname").unwrap_or_else(|| id.clone()),
        id,
        kind: element.opt("type"),
        score: element.opt("score"),
        attributes: sets(element, "instance_attributes")?,
        utilization: sets(element, "utilization")?,
    })
}

fn fencing_level(element: &Element<'_>) -> Result<FencingLevel, Fault> {
    let target = if let Some(node) = element.opt("target") {
        FencingTarget::Node(node)
    } else if let Some(pattern) = element.opt("target-pattern") {
        FencingTarget::Pattern(pattern)
    } else if let Some(attribute) = element.opt("target-attribute") {
        FencingTarget::Attribute(attribute, element.or_empty("target-value"))
    } else {
        return Err(element.fault(Problem::Lacks { element: quotable(element.name), attribute: "target" }));
    };
    Ok(FencingLevel {
        id: element.or_empty("id"),
        target,
        index: element.number("index")?.unwrap_or(1),
        devices: element
            .or_empty("devices")
            .split(',')
            .map(str::trim)
            .filter(|device| !device.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

fn tag(element: &Element<'_>) -> Result<Tag, Fault> {
    Ok(Tag {
        id: element.required("id")?,
        members: element.all("obj_ref").map(|child| child.required("id")).collect::<Result<_, _>>()?,
    })
}

fn alert(element: &Element<'_>) -> Result<Alert, Fault> {
    Ok(Alert {
        id: element.required("id")?,
        description: element.opt("description"),
        path: element.required("path")?,
        attributes: sets(element, "instance_attributes")?,
        meta: sets(element, "meta_attributes")?,
        select: element.all("select").next().map_or_else(|| Ok(Select::default()), select)?,
        recipients: element.all("recipient").map(recipient).collect::<Result<_, _>>()?,
    })
}

fn select(element: &Element<'_>) -> Result<Select, Fault> {
    let has = |name| element.all(name).next().is_some();
    let mut names = Vec::new();
    for attribute in element.all("select_attributes").flat_map(|element| element.all("attribute")) {
        names.push(SelectedAttribute { id: attribute.or_empty("id"), name: attribute.required("name")? });
    }
    Ok(Select {
        nodes: has("select_nodes"),
        fencing: has("select_fencing"),
        resources: has("select_resources"),
        attributes: has("select_attributes"),
        names,
    })
}

fn recipient(element: &Element<'_>) -> Result<Recipient, Fault> {
    Ok(Recipient {
        id: element.required("id")?,
        description: element.opt("description"),
        value: element.required("value")?,
        attributes: sets(element, "instance_attributes")?,
        meta: sets(element, "meta_attributes")?,
    })
}

/// Pacemaker's document has no notices: they stand among the alerts, as ones that no program on any host is called like.
fn notice(form: &str, alert: &Alert) -> Notice {
    let (id, description) = (alert.id.clone(), alert.description.clone());
    Notice { id, description, form: form.to_owned(), params: alert.attributes.clone() }
}
