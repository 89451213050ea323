//! `hacctl resource`: steering what runs.

mod constraint;
mod look;
mod values;

use std::process::ExitCode;

use hac_api::{Command, ErrorCode};
use hac_model::{Cib, NvSet, Primitive, Resource, Role};
use hac_pacemaker::crm_commands;
use hac_scheduler::view::{ClusterView, ResourceView};

pub(crate) use values::set_pair;

use super::reached::{Goal, active_on, settled, views};
use super::{Context, reached};
use crate::failure::Failure;
use crate::grammar::{Call, Known};
use crate::{progress, terminal};

/// Carries out one of the resource commands.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let resource = || call.must("RSC");
    match call.command.name() {
        "status" | "locate" => status(context, call.all("RSC")).await?,
        "start" => target_role(context, call.all("RSC"), Role::Started).await?,
        "stop" => target_role(context, call.all("RSC"), Role::Stopped).await?,
        "promote" => target_role(context, call.all("RSC"), Role::Promoted).await?,
        "demote" => target_role(context, call.all("RSC"), Role::Unpromoted).await?,
        "restart" => {
            for resource in call.all("RSC") {
                restart(context, resource).await?;
            }
        }
        "move" => constraint::migrate(context, call).await?,
        "ban" => constraint::ban(context, call).await?,
        "clear" => constraint::clear(context, resource()?, call.get("NODE")).await?,
        "cleanup" => cleanup(context, call.owned("RSC"), call.owned("NODE")).await?,
        "refresh" => {
            let (resource, node) = (call.owned("RSC"), call.owned("NODE"));
            known_or_seen(context, resource.as_deref()).await?;
            let what = described(resource.as_deref(), node.as_deref());
            ask(context, Command::Refresh { resource, node }, &format!("Looking again at {what}")).await?;
        }
        "failcount" => values::failcount(context, call).await?,
        "manage" => meta(context, call.all("RSC"), "is-managed", "true").await?,
        "unmanage" => meta(context, call.all("RSC"), "is-managed", "false").await?,
        "maintenance" => {
            let state = if matches!(call.get("|"), None | Some("on" | "true")) { "true" } else { "false" };
            meta(context, call.all("RSC"), "maintenance", state).await?;
        }
        "param" => values::run(context, call, Kind::Param).await?,
        "meta" => values::run(context, call, Kind::Meta).await?,
        "utilization" => values::run(context, call, Kind::Utilization).await?,
        "secret" => values::secret(context, call).await?,
        "constraints" => look::constraints(context, resource()?).await?,
        "operations" => look::operations(context, call.get("RSC"), call.get("NODE")).await?,
        "scores" => look::scores(context, call.get("RSC")).await?,
        "trace" => values::trace(context, call, true).await?,
        _ => values::trace(context, call, false).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The cluster as the daemon sees it now: configuration, and how it stands.
async fn look(context: &Context) -> Result<(Cib, ClusterView), Failure> {
    let (_, view) = context.client.view().await?;
    Ok((context.cib(false).await?, view))
}

/// Refuses a resource that is not configured, and names those that are.
pub(super) fn must_exist(cib: &Cib, resource: &str) -> Result<(), Failure> {
    if find(cib, resource).is_some() {
        return Ok(());
    }
    let known = Known::of(&cib.configuration).resources;
    let near = hac_model::nearest(resource, known.iter().map(String::as_str));
    let mut near = near.map(|near| format!("Did you mean {near}? ")).unwrap_or_default();
    if let Some(other) = super::kind_of(&cib.configuration, resource) {
        near = format!("{} is a {other}. ", terminal::harmless(resource));
    }
    let remedy = if known.is_empty() {
        "No resource is configured; make one with 'hacctl configure primitive ...'.".to_owned()
    } else {
        format!("{near}The cluster's resources are: {}.", known.join(", "))
    };
    let name = terminal::harmless(resource);
    Err(Failure::new(ErrorCode::NoSuch, format!("resource {name} does not exist")).with_remedy(remedy))
}

/// What a command needs to know of a configured resource, at whatever depth it stands.
pub(super) struct Found<'a> {
    meta: &'a [NvSet],
    params: &'a [NvSet],
    utilization: &'a [NvSet],
}

pub(super) fn find<'a>(cib: &'a Cib, id: &str) -> Option<Found<'a>> {
    cib.configuration.resources.iter().find_map(|resource| find_in(resource, id))
}

fn find_in<'a>(resource: &'a Resource, id: &str) -> Option<Found<'a>> {
    let primitive = |p: &'a Primitive| {
        (p.id == id).then_some(Found { meta: &p.meta, params: &p.params, utilization: &p.utilization })
    };
    match resource {
        Resource::Primitive(p) => primitive(p),
        Resource::Group(g) if g.id == id => Some(Found { meta: &g.meta, params: &g.params, utilization: &[] }),
        Resource::Group(g) => g.members.iter().find_map(primitive),
        Resource::Clone(c) if c.id == id => Some(Found { meta: &c.meta, params: &c.params, utilization: &[] }),
        Resource::Clone(c) => find_in(&c.child, id),
        Resource::Bundle(b) if b.id == id => Some(Found { meta: &b.meta, params: &b.params, utilization: &[] }),
        Resource::Bundle(b) => b.primitive.as_ref().and_then(primitive),
        Resource::Template(_) => None,
    }
}

/// Operations that are under way on a resource and what is inside: task and node.
fn under_way(view: &ResourceView) -> Vec<(String, String)> {
    let inside = view.children.iter().flat_map(under_way);
    view.pending.clone().into_iter().chain(inside).collect()
}

async fn status(context: &Context, resources: &[String]) -> Result<(), Failure> {
    if resources.is_empty() {
        let (_, view) = context.client.view().await?;
        if context.json {
            return terminal::print_json(&view.resources);
        }
        return terminal::print(&hac_pacemaker::mon::resources(&view));
    }
    let (cib, view) = look(context).await?;
    for id in resources {
        must_exist(&cib, id)?;
    }
    if context.json {
        let one = |id: &String| serde_json::json!({ "resource": id, "running_on": active_on(&view, id) });
        return match resources {
            [only] => terminal::print_json(&one(only)),
            several => terminal::print_json(&several.iter().map(one).collect::<Vec<_>>()),
        };
    }
    let lines: Vec<String> = resources.iter().map(|id| standing(&view, id)).collect();
    terminal::print(&lines.join("\n"))
}

/// Where one resource runs, in crm's words.
fn standing(view: &ClusterView, id: &str) -> String {
    let nodes = active_on(view, id);
    let stopping: Vec<String> = views(&view.resources, id)
        .into_iter()
        .flat_map(under_way)
        .filter(|(task, _)| task == "stop")
        .map(|(_, node)| node)
        .collect();
    if !stopping.is_empty() {
        return format!("resource {id} is being stopped on: {}", stopping.join(" "));
    }
    if nodes.is_empty() {
        return format!("resource {id} is NOT running");
    }
    let lines: Vec<_> = nodes.iter().map(|node| format!("resource {id} is running on: {node}")).collect();
    lines.join("\n")
}

async fn target_role(context: &Context, resources: &[String], role: Role) -> Result<(), Failure> {
    let (cib, _) = look(context).await?;
    for resource in resources {
        must_exist(&cib, resource)?;
        if matches!(role, Role::Promoted | Role::Unpromoted) && !is_promotable(&cib, resource) {
            let sentence = format!("{} is not promotable: it has no role {role}", terminal::harmless(resource));
            return Err(Failure::new(ErrorCode::Invalid, sentence).with_remedy(
                "Name a clone with promotable=true ('hacctl configure clone ID RSC meta promotable=true').",
            ));
        }
    }
    let changes: Vec<_> = resources.iter().map(|resource| crm_commands::role(resource, role)).collect();
    let done = format!("target-role of {} is {role}", resources.join(", "));
    context.change_for(&Goal::Role(resources.to_vec(), role), &changes, &done).await
}

/// Whether a resource is a promotable clone, or in one.
fn is_promotable(cib: &Cib, id: &str) -> bool {
    cib.configuration.resources.iter().any(|resource| {
        let Resource::Clone(clone) = resource else { return false };
        let value = clone.meta.iter().find_map(|set| set.get("promotable"));
        let promotable = clone.legacy_master || value.and_then(hac_model::parse_bool) == Some(true);
        promotable && (clone.id == id || find_in(&clone.child, id).is_some())
    })
}

async fn meta(context: &Context, resources: &[String], name: &str, value: &str) -> Result<(), Failure> {
    let (cib, _) = look(context).await?;
    for resource in resources {
        must_exist(&cib, resource)?;
    }
    let done = format!("{name} of {} is {value}", resources.join(", "));
    let changes: Vec<_> = resources.iter().map(|resource| crm_commands::meta(resource, name, Some(value))).collect();
    context.change(&changes, &done).await
}

/// Stops, waits, starts again, waits; puts back the role that was wanted before.
async fn restart(context: &Context, resource: &str) -> Result<(), Failure> {
    let (cib, view) = look(context).await?;
    must_exist(&cib, resource)?;
    if active_on(&view, resource).is_empty() {
        return Err(Failure::new(ErrorCode::Invalid, format!("resource {resource} is not running"))
            .with_remedy(format!("Start it with 'hacctl resource start {resource}'.")));
    }
    let before = find(&cib, resource)
        .and_then(|found| found.meta.iter().find_map(|set| set.get("target-role")))
        .map(str::to_owned);
    if context.consent.dry_run {
        return terminal::print(&format!(
            "{resource} would be stopped on {} and started again.\nNothing was changed (--dry-run).",
            active_on(&view, resource).join(", ")
        ));
    }
    let _own = crate::interrupt::own();
    eprintln!("INFO: ordering {resource} to stop");
    let order = [crm_commands::meta(resource, "target-role", Some("Stopped"))];
    progress::show("waiting for the cluster", context.client.configure(&order, None, None)).await?;
    let waited = progress::show("waiting for stop to finish", context.client.settle(context.timeout));
    let stopped = tokio::select! {
        stopped = waited => Some(stopped),
        _ = tokio::signal::ctrl_c() => None,
    };
    eprintln!("INFO: ordering {resource} to start");
    // Also if the stop did not finish in time or nobody waited for it: nobody asked for it to stay stopped.
    let order = [crm_commands::meta(resource, "target-role", before.as_deref())];
    let (_, halfway) = context.client.view().await?;
    progress::show("waiting for the cluster", context.client.configure(&order, None, None)).await?;
    let Some(stopped) = stopped else {
        return Err(Failure {
            exit_code: 130,
            ..Failure::usage(format!("interrupted; {resource} is wanted as before"))
        }
        .with_remedy("'hacctl status' shows how far it is."));
    };
    let not_restarted = |failure: Failure| Failure {
        message: format!("resource {resource} did not stop, so it was not restarted: {}", failure.message),
        ..failure
    };
    let goal = |role| Goal::Role(vec![resource.to_owned()], role);
    let mut stopped = stopped?;
    reached::name_work(&mut stopped, &halfway);
    settled(&stopped).map_err(not_restarted)?;
    reached::judge(&goal(Role::Stopped), &view, &halfway).map_err(not_restarted)?;
    let mut started = progress::show("waiting for start to finish", context.client.settle(context.timeout)).await?;
    let (_, after) = context.client.view().await?;
    reached::name_work(&mut started, &after);
    let not_started = |failure: Failure| Failure {
        message: format!("resource {resource} did not start again: {}", failure.message),
        ..failure
    };
    settled(&started).map_err(not_started)?;
    reached::judge(&goal(Role::Started), &view, &after).map_err(not_started)?;
    reached::judge(&Goal::Change, &view, &after).map_err(not_started)?;
    context.done(&format!("restarted {resource}"), None)
}

/// Refuses a resource of which the cluster knows nothing. What is no longer configured and still known may be cleaned up.
async fn known_or_seen(context: &Context, resource: Option<&str>) -> Result<(), Failure> {
    let Some(resource) = resource else { return Ok(()) };
    let (cib, view) = look(context).await?;
    if views(&view.resources, resource).is_empty() { must_exist(&cib, resource) } else { Ok(()) }
}

async fn cleanup(context: &Context, resource: Option<String>, node: Option<String>) -> Result<(), Failure> {
    known_or_seen(context, resource.as_deref()).await?;
    let done = format!("Cleaned up {}", described(resource.as_deref(), node.as_deref()));
    ask(context, Command::Cleanup { resource, node, operation: None, interval_ms: None }, &done).await
}

/// Sends a command that does not change the configuration.
async fn ask(context: &Context, command: Command, done: &str) -> Result<(), Failure> {
    if let Command::Cleanup { node: Some(node), .. } | Command::Refresh { node: Some(node), .. } = &command {
        super::node::find(&context.client.status().await?, Some(node))?;
    }
    let resource = match &command {
        Command::Cleanup { resource, .. } | Command::Refresh { resource, .. } => resource.clone(),
        _ => None,
    };
    if context.consent.dry_run {
        return terminal::print(&format!("Would be done: {done}\nNothing was changed (--dry-run)."));
    }
    let work = context.client.command(command, context.wait);
    let answer = progress::show("waiting for the cluster to settle", work).await?;
    context.done(done, answer.settled)?;
    if context.wait.is_none() {
        return Ok(());
    }
    let (_, after) = context.client.view().await?;
    reached::judge(&Goal::Recovered(resource), &ClusterView::default(), &after)
}

fn described(resource: Option<&str>, node: Option<&str>) -> String {
    format!("{} on {}", resource.unwrap_or("all resources"), node.unwrap_or("all nodes"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Param,
    Meta,
    Utilization,
}
