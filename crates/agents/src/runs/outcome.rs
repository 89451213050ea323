//! What became of a program that was to be run for a resource, where it did not end with a code of its own.

use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use hac_model::ExecStatus;

use super::Ran;
use crate::{Exit, Finished};

/// The outcome of a run of `program`. `read` says what an exit code and the end of the standard error mean; `not_there` is the
/// outcome where there is no such program.
pub(crate) fn outcome(
    ran: io::Result<Ran>,
    program: &Path,
    not_there: impl FnOnce() -> Finished,
    read: impl FnOnce(i32, &[u8]) -> Finished,
) -> Finished {
    let failed = |exit: Exit, reason: String| Finished::failed(exit, reason).with_status(ExecStatus::Error);
    let path = program.display();
    match ran {
        Ok(ran) => {
            let finished = match (ran.status.code(), ran.status.signal()) {
                (Some(code), _) => read(code, &ran.stderr),
                (None, signal) => failed(Exit::Generic, format!("{path} was ended by signal {}", signal.unwrap_or(0))),
            };
            Finished { output: String::from_utf8_lossy(&ran.stderr).into_owned(), ..finished }
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => not_there(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            failed(Exit::Perm, format!("{path} is not executable"))
        }
        Err(error) => failed(Exit::Generic, format!("could not run {path}: {error}")),
    }
}
