//! Which elements, attributes and words the schemas 1.0 to 4.0 of a CIB know, taken together. Whoever misspells one finds
//! it ignored, and the cluster does something else than is meant; so it is refused with its place.
//!
//! In the status section only the elements are looked at: what is in it is written by programs, and of every version.

use hac_model::{nearest, parse_bool, parse_score};

use super::Problem;
use super::document::{Element, Fault, quotable};

/// Attributes and elements that one element may have, by their names.
struct Shape {
    name: &'static str,
    attributes: &'static [&'static str],
    children: &'static [&'static str],
}

const fn shape(name: &'static str, attributes: &'static [&'static str], children: &'static [&'static str]) -> Shape {
    Shape { name, attributes, children }
}

const SET: &[&str] = &["id", "id-ref", "score"];
const IN_SET: &[&str] = &["nvpair", "rule"];
const NOTHING: &[&str] = &[];
const IN_PRIMITIVE: &[&str] = &["operations", "instance_attributes", "meta_attributes", "utilization"];
const PRIMITIVE: &[&str] = &["id", "class", "provider", "type", "template", "description"];
const CONTAINER: &[&str] =
    &["image", "replicas", "replicas-per-host", "promoted-max", "masters", "run-command", "network", "options"];
const CLONE: &[&str] = &["primitive", "group", "instance_attributes", "meta_attributes"];
const SPAN: &[&str] = &[
    "id",
    "hours",
    "monthdays",
    "weekdays",
    "yeardays",
    "yearsdays",
    "months",
    "weeks",
    "years",
    "weekyears",
    "moon",
    "seconds",
    "minutes",
    "days",
];
const PERMISSION: &[&str] =
    &["id", "kind", "object-type", "tag", "ref", "reference", "attribute", "xpath", "description"];

/// What is in `cib` and `configuration`, by the names of the elements.
#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    shape("cib", &["validate-with", "admin_epoch", "epoch", "num_updates", "crm_feature_set", "remote-tls-port",
                   "remote-clear-port", "have-quorum", "dc-uuid", "cib-last-written", "no-quorum-panic", "update-origin",
                   "update-client", "update-user", "execution-date"],
          &["configuration", "status"]),
    shape("configuration", NOTHING, &["crm_config", "rsc_defaults", "op_defaults", "nodes", "resources", "constraints",
                                      "fencing-topology", "tags", "acls", "alerts"]),
    shape("crm_config", NOTHING, &["cluster_property_set"]),
    shape("rsc_defaults", NOTHING, &["meta_attributes"]),
    shape("op_defaults", NOTHING, &["meta_attributes"]),
    shape("cluster_property_set", SET, IN_SET),
    shape("instance_attributes", SET, IN_SET),
    shape("meta_attributes", SET, IN_SET),
    shape("utilization", SET, IN_SET),
    shape("nvpair", &["id", "id-ref", "name", "value"], NOTHING),
    shape("nodes", NOTHING, &["node"]),
    shape("node", &["id", "uname", "type", "description", "score"], &["instance_attributes", "utilization"]),
    shape("resources", NOTHING, &["primitive", "template", "group", "clone", "master", "bundle"]),
    shape("primitive", PRIMITIVE, IN_PRIMITIVE),
    shape("template", PRIMITIVE, IN_PRIMITIVE),
    shape("operations", &["id", "id-ref"], &["op"]),
    shape("op", &["id", "id-ref", "name", "description", "interval", "interval-origin", "start-delay", "timeout", "role",
                  "on-fail", "enabled", "disabled", "record-pending", "requires"],
          &["instance_attributes", "meta_attributes"]),
    shape("group", &["id", "description"], &["primitive", "instance_attributes", "meta_attributes"]),
    shape("clone", &["id", "description"], CLONE),
    shape("master", &["id", "description"], CLONE),
    shape("bundle", &["id", "description"], &["docker", "podman", "rkt", "network", "storage", "primitive",
                                              "instance_attributes", "meta_attributes", "utilization"]),
    shape("docker", CONTAINER, NOTHING),
    shape("podman", CONTAINER, NOTHING),
    shape("rkt", CONTAINER, NOTHING),
    shape("network", &["ip-range-start", "host-netmask", "host-interface", "control-port", "add-host"], &["port-mapping"]),
    shape("port-mapping", &["id", "port", "internal-port", "range"], NOTHING),
    shape("storage", NOTHING, &["storage-mapping"]),
    shape("storage-mapping", &["id", "source-dir", "source-dir-root", "target-dir", "options"], NOTHING),
    shape("constraints", NOTHING, &["rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket"]),
    shape("rsc_location", &["id", "rsc", "rsc-pattern", "role", "node", "score", "resource-discovery", "domain"],
          &["rule", "resource_set", "lifetime"]),
    shape("rsc_colocation", &["id", "score", "score-attribute", "score-attribute-mangle", "rsc", "rsc-role",
                              "rsc-instance", "with-rsc", "with-rsc-role", "with-rsc-instance", "node-attribute",
                              "influence"],
          &["resource_set", "lifetime"]),
    shape("rsc_order", &["id", "first", "first-action", "first-instance", "then", "then-action", "then-instance", "score",
                         "kind", "symmetrical", "require-all"],
          &["resource_set", "lifetime"]),
    shape("rsc_ticket", &["id", "ticket", "loss-policy", "rsc", "rsc-role", "rsc-instance"], &["resource_set"]),
    shape("resource_set", &["id", "id-ref", "sequential", "require-all", "ordering", "action", "role", "score", "kind"],
          &["resource_ref"]),
    shape("resource_ref", &["id"], NOTHING),
    shape("lifetime", &["id", "id-ref"], &["rule"]),
    shape("rule", &["id", "id-ref", "score", "score-attribute", "boolean-op", "role"],
          &["expression", "date_expression", "rsc_expression", "op_expression", "rule"]),
    shape("expression", &["id", "attribute", "operation", "value", "type", "value-source"], NOTHING),
    shape("date_expression", &["id", "operation", "start", "end"], &["duration", "date_spec"]),
    shape("duration", SPAN, NOTHING),
    shape("date_spec", SPAN, NOTHING),
    shape("rsc_expression", &["id", "class", "provider", "type"], NOTHING),
    shape("op_expression", &["id", "name", "interval"], NOTHING),
    shape("fencing-topology", NOTHING, &["fencing-level"]),
    shape("fencing-level", &["id", "target", "target-pattern", "target-attribute", "target-value", "index", "devices"],
          NOTHING),
    shape("tags", NOTHING, &["tag"]),
    shape("tag", &["id"], &["obj_ref"]),
    shape("obj_ref", &["id"], NOTHING),
    shape("alerts", NOTHING, &["alert"]),
    shape("alert", &["id", "path", "description"], &["select", "recipient", "instance_attributes", "meta_attributes"]),
    shape("recipient", &["id", "value", "description"], &["instance_attributes", "meta_attributes"]),
    shape("select", NOTHING, &["select_nodes", "select_fencing", "select_resources", "select_attributes"]),
    shape("select_nodes", NOTHING, NOTHING),
    shape("select_fencing", NOTHING, NOTHING),
    shape("select_resources", NOTHING, NOTHING),
    shape("select_attributes", NOTHING, &["attribute"]),
    shape("attribute", &["id", "name"], NOTHING),
    shape("acls", NOTHING, &["acl_target", "acl_group", "acl_role", "acl_user"]),
    shape("acl_target", &["id", "name"], &["role"]),
    shape("acl_group", &["id", "name"], &["role"]),
    shape("acl_role", &["id", "description"], &["acl_permission", "read", "write", "deny"]),
    shape("acl_user", &["id"], &["role_ref", "read", "write", "deny"]),
    shape("role", &["id"], NOTHING),
    shape("role_ref", &["id"], NOTHING),
    shape("acl_permission", PERMISSION, NOTHING),
    shape("read", PERMISSION, NOTHING),
    shape("write", PERMISSION, NOTHING),
    shape("deny", PERMISSION, NOTHING),
];

/// Elements of the status section.
const STATUS: &[&str] = &[
    "node_state",
    "transient_attributes",
    "instance_attributes",
    "utilization",
    "nvpair",
    "rule",
    "lrm",
    "lrm_resources",
    "lrm_resource",
    "lrm_rsc_op",
    "tickets",
    "ticket_state",
];

const ROLES: &[&str] = &["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"];
const ACTIONS: &[&str] = &["start", "promote", "demote", "stop"];
const ORDERINGS: &[&str] = &["Mandatory", "Optional", "Serialize"];
const CLASSES: &[&str] = &["ocf", "lsb", "systemd", "service", "stonith", "upstart", "nagios", "heartbeat"];

/// Attributes that have one of some words: element (`*` any of those that have it), attribute, words.
#[rustfmt::skip]
const WORDS: &[(&str, &str, &[&str])] = &[
    ("*", "role", ROLES), ("*", "rsc-role", ROLES), ("*", "with-rsc-role", ROLES),
    ("rsc_order", "first-action", ACTIONS), ("rsc_order", "then-action", ACTIONS), ("resource_set", "action", ACTIONS),
    ("*", "kind", ORDERINGS),
    ("resource_set", "ordering", &["group", "listed"]),
    ("rsc_ticket", "loss-policy", &["stop", "demote", "fence", "freeze"]),
    ("rsc_location", "resource-discovery", &["always", "never", "exclusive"]),
    ("op", "on-fail", &["ignore", "block", "stop", "restart", "demote", "standby", "fence", "restart-container"]),
    ("op", "requires", &["nothing", "quorum", "fencing", "unfencing"]),
    ("primitive", "class", CLASSES), ("template", "class", CLASSES), ("rsc_expression", "class", CLASSES),
    ("node", "type", &["member", "normal", "ping", "remote"]),
    ("rule", "boolean-op", &["and", "or"]),
    ("expression", "operation", &["lt", "gt", "lte", "gte", "eq", "ne", "defined", "not_defined"]),
    ("expression", "type", &["string", "number", "integer", "version"]),
    ("expression", "value-source", &["literal", "param", "meta"]),
    ("date_expression", "operation", &["in_range", "date_spec", "gt", "lt", "gte", "lte", "eq", "neq"]),
    ("acl_permission", "kind", &["read", "write", "deny"]),
];

/// Attributes that are true or false. (`influence` is not among them: what is neither counts as not given.)
const TRUTHS: &[(&str, &str)] = &[
    ("op", "enabled"),
    ("op", "disabled"),
    ("op", "record-pending"),
    ("rsc_order", "symmetrical"),
    ("rsc_order", "require-all"),
    ("resource_set", "sequential"),
    ("resource_set", "require-all"),
];

/// Attributes that an element must have: its name, what takes their place if it is there (an attribute or an element
/// inside), the attributes.
#[rustfmt::skip]
const REQUIRED: &[(&str, &str, &[&str])] = &[
    ("cluster_property_set", "id-ref", &["id"]), ("instance_attributes", "id-ref", &["id"]),
    ("meta_attributes", "id-ref", &["id"]), ("utilization", "id-ref", &["id"]),
    ("nvpair", "id-ref", &["id", "name"]),
    ("node", "", &["id", "uname"]),
    ("primitive", "", &["id"]), ("primitive", "template", &["class", "type"]), ("template", "", &["id", "class", "type"]),
    ("group", "", &["id"]), ("clone", "", &["id"]), ("master", "", &["id"]), ("bundle", "", &["id"]),
    ("op", "id-ref", &["id", "name", "interval"]),
    ("rsc_location", "", &["id"]),
    ("rsc_colocation", "", &["id"]), ("rsc_colocation", "resource_set", &["rsc", "with-rsc"]),
    ("rsc_order", "", &["id"]), ("rsc_order", "resource_set", &["first", "then"]),
    ("rsc_ticket", "", &["id", "ticket"]), ("rsc_ticket", "resource_set", &["rsc"]),
    ("resource_set", "id-ref", &["id"]), ("resource_ref", "", &["id"]),
    ("rule", "id-ref", &["id"]), ("expression", "", &["id"]), ("date_expression", "", &["id"]),
    ("fencing-level", "", &["id", "index", "devices"]),
    ("tag", "", &["id"]), ("obj_ref", "", &["id"]),
];

/// Checks a document that says which schema it obeys.
pub(super) fn check_if_named(root: &Element<'_>) -> Result<(), Fault> {
    if !root.get("validate-with").is_some_and(|schema| schema.starts_with("pacemaker-")) {
        return Ok(());
    }
    check(root)?;
    root.children.iter().filter(|section| section.name == "configuration").try_for_each(required)
}

/// Whether an element and all that is inside have what they must have.
fn required(this: &Element<'_>) -> Result<(), Fault> {
    for (_, unless, attributes) in REQUIRED.iter().filter(|(name, ..)| *name == this.name) {
        if this.get(unless).is_some() || this.child(unless).is_some() {
            continue;
        }
        if let Some(attribute) = attributes.iter().find(|attribute| this.get(attribute).is_none()) {
            return Err(this.fault(Problem::Lacks { element: quotable(this.name), attribute }));
        }
    }
    this.children.iter().try_for_each(required)
}

/// Checks a document, or the part of one, that begins with `cib`.
pub(super) fn check(root: &Element<'_>) -> Result<(), Fault> {
    attributes(root)?;
    for section in &root.children {
        if section.name == "status" {
            status(section)?;
        } else {
            element(root, section)?;
        }
    }
    Ok(())
}

fn shape_of(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

fn element(parent: &Element<'_>, this: &Element<'_>) -> Result<(), Fault> {
    let known = shape_of(parent.name).map_or(NOTHING, |shape| shape.children);
    if !known.contains(&this.name) {
        return Err(unknown(parent, this, known));
    }
    attributes(this)?;
    this.children.iter().try_for_each(|child| element(this, child))
}

/// What is inside where only the names count.
fn status(parent: &Element<'_>) -> Result<(), Fault> {
    if let Some((name, offset)) = parent.strange {
        let meant = hint(nearest(name, ["lrm_rsc_op"]));
        let parent = "lrm_resource".to_owned();
        return Err(Fault::at(offset, Problem::UnknownElement { element: quotable(name), parent, meant }));
    }
    parent.children.iter().try_for_each(|child| {
        if STATUS.contains(&child.name) { status(child) } else { Err(unknown(parent, child, STATUS)) }
    })
}

fn unknown(parent: &Element<'_>, this: &Element<'_>, known: &[&'static str]) -> Fault {
    let meant = nearest(this.name, known.iter().copied());
    this.fault(Problem::UnknownElement {
        element: quotable(this.name),
        parent: quotable(parent.name),
        meant: hint(meant),
    })
}

/// `: is x meant?`, or nothing.
fn hint(meant: Option<&str>) -> String {
    meant.map(|meant| format!(": is \"{meant}\" meant?")).unwrap_or_default()
}

fn attributes(this: &Element<'_>) -> Result<(), Fault> {
    let Some(shape) = shape_of(this.name) else { return Ok(()) };
    for (name, value) in &this.attributes {
        // What XML itself gives a meaning.
        if name.starts_with("xml") || name.starts_with("xsi:") {
            continue;
        }
        if !shape.attributes.contains(name) {
            let meant = hint(nearest(name, shape.attributes.iter().copied()));
            let (element, attribute) = (quotable(this.name), quotable(name));
            return Err(this.fault(Problem::UnknownAttribute { element, attribute, meant }));
        }
        word(this, name, value)?;
    }
    Ok(())
}

fn word(this: &Element<'_>, name: &str, value: &str) -> Result<(), Fault> {
    let wrong = |wanted: String| {
        let (element, attribute) = (quotable(this.name), quotable(name));
        Err(this.fault(Problem::NotOneOf { element, attribute, value: quotable(value), wanted }))
    };
    // Access lists have attributes of the same names.
    let concerned = |of: &str| of == this.name || (of == "*" && this.name != "acl_permission");
    if let Some((_, _, words)) = WORDS.iter().find(|(of, attribute, _)| concerned(of) && *attribute == name)
        && !words.contains(&value)
    {
        return wrong(format!("one of {}", words.join(", ")));
    }
    if name == "score" && parse_score(value).is_none() {
        return wrong("a whole number, INFINITY or -INFINITY".to_owned());
    }
    if TRUTHS.contains(&(this.name, name)) && parse_bool(value).is_none() {
        return wrong("true or false".to_owned());
    }
    Ok(())
}
