//! What `crm_resource` says of agents: those that the daemon finds, and those that it has inside.

use std::collections::BTreeSet;

use hac_api::{AgentDetail, AgentList, route};

use super::{PROGRAM, UNREACHABLE};
use crate::options::Given;
use crate::{Ends, Said, client, exit};

/// The commands that are answered here.
pub(super) const COMMANDS: &[&str] =
    &["list-standards", "list-ocf-providers", "list-ocf-alternatives", "list-agents", "show-metadata"];

/// The classes in Pacemaker's order.
const STANDARDS: [&str; 5] = ["ocf", "lsb", "service", "systemd", "stonith"];

/// Answers one of [`COMMANDS`].
pub(super) fn run(command: &str, given: &Given) -> Ends<Said> {
    let of = given.value(command).unwrap_or_default();
    match command {
        "list-standards" => Ok(Said::printed(STANDARDS.join("\n"))),
        "show-metadata" => metadata(of),
        "list-agents" => {
            let (class, provider) = of.split_once(':').map_or((of, None), |(class, provider)| (class, Some(provider)));
            let names = select(&known()?, |own, by, _| own == class && provider.is_none_or(|wanted| by == wanted), 2);
            let what = if provider.is_some() { "provider" } else { "standard" };
            listed(&names, exit::ERROR, &format!("No agents found for {what} '{of}'"))
        }
        _ => {
            let names = select(&known()?, |own, _, kind| own == "ocf" && (of.is_empty() || kind == of), 1);
            listed(&names, exit::NO_SUCH, &format!("No OCF providers found for {of}"))
        }
    }
}

fn known() -> Ends<AgentList> {
    client::get(PROGRAM, route::AGENTS, UNREACHABLE)
}

/// One part of the names (class, provider, type) of the agents that are wanted, each once.
fn select(list: &AgentList, wanted: impl Fn(&str, &str, &str) -> bool, part: usize) -> BTreeSet<String> {
    let parts = list.agents.iter().filter_map(|agent| match agent.name.split(':').collect::<Vec<_>>().as_slice() {
        [class, provider, kind] => Some([*class, *provider, *kind]),
        [class, kind] => Some([*class, "", *kind]),
        _ => None,
    });
    let chosen = parts.filter(|[class, provider, kind]| wanted(class, provider, kind));
    chosen.filter_map(|names| names.get(part).map(|name| (*name).to_owned())).collect()
}

fn listed(names: &BTreeSet<String>, code: u8, why: &str) -> Ends<Said> {
    if names.is_empty() {
        return Err(Said::failed(code, format!("{PROGRAM}: {why}\n{}", verdict(code))));
    }
    Ok(Said::printed(names.iter().map(String::as_str).collect::<Vec<_>>().join("\n")))
}

fn verdict(code: u8) -> &'static str {
    if code == exit::NO_SUCH {
        "Error performing operation: No such object"
    } else {
        "Error performing operation: Error occurred"
    }
}

fn metadata(agent: &str) -> Ends<Said> {
    let unknown = || {
        let err = format!("{PROGRAM}: Metadata query for {agent} failed: No such device or address\n");
        Said::failed(exit::ERROR, err + verdict(exit::ERROR))
    };
    // Nothing else can stand in an agent's name, nor in a query as it is.
    if !agent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.@".contains(&byte)) || agent.is_empty() {
        return Err(unknown());
    }
    if !select(
        &known()?,
        |class, by, kind| agent == format!("{class}:{by}:{kind}") || agent == format!("{class}:{kind}"),
        2,
    )
    .is_empty()
    {
        let detail: AgentDetail = client::get(PROGRAM, &format!("{}?agent={agent}", route::AGENTS), UNREACHABLE)?;
        return Ok(Said::printed(detail.xml));
    }
    Err(unknown())
}
