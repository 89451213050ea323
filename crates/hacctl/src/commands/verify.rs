//! `hacctl verify`: what is wrong or doubtful in the configuration, judged with what the agents say of themselves.

use std::process::ExitCode;

use hac_api::{AgentDetail, ErrorCode};
use hac_crm::cib::{
    AgentInfo, Agents, Change, Configure, FACTS, Finding, ParameterInfo, Replicated as _, Section, Severity, judge,
    verify,
};
use hac_model::{Agent, Cib, Configuration, Resource, parse_duration_ms};

use super::Context;
use crate::client::Client;
use crate::failure::Failure;
use crate::terminal;

/// Prints every finding; exit code 78 if one of them is an error.
pub(crate) async fn run(context: &Context) -> Result<ExitCode, Failure> {
    of(context, &[]).await
}

/// The same of these objects alone; of all if there are none.
pub(crate) async fn of(context: &Context, ids: &[&str]) -> Result<ExitCode, Failure> {
    let cib = context.cib(false).await?;
    let agents = known(&context.client, &cib.configuration).await?;
    let mut findings = verify(&cib.configuration, &agents);
    findings.retain(|finding| ids.is_empty() || ids.contains(&finding.subject.as_str()));
    let wrong = findings.iter().any(|f| f.severity == Severity::Error);
    if context.json {
        terminal::print_json(&findings)?;
    } else if findings.is_empty() {
        eprintln!("INFO: nothing to complain about");
    } else {
        findings.iter().for_each(print);
    }
    Ok(if wrong { ExitCode::from(78) } else { ExitCode::SUCCESS })
}

/// What `changes` would bring in that was not there before: refuses errors and what looks like a slip of who typed it, gives those warnings that the daemon does not
/// give, because it does not ask the agents. What the cluster refuses is left to it.
pub(crate) async fn preview(context: &Context, changes: &[Change]) -> Result<Vec<hac_api::Finding>, Failure> {
    let before = context.cib(false).await?;
    let configure = Configure { changes: changes.to_vec(), ..Configure::default() };
    let Ok(after) = before.candidate(&configure) else { return Ok(Vec::new()) };
    let own = own_properties(&before, changes);
    let agents = known(&context.client, &after.configuration).await?;
    let new = judge(&before.configuration, &after.configuration, &agents);
    if let Some(error) = new.iter().find(|f| f.severity == Severity::Error) {
        let error = &with_nearest_agent(context, error, &agents).await;
        return Err(Failure::new(ErrorCode::Invalid, terminal::harmless(&error.to_string())).with_remedy(&error.remedy));
    }
    let refuses_slips = context.typed && context.draft.is_none() && !context.consent.force;
    if let Some(slip) = new.iter().find(|finding| refuses_slips && finding.misspelt) {
        // It would be taken, and mean nothing.
        let meant = slip.remedy.split_inclusive('?').next().unwrap_or_default();
        return Err(Failure::new(ErrorCode::Invalid, terminal::harmless(&slip.to_string()))
            .with_remedy(format!("{meant} Add --force to have it as it is. Nothing was changed.")));
    }
    Ok(own.into_iter().chain(new.into_iter().filter(|finding| finding.of_agent)).map(finding).collect())
}

/// Properties that only the cluster sets and that `changes` would set otherwise.
fn own_properties(cib: &Cib, changes: &[Change]) -> Vec<Finding> {
    let pairs = changes.iter().filter_map(|change| match change {
        Change::SetProperties { section: Section::CrmConfig, pairs, .. } => Some(pairs),
        _ => None,
    });
    let other = |(name, value): &&(String, Option<String>)| {
        FACTS.contains(&name.as_str()) && cib.configuration.property(name) != value.as_deref()
    };
    let finding = |(name, _): &(String, Option<String>)| Finding {
        severity: Severity::Warning,
        subject: name.clone(),
        sentence: "only the cluster itself sets this property, it stays as it is".to_owned(),
        remedy: "Leave it out.".to_owned(),
        of_agent: false,
        misspelt: false,
    };
    pairs.flatten().filter(other).map(finding).collect()
}

/// The same finding; where an agent is not installed, with the one that was most likely meant.
async fn with_nearest_agent(context: &Context, error: &Finding, agents: &Agents) -> Finding {
    let mut error = error.clone();
    let Some(missing) = agents.missing.iter().find(|name| error.sentence.contains(name.as_str())) else { return error };
    if let Ok(list) = context.client.agents().await {
        let installed: Vec<&str> = list.agents.iter().map(|agent| agent.name.as_str()).collect();
        error.remedy = remedy(missing, &installed, &error.remedy);
    }
    error
}

/// What to do about an agent that does not say what it is: it is installed, or another one was meant.
fn remedy(missing: &str, installed: &[&str], otherwise: &str) -> String {
    if installed.contains(&missing) {
        return "It is installed, but does not answer when called with 'meta-data': call it by hand to see why."
            .to_owned();
    }
    let near = hac_model::nearest(missing, installed.iter().copied());
    near.map_or_else(|| otherwise.to_owned(), |near| format!("Did you mean {near}? {otherwise}"))
}

/// A finding as the cluster tells it.
fn finding(finding: Finding) -> hac_api::Finding {
    hac_api::Finding {
        severity: "warning".to_owned(),
        sentence: finding.to_string(),
        subject: finding.subject,
        remedy: finding.remedy,
    }
}

fn print(finding: &Finding) {
    let word = match finding.severity {
        Severity::Warning => "WARNING",
        Severity::Error => "ERROR",
    };
    eprintln!("{word}: {}", terminal::harmless(&finding.to_string()));
    if !finding.remedy.is_empty() {
        eprintln!("  {}", terminal::harmless(&finding.remedy));
    }
}

/// What this node knows of the agents that `configuration` uses.
async fn known(client: &Client, configuration: &Configuration) -> Result<Agents, Failure> {
    let mut names = Vec::new();
    configuration.resources.iter().for_each(|resource| collect(resource, &mut names));
    names.sort();
    names.dedup();
    let mut agents = Agents::default();
    for name in names {
        match client.agent(&name).await {
            Ok(detail) => {
                agents.known.insert(name, info(detail));
            }
            Err(failure) if failure.exit_code == ErrorCode::NoSuch.exit_code() => {
                agents.missing.insert(name);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(agents)
}

/// Names of the agents that hacd itself runs, so that it knows of them.
fn collect(resource: &Resource, names: &mut Vec<String>) {
    let mut add = |agent: &Agent| {
        if agent.is_run() {
            names.push(agent.to_string());
        }
    };
    match resource {
        Resource::Primitive(primitive) => add(&primitive.agent),
        Resource::Template(template) => add(&template.0.agent),
        Resource::Group(group) => group.members.iter().for_each(|member| add(&member.agent)),
        Resource::Bundle(bundle) => bundle.primitive.iter().for_each(|inner| add(&inner.agent)),
        Resource::Clone(clone) => collect(&clone.child, names),
    }
}

fn info(detail: AgentDetail) -> AgentInfo {
    let unfences = detail.actions.iter().any(|action| action.name == "on" && action.automatic);
    let timeouts = detail.actions.into_iter().filter_map(|action| {
        let timeout = parse_duration_ms(action.timeout.as_deref()?)?;
        Some((action.name, timeout))
    });
    AgentInfo {
        timeouts: timeouts.collect(),
        unfences,
        parameters: detail
            .parameters
            .into_iter()
            .map(|parameter| ParameterInfo { name: parameter.name, required: parameter.required })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_is_installed_and_says_nothing_is_not_taken_for_a_misspelt_one() {
        let installed = ["ocf:x:Dummy", "ocf:x:Flood"];
        assert!(remedy("ocf:x:Flood", &installed, "see the list").starts_with("It is installed"));
        assert_eq!(remedy("ocf:x:Dumy", &installed, "see the list"), "Did you mean ocf:x:Dummy? see the list");
        assert_eq!(remedy("ocf:y:Other", &installed, "see the list"), "see the list");
    }
}
