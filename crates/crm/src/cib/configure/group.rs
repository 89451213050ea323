//! [`Change::ModGroup`](super::Change::ModGroup).

use super::super::{GroupEdit, Place, Refusal, RefusalKind, tree};
use super::put::{group_mut, take_free};
use super::{Draft, Step, unknown};
use hac_model::Resource;

pub(super) fn edit(draft: &mut Draft, id: &str, edit: &GroupEdit) -> Step {
    if group_mut(&mut draft.cib.configuration.resources, id).is_none() {
        let other =
            tree::walk(&draft.cib.configuration.resources).iter().find(|item| item.id == id).map(|item| item.kind);
        return Err(other.map_or_else(|| unknown(id), |kind| no_group(id, kind.word())));
    }
    match edit {
        GroupEdit::Add { resource, place } => add(draft, id, resource, place),
        GroupEdit::Remove { resource } => remove(draft, id, resource),
    }
}

fn no_group(id: &str, word: &str) -> Refusal {
    let remedy = format!("Name a group, or make one: 'hacctl configure group ID {id}'");
    Refusal::new(format!("{id} is a {word}, and no group"), remedy)
}

fn add(draft: &mut Draft, id: &str, resource: &str, place: &Place) -> Step {
    let primitive = take_free(draft, resource, id)?;
    let Some(group) = group_mut(&mut draft.cib.configuration.resources, id) else { return Err(unknown(id)) };
    let position = |member: &String| group.members.iter().position(|m| m.id == *member);
    let index = match place {
        Place::Last => Some(group.members.len()),
        Place::Before(member) => position(member),
        Place::After(member) => position(member).map(|index| index + 1),
    };
    match index {
        Some(index) => {
            group.members.insert(index, primitive);
            Ok(())
        }
        None => Err(Refusal::new(
            format!("the place named is not in group {id}"),
            "name a member of the group after `before` or `after`",
        )
        .of(RefusalKind::NoSuch)),
    }
}

fn remove(draft: &mut Draft, id: &str, resource: &str) -> Step {
    let resources = &mut draft.cib.configuration.resources;
    let Some(group) = group_mut(resources, id) else { return Err(unknown(id)) };
    let Some(index) = group.members.iter().position(|member| member.id == resource) else {
        return Err(Refusal::new(
            format!("{resource} is not in group {id}"),
            format!("'hacctl configure show {id}' shows its members"),
        )
        .of(RefusalKind::NoSuch));
    };
    if group.members.len() == 1 {
        return Err(Refusal::new(
            format!("{resource} is the only member of group {id}"),
            format!("delete the group instead ({resource} stays): 'hacctl configure delete {id}'"),
        ));
    }
    let primitive = group.members.remove(index);
    resources.push(Resource::Primitive(primitive));
    Ok(())
}
