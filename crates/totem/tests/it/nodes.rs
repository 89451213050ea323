//! The nodes of a ring change while it runs.

use hac_totem::{ConfigError, NodeConfig};
use hac_types::NodeId;

use crate::checks::check;
use crate::net::{Net, config, ms};

fn list(nodes: &[u32]) -> Vec<NodeConfig> {
    nodes.iter().map(|node| NodeConfig { node: NodeId(*node), links: 1 }).collect()
}

fn set_nodes(net: &mut Net, node: u32, nodes: &[u32]) -> Result<(), ConfigError> {
    let now = net.now;
    let engine = net.hosts.get_mut(&node).unwrap().engine.as_mut().unwrap();
    let set = engine.set_nodes(now, &list(nodes));
    net.drain(node);
    set
}

/// Three hosts, of which these are the nodes as their files have it.
fn of(seed: u64, nodes: &[u32]) -> Net {
    let mut net = Net::new(seed, 3, 1);
    for node in nodes {
        let mut config = config(3, 1);
        config.node = NodeId(*node);
        config.nodes = list(nodes);
        net.start_with(*node, config);
    }
    net.run_until_ring(nodes, ms(5000));
    net
}

#[test]
fn a_node_that_is_added_is_taken_in_without_anybody_starting_anew() {
    let mut net = of(1, &[1, 2]);
    for node in [1, 2] {
        assert_eq!(set_nodes(&mut net, node, &[1, 2, 3]), Ok(()));
    }
    net.run(ms(3000));
    assert_eq!(net.regular_views(1), 1, "nobody left because of a node that is not there yet");
    net.start(3);
    net.run_until_ring(&[1, 2, 3], ms(5000));
    check(&net);
}

#[test]
fn one_node_becomes_two() {
    let mut net = of(2, &[1]);
    assert_eq!(set_nodes(&mut net, 1, &[1, 2]), Ok(()));
    let mut config = config(3, 1);
    config.node = NodeId(2);
    config.nodes = list(&[1, 2]);
    net.start_with(2, config);
    net.run_until_ring(&[1, 2], ms(5000));
    check(&net);
}

#[test]
fn a_node_that_is_removed_is_gone_at_once_and_not_heard_any_more() {
    let mut net = of(3, &[1, 2, 3]);
    for node in [1, 2] {
        assert_eq!(set_nodes(&mut net, node, &[1, 2]), Ok(()));
    }
    net.run_until_ring(&[1, 2], ms(2000));
    // It goes on with its old list and talks to both: nobody answers.
    net.run(ms(8000));
    for node in [1, 2] {
        let members: Vec<u32> = net.view(node).unwrap().members.iter().map(|member| member.node.0).collect();
        assert_eq!(members, [1, 2]);
    }
    check(&net);
}

#[test]
fn a_list_that_cannot_be_changes_nothing() {
    let mut net = of(4, &[1, 2]);
    assert_eq!(set_nodes(&mut net, 1, &[2, 3]), Err(ConfigError::NotListed(NodeId(1))));
    assert_eq!(set_nodes(&mut net, 1, &[1, 2, 2]), Err(ConfigError::DuplicateNode(NodeId(2))));
    net.run(ms(3000));
    assert_eq!(net.view(1).unwrap().members.len(), 2);
    check(&net);
}
