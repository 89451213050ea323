//! `crm_resource`. What has to wait for the cluster, and what would run an agent by hand, is left to `hacctl`.

mod agents;
mod change;
mod look;
mod place;
mod why;

use hac_api::{CibResponse, Status, route};
use hac_model::{Cib, NvSet, Primitive, Resource, Role};
use hac_pacemaker::xml_tree::Node;
use hac_scheduler::view::{ClusterView, ResourceKind, ResourceView};

use crate::options::{COMMON, Given, Spec, Value, document, escaped};
use crate::{Ends, Said, client, exit, file, variable};

const PROGRAM: &str = "crm_resource";

const UNREACHABLE: &str = "crm_resource: Could not connect to the CIB: Transport endpoint is not connected\n\
    Error performing operation: Not connected";

const OPTIONS: &[Spec] = &[
    Spec("L", &["list"], Value::No),
    Spec("l", &["list-raw"], Value::No),
    Spec("W", &["locate"], Value::No),
    Spec("q", &["query-xml"], Value::No),
    Spec("w", &["query-xml-raw"], Value::No),
    Spec("g", &["get-parameter"], Value::Yes),
    Spec("G", &["get-property"], Value::Yes),
    Spec("r", &["resource"], Value::Yes),
    Spec("NH", &["node", "host", "uname"], Value::Yes),
    Spec("m", &["meta"], Value::No),
    Spec("z", &["utilization"], Value::No),
    Spec("p", &["set-parameter"], Value::Yes),
    Spec("d", &["delete-parameter"], Value::Yes),
    Spec("v", &["parameter-value"], Value::Yes),
    Spec("M", &["move"], Value::No),
    Spec("B", &["ban"], Value::No),
    Spec("U", &["clear", "un-move", "un-ban", "unmove"], Value::No),
    Spec("C", &["cleanup"], Value::No),
    Spec("R", &["refresh", "reprobe"], Value::No),
    Spec("n", &["operation"], Value::Yes),
    Spec("I", &["interval"], Value::Yes),
    Spec("u", &["lifetime"], Value::Yes),
    Spec("", &["promoted", "master"], Value::No),
    Spec("e", &["expired"], Value::No),
    Spec("Y", &["why"], Value::No),
    Spec("t", &["resource-type"], Value::Yes),
    Spec("s", &["set-name"], Value::Yes),
    Spec("Q", &["quiet"], Value::No),
    Spec("f", &["force"], Value::No),
    Spec("", &["wait"], Value::No),
    Spec("T", &["timeout"], Value::Yes),
    Spec("a", &["constraints"], Value::No),
    Spec("A", &["stack"], Value::No),
    Spec("O", &["list-operations"], Value::No),
    Spec("o", &["list-all-operations"], Value::No),
    Spec("", &["list-standards"], Value::No),
    Spec("", &["list-ocf-providers"], Value::Maybe),
    Spec("", &["list-ocf-alternatives"], Value::Yes),
    Spec("", &["list-agents"], Value::Yes),
    Spec("", &["show-metadata"], Value::Yes),
];

/// What `hacctl` does in place of commands that are not offered.
#[rustfmt::skip]
const INSTEAD: &[(&str, &[&str], &str)] = &[
    ("D", &["delete"], "hacctl configure delete RSC"),
    ("S", &["set-property"], "hacctl configure edit RSC"),
    ("", &["restart"], "hacctl resource restart RSC"),
    ("F", &["fail"], "hacctl simulate --op-fail RSC:monitor=1@NODE"),
    ("c", &["list-cts"], "hacctl status --json"),
    ("", &["force-check", "force-start", "force-stop", "force-promote", "force-demote"], "hacctl resource operations RSC"),
    ("", &["validate"], "hacctl configure verify"),
    ("", &["digests"], "hacctl explain RSC"),
];

const COMMANDS: &[&str] = &[
    "list",
    "list-raw",
    "locate",
    "query-xml",
    "query-xml-raw",
    "get-parameter",
    "get-property",
    "set-parameter",
    "delete-parameter",
    "move",
    "ban",
    "clear",
    "cleanup",
    "refresh",
    "constraints",
    "stack",
    "list-operations",
    "list-all-operations",
    "wait",
    "why",
];

const HELP: &str = "Usage: crm_resource -L | -l | -W -r RSC | -q -r RSC | -g NAME [-m | -z] -r RSC\n       \
    crm_resource -p NAME -v VALUE [-m | -z] -r RSC | -d NAME [-m | -z] -r RSC | -M -r RSC [-N NODE] | -B -r RSC [-N NODE]\n       \
    crm_resource -U -r RSC [-N NODE] | -C [-r RSC] [-N NODE] | -R [-r RSC] [-N NODE]\n\
    \n  -L, --list             all resources, and where they are (default)\n  -l, --list-raw         the ids of all primitives\n  \
    -W, --locate           where a resource is\n  -q, --query-xml        its configuration\n  \
    -g, --get-parameter=NAME  a parameter; with -m a meta-attribute, with -z of its utilization\n  \
    -r, --resource=RSC     the resource\n  -Q, --quiet            only the value\n  \
    -p, --set-parameter=NAME, -d, --delete-parameter=NAME, -v, --parameter-value=VALUE\n  \
    -M, --move             to a node, or away from where it is\n  -B, --ban              keep it off a node\n  \
    -U, --clear            remove what --move and --ban left; with -e, --expired only what is over\n  \
    --promoted             with --move and --ban: of the promoted role alone; -u, --lifetime=PT1H for so long\n  \
    -Y, --why              why resources run or do not\n  -C, --cleanup          forget failures\n  \
    -R, --refresh          forget all that is known, and look again\n  \
    -a, --constraints      what is said of where it may be; -A, --stack with what those hang on\n  \
    --wait                 until nothing is under way (-T, --timeout)\n  \
    -O, --list-operations  what was done with it since it was started; -o, --list-all-operations all of it\n  \
    --list-standards, --list-ocf-providers[=TYPE], --list-ocf-alternatives=TYPE, --list-agents=CLASS[:PROVIDER]\n  \
    --show-metadata=CLASS:PROVIDER:TYPE";

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    if let Some(said) = instead(words) {
        return Err(said);
    }
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let request = given.xml()?.then(|| format!("{PROGRAM} {}", words.join(" ")));
    if let Some(command) = given.last(agents::COMMANDS) {
        return agents::run(command, &given);
    }
    let command = given.last(COMMANDS).unwrap_or("list");
    let named = given.value("resource").map(str::to_owned).or_else(|| variable("OCF_RESOURCE_INSTANCE"));
    match (command, named) {
        ("set-parameter" | "delete-parameter" | "move" | "ban" | "clear" | "cleanup" | "refresh", named) => {
            change::run(command, named.as_deref(), &given)
        }
        ("list" | "list-raw", _) => list(command, request.as_deref()),
        ("wait", _) => look::wait(given.value("timeout")),
        ("list-operations" | "list-all-operations", named) => {
            look::operations(command == "list-all-operations", named.as_deref(), &given, request.as_deref())
        }
        ("why", named) => why::run(named.as_deref(), &given, request.as_deref()),
        (_, None) => Err(no_resource()),
        ("constraints" | "stack", Some(id)) => look::constraints(&id, command == "stack", request.as_deref()),
        ("locate", Some(id)) => locate(&id, &given, request.as_deref()),
        ("query-xml" | "query-xml-raw", Some(id)) => query(&id, request.as_deref()),
        (_, Some(id)) => value(&id, command, &given, request.as_deref()),
    }
}

/// What is said of a command that is not offered.
fn instead(words: &[String]) -> Option<Said> {
    words.iter().find_map(|word| {
        let name = word.strip_prefix("--").map(|long| long.split('=').next().unwrap_or(long));
        let letter = word.strip_prefix('-').filter(|rest| rest.chars().count() == 1 && !rest.starts_with('-'));
        let is = |(short, long, _): &&(&str, &[&str], &str)| {
            name.is_some_and(|name| long.contains(&name))
                || letter.is_some_and(|letter| !short.is_empty() && *short == letter)
        };
        let (_, _, use_this) = INSTEAD.iter().find(is)?;
        let err = format!("{PROGRAM}: hacd does not offer {word} under this name; use '{use_this}'");
        Some(Said::failed(exit::USAGE, err))
    })
}

fn view() -> Ends<ClusterView> {
    let status: Status = client::get(PROGRAM, &format!("{}?view=true", route::STATUS), UNREACHABLE)?;
    serde_json::from_value(status.view).map_err(unreadable)
}

fn cib() -> Ends<Cib> {
    let answer: CibResponse = client::get(PROGRAM, &format!("{}?secrets=true", route::CIB), UNREACHABLE)?;
    serde_json::from_value(answer.cib).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Said {
    Said::failed(exit::ERROR, format!("{PROGRAM}: hacd answers something else: {error}"))
}

fn no_resource() -> Said {
    Said::failed(exit::USAGE, format!("{PROGRAM}: Must supply a resource id with -r"))
}

fn not_found(id: &str) -> Said {
    let err = format!("{PROGRAM}: Resource '{id}' not found\nError performing operation: No such object");
    Said::failed(exit::NO_SUCH, err)
}

/// Refuses a resource that there is not.
pub(crate) fn must_exist(id: &str) -> Ends<()> {
    if named(&view()?.resources, id).is_empty() { Err(not_found(id)) } else { Ok(()) }
}

fn list(command: &str, request: Option<&str>) -> Ends<Said> {
    let view = view()?;
    let mut names = Vec::new();
    view.resources.iter().for_each(|resource| primitives(resource, &mut names));
    if let Some(request) = request {
        if command == "list" {
            return Ok(document(request, &hac_pacemaker::mon::resources_xml(&view, None, 1)));
        }
        let item = |name: &String| format!("    <item name=\"resource\">{}</item>\n", escaped(name));
        let items: String = names.iter().map(item).collect();
        let count = names.len();
        return Ok(document(
            request,
            &format!("  <list name=\"resource names\" count=\"{count}\">\n{items}  </list>\n"),
        ));
    }
    if command == "list-raw" {
        return Ok(Said::printed(names.join("\n")));
    }
    Ok(Said::printed(hac_pacemaker::mon::resources(&view)))
}

fn primitives(view: &ResourceView, names: &mut Vec<String>) {
    if matches!(view.kind, ResourceKind::Primitive { .. }) {
        names.push(view.id.clone());
    }
    view.children.iter().for_each(|child| primitives(child, names));
}

/// The nodes on which a resource is, and whether it is promoted there.
fn places(view: &ResourceView, found: &mut Vec<(String, bool)>) {
    if view.children.is_empty() {
        for node in &view.nodes {
            if !found.iter().any(|(known, _)| known == node) {
                found.push((node.clone(), view.role == Role::Promoted));
            }
        }
    }
    view.children.iter().for_each(|child| places(child, found));
}

fn locate(id: &str, given: &Given, request: Option<&str>) -> Ends<Said> {
    let view = view()?;
    let found = named(&view.resources, id);
    if found.is_empty() {
        return Err(not_found(id));
    }
    let mut nodes = Vec::new();
    found.iter().for_each(|resource| places(resource, &mut nodes));
    // As Pacemaker has them: the one that it read last comes first.
    nodes.reverse();
    if let Some(request) = request {
        let line = |(node, promoted): &(String, bool)| {
            let state = if *promoted { " state=\"promoted\"" } else { "" };
            format!("    <node{state}>{}</node>\n", escaped(node))
        };
        let (inside, id) = (nodes.iter().map(line).collect::<String>(), escaped(id));
        let element = match inside.as_str() {
            "" => format!("  <nodes resource=\"{id}\"/>\n"),
            inside => format!("  <nodes resource=\"{id}\">\n{inside}  </nodes>\n"),
        };
        return Ok(document(request, &element));
    }
    if nodes.is_empty() {
        return Ok(Said { err: format!("resource {id} is NOT running"), ..Said::nothing() });
    }
    let line = |(node, promoted): &(String, bool)| match (given.has("quiet"), promoted) {
        (true, _) => node.clone(),
        (false, true) => format!("resource {id} is running on: {node} Promoted"),
        (false, false) => format!("resource {id} is running on: {node}"),
    };
    Ok(Said::printed(nodes.iter().map(line).collect::<Vec<_>>().join("\n")))
}

fn named<'a>(tree: &'a [ResourceView], id: &str) -> Vec<&'a ResourceView> {
    let mut found = Vec::new();
    for view in tree {
        if view.id == id || view.name == id {
            found.push(view);
        } else {
            found.extend(named(&view.children, id));
        }
    }
    found
}

fn query(id: &str, request: Option<&str>) -> Ends<Said> {
    let cib = cib()?;
    let found =
        cib.configuration.resources.iter().find_map(|resource| inside(resource, id)).ok_or_else(|| not_found(id))?;
    let element = match found {
        Found::Whole(resource) => hac_pacemaker::crm_syntax::resource_xml(resource),
        Found::Part(primitive) => hac_pacemaker::crm_syntax::resource_xml(&Resource::Primitive(primitive.clone())),
    };
    // A file has it as it was written.
    let element = written(id)?.unwrap_or(element);
    let view = view()?;
    if let Some(request) = request {
        let shown = named(&view.resources, id).into_iter().next();
        let shown = shown.map(|shown| hac_pacemaker::mon::resources_xml(&view, Some(shown), 2)).unwrap_or_default();
        let inside =
            format!("  <resource_config>\n{shown}    <xml><![CDATA[{element}]]></xml>\n  </resource_config>\n");
        return Ok(document(request, &inside));
    }
    let parts = named(&view.resources, id).first().map(|resource| hac_pacemaker::mon::parts(&view, resource));
    Ok(Said::printed(format!("{}Resource XML:\n{element}", parts.unwrap_or_default())))
}

/// The element of a resource in `CIB_file`, if it stands there by itself: not one that a template makes whole.
fn written(id: &str) -> Ends<Option<String>> {
    fn find<'a>(node: &'a Node, id: &str) -> Option<&'a Node> {
        node.children.iter().find_map(|child| if child.get("id") == Some(id) { Some(child) } else { find(child, id) })
    }
    let Some(name) = file::named() else { return Ok(None) };
    let text = file::text(&name).map_err(|trouble| client::troubled(PROGRAM, trouble, UNREACHABLE))?;
    let Ok(root) = Node::parse(text) else { return Ok(None) };
    let resources = root.child("configuration").and_then(|configuration| configuration.child("resources"));
    let found = resources.and_then(|resources| find(resources, id));
    Ok(found.filter(|found| found.get("template").is_none()).map(Node::text))
}

/// A resource of the configuration, at whatever depth.
enum Found<'a> {
    Whole(&'a Resource),
    Part(&'a Primitive),
}

fn inside<'a>(resource: &'a Resource, id: &str) -> Option<Found<'a>> {
    if resource.id() == id {
        return Some(Found::Whole(resource));
    }
    match resource {
        Resource::Group(group) => group.members.iter().find(|member| member.id == id).map(Found::Part),
        Resource::Clone(clone) => inside(&clone.child, id),
        Resource::Bundle(bundle) => bundle.primitive.as_ref().filter(|inner| inner.id == id).map(Found::Part),
        Resource::Primitive(_) | Resource::Template(_) => None,
    }
}

/// The meta-attributes that a resource has from the group and the clone it is in, the nearest first; none if it is not
/// within `resource`.
fn inherited<'a>(resource: &'a Resource, id: &str) -> Option<Vec<&'a NvSet>> {
    if resource.id() == id {
        return Some(Vec::new());
    }
    let mut sets = match resource {
        Resource::Group(group) if group.members.iter().any(|member| member.id == id) => Vec::new(),
        Resource::Clone(clone) => inherited(&clone.child, id)?,
        _ => return None,
    };
    sets.extend(resource.meta());
    Some(sets)
}

fn value(id: &str, command: &str, given: &Given, request: Option<&str>) -> Ends<Said> {
    let cib = cib()?;
    // An agent knows its instance by number, where the configuration has none.
    let base = id.rsplit_once(':').map_or(id, |(base, _)| base);
    let resources = &cib.configuration.resources;
    let found = [id, base].into_iter().find_map(|id| resources.iter().find_map(|resource| inside(resource, id)));
    let found = found.ok_or_else(|| not_found(id))?;
    let primitive = match &found {
        Found::Part(primitive) => Some(*primitive),
        Found::Whole(Resource::Primitive(primitive)) => Some(primitive),
        Found::Whole(_) => None,
    };
    let (params, meta, utilization): (&[NvSet], &[NvSet], &[NvSet]) = match (primitive, &found) {
        (Some(primitive), _) => (&primitive.params, &primitive.meta, &primitive.utilization),
        (None, Found::Whole(Resource::Group(group))) => (&group.params, &group.meta, &[]),
        (None, Found::Whole(Resource::Clone(clone))) => (&clone.params, &clone.meta, &[]),
        (None, Found::Whole(whole)) => (&[], whole.meta(), &[]),
        (None, Found::Part(_)) => (&[], &[], &[]),
    };
    let name = given.value(command).unwrap_or_default();
    let agent = primitive.map(|primitive| &primitive.agent);
    let value = match command {
        "get-property" => match (name, agent) {
            ("class", Some(agent)) => Some(agent.class.clone()),
            ("provider", Some(agent)) => agent.provider.clone(),
            ("type", Some(agent)) => Some(agent.kind.clone()),
            ("id", _) => Some(id.to_owned()),
            _ => None,
        },
        _ => {
            let mut sets: Vec<&NvSet> = match (given.has("meta"), given.has("utilization")) {
                (true, _) => meta.iter().collect(),
                (_, true) => utilization.iter().collect(),
                _ => params.iter().collect(),
            };
            if given.has("meta") {
                let inner = primitive.map_or(id, |primitive| &primitive.id);
                sets.extend(resources.iter().find_map(|resource| inherited(resource, inner)).unwrap_or_default());
                sets.extend(&cib.configuration.rsc_defaults);
            }
            let set = given.value("set-name");
            let wanted = sets.iter().filter(|of| set.is_none_or(|set| of.id == set));
            wanted.filter_map(|set| set.get(name)).next().map(str::to_owned)
        }
    };
    let Some(value) = value else {
        let err = format!("Attribute '{name}' not found for '{id}'");
        return Ok(match (request, command) {
            (Some(request), "get-property") => document(request, ""),
            (Some(request), _) => {
                let (request, err) = (escaped(request), escaped(&err));
                Said::printed(format!(
                    "<pacemaker-result api-version=\"2.38\" request=\"{request}\">\n  <status code=\"0\" message=\"OK\">\n    \
                     <errors>\n      <error>{err}</error>\n    </errors>\n  </status>\n</pacemaker-result>"
                ))
            }
            // Of what the element does not have nothing is said.
            (None, "get-property") => Said::nothing(),
            (None, _) => Said { err, ..Said::nothing() },
        });
    };
    Ok(match request {
        Some(request) => {
            let item = format!("    <item name=\"{}\">{}</item>\n", escaped(name), escaped(&value));
            document(request, &format!("  <list name=\"attributes\" count=\"1\">\n{item}  </list>\n"))
        }
        None => Said::printed(format!("{value}\n")),
    })
}
