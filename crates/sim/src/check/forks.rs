//! FORK: of the changes of the configuration that were acknowledged, those that are gone at the end were reported as lost by
//! the node whose state gave way, in its status and with the state that it gave up; and no change was reported that is
//! still there. Both sides of a cut may acknowledge changes where `two_node` or `no-quorum-policy=ignore` permits it.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::Change;
use hac_node::{Reply, Request};
use hac_types::Timestamp;

use super::{Violation, count};
use crate::cluster::World;
use crate::workload::MARK;

/// What nodes reported as lost.
#[derive(Clone, Debug, Default)]
pub(super) struct Forks {
    /// The marks of the changes, each with the node that reported it first, and when.
    named: BTreeMap<String, (u32, Timestamp)>,
    /// What is in the states that were kept where the list was too long to be shown whole.
    unnamed: BTreeSet<String>,
}

impl Forks {
    /// A node starts with this state. What it reported before and has again was not lost for good: the state that had taken
    /// its place was never stored here.
    pub(super) fn starts_with(&mut self, node: u32, state: &[u8]) {
        let text = String::from_utf8_lossy(state);
        for mark in marks_in(&text) {
            if self.named.get(&mark).is_some_and(|(by, _)| *by == node) {
                self.named.remove(&mark);
                self.unnamed.insert(mark);
            }
        }
    }

    /// Nobody needs to report these.
    pub(super) fn may_vanish<'a>(&mut self, marks: impl Iterator<Item = &'a String>) {
        self.unnamed.extend(marks.cloned());
    }

    /// A node keeps the state that it gave up, reports these changes, and `holds` what it keeps.
    pub(super) fn reported(&mut self, node: u32, changes: &[String], holds: &[u8], at: Timestamp) {
        let marks = changes.iter().filter_map(|change| change.strip_prefix("property "));
        for mark in marks.filter(|name| name.starts_with(MARK) && !name.contains(' ')) {
            self.named.entry(mark.to_owned()).or_insert((node, at));
        }
        if changes.last().is_some_and(|last| last.ends_with(" more")) {
            let text = String::from_utf8_lossy(holds);
            self.unnamed.extend(marks_in(&text));
        }
    }
}

/// The marks in a state as it is stored.
fn marks_in(text: &str) -> impl Iterator<Item = String> {
    let ends = |rest: &str| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    text.split(MARK).skip(1).map(move |rest| format!("{MARK}{}", &rest[..ends(rest)]))
}

/// Looks at all that was acknowledged and at all that was reported.
pub(super) fn check(world: &mut World) -> Result<(), Violation> {
    let Some(node) = world.hosts.values().find_map(|host| host.node.as_ref()) else { return Ok(()) };
    let there = |name: &str| node.cib().configuration.property(name).is_some();
    for ((host, ..), asked) in &world.asked {
        let Request::Configure(configure) = &asked.request else { continue };
        // A warning says that it is not stored: it goes with the daemons, which is no fork.
        if !matches!(asked.replies.first(), Some(Reply::Done { warnings, .. }) if warnings.is_empty()) {
            continue;
        }
        let pairs = configure.changes.iter().filter_map(|change| match change {
            Change::SetProperties { pairs, .. } => Some(pairs),
            _ => None,
        });
        for name in pairs.flatten().map(|(name, _)| name).filter(|name| name.starts_with(MARK)) {
            count(&mut world.checks.executed, "FORK");
            let forks = &world.checks.forks;
            if !there(name) && !forks.named.contains_key(name) && !forks.unnamed.contains(name) {
                let text =
                    format!("node{host} acknowledged {name} at {}; it is gone, and nobody reported that", asked.at);
                return Err(Violation::new("FORK", text));
            }
        }
    }
    for (name, (host, at)) in &world.checks.forks.named {
        count(&mut world.checks.executed, "FORK");
        if there(name) {
            return Err(Violation::new(
                "FORK",
                format!("node{host} reported at {at} that {name} is lost; it is there"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_lost_here_is_taken_for_reported() {
        let mut forks = Forks::default();
        let changes = ["property sim-change-3", "property sim-change-4 (deleted here, or new there)", "w-1"];
        forks.reported(1, &changes.map(str::to_owned), b"", Timestamp::ZERO);
        assert_eq!(forks.named.keys().collect::<Vec<_>>(), ["sim-change-3"]);
        assert!(forks.unnamed.is_empty());
        forks.reported(1, &["7 more".to_owned()], br#"{"name":"sim-change-12","x":"sim-change-5"}"#, Timestamp::ZERO);
        assert_eq!(forks.unnamed.iter().collect::<Vec<_>>(), ["sim-change-12", "sim-change-5"]);
    }
}
