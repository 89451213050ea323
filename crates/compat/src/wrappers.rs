//! `crm_master`, `crm_standby` and `crm_failcount`: old names for what is done with attributes.

use crate::options::{COMMON, Given, Spec, Value};
use crate::{Ends, Said, attribute, client, exit, facts, file, resource, variable};
use hac_api::{Command, CommandRequest, route};

const OPTIONS: &[Spec] = &[
    Spec("G", &["query", "get-value"], Value::No),
    Spec("v", &["update", "attr-value"], Value::Yes),
    Spec("D", &["delete", "delete-attr"], Value::No),
    Spec("qQ", &["quiet"], Value::No),
    Spec("NU", &["node", "uname", "node-uname"], Value::Yes),
    Spec("lt", &["lifetime", "type"], Value::Yes),
    Spec("ri", &["resource", "resource-id"], Value::Yes),
];

/// `crm_attribute` in place of `program`: an attribute of this name, for this long.
fn instead(program: &str, given: &Given, name: &str, lifetime: &str) -> Ends<Said> {
    let mut words: Vec<String> = ["-n", name, "-l", lifetime].map(str::to_owned).to_vec();
    let mut add = |option: &str, value: Option<&str>| {
        words.push(option.to_owned());
        words.extend(value.map(str::to_owned));
    };
    if let Some(node) = given.value("node") {
        add("-N", Some(node));
    }
    if given.has("quiet") {
        add("-q", None);
    }
    match given.last(&["query", "update", "delete"]) {
        Some("update") => add("-v", Some(given.value("update").unwrap_or_default())),
        Some("delete") => add("-D", None),
        _ => add("-G", None),
    }
    attribute::run(program, &words)
}

/// `crm_master`: promotion scores.
pub(crate) fn master(words: &[String]) -> Ends<Said> {
    const HELP: &str = "Usage: crm_master -v SCORE | -D | -G [-q] [-N NODE] [-l reboot|forever] [-r RESOURCE]";
    let given = Given::read("crm_master", &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let resource = given.value("resource").map(str::to_owned).or_else(|| variable("OCF_RESOURCE_INSTANCE"));
    let Some(resource) = resource else {
        return Err(Said { out: HELP.to_owned(), err: "error: No resource specified".to_owned(), code: exit::ERROR });
    };
    instead("crm_attribute", &given, &format!("master-{resource}"), given.value("lifetime").unwrap_or("forever"))
}

/// `crm_standby`: whether a node is on standby.
pub(crate) fn standby(words: &[String]) -> Ends<Said> {
    const HELP: &str = "Usage: crm_standby -G | -v on|off | -D [-N NODE] [-l reboot|forever] [-q]";
    let given = Given::read("crm_standby", &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let lifetime = given.value("lifetime");
    match given.last(&["query", "update", "delete"]) {
        Some("update") => instead("crm_attribute", &given, "standby", lifetime.unwrap_or("forever")),
        Some("delete") => {
            let forever = instead("crm_attribute", &given, "standby", "forever")?;
            instead("crm_attribute", &given, "standby", "reboot")?;
            Ok(forever)
        }
        _ => {
            let lifetimes = lifetime.map_or_else(|| vec!["forever", "reboot"], |lifetime| vec![lifetime]);
            for lifetime in lifetimes {
                match instead("crm_attribute", &given, "standby", lifetime) {
                    // The attribute is not set; what else there is not (a node, a file) is no standby that is off.
                    Err(said) if said.code == exit::NO_SUCH && said.err.ends_with("No such device or address") => {}
                    ended => return ended,
                }
            }
            Ok(Said::printed(if given.has("quiet") { "off" } else { "scope=status  name=standby value=off" }))
        }
    }
}

/// `crm_failcount`: how often a resource failed.
pub(crate) fn failcount(words: &[String]) -> Ends<Said> {
    const PROGRAM: &str = "crm_failcount";
    const MORE: &[Spec] = &[Spec("n", &["operation"], Value::Yes), Spec("I", &["interval"], Value::Yes)];
    const HELP: &str = "Usage: crm_failcount -G | -D -r RESOURCE [-n OPERATION] [-I INTERVAL] [-N NODE] [-q]";
    let given = Given::read(PROGRAM, &[MORE, OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let Some(command) = given.last(&["query", "update", "delete"]) else {
        return Err(Said::failed(exit::USAGE, "error: must specify a command"));
    };
    let Some(resource) = given.value("resource").map(str::to_owned).or_else(|| variable("OCF_RESOURCE_INSTANCE"))
    else {
        return Err(Said::failed(exit::USAGE, "error: resource name required"));
    };
    if command == "update" {
        let err = "crm_failcount: setting a fail count is not offered; -D forgets failures".to_owned();
        return Ok(Said { err, ..Said::nothing() });
    }
    let known = facts::attributes(PROGRAM, None, attribute::UNREACHABLE)?;
    if file::named().is_some() && !given.has("node") && variable("OCF_RESKEY_CRM_meta_on_node").is_none() {
        // A file does not say which of its nodes this one is.
        return Err(Said { out: HELP.to_owned(), ..Said::failed(exit::USAGE, "error: node name required") });
    }
    let named = facts::meant(&known, given.value("node"));
    let Some(node) = facts::node(&known, &named) else {
        let err = format!("crm_attribute: Could not map name={named} to a UUID");
        return Err(Said::failed(exit::NO_SUCH, err));
    };
    let interval = given.value("interval").and_then(hac_model::parse_duration_ms).unwrap_or(0);
    if command == "delete" {
        resource::must_exist(&resource)?;
        let operation = given.value("operation").map(str::to_owned);
        let interval_ms = operation.is_some().then_some(interval);
        let (of, on) = (Some(resource.clone()), Some(node.name.clone()));
        let command = Command::Cleanup { resource: of, node: on, operation, interval_ms };
        let request = CommandRequest { command, wait_ms: None };
        client::post(PROGRAM, route::COMMAND, &request, true, attribute::UNREACHABLE)?;
        return Ok(Said::printed(format!("Cleaned up {resource} on {}", node.name)));
    }
    let name = match given.value("operation") {
        Some(operation) => format!("fail-count-{resource}#{operation}_{interval}"),
        None => format!("fail-count-{resource}"),
    };
    let pairs = node.transient.iter().flat_map(|set| &set.pairs);
    let counted = pairs.filter(|pair| match given.has("operation") {
        true => pair.name == name,
        false => pair.name == name || pair.name.strip_prefix(&name).is_some_and(|rest| rest.starts_with('#')),
    });
    let counts = counted.filter_map(|pair| hac_model::parse_score(&pair.value)).map(i64::from);
    let infinity = i64::from(hac_model::INFINITY);
    let count = counts.fold(0, |sum: i64, count| sum.saturating_add(count).min(infinity));
    let count = if count >= infinity { "INFINITY".to_owned() } else { count.to_string() };
    Ok(Said::printed(if given.has("quiet") { count } else { format!("scope=status  name={name} value={count}") }))
}
