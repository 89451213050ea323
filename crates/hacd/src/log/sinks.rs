//! Where lines go.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::stamp::{stamp, syslog};
use super::{Line, Severity};
use crate::config::{Logging, Stamp, Verbosity};

/// The socket of the journal, preferred to syslog's where it is there.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// The socket of syslog.
const SYSLOG: &str = "/dev/log";
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
}

struct LogFile {
    path: PathBuf,
    file: Option<File>,
}

struct System {
    facility: u8,
    priority: u8,
    socket: Option<(UnixDatagram, bool)>,
}

impl Sinks {
    /// Opens what the configuration says. Syslog need not be there yet.
    pub(super) fn open(config: &Logging, node: &str) -> io::Result<Self> {
        let file = match &config.file {
            None => None,
            Some(path) => Some(LogFile { file: Some(open(path)?), path: path.clone() }),
        };
        let priority = config.syslog_priority;
        let system = config.syslog.map(|facility| System { facility, priority, socket: connect() });
        Ok(Self {
            file,
            system,
            stderr: config.stderr,
            node: node.to_owned(),
            pid: std::process::id(),
            debug: config.debug > Verbosity::Normal,
            file_priority: config.file_priority,
            stamp: config.timestamp,
        })
    }

    /// Opens the file anew; if that fails, the old one stays in use.
    pub(super) fn reopen(&mut self) {
        if let Some(log) = &mut self.file
            && let Ok(file) = open(&log.path)
        {
            log.file = Some(file);
        }
    }

    /// Writes a line to all. What cannot be written is lost: there is nobody to tell.
    pub(super) fn write(&mut self, line: &Line) {
        // A message is one line, whatever it quotes.
        let text: String = line.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let debug = self.debug;
        let wanted = |priority: u8| line.severity as u8 <= priority || debug && line.severity == Severity::Debug;
        if let Some(log) = self.file.as_mut().filter(|_| wanted(self.file_priority)) {
            let (stamp, pid, node) = (stamp(self.stamp, line.wall_ms), self.pid, &self.node);
            let (word, part) = (line.severity.word(), line.part);
            let row = format!("{stamp}[{pid}] {node} hacd {word:7} [{part:6}] {text}\n");
            let _ = log.file.as_mut().map(|file| file.write_all(row.as_bytes()));
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
    fn write(&mut self, line: &Line, text: &str, pid: u32) {
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect();
            }
            let Some((socket, journal)) = &self.socket else { return };
            let message = if *journal {
                journal_entry(self.facility, line, text, pid)
            } else {
                syslog_line(self.facility, line, text, pid)
            };
            match socket.send(&message) {
                // The receiver was restarted: connect anew, once.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => self.socket = None,
                _ => return,
            }
        }
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
        std::fs::create_dir_all(directory)?;
    }
    File::options().append(true).create(true).mode(0o640).open(path)
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
        let mut sinks = Sinks::open(&logging(path.clone()), "primary").expect("opens");
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
    fn syslog_gets_priority_time_and_tag() {
        let text = String::from_utf8(syslog_line(3, &line(Severity::Warning, "x"), "x", 42)).expect("is text");
        assert_eq!(text, "<28>Jan  1 00:00:00 hacd[42]: [ring] x");
        let long = "ä".repeat(MAX_DATAGRAM);
        assert_eq!(shorten(&long).len(), MAX_DATAGRAM);
    }
}
