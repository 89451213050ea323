//! `corosync.conf` into the text of `hacd.toml`, for people who move a cluster.
//!
//! What both know keeps its name and value. What hacd does differently, or not at all, is left out with a note that says
//! so, at the head of the new file and to the caller. What hacd would refuse is never handed on: it is put right or left out
//! with a note, or the file is refused with the line at fault.

mod blocks;
mod keys;
mod nodes;
mod rules;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use thiserror::Error;

use blocks::{Block, Line};
use keys::{DROPPED_SILENTLY, INTERFACE, Key, LOGGING, NODE, QUORUM, TOTEM, quoted};
use nodes::{Node, Nodes};
use rules::Kept;

/// A converted configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The text of `hacd.toml`.
    pub toml: String,
    /// What a person should know about the conversion, one sentence or two each.
    pub notes: Vec<String>,
}

/// Why a `corosync.conf` cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct ConfError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: ConfProblem,
}

/// What can be wrong with a `corosync.conf`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfProblem {
    /// Neither `KEY: VALUE`, `NAME {`, `}` nor a comment.
    #[error("'{0}' is neither KEY: VALUE nor the beginning or end of a section")]
    Nonsense(String),
    /// A `}` without section.
    #[error("this }} closes nothing")]
    Unopened,
    /// The section that begins here has no end.
    #[error("the section {0} has no }}")]
    Unclosed(String),
    /// Sections inside sections without end.
    #[error("sections are nested too deep")]
    TooDeep,
    /// There are no nodes in it.
    #[error("there is no nodelist with a node; hacd needs the address of every node")]
    NoNodes,
    /// More nodes than hacd takes.
    #[error("the nodelist has more than {0} nodes")]
    TooManyNodes(usize),
    /// A node without an address on link 0.
    #[error("this node has no ring0_addr; write its private address there")]
    NoAddress,
    /// Something else where an address belongs.
    #[error("{0} is '{1}', which is not an IP address; hacd does not resolve names: write the address there")]
    NotAnAddress(String, String),
    /// An address that no host has.
    #[error("{0} is {1}, which is not the address of a host; write the node's private address there")]
    NotOfAHost(String, String),
    /// Two nodes have the same.
    #[error("{key} {value} belongs to the node of line {line} too; make them differ")]
    Twice {
        /// The key.
        key: String,
        /// The value that both have.
        value: String,
        /// Line of the other node.
        line: usize,
    },
    /// IPv4 and IPv6 on one link.
    #[error("this address and that of the node of line {0} are not of one family; use IPv4 or IPv6 for all")]
    Families(usize),
    /// A node's votes.
    #[error("quorum_votes is '{0}'; hacd takes 0 to 255")]
    Votes(String),
    /// Nobody can vote.
    #[error("no node has a vote; give at least one node quorum_votes of 1 or more")]
    NoVotes,
}

/// Converts the text of a `corosync.conf`. What comes out is accepted by hacd.
///
/// # Errors
/// [`ConfError`] if the text does not have the form of a `corosync.conf`, names no node, or has a node list that a person
/// must put right first.
pub fn to_toml(text: &str) -> Result<Converted, ConfError> {
    let mut root = blocks::parse(text)?;
    let mut output = Output::default();
    nodes::from_members(&mut root).into_iter().for_each(|note| output.note(note));
    let nodes = nodes::read(&root).map_err(printable)?;
    output.totem(&root, &nodes);
    output.quorum(&root, &nodes);
    output.nodes(&nodes);
    output.logging(&root);
    for section in &root.blocks {
        if !matches!(section.name.as_str(), "totem" | "quorum" | "nodelist" | "logging") {
            output.note(format!(
                "the section {} (line {}) is left out: hacd has no such section",
                section.name, section.line
            ));
        }
    }
    Ok(output.finish())
}

/// Makes what is quoted from the file harmless for a terminal.
fn printable(error: ConfError) -> ConfError {
    let clean = |text: String| crate::text::printable(&text).into_owned();
    let problem = match error.problem {
        ConfProblem::NotAnAddress(key, value) => ConfProblem::NotAnAddress(key, clean(value)),
        ConfProblem::NotOfAHost(key, value) => ConfProblem::NotOfAHost(key, clean(value)),
        ConfProblem::Twice { key, value, line } => ConfProblem::Twice { key, value: clean(value), line },
        ConfProblem::Votes(value) => ConfProblem::Votes(clean(value)),
        other => other,
    };
    ConfError { problem, ..error }
}

#[derive(Debug, Default)]
struct Output {
    body: String,
    notes: Vec<String>,
}

impl Output {
    fn totem(&mut self, root: &Block, nodes: &Nodes<'_>) {
        self.heading("[totem]");
        let sections: Vec<&Block> = root.all("totem").collect();
        for totem in &sections {
            let mut kept = self.known("totem", totem, TOTEM);
            if let Some(transport) = totem.get("transport")
                && transport.value != "udpu"
            {
                self.note(format!(
                    "transport {} becomes udpu: hacd talks by UDP unicast, encrypted, on up to two links",
                    transport.value
                ));
            }
            for (key, own) in [("crypto_cipher", "aes256"), ("crypto_hash", "sha256")] {
                if let Some(line) = totem.get(key)
                    && line.value != own
                {
                    self.note(format!("{key} {} becomes {own}, hacd's default", line.value));
                }
            }
            let notes = rules::timers(&mut kept, nodes.list.len());
            self.write(&kept, notes);
        }
        self.body.push_str("transport = \"udpu\"\n");
        self.note("make a new key with 'hacctl keygen' and copy it to all nodes: corosync's is not used".to_owned());
        let mut described = BTreeSet::new();
        for interface in sections.into_iter().flat_map(|totem| totem.all("interface")) {
            self.interface(interface, nodes, &mut described);
        }
    }

    /// A link. Those that hacd does not have, or that no node has an address on, are left out.
    fn interface(&mut self, interface: &Block, nodes: &Nodes<'_>, described: &mut BTreeSet<String>) {
        let number = interface.get("linknumber").or_else(|| interface.get("ringnumber"));
        let link = number.map_or("0", |line| line.value.as_str());
        let why = match link {
            "0" => None,
            "1" if nodes.two_links() => None,
            "1" => Some("not every node has an address on it that hacd can use".to_owned()),
            _ => Some("hacd has the links 0 and 1".to_owned()),
        };
        let why = why.or_else(|| (!described.insert(link.to_owned())).then(|| "it is described twice".to_owned()));
        if let Some(why) = why {
            return self.note(format!("totem.interface of link {link} (line {}) is left out: {why}", interface.line));
        }
        self.heading("[[totem.interface]]");
        let kept = self.known("totem.interface", interface, INTERFACE);
        self.write(&kept, Vec::new());
    }

    fn quorum(&mut self, root: &Block, nodes: &Nodes<'_>) {
        for quorum in root.all("quorum") {
            self.heading("[quorum]");
            let mut kept = self.known("quorum", quorum, QUORUM);
            for device in &quorum.blocks {
                self.note(format!(
                    "quorum.{} (line {}) is left out: hacd has no quorum device",
                    device.name, device.line
                ));
            }
            let notes = rules::quorum(&mut kept, nodes, !quorum.blocks.is_empty());
            self.write(&kept, notes);
        }
    }

    fn nodes(&mut self, nodes: &Nodes<'_>) {
        if let Some(why) = &nodes.single {
            self.note(format!("link 1 is not used: {why}; all nodes need an address of their own on it"));
        }
        for node in &nodes.list {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node<'_>) {
        self.heading("[[nodelist.node]]");
        let Node { id, name, block, .. } = node;
        for Line { key, line, .. } in &block.lines {
            if !NODE.iter().any(|(known, _)| known == key) && !DROPPED_SILENTLY.contains(&key.as_str()) {
                self.note(format!("nodelist.node.{key} (line {line}) is left out: hacd has no such key"));
            }
        }
        let mut entries = vec![("ring0_addr", quoted(&node.first.to_string()))];
        entries.extend(node.second.map(|address| ("ring1_addr", quoted(&address.to_string()))));
        entries.push(("name", quoted(name)));
        entries.push(("nodeid", id.to_string()));
        if block.get("quorum_votes").is_some() {
            entries.push(("quorum_votes", node.votes.to_string()));
        }
        entries.into_iter().for_each(|(key, value)| self.body.push_str(&format!("{key} = {value}\n")));
        if node.new_id {
            let old = node.old_id.map(|old| format!("nodeid {old} of ")).unwrap_or_default();
            self.note(format!("{old}the node of line {} is {id} here: hacd takes 1 to 65535", block.line));
        }
        if node.new_name {
            self.note(format!(
                "node {id} has no name that hacd takes; it is called {name} here, change it to its host's name"
            ));
        }
    }

    fn logging(&mut self, root: &Block) {
        for logging in root.all("logging") {
            self.heading("[logging]");
            let kept = self.known("logging", logging, LOGGING);
            self.write(&kept, Vec::new());
            if logging.get("logfile").is_some() {
                self.note("the log goes to /var/log/hacd/hacd.log: corosync's file is left to corosync".to_owned());
            }
            for part in &logging.blocks {
                let line = part.line;
                self.note(format!("logging.{} (line {line}) is left out: all parts of hacd log alike", part.name));
            }
        }
    }

    fn heading(&mut self, heading: &str) {
        if !self.body.is_empty() {
            self.body.push('\n');
        }
        self.body.push_str(heading);
        self.body.push('\n');
    }

    /// The keys of a section that hacd knows with values that it takes, and a note for each of the others.
    fn known(&mut self, path: &str, block: &Block, known: &[Key]) -> Kept {
        let mut kept = Kept::default();
        for Line { key, value, line } in &block.lines {
            match known.iter().find(|(name, _)| name == key) {
                Some((name, kind)) => match kind.toml(value) {
                    Some(value) => kept.push(name, value, *line),
                    None => {
                        let words = kind.words();
                        self.note(format!("{path}.{key} {value} (line {line}) is left out: hacd takes {words}"));
                    }
                },
                None if DROPPED_SILENTLY.contains(&key.as_str()) => {}
                None => self.note(format!("{path}.{key} (line {line}) is left out: hacd has no such key")),
            }
        }
        kept
    }

    fn write(&mut self, kept: &Kept, notes: Vec<String>) {
        kept.lines().for_each(|line| self.body.push_str(&line));
        notes.into_iter().for_each(|note| self.note(note));
    }

    fn note(&mut self, note: String) {
        self.notes.push(crate::text::printable(&note).into_owned());
    }

    fn finish(self) -> Converted {
        let mut toml = String::from("# Converted from corosync.conf.\n");
        for note in &self.notes {
            toml.push_str(&format!("# Note: {note}.\n"));
        }
        toml.push('\n');
        toml.push_str(&self.body);
        Converted { toml, notes: self.notes }
    }
}
