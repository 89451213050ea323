//! `hacctl fence`: the devices, what was done to nodes, and what a person knows of them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use hac_api::{Command, ErrorCode, MemberState};
use hac_crm::cib::primitives;
use hac_crm::fencer::{protection, watchdog};
use hac_model::fencing::{End, Requests};
use hac_model::{Cib, FenceAction, FenceDevice, Primitive};
use hac_scheduler::view::ClusterView;

use super::Context;
use super::impact::{self, Impact};
use super::node::find;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Who asks, for the history.
const CLIENT: &str = "hacctl";

/// How often is looked what came of a request.
const LOOK: Duration = Duration::from_millis(500);

/// Carries out one of the commands.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let node = call.get("NODE");
    match call.command.name() {
        "list" => list(context, node).await?,
        "history" => history(context, node).await?,
        "test" => test(context, call.must("RSC")?, node).await?,
        "confirm" => confirm(context, call.must("NODE")?).await?,
        "forget" => {
            if node.is_some() {
                known(context, node, &context.client.cib(false).await?.status.fencing).await?;
            }
            let command = Command::ForgetFencing { node: node.map(str::to_owned) };
            let answer = context.client.command(command, context.wait).await?;
            context.done("what is over is forgotten", answer.settled)?;
        }
        word => {
            let action = if word == "off" { FenceAction::Off } else { FenceAction::Reboot };
            fence(context, call.must("NODE")?, action, None).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a node that neither is in the cluster nor was ever fenced.
async fn known(context: &Context, node: Option<&str>, fencing: &Requests) -> Result<(), Failure> {
    let Some(node) = node else { return Ok(()) };
    let targets = fencing.history.iter().map(|record| &record.target);
    if targets.chain(fencing.running.iter().map(|request| &request.wanted.target)).any(|target| target == node) {
        return Ok(());
    }
    find(&context.client.status().await?, Some(node)).map(|_| ())
}

/// The devices, and whom each can fence as far as its parameters tell.
async fn list(context: &Context, node: Option<&str>) -> Result<(), Failure> {
    if node.is_some() {
        find(&context.client.status().await?, node)?;
    }
    let cib = context.client.cib(false).await?;
    let devices = primitives(&cib.configuration).into_iter().filter(|of| of.agent.is_fence_device());
    let reach = |of: &Primitive, node: &str| FenceDevice::new(&of.plain_params()).may_reach(node);
    let devices: Vec<&Primitive> = devices.filter(|of| node.is_none_or(|node| reach(of, node))).collect();
    let names = |of: &Primitive| -> Vec<String> {
        cib.configuration.nodes.iter().map(|node| node.uname.clone()).filter(|node| reach(of, node)).collect()
    };
    if context.json {
        let one = |of: &&Primitive| serde_json::json!({ "device": of.id, "agent": of.agent.to_string(), "may_fence": names(of) });
        let mut all: Vec<serde_json::Value> = devices.iter().map(one).collect();
        if watchdog::is_counted_on(&cib.configuration) && devices.iter().all(|of| of.id != watchdog::WATCHDOG) {
            let agent = format!("stonith:{}", watchdog::FENCE_WATCHDOG);
            let device = serde_json::json!({ "device": watchdog::WATCHDOG, "agent": agent, "may_fence": watchdog::covered(&cib) });
            all.push(device);
        }
        return terminal::print_json(&all);
    }
    let mut text = String::new();
    for of in &devices {
        text.push_str(&format!("{} ({}): may fence {}\n", of.id, of.agent, names(of).join(", ")));
    }
    if devices.is_empty() {
        text.push_str("No fence device is configured for that.\n");
    }
    text.push_str(&watchdogs(&cib, node));
    let protection = protection(&cib);
    text.push_str(&format!("Protected by: {protection}\n"));
    if let Some((sentence, remedy)) = protection.missing {
        text.push_str(&format!("  {sentence}\n  {remedy}\n"));
    }
    terminal::print(&terminal::harmless(&text))
}

/// Which nodes have armed a watchdog, and whether it is counted on.
fn watchdogs(cib: &Cib, node: Option<&str>) -> String {
    let nodes =
        cib.configuration.nodes.iter().map(|of| of.uname.as_str()).filter(|name| node.is_none_or(|it| it == *name));
    let mut text = String::new();
    for name in nodes {
        let Some(armed) = cib.status.fencing.watchdog(name) else { continue };
        let seconds = armed.timeout_ms / 1000;
        let counted = match watchdog::gone_after(cib, name) {
            Ok(after) => format!("{name} counts as gone {} s after it was lost", after.as_secs()),
            Err(why) => format!("not counted on: {why}"),
        };
        text.push_str(&format!("watchdog of {name} ({}, {seconds} s): {counted}\n", armed.device));
    }
    text
}

/// What is being done and what was done, the newest first.
async fn history(context: &Context, node: Option<&str>) -> Result<(), Failure> {
    let mut fencing = context.client.cib(false).await?.status.fencing;
    known(context, node, &fencing).await?;
    if let Some(node) = node {
        fencing.running.retain(|request| request.wanted.target == node);
        fencing.history.retain(|record| record.target == node);
    }
    if context.json {
        return terminal::print_json(&fencing);
    }
    terminal::print(&terminal::harmless(&hac_pacemaker::fencing::text(&fencing, " UTC")))
}

/// What runs on a node, as far as the state tells.
fn running_on(view: &ClusterView, node: &str) -> Vec<String> {
    fn of(resource: &hac_scheduler::view::ResourceView, node: &str, all: &mut Vec<String>) {
        if resource.children.is_empty() && resource.nodes.iter().any(|place| place == node) {
            all.push(resource.name.clone());
        }
        resource.children.iter().for_each(|child| of(child, node, all));
    }
    let mut all = Vec::new();
    view.resources.iter().for_each(|resource| of(resource, node, &mut all));
    all
}

/// What follows from the loss of a node in the words of the plan, and what runs nowhere then.
async fn consequences(context: &Context, name: &str) -> Result<Vec<String>, Failure> {
    let before = impact::state(context).await?;
    let after = super::simulate::without(&before, name)?;
    let Impact { mut decisions, down, .. } = impact::of_states(&before, &after);
    if !down.is_empty() {
        decisions.push(format!("run {} nowhere", down.join(", ")));
    }
    Ok(decisions)
}

/// Says what is lost on a node that is shot and what becomes of it elsewhere, and asks; false for a dry run.
pub(super) async fn agreed(
    context: &Context,
    view: &ClusterView,
    name: &str,
    action: FenceAction,
    device: Option<&str>,
) -> Result<bool, Failure> {
    let runs = running_on(view, name);
    let lost = if runs.is_empty() {
        "nothing runs there".to_owned()
    } else {
        format!("{} {} lost there", runs.join(", "), if runs.len() == 1 { "is" } else { "are" })
    };
    let with = device.map(|device| format!(" with {device} and no other device")).unwrap_or_default();
    let question = format!("{name} is shot ({action}){with}: {lost}");
    let then = consequences(context, name).await?;
    if context.consent.dry_run {
        if context.json {
            terminal::print_json(&serde_json::json!({ "dry_run": true, "lost": runs, "plan": then }))?;
            return Ok(false);
        }
        let then: String = then.iter().map(|line| format!("  * {line}\n")).collect();
        let text = format!("Would be done: {question}\nThe others would:\n{then}Nothing was changed (--dry-run).");
        let text = if then.is_empty() { text.replace("The others would:\n", "") } else { text };
        terminal::print(&terminal::harmless(&text))?;
        return Ok(false);
    }
    if context.consent.yes || context.consent.force {
        return Ok(true);
    }
    if !context.json && !then.is_empty() {
        eprintln!("The others would:");
        then.iter().for_each(|line| eprintln!("  * {}", terminal::harmless(line)));
    }
    terminal::confirm(&question, "Add --yes if that is what you want. Nothing was changed.")?;
    Ok(true)
}

/// `fence test`: whom a device would shoot, from where, after which wait, and whether its agent works there; and if a node is
/// given, that node is rebooted with this device and no other, after asking.
async fn test(context: &Context, device: &str, node: Option<&str>) -> Result<(), Failure> {
    let cib = context.client.cib(false).await?;
    let known = primitives(&cib.configuration);
    let Some(of) = known.into_iter().find(|of| of.id == device && of.agent.is_fence_device()) else {
        return Err(Failure::new(ErrorCode::NoSuch, format!("there is no fence device {device}"))
            .with_remedy("'hacctl fence list' has those that there are."));
    };
    let rehearsals = rehearse(&cib, of);
    if context.json && node.is_none() {
        return terminal::print_json(&rehearsals);
    }
    let text: String = rehearsals.iter().map(|it| it.line(device)).collect();
    terminal::print(terminal::harmless(&text).trim_end())?;
    match node {
        Some(node) => fence(context, node, FenceAction::Reboot, Some(device)).await,
        None => terminal::print(&format!("Nobody was shot: 'hacctl fence test {device} NODE' reboots NODE with it.")),
    }
}

/// What a device would do to a node.
#[derive(serde::Serialize)]
struct Rehearsal {
    node: String,
    reachable: bool,
    /// Members that would use it, the first one first; and whether its agent was seen to work there.
    by: Vec<(String, bool)>,
    delay_s: u64,
}

impl Rehearsal {
    fn line(&self, device: &str) -> String {
        let node = &self.node;
        if !self.reachable {
            return format!("{node}: {device} does not name it, and cannot fence it\n");
        }
        if self.by.is_empty() {
            return format!("{node}: no other member is up that may use {device}\n");
        }
        let by: Vec<String> = self
            .by
            .iter()
            .map(|(by, works)| format!("{by} ({})", if *works { "works" } else { "not seen to work" }))
            .collect();
        let wait = if self.delay_s == 0 { String::new() } else { format!(", {} s later at least", self.delay_s) };
        format!("{node}: would be fenced by {}{wait}\n", by.join(", else "))
    }
}

fn rehearse(cib: &Cib, of: &Primitive) -> Vec<Rehearsal> {
    let (params, members) = (of.plain_params(), hac_crm::fencer::members(cib));
    let device = FenceDevice::new(&params);
    let about = |node: &String| {
        let others = members.iter().filter(|member| *member != node);
        let mut by: Vec<(String, bool)> =
            others.map(|member| (member.clone(), hac_crm::fencer::is_verified(cib, &of.id, member))).collect();
        by.sort_by_key(|(_, works)| !works);
        let delay_s = device.delay(node, 0).as_secs();
        Rehearsal { node: node.clone(), reachable: device.may_reach(node), by, delay_s }
    };
    cib.configuration.nodes.iter().map(|node| about(&node.uname)).collect()
}

/// What a person asks the cluster for who wants a node fenced now.
pub(super) fn request(node: &str, action: FenceAction, device: Option<&str>) -> Command {
    Command::Fence {
        node: node.to_owned(),
        action: if action == FenceAction::Off { hac_api::FenceAction::Off } else { hac_api::FenceAction::Reboot },
        client: CLIENT.to_owned(),
        delay_s: Some(0),
        tolerance_s: 0,
        device: device.map(str::to_owned),
    }
}

/// Has a node powered off or rebooted, with one device or with those that the configuration says, and waits for what comes of it.
async fn fence(context: &Context, name: &str, action: FenceAction, device: Option<&str>) -> Result<(), Failure> {
    let (status, view) = context.client.view().await?;
    let name = find(&status, Some(name))?.name.clone();
    if !view.fencing_enabled {
        let sentence = format!("{name} cannot be fenced: stonith-enabled is false, so no device is used");
        return Err(Failure::new(ErrorCode::Invalid, sentence)
            .with_remedy("'hacctl configure property stonith-enabled=true' uses the devices that are configured."));
    }
    if !agreed(context, &view, &name, action, device).await? {
        return Ok(());
    }
    let before = context.client.cib(false).await?.status.fencing.last;
    context.client.command(request(&name, action, device), None).await?;
    let end = outcome(context, &name, before).await?;
    match end {
        End::Succeeded => context.done(&format!("{name} was fenced"), None),
        End::Failed { reason, .. } => {
            Err(Failure::new(ErrorCode::Unavailable, format!("{name} could not be fenced: {reason}")).with_remedy(
                format!("Mend the device; or power {name} off by hand, then 'hacctl fence confirm {name}'."),
            ))
        }
    }
}

/// What came of the request for a node that is newer than `before`, or was under way.
async fn outcome(context: &Context, node: &str, before: u64) -> Result<End, Failure> {
    let begin = Instant::now();
    let limit = context.timeout;
    loop {
        let fencing = context.client.cib(false).await?.status.fencing;
        let runs = fencing.running.iter().any(|request| request.wanted.target == node);
        let newest = fencing.history.iter().rev().find(|record| record.target == node && record.id > before);
        let newest = newest.or_else(|| fencing.history.iter().rev().find(|record| record.target == node));
        match newest.filter(|_| !runs) {
            Some(record) => return Ok(record.end.clone()),
            None if begin.elapsed() >= limit => {
                return Err(Failure::new(ErrorCode::Timeout, format!("{node} is still being fenced"))
                    .with_remedy("'hacctl fence history' shows how far it is; --timeout waits longer."));
            }
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

/// `fence confirm`: a person says that a node is down.
pub(super) async fn confirm(context: &Context, name: &str) -> Result<(), Failure> {
    let (status, _) = context.client.view().await?;
    let entry = find(&status, Some(name))?;
    let name = entry.name.clone();
    let alive = entry.state == MemberState::Joined;
    if alive && !context.consent.force {
        return Err(Failure::new(ErrorCode::Invalid, format!("{name} is a member and alive, so it is not down"))
            .with_remedy(format!("Stop hacd there first, or have it shot: 'hacctl fence off {name}'.")));
    }
    let question = format!(
        "the others take {name} for down and start elsewhere what ran there; if it still runs, two copies run. \
         Is {name} powered off?"
    );
    let then = consequences(context, &name).await?;
    let then: String = then.iter().map(|line| format!("  * {line}\n")).collect();
    if context.consent.dry_run {
        let text = format!("Would be done: {question}\n{then}Nothing was changed (--dry-run).");
        return terminal::print(&terminal::harmless(&text));
    }
    if !context.consent.yes {
        if !context.json && !then.is_empty() {
            eprint!("The others would:\n{}", terminal::harmless(&then));
        }
        terminal::confirm(&question, "Add --yes if you have seen to it that it is off. Nothing was changed.")?;
    }
    let command = Command::ConfirmDown { node: name.clone(), client: CLIENT.to_owned(), force: alive };
    let answer = context.client.command(command, context.wait).await?;
    context.done(&format!("{name} is taken for down"), answer.settled)
}
