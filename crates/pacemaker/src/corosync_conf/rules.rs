//! Rules between values: what corosync takes and hacd would refuse is left out, with the reason.

use super::keys;
use super::nodes::Nodes;

/// Keys with the values that were kept, in the order of the file; the value as `hacd.toml` has it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    entries: Vec<(&'static str, String, usize)>,
}

impl Kept {
    /// Keeps a value.
    pub(super) fn push(&mut self, key: &'static str, value: String, line: usize) {
        self.entries.push((key, value, line));
    }

    /// The entries, as lines of TOML.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(|(key, value, _)| format!("{key} = {value}\n"))
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(known, _, _)| *known == key).map(|(_, value, _)| value.trim_matches('"'))
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }

    fn is_on(&self, key: &str) -> bool {
        self.text(key).and_then(keys::truth).unwrap_or(false)
    }

    /// Replaces a text.
    pub(super) fn replace(&mut self, key: &str, text: &str) {
        if let Some((_, value, _)) = self.entries.iter_mut().find(|(known, _, _)| *known == key) {
            *value = keys::quoted(text);
        }
    }

    /// Leaves a value out; the note that says so.
    fn leave_out(&mut self, section: &str, key: &str, why: &str) -> Option<String> {
        let at = self.entries.iter().position(|(known, _, _)| *known == key)?;
        let (key, value, line) = self.entries.remove(at);
        Some(format!("{section}.{key} {} (line {line}) is left out: {why}", value.trim_matches('"')))
    }
}

/// The rules of the ring's timers with this many nodes; notes about what was left out.
pub(super) fn timers(kept: &mut Kept, nodes: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let above_two = u64::try_from(nodes.saturating_sub(2)).unwrap_or(u64::MAX);
    let token = |kept: &Kept| {
        let coefficient = kept.number("token_coefficient").unwrap_or(650);
        kept.number("token").unwrap_or(3000).saturating_add(coefficient.saturating_mul(above_two))
    };
    for key in ["token_coefficient", "token"] {
        if token(kept) > 300_000 {
            let why = format!("with {nodes} nodes the token's timeout would be above 300000 ms");
            notes.extend(kept.leave_out("totem", key, &why));
        }
    }
    for key in ["token_retransmit", "hold"] {
        if kept.number(key).is_some_and(|value| value >= token(kept)) {
            notes.extend(kept.leave_out("totem", key, "it must be less than token"));
        }
    }
    // What is derived is a fraction of token, at least 30 ms.
    let retransmits = kept.number("token_retransmits_before_loss_const").unwrap_or(4);
    let derived = (token(kept) * 10 / (retransmits * 10 + 2)).max(30);
    if kept.number("token_retransmit").is_none() && derived >= token(kept) {
        notes.extend(kept.leave_out("totem", "token", "it is too short for the token to be sent again"));
    }
    let too_short = |kept: &Kept| {
        let consensus = kept.number("consensus").unwrap_or_else(|| token(kept) * 12 / 10);
        consensus < kept.number("join").unwrap_or(50)
    };
    for key in ["consensus", "join", "token"] {
        if too_short(kept) {
            notes.extend(kept.leave_out("totem", key, "consensus (by default 1.2 token) must not be less than join"));
        }
    }
    let window = kept.number("window_size").unwrap_or(50);
    if kept.number("max_messages").unwrap_or(17) > window {
        let given = kept.leave_out("totem", "max_messages", "it must not be more than window_size");
        notes.extend(given);
        if window < 17 {
            kept.push("max_messages", window.to_string(), 0);
            notes.push(format!("max_messages becomes {window}, which is window_size"));
        }
    }
    notes
}

/// The rules of votequorum as hacd has them; notes about what was left out. `device` says that a quorum device was left
/// out, which had votes.
pub(super) fn quorum(kept: &mut Kept, nodes: &Nodes<'_>, device: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let sum = nodes.votes();
    let equal = nodes.list.iter().all(|node| node.votes == 1);
    if device && kept.number("expected_votes").is_some_and(|votes| votes != sum) {
        let why = format!("it counts the votes of the device; without it there are {sum}");
        notes.extend(kept.leave_out("quorum", "expected_votes", &why));
    }
    if kept.is_on("two_node") {
        if nodes.list.len() != 2 || !equal {
            let why = "it is for exactly two nodes with one vote each";
            notes.extend(kept.leave_out("quorum", "two_node", why));
        } else {
            if kept.number("expected_votes").is_some_and(|votes| votes != 2) {
                notes.extend(kept.leave_out("quorum", "expected_votes", "with two_node it is 2"));
            }
            for key in ["auto_tie_breaker", "last_man_standing"] {
                if kept.is_on(key) {
                    notes.extend(kept.leave_out("quorum", key, "it cannot be used with two_node"));
                }
            }
        }
    }
    if kept.is_on("last_man_standing") && !equal {
        notes.extend(kept.leave_out("quorum", "last_man_standing", "every node must have exactly one vote"));
    }
    notes.extend(tie_breaker(kept, nodes));
    notes
}

fn tie_breaker(kept: &mut Kept, nodes: &Nodes<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let wait_for_all = match kept.text("wait_for_all") {
        Some(word) => keys::truth(word).unwrap_or(false),
        None => kept.is_on("two_node"),
    };
    let expected = kept.number("expected_votes").unwrap_or_else(|| nodes.votes());
    if kept.is_on("auto_tie_breaker") && !expected.is_multiple_of(2) && !wait_for_all {
        let why = "with an odd number of votes it needs wait_for_all";
        notes.extend(kept.leave_out("quorum", "auto_tie_breaker", why));
    }
    let Some(list) = kept.text("auto_tie_breaker_node").map(str::to_owned) else { return notes };
    if matches!(list.as_str(), "lowest" | "highest") {
        return notes;
    }
    let own = |word: &str| {
        let renamed = nodes.list.iter().find(|node| node.old_id == Some(word));
        let same = || nodes.list.iter().find(|node| word.parse() == Ok(node.id) && !node.new_id);
        renamed.or_else(same).map(|node| node.id.to_string())
    };
    let ids: Option<Vec<String>> = list.split_whitespace().map(own).collect();
    match ids.filter(|ids| !ids.is_empty()) {
        Some(ids) => kept.replace("auto_tie_breaker_node", &ids.join(" ")),
        None => {
            let why = "it must be lowest, highest or ids of the node list; the lowest id counts";
            notes.extend(kept.leave_out("quorum", "auto_tie_breaker_node", why));
        }
    }
    notes
}
