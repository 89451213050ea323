//! Names under which this program is called: `crm` by those whose fingers know it, `pcs` by those who know that one,
//! `assign-ip` by the tutorial's script.

mod assign_ip;
pub(crate) mod pcs;
mod simulate;

use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};

use crate::args::Arguments;
use crate::grammar::abbreviated;

/// The names, for `compat install`.
pub(crate) const NAMES: &[&str] = &["assign-ip", "crm", "crm_simulate", "pcs"];

/// The name that this process was called by.
fn called() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether this process was called as `crm`: a program that does not ask.
pub(crate) fn is_crm() -> bool {
    called() == "crm"
}

/// The line of `hacctl` that a line of another program asks for; none where it is read as it stands.
pub(crate) fn line_of(words: &[String]) -> Result<Option<Vec<String>>, crate::failure::Failure> {
    if called() == "crm_simulate" { simulate::line(words).map(Some) } else { Ok(None) }
}

/// Prints a text, and the exit code of that.
fn printed(text: &str) -> ExitCode {
    match crate::terminal::print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(false);
            ExitCode::from(failure.exit_code)
        }
    }
}

/// Runs as another program than `hacctl` and `crm`, if this process was called so.
pub(crate) fn run() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match called().as_str() {
        "assign-ip" => Some(assign_ip::run(&words)),
        "pcs" => Some(pcs::run(&words)),
        "crm_simulate" if words.iter().any(|word| word == "--version" || word == "-$") => {
            Some(printed(&format!("Pacemaker {}\nWritten for hacd {}", hac_compat::VERSION, env!("CARGO_PKG_VERSION"))))
        }
        "crm" if words.first().is_some_and(|word| word == "--version") => {
            Some(printed(&format!("crm 5.0.0 (hacctl {})", env!("CARGO_PKG_VERSION"))))
        }
        "hacctl" if words.first().is_some_and(|word| word == "pcs") => {
            Some(pcs::run(words.get(1..).unwrap_or_default()))
        }
        _ => None,
    }
}

/// Reads a line, its first word by any abbreviation: `cfg` and `rsc` as well as `conf` and `res`.
///
/// # Errors
/// What clap says of the line.
pub(crate) fn parse(line: &[String]) -> Result<Arguments, clap::Error> {
    let mut line = line.to_vec();
    // Who knows crm's lines may type them whole.
    if line.get(1).is_some_and(|word| word == "crm") {
        line.remove(1);
    }
    let error = match Arguments::try_parse_from(&line) {
        Err(error) if error.kind() == ErrorKind::InvalidSubcommand => error,
        other => return other,
    };
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return Err(error) };
    let command = Arguments::command();
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let Some(name) = meant(word, &names) else { return Err(error) };
    let Some(at) = line.iter().position(|candidate| candidate == word) else { return Err(error) };
    line[at].clone_from(&name);
    let read = Arguments::try_parse_from(line);
    if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidSubcommand) {
        // It is no word at the front that is wrong.
        return Err(error);
    }
    eprintln!("INFO: \"{}\" is accepted as \"{name}\"", crate::terminal::harmless(word));
    read
}

/// The one name that a word abbreviates by its letters in order.
fn meant(word: &str, names: &[String]) -> Option<String> {
    // Names of a program live as long as it does.
    let known: Vec<&'static str> =
        KNOWN.iter().copied().filter(|known| names.iter().any(|name| name == known)).collect();
    match abbreviated(word, &known)[..] {
        [only] => Some(only.to_owned()),
        _ => None,
    }
}

/// Commands that crm's users abbreviate.
const KNOWN: &[&str] = &[
    "cib",
    "cibstatus",
    "cluster",
    "configure",
    "corosync",
    "history",
    "maintenance",
    "node",
    "ra",
    "report",
    "resource",
    "site",
    "status",
    "verify",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;

    fn read(line: &str) -> Result<Arguments, clap::Error> {
        parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn levels_are_abbreviated_by_their_letters_in_order() {
        assert!(matches!(read("hacctl cfg show").expect("is read").command, Some(Command::Configure(_))));
        assert!(matches!(read("hacctl rsc mv").expect("is read").command, Some(Command::Resource(_))));
        assert!(matches!(read("hacctl st").expect("is read").command, Some(Command::Status(_))));
        assert!(matches!(read("hacctl crm status").expect("is read").command, Some(Command::Status(_))));
        assert!(matches!(read("hacctl crm rsc mv").expect("is read").command, Some(Command::Resource(_))));
        let error = read("hacctl quorum status").expect_err("quorum has no such word");
        assert!(error.get(ContextKind::Usage).is_some_and(|usage| usage.to_string().contains("quorum")), "{error}");
        assert!(read("hacctl zfg show").is_err());
        assert!(read("hacctl onfigure show").is_err(), "the first letter has to stand");
        let slip = read("hacctl resorce status").expect_err("a letter is missing").to_string();
        assert!(slip.contains("unrecognized subcommand") && slip.contains("'resource'"), "{slip}");
    }
}
