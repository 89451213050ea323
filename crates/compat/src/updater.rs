//! `attrd_updater`: attributes of nodes that last until the node restarts.

use hac_api::{Attributes, NodeAttributes};
use regex_lite::Regex;

use crate::facts::{self, Transient};
use crate::options::{COMMON, Given, Spec, Value, document, escaped};
use crate::{Ends, Said, exit};

const PROGRAM: &str = "attrd_updater";

const OPTIONS: &[Spec] = &[
    Spec("n", &["name"], Value::Yes),
    Spec("P", &["pattern"], Value::Yes),
    Spec("Uv", &["update"], Value::Yes),
    Spec("B", &["update-both"], Value::Yes),
    Spec("Y", &["update-delay"], Value::No),
    Spec("Q", &["query"], Value::No),
    Spec("D", &["delete"], Value::No),
    Spec("R", &["refresh"], Value::No),
    Spec("d", &["delay"], Value::Yes),
    Spec("s", &["set"], Value::Yes),
    Spec("N", &["node"], Value::Yes),
    Spec("A", &["all"], Value::No),
    Spec("p", &["private"], Value::No),
    Spec("W", &["wait"], Value::Yes),
    Spec("l", &["lifetime"], Value::Yes),
    Spec("S", &["section"], Value::Yes),
    Spec("q", &["quiet"], Value::No),
];

const HELP: &str = "Usage: attrd_updater -n NAME [-Q | -U VALUE | -B VALUE -d DELAY | -D | -R] [OPTIONS]\n\
    \n  -Q, --query           print the value (default)\n  -U, --update=VALUE    set it; value++ and value+=N compute\n  \
    -B, --update-both=VALUE  the same; changes count at once, whatever the delay\n  -D, --delete          remove it\n  \
    -n, --name=NAME       the attribute\n  -P, --pattern=REGEX   all attributes that match\n  -N, --node=NODE       of this node\n  \
    -A, --all             of all nodes\n  -p, --private         known to this node's daemon alone\n  \
    -W, --wait=no|local|cluster";

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let xml = given.xml()?;
    let command = ["update", "update-both", "update-delay", "delete", "refresh", "query"];
    // An update counts more than a query, whichever comes last.
    let command = given.last(&command[..5]).or_else(|| given.last(&command)).unwrap_or("query");
    let name = given.value("name");
    let pattern = given.value("pattern").map(Regex::new).transpose();
    let pattern =
        pattern.map_err(|_| Said::failed(exit::USAGE, format!("{PROGRAM}: --pattern: not a regular expression")))?;
    match command {
        "refresh" => return Ok(Said::nothing()),
        "update-delay" => {
            let warned = !given.has("delay");
            let warning = "Warning: '-Y' given without '-d'; hacd lets every change count at once";
            return Ok(if warned { Said::printed(warning) } else { Said::nothing() });
        }
        _ if name.is_none() && pattern.is_none() => {
            return Err(Said::failed(exit::USAGE, "Command requires --name or --pattern argument"));
        }
        _ => {}
    }
    let value = match command {
        "update" => Some(given.value("update").unwrap_or_default()),
        "update-both" => Some(given.value("update-both").unwrap_or_default()),
        _ => None,
    };
    let refused = match (command, value, name) {
        ("query", ..) => "Could not connect to attribute manager: Connection refused".to_owned(),
        (_, value, name) => format!(
            "{PROGRAM}: Could not update {}={}: Connection refused (111)",
            name.unwrap_or_default(),
            value.unwrap_or_default()
        ),
    };
    let known = facts::attributes(PROGRAM, name, &refused)?;
    let node = facts::meant(&known, given.value("node"));
    if command == "query" {
        let request = format!("{PROGRAM} {}", words.join(" "));
        return query(&known, &given, name.unwrap_or_default(), &node, xml.then_some(request.as_str()));
    }
    let names: Vec<String> = match (name, &pattern) {
        (Some(name), _) => vec![name.to_owned()],
        (None, Some(pattern)) => known_names(&known).into_iter().filter(|name| pattern.is_match(name)).collect(),
        (None, None) => Vec::new(),
    };
    // Whoever waits gets the cluster's agreement.
    let wait = given.value("wait").is_some_and(|wait| wait != "no");
    for name in &names {
        let private = given.has("private") || is_private(&known, name);
        let transient = Transient { node: &node, name, value, private, wait };
        transient.set(PROGRAM, &refused)?;
    }
    Ok(Said::nothing())
}

fn known_names(known: &Attributes) -> Vec<String> {
    let pairs =
        known.nodes.iter().flat_map(|node| node.transient.iter().chain(&node.private)).flat_map(|set| &set.pairs);
    let mut names: Vec<String> = pairs.map(|pair| pair.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether an attribute was made private when it was set first.
fn is_private(known: &Attributes, name: &str) -> bool {
    known.nodes.iter().any(|node| facts::find(&node.private, None, name).is_some())
}

fn value<'a>(node: &'a NodeAttributes, name: &str) -> Option<&'a str> {
    let found = facts::find(&node.private, None, name).or_else(|| facts::find(&node.transient, None, name));
    found.map(|pair| pair.value.as_str())
}

fn query(known: &Attributes, given: &Given, name: &str, node: &str, request: Option<&str>) -> Ends<Said> {
    if !known.nodes.iter().any(|node| value(node, name).is_some()) {
        let err = format!("{PROGRAM}: Could not query value of {name}: attribute does not exist");
        return Err(Said::failed(exit::CONFIG, err));
    }
    let found: Vec<(&str, &str)> = if given.has("all") {
        known.nodes.iter().filter_map(|node| Some((node.name.as_str(), value(node, name)?))).collect()
    } else {
        vec![(node, facts::node(known, node).and_then(|node| value(node, name)).unwrap_or_default())]
    };
    let pair = |(host, value): &(&str, &str), quote: fn(&str) -> String| {
        format!("name=\"{}\" host=\"{}\" value=\"{}\"", quote(name), quote(host), quote(value))
    };
    if let Some(request) = request {
        let line = |(host, value): &(&str, &str)| {
            let (name, value, host) = (escaped(name), escaped(value), escaped(host));
            format!("  <attribute name=\"{name}\" value=\"{value}\" host=\"{host}\"/>\n")
        };
        return Ok(document(request, &found.iter().map(line).collect::<String>()));
    }
    let lines: Vec<String> = found.iter().map(|found| pair(found, str::to_owned)).collect();
    Ok(if given.silent() { Said::nothing() } else { Said::printed(lines.join("\n")) })
}
