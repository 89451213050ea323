//! Units of systemd, over D-Bus: `systemd:nginx` is `nginx.service`.
//!
//! A unit that the cluster runs has a drop-in below `/run/systemd/system`: systemd does not restart it by itself, and stops it
//! only after hacd when the host goes down, so that hacd can hand it over. Starting and stopping are jobs of systemd's; the
//! action ends when its job has left the queue and the unit's state has settled.
//!
//! When the bus goes away in between (systemd executes itself anew, the bus is restarted) the action asks again until its time
//! is up: what is not known has not failed.

mod bus;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hac_model::{Agent, ExecStatus, Invocation, ProcessRef};
use tokio::sync::Mutex;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath};

use crate::look::Looks;
use crate::{Depth, Doing, Exit, Finished, Implementation, Listed, Missing, Proof, Standard, watch};
use bus::{ManagerProxy, ServiceProxy, UnitProxy};

/// Where systemd says that it runs here (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

/// The drop-in's name in the folder of the unit.
const DROP_IN: &str = "50-hacd.conf";

/// Longest wait before a unit whose state has not settled is looked at again.
const SETTLING: Duration = Duration::from_secs(2);

/// Wait before the bus is asked again that did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// Endings of unit names (systemd.unit(5)). What has none of them is a service.
const KINDS: &[&str] =
    &["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

/// Why something could not be done with a unit.
#[derive(Debug)]
enum Trouble {
    /// The bus does not answer, or not any more.
    Bus(zbus::Error),
    /// There is no such unit.
    NoUnit,
    /// systemd refuses, with its sentence.
    Refused(String),
    /// A file could not be written.
    File(PathBuf, io::Error),
}

impl From<zbus::Error> for Trouble {
    fn from(error: zbus::Error) -> Self {
        let zbus::Error::MethodError(name, text, _) = &error else { return Self::Bus(error) };
        match name.as_str().rsplit('.').next().unwrap_or_default() {
            "NoSuchUnit" | "LoadFailed" | "InvalidName" => Self::NoUnit,
            // Nobody stands behind the name at this moment, or systemd has begun anew.
            "NoReply" | "Disconnected" | "ServiceUnknown" | "NameHasNoOwner" | "Timeout" => Self::Bus(error),
            _ => Self::Refused(text.clone().unwrap_or_else(|| name.to_string())),
        }
    }
}

/// The standard.
#[derive(Debug)]
pub(crate) struct Systemd {
    /// Where units of the kernel's life are: `/run/systemd/system`.
    folder: PathBuf,
    looks: Arc<Looks>,
    /// The bus, once somebody needed it.
    connection: Mutex<Option<Connection>>,
}

impl Systemd {
    pub(crate) fn new(looks: Arc<Looks>) -> Self {
        Self { folder: PathBuf::from(BOOTED), looks, connection: Mutex::default() }
    }

    async fn connection(&self) -> Result<Connection, Trouble> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.as_ref() {
            return Ok(connection.clone());
        }
        let connection = Connection::system().await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    async fn manager(&self) -> Result<ManagerProxy<'static>, Trouble> {
        let connection = self.connection().await?;
        Ok(ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?)
    }

    /// A unit that exists.
    async fn unit(
        &self,
        manager: &ManagerProxy<'_>,
        name: &str,
    ) -> Result<(OwnedObjectPath, UnitProxy<'static>), Trouble> {
        let path = manager.load_unit(name).await?;
        let unit = UnitProxy::builder(manager.inner().connection()).path(path.clone());
        let unit = unit.cache_properties(CacheProperties::No).build().await?;
        match unit.load_state().await?.as_str() {
            "not-found" | "error" | "bad-setting" => Err(Trouble::NoUnit),
            "masked" => {
                Err(Trouble::Refused(format!("the unit {name} is masked; systemctl unmask {name} lets it start")))
            }
            _ => Ok((path, unit)),
        }
    }

    /// Whether a unit runs, as soon as that is settled.
    async fn state(&self, unit: &UnitProxy<'_>, timeout: Duration) -> Result<State, Trouble> {
        loop {
            match unit.active_state().await?.as_str() {
                "active" | "reloading" | "refreshing" => return Ok(State::Active),
                "activating" | "deactivating" | "maintenance" => {
                    tokio::time::sleep((timeout / 10).min(SETTLING)).await;
                }
                "failed" => return Ok(State::Failed),
                _ => return Ok(State::Inactive),
            }
        }
    }

    async fn monitor(&self, name: &str, timeout: Duration) -> Result<Finished, Trouble> {
        let manager = self.manager().await?;
        let (_, unit) = self.unit(&manager, name).await?;
        Ok(match self.state(&unit, timeout).await? {
            State::Active => Finished::with(Exit::Success),
            State::Inactive => Finished::with(Exit::NotRunning),
            State::Failed => Finished::failed(Exit::NotRunning, format!("the unit {name} has failed")),
        })
    }

    /// Whether the unit is there and may be started.
    async fn validate(&self, name: &str) -> Result<Finished, Trouble> {
        let manager = self.manager().await?;
        self.unit(&manager, name).await.map(|_| Finished::with(Exit::Success))
    }

    async fn start(&self, name: &str, timeout: Duration) -> Result<Finished, Trouble> {
        let manager = self.manager().await?;
        let (_, unit) = self.unit(&manager, name).await?;
        self.write_drop_in(name).await?;
        self.reload(&manager).await;
        let result = self.job(&manager, name, true).await?;
        Ok(match (result.as_str(), self.state(&unit, timeout).await?) {
            ("done", State::Active) => Finished::with(Exit::Success),
            ("timeout", _) => failed(name, "starting", "systemd's own time for it was over (TimeoutStartSec=)")
                .with_status(ExecStatus::Timeout),
            ("done", _) => failed(name, "starting", "it has ended again"),
            (other, _) => failed(name, "starting", &format!("systemd's job for it ended with '{other}'")),
        })
    }

    async fn stop(&self, name: &str, timeout: Duration) -> Result<Finished, Trouble> {
        let manager = self.manager().await?;
        let (_, unit) = self.unit(&manager, name).await?;
        self.remove_drop_in(name).await?;
        self.reload(&manager).await;
        let result = self.job(&manager, name, false).await?;
        Ok(match (result.as_str(), self.state(&unit, timeout).await?) {
            (_, State::Inactive | State::Failed) => Finished::with(Exit::Success),
            ("done", State::Active) => failed(name, "stopping", "something has started it again"),
            (other, State::Active) => failed(name, "stopping", &format!("systemd's job for it ended with '{other}'")),
        })
    }

    /// Has systemd read the drop-ins. What it does not read is no reason not to go on: the unit itself is known.
    async fn reload(&self, manager: &ManagerProxy<'_>) {
        if let Err(error) = manager.reload().await {
            tracing::warn!("systemd does not read its units anew: {error}");
        }
    }

    /// Queues a job, waits until it has left the queue and gives its result.
    async fn job(&self, manager: &ManagerProxy<'_>, name: &str, start: bool) -> Result<String, Trouble> {
        manager.subscribe().await.or_else(already)?;
        let mut removed = manager.receive_job_removed().await?;
        let job = match start {
            true => manager.start_unit(name, "replace").await?,
            false => manager.stop_unit(name, "replace").await?,
        };
        while let Some(signal) = removed.next().await {
            let gone = signal.args()?;
            if gone.job() == &job.as_ref() {
                return Ok(gone.result().clone());
            }
        }
        Err(Trouble::Bus(zbus::Error::Failure("the bus has ended".to_owned())))
    }

    async fn write_drop_in(&self, name: &str) -> Result<(), Trouble> {
        let (folder, text) = (self.folder.join(format!("{name}.d")), drop_in(name));
        let path = folder.join(DROP_IN);
        let file = path.clone();
        let what = format!("writing {}", path.display());
        let written = self.looks.look(name, what, move || {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&file, text)
        });
        written.await.and_then(|written| written).map_err(|error| Trouble::File(path, error))
    }

    async fn remove_drop_in(&self, name: &str) -> Result<(), Trouble> {
        let folder = self.folder.join(format!("{name}.d"));
        let path = folder.join(DROP_IN);
        let file = path.clone();
        let removed = self.looks.look(name, format!("removing {}", path.display()), move || {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // Others may have drop-ins there too.
            let _ = std::fs::remove_dir(&folder);
            Ok(())
        });
        removed.await.and_then(|removed| removed).map_err(|error| Trouble::File(path, error))
    }

    /// Whether systemd is this host's first process.
    async fn booted(&self) -> bool {
        let folder = self.folder.clone();
        let looked = self.looks.look("systemd", "looking for systemd", move || folder.is_dir());
        looked.await.unwrap_or(false)
    }

    /// Runs one action. It is tried again while the bus does not answer, and whoever waits sets the limit.
    async fn act(&self, invocation: &Invocation) -> Finished {
        let name = unit_name(&invocation.agent.kind);
        if !self.booted().await {
            let reason = "systemd does not run on this host; another class of agent is needed for it";
            return Finished::failed(Exit::Installed, reason).with_status(ExecStatus::NotInstalled);
        }
        loop {
            let done = match invocation.action.as_str() {
                "start" => self.start(&name, invocation.timeout).await,
                "stop" => self.stop(&name, invocation.timeout).await,
                "monitor" | "status" => self.monitor(&name, invocation.timeout).await,
                "validate-all" => self.validate(&name).await,
                _ => return Finished::with(Exit::Unimplemented),
            };
            match done {
                Ok(finished) => return finished,
                Err(Trouble::NoUnit) if invocation.action == "stop" => return Finished::with(Exit::Success),
                Err(Trouble::NoUnit) => {
                    let reason = format!("there is no unit {name} on this node");
                    return Finished::failed(Exit::Installed, reason).with_status(ExecStatus::NotInstalled);
                }
                Err(Trouble::Refused(why)) => {
                    return Finished::failed(Exit::Generic, why).with_status(ExecStatus::Error);
                }
                Err(Trouble::File(path, error)) => {
                    let reason = format!("cannot write {}: {error}", path.display());
                    return Finished::failed(Exit::Generic, reason).with_status(ExecStatus::Error);
                }
                Err(Trouble::Bus(error)) => {
                    tracing::debug!("systemd does not answer: {error}");
                    self.connection.lock().await.take();
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn main_process(&self, name: &str) -> Option<ProcessRef> {
        let manager = self.manager().await.ok()?;
        let (path, _) = self.unit(&manager, name).await.ok()?;
        let service = ServiceProxy::builder(manager.inner().connection()).path(path);
        let service = service.cache_properties(CacheProperties::No).build().await.ok()?;
        let pid = service.main_pid().await.ok().filter(|pid| *pid > 0)?;
        self.looks.look(name, "looking at its main process", move || watch::find(pid)).await.ok()?
    }

    /// The services of this host, without those that need an instance.
    async fn services(&self) -> Result<Vec<Listed>, Trouble> {
        let files = self.manager().await?.list_unit_files().await?;
        let named = files.into_iter().filter_map(|(path, _)| {
            let path = PathBuf::from(path);
            let kind = path.file_name()?.to_str()?.strip_suffix(".service")?.to_owned();
            (!kind.ends_with('@')).then(|| listed(kind, Some(path)))
        });
        Ok(named.collect())
    }

    async fn description(&self, agent: &Agent) -> Option<(Listed, String)> {
        let name = unit_name(&agent.kind);
        if !self.booted().await {
            return None;
        }
        let manager = self.manager().await.ok()?;
        let (_, unit) = self.unit(&manager, &name).await.ok()?;
        let described = unit.description().await.ok()?;
        Some((listed(agent.kind.clone(), None), crate::metadata::without_parameters(&agent.kind, &described, ACTIONS)))
    }
}

/// The actions of a unit and their limits as Pacemaker advertises them, seconds.
const ACTIONS: &[(&str, u32)] = &[("start", 100), ("stop", 100), ("status", 100), ("monitor", 100)];

/// What a unit is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Inactive,
    Failed,
}

fn failed(name: &str, doing: &str, why: &str) -> Finished {
    Finished::failed(Exit::Generic, format!("{doing} the unit {name} failed: {why}; journalctl -u {name} has more"))
}

fn listed(kind: String, file: Option<PathBuf>) -> Listed {
    let agent = Agent { class: "systemd".to_owned(), provider: None, kind };
    Listed { agent, implementation: Implementation::Native, script: file, native: true }
}

/// The unit that a resource names.
fn unit_name(kind: &str) -> String {
    let known = Path::new(kind).extension().is_some_and(|end| KINDS.iter().any(|kind| end == *kind));
    if known { kind.to_owned() } else { format!("{kind}.service") }
}

/// What systemd is told of a unit that the cluster runs.
fn drop_in(name: &str) -> String {
    let service = if name.ends_with(".service") { "\n[Service]\nRestart=no\n" } else { "" };
    format!(
        "# Written by hacd, gone when the resource is stopped.\n[Unit]\nDescription=Cluster Controlled {name}\nBefore=hacd.service\n{service}"
    )
}

/// Subscribing twice is no trouble.
fn already(error: zbus::Error) -> zbus::Result<()> {
    match &error {
        zbus::Error::MethodError(name, ..) if name.as_str().ends_with("AlreadySubscribed") => Ok(()),
        _ => Err(error),
    }
}

impl Standard for Systemd {
    fn list(&self) -> Doing<'_, Vec<Listed>> {
        Box::pin(async {
            if !self.booted().await {
                return Vec::new();
            }
            self.services().await.unwrap_or_else(|trouble| {
                tracing::warn!("the units of this host cannot be listed: {trouble}");
                Vec::new()
            })
        })
    }

    fn describe<'a>(&'a self, agent: &'a Agent) -> Doing<'a, Option<(Listed, String)>> {
        Box::pin(self.description(agent))
    }

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(self.act(invocation))
    }

    fn prove<'a>(&'a self, invocation: &'a Invocation, _: Depth) -> Doing<'a, Proof> {
        Box::pin(async { Proof::of(Missing::validated(self.act(invocation).await)) })
    }

    fn processes<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Vec<ProcessRef>> {
        Box::pin(async {
            let name = unit_name(&invocation.agent.kind);
            self.main_process(&name).await.into_iter().collect()
        })
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bus(error) => write!(f, "systemd does not answer: {error}"),
            Self::NoUnit => f.write_str("there is no such unit"),
            Self::Refused(why) => f.write_str(why),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
