//! The floating IP, under its two names `reserved_ips` and `floating_ips`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::actions::{self, Effect, Subject};
use super::api::{Call, Outcome, PROJECT, Refusal, Reply, action_shown, droplet_shown, may, need, page, region};
use super::world::{Thing, World};
use crate::plan::Plan;

/// Resource id that actions of the address carry.
const ADDRESS_ID: u64 = 758_604_968;

/// Answers a request below `/v2/{family}`.
pub(super) fn answer(world: &mut World, call: &Call<'_>, family: &str, rest: &[&str]) -> Result<Outcome, Refusal> {
    let resource_type = match family {
        "floating_ips" => "floating_ip",
        _ => "reserved_ip",
    };
    let address = Plan::floating_ip().to_string();
    if rest.first().is_some_and(|&first| first != address) {
        return Err(Refusal::new(404));
    }
    match (call.method, rest) {
        ("GET", []) => {
            need(world, call, "reserved_ip:read")?;
            let shown = shown(world, call);
            page(call, family, vec![shown]).map(Outcome::from)
        }
        ("GET", [_]) => {
            need(world, call, "reserved_ip:read")?;
            let body = json!({ resource_type: shown(world, call) });
            Ok(Reply::json(200, body).into())
        }
        ("GET", [_, "actions", id @ ..]) => {
            need(world, call, "reserved_ip:read")?;
            let of_address = |action: &super::world::Action| action.resource_type != "droplet";
            actions::show(world, call, id, of_address).map(Outcome::from)
        }
        ("POST", [_, "actions"]) => {
            need(world, call, "reserved_ip:update")?;
            act(world, call, resource_type)
        }
        _ => Err(Refusal::new(404)),
    }
}

fn shown(world: &World, call: &Call<'_>) -> Value {
    let holder = world.holders.seen(world.settings.api_stale_ms);
    let mut value = json!({
        "ip": Plan::floating_ip(),
        "region": region(world),
        "locked": world.busy(Thing::Address),
        "project_id": PROJECT,
    });
    if may(world, call, "droplet:read") {
        value["droplet"] =
            holder.and_then(|host| Some(droplet_shown(world, host, world.droplets.get(&host)?))).unwrap_or(Value::Null);
    }
    value
}

/// Begins an assign or unassign action.
fn act(world: &mut World, call: &Call<'_>, resource_type: &'static str) -> Result<Outcome, Refusal> {
    let target = match call.body["type"].as_str() {
        Some("assign") => {
            let host = call.body["droplet_id"]
                .as_u64()
                .and_then(|id| world.host_of(id))
                .ok_or_else(|| Refusal::with(422, "The droplet was not found."))?;
            Some(host)
        }
        Some("unassign") => None,
        _ => return Err(Refusal::with(422, "Invalid action type.")),
    };
    refuse_while_pending(world, target, resource_type)?;
    let verb = if target.is_some() { "assign_ip" } else { "unassign_ip" };
    let mut occupies = BTreeSet::from([Thing::Address]);
    occupies.extend(target.map(Thing::Host));
    occupies.extend(world.holder().map(Thing::Host));
    let subject = Subject { kind: verb.to_owned(), resource_type, resource_id: ADDRESS_ID, occupies };
    let id = world.next_action();
    let begun = actions::begin(world, subject, Effect::Point(target), call.fault);
    let shown = world.actions.get(&id).map(|action| action_shown(world, action));
    Ok(Outcome { reply: Reply::json(201, json!({ "action": shown })), begun: vec![begun] })
}

fn refuse_while_pending(world: &World, target: Option<usize>, resource_type: &str) -> Result<(), Refusal> {
    let pending = world.settings.pending_422;
    if pending && world.busy(Thing::Address) {
        let name = resource_type.trim_end_matches("_ip");
        let message = format!("The {name} IP already has a pending event.");
        return Err(Refusal::with(422, message));
    }
    let locked = |host: usize| world.droplets.get(&host).is_some_and(|droplet| droplet.locked);
    let busy = |host: usize| locked(host) || pending && world.busy(Thing::Host(host));
    match target {
        Some(host) if busy(host) => Err(Refusal::new(422)),
        _ => Ok(()),
    }
}
