//! Labs that outlive the program that built them: who keeps them, and how they are used and ended.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cloud::{Cloud, Door, TOKEN};
use crate::cluster::daemon;
use crate::host::{Footing, inside};
use crate::lab::{Hands, Hosts, Wires, hold_alive};
use crate::netns::spawn_in;
use crate::run::wait_for;
use crate::{Answer, Error, Host, Lab, Network, Plan, guard, request};

/// How long the keeper may take to take over.
const HANDOVER_LIMIT: Duration = Duration::from_secs(20);
/// How long the cloud may take to answer a command.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Names the lab that commands mean when several are kept.
const DIRECTORY_VARIABLE: &str = "HAC_LAB_DIRECTORY";

/// What a keeper must know of a lab.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    prefix: String,
    hosts: usize,
    programs: PathBuf,
    /// The host that holds the floating IP, by name; `nobody` if none does.
    holder: String,
}

impl Lab {
    /// Gives the lab to a process of its own, `PROGRAM keeper DIRECTORY`, and leaves it running.
    ///
    /// # Errors
    /// When that process does not take over, or the hosts are no namespaces.
    pub fn keep(self, program: &Path) -> Result<PathBuf, Error> {
        self.network()?;
        let directory = self.directory().to_owned();
        let state = self.cloud().hand_over();
        let kept = Kept {
            prefix: self.plan().prefix().to_owned(),
            hosts: self.hosts().len(),
            programs: self.programs().to_owned(),
            holder: state["holder"].as_str().unwrap_or("nobody").to_owned(),
        };
        let file = directory.join("lab.json");
        let text = serde_json::to_string(&kept).unwrap_or_default();
        fs::write(&file, text).map_err(Error::file(file))?;
        let output = fs::File::create(directory.join("keeper.out")).map_err(Error::file(&directory))?;
        Command::new("setsid")
            .arg("--fork")
            .arg(program)
            .arg("keeper")
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(Error::file(&directory))?)
            .stderr(output)
            .status()
            .map_err(Error::system("cannot start the keeper"))?;
        wait_for("the keeper takes over", HANDOVER_LIMIT, || guard::keeper_of(&directory))?;
        self.leave();
        let port = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        wait_for("the kept cloud answers", HANDOVER_LIMIT, || in_cloud(&kept.prefix, port, "GET", "/_lab", "").ok())?;
        Ok(directory)
    }
}

/// Keeps the lab in `directory` until it is killed; for the process that [`Lab::keep`] starts.
///
/// # Errors
/// When the cloud cannot be taken over.
pub fn keeper(directory: &Path) -> Result<(), Error> {
    let kept = kept_in(directory)?;
    let _alive = hold_alive(directory)?;
    let mark = directory.join("keeper.pid");
    fs::write(&mark, std::process::id().to_string()).map_err(Error::file(mark))?;
    let plan = Plan::new(kept.prefix, kept.hosts);
    let network = Network::of(plan.clone());
    let mut adopted = Vec::new();
    for number in plan.hosts() {
        let footing =
            Footing::Namespaces { namespace: plan.host_namespace(number), network: network.clone(), systemd: false };
        let host = Host::new(number, &plan, footing, directory, &kept.programs)?;
        host.adopt();
        host.at_boot(daemon(&host)?);
        adopted.push(host);
    }
    let on: Vec<bool> = adopted.iter().map(Host::is_on).collect();
    let hosts = Arc::new(Hosts::new(adopted));
    let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80));
    let wires = Arc::new(Wires::Network(network));
    let holder = plan.number(&kept.holder);
    let cloud = wait_for("the former cloud is gone", HANDOVER_LIMIT, || {
        let hands = Hands { wires: Arc::clone(&wires), hosts: Arc::clone(&hosts) };
        let doors = vec![Door { listen, host: None }];
        Cloud::start(Some(plan.cloud_namespace()), doors, kept.hosts, holder, Box::new(hands)).ok()
    })?;
    for (number, on) in plan.hosts().zip(on) {
        cloud.note_power(number, on);
    }
    loop {
        std::thread::park();
    }
}

/// All labs of this machine that are kept, by directory.
fn all_kept() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(guard::base()) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).filter(|path| guard::keeper_of(path).is_some()).collect()
}

/// The lab that commands mean without naming it: the one in `$HAC_LAB_DIRECTORY`, or the only one.
fn the_kept() -> Result<(PathBuf, Kept), Error> {
    let named = std::env::var_os(DIRECTORY_VARIABLE).map(PathBuf::from);
    let found = named.map_or_else(all_kept, |directory| vec![directory]);
    match found.as_slice() {
        [directory] => kept_in(directory).map(|kept| (directory.clone(), kept)),
        [] => Err(Error::Missing("no lab is running (start one with `hac-lab demo --keep`)".to_owned())),
        several => {
            let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            let text = format!("several labs are running: set {DIRECTORY_VARIABLE} to one of {}", names.join(", "));
            Err(Error::Invalid(text))
        }
    }
}

fn kept_in(directory: &Path) -> Result<Kept, Error> {
    let file = directory.join("lab.json");
    let text = fs::read_to_string(&file).map_err(Error::file(&file))?;
    serde_json::from_str(&text).map_err(|error| Error::Invalid(format!("{}: {error}", file.display())))
}

/// Ends the lab in `directory`, or all labs that are kept, and gives how many there were.
pub fn down(directory: Option<&Path>) -> usize {
    let chosen = directory.map_or_else(all_kept, |directory| vec![directory.to_owned()]);
    for directory in &chosen {
        if let Some(keeper) = guard::keeper_of(directory) {
            guard::kill(keeper);
        }
        if let Some(prefix) = directory.file_name().and_then(|name| name.to_str()) {
            guard::remove(prefix);
        }
    }
    guard::sweep();
    chosen.len()
}

/// Becomes a program on a host of the kept lab (`client` and `cloud` are hosts too, for their
/// networks). Returns only when that fails.
///
/// # Errors
/// When there is no such lab or host, or the program cannot be started.
pub fn exec_kept(host: &str, words: &[String]) -> Result<(), Error> {
    let (directory, kept) = the_kept()?;
    let plan = Plan::new(kept.prefix, kept.hosts);
    let namespace = match host {
        "client" => Some(plan.client_namespace()),
        "cloud" => Some(plan.cloud_namespace()),
        _ => None,
    };
    let mut command = if let Some(namespace) = namespace {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &namespace]).args(words);
        command
    } else {
        let number = plan.number(host).ok_or_else(|| {
            let names: Vec<_> = plan.hosts().map(Plan::name).collect();
            Error::Invalid(format!("no host {host}; there are {}, client, cloud", names.join(", ")))
        })?;
        let file = directory.join(Plan::name(number)).join("init.pid");
        let text = fs::read_to_string(&file).map_err(Error::file(&file))?;
        let init = text.trim().parse().ok().filter(|&init| guard::is_alive(init));
        let init = init.ok_or_else(|| Error::Off(host.to_owned()))?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        inside(init, &kept.programs, &words)
    };
    let program: OsString = command.get_program().to_owned();
    let source = command.exec();
    let what = format!("cannot run {}", program.to_string_lossy());
    Err(Error::System { what, source })
}

/// Sends a request to the kept lab's cloud: `/_lab`, or an action of the control API.
///
/// # Errors
/// When there is no such lab, or its cloud does not answer.
pub fn post_kept(path: &str, body: &str) -> Result<Answer, Error> {
    let (_, kept) = the_kept()?;
    let port = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let plan = Plan::new(kept.prefix.clone(), kept.hosts);
    // A host's name in the path stands for its droplet.
    let path = plan.hosts().fold(path.to_owned(), |path, host| {
        let name = format!("/{}/", Plan::name(host));
        path.replace(&name, &format!("/{}/", Plan::droplet(host)))
    });
    let method = if body.is_empty() { "GET" } else { "POST" };
    in_cloud(&kept.prefix, port, method, &path, body)
}

/// Sends a request from within the cloud's namespace.
fn in_cloud(prefix: &str, server: SocketAddr, method: &str, path: &str, body: &str) -> Result<Answer, Error> {
    let namespace = Plan::new(prefix, 1).cloud_namespace();
    let (method, path, body) = (method.to_owned(), path.to_owned(), body.to_owned());
    let thread = spawn_in(Some(namespace), "request", move || {
        request(server, &method, &path, Some(TOKEN), &body, ANSWER_LIMIT).map_err(io::Error::other)
    })?;
    let failed = Error::system("no answer from the lab's cloud");
    match thread.join() {
        Ok(answer) => answer.map_err(failed),
        Err(_) => Err(failed(io::Error::other("the request panicked"))),
    }
}
