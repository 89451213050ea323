//! Every rule of the configuration, and the values derived for common sizes.

use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config(nodes: u32) -> Config {
    Config {
        cluster_name: "c".into(),
        node: NodeId(1),
        nodes: (1..=nodes).map(|n| NodeConfig { node: NodeId(n), links: 1 }).collect(),
        links: 1,
        authkey: AuthKey::new(vec![1; 32]).unwrap(),
        cipher: Cipher::default(),
        timers: Timers::default(),
        window_size: 50,
        max_messages: 17,
        netmtu: 1500,
        contract: Contract::default(),
    }
}

#[test]
fn the_defaults_are_valid_for_every_size() {
    for nodes in 1..=64 {
        assert_eq!(config(nodes).validate(), Ok(()), "{nodes} nodes");
    }
}

#[test]
fn derived_values_are_those_of_corosync() {
    let timers = Timers::default();
    for (nodes, token, retransmit, hold, consensus) in
        [(2, 3000, 714, 561, 3600), (3, 3650, 869, 685, 4380), (8, 6900, 1642, 1304, 8280)]
    {
        assert_eq!(timers.token_for(nodes), ms(token));
        assert_eq!(timers.token_retransmit_for(nodes).as_millis(), u128::from(retransmit as u32));
        assert_eq!(timers.hold_for(nodes).as_millis(), u128::from(hold as u32));
        assert_eq!(timers.consensus_for(nodes), ms(consensus));
    }
}

#[test]
fn a_short_token_alone_is_enough_for_a_fast_cluster() {
    for token in [100, 300, 1000] {
        let mut config = config(2);
        config.timers.token = ms(token);
        assert_eq!(config.validate(), Ok(()), "token {token}");
        assert!(config.timers.silence_min_for(2) <= ms(token));
    }
}

#[test]
fn every_broken_rule_names_its_key() {
    type Breaks = fn(&mut Config);
    let broken: [(&str, Breaks); 13] = [
        ("totem.token", |c| c.timers.token = ms(29)),
        ("totem.token", |c| c.timers.token = ms(300_001)),
        ("totem.join", |c| c.timers.join = ms(10)),
        ("totem.merge", |c| c.timers.merge = ms(0)),
        ("totem.consensus", |c| c.timers.consensus = Some(ms(40))),
        ("totem.token_retransmit", |c| c.timers.token_retransmit = Some(ms(3000))),
        ("totem.token_retransmits_before_loss_const", |c| c.timers.token_retransmits_before_loss_const = 0),
        ("totem.hold", |c| c.timers.hold = Some(ms(3000))),
        ("totem.silence_min", |c| c.timers.ping = Some(ms(200))),
        ("totem.silence_max", |c| c.timers.silence_max = Some(ms(3001))),
        ("totem.window_size", |c| c.window_size = 0),
        ("totem.max_messages", |c| c.max_messages = 51),
        ("totem.netmtu", |c| c.netmtu = 500),
    ];
    for (expected, breaks) in broken {
        let mut config = config(2);
        breaks(&mut config);
        match config.validate() {
            Err(ConfigError::Timer { key, .. }) => assert_eq!(key, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn nodes_are_checked() {
    let mut none = config(2);
    none.nodes.clear();
    assert_eq!(none.validate(), Err(ConfigError::NodeCount(0)));
    assert_eq!(config(65).validate(), Err(ConfigError::NodeCount(65)));
    let mut twice = config(2);
    twice.nodes[1].node = NodeId(1);
    assert_eq!(twice.validate(), Err(ConfigError::DuplicateNode(NodeId(1))));
    let mut stranger = config(2);
    stranger.node = NodeId(3);
    assert_eq!(stranger.validate(), Err(ConfigError::NotListed(NodeId(3))));
    let mut zero = config(2);
    zero.nodes[1].node = NodeId(0);
    assert_eq!(zero.validate(), Err(ConfigError::NodeId(NodeId(0))));
    let mut links = config(2);
    links.nodes[1].links = 3;
    assert_eq!(links.validate(), Err(ConfigError::Links(NodeId(2))));
    let mut unnamed = config(2);
    unnamed.cluster_name.clear();
    assert_eq!(unnamed.validate(), Err(ConfigError::ClusterName));
}
