//! `cargo xtask`: everything that a developer or CI asks of this project, in Rust instead of shell.
//!
//! One file per command; [`COMMANDS`] is the table of them. Nothing here is ever shipped.
#![allow(clippy::print_stdout, reason = "a command line tool answers on standard output")]

mod bench;
mod check;
mod ci;
mod codemap;
mod conformance;
mod demo;
mod dist;
mod fix;
mod fuzz;
mod often;
mod options;
mod project;
mod sim;
mod stream;
mod test;
mod tidy;

use std::process::ExitCode;

use project::Project;

/// One command of `cargo xtask`.
struct Command {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&Project, &[String]) -> anyhow::Result<ExitCode>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        arguments: "[--keep]",
        help: "build everything and watch a cluster fail over on this machine",
        run: demo::run,
    },
    Command {
        name: "test",
        arguments: "[--quick]",
        help: "every test there is; --quick leaves out real hosts, seeds and conformance",
        run: test::run,
    },
    Command {
        name: "check",
        arguments: "",
        help: "format, lints, tidy, documentation, dependency walls; never writes",
        run: check::run,
    },
    Command { name: "ci", arguments: "", help: "check, then test, and one report of both", run: ci::run },
    Command {
        name: "fix",
        arguments: "[--map]",
        help: "write the code map, apply what clippy can apply, format; --map stops after the first",
        run: fix::run,
    },
    Command {
        name: "sim",
        arguments: "--seeds N [--from S] [--only ring|cluster] [--nodes N] [--no-fencing] [--trace] [--once]",
        help: "seeded chaos in the simulator",
        run: sim::run,
    },
    Command {
        name: "bench",
        arguments: "failover|coldstart|many|idle|messaging|detection|scheduler [options of the bench]",
        help: "measure on this machine and print a table",
        run: bench::run,
    },
    Command {
        name: "conformance",
        arguments: "--suite DIR [--level L1|L2|L3] [--only TEXT] [--show N] [--tool PROGRAM]",
        help: "compare the scheduler with a checkout of Pacemaker's scheduler cases",
        run: conformance::run,
    },
    Command {
        name: "fuzz",
        arguments: "[TARGET…] [--seconds N] [--merge]",
        help: "give the parsers hostile input, N seconds each (60); --merge keeps what reached new code",
        run: fuzz::run,
    },
    Command {
        name: "often",
        arguments: "[--seconds N] [--programs DIR]",
        help: "write anew which functions a node at idle goes through, by which the linker lays them together; needs root",
        run: often::run,
    },
    Command {
        name: "dist",
        arguments: "[--deb] [--static] [--verify] [--dev]",
        help: "build a release tarball, with --deb a Debian package too, with --static one that needs no library of the host; --verify builds \
               twice and compares; --dev packs what the tests have built",
        run: dist::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", usage());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("cargo xtask: no command {name}\n\n{}", usage());
        return ExitCode::from(2);
    };
    let outcome = Project::find().and_then(|project| (command.run)(&project, rest));
    outcome.unwrap_or_else(|error| {
        eprintln!("cargo xtask {name}: {error:#}");
        ExitCode::from(2)
    })
}

/// The help text, made from [`COMMANDS`].
fn usage() -> String {
    let mut text = String::from("usage: cargo xtask COMMAND\n\n");
    for command in COMMANDS {
        let call = format!("{} {}", command.name, command.arguments);
        text.push_str(&format!("  {}\n      {}\n", call.trim_end(), command.help));
    }
    text
}
