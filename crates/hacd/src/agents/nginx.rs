//! `ocf:heartbeat:nginx` in process: starts nginx as it would start itself, and knows it by its pid file.

mod leftovers;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hac_crm::local::{ExecStatus, Invocation, ProcessRef};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::{Exit, Finished, process, watch};

/// Name of the agent.
pub(super) const NAME: &str = "ocf:heartbeat:nginx";

/// What the agent says of itself.
pub(super) const METADATA: &str = include_str!("nginx/metadata.xml");

/// Where Debian's nginx writes its pid unless its configuration says otherwise.
const PID_FILE: &str = "/run/nginx.pid";

/// How often a state is looked at that should change soon.
const LOOK: Duration = Duration::from_millis(10);

/// How long nginx may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Longest head of an answer that is read, bytes.
const ANSWER_MAX: usize = 64 << 10;

/// The agent.
#[derive(Debug, Default)]
pub(super) struct Nginx {}

/// What one resource is told.
struct Service<'a> {
    httpd: &'a str,
    configfile: Option<&'a str>,
    options: &'a str,
    status_url: Option<&'a str>,
    pid_file: PathBuf,
}

impl<'a> Service<'a> {
    fn new(params: &'a BTreeMap<String, String>) -> Self {
        let get = |name: &str| params.get(name).map(String::as_str).filter(|value| !value.is_empty());
        Self {
            httpd: get("httpd").unwrap_or("/usr/sbin/nginx"),
            configfile: get("configfile"),
            options: get("options").unwrap_or(""),
            status_url: get("status10url"),
            pid_file: pid_file(params),
        }
    }

    /// The master process, if it runs.
    fn master(&self) -> Option<ProcessRef> {
        watch::from_file(&self.pid_file).filter(|process| leftovers::is_nginx(process.pid, self.httpd))
    }
}

/// The pid file of the nginx that `params` describe: what its configuration says, else Debian's.
pub(super) fn pid_file(params: &BTreeMap<String, String>) -> PathBuf {
    let configuration = params.get("configfile").map_or("/etc/nginx/nginx.conf", String::as_str);
    let text = fs::read_to_string(configuration).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut words = line.trim().trim_end_matches(';').split_whitespace();
        (words.next() == Some("pid")).then(|| words.next()).flatten().map(|path| path.trim_matches(['"', '\'', ';']))
    });
    let path = found.unwrap_or(PID_FILE);
    // A relative path is relative to nginx's prefix.
    if path.starts_with('/') { PathBuf::from(path) } else { Path::new("/usr/share/nginx").join(path) }
}

impl Nginx {
    /// Runs one action.
    pub(super) async fn run(&self, invocation: &Invocation) -> Finished {
        let service = Service::new(&invocation.params);
        match invocation.action.as_str() {
            "start" => start(&service).await,
            "stop" => stop(&service).await,
            "monitor" | "status" => monitor(&service, invocation.interval_ms == 0).await,
            "validate-all" => validate(&service).unwrap_or(Finished::with(Exit::Success)),
            other => Finished::failed(Exit::Unimplemented, format!("nginx knows no action {other}"))
                .with_status(ExecStatus::NotSupported),
        }
    }
}

/// What is missing, if anything is.
fn validate(service: &Service<'_>) -> Option<Finished> {
    if !Path::new(service.httpd).is_file() {
        return Some(Finished::failed(Exit::Installed, format!("{} is not there: is nginx installed?", service.httpd)));
    }
    let configuration = service.configfile.filter(|file| !Path::new(file).is_file())?;
    Some(Finished::failed(Exit::Installed, format!("the configuration file {configuration} is not there")))
}

async fn start(service: &Service<'_>) -> Finished {
    if service.master().is_some() {
        return Finished::with(Exit::Success);
    }
    if let Some(missing) = validate(service) {
        return missing;
    }
    // Workers that outlived their master hold its port.
    leftovers::kill(service.httpd).await;
    let mut command = Command::new(service.httpd);
    if let Some(file) = service.configfile {
        command.args(["-c", file]);
    }
    command.args(service.options.split_whitespace());
    // It has bound its sockets when it goes to the background.
    match process::run(command).await {
        Ok(ran) if ran.status.success() => await_master(service).await,
        Ok(ran) => {
            let text = String::from_utf8_lossy(&ran.stderr);
            let words = text.lines().find(|line| line.contains("[emerg]")).or_else(|| text.lines().next());
            let reason = words.unwrap_or("it said nothing").trim();
            Finished::failed(Exit::Generic, format!("nginx did not start: {reason}"))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Finished::failed(Exit::Perm, format!("{} is not executable", service.httpd))
        }
        Err(error) => Finished::failed(Exit::Generic, format!("could not run {}: {error}", service.httpd)),
    }
}

/// Waits for the pid file: it is written shortly after the parent has ended. The operation's timeout is the limit.
async fn await_master(service: &Service<'_>) -> Finished {
    while service.master().is_none() {
        tokio::time::sleep(LOOK).await;
    }
    Finished::with(Exit::Success)
}

/// Ends nginx, whatever of it is left.
async fn stop(service: &Service<'_>) -> Finished {
    if let Some(master) = service.master() {
        signal(master, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while watch::find(master.pid) == Some(master) {
            if Instant::now() > deadline {
                signal(master, Signal::KILL);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    leftovers::kill(service.httpd).await;
    Finished::with(Exit::Success)
}

fn signal(process: ProcessRef, signal: Signal) {
    if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
        // It may have ended in between, which is what is wanted.
        let _ = kill_process(pid, signal);
    }
}

async fn monitor(service: &Service<'_>, probe: bool) -> Finished {
    if service.master().is_none() {
        return Finished::with(Exit::NotRunning);
    }
    match service.status_url {
        Some(url) if !probe => check_url(url).await,
        _ => Finished::with(Exit::Success),
    }
}

/// Asks for the status page; anything but 200 is a failure. Only plain HTTP: it is meant for this host.
async fn check_url(url: &str) -> Finished {
    let Some(rest) = url.strip_prefix("http://") else {
        return Finished::failed(Exit::Configured, format!("status10url must begin with http://, it is {url}"));
    };
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    match get(&address, host, &path).await {
        Ok(line) if line.split_whitespace().nth(1) == Some("200") => Finished::with(Exit::Success),
        Ok(line) => Finished::failed(Exit::Generic, format!("{url} answered '{}'", line.trim())),
        Err(error) => Finished::failed(Exit::Generic, format!("{url} did not answer: {error}")),
    }
}

/// The first line of the answer to a request.
async fn get(address: &str, host: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: hacd\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    while !answer.contains(&b'\n') && answer.len() < ANSWER_MAX {
        match stream.read(&mut chunk).await? {
            0 => break,
            size => answer.extend(chunk.iter().take(size)),
        }
    }
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or("").to_owned())
}

#[cfg(test)]
mod tests;
