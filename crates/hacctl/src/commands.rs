//! One file per command; this one only tells them apart.

mod compat;
mod completion;
mod configure;
mod context;
mod events;
pub(crate) mod explain;
mod import;
mod key;
mod keygen;
mod man;
mod members;
mod node;
mod quorum;
mod ra;
mod reached;
mod resource;
mod secret;
pub(crate) mod simulate;
mod status;
mod upgrade;
mod verify;

use std::process::ExitCode;
use std::time::Duration;

use crate::args::{Arguments, Command};
use crate::client::Client;
use crate::failure::Failure;

pub(crate) use context::Context;

/// Runs what was typed.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::Keygen(keygen) => return keygen::run(&keygen, arguments.json),
        Command::Simulate(simulate) => return simulate::run(&simulate, arguments.json),
        Command::Explain(ref what) => {
            if let Some(file) = &what.xml_file {
                return explain::stored(what, file, arguments.json);
            }
        }
        Command::Import { file } => return import::run(&file, arguments.json),
        Command::Completion { shell } => return completion::run(shell),
        Command::Man { ref folder } => return man::run(folder),
        Command::Compat(command) => return compat::run(command),
        _ => {}
    }
    let timeout = Duration::from_secs(arguments.timeout);
    let context = Context {
        client: Client::new(&arguments.socket)?,
        json: arguments.json,
        wait: arguments.wait.then_some(timeout),
        timeout,
    };
    match arguments.command {
        Command::Status(what) => status::once(&context, &what).await,
        Command::Mon(what) => status::mon(&context, &what).await,
        Command::Members { verbose } => members::run(&context, verbose).await,
        Command::Upgrade(command) => upgrade::run(&context, command).await,
        Command::Quorum { command } => quorum::run(&context, command).await,
        Command::Key(command) => key::run(&context, command).await,
        Command::Configure { words } => configure::run(&context, &words).await,
        Command::Node(command) => node::run(&context, command).await,
        Command::Resource(command) => resource::run(&context, command).await,
        Command::Ra(command) => ra::run(&context, command).await,
        Command::Verify => verify::run(&context).await,
        Command::Explain(what) => explain::live(&context, &what).await,
        Command::Events { follow } => events::run(&context, follow).await,
        Command::Keygen(_)
        | Command::Simulate(_)
        | Command::Import { .. }
        | Command::Completion { .. }
        | Command::Man { .. }
        | Command::Compat(_) => Ok(ExitCode::SUCCESS),
    }
}
