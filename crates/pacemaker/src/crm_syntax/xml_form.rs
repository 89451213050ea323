//! Objects as `xml <...>`: for what the language has no words for.

use hac_crm::cib::{Change, CloneDef, GroupDef, Object, Section};
use hac_model::{Alert, Cib, Configuration, Constraint, Node, Notice, NvSet, Resource};

use super::SyntaxError;
use super::parse::put;
use super::token::Token;
use crate::cib_xml;

/// Sections of properties and defaults.
const SECTIONS: &[&str] = &["crm_config", "rsc_defaults", "op_defaults"];

/// Reads the element after the word `xml`. A group's members come before it, and so does what is inside a clone.
pub(super) fn parse(text: &str, at: &Token) -> Result<Vec<Change>, SyntaxError> {
    let begins = |name: &&&str| text.strip_prefix('<').is_some_and(|rest| rest.starts_with(**name));
    let inside = match SECTIONS.iter().find(begins) {
        Some(_) => text.to_owned(),
        None if text.starts_with("<rsc_") => format!("<constraints>{text}</constraints>"),
        None if text.starts_with("<alert") => format!("<alerts>{text}</alerts>"),
        None if text.starts_with("<node") => format!("<nodes>{text}</nodes>"),
        None if text.starts_with("<cluster_property_set") => format!("<crm_config>{text}</crm_config>"),
        None => format!("<resources>{text}</resources>"),
    };
    let document = format!("<cib><configuration>{inside}</configuration></cib>");
    let cib = cib_xml::read_part(&document).map_err(|error| {
        at.error(format!("what follows xml is wrong: {}", error.problem), "Write one element of a CIB after xml.")
    })?;
    let changes = objects(cib.configuration.into_inner());
    if changes.is_empty() {
        return Err(at.error(
            "what follows xml is not a resource, constraint, node, alert or set of properties",
            "Write <primitive>, <group>, <clone>, <bundle>, a constraint, <node>, <alert> or <crm_config> after xml.",
        ));
    }
    Ok(changes)
}

/// The objects of a configuration, each to be created: parts before the whole.
pub(super) fn objects(read: Configuration) -> Vec<Change> {
    let mut objects: Vec<Object> = read.nodes.into_iter().map(Object::Node).collect();
    for resource in read.resources {
        take_apart(resource, &mut objects);
    }
    objects.extend(read.constraints.into_iter().map(Object::Constraint));
    objects.extend(read.tags.into_iter().map(Object::Tag));
    objects.extend(read.fencing_topology.into_iter().map(Object::FencingLevel));
    objects.extend(read.alerts.into_iter().map(Object::Alert));
    objects.extend(read.notices.into_iter().map(Object::Notice));
    let mut changes: Vec<Change> = objects.into_iter().map(put).collect();
    for (section, sets) in [
        (Section::CrmConfig, read.crm_config),
        (Section::RscDefaults, read.rsc_defaults),
        (Section::OpDefaults, read.op_defaults),
    ] {
        changes.extend(sets.into_iter().map(|set| set_change(section, set)));
    }
    changes
}

/// A set as one change: its pairs one by one, or the whole of it where they alone do not say everything.
fn set_change(section: Section, set: NvSet) -> Change {
    let plain = set.score.is_none() && set.rule.is_none() && set.id_ref.is_none();
    if !plain || set.pairs.iter().any(|pair| pair.id_ref.is_some() || pair.value.is_none()) {
        return Change::PutSet { section, set };
    }
    let pairs = set.pairs.into_iter().map(|pair| (pair.name, pair.value)).collect();
    Change::SetProperties { section, set: Some(set.id), pairs }
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

/// Writes a node.
pub(super) fn node(node: &Node) -> String {
    element_in("nodes", Configuration { nodes: vec![node.clone()], ..Configuration::default() })
}

/// Writes an alert.
pub(super) fn alert(alert: &Alert) -> String {
    element_in("alerts", Configuration { alerts: vec![alert.clone()], ..Configuration::default() })
}

/// Writes a notice.
pub(super) fn notice(notice: &Notice) -> String {
    element_in("alerts", Configuration { notices: vec![notice.clone()], ..Configuration::default() })
}

/// Writes a set of properties or defaults in its section, without which its element would not say what it is.
pub(super) fn properties(section: Section, set: &NvSet) -> String {
    let sets = vec![set.clone()];
    let mut configuration = Configuration::default();
    let name = match section {
        Section::CrmConfig => {
            configuration.crm_config = sets;
            "crm_config"
        }
        Section::RscDefaults => {
            configuration.rsc_defaults = sets;
            "rsc_defaults"
        }
        Section::OpDefaults => {
            configuration.op_defaults = sets;
            "op_defaults"
        }
    };
    format!("xml <{name}> \\\n{} \\\n</{name}>\n", inside(name, configuration))
}

/// What is inside a section of a document, after the word `xml`.
fn element_in(section: &str, configuration: Configuration) -> String {
    format!("xml {}\n", inside(section, configuration))
}

/// The lines inside a section of a document, joined as crm continues lines.
fn inside(section: &str, configuration: Configuration) -> String {
    let document = cib_xml::write(&Cib { configuration: configuration.into(), ..Cib::default() });
    let (open, close) = (format!("<{section}>"), format!("</{section}>"));
    let inside =
        document.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map_or("", |(inside, _)| inside);
    let lines: Vec<&str> = inside.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let lines: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or(line)).collect();
    lines.join(" \\\n")
}
