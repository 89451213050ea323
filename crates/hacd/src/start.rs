//! Brings the daemon up: everything is opened before the node is made, and what cannot be opened is said in one line.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hac_agents::Agents;
use hac_node::{Node, NodeInfo};
use hac_udp::OpenError;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::mpsc;

use crate::api::{self, Api, Hub};
use crate::arguments::Arguments;
use crate::config::{self, Config, Identity};
use crate::driver::{self, Driver, End, Input, Parts};
use crate::log::Log;
use crate::recording::Recording;
use crate::storage::{self, KeyFile, Opened, StorageError, Worker};
use crate::{clock, exit, udp};

/// How long is waited for what may pass by itself, before the service manager is asked to try again. Longer than it
/// takes for ten starts in a minute to be too many.
const PATIENCE: Duration = Duration::from_secs(10);

/// Questions of clients that may wait.
const ASKS: usize = 64;

/// How long is waited at the end for agents that were given up.
const FINISH: Duration = Duration::from_secs(2);

/// Why the daemon does not run.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) code: u8,
    /// One line.
    pub(crate) line: String,
}

impl Failure {
    fn os(line: impl Into<String>) -> Self {
        Self { code: exit::OS, line: line.into() }
    }

    fn config(line: impl Into<String>) -> Self {
        Self { code: exit::CONFIG, line: line.into() }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::os(error.to_string())
    }
}

/// The exit code for what is wrong: 78 where only a person can mend it, in the text of the file.
pub(crate) fn code_of(mistakes: &[config::Mistake]) -> u8 {
    let passes = config::decisive(mistakes).is_some_and(|mistake| mistake.may_pass);
    if passes { exit::OS } else { exit::CONFIG }
}

/// Who this node is, as far as host and command line tell.
pub(crate) fn identity(arguments: &Arguments) -> Identity {
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Identity { node: arguments.node.clone(), hostname }
}

/// Runs the daemon until the node has left.
///
/// # Errors
/// It cannot be started.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let waiting = |mistake: &config::Mistake| crate::complain(&format!("waiting: {mistake}"));
    let config = config::load_patiently(&arguments.config, &identity(arguments), PATIENCE, waiting);
    let config = config.map_err(|mistakes| {
        // One line is enough to go on with; --check prints them all.
        let line = config::decisive(&mistakes).map(ToString::to_string).unwrap_or_default();
        Failure { code: code_of(&mistakes), line }
    })?;
    alone(arguments)?;
    let entropy = Entropy::new()?;
    let wall = clock::wall();
    let opened = storage::open(&arguments.state, wall.as_secs(), entropy.life)?;
    let log = Log::start(&config.logging, &config.name).map_err(|error| {
        let file = config.logging.file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let why = storage::words(&error);
        Failure::config(format!("{}: logging.logfile: {file}: {why}", arguments.config.display()))
    })?;
    abort_on_panic(log.clone());
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(target: "hacd::start", notice = true, "hacd {version} starts as node {} ({})", config.name, config.node);
    config.warnings.iter().for_each(|warning| tracing::warn!(target: "hacd::config", "{warning}"));
    opened.remarks.iter().for_each(|remark| tracing::error!(target: "hacd::storage", "{remark}"));

    // Before anybody hears of this node: what an earlier life was doing has an end.
    let agents = take_over(agent_options(arguments, &config));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::os(format!("no runtime: {error}")))?;
    let result = runtime.block_on(serve(arguments, config, opened, &entropy, log.clone(), Arc::clone(&agents)));
    if let Err(failure) = &result {
        tracing::error!(target: "hacd::start", "{}", failure.line);
    }
    // What agents still do is given up here, and their processes with it; a file that hangs holds up nobody.
    runtime.shutdown_background();
    if !agents.finish(FINISH) {
        tracing::warn!(target: "hacd::start", "what an agent started has not ended yet; the next start of hacd ends it");
    }
    log.flush();
    result
}

/// Refuses to start beside another cluster manager, unless told.
fn alone(arguments: &Arguments) -> Result<(), Failure> {
    match crate::beside::other_manager().filter(|_| !arguments.beside) {
        None => Ok(()),
        Some((name, pid)) => Err(Failure::config(format!(
            "{name} is active on this host (process {pid}): two managers would fight over its resources. \
             'systemctl disable --now pacemaker corosync' stops it first, --beside starts all the same"
        ))),
    }
}

/// Opens sockets, makes the node and drives it.
async fn serve(
    arguments: &Arguments,
    config: Config,
    opened: Opened,
    entropy: &Entropy,
    log: Log,
    agents: Arc<Agents>,
) -> Result<(), Failure> {
    let Opened { storage, mut stored, .. } = opened;
    let keys = KeyFile::new(&config.authkey_file);
    stored.next_key = keys.next().unwrap_or_else(|error| {
        tracing::error!(target: "hacd::storage", "the next key cannot be read: {error}");
        None
    });
    let (sender, inputs) = mpsc::unbounded_channel();
    let (asks, questions) = mpsc::channel(ASKS);
    let udp = udp::open_patiently(&config, &sender, PATIENCE).await;
    let udp = udp.map_err(|error| taken(arguments, &config, &error))?;
    for address in udp.missing() {
        tracing::warn!(target: "hacd::udp", "{} is not an address of this host yet; waiting for it", address.ip());
    }
    let hub = Arc::new(Hub::new());
    let replies = sender.clone();
    let worker = Worker::start(storage.generations, keys, move |reply| {
        let _ = replies.send(Input::Persisted(reply));
    });
    let worker = worker.map_err(|error| Failure::os(format!("no thread for the storage: {error}")))?;
    let addresses = Arc::new(config.nodes.clone());
    let recording = open_recording(arguments)?;
    let (config, now) = (node_config(config), clock::now());
    let node = match recording {
        Some(_) => Node::recorded(config, stored, entropy.node, now, entropy.recording),
        None => Node::new(config, stored, entropy.node, now),
    };
    let node = node.map_err(|error| Failure::config(format!("{}: {error}", arguments.config.display())))?;

    let api = Api { asks, hub: Arc::clone(&hub), agents: Arc::clone(&agents), addresses };
    api::serve(&arguments.socket, api)
        .map_err(|error| Failure::os(format!("{}: {}", arguments.socket.display(), storage::words(&error))))?;
    driver::ready();
    let parts =
        Parts { node, udp, slots: storage.slots, worker, agents, hub, log, inputs, sender, asks: questions, recording };
    let end = Driver::new(parts).run().await.map_err(|error| Failure::os(format!("no signals: {error}")))?;
    let _ = std::fs::remove_file(&arguments.socket);
    if end == End::Left {
        tracing::info!(target: "hacd::start", notice = true, "this node has left the cluster");
    }
    // Another daemon may use the directory from here on, and not before.
    drop(storage.lock);
    Ok(())
}

/// The flight recorder's file, if one is wanted.
fn open_recording(arguments: &Arguments) -> Result<Option<Recording>, Failure> {
    let Some(path) = &arguments.record else { return Ok(None) };
    let recording = Recording::create(path)
        .map_err(|error| Failure::os(format!("--record {}: {}", path.display(), storage::words(&error))))?;
    tracing::info!(target: "hacd::recording", notice = true, "recording to {}", path.display());
    Ok(Some(recording))
}

/// Prepares to run agents, and ends what earlier lives of this daemon left of theirs.
fn take_over(options: hac_agents::Options) -> Arc<Agents> {
    let agents = Agents::new(options);
    tracing::info!(target: "hacd::agents", notice = true, "{}", agents.supervision());
    agents.take_over().iter().for_each(|remark| tracing::warn!(target: "hacd::agents", "{remark}"));
    Arc::new(agents)
}

/// How agents are run.
fn agent_options(arguments: &Arguments, config: &Config) -> hac_agents::Options {
    let (agents, cloud) = (&config.agents, &config.digitalocean);
    hac_agents::Options {
        // Beside the socket: of this daemon alone, on no disk, and gone with the kernel.
        runs: arguments.socket.with_extension("runs"),
        node: config.name.clone(),
        node_id: config.node.0,
        nodes: config.nodes.len(),
        ocf_root: agents.ocf_root.clone(),
        prefer_script: agents.prefer_script,
        native: agents.native.clone(),
        script: agents.script.clone(),
        api_url: cloud.api_url.clone(),
        metadata_url: cloud.metadata_url.clone(),
    }
}

fn node_config(config: Config) -> hac_node::Config {
    hac_node::Config {
        totem: config.ring,
        quorum: config.quorum,
        name: config.name,
        nodes: config.nodes.into_iter().map(|node| NodeInfo { id: node.id, name: node.name }).collect(),
        cluster_name: config.cluster_name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: config.seed,
        shutdown_escalation: config.shutdown_timeout,
        request_timeout: hac_node::Config::REQUEST_TIMEOUT,
    }
}

/// The line about a port that cannot be had.
fn taken(arguments: &Arguments, config: &Config, error: &OpenError) -> Failure {
    let OpenError { link, address, source } = error;
    let line = config.ports.get(usize::from(*link)).map_or(0, |port| port.line);
    let place = if line > 0 { format!(":{line}") } else { String::new() };
    let what = match source.kind() {
        io::ErrorKind::AddrInUse => {
            "is taken by another program; stop it (corosync?) or choose another mcastport".to_owned()
        }
        _ => storage::words(source),
    };
    let file = arguments.config.display();
    Failure::os(format!("{file}{place}: totem.interface.mcastport: UDP port {address} {what}"))
}

/// A broken invariant means stop, so that the others take over: the panic is logged and the process aborts.
fn abort_on_panic(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(target: "hacd::panic", "hacd has a fault and stops: {panic}");
        crate::complain(&panic.to_string());
        log.flush();
        std::process::abort();
    }));
}

/// Randomness of this life.
struct Entropy {
    node: [u8; 32],
    recording: [u8; 16],
    life: u32,
}

impl Entropy {
    fn new() -> Result<Self, Failure> {
        let random = SystemRandom::new();
        let mut node = [0; 32];
        let mut recording = [0; 16];
        let mut life = [0; 4];
        let filled = random.fill(&mut node).and_then(|()| random.fill(&mut recording));
        let filled = filled.and_then(|()| random.fill(&mut life));
        filled.map_err(|_| Failure::os("the operating system gives no randomness"))?;
        Ok(Self { node, recording, life: u32::from_le_bytes(life) })
    }
}
