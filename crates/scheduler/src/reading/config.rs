//! Stage: the configuration. Nodes, resources with their instances, tags and templates.
//!
//! Reads the configuration section; writes nodes, resources and options. Nothing of the status is known yet.

mod bundle;
mod collective;
mod nodes;
mod prepare;
mod resource;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::arena::Arena;
use crate::facts::{Facts, Prepared};
use crate::ids::RscIdx;
use crate::reading::Reading;
use crate::requests::Requests;
use crate::scores::Scores;
use hac_types::WallTime;

use hac_model::{Agent, Cib, Resource as Configured};

use crate::conditions::Given;
use crate::index::Index;
use crate::known::Known;
use crate::options::Options;
use crate::reading::Fact;

pub(crate) use collective::add_instance;
pub(crate) use nodes::{add_attributes, add_capacity};
pub(crate) use resource::{RemovedKind, add_removed, target_role};

/// Reads the configuration of `cib` as it holds at `now`.
pub(crate) fn read(cib: &Cib, now: WallTime, scores: bool) -> Reading<'_> {
    let index = Index::new(cib);
    let now = now.as_secs();
    let next = Cell::new(None);
    let facts = Given { now, next_change: Some(&next), ..Given::default() };
    let options = Options::read(cib, &index.sets(&cib.configuration.crm_config), &facts);
    let defaults = index.sets(&cib.configuration.rsc_defaults);
    let op_defaults = index.sets(&cib.configuration.op_defaults);
    let facts = Facts {
        cib,
        index,
        now,
        quorate: cib.info.have_quorum,
        options,
        defaults,
        op_defaults,
        dc: None,
        node_order: Vec::new(),
        rsc_by_id: BTreeMap::new(),
        renamed: BTreeMap::new(),
        sets: BTreeMap::new(),
        tickets: BTreeMap::new(),
        failed: Vec::new(),
        has_remote_nodes: false,
        unfencing_in_use: prepare::mentions_unfencing(cib),
        fencing_configured: false,
    };
    let known = Known {
        facts: Fact::new(facts),
        recheck_by: next,
        warnings: RefCell::default(),
        nodes: Arena::default(),
        rsc: Arena::default(),
        top: Vec::new(),
    };
    let mut cluster = Reading { known, scores: Scores::new(scores), requests: Requests::default() };
    nodes::read(&mut cluster);
    let implicit = nodes::read_remote(&mut cluster);
    read_resources(&mut cluster, &implicit);
    read_tags(&mut cluster);
    cluster
}

fn read_resources(cluster: &mut Reading<'_>, implicit: &[Configured]) {
    let cib = cluster.cib;
    for configured in cib.configuration.resources.iter().chain(implicit) {
        let added = match configured {
            Configured::Template(_) => None,
            Configured::Primitive(_) | Configured::Group(_) => {
                let prepared = prepare::prepare(cluster, configured);
                prepared.map(|prepared| resource::add(cluster, &prepared, None, None))
            }
            Configured::Clone(clone) => collective::add_clone(cluster, clone),
            Configured::Bundle(bundle) => bundle::add(cluster, bundle),
        };
        if let Some(rsc) = added {
            cluster.top.push(rsc);
        }
    }
    for rsc in cluster.rsc.keys() {
        link(cluster, rsc);
    }
    cluster.facts.write().fencing_configured =
        cluster.options.watchdog || cluster.rsc.iter().any(|rsc| rsc.is.fence_device);
    let mut top = std::mem::take(&mut cluster.top);
    top.sort_by_key(|rsc| std::cmp::Reverse(cluster.rsc[*rsc].priority));
    cluster.top = top;
}

/// Connects containers with what they contain, and connections with the nodes behind them.
fn link(cluster: &mut Reading<'_>, rsc: RscIdx) {
    if let Some(container) = cluster.rsc[rsc].meta.get("container").cloned()
        && cluster.rsc[rsc].launcher.is_none()
        && cluster.rsc[rsc].is_primitive()
    {
        match cluster.find(&container) {
            Some(container) if container != rsc => {
                cluster.rsc[rsc].facts.write().launcher = Some(container);
                cluster.rsc[container].facts.write().launched.push(rsc);
            }
            _ => cluster.warn(format!("{}: container {container} is no resource", cluster.rsc[rsc].id)),
        }
    }
    if cluster.is_connection(rsc) {
        nodes::link_connection(cluster, rsc);
    }
}

fn read_tags(cluster: &mut Reading<'_>) {
    for tag in &cluster.cib.configuration.tags {
        let members = cluster.facts.write().sets.entry(tag.id.clone()).or_default();
        for member in &tag.members {
            if !members.contains(member) {
                members.push(member.clone());
            }
        }
    }
}

/// Whether an agent is a Pacemaker Remote connection.
pub(crate) fn is_remote_agent(agent: &Agent) -> bool {
    agent.class == "ocf" && agent.provider.as_deref() == Some("pacemaker") && agent.kind == "remote"
}

impl Reading<'_> {
    /// A removed connection's node, made if it does not exist.
    pub(crate) fn link_removed_connection(&mut self, rsc: RscIdx) {
        let id = self.rsc[rsc].id.clone();
        if self.find_node(&id).is_none() {
            nodes::add_node(self, nodes::new_node(&id, &id, crate::facts::Kind::Remote));
        }
        nodes::link_connection(self, rsc);
        if let Some(node) = self.rsc[rsc].remote_node
            && self.cib.status.nodes.iter().any(|state| state.id == id || state.uname.as_deref() == Some(&id))
        {
            // The nodes of configured connections are taken for clean as soon as they have an entry; so is this one.
            self.nodes[node].unclean = false;
        }
    }
}
