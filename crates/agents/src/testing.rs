//! What several tests need.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hac_model::{Agent, Invocation, InvocationId};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

use crate::Options;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A path at which nothing is.
pub(crate) fn absent() -> std::path::PathBuf {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("hacd-absent-{}-{count}", std::process::id()))
}

/// Options of a node that reaches no cloud.
pub(crate) fn options(ocf_root: impl Into<std::path::PathBuf>) -> Options {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Options {
        runs: std::env::temp_dir().join(format!("hacd-runs-{}-{count}", std::process::id())),
        node: "primary".into(),
        node_id: 1,
        nodes: 2,
        ocf_root: ocf_root.into(),
        fence_agents: absent(),
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

/// A host on loopback whose connections come to nothing, as behind a firewall that drops: its queue is full, and nobody takes
/// from it. It is so while the second value lives. The port of the first is 0.
pub(crate) fn silent(address: &str, port: u16) -> (SocketAddr, (OwnedFd, Vec<TcpStream>)) {
    let at = SocketAddr::new(address.parse().expect("an address"), port);
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &at).expect("bound");
    listen(&socket, 0).expect("listens");
    let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok();
    let queue: Vec<TcpStream> = std::iter::from_fn(connect).take(16).collect();
    assert!(queue.len() < 16, "the queue has no end");
    (SocketAddr::new(at.ip(), 0), (socket, queue))
}
