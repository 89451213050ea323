//! What is being done to nodes, and what could not be done, for people.

use hac_crm::fencer::requests::End;
use hac_model::Cib;

use super::Severity;

/// Nodes that are being fenced, and those that could not be.
pub(crate) fn problems(cib: &Cib, add: &mut impl FnMut(Severity, String, &str)) {
    let fencing = &cib.status.fencing;
    for request in &fencing.running {
        let (target, action) = (&request.wanted.target, request.wanted.action);
        let by = request.attempt.as_ref().map(|attempt| format!(", {} uses {}", attempt.by, attempt.device));
        let sentence = format!("{target} is being fenced ({action}){}", by.unwrap_or_default());
        add(Severity::Warning, sentence, "'hacctl fence history' shows how far it is.");
    }
    for (node, failures) in &fencing.failures {
        let last = fencing.history.iter().rev().find(|record| record.target == *node);
        let Some(End::Failed { reason, .. }) = last.map(|record| &record.end) else { continue };
        let often = if *failures == 1 { String::new() } else { format!(", {failures} times in a row") };
        let sentence = format!("{node} could not be fenced{often}: {reason}; what ran there waits");
        let remedy = format!("Mend the device; or power {node} off by hand, then 'hacctl fence confirm {node}'.");
        add(Severity::Error, sentence, &remedy);
    }
    for node in &fencing.survivors {
        let last = fencing.history.iter().rev().find(|record| record.target == *node && record.end == End::Succeeded);
        let by = last.and_then(|record| record.delegate.as_deref()).map(|by| format!(" by {by}")).unwrap_or_default();
        let sentence = format!(
            "{node} was fenced{by}, and was seen again without having been restarted: it may have run on for a while, and \
             what ran there may have run twice"
        );
        let remedy = format!(
            "Find out why the device said that it was off ('hacctl fence history {node}'), mend that, and restart {node}; \
             'hacctl fence forget {node}' takes this line away."
        );
        add(Severity::Error, sentence, &remedy);
    }
}
