//! Watchdogs of the kernel.

use std::fs;
use std::io;
use std::path::Path;

use watchdog_device::Watchdog;

use super::{Opened, Opens};

/// The first of them has a second name.
const FIRST: &str = "/dev/watchdog";

/// Where the kernel tells of them.
const SYSFS: &str = "/sys/class/watchdog";

/// The number of the device that a path names, if it can be one of the kernel's; `None` within for [`FIRST`].
fn number(path: &Path) -> Option<Option<u8>> {
    let rest = path.to_str()?.strip_prefix(FIRST)?;
    if rest.is_empty() { Some(None) } else { rest.parse().ok().map(Some) }
}

/// Whether a path is the name of a watchdog of the kernel.
pub(crate) fn is_name(path: &Path) -> bool {
    number(path).is_some()
}

/// The kernel.
pub(super) struct Kernel;

impl Opens for Kernel {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Opened>> {
        let number = number(path).ok_or(io::ErrorKind::NotFound)?;
        let device = number.map_or_else(Watchdog::new, Watchdog::new_by_id)?;
        let told = format!("{SYSFS}/watchdog{}/nowayout", number.unwrap_or_default());
        // Where the kernel does not tell, it is as its drivers are unless told otherwise.
        let never_stops = fs::read_to_string(told).is_ok_and(|text| text.trim() == "1");
        Ok(Box::new(Open { device, never_stops }))
    }
}

/// An open device.
struct Open {
    device: Watchdog,
    never_stops: bool,
}

impl Opened for Open {
    fn identity(&self) -> io::Result<String> {
        let text = self.device.get_driver_identity()?;
        Ok(text.trim_matches(['\0', ' ']).to_owned())
    }

    fn set_timeout(&mut self, seconds: i32) -> io::Result<i32> {
        Ok(self.device.set_timeout(seconds)?)
    }

    fn timeout(&self) -> io::Result<i32> {
        Ok(self.device.get_timeout()?)
    }

    fn pet(&mut self) -> io::Result<()> {
        Ok(self.device.keep_alive()?)
    }

    fn write_magic(&mut self) -> io::Result<()> {
        self.device.magic_close()
    }

    fn never_stops(&self) -> bool {
        self.never_stops
    }
}
