//! What may come next in a line.

use hac_crm::cib::{NamesOf, known_names};
use hac_model::Configuration;
use hac_pacemaker::crm_syntax;

use super::{Argument, Kind, LEVELS, Level, Need, abbreviated};

/// A word that may come next, with a line about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    /// The word.
    pub(crate) word: String,
    /// What it is; may be empty.
    pub(crate) help: String,
}

/// What a cluster has that words can name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Ids of resources.
    pub(crate) resources: Vec<String>,
    /// Names of nodes.
    pub(crate) nodes: Vec<String>,
    /// Ids of all objects.
    pub(crate) objects: Vec<String>,
    /// Agents, `ocf:heartbeat:nginx`.
    pub(crate) agents: Vec<String>,
    /// Parameters of the agent that the line is about: name, and a line of help.
    pub(crate) parameters: Vec<(String, String)>,
    /// Operations of that agent.
    pub(crate) operations: Vec<String>,
    /// Words that begin a line, beside the levels: name, and a line of help.
    pub(crate) commands: Vec<(String, String)>,
}

impl Known {
    /// The names in a configuration.
    pub(crate) fn of(configuration: &Configuration) -> Self {
        let ids = crm_syntax::ids(configuration);
        let resources = ["primitive", "group", "clone", "ms", "bundle"];
        let of = |kinds: &[&str]| {
            let chosen = ids.iter().filter(|(kind, _)| kinds.contains(kind));
            chosen.map(|(_, id)| id.clone()).collect::<Vec<_>>()
        };
        Self {
            resources: of(&resources),
            nodes: configuration.nodes.iter().map(|node| node.uname.clone()).collect(),
            objects: ids.iter().map(|(_, id)| id.clone()).collect(),
            ..Self::default()
        }
    }
}

/// The words that may follow `before`, where `level` is the level that one is in; only those that go on with `begun`.
pub(crate) fn candidates(
    level: Option<&'static Level>,
    before: &[String],
    begun: &str,
    known: &Known,
) -> Vec<Candidate> {
    let before: Vec<&str> = before.iter().map(String::as_str).filter(|word| !is_option(word)).collect();
    let mut found = match (level, before.as_slice()) {
        (None, []) => top(known),
        (None, [first, rest @ ..]) => match level_of(first) {
            Some(level) => within(level, rest, begun, known),
            None => others(first, rest, known),
        },
        (Some(level), words) => within(level, words, begun, known),
    };
    if level.is_some() && before.is_empty() {
        let moves = [("up", "Leave this level"), ("help", "What the words mean"), ("quit", "Leave the shell")];
        found.extend(moves.map(|(word, help)| candidate(word, help)));
    }
    found.retain(|candidate| candidate.word.starts_with(begun));
    found.sort();
    found.dedup_by(|a, b| a.word == b.word);
    found
}

fn is_option(word: &str) -> bool {
    matches!(word, "--json" | "-w" | "--wait" | "--dry-run" | "-y" | "--yes" | "-F" | "--force")
}

/// The level that a word is or abbreviates.
pub(crate) fn level_of(word: &str) -> Option<&'static Level> {
    let names: Vec<&'static str> = LEVELS.iter().map(|level| level.name).collect();
    match abbreviated(word, &names)[..] {
        [only] => Level::find(only),
        _ => None,
    }
}

fn candidate(word: impl Into<String>, help: &str) -> Candidate {
    Candidate { word: word.into(), help: help.to_owned() }
}

fn plain(words: &[String]) -> Vec<Candidate> {
    words.iter().map(|word| candidate(word.clone(), "")).collect()
}

fn top(known: &Known) -> Vec<Candidate> {
    let levels = LEVELS.iter().map(|level| candidate(level.name, level.about));
    levels.chain(known.commands.iter().map(|(word, help)| candidate(word.clone(), help))).collect()
}

/// Commands that are in no level and take names.
fn others(first: &str, rest: &[&str], known: &Known) -> Vec<Candidate> {
    match (first, rest) {
        ("explain", []) => {
            [&known.resources[..], &known.nodes[..]].concat().into_iter().map(|word| candidate(word, "")).collect()
        }
        ("status", _) => {
            ["full", "bynode", "inactive", "ops", "timing", "failcounts", "verbose", "html", "xml", "simple", "brief"]
                .map(|word| candidate(word, ""))
                .to_vec()
        }
        ("simulate", [.., "--node-down" | "--standby" | "--node-up"]) => plain(&known.nodes),
        ("help", []) => top(known),
        _ => Vec::new(),
    }
}

fn within(level: &'static Level, words: &[&str], begun: &str, known: &Known) -> Vec<Candidate> {
    let [first, rest @ ..] = words else {
        let offered = level.commands.iter().filter(|command| command.instead.is_none());
        return offered.flat_map(|command| command.names.iter().map(|name| candidate(*name, command.about))).collect();
    };
    let Ok(command) = level.command(first) else { return Vec::new() };
    if let [Argument(_, Kind::Statement, _)] = command.arguments {
        return statement(command.name(), rest, begun, known);
    }
    let mut found: Vec<Candidate> = command.options.iter().map(|option| candidate(*option, "")).collect();
    let mut at = 0;
    for word in rest {
        let arguments = command.arguments.get(at..).unwrap_or_default();
        at += arguments.iter().position(|argument| argument.1.claims(word)).unwrap_or(0);
        if command.arguments.get(at).is_some_and(|argument| matches!(argument.0, Need::One | Need::Maybe)) {
            at += 1;
        }
    }
    for Argument(need, kind, _) in command.arguments.get(at..).unwrap_or_default() {
        found.extend(of_kind(*kind, known));
        if *need == Need::One {
            break;
        }
    }
    if command.name() == "show" && level.name == "configure" {
        let kinds = crm_syntax::KEYWORDS.iter().map(|kind| candidate(format!("type:{kind}"), ""));
        found.extend(kinds.chain(["xml", "changed"].map(|word| candidate(word, ""))));
    }
    found
}

fn of_kind(kind: Kind, known: &Known) -> Vec<Candidate> {
    match kind {
        Kind::Resource => plain(&known.resources),
        Kind::Node => plain(&known.nodes),
        Kind::Object => plain(&known.objects),
        Kind::Agent => plain(&known.agents),
        Kind::Word(words) => words.iter().map(|word| candidate(*word, "")).collect(),
        Kind::Lifetime => ["forever", "reboot", "PT5M"].map(|word| candidate(word, "")).to_vec(),
        Kind::Parameter => known.parameters.iter().map(|(name, help)| candidate(name.clone(), help)).collect(),
        Kind::File | Kind::Value | Kind::Text | Kind::Statement | Kind::Foreign => Vec::new(),
    }
}

/// Inside a statement of `crm configure`.
fn statement(keyword: &str, words: &[&str], begun: &str, known: &Known) -> Vec<Candidate> {
    let names = |names: &[&str]| names.iter().map(|name| candidate(format!("{name}="), "")).collect::<Vec<_>>();
    let blocks = |blocks: &[&str]| blocks.iter().map(|block| candidate(*block, "")).collect::<Vec<_>>();
    let block =
        words.iter().rev().find(|word| matches!(**word, "params" | "meta" | "op" | "utilization" | "attributes"));
    let meta = || names(&known_names(NamesOf::Meta));
    let operation = || names(&known_names(NamesOf::Operation));
    match (keyword, words.len(), block.copied()) {
        ("property", ..) => names(&known_names(NamesOf::Properties)),
        ("rsc_defaults", ..) => meta(),
        ("op_defaults", ..) => operation(),
        ("primitive" | "rsc_template", 1, _) => agents(begun, known),
        ("primitive" | "rsc_template", 2.., Some("params")) => {
            let given = |name: &str| words.iter().any(|word| word.split_once('=').is_some_and(|(n, _)| n == name));
            let parameters = known.parameters.iter().filter(|(name, _)| !given(name));
            let mut found: Vec<Candidate> =
                parameters.map(|(name, help)| candidate(format!("{name}="), help)).collect();
            found.extend(blocks(&["meta", "op", "utilization"]));
            found
        }
        ("primitive" | "rsc_template" | "group", 2.., Some("meta")) => {
            let mut found = meta();
            found.extend(blocks(&["params", "op"]));
            found
        }
        ("clone" | "ms", 2.., Some("meta")) => meta(),
        ("primitive" | "rsc_template", 2.., Some("op")) if words.last() == Some(&"op") => {
            let mut operations = known.operations.clone();
            operations.extend(["start", "stop", "monitor"].map(str::to_owned));
            plain(&operations)
        }
        ("primitive" | "rsc_template", 2.., Some("op")) => {
            let mut found = operation();
            found.extend(blocks(&["op", "meta", "params"]));
            found
        }
        ("primitive" | "rsc_template", 2.., _) => blocks(&["params", "meta", "op", "utilization"]),
        ("group", 1.., _) => [plain(&known.resources), blocks(&["meta"])].concat(),
        ("clone" | "ms", 1, _) | ("location", 1, _) | ("monitor", 0, _) => plain(&known.resources),
        ("clone" | "ms", 2.., _) => blocks(&["meta"]),
        ("location", 2.., _) => [plain(&known.nodes), blocks(&["inf:", "-inf:", "100:", "rule"])].concat(),
        ("colocation", 1, _) => blocks(&["inf:", "-inf:", "100:"]),
        ("order", 1, _) => blocks(&["Mandatory:", "Optional:", "Serialize:"]),
        ("colocation" | "order" | "rsc_ticket", 2.., _) => plain(&known.resources),
        ("node", 0, _) => plain(&known.nodes),
        ("node", 1, _) => blocks(&["attributes", "utilization"]),
        ("rename", 0, _) | ("tag", 1.., _) => plain(&known.objects),
        ("modgroup", 0 | 2, _) => plain(&known.resources),
        ("modgroup", 1, _) => blocks(&["add", "remove"]),
        _ => Vec::new(),
    }
}

/// Agents step by step: class, provider, type; and types alone.
fn agents(begun: &str, known: &Known) -> Vec<Candidate> {
    let depth = begun.matches(':').count();
    let mut found: Vec<Candidate> = known
        .agents
        .iter()
        .map(|agent| {
            let parts: Vec<&str> = agent.split(':').collect();
            if parts.len() > depth + 1 { format!("{}:", parts[..=depth].join(":")) } else { agent.clone() }
        })
        .map(|word| candidate(word, ""))
        .collect();
    if depth == 0 && !begun.is_empty() {
        found.extend(known.agents.iter().filter_map(|a| a.strip_prefix("ocf:heartbeat:")).map(|a| candidate(a, "")));
    }
    found
}
