//! Whether ids are unique and references lead somewhere: what Pacemaker's schemas ask by the types ID and IDREF.

use std::collections::BTreeMap;

use super::Problem;
use super::document::{Element, Fault, quotable};

/// Elements whose `id` is a reference or a name of its own kind.
const OTHER_IDS: [&str; 6] = ["node", "resource_ref", "obj_ref", "role", "acl_target", "acl_group"];

/// Checks the configuration of a document that says which schema it obeys.
pub(super) fn check(root: &Element<'_>) -> Result<(), Fault> {
    let obeys = root.get("validate-with").is_some_and(|schema| schema.starts_with("pacemaker-"));
    let Some(configuration) = root.child("configuration").filter(|_| obeys) else { return Ok(()) };
    let mut ids = BTreeMap::new();
    collect(configuration, &mut ids)?;
    follow(configuration, &ids)
}

/// Gathers the ids and the names of the elements that have them.
fn collect<'e>(element: &'e Element<'_>, ids: &mut BTreeMap<&'e str, &'e str>) -> Result<(), Fault> {
    for child in &element.children {
        if let Some(id) = child.get("id").filter(|_| !OTHER_IDS.contains(&child.name))
            && ids.insert(id, child.name).is_some()
        {
            return Err(child.fault(Problem::Redefined { element: quotable(child.name), id: quotable(id) }));
        }
        collect(child, ids)?;
    }
    Ok(())
}

fn follow(element: &Element<'_>, ids: &BTreeMap<&str, &str>) -> Result<(), Fault> {
    for child in &element.children {
        for attribute in references(child.name) {
            let Some(id) = child.get(attribute) else { continue };
            let (found, wanted) = match (*attribute, ids.get(id)) {
                ("template", name) => (name == Some(&"template"), "template"),
                (_, name) => (name.is_some(), "element"),
            };
            if !found {
                let (element, id) = (quotable(child.name), quotable(id));
                return Err(child.fault(Problem::Dangling { element, attribute, id, wanted }));
            }
        }
        follow(child, ids)?;
    }
    Ok(())
}

/// Attributes of an element that refer to an id.
fn references(element: &str) -> &'static [&'static str] {
    match element {
        "rsc_location" | "rsc_ticket" => &["rsc"],
        "rsc_colocation" => &["rsc", "with-rsc"],
        "rsc_order" => &["first", "then"],
        "resource_ref" | "obj_ref" => &["id"],
        "primitive" | "template" => &["template"],
        _ => &["id-ref"],
    }
}
