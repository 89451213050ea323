//! From the configuration to text.

mod attributes;
mod constraint;
mod resource;
mod section;
mod told;

use self::attributes::Referred;
use hac_crm::cib::Section;
use hac_model::{Configuration, Constraint, Resource};

/// An object as text.
struct Shown {
    /// Keyword, as in `type:KEYWORD`.
    kind: &'static str,
    /// Its id; for nodes the name.
    id: String,
    /// Other objects that it mentions.
    mentions: Vec<String>,
    text: String,
}

/// Writes the objects that `wanted` names, or all.
pub(super) fn show(configuration: &Configuration, wanted: &[&str]) -> String {
    select(configuration, wanted).into_iter().map(|object| object.text).collect()
}

/// Ids of the objects that `wanted` names.
pub(super) fn chosen(configuration: &Configuration, wanted: &[&str]) -> Vec<String> {
    select(configuration, wanted).into_iter().map(|object| object.id).collect()
}

fn select(configuration: &Configuration, wanted: &[&str]) -> Vec<Shown> {
    let mut objects = objects(configuration);
    let all: Vec<(String, Vec<String>)> = objects.iter().map(|o| (o.id.clone(), o.mentions.clone())).collect();
    let related: Vec<(&str, Vec<String>)> = wanted
        .iter()
        .filter_map(|word| word.strip_prefix("related:"))
        .map(|of| (of, relatives(&all, &objects, of)))
        .collect();
    objects.retain(|object| {
        wanted.is_empty()
            || wanted.iter().any(|word| match word.split_once(':') {
                Some(("type", kind)) => object.kind == kind || kind == "collocation" && object.kind == "colocation",
                Some(("tag", tag)) => {
                    let tagged =
                        |t: &hac_model::Tag| t.id == tag && (object.id == tag || t.members.contains(&object.id));
                    configuration.tags.iter().any(tagged)
                }
                Some(("related", of)) => related.iter().any(|(name, ids)| *name == of && ids.contains(&object.id)),
                _ => object.id == *word,
            })
    });
    objects
}

/// An object, or all of a kind, and what mentions it; what it mentions itself too.
fn relatives(all: &[(String, Vec<String>)], objects: &[Shown], of: &str) -> Vec<String> {
    let mut roots: Vec<String> = objects.iter().filter(|o| o.id == of || o.kind == of).map(|o| o.id.clone()).collect();
    // A group or clone stands for what is in it.
    let collective = |o: &&Shown| matches!(o.kind, "group" | "clone" | "ms");
    for _ in 0..2 {
        let around = objects.iter().filter(collective).filter(|o| o.mentions.iter().any(|m| roots.contains(m)));
        let around: Vec<String> = around.map(|o| o.id.clone()).filter(|id| !roots.contains(id)).collect();
        roots.extend(around);
    }
    let mentions = |list: &[String]| list.iter().any(|mention| roots.contains(mention));
    let mut found: Vec<String> = all.iter().filter(|(_, list)| mentions(list)).map(|(id, _)| id.clone()).collect();
    found.extend(roots);
    found
}

/// Ids of an object and of all that mention it.
pub(super) fn related(configuration: &Configuration, id: &str) -> Vec<String> {
    let objects = objects(configuration);
    let all: Vec<(String, Vec<String>)> = objects.iter().map(|o| (o.id.clone(), o.mentions.clone())).collect();
    relatives(&all, &objects, id)
}

/// Kind and id of all objects.
pub(super) fn ids(configuration: &Configuration) -> Vec<(&'static str, String)> {
    objects(configuration).into_iter().map(|object| (object.kind, object.id)).collect()
}

/// All objects in the order of kinds.
fn objects(configuration: &Configuration) -> Vec<Shown> {
    let mut objects = Vec::new();
    let referred = Referred::of(configuration);
    for node in &configuration.nodes {
        objects.push(shown("node", &node.uname, Vec::new(), section::node(node, &referred)));
    }
    let mut resources = Vec::new();
    configuration.resources.iter().for_each(|r| collect(r, &referred, &mut resources));
    for kind in ["rsc_template", "primitive", "bundle", "group", "ms", "clone"] {
        for resource in resources.iter().filter(|r| resource_kind(r) == kind) {
            let text = resource::resource(resource, &referred);
            objects.push(shown(kind, resource.id(), resource_mentions(resource), text));
        }
    }
    for tag in &configuration.tags {
        objects.push(shown("tag", &tag.id, tag.members.clone(), section::tag(tag)));
    }
    for kind in ["location", "colocation", "order", "rsc_ticket"] {
        for constraint in configuration.constraints.iter().filter(|c| constraint_kind(c) == kind) {
            let (text, mentions) = (constraint::constraint(constraint, &referred), constraint::mentions(constraint));
            objects.push(shown(kind, constraint.id(), mentions, text));
        }
    }
    if let Some(text) = section::fencing_topology(&configuration.fencing_topology, &configuration.nodes) {
        objects.push(shown("fencing_topology", "fencing_topology", Vec::new(), text));
    }
    for (kind, section, sets) in [
        ("property", Section::CrmConfig, &configuration.crm_config),
        ("rsc_defaults", Section::RscDefaults, &configuration.rsc_defaults),
        ("op_defaults", Section::OpDefaults, &configuration.op_defaults),
    ] {
        for set in sets {
            objects.push(shown(kind, &set.id, Vec::new(), section::properties(kind, section, set, &referred)));
        }
    }
    for alert in &configuration.alerts {
        objects.push(shown("alert", &alert.id, Vec::new(), told::alert(alert, &referred)));
    }
    for notice in &configuration.notices {
        objects.push(shown("notice", &notice.id, Vec::new(), told::notice(notice, &referred)));
    }
    objects
}

fn shown(kind: &'static str, id: &str, mentions: Vec<String>, text: String) -> Shown {
    Shown { kind, id: id.to_owned(), mentions, text }
}

/// A resource and all that are inside, each to be shown by itself. What is inside a bundle that the language has no words
/// for is part of its text.
fn collect(resource: &Resource, referred: &Referred, found: &mut Vec<Resource>) {
    match resource {
        Resource::Group(group) => found.extend(group.members.iter().cloned().map(Resource::Primitive)),
        Resource::Clone(clone) => collect(&clone.child, referred, found),
        Resource::Bundle(bundle) if resource::bundle(bundle, referred).is_ok() => {
            found.extend(bundle.primitive.iter().cloned().map(Resource::Primitive));
        }
        Resource::Primitive(_) | Resource::Bundle(_) | Resource::Template(_) => {}
    }
    found.push(resource.clone());
}

fn resource_kind(resource: &Resource) -> &'static str {
    match resource {
        Resource::Primitive(_) => "primitive",
        Resource::Group(_) => "group",
        Resource::Clone(clone) if clone.legacy_master => "ms",
        Resource::Clone(_) => "clone",
        Resource::Bundle(_) => "bundle",
        Resource::Template(_) => "rsc_template",
    }
}

fn resource_mentions(resource: &Resource) -> Vec<String> {
    match resource {
        Resource::Primitive(primitive) => primitive.template.iter().cloned().collect(),
        Resource::Group(group) => group.members.iter().map(|member| member.id.clone()).collect(),
        Resource::Clone(clone) => vec![clone.child.id().to_owned()],
        Resource::Bundle(bundle) => bundle.primitive.iter().map(|inner| inner.id.clone()).collect(),
        Resource::Template(_) => Vec::new(),
    }
}

fn constraint_kind(constraint: &Constraint) -> &'static str {
    match constraint {
        Constraint::Location(_) => "location",
        Constraint::Colocation(_) => "colocation",
        Constraint::Order(_) => "order",
        Constraint::Ticket(_) => "rsc_ticket",
    }
}

/// An object's lines, continued as crm does.
fn paragraph(lines: &[String]) -> String {
    format!("{}\n", lines.join(" \\\n\t"))
}
