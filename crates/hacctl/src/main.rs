//! `hacctl`: the command line of hacd, for people who know `crm`.

mod args;
mod client;
mod commands;
mod failure;
mod grammar;
mod interrupt;
mod names;
mod progress;
mod script;
mod shell;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::Arguments;
use failure::Failure;

fn main() -> ExitCode {
    if let Some(code) = hac_compat::run() {
        return code;
    }
    if let Some(code) = names::run() {
        return code;
    }
    let line: Result<Vec<String>, _> = std::env::args_os().map(std::ffi::OsString::into_string).collect();
    let meant = match &line {
        Ok(words) => names::line_of(words),
        Err(_) => Ok(None),
    };
    let line = match meant {
        Ok(Some(meant)) => Ok(meant),
        Ok(None) => line,
        Err(failure) => {
            failure.print(false);
            return ExitCode::from(failure.exit_code);
        }
    };
    // What is not UTF-8 is refused by clap, with the word.
    let parsed = line.map_or_else(|_| Arguments::try_parse(), |line| names::parse(&line));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let json = arguments.json;
    if json || std::env::args_os().any(|word| word == "--json") {
        progress::be_silent();
    }
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(json);
            ExitCode::from(failure.exit_code)
        }
    }
}

/// Runs one command on a single-threaded runtime: a client has nothing to do in parallel.
fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("could not start", &error))?;
    runtime.block_on(commands::run(arguments))
}

/// Prints help and version as success, everything else as wrong usage (exit code 64).
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Who closes the output early has seen enough.
        return match error.print() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let failure = terminal::unprintable(&error);
                failure.print(false);
                ExitCode::from(failure.exit_code)
            }
            _ => ExitCode::SUCCESS,
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing was typed: the list of what can be. A closed output changes nothing.
        let _ = error.print();
        return ExitCode::from(64);
    }
    let failure = Failure::from(error);
    // What was typed could not be read, and yet it may have said how to answer.
    failure.print(std::env::args_os().any(|word| word == "--json"));
    ExitCode::from(failure.exit_code)
}
