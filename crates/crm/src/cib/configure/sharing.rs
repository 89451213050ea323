//! What stands for something else by its id, resolved as crm does: an object's id stands for its block of the same kind, or
//! for its rule.

use std::collections::{BTreeMap, BTreeSet};

use super::super::tree;
use hac_model::{Configuration, Constraint, LocationTarget, NvSet, Primitive, Resource, Rule};

/// First blocks of a resource: parameters, meta-attributes, utilization, operations.
#[derive(Default)]
struct Blocks {
    params: Option<String>,
    meta: Option<String>,
    utilization: Option<String>,
    operations: Option<String>,
}

/// Lets every reference to an object refer to the part of it that is meant. A reference to a part that exists stays.
pub(super) fn resolve(configuration: &mut Configuration) {
    let mut sets = BTreeSet::new();
    let mut objects: BTreeMap<String, Blocks> = BTreeMap::new();
    let mut pending = false;
    for item in tree::walk(&configuration.resources) {
        let primitive = match item.kind {
            tree::Kind::Primitive(primitive) | tree::Kind::Template(primitive) => Some(primitive),
            tree::Kind::Group | tree::Kind::Clone | tree::Kind::Bundle => None,
        };
        let utilization: &[NvSet] = primitive.map_or(&[], |primitive| &primitive.utilization);
        let operations = primitive.and_then(|primitive| primitive.operations_id.clone());
        pending |= primitive.is_some_and(|primitive| primitive.operations_id_ref.is_some());
        let all = item.params.iter().chain(item.meta).chain(utilization);
        pending |= all.clone().any(|set| set.id_ref.is_some());
        sets.extend(all.map(|set| set.id.clone()));
        sets.extend(operations.clone());
        let first = |sets: &[NvSet]| sets.iter().find(|set| set.id_ref.is_none()).map(|set| set.id.clone());
        let (params, meta) = (first(item.params), first(item.meta));
        let blocks = Blocks { params, meta, utilization: first(utilization), operations };
        objects.insert(item.id.to_owned(), blocks);
    }
    if pending {
        let known = Known { sets, objects };
        configuration.resources.iter_mut().for_each(|resource| known.resource(resource));
    }
    rules(&mut configuration.constraints);
}

/// What references may mean.
struct Known {
    sets: BTreeSet<String>,
    objects: BTreeMap<String, Blocks>,
}

impl Known {
    fn resource(&self, resource: &mut Resource) {
        match resource {
            Resource::Primitive(primitive) => self.primitive(primitive),
            Resource::Template(template) => self.primitive(&mut template.0),
            Resource::Group(group) => {
                self.sets(&mut group.params, |blocks| &blocks.params);
                self.sets(&mut group.meta, |blocks| &blocks.meta);
                group.members.iter_mut().for_each(|member| self.primitive(member));
            }
            Resource::Clone(clone) => {
                self.sets(&mut clone.params, |blocks| &blocks.params);
                self.sets(&mut clone.meta, |blocks| &blocks.meta);
                self.resource(&mut clone.child);
            }
            Resource::Bundle(bundle) => {
                self.sets(&mut bundle.params, |blocks| &blocks.params);
                self.sets(&mut bundle.meta, |blocks| &blocks.meta);
                bundle.primitive.iter_mut().for_each(|member| self.primitive(member));
            }
        }
    }

    fn primitive(&self, primitive: &mut Primitive) {
        self.sets(&mut primitive.params, |blocks| &blocks.params);
        self.sets(&mut primitive.meta, |blocks| &blocks.meta);
        self.sets(&mut primitive.utilization, |blocks| &blocks.utilization);
        if let Some(reference) = &mut primitive.operations_id_ref {
            self.meant(reference, |blocks| &blocks.operations);
        }
    }

    fn sets(&self, sets: &mut [NvSet], of: impl Fn(&Blocks) -> &Option<String>) {
        sets.iter_mut().filter_map(|set| set.id_ref.as_mut()).for_each(|reference| self.meant(reference, &of));
    }

    fn meant(&self, reference: &mut String, of: impl Fn(&Blocks) -> &Option<String>) {
        if self.sets.contains(reference) {
            return;
        }
        if let Some(meant) = self.objects.get(reference).and_then(|blocks| of(blocks).clone()) {
            *reference = meant;
        }
    }
}

/// The rules of location constraints: a constraint's id stands for its first rule.
fn rules(constraints: &mut [Constraint]) {
    let mut known = BTreeSet::new();
    let mut first = BTreeMap::new();
    for (id, rules) in constraints.iter().filter_map(rules_of) {
        known.extend(rules.iter().filter(|rule| rule.id_ref.is_none()).map(|rule| rule.id.clone()));
        let own = rules.iter().find(|rule| rule.id_ref.is_none());
        first.extend(own.map(|rule| (id.to_owned(), rule.id.clone())));
    }
    for constraint in constraints {
        let Constraint::Location(location) = constraint else { continue };
        let LocationTarget::Rules(rules) = &mut location.target else { continue };
        for reference in rules.iter_mut().filter_map(|rule| rule.id_ref.as_mut()) {
            if let Some(meant) = first.get(reference).filter(|_| !known.contains(reference)) {
                reference.clone_from(meant);
            }
        }
    }
}

fn rules_of(constraint: &Constraint) -> Option<(&str, &[Rule])> {
    match constraint {
        Constraint::Location(location) => match &location.target {
            LocationTarget::Rules(rules) => Some((&location.id, rules)),
            LocationTarget::Node { .. } => None,
        },
        Constraint::Colocation(_) | Constraint::Order(_) | Constraint::Ticket(_) => None,
    }
}
