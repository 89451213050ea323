//! Health of nodes: `#health...` attributes as colours or numbers.

use super::Unpacking;
use crate::allowed::Discovery;
use crate::ids::NodeIdx;
use crate::known::Known;
use crate::options::HealthStrategy;
use crate::rules::Location;
use crate::score;
use crate::view::Health;
use hac_model::Role;
use hac_model::parse_bool;

/// Id of the location constraints that health makes.
pub(crate) const ID: &str = "node-health-strategy";

/// The sum of a node's health attributes under the strategy in force.
fn sum(known: &Known<'_>, node: NodeIdx, base: i32) -> i32 {
    let attributes = known.nodes[node].attributes.iter().filter(|(name, _)| name.starts_with("#health"));
    attributes.fold(base, |sum, (_, value)| score::add(sum, known.options.score(value)))
}

/// Makes health into location constraints of all resources at top level. Goes before the configured ones.
pub(super) fn constrain(unpacking: &mut Unpacking<'_, '_>) {
    let strategy = unpacking.options.health;
    if strategy == HealthStrategy::None {
        return;
    }
    let base = if strategy == HealthStrategy::Progressive { unpacking.options.health_scores[3] } else { 0 };
    for node in unpacking.node_order.clone() {
        let health = sum(unpacking, node, base);
        if health == 0 {
            continue;
        }
        for rsc in unpacking.top.clone() {
            let exempt = unpacking.rsc[rsc].meta.get("allow-unhealthy-nodes").and_then(|text| parse_bool(text));
            if health < 0 && exempt == Some(true) {
                continue;
            }
            let location = Location {
                rule: None,
                id: ID.to_owned(),
                rsc,
                role: Role::Unknown,
                discovery: Discovery::Always,
                nodes: vec![(node, health)],
            };
            unpacking.rules.add_location(location, None);
        }
    }
}

/// How healthy a node is, for people.
pub(crate) fn of(known: &Known<'_>, node: NodeIdx) -> Health {
    if known.options.health == HealthStrategy::None {
        return Health::Green;
    }
    // Numbers count for the placement alone.
    let mut worst = Health::Green;
    for (_, value) in known.nodes[node].attributes.iter().filter(|(name, _)| name.starts_with("#health")) {
        match value.to_ascii_lowercase().as_str() {
            "red" => return Health::Red,
            "yellow" => worst = Health::Yellow,
            _ => {}
        }
    }
    worst
}
