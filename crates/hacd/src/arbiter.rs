//! The store that has the third vote of two nodes: what the core asks, carried to it and back. It runs where clients are served,
//! never on a thread that the cluster waits for, and every request ends in time.

mod etcd;

use std::path::PathBuf;
use std::sync::Arc;

use hac_node::{ARBITER_CALL, ArbiterAnswer};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::driver::Input;

/// Where the store is, and what opens it: `[arbiter]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its members, each without a slash at the end.
    pub(crate) endpoints: Vec<String>,
    /// What the keys of all clusters begin with.
    pub(crate) prefix: String,
    /// Who may have signed its certificate; otherwise whom this host trusts.
    pub(crate) ca_file: Option<PathBuf>,
    /// The certificate and the private key that this node shows.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    /// Who this node is there, and the file with the password.
    pub(crate) user: Option<(String, PathBuf)>,
}

/// Asks the store.
#[derive(Clone)]
pub(crate) struct Asker {
    client: Option<Arc<etcd::Client>>,
    /// Where it runs.
    runtime: Handle,
}

impl Asker {
    /// Of the store at this place, if there is one.
    pub(crate) fn new(place: Option<Place>, runtime: Handle) -> Self {
        Self { client: place.map(|place| Arc::new(etcd::Client::new(place))), runtime }
    }

    /// Asks, and has the answer put into `inputs`.
    pub(crate) fn ask(
        &self,
        id: u64,
        cluster: String,
        request: hac_quorum::ArbiterRequest,
        inputs: mpsc::Sender<Input>,
    ) {
        let client = self.client.clone();
        self.runtime.spawn(async move {
            let answer = match client {
                None => Err("hacd.toml names none".to_owned()),
                Some(client) => in_time(&client, &cluster, &request).await,
            };
            // Nobody waits for it any more when the daemon ends.
            drop(inputs.send(Input::Arbiter(id, answer)).await);
        });
    }
}

async fn in_time(
    client: &etcd::Client,
    cluster: &str,
    request: &hac_quorum::ArbiterRequest,
) -> Result<ArbiterAnswer, String> {
    match tokio::time::timeout(ARBITER_CALL, client.ask(cluster, request)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", ARBITER_CALL.as_secs())),
    }
}
