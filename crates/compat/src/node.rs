//! `crm_node`: who is in the cluster.

use std::fmt::Write as _;

use hac_api::Attributes;

use crate::options::{COMMON, Given, Spec, Value, document, escaped};
use crate::{Ends, Said, exit, facts, variable};

const PROGRAM: &str = "crm_node";

const OPTIONS: &[Spec] = &[
    Spec("n", &["name"], Value::No),
    Spec("N", &["name-for-id"], Value::Yes),
    Spec("i", &["cluster-id"], Value::No),
    Spec("l", &["list"], Value::No),
    Spec("p", &["partition"], Value::No),
    Spec("q", &["quorum"], Value::No),
    Spec("R", &["remove"], Value::Yes),
    Spec("f", &["force"], Value::No),
    Spec("Q", &["quiet"], Value::No),
    Spec("C", &["corosync"], Value::No),
];

const COMMANDS: &[&str] = &["name", "name-for-id", "cluster-id", "list", "partition", "quorum", "remove"];

const HELP: &str = "Usage: crm_node -n | -N ID | -i | -l | -p | -q\n\
    \n  -n, --name            the name of this node\n  -N, --name-for-id=ID  the name of the node with this id\n  \
    -i, --cluster-id      the id of this node\n  -l, --list            all nodes: id, name, member or lost\n  \
    -p, --partition       the names of the members\n  -q, --quorum          1 with quorum, 0 without";

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let xml = given.xml()?;
    let Some(command) = given.last(COMMANDS) else { return Err(Said::failed(exit::USAGE, HELP)) };
    let request = xml.then(|| format!("{PROGRAM} {}", words.join(" ")));
    if command == "name"
        && let Some(name) = variable("OCF_RESKEY_CRM_meta_on_node")
    {
        let node = format!("  <node-info uname=\"{}\"/>\n", escaped(&name));
        return Ok(request.map_or_else(|| Said::printed(name), |request| document(&request, &node)));
    }
    if command == "remove" {
        let err =
            "crm_node: hacd does not offer --remove: 'hacctl configure delete' removes a node from the configuration";
        return Err(Said::failed(exit::USAGE, err));
    }
    let unreachable = match command {
        "list" | "partition" => "crm_node: Could not connect to controller: Connection refused",
        _ => "",
    };
    // No attribute has no name: only the nodes are asked for.
    let known = facts::attributes(PROGRAM, Some(""), unreachable)?;
    if let Some(request) = request {
        return xml_form(command, &known, &given, &request);
    }
    Ok(match command {
        "name" => Said::printed(known.node),
        "cluster-id" => Said::printed(known.node_id.to_string()),
        "quorum" => Said::printed(if known.quorate { "1" } else { "0" }),
        "name-for-id" => match named(&known, &given) {
            Some(name) => Said::printed(name),
            None => return Err(Said::failed(exit::NO_HOST, "Node is not known to cluster")),
        },
        "partition" => {
            let members: Vec<&str> =
                known.nodes.iter().filter(|node| node.member).map(|node| node.name.as_str()).collect();
            Said::printed(members.join(" "))
        }
        _ => Said::printed(known.nodes.iter().fold(String::new(), |mut text, node| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {} {}", node.id, node.name, state(node.member));
            text
        })),
    })
}

const fn state(member: bool) -> &'static str {
    if member { "member" } else { "lost" }
}

fn named(known: &Attributes, given: &Given) -> Option<String> {
    let id = given.value("name-for-id")?;
    known.nodes.iter().find(|node| node.id == id).map(|node| node.name.clone())
}

fn xml_form(command: &str, known: &Attributes, given: &Given, request: &str) -> Ends<Said> {
    let inside = match command {
        "quorum" => format!("  <cluster-info quorum=\"{}\"/>\n", known.quorate),
        "list" | "partition" => {
            let nodes = known.nodes.iter().filter(|node| command == "list" || node.member);
            let line = |node: &hac_api::NodeAttributes| {
                let (id, name) = (escaped(&node.id), escaped(&node.name));
                format!("    <node id=\"{id}\" name=\"{name}\" state=\"{}\"/>\n", state(node.member))
            };
            format!("  <nodes>\n{}  </nodes>\n", nodes.map(line).collect::<String>())
        }
        _ => {
            let (id, name) = match command {
                "name-for-id" => (given.value("name-for-id").unwrap_or_default().to_owned(), named(known, given)),
                _ => (known.node_id.to_string(), Some(known.node.clone())),
            };
            let name = name.ok_or_else(|| Said::failed(exit::NO_HOST, "Node is not known to cluster"))?;
            format!("  <node-info nodeid=\"{}\" uname=\"{}\"/>\n", escaped(&id), escaped(&name))
        }
    };
    Ok(document(request, &inside))
}
