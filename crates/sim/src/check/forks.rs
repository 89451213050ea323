//! FORK: of the changes of the configuration that were acknowledged, those that are gone at the end were reported as lost by
//! the node whose state gave way, in its status and with the state that it gave up; and no change was reported that is
//! still there. Both sides of a cut may acknowledge changes where `two_node` or `no-quorum-policy=ignore` permits it. Nor is
//! anything that was prepared when a node went down given up without a word.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::Change;
use hac_node::{MemberState, Now, Reply, Report, Request, RequestId};
use hac_types::Timestamp;

use super::durability::changed;
use super::{Violation, count};
use crate::cluster::{Asked, Host, World};
use crate::workload::MARK;

/// What nodes reported as lost.
#[derive(Clone, Debug, Default)]
pub(super) struct Forks {
    /// The marks of the changes, each with the node that reported it first, and when.
    named: BTreeMap<String, (u32, Timestamp)>,
    /// Those of them whose proposers were members then, in the lives in which they proposed them: they know better.
    imagined: BTreeSet<String>,
    /// What is in the states that were kept where the list was too long to be shown whole.
    unnamed: BTreeSet<String>,
    /// By node: in which life it stored what it had prepared when it went down once more, and as which generation.
    stored_again: BTreeMap<u32, (u64, u64)>,
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

    /// A node removes what it had prepared when it went down. Nobody may know any more whether that was acknowledged: of
    /// what the state that counts has not, only those know who proposed it and are members of its view, though they may be gone
    /// by the time this node gets there.
    pub(super) fn gives_up(
        &mut self,
        (host, now): (&Host, Now),
        generation: u64,
        hosts: &BTreeMap<u32, Host>,
        asked: &BTreeMap<(u32, u64, RequestId), Asked>,
        executed: &mut BTreeMap<&'static str, u64>,
    ) -> Option<Violation> {
        let (offered, marks) = host.offered.as_ref()?;
        let again = self.stored_again.get(&host.id).filter(|(life, _)| *life == host.life);
        if again.map_or(*offered, |(_, again)| *again) != generation {
            return None;
        }
        // Nobody can judge it yet: it stands behind what was stored meanwhile.
        if let Some(again) = host.disk.prepared_again(generation) {
            self.stored_again.insert(host.id, (host.life, again));
            return None;
        }
        let node = host.node.as_ref()?;
        let here = proposed_by_members(&node.report(now), hosts, asked);
        let known =
            |mark: &String| node.cib().configuration.property(mark).is_some() || here.contains(mark) || self.told(mark);
        count(executed, "FORK");
        let gone = marks.iter().find(|mark| !known(mark))?;
        let text = format!("node{} had {gone} prepared when it went down, and gives it up without a word", host.id);
        Some(Violation::new("FORK", text))
    }

    /// Whether this change was reported as lost.
    pub(super) fn told(&self, mark: &str) -> bool {
        self.named.contains_key(mark) || self.unnamed.contains(mark)
    }

    /// A node keeps the state that it gave up, reports these changes, and `holds` what it keeps. `here` are changes that
    /// members of its view have proposed.
    pub(super) fn reported(&mut self, (node, at): (u32, Timestamp), changes: &[String], holds: &[u8], here: &[String]) {
        let marks = changes.iter().filter_map(|change| change.strip_prefix("property "));
        for mark in marks.filter(|name| name.starts_with(MARK) && !name.contains(' ')) {
            self.named.entry(mark.to_owned()).or_insert((node, at));
            if here.iter().any(|here| here == mark) {
                self.imagined.insert(mark.to_owned());
            }
        }
        if changes.last().is_some_and(|last| last.ends_with(" more")) {
            let text = String::from_utf8_lossy(holds);
            self.unnamed.extend(marks_in(&text));
        }
    }
}

/// The changes that members of the view of who says this have proposed, in the lives in which they are members.
pub(super) fn proposed_by_members(
    report: &Report,
    hosts: &BTreeMap<u32, Host>,
    asked: &BTreeMap<(u32, u64, RequestId), Asked>,
) -> Vec<String> {
    let joined = report.members.iter().filter(|member| member.state == MemberState::Joined);
    let members: BTreeSet<(u32, u64)> = joined
        .filter_map(|member| {
            let host = hosts.get(&member.node.0)?;
            Some((host.id, *host.lives.get(&member.incarnation?)?))
        })
        .collect();
    changed(asked.iter().filter(|((id, life, _), _)| members.contains(&(*id, *life))).map(|(_, asked)| &asked.request))
}

/// The marks in a state as it is stored.
pub(crate) fn marks_in(text: &str) -> impl Iterator<Item = String> {
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
    let told: BTreeSet<String> = world
        .hosts
        .values()
        .filter_map(|host| world.report(host.id))
        .flat_map(|report| report.lost)
        .flat_map(|(_, changes)| changes)
        .collect();
    for (name, (host, at)) in &world.checks.forks.named {
        count(&mut world.checks.executed, "FORK");
        let imagined = world.checks.forks.imagined.contains(name);
        if there(name) && (imagined || told.contains(&format!("property {name}"))) {
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
        let here = ["sim-change-3".to_owned()];
        forks.reported((1, Timestamp::ZERO), &changes.map(str::to_owned), b"", &here);
        assert_eq!(forks.named.keys().collect::<Vec<_>>(), ["sim-change-3"]);
        assert_eq!(forks.imagined.iter().collect::<Vec<_>>(), ["sim-change-3"]);
        assert!(forks.unnamed.is_empty());
        let state = br#"{"name":"sim-change-12","x":"sim-change-5"}"#;
        forks.reported((1, Timestamp::ZERO), &["7 more".to_owned()], state, &[]);
        assert_eq!(forks.unnamed.iter().collect::<Vec<_>>(), ["sim-change-12", "sim-change-5"]);
    }
}
