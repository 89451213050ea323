//! Actions: begun by a request, carried out later, looked at meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::spawn_blocking;

use super::api::{Call, Refusal, Reply, action_shown, millis, page};
use super::journal::Event;
use super::world::{Action, Thing, World};
use super::{Fault, ListOrder, Shared};
use crate::Error;

/// A droplet action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Off,
    On,
    Cycle,
    Shutdown,
    Reboot,
}

impl Power {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "power_off" => Self::Off,
            "power_on" => Self::On,
            "power_cycle" => Self::Cycle,
            "shutdown" => Self::Shutdown,
            "reboot" => Self::Reboot,
            _ => return None,
        })
    }

    /// The switches that it turns, in order.
    fn steps(self, shutdown_works: bool) -> &'static [bool] {
        match self {
            Self::Off => &[false],
            Self::On => &[true],
            Self::Cycle => &[false, true],
            Self::Shutdown if shutdown_works => &[false],
            Self::Reboot if shutdown_works => &[false, true],
            Self::Shutdown | Self::Reboot => &[],
        }
    }
}

/// What an action does when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Point(Option<usize>),
    Power(usize, Power),
}

/// An action that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    id: u64,
    effect: Effect,
    delay: Duration,
    end: String,
}

impl Begun {
    /// Whether the effect takes place before the request is answered.
    pub(super) fn at_once(&self) -> bool {
        self.delay.is_zero() && matches!(self.effect, Effect::Point(_))
    }
}

/// What a new action is about.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) kind: String,
    pub(super) resource_type: &'static str,
    pub(super) resource_id: u64,
    pub(super) occupies: BTreeSet<Thing>,
}

/// Enters a new action, in progress.
pub(super) fn begin(world: &mut World, subject: Subject, effect: Effect, fault: &Fault) -> Begun {
    let id = world.next_action();
    let usual = match effect {
        Effect::Point(_) => world.settings.apply_ms,
        Effect::Power(..) => world.settings.power_ms,
    };
    let action = Action {
        id,
        kind: subject.kind,
        status: "in-progress".to_owned(),
        started_at: now_text(),
        completed_at: None,
        resource_type: subject.resource_type,
        resource_id: subject.resource_id,
        occupies: subject.occupies,
        begun: Instant::now(),
    };
    world.actions.insert(id, action);
    Begun {
        id,
        effect,
        delay: millis(fault.apply_ms.unwrap_or(usual)),
        end: fault.end.clone().unwrap_or_else(|| "completed".to_owned()),
    }
}

/// Shows one action, or lists those for which `belongs` is true.
pub(super) fn show(
    world: &World,
    call: &Call<'_>,
    rest: &[&str],
    belongs: impl Fn(&Action) -> bool,
) -> Result<Reply, Refusal> {
    match rest {
        [] => {
            let lag = millis(world.settings.list_lag_ms);
            let mut listed: Vec<_> = world
                .actions
                .values()
                .filter(|action| belongs(action) && action.begun.elapsed() >= lag)
                .map(|action| action_shown(world, action))
                .collect();
            if world.settings.list_order == ListOrder::Newest {
                listed.reverse();
            }
            page(call, "actions", listed)
        }
        [id] => {
            let action = id.parse().ok().and_then(|id: u64| world.actions.get(&id));
            let shown = action
                .filter(|action| belongs(action))
                .map(|action| action_shown(world, action))
                .ok_or_else(|| Refusal::new(404))?;
            Ok(Reply::json(200, serde_json::json!({ "action": shown })))
        }
        _ => Err(Refusal::new(404)),
    }
}

/// Carries an action out: waits, does it, and enters its last status.
pub(super) async fn carry_out(shared: Arc<Shared>, begun: Begun) {
    tokio::time::sleep(begun.delay).await;
    if begun.end == "never" || !still_in_progress(&shared, begun.id) {
        return;
    }
    let done = match begun.end.as_str() {
        "errored" => Ok(()),
        _ => take_effect(&shared, begun.effect).await,
    };
    let status = if done.is_ok() { begun.end } else { "errored".to_owned() };
    let mut world = shared.world();
    if let Some(action) = world.actions.get_mut(&begun.id) {
        action.status.clone_from(&status);
        action.completed_at = Some(now_text());
        let kind = action.kind.clone();
        let id = begun.id;
        world.record(Instant::now(), Event::ActionEnded { id, kind, status });
    }
}

fn still_in_progress(shared: &Shared, id: u64) -> bool {
    let world = shared.world();
    world.actions.get(&id).is_some_and(Action::in_progress)
}

async fn take_effect(shared: &Arc<Shared>, effect: Effect) -> Result<(), Error> {
    let _one_at_a_time = shared.effects.lock().await;
    match effect {
        Effect::Point(holder) => {
            blocking(shared, move |shared| shared.fabric.point(holder)).await?;
            shared.world().set_holder(holder);
        }
        Effect::Power(host, power) => {
            let (steps, boot) = {
                let world = shared.world();
                let steps = power.steps(world.settings.shutdown_works);
                (steps, millis(world.settings.boot_ms))
            };
            for (number, &on) in steps.iter().enumerate() {
                if number > 0 {
                    tokio::time::sleep(boot).await;
                }
                blocking(shared, move |shared| shared.fabric.power(host, on)).await?;
                shared.world().set_power(host, on);
            }
        }
    }
    Ok(())
}

/// Runs something slow beside the requests.
async fn blocking(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let shared = Arc::clone(shared);
    spawn_blocking(move || work(&shared))
        .await
        .unwrap_or_else(|_| Err(Error::Invalid("the effect of an action panicked".to_owned())))
}

/// Now, as the API writes it.
pub(super) fn now_text() -> String {
    let now = OffsetDateTime::now_utc();
    let seconds = now.replace_nanosecond(0).unwrap_or(now);
    seconds.format(&Rfc3339).unwrap_or_default()
}
