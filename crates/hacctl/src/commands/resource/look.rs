//! Looking at one resource: constraints, operations, scores.

use hac_api::{ErrorCode, ExplainQuery, SubjectKind};
use hac_pacemaker::crm_syntax;
use hac_pacemaker::mon;

use super::{look, must_exist};
use crate::commands::Context;
use crate::failure::Failure;
use crate::terminal;

/// `resource constraints`: all that mention it.
pub(super) async fn constraints(context: &Context, resource: &str) -> Result<(), Failure> {
    let (cib, _) = look(context).await?;
    must_exist(&cib, resource)?;
    let kinds = ["location", "colocation", "order", "rsc_ticket"];
    let ids = crm_syntax::ids(&cib.configuration);
    let constraints: Vec<&str> =
        ids.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, id)| id.as_str()).collect();
    let all = crm_syntax::related(&cib.configuration, resource);
    let ids: Vec<&str> = constraints.into_iter().filter(|id| all.iter().any(|related| related == id)).collect();
    if context.json {
        return terminal::print_json(&serde_json::json!({ "resource": resource, "constraints": ids }));
    }
    if ids.is_empty() {
        return terminal::print(&format!("no constraint mentions {resource}"));
    }
    terminal::print(&crm_syntax::show(&cib.configuration, &ids))
}

/// `resource operations`: the history, of one resource, on one node, or of all.
pub(super) async fn operations(context: &Context, resource: Option<&str>, node: Option<&str>) -> Result<(), Failure> {
    let (cib, view) = look(context).await?;
    if let Some(resource) = resource {
        must_exist(&cib, resource)?;
    }
    if node.is_some() {
        crate::commands::node::find(&context.client.status().await?, node)?;
    }
    let options = mon::Options {
        operations: true,
        timing: true,
        node: node.map(str::to_owned),
        resource: resource.map(str::to_owned),
        ..mon::Options::default()
    };
    if context.json {
        let is_wanted = |history: &&hac_model::Shared<hac_model::ResourceHistory>| {
            resource.is_none_or(|resource| history.id.split(':').next() == Some(resource))
        };
        let nodes = cib.status.nodes.iter().filter(|state| node.is_none() || state.uname.as_deref() == node);
        let histories: Vec<_> = nodes
            .map(|state| {
                let resources: Vec<_> = state.resources.iter().filter(is_wanted).collect();
                serde_json::json!({ "node": state.uname, "resources": resources })
            })
            .collect();
        return terminal::print_json(&serde_json::json!({ "operations": histories }));
    }
    terminal::print(&mon::history(&view, &options))
}

/// `resource scores`: what `explain` says, which is more.
pub(super) async fn scores(context: &Context, resource: Option<&str>) -> Result<(), Failure> {
    if let Some(resource) = resource {
        let (cib, _) = look(context).await?;
        must_exist(&cib, resource)?;
        let query = ExplainQuery { name: Some(resource.to_owned()), kind: Some(SubjectKind::Resource), at: None };
        let answer = context.client.explain(&query).await?;
        return if context.json {
            terminal::print_json(&answer)
        } else {
            terminal::print(&terminal::harmless(&answer.text))
        };
    }
    let cib = crate::commands::impact::state(context).await?;
    let extras = hac_pacemaker::simulate::Extras { scores: true, ..hac_pacemaker::simulate::Extras::default() };
    let clock = crate::commands::simulate::clock(None)?;
    let simulation = hac_pacemaker::simulate::simulate_with(&cib, &clock, true, extras);
    if simulation.outcome.scores.is_empty() {
        return Err(Failure::new(ErrorCode::NoSuch, "there are no scores: no resource is configured")
            .with_remedy("Make one with 'hacctl configure primitive ...'."));
    }
    if context.json {
        return terminal::print_json(&serde_json::json!({ "scores": simulation.outcome.scores }));
    }
    terminal::print(&simulation.outcome.scores.join("\n"))
}
