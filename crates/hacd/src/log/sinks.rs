//! Where lines go.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::stamp::{stamp, syslog};
use super::{Line, Severity};
use crate::calls;
use crate::config::{Logging, Stamp, Verbosity};
use crate::storage::words;

/// The socket of the journal, preferred to syslog's where it is there.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// The socket of syslog.
const SYSLOG: &str = "/dev/log";
/// How long after it failed the file is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a socket where nobody was is left alone: each line would look for two.
const ABSENT: Duration = Duration::from_secs(1);
/// Longest line given to syslog or the journal, bytes.
const MAX_DATAGRAM: usize = 8 << 10;

/// All of them.
pub(super) struct Sinks {
    file: Option<LogFile>,
    system: Option<System>,
    stderr: bool,
    node: String,
    pid: u32,
    debug: bool,
    file_priority: u8,
    stamp: Stamp,
    /// Lines that the file did not take.
    refused: u64,
}

struct LogFile {
    path: PathBuf,
    file: Option<File>,
    /// When it is tried again, if it is not open or did not take a line.
    again: Option<Instant>,
    /// A line may be in it in part.
    torn: bool,
    /// Why.
    why: String,
}

impl LogFile {
    fn new(path: PathBuf) -> Self {
        let mut log = Self { path, file: None, again: None, torn: false, why: String::new() };
        log.open();
        log
    }

    /// Opens it (anew); if that fails, the old one stays in use, if there is one.
    fn open(&mut self) {
        match open(&self.path) {
            Ok(file) => (self.file, self.again) = (Some(file), None),
            Err(error) if self.file.is_none() => self.failed(&error),
            Err(_) => {}
        }
    }

    fn failed(&mut self, error: &io::Error) {
        let first = self.again.is_none();
        self.why = words(error);
        self.again = Some(Instant::now() + AGAIN);
        if first {
            crate::complain(&format!(
                "the log file cannot be written, going on without: {}: {}",
                self.path.display(),
                self.why
            ));
        }
    }

    /// Whether the line is in the file.
    fn write(&mut self, row: &[u8]) -> bool {
        if self.again.is_some_and(|again| again <= Instant::now()) {
            // It may be another one by now: on another disk, in another folder.
            self.file = None;
            self.open();
        }
        let Some(file) = self.file.as_mut().filter(|_| self.again.is_none()) else { return false };
        // What was written of a line that was refused ends here.
        let end = if std::mem::take(&mut self.torn) { calls::write_all(file, b"\n") } else { Ok(()) };
        match end.and_then(|()| calls::write_all(file, row)) {
            Ok(()) => true,
            Err(error) => {
                self.torn = true;
                self.failed(&error);
                false
            }
        }
    }
}

struct System {
    facility: u8,
    priority: u8,
    socket: Option<(UnixDatagram, bool)>,
    /// When nobody was there.
    absent: Option<Instant>,
    /// Lines that it did not take.
    refused: u64,
}

impl Sinks {
    /// Opens what the configuration says. Neither the file nor syslog need be there yet: what cannot be written is tried
    /// again later.
    pub(super) fn open(config: &Logging, node: &str) -> Self {
        let file = config.file.as_ref().map(|path| LogFile::new(path.clone()));
        let priority = config.syslog_priority;
        let system = config.syslog.map(|facility| System::new(facility, priority));
        Self {
            file,
            system,
            stderr: config.stderr,
            node: node.to_owned(),
            pid: std::process::id(),
            debug: config.debug > Verbosity::Normal,
            file_priority: config.file_priority,
            stamp: config.timestamp,
            refused: 0,
        }
    }

    /// Why the file does not take lines, if it does not.
    pub(super) fn trouble(&self) -> Option<String> {
        let log = self.file.as_ref()?;
        log.again.is_some().then(|| format!("{}: {}", log.path.display(), log.why))
    }

    /// Lines that the file or the journal did not take, since the last time.
    pub(super) fn refused(&mut self) -> u64 {
        let system = self.system.as_mut().map_or(0, |system| std::mem::take(&mut system.refused));
        std::mem::take(&mut self.refused) + system
    }

    /// Opens the file anew; if that fails, the old one stays in use.
    pub(super) fn reopen(&mut self) {
        if let Some(log) = &mut self.file {
            log.open();
        }
    }

    /// Writes a line to all. What cannot be written is lost and counted.
    pub(super) fn write(&mut self, line: &Line) {
        // A message is one line, whatever it quotes.
        let text: Cow<'_, str> = if line.text.contains(char::is_control) {
            line.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
        } else {
            Cow::Borrowed(&line.text)
        };
        let debug = self.debug;
        let wanted = |priority: u8| line.severity as u8 <= priority || debug && line.severity == Severity::Debug;
        if let Some(log) = self.file.as_mut().filter(|_| wanted(self.file_priority)) {
            let (stamp, pid, node) = (stamp(self.stamp, line.wall_ms), self.pid, &self.node);
            let (word, part) = (line.severity.word(), line.part);
            let row = format!("{stamp}[{pid}] {node} hacd {word:7} [{part:6}] {text}\n");
            self.refused += u64::from(!log.write(row.as_bytes()));
        }
        if self.stderr {
            let row = format!("hacd: {}: [{}] {text}\n", line.severity.word(), line.part);
            let _ = io::stderr().write_all(row.as_bytes());
        }
        if let Some(system) = self.system.as_mut().filter(|system| wanted(system.priority)) {
            system.write(line, &text, self.pid);
        }
    }
}

impl System {
    fn new(facility: u8, priority: u8) -> Self {
        let mut system = Self { facility, priority, socket: None, absent: None, refused: 0 };
        system.connect();
        system
    }

    /// Connects, unless nobody was there a moment ago.
    fn connect(&mut self) {
        if self.absent.is_none_or(|at| at.elapsed() >= ABSENT) {
            self.socket = connect();
            self.absent = self.socket.is_none().then(Instant::now);
        }
    }

    fn write(&mut self, line: &Line, text: &str, pid: u32) {
        for _ in 0..2 {
            if self.socket.is_none() {
                self.connect();
            }
            let Some((socket, journal)) = &self.socket else { break };
            let message = if *journal {
                journal_entry(self.facility, line, text, pid)
            } else {
                syslog_line(self.facility, line, text, pid)
            };
            match socket.send(&message) {
                // The receiver was restarted: connect anew, once.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => self.socket = None,
                Err(_) => break,
                Ok(_) => return,
            }
        }
        self.refused += 1;
    }
}

/// Connects to the journal (`true`) or to syslog. Sending never blocks: the log may lose lines, the node may not wait.
fn connect() -> Option<(UnixDatagram, bool)> {
    for (path, journal) in [(JOURNAL, true), (SYSLOG, false)] {
        let Ok(socket) = UnixDatagram::unbound() else { continue };
        if socket.set_nonblocking(true).is_ok() && socket.connect(path).is_ok() {
            return Some((socket, journal));
        }
    }
    None
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        calls::make_open_folder(directory)?;
    }
    // A FIFO may be wanted; while nobody reads it, it is a file that cannot be written.
    calls::open(path, File::options().append(true).create(true).mode(0o640))
}

/// An entry in the journal's own protocol: a field a line. The text has no line breaks.
fn journal_entry(facility: u8, line: &Line, text: &str, pid: u32) -> Vec<u8> {
    let severity = line.severity as u8;
    let text = shorten(text);
    format!(
        "PRIORITY={severity}\nSYSLOG_IDENTIFIER=hacd\nSYSLOG_FACILITY={facility}\nSYSLOG_PID={pid}\nHACD_PART={}\n\
         MESSAGE={text}\n",
        line.part
    )
    .into_bytes()
}

/// A line of RFC 3164, as local syslog daemons expect it: without host name.
fn syslog_line(facility: u8, line: &Line, text: &str, pid: u32) -> Vec<u8> {
    let priority = u16::from(facility) * 8 + line.severity as u16;
    let text = shorten(text);
    format!("<{priority}>{} hacd[{pid}]: [{}] {text}", syslog(line.wall_ms), line.part).into_bytes()
}

fn shorten(text: &str) -> &str {
    let end = (0..=MAX_DATAGRAM.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn line(severity: Severity, text: &str) -> Line {
        Line { severity, wall_ms: 0, part: "ring", text: text.to_owned() }
    }

    fn logging(path: PathBuf) -> Logging {
        Logging {
            file: Some(path),
            syslog: None,
            stderr: false,
            timestamp: Stamp::Off,
            file_priority: 5,
            syslog_priority: 6,
            debug: Verbosity::Normal,
        }
    }

    #[test]
    fn the_file_gets_one_line_a_message_and_is_opened_anew_after_rotation() {
        let dir = TempDir::new();
        let path = dir.path().join("log/hacd.log");
        let mut sinks = Sinks::open(&logging(path.clone()), "primary");
        sinks.write(&line(Severity::Notice, "two\nlines"));
        sinks.write(&line(Severity::Info, "not important enough"));
        let pid = std::process::id();
        let expected = format!("[{pid}] primary hacd notice  [ring  ] two lines\n");
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), expected);
        std::fs::rename(&path, dir.path().join("old")).expect("rotates");
        sinks.reopen();
        sinks.write(&line(Severity::Error, "after"));
        assert!(std::fs::read_to_string(&path).expect("reads").ends_with("] after\n"));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_tried_again_and_its_lines_are_counted() {
        let dir = TempDir::new();
        // A file where the folder should be.
        let folder = dir.path().join("log");
        std::fs::write(&folder, "").expect("writes");
        let path = folder.join("hacd.log");
        let mut sinks = Sinks::open(&logging(path.clone()), "primary");
        sinks.write(&line(Severity::Notice, "lost"));
        assert_eq!(sinks.refused(), 1);
        assert!(sinks.trouble().is_some_and(|why| why.contains("hacd.log: ")), "{:?}", sinks.trouble());
        std::fs::remove_file(&folder).expect("removes");
        if let Some(log) = &mut sinks.file {
            log.again = Some(Instant::now());
        }
        sinks.write(&line(Severity::Notice, "written"));
        assert_eq!((sinks.trouble(), sinks.refused()), (None, 0));
        assert!(std::fs::read_to_string(&path).expect("reads").ends_with("] written\n"));
    }

    #[test]
    fn a_full_disk_loses_lines_and_counts_them() {
        let mut sinks = Sinks::open(&logging(PathBuf::from("/dev/full")), "primary");
        sinks.write(&line(Severity::Notice, "lost"));
        sinks.write(&line(Severity::Notice, "lost as well"));
        assert_eq!(sinks.refused(), 2);
        assert!(sinks.trouble().is_some_and(|why| why.contains("no space left")));
    }

    #[test]
    fn each_call_may_be_refused_and_a_line_is_in_the_file_or_counted() {
        use crate::calls::faults;
        use rustix::io::Errno;

        let mut calls = 0;
        for error in [Errno::IO, Errno::NOSPC, Errno::MFILE, Errno::FBIG, Errno::INTR] {
            for for_good in [false, true] {
                for call in 1.. {
                    let dir = TempDir::new();
                    let path = dir.path().join("log/hacd.log");
                    faults::refuse(call, error, for_good);
                    let mut sinks = Sinks::open(&logging(path.clone()), "primary");
                    (0..5).for_each(|n| {
                        sinks.write(&line(Severity::Notice, &format!("line {n}")));
                        // A moment later.
                        if let Some(log) = sinks.file.as_mut().filter(|log| log.again.is_some()) {
                            log.again = Some(Instant::now());
                        }
                    });
                    let refused = faults::end();
                    let what = format!("call {call}: {error}, for good: {for_good}");
                    sinks.write(&line(Severity::Notice, "line 5"));
                    assert_eq!(sinks.trouble(), None, "{what}");
                    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
                    let whole =
                        text.lines().filter(|line| line.contains("primary hacd notice  [ring  ] line ")).count();
                    assert_eq!(whole as u64 + sinks.refused(), 6, "{what}: {text:?}");
                    assert!(text.lines().all(|line| line.matches("primary").count() <= 1), "{what}: {text:?}");
                    if !refused {
                        calls = call - 1;
                        break;
                    }
                }
            }
        }
        assert!(calls >= 7, "only {calls} calls go through what can refuse them");
    }

    #[test]
    fn syslog_gets_priority_time_and_tag() {
        let text = String::from_utf8(syslog_line(3, &line(Severity::Warning, "x"), "x", 42)).expect("is text");
        assert_eq!(text, "<28>Jan  1 00:00:00 hacd[42]: [ring] x");
        let long = "ä".repeat(MAX_DATAGRAM);
        assert_eq!(shorten(&long).len(), MAX_DATAGRAM);
    }
}
