//! Objects of the configuration by id, so that references (`id-ref`) can be followed.

use std::collections::BTreeMap;

use hac_model::{
    Cib, Constraint, Expression, LocationSubject, LocationTarget, NvPair, NvSet, Operation, Primitive, Resource,
    ResourceSet, Rule,
};

/// Rules inside rules deeper than this are not indexed.
const DEPTH_LIMIT: usize = 64;

/// Objects by id. Only what has its own content is here, not references.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index<'a> {
    sets: BTreeMap<&'a str, &'a NvSet>,
    pairs: BTreeMap<&'a str, &'a NvPair>,
    rules: BTreeMap<&'a str, &'a Rule>,
    operations: BTreeMap<&'a str, &'a Operation>,
    /// Whole blocks of operations.
    operation_blocks: BTreeMap<&'a str, &'a [Operation]>,
    members: BTreeMap<&'a str, &'a ResourceSet>,
    primitives: BTreeMap<&'a str, &'a Primitive>,
}

impl<'a> Index<'a> {
    /// Indexes the whole configuration.
    pub(crate) fn new(cib: &'a Cib) -> Self {
        let mut index = Self::default();
        let config = &cib.configuration;
        for blocks in [&config.crm_config, &config.rsc_defaults, &config.op_defaults] {
            index.add_sets(blocks);
        }
        for node in &config.nodes {
            index.add_sets(&node.attributes);
            index.add_sets(&node.utilization);
        }
        for resource in &config.resources {
            index.add_resource(resource, 0);
        }
        for alert in &config.alerts {
            index.add_sets(&alert.attributes);
            index.add_sets(&alert.meta);
            for recipient in &alert.recipients {
                index.add_sets(&recipient.attributes);
                index.add_sets(&recipient.meta);
            }
        }
        for constraint in &config.constraints {
            index.add_constraint(constraint);
        }
        index
    }

    fn add_sets(&mut self, sets: &'a [NvSet]) {
        for set in sets.iter().filter(|set| set.id_ref.is_none()) {
            self.sets.insert(&set.id, set);
            if let Some(rule) = &set.rule {
                self.add_rule(rule, 0);
            }
            for pair in set.pairs.iter().filter(|pair| pair.id_ref.is_none()) {
                self.pairs.insert(&pair.id, pair);
            }
        }
    }

    fn add_rule(&mut self, rule: &'a Rule, depth: usize) {
        if rule.id_ref.is_none() {
            self.rules.insert(&rule.id, rule);
        }
        for part in &rule.expressions {
            if let Expression::Rule(inner) = part
                && depth < DEPTH_LIMIT
            {
                self.add_rule(inner, depth + 1);
            }
        }
    }

    fn add_primitive(&mut self, primitive: &'a Primitive) {
        self.primitives.insert(&primitive.id, primitive);
        self.add_sets(&primitive.params);
        self.add_sets(&primitive.meta);
        self.add_sets(&primitive.utilization);
        if let Some(id) = primitive.operations_id.as_ref().filter(|_| primitive.operations_id_ref.is_none()) {
            self.operation_blocks.insert(id, &primitive.operations);
        }
        for operation in &primitive.operations {
            if operation.id_ref.is_none() {
                self.operations.insert(&operation.id, operation);
            }
            self.add_sets(&operation.meta);
            self.add_sets(&operation.params);
        }
    }

    fn add_resource(&mut self, resource: &'a Resource, depth: usize) {
        match resource {
            Resource::Primitive(primitive) => self.add_primitive(primitive),
            Resource::Template(template) => self.add_primitive(&template.0),
            Resource::Group(group) => {
                self.add_sets(&group.params);
                self.add_sets(&group.meta);
                for member in &group.members {
                    self.add_primitive(member);
                }
            }
            Resource::Clone(clone) => {
                self.add_sets(&clone.params);
                self.add_sets(&clone.meta);
                if depth < DEPTH_LIMIT {
                    self.add_resource(&clone.child, depth + 1);
                }
            }
            Resource::Bundle(bundle) => {
                self.add_sets(&bundle.params);
                self.add_sets(&bundle.meta);
                if let Some(primitive) = &bundle.primitive {
                    self.add_primitive(primitive);
                }
            }
        }
    }

    fn add_constraint(&mut self, constraint: &'a Constraint) {
        let sets = match constraint {
            Constraint::Location(location) => {
                if let LocationTarget::Rules(rules) = &location.target {
                    for rule in rules {
                        self.add_rule(rule, 0);
                    }
                }
                match &location.subject {
                    LocationSubject::Sets(sets) => sets.as_slice(),
                    _ => &[],
                }
            }
            Constraint::Colocation(colocation) => &colocation.sets,
            Constraint::Order(order) => &order.sets,
            Constraint::Ticket(ticket) => &ticket.sets,
        };
        for set in sets.iter().filter(|set| set.id_ref.is_none()) {
            self.members.insert(&set.id, set);
        }
    }

    /// Blocks with all references replaced by what they refer to; a reference to nothing is left out.
    pub(crate) fn sets(&self, sets: &[NvSet]) -> Vec<NvSet> {
        sets.iter().filter_map(|set| self.set(set)).collect()
    }

    fn set(&self, set: &NvSet) -> Option<NvSet> {
        let set = match &set.id_ref {
            Some(id) => *self.sets.get(id.as_str())?,
            None => set,
        };
        let mut copy = set.clone();
        copy.rule = copy.rule.map(|rule| self.rule(&rule, 0));
        for pair in &mut copy.pairs {
            if let Some(target) = pair.id_ref.take().and_then(|id| self.pairs.get(id.as_str())) {
                pair.value.clone_from(&target.value);
                if pair.name.is_empty() {
                    pair.name.clone_from(&target.name);
                }
            }
        }
        Some(copy)
    }

    /// A rule with all references replaced; one to nothing never holds.
    pub(crate) fn rule(&self, rule: &Rule, depth: usize) -> Rule {
        let mut copy = match &rule.id_ref {
            Some(id) => self.rules.get(id.as_str()).map_or_else(never, |rule| (*rule).clone()),
            None => rule.clone(),
        };
        if depth < DEPTH_LIMIT {
            for part in &mut copy.expressions {
                if let Expression::Rule(inner) = part {
                    **inner = self.rule(inner, depth + 1);
                }
            }
        }
        copy
    }

    /// A primitive's operations, or those of the block that it takes over, with all references replaced.
    pub(crate) fn operations(&self, primitive: &Primitive) -> Vec<Operation> {
        let operations: &[Operation] = match &primitive.operations_id_ref {
            Some(id) => self.operation_blocks.get(id.as_str()).copied().unwrap_or_default(),
            None => &primitive.operations,
        };
        let resolve = |operation: &Operation| {
            let operation = match &operation.id_ref {
                Some(id) => *self.operations.get(id.as_str())?,
                None => operation,
            };
            let mut copy = operation.clone();
            copy.meta = self.sets(&copy.meta);
            copy.params = self.sets(&copy.params);
            Some(copy)
        };
        operations.iter().filter_map(resolve).collect()
    }

    /// A resource set, or the one that it refers to.
    pub(crate) fn resource_set<'s>(&self, set: &'s ResourceSet) -> Option<&'s ResourceSet>
    where
        'a: 's,
    {
        match &set.id_ref {
            Some(id) => self.members.get(id.as_str()).copied(),
            None => Some(set),
        }
    }

    /// The primitive or template with this id.
    pub(crate) fn primitive(&self, id: &str) -> Option<&'a Primitive> {
        self.primitives.get(id).copied()
    }
}

/// A rule that never holds.
fn never() -> Rule {
    Rule {
        boolean_op: Some("or".into()),
        expressions: vec![Expression::Rule(Box::new(impossible()))],
        ..Rule::default()
    }
}

/// A rule whose only condition fails.
fn impossible() -> Rule {
    let nothing = Expression::Date {
        id: String::new(),
        operation: Some("in_range".into()),
        start: None,
        end: None,
        duration: None,
        spec: None,
    };
    Rule { expressions: vec![nothing], ..Rule::default() }
}
