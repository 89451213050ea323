//! Where a resource may be, as `crm_resource` has it said: `--move`, `--ban` and `--clear`.

use hac_crm::cib::Change;
use hac_model::{Constraint, Expression, Location, LocationTarget, parse_lifetime_s};
use hac_pacemaker::crm_commands::{Placing, ban_id, left_by_moves, prefer_id};
use hac_pacemaker::fencing::iso as iso_date;
use hac_scheduler::view::ClusterView;

use super::change::configure;
use super::{PROGRAM, cib, named, not_found, places, view};
use crate::options::Given;
use crate::{Ends, Said, exit, file};

/// `-M`, `-B`: a constraint that stays until `-U`, or until its time is over.
pub(super) fn place(command: &str, id: &str, given: &Given) -> Ends<Said> {
    let view = view()?;
    // Of a resource in a clone the first instance counts.
    let Some(resource) = named(&view.resources, id).into_iter().next() else { return Err(not_found(id)) };
    let node = given.value("node").map(|name| node(&view, name)).transpose()?;
    let until = given.value("lifetime").map(end).transpose()?;
    let mut active = Vec::new();
    places(resource, &mut active);
    let promoted: Vec<&str> = active.iter().filter(|(_, is)| *is).map(|(node, _)| node.as_str()).collect();
    // The one place from which it can be moved: of a promotable resource that of its promoted instance.
    let at = match (promoted.as_slice(), active.as_slice()) {
        ([only], _) => Some((*only).to_owned()),
        (_, [(only, _)]) => Some(only.clone()),
        _ => None,
    };
    let mut out =
        until.as_ref().map(|until| format!("Migration will take effect until: {until}\n")).unwrap_or_default();
    let mut role = if given.has("promoted") { "Promoted" } else { "Started" };
    let cib = cib()?;
    let mut changes = Vec::new();
    let mut bans = Vec::new();
    match (command, node) {
        ("move", Some(node)) => {
            if role == "Promoted" && !resource.flags.promotable {
                out.push_str(&format!("Ignoring --promoted option: {id} is not promotable\n"));
                role = "Started";
            }
            let spread = resource.children.len() > 1 && promoted.len() != 1;
            if at.as_ref() == Some(&node) && !spread && !given.has("force") {
                return Err(Said::failed(108, format!("{PROGRAM}: Error performing operation: Requested item already exists")));
            }
            // What was banned there before would be in the way.
            let ban = ban_id(id, &node);
            if cib.configuration.constraints.iter().any(|known| known.id() == ban) {
                changes.push(Change::Delete { id: ban, force: true });
            }
            changes.push(constraint(prefer_id(id), id, &node, role, "INFINITY", until.as_deref()));
            bans.extend(at.filter(|at| given.has("force") && *at != node));
        }
        (_, Some(node)) => bans.push(node),
        (_, None) => bans.push(at.ok_or_else(|| {
            let more = if resource.flags.promotable { " (promoted in 0)" } else { "" };
            let hint = format!("To prevent '{id}' from being promoted at a specific location, specify a node and the --promoted option.");
            let hint = if resource.flags.promotable { hint } else { String::new() };
            Said::failed(exit::USAGE, format!(
                "{PROGRAM}: Resource '{id}' not moved: active in {} locations{more}.\n\
                 To prevent '{id}' from running on a specific location, specify a node.{hint}",
                active.len(),
            ))
        })?),
    }
    for node in bans {
        changes.push(constraint(ban_id(id, &node), id, &node, role, "-INFINITY", until.as_deref()));
        let kept = if role == "Promoted" { "being promoted" } else { "running" };
        out.push_str(&format!(
            "WARNING: Creating rsc_location constraint '{}' with a score of -INFINITY for resource {id} on {node}.\n\
             \tThis will prevent {id} from {kept} on {node} until the constraint is removed using the clear option or by editing the CIB with an appropriate tool\n\
             \tThis will be the case even if {node} is the last node in the cluster\n",
            ban_id(id, &node)
        ));
    }
    configure(&changes)?;
    Ok(if given.has("quiet") { Said::nothing() } else { Said::printed(out) })
}

/// The node of this name, whatever its letters' case.
pub(super) fn node(view: &ClusterView, name: &str) -> Ends<String> {
    let node = view.nodes.iter().find(|node| node.name.eq_ignore_ascii_case(name));
    node.map(|node| node.name.clone()).ok_or_else(|| {
        let err = format!("{PROGRAM}: Node '{name}' not found\nError performing operation: No such object");
        Said::failed(exit::NO_SUCH, err)
    })
}

/// When a lifetime ends that begins now.
fn end(lifetime: &str) -> Ends<String> {
    let seconds = parse_lifetime_s(lifetime).filter(|seconds| *seconds > 0).ok_or_else(|| {
        let err = format!(
            "Invalid duration specified: {lifetime}\n\
             Please refer to https://en.wikipedia.org/wiki/ISO_8601#Durations for examples of valid durations"
        );
        Said::failed(exit::USAGE, err)
    })?;
    Ok(iso_date(file::now().as_secs().saturating_add(seconds)))
}

/// As crm_resource writes it: its rules have other names than those of crm.
fn constraint(name: String, id: &str, node: &str, role: &str, score: &str, until: Option<&str>) -> Change {
    let parts = match name.strip_prefix("cli-prefer-") {
        Some(resource) => ["rule", "expr", "lifetime-end"].map(|part| format!("cli-prefer-{part}-{resource}")),
        None => ["rule", "expr", "lifetime"].map(|part| format!("{name}-{part}")),
    };
    Placing { id: name, resource: id, node, score, role: Some(role), end: until, parts }.change()
}

/// `-U`: removes what `-M` and `-B` left, with `-e` only what is over.
pub(super) fn clear(id: Option<&str>, given: &Given) -> Ends<Said> {
    let cib = cib()?;
    let now = iso_date(file::now().as_secs());
    let left = id.map(|id| left_by_moves(&cib.configuration, id, given.value("node")));
    let is_one = |constraint: &&Constraint| {
        let name = constraint.id();
        let of_it = match &left {
            None => name.starts_with("cli-ban-") || name.starts_with("cli-prefer-"),
            Some(left) => left.iter().any(|left| left == name),
        };
        of_it && (!given.has("expired") || is_over(constraint, &now))
    };
    let mut gone: Vec<&str> = cib.configuration.constraints.iter().filter(is_one).map(Constraint::id).collect();
    gone.sort_by_key(|name| name.starts_with("cli-prefer-"));
    if gone.is_empty() {
        return Ok(Said::nothing());
    }
    let changes: Vec<Change> = gone.iter().map(|id| Change::Delete { id: (*id).to_owned(), force: true }).collect();
    configure(&changes)?;
    Ok(Said::printed(gone.iter().map(|id| format!("Removing constraint: {id}\n")).collect::<String>()))
}

/// Whether the time of what `-M` or `-B` wrote is over. Its dates are in UTC and sort as text.
fn is_over(constraint: &Constraint, now: &str) -> bool {
    let Constraint::Location(Location { target: LocationTarget::Rules(rules), .. }) = constraint else { return false };
    rules.iter().flat_map(|rule| &rule.expressions).any(
        |expression| matches!(expression, Expression::Date { operation: Some(operation), end: Some(end), .. } if operation == "lt" && end.as_str() < now),
    )
}
