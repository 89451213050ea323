//! Which changes an agent takes in place, from its meta-data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hac_agents::Agents;
use hac_model::{Agent, ExecStatus, Invocation, MASK, Outcome, is_secret};

use crate::clock;
use crate::said::Said;

/// How long the meta-data may take. Later ones are as good as none: the resource is then restarted where it could have
/// been reloaded.
const LIMIT: Duration = Duration::from_secs(5);

/// Names of the parameters whose change needs a restart; `None` if there are no others.
type Fixed = Option<BTreeSet<String>>;

/// For how long what an agent said counts without its file being looked at: a transition starts hundreds of one agent, and
/// each look costs two changes of threads.
const FRESH: Duration = Duration::from_secs(1);

/// What an agent said last.
#[derive(Clone, Debug)]
struct Metadata {
    said: Option<String>,
    /// What follows from it.
    fixed: Fixed,
    /// When it was last found to say that.
    looked: Instant,
}

/// What the agents said last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reloadable(Arc<Mutex<BTreeMap<Agent, Metadata>>>);

impl Reloadable {
    /// Runs an agent to its end, and tells with its success which changes it takes in place.
    pub(crate) async fn run(&self, agents: &Agents, said: &Said, invocation: &Invocation) -> Outcome {
        let (mut outcome, fixed) = tokio::join!(agents.run(invocation), self.fixed(agents, invocation));
        if outcome.status == ExecStatus::Done && matches!(outcome.rc, 0 | 8) {
            outcome.restart_params = fixed;
        }
        mask_secrets(&mut outcome, &invocation.params);
        said.keep(invocation, &outcome, clock::wall().0);
        outcome
    }

    /// Asked anew for what starts or reloads a resource, since the agent may be another version by now, unless that was done
    /// just before.
    async fn fixed(&self, agents: &Agents, invocation: &Invocation) -> Fixed {
        let probe = invocation.action == "monitor" && invocation.interval_ms == 0;
        if !probe && !matches!(invocation.action.as_str(), "start" | "reload-agent") {
            return None;
        }
        let agent = &invocation.agent;
        let begin = Instant::now();
        {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(metadata) = known.get_mut(agent)
                && (probe || begin.saturating_duration_since(metadata.looked) < FRESH)
            {
                return metadata.fixed.clone();
            }
        }
        let described = tokio::time::timeout(LIMIT, agents.describe(&agent.to_string())).await.ok().flatten();
        let said = described.map(|(_, xml)| xml);
        {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(metadata) = known.get_mut(agent).filter(|metadata| metadata.said == said) {
                metadata.looked = begin;
                return metadata.fixed.clone();
            }
        }
        let metadata = said.as_deref().and_then(hac_pacemaker::agent_metadata::read);
        let fixed = metadata.and_then(|metadata| metadata.restart_params());
        let metadata = Metadata { said, fixed: fixed.clone(), looked: begin };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.clone(), metadata);
        fixed
    }
}

/// A text without the values of secret parameters.
pub(crate) fn masked(text: &str, params: &BTreeMap<String, String>) -> String {
    let secrets = params.iter().filter(|(name, value)| is_secret(name) && !value.is_empty());
    secrets.fold(text.to_owned(), |text, (_, value)| text.replace(value.as_str(), MASK))
}

/// Masks the values of secret parameters in whatever an agent wrote: all of it is shown, and goes to the other nodes.
fn mask_secrets(outcome: &mut Outcome, params: &BTreeMap<String, String>) {
    for text in outcome.exit_reason.iter_mut().chain([&mut outcome.output]) {
        *text = masked(text, params);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_left_in_the_reason_or_in_the_output() {
        let params = [("passwd", "hunter2"), ("ip", "192.0.2.1"), ("token", "")];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let said = "192.0.2.1: no login with hunter2".to_owned();
        let mut outcome = Outcome { exit_reason: Some(said.clone()), output: said, ..Outcome::default() };
        mask_secrets(&mut outcome, &params);
        let masked = format!("192.0.2.1: no login with {MASK}");
        assert_eq!((outcome.exit_reason.as_deref(), outcome.output), (Some(masked.as_str()), masked.clone()));
    }
}
