//! Running programs, and waiting for conditions.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// How often a condition is looked at while it is waited for.
const STEP: Duration = Duration::from_millis(10);

/// Runs a program to its end. Anything but exit code 0 is an error with the program's own words.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::system(format!("cannot run {program}")))?;
    checked(&format!("{program} {}", arguments.join(" ")), &output)
}

/// Runs a program with `input` on its standard input.
pub(crate) fn run_with_input(program: &str, arguments: &[&str], input: &str) -> Result<String, Error> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::system(format!("cannot run {program}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(Error::system(format!("cannot write to {program}")))?;
    }
    let output = child.wait_with_output().map_err(Error::system(format!("cannot wait for {program}")))?;
    checked(&format!("{program} {}", arguments.join(" ")), &output)
}

/// The standard output of a program that succeeded.
pub(crate) fn checked(command: &str, output: &Output) -> Result<String, Error> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(Error::Command {
        command: command.to_owned(),
        status: output.status.to_string(),
        text: format!("{stdout}{stderr}").trim().to_owned(),
    })
}

/// Waits until `condition` gives a value, looking again every few milliseconds.
///
/// # Errors
/// [`Error::Late`] with `what` when `limit` has passed.
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T, Error> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            return Err(Error::Late { what: what.to_owned(), limit });
        }
        thread::sleep(STEP);
    }
}

/// Tells a person who waits, on standard error, how far something is: at most every ten seconds.
#[derive(Debug)]
pub(crate) struct Progress {
    begin: Instant,
    said: Instant,
}

impl Progress {
    /// How often it is told.
    const PAUSE: Duration = Duration::from_secs(10);

    /// Begins now.
    #[must_use]
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        Self { begin: now, said: now }
    }

    /// Says this, if nothing was said for a while. Where nobody can be told, nothing is lost.
    pub(crate) fn say(&mut self, what: impl FnOnce() -> String) {
        if self.said.elapsed() >= Self::PAUSE {
            self.said = Instant::now();
            let _ = writeln!(std::io::stderr(), "{:>5} s  {}", self.begin.elapsed().as_secs(), what());
        }
    }
}
