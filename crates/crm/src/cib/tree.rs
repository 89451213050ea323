//! Finding one's way in the resource tree.

use hac_model::{Configuration, NvSet, Primitive, Resource};

/// Every resource at top level and below, parents first, templates among them.
pub(super) fn walk(resources: &[Resource]) -> Vec<Item<'_>> {
    let mut found = Vec::new();
    for resource in resources {
        walk_into(resource, None, &mut found);
    }
    found
}

fn walk_into<'a>(resource: &'a Resource, parent: Option<&'a str>, found: &mut Vec<Item<'a>>) {
    let id = resource.id();
    let kind = match resource {
        Resource::Primitive(primitive) => return found.push(leaf(primitive, parent)),
        Resource::Template(template) => {
            return found.push(Item { kind: Kind::Template(&template.0), ..leaf(&template.0, parent) });
        }
        Resource::Group(_) => Kind::Group,
        Resource::Clone(_) => Kind::Clone,
        Resource::Bundle(_) => Kind::Bundle,
    };
    let params: &[NvSet] = match resource {
        Resource::Group(group) => &group.params,
        Resource::Clone(clone) => &clone.params,
        Resource::Bundle(bundle) => &bundle.params,
        Resource::Primitive(_) | Resource::Template(_) => &[],
    };
    found.push(Item { id, parent, kind, meta: resource.meta(), params });
    match resource {
        Resource::Group(group) => found.extend(group.members.iter().map(|member| leaf(member, Some(id)))),
        Resource::Clone(clone) => walk_into(&clone.child, Some(id), found),
        Resource::Bundle(bundle) => found.extend(bundle.primitive.iter().map(|member| leaf(member, Some(id)))),
        Resource::Primitive(_) | Resource::Template(_) => {}
    }
}

/// Whether a primitive is configured whose history a node keeps under this id.
#[must_use]
pub fn has_primitive(configuration: &Configuration, history: &str) -> bool {
    let is_one =
        |item: &Item<'_>| matches!(item.kind, Kind::Primitive(_)) && super::history::belongs_to(history, item.id);
    walk(&configuration.resources).iter().any(is_one)
}

/// All primitives that are configured, templates aside, in the order of the document.
#[must_use]
pub fn primitives(configuration: &Configuration) -> Vec<&Primitive> {
    let items = walk(&configuration.resources).into_iter();
    items.filter_map(|item| if let Kind::Primitive(primitive) = item.kind { Some(primitive) } else { None }).collect()
}

fn leaf<'a>(primitive: &'a Primitive, parent: Option<&'a str>) -> Item<'a> {
    let Primitive { id, meta, params, .. } = primitive;
    Item { id, parent, kind: Kind::Primitive(primitive), meta, params }
}

/// A resource in the tree.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) id: &'a str,
    /// What it is directly in.
    pub(super) parent: Option<&'a str>,
    pub(super) kind: Kind<'a>,
    /// Its own meta-attributes.
    pub(super) meta: &'a [NvSet],
    /// Its own parameters.
    pub(super) params: &'a [NvSet],
}

/// What it is.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Primitive(&'a Primitive),
    Template(&'a Primitive),
    Group,
    Clone,
    Bundle,
}

impl Kind<'_> {
    /// The word that people use.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Primitive(_) => "primitive",
            Self::Template(_) => "template",
            Self::Group => "group",
            Self::Clone => "clone",
            Self::Bundle => "bundle",
        }
    }
}

/// The resource of this id, anywhere in the tree.
pub(super) fn find<'a>(configuration: &'a Configuration, id: &str) -> Option<Item<'a>> {
    walk(&configuration.resources).into_iter().find(|item| item.id == id)
}

/// Ids of the primitives in the resource `id`, itself included.
pub(super) fn primitives_of(configuration: &Configuration, id: &str) -> Vec<String> {
    let mut within = vec![id];
    let mut found = Vec::new();
    for item in walk(&configuration.resources) {
        let inside = within.contains(&item.id) || item.parent.is_some_and(|parent| within.contains(&parent));
        if !inside {
            continue;
        }
        within.push(item.id);
        if let Kind::Primitive(primitive) = item.kind {
            found.push(primitive.id.clone());
        }
    }
    found
}

/// The primitive or template of this id, to be changed.
pub(super) fn primitive_mut<'a>(resources: &'a mut [Resource], id: &str) -> Option<&'a mut Primitive> {
    resources.iter_mut().find_map(|resource| primitive_in(resource, id))
}

fn primitive_in<'a>(resource: &'a mut Resource, id: &str) -> Option<&'a mut Primitive> {
    match resource {
        Resource::Primitive(primitive) => (primitive.id == id).then_some(primitive),
        Resource::Template(template) => (template.0.id == id).then_some(&mut template.0),
        Resource::Group(group) => group.members.iter_mut().find(|member| member.id == id),
        Resource::Clone(clone) => primitive_in(&mut clone.child, id),
        Resource::Bundle(bundle) => bundle.primitive.as_mut().filter(|member| member.id == id),
    }
}

/// The blocks of one kind of the resource `id`.
pub(super) fn sets_mut<'a>(resources: &'a mut [Resource], id: &str, which: Which) -> Option<&'a mut Vec<NvSet>> {
    resources.iter_mut().find_map(|resource| sets_in(resource, id, which))
}

/// Kinds of blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Params,
    Meta,
}

impl Which {
    /// What crm appends to the owner's id for the block's.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Params => "instance_attributes",
            Self::Meta => "meta_attributes",
        }
    }
}

fn sets_in<'a>(resource: &'a mut Resource, id: &str, which: Which) -> Option<&'a mut Vec<NvSet>> {
    if resource.id() == id {
        let (params, meta) = match resource {
            Resource::Primitive(r) => (&mut r.params, &mut r.meta),
            Resource::Template(r) => (&mut r.0.params, &mut r.0.meta),
            Resource::Group(r) => (&mut r.params, &mut r.meta),
            Resource::Clone(r) => (&mut r.params, &mut r.meta),
            Resource::Bundle(r) => (&mut r.params, &mut r.meta),
        };
        return Some(if which == Which::Params { params } else { meta });
    }
    match resource {
        Resource::Clone(clone) => sets_in(&mut clone.child, id, which),
        other => {
            let primitive = primitive_in(other, id)?;
            Some(if which == Which::Params { &mut primitive.params } else { &mut primitive.meta })
        }
    }
}

/// Takes the primitive `id` out of the tree. A group that this leaves without members goes with it, and so does a
/// clone or bundle around it; their ids are added to `gone`.
pub(super) fn take_primitive(resources: &mut Vec<Resource>, id: &str, gone: &mut Vec<String>) -> Option<Primitive> {
    for index in 0..resources.len() {
        let Some((primitive, empty)) = resources.get_mut(index).and_then(|r| take_from(r, id, gone)) else { continue };
        if empty {
            resources.remove(index);
        }
        return Some(primitive);
    }
    None
}

/// The primitive, and whether nothing is left of where it was.
fn take_from(resource: &mut Resource, id: &str, gone: &mut Vec<String>) -> Option<(Primitive, bool)> {
    match resource {
        Resource::Primitive(primitive) if primitive.id == id => Some((primitive.clone(), true)),
        Resource::Group(group) => {
            let index = group.members.iter().position(|member| member.id == id)?;
            let primitive = group.members.remove(index);
            let empty = group.members.is_empty();
            if empty {
                gone.push(group.id.clone());
            }
            Some((primitive, empty))
        }
        Resource::Clone(clone) => {
            let (primitive, empty) = take_from(&mut clone.child, id, gone)?;
            if empty {
                gone.push(clone.id.clone());
            }
            Some((primitive, empty))
        }
        Resource::Bundle(bundle) => {
            let primitive = bundle.primitive.take_if(|member| member.id == id)?;
            Some((primitive, false))
        }
        Resource::Primitive(_) | Resource::Template(_) => None,
    }
}
