//! A whole lab: network, cloud, hosts, prober.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::cloud::{Cloud, Door, Fabric};
use crate::forwarder::Forwarder;
use crate::host::{Footing, Ground, free_ring_port, free_tcp_port};
use crate::netns::spawn_in;
use crate::run::run;
use crate::{Error, Host, Network, Plan, Prober, guard, request, setup};

/// Labs of this process so far.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// How long a request to an address of a host may take.
const ASK_LIMIT: Duration = Duration::from_secs(60);
/// How long the page may take that a person asks for.
const PAGE_LIMIT: Duration = Duration::from_secs(2);

/// What a lab is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What the hosts stand on.
    pub ground: Ground,
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
    // Dropped in this order: first who asks, then who answers, then what carries them.
    prober: Prober,
    cloud: Cloud,
    hosts: Arc<Hosts>,
    wires: Arc<Wires>,
    /// Keeps the hosts alive: they end when the last writer of this pipe is gone.
    _alive: Option<File>,
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

/// What connects hosts and client.
#[derive(Debug)]
pub(crate) enum Wires {
    Network(Network),
    Forwarder(Forwarder),
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
    pub(crate) wires: Arc<Wires>,
    pub(crate) hosts: Arc<Hosts>,
}

impl Fabric for Hands {
    fn point(&self, holder: Option<usize>) -> Result<(), Error> {
        match &*self.wires {
            Wires::Network(network) => network.point(holder),
            Wires::Forwarder(forwarder) => {
                // At the very first the hosts do not exist yet; the lab points again when they do.
                let host = holder.and_then(|number| self.hosts.get(number).ok());
                forwarder.point(host.and_then(web_of));
                Ok(())
            }
        }
    }

    fn power(&self, host: usize, on: bool) -> Result<(), Error> {
        let host = self.hosts.get(host)?;
        if on { host.power_on() } else { host.power_off() }
    }
}

/// Where the web server of a host without a network of its own listens.
fn web_of(host: &Host) -> Option<SocketAddr> {
    match host.footing() {
        Footing::Loopback { web, .. } => Some(*web),
        Footing::Namespaces { .. } => None,
    }
}

impl Lab {
    /// Builds a lab whose hosts are switched on and run nothing yet.
    ///
    /// # Errors
    /// [`Error::Missing`] when this machine cannot hold such a lab; else what failed.
    pub fn new(options: &Options) -> Result<Self, Error> {
        setup::check(options.ground)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{}{}x{number}", guard::PREFIX, std::process::id());
        let plan = Plan::new(prefix, options.hosts);
        let directory = guard::base().join(plan.prefix());
        fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        guard::enlist(plan.prefix());
        let remains = Remains { plan, directory, programs: options.programs.clone(), kept: false };
        match options.ground {
            Ground::Namespaces => Self::in_namespaces(remains, options.probe_period, false),
            Ground::Systemd => Self::in_namespaces(remains, options.probe_period, true),
            Ground::Loopback => Self::on_loopback(remains, options.probe_period),
        }
    }

    fn in_namespaces(remains: Remains, period: Duration, systemd: bool) -> Result<Self, Error> {
        let plan = remains.plan.clone();
        let alive = keep_alive(&remains.directory)?;
        let network = Network::new(plan.clone())?;
        let wires = Arc::new(Wires::Network(network.clone()));
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80));
        let doors = vec![Door { listen, host: None }];
        let hosts = Arc::new(Hosts::default());
        let hands = Box::new(Hands { wires: Arc::clone(&wires), hosts: Arc::clone(&hosts) });
        let cloud = Cloud::start(Some(plan.cloud_namespace()), doors, plan.hosts().count(), Some(1), hands)?;
        let footing =
            |host| Footing::Namespaces { namespace: plan.host_namespace(host), network: network.clone(), systemd };
        let built = remains.build(footing)?;
        let target = SocketAddr::from((Plan::floating_ip(), 80));
        let prober = Prober::start(Some(plan.client_namespace()), target, period)?;
        let lab = Self { prober, cloud, hosts, wires, _alive: Some(alive), remains };
        lab.with_hosts(built)
    }

    fn on_loopback(remains: Remains, period: Duration) -> Result<Self, Error> {
        let plan = remains.plan.clone();
        let count = plan.hosts().count();
        let forwarder = Forwarder::start()?;
        let target = forwarder.address();
        let wires = Arc::new(Wires::Forwarder(forwarder));
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let doors = plan.hosts().map(|host| Door { listen, host: Some(host) }).collect();
        let hosts = Arc::new(Hosts::default());
        let hands = Box::new(Hands { wires: Arc::clone(&wires), hosts: Arc::clone(&hosts) });
        let cloud = Cloud::start(None, doors, count, Some(1), hands)?;
        let ring_port = free_ring_port(count)?;
        let mut webs = Vec::new();
        for host in plan.hosts() {
            webs.push(free_tcp_port(crate::cloud::loopback(host))?);
        }
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let nth = |all: &[SocketAddr], host: usize| all.get(host - 1).copied().unwrap_or(nowhere);
        let footing =
            |host| Footing::Loopback { web: nth(&webs, host), cloud: nth(cloud.addresses(), host), ring_port };
        let built = remains.build(footing)?;
        let prober = Prober::start(None, target, period)?;
        let lab = Self { prober, cloud, hosts, wires, _alive: None, remains };
        lab.with_hosts(built)
    }

    /// Makes the hosts known to the cloud, and the floating IP lead to its holder.
    fn with_hosts(self, built: Vec<Host>) -> Result<Self, Error> {
        // Nobody else holds this lab yet, so its hosts are set for the first time.
        let _ = self.hosts.0.set(built);
        self.cloud.move_address(self.cloud.holder())?;
        Ok(self)
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

    /// The stand-in cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The wires between the hosts.
    ///
    /// # Errors
    /// When the hosts share the machine's network: there is nothing to cut.
    pub fn network(&self) -> Result<&Network, Error> {
        match &*self.wires {
            Wires::Network(network) => Ok(network),
            Wires::Forwarder(_) => Err(Error::Missing("hosts on loopback have no cables".to_owned())),
        }
    }

    /// The client that asks the floating IP.
    pub fn prober(&self) -> &Prober {
        &self.prober
    }

    /// Where the floating IP is reached: its own address, or a port of this machine that leads to
    /// its holder.
    pub fn floating(&self) -> SocketAddr {
        match &*self.wires {
            Wires::Network(_) => SocketAddr::from((Plan::floating_ip(), 80)),
            Wires::Forwarder(forwarder) => forwarder.address(),
        }
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

    /// Does something on the network of a host, from which its loopback can be reached, and waits for it.
    ///
    /// # Errors
    /// When there is no such host, or it fails.
    pub fn at_host<T: Send + 'static>(
        &self,
        number: usize,
        what: &str,
        body: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let namespace = match self.host(number)?.footing() {
            Footing::Namespaces { namespace, .. } => Some(namespace.clone()),
            Footing::Loopback { .. } => None,
        };
        let failed = Error::system(what.to_owned());
        match spawn_in(namespace, what, body)?.join() {
            Ok(done) => done.map_err(failed),
            Err(_) => Err(failed(std::io::Error::other("it panicked"))),
        }
    }

    /// One request to an address as a host has it.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(
        &self,
        number: usize,
        server: SocketAddr,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Result<crate::Answer, Error> {
        let (method, path, body) = (method.to_owned(), path.to_owned(), body.to_owned());
        let token = token.map(str::to_owned);
        self.at_host(number, "a request", move || {
            request(server, &method, &path, token.as_deref(), &body, ASK_LIMIT).map_err(std::io::Error::other)
        })
    }

    /// The page at the floating IP, as the client gets it.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn page(&self) -> Result<String, Error> {
        let client = match &*self.wires {
            Wires::Network(_) => Some(self.plan().client_namespace()),
            Wires::Forwarder(_) => None,
        };
        let target = self.floating();
        let ask = move || {
            let answer = request(target, "GET", "/", None, "", PAGE_LIMIT);
            answer.map(|answer| answer.body).map_err(std::io::Error::other)
        };
        let failed = Error::system("no page");
        match spawn_in(client, "page", ask)?.join() {
            Ok(page) => page.map_err(failed),
            Err(_) => Err(failed(std::io::Error::other("the request panicked"))),
        }
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

impl Remains {
    /// Builds the hosts, switches them on and gives them their web server.
    fn build(&self, footing: impl Fn(usize) -> Footing) -> Result<Vec<Host>, Error> {
        let mut built = Vec::new();
        for number in self.plan.hosts() {
            let host = Host::new(number, &self.plan, footing(number), &self.directory, &self.programs)?;
            host.power_on()?;
            host.furnish()?;
            built.push(host);
        }
        Ok(built)
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
