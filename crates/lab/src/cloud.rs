//! A stand-in for the cloud: the control API (addresses, droplets, actions) and the metadata
//! service, with the faults that the real ones have.
//!
//! A caller is known by its source address. Faults come in two ways: [`Settings`] change how the
//! cloud always behaves (latency, staleness, limits), [`Rule`]s strike chosen requests. Both can be
//! set from Rust and, for a lab that is kept running, by `POST /_lab` (see [`Change`]).

mod actions;
mod addresses;
mod api;
mod door;
mod droplets;
mod journal;
mod metadata;
mod quota;
mod rules;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod world;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

pub use door::Change;
pub use journal::{Entry, Event};
pub use rules::{Fault, Rule, When};
pub use settings::{ListOrder, Settings};
use tokio::sync::oneshot;
use world::World;

use crate::Error;
use crate::netns::spawn_in;
use crate::plan::Plan;

/// The personal access token that the tutorial's reader would type; it may do everything.
pub const TOKEN: &str = "your_digitalocean_personal_access_token";

/// What the cloud can do to the hosts and their network.
pub trait Fabric: Send + Sync + 'static {
    /// Points the floating IP at a host, or at nobody.
    ///
    /// # Errors
    /// When it could not be done; the action ends as `errored`.
    fn point(&self, holder: Option<usize>) -> Result<(), Error>;

    /// Switches a host on or off.
    ///
    /// # Errors
    /// When it could not be done; the action ends as `errored`.
    fn power(&self, host: usize, on: bool) -> Result<(), Error>;
}

/// Where a cloud listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door {
    /// The address; port 0 for any free one.
    pub(crate) listen: SocketAddr,
    /// The host that calls here, if it is always the same; else it is known by its address.
    pub(crate) host: Option<usize>,
}

/// Everything that the threads of a cloud share.
struct Shared {
    world: Mutex<World>,
    fabric: Box<dyn Fabric>,
    /// Effects take place one after the other.
    effects: tokio::sync::Mutex<()>,
    /// Told apart by their addresses: hosts of this many.
    hosts: usize,
}

impl Shared {
    /// The state. A handler that panicked left it whole: each change is complete in itself.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that calls from an address, by that address.
    fn caller(&self, source: IpAddr) -> Option<usize> {
        let IpAddr::V4(address) = source else {
            return None;
        };
        (1..=self.hosts).find(|&host| [Plan::public(host), Plan::private(host), loopback(host)].contains(&address))
    }
}

/// The address of a host that shares the machine's loopback interface.
pub(crate) fn loopback(host: usize) -> Ipv4Addr {
    let public = Plan::public(host).octets();
    Ipv4Addr::new(127, 0, 0, public[3])
}

/// A running cloud; it stops when it is dropped.
pub struct Cloud {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Cloud {
    /// Starts a cloud of `hosts` droplets that listens in a namespace (`None`: the machine's own).
    /// The floating IP belongs to `holder` at first.
    pub(crate) fn start(
        namespace: Option<String>,
        doors: Vec<Door>,
        hosts: usize,
        holder: Option<usize>,
        fabric: Box<dyn Fabric>,
    ) -> Result<Self, Error> {
        let world = World::new(hosts, holder);
        fabric.point(world.holder())?;
        let shared = Arc::new(Shared { world: Mutex::new(world), fabric, effects: tokio::sync::Mutex::new(()), hosts });
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let serving = Arc::clone(&shared);
        let thread = spawn_in(namespace, "cloud", move || server::serve(&doors, &serving, &tell, stopped))?;
        let Ok(addresses) = told.recv() else {
            let source = match thread.join() {
                Ok(Err(error)) => error,
                Ok(Ok(())) | Err(_) => std::io::Error::other("the thread ended"),
            };
            return Err(Error::System { what: "the cloud cannot listen".to_owned(), source });
        };
        Ok(Self { shared, addresses, stop: Some(stop), thread: Some(thread) })
    }

    /// Where the API and the metadata service listen: door by door.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Adds a rule behind those that are there.
    pub fn add_rule(&self, rule: Rule) {
        self.shared.world().rules.push(rule);
    }

    /// Removes all rules.
    pub fn clear_rules(&self) {
        self.shared.world().rules.clear();
    }

    /// How often rule `index` (in the order of adding) has struck.
    pub fn struck(&self, index: usize) -> u32 {
        let world = self.shared.world();
        world.rules.get(index).map_or(0, Rule::struck)
    }

    /// Changes how the cloud always behaves.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.world().settings);
    }

    /// The host that holds the floating IP now.
    pub fn holder(&self) -> Option<usize> {
        self.shared.world().holder()
    }

    /// Moves the floating IP behind everybody's back.
    ///
    /// # Errors
    /// When the route cannot be changed.
    pub fn move_address(&self, holder: Option<usize>) -> Result<(), Error> {
        self.shared.fabric.point(holder)?;
        self.shared.world().set_holder(holder);
        Ok(())
    }

    /// Tells the cloud that a host was switched on or off by somebody else.
    pub(crate) fn note_power(&self, host: usize, on: bool) {
        self.shared.world().set_power(host, on);
    }

    /// What happened since `from`: requests in the order of their arrival, and effects.
    pub fn journal(&self, from: Instant) -> Vec<Entry> {
        let world = self.shared.world();
        let mut entries: Vec<Entry> = world.journal.iter().filter(|entry| entry.at >= from).cloned().collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    /// The address actions (assign, unassign) that were asked for since `from`.
    pub fn assigns(&self, from: Instant) -> Vec<Entry> {
        let mut entries = self.journal(from);
        entries.retain(Entry::is_assign);
        entries
    }

    /// The state that a successor needs, as `/_lab` would take it.
    pub(crate) fn hand_over(&self) -> serde_json::Value {
        door::state(&self.shared.world())
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(()); // it may have ended already
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a failure has nobody to be told
        }
    }
}
