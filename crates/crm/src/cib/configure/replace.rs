//! [`Change::ReplaceConfiguration`](super::Change::ReplaceConfiguration).

use super::super::ids;
use super::super::machine::FACTS;
use super::{Draft, attributes};
use hac_model::{Configuration, Node};

/// Takes `configuration` in place of what is there. What people cannot decide stays: that there are these nodes, and the
/// properties that the cluster itself writes.
pub(super) fn replace(draft: &mut Draft, mut configuration: Configuration) {
    let old = &draft.cib.configuration;
    for node in &old.nodes {
        match configuration.nodes.iter_mut().find(|new| new.uname == node.uname) {
            Some(new) => new.id.clone_from(&node.id),
            None => configuration.nodes.push(Node {
                id: node.id.clone(),
                uname: node.uname.clone(),
                kind: node.kind.clone(),
                ..Node::default()
            }),
        }
    }
    let facts = FACTS.map(|name| (name.to_owned(), old.property(name).map(str::to_owned)));
    ids::fill_configuration(&mut configuration);
    draft.cib.configuration = configuration.into();
    attributes::set_facts(draft, &facts);
}
