//! Ids: that they are ids, that there is one object of each, and that what is named exists.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ids;
use super::super::tree::{self, Kind};
use super::Findings;
use hac_model::{
    Configuration, Constraint, FencingTarget, Location, LocationSubject, LocationTarget, Order, Resource, ResourceSet,
    parse_score,
};

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    unique_ids(configuration, findings);
    let known = Known::of(configuration);
    templates(configuration, &known, findings);
    for constraint in &configuration.constraints {
        check_constraint(constraint, &known, findings);
    }
    loops(&configuration.constraints, findings);
    for level in &configuration.fencing_topology {
        for device in &level.devices {
            known.expect_resource(&level.id, device, findings);
        }
        if let FencingTarget::Node(node) = &level.target {
            known.expect_node(&level.id, node, findings);
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

/// Warns of mandatory orders that go round in a circle: what is in it never starts.
fn loops(constraints: &[Constraint], findings: &mut Findings) {
    let mut after: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let orders = constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Order(order) if is_mandatory_start(order) => Some(order),
        _ => None,
    });
    for order in orders {
        if leads_to(&after, &order.then, &order.first) {
            findings.warning(
                &order.id,
                format!("{} before {} closes a circle of orders, nothing in it will start", order.first, order.then),
                "remove one of the orders",
            );
            continue;
        }
        after.entry(&order.first).or_default().push((&order.then, &order.id));
    }
}

/// Whether an order makes one start wait for another.
fn is_mandatory_start(order: &Order) -> bool {
    let starts = |action: &Option<String>| action.as_deref().is_none_or(|action| action == "start");
    let optional = matches!(order.kind.as_deref(), Some("Optional" | "Serialize"));
    let zero = order.kind.is_none() && order.score.as_deref().and_then(parse_score) == Some(0);
    !order.first.is_empty() && !optional && !zero && starts(&order.first_action) && starts(&order.then_action)
}

/// Whether `from` is followed by `to`, at whatever distance.
fn leads_to(after: &BTreeMap<&str, Vec<(&str, &str)>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(after.get(at).into_iter().flatten().map(|(then, _)| *then));
        }
    }
    false
}

/// The names that may be referred to.
struct Known<'a> {
    /// Resources and tags: what a constraint may name.
    resources: BTreeSet<&'a str>,
    templates: BTreeSet<&'a str>,
    objects: BTreeSet<&'a str>,
    nodes: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(configuration: &'a Configuration) -> Self {
        let mut known = Self {
            resources: BTreeSet::new(),
            templates: BTreeSet::new(),
            objects: BTreeSet::new(),
            nodes: configuration.nodes.iter().map(|node| node.uname.as_str()).collect(),
        };
        for item in tree::walk(&configuration.resources) {
            if matches!(item.kind, Kind::Template(_)) {
                known.templates.insert(item.id);
            }
            // A template stands for the resources made from it.
            known.resources.insert(item.id);
        }
        known.resources.extend(configuration.tags.iter().map(|tag| tag.id.as_str()));
        known.objects.extend(known.resources.iter().copied());
        known.objects.extend(known.nodes.iter().copied());
        known.objects.extend(configuration.nodes.iter().map(|node| node.id.as_str()));
        known.objects.extend(configuration.constraints.iter().map(Constraint::id));
        known
    }

    fn expect_resource(&self, subject: &str, id: &str, findings: &mut Findings) {
        if !self.resources.contains(id) {
            findings.error(subject, not_there(id), "name a resource that exists, or create it first");
        }
    }

    fn expect_node(&self, subject: &str, name: &str, findings: &mut Findings) {
        if !self.nodes.contains(name) {
            findings.warning(
                subject,
                format!("Node \"{name}\" is not a cluster node"),
                "check the spelling; `node show` lists the nodes",
            );
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
    for id in resources.chain(constraints).chain(tags).chain(levels) {
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
    match constraint {
        Constraint::Location(location) => check_location(location, known, findings),
        Constraint::Colocation(c) => {
            pair_or_sets(id, [&c.rsc, &c.with_rsc], &c.sets, known, findings);
        }
        Constraint::Order(c) => {
            pair_or_sets(id, [&c.first, &c.then], &c.sets, known, findings);
        }
        Constraint::Ticket(c) if c.sets.is_empty() => known.expect_resource(id, &c.rsc, findings),
        Constraint::Ticket(c) => members(id, &c.sets, known, findings),
    }
}

fn pair_or_sets(id: &str, pair: [&String; 2], sets: &[ResourceSet], known: &Known<'_>, findings: &mut Findings) {
    if !sets.is_empty() {
        return members(id, sets, known, findings);
    }
    for name in pair {
        known.expect_resource(id, name, findings);
    }
    if pair[0] == pair[1] {
        findings.error(id, format!("{} stands on both sides", pair[0]), "name two different resources");
    }
}

fn check_location(location: &Location, known: &Known<'_>, findings: &mut Findings) {
    match &location.subject {
        LocationSubject::Resource(id) => known.expect_resource(&location.id, id, findings),
        LocationSubject::Pattern(..) => {}
        LocationSubject::Sets(sets) => members(&location.id, sets, known, findings),
    }
    if let LocationTarget::Node { node, .. } = &location.target {
        known.expect_node(&location.id, node, findings);
    }
}

fn members(id: &str, sets: &[ResourceSet], known: &Known<'_>, findings: &mut Findings) {
    for member in sets.iter().flat_map(|set| &set.members) {
        known.expect_resource(id, member, findings);
    }
}
