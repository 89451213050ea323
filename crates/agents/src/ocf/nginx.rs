//! `ocf:heartbeat:nginx` in process: starts nginx as it would start itself, and knows it by its pid file.

mod leftovers;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hac_model::{ExecStatus, Invocation, ProcessRef};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Native, PATH};
use crate::look::{self, Looks};
use crate::runs::{Runs, Task};
use crate::{Doing, Exit, Finished, Missing, watch};

/// Longest configuration that is looked through for the pid file, bytes.
const CONFIGURATION_MAX: u64 = 4 << 20;

/// Where Debian's nginx writes its pid unless its configuration says otherwise.
const PID_FILE: &str = "/run/nginx.pid";

/// How often a state is looked at that should change soon.
const LOOK: Duration = Duration::from_millis(10);

/// How long requests that are under way may take to their end when nginx is stopped: this part of the operation's timeout,
/// and never longer than [`FINISH_MAX`]. Then they are cut.
const FINISH_PART: u32 = 4;

/// See [`FINISH_PART`].
const FINISH_MAX: Duration = Duration::from_secs(10);

/// How long nginx may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Longest head of an answer that is read, bytes.
const ANSWER_MAX: usize = 64 << 10;

/// The agent.
#[derive(Debug)]
pub(super) struct Nginx {
    looks: Arc<Looks>,
    runs: Arc<Runs>,
}

/// What one resource is told. All its files are looked at on threads that may wait for them.
#[derive(Clone, Debug)]
struct Service {
    looks: Arc<Looks>,
    runs: Arc<Runs>,
    resource: String,
    httpd: String,
    configfile: Option<String>,
    options: String,
    status_url: Option<String>,
    params: BTreeMap<String, String>,
}

impl Service {
    fn new(nginx: &Nginx, invocation: &Invocation) -> Self {
        let get = |name: &str| invocation.params.get(name).filter(|value| !value.is_empty()).cloned();
        Self {
            looks: Arc::clone(&nginx.looks),
            runs: Arc::clone(&nginx.runs),
            resource: invocation.resource.clone(),
            httpd: get("httpd").unwrap_or_else(|| "/usr/sbin/nginx".into()),
            configfile: get("configfile"),
            options: get("options").unwrap_or_default(),
            status_url: get("status10url"),
            params: invocation.params.clone(),
        }
    }

    /// The master process, if it runs.
    async fn master(&self) -> io::Result<Option<ProcessRef>> {
        let (params, httpd) = (self.params.clone(), self.httpd.clone());
        let work =
            move || watch::from_file(&pid_file(&params)).filter(|process| leftovers::is_nginx(process.pid, &httpd));
        self.looks.look(&self.resource, "reading the configuration and the pid file of nginx", work).await
    }

    /// Kills workers that have no master, and waits until they are gone.
    async fn kill_leftovers(&self) -> io::Result<()> {
        let httpd = self.httpd.clone();
        let what = "looking for workers of nginx among all processes";
        let orphans = self.looks.look(&self.resource, what, move || leftovers::find(&httpd)).await?;
        leftovers::kill(&orphans).await;
        Ok(())
    }

    /// What is missing, if anything is.
    async fn missing(&self) -> io::Result<Option<Finished>> {
        let (httpd, configfile) = (self.httpd.clone(), self.configfile.clone());
        let what = "looking for nginx and its configuration";
        self.looks.look(&self.resource, what, move || validate(&httpd, configfile.as_deref())).await
    }
}

/// The pid file of the nginx that `params` describe: what its configuration says, else Debian's. May wait for the file.
fn pid_file(params: &BTreeMap<String, String>) -> PathBuf {
    let configuration = params.get("configfile").map_or("/etc/nginx/nginx.conf", String::as_str);
    let text = look::read(Path::new(configuration), CONFIGURATION_MAX).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut words = line.trim().trim_end_matches(';').split_whitespace();
        (words.next() == Some("pid")).then(|| words.next()).flatten().map(|path| path.trim_matches(['"', '\'', ';']))
    });
    let path = found.unwrap_or(PID_FILE);
    // A relative path is relative to nginx's prefix.
    if path.starts_with('/') { PathBuf::from(path) } else { Path::new("/usr/share/nginx").join(path) }
}

impl Nginx {
    pub(super) const fn new(looks: Arc<Looks>, runs: Arc<Runs>) -> Self {
        Self { looks, runs }
    }

    async fn act(&self, invocation: &Invocation) -> Finished {
        let service = Service::new(self, invocation);
        let result = match invocation.action.as_str() {
            "start" => start(&service).await,
            "stop" => stop(&service, (invocation.timeout / FINISH_PART).min(FINISH_MAX)).await,
            "monitor" | "status" => monitor(&service, invocation.interval_ms == 0).await,
            "validate-all" => service.missing().await.map(|missing| missing.unwrap_or(Finished::with(Exit::Success))),
            other => Ok(Finished::failed(Exit::Unimplemented, format!("nginx knows no action {other}"))
                .with_status(ExecStatus::NotSupported)),
        };
        result.unwrap_or_else(|error| Finished::failed(Exit::Generic, format!("nginx cannot be looked at: {error}")))
    }
}

impl Native for Nginx {
    fn name(&self) -> &'static str {
        "ocf:heartbeat:nginx"
    }

    fn metadata(&self) -> &'static str {
        include_str!("nginx/metadata.xml")
    }

    fn needs_files(&self) -> bool {
        true
    }

    fn prove<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Vec<Missing>> {
        Box::pin(async {
            let found = prove(&Service::new(self, invocation)).await;
            let unseen = |error: io::Error| {
                let remedy = "Look at its files on that node; it is looked at again by itself.";
                Some(Missing::new("validate", format!("nginx cannot be looked at: {error}"), remedy))
            };
            found.unwrap_or_else(unseen).into_iter().collect()
        })
    }

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(self.act(invocation))
    }

    fn pid_file(&self, params: &BTreeMap<String, String>) -> Option<PathBuf> {
        Some(pid_file(params))
    }
}

/// What is missing, if anything is. May wait for the files.
fn validate(httpd: &str, configfile: Option<&str>) -> Option<Finished> {
    if !Path::new(httpd).is_file() {
        return Some(Finished::failed(Exit::Installed, format!("{httpd} is not there: is nginx installed?")));
    }
    let file = configfile?;
    let what = match fs::metadata(file) {
        Ok(found) if found.is_file() => return None,
        Ok(_) => "is no regular file",
        Err(_) => "is not there",
    };
    Some(Finished::failed(Exit::Installed, format!("the configuration file {file} {what}")))
}

/// What nginx is told: where programs are, and how people here write and count time. Nothing of the daemon's own: it must
/// not answer the service manager in its place.
fn environment() -> BTreeMap<String, String> {
    let own = |name: &str| std::env::var(name).ok().map(|value| (name.to_owned(), value));
    let path = ("PATH".to_owned(), PATH.to_owned());
    ["LANG", "TZ"].into_iter().filter_map(own).chain([path]).collect()
}

/// What keeps nginx from being started: it is not there, or does not take its configuration (`nginx -t`). That an address is
/// not here or in use says nothing: it comes with a resource of its own, and what runs here has it.
async fn prove(service: &Service) -> io::Result<Option<Missing>> {
    if let Some(missing) = service.missing().await? {
        return Ok(Missing::validated(missing));
    }
    let file = service.configfile.iter().flat_map(|file| ["-c".to_owned(), file.clone()]);
    let options = service.options.split_whitespace().map(str::to_owned);
    let task = Task {
        resource: service.resource.clone(),
        action: "validate-all".to_owned(),
        program: PathBuf::from(&service.httpd),
        arguments: ["-t".to_owned(), "-q".to_owned()].into_iter().chain(file).chain(options).collect(),
        environment: environment(),
        folder: None,
        input: None,
        user: None,
    };
    let ran = service.runs.run(&service.looks, task).await?;
    let text = String::from_utf8_lossy(&ran.stderr);
    let refused = refusal(&text).filter(|_| !ran.status.success());
    let sentence = match refused {
        Some(words) => words,
        None if ran.status.success() || text.contains("bind() to") => return Ok(None),
        None => "it said nothing",
    };
    let place = service.configfile.as_ref().map(|file| format!(" -c {file}")).unwrap_or_default();
    let remedy = format!("'{} -t{place}' on that node says the same until it is put right.", service.httpd);
    Ok(Some(Missing::new("validate", format!("nginx does not take its configuration: {sentence}"), remedy)))
}

/// What nginx says of its configuration, if it is that which it does not take.
fn refusal(text: &str) -> Option<&str> {
    let serious = |line: &&str| line.contains("[emerg]") && !line.contains("bind() to");
    let line = text.lines().find(serious)?;
    Some(line.split_once("[emerg]").map_or(line, |(_, words)| words).trim())
}

async fn start(service: &Service) -> io::Result<Finished> {
    if service.master().await?.is_some() {
        return Ok(Finished::with(Exit::Success));
    }
    if let Some(missing) = service.missing().await? {
        return Ok(missing);
    }
    // Workers that outlived their master hold its port.
    service.kill_leftovers().await?;
    let file = service.configfile.iter().flat_map(|file| ["-c".to_owned(), file.clone()]);
    let task = Task {
        resource: service.resource.clone(),
        action: "start".to_owned(),
        program: PathBuf::from(&service.httpd),
        arguments: file.chain(service.options.split_whitespace().map(str::to_owned)).collect(),
        environment: environment(),
        folder: None,
        input: None,
        user: None,
    };
    // It has bound its sockets when it goes to the background.
    match service.runs.run(&service.looks, task).await {
        Ok(ran) if ran.status.success() => await_master(service).await,
        Ok(ran) => {
            let text = String::from_utf8_lossy(&ran.stderr);
            let words = text.lines().find(|line| line.contains("[emerg]")).or_else(|| text.lines().next());
            let reason = words.unwrap_or("it said nothing").trim();
            Ok(Finished::failed(Exit::Generic, format!("nginx did not start: {reason}")))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Ok(Finished::failed(Exit::Perm, format!("{} is not executable", service.httpd)))
        }
        Err(error) => Ok(Finished::failed(Exit::Generic, format!("could not run {}: {error}", service.httpd))),
    }
}

/// Waits for the pid file: it is written shortly after the parent has ended. The operation's timeout is the limit.
async fn await_master(service: &Service) -> io::Result<Finished> {
    while service.master().await?.is_none() {
        tokio::time::sleep(LOOK).await;
    }
    Ok(Finished::with(Exit::Success))
}

/// Ends nginx, whatever of it is left. Requests that are under way may come to their end, for so long.
async fn stop(service: &Service, finish: Duration) -> io::Result<Finished> {
    if let Some(master) = service.master().await? {
        signal(master, Signal::QUIT);
        let (begin, mut cut) = (Instant::now(), false);
        while watch::find(master.pid) == Some(master) {
            if begin.elapsed() > finish + GRACE {
                signal(master, Signal::KILL);
            } else if begin.elapsed() > finish && !std::mem::replace(&mut cut, true) {
                signal(master, Signal::TERM);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    service.kill_leftovers().await?;
    Ok(Finished::with(Exit::Success))
}

fn signal(process: ProcessRef, signal: Signal) {
    if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
        // It may have ended in between, which is what is wanted.
        let _ = kill_process(pid, signal);
    }
}

async fn monitor(service: &Service, probe: bool) -> io::Result<Finished> {
    if service.master().await?.is_none() {
        return Ok(Finished::with(Exit::NotRunning));
    }
    Ok(match &service.status_url {
        Some(url) if !probe => check_url(url).await,
        _ => Finished::with(Exit::Success),
    })
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
async fn get(address: &str, host: &str, path: &str) -> io::Result<String> {
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
