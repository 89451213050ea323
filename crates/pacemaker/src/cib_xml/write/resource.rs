//! Resources.

use hac_model::{Bundle, Clone as CloneResource, Group, Operation, Primitive, Resource};

use super::nvset::sets;
use super::xml::{Attributes, Writer};

/// Writes a resource at top level or inside a clone.
pub(super) fn resource(w: &mut Writer, resource: &Resource) {
    match resource {
        Resource::Primitive(r) => primitive(w, "primitive", r),
        Resource::Template(r) => primitive(w, "template", &r.0),
        Resource::Group(r) => group(w, r),
        Resource::Clone(r) => clone(w, r),
        Resource::Bundle(r) => bundle(w, r),
    }
}

fn primitive(w: &mut Writer, name: &str, primitive: &Primitive) {
    let attributes = Attributes::default()
        .with("id", &primitive.id)
        .nonempty("class", &primitive.agent.class)
        .opt("provider", primitive.agent.provider.as_ref())
        .nonempty("type", &primitive.agent.kind)
        .opt("template", primitive.template.as_ref())
        .opt("description", primitive.description.as_ref())
        .all(&primitive.attributes);
    w.element(name, &attributes, |w| {
        sets(w, "instance_attributes", &primitive.params);
        sets(w, "meta_attributes", &primitive.meta);
        sets(w, "utilization", &primitive.utilization);
        if !primitive.operations.is_empty()
            || primitive.operations_id.is_some()
            || primitive.operations_id_ref.is_some()
        {
            let attributes = Attributes::default()
                .opt("id", primitive.operations_id.as_ref())
                .opt("id-ref", primitive.operations_id_ref.as_ref());
            w.element("operations", &attributes, |w| primitive.operations.iter().for_each(|op| operation(w, op)));
        }
    });
}

fn operation(w: &mut Writer, operation: &Operation) {
    let attributes = Attributes::default()
        .nonempty("name", &operation.name)
        .with("interval", &operation.interval)
        .all(&operation.options)
        .nonempty("id", &operation.id)
        .opt("id-ref", operation.id_ref.as_ref());
    w.element("op", &attributes, |w| {
        sets(w, "meta_attributes", &operation.meta);
        sets(w, "instance_attributes", &operation.params);
    });
}

fn group(w: &mut Writer, group: &Group) {
    let attributes = Attributes::default()
        .with("id", &group.id)
        .opt("description", group.description.as_ref())
        .all(&group.attributes);
    w.element("group", &attributes, |w| {
        sets(w, "meta_attributes", &group.meta);
        sets(w, "instance_attributes", &group.params);
        group.members.iter().for_each(|member| primitive(w, "primitive", member));
    });
}

fn clone(w: &mut Writer, clone: &CloneResource) {
    let attributes = Attributes::default()
        .with("id", &clone.id)
        .opt("description", clone.description.as_ref())
        .all(&clone.attributes);
    w.element(if clone.legacy_master { "master" } else { "clone" }, &attributes, |w| {
        sets(w, "meta_attributes", &clone.meta);
        sets(w, "instance_attributes", &clone.params);
        resource(w, &clone.child);
    });
}

fn bundle(w: &mut Writer, bundle: &Bundle) {
    let attributes = Attributes::default()
        .with("id", &bundle.id)
        .opt("description", bundle.description.as_ref())
        .all(&bundle.attributes);
    w.element("bundle", &attributes, |w| {
        sets(w, "meta_attributes", &bundle.meta);
        sets(w, "instance_attributes", &bundle.params);
        w.empty(&bundle.technology, &Attributes::default().all(&bundle.container));
        if !bundle.network.is_empty() || !bundle.ports.is_empty() {
            w.element("network", &Attributes::default().all(&bundle.network), |w| {
                for port in &bundle.ports {
                    w.empty("port-mapping", &Attributes::default().all(port));
                }
            });
        }
        if !bundle.storage.is_empty() {
            w.element("storage", &Attributes::default(), |w| {
                for mapping in &bundle.storage {
                    w.empty("storage-mapping", &Attributes::default().all(mapping));
                }
            });
        }
        if let Some(inner) = &bundle.primitive {
            primitive(w, "primitive", inner);
        }
    });
}
