//! Health of nodes: `#health...` attributes as colours or numbers.

use super::Unpacking;
use crate::Role;
use crate::allowed::Discovery;
use crate::ids::NodeIdx;
use crate::known::Known;
use crate::options::HealthStrategy;
use crate::rules::Location;
use crate::score;
use crate::view::Health;
use hac_model::parse_bool;

/// Id of the location constraints that health makes.
pub(crate) const ID: &str = "node-health-strategy";

/// The sum of a node's health attributes under the strategy in force.
fn sum(cluster: &Known<'_>, node: NodeIdx, base: i32) -> i32 {
    let attributes = cluster.nodes[node].attributes.iter().filter(|(name, _)| name.starts_with("#health"));
    attributes.fold(base, |sum, (_, value)| score::add(sum, cluster.options.score(value)))
}

/// Makes health into location constraints of all resources at top level. Goes before the configured ones.
pub(super) fn constrain(cluster: &mut Unpacking<'_, '_>) {
    let strategy = cluster.options.health;
    if strategy == HealthStrategy::None {
        return;
    }
    let base = if strategy == HealthStrategy::Progressive { cluster.options.health_scores[3] } else { 0 };
    for node in cluster.node_order.clone() {
        let health = sum(cluster, node, base);
        if health == 0 {
            continue;
        }
        for rsc in cluster.top.clone() {
            let exempt = cluster.rsc[rsc].meta.get("allow-unhealthy-nodes").and_then(|text| parse_bool(text));
            if health < 0 && exempt == Some(true) {
                continue;
            }
            let location = Location {
                id: ID.to_owned(),
                rsc,
                role: Role::Unknown,
                discovery: Discovery::Always,
                nodes: vec![(node, health)],
            };
            cluster.rules.add_location(location, None);
        }
    }
}

/// How healthy a node is, for people.
pub(crate) fn of(cluster: &Known<'_>, node: NodeIdx) -> Health {
    if cluster.options.health == HealthStrategy::None {
        return Health::Green;
    }
    // Numbers count for the placement alone.
    let mut worst = Health::Green;
    for (_, value) in cluster.nodes[node].attributes.iter().filter(|(name, _)| name.starts_with("#health")) {
        match value.to_ascii_lowercase().as_str() {
            "red" => return Health::Red,
            "yellow" => worst = Health::Yellow,
            _ => {}
        }
    }
    worst
}
