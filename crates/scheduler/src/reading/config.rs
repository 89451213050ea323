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
use crate::reading::fact::Fact;

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
    let mut reading = Reading { known, scores: Scores::new(scores), requests: Requests::default() };
    nodes::read(&mut reading);
    let implicit = nodes::read_remote(&mut reading);
    read_resources(&mut reading, &implicit);
    read_tags(&mut reading);
    reading
}

fn read_resources(reading: &mut Reading<'_>, implicit: &[Configured]) {
    let cib = reading.cib;
    for configured in cib.configuration.resources.iter().chain(implicit) {
        let added = match configured {
            Configured::Template(_) => None,
            Configured::Primitive(_) | Configured::Group(_) => {
                let prepared = prepare::prepare(reading, configured);
                prepared.map(|prepared| resource::add(reading, &prepared, None, None))
            }
            Configured::Clone(clone) => collective::add_clone(reading, clone),
            Configured::Bundle(bundle) => bundle::add(reading, bundle),
        };
        if let Some(rsc) = added {
            reading.top.push(rsc);
        }
    }
    for rsc in reading.rsc.keys() {
        link(reading, rsc);
    }
    reading.facts.write().fencing_configured =
        reading.options.watchdog || reading.rsc.iter().any(|rsc| rsc.is.fence_device);
    let mut top = std::mem::take(&mut reading.top);
    top.sort_by_key(|rsc| std::cmp::Reverse(reading.rsc[*rsc].priority));
    reading.top = top;
}

/// Connects containers with what they contain, and connections with the nodes behind them.
fn link(reading: &mut Reading<'_>, rsc: RscIdx) {
    if let Some(container) = reading.rsc[rsc].meta.get("container").cloned()
        && reading.rsc[rsc].launcher.is_none()
        && reading.rsc[rsc].is_primitive()
    {
        match reading.find(&container) {
            Some(container) if container != rsc => {
                reading.rsc[rsc].facts.write().launcher = Some(container);
                reading.rsc[container].facts.write().launched.push(rsc);
            }
            _ => reading.warn(format!("{}: container {container} is no resource", reading.rsc[rsc].id)),
        }
    }
    if reading.is_connection(rsc) {
        nodes::link_connection(reading, rsc);
    }
}

fn read_tags(reading: &mut Reading<'_>) {
    for tag in &reading.cib.configuration.tags {
        let members = reading.facts.write().sets.entry(tag.id.clone()).or_default();
        for member in &tag.members {
            if !members.contains(member) {
                members.push(member.clone());
            }
        }
    }
}

/// Whether an agent is a Pacemaker Remote connection.
pub(crate) fn is_remote_agent(agent: &Agent) -> bool {
    agent.is_remote_connection()
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
