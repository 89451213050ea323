//! Watchdogs as a fence device: a node that others have lost runs nothing any more after a while, because it has stopped what it
//! had, or because its watchdog has reset it. Nobody does anything to it: the time is waited for.
//!
//! That is counted on where `stonith-watchdog-timeout` is set, and only of a node that said in the life in which it was last seen
//! that it has armed one, and how long it needs ([`Watchdog::gone_after_ms`]). See `docs/decisions/0060-watchdog.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_model::fencing::Watchdog;
use hac_model::{Agent, Cib, Configuration, parse_duration_ms};
use hac_scheduler::plan::UsableDevice;

use super::{members, property};
use crate::cib::primitives;

/// Id of the device, which is there without being configured.
pub const WATCHDOG: &str = "watchdog";

/// The kind of its agent.
pub const FENCE_WATCHDOG: &str = "fence_watchdog";

/// What `stonith-watchdog-timeout` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A lost node is never taken for gone by itself.
    Never,
    /// It is after so long.
    For(Duration),
    /// It is after as long as it said that it needs.
    AsLongAsNeeded,
    /// What stands there means nothing.
    Nonsense,
}

/// `stonith-watchdog-timeout`, or `fencing-watchdog-timeout`.
#[must_use]
pub fn wait(configuration: &Configuration) -> Wait {
    let text = property(configuration, "fencing-watchdog-timeout", "stonith-watchdog-timeout").map(str::trim);
    match text {
        None | Some("") => Wait::Never,
        Some(text) if text.starts_with('-') => match parse_duration_ms(text.trim_start_matches('-')) {
            Some(_) => Wait::AsLongAsNeeded,
            None => Wait::Nonsense,
        },
        Some(text) => match parse_duration_ms(text) {
            Some(0) => Wait::Never,
            Some(ms) => Wait::For(Duration::from_millis(ms)),
            None => Wait::Nonsense,
        },
    }
}

/// After what time `target` is gone when it is lost, or why nobody knows that, as a clause.
///
/// # Errors
/// The clause.
pub fn gone_after(cib: &Cib, target: &str) -> Result<Duration, String> {
    let wait = match wait(&cib.configuration) {
        Wait::Never | Wait::Nonsense => return Err("stonith-watchdog-timeout is not set".to_owned()),
        Wait::For(wait) => Some(wait),
        Wait::AsLongAsNeeded => None,
    };
    let Some(watchdog) = cib.status.fencing.watchdog(target) else {
        return Err(format!("{target} has not said that it has armed a watchdog"));
    };
    let Some(needs) = watchdog.gone_after_ms.map(Duration::from_millis) else {
        return Err(format!("{target} goes on when it is cut off (two_node), so that its watchdog proves nothing"));
    };
    match wait {
        Some(wait) if wait < needs && !hac_types::mutant("watchdog-too-short") => {
            let (wait, needs) = (seconds(wait), seconds(needs));
            Err(format!("stonith-watchdog-timeout is {wait} and {target} needs {needs} until it is gone for certain"))
        }
        wait => Ok(wait.unwrap_or(needs)),
    }
}

/// Whether watchdogs are counted on.
#[must_use]
pub fn is_counted_on(configuration: &Configuration) -> bool {
    matches!(wait(configuration), Wait::For(_) | Wait::AsLongAsNeeded)
}

/// What is wrong with the times, as a sentence and what to do about it: of the first node that has a watchdog which cannot be
/// counted on as it is configured.
#[must_use]
pub fn misfit(cib: &Cib) -> Option<(String, String)> {
    if !is_counted_on(&cib.configuration) {
        return None;
    }
    let watchdogs = &cib.status.fencing.watchdogs;
    if watchdogs.is_empty() {
        let sentence = "stonith-watchdog-timeout is set and no node has a watchdog: a lost node would not be reset";
        let remedy = "Write 'device' below [watchdog] in hacd.toml on each node and restart hacd, before this is set.";
        return Some((sentence.to_owned(), remedy.to_owned()));
    }
    let longest = watchdogs.values().filter_map(|watchdog| watchdog.gone_after_ms).max();
    let first = watchdogs.keys().find_map(|node| gone_after(cib, node).err())?;
    let remedy = match longest.map(Duration::from_millis) {
        Some(longest) => format!(
            "Set stonith-watchdog-timeout to {} or more, or to -1, which is as long as each node needs.",
            seconds(longest)
        ),
        None => "With two nodes use an arbiter ([arbiter] in hacd.toml) instead of two_node.".to_owned(),
    };
    Some((first, remedy))
}

/// A time in seconds, rounded up.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_millis().div_ceil(1000))
}

/// Whether an agent is the one that stands for the watchdogs.
#[must_use]
pub fn is_watchdog(agent: &Agent) -> bool {
    agent.kind == FENCE_WATCHDOG && agent.is_fence_device()
}

/// The devices that a plan found usable, and the watchdogs of the nodes, if they are counted on and nobody has configured them
/// otherwise. Every member may wait.
#[must_use]
pub fn with_watchdogs(cib: &Cib, mut devices: Vec<UsableDevice>) -> Vec<UsableDevice> {
    let present = members(cib);
    let everywhere = |params: &BTreeMap<String, String>| -> BTreeMap<String, BTreeMap<String, String>> {
        present.iter().map(|name| (name.clone(), params.clone())).collect()
    };
    for device in devices.iter_mut().filter(|device| is_watchdog(&device.agent)) {
        let params = device.nodes.values().next().cloned().unwrap_or_default();
        device.nodes = everywhere(&params);
    }
    let is_configured = primitives(&cib.configuration).into_iter().any(|of| is_watchdog(&of.agent));
    if is_counted_on(&cib.configuration) && !is_configured {
        let agent = Agent { class: "stonith".to_owned(), provider: None, kind: FENCE_WATCHDOG.to_owned() };
        let nodes = everywhere(&BTreeMap::new());
        devices.push(UsableDevice { id: WATCHDOG.to_owned(), agent, nodes, unfences: false });
    }
    devices
}

/// The nodes whose watchdog is counted on.
#[must_use]
pub fn covered(cib: &Cib) -> Vec<&str> {
    let nodes = cib.configuration.nodes.iter().map(|node| node.uname.as_str());
    nodes.filter(|node| gone_after(cib, node).is_ok()).collect()
}

/// Whether any member has armed a watchdog (`have-watchdog`).
#[must_use]
pub fn is_there(cib: &Cib) -> bool {
    members(cib).iter().any(|node| cib.status.fencing.watchdog(node).is_some())
}

/// A node told of its watchdog; whether that is news. What is told of another life than the one in which it was last seen is
/// not.
pub(crate) fn told(cib: &mut Cib, node: &str, armed: Option<&Watchdog>) -> bool {
    let fencing = &mut cib.status.fencing;
    let before = fencing.watchdogs.get(node).cloned();
    match armed {
        Some(armed) if fencing.lives.get(node) == Some(&armed.life) => {
            fencing.watchdogs.insert(node.to_owned(), armed.clone());
        }
        Some(_) => return false,
        None => {
            fencing.watchdogs.remove(node);
        }
    }
    fencing.watchdogs.get(node) != before.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cib::fixtures::cluster;
    use hac_model::NvPair;

    fn set(cib: &mut Cib, value: &str) {
        let set = &mut cib.configuration.crm_config[0];
        set.pairs.retain(|pair| pair.name != "stonith-watchdog-timeout");
        let (name, value) = ("stonith-watchdog-timeout".to_owned(), Some(value.to_owned()));
        set.pairs.push(NvPair { name, value, ..NvPair::default() });
    }

    fn armed(life: u64, gone_after_ms: Option<u64>) -> Watchdog {
        Watchdog { life, device: "softdog".to_owned(), timeout_ms: 10_000, gone_after_ms }
    }

    #[test]
    fn a_node_counts_as_gone_when_it_said_that_it_will_be_and_the_time_is_long_enough() {
        let mut cib = cluster();
        assert!(gone_after(&cib, "primary").unwrap_err().contains("not set"));
        set(&mut cib, "40s");
        assert!(gone_after(&cib, "primary").unwrap_err().contains("has not said"));
        cib.status.fencing.lives.insert("primary".to_owned(), 7);
        assert!(!told(&mut cib, "primary", Some(&armed(6, Some(30_000)))), "of another life");
        assert!(told(&mut cib, "primary", Some(&armed(7, Some(30_000)))));
        assert!(!told(&mut cib, "primary", Some(&armed(7, Some(30_000)))), "no news");
        assert_eq!(gone_after(&cib, "primary"), Ok(Duration::from_secs(40)));
        assert_eq!((covered(&cib), misfit(&cib)), (vec!["primary"], None));
        set(&mut cib, "29s");
        let short = "stonith-watchdog-timeout is 29 s and primary needs 30 s until it is gone for certain";
        assert_eq!(gone_after(&cib, "primary"), Err(short.to_owned()));
        let (sentence, remedy) = misfit(&cib).expect("it does not fit");
        assert!(sentence == short && remedy.contains("to 30 s or more"), "{sentence} {remedy}");
        set(&mut cib, "-1");
        assert_eq!(gone_after(&cib, "primary"), Ok(Duration::from_secs(30)), "as long as it needs");
        // It joins in another life, and has not armed anything yet.
        cib.status.fencing.lives.insert("primary".to_owned(), 8);
        assert!(gone_after(&cib, "primary").unwrap_err().contains("has not said"));
        assert!(told(&mut cib, "primary", Some(&armed(8, None))));
        assert!(gone_after(&cib, "primary").unwrap_err().contains("two_node"));
        assert!(misfit(&cib).expect("it does not fit").1.contains("arbiter"));
        assert!(told(&mut cib, "primary", None));
        assert!(misfit(&cib).expect("there is none").0.contains("no node has a watchdog"));
    }

    #[test]
    fn the_time_is_read_as_pacemaker_reads_it() {
        let mut cib = cluster();
        assert_eq!(wait(&cib.configuration), Wait::Never);
        for (text, wanted) in [
            ("0", Wait::Never),
            ("0s", Wait::Never),
            ("", Wait::Never),
            ("10", Wait::For(Duration::from_secs(10))),
            ("1500ms", Wait::For(Duration::from_millis(1500))),
            ("-1", Wait::AsLongAsNeeded),
            ("soon", Wait::Nonsense),
            ("-soon", Wait::Nonsense),
        ] {
            set(&mut cib, text);
            assert_eq!(wait(&cib.configuration), wanted, "{text}");
        }
    }

    #[test]
    fn whether_there_is_a_watchdog_is_written_as_the_nodes_tell_it_and_not_otherwise() {
        use crate::cib::fixtures::{NOW, property};
        use crate::cib::{Command, Configure, Replicated as _};
        let mut cib = cluster();
        let write = |cib: &mut Cib, value: &str| {
            let changes = vec![property("have-watchdog", value)];
            let _ = cib.apply(&Command::Configure(Configure { changes, ..Configure::default() }), NOW);
            cib.configuration.property("have-watchdog").map(str::to_owned)
        };
        assert_eq!(write(&mut cib, "true").as_deref(), Some("false"), "nobody has told of one");
        cib.status.fencing.lives.insert("primary".to_owned(), 7);
        assert!(told(&mut cib, "primary", Some(&armed(7, None))) && is_there(&cib));
        assert_eq!(write(&mut cib, "true").as_deref(), Some("true"));
        assert_eq!(write(&mut cib, "false").as_deref(), Some("true"), "it is there");
        assert!(told(&mut cib, "primary", None));
        assert_eq!(write(&mut cib, "false").as_deref(), Some("false"));
    }
}
