//! What can go wrong while the lab is built or used.

use std::path::PathBuf;
use std::time::Duration;

/// A failure of the lab itself, or of something it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started or ended badly.
    #[error("`{command}` failed ({status}): {text}")]
    Command {
        /// The command line.
        command: String,
        /// Exit code or signal, in words.
        status: String,
        /// What it printed.
        text: String,
    },
    /// A condition was not reached in time.
    #[error("not within {}: {what}", Seconds(.limit))]
    Late {
        /// The condition that was waited for, with what was seen last.
        what: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The machine lacks something that the lab needs.
    #[error("{0}")]
    Missing(String),
    /// The host is switched off.
    #[error("host {0} is switched off")]
    Off(String),
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// A system call of the lab itself failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A duration as people say it.
struct Seconds<'a>(&'a Duration);

impl std::fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

impl Error {
    /// A failed file operation on `path`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// A failed system call, `what` in words.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
