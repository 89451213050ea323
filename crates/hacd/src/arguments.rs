//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{config, storage};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
hacd: the cluster daemon

Usage: hacd [OPTIONS]

Options:
  --config FILE   Read this configuration [default: /etc/hacd/hacd.toml]
  --state DIR     Keep the state here [default: /var/lib/hacd]
  --socket FILE   Listen here for hacctl [default: /run/hacd/hacd.sock]
  --node NAME     Be this node of the node list; needed only where several of its addresses are on one host
  --record FILE   Record all that this node is given, sealed under the authkey, for `hac-sim --replay`
  --beside        Start although Corosync or Pacemaker runs on this host (they share neither ports nor resources)
  --check         Read the configuration, say what is wrong with it, and end
  --print-keys    Print every key of the configuration with default and unit, and end
  --version       Print the version, and end
  --help          Print this, and end

Signals: TERM or INT hand the resources over and leave (twice: leave at once), HUP opens the log file anew.
Exit codes: 0 left in good order, 64 wrong arguments, 71 a failure of this host, 78 wrong configuration.
";

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Run the daemon.
    Run,
    /// Check the configuration.
    Check,
    /// Print the keys.
    PrintKeys,
    /// Print the version.
    Version,
    /// Print [`HELP`].
    Help,
}

/// The command line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// What to do.
    pub(crate) command: Command,
    /// The configuration.
    pub(crate) config: PathBuf,
    /// Directory of the state.
    pub(crate) state: PathBuf,
    /// The socket for clients.
    pub(crate) socket: PathBuf,
    /// Which node this is.
    pub(crate) node: Option<String>,
    /// Where the flight is recorded.
    pub(crate) record: Option<PathBuf>,
    /// Whether another cluster manager on this host is no reason not to start.
    pub(crate) beside: bool,
}

/// Reads the command line, without the name of the program.
///
/// # Errors
/// One line saying what is wrong.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, String> {
    let mut read = Arguments {
        command: Command::Run,
        config: PathBuf::from(config::FILE),
        state: PathBuf::from(storage::DIRECTORY),
        socket: PathBuf::from(hac_api::SOCKET),
        node: None,
        record: None,
        beside: false,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let Some(word) = argument.to_str() else {
            return Err(format!("{} is not a known option; see hacd --help", argument.display()));
        };
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (word, None),
        };
        let mut value = || value.clone().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
        match name {
            "--config" | "-c" => read.config = value()?.into(),
            "--state" => read.state = value()?.into(),
            "--socket" => read.socket = value()?.into(),
            "--node" => read.node = Some(value()?.to_string_lossy().into_owned()),
            "--record" => read.record = Some(value()?.into()),
            "--beside" => read.beside = true,
            "--check" => read.command = Command::Check,
            "--print-keys" => read.command = Command::PrintKeys,
            "--version" | "-V" => read.command = Command::Version,
            "--help" | "-h" => read.command = Command::Help,
            _ => return Err(format!("{word} is not a known option; see hacd --help")),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Arguments, String> {
        read(words.iter().map(OsString::from))
    }

    #[test]
    fn values_follow_or_are_joined_with_an_equals_sign() {
        let read = of(&["--config", "/a", "--state=/b", "--node", "primary", "--check"]).expect("right");
        assert_eq!((read.config, read.state), (PathBuf::from("/a"), PathBuf::from("/b")));
        assert_eq!((read.node.as_deref(), read.command), (Some("primary"), Command::Check));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(of(&["--confg", "x"]), Err("--confg is not a known option; see hacd --help".to_owned()));
        assert_eq!(of(&["--config"]), Err("--config needs a value".to_owned()));
    }
}
