//! `hacctl ra`: what this node knows of resource agents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{AgentDetail, ErrorCode, Implementation};
use hac_model::Agent;

use super::Context;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Lists agents or describes them.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    match call.command.name() {
        "classes" => classes(context).await?,
        "list" => list(context, call.get("CLASS"), call.get("PROVIDER")).await?,
        "providers" => providers(context, call.must("TYPE")?, call.get("CLASS")).await?,
        _ => {
            // crm takes class, provider and type as words of their own, too.
            let name = match call.all("AGENT") {
                [name] => name.clone(),
                [kind, class] if matches!(class.as_str(), "ocf" | "systemd" | "lsb" | "service") => {
                    format!("{class}:{kind}")
                }
                words => words.join(":"),
            };
            info(context, &name).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The classes, and the providers of `ocf`, as crm prints them.
async fn classes(context: &Context) -> Result<(), Failure> {
    let list = context.client.agents().await?;
    let names: Vec<Vec<&str>> = list.agents.iter().map(|agent| agent.name.split(':').collect()).collect();
    let mut classes: BTreeMap<&str, BTreeSet<&str>> =
        Agent::RUN_CLASSES.iter().map(|class| (*class, BTreeSet::new())).collect();
    for name in &names {
        match name.as_slice() {
            [class, provider, _] => {
                classes.entry(class).or_default().insert(provider);
            }
            [class, _] => {
                classes.entry(class).or_default();
            }
            _ => {}
        }
    }
    if context.json {
        return terminal::print_json(&classes);
    }
    let line = |(class, providers): (&&str, &BTreeSet<&str>)| {
        let providers: Vec<&str> = providers.iter().copied().collect();
        if providers.is_empty() { (*class).to_owned() } else { format!("{class} / {}", providers.join(" ")) }
    };
    terminal::print(&terminal::harmless(&classes.iter().map(line).collect::<Vec<_>>().join("\n")))
}

async fn list(context: &Context, class: Option<&str>, provider: Option<&str>) -> Result<(), Failure> {
    let mut list = context.client.agents().await?;
    list.agents.retain(|agent| {
        let mut parts = agent.name.split(':');
        let (own_class, own_provider) = (parts.next(), parts.next());
        class.is_none_or(|class| own_class == Some(class)) && provider.is_none_or(|p| own_provider == Some(p))
    });
    if let Some(class) = class.filter(|_| list.agents.is_empty()) {
        let what = provider.map_or_else(|| class.to_owned(), |provider| format!("{class}:{provider}"));
        let known = Agent::RUN_CLASSES.contains(&class);
        let remedy = match (known, class) {
            (true, "systemd" | "service" | "lsb") => {
                "Units and scripts are looked up by name: 'hacctl ra info systemd:NAME'."
            }
            (true, "stonith") => {
                "Fence agents are programs named fence_*, where agents.fence_agents of hacd.toml says."
            }
            (true, _) => "'hacctl ra classes' prints the providers.",
            (false, _) => "'hacctl ra classes' prints the classes.",
        };
        return Err(Failure::new(
            ErrorCode::NoSuch,
            format!("no agents of {} are known here", terminal::harmless(&what)),
        )
        .with_remedy(remedy));
    }
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

/// Who offers an agent of this type.
async fn providers(context: &Context, kind: &str, class: Option<&str>) -> Result<(), Failure> {
    let list = context.client.agents().await?;
    let found: Vec<&str> = list
        .agents
        .iter()
        .filter_map(|agent| match agent.name.split(':').collect::<Vec<_>>().as_slice() {
            [own, provider, name] if *name == kind && class.is_none_or(|class| class == *own) => Some(*provider),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(Failure::new(ErrorCode::NoSuch, format!("nobody offers an agent {}", terminal::harmless(kind)))
            .with_remedy("'hacctl ra list ocf' prints those there are."));
    }
    if context.json {
        return terminal::print_json(&serde_json::json!({ "type": kind, "providers": found }));
    }
    terminal::print(&found.join(" "))
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
