//! `crmadmin`: who coordinates, and how nodes take part.

use hac_api::{Attributes, MemberState, Status, route};

use crate::options::{COMMON, Given, Spec, Value, document, escaped};
use crate::{Ends, Said, client, exit, facts};

const PROGRAM: &str = "crmadmin";

const UNREACHABLE: &str =
    "error: Could not connect to controller: Connection refused\nerror: Command failed: Connection refused";

const OPTIONS: &[Spec] = &[
    Spec("D", &["dc_lookup"], Value::No),
    Spec("S", &["status"], Value::Yes),
    Spec("N", &["nodes"], Value::Maybe),
    Spec("P", &["pacemakerd"], Value::No),
    Spec("t", &["timeout"], Value::Yes),
    Spec("q", &["quiet"], Value::No),
    Spec("B", &["bash-export"], Value::No),
    Spec("E", &["election"], Value::No),
    Spec("K", &["kill"], Value::Yes),
    Spec("i", &["ipc-name"], Value::Yes),
];

const COMMANDS: &[&str] = &["dc_lookup", "status", "nodes", "pacemakerd"];

const HELP: &str = "Usage: crmadmin -D | -S NODE | -N | -P\n\
    \n  -D, --dc_lookup    which node coordinates\n  -S, --status=NODE  how a node takes part\n  \
    -N, --nodes        the names of all nodes\n  -P, --pacemakerd   whether the daemon runs\n  \
    -q, --quiet        only the value\n  -B, --bash-export  as variables of a shell (-N)";

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    for (option, instead) in
        [("kill", "hacctl node standby NODE, or systemctl stop hacd there"), ("election", "hacctl status")]
    {
        if given.has(option) {
            let err = format!("{PROGRAM}: hacd does not offer --{option}; use '{instead}'");
            return Err(Said::failed(exit::USAGE, err));
        }
    }
    let request = given.xml()?.then(|| format!("{PROGRAM} {}", words.join(" ")));
    let Some(command) = given.last(COMMANDS) else {
        return Err(Said::failed(exit::USAGE, "error: Must specify a command option\n"));
    };
    if command == "nodes" {
        return nodes(&given, request.as_deref());
    }
    let status: Status = client::get(PROGRAM, route::STATUS, UNREACHABLE)?;
    let (text, element) = match command {
        "dc_lookup" => {
            let dc = status.dc.unwrap_or_default();
            let text = match (given.has("quiet"), dc.is_empty()) {
                (true, _) => dc.clone(),
                (false, true) => "Designated Controller is: not yet elected".to_owned(),
                (false, false) => format!("Designated Controller is: {dc}"),
            };
            (text, format!("  <dc node_name=\"{}\"/>\n", escaped(&dc)))
        }
        "status" => {
            let node = given.value("status").unwrap_or_default();
            let known = status.members.nodes.iter().find(|known| known.name == node);
            if !known.is_some_and(|known| known.state == MemberState::Joined) {
                return Err(Said::failed(exit::TIMEOUT, "error: No reply received from controller before timeout"));
            }
            let state = match status.dc.as_deref() == Some(node) {
                true if !status.settled => "S_TRANSITION_ENGINE",
                true => "S_IDLE",
                false => "S_NOT_DC",
            };
            let text = if given.has("quiet") {
                state.to_owned()
            } else {
                format!("Controller on {node} in state {state}: ok")
            };
            (text, format!("  <crmd node_name=\"{}\" state=\"{state}\" result=\"ok\"/>\n", escaped(node)))
        }
        _ => (
            "Status of pacemakerd: 'Pacemaker is running'".to_owned(),
            "  <pacemakerd state=\"running\"/>\n".to_owned(),
        ),
    };
    Ok(match request {
        Some(request) => document(&request, &element),
        None => Said::printed(text),
    })
}

fn nodes(given: &Given, request: Option<&str>) -> Ends<Said> {
    let known: Attributes = facts::attributes(PROGRAM, None, UNREACHABLE)?;
    let of = |line: &dyn Fn(&str, &str) -> String| -> String {
        known.nodes.iter().map(|node| line(&node.name, &node.id)).collect()
    };
    Ok(match (request, given.has("bash-export"), given.has("quiet")) {
        (Some(request), ..) => {
            let line = |name: &str, id: &str| {
                format!("    <node type=\"member\" name=\"{}\" id=\"{}\"/>\n", escaped(name), escaped(id))
            };
            document(request, &format!("  <nodes>\n{}  </nodes>\n", of(&line)))
        }
        (None, true, _) => Said::printed(of(&|name, id| format!("export {name}={id}\n"))),
        (None, _, true) => Said::printed(of(&|name, _| format!("{name}\n"))),
        _ => Said::printed(of(&|name, id| format!("cluster node: {name} ({id})\n"))),
    })
}
