//! A cluster of real daemons on the hosts of a lab, with the tutorial's configuration.

mod files;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hac_api::Event;
use rustix::process::Signal;

use crate::cloud::TOKEN;
use crate::run::wait_for;
use crate::{Error, Ground, Host, Lab, Options, Plan, Status};

pub(crate) use files::daemon;

/// Environment variable with the directory of the programs.
const PROGRAMS_VARIABLE: &str = "HACD_BINARIES";
/// Where the package lies on a host that installs it.
pub const PACKAGE: &str = "/opt/hacd.deb";
/// Permission bits of the package.
const PACKAGE_MODE: u32 = 0o644;
/// Permission bits of the key.
const KEY_MODE: u32 = 0o400;
/// How long a daemon may take to stop in order.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Where `hacd` and `hacctl` are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// The programs in `$HACD_BINARIES`, or beside this program, or one directory above it.
    ///
    /// # Errors
    /// [`Error::Missing`] when `hacd` and `hacctl` are in none of these.
    pub fn find() -> Result<Self, Error> {
        let mut candidates: Vec<PathBuf> = std::env::var_os(PROGRAMS_VARIABLE).map(PathBuf::from).into_iter().collect();
        if candidates.is_empty()
            && let Ok(program) = std::env::current_exe()
        {
            candidates.extend(program.ancestors().skip(1).take(2).map(Path::to_owned));
        }
        let complete = |directory: &&PathBuf| ["hacd", "hacctl"].iter().all(|name| directory.join(name).is_file());
        candidates.iter().find(complete).map(|directory| Self { directory: directory.clone() }).ok_or_else(|| {
            let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            let places = places.join(", ");
            Error::Missing(format!("hacd and hacctl are not in {places} (build them, or set {PROGRAMS_VARIABLE})"))
        })
    }

    /// The programs in `directory`.
    ///
    /// # Errors
    /// [`Error::Missing`] when one of them is not there.
    pub fn inside(directory: &Path) -> Result<Self, Error> {
        if ["hacd", "hacctl"].iter().all(|name| directory.join(name).is_file()) {
            return Ok(Self { directory: directory.to_owned() });
        }
        Err(Error::Missing(format!("hacd and hacctl are not in {}", directory.display())))
    }

    /// The directory they are in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A `hacd` that knows one level more than the one in [`Self::directory`], built from the same sources.
    ///
    /// # Errors
    /// [`Error::Missing`] where it was not built.
    pub fn next_release(&self) -> Result<PathBuf, Error> {
        let program = self.directory.join("level2/hacd");
        if program.is_file() {
            return Ok(program);
        }
        Err(Error::Missing(format!("{} is not there: cargo xtask test builds it", program.display())))
    }

    /// The Debian package of this build.
    ///
    /// # Errors
    /// [`Error::Missing`] where it was not made.
    pub fn package(&self) -> Result<PathBuf, Error> {
        let folder = self.directory.join("../dist");
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let package = files.filter(|path| path.extension().is_some_and(|end| end == "deb")).max();
        let missing = || Error::Missing(format!("no package in {}: cargo xtask dist --deb", folder.display()));
        package.ok_or_else(missing)
    }

    /// The `hacd` of this build.
    pub fn release(&self) -> PathBuf {
        self.directory.join("hacd")
    }
}

/// Which implementation of the web server's agent a cluster uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agents {
    /// The ones inside `hacd`.
    Native,
    /// The OCF script of Debian's package `resource-agents`.
    Packaged,
}

/// Over how many networks the hosts talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// The private one.
    One,
    /// The private one and the public one.
    Two,
}

/// A lab whose hosts run `hacd`.
#[derive(Debug)]
pub struct Cluster {
    lab: Lab,
    /// The same moment on the monotonic and the wall clock.
    clocks: (Instant, SystemTime),
}

impl Cluster {
    /// Builds a lab of `hosts` hosts in namespaces with configuration and key in place; no daemon
    /// runs yet. `more` is appended to `hacd.toml`.
    ///
    /// # Errors
    /// When the lab cannot be built or `hacctl keygen` fails.
    pub fn new(tools: &Tools, hosts: usize, agents: Agents, more: &str) -> Result<Self, Error> {
        Self::on(Ground::Namespaces, tools, hosts, agents, more)
    }

    /// The same with two links between the hosts.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_two_links(tools: &Tools, hosts: usize) -> Result<Self, Error> {
        Self::with_links(Ground::Namespaces, tools, hosts, Agents::Native, Links::Two, "")
    }

    /// The same on any ground.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(ground: Ground, tools: &Tools, hosts: usize, agents: Agents, more: &str) -> Result<Self, Error> {
        Self::with_links(ground, tools, hosts, agents, Links::One, more)
    }

    fn with_links(
        ground: Ground,
        tools: &Tools,
        hosts: usize,
        agents: Agents,
        links: Links,
        more: &str,
    ) -> Result<Self, Error> {
        let programs = tools.directory.clone();
        let lab = Lab::new(&Options { ground, hosts, programs, probe_period: Duration::from_millis(10) })?;
        let cluster = Self { lab, clocks: (Instant::now(), SystemTime::now()) };
        for host in cluster.lab.hosts() {
            let text = files::configuration(host, hosts, agents, links)?;
            host.write(files::CONFIGURATION, &format!("{text}{more}"))?;
            host.at_boot(daemon(host)?);
        }
        cluster.make_key()?;
        Ok(cluster)
    }

    /// A lab of `hosts` hosts whose first process is systemd, with the Debian package installed and nothing configured.
    ///
    /// # Errors
    /// When the lab cannot be built or the package not be installed.
    pub fn packaged(package: &Path, hosts: usize) -> Result<Self, Error> {
        let bytes = std::fs::read(package).map_err(Error::file(package))?;
        let programs = PathBuf::from("/usr/sbin");
        let (ground, probe_period) = (Ground::Systemd, Duration::from_millis(10));
        let lab = Lab::new(&Options { ground, hosts, programs, probe_period })?;
        let cluster = Self { lab, clocks: (Instant::now(), SystemTime::now()) };
        for host in cluster.lab.hosts() {
            Self::booted(host)?;
            host.write_with_mode(PACKAGE, &bytes, PACKAGE_MODE)?;
            host.exec(&["dpkg", "--install", PACKAGE])?;
        }
        Ok(cluster)
    }

    /// Waits until systemd has started what the host starts.
    fn booted(host: &Host) -> Result<(), Error> {
        wait_for(&format!("{} has booted", host.name()), STOP_LIMIT, || {
            let said = host.output_of(&["systemctl", "is-system-running"]).ok()?;
            ["running", "degraded"].contains(&String::from_utf8_lossy(&said.stdout).trim()).then_some(())
        })
    }

    /// Writes the tutorial's configuration and the key on all hosts, whose `hacctl` is installed.
    ///
    /// # Errors
    /// When a file cannot be written or `hacctl keygen` fails.
    pub fn write_configuration(&self) -> Result<(), Error> {
        let hosts = self.lab.hosts();
        for host in hosts {
            let text = files::configuration(host, hosts.len(), Agents::Native, Links::One)?;
            host.write(files::CONFIGURATION, &text)?;
        }
        self.make_key()
    }

    /// Makes the key on the first host and copies it to the others.
    fn make_key(&self) -> Result<(), Error> {
        let first = self.host(1);
        let path = files::place(first, files::KEY)?;
        first.exec(&["hacctl", "keygen", "-k", &path])?;
        let key = first.outside(files::KEY)?;
        let key = std::fs::read(&key).map_err(Error::file(key))?;
        for host in self.lab.hosts().iter().skip(1) {
            host.write_with_mode(files::KEY, &key, KEY_MODE)?;
        }
        Ok(())
    }

    /// A cluster whose daemons run and which has the tutorial's resources, all started.
    ///
    /// # Errors
    /// When a step fails or is not reached in `limit`.
    pub fn running(tools: &Tools, hosts: usize, agents: Agents, more: &str, limit: Duration) -> Result<Self, Error> {
        Self::new(tools, hosts, agents, more)?.up(limit)
    }

    /// Adds lines to `[totem]` on all hosts, whose daemons must not have been started.
    ///
    /// # Errors
    /// When a configuration cannot be read or written.
    pub fn tuned(self, lines: &str) -> Result<Self, Error> {
        self.rewrite("[totem]\n", &format!("[totem]\n{lines}"))?;
        Ok(self)
    }

    /// Writes something else once in the configuration of all hosts, whose daemons must not have been started.
    pub(crate) fn rewrite(&self, what: &str, by: &str) -> Result<(), Error> {
        for host in self.lab.hosts() {
            let text = host.read(files::CONFIGURATION)?;
            host.write(files::CONFIGURATION, &text.replacen(what, by, 1))?;
        }
        Ok(())
    }

    /// Starts all daemons and gives them the tutorial's resources.
    ///
    /// # Errors
    /// When a step fails or is not reached in `limit`.
    pub fn up(self, limit: Duration) -> Result<Self, Error> {
        let hosts = self.lab.hosts().len();
        self.start_all()?;
        self.wait_status(1, "all nodes are online", limit, |status| status.online.len() == hosts)?;
        self.configure_tutorial(1)?;
        self.wait_up(limit)?;
        Ok(self)
    }

    /// The lab below.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The lab below, for who goes on with it alone.
    pub(crate) fn into_lab(self) -> Lab {
        self.lab
    }

    /// Host `number`.
    ///
    /// # Panics
    /// When there is none: the caller chose the number of hosts.
    pub fn host(&self, number: usize) -> &Host {
        match self.lab.host(number) {
            Ok(host) => host,
            Err(error) => panic!("{error}"),
        }
    }

    /// The names of all hosts.
    pub fn names(&self) -> Vec<&'static str> {
        self.lab.hosts().iter().map(Host::name).collect()
    }

    /// Starts the daemon of a host.
    ///
    /// # Errors
    /// When it runs already.
    pub fn start(&self, host: usize) -> Result<(), Error> {
        let host = self.host(host);
        host.start(&daemon(host)?)
    }

    /// Starts all daemons, one right after the other.
    ///
    /// # Errors
    /// When one runs already.
    pub fn start_all(&self) -> Result<(), Error> {
        self.lab.hosts().iter().try_for_each(|host| host.start(&daemon(host)?))
    }

    /// Stops the daemon of a host in order, as systemd would: it hands its resources over first.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&self, host: usize) -> Result<(), Error> {
        self.host(host).stop("hacd", STOP_LIMIT).map(drop)
    }

    /// Kills the daemon of a host and nothing else.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self, host: usize) -> Result<(), Error> {
        self.host(host).kill("hacd")
    }

    /// Kills the daemons of several hosts within a few milliseconds, and nothing else.
    ///
    /// # Errors
    /// When one does not run.
    pub fn kill_together(&self, hosts: &[usize]) -> Result<(), Error> {
        hosts.iter().try_for_each(|&host| self.host(host).signal("hacd", Signal::KILL))
    }

    /// Stops the daemon of a host for a while (SIGSTOP), as a host does that is starved or moved.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self, host: usize) -> Result<(), Error> {
        self.host(host).signal("hacd", Signal::STOP)
    }

    /// Lets a paused daemon go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self, host: usize) -> Result<(), Error> {
        self.host(host).signal("hacd", Signal::CONT)
    }

    /// A graceful reboot: the daemon is stopped in order, then the host goes down; it comes up
    /// with the daemon started.
    ///
    /// # Errors
    /// When a step fails.
    pub fn reboot(&self, host: usize) -> Result<(), Error> {
        self.stop(host)?;
        self.lab.power_off(host)?;
        self.lab.power_on(host)
    }

    /// Kills the web server of a host, with all its processes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_nginx(&self, host: usize) -> Result<(), Error> {
        self.host(host).signal("nginx", Signal::KILL)
    }

    /// The first process of a host's web server, as its pid file names it, if that runs.
    pub fn nginx(&self, host: usize) -> Option<i32> {
        let host = self.host(host);
        let pid: i32 = host.read("/run/nginx.pid").ok()?.trim().parse().ok()?;
        let running = host.processes_named("nginx").ok()?;
        running.iter().any(|process| process.inner_pid == pid).then_some(pid)
    }

    /// Runs `hacctl` on a host, whatever comes of it.
    ///
    /// # Errors
    /// When the host is off.
    pub fn try_hacctl(&self, host: usize, words: &[&str]) -> Result<Output, Error> {
        let mut command = vec!["hacctl"];
        command.extend(words);
        self.host(host).output_of(&command)
    }

    /// Runs `hacctl` on a host and gives what it printed.
    ///
    /// # Errors
    /// When it ends badly.
    pub fn hacctl(&self, host: usize, words: &[&str]) -> Result<String, Error> {
        let mut command = vec!["hacctl"];
        command.extend(words);
        self.host(host).exec(&command)
    }

    /// The tutorial's lines with a token, word by word, without the `hacctl` in front.
    pub(crate) fn tutorial_lines(&self, token: &str) -> Result<Vec<Vec<String>>, Error> {
        files::tutorial_lines(self.lab.hosts(), token)
    }

    /// Configures the provider's fence device for two hosts, which switches them off; who aims at the first host waits 4 s.
    ///
    /// # Errors
    /// When the configuration is refused, or the device is not started in `limit`.
    pub fn fence_by_cloud(&self, limit: Duration) -> Result<Status, Error> {
        let map =
            format!("pcmk_host_map={}:{};{}:{}", Plan::name(1), Plan::droplet(1), Plan::name(2), Plan::droplet(2));
        let delay = format!("pcmk_delay_base={}:4s;{}:0s", Plan::name(1), Plan::name(2));
        let token = format!("api_token={}", TOKEN);
        let device = ["configure", "primitive", "Power", "stonith:fence_digitalocean", "params", &token, &map, &delay];
        self.hacctl(1, &[&device[..], &["op", "monitor", "interval=60s"]].concat())?;
        self.hacctl(1, &["configure", "property", "stonith-action=off"])?;
        self.hacctl(1, &["configure", "property", "stonith-enabled=true"])?;
        self.wait_status(1, "the device is started", limit, |status| status.place("Power").is_some())
    }

    /// Types the tutorial's lines on a host, `hacctl` in place of `crm`.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn configure_tutorial(&self, host: usize) -> Result<(), Error> {
        for line in self.tutorial_lines(TOKEN)? {
            let words: Vec<&str> = line.iter().map(String::as_str).collect();
            self.hacctl(host, &words)?;
        }
        Ok(())
    }

    /// Everything that the daemon of a host tells in one answer; none while it does not.
    pub fn told(&self, host: usize) -> Option<hac_api::Status> {
        let output = self.try_hacctl(host, &["--json", "status"]).ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// CPU time that the daemon of a host has used.
    ///
    /// # Errors
    /// When it does not run.
    pub fn cpu(&self, host: usize) -> Result<Duration, Error> {
        let found = self.host(host).processes_named("hacd")?;
        let process = found.first().ok_or_else(|| Error::Invalid(format!("no hacd on {}", Plan::name(host))))?;
        // Linux counts hundredths of a second for programs.
        Ok(Duration::from_millis(process.cpu_ticks * 10))
    }

    /// What `hacctl status` shows on a host; none while its daemon does not answer.
    pub fn status(&self, host: usize) -> Option<Status> {
        let output = self.try_hacctl(host, &["status"]).ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        output.status.success().then(|| Status::parse(&text))
    }

    /// Waits until the status of a host satisfies `condition`.
    ///
    /// # Errors
    /// [`Error::Late`], with the last status in its text.
    pub fn wait_status(
        &self,
        host: usize,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&Status) -> bool,
    ) -> Result<Status, Error> {
        let mut last = String::from("no status at all");
        let reached = wait_for(what, limit, || {
            let status = self.status(host)?;
            last.clone_from(&status.text);
            condition(&status).then_some(status)
        });
        reached.map_err(|error| match error {
            Error::Late { what, limit } => {
                Error::Late { what: format!("{what}; {} shows:\n{last}", Plan::name(host)), limit }
            }
            other => other,
        })
    }

    /// Waits until all hosts that are on are online in the eyes of each other, the tutorial's
    /// resources are started and nothing is in progress.
    ///
    /// # Errors
    /// [`Error::Late`].
    pub fn wait_up(&self, limit: Duration) -> Result<Status, Error> {
        let on: Vec<&Host> = self.lab.hosts().iter().filter(|host| host.is_on()).collect();
        let names: Vec<&str> = on.iter().map(|host| host.name()).collect();
        let mut last = Err(Error::Invalid("no host is on".to_owned()));
        let deadline = Instant::now() + limit;
        for host in &on {
            let left = deadline.saturating_duration_since(Instant::now());
            last = self.wait_status(host.number(), "all is up", left, |status| {
                status.is_tutorial_up(&names) && self.is_settled(host.number())
            });
            last.as_ref().map(|_| ()).map_err(|error| Error::Invalid(error.to_string()))?;
        }
        last
    }

    /// Whether nothing is in progress, as the daemon of a host says.
    pub fn is_settled(&self, host: usize) -> bool {
        self.told(host).is_some_and(|status| status.settled)
    }

    /// The number of the host that holds the floating IP in the eyes of the cloud.
    ///
    /// # Errors
    /// When nobody holds it.
    pub fn active(&self) -> Result<usize, Error> {
        let holder = self.lab.cloud().holder();
        holder.ok_or_else(|| Error::Invalid("nobody holds the floating IP".to_owned()))
    }

    /// Some other host than `host` that is on.
    ///
    /// # Errors
    /// When there is none.
    pub fn other(&self, host: usize) -> Result<usize, Error> {
        let mut others = self.lab.hosts().iter().filter(|other| other.number() != host);
        others
            .find(|other| other.is_on())
            .map(Host::number)
            .ok_or_else(|| Error::Invalid("there is no other host".to_owned()))
    }

    /// What the daemon of a host remembers to have happened.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn events(&self, host: usize) -> Result<Vec<Event>, Error> {
        let text = self.hacctl(host, &["--json", "events"])?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The log of a host's daemon.
    pub fn log(&self, host: usize) -> String {
        self.host(host).read(files::LOG).unwrap_or_default()
    }

    /// When an event happened, on the lab's clock; exact to a millisecond.
    pub fn moment(&self, event: &Event) -> Instant {
        let (instant, wall) = self.clocks;
        let then = u64::try_from(event.time_ms).unwrap_or(0);
        let then = UNIX_EPOCH + Duration::from_millis(then);
        match then.duration_since(wall) {
            Ok(after) => instant + after,
            Err(before) => instant.checked_sub(before.duration()).unwrap_or(instant),
        }
    }

    /// All that helps to understand a failed test: status, output and log of every host.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for host in self.lab.hosts() {
            let status = self.status(host.number()).map_or_else(String::new, |status| status.text);
            let output = host.output("hacd");
            let log = self.log(host.number());
            for (title, text) in [("status", &status), ("output", &output), ("log", &log)] {
                report.push_str(&format!("--- {title} of {}\n{}\n", host.name(), tail(text)));
            }
        }
        report
    }
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(60);
    lines.get(first..).unwrap_or_default().join("\n")
}
