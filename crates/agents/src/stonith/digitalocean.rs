//! `stonith:fence_digitalocean`, inside: powers droplets off and on through the provider's API.
//!
//! * **off** is proved by reading: the action is completed *and* the droplet's status is `off`, which may come later. A droplet that
//!   the API does not know counts as gone only if the same token has just read our own: a token of another account knows none.
//!   A refusal that passes (422 pending event, 429, 5xx, no answer) is met with another try until the time is over; an action
//!   that ends as errored is ordered again. All of it may be repeated at will: what is off stays off.
//! * **reboot** is off, and then on: that it went off is what counts, so a failing power-on is told in the log alone.
//! * **monitor** reads our own droplet and each one that `pcmk_host_map` names: token, reach and ids.
//! * This droplet is never powered off by itself: such an order means that the map has wrong ids.
//!
//! Never used: `shutdown` and `reboot`, which ask the system on the droplet, and `power_cycle`, which leaves no proof.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hac_model::FenceDevice;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Control, LOOK_MAX, LOOK_MIN, Need, Refused, Trouble, token};
use crate::{Exit, Finished};

/// Its name.
pub(super) const KIND: &str = "fence_digitalocean";

/// What it says of itself.
pub(super) const METADATA: &str = include_str!("digitalocean/metadata.xml");

/// How long an action is tried at most, whatever its time.
const LIMIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long a droplet's status may lag behind a power action that was completed, before the action is ordered again.
const LAG: Duration = Duration::from_secs(30);

/// How long is asked which droplet this is.
const ASK: Duration = Duration::from_secs(5);

/// Droplets on a page.
const PER_PAGE: usize = 200;
/// Pages that are read.
const PAGES: u32 = 10;

/// The exit code of `status` for a node that is off.
const OFF: u8 = 2;

/// How a droplet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    On,
    Off,
    /// It was deleted.
    Gone,
}

/// The device.
#[derive(Debug)]
pub(super) struct Device {
    cloud: Arc<Cloud>,
}

/// What goes wrong, as a sentence.
type Answer<T> = Result<T, String>;

impl Device {
    pub(super) const fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud }
    }

    /// Does what an agent would do with this input; how it ended, and what it writes.
    pub(super) async fn run(&self, device: FenceDevice<'_>, input: &str, limit: Duration) -> (Finished, String) {
        let given: BTreeMap<&str, &str> = input.lines().filter_map(|line| line.split_once('=')).collect();
        let now = Instant::now();
        let end = now.checked_add(limit.min(LIMIT_MAX)).unwrap_or(now);
        let done = self.act(device, &given, end).await;
        match done {
            Ok((code, text)) => (Finished::code(code.into()), text),
            Err(reason) => (Finished::failed(Exit::Generic, reason), String::new()),
        }
    }

    async fn act(
        &self,
        device: FenceDevice<'_>,
        given: &BTreeMap<&str, &str>,
        deadline: Instant,
    ) -> Answer<(u8, String)> {
        let action = given.get("action").copied().unwrap_or_default();
        if action == "metadata" {
            return Ok((0, METADATA.to_owned()));
        }
        let named = |name: &str| given.get(name).copied().map(str::trim).filter(|value| !value.is_empty());
        let text = named("api_token").ok_or("the required parameter api_token is not set")?;
        let token = token("api_token", text)?;
        if action == "validate-all" {
            return Ok((0, String::new()));
        }
        let control = self.cloud.control(token, deadline).map_err(|failed| failed.exit_reason.unwrap_or_default())?;
        let api = Api { control, cloud: &self.cloud };
        let need = if matches!(action, "off" | "on" | "reboot") { Need::Urgent } else { Need::Calm };
        match action {
            "monitor" => return api.monitor(device, named("plug")).await.map(|()| (0, String::new())),
            "list" => return api.list().await.map(|text| (0, text)),
            _ => {}
        }
        let plug = named("plug").ok_or("the parameter plug is not set: which droplet is meant?")?;
        let droplet = api.find(plug, need).await?;
        match action {
            "status" => match api.state(droplet, need).await.map_err(|trouble| sentence(&trouble, droplet))? {
                State::On => Ok((0, String::new())),
                State::Off | State::Gone => Ok((OFF, String::new())),
            },
            "off" => api.power(droplet, State::Off).await.map(|()| (0, String::new())),
            "on" => api.power(droplet, State::On).await.map(|()| (0, String::new())),
            "reboot" => {
                api.power(droplet, State::Off).await?;
                if let Err(why) = api.power(droplet, State::On).await {
                    tracing::warn!(target: "hacd::agents", "{droplet} is off and was not switched on again: {why}");
                }
                Ok((0, String::new()))
            }
            other => Err(format!("{KIND} knows no action {other}")),
        }
    }
}

/// Requests about droplets.
struct Api<'a> {
    control: Control<'a>,
    cloud: &'a Cloud,
}

impl Api<'_> {
    /// Our own droplet's id.
    async fn own(&self) -> Answer<u64> {
        self.cloud.droplet(self.control.deadline, ASK).await.map_err(|trouble| trouble.to_string())
    }

    /// The droplet that is called so: by its id, or by its name, which must be one droplet's alone.
    async fn find(&self, plug: &str, need: Need) -> Answer<u64> {
        let droplet = match plug.parse() {
            Ok(id) => id,
            Err(_) => {
                let all = self.droplets(need).await?;
                let mut named = all.iter().filter(|(_, name)| name == plug).map(|(id, _)| *id);
                match (named.next(), named.next()) {
                    (Some(id), None) => id,
                    (None, _) => return Err(format!("the token sees no droplet {plug}; pcmk_host_map gives its id")),
                    _ => return Err(format!("several droplets are called {plug}; pcmk_host_map gives the id")),
                }
            }
        };
        // It must be another one whatever is done: a map with wrong ids is found when it is read, not when it shoots.
        if self.own().await? == droplet && need == Need::Urgent {
            return Err(format!("{plug} is the droplet of this very node; are the ids in pcmk_host_map mixed up?"));
        }
        Ok(droplet)
    }

    /// Ids and names of the droplets that the token sees.
    async fn droplets(&self, need: Need) -> Answer<Vec<(u64, String)>> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/v2/droplets?page={page}&per_page={PER_PAGE}");
            let answer = self.control.request(need, Method::GET, &path, None).await;
            let answer = answer.map_err(|trouble| sentence(&trouble, 0))?;
            let droplets = answer.get("droplets").and_then(Value::as_array).ok_or("an answer without droplets")?;
            let id_and_name =
                |droplet: &Value| Some((droplet.get("id")?.as_u64()?, droplet.get("name")?.as_str()?.to_owned()));
            all.extend(droplets.iter().filter_map(id_and_name));
            if droplets.len() < PER_PAGE {
                break;
            }
        }
        Ok(all)
    }

    async fn list(&self) -> Answer<String> {
        let all = self.droplets(Need::Calm).await?;
        Ok(all.iter().map(|(id, name)| format!("{id},{name}\n")).collect())
    }

    /// How a droplet is. That it is gone is believed only of a token that sees our own.
    async fn state(&self, droplet: u64, need: Need) -> Result<State, Trouble> {
        match self.look(droplet, need).await {
            Err(Trouble::Refused(Refused::Unknown)) => {
                let own = self.cloud.droplet(self.control.deadline, ASK).await?;
                match self.look(own, need).await {
                    Ok(_) if own != droplet => Ok(State::Gone),
                    Err(Trouble::Refused(Refused::Unknown)) | Ok(_) => Err(Trouble::Refused(Refused::Unknown)),
                    Err(other) => Err(other),
                }
            }
            other => other,
        }
    }

    async fn look(&self, droplet: u64, need: Need) -> Result<State, Trouble> {
        let answer = self.control.request(need, Method::GET, &format!("/v2/droplets/{droplet}"), None).await?;
        // Another droplet's state proves nothing.
        if answer.pointer("/droplet/id").and_then(Value::as_u64) != Some(droplet) {
            return Err(Trouble::Unknown(format!("an answer about another droplet than {droplet}")));
        }
        match answer.pointer("/droplet/status").and_then(Value::as_str) {
            Some("off" | "archive") => Ok(State::Off),
            Some("active" | "new") => Ok(State::On),
            other => Err(Trouble::Unknown(format!("a droplet of status \"{}\"", other.unwrap_or_default()))),
        }
    }

    /// Token, reach and ids.
    async fn monitor(&self, device: FenceDevice<'_>, plug: Option<&str>) -> Answer<()> {
        let own = self.own().await?;
        self.look(own, Need::Calm).await.map_err(|trouble| match trouble {
            Trouble::Refused(Refused::Unknown) => {
                format!("the token does not see droplet {own}, which is this node: is it of another account?")
            }
            other => sentence(&other, own),
        })?;
        for port in device.ports().into_iter().chain(plug) {
            let droplet = self.find(port, Need::Calm).await?;
            if droplet != own {
                self.look(droplet, Need::Calm).await.map_err(|trouble| sentence(&trouble, droplet))?;
            }
        }
        Ok(())
    }

    /// Brings a droplet into a state and proves it; tries until nobody waits any more.
    async fn power(&self, droplet: u64, wanted: State) -> Answer<()> {
        let mut action = None;
        let mut completed: Option<Instant> = None;
        let (mut tries, mut pause) = (0_u32, LOOK_MIN);
        loop {
            match self.step(droplet, wanted, &mut action, &mut completed).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LOOK_MAX);
                }
                Err(trouble @ Trouble::Refused(_)) => return Err(sentence(&trouble, droplet)),
                Err(trouble) => {
                    tries = tries.saturating_add(1);
                    let pause = trouble.pause(tries);
                    if pause >= self.control.deadline.saturating_duration_since(Instant::now()) {
                        return Err(sentence(&trouble, droplet));
                    }
                    tracing::info!(target: "hacd::agents", "droplet {droplet}: {trouble}; trying again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// One look, and what follows from it; whether it is done.
    async fn step(
        &self,
        droplet: u64,
        wanted: State,
        action: &mut Option<u64>,
        completed: &mut Option<Instant>,
    ) -> Result<bool, Trouble> {
        // An order that is under way is waited for first: with it the state may be that of a moment before.
        if let Some(id) = *action {
            let path = format!("/v2/droplets/{droplet}/actions/{id}");
            let answer = self.control.request(Need::Look, Method::GET, &path, None).await?;
            match answer.pointer("/action/status").and_then(Value::as_str) {
                Some("in-progress") => return Ok(false),
                Some("completed") => (*action, *completed) = (None, Some(Instant::now())),
                Some("errored") => {
                    *action = None;
                    return Err(Trouble::Errored);
                }
                other => {
                    return Err(Trouble::Unknown(format!("an action of status \"{}\"", other.unwrap_or_default())));
                }
            }
        }
        match self.state(droplet, Need::Urgent).await? {
            State::Gone if wanted == State::On => return Err(Trouble::Refused(Refused::Unknown)),
            State::Gone => return Ok(true),
            state if state == wanted => return Ok(true),
            _ => {}
        }
        if completed.is_some_and(|at| at.elapsed() < LAG) {
            return Ok(false);
        }
        *completed = None;
        let word = if wanted == State::On { "power_on" } else { "power_off" };
        let path = format!("/v2/droplets/{droplet}/actions");
        let answer = self.control.request(Need::Urgent, Method::POST, &path, Some(&json!({ "type": word }))).await?;
        let order = answer.get("action").unwrap_or(&Value::Null);
        match order.get("status").and_then(Value::as_str) {
            Some("errored") => return Err(Trouble::Errored),
            Some("completed") => *completed = Some(Instant::now()),
            _ => *action = Some(order.get("id").and_then(Value::as_u64).ok_or_else(no_action)?),
        }
        Ok(false)
    }
}

fn no_action() -> Trouble {
    Trouble::Unknown("an answer without an action".to_owned())
}

/// What is wrong, for people.
fn sentence(trouble: &Trouble, droplet: u64) -> String {
    match trouble {
        Trouble::Refused(Refused::Token) => "the API refused the token (401)".to_owned(),
        Trouble::Refused(Refused::Scope(message)) => {
            format!(
                "the API does not allow the token to do this (403): {message}; it needs droplet:read and droplet:update"
            )
        }
        Trouble::Refused(Refused::Unknown) => {
            format!("the token sees no droplet {droplet}, and not this node's either or it is to be switched on (404)")
        }
        Trouble::Refused(Refused::Other(status, message)) => {
            format!("the API refused the request ({status}): {message}")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
