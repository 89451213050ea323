//! `corosync.conf` into the text of `hacd.toml`, for people who move a cluster.
//!
//! What both know keeps its name and value. What hacd does differently, or not at all, is left out with a note that says
//! so, at the head of the new file and to the caller.

mod blocks;

#[cfg(test)]
mod tests;

use thiserror::Error;

use blocks::{Block, Line};

/// A converted configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The text of `hacd.toml`.
    pub toml: String,
    /// What a person should know about the conversion, one sentence or two each.
    pub notes: Vec<String>,
}

/// Why a text is no `corosync.conf`.
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
}

/// Keys of `totem` that hacd has too.
const TOTEM: &[&str] = &[
    "version",
    "cluster_name",
    "token",
    "token_coefficient",
    "token_retransmits_before_loss_const",
    "token_retransmit",
    "hold",
    "join",
    "consensus",
    "merge",
    "window_size",
    "max_messages",
    "netmtu",
];
/// Keys of `totem.interface` that hacd has too.
const INTERFACE: &[&str] = &["ringnumber", "linknumber", "bindnetaddr", "mcastport", "broadcast"];
/// Keys of `quorum` that hacd has too.
const QUORUM: &[&str] = &[
    "provider",
    "expected_votes",
    "two_node",
    "wait_for_all",
    "auto_tie_breaker",
    "auto_tie_breaker_node",
    "last_man_standing",
    "last_man_standing_window",
];
/// Keys of `nodelist.node` that hacd has too.
const NODE: &[&str] = &["ring0_addr", "ring1_addr", "name", "nodeid", "quorum_votes"];
/// Keys of `logging` that hacd has too; the log file is another.
const LOGGING: &[&str] = &[
    "to_logfile",
    "to_syslog",
    "to_stderr",
    "syslog_facility",
    "syslog_priority",
    "logfile_priority",
    "timestamp",
    "debug",
];
/// Keys whose values are texts.
const TEXTS: &[&str] =
    &["cluster_name", "name", "ring0_addr", "ring1_addr", "auto_tie_breaker_node", "syslog_facility"];
/// Keys that mean nothing once hacd does its own way.
const DROPPED_SILENTLY: &[&str] =
    &["secauth", "transport", "crypto_cipher", "crypto_hash", "keyfile", "key", "logfile"];

/// Converts the text of a `corosync.conf`.
///
/// # Errors
/// [`ConfError`] if the text has not the form of a `corosync.conf`, or names no node.
pub fn to_toml(text: &str) -> Result<Converted, ConfError> {
    let root = blocks::parse(text)?;
    let mut output = Output::default();
    output.totem(&root);
    output.quorum(&root);
    output.nodes(&root)?;
    output.logging(&root);
    for section in &root.blocks {
        if !matches!(section.name.as_str(), "totem" | "quorum" | "nodelist" | "logging") {
            output
                .note(format!("the section {} (line {}) is left out: hacd has none such", section.name, section.line));
        }
    }
    Ok(output.finish())
}

#[derive(Debug, Default)]
struct Output {
    body: String,
    notes: Vec<String>,
}

impl Output {
    fn totem(&mut self, root: &Block) {
        self.heading("[totem]");
        let sections: Vec<&Block> = root.all("totem").collect();
        for totem in &sections {
            self.known("totem", totem, TOTEM);
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
        }
        self.body.push_str("transport = \"udpu\"\n");
        self.note("make a new key with 'hacctl keygen' and copy it to all nodes: corosync's is not used".to_owned());
        for totem in sections {
            for interface in totem.all("interface") {
                self.heading("[[totem.interface]]");
                self.known("totem.interface", interface, INTERFACE);
            }
        }
    }

    fn quorum(&mut self, root: &Block) {
        for quorum in root.all("quorum") {
            self.heading("[quorum]");
            self.known("quorum", quorum, QUORUM);
            for device in &quorum.blocks {
                self.note(format!(
                    "quorum.{} (line {}) is left out: hacd has no quorum device",
                    device.name, device.line
                ));
            }
        }
    }

    fn nodes(&mut self, root: &Block) -> Result<(), ConfError> {
        let nodes: Vec<&Block> = root.all("nodelist").flat_map(|list| list.all("node")).collect();
        if nodes.is_empty() {
            let line = root.all("nodelist").next().map_or(1, |list| list.line);
            return Err(ConfError { line, problem: ConfProblem::NoNodes });
        }
        for (index, node) in nodes.into_iter().enumerate() {
            self.heading("[[nodelist.node]]");
            self.known("nodelist.node", node, NODE);
            let id = node.get("nodeid").map_or_else(
                || {
                    self.body.push_str(&format!("nodeid = {}\n", index + 1));
                    (index + 1).to_string()
                },
                |line| line.value.clone(),
            );
            let address = node.get("ring0_addr").map(|line| line.value.as_str()).unwrap_or_default();
            let is_address = address.parse::<std::net::IpAddr>().is_ok();
            if node.get("name").is_none() {
                let name = if is_address || address.is_empty() { format!("node{id}") } else { address.to_owned() };
                self.body.push_str(&format!("name = {}\n", quoted(&name)));
                self.note(format!("node {id} has no name; it is called {name} here, change it to its host's name"));
            }
            if !is_address {
                self.note(format!(
                    "ring0_addr of node {id} is no address; hacd resolves no names, write its IP address"
                ));
            }
        }
        Ok(())
    }

    fn logging(&mut self, root: &Block) {
        for logging in root.all("logging") {
            self.heading("[logging]");
            self.known("logging", logging, LOGGING);
            if logging.get("logfile").is_some() {
                self.note("the log goes to /var/log/hacd/hacd.log: corosync's file is left to corosync".to_owned());
            }
            for part in &logging.blocks {
                let line = part.line;
                self.note(format!("logging.{} (line {line}) is left out: hacd's parts log alike", part.name));
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

    /// Writes the keys of a section that hacd knows, and a note for each of the others.
    fn known(&mut self, path: &str, block: &Block, known: &[&str]) {
        for Line { key, value, line } in &block.lines {
            if known.contains(&key.as_str()) {
                self.body.push_str(&format!("{key} = {}\n", toml_value(key, value)));
            } else if !DROPPED_SILENTLY.contains(&key.as_str()) {
                self.note(format!("{path}.{key} (line {line}) is left out: hacd has no such key"));
            }
        }
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

/// A number as it is, anything else in quotes; texts always in quotes, even if they look like a number.
fn toml_value(key: &str, value: &str) -> String {
    match value.parse::<u64>() {
        Ok(number) if !TEXTS.contains(&key) => number.to_string(),
        _ => quoted(value),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
