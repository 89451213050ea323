//! One file per command; this one only tells them apart.

mod cib;
mod cluster;
mod compat;
mod completion;
mod configure;
mod context;
pub(crate) mod doctor;
mod draft;
pub(crate) mod drill;
pub(crate) mod events;
pub(crate) mod explain;
mod fence;
mod fresh;
pub(crate) mod history;
mod impact;
mod import;
pub(crate) mod init;
pub(crate) mod invite;
pub(crate) mod join;
mod key;
mod keygen;
mod man;
mod members;
mod mon;
mod node;
mod quorum;
mod ra;
mod reached;
pub(crate) mod recipe;
mod remove;
mod report;
mod resource;
mod secret;
pub(crate) mod secrets;
pub(crate) mod simulate;
mod status;
mod ticket;
mod told;
mod undo;
mod untried;
mod upgrade;
mod verify;
mod web;

use std::process::ExitCode;

use crate::args::{Arguments, Command};
use crate::failure::Failure;
use crate::grammar::{Call, Level, Options};
use crate::terminal;

pub(crate) use context::{Context, inform};
pub(crate) use draft::{Draft, Shared};

/// What an id is that was given in the place of something else.
pub(crate) fn kind_of(configuration: &hac_model::Configuration, id: &str) -> Option<&'static str> {
    if configuration.nodes.iter().any(|node| node.uname == id) {
        return Some("node");
    }
    if configuration.constraints.iter().any(|constraint| constraint.id() == id) {
        return Some("constraint");
    }
    let resources = crate::grammar::Known::of(configuration).resources;
    if resources.iter().any(|resource| resource == id) {
        return Some("resource");
    }
    configuration.tags.iter().any(|tag| tag.id == id).then_some("tag")
}

/// What a line asks for: a command of a level, or one by itself.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Some(command) = arguments.command.clone() else {
        return Box::pin(crate::script::without_command(&arguments)).await;
    };
    if let Some(done) = offline(&command, &arguments)? {
        return Ok(done);
    }
    let context = Context::of(&arguments)?;
    dispatch(&context, command).await
}

/// Carries out what needs no daemon; nothing if the command needs one.
pub(crate) fn offline(command: &Command, arguments: &Arguments) -> Result<Option<ExitCode>, Failure> {
    if arguments.dry_run {
        untried::command(command)?;
    }
    let done = match command {
        Command::Keygen(keygen) => keygen::run(keygen, arguments.json)?,
        Command::Simulate(simulate) => match &simulate.xml_file {
            Some(file) => simulate::stored(simulate, file, arguments.json)?,
            None => return Ok(None),
        },
        Command::Explain(what) => match &what.xml_file {
            Some(file) => explain::stored(what, file, arguments.json)?,
            None => return Ok(None),
        },
        Command::Import { file } => import::run(file, arguments.json)?,
        Command::Completion { shell } => completion::run(*shell)?,
        Command::Man { folder } => man::run(folder)?,
        Command::Compat(command) => compat::run(command.clone(), arguments.json)?,
        _ => return Ok(None),
    };
    Ok(Some(done))
}

/// Where this user's history, shadow configurations and the last change are kept.
pub(crate) fn state_folder() -> std::path::PathBuf {
    cib::folder()
}

/// The shadow configuration of this name.
pub(crate) fn shadow(name: &str) -> Result<Draft, Failure> {
    cib::load(name)
}

/// The level and the words of a command that is read with the table.
fn level_of(command: &Command) -> Option<(&'static str, &[String])> {
    let (name, words) = match command {
        Command::Configure(words) => ("configure", words),
        Command::Node(words) => ("node", words),
        Command::Resource(words) => ("resource", words),
        Command::Ra(words) => ("ra", words),
        Command::Cluster(words) => ("cluster", words),
        Command::Corosync(words) => ("corosync", words),
        Command::History(what) if what.is_words() => return Some(("history", &what.words)),
        Command::Cib(words) => ("cib", words),
        Command::Cibstatus(words) => ("cibstatus", words),
        Command::Site(words) => ("site", words),
        Command::Fence(words) => ("fence", words),
        Command::Alert(words) => ("alert", words),
        Command::Maintenance(words) => ("maintenance", words),
        _ => return None,
    };
    Some((name, &words.words))
}

/// Carries out a command.
pub(crate) async fn dispatch(context: &Context, command: Command) -> Result<ExitCode, Failure> {
    if context.consent.dry_run {
        untried::command(&command)?;
    }
    if let Command::Ticket(words) = &command {
        let words: Vec<String> = std::iter::once("ticket".to_owned()).chain(words.words.iter().cloned()).collect();
        return Box::pin(in_level(context, "site", &words)).await;
    }
    if let Some((name, words)) = level_of(&command) {
        return Box::pin(in_level(context, name, words)).await;
    }
    match command {
        Command::Status(what) => status::once(context, &what).await,
        Command::Mon(what) => mon::run(context, &what).await,
        Command::Init(init) => Box::pin(init::run(context, &init)).await,
        Command::Invite(line) => Box::pin(invite::run(context, &line)).await,
        Command::Join(join) => Box::pin(join::run(context, &join)).await,
        Command::Secret(command) => Box::pin(secrets::run(context, &command)).await,
        Command::Recipe(command) => Box::pin(recipe::run(context, &command)).await,
        Command::Doctor(doctor) => Box::pin(doctor::run(context, &doctor)).await,
        Command::Test(command) => Box::pin(drill::run(context, &command)).await,
        Command::Web => web::run(context).await,
        Command::Members { verbose } => members::run(context, verbose).await,
        Command::Upgrade(command) => upgrade::run(context, command).await,
        Command::Quorum { command } => quorum::run(context, command).await,
        Command::Key(command) => key::run(context, command).await,
        Command::Verify => verify::run(context).await,
        Command::Explain(what) => explain::live(context, &what).await,
        Command::Events(what) => events::run(context, &what).await,
        Command::History(what) => history::with_options(context, &what).await,
        Command::Simulate(what) => simulate::live(context, &what).await,
        Command::Report { folder } => report::run(context, folder).await,
        Command::Complete { line } => completion::answer(context, &line.join(" ")).await,
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Carries out a line of a level.
pub(crate) async fn in_level(context: &Context, name: &str, words: &[String]) -> Result<ExitCode, Failure> {
    let level = Level::find(name).ok_or_else(|| Failure::usage(format!("there is no level {name}")))?;
    let (options, rest) = Options::split(words)?;
    let call = if name == "configure" {
        if rest.is_empty() && !options.help {
            return Box::pin(crate::script::configure(&context.with(&options))).await;
        }
        configure::read(words)?
    } else {
        read(level, words, &options, &rest)?
    };
    let Some(mut call) = call else {
        terminal::print(&level.help())?;
        return Ok(ExitCode::SUCCESS);
    };
    if call.everywhere.help {
        terminal::print(&level.help_of(call.command))?;
        return Ok(ExitCode::SUCCESS);
    }
    // What stood before the level counts as what stands behind it.
    call.everywhere.force |= context.consent.force;
    let context = &context.with(&call.everywhere);
    if context.consent.dry_run {
        untried::in_level(name, call.command.name())?;
    }
    match name {
        "resource" => resource::run(context, &call).await,
        "node" => node::run(context, &call).await,
        "configure" => configure::run(context, &call).await,
        "ra" => ra::run(context, &call).await,
        "cluster" => cluster::run(context, &call).await,
        "corosync" => cluster::corosync(context, &call).await,
        "history" => history::run(context, &call).await,
        "cib" => cib::run(context, &call).await,
        "cibstatus" => simulate::crm(context, &call).await,
        "site" => ticket::run(context, &call).await,
        "fence" => fence::run(context, &call).await,
        "alert" => told::run(context, &call).await,
        _ => cluster::maintenance(context, &call).await,
    }
}

/// Reads a line of a level; nothing if help is asked for.
fn read(level: &'static Level, words: &[String], options: &Options, rest: &[String]) -> Result<Option<Call>, Failure> {
    let first = match rest.first().map(String::as_str) {
        None if options.help => return Ok(None),
        Some("help" | "?") => return Ok(None),
        None => {
            return Err(Failure::usage(format!("missing argument: what to do in '{}'", level.name))
                .with_remedy(format!("'hacctl {} --help' lists its commands.", level.name)));
        }
        Some(first) => first,
    };
    let at = words.iter().position(|word| word == first).unwrap_or(0);
    let (before, after) = (words.get(..at).unwrap_or_default(), words.get(at + 1..).unwrap_or_default());
    Call::read(level, level.command(first)?, &[before, after].concat()).map(Some)
}
