//! What a change would do to what runs, on the live state.

use std::time::{SystemTime, UNIX_EPOCH};

use hac_api::ErrorCode;
use hac_crm::cib::{Change, Configure, Replicated as _};
use hac_model::Cib;
use hac_pacemaker::impact::between;
pub(crate) use hac_pacemaker::impact::{Impact, difference};
use hac_pacemaker::simulate::{Clock, Simulation, simulate};
use hac_types::WallTime;

use super::Context;
use crate::failure::Failure;

/// What `changes` would come to.
pub(crate) async fn of(context: &Context, changes: &[Change]) -> Result<Impact, Failure> {
    let before = state(context).await?;
    let configure = Configure { changes: changes.to_vec(), ..Configure::default() };
    // What the cluster refuses is left to it: its sentence is the better one.
    match before.candidate(&configure) {
        Err(_) => Ok(Impact::default()),
        Ok(after) => Ok(Impact { before: before.clone(), ..between(&before, &after, now()) }),
    }
}

/// What would come of another state in the place of that one.
pub(crate) fn of_states(before: &Cib, after: &Cib) -> Impact {
    between(before, after, now())
}

/// The state of the cluster, with secrets if this user may have them: the plan depends on whether a parameter changed.
pub(crate) async fn state(context: &Context) -> Result<Cib, Failure> {
    match context.client.cib(true).await {
        Err(failure) if failure.exit_code == ErrorCode::NotPermitted.exit_code() => context.client.cib(false).await,
        other => other,
    }
}

/// Decides about a state as of now.
pub(crate) fn decide(cib: &Cib) -> Simulation {
    simulate(cib, &Clock::Present(now()), false)
}

fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
