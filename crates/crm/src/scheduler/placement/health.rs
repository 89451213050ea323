//! Health of nodes: `#health...` attributes as colours or numbers.

use crate::scheduler::cluster::{Cluster, NodeIdx};
use crate::scheduler::options::HealthStrategy;
use crate::scheduler::score;
use crate::scheduler::view::Health;

/// The sum of a node's health attributes under the strategy in force.
pub(in crate::scheduler) fn sum(cluster: &Cluster<'_>, node: NodeIdx, base: i32) -> i32 {
    let attributes = cluster.nodes[node].attributes.iter().filter(|(name, _)| name.starts_with("#health"));
    attributes.fold(base, |sum, (_, value)| score::add(sum, cluster.options.score(value)))
}

/// How healthy a node is, for people.
pub(in crate::scheduler) fn of(cluster: &Cluster<'_>, node: NodeIdx) -> Health {
    if cluster.options.health == HealthStrategy::None {
        return Health::Green;
    }
    let mut worst = Health::Green;
    let (mut number, mut red, mut yellow) = (0, false, false);
    for (_, value) in cluster.nodes[node].attributes.iter().filter(|(name, _)| name.starts_with("#health")) {
        match value.to_ascii_lowercase().as_str() {
            "red" => red = true,
            "yellow" => yellow = true,
            "green" => {}
            other => number = score::add(number, cluster.options.score(other)),
        }
    }
    if yellow || number < 0 {
        worst = Health::Yellow;
    }
    if red || number <= -crate::model::INFINITY {
        worst = Health::Red;
    }
    worst
}
