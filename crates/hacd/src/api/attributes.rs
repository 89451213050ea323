//! `GET /v1/attributes`: what the programs that agents call ask for; and the attributes that only this daemon knows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Query, State};
use hac_api::{AttributePair, AttributeSet, Attributes, AttributesQuery, NodeAttributes};
use hac_model::{NvSet, computed};
use hac_node::MemberState;

use super::routes::{Answer, look};
use super::server::Api;

/// Most private attributes, and the longest value of one, bytes.
const PRIVATE_MAX: (usize, usize) = (10_000, 64 << 10);

/// Private attributes: by node and name.
#[derive(Clone, Debug, Default)]
pub(super) struct Private(Arc<Mutex<BTreeMap<(String, String), String>>>);

impl Private {
    /// Sets or removes one; why not, if there are too many.
    pub(super) fn set(&self, node: &str, name: &str, value: Option<&str>) -> Result<(), &'static str> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (node.to_owned(), name.to_owned());
        let Some(value) = value else {
            all.remove(&key);
            return Ok(());
        };
        if value.len() > PRIVATE_MAX.1 || (all.len() >= PRIVATE_MAX.0 && !all.contains_key(&key)) {
            return Err("there are too many private attributes, or this one is too long");
        }
        let value = computed(all.get(&key).map(String::as_str), value);
        all.insert(key, value);
        Ok(())
    }

    fn of(&self, node: &str, wanted: impl Fn(&str) -> bool) -> Vec<AttributeSet> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.iter().filter(|((of, name), _)| of == node && wanted(name));
        let pair = |((_, name), value): (&(String, String), &String)| AttributePair {
            id: format!("private-{name}"),
            name: name.clone(),
            value: value.clone(),
        };
        let pairs: Vec<AttributePair> = own.map(pair).collect();
        if pairs.is_empty() { Vec::new() } else { vec![AttributeSet { id: "private".to_owned(), pairs }] }
    }
}

/// Answers with nodes and attributes.
pub(super) async fn answer(State(api): State<Api>, Query(query): Query<AttributesQuery>) -> Answer<Attributes> {
    let look = look(&api).await;
    let wanted = |name: &str| query.name.as_deref().is_none_or(|only| only == name);
    let (facts, cib) = (look.facts(), &look.cib);
    let members = facts.members.iter().filter(|member| member.state == MemberState::Joined);
    let members: Vec<&str> = members.map(|member| member.name.as_str()).collect();
    let mut nodes: Vec<NodeAttributes> = cib
        .configuration
        .nodes
        .iter()
        .map(|node| {
            let state = cib.status.nodes.iter().find(|state| state.id == node.id);
            NodeAttributes {
                id: node.id.clone(),
                name: node.uname.clone(),
                member: members.contains(&node.uname.as_str()),
                permanent: sets(&node.attributes, wanted),
                utilization: sets(&node.utilization, wanted),
                transient: state.map(|state| sets(&state.attributes, wanted)).unwrap_or_default(),
                private: api.private.of(&node.uname, wanted),
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let configuration = &cib.configuration;
    Ok(Json(Attributes {
        node: facts.name.clone(),
        node_id: facts.node.0,
        quorate: facts.quorum.quorate,
        nodes,
        crm_config: sets(&configuration.crm_config, wanted),
        rsc_defaults: sets(&configuration.rsc_defaults, wanted),
        op_defaults: sets(&configuration.op_defaults, wanted),
    }))
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

    #[test]
    fn private_attributes_are_one_nodes_and_can_be_counted() {
        let private = Private::default();
        private.set("n1", "a", Some("1")).unwrap();
        private.set("n1", "a", Some("value++")).unwrap();
        private.set("n2", "a", Some("x")).unwrap();
        let values = |node: &str| -> Vec<String> {
            private.of(node, |_| true).into_iter().flat_map(|set| set.pairs).map(|pair| pair.value).collect()
        };
        assert_eq!((values("n1"), values("n2")), (vec!["2".to_owned()], vec!["x".to_owned()]));
        private.set("n1", "a", None).unwrap();
        assert!(values("n1").is_empty());
        assert!(private.set("n1", "a", Some(&"x".repeat(PRIVATE_MAX.1 + 1))).is_err());
    }
}
