//! Bringing an address here.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::api::{Api, Assignment, Posted};
use super::{FloatIp, Service, finished};
use crate::cloud::{LOOK_MAX, LOOK_MIN, Metadata, Need, Trouble};
use crate::{Exit, Finished};

/// Pause between two looks at an action that takes long.
const LOOK_SLOW: Duration = Duration::from_secs(2);
/// After this an action takes long.
const LONG: Duration = Duration::from_secs(10);

/// How long may be asked what metadata show before an assignment.
const BEFORE: Duration = Duration::from_secs(1);

/// What is left of the time for a last try.
const LAST_TRY: Duration = Duration::from_millis(500);

/// How long to wait at least before a start that came to nothing is run again.
const AGAIN: Duration = Duration::from_secs(1);

impl FloatIp {
    /// Tries until `deadline`, and then says what the last try met with.
    pub(super) async fn start(&self, service: &Service<'_>, deadline: Instant) -> Finished {
        let left = || deadline.saturating_duration_since(Instant::now());
        let droplet = match self.cloud.droplet(deadline, left()).await {
            Ok(droplet) => droplet,
            Err(trouble) => return ended(service.address, trouble, 1),
        };
        let mut api = match self.api(service, Need::Urgent, deadline) {
            Ok(api) => api,
            Err(failed) => return failed,
        };
        if let Some(trouble) = self.taken(&mut api).await {
            return ended(service.address, trouble, 1);
        }
        let mut tries = 0_u32;
        loop {
            let trouble = match self.assign(&mut api, droplet).await {
                Ok(()) => return self.arrived(&api),
                Err(Trouble::Refused(refused)) => return finished(refused, service.address),
                Err(other) => other,
            };
            tries = tries.saturating_add(1);
            let mut pause = jittered(trouble.pause(tries));
            if pause >= left() {
                // What the API asked for is kept; what is only our own patience gives way to a last try.
                if pause_is_asked_for(&trouble) || left() < LAST_TRY.saturating_mul(2) {
                    return ended(service.address, trouble, tries);
                }
                pause = left().saturating_sub(LAST_TRY);
            }
            tracing::info!(target: "hacd::agents", "assigning {}: {trouble}; trying again", service.address);
            tokio::time::sleep(pause).await;
            // Whatever went wrong may have gone wrong after the address was moved.
            if let Ok(Assignment { droplet: Some(id), locked: false, .. }) = api.assignment().await
                && id == droplet
            {
                return self.arrived(&api);
            }
        }
    }

    /// The address is here.
    fn arrived(&self, api: &Api<'_>) -> Finished {
        let (now, family) = (Some(Instant::now()), api.family);
        self.change(api.address, |known| {
            *known = super::Known { checked: now, confirmed: now, family, action: None, taken: None };
        });
        Finished::with(Exit::Success)
    }

    /// Why the address is not to be taken back, if it is not: it ran here, another droplet that is switched on took it, and not
    /// all nodes are members, so it may be another node, which believes of this one what this one believes of it.
    async fn taken(&self, api: &mut Api<'_>) -> Option<Trouble> {
        let other = self.known(api.address).taken?;
        if self.whole.load(Ordering::Relaxed) {
            return None;
        }
        match api.assignment().await {
            Ok(Assignment { droplet: Some(id), off: false, .. }) if id == other => Some(Trouble::Taken(other)),
            Ok(_) => None,
            Err(trouble) => Some(trouble),
        }
    }

    /// One try: asks for the address, unless that has been done, and waits until the action has come to its end.
    async fn assign(&self, api: &mut Api<'_>, droplet: u64) -> Result<(), Trouble> {
        let metadata = self.cloud.metadata(api.control.deadline);
        let metadata = metadata.map_err(|failed| Trouble::Metadata(failed.exit_reason.unwrap_or_default()))?;
        let before = tokio::time::timeout(BEFORE, metadata.has(api.address));
        let claim = self.cloud.take_claim(api.address);
        if let Some(action) = self.known(api.address).action.or(claim) {
            // An earlier start ran out of time, or this node has claimed the address. Its action may be long over, and the address elsewhere again.
            let trust = matches!(before.await, Ok(Ok(false)));
            self.watch(api, &metadata, action, trust).await?;
            match api.assignment().await {
                Ok(Assignment { droplet: Some(id), .. }) if id != droplet => {}
                _ => return Ok(()),
            }
        }
        let (before, posted) =
            tokio::join!(tokio::time::timeout(BEFORE, metadata.has(api.address)), api.assign(droplet));
        let Posted::Action(action) = posted? else { return Ok(()) };
        self.change(api.address, |known| known.action = Some(action));
        // Metadata that showed the address here already shows nothing new when it goes on doing so.
        self.watch(api, &metadata, action, matches!(before, Ok(Ok(false)))).await
    }

    /// Waits for the end of an action, until the deadline; asks the API no faster than it allows, and meanwhile the metadata
    /// service, if that is to be trusted.
    async fn watch(
        &self,
        api: &Api<'_>,
        metadata: &Metadata<'_>,
        action: u64,
        trust_metadata: bool,
    ) -> Result<(), Trouble> {
        let begin = Instant::now();
        let mut pause = LOOK_MIN;
        let mut quiet_until = begin;
        let forget = || self.change(api.address, |known| known.action = None);
        loop {
            let ask = async { if Instant::now() < quiet_until { Ok(false) } else { api.action_done(action).await } };
            let (done, here) =
                tokio::join!(ask, async { trust_metadata && matches!(metadata.has(api.address).await, Ok(true)) });
            if here || matches!(done, Ok(true)) {
                forget();
                return Ok(());
            }
            match done {
                Ok(_) => {}
                Err(Trouble::Refused(_) | Trouble::Errored | Trouble::Unseen(..)) => {
                    forget();
                    return done.map(|_| ());
                }
                // One look that fails is no news about the action. What it asks for is kept.
                Err(trouble) => {
                    pause = LOOK_MAX;
                    let now = Instant::now();
                    quiet_until = now.checked_add(trouble.pause(3)).unwrap_or(now);
                }
            }
            let now = Instant::now();
            if now >= api.control.deadline {
                return Err(match quiet_until.checked_duration_since(now) {
                    Some(wait) if wait > LOOK_SLOW => Trouble::TooMany(Some(wait)),
                    _ => Trouble::Unfinished(action),
                });
            }
            tokio::time::sleep(pause.min(api.control.deadline.saturating_duration_since(now))).await;
            pause = pause.saturating_mul(2).min(if begin.elapsed() < LONG { LOOK_MAX } else { LOOK_SLOW });
        }
    }
}

/// Whether the API said how long to wait.
const fn pause_is_asked_for(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::TooMany(Some(_)) | Trouble::Failed(_, Some(_)) | Trouble::Taken(_))
}

/// What a start that did not bring the address here comes to: it is to be run again if nobody said no.
fn ended(address: &str, trouble: Trouble, tries: u32) -> Finished {
    let failed = Finished::failed(Exit::Generic, format!("{address} could not be assigned: {trouble}"));
    if trouble.is_passing() { failed.with_retry_after(trouble.pause(tries).max(AGAIN)) } else { failed }
}

/// A quarter more or less, so that nodes that failed together do not ask together; what was asked for is no less.
fn jittered(pause: Duration) -> Duration {
    let dice = RandomState::new().build_hasher().finish();
    pause.saturating_add(pause.mul_f64((dice % 1024) as f64 / 4096.0))
}
