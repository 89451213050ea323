//! Objects as `xml <...>`: for what the language has no words for.

use hac_crm::cib::{CloneDef, GroupDef, Object};
use hac_crm::model::{Cib, Configuration, Constraint, Resource};

use super::SyntaxError;
use super::token::Token;
use crate::cib_xml;

/// Reads the element after the word `xml`. A group's members come before it, and so does what is inside a clone.
pub(super) fn parse(text: &str, at: &Token) -> Result<Vec<Object>, SyntaxError> {
    let section = if text.starts_with("<rsc_") { "constraints" } else { "resources" };
    let document = format!("<cib><configuration><{section}>{text}</{section}></configuration></cib>");
    let cib = cib_xml::read(&document).map_err(|error| {
        at.error(format!("what follows xml is wrong: {}", error.problem), "Write one element of a CIB after xml.")
    })?;
    let mut objects: Vec<Object> = cib.configuration.constraints.into_iter().map(Object::Constraint).collect();
    for resource in cib.configuration.resources {
        take_apart(resource, &mut objects);
    }
    if objects.is_empty() {
        return Err(at.error(
            "what follows xml is no resource and no constraint",
            "Write <primitive>, <group>, <clone>, <bundle> or a constraint after xml.",
        ));
    }
    Ok(objects)
}

fn take_apart(resource: Resource, objects: &mut Vec<Object>) {
    match resource {
        Resource::Primitive(primitive) => objects.push(Object::Primitive(primitive)),
        Resource::Template(template) => objects.push(Object::Template(template)),
        Resource::Bundle(bundle) => objects.push(Object::Bundle(bundle)),
        Resource::Group(group) => {
            let members = group.members.iter().map(|member| member.id.clone()).collect();
            objects.extend(group.members.into_iter().map(Object::Primitive));
            objects.push(Object::Group(GroupDef {
                id: group.id,
                description: group.description,
                members,
                params: group.params,
                meta: group.meta,
            }));
        }
        Resource::Clone(clone) => {
            let child = clone.child.id().to_owned();
            take_apart(*clone.child, objects);
            objects.push(Object::Clone(CloneDef {
                id: clone.id,
                description: clone.description,
                child,
                params: clone.params,
                meta: clone.meta,
            }));
        }
    }
}

/// Writes a resource.
pub(super) fn resource(resource: &Resource) -> String {
    let configuration = Configuration { resources: vec![resource.clone()], ..Configuration::default() };
    element_in("resources", configuration)
}

/// Writes a constraint.
pub(super) fn constraint(constraint: &Constraint) -> String {
    let configuration = Configuration { constraints: vec![constraint.clone()], ..Configuration::default() };
    element_in("constraints", configuration)
}

/// The lines inside a section of a document, joined as crm continues lines.
fn element_in(section: &str, configuration: Configuration) -> String {
    let document = cib_xml::write(&Cib { configuration, ..Cib::default() });
    let (open, close) = (format!("<{section}>"), format!("</{section}>"));
    let inside =
        document.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map_or("", |(inside, _)| inside);
    let lines: Vec<&str> = inside.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let lines: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or(line)).collect();
    format!("xml {}\n", lines.join(" \\\n"))
}
