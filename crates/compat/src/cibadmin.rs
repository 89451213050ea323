//! `cibadmin`: the configuration as XML, of the running cluster or of a file (`CIB_file`).
//!
//! Secrets are masked; a mask that comes back stands for the secret that is there. The status of a running cluster is
//! written by the cluster alone.

mod digest;

use std::fs::File;
use std::io::{self, Read};

use hac_api::{CibResponse, ConfigureRequest, Version, route};
use hac_crm::cib::Change;
use hac_model::Cib;
use hac_pacemaker::cib_xml;
use hac_pacemaker::xml_tree::{self, Node, Path, Refused};

use crate::client::{self, Ask, Trouble};
use crate::options::{COMMON, Given, Spec, Value};
use crate::{Ends, Said, exit, file};

const PROGRAM: &str = "cibadmin";

/// Most of a document that is read, bytes.
const INPUT_MAX: u64 = 64 << 20;

const OPTIONS: &[Spec] = &[
    Spec("Q", &["query"], Value::No),
    Spec("C", &["create"], Value::No),
    Spec("M", &["modify"], Value::No),
    Spec("R", &["replace"], Value::No),
    Spec("D", &["delete"], Value::No),
    Spec("d", &["delete-all"], Value::No),
    Spec("E", &["erase"], Value::No),
    Spec("B", &["bump"], Value::No),
    Spec("P", &["patch"], Value::No),
    Spec("u", &["upgrade"], Value::No),
    Spec("a", &["empty"], Value::Maybe),
    Spec("5", &["md5-sum"], Value::No),
    Spec("6", &["md5-sum-versioned"], Value::No),
    Spec("X", &["xml-text"], Value::Yes),
    Spec("x", &["xml-file"], Value::Yes),
    Spec("p", &["xml-pipe"], Value::No),
    Spec("o", &["scope", "obj_type"], Value::Yes),
    Spec("A", &["xpath"], Value::Yes),
    Spec("e", &["node-path", "get-node-path"], Value::No),
    Spec("n", &["no-children"], Value::No),
    Spec("l", &["local"], Value::No),
    Spec("N", &["node"], Value::Yes),
    Spec("f", &["force"], Value::No),
    Spec("c", &["allow-create", "can-create"], Value::No),
    Spec("t", &["timeout"], Value::Yes),
    Spec("U", &["user"], Value::Yes),
    Spec("s", &["sync-call"], Value::No),
    Spec("S", &["score"], Value::No),
];

const COMMANDS: &[&str] = &[
    "query",
    "create",
    "modify",
    "replace",
    "delete",
    "delete-all",
    "erase",
    "bump",
    "patch",
    "upgrade",
    "empty",
    "md5-sum",
    "md5-sum-versioned",
];

/// Sections of a configuration.
const SECTIONS: &[&str] = &[
    "crm_config",
    "nodes",
    "resources",
    "constraints",
    "rsc_defaults",
    "op_defaults",
    "fencing-topology",
    "acls",
    "tags",
    "alerts",
];

const HELP: &str = "Usage: cibadmin COMMAND [OPTIONS]\n\
    \n  -Q, --query      print the CIB; with -o a section, with -A what a path leads to (-e the paths, -n without children)\n  \
    -C, --create     add objects\n  -M, --modify     set attributes of objects; with -c add those that are not there\n  \
    -R, --replace    put objects in the place of those of their ids\n  -D, --delete     remove objects; with -A the first that a path leads to\n  \
    -d, --delete-all remove all that a path leads to (-A, --force)\n  -P, --patch      carry out a difference that crm_diff wrote\n  \
    -E, --erase      remove everything (--force; with CIB_file)\n  -B, --bump       count the version up\n  -u, --upgrade    nothing: the form is the newest\n  \
    -a, --empty      print an empty CIB\n  \
    -5, --md5-sum, -6, --md5-sum-versioned   the digest of the data\n\nData: -X TEXT   -x FILE   -p (standard input)\nWhere: -o SECTION   -A PATH";

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let Some(command) = given.last(COMMANDS) else {
        return Err(Said::failed(exit::USAGE, format!("{PROGRAM}: must specify a command\n{HELP}")));
    };
    match command {
        "empty" => return Ok(Said::printed(empty(given.value("empty")))),
        "md5-sum" | "md5-sum-versioned" => return sum(command, &given),
        "erase" | "upgrade" | "delete-all" if !given.has("force") => {
            let err = "The supplied command is considered dangerous.  To prevent accidental destruction of the cluster, \
                       the --force flag is required in order to proceed.";
            return Err(Said::failed(exit::UNSAFE, err));
        }
        "upgrade" => return Ok(Said::nothing()),
        _ => {}
    }
    let unknown = section(&given).filter(|name| !is_section(name)).map(no_section);
    if let Some(err) = unknown.as_ref().filter(|_| command != "query") {
        return Err(Said::failed(exit::USAGE, err));
    }
    let path = given.value("xpath").map(Path::read).transpose();
    let path = path.map_err(|error| {
        let said = failed(&Refused::Missing);
        Said { err: format!("{PROGRAM}: --xpath: {error}\n{}", said.err), ..said }
    })?;
    if command == "query" {
        let said = query(&load()?.0, &given, path.as_ref())?;
        // As Pacemaker does, the whole is shown; what may have been meant is said beside it.
        return Ok(Said { err: unknown.unwrap_or_default(), ..said });
    }
    let data = data(command, &given)?;
    let (mut root, live) = load()?;
    let before = root.clone();
    let section = section(&given);
    let done = match &path {
        Some(path) => at_path(&mut root, command, path, data.as_ref()),
        None => in_section(&mut root, command, section, data.as_ref(), given.has("allow-create")),
    };
    done.map_err(|why| {
        let said = failed(&why);
        let list = data.as_ref().filter(|_| why == Refused::Exists).map(|data| refused(command, &why, data));
        Said { out: list.unwrap_or_default(), ..said }
    })?;
    if root == before && command != "bump" {
        return Ok(Said::nothing());
    }
    if command != "patch" {
        count(&mut root, &before, command == "bump");
    }
    store(&root, &before, live)
}

/// The digest of a document.
fn sum(command: &str, given: &Given) -> Ends<Said> {
    if given.last(&["xml-text", "xml-file", "xml-pipe"]).is_none() {
        return Err(Said::failed(exit::USAGE, "Please supply XML to process with -X, -x or -p"));
    }
    let Some(document) = data(command, given)? else { return Ok(Said::nothing()) };
    let (digest, err) = digest::of(&document, command == "md5-sum-versioned");
    Ok(Said { err, ..Said::printed(digest) })
}

/// What is said of a section that there is not.
fn no_section(name: &str) -> String {
    let near = hac_model::nearest(name, SECTIONS.iter().copied()).map(|near| format!("; did you mean {near}?"));
    format!(
        "{PROGRAM}: there is no section '{name}'{}\nThe sections are: cib, configuration, {}, status",
        near.unwrap_or_default(),
        SECTIONS.join(", ")
    )
}

/// The section that is named; nothing is the whole document.
fn section(given: &Given) -> Option<&str> {
    given.value("scope").filter(|scope| *scope != "cib" && *scope != "all")
}

/// What a call that cannot be carried out says, and how it ends.
fn failed(why: &Refused) -> Said {
    let code = match why {
        Refused::Exists => 108,
        Refused::Missing => exit::NO_SUCH,
        Refused::Invalid => exit::CONFIG,
        Refused::Old => 103,
    };
    Said::failed(code, format!("Call failed: {why}"))
}

/// What was not done, as XML on standard output.
fn refused(command: &str, why: &Refused, data: &Node) -> String {
    let text = |text: &str| text.to_owned();
    let attributes = vec![
        (text("id"), data.get("id").unwrap_or_default().to_owned()),
        (text("object_type"), data.name.clone()),
        (text("operation"), call(command)),
        (text("reason"), why.to_string()),
    ];
    let update = Node { name: text("failed_update"), attributes, children: vec![data.clone()] };
    Node { name: text("failed"), children: vec![update], ..Node::default() }.text()
}

fn call(command: &str) -> String {
    format!("cib_{}", if command == "patch" { "apply_diff" } else { command }.replace('-', "_"))
}

fn empty(schema: Option<&str>) -> String {
    let schema = schema.unwrap_or("pacemaker-3.9");
    let set = hac_model::FEATURE_SET;
    format!(
        "<cib crm_feature_set=\"{set}\" validate-with=\"{schema}\" epoch=\"1\" num_updates=\"0\" admin_epoch=\"0\">\n  <configuration>\n    <crm_config/>\n    <nodes/>\n    <resources/>\n    <constraints/>\n  </configuration>\n  <status/>\n</cib>\n"
    )
}

/// The document, and the state of the cluster that it is; none where it is a file.
fn load() -> Ends<(Node, Option<Cib>)> {
    if let Some(name) = file::named() {
        let text = file::text(&name).map_err(troubled)?;
        let root = Node::parse(text)
            .map_err(|error| Said::failed(exit::CONFIG, format!("{PROGRAM}: Couldn't parse CIB_file: {error}")))?;
        return Ok((root, None));
    }
    let answer: CibResponse = client::ask(&Ask::Get(route::CIB), None).map_err(troubled)?;
    let unreadable = |error: &dyn std::fmt::Display| {
        Said::failed(exit::ERROR, format!("{PROGRAM}: hacd answers something else: {error}"))
    };
    let cib: Cib = serde_json::from_value(answer.cib).map_err(|error| unreadable(&error))?;
    let root = Node::parse(&cib_xml::write(&cib)).map_err(|error| unreadable(&error))?;
    Ok((root, Some(cib)))
}

fn troubled(trouble: Trouble) -> Said {
    match trouble {
        Trouble::Nobody => Said::failed(
            exit::DISCONNECT,
            "cibadmin: Could not connect to the CIB: Transport endpoint is not connected\n\
             cibadmin: Init failed, could not perform requested operations: Transport endpoint is not connected",
        ),
        Trouble::Late => Said::failed(124, "Call failed: Timer expired"),
        Trouble::Refused(code, why) => Said::failed(code, format!("Call failed: {why}")),
    }
}

fn query(root: &Node, given: &Given, path: Option<&Path>) -> Ends<Said> {
    let shown = |node: &Node| if given.has("no-children") { node.bare().text() } else { node.text() };
    if let Some(path) = path {
        let places = path.find(root);
        let nodes: Vec<&Node> = places.iter().filter_map(|place| root.at(place)).collect();
        return match nodes.as_slice() {
            [] => Err(failed(&Refused::Missing)),
            _ if given.has("node-path") => {
                Ok(Said::printed(places.iter().map(|place| root.path(place)).collect::<Vec<_>>().join("\n")))
            }
            [only] => Ok(Said::printed(shown(only))),
            several => {
                let several =
                    several.iter().map(|node| if given.has("no-children") { node.bare() } else { (*node).clone() });
                let all = Node { name: "xpath-query".to_owned(), children: several.collect(), ..Node::default() };
                Ok(Said::printed(all.text()))
            }
        };
    }
    let Some(scope) = section(given).filter(|name| is_section(name)) else { return Ok(Said::printed(shown(root))) };
    match frame(root, scope) {
        Some(node) => Ok(Said::printed(shown(node))),
        None => Err(failed(&Refused::Missing)),
    }
}

fn is_section(name: &str) -> bool {
    SECTIONS.contains(&name) || name == "configuration" || name == "status"
}

/// The element of a section.
fn frame<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    match name {
        "configuration" | "status" => root.child(name),
        _ => root.child("configuration")?.child(name),
    }
}

/// The same to be changed; it is made if it is not there.
fn frame_mut<'a>(root: &'a mut Node, name: &str) -> &'a mut Node {
    let inner = !matches!(name, "configuration" | "status");
    let configuration = if inner { child_or_new(root, "configuration") } else { root };
    child_or_new(configuration, name)
}

fn child_or_new<'a>(node: &'a mut Node, name: &str) -> &'a mut Node {
    let at = match node.children.iter().position(|child| child.name == name) {
        Some(at) => at,
        None => {
            node.children.push(Node { name: name.to_owned(), ..Node::default() });
            node.children.len() - 1
        }
    };
    &mut node.children[at]
}

/// The section in which an object belongs.
fn home(object: &Node) -> Option<&'static str> {
    Some(match object.name.as_str() {
        "primitive" | "group" | "clone" | "master" | "bundle" | "template" => "resources",
        "rsc_location" | "rsc_colocation" | "rsc_order" | "rsc_ticket" => "constraints",
        "node" => "nodes",
        "node_state" | "tickets" => "status",
        "cluster_property_set" => "crm_config",
        "tag" => "tags",
        "fencing-level" => "fencing-topology",
        "alert" => "alerts",
        "acl_role" | "acl_target" | "acl_group" => "acls",
        _ => return None,
    })
}

/// The XML that comes with the command.
fn data(command: &str, given: &Given) -> Ends<Option<Node>> {
    let (text, what) = match given.last(&["xml-text", "xml-file", "xml-pipe"]) {
        Some("xml-text") => (given.value("xml-text").unwrap_or_default().to_owned(), "input string".to_owned()),
        Some("xml-file") => {
            let name = given.value("xml-file").unwrap_or_default();
            (limited(File::open(name), name)?, name.to_owned())
        }
        Some(_) => (limited(Ok(io::stdin().lock()), "STDIN")?, "STDIN".to_owned()),
        None if matches!(command, "erase" | "bump") || given.has("xpath") && command.starts_with("delete") => {
            return Ok(None);
        }
        None => {
            let err = format!("{PROGRAM}: --{command} needs data: -X TEXT, -x FILE or -p for standard input");
            return Err(Said::failed(exit::USAGE, err));
        }
    };
    match Node::parse(&text) {
        Ok(node) => Ok(Some(node)),
        Err(error) => Err(Said::failed(exit::CONFIG, format!("Couldn't parse input from {what}.\n{PROGRAM}: {error}"))),
    }
}

fn limited(input: io::Result<impl Read>, what: &str) -> Ends<String> {
    let mut text = String::new();
    let read = input.and_then(|input| input.take(INPUT_MAX).read_to_string(&mut text));
    read.map_err(|error| Said::failed(exit::NO_INPUT, format!("{PROGRAM}: could not read {what}: {error}")))?;
    Ok(text)
}

/// A command on what a path leads to.
fn at_path(root: &mut Node, command: &str, path: &Path, data: Option<&Node>) -> Result<(), Refused> {
    let places = path.find(root);
    let first = places.first().cloned();
    match (command, data) {
        ("delete" | "delete-all", _) => {
            // From the end, so that the places before stay what they are.
            let gone = if command == "delete" { &places[..places.len().min(1)] } else { &places[..] };
            for place in gone.iter().rev() {
                xml_tree::delete_at(root, place);
            }
            Ok(())
        }
        (_, None) => Err(Refused::Invalid),
        ("create", Some(data)) => {
            let node = root.at_mut(&first.ok_or(Refused::Missing)?).ok_or(Refused::Missing)?;
            xml_tree::create(node, std::slice::from_ref(data))
        }
        ("replace", Some(data)) => {
            let node = root.at_mut(&first.ok_or(Refused::Missing)?).ok_or(Refused::Missing)?;
            node.clone_from(data);
            Ok(())
        }
        ("modify", Some(data)) => {
            let node = root.at_mut(&first.ok_or(Refused::Missing)?).ok_or(Refused::Missing)?;
            xml_tree::merge(node, data);
            Ok(())
        }
        _ => Err(Refused::Invalid),
    }
}

/// A command on a section, or on the whole.
fn in_section(
    root: &mut Node,
    command: &str,
    scope: Option<&str>,
    data: Option<&Node>,
    may_create: bool,
) -> Result<(), Refused> {
    let Some(data) = data else {
        if command == "erase" {
            for section in ["configuration", "status"] {
                if let Some(section) = root.child_mut(section) {
                    section.children.iter_mut().for_each(|child| child.children.clear());
                }
            }
        }
        return Ok(());
    };
    if command == "patch" {
        return xml_tree::patch(root, data);
    }
    // A whole document: what it says of each section, and of itself.
    if data.name == root.name {
        return match command {
            "replace" => {
                root.clone_from(data);
                Ok(())
            }
            "modify" => {
                xml_tree::merge(root, data);
                Ok(())
            }
            "create" => {
                let sections = data.children.iter().flat_map(|part| {
                    if part.name == "configuration" { part.children.iter().collect() } else { vec![part] }
                });
                sections
                    .cloned()
                    .collect::<Vec<_>>()
                    .iter()
                    .try_for_each(|section| xml_tree::create(frame_mut(root, &section.name), &section.children))
            }
            _ => Err(Refused::Invalid),
        };
    }
    if is_section(&data.name) {
        let frame = frame_mut(root, &data.name);
        return match command {
            "replace" => {
                frame.clone_from(data);
                Ok(())
            }
            "create" => xml_tree::create(frame, &data.children),
            "modify" => {
                xml_tree::merge(frame, data);
                Ok(())
            }
            _ => {
                xml_tree::delete(frame, &data.children);
                Ok(())
            }
        };
    }
    let target = match scope.or_else(|| home(data)) {
        Some(name) => frame_mut(root, name),
        None => root,
    };
    let objects = std::slice::from_ref(data);
    match command {
        "create" => xml_tree::create(target, objects),
        "modify" => xml_tree::modify(target, objects, may_create),
        "replace" => xml_tree::replace(target, objects),
        _ => {
            xml_tree::delete(target, objects);
            Ok(())
        }
    }
}

/// Counts the version up, unless the change says itself what it is.
fn count(root: &mut Node, before: &Node, bump: bool) {
    let version = |node: &Node| ["admin_epoch", "epoch", "num_updates"].map(|name| node.get(name).map(str::to_owned));
    if version(root) != version(before) {
        return;
    }
    let number = |name: &str| root.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    if !bump && root.child("configuration") == before.child("configuration") {
        let updates = number("num_updates").saturating_add(1).to_string();
        root.set("num_updates", Some(&updates));
    } else {
        let epoch = number("epoch").saturating_add(1).to_string();
        root.set("epoch", Some(&epoch));
        root.set("num_updates", Some("0"));
    }
}

/// Puts the changed document into effect: in the file, or as a change of the cluster's configuration.
fn store(root: &Node, before: &Node, live: Option<Cib>) -> Ends<Said> {
    let text = root.text();
    let nonconforming = |error: &dyn std::fmt::Display| {
        let err = format!(
            "Call failed: Update does not conform to the configured schema\n{PROGRAM}: {error}; nothing was changed"
        );
        Said::failed(exit::CONFIG, err)
    };
    let new = match live {
        None => {
            cib_xml::read_valid(&text).map_err(|error| nonconforming(&error))?;
            let name = file::named().unwrap_or_default();
            return file::write(&name, &text).map_err(troubled).map(|()| Said::nothing());
        }
        Some(old) => {
            let new = cib_xml::read_part(&text).map_err(|error| nonconforming(&error))?;
            if root.child("status") != before.child("status") {
                let err = format!(
                    "{PROGRAM}: the status is written by the cluster alone; 'crm_attribute -l reboot' sets an attribute of a node, \
                     'hacctl resource cleanup' forgets failures. Nothing was changed"
                );
                return Err(Said::failed(exit::USAGE, err));
            }
            if new.configuration == old.configuration {
                return Ok(Said::nothing());
            }
            (new, old.version)
        }
    };
    let (new, version) = new;
    let change = Change::ReplaceConfiguration(Box::new(new.configuration.into_inner()));
    let change = serde_json::to_value(&change)
        .map_err(|error| Said::failed(exit::ERROR, format!("{PROGRAM}: could not write the change: {error}")))?;
    let base = Version { admin_epoch: version.admin_epoch, epoch: version.epoch, num_updates: version.num_updates };
    let request = ConfigureRequest {
        changes: vec![change],
        base: Some(base),
        client: PROGRAM.to_owned(),
        ..ConfigureRequest::default()
    };
    let body = serde_json::to_vec(&request)
        .map_err(|error| Said::failed(exit::ERROR, format!("{PROGRAM}: could not write the request: {error}")))?;
    client::ask::<serde_json::Value>(&Ask::Post(route::CONFIGURE, body), None).map_err(troubled)?;
    Ok(Said::nothing())
}
