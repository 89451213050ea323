//! The configuration section, except resources and constraints.

use hac_model::{Configuration, FencingLevel, FencingTarget, Node, Tag};

use super::nvset::sets;
use super::{constraint, resource};
use crate::cib_xml::Problem;
use crate::cib_xml::document::{Element, Fault, quotable};

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
