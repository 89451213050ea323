//! `hacctl ra`: what this node knows of resource agents.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{AgentDetail, Implementation};
use hac_model::Agent;

use super::Context;
use crate::args::RaCommand;
use crate::failure::Failure;
use crate::terminal;

/// Lists agents or describes one.
pub(crate) async fn run(context: &Context, command: RaCommand) -> Result<ExitCode, Failure> {
    match command {
        RaCommand::List => list(context).await?,
        RaCommand::Info { agent } => info(context, &agent).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(context: &Context) -> Result<(), Failure> {
    let list = context.client.agents().await?;
    if context.json {
        return terminal::print_json(&list);
    }
    let mut text = String::new();
    for agent in &list.agents {
        let how = match agent.implementation {
            Implementation::Native => "native",
            Implementation::Script => "script",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} ({how})", terminal::harmless(&agent.name));
    }
    terminal::print(&text)
}

async fn info(context: &Context, agent: &str) -> Result<(), Failure> {
    let detail = context.client.agent(&full_name(agent)).await?;
    if context.json { terminal::print_json(&detail) } else { terminal::print(&terminal::harmless(&describe(&detail))) }
}

/// `nginx` is `ocf:heartbeat:nginx`, `digitalocean:floatip` is `ocf:digitalocean:floatip`. What is no name of an agent
/// is left to the daemon to refuse.
fn full_name(name: &str) -> String {
    name.parse::<Agent>().map_or_else(|_| name.to_owned(), |agent| agent.to_string())
}

/// The form of `crm ra info`.
fn describe(detail: &AgentDetail) -> String {
    let mut text = format!("{} ({})\n\n", detail.shortdesc.trim(), detail.agent.name);
    if !detail.longdesc.trim().is_empty() {
        let _ = writeln!(text, "{}\n", detail.longdesc.trim());
    }
    text.push_str("Parameters (*: required, []: default):\n\n");
    for parameter in &detail.parameters {
        let star = if parameter.required { "*" } else { "" };
        let default = parameter.default.as_ref().map(|d| format!(", [{d}]")).unwrap_or_default();
        let _ =
            writeln!(text, "{}{star} ({}{default}): {}", parameter.name, parameter.kind, parameter.shortdesc.trim());
        for line in parameter.longdesc.trim().lines() {
            let _ = writeln!(text, "    {}", line.trim());
        }
    }
    text.push_str("\nOperations' defaults (advisory minimum):\n\n");
    for action in &detail.actions {
        let _ = write!(text, "    {:<13}", action.name);
        for (name, value) in [("timeout", &action.timeout), ("interval", &action.interval), ("role", &action.role)] {
            if let Some(value) = value {
                let _ = write!(text, " {name}={value}");
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn short_names_are_completed_as_crm_does() {
        assert_eq!(full_name("nginx"), "ocf:heartbeat:nginx");
        assert_eq!(full_name("digitalocean:floatip"), "ocf:digitalocean:floatip");
        assert_eq!(full_name("ocf:nginx"), "ocf:heartbeat:nginx");
        assert_eq!(full_name("systemd:nginx"), "systemd:nginx");
        assert_eq!(full_name("ocf:heartbeat:nginx"), "ocf:heartbeat:nginx");
    }
}
