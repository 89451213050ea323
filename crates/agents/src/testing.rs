//! What several tests need.

use crate::Options;

/// Options of a node that reaches no cloud.
pub(crate) fn options(ocf_root: impl Into<std::path::PathBuf>) -> Options {
    Options {
        node: "primary".into(),
        node_id: 1,
        ocf_root: ocf_root.into(),
        prefer_script: false,
        native: Vec::new(),
        script: Vec::new(),
        api_url: "http://127.0.0.1:9".into(),
        metadata_url: "http://127.0.0.1:9".into(),
    }
}
