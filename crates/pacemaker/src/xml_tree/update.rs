//! What `cibadmin` does to a document: create, modify, replace, delete, patch.

use thiserror::Error;

use super::{Node, Path, Place};

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// An object of that id is there.
    #[error("File exists")]
    Exists,
    /// What is to be changed is not there.
    #[error("No such device or address")]
    Missing,
    /// It is not what this command takes.
    #[error("Invalid argument")]
    Invalid,
    /// A difference that was made from another version.
    #[error("Update was older than existing configuration")]
    Old,
}

type Done = Result<(), Refused>;

/// Elements that hold others and have no id: they are the same wherever they stand.
fn is_frame(node: &Node) -> bool {
    node.get("id").is_none() && node.get("ref").is_none()
}

/// Whether two elements are the same object.
fn is_same(one: &Node, other: &Node) -> bool {
    let key = |node: &Node| ["id", "ref", "id-ref"].map(|name| node.get(name).map(str::to_owned));
    one.name == other.name && key(one) == key(other)
}

/// Adds objects to a section. None of them may be there.
///
/// # Errors
/// [`Refused`]; then nothing was changed.
pub fn create(section: &mut Node, new: &[Node]) -> Done {
    let is_there = |object: &Node| !is_frame(object) && section.children.iter().any(|child| is_same(child, object));
    if new.iter().any(is_there) {
        return Err(Refused::Exists);
    }
    for object in new {
        match section.children.iter_mut().find(|child| is_frame(object) && is_same(child, object)) {
            Some(frame) => create(frame, &object.children)?,
            None => section.children.push(object.clone()),
        }
    }
    Ok(())
}

/// Sets the attributes that are given, in what is there; `may_create` adds what is not.
///
/// # Errors
/// [`Refused`]; then nothing was changed.
pub fn modify(section: &mut Node, new: &[Node], may_create: bool) -> Done {
    let before = section.clone();
    for object in new {
        let Some(place) = anywhere(section, object) else {
            if may_create {
                section.children.push(object.clone());
                continue;
            }
            *section = before;
            return Err(Refused::Missing);
        };
        if let Some(old) = section.at_mut(&place) {
            merge(old, object);
        }
    }
    Ok(())
}

/// Where an object is, at any depth.
fn anywhere(section: &Node, object: &Node) -> Option<Place> {
    let mut places: Vec<Place> = vec![Vec::new()];
    let mut next = 0;
    while let Some(place) = places.get(next).cloned() {
        for (index, child) in section.at(&place)?.children.iter().enumerate() {
            let place = [place.as_slice(), &[index]].concat();
            if is_same(child, object) {
                return Some(place);
            }
            places.push(place);
        }
        next += 1;
    }
    None
}

/// Takes attributes and children over; `name++` and `name+=2` count.
pub fn merge(old: &mut Node, new: &Node) {
    for (name, value) in &new.attributes {
        let value = counted(old.get(name), name, value);
        old.set(name, Some(&value));
    }
    for child in &new.children {
        match old.children.iter_mut().find(|known| is_same(known, child)) {
            Some(known) => merge(known, child),
            None => old.children.push(child.clone()),
        }
    }
}

fn counted(before: Option<&str>, name: &str, value: &str) -> String {
    let Some(rest) = value.strip_prefix(name) else { return value.to_owned() };
    let step = if rest == "++" { Some(1) } else { rest.strip_prefix("+=").and_then(|step| step.parse::<i64>().ok()) };
    match step {
        Some(step) => before.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0).saturating_add(step).to_string(),
        None => value.to_owned(),
    }
}

/// Puts objects in the place of those of their ids; a frame in the place of the frame.
///
/// # Errors
/// [`Refused`]; then nothing was changed.
pub fn replace(section: &mut Node, new: &[Node]) -> Done {
    let before = section.clone();
    for object in new {
        let Some(place) = anywhere(section, object) else {
            *section = before;
            return Err(Refused::Missing);
        };
        if let Some(old) = section.at_mut(&place) {
            old.clone_from(object);
        }
    }
    Ok(())
}

/// Removes objects; one with attributes beside its id only if it has them. What is not there is removed already.
pub fn delete(section: &mut Node, gone: &[Node]) {
    for object in gone {
        let Some(place) = anywhere(section, object) else { continue };
        let has_all = |node: &Node| object.attributes.iter().all(|(name, value)| node.get(name) == Some(value));
        if section.at(&place).is_some_and(has_all) {
            delete_at(section, &place);
        }
    }
}

/// Removes the element at a place.
pub fn delete_at(root: &mut Node, place: &[usize]) {
    let Some((last, parent)) = place.split_last() else { return };
    if let Some(parent) = root.at_mut(parent)
        && *last < parent.children.len()
    {
        parent.children.remove(*last);
    }
}

/// Carries out a difference of form 2, as `crm_diff` writes one.
///
/// # Errors
/// [`Refused`]; then nothing was changed.
pub fn patch(root: &mut Node, diff: &Node) -> Done {
    if diff.name != "diff" || diff.get("format") != Some("2") {
        return Err(Refused::Invalid);
    }
    let version = diff.child("version");
    let source = version.and_then(|version| version.child("source"));
    let differs = |name: &str| {
        let wanted = source.and_then(|source| source.get(name));
        wanted.is_some_and(|wanted| root.get(name).is_some_and(|now| now != wanted))
    };
    if ["admin_epoch", "epoch", "num_updates"].into_iter().any(differs) {
        return Err(Refused::Old);
    }
    let before = root.clone();
    let done = diff.children.iter().filter(|child| child.name == "change").try_for_each(|change| one(root, change));
    if done.is_err() {
        *root = before;
        return done;
    }
    if let Some(target) = version.and_then(|version| version.child("target")) {
        for (name, value) in &target.attributes {
            root.set(name, Some(value));
        }
    }
    Ok(())
}

fn one(root: &mut Node, change: &Node) -> Done {
    let path = Path::read(change.get("path").unwrap_or_default()).map_err(|_| Refused::Invalid)?;
    let position = || change.get("position").and_then(|text| text.parse::<usize>().ok());
    let place = path.find(root).into_iter().next();
    match change.get("operation") {
        // It was there once already.
        Some("delete") => {
            if let Some(place) = place {
                delete_at(root, &place);
            }
            Ok(())
        }
        Some("create") => {
            let parent = root.at_mut(&place.ok_or(Refused::Missing)?).ok_or(Refused::Missing)?;
            let at = position().unwrap_or(usize::MAX).min(parent.children.len());
            parent.children.splice(at..at, change.children.iter().cloned());
            Ok(())
        }
        Some("move") => {
            let place = place.ok_or(Refused::Missing)?;
            let (last, parent) = place.split_last().ok_or(Refused::Invalid)?;
            let parent = root.at_mut(parent).ok_or(Refused::Missing)?;
            let node = parent.children.remove(*last);
            let at = position().unwrap_or(usize::MAX).min(parent.children.len());
            parent.children.insert(at, node);
            Ok(())
        }
        Some("modify") => {
            let node = root.at_mut(&place.ok_or(Refused::Missing)?).ok_or(Refused::Missing)?;
            let list = change.child("change-list").into_iter().flat_map(|list| &list.children);
            for attribute in list.filter(|child| child.name == "change-attr") {
                let value = attribute.get("value").filter(|_| attribute.get("operation") != Some("unset"));
                node.set(attribute.get("name").ok_or(Refused::Invalid)?, value);
            }
            Ok(())
        }
        _ => Err(Refused::Invalid),
    }
}
