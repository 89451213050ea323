//! The cluster daemon: reads its configuration, opens what it needs, and drives one [`hac_node::Node`] until it has left
//! the cluster. A library, so that the tests and fuzz targets of its parsers need no process; the program is
//! [`main`].
//!
//! | module | what |
//! |---|---|
//! | `beginning` | the start, watched |
//! | `beside` | other cluster managers on this host |
//! | `files` | files at which nobody gets stuck |
//! | `config` | `hacd.toml` and the `authkey` |
//! | `nodes` | the list of nodes that counts |
//! | `storage` | what survives a restart |
//! | `udp` | which sockets the ring needs |
//! | `driver` | the task that owns the node |
//! | `alerts` | programs that are run for what this node sees |
//! | `notices` | what the coordinator sends for all |
//! | `api` | what `hacctl` talks to |
//! | `log` | file, syslog, journal |
//! | `recording` | the flight recorder's file |

mod alerts;
mod api;
mod arbiter;
mod arguments;
mod beginning;
mod beside;
mod calls;
mod clock;
mod config;
mod driver;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod journal;
mod log;
mod nodes;
mod notices;
mod numbered;
mod readiness;
mod recording;
mod reload;
mod remembered;
mod said;
mod secrets;
mod start;
mod states;
mod storage;
#[cfg(test)]
mod testing;
mod udp;
mod watchdog;
mod workers;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{Arguments, Command};

/// Exit codes, as `sysexits.h` numbers them.
mod exit {
    /// The arguments are wrong.
    pub(super) const USAGE: u8 = 64;
    /// This program cannot go on.
    pub(super) const SOFTWARE: u8 = 70;
    /// This host does not do what it must.
    pub(super) const OS: u8 = 71;
    /// The configuration is wrong.
    pub(super) const CONFIG: u8 = 78;
    /// This node was fenced, and is not to be started again before somebody has looked.
    pub(super) const FENCED: u8 = 100;
}

/// Does what the arguments of the process say; the exit code is one of `sysexits.h`.
#[must_use]
pub fn main() -> ExitCode {
    // Agents call it by the names of Pacemaker's programs.
    if let Some(code) = hac_compat::run() {
        return code;
    }
    let arguments = match arguments::read(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(line) => return fail(exit::USAGE, &line),
    };
    match arguments.command {
        Command::Help => print(arguments::HELP),
        Command::Version => print(&format!("hacd {}\n", hac_types::RELEASE)),
        Command::PrintKeys => print(&config::print_keys()),
        Command::Check => check(&arguments),
        Command::Run => match start::run(&arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => fail(failure.code, &failure.line),
        },
    }
}

/// Says everything that is wrong with the configuration.
fn check(arguments: &Arguments) -> ExitCode {
    match config::load(&arguments.config, &start::identity(arguments)) {
        Ok(config) => {
            for warning in &config.warnings {
                complain(&format!("warning: {warning}"));
            }
            print(&format!("{} is right; this node is {}\n", arguments.config.display(), config.name))
        }
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| complain(&mistake.to_string()));
            ExitCode::from(start::code_of(&mistakes))
        }
    }
}

fn fail(code: u8, line: &str) -> ExitCode {
    complain(line);
    ExitCode::from(code)
}

/// Writes a line to standard error, where the service manager and people at a terminal find it.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "hacd: {line}");
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
