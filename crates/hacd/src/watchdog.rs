//! The watchdog of this host: a device that resets it when nobody has petted it for a while. When it is petted `hac_node::Petting`
//! decides; here is what is done to the device, and what is said where that does not work.
//!
//! Opening the device starts it. Closing it after the letter `V` stops it, unless the kernel was told that nothing does; closing it
//! without does not, so that a daemon that dies is followed by a reset, or by a daemon that opens it in time.

mod kernel;
mod stand_in;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use kernel::is_name as is_kernel_device;

/// What the driver of softdog calls itself.
const SOFTDOG: &str = "Software Watchdog";

/// What can be done to a device that is open: the calls of the kernel, each of which may be refused.
pub(crate) trait Opened: Send {
    /// What its driver says that it is.
    fn identity(&self) -> io::Result<String>;
    /// Has it count so many seconds from each petting; how many it really takes.
    fn set_timeout(&mut self, seconds: i32) -> io::Result<i32>;
    /// How many it takes.
    fn timeout(&self) -> io::Result<i32>;
    /// Pets it.
    fn pet(&mut self) -> io::Result<()>;
    /// Writes the letter after which closing it stops it.
    fn write_magic(&mut self) -> io::Result<()>;
    /// Nothing stops it once it was started (`nowayout`).
    fn never_stops(&self) -> bool;
}

/// Where devices are opened.
pub(crate) trait Opens: Send {
    /// Opens the device, which starts it.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Opened>>;
}

/// A watchdog that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Started {
    /// What it is.
    pub(crate) device: String,
    /// The time that it counts.
    pub(crate) timeout: Duration,
    /// What people should know of it, sentences.
    pub(crate) remarks: Vec<String>,
}

/// The device of this host.
pub(crate) struct Device {
    path: PathBuf,
    opens: Box<dyn Opens>,
    opened: Option<Box<dyn Opened>>,
}

impl Device {
    /// The one at this path: one of the kernel's, or the socket of what stands in for it in tests.
    pub(crate) fn at(path: &Path) -> Self {
        if is_kernel_device(path) {
            Self::with(path, Box::new(kernel::Kernel))
        } else {
            Self::with(path, Box::new(stand_in::StandIn))
        }
    }

    fn with(path: &Path, opens: Box<dyn Opens>) -> Self {
        Self { path: path.to_owned(), opens, opened: None }
    }

    /// Starts it. It has to count no longer than `timeout`: others wait for it.
    ///
    /// # Errors
    /// A clause that says what is the matter.
    pub(crate) fn start(&mut self, timeout: Duration) -> Result<Started, String> {
        let path = self.path.display().to_string();
        let mut opened = self.opens.open(&self.path).map_err(|error| cannot_open(&path, &error))?;
        let seconds = i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX);
        let set = opened.set_timeout(seconds).or_else(|error| match opened.timeout() {
            // A driver that cannot be told counts as it always does.
            Ok(own) if own > 0 && own <= seconds => Ok(own),
            _ => Err(error),
        });
        let taken = match set {
            Ok(taken) if taken > 0 && taken <= seconds => taken,
            Ok(taken) => {
                return Err(give_up(
                    opened,
                    format!("{path} counts {taken} s and not the {seconds} s of watchdog.timeout"),
                ));
            }
            Err(error) => {
                let why = crate::storage::words(&error);
                return Err(give_up(opened, format!("{path} does not take {seconds} s (watchdog.timeout): {why}")));
            }
        };
        let identity = opened.identity().unwrap_or_else(|_| "an unknown device".to_owned());
        let mut remarks = Vec::new();
        if identity == SOFTDOG {
            remarks.push(format!(
                "{path} is softdog, a timer of this kernel: it does not reset a host whose kernel hangs or that is not run by its \
                 hypervisor. A watchdog of the hardware, or one that the hypervisor emulates, does"
            ));
        }
        if opened.never_stops() {
            remarks.push(format!(
                "{path} cannot be stopped once it counts (nowayout): this host is reset {taken} s after hacd ends, also when it \
                 was stopped in order"
            ));
        }
        let device = if identity == SOFTDOG { format!("softdog at {path}") } else { format!("{identity} at {path}") };
        self.opened = Some(opened);
        let timeout = Duration::from_secs(u64::try_from(taken).unwrap_or_default());
        Ok(Started { device, timeout, remarks })
    }

    /// Pets it.
    ///
    /// # Errors
    /// A clause; it counts on.
    pub(crate) fn pet(&mut self) -> Result<(), String> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        opened.pet().map_err(|error| {
            let path = self.path.display();
            format!("{path} cannot be petted: {}; this host will be reset", crate::storage::words(&error))
        })
    }

    /// Stops it; whether it is stopped.
    ///
    /// # Errors
    /// A clause; it counts on.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        let Some(mut opened) = self.opened.take() else { return Ok(()) };
        let path = self.path.display();
        if opened.never_stops() {
            return Err(format!("{path} cannot be stopped (nowayout)"));
        }
        opened.write_magic().map_err(|error| format!("{path} cannot be stopped: {}", crate::storage::words(&error)))
    }
}

/// A device that was opened and is of no use is not left to count, if that can be helped.
fn give_up(mut opened: Box<dyn Opened>, why: String) -> String {
    match opened.write_magic() {
        Ok(()) if !opened.never_stops() => why,
        _ => format!("{why}; and it counts now, so that this host will be reset"),
    }
}

/// Why a device cannot be opened.
fn cannot_open(path: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no {path}; 'modprobe softdog' makes one where the hardware and the hypervisor have none")
        }
        io::ErrorKind::ResourceBusy => format!(
            "another program has {path}: systemd (RuntimeWatchdogSec=), sbd, or the watchdog daemon; only one can have it"
        ),
        _ => format!("{path} cannot be opened: {}", crate::storage::words(error)),
    }
}
