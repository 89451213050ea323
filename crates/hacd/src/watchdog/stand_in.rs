//! What stands in for a watchdog of the kernel where there is none: a program that listens on a socket of the unix domain, counts
//! as a watchdog would, and takes the power of a host of the lab. Its name says what it is wherever it is told.
//!
//! It is told the time in a line, and answers with the time that it takes in another one; each byte that follows pets it, and after a `V` the end of the
//! connection stops it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Opened, Opens};

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// A path is a socket, or nothing at all: a file that takes every byte and resets nobody is no watchdog.
pub(super) struct StandIn;

impl Opens for StandIn {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Opened>> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(Box::new(Open { stream }))
    }
}

struct Open {
    stream: UnixStream,
}

impl Opened for Open {
    fn identity(&self) -> io::Result<String> {
        Ok("a stand-in for tests".to_owned())
    }

    fn set_timeout(&mut self, seconds: i32) -> io::Result<i32> {
        self.stream.write_all(format!("{seconds}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(&self.stream).read_line(&mut line)?;
        line.trim().parse().map_err(|_| io::Error::other("it does not say how long it counts"))
    }

    fn timeout(&self) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn pet(&mut self) -> io::Result<()> {
        self.stream.write_all(b"p")
    }

    fn write_magic(&mut self) -> io::Result<()> {
        self.stream.write_all(b"V")
    }

    fn never_stops(&self) -> bool {
        false
    }
}
