//! [`Change::Delete`](super::Change::Delete).

use super::super::machine::FACTS;
use super::super::{Refusal, RefusalKind, history, tree};
use super::refer::{forget, redirect};
use super::{Draft, Step, attributes, unknown};
use hac_model::{Cib, Resource};

pub(super) fn delete(draft: &mut Draft, id: &str, force: bool) -> Step {
    let configuration = &mut *draft.cib.configuration;
    if tree::find(configuration, id).is_some() {
        return delete_resource(draft, id, force);
    }
    if configuration.constraints.iter().any(|c| c.id() == id) {
        configuration.constraints.retain(|c| c.id() != id);
        configuration.tags.iter_mut().for_each(|tag| tag.members.retain(|member| member != id));
        configuration.tags.retain(|tag| !tag.members.is_empty());
        return Ok(());
    }
    if configuration.tags.iter().any(|tag| tag.id == id) {
        configuration.tags.retain(|tag| tag.id != id);
        forget(draft, id);
        return Ok(());
    }
    // crm has one object of all levels.
    if id == "fencing_topology" && !configuration.fencing_topology.is_empty() {
        configuration.fencing_topology.clear();
        return Ok(());
    }
    if configuration.fencing_topology.iter().any(|level| level.id == id) {
        configuration.fencing_topology.retain(|level| level.id != id);
        return Ok(());
    }
    if configuration.alerts.iter().any(|alert| alert.id == id) {
        configuration.alerts.retain(|alert| alert.id != id);
        return Ok(());
    }
    if configuration.notices.iter().any(|notice| notice.id == id) {
        configuration.notices.retain(|notice| notice.id != id);
        return Ok(());
    }
    if configuration.nodes.iter().any(|node| node.uname == id) {
        return delete_node(draft, id, force);
    }
    let facts = FACTS.map(|name| (name.to_owned(), configuration.property(name).map(str::to_owned)));
    let sets = [&mut configuration.crm_config, &mut configuration.rsc_defaults, &mut configuration.op_defaults];
    let mut found = false;
    for sets in sets {
        let before = sets.len();
        sets.retain(|set| set.id != id);
        found |= sets.len() < before;
    }
    if !found {
        return Err(unknown(id));
    }
    // What the cluster itself writes is not deleted with what people wrote beside it.
    attributes::set_facts(draft, &facts);
    Ok(())
}

fn delete_resource(draft: &mut Draft, id: &str, force: bool) -> Step {
    let running = running_on(&draft.cib, id);
    if !running.is_empty() && !force {
        return Err(Refusal::new(
            format!("resource {id} is running, can't delete it"),
            format!("stop it first ('hacctl resource stop {id}'), or add --force: the cluster then stops it"),
        )
        .of(RefusalKind::Unsafe));
    }
    let resources = &mut draft.cib.configuration.resources;
    let Some(index) = resources.iter().position(|resource| resource.id() == id) else {
        return delete_inner(draft, id);
    };
    match resources.remove(index) {
        Resource::Group(group) => {
            for (offset, member) in group.members.into_iter().enumerate() {
                resources.insert(index + offset, Resource::Primitive(member));
            }
        }
        Resource::Clone(clone) => {
            let child = clone.child.id().to_owned();
            resources.insert(index, *clone.child);
            for constraint in redirect(&mut draft.cib.configuration.constraints, id, &child) {
                draft.warn(format!("constraint {constraint} now applies to {child} instead of {id}"));
            }
        }
        Resource::Bundle(bundle) => {
            resources.splice(index..index, bundle.primitive.map(Resource::Primitive));
        }
        Resource::Primitive(_) => {}
        Resource::Template(template) => check_unused_template(draft, &template.0.id)?,
    }
    forget(draft, id);
    Ok(())
}

fn check_unused_template(draft: &Draft, id: &str) -> Step {
    let user = tree::walk(&draft.cib.configuration.resources).into_iter().find_map(|item| match item.kind {
        tree::Kind::Primitive(primitive) if primitive.template.as_deref() == Some(id) => Some(primitive.id.clone()),
        _ => None,
    });
    match user {
        None => Ok(()),
        Some(user) => Err(Refusal::new(
            format!("template {id} is in use by {user}"),
            "delete or change the primitives that refer to it first",
        )
        .of(RefusalKind::Unsafe)),
    }
}

/// A resource that is inside another.
fn delete_inner(draft: &mut Draft, id: &str) -> Step {
    let resources = &mut draft.cib.configuration.resources;
    let mut gone = Vec::new();
    if tree::take_primitive(resources, id, &mut gone).is_none() {
        // A group inside a clone: the clone goes with it, the members stay.
        let index = resources.iter().position(|r| matches!(r, Resource::Clone(c) if c.child.id() == id));
        let Some(index) = index else { return Err(unknown(id)) };
        let clone = resources.remove(index);
        gone.push(clone.id().to_owned());
        if let Resource::Clone(clone) = clone
            && let Resource::Group(group) = *clone.child
        {
            resources.splice(index..index, group.members.into_iter().map(Resource::Primitive));
        }
    }
    for parent in gone {
        draft.warn(format!("{parent} was deleted with {id}, because nothing was left in it"));
        forget(draft, &parent);
    }
    forget(draft, id);
    Ok(())
}

fn delete_node(draft: &mut Draft, name: &str, force: bool) -> Step {
    let id = draft.cib.node_id(name).unwrap_or_default().to_owned();
    let state = draft.cib.status.nodes.iter().find(|state| state.id == id);
    if state.is_some_and(history::is_online) && !force {
        return Err(Refusal::new(
            format!("node {name} is a member of the cluster, can't delete it"),
            "stop hacd on it first",
        )
        .of(RefusalKind::Unsafe));
    }
    draft.cib.configuration.nodes.retain(|node| node.uname != name);
    let before = draft.cib.status.nodes.len();
    draft.cib.status.nodes.retain(|state| state.id != id);
    draft.status |= draft.cib.status.nodes.len() != before;
    Ok(())
}

/// Names of the online nodes on which the resource, or anything in it, is running as far as is known.
pub(super) fn running_on(cib: &Cib, id: &str) -> Vec<String> {
    let primitives = tree::primitives_of(&cib.configuration, id);
    let mut nodes = Vec::new();
    for state in cib.status.nodes.iter().filter(|state| history::is_online(state)) {
        let runs = state
            .resources
            .iter()
            .any(|of| primitives.iter().any(|id| history::belongs_to(&of.id, id)) && history::is_running(of));
        if runs {
            nodes.push(state.uname.clone().unwrap_or_else(|| state.id.clone()));
        }
    }
    nodes
}
