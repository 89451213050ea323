//! What is shown reads back as the same configuration, for any configuration.

use hac_model::{
    Agent, Colocation, Constraint, Expression, Location, LocationSubject, LocationTarget, Node, NvPair, NvSet,
    Operation, Order, Primitive, ResourceSet, Rule,
};
use proptest::prelude::*;

use super::*;

fn id() -> impl Strategy<Value = String> {
    "[a-zA-Z_][a-zA-Z0-9_.-]{0,6}".prop_map(|id| format!("r{id}"))
}

/// Any text: the language has words for most, XML for the rest.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9.-]{1,5}", "[ -~]{0,8}", "[\\PC]{0,4}"]
}

fn nvset() -> impl Strategy<Value = NvSet> {
    (
        prop::collection::vec(("[a-z_-]{3,9}x", prop::option::weighted(0.9, value())), 1..4),
        prop::option::of(-9..9i32),
        rule(),
    )
        .prop_map(|(pairs, score, rule)| NvSet {
            score: score.map(|s| s.to_string()),
            rule,
            pairs: pairs
                .into_iter()
                .map(|(name, value)| NvPair { name: format!("n{name}"), value, ..NvPair::default() })
                .collect(),
            ..NvSet::default()
        })
}

fn expression() -> impl Strategy<Value = Expression> {
    let text =
        |attribute: &str, operation: &str, value: Option<String>, value_type: Option<&str>| Expression::Attribute {
            id: String::new(),
            attribute: attribute.to_owned(),
            operation: operation.to_owned(),
            value,
            value_type: value_type.map(str::to_owned),
            value_source: None,
        };
    let date = |operation: &str, start: Option<&str>, end: Option<&str>| Expression::Date {
        id: String::new(),
        operation: Some(operation.to_owned()),
        start: start.map(str::to_owned),
        end: end.map(str::to_owned),
        duration: None,
        spec: None,
    };
    prop_oneof![
        value().prop_map(move |v| text("#uname", "eq", Some(v), None)),
        value().prop_map(move |v| text("load", "lt", Some(v), Some("number"))),
        Just(text("pingd", "not_defined", None, None)),
        Just(date("gt", Some("2020-01-01"), None)),
        Just(date("in_range", Some("2020-01-01"), Some("2021-01-01"))),
    ]
}

fn rule() -> impl Strategy<Value = Option<Rule>> {
    prop::option::weighted(
        0.2,
        (prop::collection::vec(expression(), 1..3), any::<bool>(), -9..9i32).prop_map(|(expressions, or, score)| {
            Rule {
                boolean_op: (or && expressions.len() > 1).then(|| "or".to_owned()),
                score: Some(score.to_string()),
                expressions,
                ..Rule::default()
            }
        }),
    )
}

fn primitive() -> impl Strategy<Value = Primitive> {
    let agent = prop_oneof![
        Just(("ocf", Some("heartbeat"), "nginx")),
        Just(("ocf", Some("digitalocean"), "floatip")),
        Just(("systemd", None, "nginx")),
    ];
    let operation = ("[a-z]{3,6}", "[0-9]{1,2}s", value(), prop::collection::vec(nvset(), 0..2));
    (
        (id(), agent, prop::option::weighted(0.1, value())),
        prop::collection::vec(nvset(), 0..3),
        prop::collection::vec(nvset(), 0..2),
        prop::collection::vec(operation, 0..3),
    )
        .prop_map(|((id, (class, provider, kind), description), params, meta, operations)| Primitive {
            id,
            agent: Agent { class: class.to_owned(), provider: provider.map(str::to_owned), kind: kind.to_owned() },
            description,
            params,
            meta,
            operations: operations
                .into_iter()
                .enumerate()
                .map(|(n, (name, interval, timeout, params))| Operation {
                    name: format!("{name}{n}"),
                    interval,
                    options: [("timeout".to_owned(), timeout)].into(),
                    params,
                    ..Operation::default()
                })
                .collect(),
            ..Primitive::default()
        })
}

fn sets() -> impl Strategy<Value = Vec<ResourceSet>> {
    let set = (prop::collection::vec(id(), 1..4), 0..3u8, prop::option::of(Just("Promoted".to_owned())));
    prop::collection::vec(set, 1..4).prop_map(|sets| {
        sets.into_iter()
            .map(|(members, form, role)| ResourceSet {
                members,
                role,
                sequential: (form > 0).then(|| "false".to_owned()),
                require_all: (form > 1).then(|| "false".to_owned()),
                ..ResourceSet::default()
            })
            .collect()
    })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    prop_oneof![
        (id(), id(), id()).prop_map(|(id, rsc, with_rsc)| {
            Constraint::Colocation(Colocation {
                id,
                score: Some("-INFINITY".to_owned()),
                rsc,
                with_rsc,
                ..Colocation::default()
            })
        }),
        (id(), sets()).prop_map(|(id, sets)| {
            Constraint::Colocation(Colocation { id, score: Some("5".to_owned()), sets, ..Colocation::default() })
        }),
        (id(), id(), id(), any::<bool>()).prop_map(|(id, first, then, promote)| {
            let first_action = promote.then(|| "promote".to_owned());
            Constraint::Order(Order {
                id,
                kind: Some("Optional".to_owned()),
                first,
                first_action,
                then,
                ..Order::default()
            })
        }),
        (id(), id(), rule()).prop_map(|(id, rsc, rule)| {
            let node = LocationTarget::Node { node: "n1".to_owned(), score: Some("INFINITY".to_owned()) };
            Constraint::Location(Location {
                id,
                subject: LocationSubject::Resource(rsc),
                role: None,
                resource_discovery: None,
                target: rule.map_or(node, |rule| LocationTarget::Rules(vec![rule])),
                lifetime: Vec::new(),
            })
        }),
    ]
}

/// Every id is made from another word, so that no two are the same.
fn distinct(c: &mut Configuration) {
    for (n, resource) in c.resources.iter_mut().enumerate() {
        if let Resource::Primitive(p) = resource {
            p.id.push_str(&n.to_string());
        }
    }
    for (n, constraint) in c.constraints.iter_mut().enumerate() {
        let id = match constraint {
            Constraint::Location(it) => &mut it.id,
            Constraint::Colocation(it) => &mut it.id,
            Constraint::Order(it) => &mut it.id,
            Constraint::Ticket(it) => &mut it.id,
        };
        id.push_str(&format!("-c{n}"));
    }
}

fn configuration() -> impl Strategy<Value = Configuration> {
    (
        prop::collection::vec(primitive(), 0..4),
        prop::collection::vec(constraint(), 0..4),
        prop::collection::vec(nvset().prop_filter("nodes have no rules here", |s| s.rule.is_none()), 0..2),
    )
        .prop_map(|(primitives, constraints, attributes)| {
            let node = Node { id: "1".to_owned(), uname: "n1".to_owned(), attributes, ..Node::default() };
            let resources = primitives.into_iter().map(Resource::Primitive).collect();
            let mut c = Configuration { nodes: vec![node], resources, constraints, ..Configuration::default() };
            distinct(&mut c);
            c
        })
}

/// A set in brackets says that it is sequential; without, it goes without saying. Kinds of constraints are shown apart.
fn canonical(mut c: Configuration) -> Configuration {
    for constraint in &mut c.constraints {
        let sets = match constraint {
            Constraint::Colocation(c) => &mut c.sets,
            Constraint::Order(c) => &mut c.sets,
            Constraint::Ticket(_) | Constraint::Location(_) => continue,
        };
        for set in sets {
            set.sequential = set.sequential.take().filter(|s| s == "false");
        }
    }
    c.constraints.sort_by_key(|c| match c {
        Constraint::Location(_) => 0,
        Constraint::Colocation(_) => 1,
        _ => 2,
    });
    // Values that a node cannot have in words are left out.
    c.nodes.iter_mut().for_each(|n| n.attributes.clear());
    c
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(c in configuration()) {
        let text = show(&c, &[]);
        let again = match parse(&text) {
            Ok(changes) => assemble(changes),
            Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}"))),
        };
        prop_assert_eq!(show(&again, &[]), text);
        prop_assert_eq!(canonical(again), canonical(c));
    }

    #[test]
    fn no_text_panics(text in "[a-z0-9:=\"'\\\\ \n(){}\\[\\]$#/-]{0,80}") {
        let _ = parse(&text).is_ok();
    }
}
