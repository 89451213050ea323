//! What was done to nodes and what is being done, as `crm_mon` shows it.

use std::collections::BTreeSet;

use hac_model::fencing::{End, Record, Requests};

use super::Options;
use crate::text::Lines;

/// What is shown of fencing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fencing {
    /// What failed.
    pub failed: bool,
    /// What is under way.
    pub pending: bool,
    /// What succeeded.
    pub succeeded: bool,
    /// Each one, and not only the newest of its kind.
    pub each: bool,
}

impl Fencing {
    /// What `-m` with this level shows; `None` for another one.
    #[must_use]
    pub const fn of_level(level: u8) -> Option<Self> {
        let shown = level > 0;
        match level {
            0..=3 => Some(Self { failed: shown, pending: shown, succeeded: level >= 2, each: level == 3 }),
            _ => None,
        }
    }
}

/// Prints the sections that have something in them: one for all if successes are shown, otherwise one for each kind.
pub(super) fn section(lines: &mut Lines, fencing: &Requests, options: &Options) {
    let Fencing { failed, pending, succeeded, each } = options.fencing;
    let about = |target: &str| options.node.as_deref().is_none_or(|node| node == target);
    let running = fencing.running.iter().filter(|request| pending && about(&request.wanted.target));
    let running: Vec<String> = running.map(crate::fencing::under_way).collect();
    let of = |shown: bool, successes: bool| -> Vec<&Record> {
        let all = fencing.history.iter().rev().filter(|record| shown && about(&record.target));
        all.filter(|record| (record.end == End::Succeeded) == successes).collect()
    };
    let line = |record: &&Record| crate::fencing::last(record, !each);
    if succeeded {
        let mut over: Vec<&Record> = of(failed, false).into_iter().chain(of(true, true)).collect();
        over.sort_by_key(|record| std::cmp::Reverse(record.id));
        let over = if each { over } else { newest(over) };
        titled(lines, "Fencing History:", running.into_iter().chain(over.iter().map(line)));
        return;
    }
    let over = of(failed, false);
    let over = if each { over } else { newest(over) };
    titled(lines, "Failed Fencing Actions:", over.iter().map(line));
    titled(lines, "Pending Fencing Actions:", running.into_iter());
}

fn titled(lines: &mut Lines, title: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    lines.plain("");
    lines.plain(title);
    items.for_each(|item| lines.item(1, &item));
}

/// The first of those that differ in nothing but their time; the newest stand first.
fn newest(records: Vec<&Record>) -> Vec<&Record> {
    let mut seen = BTreeSet::new();
    let kind = |record: &Record| {
        let Record { target, client, origin, end, .. } = record;
        (target.clone(), record.action.to_string(), client.clone(), origin.clone(), *end == End::Succeeded)
    };
    records.into_iter().filter(|record| seen.insert(kind(record))).collect()
}
