//! Stage: cluster properties.
//!
//! Reads `crm_config` and the root attributes; writes [`Options`].

use std::collections::BTreeMap;

use hac_model::{BOOTSTRAP_OPTIONS, Cib, NvSet, parse_bool, parse_score};

use crate::conditions::{Given, parse_interval_ms, read_blocks};

/// What is done without quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NoQuorum {
    /// Keep what runs, start nothing.
    Freeze,
    /// Stop everything.
    #[default]
    Stop,
    /// Demote what is promoted, go on with the rest.
    Demote,
    /// Go on.
    Ignore,
    /// Fence all nodes of this partition.
    Fence,
}

/// How resources are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Strategy {
    /// By number.
    #[default]
    Default,
    /// By number, where there is room.
    Utilization,
    /// Few nodes.
    Minimal,
    /// Nodes with most room first.
    Balanced,
}

/// What health attributes mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HealthStrategy {
    /// Nothing.
    #[default]
    None,
    /// Red nodes are left.
    MigrateOnRed,
    /// Only green nodes are used.
    OnlyGreen,
    /// Scores are added.
    Progressive,
    /// Rules use them.
    Custom,
}

/// Cluster properties.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// All properties as written.
    pub(super) all: BTreeMap<String, String>,
    /// Unclean nodes are fenced.
    pub(super) fencing: bool,
    /// How: `reboot` or `off`.
    pub(super) fencing_action: String,
    /// A hardware watchdog fences.
    pub(super) watchdog: bool,
    /// Several nodes may be fenced at once.
    pub(super) concurrent_fencing: bool,
    /// Nodes never seen are fenced.
    pub(super) startup_fencing: bool,
    /// Agents are asked what runs where nothing is known.
    pub(super) startup_probes: bool,
    /// Milliseconds by which fencing of a less important side waits.
    pub(super) priority_fencing_delay_ms: u64,
    /// What is done without quorum.
    pub(super) no_quorum: NoQuorum,
    /// Resources may run anywhere unless told otherwise.
    pub(super) symmetric: bool,
    /// Everything is to be stopped.
    pub(super) stop_all: bool,
    /// Resources that are no longer configured are stopped.
    pub(super) stop_removed: bool,
    /// Recurring operations that are no longer configured are cancelled.
    pub(super) cancel_removed: bool,
    /// Nothing is touched.
    pub(super) maintenance: bool,
    /// How resources are spread.
    pub(super) strategy: Strategy,
    /// What health attributes mean.
    pub(super) health: HealthStrategy,
    /// Resources wait for nodes that shut down.
    pub(super) shutdown_lock: bool,
    /// For how long, milliseconds; 0 is for ever.
    pub(super) shutdown_lock_limit_ms: u64,
    /// How long a node may be joining, milliseconds; 0 is for ever.
    pub(super) node_pending_timeout_ms: u64,
    /// Remote nodes are fenced without quorum, too.
    pub(super) fence_remote_without_quorum: bool,
    /// Scores of health colours: red, yellow, green, base.
    pub(super) health_scores: [i32; 4],
}

impl Options {
    /// Reads the properties that hold.
    pub(super) fn read(cib: &Cib, blocks: &[NvSet], facts: &Given<'_>) -> Self {
        let mut all = BTreeMap::new();
        read_blocks(blocks, Some(BOOTSTRAP_OPTIONS), facts, &mut all);
        let get = |names: &[&str]| {
            names.iter().find_map(|n| all.get(*n).or_else(|| all.get(&n.replace('-', "_")))).map(String::as_str)
        };
        let flag = |names: &[&str], default| get(names).and_then(parse_bool).unwrap_or(default);
        let time = |name: &str| get(&[name]).and_then(parse_interval_ms).unwrap_or(0);
        let score = |name: &str, default| get(&[name]).and_then(parse_score).unwrap_or(default);
        let fencing = flag(&["fencing-enabled", "stonith-enabled"], true);
        let no_quorum = match get(&["no-quorum-policy"]).map(str::to_ascii_lowercase).as_deref() {
            Some("ignore") => NoQuorum::Ignore,
            Some("freeze") => NoQuorum::Freeze,
            Some("demote") => NoQuorum::Demote,
            Some("fence" | "suicide") if fencing => {
                let panicked = cib.info.no_quorum_panic.unwrap_or(false);
                if cib.info.have_quorum || panicked { NoQuorum::Fence } else { NoQuorum::Stop }
            }
            _ => NoQuorum::Stop,
        };
        let strategy = match get(&["placement-strategy"]) {
            Some("utilization") => Strategy::Utilization,
            Some("minimal") => Strategy::Minimal,
            Some("balanced") => Strategy::Balanced,
            _ => Strategy::Default,
        };
        let health = match get(&["node-health-strategy"]) {
            Some("migrate-on-red") => HealthStrategy::MigrateOnRed,
            Some("only-green") => HealthStrategy::OnlyGreen,
            Some("progressive") => HealthStrategy::Progressive,
            Some("custom") => HealthStrategy::Custom,
            _ => HealthStrategy::None,
        };
        Self {
            fencing,
            fencing_action: match get(&["fencing-action", "stonith-action"]) {
                Some("off" | "poweroff") => "off".into(),
                _ => "reboot".into(),
            },
            watchdog: flag(&["have-watchdog"], false),
            concurrent_fencing: flag(&["concurrent-fencing"], true),
            startup_fencing: flag(&["startup-fencing"], true),
            startup_probes: flag(&["enable-startup-probes"], true),
            priority_fencing_delay_ms: time("priority-fencing-delay"),
            no_quorum,
            symmetric: flag(&["symmetric-cluster"], true),
            stop_all: flag(&["stop-all-resources"], false),
            stop_removed: flag(&["stop-removed-resources", "stop-orphan-resources"], true),
            cancel_removed: flag(&["cancel-removed-actions", "stop-orphan-actions"], true),
            maintenance: flag(&["maintenance-mode"], false),
            strategy,
            health,
            shutdown_lock: flag(&["shutdown-lock"], false),
            shutdown_lock_limit_ms: time("shutdown-lock-limit"),
            node_pending_timeout_ms: time("node-pending-timeout"),
            fence_remote_without_quorum: flag(&["fence-remote-without-quorum"], false),
            health_scores: [
                score("node-health-red", -hac_model::INFINITY),
                score("node-health-yellow", 0),
                score("node-health-green", 0),
                score("node-health-base", 0),
            ],
            all,
        }
    }

    /// A score, or a health colour that stands for one.
    pub(super) fn score(&self, text: &str) -> i32 {
        match text.trim().to_ascii_lowercase().as_str() {
            "red" => self.health_score(0),
            "yellow" => self.health_score(1),
            "green" => self.health_score(2),
            _ => lenient_score(text),
        }
    }

    /// What a health colour (0 red, 1 yellow, 2 green) counts under the strategy in force.
    pub(super) fn health_score(&self, colour: usize) -> i32 {
        match (self.health, colour) {
            (HealthStrategy::None, _) => 0,
            (HealthStrategy::MigrateOnRed | HealthStrategy::OnlyGreen, 0) | (HealthStrategy::OnlyGreen, 1) => {
                -hac_model::INFINITY
            }
            (HealthStrategy::MigrateOnRed | HealthStrategy::OnlyGreen, _) => 0,
            (HealthStrategy::Progressive | HealthStrategy::Custom, colour) => self.health_scores[colour],
        }
    }

    /// The property's name for people.
    pub(super) fn no_quorum_name(&self) -> &'static str {
        match self.no_quorum {
            NoQuorum::Freeze => "freeze",
            NoQuorum::Stop => "stop",
            NoQuorum::Demote => "demote",
            NoQuorum::Ignore => "ignore",
            NoQuorum::Fence => "fence",
        }
    }
}

/// A score; a text that begins with a number counts as that number, anything else as zero.
pub(super) fn lenient_score(text: &str) -> i32 {
    parse_score(text).unwrap_or_else(|| {
        let text = text.trim();
        let end = text.char_indices().find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && "+-".contains(*c))));
        parse_score(&text[..end.map_or(text.len(), |(at, _)| at)]).unwrap_or(0)
    })
}
