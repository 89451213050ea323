//! With a kernel that writes down what it is asked, and refuses what the test wants refused.

use std::sync::{Arc, Mutex};

use super::*;

/// What the kernel was asked, and how it is.
#[derive(Debug, Default)]
struct Asked {
    calls: Vec<String>,
    busy: bool,
    missing: bool,
    /// It knows no ioctl of a watchdog.
    deaf: bool,
    /// It counts so many seconds, whatever it is told.
    counts: Option<i32>,
    identity: &'static str,
    never_stops: bool,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Asked>>);

impl Fake {
    fn with(change: impl FnOnce(&mut Asked)) -> (Self, Device) {
        let fake = Self::default();
        change(&mut fake.0.lock().expect("no panic"));
        let device = Device::with(Path::new("/dev/watchdog"), Box::new(fake.clone()));
        (fake, device)
    }

    fn calls(&self) -> Vec<String> {
        self.0.lock().expect("no panic").calls.clone()
    }

    fn note(&self, call: impl Into<String>) -> std::sync::MutexGuard<'_, Asked> {
        let mut asked = self.0.lock().expect("no panic");
        asked.calls.push(call.into());
        asked
    }
}

impl Opens for Fake {
    fn open(&self, _: &Path) -> io::Result<Box<dyn Opened>> {
        let asked = self.note("open");
        match (asked.missing, asked.busy) {
            (true, _) => Err(io::ErrorKind::NotFound.into()),
            (_, true) => Err(io::Error::from_raw_os_error(16)),
            _ => Ok(Box::new(self.clone())),
        }
    }
}

impl Opened for Fake {
    fn identity(&self) -> io::Result<String> {
        Ok(self.0.lock().expect("no panic").identity.to_owned())
    }

    fn set_timeout(&mut self, seconds: i32) -> io::Result<i32> {
        let asked = self.note(format!("timeout {seconds}"));
        if asked.deaf { Err(io::Error::from_raw_os_error(25)) } else { Ok(asked.counts.unwrap_or(seconds)) }
    }

    fn timeout(&self) -> io::Result<i32> {
        let asked = self.0.lock().expect("no panic");
        asked.counts.ok_or_else(|| io::Error::from_raw_os_error(25))
    }

    fn pet(&mut self) -> io::Result<()> {
        drop(self.note("pet"));
        Ok(())
    }

    fn write_magic(&mut self) -> io::Result<()> {
        drop(self.note("V"));
        Ok(())
    }

    fn never_stops(&self) -> bool {
        self.0.lock().expect("no panic").never_stops
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // Each copy but the test's own is an open device or the kernel itself.
        if Arc::strong_count(&self.0) == 3 {
            drop(self.note("close"));
        }
    }
}

const TEN: Duration = Duration::from_secs(10);

#[test]
fn a_clean_stop_disarms_and_a_device_that_nothing_stops_is_named_beforehand() {
    let (fake, mut device) = Fake::with(|kernel| kernel.identity = "iTCO_wdt");
    let started = device.start(TEN).expect("it starts");
    let expected = Started { device: "iTCO_wdt at /dev/watchdog".to_owned(), timeout: TEN, remarks: Vec::new() };
    assert_eq!(started, expected);
    device.pet().expect("it is petted");
    device.stop().expect("it is stopped");
    assert_eq!(fake.calls(), ["open", "timeout 10", "pet", "V", "close"]);

    let (fake, mut device) = Fake::with(|kernel| kernel.never_stops = true);
    let started = device.start(TEN).expect("it starts");
    assert!(started.remarks[0].contains("cannot be stopped once it counts (nowayout)"), "{started:?}");
    assert!(device.stop().expect_err("it counts on").contains("nowayout"));
    assert!(!fake.calls().contains(&"V".to_owned()));
}

#[test]
fn a_daemon_that_dies_leaves_the_device_counting() {
    let (fake, mut device) = Fake::with(|_| {});
    device.start(TEN).expect("it starts");
    drop(device);
    assert!(!fake.calls().contains(&"V".to_owned()), "{:?}", fake.calls());
}

#[test]
fn softdog_is_named_for_what_it_is() {
    let (_, mut device) = Fake::with(|kernel| kernel.identity = "Software Watchdog");
    let started = device.start(TEN).expect("it starts");
    assert_eq!(started.device, "softdog at /dev/watchdog");
    assert!(started.remarks[0].contains("does not reset a host whose kernel hangs"), "{started:?}");
}

#[test]
fn a_device_that_is_taken_or_missing_or_none_or_counts_too_long_is_refused_with_what_to_do() {
    let refused = |change: fn(&mut Asked)| {
        let (fake, mut device) = Fake::with(change);
        (device.start(TEN).expect_err("it is refused"), fake.calls())
    };
    assert!(refused(|kernel| kernel.busy = true).0.contains("RuntimeWatchdogSec="));
    assert!(refused(|kernel| kernel.missing = true).0.contains("modprobe softdog"));
    let (why, calls) = refused(|kernel| kernel.deaf = true);
    assert!(why.contains("does not take 10 s") && calls.contains(&"V".to_owned()), "{why} {calls:?}");
    let (why, calls) = refused(|kernel| kernel.counts = Some(60));
    assert!(why.contains("counts 60 s and not the 10 s"), "{why}");
    assert!(calls.contains(&"V".to_owned()), "it is not left to count: {calls:?}");
    let (why, _) = refused(|kernel| (kernel.counts, kernel.never_stops) = (Some(60), true));
    assert!(why.contains("this host will be reset"), "{why}");
    // One that cannot be told, and counts less, is good.
    let (_, mut device) = Fake::with(|kernel| (kernel.deaf, kernel.counts) = (true, Some(8)));
    assert_eq!(device.start(TEN).expect("it starts").timeout, Duration::from_secs(8));
}

#[test]
fn what_takes_every_byte_and_is_no_socket_is_no_watchdog() {
    for path in ["/dev/null", "/proc/self/status"] {
        let why = Device::at(Path::new(path)).start(TEN).expect_err("it is refused");
        assert!(why.contains("cannot be opened"), "{why}");
    }
    assert!(is_kernel_device(Path::new("/dev/watchdog0")) && !is_kernel_device(Path::new("/dev/watchdogs")));
}
