//! CALM: whenever the calm world has come to rest, what people said of places holds in reality, for whatever the cluster
//! may act on: nothing runs where it is banned or on a node in standby, what belongs together is together, and what must
//! not share a node does not. (Orders are for the checker of plans: what was started before stays when that after which it
//! starts is lost.)

use hac_model::{Cib, Configuration, Constraint, Location, LocationSubject, LocationTarget, Resource};
use hac_scheduler::{ClusterView, view::ResourceView};

use super::{Violation, count};
use crate::cluster::World;

/// Looks at all of them.
pub(crate) fn check(world: &mut World) -> Option<Violation> {
    count(&mut world.checks.executed, "CALM");
    let host = world.hosts.values().find(|host| host.node.is_some())?;
    let cib = host.node.as_ref()?.cib();
    let view = hac_scheduler::view(cib, world.time_at(host.id).wall);
    let (mut kept, mut broken) = (Vec::new(), None);
    for constraint in &cib.configuration.constraints {
        let (name, text) = match constraint {
            Constraint::Location(location) => ("a ban was kept", banned(world, cib, &view, location)),
            Constraint::Colocation(together) if together.sets.is_empty() && together.rsc_role.is_none() => {
                let infinite = together.score.as_deref().is_some_and(|score| score.ends_with("INFINITY"));
                let Some(apart) = infinite.then(|| together.score.as_deref() == Some("-INFINITY")) else { continue };
                let (rsc, with) = (together.rsc.as_str(), together.with_rsc.as_str());
                let name = if apart { "two stayed apart" } else { "two stayed together" };
                (name, company(world, cib, &view, (rsc, with), apart))
            }
            _ => continue,
        };
        match text {
            Some(Ok(())) => kept.push(name),
            Some(Err(text)) => broken = broken.or(Some(text)),
            None => {}
        }
    }
    let standby = view.nodes.iter().filter(|node| node.standby).filter_map(|node| {
        let one = node.running.iter().find(|name| is_free(&view, name))?;
        Some(format!("{one} runs on {}, which is in standby", node.name))
    });
    broken = broken.or_else(|| standby.into_iter().next());
    kept.into_iter().for_each(|name| world.checks.happened(name));
    broken.map(|text| Violation::new("CALM", text))
}

/// Whether a ban holds, if this is one of something that the cluster may act on.
fn banned(world: &World, cib: &Cib, view: &ClusterView, location: &Location) -> Option<Result<(), String>> {
    let LocationTarget::Node { node, score } = &location.target else { return None };
    let LocationSubject::Resource(subject) = &location.subject else { return None };
    if score.as_deref() != Some("-INFINITY") || location.role.is_some() {
        return None;
    }
    let parts = primitives(&cib.configuration, subject);
    let free: Vec<&str> = parts.into_iter().filter(|part| is_free(view, part)).collect();
    let here = |part: &&&str| world.reality.places(part).iter().any(|id| format!("node{id}") == *node);
    let text = free.iter().find(here).map(|part| format!("{part} runs on {node}, from which {subject} is banned"));
    (!free.is_empty()).then(|| text.map_or(Ok(()), Err))
}

/// Whether two keep each other company, or each other out, if the cluster may act on the one that depends.
fn company(
    world: &World,
    cib: &Cib,
    view: &ClusterView,
    (rsc, with): (&str, &str),
    apart: bool,
) -> Option<Result<(), String>> {
    // Of a group the members share a node, or those at its end do not run.
    let dependent = *primitives(&cib.configuration, rsc).first()?;
    let primary = *primitives(&cib.configuration, with).first()?;
    let (mine, theirs) = (world.reality.places(dependent), world.reality.places(primary));
    // Where what may not be touched runs twice, the scheduler keeps others from one of the places.
    let is_torn = apart && theirs.len() > 1 && !is_free(view, primary);
    if !is_free(view, dependent) || mine.is_empty() || is_torn {
        return None;
    }
    let holds = mine.iter().all(|place| theirs.contains(place) != apart);
    let word = if apart { "apart from" } else { "with" };
    Some(if holds { Ok(()) } else { Err(format!("{rsc} belongs {word} {with}: they run on {mine:?} and {theirs:?}")) })
}

/// Ids of the primitives in this resource.
fn primitives<'a>(configuration: &'a Configuration, id: &str) -> Vec<&'a str> {
    fn below<'a>(resource: &'a Resource, wanted: bool, id: &str, found: &mut Vec<&'a str>) {
        let wanted = wanted || resource.id() == id;
        match resource {
            Resource::Primitive(primitive) if wanted => found.push(&primitive.id),
            Resource::Group(group) => {
                let members = group.members.iter().map(|member| member.id.as_str());
                found.extend(members.filter(|member| wanted || *member == id));
            }
            Resource::Clone(clone) => below(&clone.child, wanted, id, found),
            Resource::Primitive(_) | Resource::Bundle(_) | Resource::Template(_) => {}
        }
    }
    let mut found = Vec::new();
    configuration.resources.iter().for_each(|resource| below(resource, false, id, &mut found));
    found
}

/// Whether the cluster may act on all that has this name.
fn is_free(view: &ClusterView, name: &str) -> bool {
    fn all<'a>(resources: &'a [ResourceView], found: &mut Vec<&'a ResourceView>) {
        for resource in resources {
            found.push(resource);
            all(&resource.children, found);
        }
    }
    let mut found = Vec::new();
    all(&view.resources, &mut found);
    found.retain(|resource| resource.name == name && !resource.flags.removed);
    !found.is_empty() && found.iter().all(|resource| resource.flags.managed && !resource.flags.blocked)
}
