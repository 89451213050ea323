//! What is interesting when it happens to whole nodes, and must happen in a run of many seeds: otherwise the world is too
//! kind to prove anything.

use hac_node::{Event, Reply};

/// What must happen in a run of many seeds.
pub const COVERAGE: &[&str] = &[
    "a ban was kept",
    "a change could not be stored",
    "a change was acknowledged",
    "a change was refused for want of quorum",
    "a clone ran",
    "a daemon died amid its agent's run",
    "a daemon ended an agent of its earlier life",
    "a daemon waited for an agent of its earlier life",
    "changes were reported as lost",
    "a datagram was replayed or forged",
    "a daemon died between two outputs",
    "a daemon was killed",
    "a device did it and did not answer",
    "a device did it and said that it could not",
    "a device hung",
    "a device lied",
    "a device refused",
    "a device took the power of a host",
    "a device was late",
    "a device was not reached from everywhere",
    "a watchdog took the power of its host",
    "a watchdog was not petted any more",
    "a watchdog was waited for",
    "a node heard that its watchdog is waited for",
    "a disk did not answer",
    "a disk has rotted",
    "a disk was full",
    "a disk was rolled back",
    "a disk was slow",
    "a disk was replaced",
    "a group ran",
    "a key was copied",
    "a node left in good order",
    "a node showed an older state after its start",
    "a member said nothing more",
    "a node fell silent because it stood still above the ring",
    "a node was lost",
    "a pause was noticed",
    "a node was slow above the ring",
    "a plan came too late",
    "a plan never came",
    "a plan took long",
    "a planner panicked",
    "a request timed out",
    "a node was put into maintenance",
    "a node was put into standby",
    "a resource died",
    "a resource migrated",
    "a resource ran",
    "a resource was deleted",
    "a resource was moved or banned",
    "a resource was renamed",
    "a resource was switched off or left alone",
    "a node learned that it was fenced",
    "a parameter was changed",
    "a person had a node fenced",
    "a person said that a node is down",
    "a state was taken over",
    "a suspicion was false",
    "a transition met problems",
    "a transition was abandoned",
    "a transition was completed",
    "a view with quorum became active",
    "a view without quorum became active",
    "a write failed",
    #[cfg(feature = "level2")]
    "a change above the level was refused",
    #[cfg(feature = "level2")]
    "a newer program was installed",
    #[cfg(feature = "level2")]
    "a node that could not follow left alone",
    #[cfg(feature = "level2")]
    "an older program found a newer state",
    #[cfg(feature = "level2")]
    "an older program was installed",
    #[cfg(feature = "level2")]
    "the level was lowered",
    #[cfg(feature = "level2")]
    "the level was raised",
    "a write was lost",
    "all power was lost",
    "all power was lost, and a disk",
    "an agent did not end when it was told to",
    "an agent lied",
    "an agent outlived its daemon",
    "an agent said too much",
    "an instance was promoted",
    "an operation failed",
    "one-way cut",
    "power was lost",
    "the clock jumped",
    "the configuration changed",
    "the coordinator died at work",
    "the key was changed",
    "the service did what was asked and did not answer",
    "the service hung",
    "the service refused",
    "the service wanted to be asked later",
    "two resources were related",
    "two nodes lost each other with fence devices",
    "two sides had quorum",
];

/// By what an event is counted.
pub(super) fn of_event(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Active { copied_from: Some(_), .. } => "a state was taken over",
        Event::Active { quorate: false, .. } => "a view without quorum became active",
        Event::Active { .. } => "a view with quorum became active",
        Event::View { lost, .. } if !lost.is_empty() => "a node was lost",
        Event::View { left, .. } if !left.is_empty() => "a node left in good order",
        Event::TransitionEnded { problems, .. } if !problems.is_empty() => "a transition met problems",
        Event::TransitionEnded { end, .. } if end.starts_with("abandoned") => "a transition was abandoned",
        Event::TransitionEnded { .. } => "a transition was completed",
        Event::Result { expected: false, .. } => "an operation failed",
        Event::Remark { text, .. } if text.contains("_migrate_") && text.ends_with("not ordered again") => {
            "a migration was taken up"
        }
        Event::Ring { what, .. } if what == "pause_detected" => "a pause was noticed",
        Event::Ring { what, .. } if what == "returned" => "a suspicion was false",
        Event::Configuration { .. } => "the configuration changed",
        Event::KeyChanged { .. } => "the key was changed",
        _ => return None,
    })
}

/// By what an answer is counted.
pub(super) const fn of_reply(reply: &Reply) -> Option<&'static str> {
    Some(match reply {
        Reply::Done { .. } => "a change was acknowledged",
        Reply::NotStored(_) => "a change could not be stored",
        Reply::NoQuorum(_) => "a change was refused for want of quorum",
        Reply::TimedOut(_) => "a request timed out",
        Reply::Refused(why) if matches!(why.kind, hac_crm::cib::RefusalKind::Level) => {
            "a change above the level was refused"
        }
        Reply::Answered(_) => "a node answered another one",
        Reply::Refused(_) | Reply::TooLarge(_) | Reply::Unavailable(_) | Reply::Settled { .. } => return None,
    })
}
