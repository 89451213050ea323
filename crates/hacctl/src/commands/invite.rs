//! `hacctl invite`: a code with which another host becomes a node.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hac_api::InviteRequest;
use hac_join::Code;
use zeroize::Zeroizing;

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// Options of an invitation.
#[derive(Clone, Debug, Args)]
pub(crate) struct InviteArgs {
    /// How long the code may be used, such as 15m or 2h
    #[arg(long = "for", value_name = "DURATION", default_value = "15m")]
    pub(crate) lasts: String,
    /// How many nodes may use it
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=63))]
    pub(crate) count: u32,
    /// A file with a code that was made beforehand with 'invite --print-code'
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    pub(crate) code_file: Option<PathBuf>,
    /// The same from the environment
    #[arg(long, env = "HACD_JOIN_CODE", value_name = "CODE", hide_env_values = true, hide = true)]
    pub(crate) code: Option<String>,
}

/// `hacctl invite ...`
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct InviteLine {
    #[command(subcommand)]
    pub(crate) command: Option<InviteCommand>,
    /// The name that the node must have
    #[arg(long = "node", value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// Print a code and end; nothing is opened and no daemon is needed
    #[arg(long)]
    pub(crate) print_code: bool,
    #[command(flatten)]
    pub(crate) invite: InviteArgs,
}

/// What can be done about an invitation.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum InviteCommand {
    /// End it
    Cancel,
    /// Whether there is one on this node
    Status,
}

impl InviteArgs {
    /// The code that was made beforehand, if one was given; it is right.
    pub(crate) fn code(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        let text = match (&self.code_file, &self.code) {
            (Some(file), _) => Some(read_code(file)?),
            (None, Some(code)) => Some(Zeroizing::new(code.clone())),
            (None, None) => None,
        };
        text.map(|text| right(&text)).transpose()
    }
}

/// The code in a file.
pub(crate) fn read_code(file: &std::path::Path) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::unread(&file.display(), &error))?;
    Ok(Zeroizing::new(text))
}

/// The code in its own form, if it is one.
pub(crate) fn right(text: &str) -> Result<Zeroizing<String>, Failure> {
    let code = Code::parse(text).map_err(|why| {
        Failure::usage(why.to_string())
            .with_remedy("Copy the whole code that 'hacctl invite' printed. Nothing was sent.")
    })?;
    Ok(code.reveal())
}

/// Carries out `invite`.
pub(crate) async fn run(context: &Context, line: &InviteLine) -> Result<ExitCode, Failure> {
    match &line.command {
        Some(InviteCommand::Cancel) => {
            let was = context.client.cancel_invitation().await?;
            if context.json {
                terminal::print_json(&was)?;
            } else if was.open {
                eprintln!("INFO: the invitation is over: nobody is let in any more");
            } else {
                eprintln!("INFO: there was no invitation on this node");
            }
            return Ok(ExitCode::SUCCESS);
        }
        Some(InviteCommand::Status) => {
            let now = context.client.invitation().await?;
            if context.json {
                terminal::print_json(&now)?;
            } else if now.open {
                let minutes = now.seconds_left.div_ceil(60);
                let (used, count, strangers) = (now.used, now.count, now.strangers);
                terminal::print(&format!(
                    "open for {minutes} min more; {used} of {count} nodes have joined; {strangers} without the code"
                ))?;
            } else {
                terminal::print("there is no invitation on this node")?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    if line.print_code {
        let code = Code::generate()
            .ok_or_else(|| Failure::system("could not get random bytes", &"the operating system gives none"))?;
        terminal::print(&code.reveal())?;
        return Ok(ExitCode::SUCCESS);
    }
    let code = line.invite.code()?;
    let args = &line.invite;
    ask(context, args, line.node.clone(), code).await
}

/// Opens the door and prints the line for the other host.
pub(crate) async fn open(
    context: &Context,
    args: &InviteArgs,
    code: Option<Zeroizing<String>>,
) -> Result<ExitCode, Failure> {
    ask(context, args, None, code).await
}

async fn ask(
    context: &Context,
    args: &InviteArgs,
    name: Option<String>,
    code: Option<Zeroizing<String>>,
) -> Result<ExitCode, Failure> {
    let given = code.is_some();
    let seconds = hac_model::parse_duration_ms(&args.lasts).map(|ms| ms / 1000).filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or_else(|| {
        Failure::usage(format!("'{}' is no time", terminal::harmless(&args.lasts))).with_remedy("Write 15m, 2h or 1d.")
    })?;
    let code = code.map(|code| code.to_string());
    let request = InviteRequest { seconds, count: Some(args.count), name, code };
    let invited = context.client.invite(&request).await?;
    if context.json {
        terminal::print_json(&invited)?;
        return Ok(ExitCode::SUCCESS);
    }
    let port = if invited.port == 5405 { String::new() } else { format!(":{}", invited.port) };
    let who = if invited.count == 1 { "one node".to_owned() } else { format!("{} nodes", invited.count) };
    let minutes = invited.seconds.div_ceil(60);
    eprintln!(
        "INFO: on the other host, within {minutes} minutes, for {who}; TCP {} must be open from it:",
        invited.port
    );
    // A code that somebody made beforehand is known on the other host.
    let code = if given { String::new() } else { format!(" --code {}", invited.code) };
    terminal::print(&format!("hacctl join {}{port}{code}", invited.address))?;
    Ok(ExitCode::SUCCESS)
}
