//! The agents of this node, in the words of the API.

use hac_agents::{Agents, Listed};
use hac_api::{AgentAction, AgentDetail, AgentList, AgentParameter, AgentSummary, Implementation};
use hac_pacemaker::agent_metadata::{self, Action, Parameter};

/// All that can be run here.
pub(super) async fn list(agents: &Agents) -> AgentList {
    AgentList { agents: agents.list().await.into_iter().map(summary).collect() }
}

/// One, with what it says of itself.
pub(super) async fn detail(agents: &Agents, name: &str) -> Option<AgentDetail> {
    let (listed, xml) = agents.describe(name).await?;
    let known = agent_metadata::read(&xml).unwrap_or_default();
    Some(AgentDetail {
        agent: summary(listed),
        shortdesc: known.shortdesc,
        longdesc: known.longdesc,
        parameters: known.parameters.into_iter().map(parameter).collect(),
        actions: known.actions.into_iter().map(action).collect(),
        xml,
    })
}

fn summary(listed: Listed) -> AgentSummary {
    AgentSummary {
        name: listed.agent.to_string(),
        implementation: match listed.implementation {
            hac_agents::Implementation::Native => Implementation::Native,
            hac_agents::Implementation::Script => Implementation::Script,
        },
        script: listed.script.map(|path| path.display().to_string()),
        native: listed.native,
    }
}

fn parameter(known: Parameter) -> AgentParameter {
    AgentParameter {
        name: known.name,
        required: known.required,
        unique: known.unique,
        kind: known.kind,
        default: known.default,
        shortdesc: known.shortdesc,
        longdesc: known.longdesc,
    }
}

fn action(known: Action) -> AgentAction {
    AgentAction {
        name: known.name,
        timeout: known.timeout,
        interval: known.interval,
        depth: known.depth,
        role: known.role,
        automatic: known.automatic,
    }
}
