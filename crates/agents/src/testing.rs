//! What several tests need.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hac_model::{Agent, Invocation, InvocationId};

use crate::Options;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Options of a node that reaches no cloud.
pub(crate) fn options(ocf_root: impl Into<std::path::PathBuf>) -> Options {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Options {
        runs: std::env::temp_dir().join(format!("hacd-runs-{}-{count}", std::process::id())),
        node: "primary".into(),
        node_id: 1,
        nodes: 2,
        ocf_root: ocf_root.into(),
        fence_agents: "/nonexistent".into(),
        tools: Some("/run/hacd/hacd.bin".into()),
        environment: [("HA_debug".to_owned(), "0".to_owned())].into(),
        prefer_script: false,
        native: Vec::new(),
        script: Vec::new(),
        api_url: "http://127.0.0.1:9".into(),
        metadata_url: "http://127.0.0.1:9".into(),
    }
}

/// An action of a resource without parameters.
pub(crate) fn invocation(agent: Agent, action: &str) -> Invocation {
    Invocation {
        id: InvocationId(1),
        node: "primary".into(),
        migration: None,
        fencing: None,
        resource: "R".into(),
        instance: "R".into(),
        agent,
        action: action.into(),
        interval_ms: 0,
        timeout: Duration::from_secs(20),
        expected_rc: 0,
        params: BTreeMap::new(),
        meta: BTreeMap::new(),
    }
}
