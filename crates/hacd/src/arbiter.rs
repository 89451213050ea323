//! The store that has the third vote of two nodes: what the core asks, carried to it and back. It runs where clients are served,
//! never on a thread that the cluster waits for, and every request ends in time.

mod address;
mod etcd;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use hac_agents::Agents;
use hac_node::ArbiterAnswer;
use hac_quorum::{ArbiterRequest, Model};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::driver::Input;

/// Where the store is, and what opens it: `[arbiter]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A register in etcd.
    Etcd(Etcd),
    /// The provider's list of actions on an address.
    DigitalOcean(AddressLog),
}

impl Place {
    /// What kind of store it is.
    pub(crate) const fn model(&self) -> Model {
        match self {
            Self::Etcd(_) => Model::Register,
            Self::DigitalOcean(_) => Model::ActionLog,
        }
    }
}

/// The members of an etcd cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Etcd {
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

/// An address of the provider, and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressLog {
    /// The address.
    pub(crate) address: Ipv4Addr,
    /// The file with the token.
    pub(crate) token_file: PathBuf,
}

/// Who asks which kind of store.
enum Client {
    Etcd(etcd::Client),
    Address(address::Client),
}

/// Asks the store.
#[derive(Clone)]
pub(crate) struct Asker {
    client: Option<Arc<Client>>,
    /// How long a request may take.
    limit: std::time::Duration,
    /// Where it runs.
    runtime: Handle,
}

impl Asker {
    /// Of the store at this place, if there is one.
    pub(crate) fn new(place: Option<Place>, agents: &Agents, runtime: Handle) -> Self {
        let limit = place.as_ref().map(Place::model).unwrap_or_default().call();
        let client = place.map(|place| match place {
            Place::Etcd(etcd) => Client::Etcd(etcd::Client::new(etcd)),
            Place::DigitalOcean(log) => Client::Address(address::Client::new(log, agents.address_actions())),
        });
        Self { client: client.map(Arc::new), limit, runtime }
    }

    /// Whether there is one.
    pub(crate) const fn exists(&self) -> bool {
        self.client.is_some()
    }

    /// Asks, and has the answer put into `inputs`.
    pub(crate) fn ask(&self, id: u64, cluster: String, request: ArbiterRequest, inputs: mpsc::Sender<Input>) {
        let (client, limit) = (self.client.clone(), self.limit);
        self.runtime.spawn(async move {
            let answer = match &client {
                None => Err("hacd.toml names none".to_owned()),
                Some(client) => {
                    let asked = async {
                        match &**client {
                            Client::Etcd(etcd) => etcd.ask(&cluster, &request).await,
                            Client::Address(address) => address.ask(&request, limit).await,
                        }
                    };
                    in_time(asked, limit).await
                }
            };
            // Nobody waits for it any more when the daemon ends.
            drop(inputs.send(Input::Arbiter(id, answer)).await);
        });
    }
}

async fn in_time(
    asked: impl Future<Output = Result<ArbiterAnswer, String>>,
    limit: std::time::Duration,
) -> Result<ArbiterAnswer, String> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
    }
}
