//! Resources.

use std::collections::BTreeMap;

use hac_model::{Agent, Bundle, Clone as CloneResource, Group, Operation, Primitive, Resource, Template};

use super::nvset::{all_attributes, sets};
use crate::cib_xml::Problem;
use crate::cib_xml::document::{Element, Fault, quotable};

/// Container technologies, each an element of that name inside `bundle`.
const TECHNOLOGIES: [&str; 3] = ["docker", "podman", "rkt"];

/// Reads `resources`.
pub(super) fn resources(section: &Element<'_>) -> Result<Vec<Resource>, Fault> {
    let mut resources = Vec::new();
    for element in &section.children {
        resources.push(match element.name {
            "primitive" => Resource::Primitive(primitive(element)?),
            "template" => Resource::Template(Template(primitive(element)?)),
            "group" => Resource::Group(group(element)?),
            "clone" | "master" => Resource::Clone(clone(element)?),
            "bundle" => Resource::Bundle(bundle(element)?),
            _ => continue,
        });
    }
    Ok(resources)
}

fn primitive(element: &Element<'_>) -> Result<Primitive, Fault> {
    let operations = element.child("operations");
    Ok(Primitive {
        id: element.required("id")?,
        agent: Agent {
            class: element.or_empty("class"),
            provider: element.opt("provider"),
            kind: element.or_empty("type"),
        },
        template: element.opt("template"),
        description: element.opt("description"),
        params: sets(element, "instance_attributes")?,
        meta: sets(element, "meta_attributes")?,
        utilization: sets(element, "utilization")?,
        operations: operations.map(operation_list).transpose()?.unwrap_or_default(),
        operations_id: operations.and_then(|block| block.opt("id")),
        operations_id_ref: operations.and_then(|block| block.opt("id-ref")),
        attributes: all_attributes(element, &["id", "class", "provider", "type", "template", "description"]),
    })
}

fn operation_list(block: &Element<'_>) -> Result<Vec<Operation>, Fault> {
    block.all("op").map(operation).collect()
}

fn operation(element: &Element<'_>) -> Result<Operation, Fault> {
    Ok(Operation {
        id: element.or_empty("id"),
        id_ref: element.opt("id-ref"),
        name: element.or_empty("name"),
        interval: element.opt("interval").unwrap_or_else(|| "0".to_owned()),
        options: all_attributes(element, &["id", "id-ref", "name", "interval"]),
        meta: sets(element, "meta_attributes")?,
        params: sets(element, "instance_attributes")?,
    })
}

fn group(element: &Element<'_>) -> Result<Group, Fault> {
    const COLLECTIVES: [&str; 4] = ["group", "clone", "master", "bundle"];
    if let Some(inner) = element.children.iter().find(|child| COLLECTIVES.contains(&child.name)) {
        return Err(inner.fault(Problem::Misplaced { element: quotable(inner.name), parent: "group" }));
    }
    Ok(Group {
        id: element.required("id")?,
        description: element.opt("description"),
        members: element.all("primitive").map(primitive).collect::<Result<_, _>>()?,
        params: sets(element, "instance_attributes")?,
        meta: sets(element, "meta_attributes")?,
        attributes: all_attributes(element, &["id", "description"]),
    })
}

fn clone(element: &Element<'_>) -> Result<CloneResource, Fault> {
    let id = element.required("id")?;
    let child = if let Some(found) = element.child("primitive") {
        Resource::Primitive(primitive(found)?)
    } else if let Some(found) = element.child("group") {
        Resource::Group(group(found)?)
    } else {
        let (element_name, id) = (quotable(element.name), quotable(&id));
        return Err(element.fault(Problem::LacksChild { element: element_name, id, wanted: "primitive or group" }));
    };
    Ok(CloneResource {
        id,
        description: element.opt("description"),
        child: Box::new(child),
        params: sets(element, "instance_attributes")?,
        meta: sets(element, "meta_attributes")?,
        legacy_master: element.name == "master",
        attributes: all_attributes(element, &["id", "description"]),
    })
}

fn bundle(element: &Element<'_>) -> Result<Bundle, Fault> {
    let id = element.required("id")?;
    let Some(container) = element.children.iter().find(|child| TECHNOLOGIES.contains(&child.name)) else {
        let id = quotable(&id);
        return Err(element.fault(Problem::LacksChild { element: "bundle".to_owned(), id, wanted: "container" }));
    };
    let network = element.child("network");
    let inside = |block: Option<&Element<'_>>, name: &str| -> Vec<BTreeMap<String, String>> {
        block.map(|b| b.all(name).map(|child| all_attributes(child, &[])).collect()).unwrap_or_default()
    };
    Ok(Bundle {
        id,
        description: element.opt("description"),
        technology: container.name.to_owned(),
        container: all_attributes(container, &[]),
        network: network.map(|block| all_attributes(block, &[])).unwrap_or_default(),
        ports: inside(network, "port-mapping"),
        storage: inside(element.child("storage"), "storage-mapping"),
        primitive: element.child("primitive").map(primitive).transpose()?,
        meta: sets(element, "meta_attributes")?,
        params: sets(element, "instance_attributes")?,
        attributes: all_attributes(element, &["id", "description"]),
    })
}
