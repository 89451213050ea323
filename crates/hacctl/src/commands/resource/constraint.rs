//! Moving a resource by location constraints, and taking them back.

use hac_api::ErrorCode;
use hac_crm::cib::Change;
use hac_model::parse_lifetime_s;
use hac_pacemaker::crm_commands;
use hac_scheduler::view::ClusterView;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use super::{look, must_exist};
use crate::commands::node::find as node_find;
use crate::commands::reached::{Goal, active_on};
use crate::commands::{Context, node};
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// `resource move`: to a node, or (forced) away from where it is.
pub(super) async fn migrate(context: &Context, call: &Call) -> Result<(), Failure> {
    let resource = call.must("RSC")?;
    let (cib, view) = look(context).await?;
    must_exist(&cib, resource)?;
    let Some(target) = call.get("NODE") else {
        if !call.force() {
            return Err(Failure::usage(format!("no node to move {resource} to"))
                .with_remedy("Name one, or add --force to move it away from where it is and keep it away."));
        }
        return ban(context, call).await;
    };
    node::find(&context.client.status().await?, Some(target))?;
    if let Some(why) = cannot_run(&view, target) {
        warn(context, &format!("{target} {why}: {resource} does not run there before that ends"));
    }
    let end = end(call.get("LIFETIME"))?;
    let change = crm_commands::prefer(resource, target, end.as_deref());
    let goal = Goal::On(resource.to_owned(), target.to_owned());
    let done = format!("Move constraint created for {resource} to {target}");
    context.change_for(&goal, &[change], &done).await?;
    hint(context, resource, end.as_deref());
    Ok(())
}

/// `resource ban`: keeps it off a node, or off the node where it runs.
pub(super) async fn ban(context: &Context, call: &Call) -> Result<(), Failure> {
    let (resource, target) = (call.must("RSC")?, call.get("NODE"));
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
        let id = crm_commands::ban_id(resource, node);
        node == target || cib.configuration.constraints.iter().any(|constraint| constraint.id() == id)
    };
    if view.nodes.iter().all(|node| banned(&node.name) || cannot_run(&view, &node.name).is_some()) {
        warn(context, &format!("no other node can run {resource}: it will be stopped and run nowhere"));
    }
    let end = end(call.get("LIFETIME"))?;
    let change = crm_commands::ban(resource, &target, end.as_deref());
    let done = format!("Ban constraint created for {resource} on {target}");
    context.change_for(&Goal::NotOn(resource.to_owned(), target), &[change], &done).await?;
    hint(context, resource, end.as_deref());
    Ok(())
}

/// When a lifetime that begins now ends, as ISO 8601; nothing for what lasts.
fn end(lifetime: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(word) = lifetime.filter(|word| *word != "forever") else { return Ok(None) };
    let wrong = || {
        Failure::usage(format!("'{}' is no lifetime", terminal::harmless(word))).with_remedy(
            "Write a duration such as PT5M, PT2H, P1D or 10m; without one it lasts until 'resource clear'.",
        )
    };
    let seconds = parse_lifetime_s(word).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
    let end = OffsetDateTime::now_utc().checked_add(Duration::seconds(seconds)).ok_or_else(wrong)?;
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    end.format(format).map(Some).map_err(|_| wrong())
}

/// `resource clear`: deletes what `move` and `ban` left, of one node or of all.
pub(super) async fn clear(context: &Context, resource: &str, node: Option<&str>) -> Result<(), Failure> {
    let (cib, _) = look(context).await?;
    must_exist(&cib, resource)?;
    if node.is_some() {
        node_find(&context.client.status().await?, node)?;
    }
    let ids = crm_commands::left_by_moves(&cib.configuration, resource, node);
    if ids.is_empty() {
        return context.done(&format!("no move or ban constraint of {resource} is left"), None);
    }
    let changes: Vec<_> = ids.iter().map(|id| Change::Delete { id: id.clone(), force: false }).collect();
    let goal = Goal::Cleared;
    context.change_for(&goal, &changes, &format!("Removed constraints: {}", ids.join(", "))).await
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

fn hint(context: &Context, resource: &str, end: Option<&str>) {
    if context.json || context.consent.dry_run {
        return;
    }
    match end {
        Some(end) => {
            eprintln!("INFO: The constraint ends by itself at {end}; `hacctl resource clear {resource}` removes it")
        }
        None => eprintln!("INFO: Use `hacctl resource clear {resource}` to remove this constraint"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_at_once_is_no_lifetime() {
        assert!(end(Some("0")).is_err() && end(Some("PT0S")).is_err() && end(Some("PT5M")).is_ok());
        assert_eq!(end(Some("forever")), Ok(None));
    }

    #[test]
    fn lifetimes_are_iso_durations_or_times() {
        for (word, seconds) in
            [("PT5M", 300), ("P1DT12H", 129_600), ("P2W", 1_209_600), ("10m", 600), ("30", 30), ("PT1H30M5S", 5405)]
        {
            assert_eq!(parse_lifetime_s(word), Some(seconds), "{word}");
        }
        for word in ["P", "PT", "P5M", "PT5", "soon", "PT5D", "P99999999999999999999D"] {
            assert_eq!(parse_lifetime_s(word), None, "{word}");
        }
        assert_eq!(end(None), Ok(None));
        assert_eq!(end(Some("forever")), Ok(None));
        assert_eq!(end(Some("reboot")).expect_err("is for nodes").exit_code, 64);
    }
}
