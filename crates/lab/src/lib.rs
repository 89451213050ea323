//! The laboratory of hacd: real daemons on hosts that one machine can hold.
//!
//! A [`Lab`] is a handful of [hosts](Host), a [stand-in for the cloud](cloud) with its control API and metadata service,
//! the floating IP as a route that the API moves, and a [prober](Prober) that asks the floating IP for its page many
//! times a second. On top of it a [`Cluster`] runs `hacd` with the tutorial's configuration.
//!
//! Nothing leaves the lab, nothing is started on the machine itself, and everything is gone when the [`Lab`] is dropped
//! or its process ends, however it ends. The crate is never shipped.
//!
//! | module | what |
//! |---|---|
//! | `lab` | the whole: hosts, cloud, wires, prober |
//! | `host` | one host: power, programs, daemons, files, processes |
//! | `network` | the wires of namespaces: bridges, routes, cables, cuts |
//! | `forwarder` | the floating IP where there are no namespaces |
//! | [`cloud`] | the API and metadata service, with faults and a journal |
//! | `prober` | the client, and the gaps it felt |
//! | `capture` | packets, listened to and forged |
//! | `cluster` | `hacd` on the hosts of a lab; `status` reads what `hacctl` shows |
//! | [`agents`] | all agents that are installed, tried one after the other |
//! | [`databases`] | promotable databases on the hosts, and a client that writes and checks |
//! | [`demo`], [`bench`](mod@bench), `timeline` | for people |
//! | `keep`, `guard` | labs that go on running, and the removal of all others |
//! | `far` | the cloud's API by name, over TLS, at a distance |
//! | `store` | the store that has the third vote: etcd, or a stand-in |
//! | `ringnode` | a node that is the ring and its sockets alone, for a bench |
//! | [`setup`] | what the machine must have |
//! | `plan`, `netns`, `http`, `nginx`, `run` | names and addresses, threads in namespaces, small tools |
//!
//! Invariants: no module but [`setup`] changes the machine outside a lab's own names and directory; no module but
//! `cluster` and what is built on it knows `hacd`.

pub mod agents;
pub mod bench;
pub mod cloud;
pub mod databases;
pub mod demo;
pub mod history;
pub mod hostile;
pub mod setup;
pub mod soak;
pub mod writers;

mod capture;
mod cluster;
mod error;
mod far;
mod forwarder;
mod guard;
mod host;
mod http;
mod keep;
mod lab;
mod netns;
mod network;
mod nginx;
mod plan;
mod prober;
mod ringnode;
mod run;
mod status;
mod store;
mod timeline;

pub use capture::{Capture, Packet};
pub use cluster::{Agents, Cluster, Links, PACKAGE, Tools};
pub use error::Error;
pub use guard::{clean_up_on_signals, sweep};
pub use host::{Daemon, Ground, Host, Process};
pub use http::{Answer, request};
pub use keep::{down, exec_kept, keeper, post_kept};
pub use lab::{Lab, Options};
pub use network::Network;
pub use plan::Plan;
pub use prober::{Prober, Sample, Window};
pub use ringnode::{RingNode, ring_node};
pub use run::wait_for;
pub use status::Status;
pub use store::{Kind as StoreKind, Store};
pub use timeline::Timeline;
