//! What a configuration cannot be: names that name nothing, one name for several things, things without what they are
//! made of.
//!
//! [`apply`](super::Replicated::apply) refuses a change that brings one in, on every node alike, so these rules belong to
//! the level: they change with a new level and in no other way. Everything else that may be wrong with a configuration is
//! a matter of judgement ([`judge`](super::judge)), and a newer release may judge differently.

use std::collections::BTreeSet;

use super::tree::{self, Kind};
use super::verify::Findings;
use super::{Finding, ids};
use hac_model::{Configuration, Constraint, LocationSubject, Resource, ResourceSet};

/// Every contradiction in `configuration`, in the order of the document.
pub(super) fn contradictions(configuration: &Configuration) -> Vec<Finding> {
    let mut findings = Findings::default();
    check(configuration, &mut findings);
    findings.into_vec()
}

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    unique_ids(configuration, findings);
    contents(configuration, findings);
    let known = Known::of(configuration);
    templates(configuration, &known, findings);
    for constraint in &configuration.constraints {
        check_constraint(constraint, &known, findings);
    }
    for level in &configuration.fencing_topology {
        for device in &level.devices {
            known.expect_resource(&level.id, device, findings);
        }
    }
    for tag in &configuration.tags {
        for member in &tag.members {
            if !known.objects.contains(member.as_str()) {
                findings.error(&tag.id, not_there(member), "name objects that exist, or leave it out");
            }
        }
    }
}

/// What an object is that is no resource, by its id.
pub(super) fn kind_of(configuration: &Configuration, id: &str) -> Option<&'static str> {
    if configuration.nodes.iter().any(|node| node.uname == id || node.id == id) {
        return Some("node");
    }
    if configuration.constraints.iter().any(|constraint| constraint.id() == id) {
        return Some("constraint");
    }
    configuration.tags.iter().any(|tag| tag.id == id).then_some("tag")
}

/// The names that may be referred to.
struct Known<'a> {
    /// Resources and tags: what a constraint may name.
    resources: BTreeSet<&'a str>,
    templates: BTreeSet<&'a str>,
    objects: BTreeSet<&'a str>,
    configuration: &'a Configuration,
}

impl<'a> Known<'a> {
    fn of(configuration: &'a Configuration) -> Self {
        let (resources, templates, objects) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut known = Self { resources, templates, objects, configuration };
        for item in tree::walk(&configuration.resources) {
            if matches!(item.kind, Kind::Template(_)) {
                known.templates.insert(item.id);
            }
            // A template stands for the resources made from it.
            known.resources.insert(item.id);
        }
        known.resources.extend(configuration.tags.iter().map(|tag| tag.id.as_str()));
        known.objects.extend(known.resources.iter().copied());
        known.objects.extend(configuration.nodes.iter().flat_map(|node| [node.uname.as_str(), node.id.as_str()]));
        known.objects.extend(configuration.constraints.iter().map(Constraint::id));
        known
    }

    fn expect_resource(&self, subject: &str, id: &str, findings: &mut Findings) {
        if !self.resources.contains(id) {
            let sentence = match kind_of(self.configuration, id) {
                Some(other) => format!("{id} is a {other}, and no resource"),
                None => not_there(id),
            };
            findings.error(subject, sentence, "name a resource that exists, or create it first");
        }
    }

    fn expect_members(&self, subject: &str, sets: &[ResourceSet], findings: &mut Findings) {
        for member in sets.iter().flat_map(|set| &set.members) {
            self.expect_resource(subject, member, findings);
        }
    }
}

fn not_there(id: &str) -> String {
    format!("object {id} does not exist")
}

fn unique_ids(configuration: &Configuration, findings: &mut Findings) {
    let resources = tree::walk(&configuration.resources).into_iter().map(|item| item.id);
    let constraints = configuration.constraints.iter().map(Constraint::id);
    let tags = configuration.tags.iter().map(|tag| tag.id.as_str());
    let levels = configuration.fencing_topology.iter().map(|level| level.id.as_str());
    let mut seen = BTreeSet::new();
    let alerts = configuration.alerts.iter().map(|alert| alert.id.as_str());
    let notices = configuration.notices.iter().map(|notice| notice.id.as_str());
    for id in resources.chain(constraints).chain(tags).chain(levels).chain(alerts).chain(notices) {
        if !ids::is_id(id) {
            findings.error(
                id,
                "that is not a name for an object",
                "begin with a letter or underscore, go on with letters, digits, '-', '_' and '.'",
            );
        }
        if !seen.insert(id) {
            findings.error(id, "several objects have this ID", "give each object an id of its own");
        }
    }
    let mut nodes = BTreeSet::new();
    for node in &configuration.nodes {
        if !nodes.insert(&node.uname) || !nodes.insert(&node.id) && node.id != node.uname {
            findings.error(&node.uname, "several nodes have this name or id", "give each node its own");
        }
    }
}

/// Groups and clones have something in them.
fn contents(configuration: &Configuration, findings: &mut Findings) {
    for resource in &configuration.resources {
        let empty = match resource {
            Resource::Group(group) => group.members.is_empty(),
            Resource::Clone(clone) => {
                !matches!(clone.child.as_ref(), Resource::Primitive(_) | Resource::Group(_))
                    || matches!(clone.child.as_ref(), Resource::Group(group) if group.members.is_empty())
            }
            Resource::Primitive(_) | Resource::Bundle(_) | Resource::Template(_) => false,
        };
        if empty {
            findings.error(resource.id(), "it has nothing in it", "name the primitives that belong into it");
        }
    }
}

/// Primitives have an agent, their own or a template's.
fn templates(configuration: &Configuration, known: &Known<'_>, findings: &mut Findings) {
    for item in tree::walk(&configuration.resources) {
        let (Kind::Primitive(primitive) | Kind::Template(primitive)) = item.kind else { continue };
        match &primitive.template {
            Some(template) if !known.templates.contains(template.as_str()) => {
                findings.error(item.id, format!("template {template} does not exist"), "create the template first");
            }
            None if primitive.agent.kind.is_empty() => {
                findings.error(item.id, "it has no agent", "name one, such as ocf:heartbeat:nginx");
            }
            Some(_) | None => {}
        }
    }
}

fn check_constraint(constraint: &Constraint, known: &Known<'_>, findings: &mut Findings) {
    let id = constraint.id();
    let (names, sets) = match constraint {
        Constraint::Location(c) => match &c.subject {
            LocationSubject::Resource(resource) => return known.expect_resource(id, resource, findings),
            LocationSubject::Pattern(..) => return,
            LocationSubject::Sets(sets) => return known.expect_members(id, sets, findings),
        },
        Constraint::Colocation(c) => (vec![&c.rsc, &c.with_rsc], &c.sets),
        Constraint::Order(c) => (vec![&c.first, &c.then], &c.sets),
        Constraint::Ticket(c) => (vec![&c.rsc], &c.sets),
    };
    if sets.is_empty() {
        names.into_iter().for_each(|name| known.expect_resource(id, name, findings));
    } else {
        known.expect_members(id, sets, findings);
    }
}
