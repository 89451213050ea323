//! Resource agents: one interface, several ways to run.
//!
//! [`Agents::run`] takes an [`Invocation`] and gives the [`Outcome`]; what is native and what is a script, above here
//! nobody knows. Dropping the future cancels: a script's whole process group is killed.
//!
//! | way | module |
//! |---|---|
//! | OCF scripts, unchanged, as processes | [`ocf`] |
//! | `ocf:digitalocean:floatip`, in process | [`floatip`] |
//! | `ocf:heartbeat:nginx`, in process | [`nginx`] |
//!
//! After a success the processes behind a resource are told, so that the driver can watch them ([`watch`]).

mod exit;
mod floatip;
mod nginx;
mod ocf;
mod process;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Instant;

use hac_api::{AgentDetail, AgentList, AgentSummary, Implementation};
use hac_crm::local::{ExecStatus, Invocation, Outcome};
use hac_crm::model::Agent;

use crate::config;

pub(crate) use exit::{Exit, Finished};

/// Every agent that this node can run.
#[derive(Debug)]
pub(crate) struct Agents {
    choice: config::Agents,
    ocf: ocf::Ocf,
    floatip: floatip::FloatIp,
    nginx: nginx::Nginx,
}

/// The agents that are inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Native {
    FloatIp,
    Nginx,
}

impl Native {
    const ALL: [(&'static str, Self); 2] = [(floatip::NAME, Self::FloatIp), (nginx::NAME, Self::Nginx)];

    fn named(agent: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == agent).map(|(_, native)| *native)
    }

    const fn metadata(self) -> &'static str {
        match self {
            Self::FloatIp => floatip::METADATA,
            Self::Nginx => nginx::METADATA,
        }
    }
}

impl Agents {
    /// Prepares to run agents on the node called `node`. Starts nothing and connects nowhere.
    pub(crate) fn new(choice: config::Agents, cloud: &config::DigitalOcean, node: &str, node_id: u32) -> Arc<Self> {
        let ocf = ocf::Ocf::new(choice.ocf_root.clone(), node.to_owned(), node_id);
        Arc::new(Self { choice, ocf, floatip: floatip::FloatIp::new(cloud), nginx: nginx::Nginx::default() })
    }

    /// Runs an agent to its end or its timeout. Dropping the future cancels it.
    pub(crate) async fn run(&self, invocation: &Invocation) -> Outcome {
        let begin = Instant::now();
        let mut outcome = match tokio::time::timeout(invocation.timeout, self.dispatch(invocation)).await {
            Ok(finished) => finished.into_outcome(),
            Err(_) => timed_out(invocation),
        };
        outcome.exec_time = begin.elapsed();
        if outcome.rc == 0 && outcome.status == ExecStatus::Done && invocation.action != "stop" {
            outcome.watch = watch::processes(&invocation.agent, &invocation.params);
        }
        outcome
    }

    async fn dispatch(&self, invocation: &Invocation) -> Finished {
        match self.implementation(&invocation.agent) {
            Some(Native::FloatIp) => self.floatip.run(invocation).await,
            Some(Native::Nginx) => self.nginx.run(invocation).await,
            None if invocation.agent.class == "ocf" => self.ocf.run(invocation).await,
            None => Finished::failed(
                Exit::Installed,
                format!("hacd cannot run agents of class {} yet", invocation.agent.class),
            )
            .with_status(ExecStatus::NotInstalled),
        }
    }

    /// The native agent that serves `agent`, if that is what shall be used.
    fn implementation(&self, agent: &Agent) -> Option<Native> {
        let name = agent.to_string();
        let native = Native::named(&name)?;
        let wanted = if self.choice.script.contains(&name) {
            Implementation::Script
        } else if self.choice.native.contains(&name) || !self.choice.prefer_script {
            Implementation::Native
        } else {
            Implementation::Script
        };
        // A script that is preferred and not there must not take the service down.
        (wanted == Implementation::Native || self.ocf.path(agent).is_none()).then_some(native)
    }

    /// The agents that this node knows, sorted by name.
    pub(crate) fn list(&self) -> AgentList {
        let mut names: Vec<Agent> = self.ocf.installed();
        for (name, _) in Native::ALL {
            let agent = parse(name);
            if !names.contains(&agent) {
                names.push(agent);
            }
        }
        names.sort();
        AgentList { agents: names.iter().map(|agent| self.summary(agent)).collect() }
    }

    fn summary(&self, agent: &Agent) -> AgentSummary {
        let native = self.implementation(agent).is_some();
        AgentSummary {
            name: agent.to_string(),
            implementation: if native { Implementation::Native } else { Implementation::Script },
            script: self.ocf.path(agent).map(|path| path.display().to_string()),
            native: Native::named(&agent.to_string()).is_some(),
        }
    }

    /// What an agent says of itself; `None` if there is no such agent.
    pub(crate) async fn detail(&self, name: &str) -> Option<AgentDetail> {
        let agent = parse(name);
        let xml = match self.implementation(&agent) {
            Some(native) => native.metadata().to_owned(),
            None => self.ocf.metadata(&agent).await?,
        };
        let known = hac_pacemaker::agent_metadata::read(&xml).unwrap_or_default();
        Some(AgentDetail {
            agent: self.summary(&agent),
            shortdesc: known.shortdesc,
            longdesc: known.longdesc,
            parameters: known.parameters.into_iter().map(parameter).collect(),
            actions: known.actions.into_iter().map(action).collect(),
            xml,
        })
    }
}

fn parameter(known: hac_pacemaker::agent_metadata::Parameter) -> hac_api::AgentParameter {
    hac_api::AgentParameter {
        name: known.name,
        required: known.required,
        unique: known.unique,
        kind: known.kind,
        default: known.default,
        shortdesc: known.shortdesc,
        longdesc: known.longdesc,
    }
}

fn action(known: hac_pacemaker::agent_metadata::Action) -> hac_api::AgentAction {
    hac_api::AgentAction {
        name: known.name,
        timeout: known.timeout,
        interval: known.interval,
        depth: known.depth,
        role: known.role,
    }
}

/// `ocf:heartbeat:nginx` as an [`Agent`].
fn parse(name: &str) -> Agent {
    let parts: Vec<&str> = name.split(':').collect();
    match parts.as_slice() {
        [class, provider, kind] => {
            Agent { class: (*class).into(), provider: Some((*provider).into()), kind: (*kind).into() }
        }
        [class, kind] => Agent { class: (*class).into(), provider: None, kind: (*kind).into() },
        _ => Agent { class: "ocf".into(), provider: Some("heartbeat".into()), kind: name.into() },
    }
}

fn timed_out(invocation: &Invocation) -> Outcome {
    Outcome {
        rc: Exit::Generic.code(),
        status: ExecStatus::Timeout,
        exit_reason: Some(format!(
            "{} of {} did not complete within {}",
            invocation.action,
            invocation.instance,
            seconds(invocation.timeout)
        )),
        ..Outcome::default()
    }
}

/// A duration as people write it: `20s`, `1.5s`.
fn seconds(duration: std::time::Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}
