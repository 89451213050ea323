//! Reading what `hacctl status` shows, as a person would.

use std::collections::{BTreeMap, BTreeSet};

/// A cluster as one of its nodes shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The whole text.
    pub text: String,
    /// Name of the designated coordinator.
    pub dc: Option<String>,
    /// Whether the partition has quorum.
    pub quorate: bool,
    /// Nodes that are online and may run resources.
    pub online: BTreeSet<String>,
    /// Nodes that are in standby.
    pub standby: BTreeSet<String>,
    /// Nodes that are offline.
    pub offline: BTreeSet<String>,
    /// Where each primitive is started that is no part of a clone.
    pub started: BTreeMap<String, String>,
    /// Where the instances of each clone are started.
    pub clones: BTreeMap<String, BTreeSet<String>>,
    /// Where the promoted instances of each clone are.
    pub promoted: BTreeMap<String, BTreeSet<String>>,
    /// Where the other instances of each promotable clone are.
    pub unpromoted: BTreeMap<String, BTreeSet<String>>,
    /// The failed resource actions.
    pub failed: Vec<String>,
}

impl Status {
    /// Reads the text.
    pub fn parse(text: &str) -> Self {
        let mut status = Self { text: text.to_owned(), ..Self::default() };
        let mut clone = None;
        let mut in_failed = false;
        for line in text.lines() {
            let item = line.trim().trim_start_matches("* ").trim();
            if line.starts_with("Failed ") {
                in_failed = true;
            } else if !line.starts_with([' ', '\t']) && !line.is_empty() {
                in_failed = false;
            } else if in_failed && !item.is_empty() {
                status.failed.push(item.to_owned());
            } else {
                status.read(item, &mut clone);
            }
        }
        status
    }

    fn read(&mut self, item: &str, clone: &mut Option<String>) {
        if let Some(rest) = item.strip_prefix("Current DC:") {
            self.dc = rest.split_whitespace().next().filter(|&name| name != "NONE").map(str::to_owned);
            self.quorate = rest.contains("partition with quorum");
        } else if let Some(names) = item.strip_prefix("Online:") {
            self.online.extend(listed(names));
        } else if let Some(names) = item.strip_prefix("OFFLINE:") {
            self.offline.extend(listed(names));
        } else if let Some(rest) = item.strip_prefix("Node ") {
            if let Some((name, state)) = rest.split_once(": ")
                && state.contains("standby")
            {
                self.standby.insert(name.to_owned());
            }
        } else if let Some(rest) = item.strip_prefix("Clone Set: ") {
            let name = rest.split([' ', ':']).next().unwrap_or_default();
            self.clones.entry(name.to_owned()).or_default();
            *clone = Some(name.to_owned());
        } else if let Some(names) = item.strip_prefix("Started:") {
            if let Some(nodes) = clone.as_ref().and_then(|name| self.clones.get_mut(name)) {
                nodes.extend(listed(names));
            }
        } else if let Some((roles, names)) = [("Promoted", &mut self.promoted), ("Unpromoted", &mut self.unpromoted)]
            .into_iter()
            // With `(target-role)` behind it where a person wants no more.
            .find_map(|(role, roles)| Some((roles, item.strip_prefix(role)?.split_once(": [")?.1)))
        {
            roles.entry(clone.clone().unwrap_or_default()).or_default().extend(listed(names));
        } else if let Some((head, place)) = item.split_once("Started ")
            && let Some((name, _)) = head.split_once(['\t', ' '])
            && let Some(node) = place.split_whitespace().next()
        {
            self.started.insert(name.to_owned(), node.to_owned());
        }
    }

    /// Where a primitive is started.
    pub fn place(&self, resource: &str) -> Option<&str> {
        self.started.get(resource).map(String::as_str)
    }

    /// Whether all of `nodes` are online and, but for those in standby, run the tutorial's
    /// resources.
    pub fn is_tutorial_up(&self, nodes: &[&str]) -> bool {
        let able = |node: &&&str| self.online.contains(**node);
        let clone = self.clones.get("Nginx-clone");
        let known = |node: &&str| self.online.contains(*node) || self.standby.contains(*node);
        nodes.iter().all(known)
            && self.place("FloatIP").is_some_and(|place| nodes.contains(&place))
            && nodes.iter().filter(able).all(|node| clone.is_some_and(|started| started.contains(*node)))
    }
}

/// The names in `[ one two ]`.
fn listed(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_whitespace()
        .filter(|word| !matches!(*word, "[" | "]"))
        .map(|word| word.trim_matches(['[', ']']).to_owned())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::Status;

    const TEXT: &str = "Cluster Summary:
  * Stack: hacd
  * Current DC: secondary (version 0.1.0) - partition with quorum
  * 2 nodes configured

Node List:
  * Node primary: standby
  * Online: [ secondary third ]
  * OFFLINE: [ fourth ]

Full List of Resources:
  * FloatIP\t(ocf:digitalocean:floatip):\t Started secondary
  * Clone Set: Nginx-clone [Nginx]:
    * Started: [ secondary third ]
    * Stopped: [ primary ]
  * Clone Set: db-ha [db] (promotable):
    * Promoted: [ third ]
    * Unpromoted (target-role): [ primary secondary ]

Failed Resource Actions:
  * Nginx start on secondary returned 'error' at Sun Nov 22 07:48:10 2026 after 2.698s
";

    #[test]
    fn the_text_people_know_is_read() {
        let status = Status::parse(TEXT);
        assert_eq!(status.dc.as_deref(), Some("secondary"));
        assert!(status.quorate);
        assert!(status.online.contains("third") && status.offline.contains("fourth"));
        assert!(status.standby.contains("primary") && !status.online.contains("primary"));
        assert_eq!(status.place("FloatIP"), Some("secondary"));
        assert_eq!(status.clones["Nginx-clone"].len(), 2);
        assert_eq!((status.promoted["db-ha"].len(), status.unpromoted["db-ha"].len()), (1, 2));
        assert!(status.promoted["db-ha"].contains("third"));
        assert_eq!(status.failed.len(), 1);
        assert!(status.failed[0].starts_with("Nginx start on secondary"));
        assert!(status.is_tutorial_up(&["primary", "secondary", "third"]));
        assert!(!status.is_tutorial_up(&["primary", "fourth"]));
    }

    #[test]
    fn nothing_is_read_from_nothing() {
        let status = Status::parse("Error: cannot reach hacd\n");
        assert!(status.online.is_empty() && status.dc.is_none() && !status.quorate);
        assert!(!status.is_tutorial_up(&["primary"]));
    }
}
