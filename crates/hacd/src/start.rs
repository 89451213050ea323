//! Brings the daemon up: everything is opened before the node is made, and what cannot be opened is said in one line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hac_agents::Agents;
use hac_node::{ClusterHalf, ConfigError, NodeInfo, Now, Petting, Recorder, RingHalf, Stored};
use hac_udp::OpenError;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::process::{Resource, Signal, getrlimit};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::alerts::Alerts;
use crate::api::{self, Api, Hub, Teller};
use crate::arbiter::Asker;
use crate::arguments::Arguments;
use crate::beginning::Beginning;
use crate::config::{self, Config, Identity};
use crate::driver::{self, ASKS, ClusterParts, End, Guard, HINTS, INPUTS, RingParts, Shared, Snapshot, planner};
use crate::journal::Journal;
use crate::log::Log;
use crate::nodes::{self, Place};
use crate::readiness::Readiness;
use crate::recording::Recording;
use crate::remembered::Remembered;
use crate::states::{self, States};
use crate::storage::{self, Files, KeyFile, Opened, StorageError, Worker};
use crate::watchdog::Device;
use crate::workers::{self, Workers};
use crate::{beside, clock, exit, udp};

/// How long is waited for what may pass by itself, before the service manager is asked to try again. Longer than it
/// takes for ten starts in a minute to be too many.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked for meanwhile.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Threads whose faults cost what they were doing and nothing else. What a panic there leaves half done is put right, or
/// reported as failed, by whoever gave the work.
const BESIDE: [&str; 13] = [
    workers::AGENTS,
    workers::CLIENTS,
    planner::NAME,
    "hacd-storage",
    "hacd-started",
    "hacd-journal",
    states::THREAD,
    "hacd-record",
    "hacd-log",
    "hacd-beginning",
    hac_agents::THREADS[0],
    hac_agents::THREADS[1],
    hac_agents::THREADS[2],
];

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
    enough_files()?;
    let others = aside(beside::other_manager)?;
    survive_limits().map_err(|error| Failure::os(format!("signals cannot be received: {}", storage::words(&error))))?;
    let beginning = Beginning::new(format!("reading {}", arguments.config.display()));
    let waiting = |mistake: &config::Mistake| crate::complain(&format!("waiting: {mistake}"));
    let config = config::load_patiently(&arguments.config, &identity(arguments), PATIENCE, waiting);
    let mut config = config.map_err(|mistakes| {
        // One line is enough to go on with; --check prints them all.
        let line = config::decisive(&mistakes).map(ToString::to_string).unwrap_or_default();
        Failure { code: code_of(&mistakes), line }
    })?;
    let folder = arguments.socket.with_extension("bin");
    let tools = aside(move || tools(&folder))?;
    let entropy = Entropy::new()?;
    let wall = clock::wall();
    beginning.step(format!("opening {}", arguments.state.display()));
    let opened = open_patiently(&arguments.state, wall.as_secs(), entropy.life)?;
    if let Some(cluster) = opened.stored.cib.as_deref().and_then(|bytes| hac_node::stored_cluster(bytes).ok()) {
        // What cannot be read is said when the node is made of it.
        nodes::adopt(&mut config, &cluster).map_err(Failure::config)?;
    }
    // Before anything is run, and before anybody hears of this node.
    alone(arguments, others())?;
    let log = Log::start(&config.logging, &config.name)
        .map_err(|error| Failure::os(format!("no thread for the log: {}", storage::words(&error))))?;
    abort_on_panic(log.clone());
    let version = hac_types::RELEASE;
    tracing::info!(target: "hacd::start", notice = true, "hacd {version} starts as node {} ({})", config.name, config.node);
    config.warnings.iter().for_each(|warning| tracing::warn!(target: "hacd::config", "{warning}"));
    opened.remarks.iter().for_each(|remark| tracing::error!(target: "hacd::storage", "{remark}"));

    // Before anybody hears of this node: what an earlier life was doing has an end.
    beginning.step("ending what an earlier life of hacd was doing".to_owned());
    let tools = tools().inspect_err(|why| {
        tracing::warn!(target: "hacd::agents", "agents do not find crm_attribute and its like: {why}");
    });
    let agents = take_over(agent_options(arguments, &config, tools.ok()));

    let threads = Workers::start(workers::AGENTS).and_then(|agents| Ok((agents, Workers::start(workers::CLIENTS)?)));
    let (runs, clients) = threads.map_err(|error| Failure::os(format!("no runtime: {error}")))?;
    let ground = Ground { log: &log, agents: &agents, runs: runs.handle(), clients: clients.handle() };
    let result = serve(arguments, config, opened, &entropy, &ground, beginning);
    if let Err(failure) = &result {
        tracing::error!(target: "hacd::start", "{}", failure.line);
    }
    // What agents still do is given up here, and their processes with it: by the threads that run them, so these are
    // waited for. A file that hangs holds up nobody for longer.
    runs.end(FINISH);
    clients.end(FINISH);
    if !agents.finish(FINISH) {
        tracing::warn!(target: "hacd::start", "what an agent started has not ended yet; the next start of hacd ends it");
    }
    log.flush();
    result
}

/// The least limit of open files: sockets, the log and what agents are run with need about thirty.
const FILES_MIN: u64 = 64;

/// Refuses to start where a limit of open files would soon stop this daemon in the midst of something.
fn enough_files() -> Result<(), Failure> {
    match getrlimit(Resource::Nofile).current.filter(|limit| *limit < FILES_MIN) {
        None => Ok(()),
        Some(limit) => Err(Failure::os(format!(
            "only {limit} files may be open (LimitNOFILE=, ulimit -n); hacd needs at least {FILES_MIN}"
        ))),
    }
}

/// Has a file that reaches the limit of its size (LimitFSIZE=, ulimit -f) refuse what is written to it, as a full disk does: the
/// signal that comes with it would end this daemon.
fn survive_limits() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // Nobody waits for it. What agents are run with has the signal's own meaning again.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// Opens the state. What cannot be read or written now is tried again for a while: it says nothing about what is there.
fn open_patiently(directory: &Path, wall_secs: i64, random: u32) -> Result<Opened, StorageError> {
    let begin = Instant::now();
    let mut told = false;
    loop {
        match storage::open(directory, wall_secs, random) {
            Err(error @ StorageError::Io { .. }) if begin.elapsed() < PATIENCE => {
                if !std::mem::replace(&mut told, true) {
                    crate::complain(&format!("waiting: {error}"));
                }
                std::thread::sleep(TRY_AGAIN);
            }
            result => return result,
        }
    }
}

/// Begins something that the start does not need at once, on a thread of its own. What this returns waits for the result.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<impl FnOnce() -> T, Failure> {
    let thread = std::thread::Builder::new().name("hacd-aside".to_owned()).spawn(work);
    let thread = thread.map_err(|error| Failure::os(format!("no thread for the start: {}", storage::words(&error))))?;
    Ok(move || thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Refuses to start beside another cluster manager, unless told.
fn alone(arguments: &Arguments, other: Option<(String, u32)>) -> Result<(), Failure> {
    match other.filter(|_| !arguments.beside) {
        None => Ok(()),
        Some((name, pid)) => Err(Failure::config(format!(
            "{name} is active on this host (process {pid}): two managers would fight over its resources. \
             'systemctl disable --now pacemaker corosync' stops it first, --beside starts all the same"
        ))),
    }
}

/// What a node stands on.
struct Ground<'a> {
    log: &'a Log,
    agents: &'a Arc<Agents>,
    /// Where agents run.
    runs: &'a Handle,
    /// Where clients are served.
    clients: &'a Handle,
}

/// Opens sockets, makes both halves of the node and runs them.
fn serve(
    arguments: &Arguments,
    config: Config,
    opened: Opened,
    entropy: &Entropy,
    ground: &Ground<'_>,
    beginning: Beginning,
) -> Result<(), Failure> {
    let Ground { log, agents, runs, clients } = *ground;
    beginning.step(format!("reading what lies beside {}", config.authkey_file.display()));
    let Opened { storage, mut stored, files: state_files, .. } = opened;
    let keys = KeyFile::new(&config.authkey_file);
    stored.next_key = keys.next().unwrap_or_else(|error| {
        tracing::error!(target: "hacd::storage", "the next key cannot be read: {error}");
        None
    });
    let (hint, hints) = mpsc::channel(HINTS);
    let ring_runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ring_runtime = ring_runtime.map_err(|error| Failure::os(format!("no runtime for the ring: {error}")))?;
    let udp = ring_runtime.block_on(udp::open_patiently(&config, &hint, PATIENCE));
    let udp = udp.map_err(|error| taken(arguments, &config, &error))?;
    for address in udp.missing() {
        tracing::warn!(target: "hacd::udp", "{} is not an address of this host yet; waiting for it", address.ip());
    }
    let (sender, inputs) = mpsc::channel(INPUTS);
    let (reserved, stored_numbers) = mpsc::channel(HINTS);
    let files = Files { slots: storage.slots, generations: storage.generations, keys };
    let shared = Arc::new(Shared::default());
    let worker = Worker::start(files, reserved, sender.clone(), Arc::clone(&shared.storage));
    let worker = worker.map_err(|error| Failure::os(format!("no thread for the storage: {error}")))?;
    let (remembered, started) = Remembered::open(arguments.socket.with_extension("started"))
        .map_err(|error| Failure::os(format!("no thread for what agents are given: {error}")))?;
    stored.started = started;
    let place = Arc::new(Place::new(&config, &arguments.config, &arguments.state));
    let (system, node) = (config.system.clone(), place.node);
    let proves = config.agents.prove_interval;
    let (metrics, web) = (config.metrics, config.web.clone().and_then(api::Web::new).map(Arc::new));
    let arbiter = Asker::new(config.arbiter.clone(), agents, clients.clone());
    let guard = config.watchdog.as_ref().map(|it| Guard::new(Petting::new(it.times), Device::at(&it.device)));
    let (config, now) = (node_config(config), clock::now());
    let recording = open_recording(arguments, &config, &stored, entropy, now)?;
    let broken = |error| refused(arguments, &state_files, &error);
    let totem = stored.totem;
    let cluster = ClusterHalf::new(&config, stored, now).map_err(broken)?;
    let ring = RingHalf::new(config.totem, totem, entropy.node, now.mono).map_err(broken)?;

    let teller = Teller { name: place.name.clone(), node: node.0, life: totem.incarnation.0 >> 32 };
    let hub = open_hub(arguments, teller)?;
    let first = Snapshot::first(cluster.report(now), Arc::clone(cluster.cib()));
    let (published, snapshots) = watch::channel(Arc::new(first));
    let (asks, questions) = mpsc::channel(ASKS);
    clients.spawn(nodes::keep_file(Arc::clone(&place), snapshots.clone()));
    let (own_log, own_agents) = (log.clone(), Arc::clone(agents));
    let ways = (asks, snapshots);
    let alerts = Arc::new(Alerts::new(place.name.clone(), Arc::clone(agents), runs.clone()));
    clients.spawn(alerts.notices.serve(ways.0.clone(), ways.1.clone()));
    let readiness = Readiness::new(&place, (agents, runs), proves, &arguments.state);
    clients.spawn(readiness.serve(ways.0.clone(), ways.1.clone()));
    let programs = (own_agents, Arc::clone(&alerts));
    let api = Api::new(ways, Arc::clone(&hub), programs, place, Arc::clone(&shared), own_log, web.clone());
    clients
        .block_on(async {
            if let Some(at) = metrics {
                api::serve_metrics(at, api.clone());
            }
            if let Some(web) = &web {
                api::serve_web(web, api.clone());
            }
            api::serve(&arguments.socket, api)
        })
        .map_err(|error| Failure::os(format!("{}: {}", arguments.socket.display(), storage::words(&error))))?;
    drop(beginning);
    driver::ready();
    let ring = RingParts { node, half: ring, udp, runtime: ring_runtime, hints, stored: stored_numbers };
    let cluster = ClusterParts {
        half: cluster,
        agents: Arc::clone(agents),
        alerts: Arc::clone(&alerts),
        readiness,
        hub: Arc::clone(&hub),
        log: log.clone(),
        inputs,
        sender,
        asks: questions,
        published,
        workers: runs.clone(),
        arbiter,
        remembered,
        recording: recording.as_ref().and_then(Recording::notes),
        sysrq: system.sysrq_trigger.clone(),
        guard,
    };
    let end = driver::run(ring, cluster, worker, shared, &system)
        .map_err(|error| Failure::os(format!("the daemon cannot go on: {error}")))?;
    let _ = std::fs::remove_file(&arguments.socket);
    if end != End::AtOnce {
        alerts.finish();
    }
    if end == End::Left {
        tracing::info!(target: "hacd::start", notice = true, "this node has left the cluster");
    }
    hub.finish();
    // Another daemon may use the directory from here on, and not before.
    drop(storage.lock);
    match end {
        End::Fenced(why) => Err(Failure { code: exit::FENCED, line: why }),
        End::Fault(why) => Err(Failure { code: exit::SOFTWARE, line: why }),
        End::Left | End::AtOnce => Ok(()),
    }
}

/// Why there is no node. A state that this release cannot read is no mistake of the configuration: it is there, and what
/// can read it is to be installed, after which the daemon starts by itself.
fn refused(arguments: &Arguments, files: &(PathBuf, PathBuf), error: &ConfigError) -> Failure {
    let (file, why) = match error {
        ConfigError::StoredCib(why) => (&files.0, why),
        ConfigError::PreparedCib(why) => (&files.1, why),
        other => return Failure::config(format!("{}: {other}", arguments.config.display())),
    };
    Failure::os(format!(
        "{} {why}; nothing was changed: install the release that wrote it, or a newer one, or move this file away to go \
         back to the state before it",
        file.display()
    ))
}

/// What is told, and where it is kept.
fn open_hub(arguments: &Arguments, teller: Teller) -> Result<Arc<Hub>, Failure> {
    let journal = Journal::start(&arguments.state.join("events"));
    let journal = journal.map_err(|error| Failure::os(format!("no thread for the journal: {error}")))?;
    let states = States::start(&arguments.state.join("states"));
    let states = states.map_err(|error| Failure::os(format!("no thread for earlier states: {error}")))?;
    Ok(Arc::new(Hub::new(teller, Some(journal), Some(states))))
}

/// The flight recorder's file, if one is wanted.
fn open_recording(
    arguments: &Arguments,
    config: &hac_node::Config,
    stored: &Stored,
    entropy: &Entropy,
    now: Now,
) -> Result<Option<Recording>, Failure> {
    let Some(path) = &arguments.record else { return Ok(None) };
    let recorder = Recorder::new(config, stored, entropy.node, now, entropy.recording);
    let recording = Recording::create(path, recorder)
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
fn agent_options(arguments: &Arguments, config: &Config, tools: Option<PathBuf>) -> hac_agents::Options {
    let (agents, cloud) = (&config.agents, &config.digitalocean);
    hac_agents::Options {
        // Beside the socket: of this daemon alone, on no disk, and gone with the kernel.
        runs: arguments.socket.with_extension("runs"),
        node: config.name.clone(),
        node_id: config.node.0,
        nodes: config.nodes.len(),
        ocf_root: agents.ocf_root.clone(),
        fence_agents: agents.fence_agents.clone(),
        tools,
        environment: environment(arguments, &config.logging),
        prefer_script: agents.prefer_script,
        native: agents.native.clone(),
        script: agents.script.clone(),
        api_url: cloud.api_url.clone(),
        metadata_url: cloud.metadata_url.clone(),
    }
}

/// Makes the folder with the programs that agents call: links to this program, and to what they may look for beside them.
/// Or why it is not there.
fn tools(folder: &Path) -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| storage::words(&error))?;
    hac_compat::install(folder, &program).map_err(|error| match error {
        hac_compat::NotInstalled::Taken(path) => format!("{} is there and is not a link to hacd", path.display()),
        hac_compat::NotInstalled::Io(path, error) => format!("{}: {}", path.display(), storage::words(&error)),
    })?;
    hac_compat::link_others(folder, Path::new(SBIN));
    Ok(folder.to_owned())
}

/// Where agents look for programs of all kinds if they are not told otherwise.
const SBIN: &str = "/usr/sbin";

/// What agents are told of this daemon: where it listens, and where it logs.
fn environment(arguments: &Arguments, logging: &config::Logging) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([("HACD_SOCKET".to_owned(), arguments.socket.display().to_string())]);
    let mut put = |names: &[&str], value: &str| {
        all.extend(names.iter().map(|name| ((*name).to_owned(), value.to_owned())));
    };
    let debug = logging.debug != config::Verbosity::Normal;
    put(&["HA_debug", "PCMK_debug"], if debug { "1" } else { "0" });
    // The word `none` keeps agents from asking syslog.
    let facility = logging.syslog.and_then(|index| config::FACILITIES.get(usize::from(index)));
    put(
        &["HA_LOGFACILITY", "HA_logfacility", "PCMK_logfacility", "PCMK_LOGFACILITY"],
        facility.copied().unwrap_or("none"),
    );
    if let Some(file) = &logging.file {
        let file = file.display().to_string();
        put(&["HA_LOGFILE", "HA_logfile", "PCMK_logfile", "PCMK_LOGFILE"], &file);
        if debug {
            put(&["HA_DEBUGLOG", "HA_debugfile", "PCMK_debugfile", "PCMK_DEBUGLOG"], &file);
        }
    }
    all
}

fn node_config(config: Config) -> hac_node::Config {
    hac_node::Config {
        totem: config.ring,
        quorum: config.quorum,
        name: config.name,
        nodes: config.nodes.into_iter().map(|node| NodeInfo { id: node.id, name: node.name }).collect(),
        cluster_name: config.cluster_name,
        version: hac_types::RELEASE.to_owned(),
        seed: config.seed,
        shutdown_escalation: config.shutdown_timeout,
        request_timeout: hac_node::Config::REQUEST_TIMEOUT,
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
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

/// A broken invariant of the core means stop, so that the others take over: the panic is logged and the process aborts.
/// What runs beside the core ends alone; whoever asked for it is told.
fn abort_on_panic(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let beside = thread.name().is_some_and(|name| BESIDE.contains(&name));
        if beside {
            tracing::error!(target: "hacd::panic", "hacd has a fault; what it did there is given up: {panic}");
            return;
        }
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
