//! How the cloud always behaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The order in which actions are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListOrder {
    /// Newest first, as the real API does.
    Newest,
    /// Oldest first.
    Oldest,
}

/// Behaviour of the cloud; all times in milliseconds. The default answers at once and forgets
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Passes before every answer of the control API.
    pub latency_ms: u64,
    /// Passes before every answer of the metadata service.
    pub metadata_latency_ms: u64,
    /// From an accepted address action to its effect.
    pub apply_ms: u64,
    /// From an accepted droplet action to its effect.
    pub power_ms: u64,
    /// Time off within a reboot or power cycle.
    pub boot_ms: u64,
    /// Whether a graceful `shutdown` really switches the droplet off.
    pub shutdown_works: bool,
    /// How old the droplet status is that readers see.
    pub status_lag_ms: u64,
    /// How old the holder of the address is that the API shows.
    pub api_stale_ms: u64,
    /// How old the holder of the address is that the metadata service shows.
    pub metadata_stale_ms: u64,
    /// Whether a pending action makes the next one fail with 422.
    pub pending_422: bool,
    /// Actions younger than this are missing from lists.
    pub list_lag_ms: u64,
    /// Order of lists of actions.
    pub list_order: ListOrder,
    /// Shows `region` as a plain string, as older answers did.
    pub region_string: bool,
    /// The address families that are served: `reserved_ips`, `floating_ips`.
    pub families: Vec<String>,
    /// More tokens, each with its scopes (`reserved_ip:update`, `droplet:read` ...).
    pub tokens: BTreeMap<String, Vec<String>>,
    /// Requests a token may make in an hour; 0 is no limit.
    pub rate_hour: usize,
    /// Requests a token may make in a minute; 0 is no limit.
    pub rate_minute: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            metadata_latency_ms: 0,
            apply_ms: 0,
            power_ms: 0,
            boot_ms: 0,
            shutdown_works: true,
            status_lag_ms: 0,
            api_stale_ms: 0,
            metadata_stale_ms: 0,
            pending_422: true,
            list_lag_ms: 0,
            list_order: ListOrder::Newest,
            region_string: false,
            families: vec!["reserved_ips".to_owned(), "floating_ips".to_owned()],
            tokens: BTreeMap::new(),
            rate_hour: 5000,
            rate_minute: 250,
        }
    }
}
