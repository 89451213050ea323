//! The lab's own door into the cloud: `GET /_lab` shows its state, `POST /_lab` changes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::actions::now_text;
use super::api::{Reply, action_shown};
use super::world::World;
use super::{Rule, Settings, Shared};

/// The body of `POST /_lab`. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// First: default settings, no rules, and actions in progress become `errored`.
    pub reset: bool,
    /// Settings to change, by name.
    pub settings: serde_json::Map<String, Value>,
    /// Replaces all rules.
    pub rules: Option<Vec<Rule>>,
    /// Moves the address to the host with this number, name or droplet id; `nobody` frees it.
    pub holder: Option<String>,
    /// Changes droplets, by host number, name or droplet id.
    pub droplets: BTreeMap<String, DropletChange>,
}

/// What of a droplet can be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DropletChange {
    /// Refuses actions.
    pub locked: Option<bool>,
    /// Shown as `active` or `off`; the host itself is left alone.
    pub on: Option<bool>,
    /// Its tags.
    pub tags: Option<Vec<String>>,
}

/// Answers a request to `/_lab`.
pub(super) fn answer(shared: &Shared, method: &str, body: &str) -> Reply {
    match method {
        "GET" => Reply::json(200, state(&shared.world())),
        "POST" => match change(shared, body) {
            Ok(()) => Reply::json(200, state(&shared.world())),
            Err(message) => {
                let body = json!({ "id": "bad_request", "message": message });
                Reply::json(400, body)
            }
        },
        _ => Reply::text(405, "GET or POST"),
    }
}

/// Checks everything, then changes everything.
fn change(shared: &Shared, body: &str) -> Result<(), String> {
    let change: Change = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let mut world = shared.world();
    let base = if change.reset { Settings::default() } else { world.settings.clone() };
    let settings = merged(&base, &change.settings)?;
    let host = |world: &World, name: &str| world.host_called(name).ok_or_else(|| format!("no host {name}"));
    let holder = match change.holder.as_deref() {
        None => None,
        Some("nobody") => Some(None),
        Some(name) => Some(Some(host(&world, name)?)),
    };
    let mut droplets = Vec::new();
    for (name, changed) in change.droplets {
        droplets.push((host(&world, &name)?, changed));
    }
    if let Some(target) = holder {
        shared.fabric.point(target).map_err(|error| error.to_string())?;
        world.set_holder(target);
    }
    if change.reset {
        reset(&mut world);
    }
    world.settings = settings;
    if let Some(rules) = change.rules {
        world.rules = rules;
    }
    for (host, changed) in droplets {
        apply(&mut world, host, changed);
    }
    Ok(())
}

fn merged(base: &Settings, changed: &serde_json::Map<String, Value>) -> Result<Settings, String> {
    let mut all = serde_json::to_value(base).map_err(|error| error.to_string())?;
    for (key, value) in changed {
        all[key] = value.clone();
    }
    serde_json::from_value(all).map_err(|error| error.to_string())
}

fn reset(world: &mut World) {
    world.rules.clear();
    world.quota.clear();
    for action in world.actions.values_mut() {
        if action.in_progress() {
            action.status = "errored".to_owned();
            action.completed_at = Some(now_text());
        }
    }
}

fn apply(world: &mut World, host: usize, changed: DropletChange) {
    if let Some(on) = changed.on {
        world.set_power(host, on);
    }
    if let Some(droplet) = world.droplets.get_mut(&host) {
        droplet.locked = changed.locked.unwrap_or(droplet.locked);
        if let Some(tags) = changed.tags {
            droplet.tags = tags;
        }
    }
}

/// The state as `GET /_lab` shows it.
pub(super) fn state(world: &World) -> Value {
    let droplets: BTreeMap<String, Value> = world
        .droplets
        .values()
        .map(|droplet| {
            let value = json!({
                "on": droplet.on.seen(0), "locked": droplet.locked, "tags": droplet.tags,
            });
            (droplet.name.clone(), value)
        })
        .collect();
    let holder =
        world.holder().and_then(|host| world.droplets.get(&host)).map_or("nobody", |droplet| droplet.name.as_str());
    let actions = world.actions.values().map(|action| action_shown(world, action));
    json!({
        "settings": world.settings,
        "rules": world.rules,
        "holder": holder,
        "droplets": droplets,
        "actions": actions.collect::<Vec<_>>(),
    })
}
