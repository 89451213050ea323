//! The fencer: how the fencing that a plan or a person asks for is carried out.
//!
//! * [`requests`] is the replicated machine: what is wanted, what is being tried by whom, what came of it. It is part of the
//!   status, so whoever coordinates goes on where the last one was.
//! * The coordinator decides each step with a [`Scene`], which [`scene`] makes of the state and of the devices
//!   that its last plan found usable.
//! * An attempt is an order ([`Work::Fence`](crate::work::Work::Fence)): that it is delivered is the record that it began. The
//!   executor of the node that it names runs the device's agent, and answers with the next step.
//! * When a request is over, the node that was fenced is marked as down in the same moment, its attributes and histories
//!   forgotten. So nobody can die in between, and what waited for it may begin.
//! * Where watchdogs are counted on ([`watchdog`]), they are one more device: it does nothing but wait.

mod protection;
pub mod requests;
mod safety;
pub mod watchdog;

pub use protection::{Protection, protection};
pub use safety::{Class, Safety, is_address, is_exclusive, safety};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use md5::{Digest as _, Md5};

use hac_types::mutant;

use hac_model::{Cib, Configuration, FenceDevice, OcfCode, Task, parse_bool, parse_duration_ms};
use hac_scheduler::fence_levels;
use hac_scheduler::plan::UsableDevice;

use crate::cib::history;
use crate::work::FenceRun;
use requests::{Attempt, Offer, Request, Scene};

/// How long an agent may take unless the device or `fencing-timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a node that was never seen is waited for, unless `dc-deadtime` says otherwise.
const DEADTIME: Duration = Duration::from_secs(20);

/// How often in a row a node is fenced in vain before something else has to happen first, unless `fencing-max-attempts` says
/// otherwise.
pub const MAX_ATTEMPTS: u32 = 10;

/// A cluster property under its name of today or its earlier one.
fn property<'a>(configuration: &'a Configuration, name: &str, earlier: &str) -> Option<&'a str> {
    configuration.property(name).or_else(|| configuration.property(earlier))
}

/// `fencing-timeout`.
#[must_use]
pub fn base_timeout(cib: &Cib) -> Duration {
    let configured = property(&cib.configuration, "fencing-timeout", "stonith-timeout").and_then(parse_duration_ms);
    configured.filter(|ms| *ms > 0).map_or(TIMEOUT, Duration::from_millis)
}

/// `fencing-max-attempts`.
pub(crate) fn max_attempts(configuration: &Configuration) -> u32 {
    let configured = property(configuration, "fencing-max-attempts", "stonith-max-attempts").map(str::trim);
    configured.and_then(|text| text.parse().ok()).filter(|attempts| *attempts > 0).unwrap_or(MAX_ATTEMPTS)
}

/// Whether nodes of which nothing was heard since the cluster began are fenced: fencing is on, and `startup-fencing` not off.
#[must_use]
pub fn fences_unseen(configuration: &Configuration) -> bool {
    let wants = |value: Option<&str>| value.and_then(parse_bool).unwrap_or(true);
    wants(property(configuration, "fencing-enabled", "stonith-enabled"))
        && wants(configuration.property("startup-fencing"))
}

/// How long a node of which nothing was heard since the cluster began is waited for before it is fenced: `dc-deadtime`.
#[must_use]
pub fn deadtime(configuration: &Configuration) -> Duration {
    configuration.property("dc-deadtime").and_then(parse_duration_ms).map_or(DEADTIME, Duration::from_millis)
}

/// Why a request that is under way has nothing more to do, if that is so: a plan asked for it, and its target is back, or the
/// newest plan finds nothing wrong with it.
#[must_use]
pub fn withdrawn(request: &Request) -> Option<String> {
    requests::is_withdrawn(request).then(|| requests::why_withdrawn(request))
}

/// Why a request that is under way has nothing more to do once its target, which was lost, is a member again, as far as that is
/// known before the state says so.
#[must_use]
pub fn withdrawn_on_return(request: &Request) -> Option<String> {
    let request = Request { is_back: true, ..request.clone() };
    withdrawn(&request)
}

/// Whether a node that learns that it was fenced resets its host at once (`fencing-reaction=panic`).
#[must_use]
pub fn panics(configuration: &Configuration) -> bool {
    property(configuration, "fencing-reaction", "fence-reaction").map(str::trim) == Some("panic")
}

/// Names of the members of the view, as the status has them.
#[must_use]
pub fn members(cib: &Cib) -> BTreeSet<String> {
    let present = cib.status.nodes.iter().filter(|state| history::is_online(state));
    present.filter_map(|state| state.uname.clone()).collect()
}

/// What the coordinator knows when it decides about a request. `devices` are those that may be used; `key` tells the attempt that
/// may follow from every other one, and the random part of its delay is made of it.
#[must_use]
pub fn scene(cib: &Cib, devices: &[UsableDevice], target: &str, key: String) -> Scene {
    let members = members(cib);
    let digest: [u8; 16] = Md5::digest(&key).into();
    let draw = digest.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let offers = devices.iter().filter_map(|device| offer(cib, device, target, draw)).collect();
    let unwatched = watchdog::is_counted_on(&cib.configuration).then(|| watchdog::gone_after(cib, target).err());
    Scene { members, offers, levels: fence_levels(&cib.configuration, target), key, unwatched: unwatched.flatten() }
}

/// What a device offers for a target; `None` if its parameters say that it cannot fence it. Where only its agent knows, the node
/// that is to run it finds out.
fn offer(cib: &Cib, device: &UsableDevice, target: &str, draw: u64) -> Option<Offer> {
    let params = device.nodes.values().next()?;
    let parameters = FenceDevice::new(params);
    if !parameters.may_reach(target) {
        return None;
    }
    if watchdog::is_watchdog(&device.agent) {
        // Who has no quorum may be the one that is to be gone.
        let waits = watchdog::gone_after(cib, target).ok().filter(|_| cib.info.have_quorum)?;
        let nodes: BTreeSet<String> = device.nodes.keys().filter(|node| *node != target).cloned().collect();
        let waits = if mutant("watchdog-not-waited-for") { Duration::ZERO } else { waits };
        let (device, verified) = (device.id.clone(), nodes.clone());
        return Some(Offer { device, nodes, verified, stays_off: true, waits: Some(waits), ..Offer::default() });
    }
    Some(Offer {
        device: device.id.clone(),
        nodes: device.nodes.keys().cloned().collect(),
        verified: device.nodes.keys().filter(|node| is_verified(cib, &device.id, node)).cloned().collect(),
        delay: parameters.delay(target, draw),
        stays_off: parameters.stays_off(),
        unfences: device.unfences,
        waits: None,
    })
}

/// What lets `target` in, as its attributes `#digests-all` and `#digests-secure` say it: `DEVICE:AGENT:DIGEST,` for each device,
/// so that a device that has changed since is known.
#[must_use]
pub fn unfencing_digests(devices: &[UsableDevice], target: &str) -> (String, String) {
    let (mut all, mut secure) = (String::new(), String::new());
    for device in devices.iter().filter(|device| device.unfences) {
        let Some(params) = device.nodes.get(target) else { continue };
        let secrets: Vec<&str> = params.keys().map(String::as_str).filter(|name| hac_model::is_secret(name)).collect();
        let entry = |digest: String| format!("{}:{}:{digest},", device.id, device.agent.kind);
        all.push_str(&entry(hac_scheduler::secure_digest(params, &[])));
        secure.push_str(&entry(hac_scheduler::secure_digest(params, &secrets)));
    }
    (all, secure)
}

/// Whether the agent was seen to work on this node since the device was started there.
#[must_use]
pub fn is_verified(cib: &Cib, device: &str, node: &str) -> bool {
    let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(node));
    let Some(of) = state.and_then(|state| state.resources.iter().find(|of| of.id == device)) else { return false };
    let worked = |op: &&hac_model::OpHistory| !op.is_pending() && op.rc_code == OcfCode::OK;
    let last =
        of.ops.iter().filter(|op| matches!(op.task(), Some(Task::Start | Task::Stop))).max_by_key(|op| op.call_id);
    let monitored = of.ops.iter().filter(worked).any(|op| op.task() == Some(Task::Monitor) && op.interval_ms > 0);
    last.is_some_and(|op| op.task() == Some(Task::Start) && (worked(&op) || monitored))
}

/// What a node is told to carry an attempt out; `None` if the device is not there for it any more.
#[must_use]
pub fn run_of(cib: &Cib, devices: &[UsableDevice], request: &Request, attempt: Attempt) -> Option<FenceRun> {
    let device = devices.iter().find(|device| device.id == attempt.device)?;
    Some(FenceRun {
        request: request.id,
        turn: request.turn,
        target: request.wanted.target.clone(),
        agent: device.agent.clone(),
        params: device.nodes.get(&attempt.by)?.clone(),
        timeout_ms: u64::try_from(base_timeout(cib).as_millis()).unwrap_or(u64::MAX),
        attempt,
    })
}

/// How long `run` may take by itself, with the wait before it, whatever the agent turns out to know.
#[must_use]
pub fn longest(run: &FenceRun) -> Duration {
    longest_of(&run.params, &run.attempt, Duration::from_millis(run.timeout_ms))
}

fn longest_of(params: &BTreeMap<String, String>, attempt: &Attempt, base: Duration) -> Duration {
    let agent = FenceDevice::new(params).longest_timeout(attempt.action.name(), base);
    requests::patience(agent, Duration::from_millis(attempt.delay_ms))
}

/// How long the coordinator waits for an attempt that it found under way.
#[must_use]
pub fn patience(cib: &Cib, devices: &[UsableDevice], attempt: &Attempt) -> Duration {
    let device = devices.iter().find(|device| device.id == attempt.device);
    let params = device.and_then(|device| device.nodes.get(&attempt.by)).cloned().unwrap_or_default();
    longest_of(&params, attempt, base_timeout(cib))
}

#[cfg(test)]
mod tests;
