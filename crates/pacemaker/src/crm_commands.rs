//! The changes that crm's commands for people make: one place for all who offer them.

use hac_crm::cib::{Change, Lifetime, Object, PutMode};
use hac_model::{Configuration, Constraint, Expression, Location, LocationSubject, LocationTarget, Role, Rule};

/// `resource start`, `stop`, `promote`, `demote`: the role that is wanted.
#[must_use]
pub fn role(resource: &str, role: Role) -> Change {
    meta(resource, "target-role", Some(&role.to_string()))
}

/// A meta attribute of a resource, or without a value none.
#[must_use]
pub fn meta(resource: &str, name: &str, value: Option<&str>) -> Change {
    Change::SetMeta { resource: resource.to_owned(), name: name.to_owned(), value: value.map(str::to_owned) }
}

/// `node standby`, until the node restarts or for ever.
#[must_use]
pub fn standby(node: &str, lifetime: Lifetime) -> Vec<Change> {
    vec![node_attribute(node, "standby", Some("on"), lifetime)]
}

/// `node online`: whichever way standby was said, it ends.
#[must_use]
pub fn online(node: &str) -> Vec<Change> {
    vec![
        node_attribute(node, "standby", None, Lifetime::Reboot),
        node_attribute(node, "standby", Some("off"), Lifetime::Forever),
    ]
}

/// `node maintenance` and `node ready`.
#[must_use]
pub fn maintenance(node: &str, on: bool) -> Vec<Change> {
    vec![node_attribute(node, "maintenance", Some(if on { "on" } else { "off" }), Lifetime::Forever)]
}

fn node_attribute(node: &str, name: &str, value: Option<&str>, lifetime: Lifetime) -> Change {
    Change::SetNodeAttribute { node: node.to_owned(), name: name.to_owned(), value: value.map(str::to_owned), lifetime }
}

/// `resource move RESOURCE NODE`; `end` is a date in ISO 8601.
#[must_use]
pub fn prefer(resource: &str, node: &str, end: Option<&str>) -> Change {
    location(prefer_id(resource), resource, node, "INFINITY", end)
}

/// `resource ban RESOURCE NODE`; `end` is a date in ISO 8601.
#[must_use]
pub fn ban(resource: &str, node: &str, end: Option<&str>) -> Change {
    location(ban_id(resource, node), resource, node, "-INFINITY", end)
}

/// The name of the constraint that [`prefer`] makes.
#[must_use]
pub fn prefer_id(resource: &str) -> String {
    format!("cli-prefer-{resource}")
}

/// The name of the constraint that [`ban`] makes.
#[must_use]
pub fn ban_id(resource: &str, node: &str) -> String {
    format!("cli-ban-{resource}-on-{node}")
}

/// `resource clear`: the names of what [`prefer`] and [`ban`] left, of one node or of all.
#[must_use]
pub fn left_by_moves(configuration: &Configuration, resource: &str, node: Option<&str>) -> Vec<String> {
    let (prefer, bans) = (prefer_id(resource), ban_id(resource, ""));
    let meant = |constraint: &&Constraint| {
        let id = constraint.id();
        match node {
            Some(node) => id == ban_id(resource, node) || id == prefer && names_node(constraint, node),
            None => id == prefer || id.starts_with(&bans),
        }
    };
    configuration.constraints.iter().filter(meant).map(|constraint| constraint.id().to_owned()).collect()
}

/// Whether a location constraint is about this node.
fn names_node(constraint: &Constraint, name: &str) -> bool {
    let Constraint::Location(location) = constraint else { return false };
    match &location.target {
        LocationTarget::Node { node, .. } => node == name,
        LocationTarget::Rules(rules) => rules.iter().flat_map(|rule| &rule.expressions).any(|expression| {
            matches!(expression, Expression::Attribute { attribute, value: Some(value), .. } if attribute == "#uname" && value == name)
        }),
    }
}

/// Holds a resource to a node, or away from it.
#[derive(Debug)]
pub struct Placing<'a> {
    /// The name of the constraint.
    pub id: String,
    /// The resource.
    pub resource: &'a str,
    /// The node.
    pub node: &'a str,
    /// How much: `INFINITY` or `-INFINITY`.
    pub score: &'a str,
    /// The role that is meant.
    pub role: Option<&'a str>,
    /// When it ends, as a date in ISO 8601; without one it does not end.
    pub end: Option<&'a str>,
    /// The names of what says how long: of the rule, of its node, of its date.
    pub parts: [String; 3],
}

impl Placing<'_> {
    /// The change that does so, until `end` by a rule as crm_resource writes it.
    #[must_use]
    pub fn change(self) -> Change {
        let Self { id, resource, node, score, role, end, parts } = self;
        let target = match end {
            None => LocationTarget::Node { node: node.to_owned(), score: Some(score.to_owned()) },
            Some(end) => LocationTarget::Rules(vec![until(parts, node, score, end)]),
        };
        let constraint = Constraint::Location(Location {
            id,
            subject: LocationSubject::Resource(resource.to_owned()),
            role: role.map(str::to_owned),
            resource_discovery: None,
            target,
            lifetime: Vec::new(),
        });
        Change::Put { object: Object::Constraint(constraint), mode: PutMode::Upsert }
    }
}

fn until([rule, here, date]: [String; 3], node: &str, score: &str, end: &str) -> Rule {
    let here = Expression::Attribute {
        id: here,
        attribute: "#uname".to_owned(),
        operation: "eq".to_owned(),
        value: Some(node.to_owned()),
        value_type: Some("string".to_owned()),
        value_source: None,
    };
    let date = Expression::Date {
        id: date,
        operation: Some("lt".to_owned()),
        start: None,
        end: Some(end.to_owned()),
        duration: None,
        spec: None,
    };
    Rule {
        id: rule,
        id_ref: None,
        boolean_op: Some("and".to_owned()),
        score: Some(score.to_owned()),
        score_attribute: None,
        role: None,
        expressions: vec![here, date],
    }
}

fn location(id: String, resource: &str, node: &str, score: &str, end: Option<&str>) -> Change {
    let parts = ["rule", "expr", "lifetime-end"].map(|part| format!("{id}-{part}"));
    let role = end.is_none().then_some("Started");
    Placing { id, resource, node, score, role, end, parts }.change()
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::{Configure, Replicated as _};
    use hac_model::Cib;

    use super::*;
    use crate::crm_syntax;

    fn with(cib: &Cib, changes: Vec<Change>) -> Cib {
        cib.candidate(&Configure { changes, ..Configure::default() }).expect("is taken")
    }

    #[test]
    fn what_moves_and_bans_left_is_found_again_by_its_node() {
        let text = "primitive A ocf:heartbeat:nginx\nprimitive AB ocf:heartbeat:nginx\n";
        let cib = with(&Cib::default(), crm_syntax::parse(text).expect("is written in crm's words"));
        let moved = with(
            &cib,
            vec![prefer("A", "n1", None), ban("A", "n2", Some("2030-01-01 00:00:00Z")), ban("AB", "n1", None)],
        );
        let left = |resource, node| left_by_moves(&moved.configuration, resource, node);
        assert_eq!(left("A", None), ["cli-prefer-A", "cli-ban-A-on-n2"]);
        assert_eq!(left("A", Some("n1")), ["cli-prefer-A"]);
        assert_eq!(left("A", Some("n2")), ["cli-ban-A-on-n2"]);
        assert_eq!(left("AB", None), ["cli-ban-AB-on-n1"]);
        assert!(left("A", Some("n3")).is_empty() && left("B", None).is_empty());
    }
}
