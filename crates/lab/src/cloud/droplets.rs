//! Droplets and their power actions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::actions::{self, Effect, Power, Subject};
use super::api::{Call, Outcome, Refusal, Reply, action_shown, droplet_shown, need, page};
use super::world::{Action, Thing, World};
use crate::plan::Plan;

/// Answers a request below `/v2/droplets`.
pub(super) fn answer(world: &mut World, call: &Call<'_>, rest: &[&str]) -> Result<Outcome, Refusal> {
    let scope = match call.method {
        "GET" => "droplet:read",
        "POST" => "droplet:update",
        _ => return Err(Refusal::new(404)),
    };
    need(world, call, scope)?;
    if call.query.contains_key("tag_name") {
        need(world, call, "tag:read")?;
    }
    match (call.method, rest) {
        ("GET", []) => list(world, call).map(Outcome::from),
        ("GET", [id]) => {
            let host = parse(world, id)?;
            let shown = world.droplets.get(&host).map(|droplet| droplet_shown(world, host, droplet));
            Ok(Reply::json(200, json!({ "droplet": shown })).into())
        }
        ("GET", [id, "actions", action @ ..]) => {
            let droplet = Plan::droplet(parse(world, id)?);
            let of_droplet = move |action: &Action| action.resource_id == droplet;
            actions::show(world, call, action, of_droplet).map(Outcome::from)
        }
        ("POST", ["actions"]) if call.query.contains_key("tag_name") => {
            let hosts = chosen(world, call)?;
            let (shown, begun) = act(world, call, &hosts)?;
            let reply = Reply::json(201, json!({ "actions": shown }));
            Ok(Outcome { reply, begun })
        }
        ("POST", [id, "actions"]) => {
            let host = parse(world, id)?;
            let (mut shown, begun) = act(world, call, &[host])?;
            let reply = Reply::json(201, json!({ "action": shown.pop() }));
            Ok(Outcome { reply, begun })
        }
        _ => Err(Refusal::new(404)),
    }
}

fn parse(world: &World, id: &str) -> Result<usize, Refusal> {
    id.parse().ok().and_then(|id| world.host_of(id)).ok_or_else(|| Refusal::new(404))
}

/// The droplets that the query chooses, by name or by tag.
fn chosen(world: &World, call: &Call<'_>) -> Result<Vec<usize>, Refusal> {
    let (name, tag) = (call.query.get("name"), call.query.get("tag_name"));
    if name.is_some() && tag.is_some() {
        return Err(Refusal::with(400, "name and tag_name cannot be combined"));
    }
    let fits = world.droplets.iter().filter(|(_, droplet)| {
        name.is_none_or(|name| droplet.name.eq_ignore_ascii_case(name))
            && tag.is_none_or(|tag| droplet.tags.contains(tag))
    });
    Ok(fits.map(|(&host, _)| host).collect())
}

fn list(world: &World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let hosts = chosen(world, call)?;
    let shown = hosts.iter().filter_map(|host| Some(droplet_shown(world, *host, world.droplets.get(host)?)));
    page(call, "droplets", shown.collect())
}

/// Begins a power action on each of `hosts`, or on none.
fn act(world: &mut World, call: &Call<'_>, hosts: &[usize]) -> Result<(Vec<Value>, Vec<actions::Begun>), Refusal> {
    let kind = call.body["type"].as_str().unwrap_or_default();
    let power = Power::parse(kind).ok_or_else(|| Refusal::with(422, "Invalid action type."))?;
    let pending = world.settings.pending_422;
    let busy = |host: &usize| {
        world.droplets.get(host).is_some_and(|droplet| droplet.locked) || pending && world.busy(Thing::Host(*host))
    };
    if hosts.iter().any(busy) {
        return Err(Refusal::new(422));
    }
    let mut shown = Vec::new();
    let mut begun = Vec::new();
    for &host in hosts {
        let subject = Subject {
            kind: kind.to_owned(),
            resource_type: "droplet",
            resource_id: Plan::droplet(host),
            occupies: BTreeSet::from([Thing::Host(host)]),
        };
        let id = world.next_action();
        let effect = Effect::Power(host, power);
        begun.push(actions::begin(world, subject, effect, call.fault));
        let action = world.actions.get(&id);
        shown.extend(action.map(|action| action_shown(world, action)));
    }
    Ok((shown, begun))
}
