//! Which fence devices may be used by which nodes, and in which order they are tried for a node.
//!
//! Reads configuration, scores and parameters; writes nothing. Where a device is started does not matter for its use.

use regex_lite::Regex;

use hac_model::{Configuration, FencingLevel, FencingTarget};

use crate::digests;
use crate::ids::{NodeIdx, RscIdx};
use crate::placement::Placement;
use crate::plan::UsableDevice;
use crate::view::Role;
use crate::viewing::target_role;

/// The fence devices and the members that may use them, in the order of the configuration: none if fencing is off. A device
/// that is switched off, or that a node is kept from, is not there for it.
pub(crate) fn usable(placement: &Placement<'_>) -> Vec<UsableDevice> {
    if !placement.options.fencing {
        return Vec::new();
    }
    let mut devices = Vec::new();
    for top in &placement.top {
        for rsc in devices_of(placement, *top) {
            if target_role(placement, rsc) == Some(Role::Stopped) {
                continue;
            }
            let allowed = |node: &NodeIdx| {
                let fits = |of: RscIdx| placement.scores.of(of).get(*node).is_some_and(|allowed| allowed.score >= 0);
                fits(rsc) && (!placement.rsc[*top].is_group() || fits(*top))
            };
            let members = placement.node_order.iter().filter(|node| !placement.nodes[**node].is_pacemaker_remote());
            let nodes = members.filter(|node| allowed(node)).map(|node| {
                let params = digests::operation_params(placement, rsc, "start", 0, Some(*node));
                (placement.nodes[*node].name.clone(), params)
            });
            let nodes = nodes.collect();
            let known = placement.rsc[rsc].known_as();
            let id = known.split(':').next().unwrap_or(known).to_owned();
            let unfences = placement.rsc[rsc].meta.get("provides").is_some_and(|what| what == "unfencing");
            let agent = hac_model::Agent::clone(&placement.rsc[rsc].blocks.agent);
            devices.push(UsableDevice { id, agent, nodes, unfences });
        }
    }
    devices
}

/// The fence devices in a resource of the top level; of a clone its first instance stands for all.
fn devices_of(placement: &Placement<'_>, top: RscIdx) -> Vec<RscIdx> {
    let of = match placement.rsc[top].children.first() {
        Some(first) if placement.rsc[top].is_clone() => *first,
        _ => top,
    };
    let primitives = placement.primitives(of).into_iter();
    primitives.filter(|rsc| placement.rsc[*rsc].blocks.agent.is_fence_device()).collect()
}

/// The devices of each level of the topology for a node, in the order in which levels are tried; none if there is no topology for
/// it. What names the node itself counts before a pattern or an attribute; of several of these the first one counts.
#[must_use]
pub fn levels(configuration: &Configuration, node: &str) -> Vec<Vec<String>> {
    let all = &configuration.fencing_topology;
    let exact = |level: &&FencingLevel| matches!(&level.target, FencingTarget::Node(name) if name == node);
    let Some(first) = all.iter().find(exact).or_else(|| all.iter().find(|level| matches(configuration, level, node)))
    else {
        return Vec::new();
    };
    let mut levels: Vec<&FencingLevel> = all.iter().filter(|level| level.target == first.target).collect();
    levels.sort_by_key(|level| level.index);
    levels.into_iter().map(|level| level.devices.clone()).collect()
}

fn matches(configuration: &Configuration, level: &FencingLevel, node: &str) -> bool {
    match &level.target {
        FencingTarget::Node(name) => name == node,
        FencingTarget::Pattern(pattern) => Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(node)),
        FencingTarget::Attribute(name, value) => {
            let of = configuration.nodes.iter().find(|of| of.uname == node);
            let has = of.and_then(|of| of.attributes.iter().find_map(|set| set.get(name)));
            has == Some(value.as_str())
        }
    }
}
