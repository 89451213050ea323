//! `attrd_updater`: attributes of nodes that last until the node restarts.

use hac_api::{Attributes, Command, NodeAttributes};
use hac_model::parse_duration_ms;
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
    Spec("z", &["utilization"], Value::No),
];

const HELP: &str = "Usage: attrd_updater -n NAME [-Q | -U VALUE | -B VALUE -d DELAY | -D | -R] [OPTIONS]\n\
    \n  -Q, --query           print the value (default)\n  -U, --update=VALUE    set it; value++ and value+=N compute\n  \
    -B, --update-both=VALUE  the same, and the delay of -d\n  -Y, --update-delay    only the delay\n  \
    -d, --delay=TIME      changes count together when there was none for so long (of a new attribute, or with -B and -Y)\n  \
    -R, --refresh         changes that wait count now\n  -D, --delete          remove it\n  \
    -n, --name=NAME       the attribute\n  -P, --pattern=REGEX   all attributes that match\n  -N, --node=NODE       of this node\n  \
    -A, --all             of all nodes\n  -p, --private         the daemons tell each other, nothing is decided by it\n  \
    -z, --utilization     a new one is a capacity of the node\n  -W, --wait=no|local|cluster";

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
        "refresh" => {
            let refused = format!("{PROGRAM}: Could not refresh attributes: Connection refused (111)");
            facts::order(PROGRAM, Command::WriteAttributes, false, &refused)?;
            return Ok(Said::nothing());
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
    // A client that waits gets the cluster's agreement.
    let wait = given.value("wait").is_some_and(|wait| wait != "no");
    // What is no time is none.
    let delay = given.value("delay").map(|delay| parse_duration_ms(delay).unwrap_or(0));
    for name in &names {
        let is_known =
            known.dampened.contains(name) || known.nodes.iter().any(|node| self::value(node, name).is_some());
        if command == "update-delay" && !is_known {
            let err = format!("{PROGRAM}: Could not update delay of {name}: attribute does not exist");
            return Err(Said::failed(exit::NO_SUCH, err));
        }
        if matches!(command, "update-delay" | "update-both") && is_known {
            let change = Command::Dampening { name: name.clone(), dampening_ms: delay.unwrap_or(0) };
            facts::order(PROGRAM, change, wait, &refused)?;
        }
        if command != "update-delay" {
            let (private, utilization) = (given.has("private"), given.has("utilization"));
            let attribute = Transient { node: &node, name, value, private, dampening_ms: delay, utilization, wait };
            attribute.set(PROGRAM, &refused)?;
        }
    }
    let warned = command == "update-delay" && delay.is_none();
    let warning = "Warning: '-Y' given without '-d': changes count at once from now on";
    Ok(if warned { Said::printed(warning) } else { Said::nothing() })
}

fn known_names(known: &Attributes) -> Vec<String> {
    let pairs =
        known.nodes.iter().flat_map(|node| node.transient.iter().chain(&node.private)).flat_map(|set| &set.pairs);
    let mut names: Vec<String> = pairs.map(|pair| pair.name.clone()).collect();
    names.sort();
    names.dedup();
    names
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
