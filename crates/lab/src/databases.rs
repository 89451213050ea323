//! Promotable databases on the hosts of a lab: Debian's servers under the agents that Debian ships, driven by `hacd` or, for
//! comparison, by Corosync and Pacemaker; and a client that writes and checks.

mod pacemaker;
mod writer;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

pub use pacemaker::installed as pacemaker_installed;
use writer::Speech;
pub use writer::Writer;

use crate::bench::pause;
use crate::cluster::daemon;
use crate::run::wait_for;
use crate::{Cluster, Error, Host, Status};

/// The address under which the database is found, on the public network.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 100);
/// What sets PostgreSQL up.
const POSTGRES: &str = include_str!("databases/postgres.sh");
/// What sets Redis up.
const REDIS: &str = include_str!("databases/redis.sh");

/// A database and the agent that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL under PAF, `ocf:heartbeat:pgsqlms`.
    Paf,
    /// PostgreSQL under `ocf:heartbeat:pgsql`.
    Pgsql,
    /// Redis under `ocf:heartbeat:redis`.
    Redis,
}

/// What decides where the database runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack<'a> {
    /// `hacd`.
    Hacd,
    /// Corosync and Pacemaker, as they are installed on this machine, with this configuration (a CIB in XML).
    Pacemaker(&'a str),
}

impl Stack<'_> {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hacd => "hacd",
            Self::Pacemaker(_) => "corosync+pacemaker",
        }
    }
}

impl Engine {
    /// The engine of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "paf" => Self::Paf,
            "pgsql" => Self::Pgsql,
            "redis" => Self::Redis,
            _ => return None,
        })
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paf => "PostgreSQL, ocf:heartbeat:pgsqlms (PAF)",
            Self::Pgsql => "PostgreSQL, ocf:heartbeat:pgsql",
            Self::Redis => "Redis, ocf:heartbeat:redis",
        }
    }

    /// The Debian packages of it that are not installed here.
    pub fn missing(self) -> Vec<&'static str> {
        let needed: &[(&str, &str)] = match self {
            Self::Paf => {
                &[("/usr/lib/ocf/resource.d/heartbeat/pgsqlms", "resource-agents-paf"), ("/usr/bin/psql", "postgresql")]
            }
            Self::Pgsql => {
                &[("/usr/lib/ocf/resource.d/heartbeat/pgsql", "resource-agents"), ("/usr/bin/psql", "postgresql")]
            }
            Self::Redis => &[
                ("/usr/lib/ocf/resource.d/heartbeat/redis", "resource-agents"),
                ("/usr/bin/redis-server", "redis-server"),
            ],
        };
        needed.iter().filter(|(file, _)| !Path::new(file).exists()).map(|&(_, package)| package).collect()
    }

    /// The clone whose promoted instance is the database.
    pub const fn clone_id(self) -> &'static str {
        match self {
            Self::Paf => "pgsql-ha",
            Self::Pgsql => "msPostgresql",
            Self::Redis => "redis-ha",
        }
    }

    /// How many instances beside the promoted one are given a promotion score in a cluster of so many hosts at rest. The agent
    /// `pgsql` lets only the standby be promoted that commits wait for.
    const fn candidates(self, hosts: usize) -> usize {
        match self {
            Self::Paf | Self::Redis => hosts - 1,
            Self::Pgsql => 1,
        }
    }

    /// What is in the clone.
    const fn primitive_id(self) -> &'static str {
        match self {
            Self::Paf => "pgsqld",
            Self::Pgsql => "pgsql",
            Self::Redis => "redis",
        }
    }

    const fn speech(self) -> (Speech, u16) {
        match self {
            Self::Paf | Self::Pgsql => (Speech::Postgres, 5432),
            Self::Redis => (Speech::Redis, 6379),
        }
    }

    const fn script(self) -> &'static str {
        match self {
            Self::Paf | Self::Pgsql => POSTGRES,
            Self::Redis => REDIS,
        }
    }

    /// What an administrator gives `crm configure`, `hacctl` in its place.
    fn lines(self, names: &[&str]) -> String {
        let address =
            format!("ocf:heartbeat:IPaddr2 params ip={ADDRESS} cidr_netmask=24 nic=eth0 op monitor interval=10s");
        let (clone, home) = (self.clone_id(), "/var/lib/postgresql/lab");
        let primitive = match self {
            Self::Paf => format!(
                "primitive pgsqld ocf:heartbeat:pgsqlms params bindir={} pgdata={home}/data pghost={home} \
                 op start timeout=60s op stop timeout=60s op promote timeout=30s op demote timeout=120s \
                 op monitor interval=15s timeout=10s role=Master op monitor interval=16s timeout=10s role=Slave \
                 op notify timeout=60s\n\
                 ms {clone} pgsqld meta notify=true",
                programs()
            ),
            Self::Pgsql => format!(
                "primitive pgsql ocf:heartbeat:pgsql params pgctl={bin}/pg_ctl psql={bin}/psql pgdata={home}/data \
                 socketdir={home} logfile={home}/log rep_mode=sync node_list=\"{nodes}\" master_ip={ADDRESS} \
                 tmpdir={home}/tmp primary_conninfo_opt=\"keepalives_idle=1 keepalives_interval=1 keepalives_count=2\" \
                 restart_on_promote=false stop_escalate=0 \
                 op start timeout=60s op stop timeout=60s op promote timeout=60s op demote timeout=60s \
                 op monitor interval=7s timeout=60s op monitor interval=3s role=Master timeout=60s op notify timeout=60s\n\
                 ms {clone} pgsql meta master-max=1 master-node-max=1 clone-node-max=1 notify=true",
                bin = programs(),
                nodes = names.join(" ")
            ),
            Self::Redis => format!(
                "primitive redis ocf:heartbeat:redis params config=/etc/redis/redis.conf \
                 op start timeout=60s op stop timeout=60s op promote timeout=60s op demote timeout=60s \
                 op monitor interval=10s timeout=30s op monitor interval=5s role=Master timeout=30s op notify timeout=30s\n\
                 ms {clone} redis meta notify=true"
            ),
        };
        format!(
            "property stonith-enabled=false\n\
             {primitive}\n\
             primitive db-ip {address}\n\
             colocation ip-with-primary inf: db-ip {clone}:Master\n\
             order promote-then-ip Mandatory: {clone}:promote db-ip:start symmetrical=false\n\
             order demote-then-stop-ip Mandatory: {clone}:demote db-ip:stop symmetrical=false\n"
        )
    }
}

/// Where PostgreSQL's programs are: the newest release that is installed.
fn programs() -> String {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max().unwrap_or(15);
    format!("/usr/lib/postgresql/{newest}/bin")
}

/// Where the instances of the database are, as the cluster shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The host with the promoted instance and the address.
    pub primary: usize,
    /// The hosts with the others.
    pub standbys: Vec<usize>,
}

/// A database that runs on all hosts of a cluster.
#[derive(Debug)]
pub struct Database<'a> {
    cluster: &'a Cluster,
    engine: Engine,
    stack: Stack<'a>,
    writer: Option<Writer>,
}

impl<'a> Database<'a> {
    /// Sets the database up on all hosts, starts the cluster, configures it and waits until it is written to.
    ///
    /// # Errors
    /// When a step fails or is not reached in `limit`.
    pub fn up(cluster: &'a Cluster, engine: Engine, stack: Stack<'a>, limit: Duration) -> Result<Self, Error> {
        let mut database = Self { cluster, engine, stack, writer: None };
        database.seed()?;
        database.start_all(limit)?;
        database.configure()?;
        let all = cluster.lab().hosts().len();
        database.wait("all instances run", limit, |roles| roles.standbys.len() + 1 == all)?;
        let (speech, port) = engine.speech();
        let client = cluster.lab().plan().client_namespace();
        database.writer = Some(Writer::start(client, SocketAddr::from((ADDRESS, port)), speech)?);
        database.writer()?.wait(Instant::now(), 10, limit)?;
        Ok(database)
    }

    /// The client that writes.
    ///
    /// # Errors
    /// Before the database is up.
    pub fn writer(&self) -> Result<&Writer, Error> {
        self.writer.as_ref().ok_or_else(|| Error::Invalid("nobody writes yet".to_owned()))
    }

    /// A client that writes to the instance of one host, whatever that is at the time, and counts what it takes, whether a standby
    /// has it or not. Of PostgreSQL; Redis takes writes for a moment whenever it starts, before its agent makes it a replica.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn writer_to(&self, host: usize) -> Result<Writer, Error> {
        let client = self.cluster.lab().plan().client_namespace();
        let target = SocketAddr::from((self.cluster.host(host).public(), self.engine.speech().1));
        Writer::start(client, target, Speech::PostgresAlone)
    }

    fn run(&self, host: &Host, words: &[&str]) -> Result<String, Error> {
        host.exec(&[&["sh", "-c", self.engine.script(), "sh"], words].concat())
    }

    /// The same data on all hosts, and no server running.
    fn seed(&self) -> Result<(), Error> {
        let names = self.cluster.names();
        // pgsql keeps the list of who is waited for itself.
        let standbys = match self.engine {
            Engine::Paf => format!("ANY 1 ({})", names.join(",")),
            Engine::Pgsql | Engine::Redis => String::new(),
        };
        let first = self.cluster.host(1);
        self.run(first, &["seed", first.name(), &standbys])?;
        for host in self.cluster.lab().hosts().iter().skip(1) {
            self.run(host, &["copy", host.name(), &first.private().to_string()])?;
        }
        self.run(first, &["halt"]).map(drop)
    }

    /// A host whose cluster daemons do not run yet gets a copy of the database from the primary, as the agents' manuals ask for
    /// after a primary was lost.
    ///
    /// # Errors
    /// When there is no primary to copy from.
    pub fn rebuild(&self, host: usize) -> Result<(), Error> {
        let host = self.cluster.host(host);
        self.run(host, &["copy", host.name(), &ADDRESS.to_string()]).map(drop)
    }

    /// Power returns to a host; it gets a copy of the database, and its cluster daemons start.
    ///
    /// # Errors
    /// When one of these fails.
    pub fn rejoin(&self, host: usize) -> Result<(), Error> {
        self.cluster.lab().power_on(host)?;
        self.rebuild(host)?;
        self.start(host)
    }

    fn start(&self, host: usize) -> Result<(), Error> {
        let host = self.cluster.host(host);
        match self.stack {
            Stack::Hacd => host.start(&daemon(host)?),
            Stack::Pacemaker(_) => pacemaker::start(host),
        }
    }

    fn start_all(&self, limit: Duration) -> Result<(), Error> {
        let hosts = self.cluster.lab().hosts();
        if matches!(self.stack, Stack::Pacemaker(_)) {
            pacemaker::prepare(hosts)?;
        }
        hosts.iter().try_for_each(|host| self.start(host.number()))?;
        wait_for("all nodes are online", limit, || {
            let status = self.status(1)?;
            (status.online.len() == hosts.len()).then_some(())
        })
    }

    fn configure(&self) -> Result<(), Error> {
        let first = self.cluster.host(1);
        let lines = self.engine.lines(&self.cluster.names());
        match self.stack {
            Stack::Hacd => {
                first.write("/etc/hacd/database.crm", &lines)?;
                first.exec(&["hacctl", "configure", "load", "update", "/etc/hacd/database.crm"]).map(drop)
            }
            Stack::Pacemaker(xml) => pacemaker::configure(first, xml),
        }
    }

    /// What the cluster shows on a host.
    pub fn status(&self, host: usize) -> Option<Status> {
        match self.stack {
            Stack::Hacd => self.cluster.status(host),
            Stack::Pacemaker(_) => pacemaker::status(self.cluster.host(host)),
        }
    }

    /// Where the instances are in the eyes of the first host that is on.
    pub fn roles(&self) -> Option<Roles> {
        let host = self.cluster.lab().hosts().iter().find(|host| host.is_on())?;
        let status = self.status(host.number())?;
        let number = |name: &String| self.cluster.lab().plan().number(name);
        let clone = self.engine.clone_id();
        let promoted = status.promoted.get(clone)?;
        let primary = promoted.first().filter(|_| promoted.len() == 1)?;
        let standbys = status.unpromoted.get(clone).into_iter().flatten().filter_map(number).collect();
        (status.place("db-ip")? == primary).then_some(())?;
        Some(Roles { primary: number(primary)?, standbys })
    }

    /// The attributes of all nodes, as the first host that is on shows them.
    pub fn attributes(&self) -> String {
        let on = self.cluster.lab().hosts().iter().find(|host| host.is_on());
        let words: &[&str] = match self.stack {
            Stack::Hacd => &["/run/hacd/hacd.bin/crm_mon", "-1", "-A"],
            Stack::Pacemaker(_) => &["/usr/sbin/crm_mon", "-1", "-A"],
        };
        let shown = on.and_then(|host| host.output_of(words).ok()).map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// The hosts beside the primary whose promotion score lets them be promoted, the best first.
    fn ranked(&self) -> Vec<usize> {
        let name = format!("master-{}", self.engine.primitive_id());
        let mut node = None;
        let mut scores = Vec::new();
        let primary = self.roles().map(|roles| roles.primary);
        for line in self.attributes().lines() {
            let item = line.trim().trim_start_matches("* ");
            if let Some(of) = item.strip_prefix("Node: ").or_else(|| item.strip_prefix("Node ")) {
                let name = of.split([':', ' ']).next().unwrap_or_default();
                node = self.cluster.lab().plan().number(name);
            } else if let Some((what, score)) = item.split_once(':')
                && what.trim() == name
                && let Some(node) = node.filter(|node| Some(*node) != primary)
                && let Ok(score) = score.trim().parse::<i64>()
                && score > 0
            {
                scores.push((-score, node));
            }
        }
        scores.sort_unstable();
        scores.into_iter().map(|(_, node)| node).collect()
    }

    /// Waits until as many instances beside the promoted one have a promotion score as the agent gives.
    ///
    /// # Errors
    /// [`Error::Late`], with the attributes in its text.
    pub fn wait_candidates(&self, limit: Duration) -> Result<(), Error> {
        let wanted = self.engine.candidates(self.cluster.lab().hosts().len());
        let reached = wait_for("the standbys may be promoted", limit, || {
            pause(Duration::from_millis(200));
            (self.ranked().len() >= wanted).then_some(())
        });
        reached.map_err(|error| match error {
            Error::Late { what, limit } => Error::Late { what: format!("{what}:\n{}", self.attributes()), limit },
            other => other,
        })
    }

    /// The host that would be promoted next.
    pub fn best_candidate(&self) -> Option<usize> {
        self.ranked().first().copied()
    }

    /// The cluster it runs on.
    pub fn cluster(&self) -> &Cluster {
        self.cluster
    }

    /// What it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The configuration in XML.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub fn configuration(&self) -> Result<String, Error> {
        self.cluster.host(1).exec(&["hacctl", "configure", "show", "xml"])
    }

    /// Waits until the roles satisfy a condition.
    ///
    /// # Errors
    /// [`Error::Late`], with the last status in its text.
    pub fn wait(&self, what: &str, limit: Duration, condition: impl Fn(&Roles) -> bool) -> Result<Roles, Error> {
        let reached = wait_for(what, limit, || {
            pause(Duration::from_millis(40)); // a status of Pacemaker is no cheap thing
            self.roles().filter(&condition)
        });
        reached.map_err(|error| match error {
            Error::Late { what, limit } => {
                let on = self.cluster.lab().hosts().iter().find(|host| host.is_on());
                let status = on.and_then(|host| self.status(host.number())).map(|status| status.text);
                Error::Late { what: format!("{what}; status:\n{}", status.unwrap_or_default()), limit }
            }
            other => other,
        })
    }

    /// The acknowledged numbers that the primary does not have.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn lost(&self) -> Result<Vec<u64>, Error> {
        // Asked for first: what is acknowledged while the server is asked may not be in its answer.
        let acknowledged = self.writer()?.acknowledged();
        let (speech, port) = self.engine.speech();
        let client = self.cluster.lab().plan().client_namespace();
        let mut there = writer::numbers(client, SocketAddr::from((ADDRESS, port)), speech)?;
        there.sort_unstable();
        let lost = acknowledged.iter().filter(|(number, _)| there.binary_search(number).is_err());
        Ok(lost.map(|&(number, _)| number).collect())
    }
}
