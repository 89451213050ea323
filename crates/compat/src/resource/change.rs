//! What `crm_resource` changes: parameters and meta-attributes, what is known of a resource.

use hac_api::Command;
use hac_crm::cib::{Change, Object, PutMode};
use hac_model::{NvPair, NvSet, Primitive};

use super::{Found, PROGRAM, UNREACHABLE, cib, inside, named, no_resource, not_found, place, view};
use crate::options::Given;
use crate::{Ends, Said, exit, facts};

/// Carries one of them out.
pub(super) fn run(command: &'static str, id: Option<&str>, given: &Given) -> Ends<Said> {
    match (command, id) {
        ("cleanup" | "refresh", id) => forget(command, id, given),
        ("clear", id) if id.is_some() || given.has("expired") => place::clear(id, given),
        (_, None) => Err(no_resource()),
        ("move" | "ban", Some(id)) => place::place(command, id, given),
        (_, Some(id)) => value(command, id, given),
    }
}

pub(super) fn configure(changes: &[Change]) -> Ends<()> {
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
    if given.has("quiet") {
        return Ok(Said::nothing());
    }
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
