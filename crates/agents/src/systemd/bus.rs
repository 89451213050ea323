//! The part of `org.freedesktop.systemd1` that is used here; see org.freedesktop.systemd1(5).

use zbus::{ObjectPath, OwnedObjectPath};

/// The manager of units.
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub(super) trait Manager {
    /// Without it there are no signals.
    fn subscribe(&self) -> zbus::Result<()>;

    /// Reads all unit files and drop-ins anew.
    fn reload(&self) -> zbus::Result<()>;

    /// The object of a unit, loaded if need be. A unit that does not exist has one too.
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;

    /// Queues a job that starts the unit.
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    /// Queues a job that stops the unit.
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    /// Path and state of every unit file.
    fn list_unit_files(&self) -> zbus::Result<Vec<(String, String)>>;

    /// A job has left the queue.
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: ObjectPath<'_>, unit: String, result: String) -> zbus::Result<()>;
}

/// A unit.
#[zbus::proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
pub(super) trait Unit {
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating` …
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;

    /// `loaded`, `not-found`, `masked`, `error` …
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;

    /// What its file says that it is.
    #[zbus(property)]
    fn description(&self) -> zbus::Result<String>;
}

/// What only services have.
#[zbus::proxy(interface = "org.freedesktop.systemd1.Service", default_service = "org.freedesktop.systemd1")]
pub(super) trait Service {
    /// The main process; 0 for none.
    #[zbus(property, name = "MainPID")]
    fn main_pid(&self) -> zbus::Result<u32>;
}
