//! The configuration of this node: `/etc/hacd/hacd.toml`, the same file on all nodes, and the `authkey` beside it.
//!
//! The file is read in two steps: [`read`] makes sections of checked values out of the text, the functions here make a
//! [`Config`] that cannot be wrong out of the sections. What is wrong is a [`Mistake`]: one line with file, line, key
//! and remedy.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod arbiter;
mod authkey;
mod keys;
mod mistake;
mod nodes;
mod print;
mod read;
mod rewrite;
mod ring;
mod seed;
mod watchdog;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hac_model::Configuration;
use hac_types::NodeId;

pub(crate) use mistake::{Mistake, decisive};
pub(crate) use print::print_keys;
pub(crate) use rewrite::with_nodes;
pub(crate) use watchdog::Watchdog;

use keys::Table;
use read::{Document, Section};

/// Where the file is unless the command line says otherwise.
pub(crate) const FILE: &str = "/etc/hacd/hacd.toml";

/// How often this node proves anew what it could start, unless told otherwise.
const PROVE: Duration = Duration::from_secs(60);

/// How often is looked whether something has passed.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Names of syslog facilities, in the order of their numbers from 0; gaps have no name.
pub(crate) const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// Names of syslog severities, in the order of their numbers from 0.
pub(crate) const PRIORITIES: &[&str] = &["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];

/// Everything the daemon is told.
#[derive(Debug)]
pub(crate) struct Config {
    /// Name of the cluster.
    pub(crate) cluster_name: String,
    /// This node's id.
    pub(crate) node: NodeId,
    /// This node's name.
    pub(crate) name: String,
    /// All nodes, ascending by id.
    pub(crate) nodes: Vec<Node>,
    /// Port of each link on which is received.
    pub(crate) ports: Vec<Port>,
    /// Where the cluster's key is.
    pub(crate) authkey_file: PathBuf,
    /// For the ring.
    pub(crate) ring: hac_totem::Config,
    /// For the votes.
    pub(crate) quorum: hac_quorum::Config,
    /// Where the log goes.
    pub(crate) logging: Logging,
    /// How the ring's thread is scheduled.
    pub(crate) system: System,
    /// Where the cloud is.
    pub(crate) digitalocean: DigitalOcean,
    /// Which agents are used.
    pub(crate) agents: Agents,
    /// Where metrics are served, if they are.
    pub(crate) metrics: Option<SocketAddr>,
    /// How the page is served, if it is.
    pub(crate) web: Option<Page>,
    /// Where the third vote is, if there is one.
    pub(crate) arbiter: Option<crate::arbiter::Place>,
    /// What resets this host, if anything does.
    pub(crate) watchdog: Option<Watchdog>,
    /// How long a shutdown may take.
    pub(crate) shutdown_timeout: Duration,
    /// What an empty cluster begins with.
    pub(crate) seed: Option<Configuration>,
    /// What is allowed and should be known, one line each.
    pub(crate) warnings: Vec<String>,
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// Its number.
    pub(crate) number: u16,
    /// The line on which it is chosen; 0 if it is the default.
    pub(crate) line: usize,
}

/// A node of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its id.
    pub(crate) id: NodeId,
    /// Its name.
    pub(crate) name: String,
    /// Its addresses, by link.
    pub(crate) addresses: Vec<IpAddr>,
    /// Its votes.
    pub(crate) votes: u32,
}

/// `[logging]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logging {
    /// The file, if there shall be one.
    pub(crate) file: Option<PathBuf>,
    /// The facility for syslog (index into [`FACILITIES`]), if it shall be used.
    pub(crate) syslog: Option<u8>,
    /// Whether to write to standard error.
    pub(crate) stderr: bool,
    /// Time in front of lines of the file.
    pub(crate) timestamp: Stamp,
    /// Least important severity for the file: index into [`PRIORITIES`].
    pub(crate) file_priority: u8,
    /// The same for syslog.
    pub(crate) syslog_priority: u8,
    /// Also what helps to find a fault in hacd.
    pub(crate) debug: Verbosity,
}

/// `[system]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct System {
    /// The ring's thread asks for real-time priority (`SCHED_RR`).
    pub(crate) sched_rr: bool,
    /// Its nice value otherwise.
    pub(crate) priority: Priority,
    /// The file that resets the host when `b` is written to it.
    pub(crate) sysrq_trigger: PathBuf,
}

/// A nice value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// The least nice.
    Max,
    /// The nicest.
    Min,
    /// This one.
    Nice(i32),
}

/// Time in front of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// None.
    Off,
    /// To the second.
    Seconds,
    /// To the millisecond.
    Millis,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// As the priorities say.
    Normal,
    /// Debug messages too.
    Debug,
    /// Everything.
    Trace,
}

/// `[digitalocean]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DigitalOcean {
    /// Where the API is, without a slash at the end.
    pub(crate) api_url: String,
    /// Where the metadata service is, without a slash at the end.
    pub(crate) metadata_url: String,
}

/// `[agents]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agents {
    /// Whether the script is used where there is both.
    pub(crate) prefer_script: bool,
    /// Agents for which the native one is used.
    pub(crate) native: Vec<String>,
    /// Agents for which the script is used.
    pub(crate) script: Vec<String>,
    /// Where `resource.d` is.
    pub(crate) ocf_root: PathBuf,
    /// Folder with the fence agents.
    pub(crate) fence_agents: PathBuf,
    /// How often it is proved anew that this node could start what it does not run; never without it.
    pub(crate) prove_interval: Option<Duration>,
}

/// `[web]`, where it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where.
    pub(crate) at: SocketAddr,
    /// Something may be changed there.
    pub(crate) actions: bool,
    /// Without one it is served in clear.
    pub(crate) certificate: Option<Certificate>,
}

/// The files of a certificate, PEM both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The certificate, and those that lead to its issuer.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// Who this node is, where the addresses of this host leave it open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// Name or id given on the command line.
    pub(crate) node: Option<String>,
    /// Name of this host.
    pub(crate) hostname: String,
}

impl Identity {
    /// Whether this host has the name, with its domain or without.
    fn is_named(&self, name: &str) -> bool {
        let short = self.hostname.split('.').next().unwrap_or_default();
        !name.is_empty() && (name == self.hostname || name == short)
    }
}

/// The longest file that is read, bytes: resources may stand in it.
const LONGEST: u64 = 16 << 20;

/// Reads and checks the file.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub(crate) fn load(file: &Path, identity: &Identity) -> Result<Config, Vec<Mistake>> {
    let text = crate::files::read_text(file, LONGEST).map_err(|error| {
        let why = crate::storage::words(&error);
        let what = format!("cannot be read: {why}; config/hacd.toml is a commented example");
        vec![Mistake { file: file.to_owned(), line: None, key: String::new(), what, may_pass: true }]
    })?;
    let open = openness(file, &text).map_err(|what| {
        vec![Mistake { file: file.to_owned(), line: None, key: String::new(), what, may_pass: false }]
    })?;
    let mut config = check(file, &text, identity, &nodes::is_local)?;
    config.warnings.extend(open);
    Ok(config)
}

/// Keys of the ring that have the name of a secret.
const NOT_SECRET: &[&str] =
    &["authkey", "token", "token_coefficient", "token_retransmit", "token_retransmits_before_loss_const"];

/// A warning, if others can read secrets in the file.
///
/// # Errors
/// Others can write it: it says which programs run as root, so that is no configuration.
fn openness(file: &Path, text: &str) -> Result<Option<String>, String> {
    use std::os::unix::fs::MetadataExt as _;
    let about =
        std::fs::metadata(file).map_err(|error| format!("cannot be read: {}", crate::storage::words(&error)))?;
    let (mode, path) = (about.mode() & 0o777, file.display());
    if about.is_file() && mode & 0o002 != 0 {
        return Err(format!(
            "is open to everybody (mode {mode:03o}), and what is in it runs as root: chmod 644 {path}"
        ));
    }
    let user = rustix::process::geteuid().as_raw();
    if about.uid() != 0 && about.uid() != user {
        return Err(format!("belongs to user {}, and what is in it runs as root: chown root: {path}", about.uid()));
    }
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().trim_matches('"').to_owned());
    let is_secret = |key: &String| hac_model::is_secret(key) && !NOT_SECRET.contains(&key.as_str());
    let secret = text.lines().filter_map(key).find(is_secret);
    Ok(secret.filter(|_| mode & 0o044 != 0).map(|key| {
        format!("{path} has a secret in it ({key}) and others can read it (mode {mode:03o}): chmod 600 {path}")
    }))
}

/// The same, but what may pass without anybody's doing is waited for: an address that comes late, a key that is copied
/// just now, a file system that is slow. `told` hears once what is waited for.
///
/// # Errors
/// As [`load`], at once or after `patience`.
pub(crate) fn load_patiently(
    file: &Path,
    identity: &Identity,
    patience: Duration,
    mut told: impl FnMut(&Mistake),
) -> Result<Config, Vec<Mistake>> {
    let begin = Instant::now();
    let mut first = true;
    loop {
        let mistakes = match load(file, identity) {
            Ok(config) => return Ok(config),
            Err(mistakes) => mistakes,
        };
        let Some(mistake) = decisive(&mistakes).filter(|mistake| mistake.may_pass) else { return Err(mistakes) };
        if begin.elapsed() >= patience {
            return Err(mistakes);
        }
        if std::mem::take(&mut first) {
            told(mistake);
        }
        std::thread::sleep(TRY_AGAIN);
    }
}

/// The same for a text in hand; `local` says whether an address belongs to this host.
pub(crate) fn check(
    file: &Path,
    text: &str,
    identity: &Identity,
    local: &dyn Fn(IpAddr) -> bool,
) -> Result<Config, Vec<Mistake>> {
    let (document, mistakes) = read::read(file, text);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut checker = Checker { file, document: &document, mistakes: Vec::new(), warnings: Vec::new() };
    let config = checker.config(identity, local);
    checker.mistakes.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
    match config {
        Some(config) if checker.mistakes.is_empty() => Ok(config),
        _ => Err(checker.mistakes),
    }
}

/// Makes a [`Config`] out of the sections and gathers what is wrong.
struct Checker<'a> {
    file: &'a Path,
    document: &'a Document,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
}

impl Checker<'_> {
    fn report(&mut self, line: usize, key: &str, what: impl Into<String>) {
        let line = (line > 0).then_some(line);
        let (file, key, what) = (self.file.to_owned(), key.to_owned(), what.into());
        self.mistakes.push(Mistake { file, line, key, what, may_pass: false });
    }

    /// What may pass without anybody's doing.
    fn report_passing(&mut self, line: usize, key: &str, what: impl Into<String>) {
        self.report(line, key, what);
        if let Some(mistake) = self.mistakes.last_mut() {
            mistake.may_pass = true;
        }
    }

    fn warn(&mut self, line: usize, key: &str, what: &str) {
        self.warnings.push(format!("{}:{line}: {key}: {what}", self.file.display()));
    }

    /// The line of a key that is named with its table, such as `totem.token`; 0 if it is not in the file.
    fn line_of(&self, key: &str) -> usize {
        let Some((table, name)) = key.rsplit_once('.') else { return 0 };
        let found = Table::ALL.iter().find(|t| t.path() == table).map(|table| self.document.section(*table));
        found.map_or(0, |section| section.line_of(name))
    }

    fn config(&mut self, identity: &Identity, local: &dyn Fn(IpAddr) -> bool) -> Option<Config> {
        let totem = self.document.section(Table::Totem);
        let logging = self.logging();
        let system = self.system();
        let digitalocean = self.digitalocean();
        let agents = self.agents();
        let nodes = self.nodes();
        let ports = self.ports(&nodes);
        let (metrics, web) = self.listens(&ports);
        let seed = self.seed(&nodes);
        let authkey = self.authkey(&totem);
        let own = self.own_node(&nodes, identity, local);
        let (node, name) = own.map(|own| (own.id, own.name.clone())).or_else(|| {
            // Go on with any node, so that everything else that is wrong is found too.
            nodes.first().map(|node| (node.id, node.name.clone()))
        })?;
        let arbiter = self.arbiter(nodes.len());
        let quorum = self.quorum(node, &nodes, arbiter.as_ref());
        let (authkey, authkey_file) = authkey?;
        let ring = self.ring(node, &nodes, authkey)?;
        let watchdog = self.watchdog(ring.timers.token_for(nodes.len()));
        let shutdown = self.document.section(Table::Agents).number("shutdown_timeout").unwrap_or(1_200_000);
        Some(Config {
            cluster_name: ring.cluster_name.clone(),
            node,
            name,
            nodes,
            ports,
            authkey_file,
            ring,
            quorum,
            logging,
            system,
            digitalocean,
            agents,
            metrics,
            web,
            arbiter,
            watchdog,
            shutdown_timeout: Duration::from_millis(shutdown),
            seed,
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    fn system(&mut self) -> System {
        let section = self.document.section(Table::System);
        let priority = match section.text("priority") {
            None => Priority::Nice(0),
            Some("max") => Priority::Max,
            Some("min") => Priority::Min,
            Some(text) => match text.parse() {
                Ok(nice @ -20..=19) => Priority::Nice(nice),
                _ => {
                    let what = "must be max, min, or a nice value between -20 and 19";
                    self.report(section.line_of("priority"), "system.priority", what);
                    Priority::Nice(0)
                }
            },
        };
        let sysrq_trigger = PathBuf::from(section.text("sysrq_trigger").unwrap_or("/proc/sysrq-trigger"));
        System { sched_rr: section.bool("sched_rr").unwrap_or(true), priority, sysrq_trigger }
    }

    fn logging(&mut self) -> Logging {
        let section = self.document.section(Table::Logging);
        let index = |key: &str, names: &[&str], default: u8| {
            let found = section.text(key).and_then(|text| names.iter().position(|name| *name == text));
            found.and_then(|index| u8::try_from(index).ok()).unwrap_or(default)
        };
        let path = section.text("logfile").unwrap_or("/var/log/hacd/hacd.log");
        let facility = index("syslog_facility", FACILITIES, 3);
        Logging {
            file: section.bool("to_logfile").unwrap_or(false).then(|| PathBuf::from(path)),
            syslog: section.bool("to_syslog").unwrap_or(true).then_some(facility),
            stderr: section.bool("to_stderr").unwrap_or(false),
            timestamp: match section.text("timestamp") {
                Some("off" | "no") => Stamp::Off,
                Some("hires") => Stamp::Millis,
                _ => Stamp::Seconds,
            },
            file_priority: index("logfile_priority", PRIORITIES, 6),
            syslog_priority: index("syslog_priority", PRIORITIES, 6),
            debug: match section.text("debug") {
                Some("on" | "yes") => Verbosity::Debug,
                Some("trace") => Verbosity::Trace,
                _ => Verbosity::Normal,
            },
        }
    }

    fn digitalocean(&mut self) -> DigitalOcean {
        let section = self.document.section(Table::DigitalOcean);
        let api_url = section.text("api_url").unwrap_or("https://api.digitalocean.com").to_owned();
        if api_url.starts_with("http://") {
            self.warn(section.line_of("api_url"), "digitalocean.api_url", "plain http: the API token travels in clear");
        }
        let metadata_url = section.text("metadata_url").unwrap_or("http://169.254.169.254").to_owned();
        DigitalOcean { api_url, metadata_url }
    }

    fn agents(&mut self) -> Agents {
        let section = self.document.section(Table::Agents);
        for name in section.names("native").iter().filter(|name| section.names("script").contains(name)) {
            let what = format!("{name} is in agents.script too; remove one of them");
            self.report(section.line_of("native"), "agents.native", what);
        }
        Agents {
            prefer_script: section.text("prefer") == Some("script"),
            native: section.names("native").to_vec(),
            script: section.names("script").to_vec(),
            ocf_root: PathBuf::from(section.text("ocf_root").unwrap_or("/usr/lib/ocf")),
            fence_agents: PathBuf::from(section.text("fence_agents").unwrap_or("/usr/sbin")),
            prove_interval: Some(section.number("prove_interval").map_or(PROVE, Duration::from_millis))
                .filter(|every| !every.is_zero()),
        }
    }

    /// Where metrics and the page are served, and how: beside the ring, whose ports a joining host needs too, and beside each
    /// other.
    fn listens(&mut self, ports: &[Port]) -> (Option<SocketAddr>, Option<Page>) {
        let [metrics, web] = [Table::Metrics, Table::Web].map(|table| {
            let section = self.document.section(table);
            let at = section.listen("listen");
            let (line, key) = (section.line_of("listen"), format!("{}.listen", table.path()));
            if at.is_some_and(|at| at.port() == 0) {
                self.report(line, &key, "port 0 is another one at each start; name one, such as 9664");
            }
            let near = |port: &&Port| at.is_some_and(|at| at.port().abs_diff(port.number) <= 1);
            if let Some(port) = ports.iter().find(near) {
                let (low, high) = (port.number.saturating_sub(1), port.number.saturating_add(1));
                let what = format!("ports {low} to {high} are the ring's; choose another, such as 9664");
                self.report(line, &key, what);
            }
            if at.is_some_and(|at| !at.ip().is_loopback()) {
                let what =
                    "everybody who reaches this address can read how the cluster stands; the firewall decides who does";
                self.warn(line, &key, what);
            }
            at
        });
        if let (Some(metrics), Some(web)) = (metrics, web)
            && metrics.port() == web.port()
        {
            let line = self.document.section(Table::Web).line_of("listen");
            let what = format!("metrics.listen has port {} too; choose another", web.port());
            self.report(line, "web.listen", what);
        }
        (metrics, web.map(|at| self.page(at)))
    }

    /// What stands in `[web]` besides.
    fn page(&mut self, at: SocketAddr) -> Page {
        let section = self.document.section(Table::Web);
        let path = |key: &str| section.text(key).map(PathBuf::from);
        let (actions, pair) = (section.bool("actions").unwrap_or(false), (path("certificate"), path("key")));
        let (actions_line, certificate_line) = (section.line_of("actions"), section.line_of("certificate"));
        let key_line = section.line_of("key");
        let certificate = match pair {
            (Some(certificate), Some(key)) => Some(Certificate { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                self.report(certificate_line, "web.certificate", "web.key is missing: the file with its private key");
                None
            }
            (None, Some(_)) => {
                self.report(key_line, "web.key", "web.certificate is missing: the file with the certificate");
                None
            }
        };
        if actions && certificate.is_none() && !at.ip().is_loopback() {
            let what = "on this network others can read the link and change something with it: set web.certificate and web.key, or listen on 127.0.0.1";
            self.report(actions_line, "web.actions", what);
        }
        Page { at, actions, certificate }
    }

    fn quorum(&mut self, node: NodeId, nodes: &[Node], arbiter: Option<&crate::arbiter::Place>) -> hac_quorum::Config {
        let section = self.document.section(Table::Quorum);
        let voters = nodes.iter().map(|n| hac_quorum::Voter { node: n.id, name: n.name.clone(), votes: n.votes });
        let mut config = hac_quorum::Config::new(node, voters.collect());
        config.expected_votes = section.number("expected_votes").and_then(|n| u32::try_from(n).ok());
        config.two_node = section.bool("two_node").unwrap_or(false);
        config.wait_for_all = section.bool("wait_for_all");
        config.arbiter = arbiter.is_some();
        config.arbiter_model = arbiter.map(crate::arbiter::Place::model).unwrap_or_default();
        config.last_man_standing = section.bool("last_man_standing").unwrap_or(false);
        if let Some(window) = section.number("last_man_standing_window") {
            config.last_man_standing_window = Duration::from_millis(window);
        }
        if section.bool("auto_tie_breaker").unwrap_or(false) {
            config.auto_tie_breaker = self.tie_breaker(&section);
        }
        if let Err(error) = config.validate() {
            let sentence = error.to_string();
            let (key, what) = sentence.split_once(": ").unwrap_or(("quorum", &sentence));
            let line = self.line_of(key);
            // What is wrong with the list of nodes has been said in better words.
            if !self.mistakes.iter().any(|mistake| mistake.key.starts_with("nodelist")) {
                self.report(if line > 0 { line } else { section.line }, key, what);
            }
        }
        config
    }

    fn tie_breaker(&mut self, section: &Section) -> Option<hac_quorum::TieBreaker> {
        let key = "auto_tie_breaker_node";
        match section.text(key).unwrap_or("lowest") {
            "lowest" => Some(hac_quorum::TieBreaker::Lowest),
            "highest" => Some(hac_quorum::TieBreaker::Highest),
            list => {
                let ids: Option<Vec<NodeId>> = list.split_whitespace().map(|id| id.parse().ok().map(NodeId)).collect();
                if ids.is_none() {
                    let what = format!("must be lowest, highest or node ids with blanks between, not \"{list}\"");
                    self.report(section.line_of(key), "quorum.auto_tie_breaker_node", what);
                }
                ids.map(hac_quorum::TieBreaker::List)
            }
        }
    }
}

#[cfg(test)]
mod tests;
