//! What `crm_resource` changes: parameters and meta-attributes, where a resource may be, what is known of it.

use hac_api::Command;
use hac_crm::cib::{Change, Object, PutMode};
use hac_model::{Cib, Constraint, Location, LocationSubject, LocationTarget, NvPair, NvSet, Primitive};

use super::{Found, PROGRAM, UNREACHABLE, cib, inside, named, not_found, places, view};
use crate::options::Given;
use crate::{Ends, Said, exit, facts};

/// Carries one of them out.
pub(super) fn run(command: &'static str, id: Option<&str>, given: &Given) -> Ends<Said> {
    match (command, id) {
        ("cleanup" | "refresh", id) => forget(command, id, given),
        (_, None) => Err(Said::failed(exit::USAGE, format!("{PROGRAM}: Must supply a resource ID with -r/--resource"))),
        ("move" | "ban", Some(id)) => place(command, id, given),
        ("clear", Some(id)) => clear(id, given),
        (_, Some(id)) => value(command, id, given),
    }
}

fn configure(changes: &[Change]) -> Ends<()> {
    facts::configure(PROGRAM, changes, UNREACHABLE)
}

/// Which values are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Parameter,
    Meta,
    Utilization,
}

impl Kind {
    fn of(given: &Given) -> Self {
        match (given.has("meta"), given.has("utilization")) {
            (true, _) => Self::Meta,
            (_, true) => Self::Utilization,
            _ => Self::Parameter,
        }
    }

    const fn set(self) -> &'static str {
        match self {
            Self::Parameter => "instance_attributes",
            Self::Meta => "meta_attributes",
            Self::Utilization => "utilization",
        }
    }

    const fn sets(self, primitive: &Primitive) -> &Vec<NvSet> {
        match self {
            Self::Parameter => &primitive.params,
            Self::Meta => &primitive.meta,
            Self::Utilization => &primitive.utilization,
        }
    }
}

/// `-p`, `-d`: sets or removes a value.
fn value(command: &'static str, id: &str, given: &Given) -> Ends<Said> {
    let cib = cib()?;
    // An agent knows its instance by number, where the configuration has none.
    let base = id.rsplit_once(':').map_or(id, |(base, _)| base);
    let resources = &cib.configuration.resources;
    let found = [id, base].into_iter().find_map(|id| resources.iter().find_map(|resource| inside(resource, id)));
    let found = found.ok_or_else(|| not_found(id))?;
    let kind = Kind::of(given);
    let name = given.value(command).unwrap_or_default();
    let new = (command == "set-parameter").then(|| given.value("parameter-value")).flatten();
    if command == "set-parameter" && new.is_none() {
        return Err(Said::failed(exit::USAGE, format!("{PROGRAM}: You need to supply a value with the -v option")));
    }
    let primitive = match &found {
        Found::Part(primitive) => Some(*primitive),
        Found::Whole(hac_model::Resource::Primitive(primitive)) => Some(primitive),
        Found::Whole(_) => None,
    };
    let sets: &[NvSet] = match (primitive, kind) {
        (Some(primitive), kind) => kind.sets(primitive),
        (None, Kind::Meta) => match &found {
            Found::Whole(whole) => whole.meta(),
            Found::Part(_) => &[],
        },
        (None, _) => {
            let err =
                format!("{PROGRAM}: {id} is no primitive and has no {}; -m sets a meta-attribute of it", kind.set());
            return Err(Said::failed(exit::USAGE, err));
        }
    };
    let old = sets.iter().flat_map(|set| &set.pairs).find(|pair| pair.name == name);
    let change = match (kind, primitive) {
        (Kind::Meta, _) => {
            Change::SetMeta { resource: base.to_owned(), name: name.to_owned(), value: new.map(str::to_owned) }
        }
        (Kind::Parameter, _) => {
            Change::SetParam { resource: base.to_owned(), name: name.to_owned(), value: new.map(str::to_owned) }
        }
        (Kind::Utilization, Some(primitive)) => with_utilization(primitive, name, new),
        (Kind::Utilization, None) => return Err(not_found(id)),
    };
    if new.is_none() && old.is_none() {
        return Ok(Said::nothing());
    }
    configure(std::slice::from_ref(&change))?;
    let set = sets.first().map_or_else(|| format!("{base}-{}", kind.set()), |set| set.id.clone());
    let pair = old.map_or_else(|| format!("{set}-{name}"), |pair| pair.id.clone());
    Ok(Said::printed(match (new, old) {
        (Some(new), Some(_)) => format!("Set '{id}' option: id={pair} name={name} value={new}"),
        (Some(new), None) => format!("Set '{id}' option: id={pair} set={set} name={name} value={new}"),
        (None, _) => format!("Deleted '{id}' option: id={pair} name={name}"),
    }))
}

fn with_utilization(primitive: &Primitive, name: &str, new: Option<&str>) -> Change {
    let mut primitive = primitive.clone();
    primitive.utilization.iter_mut().for_each(|set| set.pairs.retain(|pair| pair.name != name));
    if let Some(new) = new {
        if primitive.utilization.is_empty() {
            primitive.utilization.push(NvSet::default());
        }
        let pair = NvPair { name: name.to_owned(), value: Some(new.to_owned()), ..NvPair::default() };
        primitive.utilization.iter_mut().take(1).for_each(|set| set.pairs.push(pair.clone()));
    }
    Change::Put { object: Object::Primitive(primitive), mode: PutMode::Upsert }
}

/// `-M`, `-B`: a constraint that stays until `-U`.
fn place(command: &str, id: &str, given: &Given) -> Ends<Said> {
    if given.has("lifetime") {
        let err = format!(
            "{PROGRAM}: hacd does not offer --lifetime under this name; use 'hacctl resource {command} {id} NODE LIFETIME'"
        );
        return Err(Said::failed(exit::USAGE, err));
    }
    let view = view()?;
    let found = named(&view.resources, id);
    if found.is_empty() {
        return Err(not_found(id));
    }
    let known = |name: &str| view.nodes.iter().find(|node| node.name.eq_ignore_ascii_case(name));
    let node = match given.value("node") {
        Some(name) => Some(known(name).map(|node| node.name.clone()).ok_or_else(|| {
            let err = format!("{PROGRAM}: Node '{name}' not found\nError performing operation: Node not found");
            Said::failed(exit::NO_HOST, err)
        })?),
        None => None,
    };
    let mut active = Vec::new();
    found.iter().for_each(|resource| places(resource, &mut active));
    let cib = cib()?;
    let (banned, node) = match (command, node, active.as_slice()) {
        ("move", Some(node), _) => (false, node),
        (_, Some(node), _) => (true, node),
        // Away from where it is.
        (_, None, [(only, _)]) => (true, only.clone()),
        (_, None, several) => {
            let done = if command == "move" { "moved" } else { "banned" };
            let err = format!(
                "{PROGRAM}: Resource '{id}' not {done}: active in {} locations.\nTo {} it {} a specific location, specify a node",
                several.len(),
                if command == "move" { "move" } else { "prevent" },
                if command == "move" { "to" } else { "from running on" }
            );
            return Err(Said::failed(exit::USAGE, err));
        }
    };
    let constraint = if banned { format!("cli-ban-{id}-on-{node}") } else { format!("cli-prefer-{id}") };
    if !banned && preferred(&cib, &constraint).is_some_and(|there| there == node) {
        return Err(Said::failed(108, "Error performing operation: Requested item already exists"));
    }
    let score = if banned { "-INFINITY" } else { "INFINITY" };
    let location = Location {
        id: constraint.clone(),
        subject: LocationSubject::Resource(id.to_owned()),
        role: Some("Started".to_owned()),
        resource_discovery: None,
        target: LocationTarget::Node { node: node.clone(), score: Some(score.to_owned()) },
        lifetime: Vec::new(),
    };
    let mut changes = Vec::new();
    // What was banned there before would be in the way.
    let opposite = if banned { format!("cli-prefer-{id}") } else { format!("cli-ban-{id}-on-{node}") };
    if !banned && preferred(&cib, &opposite).is_some() {
        changes.push(Change::Delete { id: opposite, force: true });
    }
    changes.push(Change::Put { object: Object::Constraint(Constraint::Location(location)), mode: PutMode::Upsert });
    configure(&changes)?;
    if !banned {
        return Ok(Said::nothing());
    }
    let err = format!(
        "WARNING: Creating rsc_location constraint '{constraint}' with a score of -INFINITY for resource {id} on {node}.\n\
         \tThis will prevent {id} from running on {node} until the constraint is removed using the clear option or by editing the CIB with an appropriate tool\n\
         \tThis will be the case even if {node} is the last node in the cluster"
    );
    Ok(Said { err, ..Said::nothing() })
}

/// The node of a location constraint.
fn preferred(cib: &Cib, constraint: &str) -> Option<String> {
    cib.configuration.constraints.iter().find_map(|known| match known {
        Constraint::Location(location) if location.id == constraint => match &location.target {
            LocationTarget::Node { node, .. } => Some(node.clone()),
            LocationTarget::Rules(_) => Some(String::new()),
        },
        _ => None,
    })
}

/// `-U`: removes what `-M` and `-B` left.
fn clear(id: &str, given: &Given) -> Ends<Said> {
    let cib = cib()?;
    let node = given.value("node");
    let ban = format!("cli-ban-{id}-on-");
    let prefer = format!("cli-prefer-{id}");
    let is_one = |constraint: &str| match constraint.strip_prefix(&ban) {
        Some(on) => node.is_none_or(|node| node == on),
        None => {
            constraint == prefer && node.is_none_or(|node| preferred(&cib, constraint).is_some_and(|on| on == node))
        }
    };
    let gone: Vec<String> =
        cib.configuration.constraints.iter().map(|known| known.id().to_owned()).filter(|id| is_one(id)).collect();
    if gone.is_empty() {
        return Ok(Said::nothing());
    }
    let changes: Vec<Change> = gone.iter().map(|id| Change::Delete { id: id.clone(), force: true }).collect();
    configure(&changes)?;
    Ok(Said::printed(gone.iter().map(|id| format!("Removing constraint: {id}\n")).collect::<String>()))
}

/// `-C`, `-R`: forgets failures, or all that is known.
fn forget(command: &str, id: Option<&str>, given: &Given) -> Ends<Said> {
    if let Some(id) = id
        && named(&view()?.resources, id).is_empty()
    {
        return Err(not_found(id));
    }
    let (resource, node) = (id.map(str::to_owned), given.value("node").map(str::to_owned));
    let on = node.as_deref().map_or_else(|| "all nodes".to_owned(), str::to_owned);
    let command = if command == "refresh" {
        Command::Refresh { resource, node }
    } else {
        let operation = given.value("operation").map(str::to_owned);
        let interval_ms = given.value("interval").and_then(hac_model::parse_duration_ms);
        Command::Cleanup { resource, node, operation, interval_ms }
    };
    facts::order(PROGRAM, command, false, UNREACHABLE)?;
    let what = id.unwrap_or("all resources");
    Ok(Said::printed(format!(
        "Cleaned up {what} on {on}\nWaiting for 1 reply from the controller\n... got reply (done)"
    )))
}
