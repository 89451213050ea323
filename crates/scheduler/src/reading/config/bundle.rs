//! Bundles: containers, their addresses and connections, and the clone of what runs inside.
//!
//! The parameters of what a bundle implies enter digests, so every byte counts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::allowed::{Allowed, Discovery};
use crate::facts::{Blocks, BundleData, Kind, Replica, Variant};
use crate::ids::{NodeIdx, RscIdx};
use crate::options::lenient_score;
use crate::reading::Reading;
use hac_model::{Agent, Bundle, NvPair, NvSet, Operation};

use super::nodes::{add_node, connection, new_node};
use super::resource::{self, create};
use super::{Prepared, collective, prepare};

/// More replicas than this are not made of one bundle.
const REPLICA_LIMIT: usize = 1_000;
/// Port of a connection into a container unless told otherwise.
const REMOTE_PORT: &str = "3121";

/// What all replicas have in common.
struct Plan<'b> {
    bundle: &'b Bundle,
    technology: &'static str,
    port: String,
    inner: Option<String>,
    addresses: Vec<Option<String>>,
    host_options: String,
    mounts: Vec<Mount>,
    ports: Vec<(String, String)>,
}

/// A folder of the host inside the container.
struct Mount {
    source: String,
    target: String,
    options: Option<String>,
    /// Every replica has its own folder below `source`.
    root: bool,
}

/// Adds a bundle; `None` if it cannot be made.
pub(super) fn add(reading: &mut Reading<'_>, bundle: &Bundle) -> Option<RscIdx> {
    let technology = match bundle.technology.as_str() {
        "docker" => "docker",
        "podman" => "podman",
        other => {
            reading.warn(format!("bundle {}: container technology {other} is not supported", bundle.id));
            return None;
        }
    };
    if bundle.primitive.is_some()
        && !["ip-range-start", "control-port"].iter().any(|it| bundle.network.contains_key(*it))
    {
        reading.warn(format!("bundle {}: a primitive inside needs ip-range-start or control-port", bundle.id));
        return None;
    }
    let number = |name: &str| bundle.container.get(name).map(|v| usize::try_from(lenient_score(v)).unwrap_or(0));
    let promoted_max = number("promoted-max").or_else(|| number("masters")).unwrap_or(0);
    let replicas = number("replicas").unwrap_or(promoted_max).clamp(1, REPLICA_LIMIT);
    let per_host = number("replicas-per-host").unwrap_or(1).max(1);
    let variant = Variant::Bundle(BundleData {
        per_host,
        image: bundle.container.get("image").cloned().unwrap_or_default(),
        ..BundleData::default()
    });
    let blocks = Blocks {
        params: reading.index.sets(&bundle.params),
        meta: reading.index.sets(&bundle.meta),
        attributes: bundle.attributes.clone(),
        ..Blocks::default()
    };
    let rsc = create(reading, &bundle.id, &Rc::new(blocks.clone()), variant, None, None);
    reading.rsc[rsc].is.facts.write().unique = per_host > 1;
    let inner = inner_clone(reading, bundle, blocks, rsc, replicas, per_host, promoted_max);
    let plan = Plan::new(bundle, technology, replicas, inner.is_some());
    for offset in 0..replicas {
        let child = inner.and_then(|clone| reading.rsc[clone].children.get(offset).copied());
        let replica = add_replica(reading, rsc, &plan, offset, child);
        if let Variant::Bundle(data) = &mut reading.rsc[rsc].facts.write().variant {
            data.replicas.push(replica);
        }
    }
    if let Some(clone) = inner {
        reading.rsc[rsc].children.push(clone);
    }
    resource::allow_nodes(reading, rsc);
    Some(rsc)
}

/// The clone of what runs inside.
fn inner_clone(
    reading: &mut Reading<'_>,
    bundle: &Bundle,
    own: Blocks,
    parent: RscIdx,
    replicas: usize,
    per_host: usize,
    promoted_max: usize,
) -> Option<RscIdx> {
    let primitive = bundle.primitive.as_ref()?;
    let configured = hac_model::Resource::Primitive(primitive.clone());
    let prepared = prepare::prepare(reading, &configured)?;
    let suffix = if promoted_max > 0 { "master" } else { "clone" };
    let pair = |name: &str, value: String| NvPair { name: name.into(), value: Some(value), ..NvPair::default() };
    let mut pairs = vec![
        pair("ordered", "true".into()),
        pair("clone-max", replicas.to_string()),
        pair("clone-node-max", per_host.to_string()),
        pair("globally-unique", (per_host > 1).to_string()),
    ];
    if promoted_max > 0 {
        pairs.push(pair("promotable", "true".into()));
        pairs.push(pair("promoted-max", promoted_max.to_string()));
    }
    let meta = vec![NvSet { id: format!("{}-{suffix}-meta", bundle.id), pairs, ..NvSet::default() }];
    let blocks = Blocks { meta, attributes: own.attributes, ..Blocks::default() };
    let id = format!("{}-{suffix}", bundle.id);
    let clone = collective::build(reading, &id, blocks, Rc::new(prepared), Some(parent), false);
    if let Variant::Bundle(data) = &mut reading.rsc[parent].facts.write().variant {
        data.child = Some(clone);
    }
    Some(clone)
}

impl<'b> Plan<'b> {
    fn new(bundle: &'b Bundle, technology: &'static str, replicas: usize, inner: bool) -> Self {
        let port = bundle.network.get("control-port").cloned();
        let mut plan = Self {
            bundle,
            technology,
            port: port.unwrap_or_else(|| REMOTE_PORT.into()),
            inner: inner.then(|| bundle.id.clone()),
            addresses: addresses(bundle.network.get("ip-range-start").map(String::as_str), replicas),
            host_options: String::new(),
            mounts: Vec::new(),
            ports: Vec::new(),
        };
        let add_host = bundle.network.get("add-host").and_then(|v| hac_model::parse_bool(v)).unwrap_or(true);
        for (offset, address) in plan.addresses.iter().enumerate() {
            let Some(address) = address else { continue };
            plan.host_options.push_str(&if add_host {
                format!(" --add-host={}-{offset}:{address}", bundle.id)
            } else {
                format!(" --hosts-entry={address}={}-{offset}", bundle.id)
            });
        }
        plan.mounts = mounts(bundle, inner);
        plan.ports = ports(bundle, inner, &plan.port);
        plan
    }

    /// Parameters of a container.
    fn container_params(&self, offset: usize) -> BTreeMap<String, String> {
        let id = &self.bundle.id;
        let address = self.addresses.get(offset).and_then(Option::as_deref);
        let mut options = String::new();
        if self.technology == "docker" {
            options.push_str(" --restart=no");
        }
        if address.is_some() {
            options.push_str(&format!(" -h {id}-{offset}"));
        }
        options.push_str(" -e PCMK_stderr=1");
        let network = self.bundle.container.get("network");
        if let Some(network) = network {
            options.push_str(&format!(" --net={network}"));
        }
        options.push_str(&format!(" -e PCMK_remote_port={}", self.port));
        let mut folders = Vec::new();
        for mount in &self.mounts {
            let source = if mount.root { format!("{}/{id}-{offset}", mount.source) } else { mount.source.clone() };
            options.push_str(&format!(" -v {source}:{}", mount.target));
            if let Some(extra) = &mount.options {
                options.push_str(&format!(":{extra}"));
            }
            if mount.root {
                folders.push(source);
            }
        }
        for (port, internal) in &self.ports {
            match address {
                Some(address) => options.push_str(&format!(" -p {address}:{port}:{internal}")),
                None if network.map(String::as_str) != Some("host") => {
                    options.push_str(&format!(" -p {port}:{internal}"));
                }
                None => {}
            }
        }
        if let Some(configured) = self.bundle.container.get("options") {
            options.push_str(&format!(" {configured}"));
        }
        options.push_str(&format!(" {}", self.host_options));
        let mut params = BTreeMap::from([
            ("image".to_owned(), self.bundle.container.get("image").cloned().unwrap_or_default()),
            ("allow_pull".to_owned(), "true".to_owned()),
            ("force_kill".to_owned(), "false".to_owned()),
            ("reuse".to_owned(), "false".to_owned()),
            ("run_opts".to_owned(), options),
            ("mount_points".to_owned(), folders.join(",")),
            ("monitor_cmd".to_owned(), "/bin/true".to_owned()),
        ]);
        let command = self.bundle.container.get("run-command").cloned();
        if let Some(command) = command.or_else(|| self.inner.as_ref().map(|_| "/usr/sbin/pacemaker-remoted".into())) {
            params.insert("run_cmd".to_owned(), command);
        }
        params
    }
}

/// One address for each replica, counted up from the first.
fn addresses(first: Option<&str>, replicas: usize) -> Vec<Option<String>> {
    let Some(first) = first else { return vec![None; replicas] };
    let mut addresses = vec![Some(first.to_owned())];
    let mut last = first.parse::<IpAddr>().ok();
    while addresses.len() < replicas {
        last = last.and_then(|address| match address {
            IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|n| IpAddr::V4(n.into())),
            IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|n| IpAddr::V6(n.into())),
        });
        addresses.push(last.map(|address| address.to_string()));
    }
    addresses.truncate(replicas);
    addresses
}

fn mounts(bundle: &Bundle, inner: bool) -> Vec<Mount> {
    let mut mounts = Vec::new();
    for mapping in &bundle.storage {
        let root = mapping.get("source-dir").is_none();
        let source = mapping.get("source-dir").or_else(|| mapping.get("source-dir-root")).cloned();
        let (Some(source), Some(target)) = (source, mapping.get("target-dir").cloned()) else { continue };
        mounts.push(Mount { source, target, options: mapping.get("options").cloned(), root });
    }
    if inner {
        let key = "/etc/pacemaker/authkey".to_owned();
        mounts.push(Mount { source: key.clone(), target: key, options: None, root: false });
        if !mounts.iter().any(|mount| mount.target == "/var/log") {
            let (source, target) = ("/var/log/pacemaker/bundles".to_owned(), "/var/log".to_owned());
            mounts.push(Mount { source, target, options: None, root: true });
        }
    }
    mounts
}

fn ports(bundle: &Bundle, inner: bool, control: &str) -> Vec<(String, String)> {
    let mut ports = Vec::new();
    for mapping in &bundle.ports {
        if let Some(range) = mapping.get("range") {
            ports.push((range.clone(), range.clone()));
        } else if let Some(port) = mapping.get("port") {
            ports.push((port.clone(), mapping.get("internal-port").unwrap_or(port).clone()));
        }
    }
    if inner {
        ports.push((control.to_owned(), control.to_owned()));
    }
    ports
}

/// Makes a primitive that a bundle implies.
fn implied(
    reading: &mut Reading<'_>,
    parent: RscIdx,
    id: &str,
    agent: &str,
    params: BTreeMap<String, String>,
) -> RscIdx {
    let pairs = params
        .into_iter()
        .map(|(name, value)| NvPair { id: format!("{id}-{name}"), name, value: Some(value), ..NvPair::default() })
        .collect();
    let blocks = Blocks {
        agent: Arc::new(Agent { class: "ocf".into(), provider: Some("heartbeat".into()), kind: agent.into() }),
        params: vec![NvSet { id: format!("{id}-attributes"), pairs, ..NvSet::default() }],
        operations: vec![Operation {
            id: format!("{id}-monitor-60s"),
            name: "monitor".into(),
            interval: "60s".into(),
            ..Operation::default()
        }],
        ..Blocks::default()
    };
    let rsc = resource::add(reading, &Prepared::Primitive(id.to_owned(), Rc::new(blocks)), Some(parent), None);
    reading.rsc[rsc].is.facts.write().internal = true;
    reading.rsc[parent].children.push(rsc);
    rsc
}

fn add_replica(
    reading: &mut Reading<'_>,
    parent: RscIdx,
    plan: &Plan<'_>,
    offset: usize,
    child: Option<RscIdx>,
) -> Replica {
    let id = &plan.bundle.id;
    let name = format!("{id}-{}-{offset}", plan.technology);
    let container = implied(reading, parent, &name, plan.technology, plan.container_params(offset));
    if let Some(child) = child {
        let moved = std::mem::take(&mut reading.rsc[child].facts.write().utilization);
        reading.rsc[container].facts.write().utilization = moved;
    }
    let address = plan.addresses.get(offset).cloned().flatten();
    let ip = address.as_ref().map(|address| {
        let text: String = address.chars().map(|c| if c == ':' { '-' } else { c }).collect();
        let mut params = BTreeMap::from([("ip".to_owned(), address.clone())]);
        if let Some(nic) = plan.bundle.network.get("host-interface") {
            params.insert("nic".into(), nic.clone());
        }
        let mask = plan.bundle.network.get("host-netmask").cloned().unwrap_or_else(|| "32".into());
        params.insert("cidr_netmask".into(), mask);
        implied(reading, parent, &format!("{id}-ip-{text}"), "IPaddr2", params)
    });
    let mut replica = Replica { offset, container, ip, remote: None, child, node: None, address };
    if let Some(child) = child {
        add_connection(reading, parent, plan, &mut replica, child);
    }
    replica
}

/// The bundle node inside a replica, and the connection to it.
fn add_connection(reading: &mut Reading<'_>, parent: RscIdx, plan: &Plan<'_>, replica: &mut Replica, child: RscIdx) {
    let mut id = format!("{}-{}", plan.bundle.id, replica.offset);
    let taken = reading.index.primitive(&id).is_some() || reading.find(&id).is_some();
    if taken {
        let inner = reading.rsc[child].id.clone();
        let inner = crate::names::base_name(&inner).to_owned();
        id = format!("pcmk-internal-{inner}-remote-{}", replica.offset);
    }
    let node = bundle_node(reading, &id);
    let own = Allowed { score: 500, discovery: Discovery::Exclusive, count: 0 };
    reading.scores.begin_anew(child);
    reading.scores.begin(child, node, own);
    reading.scores.make_exclusive(child);
    if let Some(clone) = reading.rsc[child].parent {
        let banned = Allowed { score: -hac_model::INFINITY, ..own };
        reading.scores.begin(clone, node, banned);
    }
    let pair = |name: &str, value: &str| NvPair { name: name.into(), value: Some(value.into()), ..NvPair::default() };
    let container = reading.rsc[replica.container].id.clone();
    let meta = vec![pair("internal", "true"), pair("container", &container)];
    let params = vec![pair("addr", replica.address.as_deref().unwrap_or("#uname")), pair("port", &plan.port)];
    let primitive = hac_model::Resource::Primitive(connection(&id, meta, params, None));
    let Some(prepared) = prepare::prepare(reading, &primitive) else { return };
    let remote = resource::add(reading, &prepared, Some(parent), None);
    reading.rsc[remote].is.facts.write().internal = true;
    let behind: Vec<NodeIdx> =
        reading.node_order.iter().copied().filter(|n| reading.nodes[*n].is_pacemaker_remote()).collect();
    for other in behind {
        if let Some(allowed) = reading.scores.of(remote).get(other).copied() {
            reading.scores.begin(remote, other, Allowed { score: -hac_model::INFINITY, ..allowed });
        }
    }
    reading.nodes[node].facts.write().connection = Some(remote);
    reading.rsc[remote].facts.write().remote_node = Some(node);
    reading.rsc[remote].facts.write().launcher = Some(replica.container);
    reading.rsc[replica.container].facts.write().launched.push(remote);
    reading.rsc[replica.container].is.facts.write().allow_remote_remotes = true;
    reading.rsc[remote].is.facts.write().allow_remote_remotes = true;
    reading.rsc[parent].children.push(remote);
    replica.remote = Some(remote);
    replica.node = Some(node);
}

/// A node inside a container, forbidden to everything that is there already.
fn bundle_node(reading: &mut Reading<'_>, name: &str) -> NodeIdx {
    let banned = Allowed { score: -hac_model::INFINITY, discovery: Discovery::Never, count: 0 };
    let node = match reading.find_node(name) {
        Some(node) => {
            reading.nodes[node].facts.write().kind = Kind::Bundle;
            node
        }
        None => add_node(reading, new_node(name, name, Kind::Bundle)),
    };
    reading.nodes[node].facts.write().score = banned.score;
    reading.nodes[node].facts.write().table_entry = banned;
    for rsc in reading.rsc.keys() {
        if reading.scores.of(rsc).has(node) {
            reading.scores.begin(rsc, node, banned);
        }
    }
    node
}
