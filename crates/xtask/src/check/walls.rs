//! The dependency walls of `docs/architecture.md`, read from `cargo metadata`, and what every manifest must say.
//!
//! Each crate has a list of what it may depend on. A new edge is a decision: it is added here together with a page or
//! a line in `docs/decisions/`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use crate::project::{Metadata, Package, Project};

/// A crate and what it may depend on, besides what the tests of every crate may use.
struct Wall {
    name: &'static str,
    /// Crates of this workspace.
    inside: &'static [&'static str],
    /// Crates of the registry.
    outside: &'static [&'static str],
    /// A core is sans-IO: it has a `clippy.toml` of its own, and nothing below it may do input or output.
    core: bool,
}

/// A library without input and output.
const fn core(name: &'static str, inside: &'static [&'static str], outside: &'static [&'static str]) -> Wall {
    Wall { name, inside, outside, core: true }
}

/// A program, or a library that may do input and output.
const fn edge(name: &'static str, inside: &'static [&'static str], outside: &'static [&'static str]) -> Wall {
    Wall { name, inside, outside, core: false }
}

const WALLS: &[Wall] = &[
    core("hac-types", &[], &["serde"]),
    core("hac-totem", &["hac-types"], &["bincode", "ring", "serde", "thiserror", "zeroize"]),
    core("hac-netsim", &["hac-types"], &[]),
    core("hac-quorum", &["hac-types"], &["serde", "thiserror"]),
    core("hac-model", &[], &["serde"]),
    core("hac-wire", &[], &["serde", "serde_json", "thiserror"]),
    core("hac-scheduler", &["hac-model", "hac-types"], &["md-5", "regex-lite", "serde", "thiserror"]),
    core(
        "hac-crm",
        &["hac-model", "hac-scheduler", "hac-types", "hac-wire"],
        &["md-5", "serde", "serde_json", "thiserror"],
    ),
    core("hac-pacemaker", &["hac-crm", "hac-model", "hac-scheduler", "hac-types"], &["quick-xml", "thiserror", "time"]),
    core(
        "hac-node",
        &["hac-crm", "hac-model", "hac-quorum", "hac-scheduler", "hac-totem", "hac-types", "hac-wire"],
        &["bincode", "serde", "serde_json", "thiserror"],
    ),
    edge("hac-api", &[], &["serde", "serde_json"]),
    edge("hac-join", &[], &["ring", "rustls", "serde", "serde_json", "thiserror", "tokio", "tokio-rustls", "zeroize"]),
    edge(
        "hac-compat",
        &["hac-api", "hac-crm", "hac-model", "hac-pacemaker", "hac-scheduler", "hac-types"],
        &["md-5", "regex-lite", "serde", "serde_json"],
    ),
    edge(
        "hac-agents",
        &["hac-model"],
        &["axum", "futures-util", "reqwest", "rustix", "rustls", "serde_json", "tokio", "tracing", "zbus"],
    ),
    edge("hac-udp", &["hac-types"], &["quinn-udp", "rustix", "socket2", "tokio", "tracing"]),
    edge(
        "hacd",
        &[
            "hac-agents",
            "hac-api",
            "hac-compat",
            "hac-crm",
            "hac-join",
            "hac-model",
            "hac-node",
            "hac-pacemaker",
            "hac-quorum",
            "hac-scheduler",
            "hac-totem",
            "hac-types",
            "hac-udp",
            "hac-wire",
        ],
        &[
            "anyhow",
            "axum",
            "base64",
            "clap",
            "futures-util",
            "http-body-util",
            "jiff",
            "reqwest",
            "prometheus-client",
            "ring",
            "rustix",
            "rustls",
            "sd-notify",
            "serde",
            "serde_json",
            "thiserror",
            "thread-priority",
            "time",
            "tokio",
            "tokio-rustls",
            "toml",
            "tracing",
            "tracing-subscriber",
            "watchdog-device",
            "zeroize",
        ],
    ),
    edge(
        "hacctl",
        &["hac-api", "hac-compat", "hac-crm", "hac-join", "hac-model", "hac-pacemaker", "hac-scheduler", "hac-types"],
        &[
            "anyhow",
            "clap",
            "clap_complete",
            "clap_mangen",
            "futures-util",
            "ratatui",
            "reqwest",
            "ring",
            "rustix",
            "rustls",
            "rustyline",
            "serde",
            "serde_json",
            "thiserror",
            "time",
            "tokio",
            "toml",
            "zeroize",
        ],
    ),
    edge(
        "hac-sim",
        &[
            "hac-api",
            "hac-crm",
            "hac-model",
            "hac-netsim",
            "hac-node",
            "hac-quorum",
            "hac-scheduler",
            "hac-totem",
            "hac-types",
            "hac-wire",
        ],
        &["serde", "serde_json", "thiserror"],
    ),
    edge(
        "hac-lab",
        // The ring and its sockets alone: `bench messaging` measures them without the rest of the daemon.
        &["hac-api", "hac-totem", "hac-types", "hac-udp"],
        &[
            "anyhow",
            "axum",
            "clap",
            "reqwest",
            "ring",
            "rustix",
            "rustls",
            "serde",
            "serde_json",
            "thiserror",
            "time",
            "tokio",
        ],
    ),
    edge(
        "hac-tests",
        &[
            "hac-api",
            "hac-crm",
            "hac-lab",
            "hac-model",
            "hac-node",
            "hac-pacemaker",
            "hac-quorum",
            "hac-scheduler",
            "hac-sim",
            "hac-totem",
            "hac-types",
        ],
        &["anyhow", "reqwest", "rustix", "serde", "serde_json", "tokio", "yaml-rust2"],
    ),
    edge("xtask", &[], &["anyhow", "ring", "roff", "serde", "serde_json"]),
];

/// What the tests of every crate may use besides.
const FOR_TESTS: &[&str] = &["expect-test", "hac-netsim", "proptest", "serde_json"];

/// Features that nothing shipped may have: deliberate bugs, and a level that exists in tests alone.
const TEST_FEATURES: &[&str] = &["mutants", "level2"];

/// Under what a crate may depend on what its tests may: fuzz targets are tests that another tool builds.
const FUZZING: &str = "cfg(fuzzing)";

/// What must not be anywhere below a core: whatever brings input, output or a runtime with it.
const NEVER_IN_A_CORE: &[&str] =
    &["async-std", "axum", "hyper", "mio", "reqwest", "rustix", "smol", "socket2", "tokio", "tracing"];

/// What must not be linked into anything: second crypto libraries (the list of `deny.toml`).
const NEVER: &[&str] =
    &["aws-lc-rs", "aws-lc-sys", "boring", "native-tls", "openssl", "openssl-sys", "rustls-rustcrypto"];

/// Where dependencies are explained.
const TABLE: &str = "docs/decisions/0009-dependencies.md";

const LICENCE: &str = "Apache-2.0 OR MIT";

/// What stands against the walls.
pub(super) fn problems(project: &Project) -> anyhow::Result<Vec<String>> {
    let metadata = project.metadata(true)?;
    let mut problems = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_none()) {
        manifest(package, &mut problems)?;
        let Some(wall) = WALLS.iter().find(|wall| wall.name == package.name) else {
            problems.push(format!("{} has no wall in crates/xtask/src/check/walls.rs", package.name));
            continue;
        };
        direct(wall, package, &mut problems);
        for_tests_only(package, &mut problems);
        if wall.core {
            below(wall, package, &metadata, &mut problems);
        }
    }
    for wall in WALLS {
        if !metadata.packages.iter().any(|package| package.name == wall.name) {
            problems.push(format!("{} has a wall but is no crate of the workspace", wall.name));
        }
    }
    let banned = metadata.packages.iter().filter(|package| NEVER.contains(&package.name.as_str()));
    problems.extend(banned.map(|package| format!("{} is banned: ring is the crypto library", package.name)));
    cores_are_pure(project, &mut problems)?;
    table(project, &metadata, &mut problems)?;
    Ok(problems)
}

/// Every crate of the registry that a manifest names has a line in the table of dependencies.
fn table(project: &Project, metadata: &Metadata, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(project.root.join(TABLE)).with_context(|| format!("{TABLE} is missing"))?;
    let members = metadata.packages.iter().filter(|package| package.source.is_none());
    let names: BTreeSet<&str> =
        members.flat_map(|package| &package.dependencies).map(|dependency| dependency.name.as_str()).collect();
    let inside = |name: &&str| WALLS.iter().any(|wall| wall.name == *name);
    let missing = names.iter().filter(|name| !inside(name) && !text.contains(&format!("`{name}`")));
    problems.extend(missing.map(|name| format!("{TABLE} does not name {name}")));
    Ok(())
}

/// Licence, no publishing, the lints of the workspace.
fn manifest(package: &Package, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let name = &package.name;
    if package.license.as_deref() != Some(LICENCE) {
        problems.push(format!("{name}: license.workspace = true is missing ({LICENCE})"));
    }
    if package.publish.as_ref().is_none_or(|registries| !registries.is_empty()) {
        problems.push(format!("{name}: publish.workspace = true is missing"));
    }
    let text = std::fs::read_to_string(&package.manifest_path)?;
    if !text.contains("[lints]\nworkspace = true") {
        problems.push(format!("{name}: [lints] workspace = true is missing"));
    }
    Ok(())
}

/// What is for tests alone is never on where nobody asks for it, and no dependency that is shipped asks for it.
fn for_tests_only(package: &Package, problems: &mut Vec<String>) {
    let is_for_tests =
        |feature: &String| TEST_FEATURES.iter().any(|name| feature == name || feature.ends_with(&format!("/{name}")));
    let mut open = vec!["default".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(feature) = open.pop() {
        if is_for_tests(&feature) {
            problems
                .push(format!("{}: the feature {feature} is for tests and must not be on by default", package.name));
        }
        if seen.insert(feature.clone()) {
            open.extend(package.features.get(&feature).cloned().unwrap_or_default());
        }
    }
    let shipped = package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
    for dependency in shipped.filter(|dependency| dependency.features.iter().any(is_for_tests)) {
        problems.push(format!("{}: asks for a feature of {} that is for tests", package.name, dependency.name));
    }
}

/// The edges that the manifest itself states.
fn direct(wall: &Wall, package: &Package, problems: &mut Vec<String>) {
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let allowed = wall.inside.contains(&name) || wall.outside.contains(&name);
        let a_test = dependency.kind.as_deref() == Some("dev") || dependency.target.as_deref() == Some(FUZZING);
        let for_tests = a_test && FOR_TESTS.contains(&name);
        if !allowed && !for_tests {
            problems.push(format!("{} must not depend on {name}", wall.name));
        }
    }
}

/// Everything that normal dependencies pull in below a core.
fn below(wall: &Wall, package: &Package, metadata: &Metadata, problems: &mut Vec<String>) {
    let names: BTreeMap<&str, &str> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let edges: BTreeMap<&str, Vec<&str>> = nodes
        .map(|node| {
            let normal =
                node.deps.iter().filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            (node.id.as_str(), normal.map(|dependency| dependency.pkg.as_str()).collect())
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![package.id.as_str()];
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(edges.get(id).into_iter().flatten().copied());
        }
    }
    for name in seen.iter().filter_map(|id| names.get(id)) {
        if NEVER_IN_A_CORE.contains(name) {
            problems.push(format!("{} is a core and {name} lies below it", wall.name));
        }
    }
}

/// Every core has the same `clippy.toml`, which bans clocks, sockets, files, threads and hash maps.
fn cores_are_pure(project: &Project, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut first: Option<(String, String)> = None;
    for wall in WALLS.iter().filter(|wall| wall.core) {
        let folder = wall.name.trim_start_matches("hac-");
        let path = format!("crates/{folder}/clippy.toml");
        let Ok(text) = std::fs::read_to_string(project.root.join(&path)) else {
            problems.push(format!("{path} is missing: {} is a core", wall.name));
            continue;
        };
        for ban in ["Instant::now", "SystemTime::now", "HashMap", "HashSet", "UdpSocket", "fs::File"] {
            if !text.contains(ban) {
                problems.push(format!("{path} does not ban {ban}"));
            }
        }
        match &first {
            None => first = Some((path, text)),
            Some((other, same)) if *same != text => {
                problems.push(format!("{path} differs from {other}: the cores obey the same rules"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
