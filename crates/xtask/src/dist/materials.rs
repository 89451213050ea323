//! What a program is made of, as CycloneDX in JSON, from what cargo resolved. Nothing in it depends on when and where it was
//! written, so that two releases of one commit have the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::project::{Metadata, Package, Project};

/// The version of the form.
const SPEC: &str = "1.5";

/// The list of a program of this workspace: its name, and its text. `epoch` is the time of the commit, seconds since 1970.
///
/// # Errors
/// cargo does not resolve, or there is no such program.
pub(super) fn of(project: &Project, program: &str, epoch: u64) -> anyhow::Result<(String, String)> {
    let metadata = project.metadata(true)?;
    let text = serde_json::to_string_pretty(&list(&metadata, program, epoch)?)?;
    Ok((format!("{program}.cdx.json"), text + "\n"))
}

fn list(metadata: &Metadata, program: &str, epoch: u64) -> anyhow::Result<Value> {
    let of: BTreeMap<&str, &Package> = metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let root = metadata.packages.iter().find(|package| package.name == program && package.source.is_none());
    let root = root.with_context(|| format!("there is no program {program}"))?;
    let edges = edges(metadata)?;
    let mut reached = BTreeSet::from([root.id.as_str()]);
    let mut open = vec![root.id.as_str()];
    while let Some(id) = open.pop() {
        for next in edges.get(id).into_iter().flatten() {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    let package = |id: &str| of.get(id).copied().with_context(|| format!("cargo resolved {id} and does not know it"));
    let mut components = Vec::new();
    let mut depends = Vec::new();
    for id in &reached {
        let this = package(id)?;
        if *id != root.id {
            components.push(component(this, "library"));
        }
        let on: anyhow::Result<BTreeSet<String>> =
            edges.get(id).into_iter().flatten().map(|id| package(id).map(reference)).collect();
        depends.push(json!({ "ref": reference(this), "dependsOn": on? }));
    }
    let key = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    components.sort_by_key(|value| key(value, "bom-ref"));
    depends.sort_by_key(|value| key(value, "ref"));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {
            "timestamp": super::timestamp(epoch)?,
            "component": component(root, "application"),
        },
        "components": components,
        "dependencies": depends,
    }))
}

/// What each package is built from: what only tests use is left out.
fn edges(metadata: &Metadata) -> anyhow::Result<BTreeMap<&str, Vec<&str>>> {
    let resolve = metadata.resolve.as_ref().context("cargo resolved nothing")?;
    let of = resolve.nodes.iter().map(|node| {
        let used = node.deps.iter().filter(|on| on.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev")));
        (node.id.as_str(), used.map(|on| on.pkg.as_str()).collect())
    });
    Ok(of.collect())
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, kind: &str) -> Value {
    let reference = reference(package);
    let mut component = json!({
        "type": kind, "bom-ref": reference, "name": package.name, "version": package.version, "purl": reference,
    });
    if let (Some(license), Some(fields)) = (&package.license, component.as_object_mut()) {
        // The older form of "or".
        let expression = license.replace('/', " OR ");
        fields.insert("licenses".to_owned(), json!([{ "expression": expression }]));
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_made_of_what_it_is_built_from_and_nothing_else() {
        let project = Project::find().expect("is a workspace");
        let metadata = project.metadata(true).expect("is resolved");
        let value = list(&metadata, "hacd", 1_700_000_000).expect("is written");
        assert_eq!(value, list(&metadata, "hacd", 1_700_000_000).expect("is written"), "two lists differ");
        assert_eq!(value["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
        let names: Vec<&str> =
            value["components"].as_array().expect("a list").iter().filter_map(|of| of["name"].as_str()).collect();
        for there in ["hac-totem", "ring", "tokio", "axum"] {
            assert!(names.contains(&there), "{there} is missing");
        }
        for not in ["expect-test", "proptest", "ratatui", "hac-lab", "hacd"] {
            assert!(!names.contains(&not), "{not} is no part of it");
        }
        let licensed = |of: &&Value| of["licenses"][0]["expression"].as_str().is_some_and(|text| !text.contains('/'));
        let components = value["components"].as_array().expect("a list");
        assert_eq!(components.iter().filter(licensed).count(), components.len(), "without a licence");
        assert!(list(&metadata, "nope", 0).is_err());
    }
}
