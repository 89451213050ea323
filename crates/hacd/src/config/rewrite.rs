//! The file with another list of nodes: everything else in it, comments too, stays as people wrote it.

use std::fmt::Write as _;

use hac_node::ClusterNode;

/// Keys of `[quorum]` that follow from the nodes.
const FOLLOWS: &[&str] = &["two_node", "expected_votes"];

/// The text with these nodes in the place of its own.
pub(crate) fn with_nodes(text: &str, nodes: &[ClusterNode], two_node: bool) -> String {
    let mut kept = String::with_capacity(text.len().saturating_add(256));
    let mut header = String::new();
    let mut quorum_seen = false;
    for line in text.lines() {
        if let Some(name) = table(line) {
            header = name;
            // One table of a name may be written once, so the key goes where the table is.
            if header == "quorum" {
                quorum_seen = true;
                kept.push_str(line);
                kept.push('\n');
                if two_node {
                    kept.push_str("two_node = \"yes\"\n");
                }
                continue;
            }
        }
        let key = line.split_once('=').map(|(key, _)| key.trim().trim_matches('"'));
        let follows = header == "quorum" && key.is_some_and(|key| FOLLOWS.contains(&key));
        if header == "nodelist.node" || header == "nodelist" || follows {
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    let mut text = kept.trim_end().to_owned();
    text.push('\n');
    if two_node && !quorum_seen {
        text.push_str("\n[quorum]\ntwo_node = \"yes\"\n");
    }
    for node in nodes {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[[nodelist.node]]\nname = \"{}\"\nnodeid = {}\n", node.name, node.id);
        for (link, address) in node.addresses.iter().enumerate() {
            let _ = writeln!(text, "ring{link}_addr = \"{address}\"");
        }
        if node.votes != 1 {
            let _ = writeln!(text, "quorum_votes = {}", node.votes);
        }
    }
    text
}

/// The name of the table that begins on this line: `[a.b]` or `[[a.b]]`.
fn table(line: &str) -> Option<String> {
    let line = line.trim_start();
    let inner = line.strip_prefix('[')?;
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    let (name, _) = inner.split_once(']')?;
    // Not a value that goes on over several lines, such as a list of texts.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '"' | '\'');
    if !name.chars().all(plain) || name.trim_start().starts_with('"') && !name.contains('.') {
        return None;
    }
    Some(name.split('.').map(|part| part.trim().trim_matches(['"', '\''])).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use hac_types::NodeId;

    use super::*;

    fn node(id: u32, votes: u32) -> ClusterNode {
        ClusterNode {
            id: NodeId(id),
            name: format!("n{id}"),
            addresses: vec![[10, 0, 0, u8::try_from(id).expect("small")].into()],
            votes,
            learner: votes == 0,
        }
    }

    #[test]
    fn only_the_nodes_and_what_follows_from_them_change() {
        let text = "# ours\n[totem]\ncluster_name = \"c\" # its name\n\n[[nodelist.node]]\nname = \"n1\"\nnodeid = 1\n\
                    ring0_addr = \"10.0.0.1\"\n\n[quorum]\nexpected_votes = 1\nwait_for_all = \"no\"\n\n[agents]\nscript = [\n  \"a\",\n]\n";
        let expected = "# ours\n[totem]\ncluster_name = \"c\" # its name\n\n[quorum]\ntwo_node = \"yes\"\nwait_for_all = \"no\"\n\n\
                        [agents]\nscript = [\n  \"a\",\n]\n\n[[nodelist.node]]\nname = \"n1\"\nnodeid = 1\nring0_addr = \"10.0.0.1\"\n\n\
                        [[nodelist.node]]\nname = \"n2\"\nnodeid = 2\nring0_addr = \"10.0.0.2\"\n";
        let two = with_nodes(text, &[node(1, 1), node(2, 1)], true);
        assert_eq!(two, expected);
        assert_eq!(with_nodes(&two, &[node(1, 1), node(2, 1)], true), expected, "twice is as once");
        let three = with_nodes(&two, &[node(1, 1), node(2, 1), node(3, 0)], false);
        assert!(
            !three.contains("two_node") && three.ends_with("ring0_addr = \"10.0.0.3\"\nquorum_votes = 0\n"),
            "{three}"
        );
    }

    #[test]
    fn a_file_without_a_quorum_table_gets_one() {
        let text = with_nodes("[totem]\ncluster_name = \"c\"\n", &[node(1, 1), node(2, 1)], true);
        assert!(
            text.starts_with("[totem]\ncluster_name = \"c\"\n\n[quorum]\ntwo_node = \"yes\"\n\n[[nodelist.node]]\n"),
            "{text}"
        );
    }
}
