//! Values of properties, meta-attributes and constraints.

use super::super::tree;
use super::Findings;
use hac_model::{
    Configuration, Constraint, Expression, LocationTarget, NvSet, Resource, ResourceSet, Rule, parse_bool,
    parse_duration_ms, parse_score,
};

/// What a value must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Score,
    Time,
    TimeOrNever,
    /// A date, perhaps with a time.
    Moment,
    /// A number, or two with a dash between.
    Range,
    /// A time that ends something: not 0.
    Timeout,
    /// A whole number, or -1 for no limit.
    Limit,
    /// A whole number from 0.
    Count,
    /// A whole number from 1.
    Positive,
    /// A number of failures: a score from 0.
    Failures,
    Role,
    OneOf(&'static [&'static str]),
    Text,
}

const ROLES: &[&str] = &["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"];

/// Cluster properties that have a meaning here or in Pacemaker.
pub(super) const PROPERTIES: &[(&str, Kind)] = &[
    ("batch-limit", Kind::Limit),
    ("cluster-delay", Kind::Time),
    ("cluster-infrastructure", Kind::Text),
    ("cluster-ipc-limit", Kind::Positive),
    ("cluster-name", Kind::Text),
    ("cluster-recheck-interval", Kind::Time),
    ("concurrent-fencing", Kind::Bool),
    ("dc-deadtime", Kind::Time),
    ("dc-version", Kind::Text),
    ("election-timeout", Kind::Time),
    ("enable-acl", Kind::Bool),
    ("enable-startup-probes", Kind::Bool),
    ("fence-reaction", Kind::OneOf(&["stop", "panic"])),
    ("have-watchdog", Kind::Bool),
    ("join-finalization-timeout", Kind::Time),
    ("join-integration-timeout", Kind::Time),
    ("last-lrm-refresh", Kind::Text),
    ("load-threshold", Kind::Text),
    ("maintenance-mode", Kind::Bool),
    ("migration-limit", Kind::Limit),
    ("no-quorum-policy", Kind::OneOf(&["stop", "freeze", "ignore", "demote", "fence", "suicide"])),
    ("node-action-limit", Kind::Limit),
    ("node-health-base", Kind::Score),
    ("node-health-green", Kind::Score),
    ("node-health-red", Kind::Score),
    ("node-health-strategy", Kind::OneOf(&["none", "migrate-on-red", "only-green", "progressive", "custom"])),
    ("node-health-yellow", Kind::Score),
    ("node-pending-timeout", Kind::Time),
    ("pe-error-series-max", Kind::Limit),
    ("pe-input-series-max", Kind::Limit),
    ("pe-warn-series-max", Kind::Limit),
    ("placement-strategy", Kind::OneOf(&["default", "utilization", "minimal", "balanced"])),
    ("priority-fencing-delay", Kind::Time),
    ("remove-after-stop", Kind::Bool),
    ("shutdown-escalation", Kind::Time),
    ("shutdown-lock", Kind::Bool),
    ("shutdown-lock-limit", Kind::Time),
    ("start-failure-is-fatal", Kind::Bool),
    ("startup-fencing", Kind::Bool),
    ("fencing-action", Kind::OneOf(&["reboot", "off", "poweroff"])),
    ("fencing-enabled", Kind::Bool),
    ("fencing-max-attempts", Kind::Positive),
    ("fencing-timeout", Kind::Time),
    ("fencing-watchdog-timeout", Kind::Text),
    ("stonith-action", Kind::OneOf(&["reboot", "off", "poweroff"])),
    ("stonith-enabled", Kind::Bool),
    ("stonith-max-attempts", Kind::Positive),
    ("stonith-timeout", Kind::Time),
    ("stonith-watchdog-timeout", Kind::Text),
    ("stop-all-resources", Kind::Bool),
    ("upgrade-hold", Kind::TimeOrNever),
    ("stop-orphan-actions", Kind::Bool),
    ("stop-orphan-resources", Kind::Bool),
    ("stop-removed-resources", Kind::Bool),
    ("cancel-removed-actions", Kind::Bool),
    ("symmetric-cluster", Kind::Bool),
    ("transition-delay", Kind::Time),
];

/// Meta-attributes of resources.
pub(super) const META: &[(&str, Kind)] = &[
    ("allow-migrate", Kind::Bool),
    ("allow-unhealthy-nodes", Kind::Bool),
    ("clone-max", Kind::Count),
    ("clone-min", Kind::Count),
    ("clone-node-max", Kind::Count),
    ("critical", Kind::Bool),
    ("exclusive", Kind::Bool),
    ("failure-timeout", Kind::Time),
    ("globally-unique", Kind::Bool),
    ("interleave", Kind::Bool),
    ("is-managed", Kind::Bool),
    ("maintenance", Kind::Bool),
    ("migration-threshold", Kind::Failures),
    ("multiple-active", Kind::OneOf(&["block", "stop_only", "stop_start", "stop_unexpected"])),
    ("notify", Kind::Bool),
    ("ordered", Kind::Bool),
    ("priority", Kind::Score),
    ("promotable", Kind::Bool),
    ("promoted-max", Kind::Count),
    ("promoted-node-max", Kind::Count),
    ("requires", Kind::OneOf(&["nothing", "quorum", "fencing", "unfencing"])),
    ("resource-stickiness", Kind::Score),
    ("target-role", Kind::Role),
];

/// Meta-attributes that are known and whose values nobody here reads.
const ELSEWHERE: &[(&str, Kind)] = &[
    ("container-attribute-target", Kind::Text),
    ("description", Kind::Text),
    ("is_managed", Kind::Text),
    ("isolation", Kind::Text),
    ("master-max", Kind::Text),
    ("master-node-max", Kind::Text),
    ("provides", Kind::Text),
    ("remote-addr", Kind::Text),
    ("remote-allow-migrate", Kind::Text),
    ("remote-connect-timeout", Kind::Text),
    ("remote-node", Kind::Text),
    ("remote-port", Kind::Text),
    ("resource-failure-stickiness", Kind::Text),
    ("restart-type", Kind::Text),
];

/// Longest id of a resource, bytes: files are named after it, by the cluster and by agents, with something behind it.
const ID_MAX: usize = 200;

/// Node attributes that mean something to the cluster.
const NODE: &[(&str, Kind)] = &[("maintenance", Kind::Bool), ("standby", Kind::Bool)];

/// Comparisons of node attributes in rules.
const COMPARISONS: &[&str] = &["defined", "not_defined", "eq", "ne", "lt", "gt", "lte", "gte"];

/// As what they are compared.
const TYPES: &[&str] = &["string", "integer", "number", "version"];

/// What a rule can say about the time.
const DATE_OPERATIONS: &[&str] = &["in_range", "gt", "lt", "date_spec"];

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    for set in &configuration.crm_config {
        check_set(&set.id, set, PROPERTIES, findings);
        for pair in &set.pairs {
            // What resources name as their secrets.
            let is_secret = set.id == hac_model::SECRETS;
            if !is_secret && !pair.name.is_empty() && PROPERTIES.iter().all(|(name, _)| *name != pair.name) {
                let (name, sentence) = (&pair.name, "no such cluster property is known, it has no effect");
                let remove = format!("'hacctl configure property {name}=' removes it");
                match hac_model::nearest(name, PROPERTIES.iter().map(|(name, _)| *name)) {
                    Some(near) => findings.slip(name, sentence, format!("did you mean {near}? {remove}")),
                    None => findings.warning(name, sentence, format!("check the spelling; {remove}")),
                }
            }
        }
    }
    for set in &configuration.rsc_defaults {
        check_set(&set.id, set, META, findings);
        check_names(&set.id, set, META, "meta-attribute", findings);
    }
    for set in &configuration.op_defaults {
        check_set(&set.id, set, super::operations::OPTIONS, findings);
        check_names(&set.id, set, super::operations::OPTIONS, "operation option", findings);
        of_each_operation(set, findings);
    }
    for node in &configuration.nodes {
        node.attributes.iter().for_each(|set| check_set(&node.uname, set, NODE, findings));
    }
    for top in &configuration.resources {
        let promotes = may_promote(top);
        for item in tree::walk(std::slice::from_ref(top)) {
            if item.id.len() > ID_MAX {
                let sentence = format!("its id has {} bytes, and files are named after it", item.id.len());
                findings.error(item.id, sentence, format!("choose one of at most {ID_MAX} bytes"));
            }
            if !promotes {
                role(&item, findings);
            }
        }
    }
    for item in tree::walk(&configuration.resources) {
        for set in item.meta {
            check_set(item.id, set, META, findings);
            check_names(item.id, set, META, "meta-attribute", findings);
            without_value(item.id, set, findings);
            if matches!(item.kind, tree::Kind::Primitive(_) | tree::Kind::Group) {
                of_clones(&item, set, findings);
            }
        }
        for set in item.params {
            if matches!(item.kind, tree::Kind::Group | tree::Kind::Clone) {
                meant_as_meta(item.id, set, findings);
            }
            foreign_quotes(item.id, set, findings);
        }
    }
    configuration.constraints.iter().for_each(|constraint| check_constraint(constraint, findings));
}

fn check_set(subject: &str, set: &NvSet, table: &[(&str, Kind)], findings: &mut Findings) {
    for pair in &set.pairs {
        if let Some(value) = &pair.value {
            check_option(subject, &pair.name, value, table, findings);
        }
    }
    if let Some(score) = &set.score {
        check_value(subject, "score", score, Kind::Score, findings);
    }
}

/// Warns of meta-attributes of a group or clone that stand among its parameters, as where `meta` was left out.
fn meant_as_meta(subject: &str, set: &NvSet, findings: &mut Findings) {
    let is_meta = |name: &str| META.iter().chain(ELSEWHERE).any(|(known, _)| *known == name);
    for name in set.pairs.iter().map(|pair| pair.name.as_str()).filter(|name| is_meta(name)) {
        let sentence = format!("{name} stands among the parameters, where it has no effect");
        findings.warning(subject, sentence, format!("write it after 'meta': meta {name}=..."));
    }
}

/// Warns of what each operation says for itself and no default can say.
fn of_each_operation(set: &NvSet, findings: &mut Findings) {
    for name in ["enabled", "interval", "role"].into_iter().filter(|name| set.get(name).is_some()) {
        let sentence = format!("{name} stands among the defaults of operations, where it has no effect");
        findings.warning(&set.id, sentence, format!("write it into each operation: op monitor {name}=..."));
    }
}

/// Meta-attributes that only clones have.
const OF_CLONES: &[&str] = &[
    "clone-max",
    "clone-min",
    "clone-node-max",
    "globally-unique",
    "interleave",
    "notify",
    "promotable",
    "promoted-max",
    "promoted-node-max",
];

/// Warns of meta-attributes of a clone on what is in it, or on what is in none.
fn of_clones(item: &tree::Item<'_>, set: &NvSet, findings: &mut Findings) {
    for name in OF_CLONES.iter().filter(|name| set.get(name).is_some()) {
        let remedy = match item.parent {
            Some(parent) => format!("'hacctl resource meta {parent} set {name} VALUE'"),
            None => format!("write it where it is cloned: clone ID {} meta {name}=...", item.id),
        };
        findings.warning(item.id, format!("{name} is for clones, it has no effect here"), remedy);
    }
}

/// Warns of names without a value, which say nothing.
fn without_value(subject: &str, set: &NvSet, findings: &mut Findings) {
    let bare = set.pairs.iter().filter(|pair| pair.value.is_none() && pair.id_ref.is_none() && !pair.name.is_empty());
    for pair in bare {
        let name = &pair.name;
        findings.warning(subject, format!("{name} has no value, it has no effect"), format!("write {name}=VALUE"));
    }
}

/// Warns of quotes that a text processor made, as they come from web pages: here they are letters like any other.
fn foreign_quotes(subject: &str, set: &NvSet, findings: &mut Findings) {
    let quoted = |value: &str| value.starts_with(['“', '”', '„', '‘', '’', '«', '»']);
    for pair in set.pairs.iter().filter(|pair| pair.value.as_deref().is_some_and(quoted)) {
        let sentence = format!("the value of {} begins with a typographic quote, which is part of it", pair.name);
        findings.warning(subject, sentence, "write plain quotes, \" or '");
    }
}

/// Warns of names that mean nothing to the cluster: most are misspelt.
fn check_names(subject: &str, set: &NvSet, table: &[(&str, Kind)], what: &str, findings: &mut Findings) {
    let known = |name: &str| table.iter().chain(ELSEWHERE).any(|(known, _)| *known == name);
    for name in set.pairs.iter().map(|pair| pair.name.as_str()).filter(|name| !name.is_empty() && !known(name)) {
        unknown_name(subject, name, what, table.iter().map(|(name, _)| *name), findings);
    }
}

/// Warns of a name that nobody knows, with the one that was most likely meant.
pub(super) fn unknown_name<'a>(
    subject: &str,
    name: &str,
    what: &str,
    known: impl IntoIterator<Item = &'a str>,
    findings: &mut Findings,
) {
    let sentence = format!("unknown {what} {name}, it has no effect");
    match hac_model::nearest(name, known) {
        Some(near) => findings.slip(subject, sentence, format!("did you mean {near}?")),
        None => findings.warning(subject, sentence, "check the spelling"),
    }
}

/// Whether what is in a resource of the top level may be promoted, as far as that can be said of it.
fn may_promote(top: &Resource) -> bool {
    match top {
        Resource::Clone(clone) => {
            clone.legacy_master
                || clone.meta.iter().any(|set| set.get("promotable").is_some_and(|v| parse_bool(v) != Some(false)))
        }
        Resource::Bundle(_) | Resource::Template(_) => true,
        Resource::Primitive(_) | Resource::Group(_) => false,
    }
}

/// Warns of a role that only instances of promotable clones have.
fn role(item: &tree::Item<'_>, findings: &mut Findings) {
    let role = item.meta.iter().find_map(|set| set.get("target-role"));
    let promoted = ["Promoted", "Master", "Unpromoted", "Slave"];
    if let Some(role) = role.filter(|role| promoted.iter().any(|word| word.eq_ignore_ascii_case(role))) {
        let sentence = format!("target-role={role} is for promotable clones, it has no effect");
        findings.warning(item.id, sentence, "write Started or Stopped");
    }
}

/// Checks the value of an option of which the table knows the kind.
pub(super) fn check_option(subject: &str, name: &str, value: &str, table: &[(&str, Kind)], findings: &mut Findings) {
    if let Some((_, kind)) = table.iter().find(|(known, _)| *known == name) {
        check_value(subject, name, value, *kind, findings);
    }
}

fn check_value(subject: &str, name: &str, value: &str, kind: Kind, findings: &mut Findings) {
    if value == "#default" {
        return;
    }
    let one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    let (good, remedy) = match kind {
        Kind::Text => (true, String::new()),
        Kind::Bool => (parse_bool(value).is_some(), "say true or false".to_owned()),
        Kind::Score => (parse_score(value).is_some(), "give an integer, INFINITY or -INFINITY".to_owned()),
        Kind::Time => (is_time(value), "give a time such as 20, 40s, 500ms, 2min, 1h or PT5M".to_owned()),
        Kind::Timeout => {
            let good = is_time(value) && parse_duration_ms(value) != Some(0);
            (good, "give a time above 0, such as 20, 40s, 2min or PT5M".to_owned())
        }
        Kind::Moment => {
            let good = hac_scheduler::is_moment(value);
            (good, "give a date such as 2026-01-31, or with a time 2026-01-31T12:00:00Z".to_owned())
        }
        Kind::Range => (is_range(value), "give a number, or a range such as 9-17".to_owned()),
        Kind::TimeOrNever => (value == "never" || is_time(value), "give a time such as 24h, or never".to_owned()),
        Kind::Limit => (is_number(value, -1), "give a whole number, or -1 for no limit".to_owned()),
        Kind::Count => (is_number(value, 0), "give a whole number from 0".to_owned()),
        Kind::Positive => (is_number(value, 1), "give a whole number from 1".to_owned()),
        Kind::Failures => {
            let good = parse_score(value).is_some_and(|failures| failures >= 0);
            (good, "give a whole number from 0, which never counts them, or INFINITY".to_owned())
        }
        Kind::Role => (one_of(ROLES), format!("it is one of {}", ROLES.join(", "))),
        Kind::OneOf(words) => (one_of(words), format!("it is one of {}", words.join(", "))),
    };
    if !good {
        findings.error(subject, format!("\"{value}\" is no value for {name}"), remedy);
    }
}

fn is_number(value: &str, from: i64) -> bool {
    value.trim().parse::<i64>().is_ok_and(|number| number >= from)
}

/// `5`, `5-7`, `5-` or `-7`.
fn is_range(value: &str) -> bool {
    let number = |text: &str| text.trim().bytes().all(|b| b.is_ascii_digit());
    let (low, high) = value.split_once('-').unwrap_or((value, value));
    number(low) && number(high) && value.bytes().any(|b| b.is_ascii_digit())
}

/// A time with a unit, or an ISO 8601 duration.
pub(super) fn is_time(value: &str) -> bool {
    let iso = |rest: &str| {
        rest.bytes().any(|b| b.is_ascii_digit()) && rest.bytes().all(|b| b.is_ascii_digit() || b"YMWDTHS.".contains(&b))
    };
    parse_duration_ms(value).is_some() || value.trim().strip_prefix('P').is_some_and(iso)
}

fn check_constraint(constraint: &Constraint, findings: &mut Findings) {
    let id = constraint.id();
    let mut value = |name: &str, value: &Option<String>, kind: Kind| {
        if let Some(value) = value {
            check_value(id, name, value, kind, findings);
        }
    };
    const KINDS: &[&str] = &["Mandatory", "Optional", "Serialize"];
    const ACTIONS: &[&str] = &["start", "stop", "promote", "demote"];
    match constraint {
        Constraint::Location(c) => {
            value("role", &c.role, Kind::Role);
            value("resource-discovery", &c.resource_discovery, Kind::OneOf(&["always", "never", "exclusive"]));
            match &c.target {
                LocationTarget::Node { score, .. } => value("score", score, Kind::Score),
                LocationTarget::Rules(rules) => rules.iter().for_each(|rule| check_rule(id, rule, findings)),
            }
        }
        Constraint::Colocation(c) => {
            value("score", &c.score, Kind::Score);
            value("rsc-role", &c.rsc_role, Kind::Role);
            value("with-rsc-role", &c.with_rsc_role, Kind::Role);
            value("influence", &c.influence, Kind::Bool);
            check_sets(id, &c.sets, findings);
        }
        Constraint::Order(c) => {
            value("kind", &c.kind, Kind::OneOf(KINDS));
            value("score", &c.score, Kind::Score);
            value("first-action", &c.first_action, Kind::OneOf(ACTIONS));
            value("then-action", &c.then_action, Kind::OneOf(ACTIONS));
            value("symmetrical", &c.symmetrical, Kind::Bool);
            value("require-all", &c.require_all, Kind::Bool);
            check_sets(id, &c.sets, findings);
        }
        Constraint::Ticket(c) => {
            value("loss-policy", &c.loss_policy, Kind::OneOf(&["stop", "demote", "fence", "freeze"]));
            value("rsc-role", &c.rsc_role, Kind::Role);
            check_sets(id, &c.sets, findings);
        }
    }
}

fn check_sets(id: &str, sets: &[ResourceSet], findings: &mut Findings) {
    for set in sets {
        for (name, value, kind) in [
            ("sequential", &set.sequential, Kind::Bool),
            ("require-all", &set.require_all, Kind::Bool),
            ("role", &set.role, Kind::Role),
            ("score", &set.score, Kind::Score),
        ] {
            if let Some(value) = value {
                check_value(id, name, value, kind, findings);
            }
        }
    }
}

fn check_rule(id: &str, rule: &Rule, findings: &mut Findings) {
    if let Some(score) = &rule.score {
        check_value(id, "score", score, Kind::Score, findings);
    }
    if let Some(role) = &rule.role {
        check_value(id, "role", role, Kind::Role, findings);
    }
    if let Some(op) = &rule.boolean_op {
        check_value(id, "boolean-op", op, Kind::OneOf(&["and", "or"]), findings);
    }
    for expression in &rule.expressions {
        match expression {
            Expression::Attribute { operation, value_type, .. } => {
                check_value(id, "operation", operation, Kind::OneOf(COMPARISONS), findings);
                if let Some(value_type) = value_type {
                    check_value(id, "type", value_type, Kind::OneOf(TYPES), findings);
                }
            }
            Expression::Date { operation, start, end, spec, .. } => {
                if let Some(operation) = operation {
                    check_value(id, "operation", operation, Kind::OneOf(DATE_OPERATIONS), findings);
                }
                for (name, moment) in [("start", start), ("end", end)] {
                    if let Some(moment) = moment {
                        check_value(id, name, moment, Kind::Moment, findings);
                    }
                }
                for (name, range) in spec.iter().flatten() {
                    check_value(id, name, range, Kind::Range, findings);
                }
            }
            Expression::Resource { .. } | Expression::Operation { .. } => {}
            Expression::Rule(inner) => check_rule(id, inner, findings),
        }
    }
}
