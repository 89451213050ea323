//! The resources of every simulated cluster: those of the tutorial, an address on one node and a web server on all; and in
//! some a machine that migrates.

use std::collections::BTreeMap;

use hac_model::{
    Agent, Clone as Copies, Colocation, Configuration, Constraint, NvPair, NvSet, Operation, Primitive, Resource,
};

/// The address: on one node at a time.
pub const ADDRESS: &str = "FloatIP";
/// The web server: on every node.
pub const SERVER: &str = "Nginx";

/// A machine that can migrate while it runs, where the options have one: on one node at a time.
pub const MACHINE: &str = "Machine";

/// The configuration for a cluster of so many nodes. Without fencing, because the simulated world has none; two nodes ignore
/// quorum as the tutorial has it.
#[must_use]
pub fn configuration(nodes: u32, machine: bool) -> Configuration {
    let policy = if nodes == 2 { "ignore" } else { "stop" };
    let properties = [("stonith-enabled", "false"), ("no-quorum-policy", policy)];
    let copies = Copies {
        id: format!("{SERVER}-clone"),
        child: Box::new(Resource::Primitive(primitive(SERVER, "ocf", "heartbeat", "nginx"))),
        description: None,
        params: Vec::new(),
        meta: Vec::new(),
        legacy_master: false,
        attributes: BTreeMap::new(),
    };
    let with = Colocation {
        id: format!("{ADDRESS}-{SERVER}"),
        score: Some("INFINITY".to_owned()),
        rsc: ADDRESS.to_owned(),
        with_rsc: format!("{SERVER}-clone"),
        ..Colocation::default()
    };
    let mut resources =
        vec![Resource::Primitive(primitive(ADDRESS, "ocf", "digitalocean", "floatip")), Resource::Clone(copies)];
    if machine {
        let plain = primitive(MACHINE, "ocf", "sim", "machine");
        let meta = vec![set(&format!("{MACHINE}-meta"), &[("allow-migrate", "true")])];
        resources.push(Resource::Primitive(Primitive { meta, ..plain }));
    }
    Configuration {
        crm_config: vec![set(hac_model::BOOTSTRAP_OPTIONS, &properties)],
        rsc_defaults: vec![set("rsc-options", &[("resource-stickiness", "100")])],
        resources,
        constraints: vec![Constraint::Colocation(with)],
        ..Configuration::default()
    }
}

fn primitive(id: &str, class: &str, provider: &str, kind: &str) -> Primitive {
    let operation = |name: &str, interval: &str, timeout: &str| Operation {
        id: format!("{id}-{name}-{interval}"),
        name: name.to_owned(),
        interval: interval.to_owned(),
        options: BTreeMap::from([("timeout".to_owned(), timeout.to_owned())]),
        ..Operation::default()
    };
    Primitive {
        id: id.to_owned(),
        agent: Agent { class: class.to_owned(), provider: Some(provider.to_owned()), kind: kind.to_owned() },
        operations: vec![
            operation("start", "0s", "20s"),
            operation("stop", "0s", "20s"),
            operation("monitor", "10s", "20s"),
        ],
        ..Primitive::default()
    }
}

fn set(id: &str, pairs: &[(&str, &str)]) -> NvSet {
    let pair = |&(name, value): &(&str, &str)| NvPair {
        id: format!("{id}-{name}"),
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..NvPair::default()
    };
    NvSet { id: id.to_owned(), pairs: pairs.iter().map(pair).collect(), ..NvSet::default() }
}
