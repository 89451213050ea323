//! A whole lab: network, cloud, hosts, prober.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::cloud::{Cloud, Fabric};
use crate::run::run;
use crate::{Error, Host, Network, Plan, Prober, guard, setup};

/// Labs of this process so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// What a lab is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Number of hosts, 1 to 8.
    pub hosts: usize,
    /// A directory that comes first in the search path of the hosts: where `hacd` and `hacctl` are.
    pub programs: PathBuf,
    /// How often the prober asks, 10 ms or more.
    pub probe_period: Duration,
}

/// Hosts, the cloud around them and a client. Everything is removed when it is dropped.
#[derive(Debug)]
pub struct Lab {
    // Dropped in this order: first who asks, then who answers, then the wires.
    prober: Prober,
    cloud: Cloud,
    hosts: Arc<Hosts>,
    network: Network,
    /// Keeps the hosts alive: they end when the last writer of this pipe is gone.
    _alive: File,
    remains: Remains,
}

/// What is left of a lab when all its parts are gone: its namespaces and its directory.
#[derive(Debug)]
struct Remains {
    plan: Plan,
    directory: PathBuf,
    programs: PathBuf,
    kept: bool,
}

/// The hosts, known to the cloud as soon as they exist.
#[derive(Debug, Default)]
pub(crate) struct Hosts(OnceLock<Vec<Host>>);

impl Hosts {
    /// Hosts that exist already.
    pub(crate) fn new(hosts: Vec<Host>) -> Self {
        Self(OnceLock::from(hosts))
    }

    fn all(&self) -> &[Host] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    fn get(&self, number: usize) -> Result<&Host, Error> {
        number
            .checked_sub(1)
            .and_then(|index| self.all().get(index))
            .ok_or_else(|| Error::Invalid(format!("there is no host {number}")))
    }
}

/// The cloud's hands: routes and switches.
pub(crate) struct Hands {
    pub(crate) network: Network,
    pub(crate) hosts: Arc<Hosts>,
}

impl Fabric for Hands {
    fn point(&self, holder: Option<usize>) -> Result<(), Error> {
        self.network.point(holder)
    }

    fn power(&self, host: usize, on: bool) -> Result<(), Error> {
        let host = self.hosts.get(host)?;
        if on { host.power_on() } else { host.power_off() }
    }
}

impl Lab {
    /// Builds a lab whose hosts are switched on and run nothing yet.
    ///
    /// # Errors
    /// [`Error::Missing`] when this machine cannot hold labs; else what failed.
    pub fn new(options: &Options) -> Result<Self, Error> {
        setup::check()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{}{}x{number}", guard::PREFIX, std::process::id());
        let plan = Plan::new(prefix, options.hosts);
        let directory = guard::base().join(plan.prefix());
        fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        guard::enlist(plan.prefix());
        let remains = Remains {
            plan: plan.clone(),
            directory: directory.clone(),
            programs: options.programs.clone(),
            kept: false,
        };
        let alive = keep_alive(&directory)?;
        let network = Network::new(plan.clone())?;
        let hosts = Arc::new(Hosts::default());
        let hands = Hands { network: network.clone(), hosts: Arc::clone(&hosts) };
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80));
        let namespace = plan.cloud_namespace();
        let count = plan.hosts().count();
        let cloud = Cloud::start(Some(namespace), listen, count, Box::new(hands))?;
        let mut built = Vec::new();
        for number in plan.hosts() {
            let host = Host::new(number, &plan, network.clone(), &directory, &options.programs)?;
            host.power_on()?;
            host.furnish()?;
            built.push(host);
        }
        // Nobody else holds this lab yet, so its hosts are set for the first time.
        let _ = hosts.0.set(built);
        let client = plan.client_namespace();
        let prober = Prober::start(Some(client), Prober::target(), options.probe_period)?;
        Ok(Self { prober, cloud, hosts, network, _alive: alive, remains })
    }

    /// The names and addresses of this lab.
    pub fn plan(&self) -> &Plan {
        &self.remains.plan
    }

    /// All hosts, in order.
    pub fn hosts(&self) -> &[Host] {
        self.hosts.all()
    }

    /// Host `number`, from 1.
    ///
    /// # Errors
    /// When there is none.
    pub fn host(&self, number: usize) -> Result<&Host, Error> {
        self.hosts.get(number)
    }

    /// The host with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn host_named(&self, name: &str) -> Result<&Host, Error> {
        let number = self.plan().number(name);
        self.host(number.ok_or_else(|| Error::Invalid(format!("there is no host {name}")))?)
    }

    /// The stand-in cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The wires.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The client that asks the floating IP.
    pub fn prober(&self) -> &Prober {
        &self.prober
    }

    /// The directory with everything that the lab keeps.
    pub fn directory(&self) -> &Path {
        &self.remains.directory
    }

    /// The directory that comes first in the hosts' search path.
    pub(crate) fn programs(&self) -> &Path {
        &self.remains.programs
    }

    /// Power loss of a host, which the cloud sees as well.
    ///
    /// # Errors
    /// As [`Host::power_off`].
    pub fn power_off(&self, number: usize) -> Result<(), Error> {
        self.host(number)?.power_off()?;
        self.cloud.note_power(number, false);
        Ok(())
    }

    /// Switches a host on, which the cloud sees as well.
    ///
    /// # Errors
    /// As [`Host::power_on`].
    pub fn power_on(&self, number: usize) -> Result<(), Error> {
        self.host(number)?.power_on()?;
        self.cloud.note_power(number, true);
        Ok(())
    }

    /// Leaves everything running: nothing is removed when this is dropped. Another process must
    /// hold the pipe `alive` in the lab's directory by now, and take over the cloud.
    pub(crate) fn leave(mut self) {
        self.remains.kept = true;
        for host in self.hosts.all() {
            host.leave();
        }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        guard::discharge(self.plan.prefix());
        if !self.kept {
            guard::remove(self.plan.prefix());
        }
    }
}

/// Makes the pipe whose end is the end of all hosts, and holds it.
fn keep_alive(directory: &Path) -> Result<File, Error> {
    let path = directory.join("alive");
    let name = path.to_string_lossy();
    run("mkfifo", &["-m", "600", &name])?;
    hold_alive(directory)
}

/// Holds the pipe of a lab that exists.
pub(crate) fn hold_alive(directory: &Path) -> Result<File, Error> {
    let path = directory.join("alive");
    // Opened for both, so that it does not wait for a reader.
    File::options().read(true).write(true).open(&path).map_err(Error::file(path))
}
