//! Attributes of nodes as a state has them: what `GET /v1/attributes` answers with, and what a file with a CIB says.

use hac_api::{AttributePair, AttributeSet, Attributes, NodeAttributes};
use hac_model::{Cib, HeldAttribute, NvSet, Status};

/// Nodes and attributes of a state; `wanted` chooses among the attributes, `member` says which nodes are in the membership.
/// Who answers, and whether it has quorum, is the caller's to say.
#[must_use]
pub fn attributes(cib: &Cib, wanted: impl Fn(&str) -> bool, member: impl Fn(&str) -> bool) -> Attributes {
    let mut nodes: Vec<NodeAttributes> = cib
        .configuration
        .nodes
        .iter()
        .map(|node| {
            let state = cib.status.nodes.iter().find(|state| state.id == node.id);
            // In which of the two a value stands is the scheduler's business.
            let counting: Vec<NvSet> = state
                .into_iter()
                .flat_map(|state| state.attributes.iter().chain(&state.utilization))
                .cloned()
                .collect();
            NodeAttributes {
                id: node.id.clone(),
                name: node.uname.clone(),
                member: member(&node.uname),
                permanent: sets(&node.attributes, &wanted),
                utilization: sets(&node.utilization, &wanted),
                transient: transient(&cib.status, &node.uname, &counting, &wanted),
                private: private(&cib.status, &node.uname, &wanted),
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let configuration = &cib.configuration;
    Attributes {
        nodes,
        dampened: cib.status.held.iter().filter(|held| !held.private).map(|held| held.name.clone()).collect(),
        crm_config: sets(&configuration.crm_config, &wanted),
        rsc_defaults: sets(&configuration.rsc_defaults, &wanted),
        op_defaults: sets(&configuration.op_defaults, &wanted),
        ..Attributes::default()
    }
}

/// What a node has until it restarts, as if what is collected counted already.
fn transient(status: &Status, node: &str, counting: &[NvSet], wanted: impl Fn(&str) -> bool) -> Vec<AttributeSet> {
    let collected = |held: &&HeldAttribute| held.waits() && wanted(&held.name);
    let mut all = sets(counting, &wanted);
    for (held, waiting) in status.held.iter().filter(collected).filter_map(|held| Some((held, held.of(node)?))) {
        all.iter_mut().for_each(|set| set.pairs.retain(|pair| pair.name != held.name));
        let Some(value) = &waiting.value else { continue };
        if all.is_empty() {
            all.push(AttributeSet { id: "status".to_owned(), pairs: Vec::new() });
        }
        let pair = AttributePair { id: format!("status-{}", held.name), name: held.name.clone(), value: value.clone() };
        all.iter_mut().take(1).for_each(|set| set.pairs.push(pair.clone()));
    }
    all.retain(|set| !set.pairs.is_empty());
    all
}

/// What the daemons tell each other of a node.
fn private(status: &Status, node: &str, wanted: impl Fn(&str) -> bool) -> Vec<AttributeSet> {
    let own = status.held.iter().filter(|held| held.private && wanted(&held.name));
    let pair = |held: &HeldAttribute| {
        let value = held.of(node)?.value.clone()?;
        Some(AttributePair { id: format!("private-{}", held.name), name: held.name.clone(), value })
    };
    let pairs: Vec<AttributePair> = own.filter_map(pair).collect();
    if pairs.is_empty() { Vec::new() } else { vec![AttributeSet { id: "private".to_owned(), pairs }] }
}

/// The wanted pairs of each set that has one.
fn sets(sets: &[NvSet], wanted: impl Fn(&str) -> bool) -> Vec<AttributeSet> {
    let pairs = |set: &NvSet| -> Vec<AttributePair> {
        let pairs = set.pairs.iter().filter(|pair| wanted(&pair.name));
        let pair = pairs.map(|pair| AttributePair {
            id: pair.id.clone(),
            name: pair.name.clone(),
            value: pair.value.clone().unwrap_or_default(),
        });
        pair.collect()
    };
    let all = sets.iter().map(|set| AttributeSet { id: set.id.clone(), pairs: pairs(set) });
    all.filter(|set| !set.pairs.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hac_model::{HeldValue, NvPair};

    fn values(sets: &[AttributeSet]) -> Vec<(&str, &str)> {
        sets.iter().flat_map(|set| &set.pairs).map(|pair| (pair.name.as_str(), pair.value.as_str())).collect()
    }

    #[test]
    fn what_is_collected_shows_as_if_it_counted_and_what_is_private_apart() {
        let held = |name: &str, private: bool, values: &[(&str, Option<&str>)]| HeldAttribute {
            name: name.to_owned(),
            dampening_ms: 5000,
            private,
            utilization: false,
            values: values
                .iter()
                .map(|(node, value)| HeldValue { node: (*node).to_owned(), value: value.map(str::to_owned) })
                .collect(),
        };
        let pair =
            |name: &str, value: &str| NvPair { name: name.into(), value: Some(value.into()), ..NvPair::default() };
        let counting =
            [NvSet { id: "status-1".into(), pairs: vec![pair("pingd", "100"), pair("gone", "1")], ..NvSet::default() }];
        let status = Status {
            held: vec![
                held("pingd", false, &[("n1", Some("0")), ("n2", Some("7"))]),
                held("gone", false, &[("n1", None)]),
                held("own", true, &[("n1", Some("secret"))]),
            ],
            ..Status::default()
        };
        assert_eq!(values(&transient(&status, "n1", &counting, |_| true)), [("pingd", "0")]);
        assert_eq!(values(&transient(&status, "n2", &[], |_| true)), [("pingd", "7")]);
        assert_eq!(values(&transient(&status, "n2", &[], |name| name == "own")), []);
        assert_eq!(values(&private(&status, "n1", |_| true)), [("own", "secret")]);
        assert_eq!(values(&private(&status, "n2", |_| true)), []);
    }
}
