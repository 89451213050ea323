//! What a node could not start if it had to: told when it changes, by every member alike.

use hac_crm::cib::{Applied, Command, StatusChange};
use hac_model::{Cib, Lack, Readiness};

use super::Participant;
use crate::Level;

/// Resources named in one sentence, at most.
const NAMED: usize = 5;

/// Lacks told of one change, at most.
const TOLD: usize = 10;

impl Participant {
    /// To be called after a command was applied, with what its node had told before.
    pub(super) fn tell_readiness(&mut self, command: &Command, applied: &Applied, before: Option<&Readiness>) {
        let (Command::Status(StatusChange::Readiness(told)), Applied::Changed(_)) = (command, applied) else { return };
        for (level, text) in news(before, told) {
            self.effects.remark(level, text);
        }
    }
}

/// What the node that `command` is from had told before, if it tells anything.
pub(super) fn before(cib: &Cib, command: &Command) -> Option<Readiness> {
    let Command::Status(StatusChange::Readiness(told)) = command else { return None };
    cib.status.readiness(&told.node).cloned()
}

/// What is to be told of a change: what the node lacks now, and what it does not lack any more.
fn news(before: Option<&Readiness>, told: &Readiness) -> Vec<(Level, String)> {
    let had = before.map(|before| before.lacks.as_slice()).unwrap_or_default();
    let node = &told.node;
    let mut news: Vec<(Level, String)> = Vec::new();
    let new: Vec<&Lack> = told.lacks.iter().filter(|lack| !had.contains(lack)).collect();
    for lack in new.iter().take(TOLD) {
        news.push((Level::Warning, format!("{}: {}", could_not(node, &lack.resources), lack.sentence)));
    }
    if let Some(more) = new.len().checked_sub(TOLD).filter(|more| *more > 0) {
        news.push((Level::Warning, format!("{node} lacks {more} other things; 'hacctl status' has them")));
    }
    let still = |id: &String| told.lacks.iter().any(|lack| lack.resources.contains(id));
    let mut well: Vec<String> = had.iter().flat_map(|lack| &lack.resources).filter(|id| !still(id)).cloned().collect();
    well.sort();
    well.dedup();
    if !well.is_empty() {
        news.push((Level::Notice, format!("{node} could start {} again if it had to", names(&well))));
    } else if !had.is_empty() && told.lacks.is_empty() {
        news.push((Level::Notice, format!("{node} lacks nothing any more")));
    }
    news
}

/// The beginning of the sentence about a lack.
pub(crate) fn could_not(node: &str, resources: &[String]) -> String {
    match resources {
        [] => format!("{node} lacks something"),
        some => format!("{node} could not start {} if it had to", names(some)),
    }
}

/// Some names, and how many more.
fn names(all: &[String]) -> String {
    let some = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(NAMED) {
        None | Some(0) => some,
        Some(more) => format!("{some} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lacks: &[(&[&str], &str)]) -> Readiness {
        let lack = |(ids, sentence): &(&[&str], &str)| Lack {
            resources: ids.iter().map(|id| (*id).to_owned()).collect(),
            sentence: (*sentence).to_owned(),
            ..Lack::default()
        };
        Readiness { node: "n2".into(), lacks: lacks.iter().map(lack).collect(), ..Readiness::default() }
    }

    fn texts(before: Option<&Readiness>, now: &Readiness) -> Vec<String> {
        news(before, now).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn what_is_new_and_what_is_over_is_told_and_nothing_else() {
        let (none, one) = (told(&[]), told(&[(&["A", "B"], "no agent")]));
        let other = told(&[(&["A", "B"], "no agent"), (&[], "no room")]);
        assert_eq!(texts(None, &none), [""; 0]);
        assert_eq!(texts(None, &one), ["n2 could not start A, B if it had to: no agent"]);
        assert_eq!(texts(Some(&one), &one), [""; 0]);
        assert_eq!(texts(Some(&one), &other), ["n2 lacks something: no room"]);
        assert_eq!(texts(Some(&other), &none), ["n2 could start A, B again if it had to"]);
        assert_eq!(texts(Some(&told(&[(&[], "no room")])), &none), ["n2 lacks nothing any more"]);
        let all: Vec<String> = (0..30).map(|n| format!("lack {n}")).collect();
        let many: Vec<(&[&str], &str)> = all.iter().map(|text| (&["A"][..], text.as_str())).collect();
        assert_eq!(texts(None, &told(&many)).len(), TOLD + 1);
    }
}
