//! [`Change::Put`](super::Change::Put).

use super::super::{CloneDef, GroupDef, Object, PutMode, Refusal, RefusalKind, ids, tree};
use super::refer::{self, exists, not_an_id, redirect};
use super::{Draft, Step, unknown};
use hac_model::{
    Bundle, Clone as CloneResource, Configuration, FencingLevel, FencingTarget, Group, Primitive, Resource,
};

pub(super) fn put(draft: &mut Draft, mut object: Object, mode: PutMode) -> Step {
    ids::fill_object(&mut object);
    let id = object.id().to_owned();
    if matches!(object, Object::Node(_)) {
        return put_node(draft, object, mode);
    }
    if let Object::FencingLevel(level) = &object
        && level.id.is_empty()
    {
        return put_level(draft, level);
    }
    if !ids::is_id(&id) {
        return Err(not_an_id(&id));
    }
    match (mode, object) {
        (PutMode::Replace, _) if draft.is_new(&id) => return Err(unknown(&id)),
        // Nothing is in its way.
        (_, Object::Primitive(primitive)) if draft.is_new(&id) => {
            draft.cib.configuration.resources.push(Resource::Primitive(primitive));
            return Ok(());
        }
        (_, other) => object = other,
    }
    match mode {
        PutMode::Create if exists(draft, &id) => return Err(found(draft, &object)),
        PutMode::Replace if !exists(draft, &id) => return Err(unknown(&id)),
        PutMode::Create | PutMode::Replace | PutMode::Upsert => {}
    }
    match object {
        Object::Primitive(primitive) => put_primitive(draft, primitive),
        Object::Group(group) => put_group(draft, group),
        Object::Clone(clone) => put_clone(draft, clone),
        Object::Template(template) => put_at_top(draft, Resource::Template(template)),
        Object::Bundle(bundle) => put_bundle(draft, bundle),
        Object::Constraint(constraint) => {
            expect_kind(draft, &id, "constraint")?;
            warn_about_members(draft, &constraint);
            let constraints = &mut draft.cib.configuration.constraints;
            replace_or_push(constraints, constraint, |c| c.id() == id);
            Ok(())
        }
        Object::Tag(tag) => {
            expect_kind(draft, &id, "tag")?;
            replace_or_push(&mut draft.cib.configuration.tags, tag, |t| t.id == id);
            Ok(())
        }
        Object::FencingLevel(level) => {
            expect_kind(draft, &id, "fencing level")?;
            replace_or_push(&mut draft.cib.configuration.fencing_topology, level, |l| l.id == id);
            Ok(())
        }
        Object::Alert(alert) => {
            expect_kind(draft, &id, "alert")?;
            replace_or_push(&mut draft.cib.configuration.alerts, alert, |a| a.id == id);
            Ok(())
        }
        Object::Notice(notice) => {
            expect_kind(draft, &id, "notice")?;
            replace_or_push(&mut draft.cib.configuration.notices, notice, |n| n.id == id);
            Ok(())
        }
        Object::Node(_) => Ok(()),
    }
}

fn replace_or_push<T>(list: &mut Vec<T>, item: T, same: impl Fn(&T) -> bool) {
    match list.iter_mut().find(|old| same(old)) {
        Some(old) => *old = item,
        None => list.push(item),
    }
}

/// What people call an object's kind.
fn kind_of(configuration: &Configuration, id: &str) -> Option<&'static str> {
    if let Some(item) = tree::find(configuration, id) {
        return Some(item.kind.word());
    }
    if configuration.constraints.iter().any(|c| c.id() == id) {
        return Some("constraint");
    }
    if configuration.tags.iter().any(|tag| tag.id == id) {
        return Some("tag");
    }
    if configuration.alerts.iter().any(|alert| alert.id == id) {
        return Some("alert");
    }
    if configuration.notices.iter().any(|notice| notice.id == id) {
        return Some("notice");
    }
    configuration.fencing_topology.iter().any(|level| level.id == id).then_some("fencing level")
}

/// Refuses if the id belongs to another kind of object.
fn expect_kind(draft: &Draft, id: &str, kind: &str) -> Step {
    match kind_of(&draft.cib.configuration, id) {
        Some(other) if other != kind => Err(Refusal::new(
            format!("Cannot create {kind} with ID '{id}': it is a {other}"),
            "choose another id, or delete that object first",
        )
        .of(RefusalKind::Exists)),
        Some(_) | None => Ok(()),
    }
}

fn found(draft: &Draft, object: &Object) -> Refusal {
    let kind = match object {
        Object::Primitive(_) => "primitive",
        Object::Template(_) => "template",
        Object::Group(_) => "group",
        Object::Clone(_) => "clone",
        Object::Bundle(_) => "bundle",
        Object::Constraint(_) => "constraint",
        Object::Node(_) => "node",
        Object::Tag(_) => "tag",
        Object::FencingLevel(_) => "fencing level",
        Object::Alert(_) => "alert",
        Object::Notice(_) => "notice",
    };
    let id = object.id();
    let other = kind_of(&draft.cib.configuration, id).unwrap_or("object");
    Refusal::new(
        format!("Cannot create {kind} with ID '{id}': Found existing {other} with same ID."),
        format!("choose another id, or change the one there is ('hacctl configure show {id}')"),
    )
    .of(RefusalKind::Exists)
}

/// A level as crm's words have it, without an id: in the place of the one of this target and index. Without a target it
/// is for every node that there is.
fn put_level(draft: &mut Draft, level: &FencingLevel) -> Step {
    let configuration = &mut *draft.cib.configuration;
    let targets: Vec<FencingTarget> = match &level.target {
        FencingTarget::Node(name) if name.is_empty() => {
            configuration.nodes.iter().map(|node| FencingTarget::Node(node.uname.clone())).collect()
        }
        target => vec![target.clone()],
    };
    if targets.is_empty() {
        draft.warn("no node is known yet: a topology that names none is for no node".to_owned());
        return Ok(());
    }
    for target in targets {
        let levels = &mut configuration.fencing_topology;
        match levels.iter_mut().find(|old| old.target == target && old.index == level.index) {
            Some(old) => old.devices.clone_from(&level.devices),
            None => {
                let used = levels.iter().map(|level| level.id.clone()).collect();
                levels.push(FencingLevel { id: ids::unused("fencing", &used), target, ..level.clone() });
            }
        }
    }
    Ok(())
}

fn put_primitive(draft: &mut Draft, primitive: Primitive) -> Step {
    expect_kind(draft, &primitive.id, "primitive")?;
    match tree::primitive_mut(&mut draft.cib.configuration.resources, &primitive.id) {
        Some(old) => *old = primitive,
        None => draft.cib.configuration.resources.push(Resource::Primitive(primitive)),
    }
    Ok(())
}

fn put_at_top(draft: &mut Draft, resource: Resource) -> Step {
    let id = resource.id().to_owned();
    let kind = if matches!(resource, Resource::Template(_)) { "template" } else { "bundle" };
    expect_kind(draft, &id, kind)?;
    replace_or_push(&mut draft.cib.configuration.resources, resource, |old| old.id() == id);
    Ok(())
}

/// A bundle; the words name what runs inside, which is then taken in.
fn put_bundle(draft: &mut Draft, mut bundle: Bundle) -> Step {
    expect_kind(draft, &bundle.id, "bundle")?;
    let is_name = |inner: &&Primitive| inner.agent.kind.is_empty() && inner.template.is_none();
    let Some(id) = bundle.primitive.as_ref().filter(is_name).map(|inner| inner.id.clone()) else {
        return put_at_top(draft, Resource::Bundle(bundle));
    };
    let resources = &mut draft.cib.configuration.resources;
    let old = resources.iter_mut().find_map(|resource| match resource {
        Resource::Bundle(old) if old.id == bundle.id => old.primitive.take_if(|inner| inner.id == id),
        _ => None,
    });
    bundle.primitive = match old {
        Some(inner) => Some(inner),
        None => Some(take_free(draft, &id, &bundle.id)?),
    };
    put_at_top(draft, Resource::Bundle(bundle))
}

fn put_group(draft: &mut Draft, def: GroupDef) -> Step {
    expect_kind(draft, &def.id, "group")?;
    if def.members.is_empty() {
        return Err(Refusal::new(format!("group {} has no members", def.id), "name at least one primitive"));
    }
    let old: Vec<String> = group_mut(&mut draft.cib.configuration.resources, &def.id)
        .map(|group| group.members.iter().map(|member| member.id.clone()).collect())
        .unwrap_or_default();
    // All of it is looked at before anything is moved.
    for id in def.members.iter().filter(|id| !old.contains(id)) {
        check_free(&draft.cib.configuration, id, &def.id, &["primitive"])?;
    }
    let mut members = Vec::new();
    for id in &def.members {
        if old.contains(id) {
            let group = group_mut(&mut draft.cib.configuration.resources, &def.id);
            let index = group.as_ref().and_then(|group| group.members.iter().position(|member| member.id == *id));
            let (Some(group), Some(index)) = (group, index) else { return Err(twice(id, &def.id)) };
            members.push(group.members.remove(index));
        } else {
            members.push(take_free(draft, id, &def.id)?);
        }
    }
    let new = Group {
        id: def.id.clone(),
        description: def.description,
        members,
        params: def.params,
        meta: def.meta,
        ..Group::default()
    };
    let is_new = group_mut(&mut draft.cib.configuration.resources, &def.id).is_none();
    if is_new {
        refer::grouped(draft, &def.members, &def.id);
    }
    let resources = &mut draft.cib.configuration.resources;
    match group_mut(resources, &def.id) {
        Some(group) => {
            let attributes = std::mem::take(&mut group.attributes);
            let left = std::mem::replace(group, Group { attributes, ..new }).members;
            resources.extend(left.into_iter().map(Resource::Primitive));
        }
        None => resources.push(Resource::Group(new)),
    }
    Ok(())
}

fn twice(id: &str, owner: &str) -> Refusal {
    Refusal::new(format!("{id} is named twice in {owner}"), "name it once")
}

/// Takes a primitive that is at top level, for `owner`.
pub(super) fn take_free(draft: &mut Draft, id: &str, owner: &str) -> Result<Primitive, Refusal> {
    check_free(&draft.cib.configuration, id, owner, &["primitive"])?;
    let resources = &mut draft.cib.configuration.resources;
    tree::take_primitive(resources, id, &mut Vec::new()).ok_or_else(|| unknown(id))
}

/// Why what is no resource cannot be in `owner`: it may be something else.
fn absent(configuration: &Configuration, id: &str, owner: &str) -> Refusal {
    let other = match super::super::contradictions::kind_of(configuration, id) {
        _ if id == owner => return Refusal::new(format!("{id} cannot be in itself"), "name another resource"),
        Some(other) => other,
        None => return unknown(id),
    };
    Refusal::new(format!("{id} is a {other}, which cannot be in {owner}"), "name a resource")
}

/// Whether the resource `id` may become a child of `owner`.
fn check_free(configuration: &Configuration, id: &str, owner: &str, kinds: &[&str]) -> Step {
    let Some(item) = tree::find(configuration, id) else { return Err(absent(configuration, id, owner)) };
    if let Some(parent) = item.parent {
        if parent == owner {
            return Err(twice(id, owner));
        }
        return Err(Refusal::new(
            format!("{id} already in use at {parent}"),
            format!("delete {parent} first (its children stay)"),
        )
        .of(RefusalKind::Unsafe));
    }
    if !kinds.contains(&item.kind.word()) {
        return Err(Refusal::new(
            format!("{id} is a {}, which cannot be in {owner}", item.kind.word()),
            format!("name a {}", kinds.join(" or a ")),
        ));
    }
    Ok(())
}

/// The group of this id, at top level or in a clone.
pub(super) fn group_mut<'a>(resources: &'a mut [Resource], id: &str) -> Option<&'a mut Group> {
    resources.iter_mut().find_map(|resource| {
        match resource {
            Resource::Group(group) => Some(group),
            Resource::Clone(clone) => match clone.child.as_mut() {
                Resource::Group(group) => Some(group),
                _ => None,
            },
            _ => None,
        }
        .filter(|group| group.id == id)
    })
}

fn put_clone(draft: &mut Draft, def: CloneDef) -> Step {
    expect_kind(draft, &def.id, "clone")?;
    let configuration = &mut *draft.cib.configuration;
    let place = configuration.resources.iter().position(|resource| resource.id() == def.id);
    if let Some(Resource::Clone(clone)) = place.and_then(|place| configuration.resources.get_mut(place))
        && clone.child.id() == def.child
    {
        clone.description = def.description;
        clone.params = def.params;
        clone.meta = def.meta;
        clone.legacy_master = false;
        return Ok(());
    }
    check_free(configuration, &def.child, &def.id, &["primitive", "group"])?;
    let Some(index) = configuration.resources.iter().position(|resource| resource.id() == def.child) else {
        return Err(unknown(&def.child));
    };
    let child = configuration.resources.remove(index);
    let new = Resource::Clone(CloneResource {
        id: def.id.clone(),
        description: def.description,
        child: Box::new(child),
        params: def.params,
        meta: def.meta,
        legacy_master: false,
        attributes: Default::default(),
    });
    match configuration.resources.iter_mut().find(|resource| resource.id() == def.id) {
        Some(old) => {
            if let Resource::Clone(old) = std::mem::replace(old, new) {
                configuration.resources.push(*old.child);
            }
        }
        None => configuration.resources.push(new),
    }
    for constraint in redirect(&mut draft.cib.configuration.constraints, &def.child, &def.id) {
        draft.warn(format!("constraint {constraint} now applies to {} instead of {}", def.id, def.child));
    }
    Ok(())
}

/// Constraints on members of a group are taken, but not what people usually want.
fn warn_about_members(draft: &mut Draft, constraint: &hac_model::Constraint) {
    let mut copy = constraint.clone();
    let id = constraint.id();
    let mut warnings = Vec::new();
    for name in refer::names_mut(&mut copy) {
        let Some(item) = tree::find(&draft.cib.configuration, name) else { continue };
        let Some(parent) = item.parent.and_then(|parent| tree::find(&draft.cib.configuration, parent)) else {
            continue;
        };
        let (word, whole) = match parent.kind {
            tree::Kind::Group => ("grouped", "group"),
            _ => ("cloned", "clone"),
        };
        warnings.push(format!("{id}: resource {name} is {word}, constraints should apply to the {whole}"));
    }
    warnings.into_iter().for_each(|warning| draft.warn(warning));
}

fn put_node(draft: &mut Draft, object: Object, mode: PutMode) -> Step {
    let Object::Node(mut node) = object else { return Ok(()) };
    // A remote node is known by its name, and so is any where no cluster was yet.
    let by_name = node.kind.as_deref() == Some("remote") || draft.cib.status.nodes.is_empty();
    let nodes = &mut draft.cib.configuration.nodes;
    let known = nodes.iter_mut().find(|old| old.uname == node.uname);
    match (known, mode) {
        (Some(_), PutMode::Create) => Err(Refusal::new(
            format!("node {} exists", node.uname),
            "change it instead: node attribute, node utilization",
        )
        .of(RefusalKind::Exists)),
        (None, PutMode::Replace) => Err(unknown_node(&node.uname)),
        (Some(old), _) if !node.id.is_empty() && node.id != old.id => Err(Refusal::new(
            format!("node {} has the id {}, not {}", node.uname, old.id, node.id),
            "leave the id out; a node's id is nodelist.node.nodeid in hacd.toml",
        )),
        (Some(old), _) => {
            node.id.clone_from(&old.id);
            ids::fill_node(&mut node);
            *old = node;
            Ok(())
        }
        (None, _) if node.id.is_empty() && !by_name || node.uname.is_empty() => {
            Err(Refusal::new("a new node needs a name and an id", "add the node to nodelist in hacd.toml instead"))
        }
        (None, _) => {
            if node.id.is_empty() {
                node.id.clone_from(&node.uname);
            }
            ids::fill_node(&mut node);
            nodes.push(node);
            Ok(())
        }
    }
}

/// There is no node of this name.
pub(super) fn unknown_node(name: &str) -> Refusal {
    Refusal::new(format!("Node \"{name}\" is not a cluster node"), "'hacctl node show' lists the nodes")
        .of(RefusalKind::NoSuch)
}
