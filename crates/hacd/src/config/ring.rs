//! The options of the ring.

use std::time::Duration;

use hac_totem::{AuthKey, Cipher, ConfigError, Contract, NodeConfig, Timers};
use hac_types::NodeId;

use super::keys::Table;
use super::read::Section;
use super::{Checker, Node};

impl Checker<'_> {
    /// The configuration of the ring, or `None` with a mistake.
    pub(super) fn ring(&mut self, node: NodeId, nodes: &[Node], authkey: AuthKey) -> Option<hac_totem::Config> {
        let totem = self.document.section(Table::Totem);
        let links = |node: &Node| u8::try_from(node.addresses.len()).unwrap_or(1);
        let small = |key: &str, default: u32| totem.number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
        let config = hac_totem::Config {
            cluster_name: totem.text("cluster_name").unwrap_or("hacd").to_owned(),
            node,
            nodes: nodes.iter().map(|n| NodeConfig { node: n.id, links: links(n) }).collect(),
            links: nodes.iter().find(|n| n.id == node).map_or(1, links),
            authkey,
            cipher: if totem.text("crypto_cipher") == Some("none") { Cipher::None } else { Cipher::Aes256Gcm },
            timers: timers(&totem),
            window_size: small("window_size", 50),
            max_messages: small("max_messages", 17),
            netmtu: totem.number("netmtu").and_then(|n| u16::try_from(n).ok()).unwrap_or(1500),
            contract: Contract { release: hac_types::RELEASE.to_owned(), ..Contract::default() },
        };
        match config.validate() {
            Ok(()) => Some(config),
            Err(error) => {
                self.refused(&totem, &error);
                None
            }
        }
    }

    /// Says where a rule of the ring is broken. The list of nodes has its own, better words.
    fn refused(&mut self, totem: &Section, error: &ConfigError) {
        let (key, what) = match error {
            ConfigError::Timer { key, rule } => (*key, (*rule).to_owned()),
            ConfigError::ClusterName => ("totem.cluster_name", error.to_string()),
            _ if !self.mistakes.is_empty() => return,
            _ => ("totem", error.to_string()),
        };
        let line = match self.line_of(key) {
            0 => totem.line,
            line => line,
        };
        self.report(line, key, what);
    }
}

fn timers(totem: &Section) -> Timers {
    let default = Timers::default();
    let given = |key: &str| totem.number(key).map(Duration::from_millis);
    let retransmits = totem.number("token_retransmits_before_loss_const").and_then(|n| u32::try_from(n).ok());
    Timers {
        token: given("token").unwrap_or(default.token),
        token_coefficient: given("token_coefficient").unwrap_or(default.token_coefficient),
        token_retransmits_before_loss_const: retransmits.unwrap_or(default.token_retransmits_before_loss_const),
        token_retransmit: given("token_retransmit"),
        hold: given("hold"),
        join: given("join").unwrap_or(default.join),
        consensus: given("consensus"),
        merge: given("merge").unwrap_or(default.merge),
        ping: given("ping"),
        silence_min: given("silence_min").unwrap_or(default.silence_min),
        silence_max: given("silence_max"),
        adaptive: totem.bool("adaptive").unwrap_or(default.adaptive),
        startup_listen: given("startup_listen").unwrap_or(default.startup_listen),
        rejoin_hold: given("rejoin_hold").unwrap_or(default.rejoin_hold),
    }
}
