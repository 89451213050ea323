//! Moving a resource by location constraints, and taking them back.

use hac_api::ErrorCode;
use hac_crm::cib::{Change, Object, PutMode};
use hac_model::{Constraint, Location, LocationSubject, LocationTarget};
use hac_scheduler::view::ClusterView;

use super::{look, must_exist};
use crate::commands::reached::{Goal, active_on};
use crate::commands::{Context, node};
use crate::failure::Failure;
use crate::terminal;

/// `resource move`: to `target`, or (forced) away from where it is.
pub(super) async fn migrate(
    context: &Context,
    resource: &str,
    target: Option<&str>,
    force: bool,
) -> Result<(), Failure> {
    let (cib, view) = look(context).await?;
    must_exist(&cib, resource)?;
    let Some(target) = target else {
        if !force {
            return Err(Failure::usage(format!("no node to move {resource} to"))
                .with_remedy("Name one, or add --force to move it away from where it is and keep it away."));
        }
        return ban(context, resource, None).await;
    };
    node::find(&context.client.status().await?, Some(target))?;
    if let Some(why) = cannot_run(&view, target) {
        warn(context, &format!("{target} {why}: {resource} does not run there before that ends"));
    }
    let change = location(format!("cli-prefer-{resource}"), resource, target, "INFINITY");
    let goal = Goal::On(resource.to_owned(), target.to_owned());
    let done = format!("Move constraint created for {resource} to {target}");
    context.change_for(&goal, &[change], &done).await?;
    hint(context, resource);
    Ok(())
}

/// `resource ban`: keeps it off `target`, or off the node where it runs.
pub(super) async fn ban(context: &Context, resource: &str, target: Option<&str>) -> Result<(), Failure> {
    let (cib, view) = look(context).await?;
    must_exist(&cib, resource)?;
    let target = match target {
        Some(target) => node::find(&context.client.status().await?, Some(target))?.name.clone(),
        None => match active_on(&view, resource).as_slice() {
            [only] => only.clone(),
            [] => {
                return Err(Failure::new(ErrorCode::Invalid, format!("resource {resource} is not running"))
                    .with_remedy("Name the node on which it must not run."));
            }
            several => {
                return Err(Failure::usage(format!("{resource} runs on {}", several.join(", ")))
                    .with_remedy("Name the node on which it must not run."));
            }
        },
    };
    let banned = |node: &str| {
        let id = format!("cli-ban-{resource}-on-{node}");
        node == target || cib.configuration.constraints.iter().any(|constraint| constraint.id() == id)
    };
    if view.nodes.iter().all(|node| banned(&node.name) || cannot_run(&view, &node.name).is_some()) {
        warn(context, &format!("no other node can run {resource}: it will be stopped and run nowhere"));
    }
    let change = location(format!("cli-ban-{resource}-on-{target}"), resource, &target, "-INFINITY");
    let done = format!("Ban constraint created for {resource} on {target}");
    context.change_for(&Goal::NotOn(resource.to_owned(), target), &[change], &done).await?;
    hint(context, resource);
    Ok(())
}

/// `resource clear`: deletes what `move` and `ban` left.
pub(super) async fn clear(context: &Context, resource: &str) -> Result<(), Failure> {
    let (cib, _) = look(context).await?;
    must_exist(&cib, resource)?;
    let (prefer, ban) = (format!("cli-prefer-{resource}"), format!("cli-ban-{resource}-on-"));
    let ids: Vec<&str> = cib
        .configuration
        .constraints
        .iter()
        .map(Constraint::id)
        .filter(|id| *id == prefer || id.starts_with(&ban))
        .collect();
    if ids.is_empty() {
        return context.done(&format!("no move or ban constraint of {resource} is left"), None);
    }
    let changes: Vec<_> = ids.iter().map(|id| Change::Delete { id: (*id).to_owned(), force: false }).collect();
    context.change(&changes, &format!("Removed constraints: {}", ids.join(", "))).await
}

fn location(id: String, resource: &str, node: &str, score: &str) -> Change {
    let constraint = Constraint::Location(Location {
        id,
        subject: LocationSubject::Resource(resource.to_owned()),
        role: Some("Started".to_owned()),
        resource_discovery: None,
        target: LocationTarget::Node { node: node.to_owned(), score: Some(score.to_owned()) },
        lifetime: Vec::new(),
    });
    Change::Put { object: Object::Constraint(constraint), mode: PutMode::Upsert }
}

/// Why a node runs nothing at present.
fn cannot_run(view: &ClusterView, node: &str) -> Option<&'static str> {
    let node = view.nodes.iter().find(|known| known.name == node)?;
    if !node.online {
        return Some("is offline");
    }
    if node.standby || node.standby_on_fail {
        return Some("is on standby");
    }
    node.maintenance.then_some("is in maintenance")
}

fn warn(context: &Context, sentence: &str) {
    if !context.json {
        eprintln!("WARNING: {}", terminal::harmless(sentence));
    }
}

fn hint(context: &Context, resource: &str) {
    if !context.json {
        eprintln!("INFO: Use `hacctl resource clear {resource}` to remove this constraint");
    }
}
