//! The programs of Pacemaker that resource agents call, and of Corosync that people do: one program under many names. `hacd` offers them to its agents in
//! a folder of its own (`HA_SBIN_DIR`), `hacctl compat install` to people.
//!
//! Word order, output and exit codes are Pacemaker's, because agents read them. A form that is not offered is refused
//! with what to use instead. They are called in every monitor of some agents, so they do without what takes time to
//! start: one request on the daemon's socket, no runtime, no thread.

mod admin;
mod attribute;
mod cibadmin;
mod client;
mod corosync;
mod facts;
mod file;
mod install;
mod known;
mod mon;
mod node;
mod options;
mod resource;
mod stonith;
mod ticket;
mod updater;
mod verdict;
mod verify;
mod wrappers;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

pub use corosync::quorum_text;
pub use install::{NotInstalled, install, install_names, link_others};
pub use known::attributes;
pub use mon::facts;
pub use verdict::{Verdict, not_running, verdict};

/// Exit codes of Pacemaker's programs.
mod exit {
    pub(crate) const OK: u8 = 0;
    pub(crate) const ERROR: u8 = 1;
    pub(crate) const USAGE: u8 = 64;
    pub(crate) const NO_INPUT: u8 = 66;
    pub(crate) const NO_HOST: u8 = 68;
    pub(crate) const CONFIG: u8 = 78;
    pub(crate) const UNSAFE: u8 = 107;
    pub(crate) const DISCONNECT: u8 = 102;
    pub(crate) const NO_SUCH: u8 = 105;
    pub(crate) const TIMEOUT: u8 = 124;
}

/// Version of Pacemaker whose forms these are. Agents read it from `pacemakerd -$`.
pub const VERSION: &str = "3.0.0";

/// The names.
pub const NAMES: &[&str] = &[
    "attrd_updater",
    "cibadmin",
    "corosync-cfgtool",
    "corosync-cmapctl",
    "corosync-keygen",
    "corosync-quorumtool",
    "crm_attribute",
    "crm_failcount",
    "crm_master",
    "crm_mon",
    "crm_node",
    "crm_resource",
    "crm_standby",
    "crm_ticket",
    "crm_verify",
    "crmadmin",
    "pacemakerd",
    "stonith_admin",
];

/// What a program has to say when it ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: u8,
}

impl Said {
    /// Nothing.
    pub(crate) fn nothing() -> Self {
        Self::printed(String::new())
    }

    /// `out` on standard output, ending with a line break.
    pub(crate) fn printed(out: impl Into<String>) -> Self {
        Self { out: out.into(), err: String::new(), code: exit::OK }
    }

    /// `err` on standard error, and this exit code.
    pub(crate) fn failed(code: u8, err: impl Into<String>) -> Self {
        Self { out: String::new(), err: err.into(), code }
    }
}

/// A program ends early.
pub(crate) type Ends<T> = Result<T, Said>;

/// Runs as the program that this process was called as, if it is one of [`NAMES`]. To be asked first in `main`.
#[must_use]
pub fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = name(&arguments.next()?)?;
    let said = match arguments.map(OsString::into_string).collect::<Result<Vec<String>, OsString>>() {
        Ok(words) => program(name, &words),
        Err(_) => Said::failed(exit::USAGE, format!("{name}: an argument is not UTF-8")),
    };
    let mut out = std::io::stdout().lock();
    let written = out.write_all(line(&said.out).as_bytes()).and_then(|()| out.flush());
    let said = match written {
        // Who does not listen misses it.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Said::failed(74, format!("{name}: could not print: {error}"))
        }
        _ => said,
    };
    let _ = std::io::stderr().write_all(line(&hac_model::plain(&said.err)).as_bytes());
    Some(ExitCode::from(said.code))
}

fn line(text: &str) -> String {
    // What ends with a blank goes on in the same line: `Digest: `.
    let end = if text.is_empty() || text.ends_with(['\n', ' ']) { "" } else { "\n" };
    format!("{text}{end}")
}

fn name(program: &OsString) -> Option<&'static str> {
    let called = Path::new(program).file_name()?.to_str()?;
    NAMES.iter().find(|name| **name == called).copied()
}

fn program(name: &'static str, words: &[String]) -> Said {
    let of_corosync = match name {
        "corosync-cfgtool" => Some(corosync::cfgtool(words)),
        "corosync-cmapctl" => Some(corosync::cmapctl(words)),
        "corosync-keygen" => Some(corosync::keygen(words)),
        "corosync-quorumtool" => Some(corosync::quorumtool(words)),
        _ => None,
    };
    if let Some(ended) = of_corosync {
        return ended.unwrap_or_else(|said| said);
    }
    if words.iter().any(|word| word == "--version" || word == "-$") {
        return Said::printed(format!("Pacemaker {VERSION}\nWritten for hacd {}", env!("CARGO_PKG_VERSION")));
    }
    if variable("CIB_shadow").is_some() && file::named().is_none() {
        let err = format!(
            "{name}: hacd does not offer CIB_shadow here; 'hacctl -c SHADOW configure' works on a shadow configuration, and CIB_file names a file"
        );
        return Said::failed(exit::USAGE, err);
    }
    let ended = match name {
        "attrd_updater" => updater::run(words),
        "cibadmin" => cibadmin::run(words),
        "crm_attribute" => attribute::run(name, words),
        "crm_failcount" => wrappers::failcount(words),
        "crm_master" => wrappers::master(words),
        "crm_mon" => mon::run(words),
        "crm_node" => node::run(words),
        "crm_resource" => resource::run(words),
        "crm_standby" => wrappers::standby(words),
        "crm_ticket" => ticket::run(words),
        "crm_verify" => verify::run(words),
        "crmadmin" => admin::run(words),
        "stonith_admin" => stonith::run(words),
        "pacemakerd" if matches!(words, [word] if word == "--features" || word == "-F") => Ok(features()),
        _ => Err(Said::failed(
            exit::USAGE,
            "pacemakerd: hacd offers 'pacemakerd --version' and '--features' alone".to_owned(),
        )),
    };
    ended.unwrap_or_else(|said| said)
}

/// What `pacemakerd --features` says: its version, and behind the feature set what is there.
fn features() -> Said {
    let mut classes: Vec<&str> = hac_model::Agent::RUN_CLASSES.to_vec();
    classes.sort_unstable();
    let (version, set) = (VERSION, hac_model::FEATURE_SET);
    let build = env!("CARGO_PKG_VERSION");
    Said::printed(format!("Pacemaker {version} (Build: hacd {build})\n Supporting v{set}: {}", classes.join(" ")))
}

/// A variable of the environment that is not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
