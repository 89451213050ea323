//! What several tests need.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use hac_node::{Now, Recorder};
use hac_types::{Incarnation, NodeId};

use crate::config::{Logging, Stamp, Verbosity};
use crate::log::Log;

/// A directory that goes with the value.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hacd-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("makes a directory for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes a FIFO, in which whoever waits for the other end hangs.
pub(crate) fn fifo(path: &Path) {
    let mode = 0o600.into();
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).expect("makes a FIFO");
}

/// A log that nobody reads.
pub(crate) fn quiet_log() -> Log {
    let config = Logging {
        file: None,
        syslog: None,
        stderr: false,
        timestamp: Stamp::Off,
        file_priority: 3,
        syslog_priority: 3,
        debug: Verbosity::Normal,
    };
    Log::start(&config, "test").expect("a thread")
}

/// The recorder of a small node.
pub(crate) fn recorder() -> Recorder {
    let node = NodeId(1);
    let totem = hac_totem::Config {
        cluster_name: "test".to_owned(),
        node,
        nodes: vec![hac_totem::NodeConfig { node, links: 1 }],
        links: 1,
        authkey: hac_totem::AuthKey::new(vec![7; 32]).expect("32 bytes are enough"),
        cipher: hac_totem::Cipher::None,
        timers: hac_totem::Timers::default(),
        window_size: 50,
        max_messages: 17,
        netmtu: 1500,
        contract: hac_totem::Contract::default(),
    };
    let voter = hac_quorum::Voter { node, name: "n1".to_owned(), votes: 1 };
    let config = hac_node::Config {
        totem,
        quorum: hac_quorum::Config::new(node, vec![voter]),
        name: "n1".to_owned(),
        nodes: vec![hac_node::NodeInfo { id: node, name: "n1".to_owned() }],
        cluster_name: "test".to_owned(),
        version: "0".to_owned(),
        seed: None,
        shutdown_escalation: hac_node::Config::SHUTDOWN_ESCALATION,
        request_timeout: hac_node::Config::REQUEST_TIMEOUT,
        cores: 2,
    };
    let totem = hac_totem::Stored { ring_seq: 0, incarnation: Incarnation(1) };
    let stored = hac_node::Stored::blank(totem);
    Recorder::new(&config, &stored, [1; 32], Now::default(), [2; 16])
}
