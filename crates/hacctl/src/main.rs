//! `hacctl`: the command line of hacd, for people who know `crm`.

mod args;
mod client;
mod commands;
mod failure;
mod progress;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use args::Arguments;
use failure::Failure;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let json = arguments.json;
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
    let wrong = error.use_stderr();
    if error.print().is_err() || wrong { ExitCode::from(64) } else { ExitCode::SUCCESS }
}
